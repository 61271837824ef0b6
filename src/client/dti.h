// SPDX-License-Identifier: BSD-3-Clause
/*
 * The DTI: everything that a lease changes on this host, set up and taken back as one thing.
 *
 * cl_dti_open makes the bare device and first undoes what a crashed client left (the record of
 * client/state.h). cl_dti_configure brings up address, route, source NAT or port range, and the
 * tunnel; if one of them fails, all are undone. Order going up: the tunnel and the rules stand
 * before the route leads packets there; down: the other way round.
 */
#pragma once

#include "client/client_config.h"
#include "client/counters.h"
#include "common/lease.h"

struct event_base;
struct cl_dti;

#define CL_DTI_WHY_LEN 128

/* NULL with a sentence in why. config is borrowed. */
struct cl_dti *cl_dti_open(
	struct event_base *base, const struct cl_config *config, char why[static CL_DTI_WHY_LEN]);

/* Also replaces an earlier lease. Returns 0, or -errno with a sentence in why and the host bare. */
int cl_dti_configure(
	struct cl_dti *dti, const struct lease *lease, char why[static CL_DTI_WHY_LEN]);

/* Back to the bare device; nothing happens when it is bare. */
void cl_dti_deconfigure(struct cl_dti *dti);

/* Deconfigures, removes the device and the record. NULL is allowed. */
void cl_dti_close(struct cl_dti *dti);

const struct cl_counters *cl_dti_counters(const struct cl_dti *dti);
