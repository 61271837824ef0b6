// SPDX-License-Identifier: BSD-3-Clause
/*
 * An array of adjacencies, and two ways into it: one default a family (all there is with neighbor: static), and
 * rte_fib (DIR24_8) and rte_lpm6, whose next hops are indexes of the array. The default routes stand
 * outside the tables: a change of one is a change of one pointer.
 *
 * Invariant: a number that a reader can still come by names an adjacency that does not change. Routes that
 * share a value share a number and count as its users; a number without users waits in `retired` for a grace
 * period, oldest first, before it is given out again.
 *
 * The tables know no RCU in DPDK 22.11: second-level groups that a removed route frees may be used by
 * the next one added. So adding waits until readers have moved on from the last removal. What remains is
 * that rte_fib clears a group it frees: a reader caught between the two levels of that group takes the default
 * route for one burst.
 *
 * Two more faults of that release decided this. rte_fib6 never gives back what it reserved for a removed
 * route: with 256 groups it was full after 31 host routes had come and gone, one at a time. Hence rte_lpm6. rte_fib loses
 * track at the end of the address space: routes that reach 255.255.255.255 (multicast and
 * reserved addresses, which are not forwarded anyway) are refused.
 */
#include "dataplane/nexthop.h"

#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_lpm6.h>
#include <rte_malloc.h>
#include <rte_rib.h>

#include <inttypes.h>
#include <stdio.h>

#define TYPE_V4             RTE_BE16(RTE_ETHER_TYPE_IPV4)
#define TYPE_V6             RTE_BE16(RTE_ETHER_TYPE_IPV6)
#define LOOKUP_MAX          64
#define STATIC_ADJACENCIES  16 /* two in use, the rest for changes within one grace period */
#define NUMBERS_OF_2_OCTETS INT16_MAX /* the fibs keep one bit for themselves */
#define TBL8_PER_ROUTE_V6   4 /* host routes of one link share what their addresses share */
#define TBL8_SHARED_V6      32 /* and the prefixes above it */

/* What the writer knows of a number; one of the three states is true. */
struct user_count {
	uint32_t users; /* routes, or static pointers; 0: free or retired */
	uint32_t next; /* free list */
	uint64_t token; /* grace period that a retired number waits for */
};

struct dp_nexthops {
	struct dp_adjacency *adjacencies; /* [0] is NO_ROUTE */
	const struct dp_adjacency *default_v4; /* where no route matches */
	const struct dp_adjacency *default_v6;
	struct rte_fib *fib4; /* NULL: static */
	struct rte_lpm6 *lpm6;
	struct rte_rcu_qsbr *qsbr;
	/* The writer's own: */
	struct rte_hash *numbers; /* adjacency value -> number */
	struct user_count *counts;
	uint32_t size; /* of both arrays */
	uint32_t first_free; /* 0: none */
	uint32_t *retired; /* ring of size numbers */
	uint32_t retired_first;
	uint32_t n_retired;
	uint64_t removal_token; /* grace period since the last route was removed */
};

static int create_numbers(struct dp_nexthops *nexthops, int socket)
{
	char name[RTE_HASH_NAMESIZE];
	const struct rte_hash_parameters params = {
		.name = name,
		/* rte_hash without an extendable bucket list can refuse before it is full. */
		.entries = RTE_MAX(nexthops->size * 2, 16U),
		.key_len = sizeof(struct dp_adjacency),
		.hash_func = rte_jhash,
		.socket_id = socket,
	};

	snprintf(name, sizeof(name), "adj_%" PRIxPTR, (uintptr_t)nexthops);
	nexthops->numbers = rte_hash_create(&params);
	return nexthops->numbers == NULL ? -rte_errno : 0;
}

