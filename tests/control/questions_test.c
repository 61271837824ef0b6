// SPDX-License-Identifier: BSD-3-Clause
/*
 * Questions and the packets that wait for their answers (R72, D2): merged, bounded, in order, at a rate that no second
 * exceeds, shared out fairly; and a long random run after which every packet is accounted for.
 */
#include "control/questions.h"
#include "support/eal.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MBUFS   4095
#define V4      0xc6336400U
#define RATE    100
#define HOLD    64
#define HOLD_MS 1000
#define LOG_MAX 65536

static struct rte_mempool *pool;
static struct tep_questions *questions;
static bool connected[3];
static bool refuses; /* no server can take a question */
static bool ring_full;
static struct dp_binding_key sent[LOG_MAX];
static uint32_t sent_to[LOG_MAX], n_sent;
static uint16_t back[LOG_MAX];
static uint32_t n_back, n_remembered;

static bool is_connected(void *arg, uint32_t server)
{
	return connected[server];
}

static bool send_query(void *arg, uint32_t server, const struct dp_binding_key *key)
{
	if (refuses)
		return false;
	assert_true(connected[server]);
	sent_to[n_sent % LOG_MAX] = server;
	sent[n_sent++ % LOG_MAX] = *key;
	return true;
}

static bool give_back(void *arg, const struct dp_question *packet)
{
	if (ring_full)
		return false;
	back[n_back++ % LOG_MAX] = packet->m->vlan_tci;
	rte_pktmbuf_free(packet->m);
	return true;
}

static void remember(void *arg, const struct dp_binding_key *key)
{
	n_remembered++;
}

static const struct tep_questions_ops ops = {
	.is_connected = is_connected,
	.send = send_query,
	.give_back = give_back,
	.remember = remember,
};

static int set_up(void **state)
{
	const struct tep_questions_params params = {
		.rate = RATE,
		.hold_packets = HOLD,
		.hold_per_question = 4,
		.hold_ms = HOLD_MS,
		.n_servers = 3,
		.ops = &ops,
	};

	questions = tep_questions_create(&params);
	connected[0] = true;
	connected[1] = connected[2] = false;
	refuses = ring_full = false;
	n_sent = n_back = n_remembered = 0;
	return questions == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	tep_questions_destroy(questions);
	return rte_mempool_in_use_count(pool) == 0 ? 0 : -1;
}

static struct dp_question packet(bool from_v6, uint32_t asker, uint16_t port, uint16_t mark)
{
	struct dp_question question = {
		.m = rte_pktmbuf_alloc(pool),
		.key = {.v4 = V4, .port = port, .has_port = true},
		.asker = asker,
		.from_v6 = from_v6,
	};

	assert_non_null(question.m);
	question.m->vlan_tci = mark;
	return question;
}

static void add(uint32_t asker, uint16_t port, uint16_t mark, int64_t now_ms)
{
	struct dp_question question = packet(false, asker, port, mark);

	tep_questions_add(questions, &question, now_ms);
}

static uint64_t count(enum tep_question_counter counter)
{
	return tep_questions_counter(questions, counter);
}

static void packets_for_one_port_are_one_question_and_come_back_in_order(void **state)
{
	for (uint16_t mark = 0; mark < 6; mark++)
		add(1, 80, mark, 0);
	assert_true(tep_questions_turn(questions, 0));
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].port, 80);
	assert_int_equal(tep_questions_next(questions, 0)->port, 80);
	assert_int_equal(count(TEP_QUESTION_HOLD_FULL), 2);
	/* What the answer made stands: packets go before the answer is reported. */
	tep_questions_release(questions, V4, (struct port_range){.first = 64, .last = 127});
	assert_int_equal(n_back, 4);
	for (uint16_t mark = 0; mark < 4; mark++)
		assert_int_equal(back[mark], mark);
	tep_questions_answered(questions, 0, TEP_ANSWER_HOLDER, 1);
	assert_null(tep_questions_next(questions, 0));
	assert_int_equal(count(TEP_QUESTION_HOLDER), 1);
	assert_false(tep_questions_turn(questions, 1));
	assert_int_equal(n_remembered, 0);
}

/* By a server that says so unasked, before the question has even been sent, and for no other port. */
static void a_binding_that_is_pushed_releases_what_waits(void **state)
{
	refuses = true;
	add(1, 80, 0, 0);
	add(1, 90, 1, 0);
	tep_questions_turn(questions, 0);
	tep_questions_release(questions, V4 + 1, PORT_RANGE_EXCLUSIVE);
	assert_int_equal(n_back, 0);
	tep_questions_release(questions, V4, (struct port_range){.first = 80, .last = 80});
	assert_int_equal(n_back, 1);
	refuses = false;
	tep_questions_turn(questions, 1);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].port, 90);
}

