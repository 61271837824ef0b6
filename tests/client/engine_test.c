// SPDX-License-Identifier: BSD-3-Clause
/*
 * The lease engine: each way through it as a test, then every order of events to a depth, held
 * against what must be true at all times.
 */
#include "client/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define LIFETIME_S 100
#define T0         1000000

struct rig {
	struct cl_engine engine;
	struct cl_actions actions;
	int64_t now_ms;
	bool configured; /* as the actions would have it */
};

static struct in6_addr v6(const char *text)
{
	struct in6_addr addr;

	assert_int_equal(addr_v6_parse(text, &addr), 0);
	return addr;
}

static void rig_init(struct rig *rig, enum tsp_generation generation)
{
	struct cl_engine_params params = {
		.generation = generation,
		.ports = 256,
		.retry_min_s = 1,
		.retry_max_s = 60,
		.seed = 42,
	};

	*rig = (struct rig){.now_ms = T0};
	cl_engine_init(&rig->engine, &params);
}

/* The answer of a server that grants 198.51.100.7, ports 2048-3071. */
static struct tsp_msg info(void)
{
	return (struct tsp_msg){
		.status = TSP_STATUS_OK,
		.code = 200,
		.action = TSP_ACTION_INFO,
		.has_lifetime = true,
		.lifetime_s = LIFETIME_S,
		.client = {.present = true,
			.has_v4 = true,
			.has_ports = true,
			.v4 = 0xc6336407,
			.n_v6 = 1,
			.v6 = {v6("2001:db8:1::17")},
			.n_ranges = 1,
			.ranges = {{2048, 3071}}},
		.server = {.present = true,
			.has_v4 = true,
			.v4 = 0xc0000201,
			.n_v6 = 1,
			.v6 = {v6("2001:db8::1")}},
	};
}

static struct tsp_msg refusal(enum tsp_status status, enum tsp_generation generation)
{
	return (struct tsp_msg){.status = status, .code = tsp_code(status, generation)};
}

static struct tsp_msg pushed_delete(void)
{
	struct tsp_msg msg = info();

	msg.status = TSP_STATUS_NONE;
	msg.action = TSP_ACTION_DELETE;
	return msg;
}

/* What must hold after every step (the invariants of engine.h). */
static void check_invariants(struct rig *rig)
{
	const struct cl_engine *engine = &rig->engine;
	bool holds = engine->state == CL_STATE_CONFIGURING || engine->state == CL_STATE_BOUND ||
		     engine->state == CL_STATE_RENEWING || engine->state == CL_STATE_RELEASING;
	int64_t deadline_ms = cl_engine_deadline(engine);

	assert_int_equal(engine->has_lease, holds);
	assert_int_equal(deadline_ms == CL_NEVER, engine->state == CL_STATE_STOPPED);
	if (engine->state == CL_STATE_STOPPED)
		assert_int_equal(engine->conn, CL_CONN_NONE);
	if (engine->state == CL_STATE_CONNECTING)
		assert_int_equal(engine->conn, CL_CONN_OPENING);
	if (engine->state == CL_STATE_REQUESTING)
		assert_int_equal(engine->conn, CL_CONN_READY);
	if (rig->configured) {
		assert_true(engine->has_lease);
		assert_true(engine->state != CL_STATE_RELEASING);
		assert_true(deadline_ms <= engine->lease.end_ms);
	}
}

/* Follows the actions as the session would: what is configured, and the order within a step. */
static void follow_actions(struct rig *rig)
{
	for (uint32_t i = 0; i < rig->actions.n; i++) {
		enum cl_action_type type = rig->actions.items[i].type;
		bool last = i + 1 == rig->actions.n;

		if (type == CL_ACTION_CONFIGURE)
			rig->configured = true;
		if (type == CL_ACTION_DECONFIGURE)
			rig->configured = false;
		if (type == CL_ACTION_CONNECT || type == CL_ACTION_CONFIGURE ||
			type == CL_ACTION_FINISHED)
			assert_true(last);
	}
}

