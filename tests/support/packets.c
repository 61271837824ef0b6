// SPDX-License-Identifier: BSD-3-Clause
#include "support/packets.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static const struct dp_local_v4 no_local_v4;
static const struct dp_local_v4 *local_v4 = &no_local_v4;

static const uint8_t macs[DP_SIDES][RTE_ETHER_ADDR_LEN] = {
	{0x02, 0, 0, 0, 0, 0x06},
	{0x02, 0, 0, 0, 0, 0x04},
};

struct rte_mempool *packets_pool(void)
{
	static struct rte_mempool *pool;

	if (pool == NULL)
		pool = rte_pktmbuf_pool_create("test_packets", PACKET_MBUFS, 0, 0,
			RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pool == NULL)
		abort();
	return pool;
}

bool packets_all_back(void)
{
	return rte_mempool_avail_count(packets_pool()) == PACKET_MBUFS;
}

uint16_t packet_checksum(const uint8_t *octets, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)octets[i] << 8 : octets[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put_be16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value & 0xff;
}

static void put_be32(uint8_t *at, uint32_t value)
{
	put_be16(at, value >> 16);
	put_be16(at + 2, value & 0xffff);
}

static uint32_t write_v4(uint8_t *at, const struct packet *packet);

static uint32_t write_icmp(uint8_t *at, const struct packet *packet)
{
	uint32_t len = 8 + packet->payload;

	at[0] = packet->icmp_type;
	put_be16(at + 4, packet->port != 0 ? packet->port : PACKET_CLIENT_PORT);
	if (packet->quote != NULL) {
		write_v4(at + 8, packet->quote);
		len = 8 + 20 + packet->quote->options;
		len += packet->quote_l4 != 0 ? packet->quote_l4 : 8;
		memset(at + len, 0, 64);
	}
	put_be16(at + 2, packet_checksum(at, len));
	return len;
}

static uint32_t write_l4(uint8_t *at, const struct packet *packet)
{
	uint16_t port = packet->port != 0 ? packet->port : PACKET_CLIENT_PORT;

	if (packet->protocol == IPPROTO_ICMP)
		return write_icmp(at, packet);
	put_be16(at + (packet->tunnel ? 0 : 2), port);
	put_be16(at + (packet->tunnel ? 2 : 0), PACKET_PEER_PORT);
	if (packet->protocol == IPPROTO_TCP) {
		at[12] = 5 << 4;
		return 20 + packet->payload;
	}
	put_be16(at + 4, 8 + packet->payload);
	return 8 + packet->payload;
}

/* Returns the packet's total length. */
static uint32_t write_v4(uint8_t *at, const struct packet *packet)
{
	uint32_t header_len = 20 + packet->options;
	uint32_t len = header_len + write_l4(at + header_len, packet);

	at[0] = 0x40 | header_len / 4;
	at[1] = packet->tos;
	put_be16(at + 2, len);
	put_be16(at + 4, 0x1234);
	at[8] = packet->ttl != 0 ? packet->ttl : 64;
	at[9] = packet->protocol != 0 ? packet->protocol : IPPROTO_UDP;
	put_be32(at + 12, packet->tunnel ? PACKET_CLIENT_V4 : PACKET_PEER_V4);
	put_be32(at + 16, packet->tunnel ? PACKET_PEER_V4 : PACKET_CLIENT_V4);
	memset(at + 20, 1, packet->options);
	put_be16(at + 10, packet_checksum(at, header_len));
	return len;
}

struct rte_mbuf *packet_make(const struct packet *packet)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(packets_pool());
	uint32_t v4_offset = packet->tunnel ? PACKET_INNER : PACKET_V4_OFFSET;
	uint8_t *at;
	uint32_t len;

	if (m == NULL)
		abort();
	at = rte_pktmbuf_mtod(m, uint8_t *);
	memset(at, 0, rte_pktmbuf_tailroom(m));
	memcpy(at, macs[packet->tunnel ? 0 : 1], RTE_ETHER_ADDR_LEN);
	put_be16(at + 12, packet->tunnel ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	len = write_v4(at + v4_offset, packet);
	if (packet->tunnel) {
		put_be32(at + 14, 6U << 28 | (uint32_t)packet->outer_tos << 20);
		put_be16(at + 18, len);
		at[20] = IPPROTO_IPIP;
		at[21] = 64;
		inet_pton(AF_INET6, "2001:db8:1::17", at + 22);
		inet_pton(AF_INET6, "2001:db8::1", at + 38);
	}
	memset(at + v4_offset + len, 0xee, packet->padding);
	rte_pktmbuf_append(m, v4_offset + len + packet->padding);
	m->port = packet->tunnel ? 0 : 1;
	return m;
}

void packet_resum(struct rte_mbuf *m, uint16_t v4_offset)
{
	uint8_t *at = rte_pktmbuf_mtod_offset(m, uint8_t *, v4_offset);

	put_be16(at + 10, 0);
	put_be16(at + 10, packet_checksum(at, (at[0] & 0x0f) * 4));
}

void packets_ctx_init(struct dp_ctx *ctx)
{
	memset(ctx, 0, sizeof(*ctx));
	ctx->local_v4 = &local_v4;
	ctx->mtu_v6 = 1500;
	ctx->mtu_v4 = 1500;
	ctx->tunnel_overhead = sizeof(struct rte_ipv6_hdr);
	ctx->hop_limit = 64;
	ctx->ports[1] = 1;
	memcpy(ctx->macs, macs, sizeof(macs));
	ctx->n_tep_v6 = 2;
	inet_pton(AF_INET6, "2001:db8::1", &ctx->tep_v6[0]);
	inet_pton(AF_INET6, "2001:db8::2", &ctx->tep_v6[1]);
}

void packets_binding_init(struct dp_binding *binding)
{
	memset(binding, 0, sizeof(*binding));
	inet_pton(AF_INET6, "2001:db8::1", &binding->tep_v6);
	inet_pton(AF_INET6, "2001:db8:1::17", &binding->client_v6);
	binding->v4_be = rte_cpu_to_be_32(PACKET_CLIENT_V4);
	binding->first = 1024;
	binding->last = 2047;
	binding->end_s = DP_BINDING_ENDLESS;
}

void packets_burst_init(struct dp_burst *burst, struct rte_mbuf *m)
{
	memset(burst, 0xa5, sizeof(*burst));
	burst->n = 1;
	burst->pkts[0].m = m;
}
