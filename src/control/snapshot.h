// SPDX-License-Identifier: BSD-3-Clause
/*
 * The servers' bindings in a file, so that a TEP that was killed comes back with them (R30, S1).
 *
 * The file is a shared mapping: a header, and a slot of 64 octets for each number of the binding table, written at
 * each change. So a killed process loses nothing, and nothing has to be written at the end. It holds within one
 * boot of the machine, since ends are seconds of the boot clock. Static bindings are not in it.
 *
 * Each slot is whole or not there at any instruction: its check is written last and cleared first, and a
 * renewal changes single words of eight octets that hold their own checks. What is damaged, of another
 * boot, or of a server or a tunnel address that is not configured, is not taken over. What is taken over is
 * dormant: it forwards nothing before its server has confirmed it, or was absent long enough (dormant.h).
 *
 * One process at a time: the lock is FILE.lock. A new file is written beside the old one and takes its name when
 * it is complete. Control thread only.
 */
#pragma once

#include "dataplane/binding.h"

#include <netinet/in.h>
#include <stdint.h>

#define TEP_SNAPSHOT_ERROR_LEN   256
#define TEP_SNAPSHOT_SERVERS_MAX 16

struct tep_snapshot;

struct tep_snapshot_params {
	const char *path; /* borrowed */
	struct dp_bindings *table; /* borrowed; static bindings are in it */
	const char *servers[TEP_SNAPSHOT_SERVERS_MAX]; /* in the order of owners from 1 on */
	uint32_t n_servers;
	const struct in6_addr *tep_v6; /* our tunnel addresses */
	uint32_t n_tep_v6;
	uint32_t now_s; /* of the boot clock, as the table's */
};

/* How taking over went. */
struct tep_snapshot_taken {
	uint32_t taken; /* dormant in the table now */
	uint32_t ended;
	uint32_t foreign; /* of a server or a tunnel address that is not configured */
	uint32_t damaged;
	uint32_t refused; /* no room, or a static binding stands there */
	char ignored
		[TEP_SNAPSHOT_ERROR_LEN]; /* why the old file as a whole was not read; empty: it was,
						 or there was none */
};

/* Takes over what the old file holds, and follows the table from then on. NULL with one sentence in error. */
struct tep_snapshot *tep_snapshot_open(const struct tep_snapshot_params *params,
	struct tep_snapshot_taken *taken, char error[static TEP_SNAPSHOT_ERROR_LEN]);

/* Follows no more; the file stays as it is. NULL is allowed. Before the table goes. */
void tep_snapshot_close(struct tep_snapshot *snapshot);
