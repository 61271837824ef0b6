// SPDX-License-Identifier: BSD-3-Clause
/*
 * Random packets through the real data plane beside a naive model of it (model/model.h): same frames out, same
 * counters, nothing to or from anybody but a holder (R54, S2), while bindings come, go and end.
 *
 * Each round draws a configuration and bindings, then sends bursts. DSTM_SEED repeats a run, DSTM_PACKETS
 * says how many packets there are, DSTM_ROUND starts with a round.
 */
#include "model/rig.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ROUND_PACKETS 50000

static struct rig rig;
static struct model model;
static struct traffic traffic;

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

/* --- a round's configuration ------------------------------------------------------------------------- */

static void draw_icmp(struct dp_icmp_params *icmp)
{
	static const uint32_t rates[] = {0, 1, 100, 5000, 1000000};

	icmp->rate = rates[traffic_below(&traffic, RTE_DIM(rates))];
	icmp->burst = 1 + traffic_below(&traffic, 200);
	icmp->tunnel_v4 = 0xc0000001;
	icmp->v4_source = traffic_chance(&traffic, 500) ? 0xc0000201 : 0;
	icmp->relay = traffic_chance(&traffic, 800);
	icmp->plain = traffic_chance(&traffic, 800);
	icmp->v6_source = model.params.tep_v6[0];
	icmp->v6_source.s6_addr[8] = 0x99;
	for (uint32_t class = ICMP_REQUEST; class <= ICMP_ERROR; class ++)
		icmp->refuse_from_v4[class] = traffic_chance(&traffic, 100);
	for (uint32_t kind = DP_ICMP_NONE + 1; kind < DP_N_ICMP_KINDS; kind++) {
		icmp->to_v4[kind] = kind < DP_ICMP_POLICY && traffic_chance(&traffic, 700);
		icmp->to_clients[kind] = traffic_chance(&traffic, 700);
	}
}

static void draw_reassembly(struct dp_reassembly_params *params, bool one_sender)
{
	bool small = traffic_chance(&traffic, 300);

	params->max_datagrams = 1 + traffic_below(&traffic, small ? 8 : MODEL_WAITING_MAX);
	params->max_fragments = 2 + traffic_below(&traffic, small ? 30 : 600);
	/* Which senders share a limit is not to be foretold. */
	params->per_source = one_sender ? 1 + traffic_below(&traffic, 8) : params->max_datagrams;
	params->timeout_ms = 20 + traffic_below(&traffic, 5000);
}

static void draw_outer(struct dp_outer_params *outer)
{
	model.dscp_mode = traffic_chance(&traffic, 500) ? DP_DSCP_UNIFORM
							: traffic_below(&traffic, 3);
	model.dscp_outer = (uint8_t)traffic_below(&traffic, 64);
	model.dscp_inner = (uint8_t)traffic_below(&traffic, 64);
	outer->dscp = dp_dscp_make(model.dscp_mode, model.dscp_outer, model.dscp_inner);
	outer->has_encapsulation_limit = traffic_chance(&traffic, 250);
	outer->encapsulation_limit = (uint8_t)traffic_below(&traffic, 256);
	outer->hash_flows = traffic_chance(&traffic, 250);
	outer->flow_label = traffic_chance(&traffic, 500) ? traffic_below(&traffic, 1U << 20) : 0;
}

/* 0: off. */
static uint32_t draw_mss(void)
{
	if (traffic_chance(&traffic, 500))
		return 0;
	return traffic_chance(&traffic, 500) ? DP_MSS_AUTO : 536 + traffic_below(&traffic, 1000);
}

static void draw_params(struct dp_datapath_params *params)
{
	static const struct addr_v4_prefix pools[] = {{0xc6336600, 23}, {0xc6336408, 29}};

	memset(params, 0, sizeof(*params));
	params->port_v6 = rig.ports[0];
	params->port_v4 = rig.ports[traffic_chance(&traffic, 100) ? 0 : 1];
	params->n_workers = 1;
	params->n_tep_v6 = 1 + traffic_below(&traffic, 4);
	for (uint32_t i = 0; i < params->n_tep_v6; i++)
		params->tep_v6[i] = (struct in6_addr){
			.s6_addr = {0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)(i + 1)}};
	params->hop_limit = (uint8_t)(1 + traffic_below(&traffic, 255));
	params->hairpin = traffic_chance(&traffic, 800);
	params->pools = pools;
	params->n_pools = traffic_below(&traffic, RTE_DIM(pools) + 1);
	params->mtu_v6 = 1280 + traffic_below(&traffic, 300);
	params->mtu_v4 = 576 + traffic_below(&traffic, 1100);
	params->fragment_inner = traffic_chance(&traffic, 200);
	/* What forbids to be cut gets random identifications inside. */
	params->ignore_df = !params->fragment_inner && traffic_chance(&traffic, 200);
	params->pass_source_routes = traffic_chance(&traffic, 500);
	params->mss_clamp = draw_mss();
	if (traffic_chance(&traffic, 500))
		params->forward = (struct dp_forward_params){
			.v4 = (uint8_t)traffic_below(&traffic, DP_FORWARD_HOST + 1),
			.v6 = traffic_chance(&traffic, 700)};
	draw_outer(&params->outer);
	draw_icmp(&params->icmp);
}

