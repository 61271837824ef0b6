// SPDX-License-Identifier: BSD-3-Clause
/*
 * Conversations with DHCPv6 servers: when a message is sent again, whose answer counts, what comes of it (R46; RFC 8415
 * sections 15, 16 and 18).
 */
#include "client/dhcp6_exchange.h"
#include "dhcp6/dhcp6_auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define T0      1000000
#define IAID    7
#define VALID_S 1000

struct rig {
	struct cl_dhcp6_exchange exchange;
	struct cl_dhcp6_step step; /* the last */
	struct dhcp6_msg sent; /* the last */
	int64_t now_ms;
};

static const struct in6_addr client = {.s6_addr = {0x20, 1, 0x0d, 0xb8, [15] = 0x17}};
static const struct in6_addr tep = {.s6_addr = {0x20, 1, 0x0d, 0xb8, [15] = 0x01}};
static const struct dhcp6_duid ours = {.len = 4, .octets = {0, 4, 1, 1}};
static const struct dhcp6_duid others = {.len = 4, .octets = {0, 4, 1, 2}};
static const struct dhcp6_duid server = {.len = 4, .octets = {0, 3, 0, 1}};
static const struct dhcp6_duid second = {.len = 4, .octets = {0, 3, 0, 2}};

static struct cl_dhcp6_exchange_params params(void)
{
	return (struct cl_dhcp6_exchange_params){
		.want = {.codes = DHCP6_CODES_DEFAULT,
			.iaid = IAID,
			.takes_ports = true,
			.v6 = client},
		.duid = ours,
		.seed = 88172645463325252,
	};
}

static void begin(struct rig *rig, const struct cl_dhcp6_exchange_params *with)
{
	*rig = (struct rig){.now_ms = T0};
	cl_dhcp6_exchange_init(&rig->exchange, with);
}

static void feed(struct rig *rig, const struct cl_dhcp6_event *event)
{
	cl_dhcp6_exchange_step(&rig->exchange, event, rig->now_ms, &rig->step);
	if (!rig->step.is_sent)
		return;
	rig->sent = rig->step.msg;
	assert_int_equal(dhcp6_msg_check(&rig->sent), 0);
	assert_true(dhcp6_duid_equal(&rig->sent.client_id, &ours));
}

/* Lets time pass to the next deadline; returns how long that was. */
static int64_t wait(struct rig *rig)
{
	int64_t before_ms = rig->now_ms;

	rig->now_ms = cl_dhcp6_exchange_deadline(&rig->exchange);
	assert_true(rig->now_ms != CL_DHCP6_NEVER);
	feed(rig, &(struct cl_dhcp6_event){.type = CL_DHCP6_EVENT_TIMER});
	return rig->now_ms - before_ms;
}

static struct lease held(void)
{
	return (struct lease){
		.client_v6 = client,
		.tep_v6 = tep,
		.v4 = 0xc6336407,
		.n_ranges = 1,
		.ranges = {{2048, 3071}},
		.end_ms = T0 + VALID_S * 1000,
	};
}

static void tell(struct rig *rig, enum cl_dhcp6_event_type type, int64_t rebind_ms)
{
	struct lease lease = held();

	feed(rig, &(struct cl_dhcp6_event){
			  .type = type, .lease = &lease, .giver = &server, .rebind_ms = rebind_ms});
}

static void ask(struct rig *rig)
{
	feed(rig, &(struct cl_dhcp6_event){.type = CL_DHCP6_EVENT_ASK});
}

static struct dhcp6_msg answer(
	const struct rig *rig, enum dhcp6_type type, const struct dhcp6_duid *from)
{
	struct dhcp6_msg msg = {
		.type = type,
		.xid = rig->sent.xid,
		.client_id = ours,
		.server_id = *from,
		.n_ia_dstm = 1,
	};
	struct dhcp6_ia *ia = &msg.ia_dstm[0];

	ia->iaid = IAID;
	ia->n_addrs = 1;
	ia->addrs[0] = (struct dhcp6_addr){
		.addr = dhcp6_v6_of(0xc6336407), .preferred_s = VALID_S, .valid_s = VALID_S};
	ia->dstm.n_teps = ia->dstm.n_ranges = 1;
	ia->dstm.teps[0] = tep;
	ia->dstm.ranges[0] = (struct port_range){2048, 3071};
	return msg;
}

