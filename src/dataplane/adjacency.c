// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/adjacency.h"

#include "dataplane/numbers.h"

#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_malloc.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dp_adjacencies {
	struct dp_adjacency *values; /* [0] is NO_ROUTE */
	uint32_t *users; /* of each of them */
	struct dp_numbers *numbers;
	struct rte_hash *known; /* value -> number */
};

static int create_all(struct dp_adjacencies *adjacencies, uint32_t max, struct rte_rcu_qsbr *qsbr,
	const struct rte_hash_parameters *known, int socket)
{
	adjacencies->values = rte_zmalloc_socket("dp_adjacencies",
		(max + 1) * sizeof(*adjacencies->values), RTE_CACHE_LINE_SIZE, socket);
	adjacencies->users = calloc(max + 1, sizeof(*adjacencies->users));
	adjacencies->numbers = dp_numbers_create(max, qsbr);
	if (adjacencies->values == NULL || adjacencies->users == NULL ||
		adjacencies->numbers == NULL)
		return -ENOMEM;
	adjacencies->known = rte_hash_create(known);
	return adjacencies->known == NULL ? -rte_errno : 0;
}

struct dp_adjacencies *dp_adjacencies_create(uint32_t max, struct rte_rcu_qsbr *qsbr, int socket)
{
	struct dp_adjacencies *adjacencies = calloc(1, sizeof(*adjacencies));
	char name[RTE_HASH_NAMESIZE];
	const struct rte_hash_parameters known = {
		.name = name,
		/* rte_hash without an extendable bucket list can refuse before it is full. */
		.entries = RTE_MAX(max * 2, 16U),
		.key_len = sizeof(struct dp_adjacency),
		.hash_func = rte_jhash,
		.socket_id = socket,
	};
	int error;

	if (adjacencies == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	snprintf(name, sizeof(name), "adj_%" PRIxPTR, (uintptr_t)adjacencies);
	error = create_all(adjacencies, max, qsbr, &known, socket);
	if (error == 0)
		return adjacencies;
	dp_adjacencies_destroy(adjacencies);
	rte_errno = -error;
	return NULL;
}

void dp_adjacencies_destroy(struct dp_adjacencies *adjacencies)
{
	if (adjacencies == NULL)
		return;
	rte_hash_free(adjacencies->known);
	dp_numbers_destroy(adjacencies->numbers);
	free(adjacencies->users);
	rte_free(adjacencies->values);
	free(adjacencies);
}

const struct dp_adjacency *dp_adjacencies_none(const struct dp_adjacencies *adjacencies)
{
	return &adjacencies->values[0];
}

/* Equal values must be equal octets: padding is zero. */
static struct dp_adjacency normalized(const struct dp_adjacency *adjacency, rte_be16_t ether_type)
{
	struct dp_adjacency value;

	memset(&value, 0, sizeof(value));
	value.dst_mac = adjacency->dst_mac;
	value.src_mac = adjacency->src_mac;
	value.ether_type = ether_type;
	value.port = adjacency->port;
	value.state = adjacency->state;
	return value;
}

const struct dp_adjacency *dp_adjacencies_take(
	struct dp_adjacencies *adjacencies, const struct dp_adjacency *value, rte_be16_t ether_type)
{
	struct dp_adjacency wanted = normalized(value, ether_type);
	uint32_t number;
	void *known;

	if (rte_hash_lookup_data(adjacencies->known, &wanted, &known) >= 0) {
		number = (uint32_t)(uintptr_t)known;
		adjacencies->users[number]++;
		return &adjacencies->values[number];
	}
	number = dp_numbers_take(adjacencies->numbers);
	if (number == 0)
		return NULL;
	if (rte_hash_add_key_data(adjacencies->known, &wanted, (void *)(uintptr_t)number) != 0) {
		dp_numbers_give_back(adjacencies->numbers, number);
		return NULL;
	}
	adjacencies->values[number] = wanted;
	adjacencies->users[number] = 1;
	return &adjacencies->values[number];
}

void dp_adjacencies_release(
	struct dp_adjacencies *adjacencies, const struct dp_adjacency *adjacency)
{
	uint32_t number = adjacency - adjacencies->values;

	if (number == 0 || --adjacencies->users[number] > 0)
		return;
	rte_hash_del_key(adjacencies->known, adjacency);
	dp_numbers_give_back(adjacencies->numbers, number);
}
