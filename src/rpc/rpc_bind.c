// SPDX-License-Identifier: BSD-3-Clause
#include "rpc/rpc_bind.h"

#include <assert.h>
#include <rpc/rpc.h>
#include <rpc/rpcb_prot.h>
#include <stdio.h>
#include <string.h>

#define UADDR_STRLEN (ADDR_V6_STRLEN + 8) /* "2001:db8::1.255.255" */

static_assert((int)RPC_BIND_SET == RPCBPROC_SET && (int)RPC_BIND_UNSET == RPCBPROC_UNSET);
static_assert((int)RPC_BIND_GETADDR == RPCBPROC_GETADDR);

/* The "universal address" of RFC 5665 section 5.2.3.3: the two octets of the port behind the address. */
static void format_universal(const struct addr_endpoint *at, char text[static UADDR_STRLEN])
{
	char addr[ADDR_V6_STRLEN];
	unsigned int high = at->port >> 8, low = at->port & 0xff;

	snprintf(text, UADDR_STRLEN, "%s.%u.%u", addr_v6_format(&at->addr, addr), high, low);
}

/* 0 when there is none. Of an address with a scope or an IPv4 tail it is the last two numbers as well. */
static uint16_t port_of_universal(const char *text)
{
	const char *last = strrchr(text, '.'), *before;
	unsigned int high, low;
	int n = 0;

	if (last == NULL)
		return 0;
	before = memrchr(text, '.', (size_t)(last - text));
	if (before == NULL || sscanf(before, ".%3u.%3u%n", &high, &low, &n) != 2 ||
		before[n] != '\0' || high > 255 || low > 255)
		return 0;
	return (uint16_t)(high << 8 | low);
}

size_t rpc_bind_write(enum rpc_bind_procedure procedure, uint32_t xid,
	const struct rpc_bind_entry *entry, uint8_t *data, size_t size)
{
	char netid[] = "tcp6", addr[UADDR_STRLEN] = "", owner[] = "";
	uint8_t args[RPC_MESSAGE_MAX];
	struct rpcb rpcb = {
		.r_prog = entry->program,
		.r_vers = entry->version,
		.r_netid = netid,
		.r_addr = addr,
		.r_owner = owner, /* rpcbind finds that out by itself */
	};
	struct rpc_call call = {
		.xid = xid,
		.program = RPCBPROG,
		.version = RPCBVERS4,
		.procedure = procedure,
		.args = args,
	};
	XDR xdr;

	if (!entry->is_tcp)
		memcpy(netid, "udp6", sizeof(netid));
	if (procedure == RPC_BIND_SET)
		format_universal(&entry->at, addr);
	xdrmem_create(&xdr, (char *)args, sizeof(args), XDR_ENCODE);
	if (!xdr_rpcb(&xdr, &rpcb))
		return 0;
	call.args_len = xdr_getpos(&xdr);
	return rpc_call_write(&call, data, size);
}

static void open_results(const struct rpc_reply *reply, XDR *xdr)
{
	size_t len = reply->outcome == RPC_OUTCOME_SUCCESS ? reply->results_len : 0;

	xdrmem_create(xdr, (char *)reply->results, (u_int)len, XDR_DECODE);
}

bool rpc_bind_read_done(const struct rpc_reply *reply)
{
	bool_t is_done = FALSE;
	XDR xdr;

	open_results(reply, &xdr);
	return xdr_bool(&xdr, &is_done) && is_done;
}

uint16_t rpc_bind_read_port(const struct rpc_reply *reply)
{
	char text[128], *to = text;
	XDR xdr;

	open_results(reply, &xdr);
	return xdr_string(&xdr, &to, sizeof(text) - 1) ? port_of_universal(text) : 0;
}
