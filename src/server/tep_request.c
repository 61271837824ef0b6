// SPDX-License-Identifier: BSD-3-Clause
#include "server/tep_request.h"

#include "common/clock.h"
#include "server/engine.h"

#include <stdlib.h>

static void fill_lease(struct tsp_msg *msg, const struct lease *lease)
{
	tsp_party_from_lease(&msg->client, lease);
	msg->server = (struct tsp_party){.present = true, .n_v6 = 1, .v6 = {lease->tep_v6}};
}

void srv_tep_request_fill(const struct srv_tep_request *request, struct tsp_msg *msg)
{
	uint32_t left_s;

	*msg = (struct tsp_msg){.action = TSP_ACTION_LIST};
	switch (request->kind) {
	case SRV_TEP_CREATE:
	case SRV_TEP_LEVEL:
		msg->action = TSP_ACTION_CREATE;
		left_s = srv_lifetime_s(&request->lease, clock_boot_ms());
		msg->has_lifetime = true;
		msg->lifetime_s = left_s > 0 ? left_s : 1;
		msg->until_s = request->lease.stamp;
		return fill_lease(msg, &request->lease);
	case SRV_TEP_DELETE:
		msg->action = TSP_ACTION_DELETE;
		return fill_lease(msg, &request->lease);
	case SRV_TEP_BEGIN:
		msg->sync = TSP_SYNC_BEGIN;
		break;
	case SRV_TEP_END:
		msg->sync = TSP_SYNC_END;
		break;
	case SRV_TEP_DIGEST:
		msg->sync = TSP_SYNC_DIGEST;
		break;
	case SRV_TEP_LEVELLED:
		msg->sync = TSP_SYNC_LEVEL;
		break;
	}
	msg->node = request->node;
	if (msg->sync == TSP_SYNC_LEVEL ||
		(msg->sync == TSP_SYNC_DIGEST && request->node.depth == 0)) {
		msg->n_digests = 1;
		msg->digests[0] = request->digest;
		msg->has_differs = request->differs_s > 0;
		msg->differs_s = request->differs_s;
	}
}

static bool is_same_node(struct digest_node a, struct digest_node b)
{
	return a.depth == b.depth && a.number == b.number;
}

bool srv_tep_request_is_answer(const struct srv_tep_request *request, const struct tsp_msg *msg)
{
	const struct tsp_party *client = &msg->client;

	if (request->kind == SRV_TEP_DIGEST)
		return msg->n_digests == 0 || is_same_node(request->node, msg->node);
	if (request->kind > SRV_TEP_LEVEL || !client->has_v4)
		return true;
	if (client->v4 != request->lease.v4)
		return false;
	return client->n_ranges == 0 ||
	       port_range_equal(client->ranges[0], request->lease.ranges[0]);
}

uint32_t srv_leaves_count(const struct srv_leaves *leaves)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < DIGEST_LEAVES / 64; i++)
		n += __builtin_popcountll(leaves->bits[i]);
	return n;
}

void srv_tep_requests_leaves(const struct srv_tep_requests *requests, struct srv_leaves *leaves)
{
	const struct srv_tep_request *request;

	TAILQ_FOREACH(request, requests, link) {
		if (srv_tep_request_is_change(request))
			srv_leaves_add(leaves, digest_leaf(request->lease.v4));
	}
}

void srv_tep_requests_free(struct srv_tep_requests *requests)
{
	struct srv_tep_request *request;

	while ((request = TAILQ_FIRST(requests)) != NULL) {
		TAILQ_REMOVE(requests, request, link);
		free(request);
	}
}
