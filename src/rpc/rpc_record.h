// SPDX-License-Identifier: BSD-3-Clause
/*
 * Record marking (RFC 5531 section 11): RPC messages on a stream, in fragments with a head of four octets each.
 *
 * A record is put together as its octets come, in memory that does not grow: what becomes longer than any message of
 * ours, or comes in more fragments than anybody needs, ends the stream. Pure.
 */
#pragma once

#include "rpc/rpc_call.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPC_RECORD_HEAD          4
#define RPC_RECORD_FRAGMENTS_MAX 64

struct rpc_record {
	bool is_last; /* the fragment at hand */
	uint8_t n_head; /* octets of its head that are there */
	uint8_t head[RPC_RECORD_HEAD];
	uint32_t left; /* octets of it that are not there yet */
	uint32_t n_fragments;
	size_t len; /* of data */
	uint8_t data[RPC_MESSAGE_MAX];
};

/*
 * Takes octets of a stream into a record that is zero at the start. Returns 1 when it is whole, and begins anew with
 * the next call after rpc_record_clear; 0 when all octets are taken and more are needed; -EMSGSIZE. *used: how
 * many octets were taken.
 */
int rpc_record_take(struct rpc_record *record, const uint8_t *data, size_t len, size_t *used);
void rpc_record_clear(struct rpc_record *record);

/* The head of a record that is one fragment. */
void rpc_record_put_head(size_t len, uint8_t head[static RPC_RECORD_HEAD]);