static void hear(struct rig *rig, const struct dhcp6_msg *msg)
{
	feed(rig, &(struct cl_dhcp6_event){.type = CL_DHCP6_EVENT_MESSAGE, .msg = msg});
}

static void expect(const struct rig *rig, enum cl_dhcp6_phase phase)
{
	assert_string_equal(cl_dhcp6_phase_name(rig->exchange.phase), cl_dhcp6_phase_name(phase));
}

static void reach_request(struct rig *rig)
{
	struct dhcp6_msg msg;

	ask(rig);
	msg = answer(rig, DHCP6_ADVERTISE, &server);
	hear(rig, &msg);
	wait(rig);
	expect(rig, CL_DHCP6_REQUEST);
}

/* The time between two messages: within a tenth of twice the one before, up to a maximum. */
static void assert_doubles(struct rig *rig, int64_t first_ms, int64_t max_ms, unsigned int times)
{
	int64_t before = wait(rig);

	assert_in_range(before, first_ms * 9 / 10, first_ms * 11 / 10);
	for (unsigned int i = 1; i < times; i++) {
		int64_t now = wait(rig);
		bool at_max = now >= max_ms * 9 / 10 && now <= max_ms * 11 / 10;

		assert_true(rig->step.is_sent);
		assert_true(at_max || (now >= before * 19 / 10 - 1 && now <= before * 21 / 10 + 1));
		before = now;
	}
}

static void solicit_is_sent_again_ever_more_seldom(void **state)
{
	const struct cl_dhcp6_exchange_params with = params();
	struct rig rig;

	begin(&rig, &with);
	ask(&rig);
	assert_int_equal(rig.sent.type, DHCP6_SOLICIT);
	assert_int_equal(rig.sent.elapsed_cs, 0);
	assert_true(cl_dhcp6_exchange_deadline(&rig.exchange) > T0 + 1000);
	assert_doubles(&rig, 1000, 3600000, 30);
	assert_int_equal(rig.sent.elapsed_cs, UINT16_MAX);
	expect(&rig, CL_DHCP6_SOLICIT);
}

static void request_is_sent_ten_times_and_then_a_server_is_looked_for(void **state)
{
	const struct cl_dhcp6_exchange_params with = params();
	struct rig rig;
	uint32_t xid;

	begin(&rig, &with);
	reach_request(&rig);
	xid = rig.sent.xid;
	assert_doubles(&rig, 1000, 30000, 9);
	assert_int_equal(rig.sent.xid, xid);
	wait(&rig);
	expect(&rig, CL_DHCP6_SOLICIT);
	assert_int_not_equal(rig.sent.xid, xid);
}

static void first_message_of_a_host_waits_a_moment(void **state)
{
	struct cl_dhcp6_exchange_params with = params();
	struct rig rig;

	with.is_delayed = true;
	begin(&rig, &with);
	ask(&rig);
	assert_false(rig.step.is_sent);
	assert_true(wait(&rig) <= 1000);
	assert_int_equal(rig.sent.type, DHCP6_SOLICIT);
}

static void best_advertise_is_taken(void **state)
{
	static const struct {
		uint8_t first, second;
		const struct dhcp6_duid *chosen;
	} cases[] = {{0, 0, &server}, {1, 2, &second}, {2, 1, &server}, {0, 254, &second}};
	const struct cl_dhcp6_exchange_params with = params();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dhcp6_msg msg;
		struct rig rig;

		begin(&rig, &with);
		ask(&rig);
		msg = answer(&rig, DHCP6_ADVERTISE, &server);
		msg.has_preference = true;
		msg.preference = cases[i].first;
		hear(&rig, &msg);
		expect(&rig, CL_DHCP6_SOLICIT);
		msg.server_id = second;
		msg.preference = cases[i].second;
		hear(&rig, &msg);
		expect(&rig, CL_DHCP6_SOLICIT);
		wait(&rig);
		expect(&rig, CL_DHCP6_REQUEST);
		assert_true(dhcp6_duid_equal(&rig.sent.server_id, cases[i].chosen));
		assert_int_equal(rig.sent.ia_dstm[0].n_addrs, 1);
	}
}

