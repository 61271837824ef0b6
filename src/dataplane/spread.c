// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/spread.h"

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>
#include <rte_ring.h>
#include <sys/random.h>

#define TAGS_MAX 2

/* A member's rings, and what the owner is about to put into the first one. */
struct member {
	struct rte_ring *rx; /* from the owner; NULL: this is the owner */
	struct rte_ring *tx; /* to the owner */
	uint32_t n;
	struct rte_mbuf *packets[DP_BURST];
} __rte_cache_aligned;

struct dp_spread {
	uint64_t keys[4];
	uint32_t n_members;
	struct member members[];
};

/* Not in a memory zone: those are few, and need names. */
static struct rte_ring *create_ring(uint32_t size, int socket)
{
	uint32_t slots = rte_align32pow2(size + 1);
	struct rte_ring *ring = rte_zmalloc_socket(
		"dp_spread", (size_t)rte_ring_get_memsize(slots), RTE_CACHE_LINE_SIZE, socket);

	if (ring != NULL)
		rte_ring_init(
			ring, "spread", size, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	return ring;
}

static void destroy_ring(struct rte_ring *ring)
{
	void *m;

	while (ring != NULL && rte_ring_dequeue(ring, &m) == 0)
		rte_pktmbuf_free(m);
	rte_free(ring);
}

struct dp_spread *dp_spread_create(const struct dp_spread_params *params)
{
	struct dp_spread *spread = rte_zmalloc_socket("dp_spread",
		sizeof(*spread) + params->n_members * sizeof(spread->members[0]),
		RTE_CACHE_LINE_SIZE, params->socket);

	rte_errno = ENOMEM;
	if (spread == NULL)
		return NULL;
	spread->n_members = params->n_members;
	if (getrandom(spread->keys, sizeof(spread->keys), GRND_NONBLOCK) != sizeof(spread->keys))
		for (uint32_t i = 0; i < RTE_DIM(spread->keys); i++)
			spread->keys[i] = rte_rdtsc() * 0x9e3779b97f4a7c15ULL;
	for (uint32_t i = 1; i < spread->n_members; i++) {
		struct member *member = &spread->members[i];

		member->rx = create_ring(params->rx_ring, params->socket);
		member->tx = create_ring(params->tx_ring, params->socket);
		if (member->rx == NULL || member->tx == NULL) {
			dp_spread_destroy(spread);
			rte_errno = ENOMEM;
			return NULL;
		}
	}
	return spread;
}

void dp_spread_destroy(struct dp_spread *spread)
{
	if (spread == NULL)
		return;
	for (uint32_t i = 1; i < spread->n_members; i++) {
		destroy_ring(spread->members[i].rx);
		destroy_ring(spread->members[i].tx);
	}
	rte_free(spread);
}

/* Both halves of a product, which depends on all bits of both factors. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_v4(const struct dp_spread *spread, const void *addresses)
{
	uint64_t both;

	memcpy(&both, addresses, sizeof(both));
	return mix(mix(both ^ spread->keys[0], spread->keys[1]), spread->keys[2]);
}

static inline uint64_t hash_v6(const struct dp_spread *spread, const void *addresses)
{
	const uint64_t *keys = spread->keys;
	uint64_t words[4];

	memcpy(words, addresses, sizeof(words));
	return mix(mix(words[0] ^ keys[0], words[1] ^ keys[1]),
		mix(words[2] ^ keys[2], words[3] ^ keys[3]));
}

/* What follows the Ethernet header and its tags, and where. */
static inline rte_be16_t payload_type(const struct rte_mbuf *m, uint32_t *offset)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	rte_be16_t type;

	*offset = sizeof(*ether);
	if (unlikely(m->data_len < *offset))
		return 0;
	type = ether->ether_type;
	for (uint32_t tags = 0; tags < TAGS_MAX; tags++) {
		const struct rte_vlan_hdr *tag;

		if (likely(type != RTE_BE16(RTE_ETHER_TYPE_VLAN) &&
			    type != RTE_BE16(RTE_ETHER_TYPE_QINQ)))
			break;
		if (m->data_len < *offset + sizeof(*tag))
			return 0;
		tag = rte_pktmbuf_mtod_offset(m, const struct rte_vlan_hdr *, *offset);
		type = tag->eth_proto;
		*offset += sizeof(*tag);
	}
	return type;
}

