// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the DTI changes on its host: the device, its addresses and routes, the nftables table and the range of
 * local ports, each recorded (client/state.h) before it is changed.
 *
 *	BARE	the device is there, down, without an address
 *	ARMED	the device is up and attracts packets; no lease
 *	LEASED	as a lease wants it
 *
 * All of it happens in the network namespace that the configuration names; calls block for some ten
 * milliseconds.
 */
#pragma once

#include "client/client_config.h"
#include "client/privileged.h"
#include "client/tun.h"
#include "common/lease.h"

struct cl_host;

/*
 * Makes the device and undoes what a killed client left behind; if that was in another namespace, this takes
 * CAP_SYS_ADMIN. NULL with a sentence in why. config and netns are borrowed.
 */
struct cl_host *cl_host_open(
	const struct cl_config *config, struct cl_netns *netns, char why[static CL_WHY_LEN]);

/* Removes the device and the record. NULL is allowed. */
void cl_host_close(struct cl_host *host);

/* To ARMED. These two return 0, or -errno with a sentence in why and the host BARE. */
int cl_host_arm(struct cl_host *host, char why[static CL_WHY_LEN]);

/*
 * To LEASED; from ARMED, or from a lease that cl_host_extends, without a moment in which the device is down.
 */
int cl_host_lease(struct cl_host *host, const struct lease *lease, char why[static CL_WHY_LEN]);

/*
 * Tells the kernel until when the lease's address is to be chosen and until when it is valid (boot clock), where the
 * address is on the device: mode host (R50).
 */
void cl_host_set_lifetimes(struct cl_host *host, const struct lease *lease, int64_t preferred_ms);

/* True when the host is LEASED and this lease has the same addresses and no range less. */
bool cl_host_extends(const struct cl_host *host, const struct lease *lease);

void cl_host_bare(struct cl_host *host);

const struct cl_tun *cl_host_tun(const struct cl_host *host);
unsigned int cl_host_device(const struct cl_host *host); /* interface index */

/* The IPv6 path's MTU, which the device's follows unless the configuration gives one. */
void cl_host_path_mtu(struct cl_host *host, uint32_t path_mtu);

/*
 * True when flows have found no port since this was asked last, and the lease is as full as its smallest range, so
 * that they may be ours (R58). False in mode host, whose sockets are told by the kernel.
 */
bool cl_host_is_short(struct cl_host *host);
