// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bindings change hands in one thread while another one forwards random packets: whatever leaves goes to, or
 * comes from, who held its address and port at some moment of its burst (R54, S2).
 *
 * Each range has two possible holders that take turns. A holder is allowed from before it is added until the
 * burst is over in which it was removed: the writer allows it first, and forbids it when the worker has
 * finished one more burst. So what the worker checks after a burst covers the whole burst.
 */
#include "model/octets.h"
#include "model/rig.h"
#include "model/safety.h"
#include "support/random.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#define RANGES   96
#define HOLDERS  2
#define NOBODY   HOLDERS
#define BURSTS   16
#define OUTER_AT 22 /* of the outer source in a frame */

struct range {
	struct model_binding holders[HOLDERS]; /* equal but for the client */
	_Atomic uint32_t allowed; /* bit n: holder n */
	uint32_t now; /* the writer's: who holds it */
	uint32_t leaving; /* who has been removed and is still allowed ... */
	uint64_t until; /* ... until so many bursts are over */
};

static struct rig rig;
static struct model world; /* both holders of each range: what packets are made for */
static struct traffic traffic;
static struct range ranges[RANGES];
static _Atomic uint64_t bursts_over;
static atomic_bool stop;
static uint64_t changes;

/* --- the writer -------------------------------------------------------------------------------------- */

static struct dp_binding packed(const struct model_binding *binding)
{
	struct dp_binding result = {.v4_be = rte_cpu_to_be_32(binding->v4),
		.first = binding->first,
		.last = binding->last,
		.end_s = binding->end_s};

	memcpy(&result.client_v6, binding->client, sizeof(result.client_v6));
	memcpy(&result.tep_v6, binding->tep, sizeof(result.tep_v6));
	return result;
}

static void change_hands(struct range *range, uint32_t next)
{
	const struct model_binding *b = range->holders;

	if (range->now != NOBODY)
		dp_bindings_remove(rig.bindings, b->v4, (struct port_range){b->first, b->last});
	range->leaving = range->now;
	range->until = atomic_load(&bursts_over) + 1;
	if (next != NOBODY) {
		struct dp_binding added = packed(&range->holders[next]);

		atomic_fetch_or(&range->allowed, 1U << next);
		if (dp_bindings_add(rig.bindings, &added) != 0)
			next = NOBODY;
	}
	range->now = next;
	changes++;
}

/* The burst that ran when the old holder was removed is over, and checked. */
static bool settled(struct range *range)
{
	if (range->leaving == NOBODY)
		return true;
	if (atomic_load(&bursts_over) <= range->until)
		return false;
	atomic_fetch_and(&range->allowed, ~(1U << range->leaving));
	range->leaving = NOBODY;
	return true;
}

static void *write_bindings(void *arg)
{
	uint64_t random = *(const uint64_t *)arg;

	while (!atomic_load(&stop)) {
		struct range *range = &ranges[test_random_below(&random, RANGES)];
		uint32_t next = test_random_below(&random, HOLDERS + 1);

		if (settled(range) && next != range->now)
			change_hands(range, next);
	}
	return NULL;
}

/* --- the worker -------------------------------------------------------------------------------------- */

static bool is_allowed(const struct safety_end *end, const uint8_t *client, const uint8_t *tep)
{
	for (uint32_t i = 0; i < RANGES; i++) {
		const struct model_binding *b = ranges[i].holders;
		uint32_t allowed = atomic_load(&ranges[i].allowed);

		if (b->v4 != end->v4 || (end->has_port ? end->port < b->first || end->port > b->last
						       : b->first != 0 || b->last != 65535))
			continue;
		for (uint32_t holder = 0; holder < HOLDERS; holder++)
			if ((allowed & 1U << holder) != 0 &&
				memcmp(ranges[i].holders[holder].client, client, 16) == 0 &&
				(tep == NULL || memcmp(b->tep, tep, 16) == 0))
				return true;
		return false;
	}
	return false;
}

static bool is_own_error(const uint8_t *v4)
{
	return v4[9] == 1 && v4[1] == 0xc0 && get32(v4 + 12) == world.params.icmp.v4_source;
}

/* client: who sent all frames of the burst, if they came through tunnels. */
static bool is_safe(const uint8_t *at, uint32_t len, const uint8_t *client)
{
	const uint8_t *v6 = at + 14;
	struct safety_end end;

	if (get16(at + 12) == 0x0800)
		return is_own_error(at + 14) || !safety_read_end(at + 14, len - 14, false, &end) ||
		       (client != NULL && is_allowed(&end, client, NULL));
	if (v6[6] == 4)
		return safety_read_end(at + 54, len - 54, true, &end) &&
		       is_allowed(&end, v6 + 24, v6 + 8);
	if (v6[6] == 44 && (get16(at + 56) & 0xfff8) == 0)
		return safety_read_end(at + 62, len - 62, true, &end) &&
		       is_allowed(&end, v6 + 24, v6 + 8);
	return true; /* a later fragment, an ICMPv6 error */
}

static uint64_t check_what_left(const uint8_t *client)
{
	struct rte_mbuf *m;
	uint64_t n = 0;

	for (uint32_t side = 0; side < DP_SIDES; side++) {
		while (rte_ring_dequeue(rig.tx[side], (void **)&m) == 0) {
			const uint8_t *at = rte_pktmbuf_mtod(m, const uint8_t *);

			assert_true(is_safe(at, m->data_len, client));
			rte_pktmbuf_free(m);
			n++;
		}
	}
	return n;
}

