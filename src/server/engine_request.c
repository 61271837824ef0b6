// SPDX-License-Identifier: BSD-3-Clause
/* What is asked: which lease a request is about, and what is to be done about it. */
#include "server/engine_impl.h"

#include "common/log.h"

#include <string.h>

/* What a handler made of a request. */
enum progress {
	ANSWERED, /* on to the next one */
	BEGUN, /* a job will answer it */
};

/* A lifetime that its session can be told without a rest. */
static uint32_t in_whole_units(const struct srv_session *session, uint32_t lifetime_s)
{
	uint32_t unit_s = session->lifetime_unit_s;

	return unit_s > 1 ? (lifetime_s + unit_s - 1) / unit_s * unit_s : lifetime_s;
}

static enum progress refuse(
	struct srv_engine *engine, struct srv_session *session, enum tsp_status status)
{
	srv_engine_refuse(engine, session, status);
	return ANSWERED;
}

static enum progress wait_for(struct srv_session *session, struct srv_job *job)
{
	session->awaited = job;
	TAILQ_INSERT_TAIL(&job->waiters, session, of_job);
	return BEGUN;
}

static enum progress begun(struct srv_engine *engine, struct srv_session *session, bool has_job)
{
	return has_job ? BEGUN : refuse(engine, session, TSP_STATUS_BUSY);
}

static enum progress refuse_for_quota(
	struct srv_engine *engine, struct srv_session *session, const struct srv_wish *wish)
{
	engine->params.ops->over_quota(engine->params.arg, &wish->client_v6, session->user);
	return refuse(engine, session, TSP_STATUS_BUSY);
}

/* Current lease, previous lease, new lease (S23). */
static enum progress create_new(struct srv_engine *engine, struct srv_session *session,
	const struct srv_wish *wish, const struct srv_client_leases *has, int64_t now_ms)
{
	struct srv_lease *lease = has->previous;
	bool returned = lease != NULL && srv_lease_return(engine, lease);
	enum tsp_status why = TSP_STATUS_RENEWAL_REFUSED;

	if (!returned && wish->names_v4)
		return refuse(engine, session, why);
	if (!returned)
		lease = srv_lease_new(engine, wish, session->user, &why);
	if (lease == NULL)
		return refuse(engine, session, why);
	if (!returned && srv_lease_is_too_much(engine, &lease->lease, lease->user, &has->held)) {
		srv_lease_drop(engine, lease);
		return refuse_for_quota(engine, session, wish);
	}
	if (srv_job_create(engine, session, lease, wish, returned, now_ms))
		return BEGUN;
	if (returned)
		srv_lease_end(engine, lease, SRV_REASON_NOT_STORED, now_ms);
	else
		srv_lease_drop(engine, lease);
	return refuse(engine, session, TSP_STATUS_BUSY);
}

/* Policy no longer lets the client have what it holds, or it asks for the other kind of address. */
static void revoke(struct srv_engine *engine, struct srv_lease *lease, int64_t now_ms)
{
	char text[LEASE_STRLEN];

	log_info("lease %s: ended, its pool no longer serves what the client asks for",
		lease_format(&lease->lease, text));
	srv_engine_count(engine, SRV_COUNT_LEASES_REVOKED);
	srv_lease_end(engine, lease, SRV_REASON_POLICY, now_ms);
}

/* Through the TEP that serves the client now; without one the lease lives to its end. */
static enum progress renew(struct srv_engine *engine, struct srv_session *session,
	struct srv_lease *lease, const struct srv_wish *wish, int64_t now_ms)
{
	uint32_t tep = srv_tep_for_renewal(engine, lease);

	if (tep == SRV_TEP_NONE)
		return refuse(engine, session, TSP_STATUS_TEP_ERROR);
	/* A client that has forgotten its lease begins anew, and may not ask this time. */
	if (!wish->names_v4)
		lease->is_known = false;
	return begun(engine, session, srv_job_renew(engine, session, lease, wish, tep, now_ms));
}

