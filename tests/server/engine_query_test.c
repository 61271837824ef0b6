// SPDX-License-Identifier: BSD-3-Clause
/* Clients that ask who of them holds an address and port (R16, D2): what they hear, and what they do not. */
#include "world.h"

#include "common/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define A "2001:db8:1::a"
#define B "2001:db8:1::b"

/* Two clients with a lease each, whose pool lets them ask. */
struct pair {
	struct srv_session a, b;
	struct lease lease_a, lease_b;
};

static void begin_pair(struct world *world, struct pair *pair)
{
	world->pools[0].is_direct = true;
	begin_session(&pair->a, TSP_GENERATION_2, "");
	begin_session(&pair->b, TSP_GENERATION_2, "");
	pair->lease_a = make_lease(world, &pair->a, A);
	say(world, &pair->a, TSP_ACTION_ACCEPT);
	pair->lease_b = make_lease(world, &pair->b, B);
	say(world, &pair->b, TSP_ACTION_ACCEPT);
	expect_nothing(world);
}

static struct tsp_msg about(const char *asker, uint32_t v4, uint16_t port)
{
	struct tsp_msg msg = make_request(TSP_ACTION_QUERY, asker, false);

	msg.server = (struct tsp_party){.present = true,
		.has_v4 = true,
		.v4 = v4,
		.has_ports = true,
		.n_ranges = 1,
		.ranges = {{port, port}}};
	return msg;
}

/* Nothing but the code: what is unknown, forbidden and nonsense looks alike. */
static void expect_unknown(
	struct world *world, struct srv_session *session, const struct tsp_msg *query)
{
	static const struct tsp_msg unknown = {.status = TSP_STATUS_UNAVAILABLE};
	const struct tsp_msg *answer;

	ask(world, session, query);
	answer = expect_answer(world, session, TSP_STATUS_UNAVAILABLE);
	assert_memory_equal(answer, &unknown, sizeof(unknown));
	expect_nothing(world);
}

static uint32_t expect_holder(struct world *world, struct srv_session *session,
	const struct tsp_msg *query, const struct lease *holder)
{
	const struct tsp_msg *answer;

	ask(world, session, query);
	answer = expect_answer(world, session, TSP_STATUS_OK);
	assert_int_equal(answer->action, TSP_ACTION_INFO);
	assert_int_equal(answer->server.v4, holder->v4);
	assert_int_equal(answer->server.n_v6, 1);
	assert_true(addr_v6_equal(&answer->server.v6[0], &holder->client_v6));
	assert_int_equal(answer->server.n_ranges, holder->n_ranges);
	assert_true(port_range_equal(answer->server.ranges[0], holder->ranges[0]));
	assert_true(answer->has_lifetime);
	expect_nothing(world);
	return answer->lifetime_s;
}

/* B's first question opens A's way to B, and the other way round. */
static void who_has_asked_is_told_of_and_nobody_else(void **state)
{
	struct world *world = *state;
	struct pair pair;
	struct tsp_msg to_b, to_a;

	begin_pair(world, &pair);
	to_b = about(A, pair.lease_b.v4, pair.lease_b.ranges[0].last);
	to_a = about(B, pair.lease_a.v4, pair.lease_a.ranges[0].first);
	expect_unknown(world, &pair.a, &to_b);
	expect_holder(world, &pair.b, &to_a, &pair.lease_a);
	expect_holder(world, &pair.a, &to_b, &pair.lease_b);
	assert_int_equal(counted(world, SRV_COUNT_QUERIES), 3);
	assert_int_equal(counted(world, SRV_COUNT_QUERIES_ANSWERED), 2);
	assert_int_equal(counted(world, SRV_COUNT_REFUSED_UNAVAILABLE), 0);
}

/* What one may rely on is over before somebody else can have the range (S24). */
static void an_answer_lasts_no_longer_than_a_range_rests(void **state)
{
	struct world *world = *state;
	struct pair pair;
	struct tsp_msg to_b, to_nobody;

	begin_pair(world, &pair);
	to_nobody = about(B, pair.lease_b.v4, 1);
	expect_unknown(world, &pair.b, &to_nobody);
	to_b = about(A, pair.lease_b.v4, pair.lease_b.ranges[0].first);
	assert_int_equal(expect_holder(world, &pair.a, &to_b, &pair.lease_b), QUARANTINE_MS / 1000);
	world->now_ms = pair.lease_b.end_ms - 5500;
	assert_int_equal(expect_holder(world, &pair.a, &to_b, &pair.lease_b), 5);
	/* Where lifetimes are counted in minutes it is none that can be told. */
	pair.a.lifetime_unit_s = 60;
	expect_unknown(world, &pair.a, &to_b);
}

static void without_the_policy_nobody_is_told_anything(void **state)
{
	struct world *world = *state;
	struct pair pair;
	struct tsp_msg to_b, to_a;

	begin_pair(world, &pair);
	to_b = about(A, pair.lease_b.v4, pair.lease_b.ranges[0].first);
	to_a = about(B, pair.lease_a.v4, pair.lease_a.ranges[0].first);
	expect_unknown(world, &pair.a, &to_b);
	expect_holder(world, &pair.b, &to_a, &pair.lease_a);
	world->pools[0].is_direct = false;
	expect_unknown(world, &pair.a, &to_b);
	expect_unknown(world, &pair.b, &to_a);
}

