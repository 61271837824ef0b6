// SPDX-License-Identifier: BSD-3-Clause
/*
 * What servers may do to the binding table, against a real table.
 */
#include "control/sync.h"
#include "common/addr.h"
#include "support/eal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CLIENT     "2001:db8:1::17"
#define OTHER      "2001:db8:1::18"
#define TEP        "2001:db8::1"
#define SECOND_TEP "2001:db8::2"
#define SHARED     0xc6336407 /* 198.51.100.7 */
#define NOW_S      1000
#define LIFETIME_S 60

struct fixture {
	struct in6_addr tep_v6[2];
	struct tep_sync sync;
	struct tep_sync_server server;
	struct tep_sync_server second;
	struct tsp_msg answer;
};

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
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->tep_v6[0] = v6(TEP);
	f->tep_v6[1] = v6(SECOND_TEP);
	f->sync = (struct tep_sync){
		.table = dp_bindings_create(&params),
		.tep_v6 = f->tep_v6,
		.n_tep_v6 = 2,
		.tep_v4 = 0xc0000001,
	};
	assert_non_null(f->sync.table);
	f->server.owner = 1;
	f->second.owner = 2;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	dp_bindings_destroy(f->sync.table);
	free(f);
	return 0;
}

/* A create or delete of up to two ranges; last 0 ends the list, no range at all is the whole address. */
static struct tsp_msg request(
	enum tsp_action action, const char *client, uint16_t first, uint16_t last)
{
	struct tsp_msg msg = {
		.action = action,
		.has_lifetime = true,
		.lifetime_s = LIFETIME_S,
		.client = {.present = true, .has_v4 = true, .v4 = SHARED, .n_v6 = 1},
		.server = {.present = true, .n_v6 = 1},
	};

	msg.client.v6[0] = v6(client);
	msg.server.v6[0] = v6(TEP);
	if (last != 0) {
		msg.client.has_ports = true;
		msg.client.n_ranges = 1;
		msg.client.ranges[0] = (struct port_range){.first = first, .last = last};
	}
	return msg;
}

static void add_range(struct tsp_msg *msg, uint16_t first, uint16_t last)
{
	msg->client.ranges[msg->client.n_ranges++] = (struct port_range){
		.first = first, .last = last};
}

static enum tsp_status apply_at(struct fixture *f, struct tep_sync_server *server,
	const struct tsp_msg *msg, uint32_t now_s)
{
	tep_sync_apply(&f->sync, server, msg, now_s * 1000LL, &f->answer);
	return f->answer.status;
}

static enum tsp_status apply(struct fixture *f, const struct tsp_msg *msg)
{
	return apply_at(f, &f->server, msg, NOW_S);
}

static enum tsp_status create_range(
	struct fixture *f, const char *client, uint16_t first, uint16_t last)
{
	struct tsp_msg msg = request(TSP_ACTION_CREATE, client, first, last);

	return apply(f, &msg);
}

static enum tsp_status delete_range(
	struct fixture *f, const char *client, uint16_t first, uint16_t last)
{
	struct tsp_msg msg = request(TSP_ACTION_DELETE, client, first, last);

	return apply(f, &msg);
}

static enum tsp_status mark(struct fixture *f, struct tep_sync_server *server, enum tsp_sync sync)
{
	struct tsp_msg msg = {.action = TSP_ACTION_LIST, .sync = sync};

	return apply_at(f, server, &msg, NOW_S);
}

static uint32_t count(const struct fixture *f)
{
	struct dp_bindings_usage usage;

	dp_bindings_usage(f->sync.table, &usage);
	return usage.bindings;
}

static const struct dp_binding *find(const struct fixture *f, uint16_t port)
{
	return dp_bindings_find(f->sync.table, SHARED, port);
}

static void add_static(struct fixture *f, const char *client, uint16_t first, uint16_t last)
{
	const struct dp_binding binding = {
		.tep_v6 = v6(TEP),
		.client_v6 = v6(client),
		.v4_be = rte_cpu_to_be_32(SHARED),
		.first = first,
		.last = last,
		.end_s = DP_BINDING_ENDLESS,
		.is_static = 1,
	};

	assert_int_equal(dp_bindings_add(f->sync.table, &binding), 0);
}

