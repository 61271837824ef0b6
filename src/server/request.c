// SPDX-License-Identifier: BSD-3-Clause
#include "server/request.h"

#include "common/addr.h"

#include <string.h>

static uint32_t grant_lifetime(const struct tsp_msg *msg, const struct srv_policy *policy)
{
	if (!msg->has_lifetime || msg->lifetime_s > policy->lifetime_s)
		return policy->lifetime_s;
	if (msg->lifetime_s < policy->lifetime_min_s)
		return policy->lifetime_min_s;
	return msg->lifetime_s;
}

static bool names_v6(const struct tsp_party *party, const struct in6_addr *v6)
{
	for (uint32_t i = 0; i < party->n_v6; i++) {
		if (addr_v6_equal(&party->v6[i], v6))
			return true;
	}
	return false;
}

/*
 * Generation 1 sends its link-local and its global address in either order (R83). Where policy asks
 * for it, the global one is the peer's, so that nobody can have packets tunnelled to a third party.
 */
static bool choose_v6(const struct tsp_msg *msg, const struct srv_policy *policy,
	const struct in6_addr *peer, struct in6_addr *v6)
{
	const struct tsp_party *client = &msg->client;

	if (msg->action == TSP_ACTION_DELETE && client->n_v6 == 0) {
		*v6 = *peer;
		return addr_v6_is_global(peer);
	}
	if (!policy->require_peer_address)
		return tsp_party_global_v6(client, v6);
	*v6 = *peer;
	return addr_v6_is_global(peer) && names_v6(client, peer);
}

static bool is_allowed(const struct config_list *allow, const struct in6_addr *v6)
{
	return allow == NULL || addr_v6_prefixes_contain(allow->items, allow->n, v6);
}

enum tsp_status srv_request_read(const struct tsp_msg *msg, const struct srv_policy *policy,
	const struct in6_addr *peer, struct srv_wish *wish)
{
	const struct tsp_party *client = &msg->client;

	memset(wish, 0, sizeof(*wish));
	if (!choose_v6(msg, policy, peer, &wish->client_v6) ||
		!is_allowed(policy->allow, &wish->client_v6))
		return TSP_STATUS_BAD_V6;
	wish->lifetime_s = grant_lifetime(msg, policy);
	wish->shared = client->has_ports;
	wish->ports = client->ports_count;
	wish->wants_keepalive = msg->wants_keepalive;
	wish->has_hint = msg->has_hint;
	wish->hint_v4 = msg->hint_v4;
	wish->hint = msg->hint;
	wish->names_v4 = client->has_v4;
	wish->more = client->has_v4 && client->n_ranges > 0 && client->ports_count > 0 &&
		     msg->action == TSP_ACTION_CREATE;
	if (client->has_v4) {
		wish->v4 = client->v4;
		wish->n_ranges = client->n_ranges;
		memcpy(wish->ranges, client->ranges, sizeof(wish->ranges));
	}
	return TSP_STATUS_NONE;
}

static bool holds_range(const struct lease *lease, struct port_range range)
{
	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		if (port_range_equal(lease->ranges[i], range))
			return true;
	}
	return false;
}

bool srv_wish_names(const struct srv_wish *wish, const struct lease *lease)
{
	if (!wish->names_v4)
		return true;
	if (wish->v4 != lease->v4)
		return false;
	for (uint32_t i = 0; i < wish->n_ranges; i++) {
		if (!holds_range(lease, wish->ranges[i]))
			return false;
	}
	return true;
}
