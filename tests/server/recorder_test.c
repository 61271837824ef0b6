// SPDX-License-Identifier: BSD-3-Clause
/* The recorder against a real file: rotated under it, full, torn (S26). */
#include "server/recorder.h"

#include "common/log.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct place {
	char folder[64];
	char path[96];
	char rotated[96];
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	log_set_level(LOG_LEVEL_ERR);
	strcpy(place->folder, "/tmp/dstm-recorder-XXXXXX");
	if (mkdtemp(place->folder) == NULL)
		return -1;
	snprintf(place->path, sizeof(place->path), "%s/records.jsonl", place->folder);
	snprintf(place->rotated, sizeof(place->rotated), "%s/records.jsonl.1", place->folder);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	unlink(place->rotated);
	rmdir(place->folder);
	free(place);
	return 0;
}

static struct srv_recorder *begin(const struct place *place)
{
	const struct srv_recorder_params params = {.path = place->path};
	struct srv_recorder *recorder = srv_recorder_create(&params);

	assert_non_null(recorder);
	return recorder;
}

static void add(struct srv_recorder *recorder, uint64_t id)
{
	const struct srv_record record = {
		.time_utc_ms = 1769860800123,
		.id = id,
		.lease = {.client_v6 = IN6ADDR_LOOPBACK_INIT,
			.n_ranges = 1,
			.ranges = {{1024, 2047}}},
	};

	srv_recorder_add(recorder, &record);
}

/* The ids of a file's records in order, 0 for a line that is none; returns how many lines. */
static size_t read_ids(const char *path, uint64_t *ids, size_t max)
{
	FILE *file = fopen(path, "re");
	char line[SRV_RECORD_LINE_SIZE];
	struct srv_record record;
	size_t n = 0;

	assert_non_null(file);
	while (n < max && fgets(line, sizeof(line), file) != NULL)
		ids[n++] = srv_record_parse(line, strcspn(line, "\n"), &record) == 0 ? record.id
										     : 0;
	fclose(file);
	return n;
}

static void lines_stand_in_order_in_a_file_that_others_cannot_read(void **state)
{
	const struct place *place = *state;
	struct srv_recorder *recorder = begin(place);
	struct stat file;
	uint64_t ids[8];

	for (uint64_t id = 1; id <= 3; id++)
		add(recorder, id);
	assert_int_equal(access(place->path, F_OK), -1); /* nothing before the flush */
	assert_int_equal(srv_recorder_flush(recorder), 0);
	add(recorder, 4);
	srv_recorder_destroy(recorder); /* flushes */
	assert_int_equal(read_ids(place->path, ids, 8), 4);
	for (uint64_t id = 1; id <= 4; id++)
		assert_int_equal(ids[id - 1], id);
	assert_int_equal(stat(place->path, &file), 0);
	assert_int_equal(file.st_mode & 0007, 0);
}

static void after_a_rename_and_a_word_it_goes_on_in_a_new_file(void **state)
{
	const struct place *place = *state;
	struct srv_recorder *recorder = begin(place);
	uint64_t ids[8];

	add(recorder, 1);
	assert_int_equal(srv_recorder_flush(recorder), 0);
	assert_int_equal(rename(place->path, place->rotated), 0);
	srv_recorder_reopen(recorder);
	add(recorder, 2);
	assert_int_equal(srv_recorder_flush(recorder), 0);
	srv_recorder_destroy(recorder);
	assert_int_equal(read_ids(place->rotated, ids, 8), 1);
	assert_int_equal(ids[0], 1);
	assert_int_equal(read_ids(place->path, ids, 8), 1);
	assert_int_equal(ids[0], 2);
}

static void a_torn_line_is_closed_before_the_next_one(void **state)
{
	const struct place *place = *state;
	struct srv_recorder *recorder;
	uint64_t ids[8] = {0};
	FILE *file = fopen(place->path, "we");

	fputs("{\"time\":\"2026-01-31T12:00:", file);
	fclose(file);
	recorder = begin(place);
	add(recorder, 5);
	srv_recorder_destroy(recorder);
	assert_int_equal(read_ids(place->path, ids, 8), 2);
	assert_int_equal(ids[0], 0);
	assert_int_equal(ids[1], 5);
}

/* A disk that takes no more keeps the lines waiting; none is lost, torn or doubled in the end. */
static void what_a_full_disk_refused_is_written_when_there_is_room(void **state)
{
	const struct place *place = *state;
	struct srv_recorder *recorder = begin(place);
	struct rlimit before, little;
	uint64_t ids[64];
	size_t n, good = 0;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	little = before;
	little.rlim_cur = 1000;
	setrlimit(RLIMIT_FSIZE, &little);
	log_set_level((enum log_level) - 1);
	for (uint64_t id = 1; id <= 10; id++) {
		add(recorder, id);
		srv_recorder_flush(recorder);
	}
	assert_true(srv_recorder_flush(recorder) < 0);
	assert_true(srv_recorder_count(recorder).failures > 0);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(srv_recorder_flush(recorder), 0);
	assert_int_equal(srv_recorder_count(recorder).written, 10);
	assert_int_equal(srv_recorder_count(recorder).lost, 0);
	srv_recorder_destroy(recorder);
	n = read_ids(place->path, ids, 64);
	for (size_t i = 0; i < n; i++) {
		if (ids[i] != 0)
			assert_int_equal(ids[i], ++good);
	}
	assert_int_equal(good, 10);
	assert_true(n <= 12); /* and at most the pieces of one or two */
}

static void what_waits_is_bounded_and_the_rest_counted(void **state)
{
	struct place nowhere = {.path = "/nonexistent/folder/records.jsonl"};
	struct srv_recorder *recorder = begin(&nowhere);
	struct srv_recorder_counts counts;

	log_set_level((enum log_level) - 1);
	for (uint64_t id = 1; id <= 30000; id++)
		add(recorder, id);
	assert_int_equal(srv_recorder_flush(recorder), -ENOENT);
	counts = srv_recorder_count(recorder);
	assert_int_equal(counts.written, 0);
	assert_true(counts.lost > 0 && counts.lost < 30000);
	srv_recorder_destroy(recorder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(lines_stand_in_order_in_a_file_that_others_cannot_read),
		TEST(after_a_rename_and_a_word_it_goes_on_in_a_new_file),
		TEST(a_torn_line_is_closed_before_the_next_one),
		TEST(what_a_full_disk_refused_is_written_when_there_is_room),
		TEST(what_waits_is_bounded_and_the_rest_counted),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
