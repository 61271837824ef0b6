// SPDX-License-Identifier: BSD-3-Clause
/* The index of records against a list of holdings that is searched from end to end (S27, R9). */
#include "server/record_follow.h"

#include "common/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define V4        0xc6336407 /* 198.51.100.7 */
#define NOON      1769860800000
#define EVENTS    4000
#define QUESTIONS 5000

static int setup(void **state)
{
	static struct srv_record_index index;

	*state = &index;
	return srv_record_index_open(&index, "memory", SRV_INDEX_MEMORY);
}

static int teardown(void **state)
{
	srv_record_index_close(*state);
	return 0;
}

static struct srv_record make(enum srv_record_event event, uint64_t id, int64_t time_utc_ms,
	uint16_t first, uint16_t last)
{
	struct srv_record record = {
		.event = event,
		.time_utc_ms = time_utc_ms,
		.id = id,
		.lease = {.v4 = V4, .n_ranges = 1, .ranges = {{first, last}}},
		.reason = "test",
	};

	record.lease.client_v6.s6_addr[0] = 0x20;
	memcpy(&record.lease.client_v6.s6_addr[8], &id, sizeof(id));
	return record;
}

static void apply(struct srv_record_index *index, const struct srv_record *record)
{
	assert_int_equal(srv_record_index_begin(index), 0);
	assert_int_equal(srv_record_index_apply(index, record), 0);
	assert_int_equal(srv_record_index_commit(index), 0);
}

struct found {
	uint32_t n;
	struct srv_holding last;
};

static void take(void *arg, const struct srv_holding *holding)
{
	struct found *found = arg;

	found->n++;
	found->last = *holding;
}

/* The lease that held the port then; 0: none. There are never two. */
static uint64_t holder(struct srv_record_index *index, uint16_t port, int64_t utc_ms)
{
	struct found found = {0};

	assert_int_equal(srv_record_index_at(index, V4, &port, utc_ms, take, &found), 0);
	assert_true(found.n <= 1);
	return found.n == 0 ? 0 : found.last.id;
}

static void a_holding_begins_with_its_first_and_ends_before_its_last_millisecond(void **state)
{
	struct srv_record_index *index = *state;
	struct srv_record record = make(SRV_RECORD_ALLOCATED, 1, NOON, 1024, 2047);

	apply(index, &record);
	assert_int_equal(holder(index, 1024, NOON - 1), 0);
	assert_int_equal(holder(index, 1024, NOON), 1);
	assert_int_equal(holder(index, 2047, NOON + 999999), 1);
	assert_int_equal(holder(index, 1023, NOON), 0);
	assert_int_equal(holder(index, 2048, NOON), 0);
	record = make(SRV_RECORD_RELEASED, 1, NOON + 500, 1024, 2047);
	apply(index, &record);
	assert_int_equal(holder(index, 1500, NOON + 499), 1);
	assert_int_equal(holder(index, 1500, NOON + 500), 0);
	/* the next one in the very millisecond */
	record = make(SRV_RECORD_ALLOCATED, 2, NOON + 500, 1024, 2047);
	apply(index, &record);
	assert_int_equal(holder(index, 1500, NOON + 499), 1);
	assert_int_equal(holder(index, 1500, NOON + 500), 2);
}

static void a_lease_of_no_length_hides_nobody(void **state)
{
	struct srv_record_index *index = *state;
	struct srv_record records[] = {
		make(SRV_RECORD_ALLOCATED, 1, NOON, 1024, 2047),
		make(SRV_RECORD_RELEASED, 1, NOON + 10, 1024, 2047),
		make(SRV_RECORD_ALLOCATED, 2, NOON + 10, 1024, 2047),
		make(SRV_RECORD_ALLOCATED, 9, NOON + 10, 1024, 2047),
		make(SRV_RECORD_RELEASED, 9, NOON + 10, 1024, 2047),
	};

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		apply(index, &records[i]);
	assert_int_equal(holder(index, 1024, NOON + 9), 1);
}

static void a_whole_address_is_held_at_every_port(void **state)
{
	struct srv_record_index *index = *state;
	struct srv_record record = make(SRV_RECORD_ALLOCATED, 3, NOON, 0, UINT16_MAX);

	apply(index, &record);
	assert_int_equal(holder(index, 0, NOON), 3);
	assert_int_equal(holder(index, 65535, NOON), 3);
}