/* R87, R89 */
static void create_places_every_range_and_tells_the_tunnel_addresses(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg msg = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047);
	struct in6_addr client = v6(CLIENT);
	const struct dp_binding *found;

	add_range(&msg, 4096, 5119);
	assert_int_equal(apply(f, &msg), TSP_STATUS_OK);
	assert_int_equal(count(f), 2);
	found = find(f, 5000);
	assert_non_null(found);
	assert_int_equal(found->first, 4096);
	assert_int_equal(found->last, 5119);
	assert_int_equal(found->owner, 1);
	assert_true(addr_v6_equal(&found->client_v6, &client));
	assert_true(addr_v6_equal(&found->tep_v6, &f->tep_v6[0]));
	assert_int_equal(found->end_s, NOW_S + LIFETIME_S);
	assert_int_equal(f->answer.action, TSP_ACTION_INFO);
	assert_int_equal(f->answer.lifetime_s, LIFETIME_S);
	assert_int_equal(f->answer.server.v4, 0xc0000001);
	assert_true(addr_v6_equal(&f->answer.server.v6[0], &f->tep_v6[0]));
	assert_int_equal(f->answer.client.v4, SHARED);
	assert_int_equal(f->answer.client.n_ranges, 2);
	assert_int_equal(f->server.counts.creates, 1);
}

static void create_without_ports_is_an_exclusive_address(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(create_range(f, CLIENT, 0, 0), TSP_STATUS_OK);
	assert_int_equal(find(f, 0)->last, UINT16_MAX);
	assert_int_equal(create_range(f, OTHER, 1024, 2047), TSP_STATUS_TEP_ERROR);
}

static void create_may_name_another_tunnel_address_of_ours_or_none(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg msg = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047);

	msg.server.v6[0] = v6(SECOND_TEP);
	assert_int_equal(apply(f, &msg), TSP_STATUS_OK);
	assert_true(addr_v6_equal(&find(f, 1024)->tep_v6, &f->tep_v6[1]));
	assert_true(addr_v6_equal(&f->answer.server.v6[0], &f->tep_v6[1]));
	msg = request(TSP_ACTION_CREATE, CLIENT, 2048, 3071);
	msg.server = (struct tsp_party){0};
	assert_int_equal(apply(f, &msg), TSP_STATUS_OK);
	assert_true(addr_v6_equal(&find(f, 2048)->tep_v6, &f->tep_v6[0]));
}

/* R88 */
static void create_refuses_what_is_not_a_binding_of_ours(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg msg = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047);

	msg.server.v6[0] = v6("2001:db8::3");
	assert_int_equal(apply(f, &msg), TSP_STATUS_TEP_ERROR);
	msg = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047);
	msg.client.has_v4 = false;
	assert_int_equal(apply(f, &msg), TSP_STATUS_BAD_V4);
	msg = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047);
	msg.client.v4 = 0xe0000001;
	assert_int_equal(apply(f, &msg), TSP_STATUS_BAD_V4);
	msg = request(TSP_ACTION_CREATE, "fe80::1", 1024, 2047);
	assert_int_equal(apply(f, &msg), TSP_STATUS_BAD_V6);
	msg = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047);
	msg.client = (struct tsp_party){0};
	assert_int_equal(apply(f, &msg), TSP_STATUS_BAD_V4);
	msg = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047);
	msg.client.n_ranges = 0;
	assert_int_equal(apply(f, &msg), TSP_STATUS_MALFORMED);
	assert_int_equal(count(f), 0);
	assert_int_equal(f->server.counts.refused, 6);
	assert_int_equal(f->answer.action, TSP_ACTION_NONE);
}

static void the_same_create_again_is_a_renewal(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg msg = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047);

	msg.until_s = 1000;
	assert_int_equal(apply(f, &msg), TSP_STATUS_OK);
	assert_int_equal(find(f, 1024)->stamp, 1000);
	msg.until_s = 1030;
	assert_int_equal(apply_at(f, &f->server, &msg, NOW_S + 30), TSP_STATUS_OK);
	assert_int_equal(count(f), 1);
	assert_int_equal(find(f, 1024)->end_s, NOW_S + 30 + LIFETIME_S);
	assert_int_equal(find(f, 1024)->stamp, 1030);
}

