// SPDX-License-Identifier: BSD-3-Clause
#include "control/ready.h"

#include <stdio.h>

static enum tep_settled settle(const struct tep_ready *ready, enum tep_settled before,
	const struct tep_server_status *server, int64_t now_ms)
{
	if (before != TEP_SETTLED_NOT)
		return before;
	if (server->is_level)
		return TEP_SETTLED_LEVEL;
	if (!server->connected && now_ms - server->since_ms >= ready->confirm_ms)
		return TEP_SETTLED_ABSENT;
	return TEP_SETTLED_NOT;
}

void tep_ready_look(struct tep_ready *ready, const struct tep_server_status *servers, uint32_t n,
	int64_t now_ms)
{
	ready->awaited = NULL;
	ready->n_servers = n;
	for (uint32_t i = 0; i < n; i++) {
		ready->settled[i] = settle(ready, ready->settled[i], &servers[i], now_ms);
		if (ready->settled[i] == TEP_SETTLED_NOT && ready->awaited == NULL)
			ready->awaited = servers[i].name;
	}
	ready->has_looked = true;
}

enum tep_ready_state tep_ready_state(const struct tep_ready *ready)
{
	if (ready->is_draining)
		return TEP_READY_DRAINING;
	if (!ready->is_running || !ready->has_looked || ready->awaited != NULL ||
		ready->unreached != NULL)
		return TEP_READY_WAITING;
	return TEP_READY;
}

const char *tep_ready_name(enum tep_ready_state state)
{
	static const char *const names[] = {
		[TEP_READY_WAITING] = "waiting",
		[TEP_READY] = "ready",
		[TEP_READY_DRAINING] = "draining",
	};

	return names[state];
}

const char *tep_ready_reason(
	const struct tep_ready *ready, char reason[static TEP_READY_REASON_LEN])
{
	reason[0] = '\0';
	if (ready->is_draining)
		snprintf(reason, TEP_READY_REASON_LEN, "draining");
	else if (!ready->is_running)
		snprintf(reason, TEP_READY_REASON_LEN, "the workers do not run");
	else if (ready->awaited != NULL)
		snprintf(reason, TEP_READY_REASON_LEN,
			"server %s has not told all its bindings yet", ready->awaited);
	else if (ready->unreached != NULL)
		snprintf(reason, TEP_READY_REASON_LEN, "there is no route to %s", ready->unreached);
	else if (!ready->has_looked)
		snprintf(reason, TEP_READY_REASON_LEN, "has just started");
	return reason;
}
