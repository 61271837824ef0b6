// SPDX-License-Identifier: BSD-3-Clause
/* Starts the EAL for a unit test: no privilege, no huge pages, no files, one lcore. */
#pragma once

#include <rte_common.h>
#include <rte_eal.h>

#include <sched.h>
#include <stdio.h>

/*
 * memory_mb: all that the test may allocate. 0, or -1 with a message printed. The test and the threads that
 * it starts may run on every CPU, as before.
 */
static inline int test_eal_start(unsigned int memory_mb)
{
	char memory[16];
	const char *args[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--log-level=lib.eal:error", "--lcores", "0@0", "-m", memory};
	cpu_set_t cpus;
	int rc;

	snprintf(memory, sizeof(memory), "%u", memory_mb);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	rc = rte_eal_init(RTE_DIM(args), (char **)args);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	return rc < 0 ? -1 : 0;
}
