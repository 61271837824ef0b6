// SPDX-License-Identifier: BSD-3-Clause
/*
 * Packets that wait for their next hop: order, bounds, time.
 */
#include "control/hold.h"
#include "support/eal.h"

#include <rte_errno.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MBUFS 2047

static struct rte_mempool *pool;

static struct tep_hop hop(uint32_t n)
{
	struct tep_hop result = {.ip = {.family = AF_INET6}};

	memcpy(result.ip.octets, &n, sizeof(n));
	return result;
}

static struct rte_mbuf *packet(uint16_t mark)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_non_null(m);
	m->vlan_tci = mark;
	return m;
}

static enum tep_hold_result add(struct tep_hold *hold, uint32_t to, uint16_t mark, int64_t now_ms)
{
	struct tep_hop next = hop(to);
	struct rte_mbuf *m = packet(mark);
	enum tep_hold_result result = tep_hold_add(hold, &next, m, now_ms);

	if (result == TEP_HOLD_FULL)
		rte_pktmbuf_free(m);
	return result;
}

struct taken {
	uint32_t n;
	uint16_t marks[TEP_HOLD_PER_HOP];
};

static void take(void *arg, struct rte_mbuf *m)
{
	struct taken *taken = arg;

	taken->marks[taken->n++] = m->vlan_tci;
	rte_pktmbuf_free(m);
}

static struct taken release(struct tep_hold *hold, uint32_t to)
{
	struct tep_hop next = hop(to);
	struct taken taken = {0};

	tep_hold_release(hold, &next, take, &taken);
	return taken;
}

static struct tep_hold *create(void)
{
	struct tep_hold *hold = tep_hold_create();

	assert_non_null(hold);
	return hold;
}

static void destroy(struct tep_hold *hold)
{
	tep_hold_destroy(hold);
	assert_int_equal(rte_mempool_avail_count(pool), MBUFS);
}

static void packets_leave_in_order_when_their_hop_is_known(void **state)
{
	struct tep_hold *hold = create();
	struct taken taken;

	assert_int_equal(add(hold, 1, 11, 0), TEP_HOLD_FIRST);
	assert_int_equal(add(hold, 2, 21, 0), TEP_HOLD_FIRST);
	assert_int_equal(add(hold, 1, 12, 0), TEP_HOLD_WAITS);
	taken = release(hold, 1);
	assert_int_equal(taken.n, 2);
	assert_int_equal(taken.marks[0], 11);
	assert_int_equal(taken.marks[1], 12);
	assert_int_equal(release(hold, 1).n, 0);
	assert_int_equal(release(hold, 3).n, 0);
	assert_int_equal(release(hold, 2).n, 1);
	/* A hop that was released is asked for again. */
	assert_int_equal(add(hold, 1, 13, 0), TEP_HOLD_FIRST);
	destroy(hold);
}

static void the_same_address_by_another_twin_is_another_hop(void **state)
{
	struct tep_hold *hold = create();
	struct tep_hop other = hop(1);
	struct taken taken = {0};

	other.twin = 1;
	assert_int_equal(add(hold, 1, 11, 0), TEP_HOLD_FIRST);
	tep_hold_release(hold, &other, take, &taken);
	assert_int_equal(taken.n, 0);
	destroy(hold);
}

static void a_hop_holds_a_few(void **state)
{
	struct tep_hold *hold = create();

	for (uint16_t i = 0; i < TEP_HOLD_PER_HOP; i++)
		assert_int_not_equal(add(hold, 1, i, 0), TEP_HOLD_FULL);
	assert_int_equal(add(hold, 1, 99, 0), TEP_HOLD_FULL);
	assert_int_equal(add(hold, 2, 1, 0), TEP_HOLD_FIRST);
	assert_int_equal(release(hold, 1).n, TEP_HOLD_PER_HOP);
	destroy(hold);
}

static void a_scan_fills_its_room_and_pushes_nobody_out(void **state)
{
	struct tep_hold *hold = create();

	for (uint32_t i = 0; i < TEP_HOLD_HOPS; i++)
		assert_int_equal(add(hold, i, 1, 0), TEP_HOLD_FIRST);
	assert_int_equal(add(hold, TEP_HOLD_HOPS, 1, 0), TEP_HOLD_FULL);
	for (uint32_t i = TEP_HOLD_HOPS; i < TEP_HOLD_PACKETS; i++)
		assert_int_equal(add(hold, i % TEP_HOLD_HOPS, 2, 0), TEP_HOLD_WAITS);
	assert_int_equal(add(hold, 0, 3, 0), TEP_HOLD_FULL);
	assert_int_equal(release(hold, 0).n, TEP_HOLD_PACKETS / TEP_HOLD_HOPS);
	assert_int_equal(add(hold, TEP_HOLD_HOPS, 1, 0), TEP_HOLD_FIRST);
	destroy(hold);
}

static void packets_wait_from_the_first_of_their_hop_on(void **state)
{
	struct tep_hold *hold = create();

	add(hold, 1, 1, 1000);
	add(hold, 2, 1, 2000);
	add(hold, 1, 2, 1000 + TEP_HOLD_MS - 1);
	assert_int_equal(tep_hold_expire(hold, 1000 + TEP_HOLD_MS - 1), 0);
	assert_int_equal(tep_hold_expire(hold, 1000 + TEP_HOLD_MS), 2);
	assert_int_equal(release(hold, 1).n, 0);
	assert_int_equal(release(hold, 2).n, 1);
	assert_int_equal(tep_hold_expire(hold, INT64_MAX), 0);
	destroy(hold);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_leave_in_order_when_their_hop_is_known),
		cmocka_unit_test(the_same_address_by_another_twin_is_another_hop),
		cmocka_unit_test(a_hop_holds_a_few),
		cmocka_unit_test(a_scan_fills_its_room_and_pushes_nobody_out),
		cmocka_unit_test(packets_wait_from_the_first_of_their_hop_on),
	};

	if (test_eal_start(64) < 0)
		return 1;
	pool = rte_pktmbuf_pool_create("hold_test", MBUFS, 0, 0, 256, SOCKET_ID_ANY);
	if (pool == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
