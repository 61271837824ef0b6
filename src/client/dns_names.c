// SPDX-License-Identifier: BSD-3-Clause
#include "client/dns_names.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Addresses of the type asked for, behind whatever aliases. -1: the reply does not parse. */
static int count_addresses(ns_msg *msg, ns_type type)
{
	unsigned int size = type == ns_t_a ? NS_INADDRSZ : NS_IN6ADDRSZ;
	int n = 0;

	for (int i = 0; i < ns_msg_count(*msg, ns_s_an); i++) {
		ns_rr rr;

		if (ns_parserr(msg, ns_s_an, i, &rr) < 0)
			return -1;
		n += ns_rr_class(rr) == ns_c_in && ns_rr_type(rr) == type &&
		     ns_rr_rdlen(rr) == size;
	}
	return n;
}

/* The entry of the name, or the one that it may have: a free one, else the oldest. */
static struct cl_dns_name *find(struct cl_dns_names *names, const char *name, int64_t now_ms)
{
	struct cl_dns_name *best = &names->items[0];

	for (size_t i = 0; i < CL_DNS_NAMES_MAX; i++) {
		struct cl_dns_name *item = &names->items[i];

		if (item->name[0] != '\0' && item->since_ms + CL_DNS_AGE_MS < now_ms)
			item->name[0] = '\0';
		if (item->name[0] != '\0' && strcasecmp(item->name, name) == 0)
			return item;
		if (best->name[0] != '\0' &&
			(item->name[0] == '\0' || item->since_ms < best->since_ms))
			best = item;
	}
	memset(best, 0, sizeof(*best));
	snprintf(best->name, sizeof(best->name), "%s", name);
	best->since_ms = now_ms;
	return best;
}

/* A reply with one question, for addresses. Returns how many it has, or -1. */
static int read_reply(ns_msg *msg, ns_rr *question)
{
	int n;

	if (!ns_msg_getflag(*msg, ns_f_qr) || ns_msg_getflag(*msg, ns_f_opcode) != ns_o_query ||
		ns_msg_count(*msg, ns_s_qd) != 1 || ns_parserr(msg, ns_s_qd, 0, question) < 0 ||
		ns_rr_class(*question) != ns_c_in || ns_rr_name(*question)[0] == '\0' ||
		(ns_rr_type(*question) != ns_t_a && ns_rr_type(*question) != ns_t_aaaa))
		return -1;
	n = count_addresses(msg, ns_rr_type(*question));
	/* To the one who asks, an error about AAAA is no address either. */
	return n > 0 && ns_msg_getflag(*msg, ns_f_rcode) != ns_r_noerror ? -1 : n;
}

bool cl_dns_names_read(struct cl_dns_names *names, const uint8_t *reply, size_t len, int64_t now_ms)
{
	struct cl_dns_name *item;
	ns_rr question;
	ns_msg msg;
	int n;

	if (len > INT_MAX || ns_initparse(reply, (int)len, &msg) < 0)
		return false;
	n = read_reply(&msg, &question);
	if (n < 0)
		return false;
	item = find(names, ns_rr_name(question), now_ms);
	if (ns_rr_type(question) == ns_t_a)
		item->has_v4 = n > 0;
	else
		item->lacks_v6 = n == 0;
	if (!item->has_v4 || !item->lacks_v6)
		return false;
	item->name[0] = '\0';
	return true;
}
