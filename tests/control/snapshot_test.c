// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bindings that outlive their process (R30, S1): each test writes with one table and reads with another, as two
 * processes would. Nothing is written at a close, so a close is as good as a kill.
 */
#include "control/snapshot.h"
#include "control/snapshot_slot.h"
#include "support/binding.h"
#include "support/eal.h"

#include <rte_hash_crc.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define V4  0xc6336400u /* 198.51.100.0 */
#define NOW 1000
#define END (NOW + 600)
#define N   40

/* The file's header: octets, where the boot's name stands, how many the check covers, the check's seed. */
#define HEADER_SIZE    4096
#define HEADER_BOOT_ID 24
#define HEADER_CHECKED 1088
#define HEADER_VERSION 1

struct fixture {
	char folder[64];
	char path[96];
	struct in6_addr tep_v6;
	struct tep_snapshot_params params;
	struct tep_snapshot *snapshot;
	struct tep_snapshot_taken taken;
	char error[TEP_SNAPSHOT_ERROR_LEN];
};

static void make_table(struct fixture *f, uint32_t max_bindings)
{
	dp_bindings_destroy(f->params.table);
	f->params.table = dp_bindings_create(&(struct dp_bindings_params){
		.max_bindings = max_bindings, .max_readers = 1, .socket = SOCKET_ID_ANY});
	assert_non_null(f->params.table);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->folder, sizeof(f->folder), "/tmp/dstm-snapshot-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/tep", f->folder);
	f->tep_v6 = test_binding(V4, 0, 0, 0).tep_v6;
	f->params = (struct tep_snapshot_params){
		.path = f->path,
		.servers = {"alpha", "beta"},
		.n_servers = 2,
		.tep_v6 = &f->tep_v6,
		.n_tep_v6 = 1,
		.now_s = NOW,
	};
	make_table(f, N);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"tep", "tep.lock", "tep.new"};
	struct fixture *f = *state;
	char path[128];

	tep_snapshot_close(f->snapshot);
	dp_bindings_destroy(f->params.table);
	for (size_t i = 0; i < RTE_DIM(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->folder, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(f->folder), 0);
	free(f);
	return 0;
}

static void begin(struct fixture *f)
{
	f->snapshot = tep_snapshot_open(&f->params, &f->taken, f->error);
	assert_non_null(f->snapshot);
}

static void end(struct fixture *f)
{
	tep_snapshot_close(f->snapshot);
	f->snapshot = NULL;
}

/* The next process. */
static void restart(struct fixture *f)
{
	end(f);
	make_table(f, N);
	begin(f);
}

static int add(struct fixture *f, uint32_t i, uint16_t owner, uint32_t end_s)
{
	struct dp_binding binding = test_binding(V4 + i, 1024, 2047, i + 1);

	binding.owner = owner;
	binding.end_s = end_s;
	binding.stamp = 5000 + end_s;
	return dp_bindings_add(f->params.table, &binding);
}

static const struct dp_binding *find(const struct fixture *f, uint32_t i)
{
	return dp_bindings_find(f->params.table, V4 + i, 1024);
}

