// SPDX-License-Identifier: BSD-3-Clause
/*
 * The binding table: (IPv4 address, first..last port) -> (client IPv6, TEP IPv6), with a lease end.
 *
 * One table serves both directions. A 16-8-8 trie over the address finds the address entry: either the one
 * record of an exclusive address, or a page of 64 slots, one per 1,024 ports. A slot is a record, or a
 * sub-page of 1,024 slots where ranges do not fill the block. The 64-octet record is read last; each
 * step is prefetched over the burst.
 *
 * One writer (the control thread), any number of readers (workers), no locks. A reader sees a binding whole
 * or not at all. What the writer takes out is reused only after every registered reader has reported
 * a quiescent state (rte_rcu_qsbr). Ends are seconds of the table's own clock, compared by the reader, so
 * that a lease stops forwarding in time even if the writer is busy (S1).
 */
#pragma once

#include "common/digest.h"
#include "common/port_range.h"

#include <assert.h>
#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_rcu_qsbr.h>
#include <stdbool.h>
#include <stdint.h>

struct dp_bindings;

/* The packed form that workers read. Addresses in the order they have on the wire. */
struct dp_binding {
	struct in6_addr tep_v6; /* outer source towards the client ... */
	struct in6_addr client_v6; /* ... and outer destination: 32 octets as in the IPv6 header */
	rte_be32_t v4_be;
	uint16_t first; /* host order */
	uint16_t last;
	uint32_t end_s; /* table seconds at which it ends; DP_BINDING_ENDLESS never */
	uint32_t serial; /* of the announcement that last named it (re-levelling) */
	union {
		uint32_t mtu_until_s; /* workers' own: until when a smaller mtu_less is not tried
					 again */
		uint32_t dormant_end_s; /* of a dormant one, which has no worker: its end */
	};
	uint32_t stamp; /* the end as its server wrote it down: UTC seconds; 0: not told */
	uint16_t
		mtu_less; /* and how much smaller than the port's the tunnel's MTU is (tunnel_mtu.h) */
	uint16_t mtu_less_fixed; /* the same as configured (mtu_rules.h) */
	uint16_t owner; /* server that announced it, counted from 1; DP_OWNER_LEARNT; 0: none */
	uint8_t is_static;
	uint8_t is_dormant; /* of a life before, not confirmed yet: end_s is 0, so no worker finds it */
} __rte_aligned(64);
static_assert(sizeof(struct dp_binding) == 64);

#define DP_BINDING_ENDLESS UINT32_MAX
#define DP_OWNERS_MAX      16 /* whose bindings are digested: owners 1 to 16 */
#define DP_OWNER_LEARNT    UINT16_MAX /* nobody's: a packet made it of itself */

/* The end of its lease, also while it is dormant. For the writer and what looks through its table. */
static inline uint32_t dp_binding_lease_end_s(const struct dp_binding *binding)
{
	return binding->is_dormant ? binding->dormant_end_s : binding->end_s;
}

struct dp_mtu_rules;

struct dp_bindings_params {
	uint32_t max_bindings; /* 1..2^28: records */
	uint32_t max_readers; /* workers */
	int socket; /* NUMA node, or SOCKET_ID_ANY */
	const struct dp_mtu_rules *mtu_rules; /* for new bindings; borrowed; NULL: none */
};

/* What a worker looks up: an IPv4 address and a port or query identifier. */
struct dp_binding_key {
	uint32_t v4; /* host order */
	uint16_t port; /* host order */
	bool has_port; /* false: only an exclusive binding matches (S37) */
};

struct dp_bindings_usage {
	uint32_t bindings;
	uint32_t exclusive;
	uint32_t addresses;
	uint32_t max_bindings;
	uint64_t bytes; /* all tables counted */
	uint64_t version; /* bindings ever added and removed; a renewal is neither */
	int64_t changed_s; /* when the last one was, since 1970; 0: never */
};

