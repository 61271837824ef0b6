// SPDX-License-Identifier: BSD-3-Clause
/*
 * Units are numbered address by address, block by block. The free ones stand in an array in no order:
 * one is taken by swapping the last into its place, and position[] finds it again.
 */
#include "server/pool.h"

#include <errno.h>
#include <stdlib.h>

#define NOT_FREE UINT32_MAX

struct srv_pool {
	struct addr_v4_prefix prefix;
	uint32_t unit_ports; /* ports of one unit */
	uint32_t first_block; /* number of the lowest block that is given out */
	uint32_t per_address; /* units */
	uint32_t n_units;
	uint32_t n_free;
	uint32_t n_resting;
	uint32_t *free; /* [n_free] unit numbers */
	uint32_t *position; /* [n_units] where in free[], or NOT_FREE */
	uint16_t *held; /* [n_units] leases that touch it */
	uint16_t *resting; /* [n_units] how many of those rest */
	uint16_t *address_free; /* [addresses] free units */
};

static uint32_t ports_per_unit(uint32_t block_size)
{
	return block_size == 0 ? UINT16_MAX + 1 : block_size;
}

static uint32_t lowest_block(uint32_t block_size)
{
	return block_size == 0 ? 0 : (SRV_POOL_PORT_MIN + block_size - 1) / block_size;
}

static uint32_t units_per_address(uint32_t block_size)
{
	return (UINT16_MAX + 1) / ports_per_unit(block_size) - lowest_block(block_size);
}

static uint64_t addresses(const struct addr_v4_prefix *prefix)
{
	return UINT64_C(1) << (32 - prefix->len);
}

uint64_t srv_pool_size(const struct addr_v4_prefix *prefix, uint32_t block_size)
{
	return addresses(prefix) * units_per_address(block_size);
}

static void free_list_add(struct srv_pool *pool, uint32_t unit)
{
	pool->position[unit] = pool->n_free;
	pool->free[pool->n_free++] = unit;
	pool->address_free[unit / pool->per_address]++;
}

static void free_list_remove(struct srv_pool *pool, uint32_t unit)
{
	uint32_t at = pool->position[unit];
	uint32_t last = pool->free[--pool->n_free];

	pool->free[at] = last;
	pool->position[last] = at;
	pool->position[unit] = NOT_FREE;
	pool->address_free[unit / pool->per_address]--;
}

struct srv_pool *srv_pool_create(const struct addr_v4_prefix *prefix, uint32_t block_size)
{
	uint64_t size = srv_pool_size(prefix, block_size);
	struct srv_pool *pool;

	if (size > SRV_POOL_UNITS_MAX) {
		errno = E2BIG;
		return NULL;
	}
	pool = calloc(1, sizeof(*pool));
	if (pool == NULL)
		return NULL;
	pool->prefix = *prefix;
	pool->unit_ports = ports_per_unit(block_size);
	pool->first_block = lowest_block(block_size);
	pool->per_address = units_per_address(block_size);
	pool->n_units = size;
	pool->free = calloc(size, sizeof(*pool->free));
	pool->position = calloc(size, sizeof(*pool->position));
	pool->held = calloc(size, sizeof(*pool->held));
	pool->resting = calloc(size, sizeof(*pool->resting));
	pool->address_free = calloc(addresses(prefix), sizeof(*pool->address_free));
	if (pool->free == NULL || pool->position == NULL || pool->held == NULL ||
		pool->resting == NULL || pool->address_free == NULL) {
		srv_pool_destroy(pool);
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t unit = 0; unit < pool->n_units; unit++)
		free_list_add(pool, unit);
	return pool;
}

void srv_pool_destroy(struct srv_pool *pool)
{
	if (pool == NULL)
		return;
	free(pool->free);
	free(pool->position);
	free(pool->held);
	free(pool->resting);
	free(pool->address_free);
	free(pool);
}

bool srv_pool_is_cut(
	const struct srv_pool *pool, const struct addr_v4_prefix *prefix, uint32_t block_size)
{
	return pool->prefix.addr == prefix->addr && pool->prefix.len == prefix->len &&
	       pool->unit_ports == ports_per_unit(block_size);
}

bool srv_pool_is_exclusive(const struct srv_pool *pool)
{
	return pool->unit_ports > UINT16_MAX;
}

bool srv_pool_contains(const struct srv_pool *pool, uint32_t v4)
{
	return addr_v4_prefix_contains(&pool->prefix, v4);
}

struct srv_pool_counts srv_pool_count(const struct srv_pool *pool)
{
	return (struct srv_pool_counts){
		.total = pool->n_units,
		.leased = pool->n_units - pool->n_free - pool->n_resting,
		.resting = pool->n_resting,
		.free = pool->n_free,
	};
}

uint32_t srv_pool_units_for(const struct srv_pool *pool, uint32_t ports)
{
	if (srv_pool_is_exclusive(pool) || ports == 0)
		return 1;
	return (ports - 1) / pool->unit_ports + 1;
}

static struct port_range unit_range(const struct srv_pool *pool, uint32_t unit)
{
	uint32_t block = unit % pool->per_address + pool->first_block;

	return (struct port_range){
		.first = block * pool->unit_ports,
		.last = (block + 1) * pool->unit_ports - 1,
	};
}

/* The units first..last that a range touches; false when it touches none. */
static bool touched(const struct srv_pool *pool, uint32_t v4, struct port_range range,
	uint32_t *first, uint32_t *last)
{
	uint32_t from = range.first / pool->unit_ports;
	uint32_t to = range.last / pool->unit_ports;
	uint32_t base;

	if (!srv_pool_contains(pool, v4) || to < pool->first_block)
		return false;
	if (from < pool->first_block)
		from = pool->first_block;
	base = (v4 - pool->prefix.addr) * pool->per_address;
	*first = base + from - pool->first_block;
	*last = base + to - pool->first_block;
	return true;
}