static void highest_preference_and_a_late_advertise_are_taken_at_once(void **state)
{
	struct cl_dhcp6_exchange_params with = params();
	struct dhcp6_msg msg;
	struct rig rig;

	begin(&rig, &with);
	ask(&rig);
	msg = answer(&rig, DHCP6_ADVERTISE, &server);
	msg.preference = 255;
	hear(&rig, &msg);
	expect(&rig, CL_DHCP6_REQUEST);
	begin(&rig, &with);
	ask(&rig);
	wait(&rig);
	msg = answer(&rig, DHCP6_ADVERTISE, &server);
	hear(&rig, &msg);
	expect(&rig, CL_DHCP6_REQUEST);
	with.is_alone = true;
	begin(&rig, &with);
	ask(&rig);
	msg = answer(&rig, DHCP6_ADVERTISE, &server);
	hear(&rig, &msg);
	expect(&rig, CL_DHCP6_REQUEST);
}

/* Beside another server: an answer that does not speak of us is passed over. */
static void answers_without_our_association_are_passed_over(void **state)
{
	const struct cl_dhcp6_exchange_params with = params();
	struct dhcp6_msg msg;
	struct rig rig;

	begin(&rig, &with);
	ask(&rig);
	msg = answer(&rig, DHCP6_ADVERTISE, &server);
	msg.n_ia_dstm = 0;
	hear(&rig, &msg);
	msg.n_ia_dstm = 1;
	msg.ia_dstm[0].iaid++;
	hear(&rig, &msg);
	wait(&rig);
	expect(&rig, CL_DHCP6_SOLICIT);
	msg = answer(&rig, DHCP6_ADVERTISE, &second);
	hear(&rig, &msg);
	expect(&rig, CL_DHCP6_REQUEST);
	assert_true(dhcp6_duid_equal(&rig.sent.server_id, &second));
}

static void reply_of_the_chosen_server_is_the_lease(void **state)
{
	const struct cl_dhcp6_exchange_params with = params();
	struct dhcp6_msg msg;
	struct rig rig;

	begin(&rig, &with);
	reach_request(&rig);
	msg = answer(&rig, DHCP6_REPLY, &server);
	msg.ia_dstm[0].t1_s = 300;
	msg.ia_dstm[0].t2_s = 700;
	hear(&rig, &msg);
	assert_int_equal(rig.step.outcome, CL_DHCP6_GRANTED);
	assert_true(dhcp6_duid_equal(&rig.step.giver, &server));
	assert_int_equal(rig.step.grant.lease.v4, 0xc6336407);
	assert_int_equal(rig.step.grant.lease.ranges[0].first, 2048);
	assert_int_equal(rig.step.grant.valid_s, VALID_S);
	assert_int_equal(rig.step.grant.t1_s, 300);
	assert_int_equal(rig.step.grant.t2_s, 700);
	assert_int_equal(cl_dhcp6_exchange_deadline(&rig.exchange), CL_DHCP6_NEVER);
	/* Once more counts for nothing. */
	hear(&rig, &msg);
	assert_int_equal(rig.step.outcome, CL_DHCP6_PENDING);
	assert_false(rig.step.is_accepted);
}

static void strangers_answers_count_for_nothing(void **state)
{
	const struct cl_dhcp6_exchange_params with = params();
	struct rig rig;

	for (unsigned int i = 0; i < 7; i++) {
		struct dhcp6_msg msg;

		begin(&rig, &with);
		reach_request(&rig);
		msg = answer(&rig, DHCP6_REPLY, &server);
		if (i == 0)
			msg.xid ^= 1;
		else if (i == 1)
			msg.client_id = others;
		else if (i == 2)
			msg.client_id.len = 0;
		else if (i == 3)
			msg.server_id = second;
		else if (i == 4)
			msg.server_id.len = 0;
		else if (i == 5)
			msg.type = DHCP6_ADVERTISE;
		else
			msg.type = DHCP6_SOLICIT;
		hear(&rig, &msg);
		assert_int_equal(rig.step.outcome, CL_DHCP6_PENDING);
		assert_false(rig.step.is_accepted);
		expect(&rig, CL_DHCP6_REQUEST);
	}
}

