// SPDX-License-Identifier: BSD-3-Clause
/*
 * The TAP twin of a port: the interface by which the kernel lives on the port's link.
 *
 * It has the port's MAC address and MTU. What the port receives for the router is written to it, what
 * the kernel sends by it is read from it, whole Ethernet frames both ways. It goes with the process.
 */
#pragma once

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

struct tep_twin_params {
	const char *name; /* of the interface */
	uint16_t port; /* DPDK port number */
	struct rte_ether_addr mac;
	uint32_t mtu;
};

struct tep_twin {
	int fd; /* -1: not open */
	uint32_t ifindex;
	uint16_t port;
	struct rte_ether_addr mac;
};

/* Creates the interface and brings it up. 0, or -errno with the reason logged. */
int tep_twin_open(struct tep_twin *twin, const struct tep_twin_params *params);
void tep_twin_close(struct tep_twin *twin);

/* Hands a frame to the kernel; false: it took none. The packet stays the caller's. */
bool tep_twin_write(const struct tep_twin *twin, const struct rte_mbuf *m);

/* Takes the next frame into m. 0; -EAGAIN: there is none; -EMSGSIZE: m was too small, the frame is gone. */
int tep_twin_read(const struct tep_twin *twin, struct rte_mbuf *m);