static void step(struct rig *rig, const struct cl_event *event)
{
	cl_engine_step(&rig->engine, event, rig->now_ms, &rig->actions);
	follow_actions(rig);
	check_invariants(rig);
}

static void feed(struct rig *rig, enum cl_event_type type)
{
	step(rig, &(struct cl_event){.type = type,
			  .v6 = v6("2001:db8:1::17"),
			  .has_link_local = true,
			  .link_local = v6("fe80::17"),
			  .reason = TSP_CLOSE_PEER,
			  .why = "end of stream"});
}

static void feed_closed(struct rig *rig, enum tsp_close_reason reason)
{
	step(rig, &(struct cl_event){.type = CL_EVENT_CLOSED, .reason = reason, .why = "closed"});
}

static void feed_msg(struct rig *rig, struct tsp_msg msg)
{
	step(rig, &(struct cl_event){.type = CL_EVENT_MESSAGE, .msg = &msg});
}

/* Lets time pass to the next deadline. */
static void wait_timer(struct rig *rig)
{
	int64_t deadline_ms = cl_engine_deadline(&rig->engine);

	assert_true(deadline_ms != CL_NEVER);
	if (deadline_ms > rig->now_ms)
		rig->now_ms = deadline_ms;
	feed(rig, CL_EVENT_TIMER);
}

static const struct cl_action *find(const struct rig *rig, enum cl_action_type type)
{
	for (uint32_t i = 0; i < rig->actions.n; i++) {
		if (rig->actions.items[i].type == type)
			return &rig->actions.items[i];
	}
	return NULL;
}

static const struct tsp_msg *sent(const struct rig *rig)
{
	const struct cl_action *action = find(rig, CL_ACTION_SEND);

	assert_non_null(action);
	return &action->msg;
}

static void expect_state(const struct rig *rig, enum cl_state state)
{
	assert_string_equal(cl_state_name(rig->engine.state), cl_state_name(state));
}

static void reach_bound(struct rig *rig)
{
	feed(rig, CL_EVENT_START);
	feed(rig, CL_EVENT_READY);
	feed_msg(rig, info());
	expect_state(rig, CL_STATE_CONFIGURING);
	feed(rig, CL_EVENT_CONFIGURED);
	expect_state(rig, CL_STATE_BOUND);
}

static void gets_a_lease_and_accepts_it_when_the_host_is_configured(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	feed(&rig, CL_EVENT_START);
	assert_int_equal(find(&rig, CL_ACTION_CONNECT)->generation, TSP_GENERATION_2);
	feed(&rig, CL_EVENT_READY);
	assert_int_equal(sent(&rig)->action, TSP_ACTION_CREATE);
	assert_true(sent(&rig)->client.has_ports);
	assert_int_equal(sent(&rig)->client.ports_count, 256);
	assert_int_equal(sent(&rig)->client.n_v6, 1);
	assert_false(sent(&rig)->client.has_v4);
	feed_msg(&rig, info());
	assert_non_null(find(&rig, CL_ACTION_CONFIGURE));
	assert_null(find(&rig, CL_ACTION_SEND));
	feed(&rig, CL_EVENT_CONFIGURED);
	assert_int_equal(sent(&rig)->action, TSP_ACTION_ACCEPT);
	assert_non_null(find(&rig, CL_ACTION_CLOSE));
	assert_int_equal(rig.engine.lease.v4, 0xc6336407);
	assert_int_equal(rig.engine.lifetime_s, LIFETIME_S);
	assert_int_equal(cl_engine_deadline(&rig.engine), T0 + LIFETIME_S * 1000 / 2);
}

/*
 * R83: link-local and global address. R92: a renewal names the temporary address, here its ports
 * too.
 */
static void generation_1_keeps_the_session_and_names_what_it_renews(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_1);
	feed(&rig, CL_EVENT_START);
	feed(&rig, CL_EVENT_READY);
	assert_int_equal(sent(&rig)->client.n_v6, 2);
	assert_true(IN6_IS_ADDR_LINKLOCAL(&sent(&rig)->client.v6[0]));
	feed_msg(&rig, info());
	feed(&rig, CL_EVENT_CONFIGURED);
	assert_null(find(&rig, CL_ACTION_SEND));
	assert_null(find(&rig, CL_ACTION_CLOSE));
	wait_timer(&rig);
	assert_null(find(&rig, CL_ACTION_CONNECT));
	assert_int_equal(sent(&rig)->action, TSP_ACTION_CREATE);
	assert_int_equal(sent(&rig)->client.v4, 0xc6336407);
	assert_int_equal(sent(&rig)->client.ranges[0].first, 2048);
	expect_state(&rig, CL_STATE_RENEWING);
}

