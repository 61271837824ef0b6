// SPDX-License-Identifier: BSD-3-Clause
#include "server/ctl_socket.h"

#include "common/clock.h"
#include "server/ctl_dhcp6.h"
#include "server/ctl_push.h"
#include "server/ready.h"

#include <stdio.h>
#include <stdlib.h>

static int64_t seconds_since(int64_t then_ms)
{
	return (clock_boot_ms() - then_ms) / 1000;
}

static json_t *v4_json(uint32_t v4)
{
	char text[ADDR_V4_STRLEN];

	return json_string(addr_v4_format(v4, text));
}

static json_t *v6_json(const struct in6_addr *v6)
{
	char text[ADDR_V6_STRLEN];

	return json_string(addr_v6_format(v6, text));
}

static json_t *endpoint_json(const struct addr_endpoint *endpoint)
{
	char text[ADDR_ENDPOINT_STRLEN];

	return json_string(addr_endpoint_format(endpoint, text));
}

/* A whole list in one answer. */
static json_t *items_json(json_t *items)
{
	return json_pack("{s:o, s:n}", "items", items, "next");
}

/* The endpoints behind which one kind of thing is spoken. */
static json_t *listen_json(const struct srv_server *server, enum srv_door_kind kind)
{
	const struct srv_doors *doors = srv_listener_doors(server->listener);
	json_t *endpoints = json_array();

	for (uint32_t i = 0; i < srv_doors_count(doors); i++) {
		struct addr_endpoint endpoint = srv_doors_endpoint(doors, i);

		if (srv_doors_kind(doors, i) == kind)
			json_array_append_new(endpoints, endpoint_json(&endpoint));
	}
	return endpoints;
}

/* null where none are kept. */
static json_t *records_json(const struct srv_server *server)
{
	struct srv_recorder_counts counts;

	if (server->records == NULL)
		return json_null();
	counts = srv_recorder_count(srv_records_recorder(server->records));
	return json_pack("{s:I, s:I, s:I}", "written", (json_int_t)counts.written, "lost",
		(json_int_t)counts.lost, "failures", (json_int_t)counts.failures);
}

/* How much waits for the disk. */
static json_t *store_json(const struct srv_server *server)
{
	struct srv_writer_counts counts = srv_writer_count(server->writer);

	return json_pack("{s:i, s:I, s:b}", "backlog", (int)srv_writer_backlog(server->writer),
		"failures", (json_int_t)counts.failures, "failing",
		(int)srv_writer_is_failing(server->writer));
}

static json_t *show(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	const struct srv_server *server = arg;
	const struct srv_lease_db *db = srv_engine_leases(server->engine);
	const struct srv_config *config = &server->config;
	char reason[SRV_READY_REASON_LEN];
	bool is_ready = srv_is_ready(server, reason);

	return json_pack("{s:s, s:s, s:s?, s:I, s:i, s:i, s:o, s:o, s:o, s:o, s:i, s:s?, s:i, s:i, "
			 "s:o, s:o}",
		"version", DSTM_VERSION, "state", is_ready ? "ready" : "not ready", "reason",
		is_ready ? NULL : reason, "uptime_s", (json_int_t)seconds_since(server->started_ms),
		"leases", (int)srv_lease_db_count(db, SRV_LEASE_ACTIVE), "connections",
		(int)srv_listener_connections(server->listener), "listen",
		listen_json(server, SRV_DOOR_PLAIN), "listen_tls",
		listen_json(server, SRV_DOOR_TLS), "listen_minutes",
		listen_json(server, SRV_DOOR_MINUTES), "metrics",
		config->metrics.has_listen ? endpoint_json(&config->metrics.listen) : json_null(),
		"users", (int)(config->auth.users.n + server->auth.users.n), "users_file",
		config->auth.users_file, "unauthenticated",
		(int)srv_listener_unauthenticated(server->listener), "prefixes",
		(int)srv_gate_prefixes(server->gate), "records", records_json(server), "store",
		store_json(server));
}

/* --- leases -------------------------------------------------------------------------------------- */

static const char *state_name(enum srv_lease_state state)
{
	static const char *const names[] = {
		[SRV_LEASE_PENDING] = "pending",
		[SRV_LEASE_ACTIVE] = "active",
		[SRV_LEASE_RESTING] = "quarantine",
	};

	return names[state];
}