/* S1: whole seconds in the table, and never more than half a second from the lease's own end. */
static void an_end_is_rounded_to_the_nearest_second(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg msg = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047);

	tep_sync_apply(&f->sync, &f->server, &msg, NOW_S * 1000LL + 499, &f->answer);
	assert_int_equal(find(f, 1024)->end_s, NOW_S + LIFETIME_S);
	tep_sync_apply(&f->sync, &f->server, &msg, NOW_S * 1000LL + 500, &f->answer);
	assert_int_equal(find(f, 1024)->end_s, NOW_S + LIFETIME_S + 1);
}

/* A packet must never go to anyone but the holder: a second holder is refused, whoever announces it. */
static void create_of_ports_that_another_client_holds_is_refused(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg msg = request(TSP_ACTION_CREATE, OTHER, 2000, 3000);
	struct in6_addr client = v6(CLIENT);

	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(apply(f, &msg), TSP_STATUS_TEP_ERROR);
	assert_int_equal(apply_at(f, &f->second, &msg, NOW_S), TSP_STATUS_TEP_ERROR);
	assert_int_equal(create_range(f, OTHER, 1024, 2047), TSP_STATUS_TEP_ERROR);
	assert_int_equal(create_range(f, OTHER, 0, 0), TSP_STATUS_TEP_ERROR);
	assert_int_equal(count(f), 1);
	assert_true(addr_v6_equal(&find(f, 2000)->client_v6, &client));
}

static void create_is_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg msg = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047);

	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(create_range(f, OTHER, 5000, 5000), TSP_STATUS_OK);
	/* One renewal, one new range, one conflict. */
	add_range(&msg, 3000, 3010);
	add_range(&msg, 4096, 5119);
	assert_int_equal(apply_at(f, &f->second, &msg, NOW_S + 10), TSP_STATUS_TEP_ERROR);
	assert_int_equal(count(f), 2);
	assert_null(find(f, 3000));
	assert_int_equal(find(f, 1024)->end_s, NOW_S + LIFETIME_S);
	assert_int_equal(find(f, 1024)->owner, 1);
}

static void a_full_table_refuses_and_keeps_what_it_has(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg msg = request(TSP_ACTION_CREATE, CLIENT, 100, 100);

	for (uint16_t port = 1; port <= 15; port++)
		assert_int_equal(create_range(f, CLIENT, port, port), TSP_STATUS_OK);
	add_range(&msg, 101, 101);
	assert_int_equal(apply(f, &msg), TSP_STATUS_TEP_ERROR);
	assert_int_equal(count(f), 15);
	assert_null(find(f, 100));
}

/* S1: the TEP knows the end; a sweep that is late must not keep the next holder out. */
static void a_binding_that_ended_gives_way_before_it_is_swept(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg msg = request(TSP_ACTION_CREATE, OTHER, 1000, 3000);
	struct in6_addr other = v6(OTHER);

	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(create_range(f, CLIENT, 2500, 2500), TSP_STATUS_OK);
	assert_int_equal(
		apply_at(f, &f->server, &msg, NOW_S + LIFETIME_S - 1), TSP_STATUS_TEP_ERROR);
	assert_int_equal(apply_at(f, &f->server, &msg, NOW_S + LIFETIME_S), TSP_STATUS_OK);
	assert_int_equal(count(f), 1);
	assert_true(addr_v6_equal(&find(f, 1024)->client_v6, &other));
}

static void the_end_never_wraps(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg msg = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047);

	msg.lifetime_s = TSP_LIFETIME_MAX_S;
	assert_int_equal(apply_at(f, &f->server, &msg, UINT32_MAX - 5), TSP_STATUS_OK);
	assert_int_equal(find(f, 1024)->end_s, DP_BINDING_ENDLESS - 1);
}

