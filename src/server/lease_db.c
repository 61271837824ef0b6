// SPDX-License-Identifier: BSD-3-Clause
/*
 * Two chained hash tables, a binary heap and an array of slots over the same records. The hashes are
 * keyed with random numbers, because clients choose their IPv6 addresses.
 */
#include "server/lease_db.h"

#include "common/addr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOT_IN_HEAP   UINT32_MAX
#define START_BUCKETS 64

/* One range of a lease in the table by port. */
struct srv_lease_port {
	struct srv_lease_port *next;
	struct srv_lease *lease;
	uint16_t first;
};

struct srv_lease_db {
	uint64_t key[2];
	uint64_t last_id;
	uint32_t count[SRV_LEASE_STATES];
	struct srv_lease_tep_counts *at; /* [n_teps] */
	struct digest **digests; /* [n_teps], NULL where there was no memory */
	uint32_t n_teps;
	srv_lease_held_fn held; /* NULL: nobody listens */
	void *held_arg;

	struct srv_lease **clients; /* [n_clients_buckets] */
	struct srv_lease_port **ports; /* [n_ports_buckets] */
	uint32_t n_client_buckets; /* powers of two */
	uint32_t n_port_buckets;
	uint32_t n_ports;

	struct srv_lease **heap; /* [capacity], n_heap of them used */
	struct srv_lease **slots; /* [capacity], n_slots of them ever used */
	uint32_t *empty_slots; /* [capacity], n_empty of them used */
	uint32_t capacity;
	uint32_t n_heap;
	uint32_t n_slots;
	uint32_t n_empty;
};

