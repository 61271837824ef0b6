// SPDX-License-Identifier: BSD-3-Clause
/* What each /dstm/ command says. Control thread only; telemetry.h brings questions there. */
#pragma once

#include "control/view.h"

struct rte_tel_data;

struct tep_telemetry_command {
	const char *name; /* "/dstm/stats" */
	const char *help;
	/* params: what stands behind the name and its comma, "" for nothing. 0 or -errno: then there is no answer. */
	int (*run)(const struct tep_view *view, const char *params, struct rte_tel_data *answer);
};

/* Ends with a name of NULL. */
extern const struct tep_telemetry_command tep_telemetry_commands[];
