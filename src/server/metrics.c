// SPDX-License-Identifier: BSD-3-Clause
#include "server/metrics.h"

#include "common/clock.h"
#include "server/ready.h"

#include <assert.h>

static void write_counters(const struct srv_server *server, struct metrics *metrics)
{
	for (uint32_t i = 0; i < SRV_COUNTER_MAX; i++) {
		metrics_family(metrics, METRICS_COUNTER, srv_counter_texts[i].text,
			"dstm_server_%s_total", srv_counter_texts[i].name);
		metrics_u64(metrics, server->counters.n[i], NULL);
	}
}

static void write_leases(const struct srv_server *server, struct metrics *metrics)
{
	static const char *const states[] = {
		[SRV_LEASE_PENDING] = "pending",
		[SRV_LEASE_ACTIVE] = "active",
		[SRV_LEASE_RESTING] = "quarantine",
		[SRV_LEASE_FORMER] = "former",
	};
	const struct srv_lease_db *db = srv_engine_leases(server->engine);

	metrics_family(metrics, METRICS_GAUGE,
		"Leases by state; former ones are remembered, and their ranges are free.",
		"dstm_server_leases");
	for (uint32_t i = 0; i < SRV_LEASE_STATES; i++)
		metrics_u64(
			metrics, srv_lease_db_count(db, i), METRICS_LABELS({"state", states[i]}));
}

static void write_sessions(const struct srv_server *server, struct metrics *metrics)
{
	metrics_gauge(metrics, "dstm_server_connections", "Client connections that are open.",
		srv_listener_connections(server->listener));
	metrics_gauge(metrics, "dstm_server_connections_unauthenticated",
		"Those of them that have not authenticated.",
		srv_listener_unauthenticated(server->listener));
	metrics_gauge(metrics, "dstm_server_connection_prefixes", "Prefixes that they come from.",
		srv_gate_prefixes(server->gate));
	metrics_gauge(metrics, "dstm_server_users", "Users that may authenticate.",
		server->config.auth.users.n + server->auth.users.n);
}

/* --- pools --------------------------------------------------------------------------------------- */

static void write_pool_units(const struct srv_server *server, struct metrics *metrics)
{
	metrics_family(metrics, METRICS_GAUGE,
		"Port blocks of a shared pool, whole addresses of an exclusive one.",
		"dstm_server_pool_units");
	for (uint32_t i = 0; i < server->pools.n; i++) {
		const struct srv_engine_pool *pool = &server->pools.items[i];
		struct srv_pool_counts counts = srv_pool_count(pool->pool);

		metrics_u64(metrics, counts.leased,
			METRICS_LABELS({"pool", pool->name}, {"state", "leased"}));
		metrics_u64(metrics, counts.resting,
			METRICS_LABELS({"pool", pool->name}, {"state", "quarantine"}));
		metrics_u64(metrics, counts.free,
			METRICS_LABELS({"pool", pool->name}, {"state", "free"}));
	}
}

static double fill_of(const struct srv_pool_counts *counts)
{
	return counts->total == 0 ? 0 : 1 - (double)counts->free / (double)counts->total;
}

static void write_pools(const struct srv_server *server, struct metrics *metrics)
{
	const struct srv_engine_pool *pools = server->pools.items;

	write_pool_units(server, metrics);
	metrics_family(metrics, METRICS_GAUGE, "How much of a pool is not free, from 0 to 1.",
		"dstm_server_pool_fill_ratio");
	for (uint32_t i = 0; i < server->pools.n; i++) {
		struct srv_pool_counts counts = srv_pool_count(pools[i].pool);

		metrics_double(metrics, fill_of(&counts), METRICS_LABELS({"pool", pools[i].name}));
	}
	metrics_family(metrics, METRICS_GAUGE,
		"What has been told of a pool: 0 normal, 1 warning, 2 alarm, 3 exhausted.",
		"dstm_server_pool_level");
	for (uint32_t i = 0; i < server->pools.n; i++)
		metrics_u64(metrics, pools[i].level, METRICS_LABELS({"pool", pools[i].name}));
}

/* --- TEPs ---------------------------------------------------------------------------------------- */

static void write_tep_states(const struct srv_server *server, struct metrics *metrics)
{
	static const char *const states[] = {
		[SRV_TEP_DOWN] = "down",
		[SRV_TEP_SYNCING] = "syncing",
		[SRV_TEP_CONNECTED] = "connected",
	};

	metrics_family(metrics, METRICS_GAUGE, "1 for the state of the session with a TEP.",
		"dstm_server_tep_state");
	for (uint32_t i = 0; i < server->fleet.n; i++) {
		const struct srv_fleet_tep *tep = &server->fleet.teps[i];

		if (tep->link == NULL)
			continue;
		for (uint32_t k = 0; k < sizeof(states) / sizeof(states[0]); k++)
			metrics_u64(metrics, srv_tep_link_status(tep->link).state == k,
				METRICS_LABELS({"tep", tep->config.name}, {"state", states[k]}));
	}
}

static double state_seconds(const struct srv_server *server, uint32_t tep)
{
	struct srv_tep_status status = srv_tep_link_status(server->fleet.teps[tep].link);

	return (double)(clock_boot_ms() - status.since_ms) / 1000;
}

static struct srv_lease_tep_counts counts_at(const struct srv_server *server, uint32_t tep)
{
	return srv_lease_db_count_at(srv_engine_leases(server->engine), tep);
}

