// SPDX-License-Identifier: BSD-3-Clause
#include "control/plain_config.h"

#include <stddef.h>

#define IPV6_MTU_MIN 1280

#define AT(field) offsetof(struct tep_config_plain, field)

static const char *const v4_ways[] = {
	[DP_FORWARD_DROP] = "drop",
	[DP_FORWARD_ROUTE] = "forward",
	[DP_FORWARD_HOST] = "host",
	NULL,
};

static const char *const v6_ways[] = {
	[TEP_PLAIN_V6_HOST] = "host", [TEP_PLAIN_V6_FORWARD] = "forward", NULL};

static const struct config_key keys[] = {
	{CONFIG_POS, AT(pos)},
	{CONFIG_CHOICE, AT(v4), "ipv4", .value = "drop", .choices = v4_ways},
	{CONFIG_CHOICE, AT(v6), "ipv6", .value = "host", .choices = v6_ways},
	{CONFIG_BOOL, AT(errors), "errors", .value = "true"},
	{CONFIG_END},
};
const struct config_section tep_plain_section = {keys, sizeof(struct tep_config_plain)};

int tep_plain_check(const char *path, const struct tep_config *config, struct config_error *error)
{
	const struct tep_config_plain *plain = &config->plain;
	bool is_static = config->neighbor.mode == TEP_NEIGHBOR_STATIC;
	bool forwards = plain->v4 == DP_FORWARD_ROUTE || plain->v6 == TEP_PLAIN_V6_FORWARD;

	if (plain->v4 != DP_FORWARD_DROP && config->pools.n == 0)
		return config_fail(error, path, plain->pos,
			"plain.ipv4: %s needs pools, lest packets to addresses that no client has "
			"yet be sent away",
			v4_ways[plain->v4]);
	if (plain->v4 == DP_FORWARD_HOST && is_static)
		return config_fail(error, path, plain->pos,
			"plain.ipv4: with neighbor.mode: static there is no host");
	if (forwards && is_static && tep_config_has_one_link(config))
		return config_fail(error, path, plain->pos,
			"plain: with neighbor.mode: static and one link there is no other way to "
			"forward to");
	if (plain->v6 == TEP_PLAIN_V6_FORWARD && config->ports.mtu_v4 < IPV6_MTU_MIN)
		return config_fail(error, path, plain->pos,
			"plain.ipv6: forward needs a ports.mtu_v4 of at least %u (RFC 8200)",
			IPV6_MTU_MIN);
	return 0;
}

struct dp_forward_params tep_plain_forward(const struct tep_config *config)
{
	return (struct dp_forward_params){
		.v4 = (uint8_t)config->plain.v4,
		.v6 = config->plain.v6 == TEP_PLAIN_V6_FORWARD,
	};
}