/* R93: a granted renewal resets the timer and touches nothing on the host. */
static void renewal_extends_without_configuring(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	reach_bound(&rig);
	wait_timer(&rig);
	expect_state(&rig, CL_STATE_RENEWING);
	assert_non_null(find(&rig, CL_ACTION_CONNECT));
	feed(&rig, CL_EVENT_READY);
	assert_false(sent(&rig)->client.has_v4);
	feed_msg(&rig, info());
	assert_null(find(&rig, CL_ACTION_CONFIGURE));
	assert_int_equal(sent(&rig)->action, TSP_ACTION_ACCEPT);
	expect_state(&rig, CL_STATE_BOUND);
	assert_int_equal(rig.engine.lease.end_ms, rig.now_ms + LIFETIME_S * 1000);
}

static void renewal_with_other_values_configures_anew(void **state)
{
	struct tsp_msg other = info();
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	reach_bound(&rig);
	wait_timer(&rig);
	feed(&rig, CL_EVENT_READY);
	other.client.ranges[0] = (struct port_range){4096, 5119};
	feed_msg(&rig, other);
	assert_non_null(find(&rig, CL_ACTION_CONFIGURE));
	assert_int_equal(rig.engine.lease.ranges[0].first, 4096);
}

/* R51: what is not renewed ends on time, and the server is asked again. */
static void lease_lives_to_its_end_and_not_beyond(void **state)
{
	unsigned int attempts = 0;
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	reach_bound(&rig);
	while (rig.engine.has_lease) {
		assert_true(rig.now_ms <= T0 + LIFETIME_S * 1000);
		wait_timer(&rig);
		if (rig.engine.state == CL_STATE_RENEWING) {
			attempts++;
			feed_closed(&rig, TSP_CLOSE_CONNECT);
		}
	}
	assert_int_equal(rig.now_ms, T0 + LIFETIME_S * 1000);
	assert_non_null(find(&rig, CL_ACTION_DECONFIGURE));
	assert_non_null(find(&rig, CL_ACTION_CONNECT));
	assert_in_range(attempts, 3, 12);
}

static void backoff_doubles_to_its_limit_with_jitter(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	feed(&rig, CL_EVENT_START);
	for (unsigned int i = 0; i < 12; i++) {
		int64_t longest_ms = i < 6 ? 1000 << i : 60000;
		int64_t delay_ms;

		feed_closed(&rig, TSP_CLOSE_CONNECT);
		delay_ms = cl_engine_deadline(&rig.engine) - rig.now_ms;
		assert_in_range(delay_ms, longest_ms / 2, longest_ms);
		expect_state(&rig, CL_STATE_BACKOFF);
		wait_timer(&rig);
		expect_state(&rig, CL_STATE_CONNECTING);
	}
}

/*
 * Each code of the table in both generations, without a lease: nothing is held, the wait is right.
 */
