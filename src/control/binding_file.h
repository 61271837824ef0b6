// SPDX-License-Identifier: BSD-3-Clause
/*
 * The operator's file of static bindings: a row each, "v4,first-last,client_v6,tep_v6" (R25).
 *
 *	v4,ports,client,tep                     a first row like this one is skipped
 *	198.51.100.7,1024-2047,2001:db8:1::17,2001:db8::1
 *	198.51.100.8,*,2001:db8:1::18,2001:db8::1      the whole address; so does an empty field
 *
 * Blank lines, lines that begin with #, blanks around fields and CRLF are allowed. A file is taken whole or not
 * at all, and must agree with itself: no port has two rows.
 */
#pragma once

#include "common/config.h"
#include "dataplane/binding.h"

#include <netinet/in.h>
#include <stdint.h>

struct tep_binding_file_limits {
	const struct in6_addr *tep_v6; /* our tunnel addresses: a row names one of them */
	uint32_t n_tep_v6;
	uint32_t max_bindings; /* rows at most */
};

/* What was read: static bindings without end, in the order of the file. */
struct tep_binding_file {
	struct dp_binding *bindings;
	uint32_t *lines; /* of each binding, from 1 */
	uint32_t n;
};

/*
 * Reads a file. 0, or -errno with error->text set ("file:line:column: sentence" and -EINVAL for what the
 * file says) and *file empty.
 */
int tep_binding_file_read(const char *path, const struct tep_binding_file_limits *limits,
	struct tep_binding_file *file, struct config_error *error);
void tep_binding_file_free(struct tep_binding_file *file);

/*
 * Adds what was read to the table. 0; or -errno with error->text set, and then the table has no binding
 * that it did not have before.
 */
int tep_binding_file_add(const struct tep_binding_file *file, const char *path,
	struct dp_bindings *table, struct config_error *error);
