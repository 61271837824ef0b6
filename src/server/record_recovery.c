// SPDX-License-Identifier: BSD-3-Clause
#include "server/record_recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_EVERY 1000 /* records, which the recorder can keep */

/* A lease that the index holds open. */
struct open_lease {
	uint64_t id;
	uint32_t v4;
	uint32_t n_ranges;
	bool seen; /* in the store, alive or with its end recorded now */
};

struct srv_recovery {
	struct srv_record_index *index;
	struct srv_recorder *recorder;
	int64_t now_utc_ms;
	int64_t newest_utc_ms;
	struct open_lease *open; /* in order of ids */
	size_t n_open, size;
	bool out_of_memory;
	uint64_t added;
};

static void take_open(void *arg, uint64_t id, uint32_t v4)
{
	struct srv_recovery *recovery = arg;
	struct open_lease *last = recovery->n_open > 0 ? &recovery->open[recovery->n_open - 1]
						       : NULL;

	if (last != NULL && last->id == id && last->v4 == v4) {
		last->n_ranges++;
		return;
	}
	if (recovery->open == NULL || recovery->n_open == recovery->size) {
		size_t size = recovery->size == 0 ? 1024 : 2 * recovery->size;
		struct open_lease *open = realloc(recovery->open, size * sizeof(*open));

		if (open == NULL) {
			recovery->out_of_memory = true;
			return;
		}
		recovery->open = open;
		recovery->size = size;
	}
	recovery->open[recovery->n_open++] = (struct open_lease){.id = id, .v4 = v4, .n_ranges = 1};
}

struct srv_recovery *srv_recovery_create(
	struct srv_record_index *index, struct srv_recorder *recorder, int64_t now_utc_ms)
{
	struct srv_recovery *recovery = calloc(1, sizeof(*recovery));

	if (recovery == NULL)
		return NULL;
	recovery->index = index;
	recovery->recorder = recorder;
	recovery->now_utc_ms = now_utc_ms;
	if (srv_record_index_newest(index, &recovery->newest_utc_ms) < 0 ||
		srv_record_index_open_holdings(index, take_open, recovery) < 0 ||
		recovery->out_of_memory) {
		srv_recovery_destroy(recovery);
		return NULL;
	}
	if (recovery->newest_utc_ms > now_utc_ms)
		recovery->newest_utc_ms = now_utc_ms;
	return recovery;
}

void srv_recovery_destroy(struct srv_recovery *recovery)
{
	if (recovery == NULL)
		return;
	free(recovery->open);
	free(recovery);
}

static int by_id(const void *a, const void *b)
{
	const struct open_lease *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static struct open_lease *find(const struct srv_recovery *recovery, uint64_t id)
{
	const struct open_lease key = {.id = id};

	if (recovery->n_open == 0)
		return NULL;
	return bsearch(&key, recovery->open, recovery->n_open, sizeof(key), by_id);
}

static void add(struct srv_recovery *recovery, struct srv_record *record,
	enum srv_record_event event, int64_t time_utc_ms, const char *reason)
{
	record->event = event;
	record->time_utc_ms = time_utc_ms < recovery->now_utc_ms ? time_utc_ms
								 : recovery->now_utc_ms;
	snprintf(record->reason, sizeof(record->reason), "%s", reason);
	srv_recorder_add(recovery->recorder, record);
	if (++recovery->added % FLUSH_EVERY == 0)
		srv_recorder_flush(recovery->recorder);
}

static void add_holding(
	struct srv_recovery *recovery, struct srv_record *record, enum srv_record_event event)
{
	int64_t left_ms = record->end_utc_ms - recovery->now_utc_ms;

	record->from_utc_ms = recovery->newest_utc_ms;
	record->lifetime_s = left_ms > 0 ? (uint32_t)(left_ms / 1000) : 0;
	add(recovery, record, event, recovery->now_utc_ms, "recovered");
	record->from_utc_ms = 0;
}

void srv_recovery_lease(struct srv_recovery *recovery, const struct srv_store_record *stored,
	const char *pool, const char *tep, uint32_t quarantine_s)
{
	struct open_lease *open = find(recovery, stored->id);
	struct srv_record record = {
		.id = stored->id,
		.lease = stored->lease,
		.end_utc_ms = stored->until_utc_ms,
	};
	bool is_recorded = open != NULL && open->v4 == stored->lease.v4;
	bool is_over = stored->until_utc_ms <= recovery->now_utc_ms;
	/* The store goes on calling a lease active that expired; records since then had its end. */
	bool was_recorded = !is_recorded && is_over &&
			    stored->until_utc_ms <= recovery->newest_utc_ms;

	if (is_recorded)
		open->seen = true;
	memcpy(record.user, stored->user, sizeof(record.user));
	snprintf(record.pool, sizeof(record.pool), "%s", pool);
	snprintf(record.tep, sizeof(record.tep), "%s", tep);
	if (stored->state == SRV_LEASE_ACTIVE && !is_recorded && !was_recorded)
		add_holding(recovery, &record, SRV_RECORD_ALLOCATED);
	else if (stored->state == SRV_LEASE_ACTIVE && is_recorded &&
		 open->n_ranges != stored->lease.n_ranges)
		add_holding(recovery, &record, SRV_RECORD_CHANGED);
	if (stored->state == SRV_LEASE_ACTIVE && is_over && !was_recorded)
		add(recovery, &record, SRV_RECORD_RELEASED, stored->until_utc_ms, "expired");
	else if (stored->state == SRV_LEASE_RESTING && is_recorded)
		add(recovery, &record, SRV_RECORD_RELEASED,
			stored->until_utc_ms - (int64_t)quarantine_s * 1000, "recovered");
	else if (stored->state == SRV_LEASE_PENDING && is_recorded)
		add(recovery, &record, SRV_RECORD_RELEASED, recovery->now_utc_ms, "recovered");
}

/* One lease's ranges, joined again. */
static void join(void *arg, const struct srv_holding *holding)
{
	struct srv_record *record = arg;

	record->id = holding->id;
	record->lease.v4 = holding->v4;
	record->lease.client_v6 = holding->client_v6;
	if (record->lease.n_ranges < LEASE_RANGES_MAX)
		record->lease.ranges[record->lease.n_ranges++] = holding->range;
	memcpy(record->user, holding->user, sizeof(record->user));
	memcpy(record->pool, holding->pool, sizeof(record->pool));
	memcpy(record->tep, holding->tep, sizeof(record->tep));
}

uint64_t srv_recovery_finish(struct srv_recovery *recovery)
{
	for (size_t i = 0; i < recovery->n_open; i++) {
		const struct open_lease *open = &recovery->open[i];
		struct srv_record record = {0};

		if (open->seen)
			continue;
		if (srv_record_index_of_lease(recovery->index, open->id, open->v4, join, &record) ==
				0 &&
			record.lease.n_ranges > 0)
			add(recovery, &record, SRV_RECORD_RELEASED, recovery->now_utc_ms,
				"recovered");
	}
	srv_recorder_flush(recovery->recorder);
	return recovery->added;
}
