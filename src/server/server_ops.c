// SPDX-License-Identifier: BSD-3-Clause
/* Where the engine's pure world meets store, TEPs and front ends: its actions, and the events of both. */
#include "server/server_impl.h"

#include "common/clock.h"
#include "common/log.h"
#include "server/notices.h"

#include <string.h>

#define LIST_SLICE 4096 /* leases looked at in one go for a TEP's list */

/* --- the engine's actions ------------------------------------------------------------------------ */

static void act_answer(void *arg, struct srv_session *session, const struct tsp_msg *msg)
{
	session->answer(session, msg);
}

static int64_t to_utc_ms(int64_t boot_ms)
{
	return clock_utc_ms() + boot_ms - clock_boot_ms();
}

/* As srv_engine_resume takes it from what was written. */
static uint32_t act_stamp(void *arg, int64_t end_ms)
{
	return (uint32_t)((to_utc_ms(end_ms) + 999) / 1000);
}

/* The second that TEPs were told stays the same, though the two clocks have moved a little since. */
static int64_t clamp_to_stamp(int64_t utc_ms, uint32_t stamp)
{
	int64_t last_ms = (int64_t)stamp * 1000;

	if (utc_ms > last_ms)
		return last_ms;
	return utc_ms > last_ms - 1000 ? utc_ms : last_ms - 999;
}

static bool act_put(void *arg, const struct srv_lease *lease, int64_t until_ms, struct srv_job *job)
{
	struct srv_server *server = arg;
	struct srv_store_record record = {
		.id = lease->id,
		.state = lease->state,
		.lease = lease->lease,
		.until_utc_ms = to_utc_ms(until_ms),
	};

	if (lease->state == SRV_LEASE_ACTIVE)
		record.until_utc_ms = clamp_to_stamp(record.until_utc_ms, lease->lease.stamp);
	strncpy(record.user, lease->user, sizeof(record.user) - 1);
	strncpy(record.tep, srv_engine_tep_name(server->engine, lease), sizeof(record.tep) - 1);
	if (srv_writer_put(server->writer, &record, srv_records_take(server->records), job) == 0)
		return true;
	log_err("store: out of memory");
	return false;
}

static void act_remove(void *arg, uint64_t id)
{
	struct srv_server *server = arg;

	if (srv_writer_remove(server->writer, id, NULL) < 0)
		log_err("store: out of memory");
}

static void act_together(void *arg, bool on)
{
	struct srv_server *server = arg;

	if (on)
		srv_writer_hold(server->writer);
	else
		srv_writer_release(server->writer);
}

static void act_record(
	void *arg, const struct srv_lease *lease, enum srv_record_event event, const char *reason)
{
	struct srv_server *server = arg;

	srv_records_say(server->records, server->engine, lease, event, reason);
}

static void act_over_quota(void *arg, const struct in6_addr *client_v6, const char *user)
{
	srv_notices_quota(arg, client_v6, user);
}

static enum srv_tep_state act_tep_state(void *arg, uint32_t tep)
{
	struct srv_server *server = arg;

	return srv_tep_link_status(server->fleet.teps[tep].link).state;
}

static bool act_tep_create(void *arg, uint32_t tep, const struct lease *lease, struct srv_job *job)
{
	struct srv_server *server = arg;

	return srv_tep_link_create_binding(
		server->fleet.teps[tep].link, lease, srv_engine_is_copying(job), job);
}

static bool act_tep_delete(void *arg, uint32_t tep, const struct lease *lease, struct srv_job *job)
{
	struct srv_server *server = arg;

	return srv_tep_link_delete_binding(server->fleet.teps[tep].link, lease, job);
}

const struct srv_engine_ops srv_server_engine_ops = {
	.answer = act_answer,
	.put = act_put,
	.remove = act_remove,
	.together = act_together,
	.record = act_record,
	.over_quota = act_over_quota,
	.stamp = act_stamp,
	.tep_state = act_tep_state,
	.tep_create = act_tep_create,
	.tep_delete = act_tep_delete,
};

/* --- the engine's events ------------------------------------------------------------------------- */

void srv_server_stored(void *arg, void *token, int error)
{
	struct srv_server *server = arg;

	srv_engine_stored(server->engine, token, error, clock_boot_ms());
}

static void on_tep_answered(void *arg, uint32_t tep, void *token, enum srv_tep_result result,
	const struct tsp_msg *answer)
{
	struct srv_server *server = arg;

	srv_engine_tep_answered(server->engine, token, tep, result, answer, clock_boot_ms());
}

static void on_tep_changed(void *arg, uint32_t tep, enum srv_tep_state state)
{
	struct srv_server *server = arg;

	srv_engine_tep_changed(server->engine, tep, state);
}

static void on_delete_lost(void *arg, uint32_t tep, const struct lease *lease)
{
	struct srv_server *server = arg;

	srv_engine_delete_lost(server->engine, tep, lease, clock_boot_ms());
}

static void on_create_refused(void *arg, uint32_t tep, const struct lease *lease)
{
	struct srv_server *server = arg;

	srv_engine_copy_refused(server->engine, tep, lease);
}

static enum srv_tep_list next_lease(void *arg, uint32_t tep, const struct srv_leaves *leaves,
	uint32_t *cursor, struct lease *lease)
{
	const struct srv_server *server = arg;
	const struct srv_lease_db *db = srv_engine_leases(server->engine);
	uint32_t end = *cursor + LIST_SLICE;

	while (*cursor < srv_lease_db_slots(db)) {
		if (*cursor == end)
			return SRV_TEP_LIST_PAUSE;
		const struct srv_lease *next = srv_lease_db_at(db, (*cursor)++);

		if (next == NULL || next->state != SRV_LEASE_ACTIVE || !srv_lease_is_at(next, tep))
			continue;
		if (leaves != NULL && !srv_leaves_has(leaves, digest_leaf(next->lease.v4)))
			continue;
		*lease = *srv_engine_announced(next, tep);
		return SRV_TEP_LIST_LEASE;
	}
	return SRV_TEP_LIST_END;
}

static const struct digest *digest_at(void *arg, uint32_t tep)
{
	const struct srv_server *server = arg;

	return srv_lease_db_digest(srv_engine_leases(server->engine), tep);
}

static void add_leaf(void *arg, const struct srv_lease *lease)
{
	srv_leaves_add(arg, digest_leaf(lease->lease.v4));
}

static void unsettled(void *arg, struct srv_leaves *leaves)
{
	const struct srv_server *server = arg;

	srv_engine_visit_unsettled(server->engine, clock_boot_ms(), add_leaf, leaves);
}

static void on_query(void *arg, uint32_t tep, const struct tsp_msg *query, struct tsp_msg *answer)
{
	struct srv_server *server = arg;

	srv_engine_query(server->engine, tep, query, clock_boot_ms(), answer);
}

const struct srv_tep_link_ops srv_server_link_ops = {
	.answered = on_tep_answered,
	.changed = on_tep_changed,
	.delete_lost = on_delete_lost,
	.create_refused = on_create_refused,
	.next_lease = next_lease,
	.digest = digest_at,
	.unsettled = unsettled,
	.query = on_query,
};
