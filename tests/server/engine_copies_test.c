// SPDX-License-Identifier: BSD-3-Clause
/* One lease on several TEPs: who gets copies, who hears of changes, and what waits for whom (R67, R72, S33). */
#include "world.h"

#include "common/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CLIENT "2001:db8:1::a"
#define OTHER  "2001:db8:1::b"

enum {
	PUSH = 1,
	QUERY = 2,
	ANYCAST = 4
};

/* The shared pool is behind all three TEPs. */
static void use_copies(struct world *world, int how)
{
	world->pools[0].n_teps = WORLD_TEPS;
	world->pools[0].another_tep = true;
	world->pools[0].pushes_copies = (how & PUSH) != 0;
	world->pools[0].answers_queries = (how & QUERY) != 0;
	for (uint32_t i = 0; i < WORLD_TEPS; i++) {
		if ((how & ANYCAST) != 0)
			world->teps[i].v6 = world->teps[0].v6;
		srv_engine_tep_changed(world->engine, i, SRV_TEP_CONNECTED);
	}
}

static void set_down(struct world *world, uint32_t tep)
{
	world->tep_states[tep] = SRV_TEP_DOWN;
	srv_engine_tep_changed(world->engine, tep, SRV_TEP_DOWN);
}

static void set_up(struct world *world, uint32_t tep)
{
	world->tep_states[tep] = SRV_TEP_CONNECTED;
	srv_engine_tep_changed(world->engine, tep, SRV_TEP_CONNECTED);
}

/* The home agrees. */
static struct lease expect_home(struct world *world, uint32_t tep)
{
	assert_int_equal(world->actions[world->n_seen].tep, tep);
	return expect_tep_create(world, SRV_TEP_DONE);
}

static struct action *expect_copy(struct world *world, uint32_t tep, const struct lease *lease)
{
	struct action *create = expect(world, TEP_CREATE);

	assert_int_equal(create->tep, tep);
	assert_int_equal(create->lease.v4, lease->v4);
	assert_int_equal(create->lease.end_ms, lease->end_ms);
	assert_true(addr_v6_equal(&create->lease.tep_v6, &lease->tep_v6));
	return create;
}

static void tep_answers(
	struct world *world, const struct action *action, enum srv_tep_result result)
{
	srv_engine_tep_answered(
		world->engine, action->job, action->tep, result, NULL, world->now_ms);
}

static struct srv_lease *holder_of(const struct world *world, const struct lease *lease)
{
	return srv_lease_db_holder(
		srv_engine_leases(world->engine), lease->v4, lease->ranges[0].first);
}

/* From create to info, all of the TEPs in copies being asked besides the home. */
static struct lease lease_with_copies(
	struct world *world, struct srv_session *session, const char *client, uint64_t copies)
{
	struct action *asked[WORLD_TEPS];
	struct lease lease;
	uint32_t n = 0;

	ask_create(world, session, client);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	lease = expect_home(world, 0);
	for (uint32_t i = 0; i < WORLD_TEPS; i++)
		if ((copies >> i & 1) != 0)
			asked[n++] = expect_copy(world, i, &lease);
	for (uint32_t i = 0; i < n; i++) {
		expect_nothing(world);
		tep_answers(world, asked[i], SRV_TEP_DONE);
	}
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, session, TSP_STATUS_OK);
	expect_nothing(world);
	return lease;
}

static void expect_deletes(struct world *world, uint64_t teps)
{
	for (uint64_t seen = 0; seen != teps;) {
		const struct action *delete = expect(world, TEP_DELETE);

		assert_true((teps & srv_tep_bit(delete->tep)) != 0);
		seen |= srv_tep_bit(delete->tep);
	}
}

/* --- push ---------------------------------------------------------------------------------------- */

static void the_client_is_answered_when_every_tep_has_the_lease(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	use_copies(world, PUSH);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = lease_with_copies(world, &session, CLIENT, 6);
	assert_int_equal(holder_of(world, &lease)->copies, 6);
	assert_int_equal(counted(world, SRV_COUNT_COPIES), 2);
	close_session(world, &session);
}

