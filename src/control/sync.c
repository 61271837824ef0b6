// SPDX-License-Identifier: BSD-3-Clause
#include "control/sync.h"

#include "common/addr.h"
#include "control/level.h"

#include <errno.h>

/* How a range stood before a create touched it. */
struct before {
	bool stood;
	struct dp_binding binding;
};

static struct port_range range_of(const struct dp_binding *binding)
{
	return (struct port_range){.first = binding->first, .last = binding->last};
}

static bool is_ours(const struct tep_sync *sync, const struct in6_addr *addr)
{
	for (uint32_t i = 0; i < sync->n_tep_v6; i++) {
		if (addr_v6_equal(&sync->tep_v6[i], addr))
			return true;
	}
	return false;
}

/* A server that names no tunnel address means our first one. */
static enum tsp_status to_lease(
	const struct tep_sync *sync, const struct tsp_msg *request, struct lease *lease)
{
	struct tsp_msg named = *request;

	if (named.server.n_v6 == 0) {
		named.server.present = true;
		named.server.n_v6 = 1;
		named.server.v6[0] = sync->tep_v6[0];
	}
	return tsp_msg_to_lease(&named, 0, lease);
}

/* To the nearest second, so that a lease stops well within a second of its end (S1). */
static uint32_t end_of(const struct lease *lease, int64_t now_ms)
{
	int64_t end_s = (now_ms + lease->end_ms + 500) / 1000;

	return end_s < DP_BINDING_ENDLESS ? (uint32_t)end_s : DP_BINDING_ENDLESS - 1;
}

/* --- create -------------------------------------------------------------------------------------- */

/* Of a life before, and the very server that announced it then says something else now. */
static bool is_void(const struct tep_sync_server *server, const struct dp_binding *binding)
{
	return binding->is_dormant && binding->owner == server->owner;
}

/*
 * Removes bindings that ended, are left over but were not swept yet, were never confirmed, or were learnt from
 * packets, where they stand in the way.
 */
static void clear_way(const struct tep_sync *sync, const struct tep_sync_server *server,
	const struct dp_binding *wanted, uint32_t now_s)
{
	uint32_t v4 = rte_be_to_cpu_32(wanted->v4_be);

	for (uint32_t port = wanted->first; port <= wanted->last; port++) {
		const struct dp_binding *found = dp_bindings_find(sync->table, v4, port);
		struct port_range range;

		if (found == NULL)
			continue;
		range = range_of(found);
		if (dp_binding_lease_end_s(found) <= now_s || is_void(server, found) ||
			tep_level_is_left_over(server, found) || found->owner == DP_OWNER_LEARNT)
			dp_bindings_remove(sync->table, v4, range);
		port = range.last;
	}
}

/* Adds or renews one range, and remembers how it stood. */
static int place(const struct tep_sync *sync, const struct tep_sync_server *server,
	const struct dp_binding *binding, uint32_t now_s, struct before *before)
{
	const struct dp_binding *found = dp_bindings_find(
		sync->table, rte_be_to_cpu_32(binding->v4_be), binding->first);
	int error;

	before->stood = found != NULL && port_range_equal(range_of(found), range_of(binding));
	if (before->stood)
		before->binding = *found;
	if (before->stood && found->is_static)
		return addr_v6_equal(&found->client_v6, &binding->client_v6) &&
				       addr_v6_equal(&found->tep_v6, &binding->tep_v6)
			       ? 0
			       : -EEXIST;
	error = dp_bindings_add(sync->table, binding);
	if (error != -EEXIST)
		return error;
	clear_way(sync, server, binding, now_s);
	return dp_bindings_add(sync->table, binding);
}

static void put_back(
	const struct tep_sync *sync, const struct dp_binding *binding, const struct before *before)
{
	if (before->stood && before->binding.is_static)
		return;
	dp_bindings_remove(sync->table, rte_be_to_cpu_32(binding->v4_be), range_of(binding));
	/* There is room: its own records have just been given back. */
	if (before->stood)
		dp_bindings_add(sync->table, &before->binding);
}

/* All ranges of a lease, or none. */
static int place_all(const struct tep_sync *sync, const struct tep_sync_server *server,
	const struct lease *lease, int64_t now_ms)
{
	struct before before[LEASE_RANGES_MAX];
	struct dp_binding binding = {
		.tep_v6 = lease->tep_v6,
		.client_v6 = lease->client_v6,
		.v4_be = rte_cpu_to_be_32(lease->v4),
		.end_s = end_of(lease, now_ms),
		.serial = server->serial,
		.stamp = lease->stamp,
		.owner = server->owner,
	};

	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		int error;

		binding.first = lease->ranges[i].first;
		binding.last = lease->ranges[i].last;
		error = place(sync, server, &binding, (uint32_t)(now_ms / 1000), &before[i]);
		if (error == 0)
			continue;
		while (i-- > 0) {
			binding.first = lease->ranges[i].first;
			binding.last = lease->ranges[i].last;
			put_back(sync, &binding, &before[i]);
		}
		return error;
	}
	return 0;
}

