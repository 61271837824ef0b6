// SPDX-License-Identifier: BSD-3-Clause
/*
 * Packets that wait for a lease (R12, R14).
 *
 * Without a lease the device leads nowhere, and what applications send is kept here, up to a number, an
 * amount and an age, the oldest first to go out. When the lease stands, the packets are sent once
 * more through a raw socket onto the same device, so that the kernel gives them a port of the lease like any
 * other; until then connection tracking has not seen them (client/napt.h).
 */
#pragma once

#include "client/counters.h"
#include "client/tun.h"

#include <stdint.h>

#define CL_HOLD_OCTETS_MAX (1024 * 1024)
#define CL_HOLD_AGE_MAX_MS 30000

struct event_base;
struct cl_hold;

struct cl_hold_params {
	struct event_base *base;
	const struct cl_tun *tun; /* borrowed, as are counters */
	int raw_fd; /* of cl_hold_open_socket; borrowed */
	unsigned int device; /* its interface index */
	uint32_t packets_max;
	struct cl_counters *counters;
	void (*demand)(void *arg); /* after each turn of the event loop that read a packet */
	/* From within cl_hold_release: a packet that has been translated for the lease already. */
	void (*pass)(void *arg, const uint8_t *packet, size_t len);
	void *arg;
};

/* A raw IPv4 socket in this network namespace: needs CAP_NET_RAW. -errno on failure. */
int cl_hold_open_socket(void);

/* NULL + errno. */
struct cl_hold *cl_hold_create(const struct cl_hold_params *params);
void cl_hold_destroy(struct cl_hold *hold); /* NULL is allowed */

/* Begins to read the device. Returns 0 or -ENOMEM. */
int cl_hold_start(struct cl_hold *hold);

/*
 * Reads what the device has at this moment, and stops. What is from v4, the lease's address, has been translated
 * already and is passed on by cl_hold_release; 0: there is no lease.
 */
void cl_hold_stop(struct cl_hold *hold, uint32_t v4);

/* Sends what waits, in its order; the device must be read by somebody. */
void cl_hold_release(struct cl_hold *hold);

/* Drops what waits. */
void cl_hold_clear(struct cl_hold *hold);
