// SPDX-License-Identifier: BSD-3-Clause
#include "control/learn_config.h"

#include <stddef.h>

#define PORTS       65536
#define MAX         (1U << 20)
#define CLIENTS_MAX 64

#define AT(field) offsetof(struct tep_config_learn, field)

static const char *const modes[] = {
	[TEP_LEARN_OFF] = "off",
	[TEP_LEARN_CONFIRMED] = "confirmed",
	[TEP_LEARN_OPEN] = "open",
	NULL,
};

static const struct config_key keys[] = {
	{CONFIG_POS, AT(pos)},
	{CONFIG_CHOICE, AT(mode), "mode", .value = "off", .choices = modes},
	{CONFIG_U32, AT(block), "block", .value = "1024", .min = 1, .max = PORTS},
	{CONFIG_U32, AT(lifetime_s), "lifetime_s", .value = "300", .min = 1, .max = 86400},
	{CONFIG_U32, AT(max), "max", .value = "4096", .min = 1, .max = MAX},
	{CONFIG_LIST, AT(clients), "clients", .max = CLIENTS_MAX, .item = CONFIG_V6_PREFIX},
	{CONFIG_END},
};
const struct config_section tep_learn_section = {keys, sizeof(struct tep_config_learn)};

static int check_open(const char *path, const struct tep_config *config, struct config_error *error)
{
	const struct tep_config_learn *learn = &config->learn;
	const struct addr_v6_prefix *clients = learn->clients.items;
	char text[ADDR_PREFIX_STRLEN];

	if (config->query.enabled)
		return config_fail(error, path, learn->pos,
			"learn.mode: open asks nobody, but query.enabled does about the same "
			"packets");
	if (learn->clients.n == 0)
		return config_fail(error, path, learn->pos,
			"learn.mode: open needs learn.clients: whose packets are believed");
	for (uint32_t i = 0; i < learn->clients.n; i++)
		if (!addr_v6_is_global(&clients[i].addr))
			return config_fail(error, path, learn->pos,
				"learn.clients: %s holds addresses that no client can have",
				addr_v6_prefix_format(&clients[i], text));
	if ((learn->block & (learn->block - 1)) != 0)
		return config_fail(error, path, learn->pos, "learn.block: %u is not a power of two",
			learn->block);
	if (learn->max > config->bindings.max)
		return config_fail(error, path, learn->pos,
			"learn.max: %u is more than bindings.max (%u)", learn->max,
			config->bindings.max);
	return 0;
}

int tep_learn_check(const char *path, const struct tep_config *config, struct config_error *error)
{
	const struct tep_config_learn *learn = &config->learn;

	if (learn->mode == TEP_LEARN_OFF)
		return 0;
	if (config->pools.n == 0)
		return config_fail(error, path, learn->pos,
			"learn.mode: %s: pools is empty, so there is nothing to learn about",
			modes[learn->mode]);
	if (learn->mode == TEP_LEARN_OPEN)
		return check_open(path, config, error);
	if (!config->control.has_listen)
		return config_fail(error, path, learn->pos,
			"learn.mode: confirmed: control.listen is missing, so there is nobody to "
			"ask");
	return 0;
}
