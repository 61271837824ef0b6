// SPDX-License-Identifier: BSD-3-Clause
/* What a lease goes through: taken from a pool, resting, back to its former holder, forgotten. */
#include "server/engine_impl.h"

#include "common/log.h"

#include <errno.h>
#include <string.h>

#define LOOK_AGAIN_MS 1000 /* whether a TEP has got level that a range waits for */

const struct srv_engine_pool *srv_lease_pool(
	const struct srv_engine *engine, const struct srv_lease *lease)
{
	static const struct srv_engine_pool none = {.name = ""};

	return lease->pool != SRV_POOL_NONE ? &engine->params.pools[lease->pool] : &none;
}

const char *srv_engine_pool_name(const struct srv_engine *engine, const struct srv_lease *lease)
{
	return srv_lease_pool(engine, lease)->name;
}

uint32_t srv_lifetime_s(const struct lease *lease, int64_t now_ms)
{
	int64_t left_ms = lease->end_ms - now_ms;

	return left_ms <= 0 ? 0 : (left_ms + 999) / 1000;
}

bool srv_pool_serves(const struct srv_engine_pool *pool, const struct srv_wish *wish)
{
	if (srv_pool_is_exclusive(pool->pool) == wish->shared)
		return false;
	for (uint32_t i = 0; i < pool->n_clients; i++) {
		if (addr_v6_prefix_contains(&pool->clients[i], &wish->client_v6))
			return true;
	}
	return false;
}

/* The one unit that is the client's; false: it has none here. */
static bool plan_for(const struct srv_engine_pool *pool, struct lease *lease)
{
	lease->n_ranges = 1;
	return srv_deterministic_unit(
		&pool->plan, &lease->client_v6, &lease->v4, &lease->ranges[0]);
}

/* A lease that was made before the pool was deterministic may not be what the plan says. */
static bool is_as_planned(const struct srv_engine_pool *pool, const struct lease *lease)
{
	struct lease planned = *lease;

	return !pool->is_deterministic ||
	       (plan_for(pool, &planned) && lease->n_ranges == 1 && lease->v4 == planned.v4 &&
		       port_range_equal(lease->ranges[0], planned.ranges[0]));
}

uint32_t srv_pool_units_wished(const struct srv_engine_pool *pool, const struct srv_wish *wish)
{
	bool of_any_size = wish->ports == 0 && pool->blocks_per_lease > 1;

	return of_any_size ? pool->blocks_per_lease : srv_pool_units_for(pool->pool, wish->ports);
}

/* The unit that the wish hints at. False: it is none, or not free. */
static bool find_hinted(
	const struct srv_engine_pool *pool, const struct srv_wish *wish, struct lease *lease)
{
	struct lease hinted = *lease;

	if (!wish->has_hint)
		return false;
	hinted.v4 = wish->hint_v4;
	hinted.n_ranges = 1;
	hinted.ranges[0] = wish->hint;
	if (!srv_pool_is_free(pool->pool, &hinted))
		return false;
	*lease = hinted;
	return true;
}

/* Free units for lease, whose client is set. */
static bool find_units(
	const struct srv_engine_pool *pool, const struct srv_wish *wish, struct lease *lease)
{
	uint32_t n_units = srv_pool_units_wished(pool, wish);

	if (pool->is_deterministic)
		return n_units == 1 && plan_for(pool, lease) && srv_pool_is_free(pool->pool, lease);
	return (n_units == 1 && find_hinted(pool, wish, lease)) ||
	       srv_pool_pick(pool->pool, n_units, lease) == 0;
}

bool srv_lease_is_served(
	const struct srv_engine *engine, const struct srv_lease *lease, const struct srv_wish *wish)
{
	return lease->pool != SRV_POOL_NONE && lease_is_exclusive(&lease->lease) != wish->shared &&
	       srv_pool_serves(srv_lease_pool(engine, lease), wish) &&
	       is_as_planned(srv_lease_pool(engine, lease), &lease->lease);
}

static void forget(struct srv_engine *engine, struct srv_lease *lease)
{
	srv_lease_set_tep(engine, lease, SRV_TEP_NONE);
	engine->params.ops->remove(engine->params.arg, lease->id);
	srv_lease_db_remove(engine->db, lease);
}

void srv_lease_forget_former(struct srv_engine *engine, const struct lease *lease)
{
	struct srv_lease *former;

	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		while ((former = srv_lease_db_former(
				engine->db, lease->v4, lease->ranges[i].first)) != NULL)
			forget(engine, former);
	}
}

/* Takes the free range for a lease of it. NULL: out of memory, and the range is free. */
static struct srv_lease *add_pending(struct srv_engine *engine, uint32_t pool_number,
	const struct lease *value, const char *user)
{
	struct srv_lease *lease;

	srv_pool_reserve(engine->params.pools[pool_number].pool, value);
	srv_lease_forget_former(engine, value);
	lease = srv_lease_db_add(engine->db, value, SRV_LEASE_PENDING, user, pool_number, 0);
	if (lease == NULL)
		srv_pool_give(engine->params.pools[pool_number].pool, value);
	return lease;
}

