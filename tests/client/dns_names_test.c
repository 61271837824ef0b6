// SPDX-License-Identifier: BSD-3-Clause
/*
 * Names that need IPv4, by the replies of name servers, honest and hostile (R13).
 */
#include "client/dns_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEADER 12

struct reply {
	const char *name; /* dots between labels */
	uint16_t type; /* asked for */
	uint16_t flags; /* 0x8180: a good reply */
	uint16_t n_questions; /* counted in the header; one is written */
	uint16_t answer; /* type of the answers */
	uint16_t n_answers;
	bool has_alias; /* a CNAME before them */
};

static uint8_t *put_u16(uint8_t *p, uint16_t value)
{
	*p++ = value >> 8;
	*p++ = value;
	return p;
}

static uint8_t *put_name(uint8_t *p, const char *name)
{
	while (*name != '\0') {
		size_t len = strcspn(name, ".");

		*p++ = len;
		memcpy(p, name, len);
		p += len;
		name += len + (name[len] == '.');
	}
	*p++ = 0;
	return p;
}

/* Its owner is the name of the question, by a pointer. */
static uint8_t *put_record(uint8_t *p, uint16_t type, uint16_t len)
{
	p = put_u16(p, 0xc000 | HEADER);
	p = put_u16(p, type);
	p = put_u16(p, ns_c_in);
	p = put_u16(put_u16(p, 0), 60);
	p = put_u16(p, len);
	memset(p, 1, len);
	return p + len;
}

static size_t build(const struct reply *reply, uint8_t *message)
{
	uint8_t *p = put_u16(message, 0x1234);

	p = put_u16(p, reply->flags);
	p = put_u16(p, reply->n_questions);
	p = put_u16(p, reply->n_answers + reply->has_alias);
	p = put_u16(put_u16(p, 0), 0);
	p = put_name(p, reply->name);
	p = put_u16(put_u16(p, reply->type), ns_c_in);
	if (reply->has_alias) {
		p = put_record(p, ns_t_cname, 2);
		put_u16(p - 2, 0xc000 | HEADER);
	}
	for (uint16_t i = 0; i < reply->n_answers; i++)
		p = put_record(p, reply->answer, reply->answer == ns_t_aaaa ? 16 : 4);
	return p - message;
}

/* Exactly as long as it says, so that the sanitizer sees a step beyond. */
static bool read_octets(
	struct cl_dns_names *names, const uint8_t *message, size_t len, int64_t now_ms)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	bool is_needed;

	assert_non_null(copy);
	memcpy(copy, message, len);
	is_needed = cl_dns_names_read(names, copy, len, now_ms);
	free(copy);
	return is_needed;
}

static bool read_reply(struct cl_dns_names *names, const struct reply *reply, int64_t now_ms)
{
	uint8_t message[1024];

	return read_octets(names, message, build(reply, message), now_ms);
}

static struct reply about(const char *name, uint16_t type, uint16_t n)
{
	return (struct reply){name, type, 0x8180, 1, type, n, false};
}

static bool has_v4(struct cl_dns_names *names, const char *name, int64_t now_ms)
{
	const struct reply reply = about(name, ns_t_a, 2);

	return read_reply(names, &reply, now_ms);
}

static bool lacks_v6(struct cl_dns_names *names, const char *name, int64_t now_ms)
{
	const struct reply reply = about(name, ns_t_aaaa, 0);

	return read_reply(names, &reply, now_ms);
}

static void a_name_without_v6_addresses_needs_v4_in_either_order(void **state)
{
	struct cl_dns_names names = {0};

	assert_false(has_v4(&names, "old.example", 1000));
	assert_true(lacks_v6(&names, "old.example", 1001));
	/* Told once, and again when it is looked up again. */
	assert_false(lacks_v6(&names, "OLD.example", 2000));
	assert_true(has_v4(&names, "old.EXAMPLE", 2000));
}

static void a_name_with_both_needs_nothing(void **state)
{
	struct cl_dns_names names = {0};
	struct reply v6 = about("new.example", ns_t_aaaa, 1);

	assert_false(read_reply(&names, &v6, 1000));
	assert_false(has_v4(&names, "new.example", 1000));
	v6.has_alias = true;
	assert_false(read_reply(&names, &v6, 1000));
}

static void a_name_with_neither_needs_nothing(void **state)
{
	struct cl_dns_names names = {0};
	const struct reply no_v4 = about("none.example", ns_t_a, 0);
	const struct reply unknown = {"gone.example", ns_t_a, 0x8183, 1, ns_t_a, 0, false};

	assert_false(read_reply(&names, &no_v4, 1000));
	assert_false(lacks_v6(&names, "none.example", 1000));
	assert_false(read_reply(&names, &unknown, 1000));
	assert_false(lacks_v6(&names, "gone.example", 1000));
}

static void two_names_are_not_taken_for_one(void **state)
{
	struct cl_dns_names names = {0};

	assert_false(has_v4(&names, "a.example", 1000));
	assert_false(lacks_v6(&names, "b.example", 1000));
	assert_true(lacks_v6(&names, "a.example", 1000));
}

