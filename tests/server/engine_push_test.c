// SPDX-License-Identifier: BSD-3-Clause
/* What the server says of its own accord: leases and ends that are pushed (R32, R102), and other servers (R108). */
#include "world.h"

#include "common/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CLIENT "2001:db8:1::a"

static struct srv_wish wish_for(const char *client)
{
	struct srv_wish wish = {.shared = true, .lifetime_s = LIFETIME_MS / 1000};

	assert_int_equal(addr_v6_parse(client, &wish.client_v6), 0);
	return wish;
}

static int push(struct world *world, struct srv_session *session)
{
	struct srv_wish wish = wish_for(CLIENT);

	return srv_engine_push_create(world->engine, session, &wish, world->now_ms);
}

/* Pushed as far as the client: its message. */
static struct tsp_msg expect_pushed(struct world *world, struct srv_session *session)
{
	struct action *told;

	assert_int_equal(push(world, session), 0);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	told = expect(world, ANSWER);
	assert_ptr_equal(told->session, session);
	assert_int_equal(told->msg.status, TSP_STATUS_NONE);
	assert_int_equal(told->msg.action, TSP_ACTION_CREATE);
	expect_nothing(world);
	return told->msg;
}

/* --- create -------------------------------------------------------------------------------------- */

static void a_pushed_lease_is_the_clients_once_it_says_so(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct tsp_msg msg, info = {.action = TSP_ACTION_INFO, .status = TSP_STATUS_OK};

	begin_session(&session, TSP_GENERATION_1, "");
	msg = expect_pushed(world, &session);
	assert_int_equal(msg.lifetime_s, LIFETIME_MS / 1000);
	assert_true(addr_v6_equal(&msg.server.v6[0], &world->teps[0].v6));
	assert_int_equal(msg.client.n_ranges, 1);
	info.client = msg.client;
	ask(world, &session, &info);
	pass_ms(world, 60000);
	expect_nothing(world);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 1);
	assert_int_equal(counted(world, SRV_COUNT_LEASES_PUSHED), 1);
	pass_ms(world, LIFETIME_MS);
	assert_int_equal(expect(world, ANSWER)->msg.action, TSP_ACTION_DELETE);
	expect_end(world);
	close_session(world, &session);
}

static void a_pushed_lease_that_the_client_refuses_is_undone(void **state)
{
	struct tsp_msg refusal = {.status = TSP_STATUS_UNAVAILABLE};
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	expect_pushed(world, &session);
	ask(world, &session, &refusal);
	expect_end(world);
	expect_nothing(world);
	assert_int_equal(counted(world, SRV_COUNT_LEASES_UNDONE), 1);
	close_session(world, &session);
}

/* It may have taken it in silence: it is told of the end. */
static void a_pushed_lease_that_the_client_does_not_answer_is_undone(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	expect_pushed(world, &session);
	pass_ms(world, 29999);
	expect_nothing(world);
	pass_ms(world, 1);
	assert_int_equal(expect(world, ANSWER)->msg.action, TSP_ACTION_DELETE);
	expect_end(world);
	close_session(world, &session);
}

static void a_client_that_leaves_meanwhile_leaves_nothing(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	assert_int_equal(push(world, &session), 0);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	close_session(world, &session);
	memset(&session, 0xff, sizeof(session));
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_end(world);
	expect_nothing(world);

	begin_session(&session, TSP_GENERATION_1, "");
	expect_pushed(world, &session);
	close_session(world, &session);
	expect_end(world);
}

static void a_tep_that_refuses_a_pushed_lease_is_not_the_clients_business(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	assert_int_equal(push(world, &session), 0);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_tep_create(world, SRV_TEP_REFUSED);
	expect(world, REMOVE);
	expect_nothing(world);
	close_session(world, &session);
}

