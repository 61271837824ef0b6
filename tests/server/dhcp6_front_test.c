// SPDX-License-Identifier: BSD-3-Clause
/*
 * The DHCPv6 front end over the real engine, in which store and TEPs answer when the test says so. (What a client
 * sees in all the forms that there are: test_dhcp6.py.)
 */
#include "server/dhcp6_front.h"

#include "dhcp6/dhcp6_lease.h"
#include "server/dhcp6_request.h"
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SENT_MAX 16

static const char config_text[] =
	"dhcpv6: {interfaces: [lan0], exchanges: 2, addresses: \"2001:db8:1::/64\"}\n"
	"teps: [{name: t, control: \"[2001:db8::1]:3654\", user: u, password: p, v6: "
	"2001:db8::1}]\n"
	"pools: [{name: a, prefix: 198.51.100.0/28, tep: t}]\n";

/* What one test has; on top of the world around the engine. */
struct scene {
	struct world *world;
	struct srv_config config;
	struct dhcp6_duid duid;
	struct srv_dhcp6_secret secret;
	struct dhcp6_codes codes;
	struct srv_dhcp6_clients *clients;
	struct srv_dhcp6_reconfigure *reconfigure;
	struct srv_dhcp6_front *front;
	uint32_t n_sent;
	size_t sent_len;
	uint8_t sent[DHCP6_SEND_MAX]; /* the last one */
	struct dhcp6_msg said; /* the same, read, relays taken off */
};

static void on_send(void *arg, const struct srv_dhcp6_path *path, const void *data, size_t len)
{
	struct scene *scene = arg;
	struct dhcp6_relay relay;
	const uint8_t *inner;
	size_t inner_len;

	assert_true(len <= DHCP6_SEND_MAX);
	assert_int_equal(ntohs(path->peer.sin6_port), 546);
	scene->n_sent++;
	scene->sent_len = len;
	memcpy(scene->sent, data, len);
	if (scene->sent[0] == DHCP6_RELAY_REPL)
		return;
	assert_int_equal(dhcp6_relay_open(data, len, &relay, &inner, &inner_len), 0);
	assert_int_equal(dhcp6_msg_read(inner, inner_len, &scene->codes, &scene->said), 0);
}

static void create_front(struct scene *scene)
{
	const struct srv_dhcp6_reconfigure_params reconfigure = {
		.clients = scene->clients,
		.secret = &scene->secret,
		.server_duid = &scene->duid,
		.codes = &scene->codes,
		.send = on_send,
		.arg = scene,
		.counters = &scene->world->counters,
	};
	struct srv_dhcp6_front_params front = {
		.engine = scene->world->engine,
		.counters = &scene->world->counters,
		.config = &scene->config,
		.duid = &scene->duid,
		.secret = &scene->secret,
		.clients = scene->clients,
		.send = on_send,
		.arg = scene,
	};

	scene->reconfigure = srv_dhcp6_reconfigure_create(&reconfigure);
	assert_non_null(scene->reconfigure);
	front.reconfigure = scene->reconfigure;
	scene->front = srv_dhcp6_front_create(&front);
	assert_non_null(scene->front);
}

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct config_error error;
	void *world;

	if (scene == NULL || world_setup(&world) != 0)
		return -1;
	scene->world = world;
	addr_v6_prefix_parse("2001:db8::/32", &scene->world->clients);
	assert_int_equal(
		srv_config_parse("f", config_text, strlen(config_text), &scene->config, &error), 0);
	scene->codes = srv_dhcp6_codes_of(&scene->config.dhcp6);
	assert_int_equal(dhcp6_duid_parse("00:03:00:01:02:00:00:00:00:99", &scene->duid), 0);
	memset(&scene->secret, 7, sizeof(scene->secret));
	scene->clients = srv_dhcp6_clients_create(64);
	assert_non_null(scene->clients);
	create_front(scene);
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;
	void *world = scene->world;

	srv_dhcp6_front_destroy(scene->front, scene->world->now_ms);
	srv_dhcp6_reconfigure_destroy(scene->reconfigure);
	srv_dhcp6_clients_destroy(scene->clients);
	srv_config_free(&scene->config);
	free(scene);
	return world_teardown(&world);
}

