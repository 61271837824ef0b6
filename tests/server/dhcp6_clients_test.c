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

static struct dhcp6_duid duid_of(uint32_t number)
{
	struct dhcp6_duid duid = {.len = 8};

	memcpy(duid.octets, &number, sizeof(number));
	return duid;
}

static struct srv_dhcp6_client client_of(uint32_t end, uint32_t duid)
{
	return (struct srv_dhcp6_client){.tunnel_end = end_of(end), .duid = duid_of(duid)};
}

static const struct srv_dhcp6_client *by_v6(const struct srv_dhcp6_clients *clients, uint32_t end)
{
	struct in6_addr v6 = end_of(end);

	return srv_dhcp6_clients_find_by_v6(clients, &v6);
}

static const struct srv_dhcp6_client *by_duid(
	const struct srv_dhcp6_clients *clients, uint32_t number)
{
	struct dhcp6_duid duid = duid_of(number);

	return srv_dhcp6_clients_find_by_duid(clients, &duid);
}

static bool may_use(
	const struct srv_dhcp6_clients *clients, uint32_t end, uint32_t number, bool is_held)
{
	struct in6_addr v6 = end_of(end);
	struct dhcp6_duid duid = duid_of(number);

	return srv_dhcp6_clients_may_use(clients, &v6, &duid, is_held);
}

static void note(struct srv_dhcp6_clients *clients, uint32_t end, uint32_t duid, bool has_lease)
{
	struct srv_dhcp6_client client = client_of(end, duid);

	client.has_lease = has_lease;
	assert_int_equal(srv_dhcp6_clients_note(clients, &client), 0);
}

/* R36: all that is needed to send to it unasked is kept, as copies. */
static void a_client_is_found_by_its_tunnel_end_and_by_its_duid(void **state)
{
	struct srv_dhcp6_clients *clients = srv_dhcp6_clients_create(16);
	struct dhcp6_relay relay = {.n_levels = 1, .levels = {{.hop_count = 3}}};
	struct srv_dhcp6_client client = client_of(1, 100);
	const struct srv_dhcp6_client *known;

	client.path.peer.sin6_port = htons(546);
	client.path.ifindex = 7;
	client.relay = &relay;
	client.forms = SRV_DHCP6_FORM_DSTM | SRV_DHCP6_FORM_SOFTWIRE;
	client.accepts_reconfigure = true;
	client.seen_ms = 12345;
	assert_null(by_v6(clients, 1));
	assert_int_equal(srv_dhcp6_clients_note(clients, &client), 0);
	memset(&relay, 0, sizeof(relay));

	known = by_v6(clients, 1);
	assert_non_null(known);
	assert_ptr_equal(by_duid(clients, 100), known);
	assert_int_equal(known->duid.octets[0], 100);
	assert_int_equal(ntohs(known->path.peer.sin6_port), 546);
	assert_int_equal(known->path.ifindex, 7);
	assert_int_equal(known->relay->n_levels, 1);
	assert_int_equal(known->relay->levels[0].hop_count, 3);
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
	struct srv_dhcp6_clients *clients = srv_dhcp6_clients_create(16);
	struct srv_dhcp6_client client = client_of(1, 0x04030201);

	assert_int_equal(srv_dhcp6_clients_note(clients, &client), 0);
	for (uint8_t len = 1; len <= 9; len++) {
		struct dhcp6_duid duid = {.len = len, .octets = {1, 2, 3, 4}};
		bool is_it = len == 8;

		assert_int_equal(
			srv_dhcp6_clients_may_use(clients, &client.tunnel_end, &duid, true), is_it);
		assert_int_equal(srv_dhcp6_clients_find_by_duid(clients, &duid) != NULL, is_it);
	}
	client.duid.len = 0;
	assert_int_equal(srv_dhcp6_clients_note(clients, &client), -EINVAL);
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
	note(clients, 1, 200, true);
	assert_ptr_equal(by_duid(clients, 100), by_v6(clients, 2));
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

/* Against a plain array, notes, leases and walks in any order. */
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

		leases[end] = test_random_below(&seed, 2);
		if (test_random_below(&seed, 3) == 0) {
			srv_dhcp6_clients_set_lease(clients, &v6, leases[end]);
		} else {
			duids[end] = 1 + test_random_below(&seed, 20);
			note(clients, end, duids[end], leases[end]);
			assert_ptr_equal(by_duid(clients, duids[end]), by_v6(clients, end));
		}
		n = with_lease = 0;
		for (uint32_t i = 0; i < ENDS; i++) {
			assert_int_equal(by_v6(clients, i) != NULL, duids[i] != 0);
			n += duids[i] != 0;
			with_lease += duids[i] != 0 && leases[i];
			if (duids[i] != 0)
				assert_int_equal(by_v6(clients, i)->duid.octets[0], duids[i]);
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
		cmocka_unit_test(there_is_room_for_so_many),
		cmocka_unit_test(it_is_what_a_plain_array_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
