// SPDX-License-Identifier: BSD-3-Clause
/* Our initiator against our responder, over loopback sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "rig.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

static int setup(void **state)
{
	static struct rig rig;

	rig_open(&rig);
	*state = &rig;
	return 0;
}

static int teardown(void **state)
{
	rig_close(*state);
	return 0;
}

/* Both ready, one request there, one answer back, then the initiator closes. */
static void check_session(struct rig *rig, const char *user)
{
	struct tsp_msg msg = create_message(1440);

	rig->responder.answers = true;
	rig_connect(rig);
	rig_run_until(rig, &rig->initiator.is_ready);
	rig_run_until(rig, &rig->responder.is_ready);
	assert_string_equal(rig->responder.user, user);
	assert_int_equal(tsp_conn_send(rig->initiator.conn, &msg), 0);
	rig_run_messages(rig, &rig->initiator, 1);
	assert_int_equal(rig->responder.last.action, TSP_ACTION_CREATE);
	assert_int_equal(rig->responder.last.status, TSP_STATUS_NONE);
	assert_int_equal(rig->initiator.last.action, TSP_ACTION_INFO);
	assert_int_equal(rig->initiator.last.code, 200);
	assert_int_equal(rig->initiator.last.lifetime_s, 1440);
	tsp_conn_close(rig->initiator.conn);
	rig_run_until(rig, &rig->initiator.is_closed);
	rig_run_until(rig, &rig->responder.is_closed);
	assert_int_equal(rig->initiator.reason, TSP_CLOSE_LOCAL);
	assert_int_equal(rig->responder.reason, TSP_CLOSE_PEER);
}

/* R80 */
static void a_session_with_anonymous(void **state)
{
	struct rig *rig = *state;

	rig->initiator.auth.user = NULL;
	check_session(rig, "");
}

/* R33, S36 */
static void a_session_with_digest_md5(void **state)
{
	struct rig *rig = *state;

	rig->responder.auth.mechanisms = TSP_MECHANISM_DIGEST_MD5;
	check_session(rig, "alice");
}

/* S36 */
static void a_session_with_scram_sha_256(void **state)
{
	check_session(*state, "alice");
}

static void the_first_generation_speaks_the_same_session(void **state)
{
	struct rig *rig = *state;

	rig->initiator.params.generation = TSP_GENERATION_1;
	rig->responder.params.send_ok_to_v1 = true;
	check_session(rig, "alice");
}

