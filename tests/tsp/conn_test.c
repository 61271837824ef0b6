// SPDX-License-Identifier: BSD-3-Clause
/* Our initiator against our responder, over loopback sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "rig.h"

#include <errno.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_session_with_anonymous, setup, teardown),
		cmocka_unit_test_setup_teardown(a_session_with_digest_md5, setup, teardown),
		cmocka_unit_test_setup_teardown(a_session_with_scram_sha_256, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
