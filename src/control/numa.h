// SPDX-License-Identifier: BSD-3-Clause
/*
 * On which NUMA node memory lies: packet buffers on that of their port, which writes them, and tables on that of
 * the workers, who read them. A node without memory is no reason not to start: then it is taken anywhere. On
 * a machine with one node all of this is that node.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The node of the first n worker lcores; SOCKET_ID_ANY if they have several. */
int tep_numa_of_workers(uint32_t n_workers);

/* The node of a port; of the workers if it is on none, as virtual devices are. */
int tep_numa_of_port(uint16_t port, int workers);

/* An allocation on *node failed: true, with a log line, if another node may have room; *node is any then. */
bool tep_numa_elsewhere(const char *what, int *node);
