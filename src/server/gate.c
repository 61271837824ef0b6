// SPDX-License-Identifier: BSD-3-Clause
#include "server/gate.h"

#include "common/addr.h"
#include "server/limiter.h"
#include "server/tally.h"

#include <stdlib.h>

#define SOURCES_MAX 65536 /* whose rate is remembered */

struct srv_gate {
	struct srv_gate_limits limits;
	struct srv_tally *all;
	struct srv_tally *half_open;
	struct srv_limiter *rate;
};

struct srv_gate *srv_gate_create(const struct srv_gate_limits *limits)
{
	struct srv_gate *gate = calloc(1, sizeof(*gate));

	if (gate == NULL)
		return NULL;
	gate->limits = *limits;
	gate->all = srv_tally_create();
	gate->half_open = srv_tally_create();
	gate->rate = srv_limiter_create(SOURCES_MAX);
	if (gate->all != NULL && gate->half_open != NULL && gate->rate != NULL)
		return gate;
	srv_gate_destroy(gate);
	return NULL;
}

void srv_gate_destroy(struct srv_gate *gate)
{
	if (gate == NULL)
		return;
	srv_tally_destroy(gate->all);
	srv_tally_destroy(gate->half_open);
	srv_limiter_destroy(gate->rate);
	free(gate);
}

void srv_gate_set_limits(struct srv_gate *gate, const struct srv_gate_limits *limits)
{
	gate->limits = *limits;
}

static bool is_below(uint32_t n, uint32_t limit)
{
	return limit == 0 || n < limit;
}

static enum srv_gate_verdict judge(struct srv_gate *gate, const struct in6_addr *peer,
	const struct srv_source *prefix, int64_t now_ms)
{
	const struct srv_gate_limits *limits = &gate->limits;

	if (!addr_v6_prefixes_contain(limits->allow->items, limits->allow->n, peer))
		return SRV_GATE_FORBIDDEN;
	if (addr_v6_prefixes_contain(limits->exempt->items, limits->exempt->n, peer))
		return SRV_GATE_OPEN;
	if (!is_below(srv_tally_get(gate->all, prefix).n, limits->connections))
		return SRV_GATE_FULL;
	if (!is_below(srv_tally_get(gate->half_open, prefix).n, limits->unauthenticated))
		return SRV_GATE_HALF_OPEN;
	if (!srv_limiter_take(gate->rate, prefix, limits->connections_per_minute, now_ms))
		return SRV_GATE_FAST;
	return SRV_GATE_OPEN;
}

enum srv_gate_verdict srv_gate_enter(struct srv_gate *gate, const struct in6_addr *peer,
	int64_t now_ms, struct srv_gate_pass *pass)
{
	enum srv_gate_verdict verdict;

	*pass = (struct srv_gate_pass){
		.prefix = srv_source_of_prefix(peer, gate->limits.prefix_length)};
	verdict = judge(gate, peer, &pass->prefix, now_ms);
	if (verdict != SRV_GATE_OPEN)
		return verdict;
	if (!srv_tally_add(gate->all, &pass->prefix, 0))
		return SRV_GATE_FULL;
	if (srv_tally_add(gate->half_open, &pass->prefix, 0))
		return SRV_GATE_OPEN;
	srv_tally_take(gate->all, &pass->prefix, 0);
	return SRV_GATE_FULL;
}

void srv_gate_authenticated(struct srv_gate *gate, struct srv_gate_pass *pass)
{
	if (!pass->authenticated)
		srv_tally_take(gate->half_open, &pass->prefix, 0);
	pass->authenticated = true;
}

void srv_gate_leave(struct srv_gate *gate, const struct srv_gate_pass *pass)
{
	srv_tally_take(gate->all, &pass->prefix, 0);
	if (!pass->authenticated)
		srv_tally_take(gate->half_open, &pass->prefix, 0);
}

uint32_t srv_gate_prefixes(const struct srv_gate *gate)
{
	return srv_tally_sources(gate->all);
}
