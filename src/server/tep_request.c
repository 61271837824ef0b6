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
		return fill_lease(msg, &request->lease);
	case SRV_TEP_DELETE:
		msg->action = TSP_ACTION_DELETE;
		return fill_lease(msg, &request->lease);
	case SRV_TEP_BEGIN:
		msg->sync = TSP_SYNC_BEGIN;
		return;
	case SRV_TEP_END:
		msg->sync = TSP_SYNC_END;
		return;
	}
}

bool srv_tep_request_is_answer(const struct srv_tep_request *request, const struct tsp_msg *msg)
{
	const struct tsp_party *client = &msg->client;

	if (request->kind == SRV_TEP_BEGIN || request->kind == SRV_TEP_END || !client->has_v4)
		return true;
	if (client->v4 != request->lease.v4)
		return false;
	return client->n_ranges == 0 ||
	       port_range_equal(client->ranges[0], request->lease.ranges[0]);
}

void srv_tep_requests_free(struct srv_tep_requests *requests)
{
	struct srv_tep_request *request;

	while ((request = TAILQ_FIRST(requests)) != NULL) {
		TAILQ_REMOVE(requests, request, link);
		free(request);
	}
}