/* --- what clients say ---------------------------------------------------------------------------- */

/* A message of a client whose source, and so its tunnel end, is 2001:db8:1::number. */
static struct dhcp6_msg make(const struct scene *scene, enum dhcp6_type type, uint8_t number)
{
	const uint8_t duid[] = {0, 3, 0, 1, 2, 0, 0, 0, 0, number};
	struct dhcp6_msg msg = {.type = type, .xid = 0x100U + number, .n_ia_dstm = 1};

	assert_int_equal(dhcp6_duid_set(&msg.client_id, duid, sizeof(duid)), 0);
	if (type != DHCP6_SOLICIT && type != DHCP6_REBIND)
		msg.server_id = scene->duid;
	msg.ia_dstm[0].iaid = 1;
	msg.ia_dstm[0].dstm.n_ranges = 1; /* 0-0: any */
	return msg;
}

static void come(struct scene *scene, const void *data, size_t len, uint8_t number)
{
	struct srv_dhcp6_datagram datagram = {.data = data, .len = len};

	datagram.path.peer.sin6_family = AF_INET6;
	datagram.path.peer.sin6_port = htons(546);
	addr_v6_parse("2001:db8:1::", &datagram.path.peer.sin6_addr);
	datagram.path.peer.sin6_addr.s6_addr[15] = number;
	addr_v6_parse("ff02::1:2", &datagram.path.local);
	srv_dhcp6_front_came(scene->front, &datagram, scene->world->now_ms);
}

static void tell(struct scene *scene, const struct dhcp6_msg *msg)
{
	uint8_t octets[DHCP6_SEND_MAX];
	int len = dhcp6_msg_write(msg, &scene->codes, octets, sizeof(octets));

	assert_true(len > 0);
	come(scene, octets, (size_t)len, msg->client_id.octets[9]);
}

static void tell_request(struct scene *scene, uint8_t number)
{
	struct dhcp6_msg msg = make(scene, DHCP6_REQUEST, number);

	tell(scene, &msg);
}

/* Store and TEP agree. */
static struct lease agree(struct scene *scene)
{
	struct lease lease;

	expect_stored(scene->world, SRV_LEASE_PENDING, 0);
	lease = expect_tep_create(scene->world, SRV_TEP_DONE);
	expect_stored(scene->world, SRV_LEASE_ACTIVE, 0);
	expect(scene->world, ANSWER);
	expect_nothing(scene->world);
	return lease;
}

static void expect_lease(const struct scene *scene, const struct lease *lease)
{
	const struct dhcp6_ia *ia = &scene->said.ia_dstm[0];
	struct lease said = {0};
	struct dhcp6_times times;

	assert_int_equal(scene->said.n_ia_dstm, 1);
	assert_int_equal(dhcp6_ia_to_lease(ia, &said, &times), 0);
	assert_int_equal(said.v4, lease->v4);
	assert_int_equal(said.n_ranges, lease->n_ranges);
	assert_memory_equal(said.ranges, lease->ranges, sizeof(lease->ranges[0]));
	assert_true(addr_v6_equal(&said.tep_v6, &lease->tep_v6));
	assert_int_equal(times.valid_s, LIFETIME_MS / 1000);
}

/* --- tests --------------------------------------------------------------------------------------- */

