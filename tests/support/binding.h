// SPDX-License-Identifier: BSD-3-Clause
/* Bindings for tests: a holder is a number, and the number can be read back from a binding. */
#pragma once

#include "dataplane/binding.h"

#include <rte_byteorder.h>
#include <string.h>

static inline struct dp_binding test_binding(
	uint32_t v4, uint16_t first, uint16_t last, uint32_t holder)
{
	struct dp_binding binding = {
		.tep_v6 = {.s6_addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
		.client_v6 = {.s6_addr = {0x20, 0x01, 0x0d, 0xb8, [7] = 1}},
		.v4_be = rte_cpu_to_be_32(v4),
		.first = first,
		.last = last,
		.end_s = DP_BINDING_ENDLESS,
	};

	memcpy(&binding.client_v6.s6_addr[12], &holder, sizeof(holder));
	return binding;
}

static inline uint32_t test_binding_holder(const struct dp_binding *binding)
{
	uint32_t holder;

	memcpy(&holder, &binding->client_v6.s6_addr[12], sizeof(holder));
	return holder;
}

/* One lookup through the workers' path. */
static inline const struct dp_binding *test_binding_lookup(
	const struct dp_bindings *table, uint32_t v4, uint16_t port, uint32_t now_s)
{
	struct dp_binding_key key = {.v4 = v4, .port = port, .has_port = true};
	const struct dp_binding *found;

	dp_bindings_lookup_bulk(table, &key, 1, now_s, &found);
	return found;
}