/* R25 */
static void a_server_can_confirm_a_static_binding_but_not_touch_it(void **state)
{
	struct fixture *f = *state;

	add_static(f, CLIENT, 1024, 2047);
	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(find(f, 1024)->end_s, DP_BINDING_ENDLESS);
	assert_int_equal(find(f, 1024)->owner, 0);
	assert_int_equal(create_range(f, OTHER, 1024, 2047), TSP_STATUS_TEP_ERROR);
	assert_int_equal(create_range(f, OTHER, 1500, 1500), TSP_STATUS_TEP_ERROR);
	assert_int_equal(delete_range(f, CLIENT, 1024, 2047), TSP_STATUS_UNAVAILABLE);
	assert_int_equal(delete_range(f, CLIENT, 0, 0), TSP_STATUS_UNAVAILABLE);
	assert_int_equal(mark(f, &f->server, TSP_SYNC_BEGIN), TSP_STATUS_OK);
	assert_int_equal(mark(f, &f->server, TSP_SYNC_END), TSP_STATUS_OK);
	assert_non_null(find(f, 1024));
}

static void a_refused_create_leaves_a_static_binding_alone(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg msg = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047);

	add_static(f, CLIENT, 1024, 2047);
	add_static(f, OTHER, 5000, 5000);
	add_range(&msg, 4096, 5119);
	assert_int_equal(apply(f, &msg), TSP_STATUS_TEP_ERROR);
	assert_int_equal(count(f), 2);
	assert_int_equal(find(f, 1024)->is_static, 1);
}

/* R97 */
static void delete_removes_the_ranges_of_their_holder(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(create_range(f, CLIENT, 2048, 3071), TSP_STATUS_OK);
	assert_int_equal(delete_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(f->answer.action, TSP_ACTION_INFO);
	assert_null(find(f, 1024));
	assert_non_null(find(f, 2048));
	assert_int_equal(f->server.counts.deletes, 1);
}

static void delete_without_ports_removes_all_that_the_client_holds(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(create_range(f, OTHER, 2048, 3071), TSP_STATUS_OK);
	assert_int_equal(create_range(f, CLIENT, 65535, 65535), TSP_STATUS_OK);
	assert_int_equal(delete_range(f, CLIENT, 0, 0), TSP_STATUS_OK);
	assert_int_equal(count(f), 1);
	assert_non_null(find(f, 2048));
}

static void delete_of_what_is_not_there_is_harmless(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(delete_range(f, CLIENT, 1024, 2047), TSP_STATUS_UNAVAILABLE);
	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(delete_range(f, OTHER, 1024, 2047), TSP_STATUS_UNAVAILABLE);
	assert_int_equal(delete_range(f, CLIENT, 1024, 1500), TSP_STATUS_UNAVAILABLE);
	assert_int_equal(delete_range(f, CLIENT, 1024, 3071), TSP_STATUS_UNAVAILABLE);
	assert_int_equal(count(f), 1);
	assert_int_equal(f->server.counts.refused, 4);
}

static void getting_level_removes_what_was_not_named(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(create_range(f, CLIENT, 2048, 3071), TSP_STATUS_OK);
	assert_int_equal(mark(f, &f->server, TSP_SYNC_BEGIN), TSP_STATUS_OK);
	assert_int_equal(create_range(f, CLIENT, 2048, 3071), TSP_STATUS_OK);
	assert_int_equal(create_range(f, OTHER, 4096, 5119), TSP_STATUS_OK);
	assert_int_equal(count(f), 3);
	assert_int_equal(mark(f, &f->server, TSP_SYNC_END), TSP_STATUS_OK);
	assert_int_equal(f->answer.action, TSP_ACTION_INFO);
	assert_int_equal(count(f), 2);
	assert_null(find(f, 1024));
	assert_int_equal(f->server.counts.levelled_out, 1);
}

static void getting_level_leaves_another_servers_bindings_alone(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(mark(f, &f->second, TSP_SYNC_BEGIN), TSP_STATUS_OK);
	assert_int_equal(mark(f, &f->second, TSP_SYNC_END), TSP_STATUS_OK);
	assert_non_null(find(f, 1024));
}

static void a_binding_that_a_second_server_confirms_becomes_its_own(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg msg = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047);

	assert_int_equal(apply(f, &msg), TSP_STATUS_OK);
	assert_int_equal(apply_at(f, &f->second, &msg, NOW_S), TSP_STATUS_OK);
	assert_int_equal(mark(f, &f->server, TSP_SYNC_BEGIN), TSP_STATUS_OK);
	assert_int_equal(mark(f, &f->server, TSP_SYNC_END), TSP_STATUS_OK);
	assert_non_null(find(f, 1024));
}

