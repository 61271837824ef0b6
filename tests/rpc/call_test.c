// SPDX-License-Identifier: BSD-3-Clause
/* Calls and replies against octets written by hand from RFC 5531 section 9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "rpc/rpc_call.h"
#include "rpc/rpc_packet.h"

#include <errno.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define W(n)   (uint8_t)((n) >> 24), (uint8_t)((n) >> 16), (uint8_t)((n) >> 8), (uint8_t)(n)
#define XID    W(0xcafe0001)
#define CALLED XID, W(0), W(2), W(0x20000d57), W(1), W(1) /* up to the procedure */
#define NONE   W(0), W(0)

#define OCTETS(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* stamp, machine "ab", uid, gid, no further groups */
#define SYS_BODY W(7), W(2), 'a', 'b', 0, 0, W(1000), W(100), W(0)
#define SYS      W(1), W(24), SYS_BODY

struct call_row {
	const char *what;
	const uint8_t *data;
	size_t len;
	int ret;
	enum rpc_outcome outcome; /* of -EPROTO */
	uint32_t why;
	size_t args_len; /* of 0 */
};

static const struct call_row call_rows[] = {
	{"no credentials", OCTETS(CALLED, NONE, NONE), 0},
	{"arguments", OCTETS(CALLED, NONE, NONE, W(1), W(2)), 0, .args_len = 8},
	{"AUTH_SYS", OCTETS(CALLED, SYS, NONE, W(1)), 0, .args_len = 4},
	{"AUTH_SYS with groups",
		OCTETS(CALLED, W(1), W(28), W(7), W(0), W(0), W(0), W(2), W(4), W(5), NONE), 0},
	{"a verifier of any kind", OCTETS(CALLED, NONE, W(3), W(4), W(9)), 0},
	{"RPC version 1", OCTETS(XID, W(0), W(1), W(0x20000d57), W(1), W(1), NONE, NONE), -EPROTO,
		RPC_OUTCOME_RPC_MISMATCH},
	{"RPC version 3, nothing behind it", OCTETS(XID, W(0), W(3)), -EPROTO,
		RPC_OUTCOME_RPC_MISMATCH},
	{"AUTH_SHORT", OCTETS(CALLED, W(2), W(0), NONE), -EPROTO, RPC_OUTCOME_AUTH_ERROR,
		RPC_WHY_REJECTEDCRED},
	{"RPCSEC_GSS", OCTETS(CALLED, W(6), W(4), W(1), NONE), -EPROTO, RPC_OUTCOME_AUTH_ERROR,
		RPC_WHY_REJECTEDCRED},
	{"AUTH_SYS without a body", OCTETS(CALLED, W(1), W(0), NONE), -EPROTO,
		RPC_OUTCOME_AUTH_ERROR, RPC_WHY_BADCRED},
	{"AUTH_SYS with octets too many", OCTETS(CALLED, W(1), W(28), SYS_BODY, W(0), NONE),
		-EPROTO, RPC_OUTCOME_AUTH_ERROR, RPC_WHY_BADCRED},
	{"AUTH_SYS with a name beyond its end",
		OCTETS(CALLED, W(1), W(24), W(7), W(200), 'a', 'b', 0, 0, W(1), W(1), W(0), NONE),
		-EPROTO, RPC_OUTCOME_AUTH_ERROR, RPC_WHY_BADCRED},
	{"AUTH_SYS with 17 groups",
		OCTETS(CALLED, W(1), W(88), W(7), W(0), W(1), W(1), W(17), W(0), W(0), W(0), W(0),
			W(0), W(0), W(0), W(0), W(0), W(0), W(0), W(0), W(0), W(0), W(0), W(0),
			W(0), NONE),
		-EPROTO, RPC_OUTCOME_AUTH_ERROR, RPC_WHY_BADCRED},
	{"AUTH_SYS with 4 milliard groups",
		OCTETS(CALLED, W(1), W(24), W(7), W(2), 'a', 'b', 0, 0, W(1), W(1), W(0xffffffff),
			NONE),
		-EPROTO, RPC_OUTCOME_AUTH_ERROR, RPC_WHY_BADCRED},
	{"a credential of 401 octets", OCTETS(CALLED, W(0), W(401), NONE, NONE, NONE), -EBADMSG},
	{"a credential of 4 GiB", OCTETS(CALLED, W(1), W(0xfffffffc), NONE, NONE), -EBADMSG},
	{"a credential that is cut", OCTETS(CALLED, W(0), W(12), W(1)), -EBADMSG},
	{"a verifier that is cut", OCTETS(CALLED, NONE, W(0), W(8), W(1)), -EBADMSG},
	{"no verifier", OCTETS(CALLED, NONE), -EBADMSG},
	{"no procedure", OCTETS(XID, W(0), W(2), W(0x20000d57), W(1)), -EBADMSG},
	{"a reply", OCTETS(XID, W(1), W(0), NONE, W(0)), -EBADMSG},
	{"a direction that nobody knows", OCTETS(XID, W(2), W(2), W(1), W(1), W(1), NONE, NONE),
		-EBADMSG},
	{"an xid alone", OCTETS(XID), -EBADMSG},
	{"three octets", OCTETS(1, 2, 3), -EBADMSG},
	{"an octet too many", OCTETS(CALLED, NONE, NONE, 0), -EBADMSG},
};

