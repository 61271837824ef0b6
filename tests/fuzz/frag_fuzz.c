// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any sequence of fragments through the real stages. The input is a list of orders of 8 octets, one a frame: its
 * kind (outer IPv6, inner IPv4, IPv4 from outside, fragments in fragments), sender, number, place, length and flags;
 * the payload is that of a sound packet, or any octets. Held afterwards: what leaves is well-formed, whole
 * and between a binding's two ends, fragments fit the MTU, tables stay within their bounds, every
 * frame is counted once, and all buffers are back.
 */
#include "dataplane/classify.h"
#include "dataplane/decap.h"
#include "dataplane/defrag.h"
#include "dataplane/egress.h"
#include "dataplane/encap.h"
#include "dataplane/fragment.h"
#include "dataplane/ipv4.h"
#include "dataplane/l4_id.h"
#include "dataplane/reassembly.h"
#include "support/eal.h"
#include "support/packets.h"

#include <stdlib.h>

#define ORDER     8
#define FRAMES    200
#define ROOM      1400
#define MTU       1280
#define WAITING   20 /* buffers of each kind */
#define V6_HEADER 40

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dp_ctx ctx;
static struct dp_bindings *bindings;
static struct dp_nexthops *nexthops;

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* The leak sanitizer does not look into the EAL's memory. */
static void clean_up(void)
{
	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++)
		dp_reassembly_destroy(ctx.reassembly[kind]);
	dp_nexthops_destroy(nexthops);
	dp_bindings_destroy(bindings);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct dp_bindings_params bindings_params = {
		.max_bindings = 16, .max_readers = 1, .socket = SOCKET_ID_ANY};
	const struct dp_nexthops_params nexthops_params = {
		.max_readers = 1, .socket = SOCKET_ID_ANY};
	const struct dp_reassembly_params params = {
		.max_datagrams = 8, .max_fragments = WAITING, .per_source = 4, .timeout_ms = 20};
	const struct dp_adjacency v6 = {.port = 0, .state = DP_ADJ_RESOLVED};
	const struct dp_adjacency v4 = {.port = 1, .state = DP_ADJ_RESOLVED};
	struct dp_binding binding;

	check(test_eal_start(64) == 0);
	bindings = dp_bindings_create(&bindings_params);
	nexthops = dp_nexthops_create(&nexthops_params);
	check(bindings != NULL && nexthops != NULL && atexit(clean_up) == 0);
	dp_nexthops_set_static_v6(nexthops, &v6);
	dp_nexthops_set_static_v4(nexthops, &v4);
	packets_binding_init(&binding);
	check(dp_bindings_add(bindings, &binding) == 0);
	packets_ctx_init(&ctx);
	ctx.mtu_v6 = MTU;
	ctx.mtu_v4 = MTU;
	ctx.bindings = bindings;
	ctx.nexthops = nexthops;
	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++) {
		ctx.reassembly[kind] = dp_reassembly_create(&params, kind, SOCKET_ID_ANY);
		check(ctx.reassembly[kind] != NULL);
	}
	return 0;
}

/* A sound packet's octets at any place of it, so that what is joined can be whole: inner header, then UDP. */
static uint8_t octet_at(const uint8_t *sound, uint32_t at)
{
	return at < 28 ? sound[at] : (uint8_t)at;
}

/* Makes the outer packet a fragment: 8 octets of header go in behind the IPv6 header. */
static void add_extension(struct rte_mbuf *m, uint16_t place, uint32_t number)
{
	uint8_t *at = (uint8_t *)rte_pktmbuf_prepend(m, 8);
	uint16_t len;

	memmove(at, at + 8, RTE_ETHER_HDR_LEN + V6_HEADER);
	len = (uint16_t)(m->pkt_len - RTE_ETHER_HDR_LEN - V6_HEADER);
	at[18] = (uint8_t)(len >> 8);
	at[19] = (uint8_t)len;
	at[54] = at[20];
	at[55] = 0;
	at[20] = IPPROTO_FRAGMENT;
	at[56] = (uint8_t)(place >> 8);
	at[57] = (uint8_t)place;
	memcpy(at + 58, &number, sizeof(number));
}

/*
 * order[0]: bits 0-1 kind, 2 more, 3 another outer source, 4 CE, 5 time passes; [1]: number; [2-3]: place in
 * eights; [4-5]: length; [6]: place of the outer fragment, of fragments in fragments; [7]: its number.
 */
static struct rte_mbuf *make_frame(const uint8_t *order)
{
	uint32_t kind = order[0] & 3, place = (order[2] << 8 | order[3]) & 0x1fff;
	bool more = (order[0] & 4) != 0, tunnel = kind != 2;
	const struct packet packet = {.tunnel = tunnel,
		.outer_tos = (order[0] & 16) != 0 ? 3 : 2,
		.tos = 2,
		.payload = ROOM};
	struct rte_mbuf *m = packet_make(&packet);
	uint8_t *at = rte_pktmbuf_mtod(m, uint8_t *), sound[28];
	uint32_t v4_at = tunnel ? PACKET_INNER : PACKET_V4_OFFSET;
	uint32_t start = kind == 0 ? v4_at : v4_at + 20;
	uint32_t len = (uint32_t)(order[4] << 8 | order[5]) % (m->pkt_len - start + 1);