/* Pools whose TEPs are all down have their turn when no other has room, if they may be passed over. */
static bool has_turn(const struct srv_engine *engine, const struct srv_engine_pool *pool,
	uint32_t tep, int round)
{
	bool is_last = pool->another_tep && srv_tep_is_down(engine, tep);

	return is_last == (round == 1);
}

uint32_t srv_lease_find(const struct srv_engine *engine, const struct srv_wish *wish,
	struct lease *value, uint32_t *pool_number)
{
	uint32_t tep;

	*value = (struct lease){.client_v6 = wish->client_v6};
	for (uint32_t turn = 0; turn < 2 * engine->params.n_pools; turn++) {
		*pool_number = turn % engine->params.n_pools;
		const struct srv_engine_pool *pool = &engine->params.pools[*pool_number];

		if (!srv_pool_serves(pool, wish))
			continue;
		tep = srv_tep_choose(engine, pool, value, NULL, 0);
		if (tep == SRV_TEP_NONE ||
			!has_turn(engine, pool, tep, turn / engine->params.n_pools) ||
			!find_units(pool, wish, value))
			continue;
		value->tep_v6 = engine->params.teps[tep].v6;
		return tep;
	}
	return SRV_TEP_NONE;
}

struct srv_lease *srv_lease_new(struct srv_engine *engine, const struct srv_wish *wish,
	const char *user, enum tsp_status *why)
{
	struct srv_lease *lease = NULL;
	struct lease value;
	uint32_t pool, tep = srv_lease_find(engine, wish, &value, &pool);

	if (tep != SRV_TEP_NONE)
		lease = add_pending(engine, pool, &value, user);
	if (lease != NULL)
		srv_lease_set_tep(engine, lease, tep);
	else
		*why = tep == SRV_TEP_NONE ? TSP_STATUS_POOL_EXHAUSTED : TSP_STATUS_BUSY;
	return lease;
}

uint32_t srv_lease_can_return(const struct srv_engine *engine, const struct srv_lease *lease)
{
	const struct srv_engine_pool *pool = srv_lease_pool(engine, lease);

	if (lease->state != SRV_LEASE_RESTING && !srv_pool_is_free(pool->pool, &lease->lease))
		return SRV_TEP_NONE;
	return srv_tep_for_renewal(engine, lease);
}

bool srv_lease_return(struct srv_engine *engine, struct srv_lease *lease)
{
	const struct srv_engine_pool *pool = srv_lease_pool(engine, lease);
	uint32_t tep = srv_lease_can_return(engine, lease);

	if (tep == SRV_TEP_NONE)
		return false;
	if (lease->state == SRV_LEASE_RESTING)
		srv_pool_wake(pool->pool, &lease->lease);
	else
		srv_pool_reserve(pool->pool, &lease->lease);
	srv_lease_db_set_state(engine->db, lease, SRV_LEASE_PENDING);
	srv_lease_db_set_due(engine->db, lease, SRV_LEASE_NEVER);
	srv_lease_set_tep(engine, lease, tep);
	lease->is_known = false;
	lease->lease.tep_v6 = engine->params.teps[tep].v6;
	return true;
}

void srv_lease_attach(struct srv_lease *lease, struct srv_session *session)
{
	if (lease->session != NULL)
		LIST_REMOVE(lease, of_session);
	lease->session = session;
	if (session != NULL)
		LIST_INSERT_HEAD(&session->leases, lease, of_session);
}

void srv_lease_rest(struct srv_engine *engine, struct srv_lease *lease)
{
	srv_lease_attach(lease, NULL);
	lease->unconfirmed = false;
	srv_lease_db_set_state(engine->db, lease, SRV_LEASE_RESTING);
	srv_lease_db_set_due(engine->db, lease, SRV_LEASE_NEVER);
	if (lease->pool != SRV_POOL_NONE)
		srv_pool_rest(srv_lease_pool(engine, lease)->pool, &lease->lease);
}

void srv_lease_end(
	struct srv_engine *engine, struct srv_lease *lease, const char *reason, int64_t now_ms)
{
	const struct srv_engine_ops *ops = engine->params.ops;
	bool was_active = lease->state == SRV_LEASE_ACTIVE;
	int64_t until_ms;
	bool told;

	srv_lease_delete(engine, lease, NULL, &told);
	until_ms = srv_lease_rest_until(engine, lease, told, now_ms);
	srv_lease_rest(engine, lease);
	srv_lease_db_set_due(engine->db, lease, until_ms);
	if (was_active)
		ops->record(engine->params.arg, lease, SRV_RECORD_RELEASED, reason);
	ops->put(engine->params.arg, lease, until_ms, NULL);
}