static void a_session_that_breaks_off_removes_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(mark(f, &f->server, TSP_SYNC_BEGIN), TSP_STATUS_OK);
	tep_sync_session_starts(&f->server);
	assert_int_equal(mark(f, &f->server, TSP_SYNC_END), TSP_STATUS_MALFORMED);
	assert_non_null(find(f, 1024));
	/* The next whole announcement does. */
	assert_int_equal(mark(f, &f->server, TSP_SYNC_BEGIN), TSP_STATUS_OK);
	assert_int_equal(mark(f, &f->server, TSP_SYNC_END), TSP_STATUS_OK);
	assert_null(find(f, 1024));
}

#define MANY 10000 /* more than one slice */

/* One port each, of addresses from SHARED on, by number. */
static enum tsp_status create_many(struct fixture *f, uint32_t i, const char *client)
{
	struct tsp_msg msg = request(TSP_ACTION_CREATE, client, 1, 1);

	msg.client.v4 += i / 64;
	msg.client.ranges[0].first = msg.client.ranges[0].last = i % 64 * 1024;
	return apply(f, &msg);
}

/* S1: no packet and no other server waits for the removal of what a list did not name. */
static void a_large_table_gets_level_in_slices(void **state)
{
	struct fixture *f = *state;
	struct dp_bindings_params params = {
		.max_bindings = MANY + 16, .max_readers = 1, .socket = SOCKET_ID_ANY};
	uint32_t slices = 0, left, kept = 0;

	dp_bindings_destroy(f->sync.table);
	f->sync.table = dp_bindings_create(&params);
	assert_non_null(f->sync.table);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(create_many(f, i, CLIENT), TSP_STATUS_OK);
	assert_int_equal(mark(f, &f->server, TSP_SYNC_BEGIN), TSP_STATUS_OK);
	for (uint32_t i = 0; i < MANY; i += 10, kept++)
		assert_int_equal(create_many(f, i, CLIENT), TSP_STATUS_OK);
	assert_int_equal(mark(f, &f->server, TSP_SYNC_END), TSP_STATUS_OK);
	assert_true(f->server.sweeping);
	left = count(f);
	assert_in_range(left, MANY / 2, MANY - 1);

	/* What is new stays, whenever it came; what is left over gives way to it. */
	assert_int_equal(create_many(f, MANY - 1, OTHER), TSP_STATUS_OK);
	assert_int_equal(create_many(f, MANY - 10, OTHER), TSP_STATUS_TEP_ERROR); /* was named */
	assert_int_equal(mark(f, &f->server, TSP_SYNC_BEGIN), TSP_STATUS_OK);
	for (; f->server.sweeping; slices++)
		tep_sync_sweep(&f->sync, &f->server);
	assert_in_range(slices, 1, 10);
	assert_int_equal(count(f), kept + 1);
	assert_int_equal(create_many(f, MANY - 1, CLIENT), TSP_STATUS_TEP_ERROR);
}

static void add_dormant(struct fixture *f, uint16_t owner, uint16_t first, uint16_t last)
{
	const struct dp_binding binding = {
		.tep_v6 = v6(TEP),
		.client_v6 = v6(CLIENT),
		.v4_be = rte_cpu_to_be_32(SHARED),
		.first = first,
		.last = last,
		.dormant_end_s = NOW_S + LIFETIME_S,
		.owner = owner,
		.is_dormant = 1,
	};

	assert_int_equal(dp_bindings_add(f->sync.table, &binding), 0);
}

