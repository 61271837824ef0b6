// SPDX-License-Identifier: BSD-3-Clause
/* What a TEP asks: who holds this address and port? */
#include "server/engine_impl.h"

static bool serves(const struct srv_engine_pool *pool, uint32_t tep)
{
	for (uint32_t i = 0; i < pool->n_teps; i++) {
		if (pool->teps[i].tep == tep)
			return true;
	}
	return false;
}

/* Without a port only the holder of the whole address is meant: of a shared one there are many (D2). */
static const struct srv_lease *find(const struct srv_engine *engine, const struct tsp_party *sought)
{
	bool has_port = sought->n_ranges == 1;
	const struct srv_lease *lease = srv_lease_db_holder(
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

void srv_engine_query(const struct srv_engine *engine, uint32_t tep, const struct tsp_msg *query,
	int64_t now_ms, struct tsp_msg *answer)
{
	const struct srv_lease *lease;

	*answer = (struct tsp_msg){.status = TSP_STATUS_UNAVAILABLE};
	if (!is_sound(&query->server)) {
		answer->status = TSP_STATUS_MALFORMED;
		return;
	}
	lease = find(engine, &query->server);
	if (lease == NULL || !serves(srv_lease_pool(engine, lease), tep))
		return;
	answer->status = TSP_STATUS_OK;
	answer->action = TSP_ACTION_INFO;
	answer->has_lifetime = true;
	answer->lifetime_s = srv_lifetime_s(srv_engine_announced(lease), now_ms);
	tsp_party_from_lease(&answer->server, &lease->lease);
	answer->client = query->client;
	answer->client.has_ports = false;
	answer->client.n_ranges = 0;
}