static void describe(const struct tep_sync *sync, const struct lease *lease, struct tsp_msg *answer)
{
	tsp_party_from_lease(&answer->client, lease);
	answer->server = (struct tsp_party){
		.present = true,
		.has_v4 = true,
		.v4 = sync->tep_v4,
		.n_v6 = 1,
		.v6 = {lease->tep_v6},
	};
}

/* What a create names stands afterwards, or nothing has changed. */
static enum tsp_status put_lease(const struct tep_sync *sync, const struct tep_sync_server *server,
	const struct tsp_msg *request, int64_t now_ms, struct lease *lease)
{
	enum tsp_status status = to_lease(sync, request, lease);

	if (status != TSP_STATUS_NONE)
		return status;
	if (!is_ours(sync, &lease->tep_v6) || place_all(sync, server, lease, now_ms) != 0)
		return TSP_STATUS_TEP_ERROR;
	return TSP_STATUS_NONE;
}

static enum tsp_status place_lease(const struct tep_sync *sync, struct tep_sync_server *server,
	const struct tsp_msg *request, int64_t now_ms, struct tsp_msg *answer)
{
	struct lease lease;
	enum tsp_status status = put_lease(sync, server, request, now_ms, &lease);

	if (status != TSP_STATUS_NONE)
		return status;
	describe(sync, &lease, answer);
	answer->has_lifetime = true;
	answer->lifetime_s = (uint32_t)(lease.end_ms / 1000);
	server->counts.creates++;
	return TSP_STATUS_OK;
}

/* The holder has answered's element "server", and the TEP that its client was told has "client" (R74). */
bool tep_sync_take_answer(const struct tep_sync *sync, const struct tep_sync_server *server,
	const struct dp_binding_key *key, const struct tsp_msg *answer, int64_t now_ms)
{
	const struct tsp_party *holder = &answer->server;
	bool covers = !key->has_port && holder->n_ranges == 0;
	struct tsp_msg request = *answer;
	struct lease lease;

	for (uint32_t i = 0; key->has_port && i < holder->n_ranges; i++)
		covers |= port_range_contains(holder->ranges[i], key->port);
	covers |= key->has_port && holder->n_ranges == 0;
	if (!holder->has_v4 || holder->v4 != key->v4 || !covers || !answer->has_lifetime)
		return false;
	request.action = TSP_ACTION_CREATE;
	request.client = answer->server;
	request.server = answer->client;
	return put_lease(sync, server, &request, now_ms, &lease) == TSP_STATUS_NONE;
}

/* --- delete -------------------------------------------------------------------------------------- */

/* Removes the binding that the client holds; 1, or 0 when it holds none here or the operator owns it. */
static uint32_t remove_held(
	const struct tep_sync *sync, const struct lease *lease, const struct dp_binding *found)
{
	if (found->is_static || !addr_v6_equal(&found->client_v6, &lease->client_v6))
		return 0;
	return dp_bindings_remove(sync->table, lease->v4, range_of(found)) == 0;
}

static uint32_t remove_ranges(const struct tep_sync *sync, const struct lease *lease)
{
	uint32_t removed = 0;

	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		const struct dp_binding *found = dp_bindings_find(
			sync->table, lease->v4, lease->ranges[i].first);

		if (found != NULL && port_range_equal(range_of(found), lease->ranges[i]))
			removed += remove_held(sync, lease, found);
	}
	return removed;
}

static uint32_t remove_whole_address(const struct tep_sync *sync, const struct lease *lease)
{
	uint32_t removed = 0;

	for (uint32_t port = 0; port <= UINT16_MAX; port++) {
		const struct dp_binding *found = dp_bindings_find(sync->table, lease->v4, port);

		if (found == NULL)
			continue;
		port = found->last;
		removed += remove_held(sync, lease, found);
	}
	return removed;
}

/* Without ports it is all that the client holds of the address (R97). */
static enum tsp_status remove_lease(const struct tep_sync *sync, struct tep_sync_server *server,
	const struct tsp_msg *request, struct tsp_msg *answer)
{
	struct lease lease;
	enum tsp_status status = to_lease(sync, request, &lease);
	uint32_t removed;

	if (status != TSP_STATUS_NONE)
		return status;
	removed = lease_is_exclusive(&lease) ? remove_whole_address(sync, &lease)
					     : remove_ranges(sync, &lease);
	if (removed == 0)
		return TSP_STATUS_UNAVAILABLE;
	describe(sync, &lease, answer);
	server->counts.deletes++;
	return TSP_STATUS_OK;
}

void tep_sync_apply(const struct tep_sync *sync, struct tep_sync_server *server,
	const struct tsp_msg *request, int64_t now_ms, struct tsp_msg *answer)
{
	*answer = (struct tsp_msg){.action = TSP_ACTION_INFO};
	switch (request->action) {
	case TSP_ACTION_CREATE:
		answer->status = place_lease(sync, server, request, now_ms, answer);
		break;
	case TSP_ACTION_DELETE:
		answer->status = remove_lease(sync, server, request, answer);
		break;
	case TSP_ACTION_LIST:
		answer->status = tep_level_list(sync, server, request, now_ms, answer);
		break;
	default:
		answer->status = TSP_STATUS_MALFORMED;
		break;
	}
	if (answer->status != TSP_STATUS_OK) {
		answer->action = TSP_ACTION_NONE;
		server->counts.refused++;
	}
}
