// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_clients.h"
#include "common/addr.h"
#include "../support/random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct in6_addr end_of(uint32_t number)
{
	struct in6_addr v6 = {{{0x20, 0x01, 0x0d, 0xb8}}};

	memcpy(&v6.s6_addr[12], &number, sizeof(number));
	return v6;
}

/* A client whose DUID is eight octets of its number. */
struct person {
	uint8_t duid[8];
	struct srv_dhcp6_client client;
};

static const struct srv_dhcp6_client *speak(struct person *person, uint32_t end, uint32_t duid)
{
	memset(person, 0, sizeof(*person));
	memcpy(person->duid, &duid, sizeof(duid));
	person->client.tunnel_end = end_of(end);
	person->client.duid = person->duid;
	person->client.duid_len = sizeof(person->duid);
	person->client.way.address = end_of(end ^ 0x80000000);
	person->client.way.port = 546;
	return &person->client;
}

static const struct srv_dhcp6_client *by_v6(const struct srv_dhcp6_clients *clients, uint32_t end)
{
	struct in6_addr v6 = end_of(end);

	return srv_dhcp6_clients_find_by_v6(clients, &v6);
}

static const struct srv_dhcp6_client *by_duid(
	const struct srv_dhcp6_clients *clients, uint32_t number)
{
	uint8_t duid[8] = {0};

	memcpy(duid, &number, sizeof(number));
	return srv_dhcp6_clients_find_by_duid(clients, duid, sizeof(duid));
}

static bool may_use(
	const struct srv_dhcp6_clients *clients, uint32_t end, uint32_t number, bool is_held)
{
	struct in6_addr v6 = end_of(end);
	uint8_t duid[8] = {0};

	memcpy(duid, &number, sizeof(number));
	return srv_dhcp6_clients_may_use(clients, &v6, duid, sizeof(duid), is_held);
}

static void note(struct srv_dhcp6_clients *clients, uint32_t end, uint32_t duid, bool has_lease)
{
	struct person person;

	speak(&person, end, duid);
	person.client.has_lease = has_lease;
	assert_int_equal(srv_dhcp6_clients_note(clients, &person.client), 0);
}

/* R36: all that is needed to send to it unasked is kept, as copies. */
static void a_client_is_found_by_its_tunnel_end_and_by_its_duid(void **state)
{
	struct srv_dhcp6_clients *clients = srv_dhcp6_clients_create(16);
	uint8_t relays[] = {1, 2, 3, 4, 5};
	const struct srv_dhcp6_client *known;
	struct person person;

	speak(&person, 1, 100);
	person.client.way.ifindex = 7;
	person.client.way.relays = relays;
	person.client.way.relays_len = sizeof(relays);
	person.client.forms = SRV_DHCP6_FORM_DSTM | SRV_DHCP6_FORM_SOFTWIRE;
	person.client.accepts_reconfigure = true;
	person.client.seen_ms = 12345;
	assert_null(by_v6(clients, 1));
	assert_int_equal(srv_dhcp6_clients_note(clients, &person.client), 0);
	memset(relays, 0, sizeof(relays));
	memset(person.duid, 0xff, sizeof(person.duid));

	known = by_v6(clients, 1);
	assert_non_null(known);
	assert_ptr_equal(by_duid(clients, 100), known);
	assert_int_equal(known->duid_len, 8);
	assert_int_equal(known->duid[0], 100);
	assert_int_equal(known->way.port, 546);
	assert_int_equal(known->way.ifindex, 7);
	assert_int_equal(known->way.relays_len, 5);
	assert_int_equal(known->way.relays[4], 5);
	assert_int_equal(known->forms, SRV_DHCP6_FORM_DSTM | SRV_DHCP6_FORM_SOFTWIRE);
	assert_true(known->accepts_reconfigure);
	assert_int_equal(known->seen_ms, 12345);
	assert_null(by_v6(clients, 2));
	assert_null(by_duid(clients, 101));
	srv_dhcp6_clients_destroy(clients);
}