static void what_a_process_had_the_next_one_has_and_sleeps(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	begin(f);
	assert_string_equal(f->taken.ignored, "");
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(add(f, i, 1 + i % 2, END + i), 0);
	restart(f);
	assert_int_equal(f->taken.taken, N);
	for (uint32_t i = 0; i < N; i++) {
		const struct dp_binding *found = find(f, i);

		assert_non_null(found);
		assert_true(found->is_dormant);
		assert_int_equal(found->owner, 1 + i % 2);
		assert_int_equal(found->stamp, 5000 + END + i);
		assert_int_equal(dp_binding_lease_end_s(found), END + i);
		assert_int_equal(test_binding_holder(found), i + 1);
		assert_null(test_binding_lookup(f->params.table, V4 + i, 1024, NOW));
	}
	restart(f); /* still asleep, and there again */
	assert_int_equal(f->taken.taken, N);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void renewals_and_removals_are_followed(void **state)
{
	struct fixture *f = *state;

	begin(f);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(add(f, i, 1, END), 0);
	assert_int_equal(add(f, 1, 1, END + 50), 0);
	assert_int_equal(add(f, 2, 2, END + 60), 0); /* by another server */
	assert_int_equal(
		dp_bindings_remove(f->params.table, V4 + 3, (struct port_range){1024, 2047}), 0);
	restart(f);
	assert_int_equal(f->taken.taken, 3);
	assert_int_equal(dp_binding_lease_end_s(find(f, 0)), END);
	assert_int_equal(dp_binding_lease_end_s(find(f, 1)), END + 50);
	assert_int_equal(find(f, 1)->stamp, 5000 + END + 50);
	assert_int_equal(dp_binding_lease_end_s(find(f, 2)), END + 60);
	assert_int_equal(find(f, 2)->owner, 2);
	assert_null(find(f, 3));
}

static void what_has_ended_is_not_taken_over(void **state)
{
	struct fixture *f = *state;

	begin(f);
	assert_int_equal(add(f, 0, 1, NOW + 10), 0);
	assert_int_equal(add(f, 1, 1, NOW + 11), 0);
	f->params.now_s = NOW + 10;
	restart(f);
	assert_int_equal(f->taken.taken, 1);
	assert_int_equal(f->taken.ended, 1);
	assert_null(find(f, 0));
}

static void static_bindings_are_not_in_it_and_keep_their_place(void **state)
{
	struct dp_binding fixed = test_binding(V4, 1024, 2047, 77);
	struct fixture *f = *state;

	fixed.is_static = 1;
	begin(f);
	assert_int_equal(dp_bindings_add(f->params.table, &fixed), 0);
	assert_int_equal(add(f, 1, 1, END), 0);
	restart(f);
	assert_int_equal(f->taken.taken, 1);
	assert_null(find(f, 0));
	fixed.v4_be = rte_cpu_to_be_32(V4 + 1);
	end(f);
	make_table(f, N);
	assert_int_equal(dp_bindings_add(f->params.table, &fixed), 0);
	begin(f);
	assert_int_equal(f->taken.refused, 1);
	assert_int_equal(test_binding_holder(find(f, 1)), 77);
}

/* Nobody would confirm it; what a server takes over is its own from then on. */
static void what_was_learnt_is_not_in_it_until_a_server_has_it(void **state)
{
	struct fixture *f = *state;

	begin(f);
	assert_int_equal(add(f, 0, DP_OWNER_LEARNT, END), 0);
	assert_int_equal(add(f, 1, DP_OWNER_LEARNT, END), 0);
	assert_int_equal(add(f, 1, 1, END), 0);
	restart(f);
	assert_int_equal(f->taken.taken, 1);
	assert_int_equal(f->taken.foreign, 0);
	assert_null(find(f, 0));
	assert_int_equal(find(f, 1)->owner, 1);
}

static void servers_keep_theirs_by_name_and_strangers_lose_them(void **state)
{
	struct fixture *f = *state;

	begin(f);
	assert_int_equal(add(f, 0, 1, END), 0);
	assert_int_equal(add(f, 1, 2, END), 0);
	f->params.servers[0] = "gamma";
	f->params.servers[1] = "alpha";
	restart(f);
	assert_int_equal(f->taken.taken, 1);
	assert_int_equal(f->taken.foreign, 1);
	assert_int_equal(find(f, 0)->owner, 2);
	assert_null(find(f, 1));
}

static void a_tunnel_address_that_is_not_configured_takes_its_bindings_along(void **state)
{
	struct fixture *f = *state;

	begin(f);
	assert_int_equal(add(f, 0, 1, END), 0);
	f->tep_v6.s6_addr[15] ^= 1;
	restart(f);
	assert_int_equal(f->taken.foreign, 1);
	assert_null(find(f, 0));
}

static void a_smaller_table_takes_what_it_has_room_for(void **state)
{
	struct fixture *f = *state;

	begin(f);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(add(f, i, 1, END), 0);
	end(f);
	make_table(f, 10);
	begin(f);
	assert_int_equal(f->taken.taken, 10);
	assert_int_equal(f->taken.refused, N - 10);
}

static void one_process_at_a_time(void **state)
{
	struct tep_snapshot_taken taken;
	struct fixture *f = *state;

	begin(f);
	assert_null(tep_snapshot_open(&f->params, &taken, f->error));
	assert_string_equal(f->error, "another process uses it");
	end(f);
	begin(f);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
	struct fixture *f = *state;

	f->params.path = "/tmp/dstm-there-is-no-such-folder/tep";
	assert_null(tep_snapshot_open(&f->params, &f->taken, f->error));
	assert_string_equal(f->error, "cannot be made: No such file or directory");
}

/* A file that cannot have its room is no file. */
static void no_room_is_an_error_at_once_and_leaves_the_old_file(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, small;
	struct stat st;

	begin(f);
	assert_int_equal(add(f, 0, 1, END), 0);
	end(f);
	make_table(f, N);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){.rlim_cur = HEADER_SIZE, .rlim_max = before.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_null(tep_snapshot_open(&f->params, &f->taken, f->error));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_string_equal(f->error, "cannot be made: File too large");
	assert_int_equal(stat(f->path, &st), 0);
	begin(f);
	assert_int_equal(f->taken.taken, 1);
}

/* --- files that are not to be trusted ------------------------------------------------------------- */

static void poke(const struct fixture *f, off_t at, const void *octets, size_t len)
{
	int fd = open(f->path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, octets, len, at), len);
	close(fd);
}

