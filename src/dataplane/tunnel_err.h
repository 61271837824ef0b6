// SPDX-License-Identifier: BSD-3-Clause
/*
 * ICMPv6 errors that routers on the way to a client send to our tunnel address, about packets that we
 * encapsulated (S7, RFC 2473 section 8). The sender of the packet inside can do something about it, so
 * icmp_err.c turns them into ICMPv4 errors.
 *
 * Anybody can send such an error, so it is believed only if it quotes a packet that we could have sent: from the
 * tunnel address that the error came to, to the client that holds, under that tunnel address, the quoted inner
 * destination and port.
 *
 *	hop limit, unreachable, parameter problem	-> ICMPv4 3/1
 *	packet too big					-> ICMPv4 3/4 with the MTU less our outer headers; and
 *							   the tunnel remembers it (tunnel_mtu.h)
 */
#pragma once

#include "dataplane/pkt_ctx.h"

/* Is this ICMPv6 packet an error that quotes IPv4 in IPv6? Whatever else it is is the host's. */
bool dp_tunnel_err_quotes_tunnel(const struct rte_ipv6_hdr *v6, uint32_t payload_len);

/*
 * Checks such a packet, from p->v6 on. Returns what its ICMPv4 counterpart is, and then p->v4 is the quoted packet as
 * far as it is there; or DP_ICMP_NONE.
 */
enum dp_icmp_kind dp_tunnel_err_read(struct dp_ctx *ctx, struct dp_pkt *p, uint16_t *mtu);