/* R30, S1: after a restart nothing is in force that its server does not say again. */
static void a_list_wakes_what_it_names_and_removes_the_rest(void **state)
{
	struct fixture *f = *state;

	add_dormant(f, 1, 1024, 2047);
	add_dormant(f, 1, 2048, 3071);
	add_dormant(f, 2, 4096, 5119);
	assert_int_equal(mark(f, &f->server, TSP_SYNC_BEGIN), TSP_STATUS_OK);
	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_false(find(f, 1024)->is_dormant);
	assert_true(find(f, 2048)->is_dormant);
	assert_false(f->server.is_level);
	assert_int_equal(mark(f, &f->server, TSP_SYNC_END), TSP_STATUS_OK);
	assert_true(f->server.is_level);
	assert_null(find(f, 2048));
	assert_true(find(f, 4096)->is_dormant);
	assert_int_equal(delete_range(f, CLIENT, 4096, 5119), TSP_STATUS_OK);
	assert_int_equal(count(f), 1);
}

static void a_dormant_binding_gives_way_to_its_own_servers_word_alone(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg msg = request(TSP_ACTION_CREATE, OTHER, 1024, 2047);

	add_dormant(f, 2, 1024, 2047);
	assert_int_equal(apply(f, &msg), TSP_STATUS_TEP_ERROR);
	assert_true(find(f, 1024)->is_dormant);
	assert_int_equal(apply_at(f, &f->second, &msg, NOW_S), TSP_STATUS_OK);
	assert_int_equal(find(f, 1024)->end_s, NOW_S + LIFETIME_S);
	assert_int_equal(count(f), 1);
}

static struct tsp_msg list(enum tsp_sync sync, uint8_t depth, uint16_t number)
{
	return (struct tsp_msg){.action = TSP_ACTION_LIST, .sync = sync, .node = {depth, number}};
}

static enum tsp_status mark_leaf(struct fixture *f, enum tsp_sync sync, uint32_t leaf)
{
	struct tsp_msg msg = list(sync, DIGEST_DEPTH, leaf);

	return apply(f, &msg);
}

static void sweep(struct fixture *f)
{
	while (f->server.sweeping)
		tep_sync_sweep(&f->sync, &f->server);
}

/* The numbers of its own bindings, from the root down to the leaf. */
static void a_tep_tells_digests_of_what_the_server_has_announced(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg create = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047), ask;
	uint32_t leaf = digest_leaf(SHARED);
	struct lease lease;

	create.until_s = 1000;
	assert_int_equal(apply(f, &create), TSP_STATUS_OK);
	add_static(f, CLIENT, 2048, 3071);
	create = request(TSP_ACTION_CREATE, CLIENT, 4096, 5119);
	assert_int_equal(apply_at(f, &f->second, &create, NOW_S), TSP_STATUS_OK);
	create = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047);
	create.until_s = 1000;
	assert_int_equal(tsp_msg_to_lease(&create, 0, &lease), TSP_STATUS_NONE);
	for (uint8_t depth = 0; depth < DIGEST_DEPTH; depth++) {
		ask = list(TSP_SYNC_DIGEST, depth, leaf >> 4 * (DIGEST_DEPTH - depth));
		assert_int_equal(apply(f, &ask), TSP_STATUS_OK);
		assert_int_equal(f->answer.action, TSP_ACTION_INFO);
		assert_int_equal(f->answer.node.depth, depth);
		assert_int_equal(f->answer.n_digests, DIGEST_FANOUT);
		assert_true(f->answer.digests[leaf >> 4 * (DIGEST_DEPTH - 1 - depth) & 15] ==
			    digest_lease(&lease));
	}
	ask = list(TSP_SYNC_DIGEST, DIGEST_DEPTH, leaf);
	assert_int_equal(apply(f, &ask), TSP_STATUS_MALFORMED);
}

