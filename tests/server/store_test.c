// SPDX-License-Identifier: BSD-3-Clause
/* The SQLite store and the writer thread before it: what is acknowledged survives (R27). */
#include "server/store.h"
#include "server/store_writer.h"

#include "common/addr.h"

#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
	char folder[32];
	char path[64];
	char error[SRV_STORE_ERROR_SIZE];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->folder, "/tmp/dstm-store-XXXXXX");
	if (mkdtemp(f->folder) == NULL)
		return 1;
	snprintf(f->path, sizeof(f->path), "%s/leases.db", f->folder);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
	char path[80];

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", f->path, tails[i]);
		unlink(path);
	}
	rmdir(f->folder);
	free(f);
	return 0;
}

static struct srv_store_record record(uint64_t id)
{
	struct srv_store_record r = {
		.id = id,
		.state = SRV_LEASE_ACTIVE,
		.lease = {.v4 = 0xc6336400 + (id & 0xff),
			.n_ranges = 2,
			.ranges = {{1024, 2047}, {64512, 65535}}},
		.until_utc_ms = 1700000000000 + (int64_t)id,
		.user = "alice",
		.tep = "tep1",
	};

	assert_int_equal(addr_v6_parse("2001:db8:1::17", &r.lease.client_v6), 0);
	assert_int_equal(addr_v6_parse("2001:db8::1", &r.lease.tep_v6), 0);
	return r;
}

static void assert_same(const struct srv_store_record *a, const struct srv_store_record *b)
{
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->lease.v4, b->lease.v4);
	assert_int_equal(a->lease.n_ranges, b->lease.n_ranges);
	for (uint32_t i = 0; i < a->lease.n_ranges; i++)
		assert_true(port_range_equal(a->lease.ranges[i], b->lease.ranges[i]));
	assert_true(addr_v6_equal(&a->lease.client_v6, &b->lease.client_v6));
	assert_true(addr_v6_equal(&a->lease.tep_v6, &b->lease.tep_v6));
	assert_int_equal(a->until_utc_ms, b->until_utc_ms);
	assert_string_equal(a->user, b->user);
	assert_string_equal(a->tep, b->tep);
}

static struct srv_store *open_store(struct fixture *f)
{
	struct srv_store *store = srv_store_sqlite_open(f->path, f->error);

	if (store == NULL)
		fail_msg("%s", f->error);
	return store;
}

struct loaded {
	uint32_t n;
	struct srv_store_record records[16];
};

static void keep(void *arg, const struct srv_store_record *r)
{
	struct loaded *loaded = arg;

	if (loaded->n < 16)
		loaded->records[loaded->n] = *r;
	loaded->n++;
}

static void put_all(struct srv_store *store, const struct srv_store_record *records, uint32_t n)
{
	assert_int_equal(store->ops->begin(store), 0);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(store->ops->put(store, &records[i]), 0);
	assert_int_equal(store->ops->commit(store), 0);
}

static void records_come_back_as_they_were_in_order_of_their_end(void **state)
{
	struct srv_store_record records[] = {record(3), record(1), record(2)};
	struct srv_store *store = open_store(*state);
	struct loaded loaded = {0};

	records[1].state = SRV_LEASE_PENDING;
	records[2].state = SRV_LEASE_RESTING;
	records[2].user[0] = '\0';
	records[2].lease.n_ranges = 1;
	records[2].lease.ranges[0] = PORT_RANGE_EXCLUSIVE;
	put_all(store, records, 3);
	store->ops->close(store);

	store = open_store(*state);
	assert_int_equal(store->ops->load(store, keep, &loaded), 0);
	assert_int_equal(loaded.n, 3);
	assert_same(&loaded.records[0], &records[1]);
	assert_same(&loaded.records[1], &records[2]);
	assert_same(&loaded.records[2], &records[0]);
	store->ops->close(store);
}

static void a_put_replaces_and_a_remove_removes(void **state)
{
	struct srv_store_record records[] = {record(1), record(2)};
	struct srv_store *store = open_store(*state);
	struct loaded loaded = {0};

	put_all(store, records, 2);
	records[0].until_utc_ms += 5000;
	assert_int_equal(store->ops->begin(store), 0);
	assert_int_equal(store->ops->put(store, &records[0]), 0);
	assert_int_equal(store->ops->remove(store, 2), 0);
	assert_int_equal(store->ops->remove(store, 77), 0); /* was not there: no error */
	assert_int_equal(store->ops->commit(store), 0);
	assert_int_equal(store->ops->load(store, keep, &loaded), 0);
	assert_int_equal(loaded.n, 1);
	assert_same(&loaded.records[0], &records[0]);
	store->ops->close(store);
}