static void a_changed_lease_has_the_ranges_that_it_says(void **state)
{
	struct srv_record_index *index = *state;
	struct srv_record record = make(SRV_RECORD_ALLOCATED, 4, NOON, 1024, 2047);

	apply(index, &record);
	record = make(SRV_RECORD_CHANGED, 4, NOON + 5, 1024, 2047);
	record.lease.n_ranges = 2;
	record.lease.ranges[1] = (struct port_range){8192, 9215};
	apply(index, &record);
	assert_int_equal(holder(index, 1024, NOON + 1), 4);
	assert_int_equal(holder(index, 8192, NOON + 4), 0);
	assert_int_equal(holder(index, 8192, NOON + 5), 4);
	record = make(SRV_RECORD_CHANGED, 4, NOON + 9, 8192, 9215);
	apply(index, &record);
	assert_int_equal(holder(index, 1024, NOON + 8), 4);
	assert_int_equal(holder(index, 1024, NOON + 9), 0);
	assert_int_equal(holder(index, 8192, NOON + 9), 4);
}

static void a_missing_end_is_no_second_holder(void **state)
{
	struct srv_record_index *index = *state;
	struct srv_record record = make(SRV_RECORD_ALLOCATED, 5, NOON, 1024, 2047);

	apply(index, &record);
	record = make(SRV_RECORD_ALLOCATED, 6, NOON + 5, 1024, 2047);
	apply(index, &record);
	assert_int_equal(holder(index, 1024, NOON + 4), 5);
	assert_int_equal(holder(index, 1024, NOON + 5), 6);
	/* the old one's end comes late, and ends nobody else */
	record = make(SRV_RECORD_RELEASED, 5, NOON + 7, 1024, 2047);
	apply(index, &record);
	assert_int_equal(holder(index, 1024, NOON + 8), 6);
}

static void what_was_read_twice_is_there_once(void **state)
{
	struct srv_record_index *index = *state;
	struct srv_record made = make(SRV_RECORD_ALLOCATED, 5, NOON, 1024, 2047);
	struct srv_record ended = make(SRV_RECORD_RELEASED, 5, NOON + 7, 1024, 2047);
	struct found found = {0};

	for (int i = 0; i < 2; i++) {
		apply(index, &made);
		apply(index, &ended);
	}
	assert_int_equal(srv_record_index_ever(index, V4, NULL, 100, take, &found), 0);
	assert_int_equal(found.n, 1);
	assert_int_equal(found.last.until_utc_ms, NOON + 7);
}

/* --- against a list ------------------------------------------------------------------------------ */

struct history {
	struct srv_holding rows[EVENTS];
	uint32_t n;
	uint64_t open[64]; /* by block of 1,024: the lease, or 0 */
};

/* Random leases of blocks of 1,024 to 8,192 ports come and go, milliseconds apart or together. */
static void live(struct srv_record_index *index, struct history *history)
{
	int64_t now = NOON;
	uint64_t id = 0;

	assert_int_equal(srv_record_index_begin(index), 0);
	for (int i = 0; i < EVENTS; i++) {
		uint32_t blocks = 1U << (random() % 4);
		uint32_t at = (uint32_t)(random() % (64 / blocks)) * blocks;
		uint32_t busy = 0;
		struct srv_record record;

		now += random() % 3;
		for (uint32_t b = at; b < at + blocks; b++)
			busy += history->open[b] != 0;
		if (busy > 0) { /* end whoever is there */
			uint64_t victim = 0;

			for (uint32_t b = at; victim == 0; b++)
				victim = history->open[b];
			record = make(SRV_RECORD_RELEASED, victim, now,
				history->rows[victim - 1].range.first,
				history->rows[victim - 1].range.last);
			history->rows[victim - 1].until_utc_ms = now;
			for (uint32_t b = 0; b < 64; b++)
				history->open[b] = history->open[b] == victim ? 0
									      : history->open[b];
		} else {
			record = make(SRV_RECORD_ALLOCATED, ++id, now, (uint16_t)(at * 1024),
				(uint16_t)((at + blocks) * 1024 - 1));
			history->rows[history->n++] = (struct srv_holding){.id = id,
				.since_utc_ms = now,
				.until_utc_ms = SRV_INDEX_OPEN,
				.range = record.lease.ranges[0]};
			for (uint32_t b = at; b < at + blocks; b++)
				history->open[b] = id;
		}
		assert_int_equal(srv_record_index_apply(index, &record), 0);
	}
	assert_int_equal(srv_record_index_commit(index), 0);
}