static void damage_header(const struct fixture *f)
{
	poke(f, 100, "?", 1);
}

static void damage_magic(const struct fixture *f)
{
	poke(f, 0, "?", 1);
}

static void of_another_version(const struct fixture *f)
{
	poke(f, 8, "\x7f", 1);
}

static void cut(const struct fixture *f)
{
	assert_int_equal(truncate(f->path, HEADER_SIZE + 64), 0);
}

static void cut_all(const struct fixture *f)
{
	assert_int_equal(truncate(f->path, 17), 0);
}

static void open_to_others(const struct fixture *f)
{
	assert_int_equal(chmod(f->path, 0660), 0);
}

static void a_link(const struct fixture *f)
{
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(symlink("/dev/zero", f->path), 0);
}

static void a_pipe(const struct fixture *f)
{
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(mkfifo(f->path, 0600), 0);
}

static void a_file_that_is_not_to_be_trusted_is_said_to_be_so_and_not_read(void **state)
{
	static const struct {
		void (*spoil)(const struct fixture *f);
		const char *ignored;
	} cases[] = {
		{damage_header, "its header is damaged"},
		{damage_magic, "it is no snapshot"},
		{of_another_version, "another version wrote it"},
		{cut, "it does not have the size that its header says"},
		{cut_all, "it is too short"},
		{open_to_others, "others may write or read it"},
		{a_link, "Too many levels of symbolic links"},
		{a_pipe, "it is not a regular file"},
	};
	struct fixture *f = *state;

	begin(f);
	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		assert_int_equal(add(f, 0, 1, END), 0);
		cases[i].spoil(f);
		restart(f);
		assert_string_equal(f->taken.ignored, cases[i].ignored);
		assert_int_equal(f->taken.taken, 0);
		assert_null(find(f, 0));
	}
	assert_int_equal(add(f, 0, 1, END), 0);
	restart(f); /* the new one in its place is good */
	assert_int_equal(f->taken.taken, 1);
}

/* A file as another boot of this machine left it, whole in itself. */
static void of_another_boot(const struct fixture *f)
{
	uint8_t header[HEADER_CHECKED];
	uint32_t check;
	int fd = open(f->path, O_RDONLY);

	assert_int_equal(pread(fd, header, sizeof(header), 0), sizeof(header));
	close(fd);
	header[HEADER_BOOT_ID] ^= 1;
	check = rte_hash_crc(header, sizeof(header), HEADER_VERSION);
	poke(f, 0, header, sizeof(header));
	poke(f, sizeof(header), &check, sizeof(check));
}

static void a_file_of_another_boot_is_not_read(void **state)
{
	struct fixture *f = *state;

	begin(f);
	assert_int_equal(add(f, 0, 1, END), 0);
	of_another_boot(f);
	restart(f);
	assert_string_equal(f->taken.ignored, "it is from before the machine was started");
	assert_null(find(f, 0));
	assert_int_equal(add(f, 0, 1, END), 0);
	f->params.now_s = NOW - 1; /* the clock began anew */
	restart(f);
	assert_string_equal(f->taken.ignored, "it is of another clock");
	assert_null(find(f, 0));
}

static void a_damaged_slot_costs_its_own_binding(void **state)
{
	struct fixture *f = *state;
	uint8_t slot[64];
	int fd;

	begin(f);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(add(f, i, 1, END), 0);
	end(f);
	/* A slot at the place of another is damage as well. */
	fd = open(f->path, O_RDONLY);
	assert_int_equal(pread(fd, slot, sizeof(slot), HEADER_SIZE + 64), sizeof(slot));
	close(fd);
	poke(f, HEADER_SIZE + 3 * 64, slot, sizeof(slot));
	poke(f, HEADER_SIZE + 2 * 64 + 40, "?", 1);
	make_table(f, N);
	begin(f);
	assert_int_equal(f->taken.taken, 1);
	assert_int_equal(f->taken.damaged, 2);
	assert_non_null(find(f, 0));
}

static void no_bit_of_a_slot_changes_unnoticed(void **state)
{
	struct tep_snapshot_slot good = {}, bad;
	struct dp_binding binding = test_binding(V4, 1024, 2047, 1), got;

	binding.owner = 1;
	binding.end_s = END;
	tep_snapshot_slot_put(&good, 17, &binding);
	assert_int_equal(tep_snapshot_slot_get(&good, 17, &got), TEP_SNAPSHOT_BINDING);
	assert_int_equal(tep_snapshot_slot_get(&good, 18, &got), TEP_SNAPSHOT_DAMAGED);
	for (uint32_t bit = 0; bit < 8 * sizeof(good); bit++) {
		bad = good;
		((uint8_t *)&bad)[bit / 8] ^= 1 << bit % 8;
		assert_int_equal(tep_snapshot_slot_get(&bad, 17, &got), TEP_SNAPSHOT_DAMAGED);
	}
}

