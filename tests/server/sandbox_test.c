// SPDX-License-Identifier: BSD-3-Clause
/*
 * The server's sandbox from inside: a child gives up its privileges, enters, and tries something. The
 * kernel is the judge.
 */
#include "server/sandbox.h"

#include "common/privileges.h"
#include "common/sandbox.h"
#include "server/store.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define KILLED          1000 /* by SIGSYS */
#define LEN(a)          (sizeof(a) / sizeof((a)[0]))
#define MOST_PRIVILEGED "/etc/shadow"

static char store[64], secret[64], config_path[64];

/* Each returns 0, or -1 + errno, as a system call does. */

static int read_config(void)
{
	return open(config_path, O_RDONLY);
}

static int write_config(void)
{
	return open(config_path, O_WRONLY);
}

static int make_store(void)
{
	int fd = open(store, O_RDWR | O_CREAT | O_TRUNC, 0600);

	return fd < 0 ? fd : write(fd, "x", 1) == 1 && fsync(fd) == 0 ? unlink(store) : -1;
}

static int read_elsewhere(void)
{
	return open(secret, O_RDONLY);
}

static int read_shadow(void)
{
	return open(MOST_PRIVILEGED, O_RDONLY);
}

static int leave_by_dots(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s", store);
	strcpy(strrchr(path, '/'), "/../secret");
	return open(path, O_RDONLY);
}

static int make_device(void)
{
	return mknod(store, S_IFCHR | 0600, 0);
}

static int open_ipv6(void)
{
	return socket(AF_INET6, SOCK_STREAM, 0);
}

static int open_ipv4(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int open_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

static int run_shell(void)
{
	return execl("/bin/sh", "sh", "-c", "exit 0", NULL);
}

static int fork_away(void)
{
	return fork() < 0 ? -1 : 0;
}

static void *do_nothing(void *arg)
{
	return NULL;
}

static int start_thread(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, do_nothing, NULL) == 0 ? pthread_join(thread, NULL)
								    : -1;
}

static int trace_parent(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int signal_parent(void)
{
	return kill(getppid(), 0);
}

static int map_executable(void)
{
	void *map = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? -1 : 0;
}

static int become_root(void)
{
	return setuid(0);
}

static int type_into_terminal(void)
{
	return ioctl(0, TIOCSTI, "x");
}

static int use_io_uring(void)
{
	return syscall(SYS_io_uring_setup, 1, NULL);
}

static int mount_something(void)
{
	return syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL);
}

static const struct attempt {
	const char *name;
	int (*try)(void);
	int expected; /* 0, an errno, or KILLED */
} attempts[] = {
	{"read the configuration", read_config, 0},
	{"make, write and remove a file of the store", make_store, 0},
	{"open an IPv6 socket", open_ipv6, 0},
	{"start a thread", start_thread, 0},
	{"write the configuration", write_config, EACCES},
	{"read a file elsewhere", read_elsewhere, EACCES},
	{"read " MOST_PRIVILEGED, read_shadow, EACCES},
	{"leave a folder by ..", leave_by_dots, EACCES},
	{"make a device", make_device, KILLED},
	{"open an IPv4 socket", open_ipv4, KILLED},
	{"open a netlink socket", open_netlink, KILLED},
	{"execute a program", run_shell, KILLED},
	{"fork", fork_away, KILLED},
	{"trace a process", trace_parent, KILLED},
	{"signal a process", signal_parent, KILLED},
	{"map executable memory", map_executable, KILLED},
	{"become root", become_root, KILLED},
	{"type into a terminal", type_into_terminal, KILLED},
	{"use io_uring", use_io_uring, KILLED},
	{"mount", mount_something, KILLED},
};

/* What a child sees that tries this behind the sandbox. */
static int result_of(int (*try)(void), enum sandbox_mode mode)
{
	const struct srv_config config = {.store = store, .sandbox = mode};
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL || privileges_drop(NULL) < 0 ||
			srv_sandbox_enter(&config, config_path) < 0)
			_exit(255);
		_exit(try() >= 0 ? 0 : errno);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : -WTERMSIG(status);
	return WEXITSTATUS(status);
}

static void what_leasing_does_not_need_is_refused(void **state)
{
	if (!sandbox_is_possible())
		skip();
	for (size_t i = 0; i < LEN(attempts); i++) {
		int result = result_of(attempts[i].try, SANDBOX_ON);

		if (result != attempts[i].expected)
			fail_msg("%s: %d instead of %d", attempts[i].name, result,
				attempts[i].expected);
	}
}