/* S1: what the list of a leaf does not name goes; other leaves and other servers' are not touched. */
static void a_list_of_a_leaf_is_about_that_leaf(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg other = request(TSP_ACTION_CREATE, CLIENT, 1024, 2047);
	struct tsp_msg second = request(TSP_ACTION_CREATE, CLIENT, 8192, 9215);
	uint32_t leaf = digest_leaf(SHARED);

	other.client.v4++;
	assert_int_not_equal(digest_leaf(other.client.v4), leaf);
	assert_int_equal(apply(f, &other), TSP_STATUS_OK);
	assert_int_equal(apply_at(f, &f->second, &second, NOW_S), TSP_STATUS_OK);
	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(create_range(f, CLIENT, 2048, 3071), TSP_STATUS_OK);
	assert_int_equal(mark_leaf(f, TSP_SYNC_BEGIN, leaf), TSP_STATUS_OK);
	assert_int_equal(mark_leaf(f, TSP_SYNC_BEGIN, leaf + 1), TSP_STATUS_OK);
	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(count(f), 4);
	assert_int_equal(mark_leaf(f, TSP_SYNC_END, leaf + 1), TSP_STATUS_OK);
	sweep(f);
	assert_int_equal(count(f), 4);
	assert_int_equal(mark_leaf(f, TSP_SYNC_END, leaf), TSP_STATUS_OK);
	sweep(f);
	assert_int_equal(count(f), 3);
	assert_null(find(f, 2048));
	assert_int_equal(f->server.counts.leaves_listed, 2);
	assert_false(f->server.is_level);
}

/* A new holder does not wait for the table to be looked through. */
static void what_a_leafs_list_did_not_name_gives_way_at_once(void **state)
{
	struct fixture *f = *state;
	uint32_t leaf = digest_leaf(SHARED);

	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(mark_leaf(f, TSP_SYNC_BEGIN, leaf), TSP_STATUS_OK);
	assert_int_equal(create_range(f, OTHER, 1024, 2047), TSP_STATUS_TEP_ERROR);
	assert_int_equal(mark_leaf(f, TSP_SYNC_END, leaf), TSP_STATUS_OK);
	assert_int_equal(create_range(f, OTHER, 1024, 2047), TSP_STATUS_OK);
	sweep(f);
	assert_int_equal(count(f), 1);
}

static void a_leafs_list_that_breaks_off_removes_nothing(void **state)
{
	struct fixture *f = *state;
	uint32_t leaf = digest_leaf(SHARED);

	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(mark_leaf(f, TSP_SYNC_END, leaf), TSP_STATUS_MALFORMED);
	assert_int_equal(mark_leaf(f, TSP_SYNC_BEGIN, leaf), TSP_STATUS_OK);
	tep_sync_session_starts(&f->server);
	assert_int_equal(mark_leaf(f, TSP_SYNC_END, leaf), TSP_STATUS_MALFORMED);
	sweep(f);
	assert_int_equal(count(f), 1);
}

/* A wrong digest removes nothing, and a mark for something between table and leaf is none. */
static void only_a_list_removes(void **state)
{
	static const enum tsp_sync marks[] = {
		TSP_SYNC_DIGEST, TSP_SYNC_LEVEL, TSP_SYNC_BEGIN, TSP_SYNC_END};
	struct fixture *f = *state;
	struct tsp_msg msg;

	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	for (size_t i = 0; i < RTE_DIM(marks); i++) {
		msg = list(marks[i], marks[i] == TSP_SYNC_DIGEST ? 0 : 1, 0);
		msg.n_digests = 1;
		msg.digests[0] = 17;
		msg.has_differs = true;
		assert_int_equal(apply(f, &msg),
			marks[i] == TSP_SYNC_DIGEST ? TSP_STATUS_OK : TSP_STATUS_MALFORMED);
	}
	sweep(f);
	assert_int_equal(count(f), 1);
	assert_true(f->server.word.is_known && f->server.word.differs);
	assert_true(f->server.word.digest == 17);
	assert_false(f->server.is_level);
}

