// SPDX-License-Identifier: BSD-3-Clause
#include "client/conntrack.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_cttimeout.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <string.h>

/* Bit of CTA_FILTER_*_FLAGS; the kernel exports the attributes but not the bits. */
#define CT_FILTER_IP_DST (1u << 1)

static struct nl_sock *open_socket(void)
{
	struct nl_sock *sock = nl_socket_alloc();

	if (sock != NULL && nl_connect(sock, NETLINK_NETFILTER) < 0) {
		nl_socket_free(sock);
		return NULL;
	}
	return sock;
}

/* A message with its netfilter header; NULL when there is no memory. */
static struct nl_msg *new_message(int type, int flags, uint8_t family, uint16_t resource)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);
	struct nfgenmsg header = {
		.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource)};

	if (msg != NULL && nlmsg_append(msg, &header, sizeof(header), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* What is to be done with entries chosen by one field of the reply's tuple: its destination. */
static struct nl_msg *build_for(uint32_t v4, int type, int flags)
{
	struct nl_msg *msg = new_message(NFNL_SUBSYS_CTNETLINK << 8 | type, flags, AF_INET, 0);
	struct nlattr *tuple, *ip, *filter;

	if (msg == NULL)
		return NULL;
	tuple = nla_nest_start(msg, CTA_TUPLE_REPLY);
	ip = nla_nest_start(msg, CTA_TUPLE_IP);
	if (tuple == NULL || ip == NULL || nla_put_u32(msg, CTA_IP_V4_DST, htonl(v4)) < 0)
		goto fail;
	nla_nest_end(msg, ip);
	nla_nest_end(msg, tuple);
	filter = nla_nest_start(msg, CTA_FILTER);
	if (filter == NULL || nla_put_u32(msg, CTA_FILTER_ORIG_FLAGS, 0) < 0 ||
		nla_put_u32(msg, CTA_FILTER_REPLY_FLAGS, CT_FILTER_IP_DST) < 0)
		goto fail;
	nla_nest_end(msg, filter);
	return msg;
fail:
	nlmsg_free(msg);
	return NULL;
}

int cl_conntrack_flush(uint32_t v4)
{
	struct nl_sock *sock = open_socket();
	struct nl_msg *msg = build_for(v4, IPCTNL_MSG_CT_DELETE, NLM_F_ACK);
	int ret = -ENOMEM;

	if (sock == NULL || msg == NULL)
		goto out;
	ret = nl_send_auto(sock, msg);
	if (ret >= 0)
		ret = nl_wait_for_ack(sock);
	/* No entry there is what we wanted. */
	ret = ret == 0 || ret == -NLE_OBJ_NOTFOUND ? 0 : -EIO;
out:
	nlmsg_free(msg);
	nl_socket_free(sock);
	return ret;
}

/* Sends a request, which it frees, and hands each message of the answer to take(arg). */
static int dump(struct nl_msg *msg, nl_recvmsg_msg_cb_t take, void *arg)
{
	struct nl_sock *sock = open_socket();
	int ret = -ENOMEM;

	if (sock != NULL && msg != NULL) {
		nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, take, arg);
		ret = nl_send_auto(sock, msg) < 0 || nl_recvmsgs_default(sock) < 0 ? -EIO : 0;
	}
	nlmsg_free(msg);
	nl_socket_free(sock);
	return ret;
}

static int count_entry(struct nl_msg *msg, void *arg)
{
	uint32_t *n = arg;

	(*n)++;
	return NL_OK;
}

int cl_conntrack_count(uint32_t v4, uint32_t *n)
{
	uint32_t count = 0;
	int ret = dump(build_for(v4, IPCTNL_MSG_CT_GET, NLM_F_DUMP), count_entry, &count);

	if (ret == 0)
		*n = count;
	return ret;
}

struct value {
	int attribute; /* 0: the end */
	uint32_t seconds;
};

static const struct {
	const char *name;
	uint8_t protocol;
	struct value values[12];
} timeouts[] = {
	/* RFC 5382 REQ-5: two hours four minutes established, four minutes half open or half closed. */
	{CL_CONNTRACK_TCP, IPPROTO_TCP,
		{{CTA_TIMEOUT_TCP_SYN_SENT, 240}, {CTA_TIMEOUT_TCP_SYN_RECV, 240},
			{CTA_TIMEOUT_TCP_ESTABLISHED, 7440}, {CTA_TIMEOUT_TCP_FIN_WAIT, 240},
			{CTA_TIMEOUT_TCP_CLOSE_WAIT, 240}, {CTA_TIMEOUT_TCP_LAST_ACK, 240},
			{CTA_TIMEOUT_TCP_TIME_WAIT, 240}, {CTA_TIMEOUT_TCP_CLOSE, 10},
			{CTA_TIMEOUT_TCP_SYN_SENT2, 240}, {CTA_TIMEOUT_TCP_RETRANS, 300},
			{CTA_TIMEOUT_TCP_UNACK, 300}}},
	/* RFC 4787 REQ-5: two minutes at least, five recommended. */
	{CL_CONNTRACK_UDP, IPPROTO_UDP,
		{{CTA_TIMEOUT_UDP_UNREPLIED, 120}, {CTA_TIMEOUT_UDP_REPLIED, 300}}},
	/* RFC 5508 REQ-2. */
	{CL_CONNTRACK_ICMP, IPPROTO_ICMP, {{CTA_TIMEOUT_ICMP_TIMEOUT, 60}}},
};

#define TIMEOUTS_N (sizeof(timeouts) / sizeof(timeouts[0]))

static struct nl_msg *build_table(const char *table)
{
	struct nl_msg *msg = new_message(
		NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK, AF_INET, 0);

	if (msg != NULL && nla_put_string(msg, NFTA_TABLE_NAME, table) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* An object that is there already stays as it is. */
static struct nl_msg *build_timeout(const char *table, size_t index)
{
	struct nl_msg *msg = new_message(
		NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWOBJ, NLM_F_CREATE | NLM_F_ACK, AF_INET, 0);
	struct nlattr *data = NULL, *values = NULL;

	if (msg == NULL || nla_put_string(msg, NFTA_OBJ_TABLE, table) < 0 ||
		nla_put_string(msg, NFTA_OBJ_NAME, timeouts[index].name) < 0 ||
		nla_put_u32(msg, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_CT_TIMEOUT)) < 0)
		goto fail;
	data = nla_nest_start(msg, NFTA_OBJ_DATA | NLA_F_NESTED);
	if (data == NULL || nla_put_u16(msg, NFTA_CT_TIMEOUT_L3PROTO, htons(AF_INET)) < 0 ||
		nla_put_u8(msg, NFTA_CT_TIMEOUT_L4PROTO, timeouts[index].protocol) < 0)
		goto fail;
	values = nla_nest_start(msg, NFTA_CT_TIMEOUT_DATA | NLA_F_NESTED);
	if (values == NULL)
		goto fail;
	for (const struct value *v = timeouts[index].values; v->attribute != 0; v++) {
		if (nla_put_u32(msg, v->attribute, htonl(v->seconds)) < 0)
			goto fail;
	}
	nla_nest_end(msg, values);
	nla_nest_end(msg, data);
	return msg;
fail:
	nlmsg_free(msg);
	return NULL;
}

/* The kernel takes nftables' messages only as a batch, in one datagram. Frees the messages. */
static int send_batch(struct nl_sock *sock, struct nl_msg *msgs[], size_t n)
{
	uint8_t batch[2048];
	size_t len = 0;
	bool complete = true;

	for (size_t i = 0; i < n; i++) {
		const struct nlmsghdr *header;

		if (msgs[i] == NULL) {
			complete = false;
			continue;
		}
		nl_complete_msg(sock, msgs[i]);
		header = nlmsg_hdr(msgs[i]);
		if (len + NLMSG_ALIGN(header->nlmsg_len) <= sizeof(batch))
			memcpy(batch + len, header, header->nlmsg_len);
		else
			complete = false;
		len += NLMSG_ALIGN(header->nlmsg_len);
		nlmsg_free(msgs[i]);
	}
	if (!complete)
		return -ENOMEM;
	return nl_sendto(sock, batch, len) < 0 ? -EIO : 0;
}

int cl_conntrack_add_timeouts(const char *table)
{
	struct nl_msg *msgs[TIMEOUTS_N + 3];
	struct nl_sock *sock = open_socket();
	size_t n = 0;
	int ret;

	if (sock == NULL)
		return -ENOMEM;
	msgs[n++] = new_message(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	msgs[n++] = build_table(table);
	for (size_t i = 0; i < TIMEOUTS_N; i++)
		msgs[n++] = build_timeout(table, i);
	msgs[n++] = new_message(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	ret = send_batch(sock, msgs, n);
	for (size_t i = 0; i < TIMEOUTS_N + 1 && ret == 0; i++)
		ret = nl_wait_for_ack(sock) == 0 ? 0 : -EIO;
	nl_socket_free(sock);
	return ret;
}

static int add_failures(struct nl_msg *msg, void *arg)
{
	struct nlattr *attributes[CTA_STATS_MAX + 1];
	uint64_t *failures = arg;

	if (nlmsg_parse(nlmsg_hdr(msg), sizeof(struct nfgenmsg), attributes, CTA_STATS_MAX, NULL) ==
			0 &&
		attributes[CTA_STATS_INSERT_FAILED] != NULL)
		*failures += ntohl(nla_get_u32(attributes[CTA_STATS_INSERT_FAILED]));
	return NL_OK;
}

int cl_conntrack_failures(uint64_t *failures)
{
	uint64_t sum = 0;
	int ret = dump(new_message(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS_CPU,
			       NLM_F_DUMP, AF_UNSPEC, 0),
		add_failures, &sum);

	if (ret == 0)
		*failures = sum;
	return ret;
}
