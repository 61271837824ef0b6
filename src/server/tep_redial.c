// SPDX-License-Identifier: BSD-3-Clause
#include "server/tep_redial.h"

#define QUICK_ATTEMPTS 5 /* that come soon */
#define QUICK_DELAY_MS 200
#define MIN_DELAY_MS   1000 /* then this, doubling ... */
#define MAX_DELAY_MS   30000 /* ... to this */

int64_t srv_tep_redial_ms(uint32_t attempts)
{
	uint32_t doublings = attempts - QUICK_ATTEMPTS;

	if (attempts < QUICK_ATTEMPTS)
		return QUICK_DELAY_MS;
	return doublings < 5 ? MIN_DELAY_MS << doublings : MAX_DELAY_MS;
}
