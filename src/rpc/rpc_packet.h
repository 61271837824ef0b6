// SPDX-License-Identifier: BSD-3-Clause
/*
 * The one argument and result of the RPC protocol (draft-ietf-ngtrans-dstm-05, annex B): 64 octets of XDR. rpcgen's
 * code knows the layout (dstm_rpc.x); its names (REQUEST, RPC, struct packet) stay behind this header.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define RPC_PACKET_SIZE     64
#define RPC_PROGRAM         0x20000d57
#define RPC_PROGRAM_VERSION 1

enum rpc_procedure {
	RPC_PROCEDURE_NULL, /* answered with nothing, as in every program */
	RPC_PROCEDURE_REQUEST,
	RPC_PROCEDURE_RELEASE,
};

enum rpc_packet_type {
	RPC_PACKET_REQUEST_REQ = 1,
	RPC_PACKET_REQUEST_REP,
	RPC_PACKET_RELEASE_REQ,
	RPC_PACKET_RELEASE_REP,
};

struct rpc_packet {
	int32_t type; /* enum rpc_packet_type, or whatever a peer wrote */
	struct in6_addr local; /* the client's link-local address */
	uint32_t mask; /* host order, as the next two */
	uint32_t v4; /* i4addr */
	uint32_t tep_v4; /* tep4 */
	struct in6_addr tep_v6; /* tep6 */
	uint32_t ends; /* UTC seconds */
	uint32_t starts;
	uint32_t extend; /* seconds */
	uint32_t keep; /* seconds */
};

/* Returns 0, or -EINVAL when data is not exactly one packet, and leaves *packet alone. */
int rpc_packet_read(const uint8_t *data, size_t len, struct rpc_packet *packet);
void rpc_packet_write(const struct rpc_packet *packet, uint8_t data[static RPC_PACKET_SIZE]);
