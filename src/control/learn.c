// SPDX-License-Identifier: BSD-3-Clause
#include "control/learn.h"

#include <errno.h>
#include <stdlib.h>

struct tep_learn {
	struct tep_learn_params params;
	uint32_t oldest, n; /* of ends */
	uint32_t ends[]; /* a ring of params.max; all live equally long, so they are in order */
};

struct tep_learn *tep_learn_create(const struct tep_learn_params *params)
{
	struct tep_learn *learn = calloc(1, sizeof(*learn) + params->max * sizeof(learn->ends[0]));

	if (learn != NULL)
		learn->params = *params;
	return learn;
}

void tep_learn_destroy(struct tep_learn *learn)
{
	free(learn);
}

static bool is_client(const struct tep_learn_params *params, const struct in6_addr *addr)
{
	for (uint32_t i = 0; i < params->n_tep_v6; i++)
		if (addr_v6_equal(&params->tep_v6[i], addr))
			return false;
	return addr_v6_prefixes_contain(params->clients, params->n_clients, addr);
}

static bool has_room(struct tep_learn *learn, uint32_t now_s)
{
	while (learn->n > 0 && learn->ends[learn->oldest] <= now_s) {
		learn->oldest = (learn->oldest + 1) % learn->params.max;
		learn->n--;
	}
	return learn->n < learn->params.max;
}

static struct port_range range_of(const struct dp_binding *binding)
{
	return (struct port_range){.first = binding->first, .last = binding->last};
}

/* Has somebody the port itself? Of what has ended, nobody. */
static bool is_taken(struct dp_bindings *table, const struct dp_binding_key *key, uint32_t now_s)
{
	const struct dp_binding *found = dp_bindings_find(table, key->v4, key->port);

	if (found == NULL)
		return false;
	if (dp_binding_lease_end_s(found) > now_s)
		return true;
	dp_bindings_remove(table, key->v4, range_of(found));
	return false;
}

enum tep_question_counter tep_learn_from(struct tep_learn *learn, const struct dp_binding_key *key,
	const struct in6_addr *client_v6, const struct in6_addr *tep_v6, uint32_t now_s)
{
	const struct tep_learn_params *params = &learn->params;
	const struct dp_binding binding = {
		.tep_v6 = *tep_v6,
		.client_v6 = *client_v6,
		.v4_be = rte_cpu_to_be_32(key->v4),
		.first = (uint16_t)(key->port & ~(params->block - 1)),
		.last = (uint16_t)(key->port | (params->block - 1)),
		.end_s = now_s + params->lifetime_s,
		.owner = DP_OWNER_LEARNT,
	};

	if (!is_client(params, client_v6))
		return TEP_QUESTION_LEARN_STRANGER;
	if (!key->has_port && params->block <= UINT16_MAX)
		return TEP_QUESTION_LEARN_NO_PORT;
	if (!has_room(learn, now_s))
		return TEP_QUESTION_LEARN_FULL;
	if (is_taken(params->table, key, now_s))
		return TEP_QUESTION_LEARN_TAKEN;
	switch (dp_bindings_add(params->table, &binding)) {
	case 0:
		learn->ends[(learn->oldest + learn->n++) % params->max] = binding.end_s;
		return TEP_QUESTION_LEARNT;
	case -EEXIST:
		return TEP_QUESTION_LEARN_TAKEN;
	default:
		return TEP_QUESTION_LEARN_FULL;
	}
}

void tep_learn_make_way(struct dp_bindings *table, uint32_t v4, struct port_range ports)
{
	for (uint32_t port = ports.first; port <= ports.last; port++) {
		const struct dp_binding *found = dp_bindings_find(table, v4, (uint16_t)port);

		if (found == NULL)
			continue;
		port = found->last;
		if (found->owner == DP_OWNER_LEARNT)
			dp_bindings_remove(table, v4, range_of(found));
	}
}
