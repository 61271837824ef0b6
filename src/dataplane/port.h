// SPDX-License-Identifier: BSD-3-Clause
/*
 * Ports: any DPDK Ethernet device, set up with one queue pair a worker, or those that it has, and without any
 * offload. Errors are one sentence that names the port.
 */
#pragma once

#include <rte_mempool.h>
#include <stdint.h>

#define DP_PORT_ERROR_LEN 256

struct dp_port_params {
	uint32_t n_queues; /* pairs: one a worker, or as many as the device has */
	uint32_t rx_descriptors;
	uint32_t tx_descriptors;
	uint32_t mtu; /* largest IP packet either way */
	struct rte_mempool *pool;
};

/* A pool of n buffers, each with room for a frame of the MTU. NULL + rte_errno. */
struct rte_mempool *dp_port_pool_create(const char *name, uint32_t n, uint32_t mtu, int socket);

/* Finds a port by its number or its device name. 0, or -ENODEV. */
int dp_port_find(const char *device, uint16_t *port);

/* Configures and starts a port, promiscuous. 0, or -errno with a sentence in error. */
int dp_port_start(
	uint16_t port, const struct dp_port_params *params, char error[static DP_PORT_ERROR_LEN]);

/* Stops a port and closes its device; files that it writes are complete then. */
void dp_port_stop(uint16_t port);
