// SPDX-License-Identifier: BSD-3-Clause
/* R36, RFC 8415 sections 18.3.11 and 20.4: what leaves is read as a client reads it. */
#include "server/dhcp6_reconfigure.h"
#include "common/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NOW_MS INT64_C(1000000)

static const struct dhcp6_duid server_duid = {8, {0, 3, 0, 1, 9, 9, 9, 9}};
static const struct dhcp6_duid client_duid = {10, {0, 3, 0, 1, 2, 0, 0, 0, 0, 1}};
static const struct srv_dhcp6_secret secret = {{42}};

struct world {
	struct srv_dhcp6_clients *clients;
	struct srv_dhcp6_reconfigure *reconfigure;
	struct dhcp6_codes codes;
	struct srv_counters counters;
	uint32_t sent;
	struct srv_dhcp6_path path; /* of the last one, and its octets */
	uint8_t data[DHCP6_SEND_MAX];
	size_t len;
	uint64_t replay; /* as the client remembers it */
};

static void take(void *arg, const struct srv_dhcp6_path *path, const void *data, size_t len)
{
	struct world *world = arg;

	world->sent++;
	world->path = *path;
	assert_in_range(len, 1, sizeof(world->data));
	memcpy(world->data, data, len);
	world->len = len;
}

static void enter(struct world *world)
{
	*world = (struct world){.codes = DHCP6_CODES_DEFAULT};
	world->clients = srv_dhcp6_clients_create(2048);
	world->reconfigure = srv_dhcp6_reconfigure_create(&(struct srv_dhcp6_reconfigure_params){
		.clients = world->clients,
		.secret = &secret,
		.server_duid = &server_duid,
		.codes = &world->codes,
		.send = take,
		.arg = world,
		.counters = &world->counters,
	});
	assert_non_null(world->reconfigure);
}

static void leave(struct world *world)
{
	srv_dhcp6_reconfigure_destroy(world->reconfigure);
	srv_dhcp6_clients_destroy(world->clients);
}

static struct in6_addr end_of(uint32_t number)
{
	struct in6_addr v6 = {{{0x20, 0x01, 0x0d, 0xb8}}};

	memcpy(&v6.s6_addr[12], &number, sizeof(number));
	return v6;
}

static struct srv_dhcp6_client client_at(uint32_t end)
{
	return (struct srv_dhcp6_client){
		.tunnel_end = end_of(end),
		.duid = client_duid,
		.path = {.peer = {.sin6_family = AF_INET6,
				 .sin6_port = htons(546),
				 .sin6_addr = {{{0xfe, 0x80, [15] = 1}}}},
			.ifindex = 3},
		.accepts_reconfigure = true,
	};
}

static int begin(struct world *world, uint32_t end, enum dhcp6_type type)
{
	struct in6_addr v6 = end_of(end);

	return srv_dhcp6_reconfigure_begin(world->reconfigure, &v6, NULL, type, NOW_MS);
}

/* The client's own checks (section 16.11), with the key that a Reply gave it. */
static struct dhcp6_msg believe(
	struct world *world, const uint8_t *data, size_t len, uint32_t end, bool is_genuine)
{
	const struct in6_addr v6 = end_of(end);
	uint8_t key[DHCP6_AUTH_KEY_LEN];
	struct dhcp6_auth reply;
	struct dhcp6_msg msg;

	srv_dhcp6_reconfigure_give_key(world->reconfigure, &client_duid, &v6, &reply);
	assert_true(dhcp6_auth_get_key(&reply, key));
	assert_int_equal(dhcp6_msg_read(data, len, &world->codes, &msg), 0);
	assert_int_equal(dhcp6_msg_check(&msg), 0);
	assert_int_equal(msg.type, DHCP6_RECONFIGURE);
	assert_int_equal(msg.xid, 0);
	assert_true(dhcp6_duid_equal(&msg.client_id, &client_duid));
	assert_true(dhcp6_duid_equal(&msg.server_id, &server_duid));
	assert_int_equal(dhcp6_auth_verify(data, len, key, &world->replay), is_genuine);
	return msg;
}

static void a_client_gets_a_signed_message_that_names_ia_dstm(void **state)
{
	static const enum dhcp6_type types[] = {
		DHCP6_RENEW, DHCP6_REBIND, DHCP6_INFORMATION_REQUEST};
	struct world world;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct srv_dhcp6_client client = client_at(1);
		struct dhcp6_msg msg;

		enter(&world);
		assert_int_equal(srv_dhcp6_clients_note(world.clients, &client), 0);
		assert_int_equal(begin(&world, 1, types[i]), 0);
		assert_int_equal(world.sent, 1);
		assert_memory_equal(&world.path, &client.path, sizeof(world.path));
		msg = believe(&world, world.data, world.len, 1, true);
		assert_int_equal(msg.reconf_type, types[i]);
		assert_int_equal(msg.n_oro, 1);
		assert_true(dhcp6_msg_asks(&msg, world.codes.ia));
		assert_int_equal(world.counters.n[SRV_COUNT_DHCP6_RECONFIGURES], 1);
		leave(&world);
	}
}