static void refused_create_backs_off(void **state)
{
	static const struct {
		enum tsp_status status;
		bool longest;
	} cases[] = {
		{TSP_STATUS_AUTH_FAILED, true},
		{TSP_STATUS_BAD_VERSION, false},
		{TSP_STATUS_BAD_TUNNEL_TYPE, false},
		{TSP_STATUS_POOL_EXHAUSTED, false},
		{TSP_STATUS_TEP_ERROR, false},
		{TSP_STATUS_UNAVAILABLE, false},
		{TSP_STATUS_RENEWAL_REFUSED, false},
		{TSP_STATUS_BAD_V6, false},
		{TSP_STATUS_BAD_V4, false},
		{TSP_STATUS_MALFORMED, false},
		{TSP_STATUS_BUSY, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int generation = 1; generation <= 2; generation++) {
			int64_t delay_ms;
			struct rig rig;

			rig_init(&rig, generation);
			feed(&rig, CL_EVENT_START);
			feed(&rig, CL_EVENT_READY);
			feed_msg(&rig, refusal(cases[i].status, generation));
			expect_state(&rig, CL_STATE_BACKOFF);
			assert_non_null(find(&rig, CL_ACTION_CLOSE));
			assert_null(find(&rig, CL_ACTION_CONFIGURE));
			delay_ms = cl_engine_deadline(&rig.engine) - rig.now_ms;
			assert_in_range(delay_ms, cases[i].longest ? 30000 : 500,
				cases[i].longest ? 60000 : 1000);
		}
	}
}

/* R94: a refused renewal ends the lease; any other trouble leaves it until its end. */
static void refused_renewal_ends_the_lease_only_where_the_code_says_so(void **state)
{
	static const struct {
		enum tsp_status status;
		bool ends[3]; /* by generation */
	} cases[] = {
		{TSP_STATUS_AUTH_FAILED, {0, false, false}},
		{TSP_STATUS_POOL_EXHAUSTED, {0, false, false}},
		{TSP_STATUS_TEP_ERROR, {0, false, true}},
		{TSP_STATUS_UNAVAILABLE, {0, true, false}},
		{TSP_STATUS_RENEWAL_REFUSED, {0, true, true}},
		{TSP_STATUS_BAD_V6, {0, false, false}},
		{TSP_STATUS_BAD_V4, {0, true, false}},
		{TSP_STATUS_MALFORMED, {0, false, false}},
		{TSP_STATUS_BUSY, {0, false, false}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int generation = 1; generation <= 2; generation++) {
			bool ends = cases[i].ends[generation];
			struct rig rig;

			rig_init(&rig, generation);
			reach_bound(&rig);
			wait_timer(&rig);
			if (rig.engine.conn == CL_CONN_OPENING)
				feed(&rig, CL_EVENT_READY);
			feed_msg(&rig, refusal(cases[i].status, generation));
			expect_state(&rig, ends ? CL_STATE_BACKOFF : CL_STATE_BOUND);
			assert_int_equal(rig.configured, !ends);
		}
	}
}

static void refused_version_falls_back_to_generation_1_once(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	feed(&rig, CL_EVENT_START);
	feed_closed(&rig, TSP_CLOSE_VERSION);
	expect_state(&rig, CL_STATE_CONNECTING);
	assert_int_equal(find(&rig, CL_ACTION_CONNECT)->generation, TSP_GENERATION_1);
	feed_closed(&rig, TSP_CLOSE_VERSION);
	expect_state(&rig, CL_STATE_BACKOFF);
	assert_true(cl_engine_deadline(&rig.engine) - rig.now_ms >= 30000);
	wait_timer(&rig);
	assert_int_equal(find(&rig, CL_ACTION_CONNECT)->generation, TSP_GENERATION_2);
}

static void failed_authentication_waits_long(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	feed(&rig, CL_EVENT_START);
	feed_closed(&rig, TSP_CLOSE_AUTH);
	expect_state(&rig, CL_STATE_BACKOFF);
	assert_true(cl_engine_deadline(&rig.engine) - rig.now_ms >= 30000);
}

static void host_that_cannot_be_configured_gives_the_lease_back(void **state)
{
	struct rig rig;

	for (int generation = 1; generation <= 2; generation++) {
		rig_init(&rig, generation);
		feed(&rig, CL_EVENT_START);
		feed(&rig, CL_EVENT_READY);
		feed_msg(&rig, info());
		feed(&rig, CL_EVENT_FAILED);
		expect_state(&rig, CL_STATE_BACKOFF);
		assert_false(rig.configured);
		assert_int_equal(sent(&rig)->action,
			generation == 2 ? TSP_ACTION_REJECT : TSP_ACTION_DELETE);
	}
}

