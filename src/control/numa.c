// SPDX-License-Identifier: BSD-3-Clause
#include "control/numa.h"

#include "common/log.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

int tep_numa_of_workers(uint32_t n_workers)
{
	unsigned int lcore = rte_get_next_lcore(-1, 1, 0);
	int node = (int)rte_lcore_to_socket_id(lcore);

	for (uint32_t i = 1; i < n_workers; i++) {
		lcore = rte_get_next_lcore(lcore, 1, 0);
		if ((int)rte_lcore_to_socket_id(lcore) != node)
			return SOCKET_ID_ANY;
	}
	return node;
}

int tep_numa_of_port(uint16_t port, int workers)
{
	int node = rte_eth_dev_socket_id(port);

	return node >= 0 ? node : workers;
}

bool tep_numa_elsewhere(const char *what, int *node)
{
	if (*node == SOCKET_ID_ANY || rte_socket_count() < 2 || rte_errno != ENOMEM)
		return false;
	log_warn("%s: no room on NUMA node %d, taken elsewhere", what, *node);
	*node = SOCKET_ID_ANY;
	return true;
}