static int create_adjacencies(struct dp_nexthops *nexthops, int socket)
{
	uint32_t size = nexthops->size;

	nexthops->adjacencies = rte_zmalloc_socket("dp_adjacencies",
		size * sizeof(*nexthops->adjacencies), RTE_CACHE_LINE_SIZE, socket);
	nexthops->counts = rte_calloc_socket(
		"dp_adjacency_counts", size, sizeof(*nexthops->counts), 0, socket);
	nexthops->retired = rte_calloc_socket(
		"dp_adjacency_retired", size, sizeof(*nexthops->retired), 0, socket);
	if (nexthops->adjacencies == NULL || nexthops->counts == NULL || nexthops->retired == NULL)
		return -ENOMEM;
	for (uint32_t i = 1; i < size; i++)
		nexthops->counts[i].next = i + 1 < size ? i + 1 : 0;
	nexthops->first_free = 1;
	return create_numbers(nexthops, socket);
}

static int create_qsbr(struct dp_nexthops *nexthops, uint32_t max_readers, int socket)
{
	nexthops->qsbr = rte_zmalloc_socket("dp_nexthops_qsbr",
		rte_rcu_qsbr_get_memsize(max_readers), RTE_CACHE_LINE_SIZE, socket);
	if (nexthops->qsbr == NULL)
		return -ENOMEM;
	return rte_rcu_qsbr_init(nexthops->qsbr, max_readers) == 0 ? 0 : -rte_errno;
}

static int create_tables(struct dp_nexthops *nexthops, const struct dp_nexthops_params *params)
{
	bool wide = RTE_MAX(params->max_routes, params->max_adjacencies) > NUMBERS_OF_2_OCTETS;
	struct rte_fib_conf conf4 = {
		.type = RTE_FIB_DIR24_8,
		.max_routes = (int)params->max_routes,
		.dir24_8.nh_sz = wide ? RTE_FIB_DIR24_8_4B : RTE_FIB_DIR24_8_2B,
		.dir24_8.num_tbl8 = params->max_routes,
	};
	const struct rte_lpm6_config conf6 = {
		.max_rules = params->max_routes,
		.number_tbl8s = params->max_routes * TBL8_PER_ROUTE_V6 + TBL8_SHARED_V6,
	};
	char name[RTE_LPM6_NAMESIZE];

	snprintf(name, sizeof(name), "fib4_%" PRIxPTR, (uintptr_t)nexthops);
	nexthops->fib4 = rte_fib_create(name, params->socket, &conf4);
	if (nexthops->fib4 == NULL)
		return -rte_errno;
	snprintf(name, sizeof(name), "lpm6_%" PRIxPTR, (uintptr_t)nexthops);
	nexthops->lpm6 = rte_lpm6_create(name, params->socket, &conf6);
	return nexthops->lpm6 == NULL ? -rte_errno : 0;
}

struct dp_nexthops *dp_nexthops_create(const struct dp_nexthops_params *params)
{
	struct dp_nexthops *nexthops;
	int error = -EINVAL;

