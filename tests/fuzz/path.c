// SPDX-License-Identifier: BSD-3-Clause
#include "path.h"

#include "dataplane/port.h"
#include "dataplane/reassembly.h"
#include "support/eal.h"
#include "support/packets.h"

#include <rte_eth_ring.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>

#define BUFFERS    1023 /* freed ones come back last: none is used twice in an input */
#define RING       1024
#define CLOCK_MS   1000000
#define TIMEOUT_MS 20

#define CLIENT(last)                                        \
	{                                                   \
		0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = (last) \
	}
#define TEP(last)                                     \
	{                                             \
		0x20, 0x01, 0x0d, 0xb8, [15] = (last) \
	}

const struct path_holder path_holders[PATH_HOLDERS] = {
	{CLIENT(0x17), TEP(1), PACKET_CLIENT_V4, 1024, 2047},
	{CLIENT(0x18), TEP(1), PACKET_CLIENT_V4, 2048, 3071},
	{CLIENT(0x17), TEP(1), PACKET_CLIENT_V4, 4096, 4096},
	{CLIENT(0x19), TEP(2), PACKET_CLIENT_V4 + 2, 0, UINT16_MAX},
};

const uint8_t path_router_v6[16] = TEP(0x99);

/* Those of net_pcap's first two ports. */
static const uint8_t macs[DP_SIDES][RTE_ETHER_ADDR_LEN] = {
	{0x02, 0x70, 0x63, 0x61, 0x70, 0x00},
	{0x02, 0x70, 0x63, 0x61, 0x70, 0x01},
};

static const struct dp_local_v4 locals[] = {{.n = 1, .v4 = {PATH_ROUTER_V4}}, {.n = 0}};
static const struct dp_local_v4 *local;
static struct dp_pools pools;

struct path path;
static struct rte_ring *tx[DP_SIDES];
static struct rte_mempool *pool;
static struct dp_punt *punt;
static struct dp_bindings *bindings;
static struct dp_nexthops *nexthops[2]; /* resolved, and still to be asked for */
static struct rte_mbuf *burst[DP_BURST];
static uint32_t burst_n, burst_side;
static struct rte_mbuf *buffers[PATH_FRAMES_MAX]; /* of the frames, wherever they are now */

static void add_bindings(void)
{
	const struct dp_bindings_params params = {
		.max_bindings = 16, .max_readers = 1, .socket = SOCKET_ID_ANY};

	bindings = dp_bindings_create(&params);
	path_require(bindings != NULL);
	for (uint32_t i = 0; i < PATH_HOLDERS; i++) {
		const struct path_holder *holder = &path_holders[i];
		struct dp_binding binding = {
			.v4_be = rte_cpu_to_be_32(holder->v4),
			.first = holder->first,
			.last = holder->last,
			.end_s = DP_BINDING_ENDLESS,
		};

		memcpy(&binding.client_v6, holder->client, sizeof(holder->client));
		memcpy(&binding.tep_v6, holder->tep, sizeof(holder->tep));
		path_require(dp_bindings_add(bindings, &binding) == 0);
	}
	path.worker.ctx.bindings = bindings;
}

static struct dp_nexthops *make_nexthops(enum dp_adjacency_state state)
{
	const struct dp_nexthops_params params = {.max_readers = 1, .socket = SOCKET_ID_ANY};
	struct dp_nexthops *made = dp_nexthops_create(&params);
	struct dp_adjacency adjacency = {.dst_mac = {{0x02, 0, 0, 0, 0, 0x99}}, .state = state};

	path_require(made != NULL);
	for (uint32_t side = 0; side < DP_SIDES; side++) {
		adjacency.port = path.worker.ctx.ports[side];
		memcpy(&adjacency.src_mac, macs[side], sizeof(macs[side]));
		if (side == 0)
			dp_nexthops_set_static_v6(made, &adjacency);
		else
			dp_nexthops_set_static_v4(made, &adjacency);
	}
	return made;
}

