// SPDX-License-Identifier: BSD-3-Clause
#include "server/records.h"

#include "common/clock.h"
#include "common/log.h"
#include "server/record_indexer.h"
#include "server/record_recovery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct srv_records {
	const struct srv_config_records *config;
	struct srv_recorder *recorder;
	char *index_path;
	struct srv_indexer *indexer; /* NULL: it cannot be had */
	struct srv_recovery *recovery; /* during the start */
	struct srv_record next;
	bool has_next;
};

/* Without an index records are still written. */
static void open_index(struct srv_records *records)
{
	records->indexer = srv_indexer_create(
		records->index_path, records->config->file, records->config->keep_days);
	if (records->indexer == NULL)
		return log_warn("records: what a crash kept from being recorded stays so");
	records->recovery = srv_recovery_create(
		srv_indexer_index(records->indexer), records->recorder, clock_utc_ms());
	if (records->recovery == NULL)
		log_err("index of records: %s", srv_indexer_index(records->indexer)->error);
}

struct srv_records *srv_records_create(const struct srv_config_records *config)
{
	const struct srv_recorder_params params = {
		.path = config->file,
		.syslog = config->syslog,
		.required = config->required,
	};
	struct srv_records *records;

	records = calloc(1, sizeof(*records));
	if (records == NULL)
		return NULL;
	records->config = config;
	records->recorder = srv_recorder_create(&params);
	records->index_path = srv_config_index_path(config);
	if (records->recorder == NULL || records->index_path == NULL) {
		srv_records_destroy(records);
		errno = ENOMEM;
		return NULL;
	}
	open_index(records);
	return records;
}

void srv_records_destroy(struct srv_records *records)
{
	if (records == NULL)
		return;
	srv_recovery_destroy(records->recovery);
	srv_recorder_destroy(records->recorder);
	srv_indexer_destroy(records->indexer);
	free(records->index_path);
	free(records);
}

struct srv_recorder *srv_records_recorder(struct srv_records *records)
{
	return records != NULL ? records->recorder : NULL;
}

void srv_records_resume(struct srv_records *records, const struct srv_engine *engine,
	const struct srv_store_record *stored, uint32_t quarantine_s)
{
	const struct srv_lease_db *db = srv_engine_leases(engine);
	uint16_t port = stored->lease.ranges[0].first;
	const struct srv_lease *lease = srv_lease_db_holder(db, stored->lease.v4, port);

	if (records == NULL || records->recovery == NULL)
		return;
	if (lease == NULL)
		lease = srv_lease_db_former(db, stored->lease.v4, port);
	srv_recovery_lease(records->recovery, stored,
		lease != NULL ? srv_engine_pool_name(engine, lease) : "",
		lease != NULL ? srv_engine_tep_name(engine, lease) : "", quarantine_s);
}

void srv_records_start(struct srv_records *records)
{
	uint64_t added;

	if (records == NULL || records->indexer == NULL)
		return;
	if (records->recovery != NULL) {
		added = srv_recovery_finish(records->recovery);
		if (added > 0)
			log_warn("records %s: %llu were missing and have been added",
				records->config->file, (unsigned long long)added);
		srv_recovery_destroy(records->recovery);
		records->recovery = NULL;
	}
	if (srv_indexer_start(records->indexer) < 0)
		log_err("index of records: its thread cannot be started");
}

/* Of a lease, as it is now. */
static struct srv_record describe(const struct srv_engine *engine, const struct srv_lease *lease)
{
	int64_t now_ms = clock_boot_ms(), utc_ms = clock_utc_ms();
	struct srv_record record = {
		.time_utc_ms = utc_ms,
		.id = lease->id,
		.lease = lease->lease,
		.end_utc_ms = utc_ms + lease->lease.end_ms - now_ms,
		.lifetime_s = srv_lifetime_s(&lease->lease, now_ms),
	};

	snprintf(record.user, sizeof(record.user), "%s", lease->user);
	snprintf(record.pool, sizeof(record.pool), "%s", srv_engine_pool_name(engine, lease));
	snprintf(record.tep, sizeof(record.tep), "%s", srv_engine_tep_name(engine, lease));
	return record;
}

void srv_records_say(struct srv_records *records, const struct srv_engine *engine,
	const struct srv_lease *lease, enum srv_record_event event, const char *reason)
{
	if (records == NULL || (event == SRV_RECORD_RENEWED && !records->config->renewals))
		return;
	records->next = describe(engine, lease);
	records->next.event = event;
	snprintf(records->next.reason, sizeof(records->next.reason), "%s", reason);
	records->has_next = true;
}

const struct srv_record *srv_records_take(struct srv_records *records)
{
	if (records == NULL || !records->has_next)
		return NULL;
	records->has_next = false;
	return &records->next;
}
