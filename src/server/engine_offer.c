// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a create would give, for protocols that ask before they take (the Advertise of DHCPv6). The same rules as those
 * of a create, in the same order (engine_request.c), but nothing is taken, ended, counted or written down:
 * what was offered may be somebody else's by the time that it is asked for.
 */
#include "server/engine_impl.h"

/* A lease goes on as it is, or comes back, through that TEP. */
static enum tsp_status offer_again(const struct srv_engine *engine, const struct srv_lease *lease,
	uint32_t tep, struct lease *offer)
{
	*offer = lease->lease;
	if (tep != lease->tep)
		offer->tep_v6 = engine->params.teps[tep].v6;
	return srv_tep_is_down(engine, tep) ? TSP_STATUS_TEP_ERROR : TSP_STATUS_OK;
}

static enum tsp_status offer_new(const struct srv_engine *engine, const char *user,
	const struct srv_wish *wish, const struct srv_client_leases *has, struct lease *offer)
{
	uint32_t pool, tep = SRV_TEP_NONE;

	if (has->previous != NULL)
		tep = srv_lease_can_return(engine, has->previous);
	if (tep != SRV_TEP_NONE)
		return offer_again(engine, has->previous, tep, offer);
	if (wish->names_v4)
		return TSP_STATUS_RENEWAL_REFUSED;
	tep = srv_lease_find(engine, wish, offer, &pool);
	if (tep == SRV_TEP_NONE)
		return TSP_STATUS_POOL_EXHAUSTED;
	if (srv_lease_is_too_much(engine, offer, user, &has->held))
		return TSP_STATUS_BUSY;
	return srv_tep_is_down(engine, tep) ? TSP_STATUS_TEP_ERROR : TSP_STATUS_OK;
}

static enum tsp_status offer_current(
	const struct srv_engine *engine, const struct srv_lease *current, struct lease *offer)
{
	uint32_t tep = srv_tep_for_renewal(engine, current);

	if (tep == SRV_TEP_NONE)
		return TSP_STATUS_TEP_ERROR;
	return offer_again(engine, current, tep, offer);
}

static enum tsp_status offer(const struct srv_engine *engine, const char *user,
	const struct srv_wish *wish, struct lease *lease)
{
	struct srv_client_leases has = srv_client_look_up(engine, user, wish);
	const struct srv_lease *current = has.job != NULL ? has.job->lease : has.current;

	if (current != NULL && !srv_wish_names(wish, &current->lease))
		return TSP_STATUS_RENEWAL_REFUSED;
	if (current != NULL && srv_lease_is_served(engine, current, wish))
		return offer_current(engine, current, lease);
	/* A create would end it before it goes on. */
	if (has.current != NULL) {
		has.held.leases--;
		has.held.ports -= lease_ports(&has.current->lease);
	}
	if (!srv_client_has_room(engine, user, wish, &has))
		return TSP_STATUS_BUSY;
	if (engine->params.redirect == SRV_REDIRECT_ALWAYS && has.held.leases == 0)
		return TSP_STATUS_BUSY;
	return offer_new(engine, user, wish, &has, lease);
}

enum tsp_status srv_engine_offer(const struct srv_engine *engine, const struct srv_session *session,
	const struct tsp_msg *create, int64_t now_ms, struct lease *lease)
{
	struct srv_wish wish;
	enum tsp_status status = srv_request_read(
		create, &engine->params.policy, &session->peer, &wish);

	if (status != TSP_STATUS_NONE)
		return status;
	status = offer(engine, session->user, &wish, lease);
	lease->end_ms = now_ms + (int64_t)wish.lifetime_s * 1000;
	return status;
}

bool srv_engine_shares(const struct srv_engine *engine, const struct in6_addr *client_v6)
{
	const struct srv_wish wish = {.client_v6 = *client_v6, .shared = true};

	for (uint32_t i = 0; i < engine->params.n_pools; i++) {
		if (srv_pool_serves(&engine->params.pools[i], &wish))
			return true;
	}
	return false;
}

bool srv_engine_has_address(const struct srv_engine *engine, uint32_t v4)
{
	for (uint32_t i = 0; i < engine->params.n_pools; i++) {
		if (srv_pool_contains(engine->params.pools[i].pool, v4))
			return true;
	}
	return false;
}
