// SPDX-License-Identifier: BSD-3-Clause
/*
 * What packets may make of themselves (learn.mode: open; R22, R71, D3), against a real table: never anything that
 * somebody has, and always something that a server or the operator may take away.
 */
#include "control/learn.h"
#include "control/static_bindings.h"
#include "control/sync.h"
#include "support/eal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define V4         0xc6336407U /* 198.51.100.7 */
#define NOW_S      1000
#define LIFETIME_S 60
#define MAX        4
#define SERVER     1

static struct dp_bindings *table;
static struct in6_addr tep_v6, client, other, stranger;

static struct in6_addr v6(const char *text)
{
	struct in6_addr addr;

	assert_int_equal(addr_v6_parse(text, &addr), 0);
	return addr;
}

static int set_up(void **state)
{
	static const struct dp_bindings_params params = {
		.max_bindings = 16, .max_readers = 1, .socket = SOCKET_ID_ANY};

	tep_v6 = v6("2001:db8:1::1"); /* within the clients' prefix, and yet no client */
	client = v6("2001:db8:1::17");
	other = v6("2001:db8:1::18");
	stranger = v6("2001:db8:2::17");
	table = dp_bindings_create(&params);
	return table == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	dp_bindings_destroy(table);
	return 0;
}

static struct tep_learn *create(uint32_t block)
{
	static struct addr_v6_prefix prefix;
	struct tep_learn_params params = {
		.table = table,
		.clients = &prefix,
		.n_clients = 1,
		.tep_v6 = &tep_v6,
		.n_tep_v6 = 1,
		.block = block,
		.lifetime_s = LIFETIME_S,
		.max = MAX,
	};
	struct tep_learn *learn;

	assert_int_equal(addr_v6_prefix_parse("2001:db8:1::/48", &prefix), 0);
	learn = tep_learn_create(&params);
	assert_non_null(learn);
	return learn;
}

static enum tep_question_counter from_port(
	struct tep_learn *learn, const struct in6_addr *sender, uint16_t port, uint32_t now_s)
{
	const struct dp_binding_key key = {.v4 = V4, .port = port, .has_port = true};

	return tep_learn_from(learn, &key, sender, &tep_v6, now_s);
}

static struct dp_binding of_server(uint16_t first, uint16_t last, uint32_t end_s)
{
	return (struct dp_binding){.tep_v6 = tep_v6,
		.client_v6 = other,
		.v4_be = rte_cpu_to_be_32(V4),
		.first = first,
		.last = last,
		.end_s = end_s,
		.owner = SERVER};
}

static void a_packet_makes_a_binding_of_its_whole_block(void **state)
{
	struct tep_learn *learn = create(1024);
	const struct dp_binding *found;

	assert_int_equal(from_port(learn, &client, 1500, NOW_S), TEP_QUESTION_LEARNT);
	found = dp_bindings_find(table, V4, 1024);
	assert_non_null(found);
	assert_int_equal(found->first, 1024);
	assert_int_equal(found->last, 2047);
	assert_int_equal(found->end_s, NOW_S + LIFETIME_S);
	assert_int_equal(found->owner, DP_OWNER_LEARNT);
	assert_false(found->is_static);
	assert_memory_equal(&found->client_v6, &client, sizeof(client));
	assert_memory_equal(&found->tep_v6, &tep_v6, sizeof(tep_v6));
	assert_null(dp_bindings_find(table, V4, 1023));
	assert_null(dp_bindings_find(table, V4, 2048));
	tep_learn_destroy(learn);
}

static void blocks_reach_from_one_port_to_the_whole_address(void **state)
{
	static const struct {
		uint32_t block;
		uint16_t port, first, last;
	} cases[] = {
		{1, 0, 0, 0},
		{1, 65535, 65535, 65535},
		{64, 65, 64, 127},
		{32768, 65535, 32768, 65535},
		{65536, 4711, 0, 65535},
	};

	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		struct tep_learn *learn = create(cases[i].block);
		const struct dp_binding *found;

		assert_int_equal(
			from_port(learn, &client, cases[i].port, NOW_S), TEP_QUESTION_LEARNT);
		found = dp_bindings_find(table, V4, cases[i].port);
		assert_non_null(found);
		assert_int_equal(found->first, cases[i].first);
		assert_int_equal(found->last, cases[i].last);
		tep_learn_make_way(table, V4, PORT_RANGE_EXCLUSIVE);
		assert_null(dp_bindings_find(table, V4, cases[i].port));
		tep_learn_destroy(learn);
	}
}

