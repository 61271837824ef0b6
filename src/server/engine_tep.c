// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which TEP a lease goes through.
 *
 * A pool names its TEPs, each with the clients that it serves. Of those that serve a client the one with the
 * longest prefix is taken (R37), of several such the one with the better session, of several such the one
 * with the fewest leases. Where the pool lets another TEP take the place of one that fails, a TEP without a
 * session comes behind all others, whatever their prefixes; where it does not, prefixes are kept to strictly.
 *
 * Two TEPs may have the same range for the same client: where leases have copies, and for a while after a move, when
 * the first one could not be told. They must not have it for two clients. So the range of a lease whose binding may stand at a TEP out
 * of reach rests until that binding has ended by itself (stray_s). A pool with one TEP needs no such care:
 * the next holder's create goes to that same TEP, which has got level before.
 */
#include "server/engine_impl.h"

#include <string.h>

static int longest_match(const struct srv_pool_tep *entry, const struct in6_addr *client_v6)
{
	int longest = entry->n_clients == 0 ? 0 : -1;

	for (uint32_t i = 0; i < entry->n_clients; i++) {
		if (entry->clients[i].len > longest &&
			addr_v6_prefix_contains(&entry->clients[i], client_v6))
			longest = entry->clients[i].len;
	}
	return longest;
}

/* What a TEP has to say for itself. */
struct rank {
	bool is_up; /* counted only where another may take its place */
	bool is_same; /* the client notices nothing; counted only where leases have copies */
	int match;
	enum srv_tep_state state;
	uint32_t n_leases;
};

static bool is_better(const struct rank *a, const struct rank *b)
{
	if (a->is_up != b->is_up)
		return a->is_up;
	if (a->is_same != b->is_same)
		return a->is_same;
	if (a->match != b->match)
		return a->match > b->match;
	if (a->state != b->state)
		return a->state > b->state;
	return a->n_leases < b->n_leases;
}

static enum srv_tep_state state_of(const struct srv_engine *engine, uint32_t tep)
{
	return engine->params.ops->tep_state(engine->params.arg, tep);
}

bool srv_tep_is_down(const struct srv_engine *engine, uint32_t tep)
{
	return state_of(engine, tep) == SRV_TEP_DOWN;
}

static bool is_among(uint32_t tep, const uint32_t *teps, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (teps[i] == tep)
			return true;
	}
	return false;
}

uint32_t srv_tep_choose(const struct srv_engine *engine, const struct srv_engine_pool *pool,
	const struct lease *lease, const uint32_t *tried, uint32_t n_tried)
{
	struct rank best = {.match = -1};
	uint32_t chosen = SRV_TEP_NONE;

	for (uint32_t i = 0; i < pool->n_teps; i++) {
		uint32_t tep = pool->teps[i].tep;
		enum srv_tep_state state = state_of(engine, tep);
		const struct rank rank = {
			.is_up = pool->another_tep && state != SRV_TEP_DOWN,
			.is_same = srv_pool_has_copies(pool) &&
				   addr_v6_equal(&engine->params.teps[tep].v6, &lease->tep_v6),
			.match = longest_match(&pool->teps[i], &lease->client_v6),
			.state = state,
			.n_leases = engine->params.teps[tep].n_leases,
		};

		if (rank.match < 0 || is_among(tep, tried, n_tried))
			continue;
		if (chosen == SRV_TEP_NONE || is_better(&rank, &best)) {
			best = rank;
			chosen = tep;
		}
	}
	return chosen;
}

static bool is_served_by(
	const struct srv_engine_pool *pool, uint32_t tep, const struct in6_addr *client_v6)
{
	for (uint32_t i = 0; i < pool->n_teps; i++) {
		if (pool->teps[i].tep == tep)
			return longest_match(&pool->teps[i], client_v6) >= 0;
	}
	return false;
}

uint32_t srv_tep_for_renewal(const struct srv_engine *engine, const struct srv_lease *lease)
{
	const struct srv_engine_pool *pool = srv_lease_pool(engine, lease);
	const struct in6_addr *client_v6 = &lease->lease.client_v6;

	/* Served no longer is not failed: what the operator has changed holds under either policy. */
	if (lease->tep != SRV_TEP_NONE && is_served_by(pool, lease->tep, client_v6) &&
		(!pool->another_tep || !srv_tep_is_down(engine, lease->tep)))
		return lease->tep;
	return srv_tep_choose(engine, pool, &lease->lease, NULL, 0);
}

