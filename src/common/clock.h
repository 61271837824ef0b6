// SPDX-License-Identifier: BSD-3-Clause
/*
 * The two clocks. Lease ends and timers use the boot clock, which runs on through suspend and never
 * jumps; records and the store use UTC. Pure parts take the time as an argument instead.
 */
#pragma once

#include <stdint.h>

/* Milliseconds since boot (CLOCK_BOOTTIME). */
int64_t clock_boot_ms(void);
/* Milliseconds since 1970-01-01 UTC (CLOCK_REALTIME). */
int64_t clock_utc_ms(void);
