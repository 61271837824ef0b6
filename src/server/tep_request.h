// SPDX-License-Identifier: BSD-3-Clause
/* What a TEP is asked for: a value, what it looks like in TSP, and queues of it. */
#pragma once

#include "common/digest.h"
#include "common/lease.h"
#include "tsp/tsp_msg.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum srv_tep_request_kind {
	SRV_TEP_CREATE,
	SRV_TEP_DELETE,
	SRV_TEP_LEVEL, /* a lease of a list */
	SRV_TEP_BEGIN, /* of a list */
	SRV_TEP_END,
	SRV_TEP_DIGEST, /* what are the digests of the node's children? */
	SRV_TEP_LEVELLED, /* all that was not listed is equal */
};

struct srv_tep_request {
	TAILQ_ENTRY(srv_tep_request) link;
	enum srv_tep_request_kind kind;
	struct lease lease; /* of CREATE, DELETE and LEVEL */
	struct digest_node node; /* of the others: what they are about, a leaf or all for a list */
	uint64_t digest; /* of DIGEST for the root and LEVELLED: of our own table */
	uint32_t differs_s; /* of these: for how long the tables have not been equal; 0: they are */
	void *token; /* NULL: nobody waits */
	int64_t deadline_ms;
	bool is_copy; /* of a lease that goes through another TEP */
	bool is_late; /* it was not answered by then */
};
TAILQ_HEAD(srv_tep_requests, srv_tep_request);

/* A set of leaves of a digest. */
struct srv_leaves {
	uint64_t bits[DIGEST_LEAVES / 64];
};

static inline void srv_leaves_add(struct srv_leaves *leaves, uint32_t leaf)
{
	leaves->bits[leaf / 64] |= UINT64_C(1) << leaf % 64;
}

static inline bool srv_leaves_has(const struct srv_leaves *leaves, uint32_t leaf)
{
	return (leaves->bits[leaf / 64] >> leaf % 64 & 1) != 0;
}

uint32_t srv_leaves_count(const struct srv_leaves *leaves);

/* The message that leaves now: what is left of the lease's time stands in it. */
void srv_tep_request_fill(const struct srv_tep_request *request, struct tsp_msg *msg);

/* An info that names another address, range or node answers something else. */
bool srv_tep_request_is_answer(const struct srv_tep_request *request, const struct tsp_msg *msg);

/* Creates and deletes, the list aside. */
static inline bool srv_tep_request_is_change(const struct srv_tep_request *request)
{
	return request->kind == SRV_TEP_CREATE || request->kind == SRV_TEP_DELETE;
}

/* Adds the leaves that the changes among the requests are about. */
void srv_tep_requests_leaves(const struct srv_tep_requests *requests, struct srv_leaves *leaves);
void srv_tep_requests_free(struct srv_tep_requests *requests);
