// SPDX-License-Identifier: BSD-3-Clause
/*
 * Who holds what until when: every lease of the server, in memory.
 *
 * A lease goes PENDING (its range is taken, its TEP has not answered) -> ACTIVE -> RESTING (ended; the
 * range is in quarantine, S24) -> FORMER (the range is free again, the record remembers who had it,
 * S23) and disappears when somebody else gets the range. It belongs to the pair of client IPv6 address
 * and authenticated user: another user at the same address holds leases of its own.
 *
 * Found by client and by (IPv4 address, port) in O(1), by time in O(log n), and walked by slot: a
 * lease keeps its slot for life, so a walk may pause while leases come and go and still meets each one
 * that was there all the time. About 290 octets a lease.
 *
 * No sockets, no clock, one thread. Times are clock_boot_ms().
 */
#pragma once

#include "common/digest.h"
#include "common/lease.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define SRV_LEASE_NEVER INT64_MAX /* a due time that does not come */
#define SRV_TEP_NONE    UINT16_MAX
#define SRV_COPIES_MAX  64U /* TEPs that may have copies: those with a number below this */
#define SRV_POOL_NONE   UINT16_MAX

enum srv_lease_state {
	SRV_LEASE_PENDING,
	SRV_LEASE_ACTIVE,
	SRV_LEASE_RESTING,
	SRV_LEASE_FORMER,
	SRV_LEASE_STATES,
};

struct srv_job;
struct srv_lease_port;
struct srv_session;

struct srv_lease {
	/* Client and address never change; ranges by srv_lease_db_set_ranges, the rest, once it is active, by
	 * srv_lease_db_set_value. */
	struct lease lease;
	enum srv_lease_state state; /* changed by srv_lease_db_set_state */
	bool unconfirmed; /* a generation 2 client has not accepted it yet */
	bool is_known; /* its client asks about others, and they may ask about it (R16) */
	uint16_t pool; /* number of the pool that has its range, or SRV_POOL_NONE */
	uint16_t tep; /* number of the TEP that it goes through, its home, or SRV_TEP_NONE */
	uint32_t
		stray_s; /* boot clock: until then another TEP, out of reach, may have it; 0: none */
	uint64_t copies; /* bit mask of other TEPs that hold it, too; by srv_lease_db_set_copies */
	uint64_t id; /* for life, also in the store; 1 and up */
	int64_t due_ms; /* when something has to happen; changed by srv_lease_db_set_due */
	const char *user; /* "" for ANONYMOUS */
	struct srv_job *job; /* what is being done with it, or NULL */
	struct srv_session *session; /* who shall hear of its end, or NULL */
	LIST_ENTRY(srv_lease) of_session;

	/* lease_db's own */
	struct srv_lease *next_in_bucket;
	struct srv_lease_port *ports; /* [lease.n_ranges] */
	uint64_t digest; /* while it is active: what it adds to the digests of its TEPs */
	uint32_t heap_at;
	uint32_t slot;
};

/* The TEP's bit in a mask; none for a TEP whose number is too high for copies. */
static inline uint64_t srv_tep_bit(uint32_t tep)
{
	return tep < SRV_COPIES_MAX ? UINT64_C(1) << tep : 0;
}

/* The lowest and the highest TEP of a mask that is not empty. */
static inline uint32_t srv_tep_first(uint64_t mask)
{
	return __builtin_ctzll(mask);
}

static inline uint32_t srv_tep_last(uint64_t mask)
{
	return 63 - __builtin_clzll(mask);
}

/* True when the TEP is to hold the lease: its home, or one with a copy. */
static inline bool srv_lease_is_at(const struct srv_lease *lease, uint32_t tep)
{
	return lease->tep == tep || (lease->copies & srv_tep_bit(tep)) != 0;
}

struct srv_lease_db;

struct srv_lease_db *srv_lease_db_create(void);
void srv_lease_db_destroy(struct srv_lease_db *db);

/* Hears of every lease that begins or ceases to be held, which is to be pending or active. */
typedef void (*srv_lease_held_fn)(void *arg, const struct srv_lease *lease, bool is_held);
void srv_lease_db_watch(struct srv_lease_db *db, srv_lease_held_fn held, void *arg);
/* PENDING or ACTIVE. */
bool srv_lease_is_held(const struct srv_lease *lease);