/* Who took its lease by other options is told to ask for those, too; codes are the configured ones. */
static void the_forms_that_a_client_speaks_are_asked_for(void **state)
{
	struct srv_dhcp6_client client = client_at(1);
	struct dhcp6_msg msg;
	struct world world;

	enter(&world);
	world.codes.ia = 64000;
	client.forms = SRV_DHCP6_FORM_TOP_LEVEL | SRV_DHCP6_FORM_SOFTWIRE | SRV_DHCP6_FORM_VENDOR;
	assert_int_equal(srv_dhcp6_clients_note(world.clients, &client), 0);
	assert_int_equal(begin(&world, 1, DHCP6_RENEW), 0);
	msg = believe(&world, world.data, world.len, 1, true);
	assert_int_equal(msg.n_oro, 6);
	assert_true(dhcp6_msg_asks(&msg, 64000));
	assert_true(dhcp6_msg_asks(&msg, world.codes.address));
	assert_true(dhcp6_msg_asks(&msg, world.codes.tep));
	assert_true(dhcp6_msg_asks(&msg, world.codes.ports));
	assert_true(dhcp6_msg_asks(&msg, DHCP6_OPTION_S46_CONT_LW));
	assert_true(dhcp6_msg_asks(&msg, DHCP6_OPTION_VENDOR));
	leave(&world);
}

/* A key is of one tunnel end: who borrowed the DUID elsewhere cannot be mistaken for us. */
static void the_key_of_another_tunnel_end_is_not_believed(void **state)
{
	struct srv_dhcp6_client client = client_at(1);
	struct world world;

	enter(&world);
	assert_int_equal(srv_dhcp6_clients_note(world.clients, &client), 0);
	assert_int_equal(begin(&world, 1, DHCP6_RENEW), 0);
	believe(&world, world.data, world.len, 2, false);
	believe(&world, world.data, world.len, 1, true);
	world.data[world.len - 1] ^= 1;
	believe(&world, world.data, world.len, 1, false);
	leave(&world);
}

/* REC_TIMEOUT, doubled each time, REC_MAX_RC messages; each with a replay value above the last. */
static void a_silent_client_is_told_eight_times(void **state)
{
	struct srv_dhcp6_client client = client_at(1);
	int64_t now_ms = NOW_MS, wait_ms = 2000;
	struct world world;

	enter(&world);
	assert_int_equal(srv_dhcp6_clients_note(world.clients, &client), 0);
	assert_int_equal(begin(&world, 1, DHCP6_RENEW), 0);
	for (uint32_t n = 1; n <= 8; n++) {
		assert_int_equal(world.sent, n);
		believe(&world, world.data, world.len, 1, true);
		believe(&world, world.data, world.len, 1, false);
		srv_dhcp6_reconfigure_tick(world.reconfigure, now_ms + wait_ms - 1);
		assert_int_equal(world.sent, n);
		assert_int_equal(srv_dhcp6_reconfigure_count(world.reconfigure), 1);
		now_ms += wait_ms;
		wait_ms *= 2;
		srv_dhcp6_reconfigure_tick(world.reconfigure, now_ms);
	}
	assert_int_equal(now_ms, NOW_MS + 510000);
	assert_int_equal(world.sent, 8);
	assert_int_equal(srv_dhcp6_reconfigure_count(world.reconfigure), 0);
	assert_int_equal(world.counters.n[SRV_COUNT_DHCP6_RECONFIGURES], 8);
	assert_int_equal(world.counters.n[SRV_COUNT_DHCP6_RECONFIGURES_GIVEN_UP], 1);
	assert_int_equal(world.counters.n[SRV_COUNT_DHCP6_RECONFIGURED], 0);
	leave(&world);
}

static void it_ends_when_the_client_comes(void **state)
{
	static const struct {
		enum dhcp6_type type;
		bool is_awaited;
	} cases[] = {
		{DHCP6_RENEW, true},
		{DHCP6_REBIND, true},
		{DHCP6_INFORMATION_REQUEST, true},
		{DHCP6_SOLICIT, true},
		{DHCP6_REQUEST, true},
		{DHCP6_CONFIRM, false},
		{DHCP6_RELEASE, false},
		{DHCP6_DECLINE, false},
	};
	const struct dhcp6_duid stranger = {10, {0, 3, 0, 1, 2, 0, 0, 0, 0, 2}};
	struct world world;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct srv_dhcp6_client client = client_at(1);

		enter(&world);
		srv_dhcp6_reconfigure_heard(world.reconfigure, &client_duid, cases[i].type);
		assert_int_equal(srv_dhcp6_clients_note(world.clients, &client), 0);
		assert_int_equal(begin(&world, 1, DHCP6_RENEW), 0);
		srv_dhcp6_reconfigure_heard(world.reconfigure, &stranger, cases[i].type);
		assert_int_equal(srv_dhcp6_reconfigure_count(world.reconfigure), 1);
		srv_dhcp6_reconfigure_heard(world.reconfigure, &client_duid, cases[i].type);
		assert_int_equal(srv_dhcp6_reconfigure_count(world.reconfigure),
			cases[i].is_awaited ? 0 : 1);
		assert_int_equal(world.counters.n[SRV_COUNT_DHCP6_RECONFIGURED],
			cases[i].is_awaited ? 1 : 0);
		srv_dhcp6_reconfigure_tick(world.reconfigure, NOW_MS + 2000);
		assert_int_equal(world.sent, cases[i].is_awaited ? 1 : 2);
		leave(&world);
	}
}