static void reply_to_a_solicit_must_be_wanted_and_say_so(void **state)
{
	struct cl_dhcp6_exchange_params with = params();

	for (unsigned int i = 0; i < 4; i++) {
		struct dhcp6_msg msg;
		struct rig rig;

		with.is_rapid = (i & 1) != 0;
		begin(&rig, &with);
		ask(&rig);
		assert_int_equal(rig.sent.has_rapid_commit, with.is_rapid);
		msg = answer(&rig, DHCP6_REPLY, &server);
		msg.has_rapid_commit = (i & 2) != 0;
		hear(&rig, &msg);
		assert_int_equal(rig.step.outcome, i == 3 ? CL_DHCP6_GRANTED : CL_DHCP6_PENDING);
	}
}

/* T1 to T2 at the giver, T2 to the end at any server, and not beyond (R46, R51). */
static void renew_becomes_rebind_and_ends_with_the_lease(void **state)
{
	const struct cl_dhcp6_exchange_params with = params();
	struct rig rig;

	begin(&rig, &with);
	tell(&rig, CL_DHCP6_EVENT_RENEW, T0 + 300000);
	expect(&rig, CL_DHCP6_RENEW);
	assert_true(dhcp6_duid_equal(&rig.sent.server_id, &server));
	assert_int_equal(rig.sent.ia_dstm[0].n_addrs, 1);
	assert_doubles(&rig, 10000, 600000, 3);
	while (rig.exchange.phase == CL_DHCP6_RENEW)
		wait(&rig);
	expect(&rig, CL_DHCP6_REBIND);
	assert_int_equal(rig.now_ms, T0 + 300000);
	assert_int_equal(rig.sent.server_id.len, 0);
	while (rig.step.outcome == CL_DHCP6_PENDING)
		wait(&rig);
	assert_int_equal(rig.step.outcome, CL_DHCP6_UNANSWERED);
	assert_int_equal(rig.now_ms, T0 + VALID_S * 1000);
}

static void renewal_behind_t2_asks_any_server(void **state)
{
	const struct cl_dhcp6_exchange_params with = params();
	struct dhcp6_msg msg;
	struct rig rig;

	begin(&rig, &with);
	tell(&rig, CL_DHCP6_EVENT_RENEW, T0);
	expect(&rig, CL_DHCP6_REBIND);
	msg = answer(&rig, DHCP6_REPLY, &second);
	hear(&rig, &msg);
	assert_int_equal(rig.step.outcome, CL_DHCP6_GRANTED);
	assert_true(dhcp6_duid_equal(&rig.step.giver, &second));
	begin(&rig, &with);
	tell(&rig, CL_DHCP6_EVENT_REBIND, T0 + 300000);
	expect(&rig, CL_DHCP6_REBIND);
}

static void no_binding_is_asked_for_anew_where_it_was_said(void **state)
{
	const struct cl_dhcp6_exchange_params with = params();
	struct dhcp6_msg msg;
	struct rig rig;

	begin(&rig, &with);
	tell(&rig, CL_DHCP6_EVENT_REBIND, 0);
	msg = answer(&rig, DHCP6_REPLY, &second);
	msg.ia_dstm[0].n_addrs = 0;
	dhcp6_status_set(&msg.ia_dstm[0].status, DHCP6_STATUS_NO_BINDING, "");
	hear(&rig, &msg);
	expect(&rig, CL_DHCP6_REQUEST);
	assert_true(dhcp6_duid_equal(&rig.sent.server_id, &second));
	msg.xid = rig.sent.xid;
	hear(&rig, &msg);
	assert_int_equal(rig.step.outcome, CL_DHCP6_REFUSED);
	assert_int_equal(rig.step.status.code, DHCP6_STATUS_NO_BINDING);
}

/* A lifetime of 0 takes the lease away; it is no "no answer". */
static void renewal_for_no_time_is_an_end(void **state)
{
	const struct cl_dhcp6_exchange_params with = params();
	struct dhcp6_msg msg;
	struct rig rig;

	begin(&rig, &with);
	tell(&rig, CL_DHCP6_EVENT_RENEW, T0 + 300000);
	msg = answer(&rig, DHCP6_REPLY, &server);
	msg.ia_dstm[0].addrs[0].valid_s = msg.ia_dstm[0].addrs[0].preferred_s = 0;
	hear(&rig, &msg);
	assert_int_equal(rig.step.outcome, CL_DHCP6_REFUSED);
	assert_int_equal(rig.step.status.code, DHCP6_STATUS_NO_BINDING);
}

