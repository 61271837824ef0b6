// SPDX-License-Identifier: BSD-3-Clause
/*
 * An array of groups, and two ways into it: one default a family (all there is with neighbor: static), and a
 * table of prefixes (lpm.h) whose numbers are indexes of the array. The default routes stand outside the
 * tables: a change of one is a change of one pointer.
 *
 * Invariant: a group that a reader can still come by stays, with slots that all lead somewhere; a number without
 * routes waits for a grace period before it is given out again (numbers.h), as do its adjacencies.
 */
#include "dataplane/nexthop.h"

#include "dataplane/lpm.h"
#include "dataplane/numbers.h"

#include <rte_errno.h>
#include <rte_malloc.h>

#include <stdlib.h>

#define LOOKUP_MAX         64
#define STATIC_ADJACENCIES 16 /* two in use, the rest for changes within one grace period */
#define STATIC_GROUPS      2 /* numbers of them: */
#define STATIC_V4          1
#define STATIC_V6          2
#define NODES_FOR_PREFIXES 4096 /* of IPv4 that are longer than /24 */
#define NODES_PER_HOST_V6  4 /* hosts of one link share what their addresses share */

/* What the writer knows of a group. */
struct group_state {
	rte_be16_t ether_type;
	uint16_t held; /* slots that count as users of their adjacencies: the first n, or none */
};

struct dp_nexthops {
	const struct dp_group *default_v4; /* where no route matches */
	const struct dp_group *default_v6;
	struct dp_group *groups; /* [0] is the one without a route */
	bool is_static;
	struct dp_lpm v4;
	struct dp_lpm v6;
	struct rte_rcu_qsbr *qsbr;
	/* The writer's own: */
	struct dp_adjacencies *adjacencies;
	struct dp_numbers *numbers; /* of groups */
	struct group_state *states; /* of groups */
};

static int create_qsbr(struct dp_nexthops *nexthops, uint32_t max_readers, int socket)
{
	nexthops->qsbr = rte_zmalloc_socket("dp_nexthops_qsbr",
		rte_rcu_qsbr_get_memsize(max_readers), RTE_CACHE_LINE_SIZE, socket);
	if (nexthops->qsbr == NULL)
		return -ENOMEM;
	return rte_rcu_qsbr_init(nexthops->qsbr, max_readers) == 0 ? 0 : -rte_errno;
}

/* The slots behind the first n are like them: readers may still count on more than n. */
static void fill(struct dp_group *group, const struct dp_adjacency *const *slots, uint32_t n)
{
	for (uint32_t i = 0; i < DP_GROUP_SLOTS; i++)
		__atomic_store_n(&group->slots[i], slots[i % n], __ATOMIC_RELEASE);
	__atomic_store_n(&group->n, n, __ATOMIC_RELEASE);
}

static int create_groups(
	struct dp_nexthops *nexthops, uint32_t max_groups, uint32_t max_adjacencies, int socket)
{
	const struct dp_adjacency *none;

	nexthops->adjacencies = dp_adjacencies_create(max_adjacencies, nexthops->qsbr, socket);
	if (nexthops->adjacencies == NULL)
		return -rte_errno;
	nexthops->groups = rte_zmalloc_socket("dp_groups",
		(max_groups + 1) * sizeof(*nexthops->groups), RTE_CACHE_LINE_SIZE, socket);
	nexthops->states = calloc(max_groups + 1, sizeof(*nexthops->states));
	nexthops->numbers = dp_numbers_create(max_groups, nexthops->qsbr);
	if (nexthops->groups == NULL || nexthops->states == NULL || nexthops->numbers == NULL)
		return -ENOMEM;
	none = dp_adjacencies_none(nexthops->adjacencies);
	for (uint32_t i = 0; i <= max_groups; i++)
		fill(&nexthops->groups[i], &none, 1);
	nexthops->default_v4 = &nexthops->groups[0];
	nexthops->default_v6 = &nexthops->groups[0];
	return 0;
}

