// SPDX-License-Identifier: BSD-3-Clause
#include "server/lease_db.h"

#include "common/addr.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct lease value(uint32_t client, uint32_t v4, uint16_t first, uint16_t last)
{
	struct lease lease = {.v4 = v4, .n_ranges = 1, .ranges = {{first, last}}};

	assert_int_equal(addr_v6_parse("2001:db8::", &lease.client_v6), 0);
	memcpy(&lease.client_v6.s6_addr[12], &client, sizeof(client));
	return lease;
}

static struct srv_lease *add(struct srv_lease_db *db, uint32_t client, uint32_t v4, uint16_t first,
	uint16_t last, const char *user)
{
	struct lease lease = value(client, v4, first, last);
	struct srv_lease *added = srv_lease_db_add(db, &lease, SRV_LEASE_ACTIVE, user, 0, 0);

	assert_non_null(added);
	return added;
}

static int setup(void **state)
{
	*state = srv_lease_db_create();
	return *state == NULL;
}

static int teardown(void **state)
{
	srv_lease_db_destroy(*state);
	return 0;
}

/* R9, R27: a lease is known by its client, of each user apart, and by any port of it. */
static void leases_are_found_by_client_and_by_port(void **state)
{
	struct srv_lease_db *db = *state;
	struct srv_lease *a = add(db, 1, 10, 1024, 2047, "alice");
	struct srv_lease *b = add(db, 1, 10, 2048, 3071, "");
	struct srv_lease *whole = add(db, 2, 11, 0, 65535, "bob");
	struct srv_lease *one = add(db, 3, 10, 4097, 4097, "");
	struct in6_addr nobody = value(9, 0, 0, 0).client_v6;
	uint32_t n = 0;

	for (struct srv_lease *lease = srv_lease_db_of_client(db, &a->lease.client_v6);
		lease != NULL; lease = srv_lease_db_next_of_client(lease), n++)
		assert_true(lease == a || lease == b);
	assert_int_equal(n, 2);
	assert_null(srv_lease_db_of_client(db, &nobody));

	assert_ptr_equal(srv_lease_db_holder(db, 10, 1024), a);
	assert_ptr_equal(srv_lease_db_holder(db, 10, 2047), a);
	assert_ptr_equal(srv_lease_db_holder(db, 10, 2048), b);
	assert_ptr_equal(srv_lease_db_holder(db, 10, 4097), one);
	assert_null(srv_lease_db_holder(db, 10, 4096));
	assert_null(srv_lease_db_holder(db, 10, 4098));
	assert_null(srv_lease_db_holder(db, 10, 1023));
	assert_null(srv_lease_db_holder(db, 12, 1024));
	assert_ptr_equal(srv_lease_db_holder(db, 11, 0), whole);
	assert_ptr_equal(srv_lease_db_holder(db, 11, 65535), whole);
	assert_string_equal(a->user, "alice");
	assert_string_equal(b->user, "");
}

static void every_range_of_a_lease_is_found(void **state)
{
	struct srv_lease_db *db = *state;
	struct lease lease = {
		.v4 = 10, .n_ranges = 3, .ranges = {{1024, 2047}, {8192, 9215}, {64512, 65535}}};
	struct srv_lease *added = srv_lease_db_add(db, &lease, SRV_LEASE_ACTIVE, "u", 0, 0);

	assert_ptr_equal(srv_lease_db_holder(db, 10, 1500), added);
	assert_ptr_equal(srv_lease_db_holder(db, 10, 9000), added);
	assert_ptr_equal(srv_lease_db_holder(db, 10, 65535), added);
	assert_null(srv_lease_db_holder(db, 10, 3000));
	srv_lease_db_remove(db, added);
	assert_null(srv_lease_db_holder(db, 10, 9000));
}

