// SPDX-License-Identifier: BSD-3-Clause
/*
 * The rings between workers and host: order, bounds, reasons, and that no wake-up is lost or wasted.
 */
#include "dataplane/punt.h"
#include "support/eal.h"

#include <rte_errno.h>
#include <rte_mbuf.h>

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define RING_SIZE 64
#define MBUFS     511

static struct rte_mempool *pool;

static struct dp_punt *create(void)
{
	struct dp_punt *punt = dp_punt_create(RING_SIZE, SOCKET_ID_ANY);

	assert_non_null(punt);
	return punt;
}

static void destroy(struct dp_punt *punt)
{
	dp_punt_destroy(punt);
	assert_int_equal(rte_mempool_avail_count(pool), MBUFS);
}

static bool readable(const struct dp_punt *punt)
{
	struct pollfd pollfd = {.fd = dp_punt_eventfd(punt), .events = POLLIN};

	return poll(&pollfd, 1, 0) == 1;
}

static void alloc(struct rte_mbuf **packets, uint32_t n)
{
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, packets, n), 0);
}

static void packets_reach_control_in_order_with_their_reasons(void **state)
{
	struct dp_punt *punt = create();
	struct rte_mbuf *sent[4], *taken[8];

	alloc(sent, 4);
	assert_false(readable(punt));
	assert_int_equal(dp_punt_to_host(punt, sent, 2, DP_PUNT_HOST), 2);
	assert_int_equal(dp_punt_to_host(punt, sent + 2, 2, DP_PUNT_RESOLVE), 2);
	assert_true(readable(punt));
	assert_int_equal(dp_punt_take(punt, taken, 8), 4);
	assert_false(readable(punt));
	for (uint32_t i = 0; i < 4; i++) {
		assert_ptr_equal(taken[i], sent[i]);
		assert_int_equal(
			dp_punt_reason_of(taken[i]), i < 2 ? DP_PUNT_HOST : DP_PUNT_RESOLVE);
	}
	rte_pktmbuf_free_bulk(taken, 4);
	destroy(punt);
}

static void control_is_asked_again_while_packets_wait(void **state)
{
	struct dp_punt *punt = create();
	struct rte_mbuf *sent[5], *taken[2];

	alloc(sent, 5);
	assert_int_equal(dp_punt_to_host(punt, sent, 5, DP_PUNT_HOST), 5);
	for (uint32_t left = 5; left > 0;) {
		uint32_t n;

		assert_true(readable(punt));
		n = dp_punt_take(punt, taken, 2);
		assert_int_equal(n, left < 2 ? left : 2);
		rte_pktmbuf_free_bulk(taken, n);
		left -= n;
	}
	assert_false(readable(punt));
	assert_int_equal(dp_punt_take(punt, taken, 2), 0);
	destroy(punt);
}

static void a_full_ring_leaves_the_rest_to_the_caller(void **state)
{
	struct dp_punt *punt = create();
	struct rte_mbuf *sent[RING_SIZE + 6];

	alloc(sent, RING_SIZE + 6);
	assert_int_equal(dp_punt_to_host(punt, sent, RING_SIZE + 6, DP_PUNT_HOST), RING_SIZE);
	assert_int_equal(dp_punt_to_host(punt, sent + RING_SIZE, 6, DP_PUNT_HOST), 0);
	rte_pktmbuf_free_bulk(sent + RING_SIZE, 6);
	/* What is still inside is freed with it. */
	destroy(punt);
}

static void frames_from_the_host_reach_the_worker_bounded(void **state)
{
	struct dp_punt *punt = create();
	struct rte_mbuf *sent[RING_SIZE + 1], *taken[RING_SIZE];

	alloc(sent, RING_SIZE + 1);
	for (uint32_t i = 0; i < RING_SIZE; i++)
		assert_true(dp_punt_send(punt, sent[i]));
	assert_false(dp_punt_send(punt, sent[RING_SIZE]));
	rte_pktmbuf_free(sent[RING_SIZE]);
	assert_int_equal(dp_punt_from_host(punt, taken, 3), 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_ptr_equal(taken[i], sent[i]);
	rte_pktmbuf_free_bulk(taken, 3);
	destroy(punt);
}

static void create_refuses_a_size_that_is_no_ring(void **state)
{
	static const uint32_t sizes[] = {0, 3, 1U << 31, UINT32_MAX};

	for (size_t i = 0; i < RTE_DIM(sizes); i++) {
		assert_null(dp_punt_create(sizes[i], SOCKET_ID_ANY));
		assert_int_equal(rte_errno, EINVAL);
	}
	dp_punt_destroy(NULL);
}

#define PASSED_ON 200000

static void *worker(void *arg)
{
	struct dp_punt *punt = arg;
	/* The rings carry pointers; one packet may pass many times, because nobody frees it. */
	static struct rte_mbuf packet;
	struct rte_mbuf *m = &packet;

	for (uint32_t i = 0; i < PASSED_ON;)
		i += dp_punt_to_host(punt, &m, 1, DP_PUNT_HOST);
	return NULL;
}

static void no_wake_up_is_lost_between_threads(void **state)
{
	struct dp_punt *punt = create();
	struct rte_mbuf *taken[16];
	pthread_t threads[2];
	uint32_t n = 0;

	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, worker, punt), 0);
	while (n < 2 * PASSED_ON) {
		struct pollfd pollfd = {.fd = dp_punt_eventfd(punt), .events = POLLIN};

		/* A lost wake-up would leave both sides still for ever. */
		assert_int_equal(poll(&pollfd, 1, 20000), 1);
		n += dp_punt_take(punt, taken, 16);
	}
	for (uint32_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(n, 2 * PASSED_ON);
	destroy(punt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_reach_control_in_order_with_their_reasons),
		cmocka_unit_test(control_is_asked_again_while_packets_wait),
		cmocka_unit_test(a_full_ring_leaves_the_rest_to_the_caller),
		cmocka_unit_test(frames_from_the_host_reach_the_worker_bounded),
		cmocka_unit_test(create_refuses_a_size_that_is_no_ring),
		cmocka_unit_test(no_wake_up_is_lost_between_threads),
	};

	if (test_eal_start(64) < 0)
		return 1;
	pool = rte_pktmbuf_pool_create("punt_test", MBUFS, 0, 0, 256, SOCKET_ID_ANY);
	if (pool == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