	memcpy(sound, at + v4_at, sizeof(sound));
	for (uint32_t i = 0; i < len; i++)
		at[start + i] = octet_at(sound, (kind == 0 ? 0 : 20) + place * 8 + i);
	rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - start - len));
	if ((order[0] & 8) != 0 && tunnel)
		at[37] = 0x18;
	if (kind == 0) {
		add_extension(m, (uint16_t)(place << 3 | more), order[1]);
		return m;
	}
	at[v4_at + 2] = (uint8_t)((20 + len) >> 8);
	at[v4_at + 3] = (uint8_t)(20 + len);
	at[v4_at + 5] = order[1];
	at[v4_at + 6] = (uint8_t)(place >> 8 | (more ? 0x20 : 0));
	at[v4_at + 7] = (uint8_t)place;
	packet_resum(m, (uint16_t)v4_at);
	if (tunnel) {
		at[18] = at[v4_at + 2];
		at[19] = at[v4_at + 3];
	}
	if (kind == 3)
		add_extension(m, (uint16_t)(order[6] << 2 & 0xfff8) | (order[6] & 1), order[7]);
	return m;
}

/* One buffer that leaves: no longer than the MTU, its header says its length, and no chain. */
static void check_sent(struct rte_mbuf *m)
{
	const uint8_t *at = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t len = m->pkt_len - RTE_ETHER_HDR_LEN;

	check(m->nb_segs == 1 && len <= MTU && m->data_len == m->pkt_len);
	if (at[12] == 0x86)
		check((uint32_t)(at[18] << 8 | at[19]) + V6_HEADER == len);
	else
		check(ipv4_check((const void *)(at + 14), len) == IPV4_SOUND &&
			(uint32_t)(at[16] << 8 | at[17]) == len);
	dp_count(&ctx.counters, DP_COUNT_TX, 1, m->pkt_len);
	rte_pktmbuf_free(m);
}

static void deliver(struct dp_burst *burst)
{
	const struct dp_pkt *p = &burst->pkts[0];
	struct rte_mbuf *out[DP_FRAGMENTS_MAX];
	uint32_t n;

	if (p->verdict == DP_HELD)
		return;
	if (p->verdict == DP_DROP) {
		dp_drop(&ctx, p->m, p->reason);
		return;
	}
	check(p->verdict == DP_TX && burst->bindings[0] != NULL && !ipv4_is_fragment(p->v4));
	check((p->from_v6 ? p->v4->src_addr : p->v4->dst_addr) == burst->bindings[0]->v4_be);
	if (!p->cut) {
		check_sent(p->m);
		return;
	}
	n = dp_fragment(&ctx, p, out);
	if (n == 0)
		dp_drop(&ctx, p->m, DP_DROP_FRAG_NO_MBUF);
	for (uint32_t i = 0; i < n; i++)
		check_sent(out[i]);
}

static void check_counters(void)
{
	const uint64_t *packets = ctx.counters.packets;
	uint64_t came = packets[DP_COUNT_RX] + packets[DP_COUNT_FRAGMENTS_MADE];
	uint64_t went = packets[DP_COUNT_TX] + packets[DP_COUNT_FRAGMENTED] +
			packets[DP_COUNT_FRAGMENTS_JOINED];

	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++)
		came += packets[DP_COUNT_V6_REASSEMBLED + kind];
	for (uint32_t drop = 0; drop < DP_N_DROPS; drop++)
		went += packets[drop];
	check(came == went);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dp_burst burst;

	if (size > FRAMES * ORDER)
		return 0;
	memset(&ctx.counters, 0, sizeof(ctx.counters));
	for (size_t at = 0; at + ORDER <= size; at += ORDER) {
		packets_burst_init(&burst, make_frame(data + at));
		dp_count(&ctx.counters, DP_COUNT_RX, 1, burst.pkts[0].m->pkt_len);
		ctx.now_ms += (data[at] & 32) != 0 ? 10 : 0;
		dp_classify(&ctx, &burst, burst.pkts[0].m->port);
		dp_defrag(&ctx, &burst);
		dp_l4_id(&ctx, &burst);
		dp_bindings_lookup_bulk(bindings, burst.keys, 1, 0, burst.bindings);
		dp_decap(&ctx, &burst);
		dp_encap(&ctx, &burst);
		dp_egress(&ctx, &burst);
		deliver(&burst);
		check(rte_mempool_in_use_count(packets_pool()) <= DP_FRAG_N_KINDS * WAITING);
	}
	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++)
		dp_reassembly_flush(&ctx, ctx.reassembly[kind]);
	check_counters();
	check(packets_all_back());
	return 0;
}
