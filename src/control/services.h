// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the control thread does for others besides running the workers: the host's side (neighbor: kernel),
 * the servers' sessions (control.listen), the control socket (control.socket), metrics and health
 * (metrics.listen), DPDK's telemetry. All but the last are there if the configuration names them.
 */
#pragma once

#include "control/tep.h"

#include <stdint.h>

struct event_base;
struct tep_services;

/* NULL with the reason logged. tep must be created, and outlive it. */
struct tep_services *tep_services_create(struct tep *tep, struct event_base *base);
/* Looks at what follows from the time: is this TEP ready? A few times a second. */
void tep_services_look(struct tep_services *services);
/* NULL is allowed. Servers are told; for that the event loop turns, two seconds at most. */
void tep_services_destroy(struct tep_services *services);
