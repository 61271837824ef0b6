// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/negative.h"

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_random.h>

#define WAYS        8
#define LINE_BITS   13
#define LINES       (1U << LINE_BITS)
#define UNIT_MS     100
#define TIME_MASK   UINT64_C(0x7fff)
#define TIME_HALF   0x4000
#define HAS_PORT    (UINT64_C(1) << 15)
#define SWEEP_LINES (LINES / 64)
#define V4_BITS     12
#define FEW_PORTS   2048 /* looked for one by one; more: the whole table is read */
static_assert(LINES * WAYS == DP_NEGATIVE_ENTRIES);
static_assert(DP_NEGATIVE_MS_MAX / UNIT_MS + 64 * DP_NEGATIVE_SWEEP_MS / UNIT_MS < TIME_HALF);

struct dp_negative {
	uint64_t lines[LINES][WAYS]; /* address 32, port 16, HAS_PORT 1, end 15 bits; 0: empty */
	uint64_t seed; /* what is asked about is strangers' choice, and so must not be the line */
	uint32_t n;
	uint32_t cursor; /* of the sweep */
	uint32_t n_by_v4[1U << V4_BITS]; /* entries by a hash of their address; writer's own */
} __rte_cache_aligned;
static_assert(WAYS * sizeof(uint64_t) == RTE_CACHE_LINE_SIZE);

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static uint64_t word_of(const struct dp_binding_key *key)
{
	return (uint64_t)key->v4 << 32 | (key->has_port ? (uint64_t)key->port << 16 | HAS_PORT : 0);
}

static uint32_t line_of(const struct dp_negative *negative, uint64_t key)
{
	uint64_t x = (key ^ negative->seed) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(x >> (64 - LINE_BITS));
}

static uint32_t *count_of_v4(struct dp_negative *negative, uint32_t v4)
{
	return &negative->n_by_v4[v4 * UINT32_C(0x9e3779b1) >> (32 - V4_BITS)];
}

static uint64_t time_of(uint64_t ms)
{
	return ms / UNIT_MS & TIME_MASK;
}

/* Tenths of a second that the entry has left; 0: none. */
static uint32_t left_of(uint64_t word, uint64_t now)
{
	uint32_t left = (uint32_t)((word - now) & TIME_MASK);

	return left < TIME_HALF ? left : 0;
}

struct dp_negative *dp_negative_create(int socket)
{
	struct dp_negative *negative = rte_zmalloc_socket(
		"dp_negative", sizeof(*negative), RTE_CACHE_LINE_SIZE, socket);

	if (negative != NULL)
		negative->seed = rte_rand() ^ rte_rdtsc();
	return negative;
}

void dp_negative_destroy(struct dp_negative *negative)
{
	rte_free(negative);
}

bool dp_negative_has(
	const struct dp_negative *negative, const struct dp_binding_key *key, uint64_t now_ms)
{
	uint64_t wanted = word_of(key), now = time_of(now_ms);
	const uint64_t *line = negative->lines[line_of(negative, wanted)];

	for (uint32_t i = 0; i < WAYS; i++) {
		uint64_t word = load(&line[i]);

		if ((word & ~TIME_MASK) == wanted)
			return left_of(word, now) != 0;
	}
	return false;
}

/* --- the writer ----------------------------------------------------------------------------------------- */

static void set(struct dp_negative *negative, uint64_t *word, uint64_t value)
{
	if (*word != 0) {
		--*count_of_v4(negative, (uint32_t)(*word >> 32));
		negative->n--;
	}
	if (value != 0) {
		++*count_of_v4(negative, (uint32_t)(value >> 32));
		negative->n++;
	}
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Where the entry is, or would best be: what is empty or has ended has nothing left. */
static uint64_t *place_for(struct dp_negative *negative, uint64_t wanted, uint64_t now)
{
	uint64_t *line = negative->lines[line_of(negative, wanted)], *best = &line[0];

	for (uint32_t i = 0; i < WAYS; i++) {
		if ((line[i] & ~TIME_MASK) == wanted)
			return &line[i];
		if (line[i] == 0 || (*best != 0 && left_of(line[i], now) < left_of(*best, now)))
			best = &line[i];
	}
	return best;
}

void dp_negative_add(struct dp_negative *negative, const struct dp_binding_key *key,
	uint64_t now_ms, uint32_t for_ms)
{
	uint64_t wanted = word_of(key);

	set(negative, place_for(negative, wanted, time_of(now_ms)),
		wanted | time_of(now_ms + RTE_MIN(for_ms, (uint32_t)DP_NEGATIVE_MS_MAX)));
}

static void void_key(struct dp_negative *negative, const struct dp_binding_key *key)
{
	uint64_t wanted = word_of(key);
	uint64_t *line = negative->lines[line_of(negative, wanted)];

	for (uint32_t i = 0; i < WAYS; i++)
		if ((line[i] & ~TIME_MASK) == wanted)
			set(negative, &line[i], 0);
}

/* Without a port only who has the whole address is meant. */
static bool is_within(uint64_t word, struct port_range ports)
{
	uint16_t port = (uint16_t)(word >> 16);

	if ((word & HAS_PORT) == 0)
		return port_range_is_exclusive(ports);
	return port_range_contains(ports, port);
}

void dp_negative_void(struct dp_negative *negative, uint32_t v4, struct port_range ports)
{
	struct dp_binding_key key = {.v4 = v4, .has_port = true};

	if (*count_of_v4(negative, v4) == 0)
		return;
	if (port_range_size(ports) <= FEW_PORTS) {
		for (uint32_t port = ports.first; port <= ports.last; port++) {
			key.port = (uint16_t)port;
			void_key(negative, &key);
		}
		return;
	}
	for (uint32_t i = 0; i < DP_NEGATIVE_ENTRIES; i++) {
		uint64_t *word = &negative->lines[i / WAYS][i % WAYS];

		if (*word >> 32 == v4 && is_within(*word, ports))
			set(negative, word, 0);
	}
}

void dp_negative_sweep(struct dp_negative *negative, uint64_t now_ms)
{
	uint64_t now = time_of(now_ms);

	for (uint32_t i = 0; i < SWEEP_LINES; i++) {
		uint64_t *line = negative->lines[negative->cursor++ % LINES];

		for (uint32_t k = 0; k < WAYS; k++)
			if (line[k] != 0 && left_of(line[k], now) == 0)
				set(negative, &line[k], 0);
	}
}

uint32_t dp_negative_count(const struct dp_negative *negative)
{
	return negative->n;
}
