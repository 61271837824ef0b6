// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_rules.h"

/* What a message may do by unicast. */
enum unicast {
	DISCARDED,
	TOLD, /* UseMulticast */
};

static const struct {
	enum srv_counter counter;
	enum unicast unicast;
} rules[] = {
	[DHCP6_SOLICIT] = {SRV_COUNT_DHCP6_SOLICITS, DISCARDED},
	[DHCP6_REQUEST] = {SRV_COUNT_DHCP6_REQUESTS, TOLD},
	[DHCP6_CONFIRM] = {SRV_COUNT_DHCP6_CONFIRMS, DISCARDED},
	[DHCP6_RENEW] = {SRV_COUNT_DHCP6_RENEWS, TOLD},
	[DHCP6_REBIND] = {SRV_COUNT_DHCP6_REBINDS, DISCARDED},
	[DHCP6_RELEASE] = {SRV_COUNT_DHCP6_RELEASES, TOLD},
	[DHCP6_DECLINE] = {SRV_COUNT_DHCP6_DECLINES, TOLD},
	[DHCP6_INFORMATION_REQUEST] = {SRV_COUNT_DHCP6_INFORMATION_REQUESTS, DISCARDED},
};

/* Beside another server we answer what only we can, and what names us. */
static bool is_for_role(const struct srv_dhcp6_config *config, const struct dhcp6_msg *msg,
	const struct srv_dhcp6_request *request)
{
	if (config->role == SRV_DHCP6_STATELESS && msg->type != DHCP6_INFORMATION_REQUEST)
		return false;
	return config->role == SRV_DHCP6_SERVER || srv_dhcp6_request_is_ours(request) ||
	       request->names_client || msg->server_id.len > 0;
}

struct srv_dhcp6_verdict srv_dhcp6_rules_apply(const struct srv_dhcp6_config *config,
	const struct dhcp6_duid *server, const struct dhcp6_msg *msg,
	const struct srv_dhcp6_inquiry *inquiry)
{
	struct srv_dhcp6_verdict verdict = {.type = SRV_COUNT_DHCP6_OTHERS};
	bool is_direct = inquiry->relay.n_levels == 0 &&
			 !IN6_IS_ADDR_MULTICAST(&inquiry->path.local) && !config->unicast;

	verdict.discarded = SRV_COUNT_DHCP6_UNEXPECTED;
	if (!dhcp6_type_is_clients(msg->type))
		return verdict;
	verdict.type = rules[msg->type].counter;
	verdict.discarded = SRV_COUNT_DHCP6_IDENTIFIERS;
	if (dhcp6_msg_check(msg) < 0)
		return verdict;
	verdict.discarded = SRV_COUNT_DHCP6_OTHER_SERVER;
	if (msg->server_id.len > 0 && !dhcp6_duid_equal(&msg->server_id, server))
		return verdict;
	verdict.discarded = SRV_COUNT_DHCP6_NOT_OURS;
	if (!is_for_role(config, msg, &inquiry->request))
		return verdict;
	verdict.discarded = SRV_COUNT_DHCP6_UNICAST;
	verdict.use_multicast = is_direct && rules[msg->type].unicast == TOLD;
	verdict.is_good = !is_direct;
	return verdict;
}
