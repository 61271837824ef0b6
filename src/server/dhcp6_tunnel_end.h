// SPDX-License-Identifier: BSD-3-Clause
/*
 * Where a DHCPv6 client's tunnel ends, and whether it is to be believed (R70). Pure, but for the list of links.
 *
 * Over TSP it is the address that the client connects from. A DHCPv6 client usually writes from its link-local address,
 * so that the end of its tunnel comes from the first of these that is there:
 *
 *	its own word	our option DSTM_CLIENT
 *	its IA_NA	the address that we give it, or, beside another server, the one that it names
 *	its source	if global; behind a relay, the address that the relay heard it from
 *	its past	the tunnel end that its DUID was known with last
 *
 * It is believed if the client was heard from it, or if it is on the client's link: the relay's link address (its /64), a
 * prefix of the interface that heard the client, or the prefix that we give addresses of. So a host can at most
 * name a neighbour's address, and not even that while the neighbour holds a lease: a tunnel end with a
 * lease answers to one DUID.
 */
#pragma once

#include "server/dhcp6_clients.h"
#include "server/dhcp6_config.h"
#include "server/dhcp6_exchange.h"
#include "server/dhcp6_links.h"

#include <stdbool.h>

enum srv_dhcp6_tunnel_end {
	SRV_DHCP6_END_GOOD,
	SRV_DHCP6_END_MISSING, /* nothing says it */
	SRV_DHCP6_END_NOT_BELIEVED,
	SRV_DHCP6_END_TAKEN, /* it is another DUID's, which holds a lease */
};

/*
 * dhcpv6.addresses is for the client's link: what hears it directly is taken to be there, and of a relay that names a link
 * it is known.
 */
bool srv_dhcp6_gives_addresses(
	const struct srv_dhcp6_config *config, const struct dhcp6_relay *relay);

/* All that there is to judge by. */
struct srv_dhcp6_evidence {
	const struct srv_dhcp6_config *config;
	const struct srv_dhcp6_inquiry *inquiry;
	const struct srv_dhcp6_clients *clients;
	struct srv_dhcp6_links *links; /* NULL: none is known */
	const struct in6_addr *given; /* the address that its first IA_NA gets; NULL: none */
	bool is_required; /* auth.require_peer_address: else any global address is believed */
	int64_t now_ms;
};

/* GOOD or, without looking at who else has it, why not; addr is set unless it is missing. */
enum srv_dhcp6_tunnel_end srv_dhcp6_tunnel_end_find(
	const struct srv_dhcp6_evidence *evidence, struct in6_addr *addr);
