// SPDX-License-Identifier: BSD-3-Clause
/*
 * Packets for data plane tests, made field by field and with checksums of their own, so that no code
 * under test takes part. The addresses are those of the documentation prefixes, fixed once:
 *
 *	client 2001:db8:1::17 holds 198.51.100.7 ports 1024-2047 through our 2001:db8::1; peer 203.0.113.9
 */
#pragma once

#include "dataplane/pkt_ctx.h"

#include <rte_mbuf.h>
#include <rte_mempool.h>

#define PACKET_CLIENT_V4   0xc6336407U /* 198.51.100.7 */
#define PACKET_PEER_V4     0xcb007109U /* 203.0.113.9 */
#define PACKET_CLIENT_PORT 1024
#define PACKET_PEER_PORT   80
#define PACKET_V4_OFFSET   14 /* of the IPv4 header in a frame from the IPv4 side ... */
#define PACKET_INNER       54 /* ... and in one from a tunnel */
#define PACKET_MBUFS       255

struct packet {
	bool tunnel; /* from the client; else from the peer */
	uint8_t protocol; /* 0: UDP */
	uint8_t ttl; /* 0: 64 */
	uint8_t tos, outer_tos;
	uint8_t options; /* octets of IPv4 options (no-operation) */
	uint16_t port; /* the client's port or identifier; 0: PACKET_CLIENT_PORT */
	uint8_t icmp_type;
	const struct packet *quote; /* of an ICMP error: the packet that it quotes ... */
	uint16_t quote_l4; /* ... cut after these octets of its transport header; 0: 8 */
	uint16_t payload; /* octets after the transport header */
	uint16_t padding; /* octets after the packet */
};

/* The pool that all packets come from; made at the first call. */
struct rte_mempool *packets_pool(void);
/* True when every buffer is back. */
bool packets_all_back(void);

struct rte_mbuf *packet_make(const struct packet *packet);
/* Makes the header checksum right again after a test changed the header at this offset. */
void packet_resum(struct rte_mbuf *m, uint16_t v4_offset);
/* A header checksum computed the plain way (RFC 1071). */
uint16_t packet_checksum(const uint8_t *octets, uint32_t len);

/* A worker's view with two ports (numbers 0 and 1), our tunnel addresses 2001:db8::1 and ::2, no host. */
void packets_ctx_init(struct dp_ctx *ctx);
/* The binding of the client. */
void packets_binding_init(struct dp_binding *binding);
/* A burst of this one packet, with every field that a stage should write made visible rubbish. */
void packets_burst_init(struct dp_burst *burst, struct rte_mbuf *m);
