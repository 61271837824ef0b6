// SPDX-License-Identifier: BSD-3-Clause
#include "server/ready.h"

#include <stdio.h>

static bool has_tep(const struct srv_server *server)
{
	for (uint32_t i = 0; i < server->fleet.n; i++) {
		const struct srv_fleet_tep *tep = &server->fleet.teps[i];

		if (tep->link != NULL && !tep->is_leaving &&
			srv_tep_link_status(tep->link).state != SRV_TEP_DOWN)
			return true;
	}
	return false;
}

bool srv_is_ready(const struct srv_server *server, char reason[static SRV_READY_REASON_LEN])
{
	const char *missing = "";

	if (srv_writer_is_failing(server->writer))
		missing = "the store cannot be written";
	else if (!has_tep(server))
		missing = "no TEP has a session";
	snprintf(reason, SRV_READY_REASON_LEN, "%s", missing);
	return missing[0] == '\0';
}