static void a_copy_that_is_refused_or_lost_takes_nothing_from_the_lease(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct action *one, *two;
	struct lease lease;

	use_copies(world, PUSH);
	begin_session(&session, TSP_GENERATION_1, "");
	ask_create(world, &session, CLIENT);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	lease = expect_home(world, 0);
	one = expect_copy(world, 1, &lease);
	two = expect_copy(world, 2, &lease);
	tep_answers(world, two, SRV_TEP_LOST);
	tep_answers(world, one, SRV_TEP_REFUSED);
	expect_deletes(world, 2); /* it may have taken it from a list meanwhile */
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	assert_int_equal(holder_of(world, &lease)->copies, 4); /* the lost one may have it */
	assert_int_equal(counted(world, SRV_COUNT_COPIES_REFUSED), 1);
	assert_int_equal(counted(world, SRV_COUNT_COPIES_LOST), 1);
	close_session(world, &session);
}

/* It is not waited for, and the list has its copy. */
static void a_tep_without_a_session_gets_its_copy_by_levelling(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	use_copies(world, PUSH);
	set_down(world, 1);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = lease_with_copies(world, &session, CLIENT, 4);
	assert_true(srv_lease_is_at(holder_of(world, &lease), 1));
	assert_int_equal(srv_lease_db_count_at(srv_engine_leases(world->engine), 1).bindings, 1);
	close_session(world, &session);
}