/* What a server must not give us, one fault at a time. */
static void unusable_lease_is_refused(void **state)
{
	struct tsp_msg cases[9];
	size_t n = sizeof(cases) / sizeof(cases[0]);

	for (size_t i = 0; i < n; i++)
		cases[i] = info();
	cases[0].client.v6[0] = v6("2001:db8:1::18");
	cases[1].server.v6[0] = v6("fe80::1");
	cases[2].server.v6[0] = v6("2001:db8:1::17");
	cases[3].client.v4 = 0x7f000001;
	cases[4].client.v4 = 0xe0000001;
	cases[5].client.v4 = 0xa9fe0101;
	cases[6].client.n_ranges = 2;
	cases[6].client.ranges[1] = (struct port_range){3071, 4000};
	cases[7].client.ranges[0] = (struct port_range){0, 0};
	cases[8].client.n_ranges = 0;
	for (size_t i = 0; i < n; i++) {
		struct rig rig;

		rig_init(&rig, TSP_GENERATION_2);
		feed(&rig, CL_EVENT_START);
		feed(&rig, CL_EVENT_READY);
		feed_msg(&rig, cases[i]);
		expect_state(&rig, CL_STATE_BACKOFF);
		assert_null(find(&rig, CL_ACTION_CONFIGURE));
		assert_true(rig.engine.report[0] != '\0');
	}
}

static void exclusive_address_is_demanded_or_welcome(void **state)
{
	struct tsp_msg whole = info();
	struct rig rig;

	whole.client.has_ports = false;
	whole.client.n_ranges = 0;
	rig_init(&rig, TSP_GENERATION_2);
	feed(&rig, CL_EVENT_START);
	feed(&rig, CL_EVENT_READY);
	feed_msg(&rig, whole);
	expect_state(&rig, CL_STATE_CONFIGURING);
	assert_true(lease_is_exclusive(&rig.engine.lease));

	rig_init(&rig, TSP_GENERATION_2);
	rig.engine.params.exclusive = true;
	feed(&rig, CL_EVENT_START);
	feed(&rig, CL_EVENT_READY);
	assert_false(sent(&rig)->client.has_ports);
	feed_msg(&rig, info());
	expect_state(&rig, CL_STATE_BACKOFF);
	assert_int_equal(sent(&rig)->action, TSP_ACTION_REJECT);
}

/* R95, R102: the server takes the lease back over the open session. */
static void pushed_delete_ends_the_lease(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_1);
	reach_bound(&rig);
	feed_msg(&rig, pushed_delete());
	assert_int_equal(sent(&rig)->status, TSP_STATUS_OK);
	assert_false(rig.configured);
	expect_state(&rig, CL_STATE_BACKOFF);
	wait_timer(&rig);
	expect_state(&rig, CL_STATE_CONNECTING);
}

/* R32, R107: what the server pushes for a lease that is not ours changes nothing. */
static void pushed_request_for_another_lease_is_refused(void **state)
{
	struct tsp_msg msg = pushed_delete();
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_1);
	reach_bound(&rig);
	msg.client.v4++;
	feed_msg(&rig, msg);
	assert_int_equal(sent(&rig)->status, TSP_STATUS_UNAVAILABLE);
	expect_state(&rig, CL_STATE_BOUND);
	msg = pushed_delete();
	msg.client.ranges[0] = (struct port_range){4096, 5119};
	feed_msg(&rig, msg);
	assert_int_equal(sent(&rig)->status, TSP_STATUS_UNAVAILABLE);
	expect_state(&rig, CL_STATE_BOUND);
	msg = pushed_delete();
	msg.action = TSP_ACTION_CREATE;
	feed_msg(&rig, msg);
	assert_int_equal(sent(&rig)->status, TSP_STATUS_UNAVAILABLE);
	expect_state(&rig, CL_STATE_BOUND);
	assert_true(rig.configured);
}

static void unasked_info_is_ignored(void **state)
{
	struct tsp_msg msg = info();
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_1);
	reach_bound(&rig);
	msg.client.v4++;
	feed_msg(&rig, msg);
	expect_state(&rig, CL_STATE_BOUND);
	assert_int_equal(rig.engine.lease.v4, 0xc6336407);
	assert_null(find(&rig, CL_ACTION_CONFIGURE));
}

