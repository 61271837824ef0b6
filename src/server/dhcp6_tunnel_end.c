// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_tunnel_end.h"

#define LINK_BITS 64 /* of a relay's link address, that all of its link share */

bool srv_dhcp6_gives_addresses(
	const struct srv_dhcp6_config *config, const struct dhcp6_relay *relay)
{
	const struct in6_addr *link = relay->n_levels > 0 ? dhcp6_relay_link(relay) : NULL;

	return config->addresses.len > 0 &&
	       (link == NULL || addr_v6_prefix_contains(&config->addresses, link));
}

/* Whom the datagram is from, as far as hosts go: the client itself, or what its relay saw of it. */
static const struct in6_addr *heard_from(const struct srv_dhcp6_evidence *evidence)
{
	const struct srv_dhcp6_inquiry *inquiry = evidence->inquiry;

	return inquiry->relay.n_levels > 0 ? dhcp6_relay_client(&inquiry->relay)
					   : &inquiry->path.peer.sin6_addr;
}

static bool find(const struct srv_dhcp6_evidence *evidence, struct in6_addr *addr)
{
	const struct srv_dhcp6_request *request = &evidence->inquiry->request;
	const struct srv_dhcp6_client *client;

	if (request->names_client) {
		*addr = request->client_v6;
		return true;
	}
	if (evidence->given != NULL || request->names_na) {
		*addr = evidence->given != NULL ? *evidence->given : request->na_v6;
		return true;
	}
	if (addr_v6_is_global(heard_from(evidence))) {
		*addr = *heard_from(evidence);
		return true;
	}
	if (request->client.len == 0)
		return false;
	client = srv_dhcp6_clients_find_by_duid(evidence->clients, &request->client);
	if (client != NULL)
		*addr = client->tunnel_end;
	return client != NULL;
}

static bool share_link(const struct in6_addr *a, const struct in6_addr *b)
{
	return memcmp(a->s6_addr, b->s6_addr, LINK_BITS / 8) == 0;
}

static bool is_on_our_link(const struct srv_dhcp6_evidence *evidence, const struct in6_addr *addr)
{
	return evidence->links != NULL &&
	       srv_dhcp6_links_hold(
		       evidence->links, evidence->inquiry->path.ifindex, addr, evidence->now_ms);
}

/* The client itself is on the link where it was heard, and not some way behind it. */
static bool is_neighbour(const struct srv_dhcp6_evidence *evidence)
{
	return IN6_IS_ADDR_LINKLOCAL(heard_from(evidence)) ||
	       is_on_our_link(evidence, heard_from(evidence));
}

static bool is_on_link(const struct srv_dhcp6_evidence *evidence, const struct in6_addr *addr)
{
	const struct in6_addr *link;

	if (srv_dhcp6_gives_addresses(evidence->config, &evidence->inquiry->relay) &&
		addr_v6_prefix_contains(&evidence->config->addresses, addr))
		return true;
	if (evidence->inquiry->relay.n_levels > 0) {
		link = dhcp6_relay_link(&evidence->inquiry->relay);
		return link != NULL && addr_v6_is_global(link) && share_link(link, addr);
	}
	return is_neighbour(evidence) && is_on_our_link(evidence, addr);
}

enum srv_dhcp6_tunnel_end srv_dhcp6_tunnel_end_find(
	const struct srv_dhcp6_evidence *evidence, struct in6_addr *addr)
{
	if (!find(evidence, addr))
		return SRV_DHCP6_END_MISSING;
	if (!addr_v6_is_global(addr))
		return SRV_DHCP6_END_NOT_BELIEVED;
	if (!evidence->is_required || addr_v6_equal(addr, heard_from(evidence)) ||
		is_on_link(evidence, addr))
		return SRV_DHCP6_END_GOOD;
	return SRV_DHCP6_END_NOT_BELIEVED;
}