static void the_sandbox_that_only_logs_kills_nobody(void **state)
{
	if (!sandbox_is_possible())
		skip();
	assert_int_equal(result_of(open_ipv4, SANDBOX_LOG), 0);
	assert_int_equal(result_of(fork_away, SANDBOX_LOG), 0);
}

static void a_sandbox_that_is_off_refuses_nothing(void **state)
{
	assert_int_equal(result_of(open_ipv4, SANDBOX_OFF), 0);
	assert_int_equal(result_of(read_elsewhere, SANDBOX_OFF), 0);
}

/* --- a store that is too large to sort in a little memory ---------------------------------------- */

#define MANY 60000

static int fill_store(void)
{
	char error[SRV_STORE_ERROR_SIZE];
	struct srv_store *big = srv_store_sqlite_open(store, error);
	struct srv_store_record record = {.state = SRV_LEASE_ACTIVE};
	int ret = big != NULL ? big->ops->begin(big) : -1;

	record.lease = (struct lease){.n_ranges = 1, .ranges = {{1024, 2047}}};
	for (record.id = 1; ret == 0 && record.id <= MANY; record.id++) {
		record.until_utc_ms = record.id * 7919 % MANY;
		ret = big->ops->put(big, &record);
	}
	if (ret == 0)
		ret = big->ops->commit(big);
	if (big != NULL)
		big->ops->close(big);
	return ret;
}

static void count_record(void *arg, const struct srv_store_record *record)
{
	(*(uint32_t *)arg)++;
}

static int load_store(void)
{
	char error[SRV_STORE_ERROR_SIZE];
	struct srv_store *big = srv_store_sqlite_open(store, error);
	uint32_t n = 0;

	errno = EIO;
	return big != NULL && big->ops->load(big, count_record, &n) == 0 && n == MANY ? 0 : -1;
}

static void a_large_store_needs_no_file_elsewhere(void **state)
{
	static const char *const tails[] = {"", "-wal", "-shm"};
	char path[80];

	if (!sandbox_is_possible())
		skip();
	assert_int_equal(fill_store(), 0);
	assert_int_equal(result_of(load_store, SANDBOX_ON), 0);
	for (size_t i = 0; i < LEN(tails); i++) {
		snprintf(path, sizeof(path), "%s%s", store, tails[i]);
		unlink(path);
	}
}

/* --- who the process is -------------------------------------------------------------------------- */

static int drop_to(const char *user)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL || privileges_drop(user) < 0)
			_exit(1);
		/* No way back, and nothing to gain from a program with more. */
		if (setuid(0) == 0 || setgid(0) == 0 || setgroups(0, NULL) == 0 ||
			prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || getuid() == 0 ||
			geteuid() == 0 || getgid() == 0)
			_exit(2);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void root_becomes_another_for_good(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(drop_to("nobody"), 0);
}

static void a_user_that_is_not_there_is_refused(void **state)
{
	assert_int_equal(drop_to("no-such-user-at-all"), 1);
}

/* --- set-up -------------------------------------------------------------------------------------- */

static int make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	return fd < 0 ? -1 : close(fd);
}

static int setup(void **state)
{
	static char folder[] = "/tmp/dstm-sandbox-XXXXXX";

	if (mkdtemp(folder) == NULL)
		return -1;
	*state = folder;
	snprintf(secret, sizeof(secret), "%s/secret", folder);
	snprintf(store, sizeof(store), "%s/store", folder);
	snprintf(config_path, sizeof(config_path), "%s/etc", folder);
	if (mkdir(store, 0700) < 0 || mkdir(config_path, 0700) < 0 || make_file(secret) < 0)
		return -1;
	strcat(store, "/leases.db");
	strcat(config_path, "/server.yaml");
	return make_file(config_path);
}

static int teardown(void **state)
{
	unlink(config_path);
	unlink(secret);
	*strrchr(config_path, '/') = '\0';
	*strrchr(store, '/') = '\0';
	return rmdir(config_path) == 0 && rmdir(store) == 0 ? rmdir(*state) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_leasing_does_not_need_is_refused),
		cmocka_unit_test(the_sandbox_that_only_logs_kills_nobody),
		cmocka_unit_test(a_sandbox_that_is_off_refuses_nothing),
		cmocka_unit_test(a_large_store_needs_no_file_elsewhere),
		cmocka_unit_test(root_becomes_another_for_good),
		cmocka_unit_test(a_user_that_is_not_there_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