uint32_t dp_spread_n_members(const struct dp_spread *spread)
{
	return spread->n_members;
}

uint32_t dp_spread_member_of(const struct dp_spread *spread, const struct rte_mbuf *m)
{
	uint32_t offset;
	rte_be16_t type = payload_type(m, &offset);
	uint64_t hash;

	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6) &&
		m->data_len >= offset + sizeof(struct rte_ipv6_hdr))
		hash = hash_v6(spread,
			rte_pktmbuf_mtod_offset(m, const struct rte_ipv6_hdr *, offset)->src_addr);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4) &&
		 m->data_len >= offset + sizeof(struct rte_ipv4_hdr))
		hash = hash_v4(spread,
			&rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, offset)->src_addr);
	else
		return 0;
	return (uint32_t)((uint64_t)(uint32_t)hash * spread->n_members >> 32);
}

/* The packets that the owner has gathered for a member. */
static void hand_to(struct dp_ctx *ctx, struct member *member)
{
	uint64_t bytes = 0, refused = 0;
	uint32_t taken;

	/* Once handed over, a packet must not be read. */
	for (uint32_t i = 0; i < member->n; i++)
		bytes += member->packets[i]->pkt_len;
	taken = rte_ring_sp_enqueue_burst(member->rx, (void **)member->packets, member->n, NULL);
	for (uint32_t i = taken; i < member->n; i++) {
		refused += member->packets[i]->pkt_len;
		dp_drop(ctx, member->packets[i], DP_DROP_RX_RING_FULL);
	}
	dp_count(&ctx->counters, DP_COUNT_RX, member->n - taken, refused);
	dp_count(&ctx->counters, DP_COUNT_RX_HANDED, taken, bytes - refused);
	member->n = 0;
}

uint32_t dp_spread_hand_out(
	struct dp_spread *spread, struct dp_ctx *ctx, struct rte_mbuf **packets, uint32_t n)
{
	uint32_t own = 0;

	for (uint32_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(packets[i], void *));
	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *m = packets[i];
		struct member *member = &spread->members[dp_spread_member_of(spread, m)];

		if (member->rx == NULL)
			packets[own++] = m;
		else
			member->packets[member->n++] = m;
	}
	for (uint32_t i = 1; i < spread->n_members; i++)
		if (spread->members[i].n != 0)
			hand_to(ctx, &spread->members[i]);
	return own;
}

uint32_t dp_spread_collect(
	struct dp_spread *spread, uint32_t member, struct rte_mbuf **packets, uint32_t n)
{
	return rte_ring_sc_dequeue_burst(spread->members[member].tx, (void **)packets, n, NULL);
}

uint32_t dp_spread_take(
	struct dp_spread *spread, uint32_t member, struct rte_mbuf **packets, uint32_t n)
{
	return rte_ring_sc_dequeue_burst(spread->members[member].rx, (void **)packets, n, NULL);
}

void dp_spread_send(struct dp_spread *spread, uint32_t member, struct dp_ctx *ctx,
	struct rte_mbuf **packets, uint32_t n)
{
	uint64_t bytes = 0, refused = 0;
	uint32_t taken;

	for (uint32_t i = 0; i < n; i++)
		bytes += packets[i]->pkt_len;
	taken = rte_ring_sp_enqueue_burst(spread->members[member].tx, (void **)packets, n, NULL);
	for (uint32_t i = taken; i < n; i++) {
		refused += packets[i]->pkt_len;
		dp_drop(ctx, packets[i], DP_DROP_TX_RING_FULL);
	}
	dp_count(&ctx->counters, DP_COUNT_TX_HANDED, taken, bytes - refused);
}