static double bindings(const struct srv_server *server, uint32_t tep)
{
	return counts_at(server, tep).bindings;
}

static double homes(const struct srv_server *server, uint32_t tep)
{
	return counts_at(server, tep).homes;
}

static double copies(const struct srv_server *server, uint32_t tep)
{
	return counts_at(server, tep).copies;
}

static double backlog(const struct srv_server *server, uint32_t tep)
{
	return srv_tep_link_backlog(server->fleet.teps[tep].link);
}

static double is_leaving(const struct srv_server *server, uint32_t tep)
{
	return server->fleet.teps[tep].is_leaving;
}

static double differs_seconds(const struct srv_server *server, uint32_t tep)
{
	struct srv_tep_status status = srv_tep_link_status(server->fleet.teps[tep].link);

	return srv_tep_compare_differs_s(status.compare, clock_boot_ms());
}

static void write_questions(const struct srv_server *server, struct metrics *metrics)
{
	metrics_family(metrics, METRICS_COUNTER,
		"Questions of a TEP who holds an address and port, by the answer.",
		"dstm_server_tep_questions_total");
	for (uint32_t i = 0; i < server->fleet.n; i++) {
		const struct srv_fleet_tep *tep = &server->fleet.teps[i];
		const struct srv_tep_queries *queries = &server->fleet.engine_teps[i].queries;

		if (tep->link == NULL)
			continue;
		metrics_u64(metrics, queries->answered,
			METRICS_LABELS({"tep", tep->config.name}, {"answer", "holder"}));
		metrics_u64(metrics, queries->unknown,
			METRICS_LABELS({"tep", tep->config.name}, {"answer", "unknown"}));
		metrics_u64(metrics, queries->refused,
			METRICS_LABELS({"tep", tep->config.name}, {"answer", "refused"}));
	}
}

static void write_teps(const struct srv_server *server, struct metrics *metrics)
{
	static const struct {
		const char *name, *help;
		double (*get)(const struct srv_server *server, uint32_t tep);
	} rows[] = {
		{"state_seconds", "How long the session with a TEP has been in its state.",
			state_seconds},
		{"bindings", "Bindings that active leases ought to have at a TEP.", bindings},
		{"homes", "Active leases that go through a TEP.", homes},
		{"copies", "Active leases of other TEPs with a copy at a TEP.", copies},
		{"differs_seconds",
			"For how long a TEP's table has not been what it ought to be; 0: it is.",
			differs_seconds},
		{"backlog", "Requests that a TEP has not answered yet, levelling aside.", backlog},
		{"leaving", "1 for a TEP that is no longer configured and still has leases.",
			is_leaving},
	};

	write_tep_states(server, metrics);
	write_questions(server, metrics);
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		metrics_family(metrics, METRICS_GAUGE, rows[row].help, "dstm_server_tep_%s",
			rows[row].name);
		for (uint32_t i = 0; i < server->fleet.n; i++) {
			const struct srv_fleet_tep *tep = &server->fleet.teps[i];

			if (tep->link != NULL)
				metrics_double(metrics, rows[row].get(server, i),
					METRICS_LABELS({"tep", tep->config.name}));
		}
	}
}

/* --- store and records --------------------------------------------------------------------------- */

static void write_store(const struct srv_server *server, struct metrics *metrics)
{
	struct srv_writer_counts counts = srv_writer_count(server->writer);

	metrics_counter(metrics, "dstm_server_store_groups_total",
		"Groups of changes that the store has made durable.", counts.groups);
	metrics_counter(
		metrics, "dstm_server_store_changes_total", "Changes in them.", counts.changes);
	metrics_counter(metrics, "dstm_server_store_failures_total",
		"Groups that the store could not write.", counts.failures);
	metrics_gauge(metrics, "dstm_server_store_backlog", "Changes that are not written yet.",
		srv_writer_backlog(server->writer));
	metrics_gauge(metrics, "dstm_server_store_failing",
		"1 while the last group of changes could not be written.",
		srv_writer_is_failing(server->writer));
}

static void write_records(const struct srv_server *server, struct metrics *metrics)
{
	struct srv_recorder_counts counts;

	if (server->records == NULL)
		return;
	counts = srv_recorder_count(srv_records_recorder(server->records));
	metrics_counter(metrics, "dstm_server_records_written_total",
		"Lines in the file of records.", counts.written);
	metrics_counter(metrics, "dstm_server_records_lost_total",
		"Records for which there was no room while the file could not be written.",
		counts.lost);
	metrics_counter(metrics, "dstm_server_records_failures_total",
		"Times that records could not be written.", counts.failures);
}

static void write_all(void *arg, struct metrics *metrics)
{
	const struct srv_server *server = arg;

	write_counters(server, metrics);
	write_leases(server, metrics);
	write_sessions(server, metrics);
	write_pools(server, metrics);
	write_teps(server, metrics);
	write_store(server, metrics);
	write_records(server, metrics);
}

static bool is_ready(void *arg, char reason[static MONITOR_REASON_LEN])
{
	static_assert(SRV_READY_REASON_LEN <= MONITOR_REASON_LEN);
	return srv_is_ready(arg, reason);
}

const struct monitor_ops srv_metrics_ops = {
	.prefix = "dstm_server",
	.write = write_all,
	.is_ready = is_ready,
};