/*
 * Adds a lease that is due never and goes through no TEP. id 0 gives it the next one; a higher id than any before (from the store)
 * moves the counter. user is copied. NULL + errno ENOMEM.
 */
struct srv_lease *srv_lease_db_add(struct srv_lease_db *db, const struct lease *lease,
	enum srv_lease_state state, const char *user, uint32_t pool, uint64_t id);
/* No lease gets an id up to this one. */
void srv_lease_db_skip_id(struct srv_lease_db *db, uint64_t id);
/* The highest one so far. */
uint64_t srv_lease_db_last_id(const struct srv_lease_db *db);
/*
 * Gives a lease the ranges of value. It may move: what is returned is the lease from now on, and the old pointer
 * is no good. NULL + errno ENOMEM, and nothing has changed; never for a part of the ranges that it has. In no
 * session's list meanwhile.
 */
struct srv_lease *srv_lease_db_set_ranges(
	struct srv_lease_db *db, struct srv_lease *lease, const struct lease *value);
/* Frees it; whoever had it in a list of a session has taken it out. */
void srv_lease_db_remove(struct srv_lease_db *db, struct srv_lease *lease);

void srv_lease_db_set_state(
	struct srv_lease_db *db, struct srv_lease *lease, enum srv_lease_state state);
/* The end, the stamp and the TEP's address of value; client, address and ranges are the lease's. */
void srv_lease_db_set_value(
	struct srv_lease_db *db, struct srv_lease *lease, const struct lease *value);
/* SRV_TEP_NONE: through none. */
void srv_lease_db_set_tep(struct srv_lease_db *db, struct srv_lease *lease, uint16_t tep);
/* Which TEPs hold it besides its home; srv_tep_bit of each. */
void srv_lease_db_set_copies(struct srv_lease_db *db, struct srv_lease *lease, uint64_t copies);
void srv_lease_db_set_due(struct srv_lease_db *db, struct srv_lease *lease, int64_t due_ms);
/* Calls visit for every lease that is due until then. */
void srv_lease_db_visit_due(const struct srv_lease_db *db, int64_t until_ms,
	void (*visit)(void *arg, const struct srv_lease *lease), void *arg);
/* The lease that is due next, or NULL. */
struct srv_lease *srv_lease_db_first_due(const struct srv_lease_db *db);

/* All leases of a client, of any user and in any state, in no order. */
struct srv_lease *srv_lease_db_of_client(const struct srv_lease_db *db, const struct in6_addr *v6);
struct srv_lease *srv_lease_db_next_of_client(const struct srv_lease *lease);

/* The lease that holds the port: PENDING, ACTIVE or RESTING, of which there is one at most. */
struct srv_lease *srv_lease_db_holder(const struct srv_lease_db *db, uint32_t v4, uint16_t port);
/* A FORMER lease that held it. */
struct srv_lease *srv_lease_db_former(const struct srv_lease_db *db, uint32_t v4, uint16_t port);

/* The walk: slots 0 to slots-1, NULL where a slot is empty. */
uint32_t srv_lease_db_slots(const struct srv_lease_db *db);
struct srv_lease *srv_lease_db_at(const struct srv_lease_db *db, uint32_t slot);

uint32_t srv_lease_db_count(const struct srv_lease_db *db, enum srv_lease_state state);
/* What stands at a TEP, or ought to. */
struct srv_lease_tep_counts {
	uint32_t
		bindings; /* ranges of ACTIVE leases, homes and copies: each is one binding there */
	uint32_t homes; /* ACTIVE leases that go through it */
	uint32_t copies; /* other ACTIVE leases */
	uint32_t kept; /* leases in any state with a copy there */
};

struct srv_lease_tep_counts srv_lease_db_count_at(const struct srv_lease_db *db, uint16_t tep);

/* The digest of what ought to stand at a TEP: all ACTIVE leases, homes and copies. NULL: there was no memory. */
const struct digest *srv_lease_db_digest(const struct srv_lease_db *db, uint16_t tep);
