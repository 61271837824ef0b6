// SPDX-License-Identifier: BSD-3-Clause
#include "rig.h"

#include "dataplane/datapath.h"
#include "dataplane/port.h"
#include "dataplane/reassembly.h"
#include "octets.h"
#include "safety.h"

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>

#define MBUFS     8191
#define RING      8192
#define ASK_RATE  1000000 /* which no round comes near to */
#define MAX_FOUND 8192

/* What left the data plane in one burst. */
struct found {
	uint32_t n[MODEL_N_WAYS];
	struct rte_mbuf *packets[MODEL_N_WAYS][MAX_FOUND];
};

static const char *const way_names[MODEL_N_WAYS] = {
	"the IPv6 port", "the IPv4 port", "the host", "the host to resolve", "who asks"};

/* With a lcore for the worker, which never runs on it. */
static bool start_eal(void)
{
	const char *args[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--log-level=lib.eal:error", "--lcores", "0@0,1@0", "-m", "128"};
	cpu_set_t cpus;
	bool started;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	started = rte_eal_init(RTE_DIM(args), (char **)args) >= 0;
	sched_setaffinity(0, sizeof(cpus), &cpus);
	return started;
}

bool rig_init(struct rig *rig)
{
	static const char *const names[DP_SIDES] = {"v6", "v4"};
	struct dp_port_params params = {
		.n_queues = 1, .rx_descriptors = 64, .tx_descriptors = 64, .mtu = 1500};
	char error[DP_PORT_ERROR_LEN], name[32];

	memset(rig, 0, sizeof(*rig));
	if (!start_eal())
		return false;
	rig->pool = rte_pktmbuf_pool_create(
		"frames", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	params.pool = rig->pool;
	for (uint32_t side = 0; side < DP_SIDES && rig->pool != NULL; side++) {
		struct rte_ring *rx;
		int port;

		snprintf(name, sizeof(name), "rx_%s", names[side]);
		rx = rte_ring_create(name, 64, SOCKET_ID_ANY, 0);
		snprintf(name, sizeof(name), "tx_%s", names[side]);
		rig->tx[side] = rte_ring_create(name, RING, SOCKET_ID_ANY, 0);
		if (rx == NULL || rig->tx[side] == NULL)
			return false;
		port = rte_eth_from_rings(names[side], &rx, 1, &rig->tx[side], 1, 0);
		if (port < 0)
			return false;
		rig->ports[side] = (uint16_t)port;
		if (dp_port_start(rig->ports[side], &params, error) != 0) {
			printf("%s\n", error);
			return false;
		}
		rig->macs[side] = (struct rte_ether_addr){{0x02, 0, 0, 0, 0, (uint8_t)side}};
	}
	return rig->pool != NULL;
}

bool rig_open(struct rig *rig, struct model *model)
{
	const struct dp_bindings_params bindings = {
		.max_bindings = MODEL_BINDINGS_MAX, .max_readers = 1, .socket = SOCKET_ID_ANY};
	const struct dp_nexthops_params nexthops = {.max_readers = 1, .socket = SOCKET_ID_ANY};
	const struct dp_ask_params ask = {.ring_size = RING,
		.rate = ASK_RATE,
		.of_v4 = model->asks[0],
		.of_v6 = model->asks[1],
		.socket = SOCKET_ID_ANY};
	struct dp_datapath_params params = model->params;

	rig->model = model;
	rig->bindings = dp_bindings_create(&bindings);
	rig->nexthops = dp_nexthops_create(&nexthops);
	rig->punt = dp_punt_create(RING, SOCKET_ID_ANY);
	rig->ask = dp_ask_create(&ask);
	params.bindings = rig->bindings;
	params.nexthops = rig->nexthops;
	params.punt = model->host ? rig->punt : NULL;
	params.ask = model->asks[0] || model->asks[1] ? rig->ask : NULL;
	rig->datapath = rig->bindings == NULL || rig->nexthops == NULL || rig->punt == NULL ||
					rig->ask == NULL
				? NULL
				: dp_datapath_create(&params);
	if (rig->datapath == NULL) {
		printf("no data plane\n");
		return false;
	}
	rig->worker = dp_datapath_worker(rig->datapath, 0);
	/* Ports of rings have no addresses of their own. */
	memcpy(rig->worker->ctx.macs, rig->macs, sizeof(rig->macs));
	memcpy(model->macs, rig->macs, sizeof(model->macs));
	for (uint32_t side = 0; side < DP_SIDES; side++)
		rig_set_hop(
			rig, side, DP_ADJ_RESOLVED, params.port_v6 == params.port_v4 ? 0 : side);
	return true;
}

void rig_set_hop(struct rig *rig, uint32_t side, enum dp_adjacency_state state, uint32_t by_side)
{
	struct model_hop *hop = &rig->model->hops[side];
	struct dp_adjacency adjacency = {.port = rig->ports[by_side], .state = state};

	*hop = (struct model_hop){.dst = {0x02, 0, 0, 0, (uint8_t)side, 0x99},
		.src = {0x02, 0, 0, 0, (uint8_t)side, 0x11},
		.state = state,
		.side = by_side};
	memcpy(&adjacency.dst_mac, hop->dst, sizeof(hop->dst));
	memcpy(&adjacency.src_mac, hop->src, sizeof(hop->src));
	if (side == 0)
		dp_nexthops_set_static_v6(rig->nexthops, &adjacency);
	else
		dp_nexthops_set_static_v4(rig->nexthops, &adjacency);
}

void rig_set_clock(struct rig *rig, uint64_t now_ms)
{
	struct dp_ctx *ctx = &rig->worker->ctx;

	dp_worker_set_clock(rig->worker, now_ms);
	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++)
		dp_reassembly_expire(ctx, ctx->reassembly[kind]);
	model_set_clock(rig->model, now_ms);
}

void rig_set_local_v4(struct rig *rig, const uint32_t *v4, uint32_t n)
{
	dp_datapath_set_local_v4(rig->datapath, v4, n);
	rig->model->n_local = n;
	memcpy(rig->model->local_v4, v4, n * sizeof(*v4));
}

static struct dp_binding packed(const struct model_binding *binding)
{
	struct dp_binding result = {.v4_be = rte_cpu_to_be_32(binding->v4),
		.first = binding->first,
		.last = binding->last,
		.end_s = binding->end_s};

	memcpy(&result.client_v6, binding->client, sizeof(result.client_v6));
	memcpy(&result.tep_v6, binding->tep, sizeof(result.tep_v6));
	return result;
}

static bool agree(const char *what, const struct model_binding *binding, int got, int expected)
{
	if (got == expected)
		return true;
	printf("%s %08" PRIx32 " %u-%u: got %d, expected %d\n", what, binding->v4, binding->first,
		binding->last, got, expected);
	return false;
}

bool rig_add(struct rig *rig, const struct model_binding *binding)
{
	const struct dp_binding added = packed(binding);

	return agree("add", binding, dp_bindings_add(rig->bindings, &added),
		model_binding_add(rig->model, binding));
}

bool rig_remove(struct rig *rig, const struct model_binding *binding)
{
	const struct model_binding b = *binding;

	return agree("remove", &b,
		dp_bindings_remove(rig->bindings, b.v4, (struct port_range){b.first, b.last}),
		model_binding_remove(rig->model, b.v4, b.first, b.last));
}

void rig_sweep(struct rig *rig)
{
	while (dp_bindings_sweep(rig->bindings, rig->worker->ctx.now_s, MODEL_BINDINGS_MAX) != 0)
		;
	model_bindings_sweep(rig->model);
}

/* --- what left ------------------------------------------------------------------------------------- */

static void collect(struct rig *rig, struct found *found)
{
	struct dp_question question;
	struct rte_mbuf *m;

	memset(found->n, 0, sizeof(found->n));
	for (uint32_t side = 0; side < DP_SIDES; side++)
		found->n[side] = rte_ring_dequeue_burst(
			rig->tx[side], (void **)found->packets[side], MAX_FOUND, NULL);
	while (dp_punt_take(rig->punt, &m, 1) == 1) {
		enum model_way way = dp_punt_reason_of(m) == DP_PUNT_HOST ? MODEL_HOST
									  : MODEL_RESOLVE;

		found->packets[way][found->n[way]++] = m;
	}
	while (dp_ask_take(rig->ask, &question, 1) == 1)
		found->packets[MODEL_ASKER][found->n[MODEL_ASKER]++] = question.m;
}

static void give_back(struct found *found)
{
	for (uint32_t way = 0; way < MODEL_N_WAYS; way++)
		for (uint32_t i = 0; i < found->n[way]; i++)
			rte_pktmbuf_free(found->packets[way][i]);
}

#define HEADS 62 /* octets up to the end of a fragment header */

static bool is_ipv6_fragment(const uint8_t *octets, uint32_t len)
{
	return len >= HEADS && get16(octets + 12) == 0x86dd && octets[20] == 44;
}

static bool is_first(const uint8_t *octets)
{
	return (get16(octets + 56) & 0xfff8) == 0;
}

/* The same in all fragments of a packet, another one in the next packet's. */
static bool is_identification_sound(struct rig *rig, const uint8_t *at)
{
	if (is_first(at)) {
		if (memcmp(rig->last_id, at + 58, 4) == 0)
			return false;
		memcpy(rig->last_id, at + 58, 4);
	}
	return memcmp(rig->last_id, at + 58, 4) == 0;
}

/* A hash is never 0, and all fragments of a packet have the same one. */
static bool is_label_sound(struct rig *rig, const uint8_t *at, uint32_t len)
{
	uint32_t label = get32(at + 14) & 0xfffff;

	if (is_ipv6_fragment(at, len) && !is_first(at))
		return label == rig->last_label;
	rig->last_label = label;
	return label != 0;
}

/* Equal, but for what cannot be foretold. */
static bool is_same(struct rig *rig, const struct model_sent *expected, struct rte_mbuf *m)
{
	static uint8_t joined[1 << 17];
	const uint8_t *at = rte_pktmbuf_read(m, 0, m->pkt_len, joined), *want = expected->octets;
	bool hashed = rig->model->params.outer.hash_flows, labelled, identified;
	uint8_t heads[HEADS];

	/* What waits to be asked about may stay in the pieces that it was joined from. */
	if (m->pkt_len != expected->len || (m->nb_segs != 1 && expected->way != MODEL_ASKER))
		return false;
	if (memcmp(at, want, expected->len) == 0)
		return true;
	if (expected->len < HEADS || memcmp(at + HEADS, want + HEADS, expected->len - HEADS) != 0)
		return false;
	identified = is_ipv6_fragment(want, expected->len) && get32(want + 58) == 0;
	labelled = hashed && get16(want + 12) == 0x86dd && (get32(want + 14) & 0xfffff) == 0;
	memcpy(heads, at, HEADS);
	if (identified)
		put32(heads + 58, 0);
	if (labelled)
		put32(heads + 14, get32(heads + 14) & ~0xfffffU);
	return memcmp(heads, want, HEADS) == 0 &&
	       (!identified || is_identification_sound(rig, at)) &&
	       (!labelled || is_label_sound(rig, at, expected->len));
}

/* --- what is told when they differ ------------------------------------------------------------------- */

static void dump(const char *what, const uint8_t *octets, uint32_t len)
{
	printf("  %s, %" PRIu32 " octets:", what, len);
	for (uint32_t i = 0; i < len && i < 256; i++)
		printf("%s%02x", i == 0 || i == 14 || i == 54 ? " " : "", octets[i]);
	printf("%s\n", len > 256 ? "..." : "");
}

static void dump_inputs(const struct rig_burst *burst)
{
	char name[64];

	for (uint32_t i = 0; i < burst->n; i++) {
		snprintf(name, sizeof(name), "packet %" PRIu64 " to side %" PRIu32,
			burst->first + i, burst->side);
		dump(name, burst->frames[i].at, burst->frames[i].len);
	}
}

static bool differs(const struct rig_burst *burst, enum model_way way,
	const struct model_sent *expected, struct rte_mbuf *got)
{
	printf("by %s:\n", way_names[way]);
	if (expected != NULL) {
		const struct traffic_frame *frame = &burst->frames[expected->number];

		printf("  of packet %" PRIu64 "\n", burst->first + expected->number);
		dump("in", frame->at, frame->len);
		dump("expected", expected->octets, expected->len);
	}
	if (got != NULL)
		dump("got", rte_pktmbuf_mtod(got, const uint8_t *), got->data_len);
	if (expected == NULL || got == NULL)
		dump_inputs(burst);
	return false;
}

static bool compare_counters(struct rig *rig, const struct rig_burst *burst)
{
	const struct dp_counters *got = &rig->worker->ctx.counters;
	const struct model *model = rig->model;

	if (memcmp(got->packets, model->packets, sizeof(got->packets)) == 0 &&
		memcmp(got->bytes, model->bytes, sizeof(got->bytes)) == 0)
		return true;
	for (uint32_t i = 0; i < DP_N_COUNTERS; i++)
		if (got->packets[i] != model->packets[i] || got->bytes[i] != model->bytes[i])
			printf("%s: got %" PRIu64 " packets, %" PRIu64 " octets; expected %" PRIu64
			       ", %" PRIu64 "\n",
				dp_counter_info[i].name, got->packets[i], got->bytes[i],
				model->packets[i], model->bytes[i]);
	if (burst != NULL)
		dump_inputs(burst);
	return false;
}

/* --- the security property --------------------------------------------------------------------------- */

static bool holds(const struct rig *rig, const struct safety_end *end, const uint8_t *client,
	const uint8_t *tep)
{
	const struct model_binding *holder = model_binding_find(
		rig->model, end->v4, end->has_port, end->port);

	return holder != NULL && memcmp(holder->client, client, 16) == 0 &&
	       (tep == NULL || memcmp(holder->tep, tep, 16) == 0);
}

/* Has the client any part of the address? All that a later fragment can tell. */
static bool shares(const struct rig *rig, uint32_t v4, const uint8_t *client, const uint8_t *tep)
{
	for (uint32_t i = 0; i < rig->model->n_bindings; i++) {
		const struct model_binding *b = &rig->model->bindings[i];

		if (b->v4 == v4 && memcmp(b->client, client, 16) == 0 &&
			memcmp(b->tep, tep, 16) == 0)
			return true;
	}
	return false;
}

/* Into a tunnel: to the holder of the destination. Later fragments go where their first one went. */
static bool is_safe_v6(const struct rig *rig, const uint8_t *at, uint32_t len)
{
	const uint8_t *v6 = at + 14;
	uint32_t inner = v6[6] == 44 ? 62 : 54;
	struct safety_end end;

	if (rig->model->params.outer.has_encapsulation_limit)
		inner += 8;

	if (v6[6] == 58)
		return true; /* an error of ours, to who sent to us */
	if (v6[6] == 44 && (get16(at + 56) & 0xfff8) != 0)
		return memcmp(rig->last_id, at + 58, 4) == 0;
	if (safety_read_end(at + inner, len - inner, true, &end))
		return holds(rig, &end, v6 + 24, v6 + 8);
	return rig->model->params.fragment_inner && shares(rig, end.v4, v6 + 24, v6 + 8);
}

/* Out of a tunnel: from the holder of the source; the frame that completed the packet came from there, too. */
static bool is_safe_v4(
	const struct rig *rig, const uint8_t *at, uint32_t len, const struct traffic_frame *in)
{
	const struct dp_icmp_params *icmp = &rig->model->params.icmp;
	struct safety_end end;

	if (!safety_read_end(at + 14, len - 14, false, &end))
		return true;
	if (at[14 + 9] == 1 && at[14 + 1] == 0xc0 &&
		(get32(at + 26) == icmp->v4_source || get32(at + 26) == icmp->tunnel_v4 ||
			icmp->v4_source == 0))
		return true;
	return get16(in->at + 12) == 0x86dd && holds(rig, &end, in->at + 22, in->at + 38);
}

static bool is_clients(const struct rig *rig, uint32_t v4)
{
	for (uint32_t i = 0; i < rig->model->n_bindings; i++)
		if (rig->model->bindings[i].v4 == v4)
			return true;
	return false;
}

static bool is_tunnel_address(const struct rig *rig, const uint8_t *v6)
{
	for (uint32_t i = 0; i < rig->model->params.n_tep_v6; i++)
		if (memcmp(&rig->model->params.tep_v6[i], v6, 16) == 0)
			return true;
	return false;
}

/* For no tunnel: as it came, to nobody's address who has a tunnel, and from nobody's. */
static bool is_plain(const struct rig *rig, const uint8_t *at, const struct traffic_frame *in)
{
	const struct dp_forward_params *forward = &rig->model->params.forward;

	if (get16(at + 12) != get16(in->at + 12))
		return false;
	if (get16(at + 12) == 0x86dd)
		return forward->v6 && !is_tunnel_address(rig, in->at + 38) &&
		       memcmp(at + 22, in->at + 22, 32) == 0;
	return forward->v4 == DP_FORWARD_ROUTE && memcmp(at + 26, in->at + 26, 8) == 0 &&
	       !is_clients(rig, get32(at + 26)) && !is_clients(rig, get32(at + 30));
}

static bool is_safe(const struct rig *rig, const struct rig_burst *burst,
	const struct model_sent *expected, struct rte_mbuf *m)
{
	const uint8_t *at = rte_pktmbuf_mtod(m, const uint8_t *);

	if (expected->way == MODEL_ASKER) /* it leaves nowhere */
		return true;
	if (is_plain(rig, at, &burst->frames[expected->number]))
		return true;
	if (get16(at + 12) == 0x86dd
			? is_safe_v6(rig, at, m->data_len)
			: is_safe_v4(rig, at, m->data_len, &burst->frames[expected->number]))
		return true;
	printf("not to or from a holder:\n");
	return false;
}

/* --- one burst --------------------------------------------------------------------------------------- */

/* Frames for the host have no order among themselves. */
static bool find_for_host(
	struct rig *rig, struct found *found, enum model_way way, const struct model_sent *expected)
{
	for (uint32_t i = 0; i < found->n[way]; i++) {
		struct rte_mbuf *m = found->packets[way][i];

		if (is_same(rig, expected, m)) {
			found->packets[way][i] = found->packets[way][--found->n[way]];
			rte_pktmbuf_free(m);
			return true;
		}
	}
	return false;
}

static bool compare(struct rig *rig, const struct rig_burst *burst, struct found *found)
{
	const struct model *model = rig->model;
	uint32_t at[MODEL_N_WAYS] = {0};

	for (uint32_t i = 0; i < model->n_sent; i++) {
		const struct model_sent *expected = &model->sent[i];
		enum model_way way = expected->way;
		struct rte_mbuf *m = found->n[way] > at[way] ? found->packets[way][at[way]] : NULL;

		if (way == MODEL_HOST || way == MODEL_RESOLVE) {
			if (!find_for_host(rig, found, way, expected))
				return differs(burst, way, expected, m);
			continue;
		}
		if (m == NULL || !is_same(rig, expected, m) || !is_safe(rig, burst, expected, m))
			return differs(burst, way, expected, m);
		at[way]++;
	}
	for (uint32_t way = 0; way < MODEL_N_WAYS; way++)
		if (found->n[way] != at[way])
			return differs(burst, way, NULL, found->packets[way][at[way]]);
	return true;
}

bool rig_process(struct rig *rig, const struct rig_burst *burst)
{
	static struct found found;
	struct rte_mbuf *packets[DP_BURST];
	bool same;

	if (rte_pktmbuf_alloc_bulk(rig->pool, packets, burst->n) != 0) {
		printf("no packet buffers\n");
		return false;
	}
	model_begin(rig->model);
	for (uint32_t i = 0; i < burst->n; i++) {
		const struct traffic_frame *frame = &burst->frames[i];

		memcpy(rte_pktmbuf_append(packets[i], (uint16_t)frame->len), frame->at, frame->len);
		packets[i]->port = rig->ports[burst->side];
		model_process(rig->model, i, burst->side, frame->at, frame->len);
	}
	dp_worker_process(rig->worker, burst->side, packets, burst->n);
	for (uint32_t side = 0; side < DP_SIDES; side++)
		dp_worker_flush(rig->worker, side);
	collect(rig, &found);
	same = compare(rig, burst, &found);
	give_back(&found);
	return compare_counters(rig, burst) && same;
}

static void flush(struct rig *rig)
{
	struct dp_ctx *ctx = &rig->worker->ctx;

	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++)
		dp_reassembly_flush(ctx, ctx->reassembly[kind]);
}

bool rig_close(struct rig *rig)
{
	bool same;

	flush(rig);
	model_flush(rig->model);
	same = compare_counters(rig, NULL);
	return rig_destroy(rig) && same;
}

bool rig_destroy(struct rig *rig)
{
	flush(rig);
	dp_datapath_destroy(rig->datapath);
	dp_punt_destroy(rig->punt);
	dp_ask_destroy(rig->ask);
	dp_nexthops_destroy(rig->nexthops);
	dp_bindings_destroy(rig->bindings);
	if (rte_mempool_avail_count(rig->pool) == MBUFS)
		return true;
	printf("%u packet buffers are not back\n", rte_mempool_in_use_count(rig->pool));
	return false;
}
