// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the server says about a lease, judged. The server is trusted, its mistakes are not.
 */
#pragma once

#include "common/lease.h"
#include "tsp/tsp_msg.h"

#include <netinet/in.h>
#include <stdbool.h>

/*
 * Why a lease that parsed is of no use to a client whose tunnel end is v6 and that wants a whole
 * address (exclusive) or can live with ports; a static sentence, or NULL.
 */
const char *cl_grant_fault(const struct lease *lease, const struct in6_addr *v6, bool exclusive);

/* True when the host must be set up anew for it; the end alone changes nothing there (R93). */
bool cl_grant_differs(const struct lease *a, const struct lease *b);

/*
 * True when a renewal refused with this status means that the lease is gone (R94). In generation 2
 * the number 310 stands for the TEP's error too, but a renewal does not touch the TEP (R93).
 */
bool cl_grant_is_ended_by(enum tsp_status status, enum tsp_generation generation);

/* True when a message of the server speaks of this lease. */
bool cl_grant_is_named_by(const struct lease *lease, const struct tsp_msg *msg);
