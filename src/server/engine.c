// SPDX-License-Identifier: BSD-3-Clause
/* Sessions and their requests: who asks, about which lease, and which job answers. */
#include "server/engine.h"

#include "server/engine_impl.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A request in the queue of its session; the first one is being worked on. */
struct srv_waiting {
	STAILQ_ENTRY(srv_waiting) link;
	bool too_fast; /* beyond the rate of its source: refused when its turn comes */
	struct tsp_msg msg;
};

static void on_held(void *arg, const struct srv_lease *lease, bool is_held)
{
	struct srv_engine *engine = arg;

	if (is_held)
		srv_quota_hold(engine->params.quota, lease->user, &lease->lease);
	else
		srv_quota_free(engine->params.quota, lease->user, &lease->lease);
}

void srv_engine_count_holdings(struct srv_engine *engine)
{
	for (uint32_t slot = 0; slot < srv_lease_db_slots(engine->db); slot++) {
		const struct srv_lease *lease = srv_lease_db_at(engine->db, slot);

		if (lease != NULL && srv_lease_is_held(lease))
			on_held(engine, lease, true);
	}
}

struct srv_engine *srv_engine_create(const struct srv_engine_params *params)
{
	struct srv_engine *engine = calloc(1, sizeof(*engine));

	if (engine == NULL)
		return NULL;
	engine->params = *params;
	TAILQ_INIT(&engine->jobs);
	engine->db = srv_lease_db_create();
	if (engine->db == NULL) {
		free(engine);
		errno = ENOMEM;
		return NULL;
	}
	if (params->quota != NULL)
		srv_lease_db_watch(engine->db, on_held, engine);
	return engine;
}

void srv_engine_destroy(struct srv_engine *engine)
{
	struct srv_job *job;

	if (engine == NULL)
		return;
	while ((job = TAILQ_FIRST(&engine->jobs)) != NULL) {
		TAILQ_REMOVE(&engine->jobs, job, of_engine);
		free(job);
	}
	srv_lease_db_destroy(engine->db);
	free(engine);
}

void srv_engine_set_limits(struct srv_engine *engine, const struct srv_engine_params *params)
{
	engine->params.policy = params->policy;
	engine->params.quarantine_s = params->quarantine_s;
	engine->params.leases_per_client = params->leases_per_client;
	engine->params.more_ports = params->more_ports;
	engine->params.redirect = params->redirect;
	engine->params.brokers = params->brokers;
	engine->params.n_brokers = params->n_brokers;
}

const struct srv_lease_db *srv_engine_leases(const struct srv_engine *engine)
{
	return engine->db;
}

/* --- answers ------------------------------------------------------------------------------------- */

static enum srv_counter counter_of(enum tsp_status status)
{
	switch (status) {
	case TSP_STATUS_POOL_EXHAUSTED:
		return SRV_COUNT_REFUSED_EXHAUSTED;
	case TSP_STATUS_TEP_ERROR:
		return SRV_COUNT_REFUSED_TEP;
	case TSP_STATUS_UNAVAILABLE:
	case TSP_STATUS_RENEWAL_REFUSED:
		return SRV_COUNT_REFUSED_UNAVAILABLE;
	case TSP_STATUS_BAD_V6:
		return SRV_COUNT_REFUSED_V6;
	case TSP_STATUS_BUSY:
		return SRV_COUNT_REFUSED_BUSY;
	default:
		return SRV_COUNT_REFUSED_OTHER;
	}
}

/* Lifetimes are rounded up to the unit of the session's wire. */
void srv_engine_send(
	struct srv_engine *engine, struct srv_session *session, const struct tsp_msg *msg)
{
	uint32_t unit_s = session->lifetime_unit_s;
	struct tsp_msg scaled;

	if (unit_s > 1 && msg->has_lifetime) {
		scaled = *msg;
		scaled.lifetime_s = (msg->lifetime_s + unit_s - 1) / unit_s;
		msg = &scaled;
	}
	engine->params.ops->answer(engine->params.arg, session, msg);
}

