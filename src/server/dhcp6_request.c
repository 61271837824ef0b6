// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_request.h"

#include "server/dhcp6_clients.h"

#include <string.h>

struct dhcp6_codes srv_dhcp6_codes_of(const struct srv_dhcp6_config *config)
{
	return (struct dhcp6_codes){
		.ia = (uint16_t)config->codes.ia,
		.tep = (uint16_t)config->codes.tep,
		.ports = (uint16_t)config->codes.ports,
		.client = (uint16_t)config->codes.client,
		.address = (uint16_t)config->codes.address,
		.vendor = config->vendor,
	};
}

static bool names_address(const struct dhcp6_ia *ia)
{
	uint32_t v4;

	for (uint32_t i = 0; i < ia->n_addrs; i++) {
		if (dhcp6_v4_of(&ia->addrs[i].addr, &v4))
			return true;
	}
	return false;
}

static void take_client(struct srv_dhcp6_request *request, const struct dhcp6_dstm *dstm)
{
	if (request->names_client || !dstm->has_client)
		return;
	request->names_client = true;
	request->client_v6 = dstm->client;
}

/* 0-0, and whatever lies below the ports that are leased, asks for a range and names none. */
static void take_ranges(
	struct srv_dhcp6_request *request, const struct port_range *ranges, uint32_t n_ranges)
{
	for (uint32_t i = 0; i < n_ranges && request->n_ranges < LEASE_RANGES_MAX; i++) {
		request->can_share = true;
		if (ranges[i].last != 0)
			request->ranges[request->n_ranges++] = ranges[i];
	}
}

/* The IA that is served: its address and ports, and how long. */
static void take_ia(struct srv_dhcp6_request *request, const struct dhcp6_ia *ia)
{
	take_client(request, &ia->dstm);
	take_ranges(request, ia->dstm.ranges, ia->dstm.n_ranges);
	for (uint32_t i = 0; i < ia->n_addrs && !request->names_v4; i++) {
		const struct dhcp6_addr *addr = &ia->addrs[i];

		if (!dhcp6_v4_of(&addr->addr, &request->v4))
			continue;
		if (request->v4 == 0)
			continue;
		request->names_v4 = true;
		take_ranges(request, addr->ranges, addr->n_ranges);
		if (addr->valid_s != UINT32_MAX)
			request->lifetime_s = addr->valid_s;
	}
	if (!request->names_v4)
		request->n_ranges = 0;
}

static void take_ias(struct srv_dhcp6_request *request, const struct dhcp6_msg *msg)
{
	request->n_ia = msg->n_ia_dstm;
	for (uint32_t i = msg->n_ia_dstm; i-- > 0;) {
		request->ia[i] = msg->ia_dstm[i].iaid;
		if (names_address(&msg->ia_dstm[i]))
			request->main = i;
	}
	if (msg->n_ia_dstm == 0)
		return;
	request->forms |= SRV_DHCP6_FORM_DSTM;
	take_ia(request, &msg->ia_dstm[request->main]);
}

static void take_addresses(struct srv_dhcp6_request *request, const struct dhcp6_msg *msg)
{
	request->n_na = msg->n_ia_na;
	for (uint32_t i = 0; i < msg->n_ia_na; i++) {
		const struct dhcp6_ia *ia = &msg->ia_na[i];
		struct srv_dhcp6_na *na = &request->na[i];

		na->iaid = ia->iaid;
		for (uint32_t j = 0; j < ia->n_addrs && na->n_addrs < 2; j++)
			na->addrs[na->n_addrs++] = ia->addrs[j].addr;
		if (na->n_addrs > 0 && !request->names_na && addr_v6_is_global(&na->addrs[0])) {
			request->names_na = true;
			request->na_v6 = na->addrs[0];
		}
	}
	request->n_pd = msg->n_ia_pd;
	for (uint32_t i = 0; i < msg->n_ia_pd; i++)
		request->pd[i] = msg->ia_pd[i].iaid;
}