/* A fragment, or a protocol without ports: only a whole address can be meant. */
static void a_packet_without_a_port_has_no_block(void **state)
{
	const struct dp_binding_key key = {.v4 = V4};
	struct tep_learn *blocks = create(1024), *addresses = create(65536);

	assert_int_equal(
		tep_learn_from(blocks, &key, &client, &tep_v6, NOW_S), TEP_QUESTION_LEARN_NO_PORT);
	assert_int_equal(
		tep_learn_from(addresses, &key, &client, &tep_v6, NOW_S), TEP_QUESTION_LEARNT);
	tep_learn_destroy(blocks);
	tep_learn_destroy(addresses);
}

static void strangers_and_our_own_addresses_are_not_believed(void **state)
{
	struct tep_learn *learn = create(1024);

	assert_int_equal(from_port(learn, &stranger, 1500, NOW_S), TEP_QUESTION_LEARN_STRANGER);
	assert_int_equal(from_port(learn, &tep_v6, 1500, NOW_S), TEP_QUESTION_LEARN_STRANGER);
	assert_null(dp_bindings_find(table, V4, 1500));
	tep_learn_destroy(learn);
}

static void who_came_first_keeps_it_until_it_ends(void **state)
{
	struct tep_learn *learn = create(1024);

	assert_int_equal(from_port(learn, &client, 1500, NOW_S), TEP_QUESTION_LEARNT);
	assert_int_equal(from_port(learn, &other, 1501, NOW_S), TEP_QUESTION_LEARN_TAKEN);
	assert_int_equal(
		from_port(learn, &other, 1501, NOW_S + LIFETIME_S - 1), TEP_QUESTION_LEARN_TAKEN);
	/* Ended, also before it is swept. */
	assert_int_equal(from_port(learn, &other, 1501, NOW_S + LIFETIME_S), TEP_QUESTION_LEARNT);
	assert_memory_equal(&dp_bindings_find(table, V4, 1500)->client_v6, &other, sizeof(other));
	tep_learn_destroy(learn);
}

/* Also where the packet's own port is free, the rest of its block is not; also of a life before. */
static void nothing_of_a_server_or_the_operator_is_ever_learnt(void **state)
{
	struct dp_binding bindings[] = {
		of_server(2000, 2003, NOW_S + 5),
		of_server(1024, 2047, 0),
		of_server(0, 65535, NOW_S + 5),
		of_server(2047, 2047, DP_BINDING_ENDLESS),
	};

	bindings[1].is_dormant = 1;
	bindings[1].dormant_end_s = NOW_S + 5;
	bindings[1].client_v6 = client; /* of the very client: a server has to confirm it */
	bindings[3].is_static = 1;
	for (size_t i = 0; i < RTE_DIM(bindings); i++) {
		const struct dp_binding *binding = &bindings[i];
		struct tep_learn *learn = create(1024);

		assert_int_equal(dp_bindings_add(table, binding), 0);
		assert_int_equal(from_port(learn, &client, 1500, NOW_S), TEP_QUESTION_LEARN_TAKEN);
		assert_int_equal(dp_bindings_find(table, V4, binding->first)->is_dormant,
			binding->is_dormant);
		assert_int_equal(dp_bindings_remove(table, V4,
					 (struct port_range){binding->first, binding->last}),
			0);
		tep_learn_destroy(learn);
	}
}

static void at_most_so_many_are_learnt_in_a_lifetime(void **state)
{
	struct tep_learn *learn = create(1024);

	for (uint16_t i = 0; i < MAX; i++)
		assert_int_equal(
			from_port(learn, &client, i << 10, NOW_S + i), TEP_QUESTION_LEARNT);
	assert_int_equal(from_port(learn, &client, 60000, NOW_S + MAX), TEP_QUESTION_LEARN_FULL);
	/* One that had to go keeps its place, or there were no limit to what is made and removed. */
	tep_learn_make_way(table, V4, PORT_RANGE_EXCLUSIVE);
	assert_int_equal(from_port(learn, &client, 60000, NOW_S + MAX), TEP_QUESTION_LEARN_FULL);
	assert_int_equal(from_port(learn, &client, 60000, NOW_S + LIFETIME_S), TEP_QUESTION_LEARNT);
	assert_int_equal(
		from_port(learn, &client, 50000, NOW_S + LIFETIME_S), TEP_QUESTION_LEARN_FULL);
	tep_learn_destroy(learn);
}

static void a_full_table_is_said_to_be_full(void **state)
{
	struct tep_learn *learn = create(1024);

	for (uint16_t i = 0; i < 16; i++) {
		struct dp_binding binding = of_server(i, i, DP_BINDING_ENDLESS);

		assert_int_equal(dp_bindings_add(table, &binding), 0);
	}
	assert_int_equal(from_port(learn, &client, 1500, NOW_S), TEP_QUESTION_LEARN_FULL);
	tep_learn_destroy(learn);
}

