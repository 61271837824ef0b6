// SPDX-License-Identifier: BSD-3-Clause
#include "server/records.h"

#include "common/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct srv_records {
	const struct srv_config_records *config;
	struct srv_recorder *recorder;
	struct srv_record next;
	bool has_next;
};

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
	if (records->recorder == NULL) {
		free(records);
		errno = ENOMEM;
		return NULL;
	}
	return records;
}

void srv_records_destroy(struct srv_records *records)
{
	if (records == NULL)
		return;
	srv_recorder_destroy(records->recorder);
	free(records);
}

struct srv_recorder *srv_records_recorder(struct srv_records *records)
{
	return records != NULL ? records->recorder : NULL;
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