static void a_group_that_is_rolled_back_leaves_nothing(void **state)
{
	struct srv_store_record one = record(1);
	struct srv_store *store = open_store(*state);
	struct loaded loaded = {0};

	assert_int_equal(store->ops->begin(store), 0);
	assert_int_equal(store->ops->put(store, &one), 0);
	store->ops->rollback(store);
	assert_int_equal(store->ops->load(store, keep, &loaded), 0);
	assert_int_equal(loaded.n, 0);
	put_all(store, &one, 1); /* and the store goes on */
	store->ops->close(store);
}

static void change_file(struct fixture *f, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void a_schema_of_the_future_is_refused(void **state)
{
	struct fixture *f = *state;
	struct srv_store *store = open_store(f);

	store->ops->close(store);
	change_file(f, "PRAGMA user_version=3");
	assert_null(srv_store_sqlite_open(f->path, f->error));
	assert_non_null(strstr(f->error, "schema version 3, this program knows 2"));
}

/* A file of the first version, whose rows named no TEP, is taken over with all that it has. */
static void a_store_of_the_first_version_is_brought_up_to_date(void **state)
{
	struct fixture *f = *state;
	struct srv_store *store = open_store(f);
	struct srv_store_record one = record(1), two = record(2);
	struct loaded loaded = {0};

	put_all(store, &one, 1);
	store->ops->close(store);
	change_file(f, "ALTER TABLE leases DROP COLUMN tep_name; PRAGMA user_version=1");
	for (int i = 0; i < 2; i++) { /* and it stays so */
		store = open_store(f);
		put_all(store, &two, 1);
		store->ops->close(store);
	}
	store = open_store(f);
	assert_int_equal(store->ops->load(store, keep, &loaded), 0);
	store->ops->close(store);
	assert_int_equal(loaded.n, 2);
	one.tep[0] = '\0';
	assert_same(&loaded.records[0], &one);
	assert_same(&loaded.records[1], &two);
}

static void rows_that_make_no_sense_are_refused_by_name(void **state)
{
	static const char *const changes[] = {"v4='1.2.3'", "ports='5-4'", "ports=''",
		"ports='1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9'", "client='x'", "tep=''",
		"state='asleep'", "user=hex(zeroblob(32))", "tep_name=hex(zeroblob(32))"};
	struct fixture *f = *state;
	struct srv_store_record one = record(9);

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct srv_store *store = open_store(f);
		struct loaded loaded = {0};
		char sql[128];

		put_all(store, &one, 1);
		store->ops->close(store);
		snprintf(sql, sizeof(sql), "UPDATE leases SET %s", changes[i]);
		change_file(f, sql);
		store = open_store(f);
		assert_int_equal(store->ops->load(store, keep, &loaded), -EINVAL);
		assert_non_null(strstr(store->error, "lease 9: not readable"));
		assert_int_equal(loaded.n, 0);
		store->ops->close(store);
	}
}

static void a_file_that_is_no_database_is_refused(void **state)
{
	struct fixture *f = *state;
	FILE *file = fopen(f->path, "w");

	for (int i = 0; i < 100; i++)
		fputs("this is not a database\n", file);
	fclose(file);
	assert_null(srv_store_sqlite_open(f->path, f->error));
	assert_non_null(strstr(f->error, "file is not a database"));
	assert_null(srv_store_sqlite_open("/nonexistent/leases.db", f->error));
	assert_non_null(strstr(f->error, "/nonexistent/leases.db"));
}

/* The child commits groups and tells each last id; it is killed in the middle of it all. */
static void write_until_killed(struct fixture *f, int out)
{
	struct srv_store *store = srv_store_sqlite_open(f->path, f->error);

	for (uint64_t id = 1; store != NULL; id += 3) {
		if (store->ops->begin(store) < 0)
			break;
		for (uint64_t i = id; i < id + 3; i++) {
			struct srv_store_record r = record(i);

			if (store->ops->put(store, &r) < 0)
				_exit(1);
		}
		uint64_t last = id + 2;

		if (store->ops->commit(store) < 0 || write(out, &last, sizeof(last)) < 0)
			break;
	}
	_exit(1);
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
	for (int round = 0; round < 5; round++) {
		struct fixture *f = *state;
		struct loaded loaded = {0};
		uint64_t last = 0, acknowledged = 0;
		uint64_t enough = 30 + arc4random_uniform(300);
		int ends[2];
		pid_t child;

		assert_int_equal(pipe(ends), 0);
		child = fork();
		if (child == 0)
			write_until_killed(f, ends[1]);
		close(ends[1]);
		while (last < enough && read(ends[0], &last, sizeof(last)) == sizeof(last))
			acknowledged = last;
		kill(child, SIGKILL);
		while (read(ends[0], &last, sizeof(last)) == sizeof(last))
			acknowledged = last;
		waitpid(child, NULL, 0);
		close(ends[0]);

		struct srv_store *store = open_store(f);

		assert_int_equal(store->ops->load(store, keep, &loaded), 0);
		assert_true(acknowledged >= enough);
		assert_true(loaded.n >= acknowledged);
		assert_int_equal(loaded.n % 3, 0); /* whole groups */
		store->ops->close(store);
		teardown(state);
		assert_int_equal(setup(state), 0);
	}
}

