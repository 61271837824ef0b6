// SPDX-License-Identifier: BSD-3-Clause
#include "common/clock.h"

#include <time.h>

static int64_t read_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_boot_ms(void)
{
	return read_ms(CLOCK_BOOTTIME);
}

int64_t clock_utc_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}
