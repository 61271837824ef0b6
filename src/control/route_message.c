// SPDX-License-Identifier: BSD-3-Clause
#include "control/route_message.h"

#include <netlink/msg.h>

#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

/* States in which the kernel would send to the link-layer address that it has. */
#define NUD_USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)

#define UNUSABLE_HOP (RTNH_F_DEAD | RTNH_F_LINKDOWN)

static bool get_ip(const struct nlattr *attribute, uint8_t family, struct tep_ip *ip)
{
	*ip = (struct tep_ip){.family = family};
	if (attribute == NULL || nla_len(attribute) != (int)tep_ip_size(ip))
		return false;
	memcpy(ip->octets, nla_data(attribute), tep_ip_size(ip));
	return true;
}

/* RTA_VIA: a gateway of the other family. */
static bool get_via(const struct nlattr *attribute, struct tep_ip *ip)
{
	const struct rtvia *via;

	if (attribute == NULL || nla_len(attribute) < (int)sizeof(*via))
		return false;
	via = nla_data(attribute);
	*ip = (struct tep_ip){.family = (uint8_t)via->rtvia_family};
	if ((ip->family != AF_INET && ip->family != AF_INET6) ||
		nla_len(attribute) != (int)(sizeof(*via) + tep_ip_size(ip)))
		return false;
	memcpy(ip->octets, via->rtvia_addr, tep_ip_size(ip));
	return true;
}

static void add_hop(
	struct tep_route *route, struct nlattr **attributes, uint32_t ifindex, uint32_t weight)
{
	struct tep_route_hop *hop = &route->hops[route->n_hops];

	if (route->n_hops == TEP_HOPS_MAX)
		return;
	*hop = (struct tep_route_hop){.ifindex = ifindex, .weight = weight};
	hop->has_gateway = get_ip(attributes[RTA_GATEWAY], route->dst.family, &hop->gateway) ||
			   get_via(attributes[RTA_VIA], &hop->gateway);
	if (!hop->has_gateway)
		hop->gateway = (struct tep_ip){0};
	route->n_hops++;
}

static void add_multipath(struct tep_route *route, const struct nlattr *multipath)
{
	const struct rtnexthop *hop = nla_data(multipath);
	int left = nla_len(multipath);

	for (; RTNH_OK(hop, left); left -= NLMSG_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
		struct nlattr *attributes[RTA_MAX + 1];

		if ((hop->rtnh_flags & UNUSABLE_HOP) == 0 &&
			nla_parse(attributes, RTA_MAX, (struct nlattr *)RTNH_DATA(hop),
				hop->rtnh_len - (int)sizeof(*hop), NULL) >= 0)
			add_hop(route, attributes, (uint32_t)hop->rtnh_ifindex,
				hop->rtnh_hops + 1U);
	}
}

static void add_hops(
	struct tep_route *route, const struct rtmsg *header, struct nlattr **attributes)
{
	if (attributes[RTA_MULTIPATH] != NULL)
		add_multipath(route, attributes[RTA_MULTIPATH]);
	else if (attributes[RTA_OIF] != NULL && (header->rtm_flags & UNUSABLE_HOP) == 0)
		add_hop(route, attributes, nla_get_u32(attributes[RTA_OIF]), 1);
}

static enum tep_route_kind kind_of(uint8_t type)
{
	/* The subnet-router anycast address (RFC 4291 section 2.6.1) is the router's, too. */
	if (type == RTN_LOCAL || type == RTN_ANYCAST)
		return TEP_ROUTE_LOCAL;
	return type == RTN_UNICAST ? TEP_ROUTE_UNICAST : TEP_ROUTE_NONE;
}

/* IPv4: the first of equal metric, unless told otherwise; IPv6: the last one. */
static enum tep_route_place place_of(const struct nlmsghdr *nlh, uint8_t family)
{
	if ((nlh->nlmsg_flags & NLM_F_MULTI) != 0) /* read, in their order */
		return TEP_ROUTE_BEHIND;
	if ((nlh->nlmsg_flags & NLM_F_REPLACE) != 0)
		return TEP_ROUTE_INSTEAD;
	if (family == AF_INET6 || (nlh->nlmsg_flags & NLM_F_APPEND) != 0)
		return TEP_ROUTE_BEHIND;
	return TEP_ROUTE_IN_FRONT;
}

