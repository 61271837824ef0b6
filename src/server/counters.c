// SPDX-License-Identifier: BSD-3-Clause
#include "server/counters.h"

const struct srv_counter_text srv_counter_texts[SRV_COUNTER_MAX] = {
#define X(id, name, text) {name, text},
	SRV_COUNTERS(X)
#undef X
};
