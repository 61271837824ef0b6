// SPDX-License-Identifier: BSD-3-Clause
/*
 * A hash table with chains, in arrays of their final size: memory is the system's until a place is used. All routes
 * of a prefix are in one chain, in their order.
 */
#include "control/route_table.h"

#include <rte_common.h>

#include <errno.h>
#include <stdlib.h>

struct tep_route_table {
	uint32_t max[2]; /* by family */
	uint32_t count[2];
	uint32_t of_len[2][129]; /* routes by family and length */
	uint32_t last; /* the highest number that was ever in use */
	uint32_t first_free;
	uint32_t bucket_mask;
	uint32_t *buckets;
	struct tep_route_entry *entries; /* from 1; a length of FREE: free */
};

#define FREE UINT8_MAX

static uint32_t is_v6(const struct tep_ip *ip)
{
	return ip->family == AF_INET6;
}

struct tep_route_table *tep_route_table_create(const uint32_t max[2])
{
	struct tep_route_table *table = calloc(1, sizeof(*table));
	uint32_t all = max[0] + max[1];

	if (table == NULL)
		return NULL;
	memcpy(table->max, max, sizeof(table->max));
	table->bucket_mask = rte_align32pow2(all) - 1;
	table->buckets = calloc((size_t)table->bucket_mask + 1, sizeof(*table->buckets));
	table->entries = calloc((size_t)all + 1, sizeof(*table->entries));
	if (table->buckets != NULL && table->entries != NULL)
		return table;
	tep_route_table_destroy(table);
	errno = ENOMEM;
	return NULL;
}

void tep_route_table_destroy(struct tep_route_table *table)
{
	if (table == NULL)
		return;
	free(table->entries);
	free(table->buckets);
	free(table);
}

/* --- prefixes ------------------------------------------------------------------------------------ */

struct addr_v4_prefix tep_prefix_v4(const struct tep_prefix *prefix)
{
	const uint8_t *octets = prefix->ip.octets;

	return (struct addr_v4_prefix){
		.addr = (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 |
			(uint32_t)octets[2] << 8 | octets[3],
		.len = prefix->len,
	};
}

struct addr_v6_prefix tep_prefix_v6(const struct tep_prefix *prefix)
{
	struct addr_v6_prefix six = {.len = prefix->len};

	memcpy(&six.addr, prefix->ip.octets, sizeof(six.addr));
	return six;
}

void tep_prefix_mask(struct tep_prefix *prefix)
{
	for (uint32_t octet = 0; octet < tep_ip_size(&prefix->ip); octet++) {
		uint32_t bits = prefix->len <= octet * 8 ? 0 : RTE_MIN(prefix->len - octet * 8, 8U);

		prefix->ip.octets[octet] &= (uint8_t)(0xff00 >> bits);
	}
}

bool tep_prefix_equal(const struct tep_prefix *a, const struct tep_prefix *b)
{
	return a->len == b->len && tep_ip_equal(&a->ip, &b->ip);
}

bool tep_prefix_contains(const struct tep_prefix *outer, const struct tep_prefix *inner)
{
	struct tep_prefix cut = {.ip = inner->ip, .len = outer->len};

	if (inner->len < outer->len || inner->ip.family != outer->ip.family)
		return false;
	tep_prefix_mask(&cut);
	return tep_ip_equal(&cut.ip, &outer->ip);
}

/* --- chains -------------------------------------------------------------------------------------- */

static uint32_t *bucket_of(const struct tep_route_table *table, const struct tep_prefix *prefix)
{
	uint64_t words[2], hash;

	memcpy(words, prefix->ip.octets, sizeof(words));
	hash = (words[0] + prefix->len) * UINT64_C(0x9e3779b97f4a7c15);
	hash = ((hash ^ hash >> 32) + words[1] + prefix->ip.family) * UINT64_C(0x6a09e667f3bcc909);
	return &table->buckets[(uint32_t)(hash >> 32) & table->bucket_mask];
}

static uint32_t take_number(struct tep_route_table *table)
{
	uint32_t number = table->first_free;

	if (number == 0)
		return ++table->last;
	table->first_free = table->entries[number].next;
	return number;
}

uint32_t tep_route_table_add(
	struct tep_route_table *table, const struct tep_prefix *prefix, bool in_front)
{
	uint32_t six = is_v6(&prefix->ip), number;
	uint32_t *link = bucket_of(table, prefix);