/* The writer. */

#define WRITER_CHANGES 1000

struct answers {
	struct event_base *base;
	uintptr_t n;
	uintptr_t last;
	uintptr_t expected;
	int errors;
};

static void answered(void *arg, void *token, int error)
{
	struct answers *answers = arg;

	assert_true((uintptr_t)token > answers->last); /* in order */
	answers->last = (uintptr_t)token;
	answers->errors += error < 0;
	if (++answers->n == answers->expected)
		event_base_loopbreak(answers->base);
}

static void answers_come_in_order_and_groups_share_a_sync(void **state)
{
	struct answers answers = {.base = event_base_new(), .expected = WRITER_CHANGES};
	struct srv_writer *writer = srv_writer_create(
		answers.base, open_store(*state), NULL, answered, &answers);
	struct loaded loaded = {0};

	assert_non_null(writer);
	for (uintptr_t i = 1; i <= WRITER_CHANGES; i++) {
		struct srv_store_record r = record(i);

		assert_int_equal(srv_writer_put(writer, &r, NULL, (void *)i), 0);
	}
	assert_int_equal(srv_writer_remove(writer, 1, NULL), 0);
	event_base_dispatch(answers.base);
	assert_int_equal(answers.n, WRITER_CHANGES);
	assert_int_equal(answers.errors, 0);
	assert_true(srv_writer_count(writer).groups < WRITER_CHANGES / 2);
	srv_writer_destroy(writer); /* writes what is left */
	event_base_free(answers.base);

	struct srv_store *store = open_store(*state);

	assert_int_equal(store->ops->load(store, keep, &loaded), 0);
	assert_int_equal(loaded.n, WRITER_CHANGES - 1);
	store->ops->close(store);
}

static void give_up(evutil_socket_t fd, short what, void *arg)
{
	fail_msg("no answer from the writer");
}

static int write_one(struct answers *answers, struct srv_writer *writer, uint64_t id)
{
	struct srv_store_record r = record(id);
	int before = answers->errors;

	answers->expected = answers->n + 1;
	assert_int_equal(srv_writer_put(writer, &r, NULL, (void *)(uintptr_t)id), 0);
	event_base_dispatch(answers->base);
	return answers->errors - before;
}

/*
 * A disk that takes no more: the change is refused, and the store works again when there is room. What nobody
 * waits for is not lost.
 */
static void a_full_disk_is_an_answer_and_not_the_end(void **state)
{
	const struct srv_store_record unasked = record(9);
	struct answers answers = {.base = event_base_new()};
	struct srv_writer *writer = srv_writer_create(
		answers.base, open_store(*state), NULL, answered, &answers);
	struct timeval limit = {.tv_sec = 20};
	struct event *timeout = evtimer_new(answers.base, give_up, NULL);
	struct rlimit before, none;

	evtimer_add(timeout, &limit);
	assert_int_equal(write_one(&answers, writer, 1), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	none = before;
	none.rlim_cur = 1024;
	setrlimit(RLIMIT_FSIZE, &none);
	assert_int_equal(write_one(&answers, writer, 2), 1);
	assert_int_equal(srv_writer_put(writer, &unasked, NULL, NULL), 0);
	assert_int_equal(srv_writer_remove(writer, 1, NULL), 0);
	assert_int_equal(write_one(&answers, writer, 3), 1);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(write_one(&answers, writer, 4), 0);
	assert_true(srv_writer_count(writer).failures >= 2);
	srv_writer_destroy(writer);
	event_free(timeout);
	event_base_free(answers.base);
	signal(SIGXFSZ, SIG_DFL);

	struct srv_store *store = open_store(*state);
	struct loaded loaded = {0};

	assert_int_equal(store->ops->load(store, keep, &loaded), 0);
	assert_int_equal(loaded.n, 2);
	assert_int_equal(loaded.records[0].id, 4);
	assert_int_equal(loaded.records[1].id, 9);
	store->ops->close(store);
}

#define store_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(records_come_back_as_they_were_in_order_of_their_end),
		store_test(a_put_replaces_and_a_remove_removes),
		store_test(a_group_that_is_rolled_back_leaves_nothing),
		store_test(a_schema_of_the_future_is_refused),
		store_test(a_store_of_the_first_version_is_brought_up_to_date),
		store_test(rows_that_make_no_sense_are_refused_by_name),
		store_test(a_file_that_is_no_database_is_refused),
		store_test(what_was_acknowledged_survives_kill_9),
		store_test(answers_come_in_order_and_groups_share_a_sync),
		store_test(a_full_disk_is_an_answer_and_not_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