/* S23: a former lease does not hide the present holder of its range. */
static void former_leases_are_found_apart(void **state)
{
	struct srv_lease_db *db = *state;
	struct srv_lease *old = add(db, 1, 10, 1024, 2047, "");

	srv_lease_db_set_state(db, old, SRV_LEASE_RESTING);
	assert_ptr_equal(srv_lease_db_holder(db, 10, 1030), old);
	assert_null(srv_lease_db_former(db, 10, 1030));
	srv_lease_db_set_state(db, old, SRV_LEASE_FORMER);
	assert_null(srv_lease_db_holder(db, 10, 1030));
	assert_ptr_equal(srv_lease_db_former(db, 10, 1030), old);

	struct srv_lease *now = add(db, 2, 10, 1024, 2047, "");

	assert_ptr_equal(srv_lease_db_holder(db, 10, 1030), now);
	assert_ptr_equal(srv_lease_db_former(db, 10, 1030), old);
	assert_int_equal(srv_lease_db_count(db, SRV_LEASE_ACTIVE), 1);
	assert_int_equal(srv_lease_db_count(db, SRV_LEASE_FORMER), 1);
	srv_lease_db_remove(db, old);
	assert_int_equal(srv_lease_db_count(db, SRV_LEASE_FORMER), 0);
}

static void ids_go_on_behind_the_highest_from_the_store(void **state)
{
	struct srv_lease_db *db = *state;
	struct lease lease = value(1, 10, 1024, 2047);

	assert_int_equal(add(db, 1, 10, 1024, 2047, "")->id, 1);
	assert_int_equal(srv_lease_db_add(db, &lease, SRV_LEASE_ACTIVE, "", 0, 41)->id, 41);
	assert_int_equal(srv_lease_db_add(db, &lease, SRV_LEASE_ACTIVE, "", 0, 7)->id, 7);
	assert_int_equal(add(db, 1, 10, 1024, 2047, "")->id, 42);
}

/* A walk that pauses meets every lease that lives all the time, whatever comes and goes between. */
static void a_lease_keeps_its_slot_for_life(void **state)
{
	struct srv_lease_db *db = *state;
	struct srv_lease *leases[500];
	uint32_t met = 0;

	for (uint32_t i = 0; i < 500; i++)
		leases[i] = add(db, i, i, 1024, 2047, "");
	for (uint32_t slot = 0; slot < srv_lease_db_slots(db); slot++) {
		struct srv_lease *lease = srv_lease_db_at(db, slot);

		if (lease != NULL && lease->lease.v4 < 500 && lease->lease.v4 % 2 == 0)
			met++;
		if (slot % 2 == 0) { /* an odd one dies, a new one is born */
			srv_lease_db_remove(db, leases[slot + 1 < 500 ? slot + 1 : 499]);
			add(db, 1000 + slot, 1000 + slot, 1024, 2047, "");
		}
		if (slot >= 498)
			break;
	}
	assert_int_equal(met, 250);
	assert_null(srv_lease_db_at(db, UINT32_MAX));
}

/* The heap against the plain minimum, and both tables against an array, over random changes. */
#define ORACLE_SIZE  600
#define ORACLE_STEPS 60000

static void check_oracle(
	struct srv_lease_db *db, struct srv_lease *const leases[static ORACLE_SIZE])
{
	struct srv_lease *first = srv_lease_db_first_due(db);
	int64_t due = SRV_LEASE_NEVER;

	for (uint32_t i = 0; i < ORACLE_SIZE; i++) {
		if (leases[i] == NULL)
			continue;
		if (leases[i]->due_ms < due)
			due = leases[i]->due_ms;
		assert_ptr_equal(srv_lease_db_holder(db, i, 1024 + i), leases[i]);
		assert_ptr_equal(
			srv_lease_db_of_client(db, &leases[i]->lease.client_v6), leases[i]);
	}
	assert_int_equal(first != NULL ? first->due_ms : SRV_LEASE_NEVER, due);
}

static void the_due_lease_is_always_the_earliest(void **state)
{
	struct srv_lease *leases[ORACLE_SIZE] = {NULL};
	struct srv_lease_db *db = *state;
	unsigned int seed = arc4random();

	print_message("seed %u\n", seed);
	srandom(seed);
	for (uint32_t step = 0; step < ORACLE_STEPS; step++) {
		uint32_t i = random() % ORACLE_SIZE;

		if (leases[i] == NULL) {
			leases[i] = add(db, i, i, 1024, 2047, "");
		} else if (random() % 4 == 0) {
			srv_lease_db_remove(db, leases[i]);
			leases[i] = NULL;
			continue;
		}
		srv_lease_db_set_due(
			db, leases[i], random() % 8 == 0 ? SRV_LEASE_NEVER : random() % 1000);
		if (step % 500 == 0)
			check_oracle(db, leases);
	}
	check_oracle(db, leases);
}

