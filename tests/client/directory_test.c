// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a server says of a holder, and what is made of it (R16): a packet must never go to a host that
 * the answer does not name for that very port.
 */
#include "client/directory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW   1000
#define THERE 0xc6336408 /* 198.51.100.8 */

static const struct cl_peers_question question = {.v4 = THERE, .port = 2050};
static const struct lease ours = {
	.client_v6 = {{{0x20, 1, [15] = 7}}},
	.tep_v6 = {{{0x20, 1, [15] = 1}}},
	.v4 = 0xc6336407,
	.n_ranges = 1,
	.ranges = {{2048, 3071}},
};

static struct tsp_msg good(void)
{
	return (struct tsp_msg){
		.status = TSP_STATUS_OK,
		.action = TSP_ACTION_INFO,
		.has_lifetime = true,
		.lifetime_s = 120,
		.server = {.present = true,
			.has_v4 = true,
			.v4 = THERE,
			.n_v6 = 1,
			.v6 = {{{{0x20, 1, [15] = 8}}}},
			.n_ranges = 2,
			.ranges = {{9000, 9000}, {2048, 3071}}},
	};
}

static bool read_answer(const struct tsp_msg *msg, struct lease *holder)
{
	memset(holder, 0, sizeof(*holder));
	return cl_directory_read(msg, &question, &ours, NOW, holder);
}

static void a_holder_comes_with_all_its_ranges(void **state)
{
	struct tsp_msg msg = good();
	struct lease holder;

	assert_true(read_answer(&msg, &holder));
	assert_int_equal(holder.v4, THERE);
	assert_memory_equal(&holder.client_v6, &msg.server.v6[0], sizeof(holder.client_v6));
	assert_int_equal(holder.n_ranges, 2);
	assert_int_equal(holder.ranges[1].last, 3071);
	assert_int_equal(holder.end_ms, NOW + 120000);
}

static void without_ranges_the_address_is_the_holders_alone(void **state)
{
	struct tsp_msg msg = good();
	struct lease holder;

	msg.server.n_ranges = 0;
	assert_true(read_answer(&msg, &holder));
	assert_true(lease_is_exclusive(&holder));
}

static void an_answer_is_not_believed_for_ever(void **state)
{
	struct tsp_msg msg = good();
	struct lease holder;

	msg.lifetime_s = TSP_LIFETIME_MAX_S;
	assert_true(read_answer(&msg, &holder));
	assert_int_equal(holder.end_ms, NOW + CL_DIRECTORY_ANSWER_MAX_MS);
}

static void break_status(struct tsp_msg *msg)
{
	msg->status = TSP_STATUS_UNAVAILABLE;
}

static void break_action(struct tsp_msg *msg)
{
	msg->action = TSP_ACTION_NONE;
}

static void break_lifetime(struct tsp_msg *msg)
{
	msg->has_lifetime = false;
}

static void break_v4(struct tsp_msg *msg)
{
	msg->server.has_v4 = false;
}

static void other_v4(struct tsp_msg *msg)
{
	msg->server.v4++;
}

static void other_ports(struct tsp_msg *msg)
{
	msg->server.ranges[1].first = 2051;
}

static void no_v6(struct tsp_msg *msg)
{
	msg->server.n_v6 = 0;
}

static void link_local(struct tsp_msg *msg)
{
	msg->server.v6[0] = (struct in6_addr){{{0xfe, 0x80, [15] = 8}}};
}

static void multicast(struct tsp_msg *msg)
{
	msg->server.v6[0] = (struct in6_addr){{{0xff, 0x0e, [15] = 8}}};
}

static void ourselves(struct tsp_msg *msg)
{
	msg->server.v6[0] = ours.client_v6;
}

static void the_tep(struct tsp_msg *msg)
{
	msg->server.v6[0] = ours.tep_v6;
}

static void what_does_not_answer_the_question_is_not_used(void **state)
{
	static void (*const breaks[])(struct tsp_msg *) = {
		break_status,
		break_action,
		break_lifetime,
		break_v4,
		other_v4,
		other_ports,
		no_v6,
		link_local,
		multicast,
		ourselves,
		the_tep,
	};
	static const struct lease untouched;

	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		struct tsp_msg msg = good();
		struct lease holder;

		breaks[i](&msg);
		if (read_answer(&msg, &holder))
			fail_msg("case %zu", i);
		assert_memory_equal(&holder, &untouched, sizeof(holder));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_holder_comes_with_all_its_ranges),
		cmocka_unit_test(without_ranges_the_address_is_the_holders_alone),
		cmocka_unit_test(an_answer_is_not_believed_for_ever),
		cmocka_unit_test(what_does_not_answer_the_question_is_not_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
