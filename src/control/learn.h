// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bindings that packets out of tunnels make of themselves (learn.mode: open; R22, R71). No server and no proof stands
 * behind one: the operator has said that he trusts the clients (D3).
 *
 *	outer source within learn.clients, a whole block of ports free	-> a binding of that block
 *	another client, a server, the operator has any of it		-> refused; who came first keeps it
 *
 * It ends after learn.lifetime_s, whatever it carries meanwhile, and the next packet makes a new one: workers tell nobody what they
 * forward. Anything that a server or the operator wants in its place removes it at once. It is in no digest and no
 * snapshot, and no levelling looks at it (DP_OWNER_LEARNT).
 *
 * At most learn.max in any lifetime: one that went early has its place until it would have ended.
 */
#pragma once

#include "common/addr.h"
#include "control/questions.h"
#include "dataplane/binding.h"

struct tep_learn_params {
	struct dp_bindings *table;
	const struct addr_v6_prefix *clients; /* borrowed, like tep_v6 */
	uint32_t n_clients;
	const struct in6_addr *tep_v6; /* our tunnel addresses, which no client has */
	uint32_t n_tep_v6;
	uint32_t block; /* ports, a power of two; 65536: whole addresses */
	uint32_t lifetime_s;
	uint32_t max;
};

struct tep_learn;

/* NULL: no memory. */
struct tep_learn *tep_learn_create(const struct tep_learn_params *params);
/* Its bindings stay. NULL is allowed. */
void tep_learn_destroy(struct tep_learn *learn);

/* From a packet of this key between these tunnel ends: TEP_QUESTION_LEARNT, or the counter that says why not. */
enum tep_question_counter tep_learn_from(struct tep_learn *learn, const struct dp_binding_key *key,
	const struct in6_addr *client_v6, const struct in6_addr *tep_v6, uint32_t now_s);

/* Removes what was learnt of any of these ports. */
void tep_learn_make_way(struct dp_bindings *table, uint32_t v4, struct port_range ports);
