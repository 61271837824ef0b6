// SPDX-License-Identifier: BSD-3-Clause
#include "rpc/rpc_packet.h"

#include "rpc/dstm_rpc.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

static_assert(RPC_PROGRAM == RPC && RPC_PROGRAM_VERSION == RPC_ONE);
static_assert(RPC_PROCEDURE_REQUEST == REQUEST && RPC_PROCEDURE_RELEASE == RELEASE);
static_assert(RPC_PACKET_REQUEST_REQ == REQUEST_REQ && RPC_PACKET_REQUEST_REP == REQUEST_REP);
static_assert(RPC_PACKET_RELEASE_REQ == RELEASE_REQ && RPC_PACKET_RELEASE_REP == RELEASE_REP);

static uint32_t get_v4(const char octets[static 4])
{
	uint32_t v4_be;

	memcpy(&v4_be, octets, sizeof(v4_be));
	return ntohl(v4_be);
}

static void put_v4(uint32_t v4, char octets[static 4])
{
	uint32_t v4_be = htonl(v4);

	memcpy(octets, &v4_be, sizeof(v4_be));
}

int rpc_packet_read(const uint8_t *data, size_t len, struct rpc_packet *value)
{
	struct packet in;
	XDR xdr;

	if (len != RPC_PACKET_SIZE)
		return -EINVAL;
	xdrmem_create(&xdr, (char *)data, RPC_PACKET_SIZE, XDR_DECODE);
	if (!xdr_packet(&xdr, &in))
		return -EINVAL;
	*value = (struct rpc_packet){
		.type = in.type,
		.mask = get_v4(in.mask),
		.v4 = get_v4(in.i4addr),
		.tep_v4 = get_v4(in.tep4),
		.ends = (uint32_t)in.ends,
		.starts = (uint32_t)in.starts,
		.extend = (uint32_t)in.extend,
		.keep = (uint32_t)in.keep,
	};
	memcpy(&value->local, in.local, sizeof(value->local));
	memcpy(&value->tep_v6, in.tep6, sizeof(value->tep_v6));
	return 0;
}

void rpc_packet_write(const struct rpc_packet *value, uint8_t data[static RPC_PACKET_SIZE])
{
	struct packet out = {
		.type = value->type,
		.ends = value->ends,
		.starts = value->starts,
		.extend = value->extend,
		.keep = value->keep,
	};
	XDR xdr;
	bool is_written;

	memcpy(out.local, &value->local, sizeof(out.local));
	memcpy(out.tep6, &value->tep_v6, sizeof(out.tep6));
	put_v4(value->mask, out.mask);
	put_v4(value->v4, out.i4addr);
	put_v4(value->tep_v4, out.tep4);
	xdrmem_create(&xdr, (char *)data, RPC_PACKET_SIZE, XDR_ENCODE);
	is_written = xdr_packet(&xdr, &out);
	assert(is_written);
	(void)is_written;
}
