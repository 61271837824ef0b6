// SPDX-License-Identifier: BSD-3-Clause
/*
 * Writing: struct tsp_msg to octets, in canonical form. Everything that is written is ours: numbers,
 * addresses as inet_ntop prints them, fixed words. Nothing that a peer sent gets here, so there is
 * nothing to escape.
 */
#include "tsp/tsp_xml.h"

#include "common/addr.h"

#include <errno.h>
#include <string.h>

#define REDIRECTION          1000
#define KEEPALIVE_INTERVAL_S 30

/* Text under construction; full once something did not fit. */
struct text {
	char *buf;
	size_t size;
	size_t len;
	bool full;
};

static void put(struct text *text, const char *words)
{
	size_t len = strlen(words);

	if (len >= text->size - text->len)
		text->full = true;
	if (text->full)
		return;
	memcpy(text->buf + text->len, words, len + 1);
	text->len += len;
}

static void put_number(struct text *text, uint32_t number)
{
	char digits[sizeof("4294967295")];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do
		digits[--at] = '0' + number % 10;
	while ((number /= 10) != 0);
	put(text, digits + at);
}

static void put_prefix(struct text *text, const struct addr_v4_prefix *prefix)
{
	char buf[ADDR_V4_STRLEN];

	put(text, "<address type=\"ipv4\" length=\"");
	put_number(text, prefix->len);
	put(text, "\">");
	put(text, addr_v4_format(prefix->addr, buf));
	put(text, "</address>");
}

static void put_v4(struct text *text, uint32_t addr)
{
	put_prefix(text, &(struct addr_v4_prefix){.addr = addr, .len = 32});
}

static void put_v6(struct text *text, const struct in6_addr *addr)
{
	char buf[ADDR_V6_STRLEN];

	put(text, "<address type=\"ipv6\">");
	put(text, addr_v6_format(addr, buf));
	put(text, "</address>");
}

static void put_range(struct text *text, struct port_range range)
{
	put(text, "<ports start=\"");
	put_number(text, range.first);
	put(text, "\" end=\"");
	put_number(text, range.last);
	put(text, "\"/>");
}

/* A number beside ranges is one of more ports (R58). */
static void put_ports(struct text *text, const struct tsp_party *party)
{
	for (uint32_t i = 0; i < party->n_ranges; i++)
		put_range(text, party->ranges[i]);
	if (party->ports_count > 0) {
		put(text, "<ports count=\"");
		put_number(text, party->ports_count);
		put(text, "\"/>");
	} else if (party->has_ports && party->n_ranges == 0) {
		put(text, "<ports/>");
	}
}

static void put_keepalive(struct text *text, const struct tsp_msg *msg)
{
	put(text, "<keepalive interval=\"");
	put_number(text, KEEPALIVE_INTERVAL_S);
	put(text, "\">");
	if (msg->action == TSP_ACTION_INFO && msg->server.has_v4)
		put_v4(text, msg->server.v4);
	put(text, "</keepalive>");
}

static void put_party(struct text *text, const char *name, const struct tsp_party *party,
	const struct tsp_msg *keepalive)
{
	if (!party->present)
		return;
	put(text, "<");
	put(text, name);
	put(text, ">");
	if (party->has_v4)
		put_v4(text, party->v4);
	for (uint32_t i = 0; i < party->n_v6; i++)
		put_v6(text, &party->v6[i]);
	put_ports(text, party);
	if (keepalive != NULL)
		put_keepalive(text, keepalive);
	put(text, "</");
	put(text, name);
	put(text, ">");
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

static void put_prefixes(struct text *text, const struct tsp_msg *msg)
{
	if (msg->n_prefixes == 0)
		return;
	put(text, "<direct>");
	for (uint32_t i = 0; i < msg->n_prefixes; i++)
		put_prefix(text, &msg->prefixes[i]);
	put(text, "</direct>");
}

static void put_hex(struct text *text, uint64_t value, uint32_t n_digits)
{
	char digits[DIGEST_STRLEN];

	put(text, digest_format(value, digits) + DIGEST_STRLEN - 1 - n_digits);
}

static void put_digests(struct text *text, const struct tsp_msg *msg)
{
	if (msg->node.depth > 0) {
		put(text, "\" node=\"");
		put_hex(text, msg->node.number, msg->node.depth);
	}
	if (msg->n_digests > 0)
		put(text, "\" digest=\"");
	for (uint32_t i = 0; i < msg->n_digests; i++)
		put_hex(text, msg->digests[i], DIGEST_STRLEN - 1);
	if (msg->has_differs) {
		put(text, "\" differs=\"");
		put_number(text, msg->differs_s);
	}
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
		[TSP_SYNC_DIGEST] = "list\" type=\"v4v6\" sync=\"digest",
		[TSP_SYNC_LEVEL] = "list\" type=\"v4v6\" sync=\"level",
	};
	bool is_mark = msg->action == TSP_ACTION_LIST && msg->sync != TSP_SYNC_NONE;

	put(text, "<tunnel action=\"");
	put(text, is_mark ? marks[msg->sync] : actions[msg->action]);
	if (msg->has_lifetime) {
		put(text, "\" lifetime=\"");
		put_number(text, msg->lifetime_s);
	}
	if (msg->until_s != 0) {
		put(text, "\" until=\"");
		put_number(text, msg->until_s);
	}
	put_digests(text, msg);
	put(text, "\">");
	put_party(text, "server", &msg->server, NULL);
	put_party(text, "client", &msg->client, msg->wants_keepalive ? msg : NULL);
	put_brokers(text, msg);
	put_prefixes(text, msg);
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
	if (msg->status != TSP_STATUS_NONE) {
		put_number(&text, wire_code(msg, generation));
		put(&text, " ");
		put(&text, tsp_status_text(msg->status));
		put(&text, "\r\n");
	}
	if (msg->action != TSP_ACTION_NONE)
		put_tunnel(&text, msg);
	return text.full ? -ENOSPC : (int)text.len;
}
