// SPDX-License-Identifier: BSD-3-Clause
/* What a client has and had, and whether it may have more. */
#include "server/engine_impl.h"

#include <string.h>

static bool fits(
	const struct srv_engine *engine, const struct srv_lease *lease, const struct srv_wish *wish)
{
	const struct srv_engine_pool *pool = srv_lease_pool(engine, lease);

	return srv_lease_is_served(engine, lease, wish) && srv_wish_names(wish, &lease->lease) &&
	       srv_pool_units_wished(pool, wish) <= lease->lease.n_ranges;
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

struct srv_client_leases srv_client_look_up(
	const struct srv_engine *engine, const char *user, const struct srv_wish *wish)
{
	struct srv_lease *lease = srv_lease_db_of_client(engine->db, &wish->client_v6);
	struct srv_client_leases found = {0};

	for (; lease != NULL; lease = srv_lease_db_next_of_client(lease)) {
		bool alive = srv_lease_is_held(lease);

		found.held.leases += alive;
		found.held.ports += alive ? lease_ports(&lease->lease) : 0;
		if (strcmp(lease->user, user) != 0)
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

bool srv_client_has_room(const struct srv_engine *engine, const char *user,
	const struct srv_wish *wish, const struct srv_client_leases *has)
{
	struct srv_holdings more = {.leases = 1, .ports = wish->ports > 0 ? wish->ports : 1};

	if (has->previous != NULL)
		more.ports = lease_ports(&has->previous->lease);
	return srv_quota_allows(engine->params.quota, user, &wish->client_v6, &has->held, &more);
}