/* The budget: at most 300 octets a lease, tables included. */
static void a_lease_costs_at_most_300_octets(void **state)
{
	struct srv_lease_db *db = *state;
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
	size_t after;

	for (uint32_t i = 0; i < 131072; i++)
		srv_lease_db_set_due(db, add(db, i, i, 1024, 2047, "alice"), i);
	after = mallinfo2().uordblks + mallinfo2().hblkhd;
	assert_true((after - before) / 131072 <= 300);
}

static void expect_at(
	struct srv_lease_tep_counts *counts, const struct srv_lease *lease, uint32_t tep)
{
	bool is_active = lease->state == SRV_LEASE_ACTIVE;
	bool is_copy = (lease->copies >> tep & 1) != 0;

	assert_int_equal(srv_lease_is_at(lease, tep), lease->tep == tep || is_copy);
	counts->bindings += is_active && srv_lease_is_at(lease, tep) ? lease->lease.n_ranges : 0;
	counts->homes += is_active && lease->tep == tep;
	counts->copies += is_active && is_copy;
	counts->kept += is_copy;
}

/* What stands at each TEP beside a walk over all leases, through a thousand random changes. */
static void homes_and_copies_are_counted_by_tep(void **state)
{
	static const uint16_t teps[] = {0, 1, 7, SRV_TEP_NONE};
	struct srv_lease_db *db = *state;
	struct srv_lease *leases[16] = {NULL};

	for (uint32_t step = 0; step < 1000; step++) {
		struct srv_lease_tep_counts expected[64] = {0};
		uint32_t i = arc4random_uniform(16);

		if (leases[i] == NULL) {
			leases[i] = add(db, i, 10, i * 1024, i * 1024 + 1023, "");
		} else if (step % 5 == 0) {
			srv_lease_db_remove(db, leases[i]);
			leases[i] = NULL;
		} else if (step % 3 == 0) {
			srv_lease_db_set_tep(db, leases[i], teps[arc4random_uniform(4)]);
			srv_lease_db_set_copies(
				db, leases[i], leases[i]->copies & ~srv_tep_bit(leases[i]->tep));
		} else if (step % 3 == 1) {
			uint64_t copies = (uint64_t)arc4random() << 32 | arc4random();

			srv_lease_db_set_copies(
				db, leases[i], copies & ~srv_tep_bit(leases[i]->tep));
		} else {
			srv_lease_db_set_state(db, leases[i], arc4random_uniform(SRV_LEASE_STATES));
		}
		for (uint32_t slot = 0; slot < srv_lease_db_slots(db); slot++) {
			const struct srv_lease *lease = srv_lease_db_at(db, slot);

			for (uint32_t tep = 0; lease != NULL && tep < SRV_COPIES_MAX; tep++)
				expect_at(&expected[tep], lease, tep);
		}
		for (uint16_t tep = 0; tep < SRV_COPIES_MAX; tep++) {
			struct srv_lease_tep_counts counts = srv_lease_db_count_at(db, tep);

			assert_memory_equal(&counts, &expected[tep], sizeof(counts));
		}
	}
	assert_int_equal(srv_lease_db_count_at(db, SRV_TEP_NONE).bindings, 0);
}

static void expect_digests(const struct srv_lease_db *db)
{
	static struct digest expected[8];

	memset(expected, 0, sizeof(expected));
	for (uint32_t slot = 0; slot < srv_lease_db_slots(db); slot++) {
		const struct srv_lease *lease = srv_lease_db_at(db, slot);

		for (uint32_t tep = 0; tep < 8; tep++) {
			if (lease != NULL && lease->state == SRV_LEASE_ACTIVE &&
				srv_lease_is_at(lease, tep))
				expected[tep].leaves[digest_leaf(lease->lease.v4)] += digest_lease(
					&lease->lease);
		}
	}
	for (uint16_t tep = 0; tep < 8; tep++)
		assert_memory_equal(
			srv_lease_db_digest(db, tep), &expected[tep], sizeof(expected[tep]));
}