static json_t *ports_json(const struct lease *lease)
{
	json_t *ports = json_array();

	for (uint32_t i = 0; i < lease->n_ranges; i++)
		json_array_append_new(
			ports, json_pack("[i, i]", lease->ranges[i].first, lease->ranges[i].last));
	return ports;
}

static json_t *lease_json(const struct srv_server *server, const struct srv_lease *lease)
{
	int64_t until_ms = lease->state == SRV_LEASE_RESTING ? lease->due_ms : lease->lease.end_ms;
	int64_t left_s = until_ms == SRV_LEASE_NEVER ? 0 : -seconds_since(until_ms);

	return json_pack("{s:o, s:o, s:o, s:s, s:s, s:s, s:s, s:I}", "v4", v4_json(lease->lease.v4),
		"ports", ports_json(&lease->lease), "client", v6_json(&lease->lease.client_v6),
		"tep", srv_engine_tep_name(server->engine, lease), "user", lease->user, "pool",
		srv_engine_pool_name(server->engine, lease), "state", state_name(lease->state),
		"seconds_left", (json_int_t)(left_s > 0 ? left_s : 0));
}

bool srv_ctl_number(const json_t *arguments, const char *name, json_int_t min, json_int_t max,
	json_int_t *value, char error[static CTL_ERROR_LEN])
{
	const json_t *given = json_object_get(arguments, name);

	if (given == NULL || json_is_null(given))
		return true;
	if (!json_is_integer(given) || json_integer_value(given) < min ||
		json_integer_value(given) > max) {
		snprintf(error, CTL_ERROR_LEN, "\"%s\" is not a number from %lld to %lld", name,
			(long long)min, (long long)max);
		return false;
	}
	*value = json_integer_value(given);
	return true;
}

/* The cursor is the slot to go on at: it stays good while leases come and go. */
static json_t *leases(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	const struct srv_server *server = arg;
	const struct srv_lease_db *db = srv_engine_leases(server->engine);
	json_int_t limit = SRV_CTL_LIMIT_DEFAULT, slot = 0;
	json_t *items;

	if (!srv_ctl_number(arguments, "limit", 1, SRV_CTL_LIMIT_MAX, &limit, error) ||
		!srv_ctl_number(arguments, "after", 0, UINT32_MAX, &slot, error))
		return NULL;
	items = json_array();
	for (; slot < srv_lease_db_slots(db) && (json_int_t)json_array_size(items) < limit;
		slot++) {
		const struct srv_lease *lease = srv_lease_db_at(db, slot);

		if (lease != NULL && lease->state != SRV_LEASE_FORMER)
			json_array_append_new(items, lease_json(server, lease));
	}
	return json_pack("{s:o, s:o}", "items", items, "next",
		slot < srv_lease_db_slots(db) ? json_integer(slot) : json_null());
}

/* --- pools, TEPs, counters ----------------------------------------------------------------------- */

static json_t *pools(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	const struct srv_server *server = arg;
	const struct srv_config_pool *configs = server->config.pools.items;
	json_t *items = json_array();

	for (uint32_t i = 0; i < server->config.pools.n; i++) {
		const struct srv_engine_pool *pool = &server->pools.items[i];
		struct srv_pool_counts counts = srv_pool_count(pool->pool);
		bool is_shared = configs[i].mode == SRV_POOL_SHARED;
		char prefix[ADDR_PREFIX_STRLEN];

		json_array_append_new(
			items, json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:s}",
				       "name", configs[i].name, "prefix",
				       addr_v4_prefix_format(&configs[i].prefix, prefix), "mode",
				       is_shared ? "shared" : "exclusive", "assign",
				       pool->is_deterministic ? "deterministic" : "random",
				       "block_size", is_shared ? (int)configs[i].block_size : 65536,
				       "total", (int)counts.total, "leased", (int)counts.leased,
				       "quarantined", (int)counts.resting, "free", (int)counts.free,
				       "percent", (int)srv_pool_percent(&counts), "level",
				       srv_pool_level_name(pool->level)));
	}
	return items_json(items);
}