static void lost_session_leaves_the_lease_alone(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_1);
	reach_bound(&rig);
	feed_closed(&rig, TSP_CLOSE_PEER);
	expect_state(&rig, CL_STATE_BOUND);
	wait_timer(&rig);
	assert_non_null(find(&rig, CL_ACTION_CONNECT));
	expect_state(&rig, CL_STATE_RENEWING);
}

static void stop_releases_first_the_host_then_the_lease(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	reach_bound(&rig);
	feed(&rig, CL_EVENT_STOP);
	assert_false(rig.configured);
	expect_state(&rig, CL_STATE_RELEASING);
	feed(&rig, CL_EVENT_READY);
	assert_int_equal(sent(&rig)->action, TSP_ACTION_DELETE);
	assert_int_equal(sent(&rig)->client.v4, 0xc6336407);
	assert_int_equal(sent(&rig)->client.ranges[0].last, 3071);
	feed_msg(&rig, info());
	assert_non_null(find(&rig, CL_ACTION_FINISHED));
	expect_state(&rig, CL_STATE_STOPPED);
}

static void stop_waits_three_seconds_and_no_longer(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	reach_bound(&rig);
	feed(&rig, CL_EVENT_STOP);
	rig.now_ms += 2000;
	feed(&rig, CL_EVENT_READY);
	expect_state(&rig, CL_STATE_RELEASING);
	assert_int_equal(cl_engine_deadline(&rig.engine), T0 + CL_RELEASE_TIMEOUT_MS);
	wait_timer(&rig);
	assert_non_null(find(&rig, CL_ACTION_FINISHED));
}

static void second_stop_does_not_wait(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_1);
	reach_bound(&rig);
	feed(&rig, CL_EVENT_STOP);
	assert_int_equal(sent(&rig)->action, TSP_ACTION_DELETE);
	feed(&rig, CL_EVENT_STOP);
	assert_non_null(find(&rig, CL_ACTION_FINISHED));
}

static void moved_host_asks_anew(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	reach_bound(&rig);
	feed(&rig, CL_EVENT_MOVED);
	assert_false(rig.configured);
	expect_state(&rig, CL_STATE_CONNECTING);
}

/* A renewal that leaves from another address is a request for another lease. */
static void renewal_from_another_address_gives_the_lease_up(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	reach_bound(&rig);
	wait_timer(&rig);
	step(&rig, &(struct cl_event){.type = CL_EVENT_READY, .v6 = v6("2001:db8:2::17")});
	assert_false(rig.configured);
	expect_state(&rig, CL_STATE_REQUESTING);
	assert_int_equal(sent(&rig)->action, TSP_ACTION_CREATE);
}

/* S21: the TEP's word ends the lease, and the next request waits. */
static void tep_without_binding_makes_the_client_ask_anew(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	reach_bound(&rig);
	feed(&rig, CL_EVENT_UNBOUND);
	assert_false(rig.configured);
	expect_state(&rig, CL_STATE_BACKOFF);
}

static void silent_server_is_left(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	feed(&rig, CL_EVENT_START);
	wait_timer(&rig);
	expect_state(&rig, CL_STATE_BACKOFF);
	wait_timer(&rig);
	feed(&rig, CL_EVENT_READY);
	wait_timer(&rig);
	expect_state(&rig, CL_STATE_BACKOFF);
	assert_non_null(find(&rig, CL_ACTION_CLOSE));
}

/*
 * The moves of the exhaustive driver: each event, each kind of message, time to the deadline or a
 * bit.
 */
#define MOVES 20

