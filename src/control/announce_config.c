// SPDX-License-Identifier: BSD-3-Clause
#include "control/announce_config.h"

#include <stddef.h>

#define AT(field) offsetof(struct tep_config_announce, field)

static const struct config_key keys[] = {
	{CONFIG_POS, AT(pos)},
	{CONFIG_BOOL, AT(pools), "pools", .value = "false"},
	{CONFIG_BOOL, AT(tunnel), "tunnel", .value = "false"},
	{CONFIG_U32, AT(metric), "metric", .value = "213", .min = 1, .max = UINT32_MAX},
	{CONFIG_END},
};
const struct config_section tep_announce_section = {keys, sizeof(struct tep_config_announce)};

#define ROUTES_MAX 16

static const struct config_key ready_keys[] = {
	{CONFIG_POS, offsetof(struct tep_config_ready, pos)},
	{CONFIG_LIST, offsetof(struct tep_config_ready, routes_v4), "routes_v4", .max = ROUTES_MAX,
		.item = CONFIG_V4},
	{CONFIG_LIST, offsetof(struct tep_config_ready, routes_v6), "routes_v6", .max = ROUTES_MAX,
		.item = CONFIG_V6},
	{CONFIG_END},
};
const struct config_section tep_ready_section = {ready_keys, sizeof(struct tep_config_ready)};

int tep_announce_check(
	const char *path, const struct tep_config *config, struct config_error *error)
{
	if (config->announce.pools && config->pools.n == 0)
		return config_fail(error, path, config->announce.pos,
			"announce.pools: pools is empty, so there is nothing to announce");
	return 0;
}