static void calls_are_read_or_refused(void **state)
{
	for (size_t i = 0; i < LEN(call_rows); i++) {
		const struct call_row *row = &call_rows[i];
		struct rpc_reply refusal = {0};
		struct rpc_call call = {0};

		if (rpc_call_read(row->data, row->len, &call, &refusal) != row->ret)
			fail_msg("%s: not %d", row->what, row->ret);
		if (row->ret == 0) {
			assert_int_equal(call.xid, 0xcafe0001);
			assert_int_equal(call.program, RPC_PROGRAM);
			assert_int_equal(call.version, 1);
			assert_int_equal(call.procedure, RPC_PROCEDURE_REQUEST);
			assert_int_equal(call.args_len, row->args_len);
			assert_ptr_equal(call.args, row->data + row->len - row->args_len);
		}
		if (row->ret == -EPROTO) {
			assert_int_equal(refusal.xid, 0xcafe0001);
			assert_int_equal(refusal.outcome, row->outcome);
			assert_int_equal(refusal.why, row->why);
		}
	}
}

static void nothing_and_too_much_are_no_call(void **state)
{
	static uint8_t data[RPC_MESSAGE_MAX + 4];
	struct rpc_reply refusal;
	struct rpc_call call;

	assert_int_equal(rpc_call_read(data, 0, &call, &refusal), -EBADMSG);
	assert_int_equal(rpc_call_read(data, sizeof(data), &call, &refusal), -EBADMSG);
}

/* Wherever it is cut, and wherever it stands in memory. */
static void a_call_that_is_cut_is_never_read_beyond_its_end(void **state)
{
	static const uint8_t whole[] = {CALLED, SYS, NONE};
	uint8_t copy[sizeof(whole) + 4];

	for (size_t len = 0; len < sizeof(whole); len++) {
		for (size_t at = 0; at < 4; at++) {
			struct rpc_reply refusal;
			struct rpc_call call;

			memcpy(copy + at, whole, len);
			assert_true(rpc_call_read(copy + at, len, &call, &refusal) < 0);
		}
	}
}

static void a_call_is_written_as_by_hand(void **state)
{
	static const uint8_t by_hand[] = {CALLED, NONE, NONE, W(0x01020304)};
	const struct rpc_call call = {.xid = 0xcafe0001,
		.program = RPC_PROGRAM,
		.version = 1,
		.procedure = RPC_PROCEDURE_REQUEST,
		.args = by_hand + sizeof(by_hand) - 4,
		.args_len = 4};
	uint8_t data[sizeof(by_hand)];

	assert_int_equal(rpc_call_write(&call, data, sizeof(data)), sizeof(by_hand));
	assert_memory_equal(data, by_hand, sizeof(by_hand));
	for (size_t size = 0; size < sizeof(by_hand); size++)
		assert_int_equal(rpc_call_write(&call, data, size), 0);
}

/* --- replies ------------------------------------------------------------------------------------- */

static const uint8_t results[] = {W(0x01020304), W(0x05060708)};

struct reply_row {
	struct rpc_reply reply;
	const uint8_t *data;
	size_t len;
};