static uint64_t holder_by_list(const struct history *history, uint16_t port, int64_t utc_ms)
{
	for (uint32_t i = 0; i < history->n; i++) {
		const struct srv_holding *row = &history->rows[i];

		if (row->since_utc_ms <= utc_ms && row->until_utc_ms > utc_ms &&
			port_range_contains(row->range, port))
			return row->id;
	}
	return 0;
}

static void the_index_says_what_a_list_says(void **state)
{
	struct srv_record_index *index = *state;
	struct history *history = calloc(1, sizeof(*history));
	unsigned seed = (unsigned)time(NULL);

	print_message("seed %u\n", seed);
	srandom(seed);
	live(index, history);
	for (int i = 0; i < QUESTIONS; i++) {
		uint16_t port = (uint16_t)random();
		int64_t utc_ms = NOON + random() % (EVENTS * 2);

		assert_int_equal(
			holder(index, port, utc_ms), holder_by_list(history, port, utc_ms));
	}
	free(history);
}

static void an_address_without_port_shows_all_of_its_holders(void **state)
{
	struct srv_record_index *index = *state;
	struct found found = {0};

	for (uint16_t i = 1; i < 64; i++) {
		struct srv_record record = make(SRV_RECORD_ALLOCATED, i, NOON, (uint16_t)(i * 1024),
			(uint16_t)(i * 1024 + 1023));

		apply(index, &record);
	}
	assert_int_equal(srv_record_index_at(index, V4, NULL, NOON, take, &found), 0);
	assert_int_equal(found.n, 63);
	assert_int_equal(srv_record_index_at(index, V4 + 1, NULL, NOON, take, &found), 0);
	assert_int_equal(found.n, 63);
}

/* Pages, not seconds: the same few of them whether the history is short or long. */
static void a_long_history_costs_no_more_pages(void **state)
{
	struct srv_record_index *index = *state;
	uint64_t before, few, id = 0;

	for (int round = 0; round < 2; round++) {
		assert_int_equal(srv_record_index_begin(index), 0);
		for (int i = 0; i < (round == 0 ? 100 : 20000); i++) {
			struct srv_record record = make(SRV_RECORD_ALLOCATED, id + 1,
				NOON + (int64_t)(id + 1) * 10, 1024, 2047);

			assert_int_equal(srv_record_index_apply(index, &record), 0);
			id++;
			record = make(
				SRV_RECORD_RELEASED, id, NOON + (int64_t)id * 10 + 5, 1024, 2047);
			assert_int_equal(srv_record_index_apply(index, &record), 0);
		}
		assert_int_equal(srv_record_index_commit(index), 0);
		before = srv_record_index_pages(index);
		assert_int_equal(holder(index, 1030, NOON + (int64_t)id * 5 / 10 * 10), id / 2);
		few = srv_record_index_pages(index) - before;
		assert_true(few <= (round == 0 ? 64 : 128));
	}
}

static void old_holdings_are_forgotten_and_open_ones_kept(void **state)
{
	struct srv_record_index *index = *state;
	struct srv_record records[] = {
		make(SRV_RECORD_ALLOCATED, 1, NOON, 1024, 2047),
		make(SRV_RECORD_RELEASED, 1, NOON + 10, 1024, 2047),
		make(SRV_RECORD_ALLOCATED, 2, NOON + 20, 1024, 2047),
		make(SRV_RECORD_RELEASED, 2, NOON + 30, 1024, 2047),
		make(SRV_RECORD_ALLOCATED, 3, NOON, 2048, 3071),
	};
	uint32_t cursor = 0;

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		apply(index, &records[i]);
	assert_int_equal(srv_record_index_prune(index, NOON + 20, &cursor), 0);
	assert_int_equal(cursor, V4);
	assert_int_equal(srv_record_index_prune(index, NOON + 20, &cursor), 0);
	assert_int_equal(cursor, 0);
	assert_int_equal(holder(index, 1024, NOON + 5), 0);
	assert_int_equal(holder(index, 1024, NOON + 25), 2);
	assert_int_equal(holder(index, 2048, NOON + 5), 3);
}

