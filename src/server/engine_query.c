// SPDX-License-Identifier: BSD-3-Clause
/*
 * Who holds this address and port? A TEP may ask that about the pools that it serves, where their leases may have
 * copies; from the answer on it has one and hears of the end (engine_copies.c). What it is told names the tunnel
 * address that the client knows, which need not be the TEP's own.
 *
 * A client may ask, too, where the operator lets clients reach each other without the TEP: but a holder's IPv6 address is told to nobody
 * whose own would not be told to it. So both leases are of pools with that policy, and both clients have asked
 * something since they got them; who never asks is never told of. All that a client may not know looks alike.
 *
 * A client that names no address asks which it may ask about: the prefixes of those pools.
 *
 * A client is not told the end of the lease but how long it may rely on the answer: no longer than a range rests
 * before somebody else can get it (S24), so that what it sends to the holder never reaches a former one.
 */
#include "server/engine_impl.h"

#include <string.h>

#define SECOND_US 1000000

/* Without a port only the holder of the whole address is meant: of a shared one there are many (D2). */
static struct srv_lease *find(const struct srv_engine *engine, const struct tsp_party *sought)
{
	bool has_port = sought->n_ranges == 1;
	struct srv_lease *lease = srv_lease_db_holder(
		engine->db, sought->v4, has_port ? sought->ranges[0].first : 0);

	if (lease == NULL || lease->state != SRV_LEASE_ACTIVE)
		return NULL;
	return has_port || lease_is_exclusive(&lease->lease) ? lease : NULL;
}

static bool is_sound(const struct tsp_party *sought)
{
	return sought->has_v4 &&
	       (sought->n_ranges == 0 || (sought->n_ranges == 1 && sought->ranges[0].first ==
									   sought->ranges[0].last));
}

static void tell(const struct lease *lease, const struct tsp_msg *query, uint32_t lifetime_s,
	struct tsp_msg *answer)
{
	answer->status = TSP_STATUS_OK;
	answer->action = TSP_ACTION_INFO;
	answer->has_lifetime = true;
	answer->lifetime_s = lifetime_s;
	tsp_party_from_lease(&answer->server, lease);
	answer->client = query->client;
	answer->client.has_ports = false;
	answer->client.n_ranges = 0;
}

/* --- TEPs ---------------------------------------------------------------------------------------- */

/* A second's worth at once, then one for each that has passed (the generic cell rate algorithm). */
static bool is_too_fast(
	const struct srv_engine *engine, struct srv_engine_tep *asker, int64_t now_ms)
{
	int64_t now_us = now_ms * 1000, due_us = asker->query_due_us;

	if (engine->params.tep_queries_per_s == 0)
		return false;
	if (due_us < now_us)
		due_us = now_us;
	due_us += SECOND_US / engine->params.tep_queries_per_s;
	if (due_us > now_us + SECOND_US)
		return true;
	asker->query_due_us = due_us;
	return false;
}

/* True when the TEP may have a copy, or has the lease anyway. */
static bool may_have(const struct srv_engine *engine, const struct srv_lease *lease, uint32_t tep)
{
	const struct srv_engine_pool *pool = srv_lease_pool(engine, lease);

	return srv_lease_is_at(lease, tep) ||
	       (srv_pool_has_copies(pool) && srv_pool_has_tep(pool, tep) && srv_tep_bit(tep) != 0);
}

static enum tsp_status answer_tep(struct srv_engine *engine, uint32_t tep,
	const struct tsp_msg *query, int64_t now_ms, struct tsp_msg *answer)
{
	const struct tsp_party *sought = &query->server;
	const struct lease *said;
	struct srv_lease *lease;

	if (!is_sound(sought))
		return TSP_STATUS_MALFORMED;
	lease = find(engine, sought);
	if (lease == NULL || !may_have(engine, lease, tep))
		return TSP_STATUS_UNAVAILABLE;
	if (srv_job_is_asking(lease, tep))
		return TSP_STATUS_BUSY;
	said = srv_engine_announced(lease, tep);
	if (sought->n_ranges > 0 && !lease_has_port(said, sought->ranges[0].first))
		return TSP_STATUS_UNAVAILABLE;
	if (lease->tep != tep)
		srv_lease_db_set_copies(engine->db, lease, lease->copies | srv_tep_bit(tep));
	tell(said, query, srv_lifetime_s(said, now_ms), answer);
	answer->until_s = said->stamp;
	answer->client.n_v6 = 1;
	answer->client.v6[0] = said->tep_v6;
	return TSP_STATUS_OK;
}

