// SPDX-License-Identifier: BSD-3-Clause
/* What the programs of tests/bench share: an end with a message, and bindings from a folder of bench_traffic. */
#pragma once

#include "common/addr.h"
#include "control/binding_file.h"
#include "dataplane/binding.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static inline void bench_die(const char *what)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
	exit(1);
}

/* The table of FOLDER/bindings.csv with room for some more; *tep_v6 is what they are tunnelled through. */
static inline struct dp_bindings *bench_load_bindings(
	const char *folder, struct in6_addr *tep_v6, uint32_t room)
{
	struct tep_binding_file_limits limits = {
		.tep_v6 = tep_v6, .n_tep_v6 = 1, .max_bindings = 1U << 24};
	struct tep_binding_file file;
	struct config_error error;
	struct dp_bindings *table;
	char path[4096];

	addr_v6_parse("2001:db8::1", tep_v6);
	snprintf(path, sizeof(path), "%s/bindings.csv", folder);
	if (tep_binding_file_read(path, &limits, &file, &error) < 0)
		bench_die(error.text);
	table = dp_bindings_create(&(struct dp_bindings_params){
		.max_bindings = file.n + room, .max_readers = 1, .socket = SOCKET_ID_ANY});
	if (table == NULL || tep_binding_file_add(&file, path, table, &error) < 0)
		bench_die("no memory for the bindings");
	tep_binding_file_free(&file);
	return table;
}

static inline uint32_t bench_n_addresses(const struct dp_bindings *table)
{
	struct dp_bindings_usage usage;

	dp_bindings_usage(table, &usage);
	return usage.addresses;
}