/* An error about AAAA is as good as no address; an alias alone is none. */
static void what_fails_for_v6_counts_as_none(void **state)
{
	const struct reply failures[] = {
		{"x.example", ns_t_aaaa, 0x8182, 1, ns_t_aaaa, 0, false},
		{"x.example", ns_t_aaaa, 0x8185, 1, ns_t_aaaa, 0, false},
		{"x.example", ns_t_aaaa, 0x8180, 1, ns_t_aaaa, 0, true},
		{"x.example", ns_t_aaaa, 0x8180, 1, ns_t_a, 1, false},
	};

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		struct cl_dns_names names = {0};

		assert_false(has_v4(&names, "x.example", 1000));
		if (!read_reply(&names, &failures[i], 1000))
			fail_msg("case %zu", i);
	}
}

static void answers_far_apart_have_nothing_to_do_with_each_other(void **state)
{
	struct cl_dns_names names = {0};

	assert_false(has_v4(&names, "slow.example", 1000));
	assert_false(lacks_v6(&names, "slow.example", 1001 + CL_DNS_AGE_MS));
	assert_true(has_v4(&names, "slow.example", 1001 + 2 * CL_DNS_AGE_MS));
}

static void a_flood_of_names_costs_the_oldest(void **state)
{
	struct cl_dns_names names = {0};
	char name[32];

	for (int i = 0; i < CL_DNS_NAMES_MAX + 1; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		assert_false(has_v4(&names, name, 1000 + i));
	}
	assert_true(lacks_v6(&names, "n1.example", 2000));
	assert_false(lacks_v6(&names, "n0.example", 2000));
}

static void what_is_no_answer_to_a_lookup_is_ignored(void **state)
{
	const struct reply others[] = {
		{"x.example", ns_t_aaaa, 0x0100, 1, ns_t_aaaa, 0, false}, /* a query */
		{"x.example", ns_t_aaaa, 0xa980, 1, ns_t_aaaa, 0, false}, /* an update */
		{"x.example", ns_t_aaaa, 0x8180, 0, ns_t_aaaa, 0, false}, /* no question ... */
		{"x.example", ns_t_aaaa, 0x8180, 2, ns_t_aaaa, 0, false}, /* ... or too many */
		{"x.example", ns_t_mx, 0x8180, 1, ns_t_mx, 0, false},
		{"x.example", 255, 0x8180, 1, ns_t_a, 1, false},
		{"x.example", ns_t_aaaa, 0x8183, 1, ns_t_aaaa, 1,
			false}, /* addresses and an error */
		{"", ns_t_aaaa, 0x8180, 1, ns_t_aaaa, 0, false},
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct cl_dns_names names = {0};

		assert_false(has_v4(&names, "x.example", 1000));
		if (read_reply(&names, &others[i], 1000))
			fail_msg("case %zu", i);
	}
}

static void a_reply_cut_anywhere_is_ignored(void **state)
{
	const struct reply whole = {"x.example", ns_t_aaaa, 0x8180, 1, ns_t_aaaa, 0, true};
	uint8_t message[1024];
	size_t len = build(&whole, message);

	for (size_t cut = 0; cut < len; cut++) {
		struct cl_dns_names names = {0};

		assert_false(has_v4(&names, "x.example", 1000));
		if (read_octets(&names, message, cut, 1000))
			fail_msg("cut at %zu", cut);
	}
	memset(message + len, 0, 8);
	assert_false(read_octets(&(struct cl_dns_names){0}, message, len + 8, 1000));
}

/* A name whose pointer leads to itself, and one that leads out of the message. */
static void pointers_that_lead_nowhere_are_survived(void **state)
{
	static const uint16_t targets[] = {HEADER, HEADER + 1, 0x3fff, 0};
	const struct reply reply = about("x", ns_t_aaaa, 0);
	uint8_t message[1024];

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct cl_dns_names names = {0};
		size_t len = build(&reply, message);

		put_u16(message + HEADER, 0xc000 | targets[i]);
		assert_false(read_octets(&names, message, len, 1000));
	}
}

static void random_damage_is_survived(void **state)
{
	const struct reply reply = {"a.long.name.example", ns_t_a, 0x8180, 1, ns_t_a, 3, true};
	struct cl_dns_names names = {0};
	unsigned int seed = 7;
	uint8_t message[1024];

	for (int i = 0; i < 50000; i++) {
		size_t len = build(&reply, message);

		for (int damage = rand_r(&seed) % 6; damage >= 0; damage--)
			message[(size_t)rand_r(&seed) % len] = rand_r(&seed);
		read_octets(&names, message, len, 1000 + i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_without_v6_addresses_needs_v4_in_either_order),
		cmocka_unit_test(a_name_with_both_needs_nothing),
		cmocka_unit_test(a_name_with_neither_needs_nothing),
		cmocka_unit_test(two_names_are_not_taken_for_one),
		cmocka_unit_test(what_fails_for_v6_counts_as_none),
		cmocka_unit_test(answers_far_apart_have_nothing_to_do_with_each_other),
		cmocka_unit_test(a_flood_of_names_costs_the_oldest),
		cmocka_unit_test(what_is_no_answer_to_a_lookup_is_ignored),
		cmocka_unit_test(a_reply_cut_anywhere_is_ignored),
		cmocka_unit_test(pointers_that_lead_nowhere_are_survived),
		cmocka_unit_test(random_damage_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