/* A create that covers one block and a part of another: all of both goes. */
static void a_server_takes_what_was_learnt(void **state)
{
	const struct tep_sync sync = {.table = table, .tep_v6 = &tep_v6, .n_tep_v6 = 1};
	static struct tep_sync_server server;
	struct tep_learn *learn = create(1024);
	struct tsp_msg answer, request = {
				       .action = TSP_ACTION_CREATE,
				       .has_lifetime = true,
				       .lifetime_s = 10,
				       .client = {.present = true,
					       .has_v4 = true,
					       .v4 = V4,
					       .n_v6 = 1,
					       .has_ports = true,
					       .n_ranges = 1,
					       .ranges = {{1024, 2063}}},
				       .server = {.present = true, .n_v6 = 1},
			       };

	server = (struct tep_sync_server){.owner = SERVER};
	request.client.v6[0] = other;
	request.server.v6[0] = tep_v6;
	assert_int_equal(from_port(learn, &client, 1500, NOW_S), TEP_QUESTION_LEARNT);
	assert_int_equal(from_port(learn, &client, 3000, NOW_S), TEP_QUESTION_LEARNT);
	assert_int_equal(from_port(learn, &client, 5000, NOW_S), TEP_QUESTION_LEARNT);
	assert_int_equal(digest_root(dp_bindings_digest(table, SERVER)), 0);
	tep_sync_apply(&sync, &server, &request, NOW_S * 1000LL, &answer);
	assert_int_equal(answer.status, TSP_STATUS_OK);
	assert_int_equal(dp_bindings_find(table, V4, 2063)->owner, SERVER);
	assert_null(dp_bindings_find(table, V4, 3000));
	assert_non_null(dp_bindings_find(table, V4, 5000));
	assert_int_equal(from_port(learn, &client, 3000, NOW_S), TEP_QUESTION_LEARN_TAKEN);
	tep_learn_destroy(learn);
}

/* Levelling removes what a server no longer names, and nothing that it never had. */
static void levelling_leaves_what_was_learnt(void **state)
{
	const struct tep_sync sync = {.table = table, .tep_v6 = &tep_v6, .n_tep_v6 = 1};
	static struct tep_sync_server server;
	struct tep_learn *learn = create(1024);
	struct tsp_msg answer, list = {.action = TSP_ACTION_LIST, .sync = TSP_SYNC_BEGIN};

	server = (struct tep_sync_server){.owner = SERVER};
	tep_sync_session_starts(&server);
	assert_int_equal(from_port(learn, &client, 1500, NOW_S), TEP_QUESTION_LEARNT);
	tep_sync_apply(&sync, &server, &list, NOW_S * 1000LL, &answer);
	list.sync = TSP_SYNC_END;
	tep_sync_apply(&sync, &server, &list, NOW_S * 1000LL, &answer);
	assert_int_equal(answer.status, TSP_STATUS_OK);
	while (server.sweeping)
		tep_sync_sweep(&sync, &server);
	assert_non_null(dp_bindings_find(table, V4, 1500));
	tep_learn_destroy(learn);
}

static void a_static_binding_takes_what_was_learnt(void **state)
{
	struct tep_static_binding row = {
		.v4 = V4, .ports = {2000, 2100}, .client_v6 = other, .tep_v6 = tep_v6};
	const struct tep_static_bindings bindings = {.rows = &row, .n_rows = 1};
	struct tep_static_change change;
	struct tep_learn *learn = create(1024);

	assert_int_equal(from_port(learn, &client, 1500, NOW_S), TEP_QUESTION_LEARNT);
	assert_int_equal(tep_static_replace(&bindings, table, 2, &change), 0);
	assert_true(dp_bindings_find(table, V4, 2000)->is_static);
	assert_null(dp_bindings_find(table, V4, 1500));
	tep_learn_destroy(learn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_packet_makes_a_binding_of_its_whole_block),
		TEST(blocks_reach_from_one_port_to_the_whole_address),
		TEST(a_packet_without_a_port_has_no_block),
		TEST(strangers_and_our_own_addresses_are_not_believed),
		TEST(who_came_first_keeps_it_until_it_ends),
		TEST(nothing_of_a_server_or_the_operator_is_ever_learnt),
		TEST(at_most_so_many_are_learnt_in_a_lifetime),
		TEST(a_full_table_is_said_to_be_full),
		TEST(a_server_takes_what_was_learnt),
		TEST(levelling_leaves_what_was_learnt),
		TEST(a_static_binding_takes_what_was_learnt),
	};

	if (test_eal_start(64) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