/* Ours as it is now, the TEP's as it last told it. */
static void add_digests(
	json_t *object, const struct digest *ours, const struct srv_tep_status *status)
{
	const struct srv_tep_compare *compare = status->compare;
	uint32_t differs_s = srv_tep_compare_differs_s(compare, clock_boot_ms());
	char text[DIGEST_STRLEN];

	json_object_set_new(object, "tables",
		json_string(status->state != SRV_TEP_CONNECTED || !compare->is_known ? "unknown"
			    : differs_s > 0                                          ? "differ"
										     : "equal"));
	json_object_set_new(object, "digest",
		ours != NULL ? json_string(digest_format(digest_root(ours), text)) : json_null());
	json_object_set_new(object, "tep_digest",
		compare->is_known ? json_string(digest_format(compare->theirs, text))
				  : json_null());
	json_object_set_new(object, "compared_s",
		compare->is_known ? json_integer(seconds_since(compare->looked_ms)) : json_null());
	json_object_set_new(
		object, "differs_s", differs_s > 0 ? json_integer(differs_s) : json_null());
	json_object_set_new(object, "mended", json_integer((json_int_t)compare->mended));
}

static json_t *tep_json(const struct srv_server *server, uint32_t i)
{
	static const char *const states[] = {
		[SRV_TEP_DOWN] = "down",
		[SRV_TEP_SYNCING] = "syncing",
		[SRV_TEP_CONNECTED] = "connected",
	};
	const struct srv_fleet_tep *known = &server->fleet.teps[i];
	const struct srv_engine_tep *tep = &server->fleet.engine_teps[i];
	struct srv_tep_status status = srv_tep_link_status(known->link);
	struct srv_lease_tep_counts counts = srv_lease_db_count_at(
		srv_engine_leases(server->engine), i);

	json_t *object = json_pack(
		"{s:s, s:o, s:o, s:o, s:s, s:b, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:o}",
		"name", known->config.name, "control", endpoint_json(&known->config.control), "v6",
		v6_json(&tep->v6), "v4", tep->has_v4 ? v4_json(tep->v4) : json_null(), "state",
		states[status.state], "leaving", known->is_leaving, "bindings",
		(int)counts.bindings, "homes", (int)counts.homes, "copies", (int)counts.copies,
		"queries", (json_int_t)tep->queries.asked, "queries_answered",
		(json_int_t)tep->queries.answered, "queries_unknown",
		(json_int_t)tep->queries.unknown, "queries_refused",
		(json_int_t)tep->queries.refused, "since_s",
		(json_int_t)seconds_since(status.since_ms), "last_error",
		status.last_error[0] != '\0' ? json_string(status.last_error) : json_null());

	add_digests(object, srv_lease_db_digest(srv_engine_leases(server->engine), i), &status);
	return object;
}

static json_t *teps(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	const struct srv_server *server = arg;
	json_t *items = json_array();

	for (uint32_t i = 0; i < server->fleet.n; i++) {
		if (server->fleet.teps[i].link != NULL)
			json_array_append_new(items, tep_json(server, i));
	}
	return items_json(items);
}

static json_t *counters(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	const struct srv_server *server = arg;
	json_t *items = json_array();

	for (uint32_t i = 0; i < SRV_COUNTER_MAX; i++)
		json_array_append_new(
			items, json_pack("{s:s, s:I, s:s}", "name", srv_counter_texts[i].name,
				       "count", (json_int_t)server->counters.n[i], "text",
				       srv_counter_texts[i].text));
	return items_json(items);
}

/* dstmctl has changed the file. */
static json_t *reload_users(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	struct srv_server *server = arg;
	struct config_error why;

	if (srv_server_reload_users(server, &why) < 0) {
		snprintf(error, CTL_ERROR_LEN, "%.*s", CTL_ERROR_LEN - 1, why.text);
		return NULL;
	}
	return json_pack("{s:i, s:s?}", "users", (int)server->auth.users.n, "file",
		server->config.auth.users_file);
}

static const struct ctl_command commands[] = {
	{"push-create", srv_ctl_push_create},
	{"push-delete", srv_ctl_push_delete},
	{"dhcp6", srv_ctl_dhcp6},
	{"reconfigure", srv_ctl_reconfigure},
	{"show", show},
	{"leases", leases},
	{"pools", pools},
	{"teps", teps},
	{"counters", counters},
	{"reload-users", reload_users},
	{NULL},
};

struct ctl_server *srv_ctl_socket_create(struct srv_server *server, const char *path)
{
	return ctl_server_create(server->base, path, commands, server);
}