void srv_engine_query(struct srv_engine *engine, uint32_t tep, const struct tsp_msg *query,
	int64_t now_ms, struct tsp_msg *answer)
{
	struct srv_engine_tep *asker = &engine->params.teps[tep];

	*answer = (struct tsp_msg){0};
	asker->queries.asked++;
	srv_engine_count(engine, SRV_COUNT_TEP_QUERIES);
	answer->status = is_too_fast(engine, asker, now_ms)
				 ? TSP_STATUS_BUSY
				 : answer_tep(engine, tep, query, now_ms, answer);
	if (answer->status == TSP_STATUS_OK) {
		asker->queries.answered++;
		srv_engine_count(engine, SRV_COUNT_TEP_QUERIES_ANSWERED);
	} else if (answer->status == TSP_STATUS_BUSY) {
		asker->queries.refused++;
		srv_engine_count(engine, SRV_COUNT_TEP_QUERIES_REFUSED);
	} else {
		asker->queries.unknown++;
	}
}

/* --- clients ------------------------------------------------------------------------------------- */

static bool is_open(const struct srv_engine *engine, const struct srv_lease *lease)
{
	return lease->state == SRV_LEASE_ACTIVE && srv_lease_pool(engine, lease)->is_direct;
}

/* From now on the client may be asked about. False: it may not ask. */
static bool let_in(const struct srv_engine *engine, const struct srv_session *session,
	const struct in6_addr *client_v6)
{
	struct srv_lease *lease = srv_lease_db_of_client(engine->db, client_v6);
	bool may_ask = false;

	for (; lease != NULL; lease = srv_lease_db_next_of_client(lease)) {
		if (!is_open(engine, lease) || strcmp(lease->user, session->user) != 0)
			continue;
		lease->is_known = true;
		may_ask = true;
	}
	return may_ask;
}

/* Whole units of the session's wire, which must not be rounded up. */
static uint32_t reliable_s(const struct srv_engine *engine, const struct srv_session *session,
	const struct srv_lease *lease, int64_t now_ms)
{
	uint32_t unit_s = session->lifetime_unit_s > 1 ? session->lifetime_unit_s : 1;
	uint32_t left_s = lease_seconds_left(&lease->lease, now_ms);

	if (left_s > engine->params.quarantine_s)
		left_s = engine->params.quarantine_s;
	return left_s / unit_s * unit_s;
}

/* Whose addresses may be asked about, by any client that may ask at all. */
static void tell_prefixes(
	const struct srv_engine *engine, const struct tsp_msg *query, struct tsp_msg *answer)
{
	answer->status = TSP_STATUS_OK;
	answer->action = TSP_ACTION_INFO;
	answer->client = query->client;
	for (uint32_t i = 0; i < engine->params.n_pools; i++) {
		if (engine->params.pools[i].is_direct && answer->n_prefixes < TSP_PREFIXES_MAX)
			answer->prefixes[answer->n_prefixes++] = engine->params.pools[i].prefix;
	}
}

void srv_engine_query_by_client(const struct srv_engine *engine, const struct srv_session *session,
	const struct tsp_msg *query, int64_t now_ms, struct tsp_msg *answer)
{
	const struct srv_lease *lease;
	struct srv_wish asker;
	uint32_t lifetime_s;

	*answer = (struct tsp_msg){.status = TSP_STATUS_UNAVAILABLE};
	srv_engine_count(engine, SRV_COUNT_QUERIES);
	if (srv_request_read(query, &engine->params.policy, &session->peer, &asker) !=
			TSP_STATUS_NONE ||
		!let_in(engine, session, &asker.client_v6))
		return;
	if (!query->server.has_v4 && query->server.n_ranges == 0)
		return tell_prefixes(engine, query, answer);
	if (!is_sound(&query->server))
		return;
	lease = find(engine, &query->server);
	if (lease == NULL || !is_open(engine, lease) || !lease->is_known)
		return;
	lifetime_s = reliable_s(engine, session, lease, now_ms);
	if (lifetime_s == 0)
		return;
	srv_engine_count(engine, SRV_COUNT_QUERIES_ANSWERED);
	tell(&lease->lease, query, lifetime_s, answer);
}
