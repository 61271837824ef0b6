// SPDX-License-Identifier: BSD-3-Clause
/*
 * The digests of the binding table: one of each server's bindings, kept up with each change by the writer. It is
 * nobody else's, so that an addition is all it takes.
 */
#include "dataplane/binding_table.h"

#include <rte_byteorder.h>

#include <errno.h>
#include <stdlib.h>

int dp_digests_create(struct dp_bindings *table)
{
	/* Pages of owners that there are not are never touched. */
	table->digests = calloc(DP_OWNERS_MAX, sizeof(*table->digests));
	return table->digests != NULL ? 0 : -ENOMEM;
}

void dp_digests_destroy(struct dp_bindings *table)
{
	free(table->digests);
}

/* The leaf that the binding counts in, or NULL: it is the operator's, or nobody's. */
static uint64_t *leaf_of(struct dp_bindings *table, const struct dp_binding *binding)
{
	if (binding->is_static || binding->owner == 0 || binding->owner > DP_OWNERS_MAX)
		return NULL;
	return &table->digests[binding->owner - 1]
			.leaves[digest_leaf(rte_be_to_cpu_32(binding->v4_be))];
}

static uint64_t digest_of(const struct dp_binding *binding)
{
	const struct port_range ports = {.first = binding->first, .last = binding->last};

	return digest_binding(&binding->client_v6, &binding->tep_v6,
		rte_be_to_cpu_32(binding->v4_be), ports, binding->stamp);
}

void dp_digests_add(struct dp_bindings *table, const struct dp_binding *binding)
{
	uint64_t *leaf = leaf_of(table, binding);

	if (leaf != NULL)
		*leaf += digest_of(binding);
}

void dp_digests_remove(struct dp_bindings *table, const struct dp_binding *binding)
{
	uint64_t *leaf = leaf_of(table, binding);

	if (leaf != NULL)
		*leaf -= digest_of(binding);
}

const struct digest *dp_bindings_digest(const struct dp_bindings *table, uint16_t owner)
{
	return &table->digests[owner - 1];
}
