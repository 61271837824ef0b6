// SPDX-License-Identifier: BSD-3-Clause
/*
 * dstmctl server who: who held an address and port, from the records; no daemon is asked. It prints, and returns
 * what main should.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_WHO_FILES_MAX 1024

struct ctl_who_options {
	const char *operand; /* ADDRESS or ADDRESS:PORT */
	const char *at; /* NULL: now */
	const char *config; /* NULL: the usual one */
	const char
		*files[CTL_WHO_FILES_MAX]; /* of records, instead of what the configuration names */
	size_t n_files;
	bool ever; /* all holders that are known */
	uint64_t limit; /* of ever; 0: the default */
	bool json;
};

int ctl_who(const struct ctl_who_options *options);