static bool has_address(const struct srv_engine *engine, uint32_t tep, const struct in6_addr *v6)
{
	return addr_v6_equal(&engine->params.teps[tep].v6, v6);
}

/*
 * TEPs may have one tunnel address, so the name decides. A TEP with another name now is known by its address, and one
 * that names itself by another address than it was asked for by being its pool's only one.
 */
uint32_t srv_tep_of_record(const struct srv_engine *engine, const struct srv_engine_pool *pool,
	const struct srv_store_record *record)
{
	for (uint32_t i = 0; record->tep[0] != '\0' && i < engine->params.n_teps; i++) {
		if (strcmp(engine->params.teps[i].name, record->tep) == 0)
			return i;
	}
	for (uint32_t i = 0; i < pool->n_teps; i++) {
		if (has_address(engine, pool->teps[i].tep, &record->lease.tep_v6))
			return pool->teps[i].tep;
	}
	for (uint32_t i = 0; i < engine->params.n_teps; i++) {
		if (has_address(engine, i, &record->lease.tep_v6))
			return i;
	}
	return pool->n_teps == 1 ? pool->teps[0].tep : SRV_TEP_NONE;
}

/* A home is no copy. */
void srv_lease_set_tep(struct srv_engine *engine, struct srv_lease *lease, uint32_t tep)
{
	if ((lease->copies & srv_tep_bit(tep)) != 0)
		srv_lease_db_set_copies(engine->db, lease, lease->copies & ~srv_tep_bit(tep));
	if (lease->tep != SRV_TEP_NONE)
		engine->params.teps[lease->tep].n_leases--;
	srv_lease_db_set_tep(engine->db, lease, tep);
	if (tep != SRV_TEP_NONE)
		engine->params.teps[tep].n_leases++;
}

void srv_lease_waits_for_stray(struct srv_lease *lease, int64_t until_ms)
{
	uint32_t until_s = (until_ms + 999) / 1000;

	if (until_s > lease->stray_s)
		lease->stray_s = until_s;
}

void srv_lease_leave_tep(
	struct srv_engine *engine, struct srv_lease *lease, uint32_t tep, int64_t until_ms)
{
	struct lease there = lease->lease;

	if (tep != SRV_TEP_NONE) {
		there.tep_v6 = engine->params.teps[tep].v6;
		there.end_ms = until_ms;
		if (engine->params.ops->tep_delete(engine->params.arg, tep, &there, NULL))
			return;
	}
	srv_lease_waits_for_stray(lease, until_ms);
}

void srv_lease_go_to_tep(
	struct srv_engine *engine, struct srv_lease *lease, uint32_t tep, int64_t until_ms)
{
	uint32_t before = lease->tep;

	if (tep == before)
		return;
	srv_lease_set_tep(engine, lease, tep);
	srv_lease_become_copy(engine, lease, before);
	if (before != SRV_TEP_NONE && !srv_lease_is_at(lease, before))
		srv_lease_leave_tep(engine, lease, before, until_ms);
}

int64_t srv_lease_rest_until(
	const struct srv_engine *engine, struct srv_lease *lease, bool told, int64_t now_ms)
{
	const struct srv_engine_pool *pool = srv_lease_pool(engine, lease);
	int64_t until_ms = now_ms + (int64_t)engine->params.quarantine_s * 1000;
	int64_t stray_ms;

	if (!told && (pool->n_teps > 1 || lease->copies != 0))
		srv_lease_waits_for_stray(lease, lease->lease.end_ms);
	stray_ms = (int64_t)lease->stray_s * 1000;
	return stray_ms > until_ms ? stray_ms : until_ms;
}

struct tsp_party srv_lease_server(const struct srv_engine *engine, const struct srv_lease *lease)
{
	struct tsp_party server = {.present = true, .n_v6 = 1, .v6 = {lease->lease.tep_v6}};

	if (lease->tep == SRV_TEP_NONE)
		return server;
	server.has_v4 = engine->params.teps[lease->tep].has_v4;
	server.v4 = engine->params.teps[lease->tep].v4;
	return server;
}

const char *srv_engine_tep_name(const struct srv_engine *engine, const struct srv_lease *lease)
{
	return lease->tep != SRV_TEP_NONE ? engine->params.teps[lease->tep].name : "";
}