/* R70: nobody takes the tunnel end of a lease that another holds; when the lease is gone, anybody may. */
static void another_duid_may_not_use_the_tunnel_end_of_a_held_lease(void **state)
{
	struct srv_dhcp6_clients *clients = srv_dhcp6_clients_create(16);

	assert_true(may_use(clients, 1, 200, true)); /* who has it is not known */
	note(clients, 1, 100, true);
	assert_true(may_use(clients, 1, 100, true));
	assert_false(may_use(clients, 1, 200, true));
	assert_true(may_use(clients, 1, 200, false));
	assert_true(may_use(clients, 2, 200, true));
	note(clients, 1, 200, true);
	assert_false(may_use(clients, 1, 100, true));
	assert_int_equal(srv_dhcp6_clients_count(clients), 1);
	assert_null(by_duid(clients, 100));
	srv_dhcp6_clients_destroy(clients);
}

/* A DUID that begins like another one is not that one. */
static void a_duid_is_all_of_its_octets(void **state)
{
	static const uint8_t duid[] = {0, 3, 0, 1, 2, 3, 4, 5, 6, 7};
	struct srv_dhcp6_clients *clients = srv_dhcp6_clients_create(16);
	struct in6_addr end = end_of(1);
	struct srv_dhcp6_client client = {
		.tunnel_end = end, .duid = duid, .duid_len = sizeof(duid)};

	assert_int_equal(srv_dhcp6_clients_note(clients, &client), 0);
	for (size_t len = 0; len < sizeof(duid); len++) {
		assert_false(srv_dhcp6_clients_may_use(clients, &end, duid, len, true));
		assert_null(srv_dhcp6_clients_find_by_duid(clients, duid, len));
	}
	assert_true(srv_dhcp6_clients_may_use(clients, &end, duid, sizeof(duid), true));
	srv_dhcp6_clients_destroy(clients);
}

/* R70: a host with two addresses; its DUID is the hint for the one that it named last. */
static void a_duid_may_have_several_tunnel_ends(void **state)
{
	struct srv_dhcp6_clients *clients = srv_dhcp6_clients_create(16);

	note(clients, 1, 100, true);
	note(clients, 2, 100, true);
	assert_int_equal(srv_dhcp6_clients_count(clients), 2);
	assert_ptr_equal(by_duid(clients, 100), by_v6(clients, 2));
	assert_false(may_use(clients, 1, 200, true));
	note(clients, 1, 100, true);
	assert_ptr_equal(by_duid(clients, 100), by_v6(clients, 1));
	srv_dhcp6_clients_forget(clients, &by_v6(clients, 1)->tunnel_end);
	assert_ptr_equal(by_duid(clients, 100), by_v6(clients, 2));
	srv_dhcp6_clients_destroy(clients);
}

static void what_is_too_long_is_not_noted(void **state)
{
	static uint8_t octets[SRV_DHCP6_WAY_MAX + 1];
	struct srv_dhcp6_clients *clients = srv_dhcp6_clients_create(16);
	struct srv_dhcp6_client client = {.tunnel_end = end_of(1), .duid = octets};

	assert_int_equal(srv_dhcp6_clients_note(clients, &client), -EINVAL);
	client.duid_len = SRV_DHCP6_DUID_MAX + 1;
	assert_int_equal(srv_dhcp6_clients_note(clients, &client), -EINVAL);
	client.duid_len = SRV_DHCP6_DUID_MAX;
	client.way.relays = octets;
	client.way.relays_len = SRV_DHCP6_WAY_MAX + 1;
	assert_int_equal(srv_dhcp6_clients_note(clients, &client), -EINVAL);
	assert_int_equal(srv_dhcp6_clients_count(clients), 0);
	client.way.relays_len = SRV_DHCP6_WAY_MAX;
	assert_int_equal(srv_dhcp6_clients_note(clients, &client), 0);
	srv_dhcp6_clients_destroy(clients);
}