/* The TEP comes before the client, and what the client is told is on disk (R85). */
static void a_reply_leaves_when_the_tep_knows_the_lease_and_it_is_on_disk(void **state)
{
	struct scene *scene = *state;
	struct dhcp6_msg solicit = make(scene, DHCP6_SOLICIT, 10);
	struct port_range offered;
	struct lease lease;

	tell(scene, &solicit);
	expect_nothing(scene->world);
	assert_int_equal(scene->n_sent, 1);
	assert_int_equal(scene->said.type, DHCP6_ADVERTISE);
	offered = scene->said.ia_dstm[0].dstm.ranges[0];

	struct dhcp6_msg request = make(scene, DHCP6_REQUEST, 10);

	request.ia_dstm[0] = scene->said.ia_dstm[0];
	tell(scene, &request);
	expect_stored(scene->world, SRV_LEASE_PENDING, 0);
	assert_int_equal(scene->n_sent, 1);
	lease = expect_tep_create(scene->world, SRV_TEP_DONE);
	assert_int_equal(scene->n_sent, 1);
	assert_true(port_range_equal(lease.ranges[0], offered));
	expect_stored(scene->world, SRV_LEASE_ACTIVE, 0);
	assert_int_equal(scene->n_sent, 2);
	assert_int_equal(scene->said.type, DHCP6_REPLY);
	assert_int_equal(scene->said.xid, request.xid);
	expect_lease(scene, &lease);
}

static void what_the_tep_refuses_is_a_status_in_the_ia(void **state)
{
	struct scene *scene = *state;

	tell_request(scene, 10);
	expect_stored(scene->world, SRV_LEASE_PENDING, 0);
	expect_tep_create(scene->world, SRV_TEP_REFUSED);
	assert_int_equal(scene->n_sent, 1);
	assert_int_equal(scene->said.ia_dstm[0].status.code, DHCP6_STATUS_UNSPEC_FAIL);
	assert_false(scene->said.status.present);
	assert_int_equal(leases_in(scene->world, SRV_LEASE_ACTIVE), 0);
	assert_int_equal(counted(scene->world, SRV_COUNT_DHCP6_UNSPEC_FAIL), 1);
}

/* A client that hears nothing for a second says it again, with the same transaction. */
static void a_repetition_is_answered_by_the_exchange_under_way(void **state)
{
	struct scene *scene = *state;

	tell_request(scene, 10);
	tell_request(scene, 10);
	assert_int_equal(srv_dhcp6_front_exchanges(scene->front), 1);
	agree(scene);
	assert_int_equal(scene->n_sent, 1);
	assert_int_equal(counted(scene->world, SRV_COUNT_DHCP6_MERGED), 1);
	/* Later it is a renewal. */
	tell_request(scene, 10);
	expect_tep_create(scene->world, SRV_TEP_DONE);
	expect_stored(scene->world, SRV_LEASE_ACTIVE, 0);
	assert_int_equal(scene->n_sent, 2);
}

static void exchanges_are_bounded(void **state)
{
	struct scene *scene = *state;

	for (uint8_t number = 10; number < 14; number++)
		tell_request(scene, number);
	assert_int_equal(srv_dhcp6_front_exchanges(scene->front), 2);
	assert_int_equal(counted(scene->world, SRV_COUNT_DHCP6_NO_ROOM), 2);
	/* One that is answered makes room. */
	srv_engine_stored(
		scene->world->engine, expect(scene->world, PUT)->job, -EIO, scene->world->now_ms);
	assert_int_equal(scene->said.ia_dstm[0].status.code, DHCP6_STATUS_UNSPEC_FAIL);
	tell_request(scene, 14);
	assert_int_equal(srv_dhcp6_front_exchanges(scene->front), 2);
	assert_int_equal(counted(scene->world, SRV_COUNT_DHCP6_NO_ROOM), 2);
}

/* An answer has the codes that its question had. */
static void a_reload_leaves_exchanges_under_way(void **state)
{
	struct scene *scene = *state;
	struct lease lease;

	tell_request(scene, 10);
	scene->config.dhcp6.codes.ia = 700;
	scene->config.dhcp6.codes.tep = 701;
	assert_int_equal(srv_dhcp6_front_reload(scene->front), 0);
	lease = agree(scene);
	assert_int_equal(scene->n_sent, 1);
	expect_lease(scene, &lease);
}