static void refusals_of_all_are_an_outcome(void **state)
{
	const struct cl_dhcp6_exchange_params with = params();
	struct dhcp6_msg msg;
	struct rig rig;

	begin(&rig, &with);
	ask(&rig);
	msg = answer(&rig, DHCP6_ADVERTISE, &server);
	dhcp6_status_set(&msg.status, DHCP6_STATUS_NO_ADDRS_AVAIL, "all gone");
	hear(&rig, &msg);
	assert_int_equal(rig.step.outcome, CL_DHCP6_PENDING);
	wait(&rig);
	assert_int_equal(rig.step.outcome, CL_DHCP6_REFUSED);
	assert_string_equal(rig.step.status.text, "all gone");
	/* Of one while another offers: it is not. */
	begin(&rig, &with);
	ask(&rig);
	msg.xid = rig.sent.xid;
	hear(&rig, &msg);
	msg = answer(&rig, DHCP6_ADVERTISE, &second);
	hear(&rig, &msg);
	wait(&rig);
	expect(&rig, CL_DHCP6_REQUEST);
}

static void release_and_decline_are_said_four_times_at_most(void **state)
{
	static const enum cl_dhcp6_event_type events[] = {
		CL_DHCP6_EVENT_RELEASE, CL_DHCP6_EVENT_DECLINE};
	const struct cl_dhcp6_exchange_params with = params();

	for (size_t i = 0; i < 2; i++) {
		struct dhcp6_msg msg;
		struct rig rig;

		begin(&rig, &with);
		tell(&rig, events[i], 0);
		assert_int_equal(rig.sent.type, i == 0 ? DHCP6_RELEASE : DHCP6_DECLINE);
		assert_int_equal(rig.sent.n_oro, 0);
		for (unsigned int n = 1; n < 4; n++) {
			wait(&rig);
			assert_true(rig.step.is_sent);
		}
		wait(&rig);
		assert_int_equal(rig.step.outcome, CL_DHCP6_DONE);
		begin(&rig, &with);
		tell(&rig, events[i], 0);
		msg = answer(&rig, DHCP6_REPLY, &server);
		msg.n_ia_dstm = 0;
		dhcp6_status_set(&msg.status, DHCP6_STATUS_NO_BINDING, "");
		hear(&rig, &msg);
		assert_int_equal(rig.step.outcome, CL_DHCP6_DONE);
	}
}

static void stateless_leases_are_asked_for_and_not_released(void **state)
{
	struct cl_dhcp6_exchange_params with = params();
	struct dhcp6_msg msg = {.type = DHCP6_REPLY, .server_id = server};
	struct rig rig;

	with.want.is_stateless = true;
	begin(&rig, &with);
	ask(&rig);
	assert_int_equal(rig.sent.type, DHCP6_INFORMATION_REQUEST);
	msg.xid = rig.sent.xid;
	msg.dstm = (struct dhcp6_dstm){
		.has_v4 = true, .v4 = 0xc6336407, .n_teps = 1, .teps = {tep}};
	msg.has_info_refresh = true;
	msg.info_refresh_s = 60;
	hear(&rig, &msg);
	assert_int_equal(rig.step.outcome, CL_DHCP6_GRANTED);
	assert_int_equal(rig.step.grant.valid_s, 60);
	tell(&rig, CL_DHCP6_EVENT_RELEASE, 0);
	assert_int_equal(rig.step.outcome, CL_DHCP6_DONE);
	assert_false(rig.step.is_sent);
}

static void announcement_wants_a_key(void **state)
{
	struct cl_dhcp6_exchange_params with = params();
	static const uint8_t key[DHCP6_AUTH_KEY_LEN] = {1};
	struct dhcp6_msg msg = {.type = DHCP6_REPLY, .server_id = server};
	struct rig rig;

	with.is_reconfigured = true;
	begin(&rig, &with);
	feed(&rig, &(struct cl_dhcp6_event){.type = CL_DHCP6_EVENT_ANNOUNCE});
	assert_int_equal(rig.sent.type, DHCP6_INFORMATION_REQUEST);
	assert_true(rig.sent.has_reconf_accept);
	assert_true(rig.sent.dstm.has_client);
	assert_false(dhcp6_msg_asks(&rig.sent, with.want.codes.address));
	msg.xid = rig.sent.xid;
	hear(&rig, &msg);
	assert_int_equal(rig.step.outcome, CL_DHCP6_PENDING);
	dhcp6_auth_set_key(&msg.auth, 1, key);
	hear(&rig, &msg);
	assert_int_equal(rig.step.outcome, CL_DHCP6_DONE);
	assert_true(rig.step.is_accepted);
}