/* R82 */
static void wrong_names_and_passwords_are_refused(void **state)
{
	static const struct {
		uint32_t mechanism;
		const char *user, *password;
	} rows[] = {
		{TSP_MECHANISM_DIGEST_MD5, "alice", "wrong"},
		{TSP_MECHANISM_DIGEST_MD5, "mallory", "secret"},
		{TSP_MECHANISM_SCRAM_SHA_256, "alice", "wrong"},
		{TSP_MECHANISM_SCRAM_SHA_256, "mallory", "secret"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig rig;

		rig_open(&rig);
		rig.initiator.auth.mechanisms = rows[i].mechanism;
		rig.initiator.auth.user = rows[i].user;
		rig.initiator.auth.password = rows[i].password;
		rig_connect(&rig);
		rig_run_until(&rig, &rig.initiator.is_closed);
		rig_run_until(&rig, &rig.responder.is_closed);
		assert_int_equal(rig.initiator.reason, TSP_CLOSE_AUTH);
		assert_int_equal(rig.responder.reason, TSP_CLOSE_PEER);
		assert_false(rig.initiator.is_ready);
		assert_false(rig.responder.is_ready);
		rig_close(&rig);
	}
}

/* ANONYMOUS never, where it is not allowed. */
static void a_nameless_peer_is_refused_where_names_are_due(void **state)
{
	struct rig *rig = *state;

	rig->responder.auth.mechanisms = TSP_MECHANISM_SCRAM_SHA_256;
	rig->initiator.auth.user = NULL;
	rig_connect(rig);
	rig_run_until(rig, &rig->initiator.is_closed);
	assert_int_equal(rig->initiator.reason, TSP_CLOSE_AUTH);
}

/* A thousand requests before the first answer is read: as many answers, in order. */
static void a_thousand_requests_are_answered_in_order(void **state)
{
	struct rig *rig = *state;

	rig->responder.answers = true;
	rig_connect(rig);
	rig_run_until(rig, &rig->initiator.is_ready);
	for (uint32_t i = 1; i <= 1000; i++) {
		struct tsp_msg msg = create_message(i);

		assert_int_equal(tsp_conn_send(rig->initiator.conn, &msg), 0);
	}
	for (uint32_t i = 1; i <= 1000; i += 111) {
		while (rig->initiator.n_messages < i)
			rig_run_ms(rig, 1);
		assert_int_equal(rig->initiator.last.lifetime_s, rig->initiator.n_messages);
	}
	rig_run_messages(rig, &rig->initiator, 1000);
	assert_int_equal(rig->initiator.last.lifetime_s, 1000);
}

/* More than the responder may hold back: it reads on when its answers have left. */
static void requests_beyond_the_output_limit_are_answered_too(void **state)
{
	struct rig *rig = *state;

	rig->responder.params.limits.output_max = 8192;
	a_thousand_requests_are_answered_in_order(state);
}

static void what_does_not_fit_the_output_drops_the_peer(void **state)
{
	struct rig *rig = *state;
	struct tsp_msg msg = create_message(60);
	unsigned int sent = 0;
	int rc = 0;

	rig->initiator.params.limits.output_max = 8192;
	rig_connect(rig);
	rig_run_until(rig, &rig->initiator.is_ready);
	while (rc == 0 && sent++ < 1000)
		rc = tsp_conn_send(rig->initiator.conn, &msg);
	assert_int_equal(rc, -ENOBUFS);
	assert_in_range(sent, 20, 100);
	assert_int_equal(tsp_conn_send(rig->initiator.conn, &msg), -ENOTCONN);
	rig_run_until(rig, &rig->initiator.is_closed);
	assert_int_equal(rig->initiator.reason, TSP_CLOSE_TIMEOUT);
}

/* A close flushes: what was queued before it arrives. */
static void queued_messages_leave_before_the_close(void **state)
{
	struct rig *rig = *state;

	rig_connect(rig);
	rig_run_until(rig, &rig->responder.is_ready);
	rig_run_until(rig, &rig->initiator.is_ready);
	for (uint32_t i = 1; i <= 500; i++) {
		struct tsp_msg msg = create_message(i);

		assert_int_equal(tsp_conn_send(rig->responder.conn, &msg), 0);
	}
	tsp_conn_close(rig->responder.conn);
	tsp_conn_close(rig->responder.conn);
	rig_run_until(rig, &rig->initiator.is_closed);
	rig_run_until(rig, &rig->responder.is_closed);
	assert_int_equal(rig->initiator.n_messages, 500);
	assert_int_equal(rig->initiator.last.lifetime_s, 500);
	assert_int_equal(rig->initiator.reason, TSP_CLOSE_PEER);
	assert_int_equal(rig->responder.reason, TSP_CLOSE_LOCAL);
}

/* More than the socket takes: the first go straight to it, one of them in part, the others wait. */
static void messages_to_a_full_socket_arrive_whole(void **state)
{
	struct rig *rig = *state;
	uint32_t n = 0;

	rig_connect(rig);
	rig_run_until(rig, &rig->responder.is_ready);
	rig_run_until(rig, &rig->initiator.is_ready);
	while (n < 200000 && tsp_conn_queued(rig->responder.conn) < 10000) {
		struct tsp_msg msg = create_message(++n);

		assert_int_equal(tsp_conn_send(rig->responder.conn, &msg), 0);
	}
	assert_in_range(tsp_conn_queued(rig->responder.conn), 10000, 20000);
	rig_run_messages(rig, &rig->initiator, n);
	assert_int_equal(rig->initiator.last.lifetime_s, n);
	assert_int_equal(tsp_conn_queued(rig->responder.conn), 0);
}

/* Closing from inside any callback, on either side. */
static void callbacks_may_close(void **state)
{
	for (unsigned int i = 0; i < 4; i++) {
		struct tsp_msg msg = create_message(60);
		struct rig rig;
		struct side *closer;

		rig_open(&rig);
		closer = i % 2 == 0 ? &rig.initiator : &rig.responder;
		closer->closes_on_ready = i < 2;
		closer->closes_on_message = i >= 2;
		rig.responder.answers = true;
		rig_connect(&rig);
		if (i >= 2) {
			rig_run_until(&rig, &rig.initiator.is_ready);
			for (unsigned int k = 0; k < 3; k++)
				tsp_conn_send(rig.initiator.conn, &msg);
		}
		rig_run_until(&rig, &rig.initiator.is_closed);
		rig_run_until(&rig, &rig.responder.is_closed);
		assert_int_equal(closer->reason, TSP_CLOSE_LOCAL);
		assert_in_range(closer->n_messages, 0, 1);
		rig_close(&rig);
	}
}

static void a_close_before_anything_else_is_a_close(void **state)
{
	struct rig *rig = *state;

	rig_connect(rig);
	tsp_conn_close(rig->initiator.conn);
	tsp_conn_close(rig->responder.conn);
	rig_run_until(rig, &rig->initiator.is_closed);
	rig_run_until(rig, &rig->responder.is_closed);
	assert_int_equal(rig->initiator.reason, TSP_CLOSE_LOCAL);
	assert_int_equal(rig->responder.reason, TSP_CLOSE_LOCAL);
}

static void a_connection_knows_its_ends(void **state)
{
	struct rig *rig = *state;
	struct in6_addr local;

	rig_connect(rig);
	rig_run_until(rig, &rig->initiator.is_ready);
	assert_int_equal(tsp_conn_local(rig->initiator.conn, &local), 0);
	assert_true(addr_v6_equal(&local, &in6addr_loopback));
	assert_int_equal(tsp_conn_peer(rig->initiator.conn)->port, rig->at.port);
	assert_int_equal(tsp_conn_generation(rig->initiator.conn), TSP_GENERATION_2);
}

/* A sender without end paces itself by the drained callback. */
static unsigned int n_drained;

static void on_drained(struct tsp_conn *conn, void *arg)
{
	struct tsp_msg msg = create_message(60);

	if (n_drained++ < 50)
		assert_int_equal(tsp_conn_send(conn, &msg), 0);
}

static void the_drained_callback_paces_a_sender(void **state)
{
	struct rig *rig = *state;
	struct tsp_msg first = create_message(60);
	static struct tsp_conn_ops ops;

	n_drained = 0;
	ops = *rig->initiator.params.ops;
	ops.drained = on_drained;
	rig->initiator.params.ops = &ops;
	rig_connect(rig);
	rig_run_until(rig, &rig->initiator.is_ready);
	assert_int_equal(tsp_conn_send(rig->initiator.conn, &first), 0);
	rig_run_messages(rig, &rig->responder, 51);
	tsp_conn_close(rig->initiator.conn);
	rig_run_until(rig, &rig->initiator.is_closed);
}

static struct ssl_ctx_st *tls_context(bool is_server)
{
	SSL_CTX *ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	assert_true(X509_set_version(cert, X509_VERSION_3));
	assert_true(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1));
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	assert_true(X509_set_pubkey(cert, key));
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	if (is_server) {
		assert_true(SSL_CTX_use_certificate(ctx, cert));
		assert_true(SSL_CTX_use_PrivateKey(ctx, key));
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

static void a_session_over_tls(void **state)
{
	struct rig *rig = *state;
	struct ssl_ctx_st *client = tls_context(false), *server = tls_context(true);

	rig->initiator.params.tls = client;
	rig->responder.params.tls = server;
	check_session(rig, "alice");
	SSL_CTX_free(client);
	SSL_CTX_free(server);
}

/* Plain TSP to a TLS port, and TLS to a plain one. */
static void tls_on_one_side_alone_fails_cleanly(void **state)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct ssl_ctx_st *tls = tls_context(i == 0);
		struct rig rig;
		struct side *side;

		rig_open(&rig);
		side = i == 0 ? &rig.responder : &rig.initiator;
		side->params.tls = tls;
		rig_connect(&rig);
		rig_run_until(&rig, &rig.initiator.is_closed);
		rig_run_until(&rig, &rig.responder.is_closed);
		assert_false(rig.initiator.is_ready);
		assert_int_equal(side->reason, i == 0 ? TSP_CLOSE_PROTOCOL : TSP_CLOSE_CONNECT);
		rig_close(&rig);
		SSL_CTX_free(tls);
	}
}

static int group_setup(void **state)
{
	signal(SIGPIPE, SIG_IGN); /* as every daemon does */
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_session_with_anonymous),
		TEST(a_session_with_digest_md5),
		TEST(a_session_with_scram_sha_256),
		TEST(the_first_generation_speaks_the_same_session),
		TEST(wrong_names_and_passwords_are_refused),
		TEST(a_nameless_peer_is_refused_where_names_are_due),
		TEST(a_thousand_requests_are_answered_in_order),
		TEST(requests_beyond_the_output_limit_are_answered_too),
		TEST(what_does_not_fit_the_output_drops_the_peer),
		TEST(queued_messages_leave_before_the_close),
		TEST(messages_to_a_full_socket_arrive_whole),
		TEST(callbacks_may_close),
		TEST(a_close_before_anything_else_is_a_close),
		TEST(a_connection_knows_its_ends),
		TEST(the_drained_callback_paces_a_sender),
		TEST(a_session_over_tls),
		TEST(tls_on_one_side_alone_fails_cleanly),
#undef TEST
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
