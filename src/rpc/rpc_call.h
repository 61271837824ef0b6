// SPDX-License-Identifier: BSD-3-Clause
/*
 * Calls and replies of ONC RPC version 2 (RFC 5531): bytes to values and back, by the XDR codecs of libtirpc. What goes
 * round the arguments is here; sockets are elsewhere, and nothing of libtirpc's client and server
 * side is used, since those block.
 *
 * Credentials: AUTH_NONE and AUTH_SYS are read, within their bounds; AUTH_SYS is a claim that proves nothing. Any other
 * flavour is refused, as there is nobody to check it. Pure, and allocates nothing.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define RPC_MESSAGE_MAX \
	1024 /* octets: the heads with full credentials, and any arguments of ours */

struct rpc_call {
	uint32_t xid;
	uint32_t program;
	uint32_t version;
	uint32_t procedure;
	const uint8_t *args; /* in the message that was read; a multiple of 4 octets */
	size_t args_len;
};

/* How a call ended, in the words of the RFC. */
enum rpc_outcome {
	RPC_OUTCOME_SUCCESS,
	RPC_OUTCOME_PROG_UNAVAIL,
	RPC_OUTCOME_PROG_MISMATCH,
	RPC_OUTCOME_PROC_UNAVAIL,
	RPC_OUTCOME_GARBAGE_ARGS,
	RPC_OUTCOME_SYSTEM_ERR,
	RPC_OUTCOME_RPC_MISMATCH, /* from here on the call was denied */
	RPC_OUTCOME_AUTH_ERROR,
};

/* Why RPC_OUTCOME_AUTH_ERROR. */
#define RPC_WHY_BADCRED      1 /* unreadable */
#define RPC_WHY_REJECTEDCRED 2 /* of a flavour that is not supported */

struct rpc_reply {
	uint32_t xid;
	enum rpc_outcome outcome;
	uint32_t low, high; /* of the mismatches: the versions that there are */
	uint32_t why; /* of AUTH_ERROR */
	const uint8_t *results; /* of SUCCESS; a multiple of 4 octets */
	size_t results_len;
};

/*
 * Reads a call. Returns 0; -EBADMSG when it is none, and nobody can be answered; -EPROTO when the reply is
 * known already, in *refusal.
 */
int rpc_call_read(
	const uint8_t *data, size_t len, struct rpc_call *call, struct rpc_reply *refusal);
/* With AUTH_NONE. Returns the length, or 0 when size is too small. */
size_t rpc_call_write(const struct rpc_call *call, uint8_t *data, size_t size);

/* Returns 0, or -EBADMSG. */
int rpc_reply_read(const uint8_t *data, size_t len, struct rpc_reply *reply);
/* Returns the length, or 0 when size is too small. */
size_t rpc_reply_write(const struct rpc_reply *reply, uint8_t *data, size_t size);

/* "the program is not there" */
const char *rpc_outcome_text(enum rpc_outcome outcome);