	if (params->fib &&
		(params->max_adjacencies < 1 || params->max_adjacencies > INT32_MAX / 32 ||
			params->max_routes < 1 || params->max_routes > 1U << 24)) {
		rte_errno = EINVAL;
		return NULL;
	}
	nexthops = rte_zmalloc_socket(
		"dp_nexthops", sizeof(*nexthops), RTE_CACHE_LINE_SIZE, params->socket);
	if (nexthops == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	nexthops->size = params->fib ? params->max_adjacencies + 1 : STATIC_ADJACENCIES;
	error = create_adjacencies(nexthops, params->socket);
	if (error == 0)
		error = create_qsbr(nexthops, params->max_readers, params->socket);
	if (error == 0 && params->fib)
		error = create_tables(nexthops, params);
	if (error != 0) {
		dp_nexthops_destroy(nexthops);
		rte_errno = -error;
		return NULL;
	}
	nexthops->default_v4 = &nexthops->adjacencies[0];
	nexthops->default_v6 = &nexthops->adjacencies[0];
	return nexthops;
}

void dp_nexthops_destroy(struct dp_nexthops *nexthops)
{
	if (nexthops == NULL)
		return;
	rte_fib_free(nexthops->fib4);
	rte_lpm6_free(nexthops->lpm6);
	rte_hash_free(nexthops->numbers);
	rte_free(nexthops->qsbr);
	rte_free(nexthops->retired);
	rte_free(nexthops->counts);
	rte_free(nexthops->adjacencies);
	rte_free(nexthops);
}

struct rte_rcu_qsbr *dp_nexthops_qsbr(struct dp_nexthops *nexthops)
{
	return nexthops->qsbr;
}

bool dp_nexthops_static(const struct dp_nexthops *nexthops, const struct dp_adjacency **v4,
	const struct dp_adjacency **v6)
{
	*v4 = __atomic_load_n(&nexthops->default_v4, __ATOMIC_ACQUIRE);
	*v6 = __atomic_load_n(&nexthops->default_v6, __ATOMIC_ACQUIRE);
	return nexthops->fib4 == NULL;
}

void dp_nexthops_lookup_v4(const struct dp_nexthops *nexthops, const uint32_t *v4, uint32_t n,
	const struct dp_adjacency **found)
{
	const struct dp_adjacency *otherwise = __atomic_load_n(
		&nexthops->default_v4, __ATOMIC_ACQUIRE);
	uint64_t numbers[LOOKUP_MAX] = {0};

	if (nexthops->fib4 == NULL) {
		for (uint32_t i = 0; i < n; i++)
			found[i] = otherwise;
		return;
	}
	/* The library takes a pointer to non-const and only reads. */
	rte_fib_lookup_bulk(nexthops->fib4, (uint32_t *)(uintptr_t)v4, numbers, (int)n);
	for (uint32_t i = 0; i < n; i++)
		found[i] = numbers[i] == 0 ? otherwise : &nexthops->adjacencies[numbers[i]];
}

void dp_nexthops_lookup_v6(const struct dp_nexthops *nexthops,
	const struct in6_addr *const *addresses, uint32_t n, const struct dp_adjacency **found)
{
	const struct dp_adjacency *otherwise = __atomic_load_n(
		&nexthops->default_v6, __ATOMIC_ACQUIRE);
	uint8_t keys[LOOKUP_MAX][RTE_LPM6_IPV6_ADDR_SIZE];
	int32_t numbers[LOOKUP_MAX];

	if (nexthops->lpm6 == NULL) {
		for (uint32_t i = 0; i < n; i++)
			found[i] = otherwise;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		memcpy(keys[i], addresses[i], sizeof(keys[i]));
	rte_lpm6_lookup_bulk_func(nexthops->lpm6, keys, numbers, n);
	for (uint32_t i = 0; i < n; i++)
		found[i] = numbers[i] < 0 ? otherwise : &nexthops->adjacencies[numbers[i]];
}

/* --- numbers ------------------------------------------------------------------------------------- */

/* Moves retired numbers whose grace period has passed to the free list. */
static void reclaim(struct dp_nexthops *nexthops)
{
	while (nexthops->n_retired > 0) {
		uint32_t number = nexthops->retired[nexthops->retired_first];
		struct user_count *count = &nexthops->counts[number];

		if (rte_rcu_qsbr_check(nexthops->qsbr, count->token, false) != 1)
			return;
		nexthops->retired_first = (nexthops->retired_first + 1) % nexthops->size;
		nexthops->n_retired--;
		count->next = nexthops->first_free;
		nexthops->first_free = number;
	}
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

/* The number of a value, with one user more. Negative errno when there is none left. */
static int64_t take_number(
	struct dp_nexthops *nexthops, const struct dp_adjacency *adjacency, rte_be16_t ether_type)
{
	struct dp_adjacency value = normalized(adjacency, ether_type);
	uint32_t number;
	void *known;

	if (rte_hash_lookup_data(nexthops->numbers, &value, &known) >= 0) {
		number = (uint32_t)(uintptr_t)known;
		nexthops->counts[number].users++;
		return number;
	}
	reclaim(nexthops);
	number = nexthops->first_free;
	if (number == 0)
		return -ENOSPC;
	if (rte_hash_add_key_data(nexthops->numbers, &value, (void *)(uintptr_t)number) != 0)
		return -ENOSPC;
	nexthops->first_free = nexthops->counts[number].next;
	nexthops->adjacencies[number] = value;
	/* The libraries write the number with plain instructions. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	nexthops->counts[number].users = 1;
	return number;
}

static void drop_number(struct dp_nexthops *nexthops, uint32_t number)
{
	struct user_count *count = &nexthops->counts[number];
	uint32_t slot;

	if (number == 0 || --count->users > 0)
		return;
	rte_hash_del_key(nexthops->numbers, &nexthops->adjacencies[number]);
	count->token = rte_rcu_qsbr_start(nexthops->qsbr);
	slot = (nexthops->retired_first + nexthops->n_retired) % nexthops->size;
	nexthops->retired[slot] = number;
	nexthops->n_retired++;
}

static rte_be16_t type_of_default(
	const struct dp_nexthops *nexthops, const struct dp_adjacency *const *pointer)
{
	return pointer == &nexthops->default_v4 ? TYPE_V4 : TYPE_V6;
}

/* Points a default at a value, or at NO_ROUTE when value is NULL. 0 or -ENOSPC. */
static int set_default(struct dp_nexthops *nexthops, const struct dp_adjacency **pointer,
	const struct dp_adjacency *value)
{
	uint32_t old = *pointer - nexthops->adjacencies;
	int64_t number = 0;

	if (value != NULL)
		number = take_number(nexthops, value, type_of_default(nexthops, pointer));

	if (number < 0)
		return (int)number;
	__atomic_store_n(pointer, &nexthops->adjacencies[number], __ATOMIC_RELEASE);
	drop_number(nexthops, old);
	return 0;
}

/* Out of numbers only after many changes within one burst of a worker: wait that long. */
static void set_static(struct dp_nexthops *nexthops, const struct dp_adjacency **pointer,
	const struct dp_adjacency *adjacency)
{
	while (set_default(nexthops, pointer, adjacency) != 0)
		rte_rcu_qsbr_synchronize(nexthops->qsbr, RTE_QSBR_THRID_INVALID);
}

void dp_nexthops_set_static_v4(struct dp_nexthops *nexthops, const struct dp_adjacency *adjacency)
{
	set_static(nexthops, &nexthops->default_v4, adjacency);
}

void dp_nexthops_set_static_v6(struct dp_nexthops *nexthops, const struct dp_adjacency *adjacency)
{
	set_static(nexthops, &nexthops->default_v6, adjacency);
}

/* --- routes -------------------------------------------------------------------------------------- */

/* A prefix that rte_fib can hold. */
static bool is_usable_v4(const struct dp_nexthops *nexthops, const struct addr_v4_prefix *prefix)
{
	return nexthops->fib4 != NULL && prefix->len <= RTE_FIB_MAXDEPTH &&
	       (prefix->len == 0 ||
		       (prefix->addr | UINT32_MAX >> (prefix->len - 1) >> 1) != UINT32_MAX);
}

static bool is_usable_v6(const struct dp_nexthops *nexthops, const struct addr_v6_prefix *prefix)
{
	return nexthops->lpm6 != NULL && prefix->len <= RTE_LPM6_MAX_DEPTH;
}

/* The number that exactly this prefix points at now; 0: no such route. */
static uint32_t number_of_v4(
	const struct dp_nexthops *nexthops, const struct addr_v4_prefix *prefix)
{
	struct rte_rib_node *node = rte_rib_lookup_exact(
		rte_fib_get_rib(nexthops->fib4), prefix->addr, prefix->len);
	uint64_t number = 0;

	if (node != NULL)
		rte_rib_get_nh(node, &number);
	return (uint32_t)number;
}

static uint32_t number_of_v6(
	const struct dp_nexthops *nexthops, const struct addr_v6_prefix *prefix)
{
	uint32_t number;

	if (rte_lpm6_is_rule_present(nexthops->lpm6, prefix->addr.s6_addr, prefix->len, &number) !=
		1)
		return 0;
	return number;
}

/* Before a group that the last removal freed can be used again. */
static void wait_for_readers(struct dp_nexthops *nexthops)
{
	if (nexthops->removal_token != 0)
		rte_rcu_qsbr_check(nexthops->qsbr, nexthops->removal_token, true);
	nexthops->removal_token = 0;
}

int dp_nexthops_route_v4_set(struct dp_nexthops *nexthops, const struct addr_v4_prefix *prefix,
	const struct dp_adjacency *adjacency)
{
	uint32_t old;
	int64_t number;
	int error;

	if (!is_usable_v4(nexthops, prefix))
		return -EINVAL;
	if (prefix->len == 0)
		return set_default(nexthops, &nexthops->default_v4, adjacency);
	old = number_of_v4(nexthops, prefix);
	number = take_number(nexthops, adjacency, TYPE_V4);
	if (number < 0)
		return (int)number;
	wait_for_readers(nexthops);
	error = rte_fib_add(nexthops->fib4, prefix->addr, prefix->len, (uint64_t)number);
	drop_number(nexthops, error == 0 ? old : (uint32_t)number);
	return error;
}

int dp_nexthops_route_v6_set(struct dp_nexthops *nexthops, const struct addr_v6_prefix *prefix,
	const struct dp_adjacency *adjacency)
{
	uint32_t old;
	int64_t number;
	int error;

	if (!is_usable_v6(nexthops, prefix))
		return -EINVAL;
	if (prefix->len == 0)
		return set_default(nexthops, &nexthops->default_v6, adjacency);
	old = number_of_v6(nexthops, prefix);
	number = take_number(nexthops, adjacency, TYPE_V6);
	if (number < 0)
		return (int)number;
	wait_for_readers(nexthops);
	error = rte_lpm6_add(nexthops->lpm6, prefix->addr.s6_addr, prefix->len, (uint32_t)number);
	drop_number(nexthops, error == 0 ? old : (uint32_t)number);
	return error;
}

static int remove_default(struct dp_nexthops *nexthops, const struct dp_adjacency **pointer)
{
	if (*pointer == &nexthops->adjacencies[0])
		return -ENOENT;
	return set_default(nexthops, pointer, NULL);
}

int dp_nexthops_route_v4_remove(struct dp_nexthops *nexthops, const struct addr_v4_prefix *prefix)
{
	uint32_t number;

	if (!is_usable_v4(nexthops, prefix))
		return -ENOENT;
	if (prefix->len == 0)
		return remove_default(nexthops, &nexthops->default_v4);
	number = number_of_v4(nexthops, prefix);
	if (number == 0 || rte_fib_delete(nexthops->fib4, prefix->addr, prefix->len) != 0)
		return -ENOENT;
	nexthops->removal_token = rte_rcu_qsbr_start(nexthops->qsbr);
	drop_number(nexthops, number);
	return 0;
}

int dp_nexthops_route_v6_remove(struct dp_nexthops *nexthops, const struct addr_v6_prefix *prefix)
{
	uint32_t number;

	if (!is_usable_v6(nexthops, prefix))
		return -ENOENT;
	if (prefix->len == 0)
		return remove_default(nexthops, &nexthops->default_v6);
	number = number_of_v6(nexthops, prefix);
	if (number == 0 || rte_lpm6_delete(nexthops->lpm6, prefix->addr.s6_addr, prefix->len) != 0)
		return -ENOENT;
	nexthops->removal_token = rte_rcu_qsbr_start(nexthops->qsbr);
	drop_number(nexthops, number);
	return 0;
}
