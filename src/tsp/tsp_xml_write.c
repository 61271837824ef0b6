// SPDX-License-Identifier: BSD-3-Clause
/*
 * Writing: struct tsp_msg to octets, in canonical form. Everything that is written is ours: numbers,
 * addresses as inet_ntop prints them, fixed words. Nothing that a peer sent gets here, so there is
 * nothing to escape.
 */
#include "tsp/tsp_xml.h"

#include "common/addr.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define REDIRECTION          1000
#define KEEPALIVE_INTERVAL_S 30

/* Text under construction; full once something did not fit. */
struct text {
	char *buf;
	size_t size;
	size_t len;
	bool full;
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
	size_t room = text->size - text->len;
	va_list args;
	int n;

	if (text->full)
		return;
	va_start(args, format);
	n = vsnprintf(text->buf + text->len, room, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= room)
		text->full = true;
	else
		text->len += n;
}

static void put_v4(struct text *text, uint32_t addr)
{
	char buf[ADDR_V4_STRLEN];

	put(text, "<address type=\"ipv4\" length=\"32\">%s</address>", addr_v4_format(addr, buf));
}

static void put_v6(struct text *text, const struct in6_addr *addr)
{
	char buf[ADDR_V6_STRLEN];

	put(text, "<address type=\"ipv6\">%s</address>", addr_v6_format(addr, buf));
}

static void put_ports(struct text *text, const struct tsp_party *party)
{
	for (uint32_t i = 0; i < party->n_ranges; i++)
		put(text, "<ports start=\"%u\" end=\"%u\"/>", party->ranges[i].first,
			party->ranges[i].last);
	if (party->n_ranges > 0)
		return;
	if (party->ports_count > 0)
		put(text, "<ports count=\"%u\"/>", party->ports_count);
	else if (party->has_ports)
		put(text, "<ports/>");
}

static void put_party(struct text *text, const char *name, const struct tsp_party *party,
	const struct tsp_msg *keepalive)
{
	if (!party->present)
		return;
	put(text, "<%s>", name);
	if (party->has_v4)
		put_v4(text, party->v4);
	for (uint32_t i = 0; i < party->n_v6; i++)
		put_v6(text, &party->v6[i]);
	put_ports(text, party);
	if (keepalive != NULL) {
		put(text, "<keepalive interval=\"%u\">", KEEPALIVE_INTERVAL_S);
		if (keepalive->action == TSP_ACTION_INFO && keepalive->server.has_v4)
			put_v4(text, keepalive->server.v4);
		put(text, "</keepalive>");
	}
	put(text, "</%s>", name);
}

static void put_brokers(struct text *text, const struct tsp_msg *msg)
{
	if (msg->n_brokers == 0)
		return;
	put(text, "<broker>");
	for (uint32_t i = 0; i < msg->n_brokers; i++) {
		if (msg->brokers[i].is_v4)
			put_v4(text, msg->brokers[i].v4);
		else
			put_v6(text, &msg->brokers[i].v6);
	}
	put(text, "</broker>");
}

static void put_tunnel(struct text *text, const struct tsp_msg *msg)
{
	static const char *const actions[] = {
		[TSP_ACTION_CREATE] = "create\" type=\"v4v6",
		[TSP_ACTION_DELETE] = "delete\" type=\"v4v6",
		[TSP_ACTION_INFO] = "info\" type=\"v4v6",
		[TSP_ACTION_QUERY] = "query\" type=\"v4v6",
		[TSP_ACTION_ACCEPT] = "accept",
		[TSP_ACTION_REJECT] = "reject",
		[TSP_ACTION_LIST] = "list\" type=\"broker",
	};
	static const char *const marks[] = {
		[TSP_SYNC_BEGIN] = "list\" type=\"v4v6\" sync=\"begin",
		[TSP_SYNC_END] = "list\" type=\"v4v6\" sync=\"end",
	};
	bool is_mark = msg->action == TSP_ACTION_LIST && msg->sync != TSP_SYNC_NONE;

	put(text, "<tunnel action=\"%s\"", is_mark ? marks[msg->sync] : actions[msg->action]);
	if (msg->has_lifetime)
		put(text, " lifetime=\"%u\"", msg->lifetime_s);
	put(text, ">");
	put_party(text, "server", &msg->server, NULL);
	put_party(text, "client", &msg->client, msg->wants_keepalive ? msg : NULL);
	put_brokers(text, msg);
	put(text, "</tunnel>");
}

/* A refusal that lists other servers is a redirection: the code grows by 1000. */
static unsigned int wire_code(const struct tsp_msg *msg, enum tsp_generation generation)
{
	unsigned int code = tsp_code(msg->status, generation);

	return msg->n_brokers > 0 && msg->status != TSP_STATUS_OK ? code + REDIRECTION : code;
}

int tsp_xml_write(const struct tsp_msg *msg, enum tsp_generation generation, char *buf, size_t size)
{
	struct text text = {.buf = buf, .size = size};

	if (msg->status == TSP_STATUS_NONE && msg->action == TSP_ACTION_NONE)
		return -EINVAL;
	if (msg->status != TSP_STATUS_NONE)
		put(&text, "%u %s\r\n", wire_code(msg, generation), tsp_status_text(msg->status));
	if (msg->action != TSP_ACTION_NONE)
		put_tunnel(&text, msg);
	return text.full ? -ENOSPC : (int)text.len;
}
