// SPDX-License-Identifier: BSD-3-Clause
#include "client/link.h"

#include "client/dhcp6_link.h"
#include "client/rpc_link.h"
#include "client/tsp_link.h"

static const struct cl_link_kind *const kinds[CL_LINKS_N] = {
	[CL_LINK_RPC] = &cl_rpc_link,
	[CL_LINK_TSP] = &cl_tsp_link,
	[CL_LINK_DHCPV6] = &cl_dhcp6_link,
};

struct cl_link *cl_link_open(const struct cl_link_params *params)
{
	return kinds[params->config->protocol]->open(params);
}

int cl_link_send(struct cl_link *link, const struct tsp_msg *msg)
{
	return link->kind->send(link, msg);
}

void cl_link_close(struct cl_link *link)
{
	link->kind->close(link);
}

int cl_link_local(const struct cl_link *link, struct in6_addr *addr)
{
	return link->kind->local(link, addr);
}

const struct addr_endpoint *cl_link_peer(const struct cl_link *link)
{
	return link->kind->peer(link);
}

const char *cl_link_tls_name(const struct cl_link *link)
{
	return link->kind->tls_name(link);
}