/* The other servers of the domain; their mere presence raises the code by 1000. */
static void list_brokers(struct srv_engine *engine, struct tsp_msg *msg)
{
	srv_engine_count(engine, SRV_COUNT_REDIRECTED);
	msg->action = TSP_ACTION_LIST;
	msg->n_brokers = engine->params.n_brokers;
	for (uint32_t i = 0; i < msg->n_brokers; i++)
		msg->brokers[i].v6 = engine->params.brokers[i];
}

/* A client without a lease is sent on, whatever room there is. */
static void redirect(struct srv_engine *engine, struct srv_session *session)
{
	struct tsp_msg msg = {.status = TSP_STATUS_BUSY};

	srv_engine_count(engine, SRV_COUNT_REFUSED_BUSY);
	list_brokers(engine, &msg);
	srv_engine_send(engine, session, &msg);
}

void srv_engine_refuse(
	struct srv_engine *engine, struct srv_session *session, enum tsp_status status)
{
	struct tsp_msg msg = {.status = status};

	srv_engine_count(engine, counter_of(status));
	if (status == TSP_STATUS_POOL_EXHAUSTED &&
		engine->params.redirect >= SRV_REDIRECT_EXHAUSTED)
		list_brokers(engine, &msg);
	srv_engine_send(engine, session, &msg);
}

/* --- requests ------------------------------------------------------------------------------------ */

/* What a handler made of a request. */
enum progress {
	ANSWERED, /* on to the next one */
	BEGUN, /* a job will answer it */
};

/* What the client has, as far as a request cares. */
struct holdings {
	struct srv_lease *current; /* this user's active lease */
	struct srv_lease *previous; /* the best that it had, resting or former, for the wish */
	struct srv_job *job; /* under way for one of this user's leases */
	struct srv_holdings held; /* active and pending, of all users at the address */
};

static bool fits(
	const struct srv_engine *engine, const struct srv_lease *lease, const struct srv_wish *wish)
{
	const struct srv_engine_pool *pool = srv_lease_pool(engine, lease);

	return srv_lease_is_served(engine, lease, wish) && srv_wish_names(wish, &lease->lease) &&
	       srv_pool_units_for(pool->pool, wish->ports) <= lease->lease.n_ranges;
}

/* Of two earlier leases the one in quarantine comes first, since nobody else can take its range. */
static bool is_better(const struct srv_lease *a, const struct srv_lease *b)
{
	if (b == NULL || a->state != b->state)
		return b == NULL || a->state == SRV_LEASE_RESTING;
	return a->id > b->id;
}

/* Of two current leases the one that the wish names, else the older one. */
static bool is_meant(
	const struct srv_lease *a, const struct srv_lease *b, const struct srv_wish *wish)
{
	bool is_named = srv_wish_names(wish, &a->lease);

	if (b == NULL || is_named != srv_wish_names(wish, &b->lease))
		return b == NULL || is_named;
	return a->id < b->id;
}

static struct holdings look_up(const struct srv_engine *engine, const struct srv_session *session,
	const struct srv_wish *wish)
{
	struct srv_lease *lease = srv_lease_db_of_client(engine->db, &wish->client_v6);
	struct holdings found = {0};

	for (; lease != NULL; lease = srv_lease_db_next_of_client(lease)) {
		bool alive = srv_lease_is_held(lease);

		found.held.leases += alive;
		found.held.ports += alive ? srv_lease_ports(&lease->lease) : 0;
		if (strcmp(lease->user, session->user) != 0)
			continue;
		if (lease->job != NULL)
			found.job = lease->job;
		else if (alive && is_meant(lease, found.current, wish))
			found.current = lease;
		else if (fits(engine, lease, wish) && is_better(lease, found.previous))
			found.previous = lease;
	}
	return found;
}

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
	srv_engine_count(engine, SRV_COUNT_OVER_QUOTA);
	engine->params.ops->over_quota(engine->params.arg, &wish->client_v6, session->user);
	return refuse(engine, session, TSP_STATUS_BUSY);
}

