// SPDX-License-Identifier: BSD-3-Clause
#include "server/fleet.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- one TEP ------------------------------------------------------------------------------------- */

static bool copy_text(char **to, const char *from)
{
	*to = from != NULL ? strdup(from) : NULL;
	return from == NULL || *to != NULL;
}

static void free_tep(struct srv_fleet_tep *tep)
{
	srv_tep_link_destroy(tep->link);
	free(tep->config.name);
	free(tep->config.user);
	free(tep->config.password);
	free(tep->config.tls_name);
	*tep = (struct srv_fleet_tep){0};
}

/* A TEP with a session of its own, not yet begun. Returns 0 or -errno. */
static int make_tep(const struct srv_fleet *fleet, const struct srv_config *config,
	const struct srv_config_tep *from, uint32_t number, struct srv_fleet_tep *tep)
{
	struct srv_tep_link_params params = fleet->link;

	*tep = (struct srv_fleet_tep){.config = {.control = from->control, .v6 = from->v6}};
	if (!copy_text(&tep->config.name, from->name) ||
		!copy_text(&tep->config.user, from->user) ||
		!copy_text(&tep->config.password, from->password) ||
		!copy_text(&tep->config.tls_name, from->tls_name))
		return -ENOMEM;
	params.name = tep->config.name;
	params.control = tep->config.control;
	params.user = tep->config.user;
	params.password = tep->config.password;
	params.tls_name = tep->config.tls_name;
	params.timeout_s = config->lease.tep_timeout_s;
	params.compare_s = config->lease.tep_compare_s;
	params.tep = number;
	tep->link = srv_tep_link_create(&params);
	return tep->link != NULL ? 0 : -errno;
}

/* --- preparing a change -------------------------------------------------------------------------- */

static bool is_taken(const struct srv_fleet_change *change, uint32_t number)
{
	for (uint32_t i = 0; i < change->n; i++) {
		if (change->numbers[i] == number)
			return true;
	}
	return false;
}

static uint32_t find_by_name(const struct srv_fleet *fleet, const struct srv_config_tep *config)
{
	for (uint32_t i = 0; i < fleet->n; i++) {
		if (fleet->teps[i].link != NULL &&
			strcmp(fleet->teps[i].config.name, config->name) == 0)
			return i;
	}
	return SRV_TEP_NONE;
}

static uint32_t find_by_endpoint(const struct srv_fleet *fleet,
	const struct srv_fleet_change *change, const struct srv_config_tep *config)
{
	for (uint32_t i = 0; i < fleet->n; i++) {
		const struct addr_endpoint *control = &fleet->teps[i].config.control;

		if (fleet->teps[i].link != NULL && !is_taken(change, i) &&
			addr_v6_equal(&control->addr, &config->control.addr) &&
			control->port == config->control.port)
			return i;
	}
	return SRV_TEP_NONE;
}

/* A number that nobody has. */
static uint32_t find_free(const struct srv_fleet *fleet, const struct srv_fleet_change *change)
{
	uint32_t number = 0;

	while ((number < fleet->n && fleet->teps[number].link != NULL) || is_taken(change, number))
		number++;
	return number;
}

static void choose_numbers(const struct srv_fleet *fleet, const struct srv_config *config,
	struct srv_fleet_change *change)
{
	const struct srv_config_tep *teps = config->teps.items;

	for (uint32_t i = 0; i < change->n; i++)
		change->numbers[i] = find_by_name(fleet, &teps[i]);
	for (uint32_t i = 0; i < change->n; i++) {
		if (change->numbers[i] == SRV_TEP_NONE)
			change->numbers[i] = find_by_endpoint(fleet, change, &teps[i]);
		if (change->numbers[i] == SRV_TEP_NONE)
			change->numbers[i] = find_free(fleet, change);
		if (change->numbers[i] >= change->n_teps)
			change->n_teps = change->numbers[i] + 1;
	}
}

static bool are_numbers_low(const struct srv_config *config, const struct srv_fleet_change *change)
{
	const struct srv_config_pool *pools = config->pools.items;

	for (uint32_t i = 0; i < config->pools.n; i++) {
		const struct srv_config_pool_tep *teps = pools[i].teps.items;

		for (uint32_t j = 0; pools[i].copies != SRV_COPIES_NONE && j < pools[i].teps.n; j++)
			if (change->numbers[srv_config_find_tep(config, teps[j].name)] >=
				SRV_COPIES_MAX)
				return false;
	}
	return true;
}