static void move(struct rig *rig, unsigned int which)
{
	struct tsp_msg other = info();

	other.client.v4++;
	switch (which) {
	case 0:
		wait_timer(rig);
		break;
	case 1:
		feed_msg(rig, info());
		break;
	case 2:
		feed_msg(rig, other);
		break;
	case 3:
		feed_msg(rig, pushed_delete());
		break;
	case 4:
		feed_msg(rig, refusal(TSP_STATUS_BUSY, TSP_GENERATION_2));
		break;
	case 5:
		feed_msg(rig, refusal(TSP_STATUS_RENEWAL_REFUSED, TSP_GENERATION_2));
		break;
	case 6:
		feed_msg(rig, refusal(TSP_STATUS_AUTH_FAILED, TSP_GENERATION_2));
		break;
	case 7:
		feed_closed(rig, TSP_CLOSE_VERSION);
		break;
	case 8:
		feed_closed(rig, TSP_CLOSE_PEER);
		break;
	case 9:
		feed_closed(rig, TSP_CLOSE_AUTH);
		break;
	case 10:
		rig->now_ms += LIFETIME_S * 1000;
		feed(rig, CL_EVENT_READY);
		break;
	default: /* START .. UNBOUND, MESSAGE apart */
		which -= 11;
		feed(rig, which < CL_EVENT_MESSAGE ? which : which + 1);
		break;
	}
}

static void explore(const struct rig *from, unsigned int depth)
{
	for (unsigned int i = 0; i < MOVES && depth > 0; i++) {
		struct rig rig = *from;

		if (i == 0 && rig.engine.state == CL_STATE_STOPPED)
			continue;
		move(&rig, i);
		/* What changed nothing leads nowhere new. */
		if (rig.actions.n > 0 || rig.engine.state != from->engine.state ||
			rig.engine.conn != from->engine.conn)
			explore(&rig, depth - 1);
	}
}

static void invariants_hold_in_every_order_of_events(void **state)
{
	for (int generation = 1; generation <= 2; generation++) {
		struct rig rig;

		rig_init(&rig, generation);
		explore(&rig, 7);
		reach_bound(&rig);
		explore(&rig, 6);
	}
}

static void invariants_hold_on_long_walks(void **state)
{
	unsigned int seed = time(NULL);

	print_message("seed %u\n", seed);
	srandom(seed);
	for (unsigned int walk = 0; walk < 300; walk++) {
		struct rig rig;

		rig_init(&rig, 1 + walk % 2);
		for (unsigned int i = 0; i < 300; i++) {
			unsigned int which = random() % MOVES;

			if (rig.engine.state == CL_STATE_STOPPED)
				feed(&rig, CL_EVENT_START);
			move(&rig, which);
			rig.now_ms += random() % 3000;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gets_a_lease_and_accepts_it_when_the_host_is_configured),
		cmocka_unit_test(generation_1_keeps_the_session_and_names_what_it_renews),
		cmocka_unit_test(renewal_extends_without_configuring),
		cmocka_unit_test(renewal_with_other_values_configures_anew),
		cmocka_unit_test(lease_lives_to_its_end_and_not_beyond),
		cmocka_unit_test(backoff_doubles_to_its_limit_with_jitter),
		cmocka_unit_test(refused_create_backs_off),
		cmocka_unit_test(refused_renewal_ends_the_lease_only_where_the_code_says_so),
		cmocka_unit_test(refused_version_falls_back_to_generation_1_once),
		cmocka_unit_test(failed_authentication_waits_long),
		cmocka_unit_test(host_that_cannot_be_configured_gives_the_lease_back),
		cmocka_unit_test(unusable_lease_is_refused),
		cmocka_unit_test(exclusive_address_is_demanded_or_welcome),
		cmocka_unit_test(pushed_delete_ends_the_lease),
		cmocka_unit_test(pushed_request_for_another_lease_is_refused),
		cmocka_unit_test(unasked_info_is_ignored),
		cmocka_unit_test(lost_session_leaves_the_lease_alone),
		cmocka_unit_test(stop_releases_first_the_host_then_the_lease),
		cmocka_unit_test(stop_waits_three_seconds_and_no_longer),
		cmocka_unit_test(second_stop_does_not_wait),
		cmocka_unit_test(moved_host_asks_anew),
		cmocka_unit_test(renewal_from_another_address_gives_the_lease_up),
		cmocka_unit_test(tep_without_binding_makes_the_client_ask_anew),
		cmocka_unit_test(silent_server_is_left),
		cmocka_unit_test(invariants_hold_in_every_order_of_events),
		cmocka_unit_test(invariants_hold_on_long_walks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