static void make_ports(void)
{
	static const char *const names[DP_SIDES] = {"fuzz_v6", "fuzz_v4"};
	const struct dp_port_params params = {.n_queues = 1,
		.rx_descriptors = 64,
		.tx_descriptors = 64,
		.mtu = 1500,
		.pool = pool};
	char error[DP_PORT_ERROR_LEN];

	for (uint32_t side = 0; side < DP_SIDES; side++) {
		int port;

		tx[side] = rte_ring_create(names[side], RING, SOCKET_ID_ANY, 0);
		path_require(tx[side] != NULL);
		port = rte_eth_from_rings(names[side], &tx[side], 1, &tx[side], 1, 0);
		path_require(port >= 0 && dp_port_start((uint16_t)port, &params, error) == 0);
		path.worker.ctx.ports[side] = (uint16_t)port;
		memcpy(&path.worker.ctx.macs[side], macs[side], sizeof(macs[side]));
	}
}

/* The leak sanitizer does not look into the EAL's memory. */
static void clean_up(void)
{
	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++)
		dp_reassembly_destroy(path.worker.ctx.reassembly[kind]);
	dp_punt_destroy(punt);
	for (uint32_t i = 0; i < RTE_DIM(nexthops); i++)
		dp_nexthops_destroy(nexthops[i]);
	dp_bindings_destroy(bindings);
}

void path_start(void)
{
	const struct addr_v4_prefix prefix = {.addr = PACKET_CLIENT_V4 & ~255U, .len = 24};
	const struct dp_reassembly_params params = {.max_datagrams = 8,
		.max_fragments = PATH_WAITING,
		.per_source = 4,
		.timeout_ms = TIMEOUT_MS};
	struct dp_ctx *ctx = &path.worker.ctx;

	path_require(test_eal_start(128) == 0);
	pool = rte_pktmbuf_pool_create(
		"fuzz", BUFFERS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	path_require(pool != NULL);
	packets_ctx_init(ctx);
	make_ports();
	add_bindings();
	nexthops[0] = make_nexthops(DP_ADJ_RESOLVED);
	nexthops[1] = make_nexthops(DP_ADJ_PENDING);
	punt = dp_punt_create(RING, SOCKET_ID_ANY);
	path_require(punt != NULL);
	dp_pools_init(&pools, &prefix, 1);
	ctx->local_v4 = &local;
	ctx->icmp.tunnel_v4 = PATH_NAT46;
	memcpy(&ctx->icmp.v6_source, path_router_v6, sizeof(path_router_v6));
	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++) {
		ctx->reassembly[kind] = dp_reassembly_create(&params, kind, SOCKET_ID_ANY);
		path_require(ctx->reassembly[kind] != NULL);
	}
	path.worker.n_sides = DP_SIDES;
	path_require(atexit(clean_up) == 0);
}

void path_begin(const uint8_t *config)
{
	static const uint32_t mtus_v6[] = {1500, 1280, 1400, 9000};
	static const uint32_t mtus_v4[] = {1500, 576, 1280, 9000};
	struct dp_ctx *ctx = &path.worker.ctx;
	bool is_short = (config[0] & 8) != 0;

	path.n_frames = 0;
	memset(&ctx->counters, 0, sizeof(ctx->counters));
	dp_worker_set_clock(&path.worker, CLOCK_MS);
	ctx->punt = (config[0] & 1) != 0 ? punt : NULL;
	ctx->hairpin = (config[0] & 2) == 0;
	ctx->icmp.relay = (config[0] & 4) == 0;
	ctx->nexthops = nexthops[(config[0] & 16) != 0];
	local = &locals[(config[0] & 32) != 0];
	ctx->icmp.v4_source = (config[0] & 64) != 0 ? PATH_NAT46 + 1 : 0;
	ctx->mss_clamp = (config[2] & 32) != 0 ? DP_MSS_AUTO : 0;
	ctx->hash_flows = (config[2] & 64) != 0;
	ctx->encapsulation_limit = 4;
	ctx->tunnel_overhead = (config[2] & 128) != 0 ? 48 : 40;
	ctx->pools = (config[2] & 16) != 0 ? &pools : NULL;
	path.strict = (config[0] & 128) == 0;
	for (uint32_t kind = 1; kind < DP_N_ICMP_KINDS; kind++) {
		ctx->icmp.to_v4[kind] = (config[1] & 1 << (kind - 1)) == 0;
		ctx->icmp.to_clients[kind] = (config[3] & 1 << (kind - 1)) == 0;
	}
	ctx->forward.v4 = config[1] >> 6 == 3 ? DP_FORWARD_ROUTE : config[1] >> 6;
	ctx->forward.v6 = (config[3] & 64) != 0;
	ctx->icmp.plain = (config[3] & 128) == 0;
	ctx->mtu_v6 = mtus_v6[config[2] & 3];
	ctx->mtu_v4 = mtus_v4[config[2] >> 2 & 3];
	ctx->icmp.rate = is_short ? 1 : 1000;
	ctx->icmp.burst = is_short ? 1 : 1000;
	ctx->icmp_bucket.level = (uint64_t)ctx->icmp.burst * 1000;
	ctx->icmp_bucket.filled_ms = CLOCK_MS;
}