/* What is reached as before, under the same name, keeps its session. */
static bool keeps_session(const struct srv_fleet *fleet, uint32_t number,
	const struct srv_config_tep *config, uint32_t timeout_s)
{
	return number < fleet->n && fleet->teps[number].link != NULL &&
	       srv_config_same_session(&fleet->teps[number].config, config) &&
	       srv_tep_link_timeout_s(fleet->teps[number].link) == timeout_s;
}

int srv_fleet_prepare(const struct srv_fleet *fleet, const struct srv_config *config,
	struct srv_fleet_change *change)
{
	const struct srv_config_tep *teps = config->teps.items;
	uint32_t n = config->teps.n;
	int ret = 0;

	*change = (struct srv_fleet_change){.n = n, .n_teps = fleet->n};
	change->numbers = calloc(n, sizeof(*change->numbers));
	change->fresh = calloc(n, sizeof(*change->fresh));
	change->teps = calloc(fleet->n + n, sizeof(*change->teps));
	change->engine_teps = calloc(fleet->n + n, sizeof(*change->engine_teps));
	if (change->numbers == NULL || change->fresh == NULL || change->teps == NULL ||
		change->engine_teps == NULL)
		ret = -ENOMEM;
	if (ret == 0)
		choose_numbers(fleet, config, change);
	if (ret == 0 && !are_numbers_low(config, change))
		ret = -ERANGE;
	for (uint32_t i = 0; ret == 0 && i < n; i++) {
		if (!keeps_session(
			    fleet, change->numbers[i], &teps[i], config->lease.tep_timeout_s))
			ret = make_tep(
				fleet, config, &teps[i], change->numbers[i], &change->fresh[i]);
	}
	if (ret < 0)
		srv_fleet_abandon(change);
	return ret;
}

void srv_fleet_abandon(struct srv_fleet_change *change)
{
	for (uint32_t i = 0; change->fresh != NULL && i < change->n; i++)
		free_tep(&change->fresh[i]);
	free(change->numbers);
	free(change->fresh);
	free(change->teps);
	free(change->engine_teps);
	*change = (struct srv_fleet_change){0};
}

/* --- making it ----------------------------------------------------------------------------------- */

void srv_fleet_commit(
	struct srv_fleet *fleet, const struct srv_config *config, struct srv_fleet_change *change)
{
	const struct srv_config_tep *teps = config->teps.items;

	for (uint32_t i = 0; i < fleet->n; i++) {
		change->teps[i] = fleet->teps[i];
		change->teps[i].is_leaving = true;
		change->engine_teps[i] = fleet->engine_teps[i];
	}
	for (uint32_t i = 0; i < change->n; i++) {
		struct srv_fleet_tep *tep = &change->teps[change->numbers[i]];
		struct srv_engine_tep *engine_tep = &change->engine_teps[change->numbers[i]];
		struct srv_fleet_tep old = *tep;

		if (change->fresh[i].link != NULL) {
			*tep = change->fresh[i];
			change->fresh[i] = old;
		}
		tep->is_leaving = false;
		srv_tep_link_set_compare_s(tep->link, config->lease.tep_compare_s);
		tep->config.v6 = teps[i].v6;
		engine_tep->name = tep->config.name;
		engine_tep->v6 = tep->config.v6;
	}
	free(fleet->teps);
	free(fleet->engine_teps);
	fleet->teps = change->teps;
	fleet->engine_teps = change->engine_teps;
	fleet->n = change->n_teps;
	change->teps = NULL;
	change->engine_teps = NULL;
}

void srv_fleet_finish(struct srv_fleet_change *change)
{
	for (uint32_t i = 0; i < change->n; i++) {
		if (change->fresh[i].link != NULL)
			srv_tep_link_lose(change->fresh[i].link);
	}
	srv_fleet_abandon(change);
}

void srv_fleet_level(struct srv_fleet *fleet, uint64_t teps)
{
	for (; teps != 0; teps &= teps - 1)
		srv_tep_link_level(fleet->teps[srv_tep_first(teps)].link);
}

void srv_fleet_sweep(struct srv_fleet *fleet, const struct srv_engine *engine)
{
	for (uint32_t i = 0; i < fleet->n; i++) {
		struct srv_fleet_tep *tep = &fleet->teps[i];

		if (!tep->is_leaving || tep->link == NULL || srv_engine_uses_tep(engine, i))
			continue;
		log_info("TEP %s: let go, no lease goes through it any more", tep->config.name);
		free_tep(tep);
		fleet->engine_teps[i] = (struct srv_engine_tep){.name = ""};
	}
}

void srv_fleet_free(struct srv_fleet *fleet)
{
	for (uint32_t i = 0; i < fleet->n; i++)
		free_tep(&fleet->teps[i]);
	free(fleet->teps);
	free(fleet->engine_teps);
}