/* R37: the longest prefix that holds the client decides which TEP its lease goes through, and it is told. */
static void the_tep_is_chosen_by_the_clients_prefix(void **state)
{
	static struct addr_v6_prefix near;
	struct scene *scene = *state;
	struct world *world = scene->world;
	struct dhcp6_msg solicit = make(scene, DHCP6_SOLICIT, 10);
	struct lease lease;

	assert_int_equal(addr_v6_prefix_parse("2001:db8:1::/64", &near), 0);
	world->pool_teps[2].clients = &near;
	world->pool_teps[2].n_clients = 1;
	world->pools[0].n_teps = WORLD_TEPS;
	tell(scene, &solicit);
	assert_true(addr_v6_equal(&scene->said.ia_dstm[0].dstm.teps[0], &world->teps[2].v6));
	tell_request(scene, 10);
	lease = agree(scene);
	expect_lease(scene, &lease);
	assert_true(addr_v6_equal(&lease.tep_v6, &world->teps[2].v6));
}

/* As large as questions may be, and through as many relays: the answer keeps the lease. */
static void an_answer_fits_into_a_packet(void **state)
{
	struct scene *scene = *state;
	struct dhcp6_msg msg = make(scene, DHCP6_REQUEST, 10), inner;
	struct dhcp6_relay relay = {.n_levels = DHCP6_RELAYS_MAX};
	uint8_t octets[DHCP6_SEND_MAX], wrapped[2 * DHCP6_SEND_MAX];
	const uint8_t *at = scene->sent;
	struct dhcp6_relay back;
	size_t at_len;
	int len;

	msg.n_ia_dstm = msg.n_ia_na = DHCP6_IAS_MAX;
	for (uint32_t i = 0; i < DHCP6_IAS_MAX; i++)
		msg.ia_dstm[i].iaid = msg.ia_na[i].iaid = i;
	tell(scene, &msg);
	agree(scene);
	assert_true(scene->said.n_ia_na >= 1);
	assert_true(scene->said.ia_dstm[0].n_addrs == 1);

	len = dhcp6_msg_write(&msg, &scene->codes, octets, sizeof(octets));
	assert_true(len > 0);
	for (uint32_t i = 0; i < DHCP6_RELAYS_MAX; i++)
		relay.levels[i].hop_count = (uint8_t)(DHCP6_RELAYS_MAX - 1 - i);
	len = dhcp6_relay_close(&relay, octets, (size_t)len, wrapped, sizeof(wrapped));
	assert_true(len > 0);
	for (uint8_t *level = wrapped; level[0] == DHCP6_RELAY_REPL; level += 38)
		level[0] = DHCP6_RELAY_FORW;
	come(scene, wrapped, (size_t)len, 10);
	expect_tep_create(scene->world, SRV_TEP_DONE);
	expect_stored(scene->world, SRV_LEASE_ACTIVE, 0);
	assert_int_equal(scene->n_sent, 2);
	scene->sent[0] = DHCP6_RELAY_FORW;
	for (uint32_t i = 1; i < DHCP6_RELAYS_MAX; i++)
		scene->sent[38 * i] = DHCP6_RELAY_FORW;
	assert_int_equal(dhcp6_relay_open(scene->sent, scene->sent_len, &back, &at, &at_len), 0);
	assert_int_equal(dhcp6_msg_read(at, at_len, &scene->codes, &inner), 0);
	assert_int_equal(inner.ia_dstm[0].n_addrs, 1);
}

