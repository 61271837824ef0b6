// SPDX-License-Identifier: BSD-3-Clause
/*
 * Who is reached directly, and who is believed (R16, S20): a fake clock, packets of 28 octets.
 */
#include "client/peers.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OURS  0xc6336407 /* 198.51.100.7 */
#define THERE 0xc6336408 /* 198.51.100.8, of the same prefix */
#define WORLD 0xcb007105 /* 203.0.113.5, of none */
#define LIFE  120000

static const struct addr_v4_prefix domain = {0xc6336400, 24};
static const struct in6_addr tep = {{{0x20, 1, [15] = 1}}}, host = {{{0x20, 1, [15] = 8}}},
			     liar = {{{0x20, 1, [15] = 9}}};

static int setup(void **state)
{
	*state = cl_peers_create();
	if (*state != NULL)
		cl_peers_cover(*state, &domain, 1);
	return *state == NULL;
}

static int teardown(void **state)
{
	cl_peers_destroy(*state);
	return 0;
}

static const uint8_t *udp(uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
	static _Thread_local uint8_t p[28];

	memset(p, 0, sizeof(p));
	p[0] = 0x45;
	p[3] = sizeof(p);
	p[9] = 17;
	for (int i = 0; i < 4; i++) {
		p[12 + i] = src >> (24 - 8 * i);
		p[16 + i] = dst >> (24 - 8 * i);
	}
	p[20] = sport >> 8;
	p[21] = sport;
	p[22] = dport >> 8;
	p[23] = dport;
	return p;
}

static bool goes_directly(struct cl_peers *peers, uint32_t v4, uint16_t port, int64_t now_ms)
{
	struct in6_addr v6 = {0};
	bool direct = cl_peers_out(peers, udp(OURS, 2048, v4, port), 28, now_ms, &v6);

	if (direct)
		assert_memory_equal(&v6, &host, sizeof(v6));
	return direct;
}

static bool passes(struct cl_peers *peers, const struct in6_addr *outer, uint32_t v4, uint16_t port,
	int64_t now_ms)
{
	bool from_tep = outer == &tep;

	return cl_peers_in(peers, from_tep, outer, udp(v4, port, OURS, 2048), 28, now_ms);
}