static void change(struct srv_lease_db *db, struct srv_lease **at)
{
	struct srv_lease *lease = *at;
	struct lease changed = lease->lease;

	switch (arc4random_uniform(6)) {
	case 0:
		srv_lease_db_remove(db, lease);
		*at = NULL;
		break;
	case 1:
		srv_lease_db_set_tep(db, lease,
			arc4random_uniform(4) == 0 ? SRV_TEP_NONE : arc4random_uniform(8));
		srv_lease_db_set_copies(db, lease, lease->copies & ~srv_tep_bit(lease->tep));
		break;
	case 2:
		srv_lease_db_set_copies(
			db, lease, arc4random_uniform(256) & ~srv_tep_bit(lease->tep));
		break;
	case 3:
		srv_lease_db_set_state(db, lease, arc4random_uniform(SRV_LEASE_STATES));
		break;
	case 4:
		changed.stamp = arc4random_uniform(1000);
		changed.tep_v6.s6_addr[15] = arc4random_uniform(3);
		srv_lease_db_set_value(db, lease, &changed);
		break;
	default:
		changed.n_ranges = 3 - changed.n_ranges;
		changed.ranges[1].first = changed.ranges[0].first + 512;
		changed.ranges[1].last = changed.ranges[1].first + 255;
		*at = srv_lease_db_set_ranges(db, lease, &changed);
		assert_non_null(*at);
	}
}

/* S1: after any change the digest of each TEP is what one from scratch would be. */
static void digests_are_what_a_walk_adds_up_to(void **state)
{
	struct srv_lease_db *db = *state;
	struct srv_lease *leases[64] = {NULL};

	for (uint32_t step = 0; step < 4000; step++) {
		uint32_t i = arc4random_uniform(64);

		if (leases[i] == NULL)
			leases[i] = add(
				db, i, i / 4, i * 1024 & 0xffff, (i * 1024 & 0xffff) + 511, "");
		else
			change(db, &leases[i]);
		if (step % 16 == 0)
			expect_digests(db);
	}
	for (uint32_t i = 0; i < 64; i++) {
		if (leases[i] != NULL)
			srv_lease_db_remove(db, leases[i]);
	}
	expect_digests(db);
	for (uint16_t tep = 0; tep < 8; tep++)
		assert_true(digest_root(srv_lease_db_digest(db, tep)) == 0);
}

static void count_due(void *arg, const struct srv_lease *lease)
{
	uint32_t *n = arg;

	assert_true(lease->due_ms <= 500);
	(*n)++;
}

static void all_leases_that_are_due_by_then_are_visited(void **state)
{
	struct srv_lease_db *db = *state;
	uint32_t n = 0, expected = 0;

	srv_lease_db_visit_due(db, 500, count_due, &n);
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t due_ms = arc4random_uniform(1000);

		srv_lease_db_set_due(db, add(db, i, i, 1024, 2047, ""), due_ms);
		expected += due_ms <= 500;
	}
	srv_lease_db_visit_due(db, 500, count_due, &n);
	assert_int_equal(n, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			leases_are_found_by_client_and_by_port, setup, teardown),
		cmocka_unit_test_setup_teardown(every_range_of_a_lease_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(former_leases_are_found_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(
			ids_go_on_behind_the_highest_from_the_store, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lease_keeps_its_slot_for_life, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_due_lease_is_always_the_earliest, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lease_costs_at_most_300_octets, setup, teardown),
		cmocka_unit_test_setup_teardown(
			homes_and_copies_are_counted_by_tep, setup, teardown),
		cmocka_unit_test_setup_teardown(
			digests_are_what_a_walk_adds_up_to, setup, teardown),
		cmocka_unit_test_setup_teardown(
			all_leases_that_are_due_by_then_are_visited, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