static const struct reply_row reply_rows[] = {
	{{.outcome = RPC_OUTCOME_SUCCESS}, OCTETS(XID, W(1), W(0), NONE, W(0))},
	{{.outcome = RPC_OUTCOME_SUCCESS, .results = results, .results_len = sizeof(results)},
		OCTETS(XID, W(1), W(0), NONE, W(0), W(0x01020304), W(0x05060708))},
	{{.outcome = RPC_OUTCOME_PROG_UNAVAIL}, OCTETS(XID, W(1), W(0), NONE, W(1))},
	{{.outcome = RPC_OUTCOME_PROG_MISMATCH, .low = 1, .high = 3},
		OCTETS(XID, W(1), W(0), NONE, W(2), W(1), W(3))},
	{{.outcome = RPC_OUTCOME_PROC_UNAVAIL}, OCTETS(XID, W(1), W(0), NONE, W(3))},
	{{.outcome = RPC_OUTCOME_GARBAGE_ARGS}, OCTETS(XID, W(1), W(0), NONE, W(4))},
	{{.outcome = RPC_OUTCOME_SYSTEM_ERR}, OCTETS(XID, W(1), W(0), NONE, W(5))},
	{{.outcome = RPC_OUTCOME_RPC_MISMATCH, .low = 2, .high = 2},
		OCTETS(XID, W(1), W(1), W(0), W(2), W(2))},
	{{.outcome = RPC_OUTCOME_AUTH_ERROR, .why = RPC_WHY_REJECTEDCRED},
		OCTETS(XID, W(1), W(1), W(1), W(2))},
};

static void replies_are_written_as_by_hand(void **state)
{
	for (size_t i = 0; i < LEN(reply_rows); i++) {
		struct rpc_reply reply = reply_rows[i].reply;
		uint8_t data[64];

		reply.xid = 0xcafe0001;
		assert_int_equal(rpc_reply_write(&reply, data, sizeof(data)), reply_rows[i].len);
		assert_memory_equal(data, reply_rows[i].data, reply_rows[i].len);
		for (size_t size = 0; size < reply_rows[i].len; size++)
			assert_int_equal(rpc_reply_write(&reply, data, size), 0);
	}
}

static void replies_by_hand_are_read(void **state)
{
	for (size_t i = 0; i < LEN(reply_rows); i++) {
		const struct reply_row *row = &reply_rows[i];
		struct rpc_reply reply;

		assert_int_equal(rpc_reply_read(row->data, row->len, &reply), 0);
		assert_int_equal(reply.xid, 0xcafe0001);
		assert_int_equal(reply.outcome, row->reply.outcome);
		assert_int_equal(reply.low, row->reply.low);
		assert_int_equal(reply.high, row->reply.high);
		assert_int_equal(reply.why, row->reply.why);
		assert_int_equal(reply.results_len, row->reply.results_len);
		if (reply.results_len > 0)
			assert_memory_equal(reply.results, results, sizeof(results));
		assert_true(strlen(rpc_outcome_text(reply.outcome)) > 0);
	}
}

/* A row's data and length alone. */
static const struct call_row no_replies[] = {
	{"cut", OCTETS(XID)},
	{"a call", OCTETS(XID, W(0), W(0), NONE, W(0))},
	{"neither accepted nor denied", OCTETS(XID, W(1), W(2), NONE, W(0))},
	{"no status", OCTETS(XID, W(1), W(0), NONE)},
	{"a verifier of 401 octets", OCTETS(XID, W(1), W(0), W(0), W(401), W(0), W(0))},
	{"a verifier of 4 GiB", OCTETS(XID, W(1), W(0), W(0), W(0xffffffff), W(0))},
	{"half a mismatch", OCTETS(XID, W(1), W(0), NONE, W(2), W(1))},
	{"denied for no known reason", OCTETS(XID, W(1), W(1), W(7), W(2), W(2))},
	{"an octet too many", OCTETS(XID, W(1), W(0), NONE, W(0), 1)},
};

static void what_is_no_reply_is_refused(void **state)
{
	for (size_t i = 0; i < LEN(no_replies); i++) {
		struct rpc_reply reply;

		if (rpc_reply_read(no_replies[i].data, no_replies[i].len, &reply) != -EBADMSG)
			fail_msg("%s: was read", no_replies[i].what);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_are_read_or_refused),
		cmocka_unit_test(nothing_and_too_much_are_no_call),
		cmocka_unit_test(a_call_that_is_cut_is_never_read_beyond_its_end),
		cmocka_unit_test(a_call_is_written_as_by_hand),
		cmocka_unit_test(replies_are_written_as_by_hand),
		cmocka_unit_test(replies_by_hand_are_read),
		cmocka_unit_test(what_is_no_reply_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
