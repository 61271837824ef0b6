// SPDX-License-Identifier: BSD-3-Clause
/*
 * The calls of rpcbind (RFC 1833, version 4) that we need: to register a program, to take that back, and to ask for the port of
 * one. Bytes only; who sends them does not wait for the answer.
 */
#pragma once

#include "common/addr.h"
#include "rpc/rpc_call.h"

#include <stdbool.h>
#include <stdint.h>

#define RPC_BIND_PORT   111
#define RPC_BIND_SOCKET "/run/rpcbind.sock" /* where a program of this host registers */

enum rpc_bind_procedure {
	RPC_BIND_SET = 1,
	RPC_BIND_UNSET,
	RPC_BIND_GETADDR, /* at the transport that it is asked over, whatever the entry says */
};

/* A program at one transport. */
struct rpc_bind_entry {
	uint32_t program;
	uint32_t version;
	bool is_tcp; /* over IPv6, as is UDP */
	struct addr_endpoint at; /* of SET; the others leave it out */
};

/* Returns the length of the call, or 0 when size is too small. */
size_t rpc_bind_write(enum rpc_bind_procedure procedure, uint32_t xid,
	const struct rpc_bind_entry *entry, uint8_t *data, size_t size);

/* What SET and UNSET were answered with; false also for what is no such answer. */
bool rpc_bind_read_done(const struct rpc_reply *reply);
/* What GETADDR was answered with: the port; 0: the program is not there, or this is no such answer. */
uint16_t rpc_bind_read_port(const struct rpc_reply *reply);
