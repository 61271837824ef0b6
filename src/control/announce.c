// SPDX-License-Identifier: BSD-3-Clause
#include "control/announce.h"

#include "common/log.h"

#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>

#define RETRY_MS  5000
#define LO        "lo"
#define V6_BITS   128
#define ITEM_NAME (ADDR_PREFIX_STRLEN + 16)

/* One thing to announce. */
struct item {
	bool is_address; /* a tunnel address; otherwise a pool's route */
	struct addr_v4_prefix pool;
	struct in6_addr v6;
	bool stands;
	bool was_refused; /* and that is in the log */
};

struct tep_announce {
	struct nl_sock *socket;
	uint32_t metric;
	int lo; /* its interface number */
	bool is_wanted;
	int64_t tried_ms;
	uint32_t n_items;
	struct item items[];
};

static const char *item_name(const struct item *item, char text[static ITEM_NAME])
{
	char addr[ADDR_PREFIX_STRLEN];

	if (item->is_address)
		snprintf(text, ITEM_NAME, "%s on " LO, addr_v6_format(&item->v6, addr));
	else
		snprintf(text, ITEM_NAME, "route to %s", addr_v4_prefix_format(&item->pool, addr));
	return text;
}

/* --- requests ------------------------------------------------------------------------------------- */

static struct nl_msg *address_message(
	const struct tep_announce *announce, int type, int flags, const struct in6_addr *v6)
{
	const struct ifaddrmsg header = {
		.ifa_family = AF_INET6,
		.ifa_prefixlen = V6_BITS,
		.ifa_flags = IFA_F_NODAD | IFA_F_PERMANENT,
		.ifa_index = (uint32_t)announce->lo,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (msg == NULL || nlmsg_append(msg, (void *)&header, sizeof(header), NLMSG_ALIGNTO) < 0 ||
		nla_put(msg, IFA_LOCAL, sizeof(*v6), v6) < 0 ||
		nla_put_u32(msg, IFA_RT_PRIORITY, announce->metric) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static struct nl_msg *route_message(
	const struct tep_announce *announce, int type, int flags, const struct addr_v4_prefix *pool)
{
	const struct rtmsg header = {
		.rtm_family = AF_INET,
		.rtm_dst_len = pool->len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = TEP_ANNOUNCE_PROTOCOL,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNREACHABLE,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (msg == NULL || nlmsg_append(msg, (void *)&header, sizeof(header), NLMSG_ALIGNTO) < 0 ||
		nla_put_u32(msg, RTA_DST, htonl(pool->addr)) < 0 ||
		nla_put_u32(msg, RTA_PRIORITY, announce->metric) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* 0 or a negative NLE. The message is consumed. */
static int ask(struct tep_announce *announce, struct nl_msg *msg)
{
	int error;

	if (msg == NULL)
		return -NLE_NOMEM;
	error = nl_send_sync(announce->socket, msg);
	return error < 0 ? error : 0;
}

static int add(struct tep_announce *announce, const struct item *item)
{
	const int flags = NLM_F_CREATE | NLM_F_EXCL;

	return ask(announce, item->is_address
				     ? address_message(announce, RTM_NEWADDR, flags, &item->v6)
				     : route_message(announce, RTM_NEWROUTE, flags, &item->pool));
}

static int remove_address(struct tep_announce *announce, const struct in6_addr *v6)
{
	return ask(announce, address_message(announce, RTM_DELADDR, 0, v6));
}

static int remove_route(struct tep_announce *announce, const struct addr_v4_prefix *pool)
{
	return ask(announce, route_message(announce, RTM_DELROUTE, 0, pool));
}

/* --- what an older process left ------------------------------------------------------------------- */

/* Gathered first: a socket cannot ask while it reads. */
struct left_overs {
	const struct tep_announce *announce;
	struct item *items;
	uint32_t n;
};

static bool keep(struct left_overs *found, const struct item *item)
{
	struct item *items = realloc(found->items, (found->n + 1) * sizeof(*items));

	if (items == NULL)
		return false;
	found->items = items;
	found->items[found->n++] = *item;
	return true;
}

static bool has_our_metric(const struct tep_announce *announce, const struct nlattr *priority)
{
	return priority != NULL && nla_get_u32(priority) == announce->metric;
}

static bool parse_route(
	const struct tep_announce *announce, struct nlmsghdr *nlh, struct item *item)
{
	const struct rtmsg *header = nlmsg_data(nlh);
	struct nlattr *attributes[RTA_MAX + 1];

	if (nlh->nlmsg_type != RTM_NEWROUTE || header->rtm_protocol != TEP_ANNOUNCE_PROTOCOL ||
		header->rtm_type != RTN_UNREACHABLE || header->rtm_table != RT_TABLE_MAIN ||
		nlmsg_parse(nlh, sizeof(*header), attributes, RTA_MAX, NULL) < 0 ||
		!has_our_metric(announce, attributes[RTA_PRIORITY]))
		return false;
	*item = (struct item){.pool = {.len = header->rtm_dst_len}};
	if (attributes[RTA_DST] != NULL)
		item->pool.addr = ntohl(nla_get_u32(attributes[RTA_DST]));
	return true;
}

static bool parse_address(
	const struct tep_announce *announce, struct nlmsghdr *nlh, struct item *item)
{
	const struct ifaddrmsg *header = nlmsg_data(nlh);
	struct nlattr *attributes[IFA_MAX + 1];

	if (nlh->nlmsg_type != RTM_NEWADDR || (int)header->ifa_index != announce->lo ||
		header->ifa_prefixlen != V6_BITS ||
		nlmsg_parse(nlh, sizeof(*header), attributes, IFA_MAX, NULL) < 0 ||
		!has_our_metric(announce, attributes[IFA_RT_PRIORITY]) ||
		attributes[IFA_ADDRESS] == NULL ||
		nla_len(attributes[IFA_ADDRESS]) != sizeof(item->v6))
		return false;
	*item = (struct item){.is_address = true};
	memcpy(&item->v6, nla_data(attributes[IFA_ADDRESS]), sizeof(item->v6));
	return true;
}

static int on_dumped(struct nl_msg *msg, void *arg)
{
	struct left_overs *found = arg;
	struct item item;

	if (parse_route(found->announce, nlmsg_hdr(msg), &item) ||
		parse_address(found->announce, nlmsg_hdr(msg), &item))
		return keep(found, &item) ? NL_OK : NL_STOP;
	return NL_OK;
}

static int dump(struct left_overs *found, int type, void *header, size_t len)
{
	struct nl_sock *socket = found->announce->socket;
	int error = nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, on_dumped, found);

	if (error == 0)
		error = nl_send_simple(socket, type, NLM_F_DUMP, header, len);
	if (error >= 0)
		error = nl_recvmsgs_default(socket);
	nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	return error;
}

static int remove_left_overs(struct tep_announce *announce)
{
	struct rtmsg routes = {.rtm_family = AF_INET};
	struct ifaddrmsg addresses = {.ifa_family = AF_INET6};
	struct left_overs found = {.announce = announce};
	char name[ITEM_NAME];
	int error = dump(&found, RTM_GETROUTE, &routes, sizeof(routes));

	if (error >= 0)
		error = dump(&found, RTM_GETADDR, &addresses, sizeof(addresses));
	for (uint32_t i = 0; i < found.n && error >= 0; i++) {
		const struct item *item = &found.items[i];

		error = item->is_address ? remove_address(announce, &item->v6)
					 : remove_route(announce, &item->pool);
		if (error == 0)
			log_info("announce: %s: a former process left it; removed",
				item_name(item, name));
	}
	free(found.items);
	return error;
}

/* --- announcing ----------------------------------------------------------------------------------- */

static void announce_item(struct tep_announce *announce, struct item *item)
{
	char name[ITEM_NAME];
	int error;

	if (item->stands)
		return;
	error = add(announce, item);
	item->stands = error == 0;
	if (error < 0 && !item->was_refused)
		log_err("announce: %s, metric %u: the kernel refuses: %s", item_name(item, name),
			announce->metric, nl_geterror(error));
	item->was_refused = error < 0;
}

static void withdraw_item(struct tep_announce *announce, struct item *item)
{
	char name[ITEM_NAME];
	int error;

	if (!item->stands)
		return;
	error = item->is_address ? remove_address(announce, &item->v6)
				 : remove_route(announce, &item->pool);
	item->stands = false;
	if (error < 0)
		log_warn("announce: %s: cannot be withdrawn: %s", item_name(item, name),
			nl_geterror(error));
}

void tep_announce_set(struct tep_announce *announce, bool is_wanted, int64_t now_ms)
{
	bool is_new = announce->is_wanted != is_wanted;

	if (!is_new && (!is_wanted || tep_announce_stands(announce) ||
			       now_ms - announce->tried_ms < RETRY_MS))
		return;
	announce->is_wanted = is_wanted;
	announce->tried_ms = now_ms;
	for (uint32_t i = 0; i < announce->n_items; i++) {
		if (is_wanted)
			announce_item(announce, &announce->items[i]);
		else
			withdraw_item(announce, &announce->items[i]);
	}
	if (is_new)
		log_info("announce: %s",
			is_wanted ? "pools and tunnel addresses are announced" : "withdrawn");
}

bool tep_announce_stands(const struct tep_announce *announce)
{
	for (uint32_t i = 0; i < announce->n_items; i++) {
		if (announce->items[i].stands != announce->is_wanted)
			return false;
	}
	return true;
}

static int begin(struct tep_announce *announce)
{
	int error;

	announce->lo = (int)if_nametoindex(LO);
	announce->socket = nl_socket_alloc();
	if (announce->socket == NULL)
		return -NLE_NOMEM;
	error = nl_connect(announce->socket, NETLINK_ROUTE);
	if (error == 0)
		error = remove_left_overs(announce);
	return error < 0 ? error : 0;
}

struct tep_announce *tep_announce_create(const struct tep_announce_params *params)
{
	uint32_t n_items = params->n_pools + params->n_tunnel_v6;
	struct tep_announce *announce = calloc(
		1, sizeof(*announce) + n_items * sizeof(announce->items[0]));
	int error;

	if (announce == NULL)
		return NULL;
	announce->metric = params->metric;
	for (uint32_t i = 0; i < params->n_pools; i++)
		announce->items[announce->n_items++].pool = params->pools[i];
	for (uint32_t i = 0; i < params->n_tunnel_v6; i++)
		announce->items[announce->n_items++] = (struct item){
			.is_address = true, .v6 = params->tunnel_v6[i]};
	error = begin(announce);
	if (error == 0)
		return announce;
	log_err("announce: netlink: %s", nl_geterror(error));
	nl_socket_free(announce->socket);
	free(announce);
	errno = error == -NLE_PERM ? EPERM : EIO;
	return NULL;
}

void tep_announce_destroy(struct tep_announce *announce)
{
	if (announce == NULL)
		return;
	tep_announce_set(announce, false, 0);
	nl_socket_free(announce->socket);
	free(announce);
}
