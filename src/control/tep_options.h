// SPDX-License-Identifier: BSD-3-Clause
/*
 * The command line of dstm-tep: EAL arguments, "--", then its own. Without "--" all are its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tep_options {
	int eal_argc; /* for rte_eal_init, with the program's name first */
	char **eal_argv;
	const char *config_path;
	bool check_only; /* -t */
	bool exit_on_idle;
	uint32_t idle_ms; /* without a packet, then it exits */
	uint32_t duration_s; /* 0: no end */
	uint32_t stats_period_s; /* 0: at exit only */
	const char *stats_file; /* JSON at exit; NULL: none */
};

/*
 * Returns 0 to go on; otherwise 1, and main should return *exit_code (usage, version and the list of
 * counters are printed here). argv is changed: its "--" becomes the end of the EAL's part.
 */
int tep_options_parse(int argc, char **argv, struct tep_options *options, int *exit_code);
