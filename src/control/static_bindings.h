// SPDX-License-Identifier: BSD-3-Clause
/*
 * Static bindings (R25): what the operator wrote into the YAML and into a file of rows (binding_file.h),
 * checked one by one and against each other before anything starts.
 */
#pragma once

#include "common/config.h"
#include "common/port_range.h"
#include "control/binding_file.h"
#include "dataplane/binding.h"

#include <netinet/in.h>
#include <stdint.h>

/* A binding of the YAML. */
struct tep_static_binding {
	uint32_t v4; /* host order */
	struct port_range ports;
	struct in6_addr client_v6;
	struct in6_addr tep_v6;
	struct config_pos pos; /* where it stands */
};

struct tep_static_bindings {
	const char *path; /* borrowed: of the YAML */
	struct tep_static_binding *rows; /* by address and port once they are checked */
	uint32_t n_rows;
	char *file_path; /* NULL: no file */
	struct tep_binding_file file;
};

static inline uint32_t tep_static_count(const struct tep_static_bindings *bindings)
{
	return bindings->n_rows + bindings->file.n;
}

/* Checks each row of the YAML, each of the file, and that no port is in two of them. 0, or -errno with one
 * sentence. Sorts the rows. */
int tep_static_check(struct tep_static_bindings *bindings,
	const struct tep_binding_file_limits *limits, struct config_error *error);

/* Puts all into the table. 0, or -errno with a sentence. */
int tep_static_load(const struct tep_static_bindings *bindings, struct dp_bindings *table,
	struct config_error *error);

/* How a replacement went. */
struct tep_static_change { /* numbers of bindings */
	uint32_t kept; /* of these, in the table now */
	uint32_t removed;
	uint32_t refused; /* each with a log line: a lease has some of its ports, or no room */
};

/*
 * Makes these the table's static bindings: the others go, those that stay are not disturbed, leases are
 * not touched. serial is one that no static binding in the table has.
 */
int tep_static_replace(const struct tep_static_bindings *bindings, struct dp_bindings *table,
	uint32_t serial, struct tep_static_change *change);

void tep_static_free(struct tep_static_bindings *bindings);
