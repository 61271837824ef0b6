// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a stranger sends over RPC. The first octet says how: one message, or a stream in pieces of that many octets. A stream gives the
 * same records whatever its pieces; each message is read as a call, as a reply and as an answer of rpcbind, and what was
 * understood is the same after it was written and read again.
 */
#include "rpc/rpc_bind.h"
#include "rpc/rpc_call.h"
#include "rpc/rpc_packet.h"
#include "rpc/rpc_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void check_args(const uint8_t *data, size_t len)
{
	uint8_t again[RPC_PACKET_SIZE];
	struct rpc_packet packet;

	if (rpc_packet_read(data, len, &packet) < 0)
		return;
	rpc_packet_write(&packet, again);
	check(memcmp(data, again, sizeof(again)) == 0);
}

static void check_call(const uint8_t *data, size_t len)
{
	uint8_t bytes[RPC_MESSAGE_MAX];
	struct rpc_reply refusal, no_refusal;
	struct rpc_call call, again;
	int ret = rpc_call_read(data, len, &call, &refusal);
	size_t written;

	check(ret == 0 || ret == -EBADMSG || ret == -EPROTO);
	if (ret == -EPROTO)
		check(rpc_reply_write(&refusal, bytes, sizeof(bytes)) > 0);
	if (ret < 0)
		return;
	check(call.args >= data && call.args + call.args_len == data + len);
	check_args(call.args, call.args_len);
	written = rpc_call_write(&call, bytes, sizeof(bytes));
	check(written > 0 && rpc_call_read(bytes, written, &again, &no_refusal) == 0);
	check(again.xid == call.xid && again.program == call.program &&
		again.version == call.version && again.procedure == call.procedure);
	check(again.args_len == call.args_len && memcmp(again.args, call.args, call.args_len) == 0);
}

static void check_reply(const uint8_t *data, size_t len)
{
	uint8_t bytes[RPC_MESSAGE_MAX];
	struct rpc_reply reply, again;
	size_t written;

	if (rpc_reply_read(data, len, &reply) < 0)
		return;
	check(reply.results_len <= len);
	rpc_bind_read_done(&reply);
	rpc_bind_read_port(&reply);
	check_args(reply.results, reply.results_len);
	check(rpc_outcome_text(reply.outcome)[0] != '\0');
	written = rpc_reply_write(&reply, bytes, sizeof(bytes));
	check(written > 0 && rpc_reply_read(bytes, written, &again) == 0);
	check(again.outcome == reply.outcome && again.results_len == reply.results_len);
	check(again.low == reply.low && again.high == reply.high && again.why == reply.why);
}

static void check_message(const uint8_t *data, size_t len)
{
	/* Exactly as long, for the sanitizer to see what is read behind it. */
	uint8_t *copy = malloc(len > 0 ? len : 1);

	check(copy != NULL);
	memcpy(copy, data, len);
	check_call(copy, len);
	check_reply(copy, len);
	free(copy);
}

/* A sum over the records of a stream; the last summand says how it ended. */
static uint64_t run(const uint8_t *data, size_t len, size_t piece, bool looks)
{
	struct rpc_record record = {0};
	uint64_t sum = 0;
	int ret = 0;

	while (len > 0 && ret >= 0) {
		size_t n = len < piece ? len : piece, used;

		ret = rpc_record_take(&record, data, n, &used);
		check(used <= n && (ret != 0 || used == n) && record.len <= RPC_MESSAGE_MAX);
		if (ret == 1) {
			for (size_t i = 0; i < record.len; i++)
				sum = sum * 31 + record.data[i];
			sum = sum * 31 + record.len;
			if (looks)
				check_message(record.data, record.len);
			rpc_record_clear(&record);
		}
		data += used;
		len -= used;
	}
	return sum * 31 + (uint64_t)(ret < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == 0)
		check_message(data + 1, size - 1);
	else
		check(run(data + 1, size - 1, SIZE_MAX, true) ==
			run(data + 1, size - 1, data[0], false));
	return 0;
}