static bool rests(const struct srv_pool *pool, uint32_t unit)
{
	return pool->held[unit] > 0 && pool->held[unit] == pool->resting[unit];
}

/* The one place where a unit changes: keeps the free list and the counts true. */
static void change(struct srv_pool *pool, uint32_t unit, int held, int resting)
{
	bool was_resting = rests(pool, unit);
	bool was_free = pool->held[unit] == 0;

	pool->held[unit] += held;
	pool->resting[unit] += resting;
	pool->n_resting += rests(pool, unit) - was_resting;
	if (was_free && pool->held[unit] > 0)
		free_list_remove(pool, unit);
	else if (!was_free && pool->held[unit] == 0)
		free_list_add(pool, unit);
}

static void change_all(struct srv_pool *pool, const struct lease *lease, int held, int resting)
{
	uint32_t first, last;

	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		if (!touched(pool, lease->v4, lease->ranges[i], &first, &last))
			continue;
		for (uint32_t unit = first; unit <= last; unit++)
			change(pool, unit, held, resting);
	}
}

/*
 * A number below n, each equally likely. The kernel's generator is asked for many at a time: this libc goes to the
 * kernel for every number, which is a good part of what taking a unit costs.
 */
static uint32_t draw_lot(uint32_t n)
{
	static uint32_t lots[64];
	static uint32_t n_left;
	uint32_t uneven = -n % n; /* how many numbers would favour the low results */
	uint32_t lot;

	do {
		if (n_left == 0) {
			arc4random_buf(lots, sizeof(lots));
			n_left = sizeof(lots) / sizeof(lots[0]);
		}
		lot = lots[--n_left];
	} while (lot < uneven);
	return lot % n;
}

/* An address with at least n free units: by lot first, then whichever comes next; NOT_FREE: none. */
static uint32_t address_with(const struct srv_pool *pool, uint32_t n)
{
	uint32_t count = pool->n_units / pool->per_address;
	uint32_t start, address;

	if (n > pool->per_address)
		return NOT_FREE;
	start = pool->free[draw_lot(pool->n_free)] / pool->per_address;
	for (uint32_t i = 0; i < count; i++) {
		address = (start + i) % count;
		if (pool->address_free[address] >= n)
			return address;
	}
	return NOT_FREE;
}

static void pick_one(const struct srv_pool *pool, struct lease *lease)
{
	uint32_t unit = pool->free[draw_lot(pool->n_free)];

	lease->v4 = pool->prefix.addr + unit / pool->per_address;
	lease->ranges[0] = unit_range(pool, unit);
	lease->n_ranges = 1;
}

/* Each free unit in turn is picked with the chance that leaves all choices equally likely. */
static void pick_of_address(
	const struct srv_pool *pool, uint32_t address, uint32_t n_units, struct lease *lease)
{
	uint32_t left = pool->address_free[address];

	lease->v4 = pool->prefix.addr + address;
	lease->n_ranges = 0;
	for (uint32_t unit = address * pool->per_address; lease->n_ranges < n_units; unit++) {
		if (pool->position[unit] == NOT_FREE)
			continue;
		if (draw_lot(left--) >= n_units - lease->n_ranges)
			continue;
		lease->ranges[lease->n_ranges++] = unit_range(pool, unit);
	}
}

int srv_pool_pick(const struct srv_pool *pool, uint32_t n_units, struct lease *lease)
{
	uint32_t address;

	if (n_units == 0 || n_units > LEASE_RANGES_MAX || n_units > pool->n_free)
		return -ENOSPC;
	if (n_units == 1) {
		pick_one(pool, lease);
		return 0;
	}
	address = address_with(pool, n_units);
	if (address == NOT_FREE)
		return -ENOSPC;
	pick_of_address(pool, address, n_units, lease);
	return 0;
}

int srv_pool_take(struct srv_pool *pool, uint32_t n_units, struct lease *lease)
{
	int ret = srv_pool_pick(pool, n_units, lease);

	if (ret == 0)
		change_all(pool, lease, 1, 0);
	return ret;
}

int srv_pool_take_at(struct srv_pool *pool, uint32_t v4, uint32_t n_units, struct lease *lease)
{
	uint32_t address = v4 - pool->prefix.addr;

	if (!srv_pool_contains(pool, v4) || n_units == 0 || n_units > LEASE_RANGES_MAX ||
		n_units > pool->address_free[address])
		return -ENOSPC;
	pick_of_address(pool, address, n_units, lease);
	change_all(pool, lease, 1, 0);
	return 0;
}

bool srv_pool_is_free(const struct srv_pool *pool, const struct lease *lease)
{
	uint32_t first, last;

	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		if (!touched(pool, lease->v4, lease->ranges[i], &first, &last) || first != last ||
			!port_range_equal(lease->ranges[i], unit_range(pool, first)) ||
			pool->held[first] > 0)
			return false;
	}
	return true;
}

int srv_pool_take_again(struct srv_pool *pool, const struct lease *lease)
{
	if (!srv_pool_is_free(pool, lease))
		return -EBUSY;
	change_all(pool, lease, 1, 0);
	return 0;
}

void srv_pool_reserve(struct srv_pool *pool, const struct lease *lease)
{
	change_all(pool, lease, 1, 0);
}

void srv_pool_rest(struct srv_pool *pool, const struct lease *lease)
{
	change_all(pool, lease, 0, 1);
}

void srv_pool_wake(struct srv_pool *pool, const struct lease *lease)
{
	change_all(pool, lease, 0, -1);
}

void srv_pool_give(struct srv_pool *pool, const struct lease *lease)
{
	change_all(pool, lease, -1, 0);
}
