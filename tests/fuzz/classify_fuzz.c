// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any frame through the whole packet path. The first octet of the input says from which side it comes,
 * whether there is a host, and whether the checksums are mended first (no fuzzer guesses them); the rest is
 * the frame. It lies at the very end of its buffer, so that the address sanitizer sees a read behind it.
 * Held afterwards: each frame has one verdict, what is sent is well-formed and goes between a binding's
 * two ends, and only the holder's packets leave a tunnel.
 */
#include "dataplane/classify.h"
#include "dataplane/decap.h"
#include "dataplane/egress.h"
#include "dataplane/encap.h"
#include "dataplane/hairpin.h"
#include "dataplane/icmp_err.h"
#include "dataplane/ipv4.h"
#include "dataplane/l4_id.h"
#include "dataplane/nexthop.h"
#include "support/eal.h"
#include "support/packets.h"

#include <stdlib.h>

#define FROM_V4   1
#define WITH_HOST 2
#define MEND      4
#define FRAME_MAX 1600

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dp_ctx ctx;
static struct dp_bindings *bindings;
static struct dp_nexthops *nexthops;
static const struct dp_local_v4 local = {.n = 1, .v4 = {0xc6336401}};
static const struct dp_local_v4 *local_in_use = &local;

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void add(uint16_t first, uint16_t last, uint32_t v4)
{
	struct dp_binding binding;

	packets_binding_init(&binding);
	binding.v4_be = rte_cpu_to_be_32(v4);
	binding.first = first;
	binding.last = last;
	check(dp_bindings_add(bindings, &binding) == 0);
}

/* The leak sanitizer does not look into the EAL's memory. */
static void clean_up(void)
{
	dp_nexthops_destroy(nexthops);
	dp_bindings_destroy(bindings);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct dp_bindings_params bindings_params = {
		.max_bindings = 16, .max_readers = 1, .socket = SOCKET_ID_ANY};
	const struct dp_nexthops_params nexthops_params = {
		.max_readers = 1, .socket = SOCKET_ID_ANY};
	const struct dp_adjacency v6 = {.port = 0, .state = DP_ADJ_RESOLVED};
	const struct dp_adjacency v4 = {.port = 1, .state = DP_ADJ_RESOLVED};

	check(test_eal_start(64) == 0);
	bindings = dp_bindings_create(&bindings_params);
	nexthops = dp_nexthops_create(&nexthops_params);
	check(bindings != NULL && nexthops != NULL && atexit(clean_up) == 0);
	dp_nexthops_set_static_v6(nexthops, &v6);
	dp_nexthops_set_static_v4(nexthops, &v4);
	add(1024, 2047, PACKET_CLIENT_V4);
	add(0, UINT16_MAX, PACKET_CLIENT_V4 + 2);
	packets_ctx_init(&ctx);
	ctx.bindings = bindings;
	ctx.nexthops = nexthops;
	ctx.local_v4 = &local_in_use;
	ctx.hairpin = true;
	ctx.icmp.relay = true;
	ctx.icmp.rate = 1;
	ctx.icmp.burst = UINT32_MAX;
	ctx.icmp_bucket.level = UINT64_MAX / 2;
	memset(ctx.icmp.to_v4 + 1, true, sizeof(ctx.icmp.to_v4) - 1);
	memset(ctx.icmp.to_clients + 1, true, sizeof(ctx.icmp.to_clients) - 1);
	return 0;
}

/* A buffer whose memory ends with the frame; the pool's own room hides reads that go too far. */
static void place(struct rte_mbuf *m, uint8_t *memory, const uint8_t *frame, size_t len)
{
	m->buf_addr = memory;
	m->buf_len = (uint16_t)(RTE_PKTMBUF_HEADROOM + len);
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	m->nb_segs = 1;
	m->next = NULL;
	memcpy(memory + RTE_PKTMBUF_HEADROOM, frame, len);
}

static void mend_v4(uint8_t *at, uint32_t room)
{
	uint32_t header_len = room >= 20 ? (at[0] & 0x0f) * 4U : 0;
	uint16_t sum;

	if (header_len < 20 || header_len > room)
		return;
	at[10] = 0;
	at[11] = 0;
	sum = packet_checksum(at, header_len);
	at[10] = sum >> 8;
	at[11] = sum & 0xff;
}

/* The checksums of the header at offset, of an ICMP message behind it, and of the header it quotes. */
static void mend(uint8_t *frame, size_t len, uint32_t offset)
{
	uint8_t *v4 = frame + offset, *icmp;
	uint32_t room = len > offset ? len - offset : 0, total, header_len;
	uint16_t sum;

	mend_v4(v4, room);
	if (room < 28)
		return;
	header_len = (v4[0] & 0x0f) * 4;
	total = v4[2] << 8 | v4[3];
	if (v4[9] != IPPROTO_ICMP || total > room || header_len + 8 > total)
		return;
	icmp = v4 + header_len;
	mend_v4(icmp + 8, total - header_len - 8);
	icmp[2] = 0;
	icmp[3] = 0;
	sum = packet_checksum(icmp, total - header_len);
	icmp[2] = sum >> 8;
	icmp[3] = sum & 0xff;
}

