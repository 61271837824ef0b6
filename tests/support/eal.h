// SPDX-License-Identifier: BSD-3-Clause
/* Starts the EAL for a unit test: no privilege, no huge pages, no files. */
#pragma once

#include <rte_common.h>
#include <rte_eal.h>

#include <sched.h>
#include <stdio.h>

/*
 * With lcores from 0 on, that may run on every CPU as the test itself may; memory_mb: all that it may
 * allocate. 0, or -1 with a message printed.
 */
static inline int test_eal_start_lcores(unsigned int n_lcores, unsigned int memory_mb)
{
	char memory[16], lcores[8 * CPU_SETSIZE];
	const char *args[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--log-level=lib.eal:error", "--lcores", lcores, "-m", memory};
	const char *separator = "";
	cpu_set_t cpus;
	int len, rc;

	snprintf(memory, sizeof(memory), "%u", memory_mb);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	len = snprintf(lcores, sizeof(lcores), "(0-%u)@(", n_lcores - 1);
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &cpus))
			continue;
		len += snprintf(lcores + len, sizeof(lcores) - len, "%s%u", separator, cpu);
		separator = ",";
	}
	snprintf(lcores + len, sizeof(lcores) - len, ")");
	rc = rte_eal_init(RTE_DIM(args), (char **)args);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	return rc < 0 ? -1 : 0;
}

/* With one lcore, and threads of the test's own on every CPU. */
static inline int test_eal_start(unsigned int memory_mb)
{
	return test_eal_start_lcores(1, memory_mb);
}
