// SPDX-License-Identifier: BSD-3-Clause
/* What a TEP is asked for: a value, and what it looks like in TSP. The queues are tep_link's. */
#pragma once

#include "common/lease.h"
#include "tsp/tsp_msg.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum srv_tep_request_kind {
	SRV_TEP_CREATE,
	SRV_TEP_DELETE,
	SRV_TEP_LEVEL, /* a lease of the list */
	SRV_TEP_BEGIN, /* of the list */
	SRV_TEP_END,
};

struct srv_tep_request {
	TAILQ_ENTRY(srv_tep_request) link;
	enum srv_tep_request_kind kind;
	struct lease lease;
	void *token; /* NULL: nobody waits */
	int64_t deadline_ms;
	bool is_late; /* it was not answered by then */
};
TAILQ_HEAD(srv_tep_requests, srv_tep_request);

/* The message that leaves now: what is left of the lease's time stands in it. */
void srv_tep_request_fill(const struct srv_tep_request *request, struct tsp_msg *msg);

/* An info that names another address or range answers something else. */
bool srv_tep_request_is_answer(const struct srv_tep_request *request, const struct tsp_msg *msg);

void srv_tep_requests_free(struct srv_tep_requests *requests);