/* The two groups of neighbor: static, still without a way. */
static void create_static(struct dp_nexthops *nexthops)
{
	nexthops->default_v4 = &nexthops->groups[STATIC_V4];
	nexthops->default_v6 = &nexthops->groups[STATIC_V6];
	nexthops->states[STATIC_V4].ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	nexthops->states[STATIC_V6].ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
}

static int create_tables(struct dp_nexthops *nexthops, const struct dp_nexthops_params *params)
{
	const struct dp_lpm_params v4 = {
		.family = AF_INET,
		.max_routes = params->max_routes_v4 + params->max_hosts,
		.max_nodes = RTE_MIN(params->max_hosts + NODES_FOR_PREFIXES, DP_LPM_NUMBERS_V4),
		.qsbr = nexthops->qsbr,
		.socket = params->socket,
	};
	const struct dp_lpm_params v6 = {
		.family = AF_INET6,
		.max_routes = params->max_routes_v6 + params->max_hosts,
		.max_nodes = params->max_routes_v6 + params->max_hosts * NODES_PER_HOST_V6,
		.qsbr = nexthops->qsbr,
		.socket = params->socket,
	};
	int error = dp_lpm_init(&nexthops->v4, &v4);

	return error != 0 ? error : dp_lpm_init(&nexthops->v6, &v6);
}

static bool is_in_range(const struct dp_nexthops_params *params)
{
	return params->max_adjacencies >= 1 && params->max_adjacencies <= INT32_MAX / 32 &&
	       params->max_groups >= 1 && params->max_groups <= DP_LPM_NUMBERS_V4 &&
	       params->max_routes_v4 >= 1 && params->max_routes_v4 <= 1U << 24 &&
	       params->max_routes_v6 >= 1 && params->max_routes_v6 <= 1U << 24 &&
	       params->max_hosts <= 1U << 20;
}

struct dp_nexthops *dp_nexthops_create(const struct dp_nexthops_params *params)
{
	uint32_t max_groups = params->fib ? params->max_groups : STATIC_GROUPS;
	uint32_t max_adjacencies = params->fib ? params->max_adjacencies : STATIC_ADJACENCIES;
	struct dp_nexthops *nexthops;
	int error;

