// SPDX-License-Identifier: BSD-3-Clause
/*
 * The digest of a set of bindings: what server and TEP compare instead of their tables.
 *
 * A binding is one 64-bit number, XXH64 with seed 0 over 44 octets in network order: client address (16), TEP
 * address (16), IPv4 address (4), first port (2), last port (2), stamp (4). The IPv4 address alone chooses one of
 * 4,096 leaves. A leaf is the sum modulo 2^64 of its bindings, so that one that comes or goes is one addition, in
 * whatever order; a node above is the sum of its 16 children. The root is named by no hex digit, its children by one,
 * a leaf by three.
 *
 * Equal sums are no proof. Two different leaves have the same sum with a probability of 2^-64, which is one
 * comparison in 18 million million million: a thousand TEPs compared leaf by leaf every second would meet it once in
 * 140,000 years, and the next binding that comes or goes there would show it. The hash has no key: who may choose
 * bindings freely could make two sets of one sum. He would hide a divergence that he cannot bring about. So a
 * digest decides which leaves are listed, never what is removed.
 */
#pragma once

#include "common/lease.h"

#include <netinet/in.h>
#include <stdint.h>

#define DIGEST_DEPTH  3 /* hex digits of a leaf's name */
#define DIGEST_FANOUT 16
#define DIGEST_LEAVES 4096 /* DIGEST_FANOUT to the power of DIGEST_DEPTH */

struct digest {
	uint64_t leaves[DIGEST_LEAVES];
};

/* The first depth hex digits of a leaf's number; all zero is the root. */
struct digest_node {
	uint8_t depth; /* 0..DIGEST_DEPTH */
	uint16_t number; /* below DIGEST_FANOUT to the power of depth */
};

/* What one binding adds to its leaf. The stamp is that of struct lease. */
uint64_t digest_binding(const struct in6_addr *client_v6, const struct in6_addr *tep_v6,
	uint32_t v4, struct port_range ports, uint32_t stamp);

/* What a lease adds: all its ranges are in one leaf. */
uint64_t digest_lease(const struct lease *lease);

/* Neighbouring addresses are spread: the upper 12 bits of the product. */
static inline uint32_t digest_leaf(uint32_t v4)
{
	return (uint32_t)(v4 * UINT32_C(0x9e3779b1)) >> 20;
}

/* The sums of the node's children. It is no leaf. */
void digest_children(
	const struct digest *digest, struct digest_node node, uint64_t sums[static DIGEST_FANOUT]);

/* The root: the sum of all leaves. */
uint64_t digest_root(const struct digest *digest);

static inline struct digest_node digest_child(struct digest_node node, uint32_t i)
{
	return (struct digest_node){
		.depth = node.depth + 1, .number = (uint16_t)(node.number * DIGEST_FANOUT + i)};
}

/* As it is written: 16 hex digits. */
#define DIGEST_STRLEN sizeof("0123456789abcdef")
const char *digest_format(uint64_t sum, char buf[static DIGEST_STRLEN]);