/* NULL + rte_errno. */
struct dp_bindings *dp_bindings_create(const struct dp_bindings_params *params);
void dp_bindings_destroy(struct dp_bindings *table);

/* --- readers: any worker ------------------------------------------------------------------------ */

/* The quiescent state variable: a reader registers its id, goes online, and reports once per loop. */
struct rte_rcu_qsbr *dp_bindings_qsbr(struct dp_bindings *table);

/*
 * Finds n bindings at once (n up to 64); found[i] is NULL where there is none, or where it has ended at
 * now_s. A result is valid until the reader's next quiescent report.
 */
void dp_bindings_lookup_bulk(const struct dp_bindings *table, const struct dp_binding_key *keys,
	uint32_t n, uint32_t now_s, const struct dp_binding **found);

/* An element for each IPv4 prefix of 16 bits; 0: has_v4 is false for all its addresses. */
const uint32_t *dp_bindings_prefixes(const struct dp_bindings *table);

/* Has any port of this address a binding, in force or not swept yet? */
bool dp_bindings_has_v4(const struct dp_bindings *table, uint32_t v4);

/* --- the writer: the control thread only --------------------------------------------------------- */

/*
 * Told of each change by the writer, when workers see it. A binding keeps its number, below dp_bindings_numbers(),
 * until it goes. Either function may be NULL. stands: it was added (dormant, too), renewed or woken.
 */
struct dp_bindings_observer {
	void (*stands)(void *arg, uint32_t number, const struct dp_binding *binding);
	void (*gone)(void *arg, uint32_t number);
	void *arg;
};

#define DP_BINDINGS_OBSERVERS 2

/* Copies the observer, of which there are DP_BINDINGS_OBSERVERS at most; each has an arg of its own. */
void dp_bindings_observe(struct dp_bindings *table, const struct dp_bindings_observer *observer);
/* The observer with this arg is told no more; there need be none. */
void dp_bindings_forget(struct dp_bindings *table, const void *arg);
uint32_t dp_bindings_numbers(const struct dp_bindings *table);

/*
 * Adds a binding (every field but mtu_* is taken). The same range of the same holder again is a
 * renewal: end, stamp, serial, owner and is_static are updated, and a dormant one wakes. A dormant one (is_dormant,
 * with dormant_end_s) stands in the way of others like any binding, but renews nothing. Returns 0; -EEXIST when
 * any of its ports belongs to another range; -ENOSPC when the table is full; -ENOMEM; -EINVAL.
 */
int dp_bindings_add(struct dp_bindings *table, const struct dp_binding *binding);

/* Puts a dormant binding of this table in force until its end; one that is awake stays as it is. */
void dp_bindings_wake(struct dp_bindings *table, const struct dp_binding *binding);

/* Removes exactly this range. Returns 0, or -ENOENT. Readers stop finding it at once. */
int dp_bindings_remove(struct dp_bindings *table, uint32_t v4, struct port_range ports);

/* The binding that holds the port now, or NULL; for the writer's own use and for dstmctl. */
const struct dp_binding *dp_bindings_find(
	const struct dp_bindings *table, uint32_t v4, uint16_t port);

/* Calls visit for up to limit records from *cursor on (0: from the start), and moves *cursor on. Returns
 * false when the end was reached. visit may remove the binding that it is given. */
bool dp_bindings_walk(struct dp_bindings *table, uint32_t *cursor, uint32_t limit,
	void (*visit)(void *arg, const struct dp_binding *binding), void *arg);

/* Removes up to limit bindings that had ended at now_s, from where the last call stopped; gives freed
 * memory back once readers have moved on. Returns how many were removed. */
uint32_t dp_bindings_sweep(struct dp_bindings *table, uint32_t now_s, uint32_t limit);

/* The digest of all bindings of an owner (1..DP_OWNERS_MAX) but static ones; dormant ones count. */
const struct digest *dp_bindings_digest(const struct dp_bindings *table, uint16_t owner);

void dp_bindings_usage(const struct dp_bindings *table, struct dp_bindings_usage *usage);