/* Whoever is noted can be told to come (R36), by the way that it came. */
static void who_is_answered_is_known(void **state)
{
	struct scene *scene = *state;
	const struct srv_dhcp6_client *client;
	struct dhcp6_msg msg = make(scene, DHCP6_SOLICIT, 10);
	struct in6_addr end;

	addr_v6_parse("2001:db8:1::a", &end);
	tell(scene, &msg);
	assert_null(srv_dhcp6_clients_find_by_v6(scene->clients, &end));
	tell_request(scene, 10);
	agree(scene);
	client = srv_dhcp6_clients_find_by_v6(scene->clients, &end);
	assert_non_null(client);
	assert_true(client->has_lease);
	assert_true(dhcp6_duid_equal(&client->duid, &msg.client_id));
	msg = make(scene, DHCP6_RELEASE, 10);
	tell(scene, &msg);
	expect(scene->world, TEP_DELETE);
	assert_int_equal(scene->n_sent, 2);
	srv_engine_tep_answered(scene->world->engine,
		scene->world->actions[scene->world->n_seen - 1].job, 0, SRV_TEP_DONE,
		&(struct tsp_msg){.status = TSP_STATUS_OK}, scene->world->now_ms);
	expect_stored(scene->world, SRV_LEASE_RESTING, 0);
	assert_int_equal(scene->n_sent, 3);
	assert_false(srv_dhcp6_clients_find_by_v6(scene->clients, &end)->has_lease);
}

/* The front end may go while the engine is at work for it. */
static void an_end_forgets_exchanges_under_way(void **state)
{
	struct scene *scene = *state;

	tell_request(scene, 10);
	srv_dhcp6_front_destroy(scene->front, scene->world->now_ms);
	scene->front = NULL;
	expect_stored(scene->world, SRV_LEASE_PENDING, 0);
	expect_tep_create(scene->world, SRV_TEP_DONE);
	expect_stored(scene->world, SRV_LEASE_ACTIVE, 0);
	assert_int_equal(scene->n_sent, 0);
}

/* Whatever octets come, each datagram is counted once, and a datagram costs at most one answer. */
static void each_datagram_is_counted_once(void **state)
{
	static const enum srv_counter types[] = {SRV_COUNT_DHCP6_SOLICITS, SRV_COUNT_DHCP6_REQUESTS,
		SRV_COUNT_DHCP6_CONFIRMS, SRV_COUNT_DHCP6_RENEWS, SRV_COUNT_DHCP6_REBINDS,
		SRV_COUNT_DHCP6_RELEASES, SRV_COUNT_DHCP6_DECLINES,
		SRV_COUNT_DHCP6_INFORMATION_REQUESTS, SRV_COUNT_DHCP6_OTHERS,
		SRV_COUNT_DHCP6_MALFORMED};
	struct scene *scene = *state;
	struct dhcp6_msg msg = make(scene, DHCP6_SOLICIT, 10);
	uint8_t octets[DHCP6_SEND_MAX], mutant[DHCP6_SEND_MAX];
	uint64_t sum = 0;
	int len;

	msg.n_ia_na = 2;
	msg.has_rapid_commit = true;
	dhcp6_msg_ask(&msg, DHCP6_OPTION_S46_CONT_LW);
	len = dhcp6_msg_write(&msg, &scene->codes, octets, sizeof(octets));
	assert_true(len > 0);
	srand(6);
	for (uint32_t i = 0; i < 4000; i++) {
		memcpy(mutant, octets, (size_t)len);
		for (int j = rand() % 4; j >= 0; j--)
			mutant[rand() % len] = (uint8_t)rand();
		if (i % 2 == 0)
			mutant[0] = (uint8_t)(rand() % 14);
		come(scene, mutant, (size_t)(i % 3 == 0 ? rand() % (len + 1) : len), 10);
		assert_true(scene->world->n_actions < ACTIONS_MAX - 4);
		scene->world->n_actions = scene->world->n_seen = 0;
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		sum += counted(scene->world, types[i]);
	assert_true(sum == 4000);
	assert_true(scene->n_sent > 100 && scene->n_sent <= 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_reply_leaves_when_the_tep_knows_the_lease_and_it_is_on_disk),
		TEST(what_the_tep_refuses_is_a_status_in_the_ia),
		TEST(a_repetition_is_answered_by_the_exchange_under_way),
		TEST(exchanges_are_bounded),
		TEST(a_reload_leaves_exchanges_under_way),
		TEST(the_tep_is_chosen_by_the_clients_prefix),
		TEST(an_answer_fits_into_a_packet),
		TEST(who_is_answered_is_known),
		TEST(an_end_forgets_exchanges_under_way),
		TEST(each_datagram_is_counted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
