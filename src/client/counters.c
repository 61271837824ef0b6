// SPDX-License-Identifier: BSD-3-Clause
#include "client/counters.h"

#define TRAFFIC_ROW(id, name, text) {name, text, 0},
#define DROP_ROW(id, name, text)    {name, text, 1},

const struct cl_counter_row cl_counter_rows[] = {CL_COUNTERS(TRAFFIC_ROW, DROP_ROW)};