/* For a lease more (S25): the one that it had, or one of the size that it asks for. */
static bool has_room(const struct srv_engine *engine, const struct srv_session *session,
	const struct srv_wish *wish, const struct holdings *has)
{
	struct srv_holdings more = {.leases = 1, .ports = wish->ports > 0 ? wish->ports : 1};

	if (engine->params.quota == NULL)
		return true;
	if (has->previous != NULL)
		more.ports = srv_lease_ports(&has->previous->lease);
	return srv_quota_allows(
		engine->params.quota, session->user, &wish->client_v6, &has->held, &more);
}

/* What the pool gives may be more than was asked for: only now is it known. It counts already. */
static bool is_too_much(
	const struct srv_engine *engine, const struct srv_lease *lease, const struct holdings *has)
{
	static const struct srv_holdings nothing;
	const struct srv_holdings held = {
		has->held.leases + 1, has->held.ports + srv_lease_ports(&lease->lease)};

	return engine->params.quota != NULL && !srv_quota_allows(engine->params.quota, lease->user,
						       &lease->lease.client_v6, &held, &nothing);
}

/* Current lease, previous lease, new lease (S23). */
static enum progress create_new(struct srv_engine *engine, struct srv_session *session,
	const struct srv_wish *wish, const struct holdings *has, int64_t now_ms)
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
	if (!returned && is_too_much(engine, lease, has)) {
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
	return begun(engine, session, srv_job_renew(engine, session, lease, wish, tep, now_ms));
}

/* More ports than it holds: of its address, or another lease where policy allows one (R58). */
static enum progress create_more(struct srv_engine *engine, struct srv_session *session,
	const struct srv_wish *wish, const struct holdings *has, int64_t now_ms)
{
	struct srv_wish another = *wish;
	const struct srv_holdings ports = {.ports = wish->ports};
	struct holdings none = {.held = has->held};
	enum tsp_status why;

	if (engine->params.quota != NULL && !srv_quota_allows(engine->params.quota, session->user,
						    &wish->client_v6, &has->held, &ports))
		return refuse_for_quota(engine, session, wish);
	if (srv_job_more(engine, session, has->current, wish, &why, now_ms))
		return BEGUN;
	if (why != TSP_STATUS_POOL_EXHAUSTED ||
		engine->params.more_ports != SRV_MORE_PORTS_ANOTHER_ADDRESS)
		return refuse(engine, session, why);
	if (has->held.leases >= engine->params.leases_per_client ||
		!has_room(engine, session, wish, &none))
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
	struct holdings has = look_up(engine, session, wish);

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
		has.held.ports -= srv_lease_ports(&has.current->lease);
		if (wish->names_v4)
			return refuse(engine, session, TSP_STATUS_RENEWAL_REFUSED);
	}
	if (has.held.leases >= engine->params.leases_per_client ||
		!has_room(engine, session, wish, &has))
		return refuse_for_quota(engine, session, wish);
	if (engine->params.redirect == SRV_REDIRECT_ALWAYS && has.held.leases == 0) {
		redirect(engine, session);
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
	struct holdings has = look_up(engine, session, wish);

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
		return refuse(engine, session, TSP_STATUS_UNAVAILABLE); /* for TEPs only */
	case TSP_ACTION_LIST:
		break;
	}
	return refuse(engine, session, TSP_STATUS_MALFORMED);
}

/* --- sessions ------------------------------------------------------------------------------------ */

void srv_session_init(struct srv_session *session)
{
	memset(session, 0, sizeof(*session));
	STAILQ_INIT(&session->waiting);
	LIST_INIT(&session->leases);
}

static void pop(struct srv_session *session)
{
	struct srv_waiting *first = STAILQ_FIRST(&session->waiting);

	STAILQ_REMOVE_HEAD(&session->waiting, link);
	session->n_waiting--;
	free(first);
}