static bool is_of_interest(const struct rtmsg *header, struct nlattr **attributes)
{
	uint32_t table = attributes[RTA_TABLE] != NULL ? nla_get_u32(attributes[RTA_TABLE])
						       : header->rtm_table;

	return (header->rtm_family == AF_INET || header->rtm_family == AF_INET6) &&
	       (table == RT_TABLE_MAIN || table == RT_TABLE_LOCAL) &&
	       (header->rtm_flags & RTM_F_CLONED) == 0 && header->rtm_tos == 0;
}

bool tep_route_message_parse(struct nlmsghdr *nlh, struct tep_route *route)
{
	struct nlattr *attributes[RTA_MAX + 1];
	const struct rtmsg *header = nlmsg_data(nlh);

	if (nlmsg_parse(nlh, sizeof(*header), attributes, RTA_MAX, NULL) < 0 ||
		!is_of_interest(header, attributes))
		return false;
	route->len = header->rtm_dst_len;
	route->kind = kind_of(header->rtm_type);
	route->place = place_of(nlh, header->rtm_family);
	route->protocol = header->rtm_protocol;
	route->metric = 0;
	route->nexthop_id = 0;
	route->n_hops = 0;
	if (!get_ip(attributes[RTA_DST], header->rtm_family, &route->dst) && route->len != 0)
		return false;
	if (route->len > tep_ip_size(&route->dst) * 8)
		return false;
	if (attributes[RTA_PRIORITY] != NULL)
		route->metric = nla_get_u32(attributes[RTA_PRIORITY]);
	if (attributes[RTA_NH_ID] != NULL)
		route->nexthop_id = nla_get_u32(attributes[RTA_NH_ID]);
	add_hops(route, header, attributes);
	return true;
}

bool tep_route_message_is_bare(struct nlmsghdr *nlh)
{
	struct nlattr *attributes[RTA_MAX + 1];
	const struct rtmsg *header = nlmsg_data(nlh);

	return nlmsg_parse(nlh, sizeof(*header), attributes, RTA_MAX, NULL) >= 0 &&
	       header->rtm_type == RTN_UNICAST && attributes[RTA_NH_ID] != NULL &&
	       attributes[RTA_OIF] == NULL && attributes[RTA_MULTIPATH] == NULL;
}

bool tep_neighbour_message_parse(struct nlmsghdr *nlh, struct tep_neighbour_message *message)
{
	struct nlattr *attributes[NDA_MAX + 1];
	const struct ndmsg *header = nlmsg_data(nlh);

	if (nlmsg_parse(nlh, sizeof(*header), attributes, NDA_MAX, NULL) < 0 ||
		(header->ndm_family != AF_INET && header->ndm_family != AF_INET6) ||
		(header->ndm_flags & NTF_PROXY) != 0)
		return false;
	*message = (struct tep_neighbour_message){
		.ifindex = (uint32_t)header->ndm_ifindex,
		.is_stale = (header->ndm_state & NUD_STALE) != 0,
	};
	if (!get_ip(attributes[NDA_DST], header->ndm_family, &message->ip))
		return false;
	message->has_mac = nlh->nlmsg_type == RTM_NEWNEIGH &&
			   (header->ndm_state & NUD_USABLE) != 0 &&
			   attributes[NDA_LLADDR] != NULL &&
			   nla_len(attributes[NDA_LLADDR]) == RTE_ETHER_ADDR_LEN;
	if (message->has_mac)
		memcpy(&message->mac, nla_data(attributes[NDA_LLADDR]), sizeof(message->mac));
	return true;
}

uint32_t tep_nexthop_message_id(struct nlmsghdr *nlh)
{
	struct nlattr *attributes[NHA_MAX + 1];

	if (nlmsg_parse(nlh, sizeof(struct nhmsg), attributes, NHA_MAX, NULL) < 0 ||
		attributes[NHA_ID] == NULL)
		return 0;
	return nla_get_u32(attributes[NHA_ID]);
}