static void who_holds_no_lease_is_told_nothing(void **state)
{
	struct world *world = *state;
	struct srv_session stranger;
	struct pair pair;
	struct tsp_msg to_b, to_a, from_elsewhere;

	begin_pair(world, &pair);
	to_b = about(A, pair.lease_b.v4, pair.lease_b.ranges[0].first);
	to_a = about(B, pair.lease_a.v4, pair.lease_a.ranges[0].first);
	from_elsewhere = about("2001:db8:1::c", pair.lease_a.v4, pair.lease_a.ranges[0].first);
	expect_unknown(world, &pair.a, &to_b);
	begin_session(&stranger, TSP_GENERATION_2, "");
	expect_unknown(world, &stranger, &from_elsewhere);
	/* Another user at a holder's address is not the holder. */
	begin_session(&stranger, TSP_GENERATION_2, "mallory");
	expect_unknown(world, &stranger, &to_a);
	/* Nor does a lease that has ended let its client ask. */
	pass_ms(world, LIFETIME_MS);
	world->n_seen = world->n_actions;
	expect_unknown(world, &pair.b, &to_a);
}

static void a_client_that_begins_anew_is_not_told_of(void **state)
{
	struct world *world = *state;
	struct pair pair;
	struct tsp_msg to_b, to_a;

	begin_pair(world, &pair);
	to_b = about(A, pair.lease_b.v4, pair.lease_b.ranges[0].first);
	to_a = about(B, pair.lease_a.v4, pair.lease_a.ranges[0].first);
	expect_unknown(world, &pair.a, &to_b);
	/* A renewal changes nothing ... */
	ask_renewal(world, &pair.a, A, &pair.lease_a);
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &pair.a, TSP_STATUS_OK);
	say(world, &pair.a, TSP_ACTION_ACCEPT);
	expect_holder(world, &pair.b, &to_a, &pair.lease_a);
	/* ... a create as if it knew of no lease does. */
	ask_create(world, &pair.a, A);
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &pair.a, TSP_STATUS_OK);
	expect_unknown(world, &pair.b, &to_a);
}

static void who_may_ask_is_told_about_what(void **state)
{
	struct world *world = *state;
	struct srv_session stranger;
	const struct tsp_msg *answer;
	struct pair pair;
	struct tsp_msg query = make_request(TSP_ACTION_QUERY, A, false);
	struct tsp_msg strangers = make_request(TSP_ACTION_QUERY, "2001:db8:1::c", false);

	begin_pair(world, &pair);
	addr_v4_prefix_parse("198.51.100.0/28", &world->pools[0].prefix);
	addr_v4_prefix_parse("203.0.113.0/24", &world->pools[1].prefix);
	ask(world, &pair.a, &query);
	answer = expect_answer(world, &pair.a, TSP_STATUS_OK);
	assert_int_equal(answer->action, TSP_ACTION_INFO);
	assert_int_equal(answer->n_prefixes, 1);
	assert_int_equal(answer->prefixes[0].addr, 0xc6336400);
	assert_int_equal(answer->prefixes[0].len, 28);
	assert_false(answer->server.present);
	begin_session(&stranger, TSP_GENERATION_2, "");
	expect_unknown(world, &stranger, &strangers);
	world->pools[0].is_direct = false;
	expect_unknown(world, &pair.a, &query);
}

static void what_is_not_a_question_is_not_answered(void **state)
{
	struct world *world = *state;
	struct pair pair;
	struct tsp_msg query;

	begin_pair(world, &pair);
	expect_unknown(world, &pair.b, &(struct tsp_msg){.action = TSP_ACTION_QUERY});
	query = about(A, pair.lease_b.v4, pair.lease_b.ranges[0].first);
	query.server.ranges[0] = pair.lease_b.ranges[0]; /* more than one port */
	expect_unknown(world, &pair.a, &query);
	query.server.n_ranges = 0; /* a shared address without a port */
	expect_unknown(world, &pair.a, &query);
	query.server.has_v4 = false; /* a port of nothing */
	query.server.n_ranges = 1;
	expect_unknown(world, &pair.a, &query);
	query = about(A, pair.lease_b.v4 + 1, 2000);
	expect_unknown(world, &pair.a, &query);
	query = about(A, pair.lease_b.v4, 80);
	expect_unknown(world, &pair.a, &query);
	query.client.n_v6 = 0;
	expect_unknown(world, &pair.a, &query);
	assert_int_equal(counted(world, SRV_COUNT_QUERIES_ANSWERED), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_has_asked_is_told_of_and_nobody_else),
		TEST(an_answer_lasts_no_longer_than_a_range_rests),
		TEST(without_the_policy_nobody_is_told_anything),
		TEST(who_holds_no_lease_is_told_nothing),
		TEST(a_client_that_begins_anew_is_not_told_of),
		TEST(who_may_ask_is_told_about_what),
		TEST(what_is_not_a_question_is_not_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