/* --- files --------------------------------------------------------------------------------------- */

static void write_lines(const char *path, const char *mode, uint64_t from, uint64_t to)
{
	FILE *file = fopen(path, mode);
	char line[SRV_RECORD_LINE_SIZE];

	assert_non_null(file);
	for (uint64_t id = from; id <= to; id++) {
		struct srv_record record = make(SRV_RECORD_ALLOCATED, id, NOON + (int64_t)id,
			(uint16_t)(id * 1024), (uint16_t)(id * 1024 + 1023));

		srv_record_format(&record, line);
		fputs(line, file);
	}
	fclose(file);
}

static void files_are_read_once_over_renames_torn_lines_and_junk(void **state)
{
	struct srv_record_index *index = *state;
	char folder[] = "/tmp/dstm-follow-XXXXXX", path[64], old[64], other[64];
	struct srv_record_follow follow = {.index = index, .path = path}, again;
	FILE *file;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/records.jsonl", folder);
	snprintf(old, sizeof(old), "%s/records.jsonl-20260131", folder);
	snprintf(other, sizeof(other), "%s/records.jsonl.index", folder);
	assert_int_equal(srv_record_follow(&follow), 0); /* there is none yet */

	write_lines(other, "we", 40, 50); /* not by its name */
	write_lines(path, "we", 1, 3);
	assert_int_equal(srv_record_follow(&follow), 0);
	assert_int_equal(follow.records, 3);

	/* half a line waits for its other half */
	file = fopen(path, "ae");
	fputs("{\"torn", file);
	fclose(file);
	assert_int_equal(srv_record_follow(&follow), 0);
	assert_int_equal(follow.skipped, 0);
	file = fopen(path, "ae");
	fputs("\":1}\n", file);
	fclose(file);
	write_lines(path, "ae", 4, 5);
	assert_int_equal(srv_record_follow(&follow), 0);
	assert_int_equal(follow.records, 5);
	assert_int_equal(follow.skipped, 1);

	/* renamed with lines that nobody has seen; somebody who looks for the first time sees them too */
	write_lines(path, "ae", 6, 6);
	assert_int_equal(rename(path, old), 0);
	write_lines(path, "we", 7, 8);
	again = (struct srv_record_follow){.index = index, .path = path};
	assert_int_equal(srv_record_follow(&again), 0);
	assert_int_equal(again.records, 3);
	assert_int_equal(srv_record_follow(&follow), 0);
	assert_int_equal(follow.records, 5); /* the other one has read them */
	for (uint64_t id = 1; id <= 8; id++)
		assert_int_equal(holder(index, (uint16_t)(id * 1024), NOON + 100), id);
	assert_int_equal(holder(index, 40 * 1024, NOON + 100), 0);
	unlink(path);
	unlink(old);
	unlink(other);
	rmdir(folder);
}

static void an_index_that_is_none_is_refused_with_a_sentence(void **state)
{
	char path[] = "/tmp/dstm-index-XXXXXX";
	struct srv_record_index index;
	int fd = mkstemp(path);

	assert_int_equal(write(fd, "This is no database, and long enough to show it.", 48), 48);
	close(fd);
	assert_true(srv_record_index_open(&index, path, SRV_INDEX_WRITE) < 0);
	assert_non_null(strstr(index.error, path));
	unlink(path);
	assert_true(srv_record_index_open(&index, path, SRV_INDEX_READ) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_holding_begins_with_its_first_and_ends_before_its_last_millisecond),
		TEST(a_lease_of_no_length_hides_nobody),
		TEST(a_whole_address_is_held_at_every_port),
		TEST(a_changed_lease_has_the_ranges_that_it_says),
		TEST(a_missing_end_is_no_second_holder),
		TEST(what_was_read_twice_is_there_once),
		TEST(the_index_says_what_a_list_says),
		TEST(an_address_without_port_shows_all_of_its_holders),
		TEST(a_long_history_costs_no_more_pages),
		TEST(old_holdings_are_forgotten_and_open_ones_kept),
		TEST(files_are_read_once_over_renames_torn_lines_and_junk),
#undef TEST
		cmocka_unit_test(an_index_that_is_none_is_refused_with_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