/* More ports than it holds: of its address, or another lease where policy allows one (R58). */
static enum progress create_more(struct srv_engine *engine, struct srv_session *session,
	const struct srv_wish *wish, const struct srv_client_leases *has, int64_t now_ms)
{
	struct srv_wish another = *wish;
	const struct srv_holdings ports = {.ports = wish->ports};
	struct srv_client_leases none = {.held = has->held};
	enum tsp_status why;

	if (!srv_quota_allows(
		    engine->params.quota, session->user, &wish->client_v6, &has->held, &ports))
		return refuse_for_quota(engine, session, wish);
	if (srv_job_more(engine, session, has->current, wish, &why, now_ms))
		return BEGUN;
	if (why != TSP_STATUS_POOL_EXHAUSTED ||
		engine->params.more_ports != SRV_MORE_PORTS_ANOTHER_ADDRESS)
		return refuse(engine, session, why);
	if (!srv_client_has_room(engine, session->user, wish, &none))
		return refuse_for_quota(engine, session, wish);
	another.names_v4 = false;
	return create_new(engine, session, &another, &none, now_ms);
}

/* A lease that is renewed through another TEP than its own gets no more ports at the same time. */
static bool wants_more(
	const struct srv_engine *engine, const struct srv_lease *lease, const struct srv_wish *wish)
{
	return wish->more && engine->params.more_ports != SRV_MORE_PORTS_NEVER &&
	       !lease_is_exclusive(&lease->lease) &&
	       srv_tep_for_renewal(engine, lease) == lease->tep;
}

static enum progress create(struct srv_engine *engine, struct srv_session *session,
	const struct srv_wish *wish, int64_t now_ms)
{
	struct srv_client_leases has = srv_client_look_up(engine, session->user, wish);

	if (has.job != NULL)
		return wait_for(session, has.job);
	if (has.current != NULL && !srv_wish_names(wish, &has.current->lease))
		return refuse(engine, session, TSP_STATUS_RENEWAL_REFUSED);
	if (has.current != NULL && srv_lease_is_served(engine, has.current, wish) &&
		wants_more(engine, has.current, wish))
		return create_more(engine, session, wish, &has, now_ms);
	if (has.current != NULL && srv_lease_is_served(engine, has.current, wish))
		return renew(engine, session, has.current, wish, now_ms);
	if (has.current != NULL) {
		revoke(engine, has.current, now_ms);
		has.held.leases--;
		has.held.ports -= lease_ports(&has.current->lease);
		if (wish->names_v4)
			return refuse(engine, session, TSP_STATUS_RENEWAL_REFUSED);
	}
	if (!srv_client_has_room(engine, session->user, wish, &has))
		return refuse_for_quota(engine, session, wish);
	if (engine->params.redirect == SRV_REDIRECT_ALWAYS && has.held.leases == 0) {
		srv_engine_redirect(engine, session);
		return ANSWERED;
	}
	return create_new(engine, session, wish, &has, now_ms);
}

/* Who names no address gives back all that it has; one of them has a job, whose store waits for all. */
static void release_others(struct srv_engine *engine, const struct srv_session *session,
	const struct srv_lease *first, int64_t now_ms)
{
	struct srv_lease *lease = srv_lease_db_of_client(engine->db, &first->lease.client_v6);

	for (; lease != NULL; lease = srv_lease_db_next_of_client(lease)) {
		if (lease == first || lease->state != SRV_LEASE_ACTIVE ||
			strcmp(lease->user, session->user) != 0)
			continue;
		srv_engine_count(engine, SRV_COUNT_LEASES_RELEASED);
		srv_lease_end(engine, lease, SRV_REASON_BY_CLIENT, now_ms);
	}
}

