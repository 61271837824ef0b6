// SPDX-License-Identifier: BSD-3-Clause
#include "rpc/rpc_record.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define LAST_FRAGMENT 0x80000000u

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* A head is whole: what it says of its fragment. */
static int begin_fragment(struct rpc_record *record)
{
	uint32_t mark_be, mark;

	memcpy(&mark_be, record->head, sizeof(mark_be));
	mark = ntohl(mark_be);
	record->is_last = (mark & LAST_FRAGMENT) != 0;
	record->left = mark & ~LAST_FRAGMENT;
	record->n_fragments++;
	if (record->left > sizeof(record->data) - record->len ||
		record->n_fragments > RPC_RECORD_FRAGMENTS_MAX)
		return -EMSGSIZE;
	return 0;
}

/* Part of a head, or of a fragment. Returns how many octets were taken, or -EMSGSIZE. */
static int take_some(struct rpc_record *record, const uint8_t *data, size_t len)
{
	size_t n;
	int ret;

	if (record->n_head < RPC_RECORD_HEAD) {
		n = smaller(len, (size_t)RPC_RECORD_HEAD - record->n_head);
		memcpy(record->head + record->n_head, data, n);
		record->n_head += n;
		ret = record->n_head == RPC_RECORD_HEAD ? begin_fragment(record) : 0;
		return ret < 0 ? ret : (int)n;
	}
	n = smaller(len, record->left);
	memcpy(record->data + record->len, data, n);
	record->len += n;
	record->left -= n;
	return (int)n;
}

int rpc_record_take(struct rpc_record *record, const uint8_t *data, size_t len, size_t *used)
{
	*used = 0;
	while (*used < len) {
		int n = take_some(record, data + *used, len - *used);

		if (n < 0)
			return n;
		*used += (size_t)n;
		if (record->n_head < RPC_RECORD_HEAD || record->left > 0)
			continue;
		record->n_head = 0;
		if (record->is_last)
			return 1;
	}
	return 0;
}

void rpc_record_clear(struct rpc_record *record)
{
	record->is_last = false;
	record->n_head = 0;
	record->left = 0;
	record->n_fragments = 0;
	record->len = 0;
}

void rpc_record_put_head(size_t len, uint8_t head[static RPC_RECORD_HEAD])
{
	uint32_t mark_be = htonl(LAST_FRAGMENT | (uint32_t)len);

	memcpy(head, &mark_be, sizeof(mark_be));
}