/* --- a round ------------------------------------------------------------------------------------------ */

static bool churn(uint32_t n)
{
	struct model_binding binding;
	bool same = true;

	for (uint32_t i = 0; i < n && same; i++) {
		if (model.n_bindings > 4 && traffic_chance(&traffic, 450)) {
			same = rig_remove(
				&rig, &model.bindings[traffic_below(&traffic, model.n_bindings)]);
		} else if (model.n_bindings < 150) {
			traffic_binding(&traffic, &binding);
			same = rig_add(&rig, &binding);
		}
	}
	return same;
}

/* Between two bursts: bindings, the clock, next hops, addresses of the router. */
static bool change(void)
{
	static const uint32_t local[] = {0xc0000202, 0xc6336400, 0x7f000001};
	static const enum dp_adjacency_state states[] = {DP_ADJ_NO_ROUTE, DP_ADJ_RESOLVED,
		DP_ADJ_PENDING, DP_ADJ_GLEAN, DP_ADJ_LOCAL, DP_ADJ_RESOLVED, DP_ADJ_RESOLVED};
	bool one_armed = model.params.port_v6 == model.params.port_v4;
	uint32_t side, kind = traffic_below(&traffic, 1000);

	if (kind < 300)
		rig_set_clock(&rig, model.now_ms + traffic_below(&traffic, 3));
	else if (kind < 310)
		rig_set_clock(&rig, model.now_ms + traffic_below(&traffic, 6000));
	else if (kind < 311)
		rig_set_local_v4(&rig, local, traffic_below(&traffic, RTE_DIM(local) + 1));
	else if (kind < 312) {
		side = traffic_below(&traffic, 2);
		rig_set_hop(&rig, side, states[traffic_below(&traffic, RTE_DIM(states))],
			one_armed ? 0 : side);
	} else if (kind < 350)
		return churn(1 + traffic_below(&traffic, 10));
	else if (kind < 352)
		rig_sweep(&rig);
	return true;
}

/* A configuration, bindings, and packets; false: model and data plane differ, which was printed. */
static bool round_holds(uint64_t seed, uint64_t first, uint64_t packets, uint32_t burst_max)
{
	static struct rig_burst bursts[DP_SIDES];
	bool one_armed;

	memset(&model, 0, offsetof(struct model, sent));
	traffic.random = seed;
	test_random(&traffic.random);
	draw_params(&model.params);
	traffic_init(&traffic, traffic.random, &model);
	draw_reassembly(&model.params.reassembly, traffic.one_sender);
	model.host = traffic_chance(&traffic, 500);
	model.asks[0] = traffic_chance(&traffic, 500);
	model.asks[1] = traffic_chance(&traffic, 500);
	one_armed = model.params.port_v6 == model.params.port_v4;
	if (!rig_open(&rig, &model))
		return false;
	rig_set_clock(&rig, 1000000);
	for (uint32_t side = 0; side < DP_SIDES; side++) {
		bursts[side].n = 0;
		bursts[side].side = side;
	}
	if (!churn(10 + traffic_below(&traffic, 200)))
		return false;
	for (uint64_t i = 0; i < packets; i++) {
		struct traffic_frame frame;
		struct rig_burst *burst;

		traffic_next(&traffic, &frame);
		burst = &bursts[one_armed ? 0 : frame.side];
		if (one_armed && frame.len >= 6 && memcmp(frame.at, model.macs[1], 6) == 0)
			memcpy(frame.at, model.macs[0], 6);
		memcpy(burst->frames[burst->n].at, frame.at, frame.len);
		burst->frames[burst->n++].len = frame.len;
		if (burst->n < burst_max)
			continue;
		burst->first = first + i + 1 - burst->n;
		if (!rig_process(&rig, burst) || !change())
			return false;
		burst->n = 0;
	}
	return rig_close(&rig);
}

static void a_naive_model_agrees(void **state)
{
	uint64_t seed = test_seed(), packets = number("DSTM_PACKETS", TEST_PACKETS);
	uint64_t round = number("DSTM_ROUND", 0), seen[DP_N_COUNTERS] = {0};

	for (uint64_t done = 0; done < packets; done += ROUND_PACKETS, round++) {
		uint64_t n = RTE_MIN(packets - done, (uint64_t)ROUND_PACKETS);

		if (!round_holds(seed * 1000003 + round, round * ROUND_PACKETS, n,
			    (uint32_t)number("DSTM_BURST", 1 + (seed + round) % DP_BURST)))
			fail_msg("DSTM_SEED=%" PRIu64 " DSTM_ROUND=%" PRIu64, seed, round);
		for (uint32_t i = 0; i < DP_N_COUNTERS; i++)
			seen[i] += model.packets[i];
	}
	for (uint32_t i = 0; i < DP_N_COUNTERS; i++)
		if (seen[i] != 0)
			printf("%" PRIu64 " %s\n", seen[i], dp_counter_info[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_naive_model_agrees),
	};

	if (!rig_init(&rig))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
