// SPDX-License-Identifier: BSD-3-Clause
/*
 * The DTI: everything that makes and ends an IPv4 connection of this host, as one thing: what changes on the
 * host (client/host.h), the packets that wait for a lease (client/hold.h), and the tunnel.
 *
 * Going up, the rules stand before the route leads packets to the device, packets wait in the device until the
 * tunnel reads it, and those held go first through the rules; down: the other way round. If a part
 * fails, all are undone.
 */
#pragma once

#include "client/client_config.h"
#include "client/counters.h"
#include "client/host.h"
#include "client/privileged.h"
#include "common/lease.h"

struct event_base;
struct cl_dti;
struct cl_peers;

/* What the DTI has to tell: called from the event loop, never from within a cl_dti_* call. */
struct cl_dti_ops {
	void (*demand)(void *arg); /* armed, and an application has sent a packet (R12) */
	void (*unbound)(void *arg); /* the TEP says that it has no such binding (S21) */
	void (*suspect)(void *arg); /* nothing comes back through the tunnel */
	void (*short_of_ports)(void *arg); /* no port of the lease was left for a flow (R58) */
};

struct cl_dti_params {
	struct event_base *base; /* all is borrowed */
	const struct cl_config *config;
	const struct cl_privileged *privileged;
	const struct cl_dti_ops *ops;
	void *arg;
};

/* NULL with a sentence in why. */
struct cl_dti *cl_dti_open(const struct cl_dti_params *params, char why[static CL_WHY_LEN]);

/*
 * Without a lease: the device is up and attracts packets, which wait for one, and the first tells demand().
 * Takes an earlier lease away. Returns 0, or -errno with a sentence in why and the host bare.
 */
int cl_dti_arm(struct cl_dti *dti, char why[static CL_WHY_LEN]);

/*
 * Also replaces an earlier lease; flows live on when it has the same addresses and no range less. Returns
 * 0, or -errno with a sentence in why and the host bare.
 */
int cl_dti_configure(struct cl_dti *dti, const struct lease *lease, char why[static CL_WHY_LEN]);

/* The lease is the same and ends later (clock_boot_ms()). */
void cl_dti_renewed(struct cl_dti *dti, int64_t end_ms);

/* The lease that stands is to be chosen until then (boot clock), as IPv6 addresses are (R50). */
void cl_dti_preferred(struct cl_dti *dti, int64_t preferred_ms);

/* Boot clock of the last packet that passed the tunnel, either way; 0: none so far. */
int64_t cl_dti_used_ms(const struct cl_dti *dti);

/* Back to the bare device; nothing happens when it is bare. */
void cl_dti_deconfigure(struct cl_dti *dti);

/* Deconfigures, removes the device and the record. NULL is allowed. */
void cl_dti_close(struct cl_dti *dti);

const struct cl_privileged *cl_dti_privileged(const struct cl_dti *dti);

/* Who is reached without the TEP, for who learns that (client/directory.h); NULL: nobody ever. */
struct cl_peers *cl_dti_peers(const struct cl_dti *dti);

/* The MTU of the IPv6 path to the TEP; 0 without a lease. */
uint32_t cl_dti_path_mtu(const struct cl_dti *dti);

void cl_dti_count(struct cl_dti *dti, enum cl_counter counter);
const struct cl_counters *cl_dti_counters(const struct cl_dti *dti);