void path_wait(uint32_t ms)
{
	struct dp_ctx *ctx = &path.worker.ctx;

	path_run();
	dp_worker_set_clock(&path.worker, ctx->now_ms + ms);
	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++)
		dp_reassembly_expire(ctx, ctx->reassembly[kind]);
}

/* Of a fragment the stages may use the room behind it. */
static bool may_be_fragment(const uint8_t *frame, uint32_t len)
{
	return len < 62 || frame[20] != IPPROTO_IPIP || (frame[60] & 0x3f) != 0 || frame[61] != 0;
}

void path_add(uint32_t side, const uint8_t *frame, uint32_t len)
{
	struct path_frame *kept = &path.frames[path.n_frames];
	struct rte_mbuf *m;

	if (path.n_frames == PATH_FRAMES_MAX || len > PATH_FRAME_MAX)
		return;
	if (burst_n == DP_BURST || (burst_n != 0 && burst_side != side))
		path_run();
	m = rte_pktmbuf_alloc(pool);
	path_require(m != NULL);
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), frame, len);
	if (path.strict && !may_be_fragment(frame, len))
		ASAN_POISON_MEMORY_REGION(
			rte_pktmbuf_mtod_offset(m, char *, len), rte_pktmbuf_tailroom(m));
	m->port = path.worker.ctx.ports[side];
	kept->side = side;
	kept->len = len;
	memcpy(kept->octets, frame, len);
	buffers[path.n_frames++] = m;
	burst_side = side;
	burst[burst_n++] = m;
}

/* All of a chain; a packet of 65,535 octets fits. */
static uint32_t flatten(const struct rte_mbuf *m, uint8_t *octets)
{
	uint32_t len = 0, segments = 0;

	for (const struct rte_mbuf *at = m; at != NULL; at = at->next, segments++) {
		memcpy(octets + len, rte_pktmbuf_mtod(at, const uint8_t *), at->data_len);
		len += at->data_len;
	}
	path_require(len == m->pkt_len && segments == m->nb_segs);
	return len;
}

static void collect(void)
{
	static uint8_t octets[UINT16_MAX + 1024];
	struct rte_mbuf *m;

	for (uint32_t side = 0; side < DP_SIDES; side++) {
		dp_worker_flush(&path.worker, side);
		while (rte_ring_dequeue(tx[side], (void **)&m) == 0) {
			path_check_sent(side, octets, flatten(m, octets), true);
			rte_pktmbuf_free(m);
		}
	}
	while (dp_punt_take(punt, &m, 1) == 1) {
		uint32_t side = m->port == path.worker.ctx.ports[0] ? 0 : 1;
		uint32_t len = flatten(m, octets);

		if (dp_punt_reason_of(m) == DP_PUNT_RESOLVE)
			path_check_sent(side, octets, len, false);
		else
			path_check_punted(octets, len);
		rte_pktmbuf_free(m);
	}
}