static void when_the_home_refuses_another_tep_becomes_it(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;
	struct action *copy;

	use_copies(world, PUSH);
	begin_session(&session, TSP_GENERATION_1, "");
	ask_create(world, &session, CLIENT);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_tep_create(world, SRV_TEP_REFUSED);
	lease = expect_home(world, 1);
	copy = expect_copy(world, 2, &lease); /* who has refused is not asked again */
	tep_answers(world, copy, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	assert_true(addr_v6_equal(
		&expect_answer(world, &session, TSP_STATUS_OK)->server.v6[0], &world->teps[1].v6));
	assert_int_equal(holder_of(world, &lease)->copies, 4);
	close_session(world, &session);
}

static void a_lease_that_cannot_be_stored_is_deleted_everywhere(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	use_copies(world, PUSH);
	begin_session(&session, TSP_GENERATION_1, "");
	ask_create(world, &session, CLIENT);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	lease = expect_home(world, 0);
	tep_answers(world, expect_copy(world, 1, &lease), SRV_TEP_DONE);
	tep_answers(world, expect_copy(world, 2, &lease), SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, -EIO);
	expect_deletes(world, 7);
	assert_int_equal(expect(world, PUT)->state, SRV_LEASE_RESTING);
	expect_refusal(world, &session, TSP_STATUS_BUSY);
	close_session(world, &session);
}

static void a_renewal_reaches_every_copy(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease, renewed;
	const struct srv_lease *held;

	use_copies(world, PUSH);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = lease_with_copies(world, &session, CLIENT, 6);
	held = holder_of(world, &lease);
	pass_ms(world, LIFETIME_MS / 2);
	ask_renewal(world, &session, CLIENT, &lease);
	/* What a list says meanwhile: what that TEP was asked for. */
	assert_int_equal(srv_engine_announced(held, 0)->end_ms, world->now_ms + LIFETIME_MS);
	assert_int_equal(srv_engine_announced(held, 1)->end_ms, lease.end_ms);
	renewed = expect_home(world, 0);
	assert_int_equal(srv_engine_announced(held, 1)->end_ms, renewed.end_ms);
	tep_answers(world, expect_copy(world, 1, &renewed), SRV_TEP_DONE);
	tep_answers(world, expect_copy(world, 2, &renewed), SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	close_session(world, &session);
}

/* Nobody keeps the longer end: all are told of the old one. */
static void a_renewal_that_cannot_be_stored_is_taken_back_everywhere(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease, renewed;

	use_copies(world, PUSH);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = lease_with_copies(world, &session, CLIENT, 6);
	ask_renewal(world, &session, CLIENT, &lease);
	renewed = expect_home(world, 0);
	tep_answers(world, expect_copy(world, 1, &renewed), SRV_TEP_DONE);
	tep_answers(world, expect_copy(world, 2, &renewed), SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, -EIO);
	for (uint32_t i = 0; i < WORLD_TEPS; i++)
		assert_null(expect_copy(world, i, &lease)->job);
	expect_refusal(world, &session, TSP_STATUS_BUSY);
	close_session(world, &session);
}

/* --- a TEP that dies ------------------------------------------------------------------------------- */

/* The client sees a new end, and nothing else. */
static void a_dead_home_moves_silently_behind_one_tunnel_address(void **state)
{
	struct world *world = *state;
	const struct tsp_msg *info;
	struct srv_session session;
	struct lease lease, renewed;

	use_copies(world, PUSH | ANYCAST);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = lease_with_copies(world, &session, CLIENT, 6);
	set_down(world, 0);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 1);
	ask_renewal(world, &session, CLIENT, &lease);
	renewed = expect_home(world, 1);
	tep_answers(world, expect_copy(world, 2, &renewed), SRV_TEP_DONE);
	assert_int_equal(world->actions[world->n_seen].event, SRV_RECORD_RENEWED);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	info = expect_answer(world, &session, TSP_STATUS_OK);
	assert_true(addr_v6_equal(&info->server.v6[0], &lease.tep_v6));
	assert_int_equal(info->client.v4, lease.v4);
	assert_int_equal(holder_of(world, &lease)->tep, 1);
	assert_int_equal(holder_of(world, &lease)->copies, 5); /* the old home, when it is back */
	expect_nothing(world);
	close_session(world, &session);
}

/* A TEP with the same address is preferred, whatever it has to do. */
static void a_move_prefers_the_address_that_the_client_knows(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	use_copies(world, PUSH);
	world->teps[2].v6 = world->teps[0].v6;
	begin_session(&session, TSP_GENERATION_1, "");
	lease = lease_with_copies(world, &session, CLIENT, 6);
	world->teps[2].n_leases = 1000;
	set_down(world, 0);
	ask_renewal(world, &session, CLIENT, &lease);
	expect_home(world, 2);
	close_session(world, &session);
}

/* With addresses of their own the copies hear of the new one. */
static void a_move_to_another_address_reaches_every_copy(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease, renewed;

	use_copies(world, PUSH);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = lease_with_copies(world, &session, CLIENT, 6);
	set_down(world, 0);
	ask_renewal(world, &session, CLIENT, &lease);
	renewed = expect_home(world, 1);
	assert_true(addr_v6_equal(&renewed.tep_v6, &world->teps[1].v6));
	tep_answers(world, expect_copy(world, 2, &renewed), SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, -EIO);
	/* Taken back: the TEP that was home for a moment has a copy, as it had. */
	assert_int_equal(expect_copy(world, 0, &lease)->tep, 0);
	expect_copy(world, 1, &lease);
	expect_copy(world, 2, &lease);
	expect_refusal(world, &session, TSP_STATUS_BUSY);
	assert_int_equal(holder_of(world, &lease)->tep, 0);
	assert_int_equal(holder_of(world, &lease)->copies, 6);
	close_session(world, &session);
}

/* --- the end ------------------------------------------------------------------------------------- */

static struct action *release(struct world *world, struct srv_session *session)
{
	struct tsp_msg msg = make_request(TSP_ACTION_DELETE, CLIENT, false);

	ask(world, session, &msg);
	return expect(world, TEP_DELETE);
}

static void a_release_waits_for_every_copy(void **state)
{
	struct action *deletes[WORLD_TEPS], *put;
	struct world *world = *state;
	struct srv_session session;

	use_copies(world, PUSH);
	begin_session(&session, TSP_GENERATION_1, "");
	lease_with_copies(world, &session, CLIENT, 6);
	deletes[0] = release(world, &session);
	deletes[1] = expect(world, TEP_DELETE);
	deletes[2] = expect(world, TEP_DELETE);
	for (uint32_t i = 0; i < WORLD_TEPS; i++) {
		expect_nothing(world);
		tep_answers(world, deletes[i], SRV_TEP_DONE);
	}
	put = expect(world, PUT);
	assert_int_equal(put->until_ms, world->now_ms + QUARANTINE_MS);
	srv_engine_stored(world->engine, put->job, 0, world->now_ms);
	expect_answer(world, &session, TSP_STATUS_OK);
	assert_false(srv_engine_uses_tep(world->engine, 1));
	close_session(world, &session);
}

/* Until its binding has ended by itself. */
static void rests_to_the_end_of_the_lease(struct world *world, bool is_down)
{
	struct action *home, *copy, *put;
	struct srv_session session;
	struct lease lease;

	use_copies(world, PUSH);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = lease_with_copies(world, &session, CLIENT, 6);
	if (is_down)
		set_down(world, 1);
	home = release(world, &session);
	copy = expect(world, TEP_DELETE);
	assert_int_equal(copy->tep, 1);
	if (!is_down)
		tep_answers(world, copy, SRV_TEP_LOST);
	tep_answers(world, expect(world, TEP_DELETE), SRV_TEP_DONE);
	tep_answers(world, home, SRV_TEP_DONE);
	put = expect(world, PUT);
	assert_int_equal(put->until_ms, lease.end_ms);
	srv_engine_stored(world->engine, put->job, 0, world->now_ms);
	expect_answer(world, &session, TSP_STATUS_OK);
	assert_true(srv_engine_uses_tep(world->engine, 1));
	close_session(world, &session);
}

static void a_range_rests_while_a_tep_out_of_reach_may_hold_a_copy(void **state)
{
	rests_to_the_end_of_the_lease(*state, true);
}

static void a_range_rests_while_a_silent_tep_may_hold_a_copy(void **state)
{
	rests_to_the_end_of_the_lease(*state, false);
}

/* What began after its session had ended it cannot have: nothing is waited for. */
static void a_range_does_not_rest_for_a_tep_that_never_heard_of_it(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct action *home, *put;

	use_copies(world, PUSH);
	set_down(world, 1);
	begin_session(&session, TSP_GENERATION_1, "");
	lease_with_copies(world, &session, CLIENT, 4);
	home = release(world, &session);
	tep_answers(world, expect(world, TEP_DELETE), SRV_TEP_DONE);
	tep_answers(world, home, SRV_TEP_DONE);
	put = expect(world, PUT);
	assert_int_equal(put->until_ms, world->now_ms + QUARANTINE_MS);
	srv_engine_stored(world->engine, put->job, 0, world->now_ms);
	expect_answer(world, &session, TSP_STATUS_OK);
	close_session(world, &session);
}

/* The delete was on its way when the session broke. */
static void a_range_rests_on_when_its_delete_was_lost(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;
	struct in6_addr client;
	struct action *put;

	use_copies(world, PUSH);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = lease_with_copies(world, &session, CLIENT, 6);
	addr_v6_parse(CLIENT, &client);
	assert_int_equal(srv_engine_push_delete(world->engine, &client, 0, world->now_ms), 1);
	expect_answer(world, &session, TSP_STATUS_NONE);
	expect_deletes(world, 7);
	assert_int_equal(expect(world, PUT)->until_ms, world->now_ms + QUARANTINE_MS);
	set_down(world, 2);
	srv_engine_delete_lost(world->engine, 2, &lease, world->now_ms);
	put = expect(world, PUT);
	assert_int_equal(put->until_ms, lease.end_ms);
	assert_int_equal(put->state, SRV_LEASE_RESTING);
	pass_ms(world, QUARANTINE_MS);
	assert_int_equal(srv_pool_count(world->pools[0].pool).resting, 1);
	pass_ms(world, lease.end_ms - world->now_ms);
	assert_int_equal(srv_pool_count(world->pools[0].pool).resting, 0);
	close_session(world, &session);
}

/* --- query --------------------------------------------------------------------------------------- */

static enum tsp_status query(
	struct world *world, uint32_t tep, uint32_t v4, uint16_t port, struct tsp_msg *answer)
{
	struct tsp_msg msg = {.action = TSP_ACTION_QUERY,
		.server = {.present = true,
			.has_v4 = true,
			.v4 = v4,
			.has_ports = true,
			.n_ranges = 1,
			.ranges = {{port, port}}},
		.client = {.present = true, .n_v6 = 1, .v6 = {world->teps[tep].v6}}};

	srv_engine_query(world->engine, tep, &msg, world->now_ms, answer);
	return answer->status;
}

/* R72, R74, D2: what it is told is the client's own tunnel address, and it hears of the end. */
static void who_asked_has_a_copy_from_then_on(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease, renewed;
	struct tsp_msg answer;

	use_copies(world, QUERY);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = lease_with_copies(world, &session, CLIENT, 0);
	assert_int_equal(query(world, 2, lease.v4, lease.ranges[0].last, &answer), TSP_STATUS_OK);
	assert_true(addr_v6_equal(&answer.server.v6[0], &lease.client_v6));
	assert_true(addr_v6_equal(&answer.client.v6[0], &lease.tep_v6));
	assert_true(port_range_equal(answer.server.ranges[0], lease.ranges[0]));
	assert_int_equal(answer.lifetime_s, LIFETIME_MS / 1000);
	assert_int_equal(holder_of(world, &lease)->copies, 4);
	ask_renewal(world, &session, CLIENT, &lease);
	renewed = expect_home(world, 0);
	tep_answers(world, expect_copy(world, 2, &renewed), SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	release(world, &session);
	assert_int_equal(expect(world, TEP_DELETE)->tep, 2);
	assert_int_equal(
		query(world, 2, lease.v4, lease.ranges[0].last, &answer), TSP_STATUS_UNAVAILABLE);
	close_session(world, &session);
}

static void without_copies_only_the_home_is_answered(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct tsp_msg answer;
	struct lease lease;

	use_copies(world, 0);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = lease_with_copies(world, &session, CLIENT, 0);
	assert_int_equal(query(world, 0, lease.v4, lease.ranges[0].first, &answer), TSP_STATUS_OK);
	assert_int_equal(
		query(world, 1, lease.v4, lease.ranges[0].first, &answer), TSP_STATUS_UNAVAILABLE);
	assert_int_equal(holder_of(world, &lease)->copies, 0);
	close_session(world, &session);
}

static void a_tep_may_ask_so_often_a_second(void **state)
{
	struct world *world = *state;
	struct srv_engine_params params = world_params(world);
	struct tsp_msg answer;

	use_copies(world, QUERY);
	params.tep_queries_per_s = 10;
	srv_engine_set_limits(world->engine, &params);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(query(world, 1, 0xc6336407, 80, &answer), TSP_STATUS_UNAVAILABLE);
	assert_int_equal(query(world, 1, 0xc6336407, 80, &answer), TSP_STATUS_BUSY);
	assert_int_equal(query(world, 2, 0xc6336407, 80, &answer), TSP_STATUS_UNAVAILABLE);
	world->now_ms += 100;
	assert_int_equal(query(world, 1, 0xc6336407, 80, &answer), TSP_STATUS_UNAVAILABLE);
	assert_int_equal(query(world, 1, 0xc6336407, 80, &answer), TSP_STATUS_BUSY);
	assert_int_equal(world->teps[1].queries.asked, 13);
	assert_int_equal(world->teps[1].queries.unknown, 11);
	assert_int_equal(world->teps[1].queries.refused, 2);
	assert_int_equal(counted(world, SRV_COUNT_TEP_QUERIES), 14);
	assert_int_equal(counted(world, SRV_COUNT_TEP_QUERIES_REFUSED), 2);
}

/* --- more ports ---------------------------------------------------------------------------------- */

/* Ranges that are not agreed on yet are nobody's business; then every copy has them. */
static void more_ports_reach_every_copy(void **state)
{
	struct tsp_msg msg = make_request(TSP_ACTION_CREATE, CLIENT, true), answer;
	struct world *world = *state;
	struct srv_engine_params params = world_params(world);
	struct srv_session session;
	struct lease lease, grown;
	uint16_t extra;

	params.more_ports = SRV_MORE_PORTS_SAME_ADDRESS;
	srv_engine_set_limits(world->engine, &params);
	use_copies(world, QUERY | PUSH);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = lease_with_copies(world, &session, CLIENT, 6);
	msg.client.has_v4 = true;
	msg.client.v4 = lease.v4;
	msg.client.n_ranges = 1;
	msg.client.ranges[0] = lease.ranges[0];
	msg.client.ports_count = 100;
	ask(world, &session, &msg);
	extra = holder_of(world, &lease)->lease.ranges[1].first;
	assert_int_equal(srv_engine_announced(holder_of(world, &lease), 1)->n_ranges, 1);
	assert_int_equal(query(world, 1, lease.v4, extra, &answer), TSP_STATUS_UNAVAILABLE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	assert_int_equal(query(world, 1, lease.v4, extra, &answer), TSP_STATUS_UNAVAILABLE);
	grown = expect_home(world, 0);
	assert_int_equal(grown.n_ranges, 2);
	assert_int_equal(query(world, 1, lease.v4, extra, &answer), TSP_STATUS_OK);
	tep_answers(world, expect_copy(world, 1, &grown), SRV_TEP_DONE);
	tep_answers(world, expect_copy(world, 2, &grown), SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, -EIO);
	/* The disk is full: what was told of the new ranges is deleted at every TEP, and they rest. */
	for (uint32_t i = 0; i < WORLD_TEPS; i++) {
		const struct action *delete = expect(world, TEP_DELETE);

		assert_int_equal(delete->lease.n_ranges, 1);
		assert_int_equal(delete->lease.ranges[0].first, extra);
	}
	assert_int_equal(expect(world, PUT)->state, SRV_LEASE_RESTING);
	expect_copy(world, 0, &lease);
	expect_copy(world, 1, &lease);
	expect_copy(world, 2, &lease);
	expect(world, PUT);
	expect_refusal(world, &session, TSP_STATUS_BUSY);
	close_session(world, &session);
}

/* --- other TEPs, another life ---------------------------------------------------------------------- */

static void a_tep_more_gets_copies_and_one_less_loses_them(void **state)
{
	struct world *world = *state;
	struct srv_engine_params params = world_params(world);
	const uint16_t map[] = {0, 1};
	struct srv_session session;
	struct lease lease, renewed;

	use_copies(world, PUSH);
	world->pools[0].n_teps = 2;
	begin_session(&session, TSP_GENERATION_1, "");
	lease = lease_with_copies(world, &session, CLIENT, 2);
	world->pools[0].n_teps = 3;
	assert_int_equal(srv_engine_set_plan(world->engine, &params, map), 4);
	assert_int_equal(holder_of(world, &lease)->copies, 6);
	assert_int_equal(srv_engine_set_plan(world->engine, &params, map), 0);
	world->pool_teps[1].tep = 2;
	world->pools[0].n_teps = 2;
	assert_int_equal(srv_engine_set_plan(world->engine, &params, map), 0);
	assert_true(srv_engine_uses_tep(world->engine, 1)); /* it is told until nothing is left */
	ask_renewal(world, &session, CLIENT, &lease);
	renewed = expect(world, TEP_CREATE)->lease;
	world->n_seen--;
	expect_home(world, 0);
	assert_int_equal(expect(world, TEP_DELETE)->tep, 1);
	expect_copy(world, 2, &renewed);
	assert_false(srv_engine_uses_tep(world->engine, 1));
	close_session(world, &session);
}

static struct srv_store_record stored(struct world *world, enum srv_lease_state lease_state)
{
	struct srv_store_record record = {.id = 1,
		.state = lease_state,
		.lease = {.v4 = 0xc6336407, .n_ranges = 1, .ranges = {{16384, 32767}}}};

	addr_v6_parse(CLIENT, &record.lease.client_v6);
	record.lease.tep_v6 = world->teps[0].v6;
	return record;
}

/* TEPs that share a tunnel address are told apart by the name that was stored. */
static void a_stored_lease_knows_its_home_by_name(void **state)
{
	struct world *world = *state;
	struct srv_store_record record;
	const struct srv_lease *lease;

	use_copies(world, PUSH | ANYCAST);
	world->teps[2].name = "third";
	record = stored(world, SRV_LEASE_ACTIVE);
	strcpy(record.tep, "third");
	srv_engine_resume(world->engine, &record, world->now_ms + 1000, world->now_ms);
	lease = holder_of(world, &record.lease);
	assert_int_equal(lease->tep, 2);
	assert_int_equal(lease->copies, 3);
}

/*
 * Who asked before the server was started again is not written down, nor what a TEP was asked for when it stopped: what
 * ends rests until every TEP has got level, or nothing that old can be left.
 */
static void after_a_restart_a_range_waits_until_every_tep_is_level(void **state)
{
	static const enum srv_lease_state states[] = {
		SRV_LEASE_ACTIVE, SRV_LEASE_PENDING, SRV_LEASE_RESTING};
	struct world *world = *state;
	struct srv_store_record record;

	use_copies(world, QUERY);
	world->teps[1].was_level = false;
	for (uint32_t i = 0; i < 3; i++) {
		record = stored(world, states[i]);
		record.id = 1 + i;
		record.lease.ranges[0].first = 16384 * (i + 1);
		record.lease.ranges[0].last = 16384 * (i + 1) + 16383;
		srv_engine_resume(world->engine, &record, world->now_ms + 1000, world->now_ms);
	}
	pass_ms(world, 1000); /* the active one ends */
	pass_ms(world, QUARANTINE_MS);
	assert_int_equal(srv_pool_count(world->pools[0].pool).resting, 3);
	set_up(world, 1);
	pass_ms(world, 1000);
	assert_int_equal(srv_pool_count(world->pools[0].pool).free, 3);
}

static void after_the_longest_lifetime_nothing_waits_for_a_tep_that_stays_away(void **state)
{
	struct world *world = *state;
	struct srv_store_record record;

	use_copies(world, QUERY);
	world->teps[1].was_level = false;
	record = stored(world, SRV_LEASE_PENDING);
	srv_engine_resume(world->engine, &record, world->now_ms + 1000, world->now_ms);
	pass_ms(world, LIFETIME_MS - 1);
	assert_int_equal(srv_pool_count(world->pools[0].pool).resting, 1);
	pass_ms(world, 1001);
	assert_int_equal(srv_pool_count(world->pools[0].pool).free, 3);
}

/* Of what was told without waiting, too: the TEP does not have it, and is not expected to. */
static void a_copy_that_is_refused_on_the_list_is_not_expected(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	use_copies(world, PUSH);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = lease_with_copies(world, &session, CLIENT, 6);
	srv_engine_copy_refused(world->engine, 0, &lease); /* the home is the home */
	expect_nothing(world);
	srv_engine_copy_refused(world->engine, 2, &lease);
	expect_deletes(world, 4);
	assert_int_equal(holder_of(world, &lease)->copies, 2);
	close_session(world, &session);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_client_is_answered_when_every_tep_has_the_lease),
		TEST(a_copy_that_is_refused_or_lost_takes_nothing_from_the_lease),
		TEST(a_tep_without_a_session_gets_its_copy_by_levelling),
		TEST(when_the_home_refuses_another_tep_becomes_it),
		TEST(a_lease_that_cannot_be_stored_is_deleted_everywhere),
		TEST(a_renewal_reaches_every_copy),
		TEST(a_renewal_that_cannot_be_stored_is_taken_back_everywhere),
		TEST(a_dead_home_moves_silently_behind_one_tunnel_address),
		TEST(a_move_prefers_the_address_that_the_client_knows),
		TEST(a_move_to_another_address_reaches_every_copy),
		TEST(a_release_waits_for_every_copy),
		TEST(a_range_rests_while_a_tep_out_of_reach_may_hold_a_copy),
		TEST(a_range_rests_while_a_silent_tep_may_hold_a_copy),
		TEST(a_range_does_not_rest_for_a_tep_that_never_heard_of_it),
		TEST(a_range_rests_on_when_its_delete_was_lost),
		TEST(who_asked_has_a_copy_from_then_on),
		TEST(without_copies_only_the_home_is_answered),
		TEST(a_tep_may_ask_so_often_a_second),
		TEST(more_ports_reach_every_copy),
		TEST(a_tep_more_gets_copies_and_one_less_loses_them),
		TEST(a_stored_lease_knows_its_home_by_name),
		TEST(after_a_restart_a_range_waits_until_every_tep_is_level),
		TEST(after_the_longest_lifetime_nothing_waits_for_a_tep_that_stays_away),
		TEST(a_copy_that_is_refused_on_the_list_is_not_expected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
