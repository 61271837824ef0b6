// SPDX-License-Identifier: BSD-3-Clause
#include "client/napt.h"

#include "client/conntrack.h"
#include "client/nft.h"
#include "common/addr.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* Of the hash that spreads sources over ranges: any constant, so that new rules choose like old ones. */
#define HASH_SEED 0x6473746du

const char *cl_napt_table(const char *device, char table[static CL_NAPT_TABLE_LEN])
{
	snprintf(table, CL_NAPT_TABLE_LEN, "dstm_%s", device);
	return table;
}

/* The transaction as it is written, and what it is about. */
struct text {
	const struct cl_napt *napt;
	const struct lease *lease;
	char v4[ADDR_V4_STRLEN]; /* of the lease */
	uint16_t forwarded[CL_FORWARDS_MAX]; /* the lease's port of each forward, 0: none */
	uint32_t n_usable;
	struct port_range usable[CL_USABLE_MAX];
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

static void begin_chain(struct text *text, const char *name, const char *type, const char *hook,
	const char *priority)
{
	add(text, "\tchain %s {\n\t\ttype %s hook %s priority %s; policy accept;\n", name, type,
		hook, priority);
}

static void end_chain(struct text *text)
{
	add(text, "\t}\n");
}

/* Which range a source is for, by the hash of its address and a field, weighed by size: "map" or "vmap". */
static void add_hash(struct text *text, const char *field, bool is_verdict)
{
	uint32_t total = 0, begin = 0;

	for (uint32_t i = 0; i < text->n_usable; i++)
		total += port_range_size(text->usable[i]);
	add(text, "jhash ip saddr . %s mod %u seed 0x%x %s {", field, total, HASH_SEED,
		is_verdict ? "vmap" : "map");
	for (uint32_t i = 0; i < text->n_usable; i++) {
		struct port_range range = text->usable[i];
		uint32_t end = begin + port_range_size(range);

		add(text, "%s %u-%u : ", i > 0 ? "," : "", begin, end - 1);
		if (is_verdict)
			add(text, "goto from_%u", range.first);
		else
			add(text, "%s . %u-%u", text->v4, range.first, range.last);
		begin = end;
	}
	add(text, " }\n");
}

/* Translates into the range, unless it has no port left towards this destination. */
static void add_take(struct text *text, struct port_range range)
{
	add(text,
		"\t\tmeta l4proto { tcp, udp } add @ports_%u_%u "
		"{ ip daddr . meta l4proto . th dport ct count %u } snat to %s:%u-%u\n",
		range.first, range.last, port_range_size(range), text->v4, range.first, range.last);
}

/*
 * The chains of the ranges: a source's own range first, then any that has room, and at last its own again, which
 * the kernel may refuse. A set for each range counts its flows by destination, and lives on when the table is filled
 * anew.
 */
static void add_ranges(struct text *text)
{
	for (uint32_t i = 0; i < text->n_usable; i++)
		add(text,
			"\tset ports_%u_%u {\n\t\ttype ipv4_addr . inet_proto . inet_service; "
			"size 65535; flags dynamic;\n\t}\n",
			text->usable[i].first, text->usable[i].last);
	add(text, "\tchain last {\n\t\tmeta l4proto { tcp, udp } snat to ");
	add_hash(text, "th sport", false);
	add(text, "\t\tmeta l4proto icmp snat to ");
	add_hash(text, "@th,32,16", false); /* the identifier of a query */
	add(text, "\t}\n\tchain any {\n");
	for (uint32_t i = 0; i < text->n_usable; i++)
		add_take(text, text->usable[i]);
	add(text, "\t\tgoto last\n\t}\n");
	for (uint32_t i = 0; i < text->n_usable; i++) {
		add(text, "\tchain from_%u {\n", text->usable[i].first);
		add_take(text, text->usable[i]);
		add(text, "\t\tgoto any\n\t}\n");
	}
}

/* Source NAT of whatever is sent here. */
static void add_spread(struct text *text)
{
	bool is_exclusive = lease_is_exclusive(text->lease);

	if (!is_exclusive)
		add_ranges(text);
	add(text, "\tchain spread {\n");
	if (is_exclusive) {
		add(text, "\t\tsnat to %s\n", text->v4);
	} else {
		add(text, "\t\tmeta l4proto { tcp, udp } ");
		add_hash(text, "th sport", true);
		add(text, "\t\tgoto last\n");
	}
	end_chain(text);
}

/* Where a forward leads when it leads to this host. */
static uint32_t target(const struct text *text, const struct cl_forward *forward)
{
	if (forward->to_v4 != 0)
		return forward->to_v4;
	return text->napt->mode == CL_MODE_HOST ? text->lease->v4 : text->napt->inner_v4;
}

/* What a forward's target sends of its own accord leaves from the forward's port as well. */
static void add_static_snat(struct text *text)
{
	const struct cl_napt *napt = text->napt;
	char v4[ADDR_V4_STRLEN];

	for (uint32_t i = 0; i < napt->n_forwards; i++) {
		const struct cl_forward *forward = &napt->forwards[i];

		if (text->forwarded[i] != 0)
			add(text, "\t\toifname \"%s\" ip saddr %s %s sport %u snat to %s:%u\n",
				napt->device, addr_v4_format(target(text, forward), v4),
				cl_protocol_names[forward->protocol], forward->to_port, text->v4,
				text->forwarded[i]);
	}
}

/*
 * Mode host: sockets from before the lease send from inner_v4, or, when they have no address of their own, from the
 * lease's, but from their old port; and identifiers of echo requests are the kernel's choice.
 */
static void add_host_sources(struct text *text)
{
	const struct cl_napt *napt = text->napt;
	const struct lease *lease = text->lease;
	char inner[ADDR_V4_STRLEN];

	if (napt->has_before)
		add(text, "\t\toifname \"%s\" ip saddr %s goto spread\n", napt->device,
			addr_v4_format(napt->inner_v4, inner));
	if (lease_is_exclusive(lease))
		return;
	if (napt->has_before) {
		add(text, "\t\toifname \"%s\" meta l4proto { tcp, udp } th sport != {",
			napt->device);
		for (uint32_t i = 0; i < lease->n_ranges; i++)
			add(text, "%s %u-%u", i > 0 ? "," : "", lease->ranges[i].first,
				lease->ranges[i].last);
		add(text, " } goto spread\n");
	}
	add(text, "\t\toifname \"%s\" icmp type echo-request goto spread\n", napt->device);
}

static void add_sources(struct text *text)
{
	add_spread(text);
	begin_chain(text, "sources", "nat", "postrouting", "srcnat");
	if (text->napt->mode == CL_MODE_NAPT) {
		add_static_snat(text);
		add(text, "\t\toifname \"%s\" goto spread\n", text->napt->device);
	} else {
		add_host_sources(text);
	}
	end_chain(text);
}

static void add_forwards(struct text *text)
{
	const struct cl_napt *napt = text->napt;
	char v4[ADDR_V4_STRLEN];

	begin_chain(text, "forwards", "nat", "prerouting", "dstnat");
	for (uint32_t i = 0; i < napt->n_forwards; i++) {
		const struct cl_forward *forward = &napt->forwards[i];

		if (text->forwarded[i] != 0)
			add(text, "\t\tiifname \"%s\" ip daddr %s %s dport %u dnat to %s:%u\n",
				napt->device, text->v4, cl_protocol_names[forward->protocol],
				text->forwarded[i], addr_v4_format(target(text, forward), v4),
				forward->to_port);
	}
	end_chain(text);
}

/* Behind the translation, where only what matched nothing still bears our address. */
static void add_strangers(struct text *text)
{
	begin_chain(text, "strangers", "filter", "prerouting", "dstnat + 10");
	add(text, "\t\tiifname \"%s\" ip daddr %s counter drop\n", text->napt->device, text->v4);
	end_chain(text);
}

/* For new flows, before the kernel has put them into its table; all other packets pass one rule. */
static void add_timeouts(struct text *text)
{
	static const struct {
		const char *protocol, *object;
	} rows[] = {
		{"tcp", CL_CONNTRACK_TCP},
		{"udp", CL_CONNTRACK_UDP},
		{"icmp", CL_CONNTRACK_ICMP},
	};
	const char *device = text->napt->device;

	add(text, "\tchain times {\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		add(text, "\t\tmeta l4proto %s ct timeout set \"%s\"\n", rows[i].protocol,
			rows[i].object);
	end_chain(text);
	begin_chain(text, "times_in", "filter", "prerouting", "mangle");
	add(text, "\t\tiifname \"%s\" ct state new jump times\n", device);
	end_chain(text);
	begin_chain(text, "times_out", "filter", "postrouting", "mangle");
	add(text, "\t\toifname \"%s\" ct state new jump times\n", device);
	end_chain(text);
}

/* The smaller of both directions' MTU is what the kernel takes for "rt mtu" (R63). */
static void add_mss(struct text *text)
{
	static const char *const directions[] = {"iifname", "oifname"};

	begin_chain(text, "mss", "filter", "forward", "mangle");
	for (size_t i = 0; i < 2; i++)
		add(text,
			"\t\t%s \"%s\" tcp flags syn / syn,rst tcp option maxseg size set rt mtu\n",
			directions[i], text->napt->device);
	end_chain(text);
}

static void add_lease(struct text *text)
{
	add_sources(text);
	add_forwards(text);
	if (text->napt->mode != CL_MODE_NAPT)
		return;
	add_strangers(text);
	add_timeouts(text);
	add_mss(text);
}

static const char *const hold_chains[] = {"hold_out", "hold_forward"};

/* Of this host's own packets the kernel knows the way in the output hook, of others' it can be asked. */
static void add_hold(struct text *text)
{
	const char *device = text->napt->device;

	begin_chain(text, hold_chains[0], "filter", "output", "raw");
	add(text, "\t\toifname \"%s\" notrack\n", device);
	end_chain(text);
	begin_chain(text, hold_chains[1], "filter", "prerouting", "raw");
	add(text, "\t\tiifname != \"%s\" fib daddr oifname \"%s\" notrack\n", device, device);
	end_chain(text);
}

int cl_napt_ruleset(const struct cl_napt *napt, const struct lease *lease, char *buf, size_t size)
{
	struct text text = {.napt = napt, .lease = lease, .buf = buf, .size = size};
	char table[CL_NAPT_TABLE_LEN];

	cl_napt_table(napt->device, table);
	add(&text, "add table ip %s\nflush table ip %s\n", table, table);
	/* Adding first makes a removal succeed whether it was there or not. */
	for (size_t i = 0; i < sizeof(hold_chains) / sizeof(hold_chains[0]) && lease != NULL; i++)
		add(&text, "add chain ip %s %s\ndelete chain ip %s %s\n", table, hold_chains[i],
			table, hold_chains[i]);
	add(&text, "table ip %s {\n", table);
	if (lease != NULL) {
		addr_v4_format(lease->v4, text.v4);
		cl_forward_assign(napt->forwards, napt->n_forwards, lease, text.forwarded);
		text.n_usable = cl_forward_leave(lease, text.forwarded, text.usable);
		add_lease(&text);
	} else {
		add_hold(&text);
	}
	add(&text, "}\n");
	return text.len < size ? (int)text.len : -ENOSPC;
}

int cl_napt_apply(const struct cl_napt *napt, const struct lease *lease)
{
	char text[CL_NFT_TEXT_MAX], table[CL_NAPT_TABLE_LEN];
	int len = cl_napt_ruleset(napt, lease, text, sizeof(text));
	int ret = len;

	if (ret >= 0)
		ret = cl_conntrack_add_timeouts(cl_napt_table(napt->device, table));
	return ret < 0 ? ret : cl_nft_run(text, len);
}

int cl_napt_remove(const char *device)
{
	char text[128], table[CL_NAPT_TABLE_LEN];
	int len;

	cl_napt_table(device, table);
	len = snprintf(text, sizeof(text), "add table ip %s\ndelete table ip %s\n", table, table);
	return cl_nft_run(text, len);
}
