// SPDX-License-Identifier: BSD-3-Clause
/* What a crash kept from being recorded, case by case (S26). */
#include "server/record_follow.h"
#include "server/record_recovery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define NOON       1769860800000
#define QUARANTINE 120

enum recorded {
	NOTHING,
	BEGUN, /* at NOON - 1000 */
	ENDED, /* at NOON - 500 */
};

static const struct {
	const char *what;
	enum recorded recorded;
	enum srv_lease_state state; /* SRV_LEASE_STATES: not in the store */
	int64_t until; /* from NOON on */
	const char *expected; /* event reason time-from-NOON, one after the other */
} cases[] = {
	{"alive and recorded", BEGUN, SRV_LEASE_ACTIVE, 5000, ""},
	{"alive and not recorded", NOTHING, SRV_LEASE_ACTIVE, 5000, "allocated recovered 0;"},
	{"given back, then alive and not recorded", ENDED, SRV_LEASE_ACTIVE, 5000,
		"allocated recovered 0;"},
	{"expired while nobody looked", BEGUN, SRV_LEASE_ACTIVE, -100, "released expired -100;"},
	{"never recorded, and expired", NOTHING, SRV_LEASE_ACTIVE, -100,
		"allocated recovered 0;released expired -100;"},
	{"expired long ago, as was recorded", ENDED, SRV_LEASE_ACTIVE, -500, ""},
	{"released, which was not recorded", BEGUN, SRV_LEASE_RESTING, 119000,
		"released recovered -1000;"},
	{"released, as was recorded", ENDED, SRV_LEASE_RESTING, 119500, ""},
	{"asked for and never answered", NOTHING, SRV_LEASE_PENDING, 5000, ""},
	{"asked for again, its old end not recorded", BEGUN, SRV_LEASE_PENDING, 5000,
		"released recovered 0;"},
	{"gone from the store", BEGUN, SRV_LEASE_STATES, 0, "released recovered 0;"},
};

static struct srv_record make(enum srv_record_event event, int64_t time_utc_ms)
{
	return (struct srv_record){
		.event = event,
		.time_utc_ms = time_utc_ms,
		.id = 7,
		.lease = {.client_v6 = IN6ADDR_LOOPBACK_INIT,
			.v4 = 0xc6336407,
			.n_ranges = 1,
			.ranges = {{1024, 2047}}},
		.reason = "test",
	};
}

static void apply(struct srv_record_index *index, struct srv_record record)
{
	assert_int_equal(srv_record_index_begin(index), 0);
	assert_int_equal(srv_record_index_apply(index, &record), 0);
	assert_int_equal(srv_record_index_commit(index), 0);
}

static void recover(struct srv_record_index *index, struct srv_recorder *recorder, size_t i)
{
	struct srv_recovery *recovery = srv_recovery_create(index, recorder, NOON);
	struct srv_record sample = make(SRV_RECORD_ALLOCATED, 0);
	struct srv_store_record stored = {
		.id = 7,
		.state = cases[i].state,
		.lease = sample.lease,
		.until_utc_ms = NOON + cases[i].until,
	};

	assert_non_null(recovery);
	if (cases[i].state != SRV_LEASE_STATES)
		srv_recovery_lease(recovery, &stored, "pool", "tep", QUARANTINE);
	srv_recovery_finish(recovery);
	srv_recovery_destroy(recovery);
}

/* What the file says, in the words of the cases. */
static void read_file(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	char line[SRV_RECORD_LINE_SIZE];
	struct srv_record record;
	size_t n = 0;

	text[0] = '\0';
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		assert_int_equal(srv_record_parse(line, strcspn(line, "\n"), &record), 0);
		assert_int_equal(record.id, 7);
		n += (size_t)snprintf(text + n, size - n, "%s %s %lld;",
			srv_record_event_name(record.event), record.reason,
			(long long)(record.time_utc_ms - NOON));
	}
	fclose(file);
}

static void each_case(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char folder[] = "/tmp/dstm-recovery-XXXXXX", path[64], text[256];
		struct srv_record_follow follow;
		struct srv_record_index index;

		assert_non_null(mkdtemp(folder));
		snprintf(path, sizeof(path), "%s/records.jsonl", folder);
		assert_int_equal(srv_record_index_open(&index, "memory", SRV_INDEX_MEMORY), 0);
		if (cases[i].recorded >= BEGUN)
			apply(&index, make(SRV_RECORD_ALLOCATED, NOON - 1000));
		if (cases[i].recorded == ENDED)
			apply(&index, make(SRV_RECORD_RELEASED, NOON - 500));
		follow = (struct srv_record_follow){.index = &index, .path = path};

		/* The second start finds nothing to do: what was added is in the index by then. */
		for (int start = 0; start < 2; start++) {
			const struct srv_recorder_params params = {.path = path};
			struct srv_recorder *recorder = srv_recorder_create(&params);

			recover(&index, recorder, i);
			srv_recorder_destroy(recorder);
			assert_int_equal(srv_record_follow(&follow), 0);
			read_file(path, text, sizeof(text));
			if (strcmp(text, cases[i].expected) != 0)
				fail_msg("%s, start %d: %s", cases[i].what, start, text);
		}
		srv_record_index_close(&index);
		unlink(path);
		rmdir(folder);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_case)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