/* Section 19.3: by the relays that its last message came by, as their Relay-reply. */
static void a_client_behind_relays_is_told_through_them(void **state)
{
	struct dhcp6_relay relay = {
		.n_levels = 2,
		.levels = {{.hop_count = 1, .has_interface_id = true, .id_len = 4},
			{.hop_count = 0, .peer = {{{0xfe, 0x80, [15] = 9}}}}},
		.ids_len = 4,
		.ids = {'e', 't', 'h', '7'},
	};
	struct srv_dhcp6_client client = client_at(1);
	struct world world;
	size_t inner_len;
	const uint8_t *inner;

	enter(&world);
	client.relay = &relay;
	assert_int_equal(srv_dhcp6_clients_note(world.clients, &client), 0);
	assert_int_equal(begin(&world, 1, DHCP6_RENEW), 0);
	assert_int_equal(world.data[0], DHCP6_RELAY_REPL);
	assert_non_null(memmem(world.data, world.len, "eth7", 4));
	/* A level is 34 octets; the outer one has an Interface-ID, and each the header of its message. */
	inner = world.data + 34 + 8 + 4 + 34 + 4;
	inner_len = world.len - (inner - world.data);
	believe(&world, inner, inner_len, 1, true);
	leave(&world);
}

static void who_cannot_be_told_is_not(void **state)
{
	struct srv_dhcp6_client client = client_at(1);
	struct world world;

	enter(&world);
	assert_int_equal(begin(&world, 1, DHCP6_RENEW), -ENOENT);
	client.accepts_reconfigure = false;
	assert_int_equal(srv_dhcp6_clients_note(world.clients, &client), 0);
	assert_int_equal(begin(&world, 1, DHCP6_RENEW), -EOPNOTSUPP);
	assert_int_equal(world.sent, 0);
	assert_int_equal(srv_dhcp6_reconfigure_count(world.reconfigure), 0);
	leave(&world);
}

/* R36: the operator knows the node, and the key is what it was before the server was restarted. */
static void a_client_that_is_not_known_is_told_at_its_routable_address(void **state)
{
	const struct in6_addr v6 = end_of(1);
	struct dhcp6_msg msg;
	struct world world;

	enter(&world);
	assert_int_equal(srv_dhcp6_reconfigure_begin(
				 world.reconfigure, &v6, &client_duid, DHCP6_RENEW, NOW_MS),
		0);
	assert_true(addr_v6_equal(&world.path.peer.sin6_addr, &v6));
	assert_int_equal(ntohs(world.path.peer.sin6_port), 546);
	msg = believe(&world, world.data, world.len, 1, true);
	assert_true(dhcp6_msg_asks(&msg, world.codes.ia));
	leave(&world);
}

static void so_many_are_told_at_once(void **state)
{
	struct world world;

	enter(&world);
	for (uint32_t i = 0; i <= SRV_DHCP6_REC_UNDER_WAY; i++) {
		struct srv_dhcp6_client client = client_at(i);

		assert_int_equal(srv_dhcp6_clients_note(world.clients, &client), 0);
		assert_int_equal(
			begin(&world, i, DHCP6_RENEW), i < SRV_DHCP6_REC_UNDER_WAY ? 0 : -EBUSY);
	}
	/* One that is being told may be told anew, and starts over. */
	assert_int_equal(begin(&world, 0, DHCP6_REBIND), 0);
	assert_int_equal(believe(&world, world.data, world.len, 0, true).reconf_type, DHCP6_REBIND);
	assert_int_equal(srv_dhcp6_reconfigure_count(world.reconfigure), SRV_DHCP6_REC_UNDER_WAY);
	leave(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_gets_a_signed_message_that_names_ia_dstm),
		cmocka_unit_test(the_forms_that_a_client_speaks_are_asked_for),
		cmocka_unit_test(the_key_of_another_tunnel_end_is_not_believed),
		cmocka_unit_test(a_silent_client_is_told_eight_times),
		cmocka_unit_test(it_ends_when_the_client_comes),
		cmocka_unit_test(a_client_behind_relays_is_told_through_them),
		cmocka_unit_test(who_cannot_be_told_is_not),
		cmocka_unit_test(a_client_that_is_not_known_is_told_at_its_routable_address),
		cmocka_unit_test(so_many_are_told_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