/* before: the frame as it came; what leaves a tunnel has its Ethernet header over the outer one. */
static void check_sent(
	const struct dp_pkt *p, const struct dp_binding *binding, const uint8_t *before)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(p->m, const struct rte_ether_hdr *);
	const void *ip = ether + 1;
	uint32_t len = p->m->data_len - RTE_ETHER_HDR_LEN;

	check(binding != NULL && p->m->pkt_len == p->m->data_len);
	if (!p->to_v6) {
		check(ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4));
		check(memcmp(before + 22, &binding->client_v6, 16) == 0);
		check(memcmp(before + 38, &binding->tep_v6, 16) == 0);
		check(p->v4->src_addr == binding->v4_be);
	} else {
		const struct rte_ipv6_hdr *v6 = ip;

		check(ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6));
		check(len == sizeof(*v6) + rte_be_to_cpu_16(v6->payload_len));
		check(memcmp(v6->src_addr, &binding->tep_v6, 16) == 0);
		check(memcmp(v6->dst_addr, &binding->client_v6, 16) == 0);
		check(p->v4->dst_addr == binding->v4_be);
		ip = v6 + 1;
		len -= sizeof(*v6);
	}
	check(ip == p->v4);
	check(ipv4_check(ip, len) == IPV4_SOUND && len == p->v4_len);
	check(p->v4->time_to_live > 0);
}

/* An ICMP error of our own: sound, right in its checksums, within its limits. */
static void check_error(const struct dp_pkt *p)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(p->m, const struct rte_ether_hdr *);
	const struct rte_ipv6_hdr *v6 = (const void *)(ether + 1);
	const struct rte_ipv4_hdr *v4 = (const void *)(ether + 1);
	uint32_t len = p->m->data_len - RTE_ETHER_HDR_LEN;

	if (p->to_v6) {
		check(len == sizeof(*v6) + rte_be_to_cpu_16(v6->payload_len) && len <= 1280);
		if (v6->proto == IPPROTO_ICMPV6) {
			uint32_t sum = rte_ipv6_phdr_cksum(v6, 0);

			sum += rte_raw_cksum(v6 + 1, rte_be_to_cpu_16(v6->payload_len));
			check(ipv4_fold(sum) == UINT16_MAX);
			return;
		}
		check(v6->proto == IPPROTO_IPIP);
		v4 = (const void *)(v6 + 1);
		len -= sizeof(*v6);
	}
	check(v4 == p->v4 && len == p->v4_len && len <= 576);
	check(ipv4_check(v4, len) == IPV4_SOUND && v4->next_proto_id == IPPROTO_ICMP);
	check(rte_raw_cksum(v4 + 1, len - sizeof(*v4)) == UINT16_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dp_burst burst;
	struct rte_mbuf m = {};
	const struct dp_pkt *p = &burst.pkts[0];
	uint8_t *memory, before[FRAME_MAX];
	bool was_refused;

	if (size < 1 || size > FRAME_MAX)
		return 0;
	memory = malloc(RTE_PKTMBUF_HEADROOM + size - 1);
	check(memory != NULL);
	place(&m, memory, data + 1, size - 1);
	if ((data[0] & MEND) != 0)
		mend(memory + RTE_PKTMBUF_HEADROOM, size - 1,
			(data[0] & FROM_V4) != 0 ? PACKET_V4_OFFSET : PACKET_INNER);
	memcpy(before, memory + RTE_PKTMBUF_HEADROOM, size - 1);
	packets_burst_init(&burst, &m);
	ctx.punt = (data[0] & WITH_HOST) != 0 ? (struct dp_punt *)&ctx : NULL;

	dp_classify(&ctx, &burst, (data[0] & FROM_V4) != 0 ? 1 : 0);
	dp_l4_id(&ctx, &burst);
	dp_bindings_lookup_bulk(bindings, burst.keys, 1, 0, burst.bindings);
	dp_hairpin(&ctx, &burst);
	dp_decap(&ctx, &burst);
	dp_encap(&ctx, &burst);
	was_refused = p->verdict == DP_DROP || p->verdict == DP_RELAY;
	dp_icmp_err(&ctx, &burst);
	dp_egress(&ctx, &burst);

	switch (p->verdict) {
	case DP_TX:
		if (was_refused)
			check_error(p);
		else
			check_sent(p, p->from_v6 && p->to_v6 ? burst.targets[0] : burst.bindings[0],
				before);
		break;
	case DP_PUNT:
		check(ctx.punt != NULL);
		check(memcmp(rte_pktmbuf_mtod(&m, void *), before, size - 1) == 0);
		break;
	case DP_FRAGMENT: /* frag_fuzz */
		break;
	default:
		check(p->verdict == DP_DROP && dp_counter_is_drop(p->reason));
	}
	free(memory);
	return 0;
}