static bool is_readable(const struct cl_peers *peers)
{
	struct pollfd fd = {.fd = cl_peers_fd(peers), .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

/* The one question that waits. */
static struct cl_peers_question take_one(struct cl_peers *peers)
{
	struct cl_peers_question questions[CL_PEERS_QUESTIONS];

	assert_true(is_readable(peers));
	assert_int_equal(cl_peers_take(peers, questions), 1);
	assert_false(is_readable(peers));
	return questions[0];
}

static void expect_no_question(struct cl_peers *peers)
{
	struct cl_peers_question questions[CL_PEERS_QUESTIONS];

	assert_int_equal(cl_peers_take(peers, questions), 0);
}

static void forget_questions(struct cl_peers *peers)
{
	struct cl_peers_question questions[CL_PEERS_QUESTIONS];

	cl_peers_take(peers, questions);
}

/* The server says at now_ms: host has 2048-3071 and 9000 of THERE. */
static void learn(struct cl_peers *peers, int64_t now_ms)
{
	const struct lease lease = {.client_v6 = host,
		.v4 = THERE,
		.n_ranges = 2,
		.ranges = {{9000, 9000}, {2048, 3071}},
		.end_ms = now_ms + LIFE};

	cl_peers_learn(peers, &lease, now_ms);
}

static void first_packet_goes_through_the_tep_and_leaves_a_question(void **state)
{
	struct cl_peers *peers = *state;
	struct cl_peers_question question;

	assert_false(goes_directly(peers, THERE, 2050, 1000));
	assert_false(goes_directly(peers, THERE, 2050, 1000));
	question = take_one(peers);
	assert_int_equal(question.v4, THERE);
	assert_int_equal(question.port, 2050);
	assert_false(question.is_stranger);
	assert_int_equal(question.denials, 0);
	/* While nobody answers, once a second will do: the main thread sleeps through a flood. */
	assert_false(goes_directly(peers, THERE, 2050, 1999));
	expect_no_question(peers);
	assert_false(goes_directly(peers, THERE, 2050, 2000));
	take_one(peers);
}

static void the_rest_of_the_world_is_never_asked_about(void **state)
{
	struct cl_peers *peers = *state;

	assert_false(goes_directly(peers, WORLD, 80, 1000));
	assert_true(passes(peers, &tep, WORLD, 80, 1000));
	assert_false(passes(peers, &liar, WORLD, 80, 1000));
	expect_no_question(peers);
}

static void an_answer_is_taken_at_once_and_used_when_both_sides_have_heard(void **state)
{
	struct cl_peers *peers = *state;

	learn(peers, 1000);
	assert_int_equal(cl_peers_count(peers), 2);
	assert_true(passes(peers, &host, THERE, 2048, 1000));
	assert_false(goes_directly(peers, THERE, 2048, 1000 + CL_PEERS_SETTLE_MS - 1));
	assert_true(goes_directly(peers, THERE, 2048, 1000 + CL_PEERS_SETTLE_MS));
	assert_true(goes_directly(peers, THERE, 3071, 1000 + CL_PEERS_SETTLE_MS));
	assert_true(goes_directly(peers, THERE, 9000, 1000 + CL_PEERS_SETTLE_MS));
	expect_no_question(peers);
}

/* One port beside a range is somebody else's. */
static void only_the_holders_ports_go_to_it(void **state)
{
	static const uint16_t others[] = {0, 2047, 3072, 8999, 9001, 65535};
	struct cl_peers *peers = *state;

	learn(peers, 1000);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_false(goes_directly(peers, THERE, others[i], 5000));
		assert_false(passes(peers, &host, THERE, others[i], 5000));
		assert_int_equal(take_one(peers).port, others[i]);
	}
	assert_false(goes_directly(peers, THERE + 1, 2048, 5000));
	assert_false(passes(peers, &host, THERE - 1, 2048, 5000));
}

static void two_holders_share_our_own_address(void **state)
{
	struct cl_peers *peers = *state;
	const struct lease lease = {.client_v6 = host,
		.v4 = OURS,
		.n_ranges = 1,
		.ranges = {{4096, 5119}},
		.end_ms = 1000 + LIFE};

	cl_peers_learn(peers, &lease, 1000);
	assert_true(goes_directly(peers, OURS, 4096, 5000));
	assert_false(goes_directly(peers, OURS, 5120, 5000));
}

static void a_stranger_is_refused_and_asked_about(void **state)
{
	struct cl_peers *peers = *state;
	struct cl_peers_question question;

	assert_false(passes(peers, &host, THERE, 2048, 1000));
	question = take_one(peers);
	assert_true(question.is_stranger);
	assert_int_equal(question.v4, THERE);
	assert_int_equal(question.port, 2048);
	learn(peers, 1000);
	assert_true(passes(peers, &host, THERE, 2048, 1000));
	/* Somebody else says that it is from there. */
	assert_false(passes(peers, &liar, THERE, 2048, 10000));
	assert_true(take_one(peers).is_stranger);
	assert_false(passes(peers, &liar, THERE, 2048, 10999));
	expect_no_question(peers);
}

/* What comes by the TEP passes, and tells us whom to ask about before it comes directly. */
static void a_packet_through_the_tep_passes_and_leaves_a_question(void **state)
{
	struct cl_peers *peers = *state;

	assert_true(passes(peers, &tep, THERE, 2048, 1000));
	assert_false(take_one(peers).is_stranger);
	learn(peers, 1000);
	assert_true(passes(peers, &tep, THERE, 2048, 1000));
	expect_no_question(peers);
}

static void an_answer_ends(void **state)
{
	struct cl_peers *peers = *state;
	int64_t end_ms = 1000 + LIFE;

	learn(peers, 1000);
	assert_true(goes_directly(peers, THERE, 2048, end_ms - LIFE / 10 - 1));
	assert_false(goes_directly(peers, THERE, 2048, end_ms - LIFE / 10));
	assert_true(passes(peers, &host, THERE, 2048, end_ms - 1));
	assert_false(passes(peers, &host, THERE, 2048, end_ms));
}

static void an_answer_in_use_is_refreshed_before_its_end(void **state)
{
	struct cl_peers *peers = *state;
	int64_t half_ms = 1000 + LIFE / 2;

	learn(peers, 1000);
	goes_directly(peers, THERE, 2048, half_ms - 1);
	expect_no_question(peers);
	assert_true(goes_directly(peers, THERE, 2048, half_ms));
	goes_directly(peers, THERE, 2048, half_ms + 999);
	assert_int_equal(take_one(peers).port, 2048);
	/* The new answer does not begin with a wait. */
	learn(peers, half_ms);
	assert_true(goes_directly(peers, THERE, 2048, half_ms + 1));
}

static void a_denial_holds_for_its_time_and_counts(void **state)
{
	struct cl_peers *peers = *state;

	cl_peers_deny(peers, THERE, 2048, 2000, 1000);
	assert_false(goes_directly(peers, THERE, 2048, 1999));
	assert_true(passes(peers, &tep, THERE, 2048, 1999));
	expect_no_question(peers);
	assert_false(goes_directly(peers, THERE, 2048, 2000));
	assert_int_equal(take_one(peers).denials, 1);
	cl_peers_deny(peers, THERE, 2048, 4000, 2000);
	assert_false(goes_directly(peers, THERE, 2048, 4000));
	assert_int_equal(take_one(peers).denials, 2);
	/* The port beside it was not denied. */
	assert_false(goes_directly(peers, THERE, 2049, 4000));
	assert_int_equal(take_one(peers).denials, 0);
	/* Whoever sends directly seems to know better. */
	assert_false(passes(peers, &host, THERE, 2048, 6000));
	assert_true(take_one(peers).is_stranger);
}

/* The server said for how long its answer holds, and the other side may not have heard otherwise. */
static void a_denial_ends_sending_to_the_whole_lease(void **state)
{
	struct cl_peers *peers = *state;

	learn(peers, 1000);
	assert_true(goes_directly(peers, THERE, 2048, 5000));
	cl_peers_deny(peers, THERE, 2048, 6000, 5000);
	assert_false(goes_directly(peers, THERE, 2048, 5000));
	assert_false(goes_directly(peers, THERE, 9000, 5000));
	assert_true(passes(peers, &host, THERE, 3000, 5000));
	/* It is asked about again, and sent to at once when the answer is good. */
	forget_questions(peers);
	assert_false(goes_directly(peers, THERE, 2048, 6000));
	assert_int_equal(take_one(peers).denials, 1);
	learn(peers, 6000);
	assert_true(goes_directly(peers, THERE, 2048, 6000));
	cl_peers_deny(peers, THERE, 2048, 8000, 7000);
	assert_false(passes(peers, &host, THERE, 3000, 6000 + LIFE));
}

static void a_new_holder_replaces_the_old_one(void **state)
{
	struct cl_peers *peers = *state;
	const struct lease next = {.client_v6 = liar,
		.v4 = THERE,
		.n_ranges = 1,
		.ranges = {{3000, 4000}},
		.end_ms = 2000 + LIFE};

	learn(peers, 1000);
	cl_peers_learn(peers, &next, 2000);
	assert_true(passes(peers, &liar, THERE, 3000, 2000));
	assert_false(passes(peers, &host, THERE, 3000, 2000));
	assert_false(passes(peers, &host, THERE, 2048, 2000));
}

static void an_unreachable_host_is_reached_through_the_tep_at_once(void **state)
{
	struct cl_peers *peers = *state;

	learn(peers, 1000);
	assert_true(goes_directly(peers, THERE, 2048, 5000));
	cl_peers_lost(peers, &liar, 5000);
	assert_true(goes_directly(peers, THERE, 2048, 5000));
	cl_peers_lost(peers, &host, 5000);
	assert_false(goes_directly(peers, THERE, 2048, 5000));
	assert_false(goes_directly(peers, THERE, 9000, 5000 + CL_PEERS_LOST_MS - 1));
	assert_true(passes(peers, &host, THERE, 2048, 5000));
	assert_true(goes_directly(peers, THERE, 9000, 5000 + CL_PEERS_LOST_MS));
}

/* Returns how long packets went directly, one each 100 ms, before they went through the TEP. */
static int64_t send_until_shunned(struct cl_peers *peers, int64_t now_ms)
{
	int64_t began_ms = now_ms;

	while (goes_directly(peers, THERE, 2048, now_ms))
		now_ms += 100;
	return now_ms - began_ms;
}

static void a_silent_host_is_left_alone_longer_each_time(void **state)
{
	struct cl_peers *peers = *state;
	const struct lease lease = {.client_v6 = host,
		.v4 = THERE,
		.n_ranges = 1,
		.ranges = {{2048, 3071}},
		.end_ms = 100000000};

	cl_peers_learn(peers, &lease, 1000);
	assert_int_equal(send_until_shunned(peers, 10000), CL_PEERS_SILENCE_MS);
	assert_false(goes_directly(peers, THERE, 2048, 13000 + CL_PEERS_SHUN_MIN_MS - 1));
	assert_int_equal(send_until_shunned(peers, 100000), CL_PEERS_SILENCE_MS);
	assert_false(goes_directly(peers, THERE, 2048, 103000 + 2 * CL_PEERS_SHUN_MIN_MS - 1));
	/* It is heard: the way is free again. */
	assert_true(passes(peers, &host, THERE, 2048, 104000));
	assert_true(goes_directly(peers, THERE, 2048, 104000));
	forget_questions(peers);
}

static void a_host_that_answers_is_not_left_alone(void **state)
{
	struct cl_peers *peers = *state;

	learn(peers, 1000);
	for (int64_t now_ms = 5000; now_ms < 50000; now_ms += 1000) {
		assert_true(goes_directly(peers, THERE, 2048, now_ms));
		assert_true(goes_directly(peers, THERE, 2048, now_ms + 500));
		assert_true(passes(peers, &host, THERE, 2048, now_ms + 900));
	}
	/* One last packet that needs no answer, then a new conversation. */
	assert_true(goes_directly(peers, THERE, 2048, 50000));
	assert_true(goes_directly(peers, THERE, 2048, 70000));
	forget_questions(peers);
}

static void questions_are_bounded_and_strangers_get_half_of_them(void **state)
{
	struct cl_peers_question questions[CL_PEERS_QUESTIONS];
	struct cl_peers *peers = *state;

	for (uint16_t port = 1; port <= 1000; port++)
		assert_false(passes(peers, &liar, THERE, port, 1000));
	for (uint16_t port = 1001; port <= 2000; port++)
		assert_false(goes_directly(peers, THERE, port, 1000));
	assert_int_equal(cl_peers_take(peers, questions), CL_PEERS_QUESTIONS);
	for (uint32_t i = 0; i < CL_PEERS_QUESTIONS; i++)
		assert_int_equal(questions[i].is_stranger, i < CL_PEERS_QUESTIONS / 2);
}

static void questions_can_be_paused(void **state)
{
	struct cl_peers *peers = *state;

	cl_peers_pause(peers, true, 2000);
	passes(peers, &liar, THERE, 2048, 1999);
	expect_no_question(peers);
	goes_directly(peers, THERE, 2048, 1999);
	assert_false(take_one(peers).is_stranger);
	cl_peers_pause(peers, false, 3000);
	goes_directly(peers, THERE, 2048, 2999);
	expect_no_question(peers);
	goes_directly(peers, THERE, 2048, 3000);
	take_one(peers);
}

static void a_full_table_keeps_holders_before_denials(void **state)
{
	struct cl_peers *peers = *state;

	learn(peers, 1000);
	for (uint32_t port = 10000; port < 10000 + 2 * CL_PEERS_MAX; port++)
		cl_peers_deny(peers, THERE, port, 100000 + port, 1000);
	assert_int_equal(cl_peers_count(peers), 2);
	assert_true(goes_directly(peers, THERE, 9000, 5000));
	expect_no_question(peers);
	/* The last one is remembered, the first one is not. */
	goes_directly(peers, THERE, 10000 + 2 * CL_PEERS_MAX - 1, 5000);
	expect_no_question(peers);
	goes_directly(peers, THERE, 10000, 5000);
	take_one(peers);
}

static void nothing_is_left_of_a_lease_that_is_gone(void **state)
{
	struct cl_peers *peers = *state;

	learn(peers, 1000);
	goes_directly(peers, THERE, 4000, 5000);
	cl_peers_forget(peers);
	assert_int_equal(cl_peers_count(peers), 0);
	expect_no_question(peers);
	assert_false(goes_directly(peers, THERE, 2048, 5000));
	assert_false(passes(peers, &host, THERE, 2048, 5000));
}

static void without_a_table_all_goes_through_the_tep(void **state)
{
	struct in6_addr v6;
	struct cl_peers *none = cl_peers_create();

	assert_false(cl_peers_out(NULL, udp(OURS, 1, THERE, 1), 28, 0, &v6));
	assert_false(cl_peers_in(NULL, false, &host, udp(THERE, 1, OURS, 1), 28, 0));
	assert_true(cl_peers_in(NULL, true, &tep, udp(THERE, 1, OURS, 1), 28, 0));
	cl_peers_lost(NULL, &host, 0);
	assert_non_null(none);
	assert_false(goes_directly(none, THERE, 2048, 1000));
	expect_no_question(none);
	cl_peers_destroy(none);
}

/* --- against a table that is a list, with random news and packets --- */

struct fact {
	bool is_known;
	struct in6_addr v6;
	int64_t end_ms;
};

#define PORTS 64

static void lookups_agree_with_a_naive_table(void **state)
{
	struct cl_peers *peers = *state;
	struct fact facts[PORTS] = {0};
	unsigned int seed = 20240607;

	for (int64_t now_ms = 1; now_ms < 20000; now_ms++) {
		uint16_t first = rand_r(&seed) % PORTS, port = rand_r(&seed) % PORTS;
		uint16_t last = first + rand_r(&seed) % (PORTS - first);
		struct lease lease = {.client_v6 = {{{0x20, 1, [15] = rand_r(&seed) % 4}}},
			.v4 = THERE,
			.n_ranges = 1,
			.ranges = {{first, last}},
			.end_ms = now_ms + 1 + rand_r(&seed) % 100};
		const struct fact *fact = &facts[port];
		bool is_news = rand_r(&seed) % 4 == 0;

		if (is_news) {
			cl_peers_learn(peers, &lease, now_ms);
			for (uint32_t i = 0; i < PORTS; i++) {
				/* Of a range that it cuts the rest is forgotten, too: less is known. */
				if (i >= first && i <= last)
					facts[i] = (struct fact){
						true, lease.client_v6, lease.end_ms};
			}
		}
		for (unsigned int host_id = 0; host_id < 4; host_id++) {
			struct in6_addr v6 = {{{0x20, 1, [15] = host_id}}};
			bool allowed = fact->is_known && now_ms < fact->end_ms &&
				       addr_v6_equal(&fact->v6, &v6);

			if (passes(peers, &v6, THERE, port, now_ms) && !allowed)
				fail_msg("seed 20240607: port %u at %lld", port, (long long)now_ms);
			if (is_news && allowed && port >= first && port <= last)
				assert_true(passes(peers, &v6, THERE, port, now_ms));
		}
		forget_questions(peers);
	}
}

struct race {
	struct cl_peers *peers;
	atomic_bool is_over;
	atomic_uint wrong;
};

static void *look_up(void *arg)
{
	struct race *race = arg;

	for (int64_t now_ms = 5000; !race->is_over; now_ms++) {
		struct in6_addr v6;
		bool direct = cl_peers_out(race->peers, udp(OURS, 1, THERE, 2048), 28, 5000, &v6);

		if (direct && !addr_v6_equal(&v6, &host))
			race->wrong++;
		if (passes(race->peers, &liar, THERE, 2048, now_ms))
			race->wrong++;
	}
	return NULL;
}

static void news_and_packets_do_not_meet_halfway(void **state)
{
	struct race race = {.peers = *state};
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look_up, &race), 0);
	for (int i = 0; i < 5000; i++) {
		learn(race.peers, 1000);
		cl_peers_deny(race.peers, THERE, 2100, 2000, 1000);
		forget_questions(race.peers);
	}
	race.is_over = true;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(race.wrong, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_packet_goes_through_the_tep_and_leaves_a_question),
		TEST(the_rest_of_the_world_is_never_asked_about),
		TEST(an_answer_is_taken_at_once_and_used_when_both_sides_have_heard),
		TEST(only_the_holders_ports_go_to_it),
		TEST(two_holders_share_our_own_address),
		TEST(a_stranger_is_refused_and_asked_about),
		TEST(a_packet_through_the_tep_passes_and_leaves_a_question),
		TEST(an_answer_ends),
		TEST(an_answer_in_use_is_refreshed_before_its_end),
		TEST(a_denial_holds_for_its_time_and_counts),
		TEST(a_denial_ends_sending_to_the_whole_lease),
		TEST(a_new_holder_replaces_the_old_one),
		TEST(an_unreachable_host_is_reached_through_the_tep_at_once),
		TEST(a_silent_host_is_left_alone_longer_each_time),
		TEST(a_host_that_answers_is_not_left_alone),
		TEST(questions_are_bounded_and_strangers_get_half_of_them),
		TEST(questions_can_be_paused),
		TEST(a_full_table_keeps_holders_before_denials),
		TEST(nothing_is_left_of_a_lease_that_is_gone),
		TEST(without_a_table_all_goes_through_the_tep),
		TEST(lookups_agree_with_a_naive_table),
		TEST(news_and_packets_do_not_meet_halfway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