/* R30: what digests have shown to be equal needs no create to be in force again. */
static void level_wakes_what_was_not_refuted(void **state)
{
	struct fixture *f = *state;
	struct tsp_msg level = list(TSP_SYNC_LEVEL, 0, 0);
	uint32_t leaf = digest_leaf(SHARED);

	struct tsp_msg ask = list(TSP_SYNC_DIGEST, 0, 0);

	add_dormant(f, 1, 1024, 2047);
	add_dormant(f, 1, 2048, 3071);
	add_dormant(f, 2, 4096, 5119);
	tep_sync_session_starts(&f->server);
	assert_int_equal(apply(f, &ask), TSP_STATUS_OK);
	assert_true(f->server.is_comparing);
	assert_int_equal(mark_leaf(f, TSP_SYNC_BEGIN, leaf), TSP_STATUS_OK);
	assert_int_equal(create_range(f, CLIENT, 1024, 2047), TSP_STATUS_OK);
	assert_int_equal(mark_leaf(f, TSP_SYNC_END, leaf), TSP_STATUS_OK);
	assert_int_equal(apply(f, &level), TSP_STATUS_OK);
	assert_true(f->server.is_level);
	assert_int_equal(apply(f, &ask), TSP_STATUS_OK);
	assert_false(f->server.is_comparing);
	sweep(f);
	assert_null(find(f, 2048));
	assert_true(find(f, 4096)->is_dormant);
	assert_int_equal(apply_at(f, &f->second, &level, NOW_S), TSP_STATUS_OK);
	while (f->second.sweeping)
		tep_sync_sweep(&f->sync, &f->second);
	assert_false(find(f, 4096)->is_dormant);
	assert_int_equal(find(f, 4096)->end_s, NOW_S + LIFETIME_S);
}

static void what_a_tep_does_not_do_is_malformed(void **state)
{
	static const struct tsp_msg messages[] = {
		{.action = TSP_ACTION_NONE, .status = TSP_STATUS_OK},
		{.action = TSP_ACTION_INFO},
		{.action = TSP_ACTION_QUERY},
		{.action = TSP_ACTION_ACCEPT},
		{.action = TSP_ACTION_REJECT},
		{.action = TSP_ACTION_LIST},
		{.action = TSP_ACTION_LIST, .sync = TSP_SYNC_END},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < RTE_DIM(messages); i++)
		assert_int_equal(apply(f, &messages[i]), TSP_STATUS_MALFORMED);
	assert_int_equal(f->server.counts.refused, RTE_DIM(messages));
}

#define SYNC_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SYNC_TEST(create_places_every_range_and_tells_the_tunnel_addresses),
		SYNC_TEST(create_without_ports_is_an_exclusive_address),
		SYNC_TEST(create_may_name_another_tunnel_address_of_ours_or_none),
		SYNC_TEST(create_refuses_what_is_not_a_binding_of_ours),
		SYNC_TEST(the_same_create_again_is_a_renewal),
		SYNC_TEST(an_end_is_rounded_to_the_nearest_second),
		SYNC_TEST(create_of_ports_that_another_client_holds_is_refused),
		SYNC_TEST(create_is_all_or_nothing),
		SYNC_TEST(a_full_table_refuses_and_keeps_what_it_has),
		SYNC_TEST(a_binding_that_ended_gives_way_before_it_is_swept),
		SYNC_TEST(the_end_never_wraps),
		SYNC_TEST(a_server_can_confirm_a_static_binding_but_not_touch_it),
		SYNC_TEST(a_refused_create_leaves_a_static_binding_alone),
		SYNC_TEST(delete_removes_the_ranges_of_their_holder),
		SYNC_TEST(delete_without_ports_removes_all_that_the_client_holds),
		SYNC_TEST(delete_of_what_is_not_there_is_harmless),
		SYNC_TEST(getting_level_removes_what_was_not_named),
		SYNC_TEST(getting_level_leaves_another_servers_bindings_alone),
		SYNC_TEST(a_binding_that_a_second_server_confirms_becomes_its_own),
		SYNC_TEST(a_session_that_breaks_off_removes_nothing),
		SYNC_TEST(a_large_table_gets_level_in_slices),
		SYNC_TEST(a_list_wakes_what_it_names_and_removes_the_rest),
		SYNC_TEST(a_dormant_binding_gives_way_to_its_own_servers_word_alone),
		SYNC_TEST(a_tep_tells_digests_of_what_the_server_has_announced),
		SYNC_TEST(a_list_of_a_leaf_is_about_that_leaf),
		SYNC_TEST(what_a_leafs_list_did_not_name_gives_way_at_once),
		SYNC_TEST(a_leafs_list_that_breaks_off_removes_nothing),
		SYNC_TEST(only_a_list_removes),
		SYNC_TEST(level_wakes_what_was_not_refuted),
		SYNC_TEST(what_a_tep_does_not_do_is_malformed),
	};

	if (test_eal_start(128) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
