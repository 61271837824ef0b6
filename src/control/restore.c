// SPDX-License-Identifier: BSD-3-Clause
#include "control/restore.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>

static void log_taken(const char *path, const struct tep_snapshot_taken *taken, int64_t took_ms)
{
	if (taken->ignored[0] != '\0')
		log_warn("bindings.snapshot: %s: not read: %s", path, taken->ignored);
	else
		log_info("bindings.snapshot: %s: %u bindings taken over in %" PRId64 " ms; %u had "
			 "ended",
			path, taken->taken, took_ms, taken->ended);
	if (taken->foreign + taken->damaged + taken->refused != 0)
		log_warn("bindings.snapshot: %s: %u bindings of servers or tunnel addresses that "
			 "are "
			 "not configured, %u damaged, %u without room in the table: not taken over",
			path, taken->foreign, taken->damaged, taken->refused);
}

struct tep_snapshot *tep_restore_bindings(const struct tep *tep)
{
	const struct tep_config *config = tep->config;
	const struct tep_config_server *servers = config->control.servers.items;
	const int64_t start_ms = clock_boot_ms();
	struct tep_snapshot_params params = {
		.path = config->bindings.snapshot,
		.table = tep->bindings,
		.n_servers = config->control.servers.n,
		.tep_v6 = tep_config_tunnel_v6(config),
		.n_tep_v6 = config->tunnel.v6.n,
		.now_s = (uint32_t)(start_ms / 1000),
	};
	char error[TEP_SNAPSHOT_ERROR_LEN];
	struct tep_snapshot_taken taken;
	struct tep_snapshot *snapshot;

	for (uint32_t i = 0; i < params.n_servers; i++)
		params.servers[i] = servers[i].name;
	snapshot = tep_snapshot_open(&params, &taken, error);
	if (snapshot == NULL) {
		log_err("bindings.snapshot: %s: %s", params.path, error);
		errno = EIO;
		return NULL;
	}
	log_taken(params.path, &taken, clock_boot_ms() - start_ms);
	return snapshot;
}