static uint64_t process(const struct rig_burst *burst)
{
	struct rte_mbuf *packets[DP_BURST];
	uint64_t left;

	assert_int_equal(rte_pktmbuf_alloc_bulk(rig.pool, packets, burst->n), 0);
	for (uint32_t i = 0; i < burst->n; i++) {
		const struct traffic_frame *frame = &burst->frames[i];

		memcpy(rte_pktmbuf_append(packets[i], (uint16_t)frame->len), frame->at, frame->len);
		packets[i]->port = rig.ports[burst->side];
	}
	dp_worker_process(rig.worker, burst->side, packets, burst->n);
	for (uint32_t side = 0; side < DP_SIDES; side++)
		dp_worker_flush(rig.worker, side);
	left = check_what_left(burst->side == 0 ? burst->frames[0].at + OUTER_AT : NULL);
	atomic_fetch_add(&bursts_over, 1);
	rte_rcu_qsbr_quiescent(dp_bindings_qsbr(rig.bindings), 0);
	return left;
}

/* A burst that the frame can join: from tunnels, one outer source in each. Burst 0 is the IPv4 side's. */
static struct rig_burst *burst_for(struct rig_burst *bursts, const struct traffic_frame *frame)
{
	struct rig_burst *burst = &bursts[0];

	if (frame->side == 0 && frame->len < OUTER_AT + 16)
		return NULL;
	if (frame->side == 0)
		burst = &bursts[1 + (frame->at[OUTER_AT + 15] + frame->at[OUTER_AT + 8] * 3U) %
					    (BURSTS - 1)];
	burst->side = frame->side;
	return burst;
}

static bool fits(const struct rig_burst *burst, const struct traffic_frame *frame)
{
	return burst->n == 0 ||
	       (burst->n < DP_BURST &&
		       (frame->side == 1 || memcmp(burst->frames[0].at + OUTER_AT,
						    frame->at + OUTER_AT, 16) == 0));
}

/* --- the test ---------------------------------------------------------------------------------------- */

static void make_world(uint64_t seed)
{
	world.params = (struct dp_datapath_params){.port_v6 = rig.ports[0],
		.port_v4 = rig.ports[1],
		.n_workers = 1,
		.n_tep_v6 = 2,
		.tep_v6 = {{.s6_addr = {0x20, 1, 0xd, 0xb8, [15] = 1}},
			{.s6_addr = {0x20, 1, 0xd, 0xb8, [15] = 2}}},
		.hop_limit = 64,
		.hairpin = true,
		.mtu_v6 = 1400,
		.mtu_v4 = 1400,
		.icmp = {.rate = 100000,
			.burst = 100,
			.tunnel_v4 = 0xc0000001,
			.v4_source = 0xc0000201,
			.relay = true},
		.reassembly = {64, 256, 64, 1000}};
	for (uint32_t kind = DP_ICMP_NONE + 1; kind < DP_N_ICMP_KINDS; kind++) {
		world.params.icmp.to_clients[kind] = true;
		world.params.icmp.to_v4[kind] = kind < DP_ICMP_POLICY;
	}
	traffic_init(&traffic, seed, &world);
	traffic.fragments = 60;
	assert_true(rig_open(&rig, &world));
	rig_set_clock(&rig, 1000000);
}

/* Ranges that do not overlap; packets are made for both holders of each. */
static void make_ranges(void)
{
	for (uint32_t n = 0; n < RANGES; n = world.n_bindings) {
		struct range *range = &ranges[n];
		struct model_binding *b = range->holders;

		traffic_binding(&traffic, b);
		b->end_s = DP_BINDING_ENDLESS;
		model_binding_add(&world, b); /* or it is refused, or a renewal */
		b[1] = b[0];
		memcpy(b[1].client, traffic.clients[traffic_below(&traffic, traffic.n_clients)],
			sizeof(b[1].client));
		range->now = range->leaving = NOBODY;
	}
	for (uint32_t n = 0; n < RANGES; n++)
		world.bindings[world.n_bindings++] = ranges[n].holders[1];
}

static void only_holders_are_reached_while_bindings_change_hands(void **state)
{
	static struct rig_burst bursts[BURSTS];
	uint64_t seed = test_seed(), left = 0;
	struct traffic_frame frame;
	pthread_t writer;

	make_world(seed);
	make_ranges();
	rte_rcu_qsbr_thread_register(dp_bindings_qsbr(rig.bindings), 0);
	rte_rcu_qsbr_thread_online(dp_bindings_qsbr(rig.bindings), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_bindings, &seed), 0);
	for (uint64_t i = 0; i < TEST_PACKETS; i++) {
		struct rig_burst *burst;

		traffic_next(&traffic, &frame);
		burst = burst_for(bursts, &frame);
		if (burst == NULL)
			continue;
		if (!fits(burst, &frame)) {
			left += process(burst);
			burst->n = 0;
		}
		burst->frames[burst->n++] = frame;
		if (i % 64 == 0)
			rig_set_clock(&rig, 1000000 + i / 64);
	}
	atomic_store(&stop, true);
	pthread_join(writer, NULL);
	rte_rcu_qsbr_thread_offline(dp_bindings_qsbr(rig.bindings), 0);
	rte_rcu_qsbr_thread_unregister(dp_bindings_qsbr(rig.bindings), 0);
	assert_true(rig_destroy(&rig));
	printf("%" PRIu64 " changes, %" PRIu64 " frames left\n", changes, left);
	assert_true(left > TEST_PACKETS / 10);
	assert_true(changes > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_holders_are_reached_while_bindings_change_hands),
	};

	if (!rig_init(&rig))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
