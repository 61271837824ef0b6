// SPDX-License-Identifier: BSD-3-Clause
/*
 * Servers' sessions over real sockets: both ends run on one event loop, against a real table.
 */
#include "control/session.h"
#include "common/log.h"
#include "support/eal.h"
#include "tsp/tsp_conn.h"

#include <event2/event.h>

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SHARED 0xc6336407 /* 198.51.100.7 */
#define NOW_MS 1000000

static const struct tep_server_params servers[] = {
	{.name = "server1", .password = "first secret"},
	{.name = "server2", .password = "second secret"},
};

struct fixture {
	struct event_base *base;
	struct dp_bindings *table;
	struct in6_addr tep_v6;
	struct tep_sessions *sessions;
	struct addr_endpoint endpoint;
};

/* The server's end of a session. */
struct peer {
	struct tsp_auth auth;
	struct tsp_conn *conn;
	bool is_ready;
	bool is_closed;
	enum tsp_close_reason reason;
	uint32_t n_answers;
	struct tsp_msg answers[8];
};

static int64_t now_ms(void *arg)
{
	return NOW_MS;
}

static int set_up(void **state)
{
	static const struct dp_bindings_params table_params = {
		.max_bindings = 16, .max_readers = 1, .socket = SOCKET_ID_ANY};
	struct fixture *f = calloc(1, sizeof(*f));
	struct tep_sessions_params params;

	assert_non_null(f);
	f->base = event_base_new();
	f->table = dp_bindings_create(&table_params);
	assert_non_null(f->table);
	assert_int_equal(addr_v6_parse("2001:db8::1", &f->tep_v6), 0);
	params = (struct tep_sessions_params){
		.base = f->base,
		.listen = {.addr = IN6ADDR_LOOPBACK_INIT},
		.servers = servers,
		.n_servers = RTE_DIM(servers),
		.sync = {.table = f->table,
			.tep_v6 = &f->tep_v6,
			.n_tep_v6 = 1,
			.tep_v4 = 0xc0000001},
		.now_ms = now_ms,
	};
	f->sessions = tep_sessions_create(&params);
	assert_non_null(f->sessions);
	assert_int_equal(tep_sessions_endpoint(f->sessions, &f->endpoint), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	tep_sessions_destroy(f->sessions);
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	event_base_free(f->base);
	dp_bindings_destroy(f->table);
	free(f);
	return 0;
}

static void on_ready(struct tsp_conn *conn, void *arg)
{
	struct peer *peer = arg;

	peer->is_ready = true;
}

static void on_message(struct tsp_conn *conn, const struct tsp_msg *msg, void *arg)
{
	struct peer *peer = arg;

	assert_true(peer->n_answers < RTE_DIM(peer->answers));
	peer->answers[peer->n_answers++] = *msg;
}

static void on_closed(
	struct tsp_conn *conn, enum tsp_close_reason reason, const char *why, void *arg)
{
	struct peer *peer = arg;

	peer->is_closed = true;
	peer->reason = reason;
	peer->conn = NULL;
}

static const struct tsp_conn_ops peer_ops = {
	.ready = on_ready,
	.message = on_message,
	.closed = on_closed,
};

static void peer_connect(struct fixture *f, struct peer *peer, const char *user,
	const char *password, uint32_t mechanisms)
{
	struct tsp_conn_params params = {
		.base = f->base,
		.ops = &peer_ops,
		.arg = peer,
		.auth = &peer->auth,
		.limits = tsp_conn_default_limits,
		.generation = TSP_GENERATION_2,
	};

	*peer = (struct peer){
		.auth = {.mechanisms = mechanisms, .user = user, .password = password},
	};
	peer->conn = tsp_conn_connect(&params, &f->endpoint);
	assert_non_null(peer->conn);
}

/* Turns the loop until the condition holds; five seconds without it are a failure. */
#define run_until(f, condition)                                         \
	do {                                                            \
		struct timeval patience = {.tv_sec = 5};                \
		event_base_loopexit((f)->base, &patience);              \
		while (!(condition) && !event_base_got_exit((f)->base)) \
			event_base_loop((f)->base, EVLOOP_ONCE);        \
		assert_true(condition);                                 \
	} while (0)

static void peer_ready(struct fixture *f, struct peer *peer, uint32_t server)
{
	peer_connect(f, peer, servers[server].name, servers[server].password,
		TSP_MECHANISM_SCRAM_SHA_256);
	run_until(f, peer->is_ready || peer->is_closed);
	assert_true(peer->is_ready);
}

static void peer_close(struct fixture *f, struct peer *peer)
{
	if (peer->conn != NULL)
		tsp_conn_close(peer->conn);
	run_until(f, peer->is_closed);
}

static void send_range(struct peer *peer, enum tsp_action action, uint16_t first, uint16_t last)
{
	struct tsp_msg msg = {
		.action = action,
		.has_lifetime = action == TSP_ACTION_CREATE,
		.lifetime_s = 60,
		.client = {.present = true,
			.has_v4 = true,
			.v4 = SHARED,
			.n_v6 = 1,
			.has_ports = true,
			.n_ranges = 1,
			.ranges = {{.first = first, .last = last}}},
	};

	assert_int_equal(addr_v6_parse("2001:db8:1::17", &msg.client.v6[0]), 0);
	assert_int_equal(tsp_conn_send(peer->conn, &msg), 0);
}

static void send_mark(struct peer *peer, enum tsp_sync sync)
{
	struct tsp_msg msg = {.action = TSP_ACTION_LIST, .sync = sync};

	assert_int_equal(tsp_conn_send(peer->conn, &msg), 0);
}

static struct tep_server_status status(const struct fixture *f, uint32_t server)
{
	struct tep_server_status rows[RTE_DIM(servers)];

	assert_int_equal(tep_sessions_status(f->sessions, rows, RTE_DIM(rows)), RTE_DIM(servers));
	return rows[server];
}

/* R86, S36 */
static void a_configured_server_authenticates_by_either_mechanism(void **state)
{
	static const uint32_t mechanisms[] = {
		TSP_MECHANISM_SCRAM_SHA_256, TSP_MECHANISM_DIGEST_MD5};
	struct fixture *f = *state;
	struct peer peer;

	for (size_t i = 0; i < RTE_DIM(mechanisms); i++) {
		peer_connect(f, &peer, "server1", "first secret", mechanisms[i]);
		run_until(f, peer.is_ready || peer.is_closed);
		assert_true(peer.is_ready);
		run_until(f, status(f, 0).connected);
		assert_false(status(f, 1).connected);
		peer_close(f, &peer);
		run_until(f, !status(f, 0).connected);
	}
}

/* R86 */
static void nobody_else_gets_in(void **state)
{
	static const struct {
		const char *user, *password;
		uint32_t mechanism;
	} strangers[] = {
		{"server1", "second secret", TSP_MECHANISM_SCRAM_SHA_256},
		{"server1", "second secret", TSP_MECHANISM_DIGEST_MD5},
		{"server1", "", TSP_MECHANISM_SCRAM_SHA_256},
		{"server3", "first secret", TSP_MECHANISM_SCRAM_SHA_256},
		{"server", "first secret", TSP_MECHANISM_DIGEST_MD5},
		{NULL, NULL, TSP_MECHANISM_ANONYMOUS},
	};
	struct fixture *f = *state;
	struct peer peer;

	for (size_t i = 0; i < RTE_DIM(strangers); i++) {
		peer_connect(
			f, &peer, strangers[i].user, strangers[i].password, strangers[i].mechanism);
		run_until(f, peer.is_ready || peer.is_closed);
		assert_false(peer.is_ready);
		assert_int_equal(peer.reason, TSP_CLOSE_AUTH);
		assert_false(status(f, 0).connected);
	}
}

/* R85, R89, R97: requests are pipelined, answers come in their order. */
static void requests_change_the_table_and_are_answered_in_order(void **state)
{
	struct fixture *f = *state;
	struct peer peer;

	peer_ready(f, &peer, 0);
	send_range(&peer, TSP_ACTION_CREATE, 1024, 2047);
	send_range(&peer, TSP_ACTION_CREATE, 1500, 1600);
	send_range(&peer, TSP_ACTION_DELETE, 3000, 3001);
	send_range(&peer, TSP_ACTION_DELETE, 1024, 2047);
	send_range(&peer, TSP_ACTION_CREATE, 4096, 5119);
	run_until(f, peer.n_answers == 5);
	assert_int_equal(peer.answers[0].status, TSP_STATUS_OK);
	assert_int_equal(peer.answers[0].action, TSP_ACTION_INFO);
	assert_int_equal(peer.answers[0].client.ranges[0].first, 1024);
	assert_true(addr_v6_equal(&peer.answers[0].server.v6[0], &f->tep_v6));
	assert_int_equal(peer.answers[1].code, 310);
	assert_int_equal(peer.answers[2].code, 301);
	assert_int_equal(peer.answers[3].status, TSP_STATUS_OK);
	assert_int_equal(peer.answers[4].client.ranges[0].first, 4096);
	assert_null(dp_bindings_find(f->table, SHARED, 1024));
	assert_non_null(dp_bindings_find(f->table, SHARED, 4096));
	assert_int_equal(status(f, 0).counts.creates, 2);
	assert_int_equal(status(f, 0).counts.deletes, 1);
	assert_int_equal(status(f, 0).counts.refused, 2);
	peer_close(f, &peer);
}

static void a_dropped_session_leaves_the_bindings(void **state)
{
	struct fixture *f = *state;
	struct peer peer;

	peer_ready(f, &peer, 0);
	send_range(&peer, TSP_ACTION_CREATE, 1024, 2047);
	send_mark(&peer, TSP_SYNC_BEGIN);
	run_until(f, peer.n_answers == 2);
	assert_true(status(f, 0).levelling);
	peer_close(f, &peer);
	run_until(f, !status(f, 0).connected);
	assert_non_null(dp_bindings_find(f->table, SHARED, 1024));

	/* Back again: the end of what an older session began means nothing. */
	peer_ready(f, &peer, 0);
	send_mark(&peer, TSP_SYNC_END);
	run_until(f, peer.n_answers == 1);
	assert_int_equal(peer.answers[0].status, TSP_STATUS_MALFORMED);
	assert_non_null(dp_bindings_find(f->table, SHARED, 1024));
	peer_close(f, &peer);
}

static void a_reconnected_server_gets_level(void **state)
{
	struct fixture *f = *state;
	struct peer peer;

	peer_ready(f, &peer, 0);
	send_range(&peer, TSP_ACTION_CREATE, 1024, 2047);
	send_range(&peer, TSP_ACTION_CREATE, 2048, 3071);
	run_until(f, peer.n_answers == 2);
	peer_close(f, &peer);
	peer_ready(f, &peer, 0);
	send_mark(&peer, TSP_SYNC_BEGIN);
	send_range(&peer, TSP_ACTION_CREATE, 2048, 3071);
	send_mark(&peer, TSP_SYNC_END);
	run_until(f, peer.n_answers == 3);
	assert_int_equal(peer.answers[2].status, TSP_STATUS_OK);
	assert_null(dp_bindings_find(f->table, SHARED, 1024));
	assert_non_null(dp_bindings_find(f->table, SHARED, 2048));
	peer_close(f, &peer);
}

static void a_newer_session_takes_the_place_of_an_older(void **state)
{
	struct fixture *f = *state;
	struct peer older, newer, other;

	peer_ready(f, &older, 0);
	peer_ready(f, &other, 1);
	peer_ready(f, &newer, 0);
	run_until(f, older.is_closed);
	assert_true(status(f, 0).connected);
	assert_true(status(f, 1).connected);
	send_range(&newer, TSP_ACTION_CREATE, 1024, 2047);
	run_until(f, newer.n_answers == 1);
	peer_close(f, &newer);
	peer_close(f, &other);
}

static int connect_silently(const struct fixture *f)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 sa;

	addr_endpoint_to_sockaddr(&f->endpoint, &sa);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void silent_connections_cannot_lock_a_server_out(void **state)
{
	struct fixture *f = *state;
	struct peer peer;
	int fds[40];

	for (size_t i = 0; i < RTE_DIM(fds); i++)
		fds[i] = connect_silently(f);
	peer_ready(f, &peer, 0);
	send_range(&peer, TSP_ACTION_CREATE, 1024, 2047);
	run_until(f, peer.n_answers == 1);
	for (size_t i = 0; i < RTE_DIM(fds); i++)
		close(fds[i]);
	peer_close(f, &peer);
}

static void the_end_of_the_tep_closes_its_sessions_and_leaves_the_bindings(void **state)
{
	struct fixture *f = *state;
	struct peer peer, stranger;

	peer_ready(f, &peer, 0);
	send_range(&peer, TSP_ACTION_CREATE, 1024, 2047);
	run_until(f, peer.n_answers == 1);
	peer_connect(f, &stranger, "server2", "second secret", TSP_MECHANISM_SCRAM_SHA_256);
	tep_sessions_destroy(f->sessions);
	f->sessions = NULL;
	run_until(f, peer.is_closed && stranger.is_closed);
	assert_non_null(dp_bindings_find(f->table, SHARED, 1024));
}

static void create_refuses_what_it_cannot_do(void **state)
{
	struct fixture *f = *state;
	struct tep_sessions_params params = {
		.base = f->base,
		.listen = f->endpoint,
		.n_servers = TEP_SERVERS_MAX + 1,
		.sync = {.table = f->table, .tep_v6 = &f->tep_v6, .n_tep_v6 = 1},
		.now_ms = now_ms,
	};

	assert_null(tep_sessions_create(&params));
	assert_int_equal(errno, EINVAL);
	params.n_servers = 0;
	assert_null(tep_sessions_create(&params));
	assert_int_equal(errno, EADDRINUSE);
	tep_sessions_destroy(NULL);
}

#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SESSION_TEST(a_configured_server_authenticates_by_either_mechanism),
		SESSION_TEST(nobody_else_gets_in),
		SESSION_TEST(requests_change_the_table_and_are_answered_in_order),
		SESSION_TEST(a_dropped_session_leaves_the_bindings),
		SESSION_TEST(a_reconnected_server_gets_level),
		SESSION_TEST(a_newer_session_takes_the_place_of_an_older),
		SESSION_TEST(silent_connections_cannot_lock_a_server_out),
		SESSION_TEST(the_end_of_the_tep_closes_its_sessions_and_leaves_the_bindings),
		SESSION_TEST(create_refuses_what_it_cannot_do),
	};

	log_set_level(LOG_LEVEL_ERR);
	if (test_eal_start(128) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