static void servers_may_make_solicits_more_seldom(void **state)
{
	const struct cl_dhcp6_exchange_params with = params();
	struct dhcp6_msg msg;
	struct rig rig;

	begin(&rig, &with);
	ask(&rig);
	msg = answer(&rig, DHCP6_ADVERTISE, &server);
	msg.n_ia_dstm = 0;
	msg.has_sol_max_rt = true;
	msg.sol_max_rt_s = 60;
	hear(&rig, &msg);
	msg.sol_max_rt_s = 1; /* out of bounds */
	hear(&rig, &msg);
	for (unsigned int i = 0; i < 12; i++)
		wait(&rig);
	assert_in_range(wait(&rig), 54000, 66000);
}

/* Whatever comes in whatever order: each message is well-formed, and every exchange ends or has a deadline. */
static void any_order_of_events_keeps_the_rules(void **state)
{
	struct cl_dhcp6_exchange_params with = params();
	uint64_t random = 0x2545f4914f6cdd1d;
	struct rig rig;

	for (unsigned int i = 0; i < 20000; i++) {
		struct dhcp6_msg msg;

		random = random * 6364136223846793005 + 1442695040888963407;
		if (i % 50 == 0) {
			with.seed = random | 1;
			with.is_rapid = (random >> 40 & 1) != 0;
			with.is_delayed = (random >> 41 & 1) != 0;
			begin(&rig, &with);
		}
		switch (random >> 60) {
		case 0:
			ask(&rig);
			break;
		case 1:
			tell(&rig, CL_DHCP6_EVENT_RENEW, T0 + 300000);
			break;
		case 2:
			tell(&rig, CL_DHCP6_EVENT_RELEASE, 0);
			break;
		case 3:
			tell(&rig, CL_DHCP6_EVENT_REBIND, 0);
			break;
		case 4:
		case 5:
		case 6:
			if (cl_dhcp6_exchange_deadline(&rig.exchange) != CL_DHCP6_NEVER)
				wait(&rig);
			break;
		default:
			msg = answer(&rig, random >> 58 & 1 ? DHCP6_REPLY : DHCP6_ADVERTISE,
				random >> 57 & 1 ? &server : &second);
			msg.has_rapid_commit = (random >> 56 & 1) != 0;
			if (random >> 55 & 1)
				dhcp6_status_set(&msg.ia_dstm[0].status, random >> 50 & 7, "");
			msg.ia_dstm[0].addrs[0].valid_s = random >> 45 & 1 ? VALID_S : 0;
			hear(&rig, &msg);
			break;
		}
		if (rig.step.outcome == CL_DHCP6_PENDING || rig.exchange.phase == CL_DHCP6_IDLE)
			continue;
		fail_msg("an outcome, and the exchange goes on: step %u", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(solicit_is_sent_again_ever_more_seldom),
		cmocka_unit_test(request_is_sent_ten_times_and_then_a_server_is_looked_for),
		cmocka_unit_test(first_message_of_a_host_waits_a_moment),
		cmocka_unit_test(best_advertise_is_taken),
		cmocka_unit_test(highest_preference_and_a_late_advertise_are_taken_at_once),
		cmocka_unit_test(answers_without_our_association_are_passed_over),
		cmocka_unit_test(reply_of_the_chosen_server_is_the_lease),
		cmocka_unit_test(strangers_answers_count_for_nothing),
		cmocka_unit_test(reply_to_a_solicit_must_be_wanted_and_say_so),
		cmocka_unit_test(renew_becomes_rebind_and_ends_with_the_lease),
		cmocka_unit_test(renewal_behind_t2_asks_any_server),
		cmocka_unit_test(no_binding_is_asked_for_anew_where_it_was_said),
		cmocka_unit_test(renewal_for_no_time_is_an_end),
		cmocka_unit_test(refusals_of_all_are_an_outcome),
		cmocka_unit_test(release_and_decline_are_said_four_times_at_most),
		cmocka_unit_test(stateless_leases_are_asked_for_and_not_released),
		cmocka_unit_test(announcement_wants_a_key),
		cmocka_unit_test(servers_may_make_solicits_more_seldom),
		cmocka_unit_test(any_order_of_events_keeps_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