void path_run(void)
{
	if (burst_n == 0)
		return;
	dp_worker_process(&path.worker, burst_side, burst, burst_n);
	burst_n = 0;
	collect();
	path_require(rte_mempool_in_use_count(pool) <= DP_FRAG_N_KINDS * PATH_WAITING);
}

void path_end(void)
{
	struct dp_ctx *ctx = &path.worker.ctx;

	path_run();
	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++)
		dp_reassembly_flush(ctx, ctx->reassembly[kind]);
	path_check_counters(&ctx->counters);
	path_require(rte_mempool_avail_count(pool) == BUFFERS);
	/* Poisoned behind their frames; from here on they are anybody's. */
	for (uint32_t i = 0; i < path.n_frames; i++)
		ASAN_UNPOISON_MEMORY_REGION(buffers[i]->buf_addr, buffers[i]->buf_len);
}

static void put_be16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value & 0xff;
}

static uint32_t mend_v4_header(uint8_t *v4, uint32_t room)
{
	uint32_t header_len = room >= 20 ? (v4[0] & 0x0f) * 4U : 0;

	if (header_len < 20 || header_len > room)
		return 0;
	put_be16(v4 + 10, 0);
	put_be16(v4 + 10, packet_checksum(v4, header_len));
	return header_len;
}

static void mend_v4(uint8_t *v4, uint32_t room)
{
	uint32_t header_len = mend_v4_header(v4, room);
	uint32_t total = header_len != 0 ? v4[2] << 8 | v4[3] : 0;
	uint8_t *icmp = v4 + header_len;

	if (header_len == 0 || v4[9] != IPPROTO_ICMP || total > room || header_len + 8 > total)
		return;
	mend_v4_header(icmp + 8, total - header_len - 8);
	put_be16(icmp + 2, 0);
	put_be16(icmp + 2, packet_checksum(icmp, total - header_len));
}

/* len: its own; behind it lies the IPv6 packet that an error quotes. */
static void mend_icmpv6(const uint8_t *v6, uint8_t *icmp, uint32_t len)
{
	uint8_t pseudo[40 + PATH_FRAME_MAX];

	if (len < 8)
		return;
	if (len > 48)
		mend_v4_header(icmp + 48, len - 48);
	put_be16(icmp + 2, 0);
	memcpy(pseudo, v6 + 8, 32);
	memset(pseudo + 32, 0, 8);
	put_be16(pseudo + 34, len);
	pseudo[39] = IPPROTO_ICMPV6;
	memcpy(pseudo + 40, icmp, len);
	put_be16(icmp + 2, packet_checksum(pseudo, 40 + len));
}

static bool is_extension(uint8_t next_header)
{
	return next_header == IPPROTO_HOPOPTS || next_header == IPPROTO_ROUTING ||
	       next_header == IPPROTO_DSTOPTS;
}

static void mend_v6(uint8_t *v6, uint32_t room)
{
	uint32_t at = 40, end = room >= 40 ? 40U + (v6[4] << 8 | v6[5]) : 0;
	uint8_t next_header;

	if (room < 40 || end > room)
		return;
	next_header = v6[6];
	while (is_extension(next_header) && at + 8 <= end) {
		next_header = v6[at];
		at += 8 + v6[at + 1] * 8U;
	}
	if (at >= end)
		return;
	if (next_header == IPPROTO_IPIP)
		mend_v4(v6 + at, end - at);
	else if (next_header == IPPROTO_ICMPV6)
		mend_icmpv6(v6, v6 + at, end - at);
}

void path_mend(uint8_t *frame, uint32_t len)
{
	if (len < 14 || len > PATH_FRAME_MAX)
		return;
	if (frame[12] == 0x86 && frame[13] == 0xdd)
		mend_v6(frame + 14, len - 14);
	else if (frame[12] == 0x08 && frame[13] == 0x00)
		mend_v4(frame + 14, len - 14);
}