static void nobody_is_what_all_servers_say(void **state)
{
	connected[2] = true;
	add(1, 80, 7, 0);
	tep_questions_turn(questions, 0);
	tep_questions_answered(questions, 0, TEP_ANSWER_NOBODY, 1);
	assert_int_equal(n_sent, 2);
	assert_int_equal(sent_to[1], 2);
	assert_int_equal(n_remembered, 0);
	tep_questions_answered(questions, 2, TEP_ANSWER_NOBODY, 2);
	assert_int_equal(n_remembered, 1);
	assert_int_equal(n_back, 1); /* to be refused by name, and its sender told */
	assert_int_equal(count(TEP_QUESTION_NOBODY), 2);
}

static void an_answer_of_no_use_is_counted_by_its_kind(void **state)
{
	add(1, 80, 0, 0);
	add(1, 81, 0, 0);
	add(1, 82, 0, 0);
	tep_questions_turn(questions, 0);
	tep_questions_answered(questions, 0, TEP_ANSWER_BUSY, 1);
	assert_int_equal(n_remembered, 0); /* it may be asked again at once */
	tep_questions_answered(questions, 0, TEP_ANSWER_UNUSABLE, 1);
	assert_int_equal(n_remembered, 1);
	assert_int_equal(count(TEP_QUESTION_BUSY), 1);
	assert_int_equal(count(TEP_QUESTION_UNUSABLE), 1);
	assert_int_equal(count(TEP_QUESTION_REFUSED), 2);
	tep_questions_turn(questions, HOLD_MS - 1);
	assert_int_equal(count(TEP_QUESTION_LOST), 0);
	tep_questions_turn(questions, HOLD_MS);
	assert_int_equal(count(TEP_QUESTION_LOST), 1);
	assert_int_equal(count(TEP_QUESTION_TIMED_OUT), 1);
	/* It comes late, and still is the answer to that question and not to the next. */
	add(1, 83, 0, HOLD_MS);
	tep_questions_turn(questions, HOLD_MS);
	assert_int_equal(tep_questions_next(questions, 0)->port, 82);
	tep_questions_answered(questions, 0, TEP_ANSWER_NOBODY, HOLD_MS);
	assert_int_equal(tep_questions_next(questions, 0)->port, 83);
	assert_int_equal(n_back, 0);
}

static void without_a_server_nothing_waits(void **state)
{
	connected[0] = false;
	add(1, 80, 0, 0);
	assert_false(tep_questions_turn(questions, 0));
	assert_int_equal(count(TEP_QUESTION_NO_SERVER), 1);
}

static void a_session_that_ends_takes_no_packet_with_it_while_there_is_another(void **state)
{
	connected[1] = true;
	add(1, 80, 5, 0);
	tep_questions_turn(questions, 0);
	assert_int_equal(sent_to[0], 0);
	connected[0] = false;
	tep_questions_lost(questions, 0, 1);
	assert_int_equal(count(TEP_QUESTION_LOST), 1);
	assert_int_equal(n_sent, 2);
	assert_int_equal(sent_to[1], 1);
	connected[1] = false;
	tep_questions_lost(questions, 1, 2);
	assert_int_equal(count(TEP_QUESTION_NO_SERVER), 1);
	assert_int_equal(tep_questions_n_packets(questions), 0);
}

static void a_full_ring_back_is_a_counted_drop(void **state)
{
	add(1, 80, 0, 0);
	tep_questions_turn(questions, 0);
	ring_full = true;
	tep_questions_answered(questions, 0, TEP_ANSWER_NOBODY, 1);
	assert_int_equal(count(TEP_QUESTION_BACK_FULL), 1);
}

/* Flooded for three seconds, answered at once: any second's questions are counted, at every millisecond. */
static void no_second_sees_more_questions_than_the_rate(void **state)
{
	static uint32_t by_ms[3001];
	uint16_t port = 0;

	for (int64_t now = 0; now <= 3000; now++) {
		for (uint32_t i = 0; i < 4; i++)
			add((uint32_t)now * 4 + i, ++port, 0, now);
		tep_questions_turn(questions, now);
		while (tep_questions_next(questions, 0) != NULL)
			tep_questions_answered(questions, 0, TEP_ANSWER_NOBODY, now);
		by_ms[now] = n_sent;
	}
	for (uint32_t end = 1000; end <= 3000; end++)
		assert_true(by_ms[end] - (end > 1000 ? by_ms[end - 1000 - 1] : 0) -
				    (end > 1000 ? by_ms[end - 1000] - by_ms[end - 1001] : 0) <=
			    RATE);
	assert_true(n_sent >= 3 * (RATE - RATE / 10) - 1); /* and it is used */
}