/* --- a kill at any instruction ---------------------------------------------------------------------- */

#define NUMBER 3

/* What a killed process may leave, by the holder that is read: 0 for an empty slot. */
struct stage {
	void (*change)(struct tep_snapshot_slot *slot);
	uint32_t before, after;
	uint32_t end_before, end_after;
};

static struct dp_binding held(uint32_t holder, uint32_t end_s)
{
	struct dp_binding binding = test_binding(V4, 1024, 2047, holder);

	binding.owner = 1;
	binding.end_s = end_s;
	return binding;
}

static void put_first(struct tep_snapshot_slot *slot)
{
	const struct dp_binding binding = held(7, END);

	tep_snapshot_slot_put(slot, NUMBER, &binding);
}

static void put_renewal(struct tep_snapshot_slot *slot)
{
	const struct dp_binding binding = held(7, END + 99);

	tep_snapshot_slot_put(slot, NUMBER, &binding);
}

static void clear(struct tep_snapshot_slot *slot)
{
	tep_snapshot_slot_clear(slot);
}

static void put_second(struct tep_snapshot_slot *slot)
{
	const struct dp_binding binding = held(8, END);

	tep_snapshot_slot_put(slot, NUMBER, &binding);
}

static void assert_slot_is_whole(const struct tep_snapshot_slot *slot, const struct stage *stage)
{
	struct dp_binding got = {};
	enum tep_snapshot_found found = tep_snapshot_slot_get(slot, NUMBER, &got);
	uint32_t holder = found == TEP_SNAPSHOT_BINDING ? test_binding_holder(&got) : 0;

	assert_int_not_equal(found, TEP_SNAPSHOT_DAMAGED);
	assert_true(holder == stage->before || holder == stage->after);
	if (holder != 0)
		assert_true(got.dormant_end_s == stage->end_before ||
			    got.dormant_end_s == stage->end_after);
}

/* A child makes the change instruction by instruction, as the debugger of it we look in between. */
static uint32_t step_through(struct tep_snapshot_slot *slot, const struct stage *stage)
{
	uint32_t steps = 0;
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(77);
		raise(SIGSTOP);
		stage->change(slot);
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	while (WIFSTOPPED(status)) {
		assert_slot_is_whole(slot, stage);
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		steps++;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return 0;
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_slot_is_whole(slot, stage);
	return steps;
}

static void a_kill_at_any_instruction_leaves_the_slot_whole(void **state)
{
	static const struct stage stages[] = {
		{put_first, 0, 7, END, END},
		{put_renewal, 7, 7, END, END + 99},
		{clear, 7, 0, END + 99, END + 99},
		{put_second, 0, 8, END, END},
	};
	struct tep_snapshot_slot *slot = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(slot, MAP_FAILED);
	for (size_t i = 0; i < RTE_DIM(stages); i++) {
		uint32_t steps = step_through(slot, &stages[i]);

		if (steps == 0)
			skip(); /* nobody may be traced here */
		print_message("%u instructions\n", steps);
	}
	munmap(slot, 4096);
}

#define SNAPSHOT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SNAPSHOT_TEST(what_a_process_had_the_next_one_has_and_sleeps),
		SNAPSHOT_TEST(renewals_and_removals_are_followed),
		SNAPSHOT_TEST(what_has_ended_is_not_taken_over),
		SNAPSHOT_TEST(static_bindings_are_not_in_it_and_keep_their_place),
		SNAPSHOT_TEST(what_was_learnt_is_not_in_it_until_a_server_has_it),
		SNAPSHOT_TEST(servers_keep_theirs_by_name_and_strangers_lose_them),
		SNAPSHOT_TEST(a_tunnel_address_that_is_not_configured_takes_its_bindings_along),
		SNAPSHOT_TEST(a_smaller_table_takes_what_it_has_room_for),
		SNAPSHOT_TEST(one_process_at_a_time),
		SNAPSHOT_TEST(a_folder_that_is_not_there_is_an_error),
		SNAPSHOT_TEST(no_room_is_an_error_at_once_and_leaves_the_old_file),
		SNAPSHOT_TEST(a_file_that_is_not_to_be_trusted_is_said_to_be_so_and_not_read),
		SNAPSHOT_TEST(a_file_of_another_boot_is_not_read),
		SNAPSHOT_TEST(a_damaged_slot_costs_its_own_binding),
		cmocka_unit_test(no_bit_of_a_slot_changes_unnoticed),
		cmocka_unit_test(a_kill_at_any_instruction_leaves_the_slot_whole),
	};

	if (test_eal_start(64) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
