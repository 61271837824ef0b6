// SPDX-License-Identifier: BSD-3-Clause
/* Starts the EAL for a unit test: no privilege, no huge pages, no files, one lcore. */
#pragma once

#include <rte_common.h>
#include <rte_eal.h>

#include <stdio.h>

/* memory_mb: all that the test may allocate. 0, or -1 with a message printed. */
static inline int test_eal_start(unsigned int memory_mb)
{
	char memory[16];
	const char *args[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--log-level=lib.eal:error", "-l", "0", "-m", memory};

	snprintf(memory, sizeof(memory), "%u", memory_mb);
	return rte_eal_init(RTE_DIM(args), (char **)args) < 0 ? -1 : 0;
}