static void nothing_is_pushed_to_who_cannot_take_it(void **state)
{
	struct world *world = *state;
	struct srv_session session, modern;

	begin_session(&modern, TSP_GENERATION_2, "");
	assert_int_equal(push(world, &modern), -EBUSY);
	begin_session(&session, TSP_GENERATION_1, "");
	assert_int_equal(push(world, &session), 0);
	assert_int_equal(push(world, &session), -EBUSY);
	expect(world, PUT);
	close_session(world, &session);

	begin_session(&session, TSP_GENERATION_1, "alice");
	make_lease(world, &session, "2001:db8:1::1");
	make_lease(world, &session, "2001:db8:1::2");
	assert_int_equal(push(world, &session), -EBUSY); /* the client's first one is under way */
	close_session(world, &session);
	close_session(world, &modern);
}

/* The client's own request for the same lease waits for the pushed one and is answered from it. */
static void a_create_meets_the_pushed_lease(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease pushed;

	begin_session(&session, TSP_GENERATION_1, "");
	assert_int_equal(push(world, &session), 0);
	ask_create(world, &session, CLIENT);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	pushed = expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	assert_int_equal(expect(world, ANSWER)->msg.action, TSP_ACTION_CREATE);
	assert_int_equal(
		expect_tep_create(world, SRV_TEP_DONE).ranges[0].first, pushed.ranges[0].first);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	pass_ms(world, 60000); /* it has asked for it: no other acceptance is due */
	expect_nothing(world);
	close_session(world, &session);
}

/* S25: an operator's push gives nobody more than the quota of the address, nor the ports of the user's. */
static void a_push_beyond_the_quota_is_refused_and_leaves_nothing(void **state)
{
	const struct srv_quota_limits ports = {.user = {.ports = 16383}};
	struct world *world = *state;
	struct srv_session alice, bob, carol;

	begin_session(&alice, TSP_GENERATION_1, "alice");
	begin_session(&bob, TSP_GENERATION_1, "bob");
	begin_session(&carol, TSP_GENERATION_1, "carol");
	make_lease(world, &alice, CLIENT);
	make_lease(world, &bob, CLIENT);
	assert_int_equal(push(world, &carol), -EDQUOT);
	expect(world, REMOVE); /* what the pool had given */
	expect_nothing(world);
	srv_quota_set_limits(world->quota, &ports);
	assert_int_equal(push(world, &carol), -EDQUOT);
	expect(world, REMOVE); /* what the pool had given */
	expect_nothing(world);
	assert_int_equal(leases_in(world, SRV_LEASE_PENDING), 0);
	srv_quota_set_limits(world->quota, &(struct srv_quota_limits){.user = {.ports = 16384}});
	assert_int_equal(push(world, &carol), 0);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	close_session(world, &alice);
	close_session(world, &bob);
	close_session(world, &carol);
}

/* --- delete -------------------------------------------------------------------------------------- */

static void a_pushed_delete_ends_leases_and_tells_who_listens(void **state)
{
	struct tsp_msg refusal = {.status = TSP_STATUS_MALFORMED};
	struct world *world = *state;
	struct srv_session session, other;
	struct in6_addr client;
	struct lease lease;

	addr_v6_parse(CLIENT, &client);
	begin_session(&session, TSP_GENERATION_1, "");
	begin_session(&other, TSP_GENERATION_2, "alice");
	lease = make_lease(world, &session, CLIENT);
	make_lease(world, &other, CLIENT);
	say(world, &other, TSP_ACTION_ACCEPT);
	assert_int_equal(srv_engine_push_delete(world->engine, &client, lease.v4 + 1, 0), 0);
	assert_int_equal(srv_engine_push_delete(world->engine, &client, 0, world->now_ms), 2);
	expect_end(world);
	assert_ptr_equal(expect(world, ANSWER)->session, &session);
	expect_end(world);
	ask(world, &session, &refusal); /* whatever it says to that */
	expect_nothing(world);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 0);
	close_session(world, &session);
	close_session(world, &other);
}

/* --- redirection --------------------------------------------------------------------------------- */

