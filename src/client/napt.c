// SPDX-License-Identifier: BSD-3-Clause
#include "client/napt.h"

#include "common/addr.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Bit of CTA_FILTER_*_FLAGS; the kernel exports the attributes but not the bits. */
#define CT_FILTER_IP_DST (1u << 1)

#define RULESET_MAX 4096 /* less than a pipe holds: written before nft reads */

const char *cl_napt_table(const char *device, char table[static CL_NAPT_TABLE_LEN])
{
	snprintf(table, CL_NAPT_TABLE_LEN, "dstm_%s", device);
	return table;
}

struct text {
	char *buf;
	size_t size;
	size_t len; /* may pass size: then the text was too long */
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
	size_t room = text->len < text->size ? text->size - text->len : 0;
	va_list args;

	va_start(args, format);
	text->len += vsnprintf(room > 0 ? text->buf + text->len : NULL, room, format, args);
	va_end(args);
}

/* Port 0 is in a range of bindings but is no port to send from. */
static unsigned int first_port(struct port_range range)
{
	return range.first > 0 ? range.first : 1;
}

/* "snat to ..." for whatever was matched, by turns into each range. */
static void add_snat(struct text *text, const struct lease *lease)
{
	char v4[ADDR_V4_STRLEN];

	addr_v4_format(lease->v4, v4);
	if (lease->n_ranges == 1) {
		add(text, "snat to %s:%u-%u\n", v4, first_port(lease->ranges[0]),
			lease->ranges[0].last);
		return;
	}
	add(text, "snat to numgen inc mod %u map {", lease->n_ranges);
	for (uint32_t i = 0; i < lease->n_ranges; i++)
		add(text, "%s %u : %s . %u-%u", i > 0 ? "," : "", i, v4,
			first_port(lease->ranges[i]), lease->ranges[i].last);
	add(text, " }\n");
}

static void add_chain(
	struct text *text, const char *device, enum cl_mode mode, const struct lease *lease)
{
	char v4[ADDR_V4_STRLEN];

	add(text, "\tchain postrouting {\n"
		  "\t\ttype nat hook postrouting priority srcnat; policy accept;\n");
	if (lease_is_exclusive(lease)) {
		add(text, "\t\toifname \"%s\" snat to %s\n", device, addr_v4_format(lease->v4, v4));
	} else {
		add(text, "\t\toifname \"%s\" %s ", device,
			mode == CL_MODE_NAPT ? "meta l4proto { tcp, udp, icmp }"
					     : "icmp type echo-request");
		add_snat(text, lease);
	}
	add(text, "\t}\n");
}

int cl_napt_ruleset(
	const char *device, enum cl_mode mode, const struct lease *lease, char *buf, size_t size)
{
	struct text text = {.buf = buf, .size = size};
	char table[CL_NAPT_TABLE_LEN];

	cl_napt_table(device, table);
	/* Adding first makes the removal succeed whether the table was there or not. */
	add(&text, "add table ip %s\ndelete table ip %s\n", table, table);
	if (mode == CL_MODE_NAPT || !lease_is_exclusive(lease)) {
		add(&text, "table ip %s {\n", table);
		add_chain(&text, device, mode, lease);
		add(&text, "}\n");
	}
	return text.len < size ? (int)text.len : -ENOSPC;
}

/* Starts "nft -f -" with the ends of two pipes. Returns 0 or -errno. */
static int spawn_nft(int input, int errors, pid_t *pid)
{
	static const char *const argv[] = {"nft", "-f", "-", NULL};
	posix_spawn_file_actions_t actions;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
	error = posix_spawnp(pid, "nft", &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

/* Logs the first line that nft wrote, if any. */
static void log_complaint(int fd)
{
	char line[512];
	ssize_t n = read(fd, line, sizeof(line) - 1);

	if (n <= 0)
		return;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	log_err("nft: %s", line);
}

static int run_nft(const char *text, size_t len)
{
	int input[2] = {-1, -1}, errors[2] = {-1, -1};
	int status = 0, ret;
	pid_t pid;

	if (pipe2(input, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0) {
		ret = -errno;
		goto out;
	}
	if (write(input[1], text, len) != (ssize_t)len) {
		ret = -EIO;
		goto out;
	}
	ret = spawn_nft(input[0], errors[1], &pid);
	if (ret < 0) {
		log_err("nft: cannot be started: %s", strerror(-ret));
		goto out;
	}
	close(input[1]);
	close(errors[1]);
	input[1] = errors[1] = -1;
	log_complaint(errors[0]);
	/* Its reader gone, a talkative nft ends instead of waiting for us. */
	close(errors[0]);
	errors[0] = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	ret = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
out:
	for (unsigned int i = 0; i < 2; i++) {
		if (input[i] >= 0)
			close(input[i]);
		if (errors[i] >= 0)
			close(errors[i]);
	}
	return ret;
}

int cl_napt_apply(const char *device, enum cl_mode mode, const struct lease *lease)
{
	char text[RULESET_MAX];
	int len = cl_napt_ruleset(device, mode, lease, text, sizeof(text));

	return len < 0 ? len : run_nft(text, len);
}

int cl_napt_remove(const char *device)
{
	char text[128], table[CL_NAPT_TABLE_LEN];
	int len;

	cl_napt_table(device, table);
	len = snprintf(text, sizeof(text), "add table ip %s\ndelete table ip %s\n", table, table);
	return run_nft(text, len);
}

/* A delete of conntrack entries by one field of the reply's tuple: its destination. */
static struct nl_msg *build_flush(uint32_t v4)
{
	struct nl_msg *msg = nlmsg_alloc_simple(
		NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, NLM_F_REQUEST | NLM_F_ACK);
	struct nfgenmsg header = {.nfgen_family = AF_INET, .version = NFNETLINK_V0};
	struct nlattr *tuple, *ip, *filter;

	if (msg == NULL || nlmsg_append(msg, &header, sizeof(header), NLMSG_ALIGNTO) < 0)
		goto fail;
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

int cl_napt_flush(uint32_t v4)
{
	struct nl_sock *sock = nl_socket_alloc();
	struct nl_msg *msg = build_flush(v4);
	int ret = -ENOMEM;

	if (sock == NULL || msg == NULL)
		goto out;
	ret = nl_connect(sock, NETLINK_NETFILTER);
	if (ret == 0)
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