/* One prefix asks for all it can, another for little: that one gets what it asks for (D2). */
static void who_scans_waits_for_himself(void **state)
{
	uint32_t mine = 0;
	uint16_t port = 1000;

	for (int64_t now = 0; now < 5000; now++) {
		for (uint32_t i = 0; i < 3; i++)
			add(1, ++port, 0, now);
		if (now % 50 == 0)
			add(2 + (uint32_t)(now / 50 % 10), (uint16_t)(now / 50), 0, now);
		tep_questions_turn(questions, now);
		for (; tep_questions_next(questions, 0) != NULL;
			tep_questions_answered(questions, 0, TEP_ANSWER_NOBODY, now))
			mine += tep_questions_next(questions, 0)->port < 1000;
	}
	/* 20 a second are less than half of the rate; one of ten prefixes may share the scanner's lane. */
	assert_true(mine >= 100 * 8 / 10);
}

/* The same between the two sides, whatever prefixes one of them has. */
static void tunnels_have_their_half_of_the_rate(void **state)
{
	uint32_t mine = 0;
	uint16_t port = 1000;

	for (int64_t now = 0; now < 5000; now++) {
		for (uint32_t i = 0; i < 3; i++)
			add((uint32_t)now * 3 + i, ++port, 0, now);
		if (now % 25 == 0) {
			struct dp_question question = packet(true, 9, (uint16_t)(now / 25), 0);

			tep_questions_add(questions, &question, now);
		}
		tep_questions_turn(questions, now);
		for (; tep_questions_next(questions, 0) != NULL;
			tep_questions_answered(questions, 0, TEP_ANSWER_NOBODY, now))
			mine += tep_questions_next(questions, 0)->port < 1000;
	}
	assert_int_equal(mine, 200);
}

/* Whatever happens in whatever order: bounds hold, and each packet is in exactly one place in the end. */
static void every_packet_ends_somewhere(void **state)
{
	uint64_t random = test_seed(), added = 0, ends;
	int64_t now = 0;

	for (uint32_t i = 0; i < 300000; i++) {
		uint32_t server = test_random(&random) % 3;
		uint32_t what = test_random(&random) % 100;

		now += test_random(&random) % 4;
		if (what < 60) {
			struct dp_question question = packet(test_random(&random) % 2 != 0,
				test_random(&random) % 20, test_random(&random) % 200, 0);

			question.key.v4 += test_random(&random) % 4;
			question.key.has_port = test_random(&random) % 10 != 0;
			tep_questions_add(questions, &question, now);
			added++;
		} else if (what < 75) {
			tep_questions_turn(questions, now);
		} else if (what < 90) {
			tep_questions_answered(questions, server, test_random(&random) % 4, now);
		} else if (what < 94) {
			tep_questions_release(questions, V4 + test_random(&random) % 4,
				(struct port_range){.first = test_random(&random) % 100,
					.last = 100 + test_random(&random) % 100});
		} else if (what < 96) {
			refuses = !refuses;
			ring_full = test_random(&random) % 4 == 0;
		} else if (what < 98) {
			connected[server] = false;
			tep_questions_lost(questions, server, now);
		} else {
			connected[server] = true;
		}
		assert_true(tep_questions_n_packets(questions) <= HOLD);
		assert_int_equal(
			tep_questions_n_packets(questions), rte_mempool_in_use_count(pool));
	}
	tep_questions_turn(questions, now + HOLD_MS);
	assert_int_equal(tep_questions_n_packets(questions), 0);
	ends = count(TEP_QUESTION_RELEASED) + count(TEP_QUESTION_NO_SERVER) +
	       count(TEP_QUESTION_HOLD_FULL) + count(TEP_QUESTION_TIMED_OUT) +
	       count(TEP_QUESTION_REFUSED) + count(TEP_QUESTION_BACK_FULL);
	assert_int_equal(added, ends);
	assert_int_equal(n_back, count(TEP_QUESTION_RELEASED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_QUESTIONS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		WITH_QUESTIONS(packets_for_one_port_are_one_question_and_come_back_in_order),
		WITH_QUESTIONS(a_binding_that_is_pushed_releases_what_waits),
		WITH_QUESTIONS(nobody_is_what_all_servers_say),
		WITH_QUESTIONS(an_answer_of_no_use_is_counted_by_its_kind),
		WITH_QUESTIONS(without_a_server_nothing_waits),
		WITH_QUESTIONS(a_session_that_ends_takes_no_packet_with_it_while_there_is_another),
		WITH_QUESTIONS(a_full_ring_back_is_a_counted_drop),
		WITH_QUESTIONS(no_second_sees_more_questions_than_the_rate),
		WITH_QUESTIONS(who_scans_waits_for_himself),
		WITH_QUESTIONS(tunnels_have_their_half_of_the_rate),
		WITH_QUESTIONS(every_packet_ends_somewhere),
	};

	if (test_eal_start(64) != 0)
		return 1;
	pool = rte_pktmbuf_pool_create("packets", MBUFS, 0, 0, 256, SOCKET_ID_ANY);
	if (pool == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
