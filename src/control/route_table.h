// SPDX-License-Identifier: BSD-3-Clause
/*
 * The kernel's routes by family and prefix. A prefix may have several routes, of which the best is used: the host's own
 * addresses come first, then the lowest metric counts, then the order of the kernel.
 *
 * No netlink, no data plane: who changes the table asks afterwards which route of the prefix is the best, and
 * which one the data plane has (is_placed; at most one of a prefix). Routes are found by number, which stays
 * as long as the route.
 */
#pragma once

#include "common/addr.h"
#include "control/hop.h"

#include <stdbool.h>
#include <stdint.h>

struct tep_route_table;

struct tep_prefix {
	struct tep_ip ip; /* without host bits: tep_prefix_mask */
	uint8_t len;
};

struct tep_route_entry {
	struct tep_prefix prefix;
	bool is_local;
	uint8_t protocol;
	bool is_placed; /* the data plane leads the prefix by `placed_way` for this route */
	bool is_waiting; /* for room in the data plane */
	bool is_gone; /* announced so while all routes are read: what is read of it is older */
	uint8_t reading; /* the last one that knew of it */
	uint8_t told_in; /* the last one during which it was announced; 0: none */
	uint32_t metric;
	uint32_t way; /* ways.h; 0: there was no room */
	uint32_t placed_way;
	uint32_t next; /* the table's own */
};

/* max per family: [0] of IPv4. NULL + errno. */
struct tep_route_table *tep_route_table_create(const uint32_t max[2]);
/* NULL is allowed. */
void tep_route_table_destroy(struct tep_route_table *table);

struct addr_v4_prefix tep_prefix_v4(const struct tep_prefix *prefix);
struct addr_v6_prefix tep_prefix_v6(const struct tep_prefix *prefix);
void tep_prefix_mask(struct tep_prefix *prefix);
bool tep_prefix_equal(const struct tep_prefix *a, const struct tep_prefix *b);
bool tep_prefix_contains(const struct tep_prefix *outer, const struct tep_prefix *inner);

/* A route without a way yet, behind the others of its prefix or before them. Its number; 0: no room. */
uint32_t tep_route_table_add(
	struct tep_route_table *table, const struct tep_prefix *prefix, bool in_front);
void tep_route_table_remove(struct tep_route_table *table, uint32_t number);
struct tep_route_entry *tep_route_table_get(const struct tep_route_table *table, uint32_t number);

/* The routes of a prefix in their order, those that are gone among them: the first, and the one after
 * `number`; 0: there is none. */
uint32_t tep_route_table_first(
	const struct tep_route_table *table, const struct tep_prefix *prefix);
uint32_t tep_route_table_next(const struct tep_route_table *table, uint32_t number);
/* 0: none that is not gone. */
uint32_t tep_route_table_best(const struct tep_route_table *table, const struct tep_prefix *prefix);
uint32_t tep_route_table_placed(
	const struct tep_route_table *table, const struct tep_prefix *prefix);
/* The best route of the longest prefix that has one; 0: none. */
uint32_t tep_route_table_lookup(const struct tep_route_table *table, const struct tep_ip *ip);

/* Every route has a number of 1 to this; tep_route_table_get says NULL of those that are free. */
uint32_t tep_route_table_last(const struct tep_route_table *table);
uint32_t tep_route_table_count(const struct tep_route_table *table, uint8_t family);