static uint64_t mix(uint64_t x, uint64_t key)
{
	x = (x ^ key) * UINT64_C(0x9e3779b97f4a7c15);
	x ^= x >> 32;
	x = (x ^ key) * UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

static uint32_t client_bucket(const struct srv_lease_db *db, const struct in6_addr *v6)
{
	uint64_t half[2];

	memcpy(half, v6, sizeof(half));
	return mix(mix(half[0], db->key[0]) ^ half[1], db->key[1]) & (db->n_client_buckets - 1);
}

static uint32_t port_bucket(const struct srv_lease_db *db, uint32_t v4, uint16_t first)
{
	return mix((uint64_t)v4 << 16 | first, db->key[0]) & (db->n_port_buckets - 1);
}

struct srv_lease_db *srv_lease_db_create(void)
{
	struct srv_lease_db *db = calloc(1, sizeof(*db));

	if (db == NULL)
		return NULL;
	arc4random_buf(db->key, sizeof(db->key));
	db->n_client_buckets = START_BUCKETS;
	db->n_port_buckets = START_BUCKETS;
	db->clients = calloc(db->n_client_buckets, sizeof(struct srv_lease *));
	db->ports = calloc(db->n_port_buckets, sizeof(struct srv_lease_port *));
	if (db->clients == NULL || db->ports == NULL) {
		srv_lease_db_destroy(db);
		errno = ENOMEM;
		return NULL;
	}
	return db;
}

void srv_lease_db_destroy(struct srv_lease_db *db)
{
	if (db == NULL)
		return;
	for (uint32_t slot = 0; slot < db->n_slots; slot++)
		free(db->slots[slot]);
	for (uint32_t tep = 0; tep < db->n_teps; tep++)
		free(db->digests[tep]);
	free(db->digests);
	free(db->at);
	free(db->clients);
	free(db->ports);
	free(db->heap);
	free(db->slots);
	free(db->empty_slots);
	free(db);
}

static uint32_t leases(const struct srv_lease_db *db)
{
	return db->n_slots - db->n_empty;
}

/* A table that cannot grow for want of memory goes on with longer chains. */
static void grow_clients(struct srv_lease_db *db)
{
	struct srv_lease **old = db->clients, *lease, *next;
	uint32_t n = db->n_client_buckets, bucket;
	struct srv_lease **grown = calloc((size_t)n * 2, sizeof(struct srv_lease *));

	if (grown == NULL)
		return;
	db->clients = grown;
	db->n_client_buckets = n * 2;
	for (uint32_t i = 0; i < n; i++) {
		for (lease = old[i]; lease != NULL; lease = next) {
			next = lease->next_in_bucket;
			bucket = client_bucket(db, &lease->lease.client_v6);
			lease->next_in_bucket = grown[bucket];
			grown[bucket] = lease;
		}
	}
	free(old);
}

static void grow_ports(struct srv_lease_db *db)
{
	struct srv_lease_port **old = db->ports, *port, *next;
	uint32_t n = db->n_port_buckets, bucket;
	struct srv_lease_port **grown = calloc((size_t)n * 2, sizeof(struct srv_lease_port *));

	if (grown == NULL)
		return;
	db->ports = grown;
	db->n_port_buckets = n * 2;
	for (uint32_t i = 0; i < n; i++) {
		for (port = old[i]; port != NULL; port = next) {
			next = port->next;
			bucket = port_bucket(db, port->lease->lease.v4, port->first);
			port->next = grown[bucket];
			grown[bucket] = port;
		}
	}
	free(old);
}

static int grow_array(void *array, uint32_t n, size_t size)
{
	void **pointer = array;
	void *grown = reallocarray(*pointer, n, size);

	if (grown == NULL)
		return -ENOMEM;
	*pointer = grown;
	return 0;
}

static int reserve_slot(struct srv_lease_db *db)
{
	uint32_t n = db->capacity == 0 ? START_BUCKETS : db->capacity * 2;

	if (db->n_empty > 0 || db->n_slots < db->capacity)
		return 0;
	if (grow_array(&db->heap, n, sizeof(struct srv_lease *)) < 0 ||
		grow_array(&db->slots, n, sizeof(struct srv_lease *)) < 0 ||
		grow_array(&db->empty_slots, n, sizeof(*db->empty_slots)) < 0)
		return -ENOMEM;
	db->capacity = n;
	return 0;
}

/* Record, ranges and name in one piece of memory. */
static struct srv_lease *new_lease(const struct lease *value, const char *user)
{
	size_t ports = value->n_ranges * sizeof(struct srv_lease_port);
	size_t name = strlen(user) + 1;
	struct srv_lease *lease = calloc(1, sizeof(*lease) + ports + name);

	if (lease == NULL)
		return NULL;
	lease->lease = *value;
	lease->ports = (struct srv_lease_port *)(lease + 1);
	lease->user = memcpy((char *)(lease + 1) + ports, user, name);
	lease->due_ms = SRV_LEASE_NEVER;
	lease->heap_at = NOT_IN_HEAP;
	return lease;
}

static void link_lease(struct srv_lease_db *db, struct srv_lease *lease)
{
	uint32_t bucket;

	lease->slot = db->n_empty > 0 ? db->empty_slots[--db->n_empty] : db->n_slots++;
	db->slots[lease->slot] = lease;
	if (leases(db) > db->n_client_buckets)
		grow_clients(db);
	bucket = client_bucket(db, &lease->lease.client_v6);
	lease->next_in_bucket = db->clients[bucket];
	db->clients[bucket] = lease;
	db->n_ports += lease->lease.n_ranges;
	if (db->n_ports > db->n_port_buckets)
		grow_ports(db);
	for (uint32_t i = 0; i < lease->lease.n_ranges; i++) {
		struct srv_lease_port *port = &lease->ports[i];

		port->lease = lease;
		port->first = lease->lease.ranges[i].first;
		bucket = port_bucket(db, lease->lease.v4, port->first);
		port->next = db->ports[bucket];
		db->ports[bucket] = port;
	}
}

void srv_lease_db_skip_id(struct srv_lease_db *db, uint64_t id)
{
	if (id > db->last_id)
		db->last_id = id;
}

uint64_t srv_lease_db_last_id(const struct srv_lease_db *db)
{
	return db->last_id;
}

bool srv_lease_is_held(const struct srv_lease *lease)
{
	return lease->state == SRV_LEASE_PENDING || lease->state == SRV_LEASE_ACTIVE;
}

void srv_lease_db_watch(struct srv_lease_db *db, srv_lease_held_fn held, void *arg)
{
	db->held = held;
	db->held_arg = arg;
}

static void tell(const struct srv_lease_db *db, const struct srv_lease *lease, bool was_held)
{
	bool is_held = srv_lease_is_held(lease);

	if (db->held != NULL && is_held != was_held)
		db->held(db->held_arg, lease, is_held);
}

struct srv_lease *srv_lease_db_add(struct srv_lease_db *db, const struct lease *value,
	enum srv_lease_state state, const char *user, uint32_t pool, uint64_t id)
{
	struct srv_lease *lease;

	if (reserve_slot(db) < 0 || (lease = new_lease(value, user)) == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	lease->state = state;
	lease->pool = pool;
	lease->tep = SRV_TEP_NONE;
	lease->id = id != 0 ? id : db->last_id + 1;
	srv_lease_db_skip_id(db, lease->id);
	link_lease(db, lease);
	db->count[state]++;
	tell(db, lease, false);
	return lease;
}

static void unlink_lease(struct srv_lease_db *db, struct srv_lease *lease)
{
	struct srv_lease **at = &db->clients[client_bucket(db, &lease->lease.client_v6)];

	while (*at != lease)
		at = &(*at)->next_in_bucket;
	*at = lease->next_in_bucket;
	for (uint32_t i = 0; i < lease->lease.n_ranges; i++) {
		struct srv_lease_port *port = &lease->ports[i];
		struct srv_lease_port *
			*link = &db->ports[port_bucket(db, lease->lease.v4, port->first)];

		while (*link != port)
			link = &(*link)->next;
		*link = port->next;
	}
	db->n_ports -= lease->lease.n_ranges;
	db->slots[lease->slot] = NULL;
	db->empty_slots[db->n_empty++] = lease->slot;
}

static void count_at(struct srv_lease_db *db, uint32_t tep, const struct srv_lease *lease, int by)
{
	if (lease->state != SRV_LEASE_ACTIVE)
		return;
	db->at[tep].bindings += by * (int)lease->lease.n_ranges;
	if (db->digests[tep] != NULL)
		db->digests[tep]->leaves[digest_leaf(lease->lease.v4)] += by > 0 ? lease->digest
										 : -lease->digest;
}

/* Puts the lease into the counts of its TEPs, or takes it out (by: -1). */
static void count_lease(struct srv_lease_db *db, struct srv_lease *lease, int by)
{
	int by_if_active = lease->state == SRV_LEASE_ACTIVE ? by : 0;

	/* What is taken out is what was put in. */
	if (by_if_active > 0)
		lease->digest = digest_lease(&lease->lease);
	if (lease->tep < db->n_teps) {
		count_at(db, lease->tep, lease, by);
		db->at[lease->tep].homes += by_if_active;
	}
	for (uint64_t left = lease->copies; left != 0; left &= left - 1) {
		uint32_t tep = srv_tep_first(left);

		if (tep >= db->n_teps)
			break;
		count_at(db, tep, lease, by);
		db->at[tep].copies += by_if_active;
		db->at[tep].kept += by;
	}
}

/* Without memory the counts of a new TEP are not kept. */
static void make_room_for_tep(struct srv_lease_db *db, uint32_t tep)
{
	uint32_t n = tep + 1;

	if (tep == SRV_TEP_NONE || n <= db->n_teps ||
		grow_array(&db->digests, n, sizeof(*db->digests)) < 0 ||
		grow_array(&db->at, n, sizeof(*db->at)) < 0)
		return;
	memset(db->at + db->n_teps, 0, (n - db->n_teps) * sizeof(*db->at));
	for (; db->n_teps < n; db->n_teps++)
		db->digests[db->n_teps] = calloc(1, sizeof(struct digest));
}

void srv_lease_db_set_value(
	struct srv_lease_db *db, struct srv_lease *lease, const struct lease *value)
{
	count_lease(db, lease, -1);
	lease->lease.tep_v6 = value->tep_v6;
	lease->lease.end_ms = value->end_ms;
	lease->lease.stamp = value->stamp;
	count_lease(db, lease, 1);
}

void srv_lease_db_set_tep(struct srv_lease_db *db, struct srv_lease *lease, uint16_t tep)
{
	make_room_for_tep(db, tep);
	count_lease(db, lease, -1);
	lease->tep = tep;
	count_lease(db, lease, 1);
}

void srv_lease_db_set_copies(struct srv_lease_db *db, struct srv_lease *lease, uint64_t copies)
{
	if (copies != 0)
		make_room_for_tep(db, srv_tep_last(copies));
	count_lease(db, lease, -1);
	lease->copies = copies;
	count_lease(db, lease, 1);
}

struct srv_lease_tep_counts srv_lease_db_count_at(const struct srv_lease_db *db, uint16_t tep)
{
	static const struct srv_lease_tep_counts none;

	return tep < db->n_teps ? db->at[tep] : none;
}

const struct digest *srv_lease_db_digest(const struct srv_lease_db *db, uint16_t tep)
{
	static const struct digest nothing;

	return tep < db->n_teps ? db->digests[tep] : &nothing;
}

static void set_ranges(struct srv_lease *lease, const struct lease *value)
{
	lease->lease.n_ranges = value->n_ranges;
	memcpy(lease->lease.ranges, value->ranges, sizeof(value->ranges));
}

/* The same lease with room for more ranges, in no table. */
static struct srv_lease *copy_lease(const struct srv_lease *lease, const struct lease *value)
{
	struct srv_lease *copy = new_lease(value, lease->user);
	struct srv_lease_port *ports;
	const char *user;

	if (copy == NULL)
		return NULL;
	ports = copy->ports;
	user = copy->user;
	*copy = *lease;
	copy->ports = ports;
	copy->user = user;
	set_ranges(copy, value);
	return copy;
}

struct srv_lease *srv_lease_db_set_ranges(
	struct srv_lease_db *db, struct srv_lease *lease, const struct lease *value)
{
	struct srv_lease *now = lease;

	if (value->n_ranges > lease->lease.n_ranges)
		now = copy_lease(lease, value);
	if (now == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	if (db->held != NULL && srv_lease_is_held(lease))
		db->held(db->held_arg, lease, false);
	count_lease(db, lease, -1);
	unlink_lease(db, lease);
	set_ranges(now, value);
	link_lease(db, now); /* takes the slot that was just left */
	count_lease(db, now, 1);
	tell(db, now, false);
	if (now->heap_at != NOT_IN_HEAP)
		db->heap[now->heap_at] = now;
	if (now != lease)
		free(lease);
	return now;
}

void srv_lease_db_remove(struct srv_lease_db *db, struct srv_lease *lease)
{
	srv_lease_db_set_due(db, lease, SRV_LEASE_NEVER);
	count_lease(db, lease, -1);
	unlink_lease(db, lease);
	db->count[lease->state]--;
	if (db->held != NULL && srv_lease_is_held(lease))
		db->held(db->held_arg, lease, false);
	free(lease);
}

void srv_lease_db_set_state(
	struct srv_lease_db *db, struct srv_lease *lease, enum srv_lease_state state)
{
	bool was_held = srv_lease_is_held(lease);

	count_lease(db, lease, -1);
	db->count[lease->state]--;
	lease->state = state;
	db->count[state]++;
	count_lease(db, lease, 1);
	tell(db, lease, was_held);
}

static void heap_put(struct srv_lease_db *db, uint32_t at, struct srv_lease *lease)
{
	db->heap[at] = lease;
	lease->heap_at = at;
}

/* Moves the lease from a free place in the heap to where its due time belongs. */
static void heap_settle(struct srv_lease_db *db, uint32_t at, struct srv_lease *lease)
{
	uint32_t child;

	while (at > 0 && db->heap[(at - 1) / 2]->due_ms > lease->due_ms) {
		heap_put(db, at, db->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	while ((child = 2 * at + 1) < db->n_heap) {
		if (child + 1 < db->n_heap && db->heap[child + 1]->due_ms < db->heap[child]->due_ms)
			child++;
		if (db->heap[child]->due_ms >= lease->due_ms)
			break;
		heap_put(db, at, db->heap[child]);
		at = child;
	}
	heap_put(db, at, lease);
}

void srv_lease_db_set_due(struct srv_lease_db *db, struct srv_lease *lease, int64_t due_ms)
{
	uint32_t at = lease->heap_at;

	lease->due_ms = due_ms;
	if (due_ms != SRV_LEASE_NEVER) {
		heap_settle(db, at != NOT_IN_HEAP ? at : db->n_heap++, lease);
	} else if (at != NOT_IN_HEAP) {
		struct srv_lease *last = db->heap[--db->n_heap];

		if (last != lease)
			heap_settle(db, at, last);
		lease->heap_at = NOT_IN_HEAP;
	}
}

struct srv_lease *srv_lease_db_first_due(const struct srv_lease_db *db)
{
	return db->n_heap > 0 ? db->heap[0] : NULL;
}

/* A lease is due no earlier than the one above it in the heap. */
static void visit_due_below(const struct srv_lease_db *db, uint32_t at, int64_t until_ms,
	void (*visit)(void *arg, const struct srv_lease *lease), void *arg)
{
	if (at >= db->n_heap || db->heap[at]->due_ms > until_ms)
		return;
	visit(arg, db->heap[at]);
	visit_due_below(db, 2 * at + 1, until_ms, visit, arg);
	visit_due_below(db, 2 * at + 2, until_ms, visit, arg);
}

void srv_lease_db_visit_due(const struct srv_lease_db *db, int64_t until_ms,
	void (*visit)(void *arg, const struct srv_lease *lease), void *arg)
{
	visit_due_below(db, 0, until_ms, visit, arg);
}

static struct srv_lease *same_client(struct srv_lease *lease, const struct in6_addr *v6)
{
	while (lease != NULL && !addr_v6_equal(&lease->lease.client_v6, v6))
		lease = lease->next_in_bucket;
	return lease;
}

struct srv_lease *srv_lease_db_of_client(const struct srv_lease_db *db, const struct in6_addr *v6)
{
	return same_client(db->clients[client_bucket(db, v6)], v6);
}

struct srv_lease *srv_lease_db_next_of_client(const struct srv_lease *lease)
{
	return same_client(lease->next_in_bucket, &lease->lease.client_v6);
}

/* Ranges are aligned powers of two, so the one with the port begins at one of 17 places. */
static struct srv_lease *find_port(
	const struct srv_lease_db *db, uint32_t v4, uint16_t port, bool former)
{
	for (uint32_t bits = 0; bits <= 16; bits++) {
		uint16_t first = port & ~((1U << bits) - 1);
		struct srv_lease_port *entry = db->ports[port_bucket(db, v4, first)];

		for (; entry != NULL; entry = entry->next) {
			const struct srv_lease *lease = entry->lease;

			if (entry->first == first && lease->lease.v4 == v4 &&
				(lease->state == SRV_LEASE_FORMER) == former &&
				lease_has_port(&lease->lease, port))
				return entry->lease;
		}
	}
	return NULL;
}

struct srv_lease *srv_lease_db_holder(const struct srv_lease_db *db, uint32_t v4, uint16_t port)
{
	return find_port(db, v4, port, false);
}

struct srv_lease *srv_lease_db_former(const struct srv_lease_db *db, uint32_t v4, uint16_t port)
{
	return find_port(db, v4, port, true);
}

uint32_t srv_lease_db_slots(const struct srv_lease_db *db)
{
	return db->n_slots;
}

struct srv_lease *srv_lease_db_at(const struct srv_lease_db *db, uint32_t slot)
{
	return slot < db->n_slots ? db->slots[slot] : NULL;
}

uint32_t srv_lease_db_count(const struct srv_lease_db *db, enum srv_lease_state state)
{
	return db->count[state];
}