	if (table->count[six] == table->max[six])
		return 0;
	number = take_number(table);
	while (!in_front && *link != 0)
		link = &table->entries[*link].next;
	table->entries[number] = (struct tep_route_entry){.prefix = *prefix, .next = *link};
	*link = number;
	table->count[six]++;
	table->of_len[six][prefix->len]++;
	return number;
}

void tep_route_table_remove(struct tep_route_table *table, uint32_t number)
{
	struct tep_route_entry *entry = &table->entries[number];
	uint32_t six = is_v6(&entry->prefix.ip);
	uint32_t *link = bucket_of(table, &entry->prefix);

	while (*link != number)
		link = &table->entries[*link].next;
	*link = entry->next;
	table->count[six]--;
	table->of_len[six][entry->prefix.len]--;
	*entry = (struct tep_route_entry){.prefix.len = FREE, .next = table->first_free};
	table->first_free = number;
}

struct tep_route_entry *tep_route_table_get(const struct tep_route_table *table, uint32_t number)
{
	struct tep_route_entry *entry = &table->entries[number];

	return number != 0 && entry->prefix.len != FREE ? entry : NULL;
}

uint32_t tep_route_table_last(const struct tep_route_table *table)
{
	return table->last;
}

uint32_t tep_route_table_count(const struct tep_route_table *table, uint8_t family)
{
	return table->count[family == AF_INET6];
}

/* The first from here on that is of the prefix. */
static uint32_t skip_others(
	const struct tep_route_table *table, uint32_t number, const struct tep_prefix *prefix)
{
	while (number != 0 && !tep_prefix_equal(&table->entries[number].prefix, prefix))
		number = table->entries[number].next;
	return number;
}

uint32_t tep_route_table_first(const struct tep_route_table *table, const struct tep_prefix *prefix)
{
	return skip_others(table, *bucket_of(table, prefix), prefix);
}

uint32_t tep_route_table_next(const struct tep_route_table *table, uint32_t number)
{
	const struct tep_route_entry *entry = &table->entries[number];

	return skip_others(table, entry->next, &entry->prefix);
}

static bool is_better(const struct tep_route_entry *a, const struct tep_route_entry *b)
{
	if (a->is_local != b->is_local)
		return a->is_local;
	return a->metric < b->metric;
}

uint32_t tep_route_table_best(const struct tep_route_table *table, const struct tep_prefix *prefix)
{
	uint32_t best = 0;

	for (uint32_t number = tep_route_table_first(table, prefix); number != 0;
		number = tep_route_table_next(table, number)) {
		const struct tep_route_entry *entry = &table->entries[number];

		if (!entry->is_gone && (best == 0 || is_better(entry, &table->entries[best])))
			best = number;
	}
	return best;
}

uint32_t tep_route_table_placed(
	const struct tep_route_table *table, const struct tep_prefix *prefix)
{
	uint32_t number = tep_route_table_first(table, prefix);

	while (number != 0 && !table->entries[number].is_placed)
		number = tep_route_table_next(table, number);
	return number;
}

uint32_t tep_route_table_lookup(const struct tep_route_table *table, const struct tep_ip *ip)
{
	for (int len = (int)tep_ip_size(ip) * 8; len >= 0; len--) {
		struct tep_prefix prefix = {.ip = *ip, .len = (uint8_t)len};
		uint32_t best;

		if (table->of_len[is_v6(ip)][len] == 0)
			continue;
		tep_prefix_mask(&prefix);
		best = tep_route_table_best(table, &prefix);
		if (best != 0)
			return best;
	}
	return 0;
}
