// SPDX-License-Identifier: BSD-3-Clause
#include "server/tep_redial.h"

#define QUICK_ATTEMPTS 5 /* that come soon */
#define QUICK_DELAY_MS 200
#define DELAY_MS       1000 /* well below the time for which a TEP waits for us (bindings.confirm_ms) */

int64_t srv_tep_redial_ms(uint32_t attempts)
{
	return attempts < QUICK_ATTEMPTS ? QUICK_DELAY_MS : DELAY_MS;
}