static enum progress release(struct srv_engine *engine, struct srv_session *session,
	const struct srv_wish *wish, int64_t now_ms)
{
	struct srv_client_leases has = srv_client_look_up(engine, session->user, wish);

	if (has.job != NULL)
		return wait_for(session, has.job);
	if (has.current == NULL || !srv_wish_names(wish, &has.current->lease))
		return refuse(engine, session, TSP_STATUS_RENEWAL_REFUSED);
	if (!wish->names_v4)
		release_others(engine, session, has.current, now_ms);
	return begun(engine, session, srv_job_release(engine, session, has.current, now_ms));
}

/*
 * A generation 2 client accepts its new lease, or takes it back; there is no answer to either. So does a
 * generation 1 client to which one was pushed.
 */
static void confirm(
	struct srv_engine *engine, struct srv_session *session, bool accepted, int64_t now_ms)
{
	struct srv_lease *lease, *next;

	for (lease = LIST_FIRST(&session->leases); lease != NULL; lease = next) {
		next = LIST_NEXT(lease, of_session);
		if (!lease->unconfirmed)
			continue;
		if (accepted) {
			lease->unconfirmed = false;
			if (session->generation == TSP_GENERATION_2)
				srv_lease_attach(lease, NULL);
			if (lease->job == NULL)
				srv_lease_set_active_due(engine, lease, now_ms);
		} else if (lease->job == NULL) {
			srv_engine_count(engine, SRV_COUNT_LEASES_UNDONE);
			srv_lease_end(engine, lease, SRV_REASON_REJECTED, now_ms);
		}
	}
}

/* An answer to our own request: a delete, which nobody waits for (R98), or a create that was pushed. */
static void on_answer(struct srv_engine *engine, struct srv_session *session,
	const struct tsp_msg *msg, int64_t now_ms)
{
	bool is_good = msg->status == TSP_STATUS_OK || msg->status == TSP_STATUS_NONE;
	const struct srv_lease *lease;

	if (session->generation != TSP_GENERATION_1)
		return;
	LIST_FOREACH(lease, &session->leases, of_session) {
		if (lease->unconfirmed &&
			(!msg->client.has_v4 || msg->client.v4 == lease->lease.v4))
			return confirm(engine, session, is_good, now_ms);
	}
}

static enum progress handle(struct srv_engine *engine, struct srv_session *session,
	const struct tsp_msg *msg, int64_t now_ms)
{
	enum tsp_status status;
	struct srv_wish wish;
	struct tsp_msg answer;

	switch (msg->action) {
	case TSP_ACTION_CREATE:
	case TSP_ACTION_DELETE:
		status = srv_request_read(msg, &engine->params.policy, &session->peer, &wish);
		if (status != TSP_STATUS_NONE)
			return refuse(engine, session, status);
		session->client_v6 = wish.client_v6;
		wish.lifetime_s = in_whole_units(session, wish.lifetime_s);
		return msg->action == TSP_ACTION_CREATE ? create(engine, session, &wish, now_ms)
							: release(engine, session, &wish, now_ms);
	case TSP_ACTION_ACCEPT:
	case TSP_ACTION_REJECT:
		confirm(engine, session, msg->action == TSP_ACTION_ACCEPT, now_ms);
		return ANSWERED;
	case TSP_ACTION_NONE:
	case TSP_ACTION_INFO:
		on_answer(engine, session, msg, now_ms);
		return ANSWERED;
	case TSP_ACTION_QUERY:
		srv_engine_query_by_client(engine, session, msg, now_ms, &answer);
		srv_engine_send(engine, session, &answer);
		return ANSWERED;
	case TSP_ACTION_LIST:
		break;
	}
	return refuse(engine, session, TSP_STATUS_MALFORMED);
}

bool srv_engine_handle(struct srv_engine *engine, struct srv_session *session,
	const struct tsp_msg *msg, int64_t now_ms)
{
	return handle(engine, session, msg, now_ms) == BEGUN;
}
