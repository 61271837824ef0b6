// SPDX-License-Identifier: BSD-3-Clause
/* What a client is told unasked, at the operator's word (R32, R102). */
#include "server/engine_impl.h"

#include "common/log.h"

#include <errno.h>

/*
 * A lease of the session's user, or a request about any of the address, is in the way of a pushed one. held:
 * what the address has.
 */
static bool has_business(const struct srv_engine *engine, const struct srv_session *session,
	const struct srv_wish *wish, struct srv_holdings *held)
{
	const struct srv_lease *lease = srv_lease_db_of_client(engine->db, &wish->client_v6);

	*held = (struct srv_holdings){0};
	if (session->busy || session->pushing != NULL)
		return true;
	for (; lease != NULL; lease = srv_lease_db_next_of_client(lease)) {
		bool alive = srv_lease_is_held(lease);

		if (lease->job != NULL || (alive && strcmp(lease->user, session->user) == 0))
			return true;
		held->leases += alive;
		held->ports += alive ? lease_ports(&lease->lease) : 0;
	}
	return false;
}

int srv_engine_push_create(struct srv_engine *engine, struct srv_session *session,
	const struct srv_wish *wish, int64_t now_ms)
{
	struct srv_holdings held;
	struct srv_lease *lease;
	enum tsp_status why;

	if (session->generation != TSP_GENERATION_1 || has_business(engine, session, wish, &held))
		return -EBUSY;
	lease = srv_lease_new(engine, wish, session->user, &why);
	if (lease == NULL)
		return why == TSP_STATUS_POOL_EXHAUSTED ? -ENOSPC : -ENOMEM;
	if (srv_lease_is_too_much(engine, &lease->lease, lease->user, &held)) {
		srv_lease_drop(engine, lease);
		return -EDQUOT;
	}
	if (srv_job_push(engine, session, lease, wish, now_ms))
		return 0;
	srv_lease_drop(engine, lease);
	return -ENOMEM;
}

uint32_t srv_engine_push_delete(
	struct srv_engine *engine, const struct in6_addr *client_v6, uint32_t v4, int64_t now_ms)
{
	struct srv_lease *lease = srv_lease_db_of_client(engine->db, client_v6);
	char text[LEASE_STRLEN];
	uint32_t ended = 0;

	for (; lease != NULL; lease = srv_lease_db_next_of_client(lease)) {
		if (lease->state != SRV_LEASE_ACTIVE || lease->job != NULL ||
			(v4 != 0 && lease->lease.v4 != v4))
			continue;
		log_info("lease %s: ended by the operator", lease_format(&lease->lease, text));
		srv_engine_count(engine, SRV_COUNT_LEASES_REVOKED);
		srv_lease_tell_end(engine, lease);
		srv_lease_end(engine, lease, SRV_REASON_OPERATOR, now_ms);
		ended++;
	}
	return ended;
}