void srv_lease_drop(struct srv_engine *engine, struct srv_lease *lease)
{
	srv_lease_attach(lease, NULL);
	if (lease->pool != SRV_POOL_NONE)
		srv_pool_give(srv_lease_pool(engine, lease)->pool, &lease->lease);
	forget(engine, lease);
}

bool srv_lease_is_too_much(const struct srv_engine *engine, const struct lease *lease,
	const char *user, const struct srv_holdings *held)
{
	static const struct srv_holdings nothing;
	const struct srv_holdings both = {held->leases + 1, held->ports + lease_ports(lease)};

	return !srv_quota_allows(engine->params.quota, user, &lease->client_v6, &both, &nothing);
}

/* In memory alone: of a lease that returned the store knows an older quarantine, which is enough. */
void srv_lease_unbegin(
	struct srv_engine *engine, struct srv_lease *lease, bool returned, int64_t now_ms)
{
	srv_lease_set_tep(engine, lease, SRV_TEP_NONE);
	if (returned) {
		srv_lease_rest(engine, lease);
		srv_lease_db_set_due(
			engine->db, lease, srv_lease_rest_until(engine, lease, true, now_ms));
		return;
	}
	if (lease->pool != SRV_POOL_NONE)
		srv_pool_give(srv_lease_pool(engine, lease)->pool, &lease->lease);
	srv_lease_db_remove(engine->db, lease);
}

void srv_lease_set_active_due(struct srv_engine *engine, struct srv_lease *lease, int64_t now_ms)
{
	int64_t confirm_ms = now_ms + (int64_t)engine->params.confirm_s * 1000;
	int64_t due_ms = lease->lease.end_ms;

	if (lease->unconfirmed && confirm_ms < due_ms)
		due_ms = confirm_ms;
	srv_lease_db_set_due(engine->db, lease, due_ms);
}

/* Its quarantine is over: the range is free, and the record remembers whose it was. */
static void become_former(struct srv_engine *engine, struct srv_lease *lease)
{
	struct srv_pool *pool = srv_lease_pool(engine, lease)->pool;

	if (pool != NULL) {
		srv_pool_wake(pool, &lease->lease);
		srv_pool_give(pool, &lease->lease);
	}
	srv_lease_set_tep(engine, lease, SRV_TEP_NONE);
	srv_lease_db_set_copies(engine->db, lease, 0);
	lease->stray_s = 0;
	srv_lease_db_set_state(engine->db, lease, SRV_LEASE_FORMER);
	srv_lease_db_set_due(engine->db, lease, SRV_LEASE_NEVER);
}

/* A generation 1 client with an open session is told (R78, R95); nobody waits for it (R96). */
void srv_lease_tell_end(struct srv_engine *engine, const struct srv_lease *lease)
{
	struct tsp_msg msg = {
		.action = TSP_ACTION_DELETE,
		.server = srv_lease_server(engine, lease),
	};

	if (lease->session == NULL || lease->session->generation != TSP_GENERATION_1)
		return;
	tsp_party_from_lease(&msg.client, &lease->lease);
	srv_engine_send(engine, lease->session, &msg);
}

static void expire(struct srv_engine *engine, struct srv_lease *lease, int64_t now_ms)
{
	bool undone = lease->unconfirmed && lease->lease.end_ms > now_ms;
	char text[LEASE_STRLEN];

	log_debug("lease %s: %s", lease_format(&lease->lease, text),
		undone ? "undone, its client did not accept it" : "expired");
	srv_engine_count(engine, undone ? SRV_COUNT_LEASES_UNDONE : SRV_COUNT_LEASES_EXPIRED);
	srv_lease_tell_end(engine, lease);
	srv_lease_end(engine, lease, undone ? SRV_REASON_NOT_ACCEPTED : SRV_REASON_EXPIRED, now_ms);
}

int64_t srv_engine_next_ms(const struct srv_engine *engine)
{
	const struct srv_lease *first = srv_lease_db_first_due(engine->db);

	return first != NULL ? first->due_ms : SRV_LEASE_NEVER;
}

void srv_engine_tick(struct srv_engine *engine, int64_t now_ms)
{
	struct srv_lease *lease;

	engine->ticked_ms = now_ms;
	for (uint32_t i = 0; i < SRV_TICK_LEASES; i++) {
		lease = srv_lease_db_first_due(engine->db);
		if (lease == NULL || lease->due_ms > now_ms)
			return;
		if (lease->state == SRV_LEASE_RESTING && srv_lease_may_stand(engine, lease, now_ms))
			srv_lease_db_set_due(engine->db, lease, now_ms + LOOK_AGAIN_MS);
		else if (lease->state == SRV_LEASE_RESTING)
			become_former(engine, lease);
		else
			expire(engine, lease, now_ms);
	}
}