	if (params->fib && !is_in_range(params)) {
		rte_errno = EINVAL;
		return NULL;
	}
	nexthops = rte_zmalloc_socket(
		"dp_nexthops", sizeof(*nexthops), RTE_CACHE_LINE_SIZE, params->socket);
	if (nexthops == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	error = create_qsbr(nexthops, params->max_readers, params->socket);
	if (error == 0)
		error = create_groups(nexthops, max_groups, max_adjacencies, params->socket);
	if (error == 0 && params->fib)
		error = create_tables(nexthops, params);
	if (error != 0) {
		dp_nexthops_destroy(nexthops);
		rte_errno = -error;
		return NULL;
	}
	nexthops->is_static = !params->fib;
	if (nexthops->is_static)
		create_static(nexthops);
	return nexthops;
}

void dp_nexthops_destroy(struct dp_nexthops *nexthops)
{
	if (nexthops == NULL)
		return;
	dp_lpm_clear(&nexthops->v4);
	dp_lpm_clear(&nexthops->v6);
	dp_numbers_destroy(nexthops->numbers);
	free(nexthops->states);
	rte_free(nexthops->groups);
	dp_adjacencies_destroy(nexthops->adjacencies);
	rte_free(nexthops->qsbr);
	rte_free(nexthops);
}

struct rte_rcu_qsbr *dp_nexthops_qsbr(struct dp_nexthops *nexthops)
{
	return nexthops->qsbr;
}

bool dp_nexthops_static(const struct dp_nexthops *nexthops, const struct dp_adjacency **v4,
	const struct dp_adjacency **v6)
{
	if (!nexthops->is_static)
		return false;
	*v4 = __atomic_load_n(&nexthops->default_v4->slots[0], __ATOMIC_ACQUIRE);
	*v6 = __atomic_load_n(&nexthops->default_v6->slots[0], __ATOMIC_ACQUIRE);
	return true;
}

/* All first accesses before the second ones: most of them wait for memory, and so they wait together. */
void dp_nexthops_lookup_v4(const struct dp_nexthops *nexthops, const uint32_t *v4, uint32_t n,
	const struct dp_group **found)
{
	const struct dp_group *otherwise = __atomic_load_n(&nexthops->default_v4, __ATOMIC_ACQUIRE);
	uint32_t numbers[LOOKUP_MAX];

	if (nexthops->is_static) {
		for (uint32_t i = 0; i < n; i++)
			found[i] = otherwise;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		numbers[i] = dp_lpm_first_v4(&nexthops->v4, v4[i]);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t number = dp_lpm_second_v4(&nexthops->v4, v4[i], numbers[i]);

		found[i] = number == 0 ? otherwise : &nexthops->groups[number];
	}
}

/* Level by level, for the same reason. Addresses inside packets lie anywhere. */
static void look_up_v6(const struct dp_lpm *lpm, const struct in6_addr *const *addresses,
	uint32_t n, uint32_t *numbers)
{
	uint32_t more = 0;

	for (uint32_t i = 0; i < n; i++) {
		numbers[i] = dp_lpm_first_v6(lpm, (const uint8_t *)addresses[i]);
		more |= numbers[i];
	}
	for (uint32_t octet = 2; (more & DP_LPM_EXT_V6) != 0; octet++) {
		more = 0;
		for (uint32_t i = 0; i < n; i++) {
			const uint8_t *octets = (const uint8_t *)addresses[i];

			numbers[i] = dp_lpm_next_v6(lpm, octets[octet], numbers[i]);
			more |= numbers[i];
		}
	}
}

void dp_nexthops_lookup_v6(const struct dp_nexthops *nexthops,
	const struct in6_addr *const *addresses, uint32_t n, const struct dp_group **found)
{
	const struct dp_group *otherwise = __atomic_load_n(&nexthops->default_v6, __ATOMIC_ACQUIRE);
	uint32_t numbers[LOOKUP_MAX] = {0};

	if (!nexthops->is_static)
		look_up_v6(&nexthops->v6, addresses, n, numbers);
	for (uint32_t i = 0; i < n; i++)
		found[i] = numbers[i] == 0 ? otherwise : &nexthops->groups[numbers[i]];
}

/* --- groups -------------------------------------------------------------------------------------- */

static void release(
	struct dp_nexthops *nexthops, const struct dp_adjacency *const *slots, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		dp_adjacencies_release(nexthops->adjacencies, slots[i]);
}

int dp_nexthops_group_set(
	struct dp_nexthops *nexthops, int group, const struct dp_adjacency *adjacencies, uint32_t n)
{
	struct group_state *state = &nexthops->states[group];
	const struct dp_group old = nexthops->groups[group];
	const struct dp_adjacency *slots[DP_GROUP_SLOTS];