/* Who has no lease goes first, whatever came later; then who was quiet for longest. */
static void there_is_room_for_so_many(void **state)
{
	struct srv_dhcp6_clients *clients = srv_dhcp6_clients_create(4);

	note(clients, 1, 1, true);
	note(clients, 2, 2, true);
	note(clients, 3, 3, false);
	note(clients, 4, 4, false);
	note(clients, 3, 3, false);
	for (uint32_t i = 100; i < 1100; i++)
		note(clients, i, i, false);
	assert_int_equal(srv_dhcp6_clients_count(clients), 4);
	assert_int_equal(srv_dhcp6_clients_with_lease(clients), 2);
	assert_int_equal(srv_dhcp6_clients_displaced(clients), 1000);
	assert_non_null(by_v6(clients, 1));
	assert_non_null(by_v6(clients, 2));
	assert_non_null(by_v6(clients, 1099));

	srv_dhcp6_clients_set_lease(clients, &by_v6(clients, 1)->tunnel_end, false);
	assert_int_equal(srv_dhcp6_clients_with_lease(clients), 1);
	for (uint32_t i = 2000; i < 2003; i++)
		note(clients, i, i, true);
	assert_null(by_v6(clients, 1));
	assert_non_null(by_v6(clients, 2));
	note(clients, 2003, 2003, true);
	assert_null(by_v6(clients, 2));
	assert_int_equal(srv_dhcp6_clients_with_lease(clients), 4);
	srv_dhcp6_clients_destroy(clients);
}

/* Against a plain array, with more clients than room, notes, ends and walks in any order. */
static void it_is_what_a_plain_array_says(void **state)
{
	enum {
		ENDS = 48,
		ROOM = 64
	};
	struct srv_dhcp6_clients *clients = srv_dhcp6_clients_create(ROOM);
	uint64_t seed = test_seed();
	uint32_t duids[ENDS] = {0}, n, with_lease;
	bool leases[ENDS] = {false};

	for (int step = 0; step < 20000; step++) {
		uint32_t end = test_random_below(&seed, ENDS);
		struct in6_addr v6 = end_of(end);

		switch (test_random_below(&seed, 4)) {
		case 0:
			srv_dhcp6_clients_forget(clients, &v6);
			duids[end] = 0;
			break;
		case 1:
			leases[end] = test_random_below(&seed, 2);
			srv_dhcp6_clients_set_lease(clients, &v6, leases[end]);
			break;
		default:
			duids[end] = 1 + test_random_below(&seed, 20);
			leases[end] = test_random_below(&seed, 2);
			note(clients, end, duids[end], leases[end]);
			assert_ptr_equal(by_duid(clients, duids[end]), by_v6(clients, end));
		}
		n = with_lease = 0;
		for (uint32_t i = 0; i < ENDS; i++) {
			assert_int_equal(by_v6(clients, i) != NULL, duids[i] != 0);
			n += duids[i] != 0;
			with_lease += duids[i] != 0 && leases[i];
			if (duids[i] != 0)
				assert_int_equal(by_v6(clients, i)->duid[0], duids[i]);
		}
		assert_int_equal(srv_dhcp6_clients_count(clients), n);
		assert_int_equal(srv_dhcp6_clients_with_lease(clients), with_lease);
		for (uint32_t i = 0; i < srv_dhcp6_clients_slots(clients); i++)
			n -= srv_dhcp6_clients_at(clients, i) != NULL;
		assert_int_equal(n, 0);
	}
	srv_dhcp6_clients_destroy(clients);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_is_found_by_its_tunnel_end_and_by_its_duid),
		cmocka_unit_test(another_duid_may_not_use_the_tunnel_end_of_a_held_lease),
		cmocka_unit_test(a_duid_is_all_of_its_octets),
		cmocka_unit_test(a_duid_may_have_several_tunnel_ends),
		cmocka_unit_test(what_is_too_long_is_not_noted),
		cmocka_unit_test(there_is_room_for_so_many),
		cmocka_unit_test(it_is_what_a_plain_array_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
