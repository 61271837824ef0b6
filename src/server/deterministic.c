// SPDX-License-Identifier: BSD-3-Clause
#include "server/deterministic.h"

#include "server/pool.h"

#include <string.h>

static uint32_t index_bits(const struct srv_deterministic *plan)
{
	return plan->subscriber_len - plan->subscribers.len;
}

uint64_t srv_deterministic_subscribers(const struct srv_deterministic *plan)
{
	return index_bits(plan) >= 64 ? UINT64_MAX : UINT64_C(1) << index_bits(plan);
}

static uint32_t unit_ports(const struct srv_deterministic *plan)
{
	return plan->block_size == 0 ? UINT16_MAX + 1 : plan->block_size;
}

static uint32_t units_per_address(const struct srv_deterministic *plan)
{
	const struct addr_v4_prefix one = {plan->pool.addr, 32};

	return (uint32_t)srv_pool_size(&one, plan->block_size);
}

/* Blocks below are never given out. */
static uint32_t first_block(const struct srv_deterministic *plan)
{
	return (UINT16_MAX + 1) / unit_ports(plan) - units_per_address(plan);
}

static struct port_range block_range(const struct srv_deterministic *plan, uint32_t block)
{
	return (struct port_range){
		.first = (uint16_t)(block * unit_ports(plan)),
		.last = (uint16_t)((block + 1) * unit_ports(plan) - 1),
	};
}

static bool bit_of(const struct in6_addr *v6, uint32_t bit)
{
	return (v6->s6_addr[bit / 8] >> (7 - bit % 8)) & 1;
}

/* The number of a subscriber; false when it is too high for any pool. */
static bool number_of(
	const struct srv_deterministic *plan, const struct in6_addr *client, uint64_t *number)
{
	*number = 0;
	for (uint32_t bit = plan->subscribers.len; bit < plan->subscriber_len; bit++) {
		if (*number >> 32 != 0)
			return false;
		*number = *number << 1 | bit_of(client, bit);
	}
	return true;
}

bool srv_deterministic_unit(const struct srv_deterministic *plan, const struct in6_addr *client,
	uint32_t *v4, struct port_range *range)
{
	uint32_t per_address = units_per_address(plan);
	uint64_t number;

	if (!addr_v6_prefix_contains(&plan->subscribers, client) ||
		!number_of(plan, client, &number) ||
		number >= srv_pool_size(&plan->pool, plan->block_size))
		return false;
	*v4 = plan->pool.addr + (uint32_t)(number / per_address);
	*range = block_range(plan, (uint32_t)(number % per_address) + first_block(plan));
	return true;
}

bool srv_deterministic_subscriber(const struct srv_deterministic *plan, uint32_t v4, uint16_t port,
	struct addr_v6_prefix *subscriber, struct port_range *range)
{
	uint32_t block = port / unit_ports(plan);
	uint64_t number;

	if (!addr_v4_prefix_contains(&plan->pool, v4) || block < first_block(plan))
		return false;
	number = (uint64_t)(v4 - plan->pool.addr) * units_per_address(plan) + block -
		 first_block(plan);
	if (number >= srv_deterministic_subscribers(plan))
		return false;
	*range = block_range(plan, block);
	subscriber->addr = plan->subscribers.addr;
	subscriber->len = plan->subscriber_len;
	for (uint32_t bit = plan->subscriber_len; number != 0; number >>= 1) {
		bit--;
		if (number & 1)
			subscriber->addr.s6_addr[bit / 8] |= (uint8_t)(1 << (7 - bit % 8));
	}
	return true;
}
