// SPDX-License-Identifier: BSD-3-Clause
#include "server/limiter.h"
#include "common/addr.h"
#include "server/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define NOW_MS INT64_C(5000000)

static struct srv_source source(uint64_t number)
{
	return (struct srv_source){{number, ~number}};
}

/* S25: at once as many as a minute allows, then one after the other. */
static void a_bucket_holds_a_minutes_tokens(void **state)
{
	static const uint32_t rates[] = {1, 7, 60, 600, 100000};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct srv_limiter *limiter = srv_limiter_create(16);
		struct srv_source one = source(1), other = source(2);
		int64_t token_ms = (60000 + rates[i] - 1) / rates[i];

		for (uint32_t n = 0; n < rates[i]; n++)
			assert_true(srv_limiter_take(limiter, &one, rates[i], NOW_MS));
		assert_false(srv_limiter_take(limiter, &one, rates[i], NOW_MS));
		assert_true(srv_limiter_take(limiter, &other, rates[i], NOW_MS));
		assert_true(srv_limiter_take(limiter, &one, rates[i], NOW_MS + token_ms + 1));
		if (token_ms > 2)
			assert_false(
				srv_limiter_take(limiter, &one, rates[i], NOW_MS + token_ms + 2));
		for (uint32_t n = 0; n < rates[i]; n++)
			assert_true(srv_limiter_take(limiter, &one, rates[i], NOW_MS + 130000));
		assert_false(srv_limiter_take(limiter, &one, rates[i], NOW_MS + 130000));
		srv_limiter_destroy(limiter);
	}
}

static void without_a_rate_there_is_no_limit(void **state)
{
	struct srv_limiter *limiter = srv_limiter_create(16);
	struct srv_source one = source(1);

	for (int n = 0; n < 1000; n++)
		assert_true(srv_limiter_take(limiter, &one, 0, NOW_MS));
	srv_limiter_destroy(limiter);
}

/* A rate that was raised or lowered by a reload counts at once, and never backwards. */
static void a_changed_rate_counts_at_once(void **state)
{
	struct srv_limiter *limiter = srv_limiter_create(16);
	struct srv_source one = source(1);

	for (int n = 0; n < 10; n++)
		assert_true(srv_limiter_take(limiter, &one, 10, NOW_MS));
	assert_false(srv_limiter_take(limiter, &one, 5, NOW_MS));
	assert_false(srv_limiter_take(limiter, &one, 1000000, NOW_MS));
	assert_true(srv_limiter_take(limiter, &one, 1000000, NOW_MS + 1));
	srv_limiter_destroy(limiter);
}

/* Who has used up its tokens is remembered while a million others ask once each. */
static void a_flood_of_sources_frees_nobody(void **state)
{
	struct srv_limiter *limiter = srv_limiter_create(1024);
	struct srv_source one = source(0);

	for (int n = 0; n < 600; n++)
		assert_true(srv_limiter_take(limiter, &one, 600, NOW_MS));
	for (uint64_t n = 1; n < 1000000; n++) {
		struct srv_source other = source(n);

		assert_true(srv_limiter_take(limiter, &other, 600, NOW_MS));
	}
	assert_false(srv_limiter_take(limiter, &one, 600, NOW_MS));
	srv_limiter_destroy(limiter);
}

/* Against a plain array: counts and weights, and nothing left of what is gone. */
static void a_tally_counts_what_an_array_counts(void **state)
{
	enum {
		SOURCES = 300,
		STEPS = 100000
	};
	struct {
		uint32_t n;
		uint64_t weight;
	} model[SOURCES] = {0};
	struct srv_tally *tally = srv_tally_create();
	uint32_t seed = 1;

	for (int step = 0; step < STEPS; step++) {
		uint32_t at = rand_r(&seed) % SOURCES;
		struct srv_source one = source(at);
		struct srv_count count;

		/* Each thing of a source weighs the same, so that it can be taken in any order. */
		if (rand_r(&seed) % 3 != 0) {
			assert_true(srv_tally_add(tally, &one, at));
			model[at].n++;
			model[at].weight += at;
		} else if (model[at].n > 0) {
			srv_tally_take(tally, &one, at);
			model[at].n--;
			model[at].weight -= at;
		}
		count = srv_tally_get(tally, &one);
		assert_int_equal(count.n, model[at].n);
		assert_int_equal(count.weight, model[at].weight);
	}
	for (uint32_t at = 0; at < SOURCES; at++) {
		struct srv_source one = source(at);

		while (model[at].n-- > 0)
			srv_tally_take(tally, &one, at);
		srv_tally_take(tally, &one, at); /* of nothing, nothing */
	}
	assert_int_equal(srv_tally_sources(tally), 0);
	srv_tally_destroy(tally);
}

static void sources_are_told_apart(void **state)
{
	static const struct {
		const char *a, *b;
		uint32_t len;
		bool same;
	} rows[] = {
		{"2001:db8:1:2::3", "2001:db8:1:2:ffff::9", 64, true},
		{"2001:db8:1:2::3", "2001:db8:1:3::3", 64, false},
		{"2001:db8:1:2::3", "2001:db8:1:3::3", 63, true},
		{"2001:db8:1:2::3", "2001:db8:1:4::3", 63, false},
		{"2001:db8:1:2::3", "2001:db8:1:2::2", 128, false},
		{"2001:db8:1:2::3", "2001:db8:1:2::2", 127, true},
		{"::", "ffff::", 0, true},
	};
	static const char *const users[] = {"", "a", "b", "aa", "aaaaaaaa", "aaaaaaaaa",
		"aaaaaaaab", "aaaaaaaaaaaaaaaa", "aaaaaaaabaaaaaaa"};
	enum {
		USERS = sizeof(users) / sizeof(users[0])
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct in6_addr a, b;
		struct srv_source of_a, of_b;

		assert_int_equal(addr_v6_parse(rows[i].a, &a), 0);
		assert_int_equal(addr_v6_parse(rows[i].b, &b), 0);
		of_a = srv_source_of_prefix(&a, rows[i].len);
		of_b = srv_source_of_prefix(&b, rows[i].len);
		assert_int_equal(memcmp(&of_a, &of_b, sizeof(of_a)) == 0, rows[i].same);
	}
	for (size_t i = 0; i < USERS; i++) {
		for (size_t k = 0; k < USERS; k++) {
			struct srv_source a = srv_source_of_user(users[i]);
			struct srv_source b = srv_source_of_user(users[k]);

			assert_int_equal(memcmp(&a, &b, sizeof(a)) == 0, i == k);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_holds_a_minutes_tokens),
		cmocka_unit_test(without_a_rate_there_is_no_limit),
		cmocka_unit_test(a_changed_rate_counts_at_once),
		cmocka_unit_test(a_flood_of_sources_frees_nobody),
		cmocka_unit_test(a_tally_counts_what_an_array_counts),
		cmocka_unit_test(sources_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
