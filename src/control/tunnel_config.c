// SPDX-License-Identifier: BSD-3-Clause
#include "control/tunnel_config.h"

#include "common/addr.h"

#include <stdlib.h>
#include <string.h>

#define MSS_MIN 536 /* what every host takes: RFC 9293 section 3.7.1 */
#define MSS_MAX 9560

static int check_address(const char *path, const struct tep_config *config,
	const struct tep_config_tunnel_v6 *item, struct config_error *error)
{
	const struct tep_config_tunnel_v6 *first = config->tunnel.v6.items;
	char text[ADDR_V6_STRLEN];

	if (!addr_v6_is_global(&item->addr))
		return config_fail(error, path, config->tunnel.pos,
			"tunnel.v6: %s cannot be a tunnel end", addr_v6_format(&item->addr, text));
	for (const struct tep_config_tunnel_v6 *other = first; other < item; other++)
		if (addr_v6_equal(&item->addr, &other->addr))
			return config_fail(error, path, config->tunnel.pos,
				"tunnel.v6: %s stands there twice",
				addr_v6_format(&item->addr, text));
	if (item->mtu > config->ports.mtu_v6)
		return config_fail(error, path, item->pos,
			"tunnel.v6: an mtu of %u is more than ports.mtu_v6 (%u)", item->mtu,
			config->ports.mtu_v6);
	return 0;
}

static int check_addresses(const char *path, struct tep_config *config, struct config_error *error)
{
	const struct tep_config_tunnel_v6 *items = config->tunnel.v6.items;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < config->tunnel.v6.n; i++) {
		rc = check_address(path, config, &items[i], error);
		config->tep_v6[i] = items[i].addr;
	}
	return rc;
}

static int check_prefixes(
	const char *path, const struct tep_config *config, struct config_error *error)
{
	const struct tep_config_mtu_by_prefix *items = config->tunnel.mtu_by_prefix.items;
	char text[ADDR_PREFIX_STRLEN];

	for (uint32_t i = 0; i < config->tunnel.mtu_by_prefix.n; i++) {
		if (items[i].mtu > config->ports.mtu_v6)
			return config_fail(error, path, items[i].pos,
				"tunnel.mtu_by_prefix: an mtu of %u is more than ports.mtu_v6 (%u)",
				items[i].mtu, config->ports.mtu_v6);
		for (uint32_t k = 0; k < i; k++)
			if (items[i].prefix.len == items[k].prefix.len &&
				addr_v6_equal(&items[i].prefix.addr, &items[k].prefix.addr))
				return config_fail(error, path, items[i].pos,
					"tunnel.mtu_by_prefix: %s stands in line %u, too",
					addr_v6_prefix_format(&items[i].prefix, text),
					items[k].pos.line);
	}
	return 0;
}

static int check_mss_clamp(
	const char *path, struct tep_config_tunnel *tunnel, struct config_error *error)
{
	const char *text = tunnel->mss_clamp;
	char *end;

	if (strcmp(text, "off") == 0)
		return 0;
	if (strcmp(text, "auto") == 0) {
		tunnel->mss = DP_MSS_AUTO;
		return 0;
	}
	tunnel->mss = (uint32_t)strtoul(text, &end, 10);
	if (text[0] < '1' || text[0] > '9' || *end != '\0' || end - text > 4 ||
		tunnel->mss < MSS_MIN || tunnel->mss > MSS_MAX)
		return config_fail(error, path, tunnel->pos,
			"tunnel.mss_clamp: expected off, auto or a number in %u..%u, not \"%.20s\"",
			MSS_MIN, MSS_MAX, text);
	return 0;
}

int tep_tunnel_check(const char *path, struct tep_config *config, struct config_error *error)
{
	int rc = check_addresses(path, config, error);

	if (rc == 0)
		rc = check_prefixes(path, config, error);
	if (rc == 0)
		rc = check_mss_clamp(path, &config->tunnel, error);
	return rc;
}

void tep_tunnel_mtu_rules(const struct tep_config *config, struct dp_mtu_rules *rules)
{
	const struct tep_config_tunnel_v6 *teps = config->tunnel.v6.items;
	const struct tep_config_mtu_by_prefix *clients = config->tunnel.mtu_by_prefix.items;

	memset(rules, 0, sizeof(*rules));
	rules->mtu_v6 = config->ports.mtu_v6;
	for (uint32_t i = 0; i < config->tunnel.v6.n; i++)
		if (teps[i].mtu != 0)
			rules->teps[rules->n_teps++] = (struct dp_mtu_rule){
				{teps[i].addr, 128}, teps[i].mtu};
	for (uint32_t i = 0; i < config->tunnel.mtu_by_prefix.n; i++)
		rules->clients[rules->n_clients++] = (struct dp_mtu_rule){
			clients[i].prefix, clients[i].mtu};
}