static void work(struct srv_engine *engine, struct srv_session *session, int64_t now_ms)
{
	while (!session->busy && !STAILQ_EMPTY(&session->waiting)) {
		const struct srv_waiting *first = STAILQ_FIRST(&session->waiting);

		session->busy = true;
		if (first->too_fast)
			refuse(engine, session, TSP_STATUS_BUSY);
		else if (handle(engine, session, &first->msg, now_ms) == BEGUN)
			return;
		session->busy = false;
		pop(session);
	}
}

void srv_engine_next(struct srv_engine *engine, struct srv_session *session, int64_t now_ms)
{
	session->busy = false;
	pop(session);
	work(engine, session, now_ms);
}

void srv_engine_retry(struct srv_engine *engine, struct srv_session *session, int64_t now_ms)
{
	session->busy = false;
	work(engine, session, now_ms);
}

/* What needs no answer is dropped when there is too much of it, and takes no room from what does. */
static uint32_t waiting_max(const struct tsp_msg *msg)
{
	return tsp_msg_is_request(msg) ? SRV_SESSION_WAITING_MAX
				       : SRV_SESSION_WAITING_MAX - SRV_SESSION_REQUESTS_MAX;
}

/* Only what asks for work counts: an accept belongs to the create before it. */
static bool is_too_fast(struct srv_engine *engine, const struct srv_session *session,
	const struct tsp_msg *msg, int64_t now_ms)
{
	if (engine->params.quota == NULL || !tsp_msg_is_request(msg) ||
		srv_quota_request(engine->params.quota, session->user, &session->peer, now_ms))
		return false;
	srv_engine_count(engine, SRV_COUNT_OVER_RATE);
	return true;
}

/* From the unit of the session's wire to seconds; what is out of range is the longest there is. */
static void scale_lifetime(const struct srv_session *session, struct tsp_msg *msg)
{
	uint32_t unit_s = session->lifetime_unit_s;

	if (unit_s > 1)
		msg->lifetime_s = msg->lifetime_s < TSP_LIFETIME_MAX_S / unit_s
					  ? msg->lifetime_s * unit_s
					  : TSP_LIFETIME_MAX_S;
}

void srv_engine_message(struct srv_engine *engine, struct srv_session *session,
	const struct tsp_msg *msg, int64_t now_ms)
{
	struct srv_waiting *waiting;

	srv_engine_count(engine, SRV_COUNT_REQUESTS);
	waiting = session->n_waiting < waiting_max(msg) ? malloc(sizeof(*waiting)) : NULL;
	if (waiting == NULL && tsp_msg_is_request(msg))
		return srv_engine_refuse(engine, session, TSP_STATUS_BUSY);
	if (waiting == NULL)
		return;
	waiting->too_fast = is_too_fast(engine, session, msg, now_ms);
	waiting->msg = *msg;
	scale_lifetime(session, &waiting->msg);
	STAILQ_INSERT_TAIL(&session->waiting, waiting, link);
	session->n_waiting++;
	work(engine, session, now_ms);
}

void srv_engine_stop(struct srv_engine *engine)
{
	engine->is_stopping = true;
}

void srv_engine_session_closed(
	struct srv_engine *engine, struct srv_session *session, int64_t now_ms)
{
	struct srv_lease *lease;

	if (session->awaited != NULL)
		TAILQ_REMOVE(&session->awaited->waiters, session, of_job);
	if (session->job != NULL)
		session->job->session = NULL;
	if (session->pushing != NULL)
		session->pushing->pushed_to = NULL;
	while (!STAILQ_EMPTY(&session->waiting))
		pop(session);
	while ((lease = LIST_FIRST(&session->leases)) != NULL) {
		srv_lease_attach(lease, NULL);
		if (!lease->unconfirmed || lease->job != NULL || engine->is_stopping)
			continue;
		srv_engine_count(engine, SRV_COUNT_LEASES_UNDONE);
		srv_lease_end(engine, lease, SRV_REASON_NOT_ACCEPTED, now_ms);
	}
}
