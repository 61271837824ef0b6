// SPDX-License-Identifier: BSD-3-Clause
#include "server/notices.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>

#define QUOTA_TOLD_MAX 10
#define QUOTA_TIME_MS  60000

static void record(struct srv_server *server, const struct srv_record *notice)
{
	if (server->records != NULL && srv_writer_note(server->writer, notice) < 0)
		log_err("records: out of memory");
}

static void tell_level(struct srv_server *server, const struct srv_engine_pool *pool,
	enum srv_pool_level to, const struct srv_pool_counts *counts)
{
	struct srv_record notice = {
		.event = srv_pool_level_event(pool->level, to),
		.time_utc_ms = clock_utc_ms(),
		.percent = srv_pool_percent(counts),
		.lease = {.n_ranges = 1},
	};

	/* The kind of pool chooses the number of the event. */
	if (srv_pool_is_exclusive(pool->pool))
		notice.lease.ranges[0] = PORT_RANGE_EXCLUSIVE;
	snprintf(notice.pool, sizeof(notice.pool), "%s", pool->name);
	snprintf(notice.reason, sizeof(notice.reason), "%s", srv_pool_level_name(to));
	if (to > pool->level)
		log_warn("pool %s: %s: %u %% in use, %u of %u free", pool->name,
			srv_pool_level_name(to), notice.percent, counts->free, counts->total);
	else
		log_info("pool %s: %s again: %u %% in use", pool->name, srv_pool_level_name(to),
			notice.percent);
	record(server, &notice);
}

void srv_notices_look(struct srv_server *server)
{
	const struct srv_pool_thresholds thresholds = {
		.warning_percent = server->config.limits.pool_warning_percent,
		.alarm_percent = server->config.limits.pool_alarm_percent,
	};

	for (uint32_t i = 0; i < server->pools.n; i++) {
		struct srv_engine_pool *pool = &server->pools.items[i];
		struct srv_pool_counts counts = srv_pool_count(pool->pool);
		enum srv_pool_level to = srv_pool_next_level(pool->level, &counts, &thresholds);

		if (to == pool->level)
			continue;
		if (to > pool->level)
			server->counters.n[to == SRV_POOL_EXHAUSTED ? SRV_COUNT_POOLS_EXHAUSTED
								    : SRV_COUNT_POOLS_FILLING]++;
		tell_level(server, pool, to, &counts);
		pool->level = to;
	}
}

void srv_notices_quota(
	struct srv_server *server, const struct in6_addr *client_v6, const char *user)
{
	int64_t now_ms = clock_boot_ms();
	struct srv_record notice = {
		.event = SRV_RECORD_QUOTA,
		.time_utc_ms = clock_utc_ms(),
		.lease = {.client_v6 = *client_v6},
		.reason = "leases_per_client",
	};
	char text[ADDR_V6_STRLEN];

	server->counters.n[SRV_COUNT_OVER_QUOTA]++;
	if (now_ms - server->quota_since_ms >= QUOTA_TIME_MS) {
		server->quota_since_ms = now_ms;
		server->quota_told = 0;
	}
	if (server->quota_told == QUOTA_TOLD_MAX)
		return;
	server->quota_told++;
	snprintf(notice.user, sizeof(notice.user), "%s", user);
	log_warn("client %s, user %s: refused, it has as many leases as it may have",
		addr_v6_format(client_v6, text), user[0] != '\0' ? user : "(anonymous)");
	record(server, &notice);
}
