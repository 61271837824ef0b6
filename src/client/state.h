// SPDX-License-Identifier: BSD-3-Clause
/*
 * What this process changed on its host, kept in a file so that the next start can undo it.
 *
 * The tun device and its routes vanish with the process. An nftables table and a sysctl do not:
 * they are recorded here before they are changed, and struck out after they are restored. A client
 * that was killed leaves the file behind. A lock beside it (PATH.lock) is held while the client
 * runs, so that two clients never share one.
 *
 * The record is one JSON object, replaced as a whole (write, sync, rename):
 *	{"device": "dstm0", "netns": "", "v4": "198.51.100.7",
 *	 "lease": "198.51.100.7 ports 2048-3071 for ...", "port_range": "32768\t60999"}
 */
#pragma once

#include "common/lease.h"

#include <stdint.h>

#define CL_SYSCTL_MAX 64
#define CL_DEVICE_MAX 16 /* IFNAMSIZ */
#define CL_NETNS_MAX  64

struct cl_leftover {
	char device[CL_DEVICE_MAX]; /* whose nftables table stands; "": nothing is left over */
	char netns[CL_NETNS_MAX]; /* the network namespace of all that; "": our own */
	uint32_t v4; /* of the lease, host order; 0: none */
	char lease[LEASE_STRLEN]; /* all of it, by lease_format() */
	char port_range[CL_SYSCTL_MAX]; /* ip_local_port_range as it was; "": not changed */
};

struct cl_state_file;

/*
 * Opens and locks; reads what a crashed client left into *leftover (all zero if nothing). A file
 * that does not parse is as good as none and is reported. NULL + errno: EBUSY when another client
 * runs. A path of NULL: nothing is kept, because nothing outlives the process.
 */
struct cl_state_file *cl_state_open(const char *path, struct cl_leftover *leftover);

/* Replaces the record, or removes it when it says nothing. Returns 0 or -errno. */
int cl_state_save(struct cl_state_file *file, const struct cl_leftover *leftover);

/* Unlocks; what was saved last stays. NULL is allowed. */
void cl_state_close(struct cl_state_file *file);