	if (n < 1 || n > DP_GROUP_SLOTS)
		return -EINVAL;
	for (uint32_t i = 0; i < n; i++) {
		slots[i] = dp_adjacencies_take(
			nexthops->adjacencies, &adjacencies[i], state->ether_type);
		if (slots[i] == NULL) {
			release(nexthops, slots, i);
			return -ENOSPC;
		}
	}
	fill(&nexthops->groups[group], slots, n);
	release(nexthops, old.slots, state->held);
	state->held = (uint16_t)n;
	return 0;
}

int dp_nexthops_group_add(struct dp_nexthops *nexthops, int family,
	const struct dp_adjacency *adjacencies, uint32_t n)
{
	uint32_t number;
	int error;

	if (nexthops->is_static)
		return -EINVAL;
	number = dp_numbers_take(nexthops->numbers);
	if (number == 0)
		return -ENOSPC;
	nexthops->states[number].ether_type = family == AF_INET ? RTE_BE16(RTE_ETHER_TYPE_IPV4)
								: RTE_BE16(RTE_ETHER_TYPE_IPV6);
	error = dp_nexthops_group_set(nexthops, (int)number, adjacencies, n);
	if (error == 0)
		return (int)number;
	dp_numbers_give_back(nexthops->numbers, number);
	return error;
}

/* Its slots stay as they are for the readers that it still has; for as long their adjacencies stay, too. */
void dp_nexthops_group_remove(struct dp_nexthops *nexthops, int group)
{
	struct group_state *state = &nexthops->states[group];

	release(nexthops, nexthops->groups[group].slots, state->held);
	*state = (struct group_state){0};
	dp_numbers_give_back(nexthops->numbers, (uint32_t)group);
}

/* Out of room only after many changes within one burst of a worker: wait that long. */
static void set_static(
	struct dp_nexthops *nexthops, int group, const struct dp_adjacency *adjacency)
{
	while (dp_nexthops_group_set(nexthops, group, adjacency, 1) != 0)
		rte_rcu_qsbr_synchronize(nexthops->qsbr, RTE_QSBR_THRID_INVALID);
}

void dp_nexthops_set_static_v4(struct dp_nexthops *nexthops, const struct dp_adjacency *adjacency)
{
	set_static(nexthops, STATIC_V4, adjacency);
}

void dp_nexthops_set_static_v6(struct dp_nexthops *nexthops, const struct dp_adjacency *adjacency)
{
	set_static(nexthops, STATIC_V6, adjacency);
}

/* --- routes -------------------------------------------------------------------------------------- */

static bool is_group(const struct dp_nexthops *nexthops, int group, rte_be16_t ether_type)
{
	return group > 0 && nexthops->states[group].ether_type == ether_type;
}

int dp_nexthops_route_v4_set(
	struct dp_nexthops *nexthops, const struct addr_v4_prefix *prefix, int group)
{
	if (nexthops->is_static || prefix->len > 32 ||
		!is_group(nexthops, group, RTE_BE16(RTE_ETHER_TYPE_IPV4)))
		return -EINVAL;
	if (prefix->len > 0)
		return dp_lpm_set(
			&nexthops->v4, dp_lpm_key_v4(prefix->addr), prefix->len, (uint32_t)group);
	__atomic_store_n(&nexthops->default_v4, &nexthops->groups[group], __ATOMIC_RELEASE);
	return 0;
}

int dp_nexthops_route_v6_set(
	struct dp_nexthops *nexthops, const struct addr_v6_prefix *prefix, int group)
{
	if (nexthops->is_static || prefix->len > 128 ||
		!is_group(nexthops, group, RTE_BE16(RTE_ETHER_TYPE_IPV6)))
		return -EINVAL;
	if (prefix->len > 0)
		return dp_lpm_set(
			&nexthops->v6, dp_lpm_key_v6(&prefix->addr), prefix->len, (uint32_t)group);
	__atomic_store_n(&nexthops->default_v6, &nexthops->groups[group], __ATOMIC_RELEASE);
	return 0;
}

static int remove_default(struct dp_nexthops *nexthops, const struct dp_group **pointer)
{
	if (*pointer == &nexthops->groups[0])
		return -ENOENT;
	__atomic_store_n(pointer, &nexthops->groups[0], __ATOMIC_RELEASE);
	return 0;
}

int dp_nexthops_route_v4_remove(struct dp_nexthops *nexthops, const struct addr_v4_prefix *prefix)
{
	if (nexthops->is_static || prefix->len > 32)
		return -ENOENT;
	if (prefix->len == 0)
		return remove_default(nexthops, &nexthops->default_v4);
	return dp_lpm_remove(&nexthops->v4, dp_lpm_key_v4(prefix->addr), prefix->len);
}

int dp_nexthops_route_v6_remove(struct dp_nexthops *nexthops, const struct addr_v6_prefix *prefix)
{
	if (nexthops->is_static || prefix->len > 128)
		return -ENOENT;
	if (prefix->len == 0)
		return remove_default(nexthops, &nexthops->default_v6);
	return dp_lpm_remove(&nexthops->v6, dp_lpm_key_v6(&prefix->addr), prefix->len);
}