/* Who has an IA_DSTM lists our codes for what is in it. */
static void take_option_request(struct srv_dhcp6_request *request, const struct dhcp6_msg *msg,
	const struct srv_dhcp6_config *config)
{
	const struct dhcp6_codes *codes = &request->codes;

	request->wants_refresh = dhcp6_msg_asks(msg, DHCP6_OPTION_INFO_REFRESH);
	request->can_share |= dhcp6_msg_asks(msg, codes->ports);
	if (config->softwire && dhcp6_msg_asks(msg, DHCP6_OPTION_S46_CONT_LW)) {
		request->one_block = request->forms == 0;
		request->forms |= SRV_DHCP6_FORM_SOFTWIRE;
		request->can_share = true;
	}
	if (request->n_ia > 0)
		return;
	request->wants_tep = dhcp6_msg_asks(msg, codes->tep);
	request->wants_ports = dhcp6_msg_asks(msg, codes->ports);
	request->wants_address = dhcp6_msg_asks(msg, codes->address);
	if (request->wants_tep || request->wants_ports || request->wants_address) {
		request->forms |= SRV_DHCP6_FORM_TOP_LEVEL;
		request->one_block = false;
	}
}

static void take_vendor(struct srv_dhcp6_request *request, const struct dhcp6_msg *msg)
{
	const struct dhcp6_vendor *vendor = &msg->vendor;

	if (!vendor->present)
		return;
	request->forms |= SRV_DHCP6_FORM_VENDOR;
	request->one_block = false;
	request->is_vendor_ia = vendor->has_ia;
	request->vendor_iaid = vendor->ia.iaid;
	take_client(request, &vendor->dstm);
	if (request->n_ia == 0 && vendor->has_ia)
		take_ia(request, &vendor->ia);
	request->can_share |= vendor->dstm.n_ranges > 0 || vendor->ia.dstm.n_ranges > 0;
}

void srv_dhcp6_request_read(const struct dhcp6_msg *msg, const struct srv_dhcp6_config *config,
	struct srv_dhcp6_request *request)
{
	memset(request, 0, sizeof(*request));
	request->type = msg->type;
	request->xid = msg->xid;
	request->client = msg->client_id;
	request->codes = srv_dhcp6_codes_of(config);
	request->has_rapid_commit = msg->has_rapid_commit;
	request->accepts_reconfigure = msg->has_reconf_accept;
	take_ias(request, msg);
	take_addresses(request, msg);
	take_client(request, &msg->dstm);
	take_option_request(request, msg, config);
	take_vendor(request, msg);
	if (request->forms & ~(unsigned int)SRV_DHCP6_FORM_TOP_LEVEL || request->wants_address ||
		request->wants_ports)
		request->wants_lease = true;
	else
		request->can_share = true;
}

/* A Request names what it was offered: that if it is free, else any. These name what the client holds. */
static bool names_holding(const struct srv_dhcp6_request *request)
{
	return request->type == DHCP6_RENEW || request->type == DHCP6_REBIND ||
	       request->type == DHCP6_RELEASE || request->type == DHCP6_DECLINE;
}

struct tsp_msg srv_dhcp6_request_ask(const struct srv_dhcp6_request *request,
	enum tsp_action action, const struct in6_addr *tunnel_end, bool shared)
{
	struct tsp_msg msg = {
		.action = action,
		.has_lifetime = request->lifetime_s > 0,
		.lifetime_s = request->lifetime_s < TSP_LIFETIME_MAX_S ? request->lifetime_s
								       : TSP_LIFETIME_MAX_S,
		.client = {.present = true, .has_ports = shared, .n_v6 = 1, .v6 = {*tunnel_end}},
	};

	if (shared && request->one_block)
		msg.client.ports_count = 1;
	if (!request->names_v4)
		return msg;
	if (names_holding(request)) {
		msg.client.has_v4 = true;
		msg.client.v4 = request->v4;
		msg.client.n_ranges = request->n_ranges;
		memcpy(msg.client.ranges, request->ranges, sizeof(msg.client.ranges));
		msg.client.ports_count = 0;
		return msg;
	}
	msg.has_hint = true;
	msg.hint_v4 = request->v4;
	msg.hint = request->n_ranges > 0 ? request->ranges[0] : PORT_RANGE_EXCLUSIVE;
	return msg;
}