static void set_redirect(struct world *world, enum srv_redirect when)
{
	static struct in6_addr brokers[2];
	struct srv_engine_params params = {
		.policy = {.lifetime_s = LIFETIME_MS / 1000, .lifetime_min_s = 1},
		.quarantine_s = QUARANTINE_MS / 1000,
		.redirect = when,
		.brokers = brokers,
		.n_brokers = 2,
	};

	addr_v6_parse("2001:db8:b::1", &brokers[0]);
	addr_v6_parse("2001:db8:b::2", &brokers[1]);
	srv_engine_set_limits(world->engine, &params);
}

static void expect_redirection(
	struct world *world, struct srv_session *session, enum tsp_status status)
{
	const struct tsp_msg *msg = expect_answer(world, session, status);

	assert_int_equal(msg->action, TSP_ACTION_LIST);
	assert_int_equal(msg->n_brokers, 2);
	assert_int_equal(msg->brokers[1].v6.s6_addr[15], 2);
	expect_nothing(world);
}

static void a_client_is_sent_on_when_no_pool_has_room(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	set_redirect(world, SRV_REDIRECT_EXHAUSTED);
	begin_session(&session, TSP_GENERATION_1, "");
	make_lease(world, &session, "2001:db8:1::1");
	make_lease(world, &session, "2001:db8:1::2");
	make_lease(world, &session, "2001:db8:1::3");
	ask_create(world, &session, "2001:db8:1::4");
	expect_redirection(world, &session, TSP_STATUS_POOL_EXHAUSTED);
	assert_int_equal(counted(world, SRV_COUNT_REDIRECTED), 1);
	close_session(world, &session);
}

static void every_client_without_a_lease_is_sent_on_where_policy_says_so(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease(world, &session, CLIENT);
	set_redirect(world, SRV_REDIRECT_ALWAYS);
	ask_create(world, &session, "2001:db8:1::4");
	expect_redirection(world, &session, TSP_STATUS_BUSY);
	ask_renewal(world, &session, CLIENT, &lease);
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	close_session(world, &session);
}

/* --- lifetimes in minutes ------------------------------------------------------------------------ */

static void a_session_may_count_lifetimes_in_minutes(void **state)
{
	struct tsp_msg msg = make_request(TSP_ACTION_CREATE, CLIENT, true);
	static const struct {
		uint32_t asked, told;
	} rows[] = {{1, 1}, {5, 5}, {60, 60}, {61, 60}, {TSP_LIFETIME_MAX_S, 60}};
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	session.lifetime_unit_s = 60;
	msg.has_lifetime = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lease asked;

		msg.lifetime_s = rows[i].asked;
		ask(world, &session, &msg);
		if (i == 0)
			expect_stored(world, SRV_LEASE_PENDING, 0);
		asked = expect_tep_create(world, SRV_TEP_DONE);
		assert_int_equal(asked.end_ms, world->now_ms + rows[i].told * 60000);
		world->now_ms += 700;
		expect_stored(world, SRV_LEASE_ACTIVE, 0);
		assert_int_equal(
			expect_answer(world, &session, TSP_STATUS_OK)->lifetime_s, rows[i].told);
	}
	close_session(world, &session);
}

#define push_test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		push_test(a_pushed_lease_is_the_clients_once_it_says_so),
		push_test(a_pushed_lease_that_the_client_refuses_is_undone),
		push_test(a_pushed_lease_that_the_client_does_not_answer_is_undone),
		push_test(a_client_that_leaves_meanwhile_leaves_nothing),
		push_test(a_tep_that_refuses_a_pushed_lease_is_not_the_clients_business),
		push_test(nothing_is_pushed_to_who_cannot_take_it),
		push_test(a_create_meets_the_pushed_lease),
		push_test(a_push_beyond_the_quota_is_refused_and_leaves_nothing),
		push_test(a_pushed_delete_ends_leases_and_tells_who_listens),
		push_test(a_client_is_sent_on_when_no_pool_has_room),
		push_test(every_client_without_a_lease_is_sent_on_where_policy_says_so),
		push_test(a_session_may_count_lifetimes_in_minutes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
