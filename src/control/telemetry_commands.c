// SPDX-License-Identifier: BSD-3-Clause
#include "control/telemetry_commands.h"

#include "common/addr.h"
#include "common/clock.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_telemetry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A dictionary inside of another, or NULL. */
static struct rte_tel_data *add_dict(struct rte_tel_data *answer, const char *name)
{
	struct rte_tel_data *dict = rte_tel_data_alloc();

	if (dict == NULL)
		return NULL;
	rte_tel_data_start_dict(dict);
	if (rte_tel_data_add_dict_container(answer, name, dict, 0) == 0)
		return dict;
	rte_tel_data_free(dict);
	return NULL;
}

/* The same under a number: arrays hold no dictionaries. */
static struct rte_tel_data *add_item(struct rte_tel_data *answer, uint32_t number)
{
	char name[12];

	snprintf(name, sizeof(name), "%u", number);
	return add_dict(answer, name);
}

/* --- packets ------------------------------------------------------------------------------------- */

static uint64_t carried(const struct dp_counters *counters)
{
	return counters->packets[DP_COUNT_RX] + counters->packets[DP_COUNT_FROM_HOST];
}

static void add_work(struct rte_tel_data *dict, const struct dp_counters *counters)
{
	rte_tel_data_add_dict_u64(dict, "busy_cycles", counters->busy_cycles);
	rte_tel_data_add_dict_u64(dict, "busy_loops", counters->busy_loops);
	rte_tel_data_add_dict_u64(dict, "idle_loops", counters->idle_loops);
	rte_tel_data_add_dict_u64(dict, "cycles_per_packet",
		carried(counters) == 0 ? 0 : counters->busy_cycles / carried(counters));
}

/* Of what the control thread does with packets. */
static int add_control_counters(const struct tep_view *view, struct rte_tel_data *answer)
{
	struct rte_tel_data *host = view->host != NULL ? add_dict(answer, "host") : NULL;
	struct rte_tel_data *ask = view->ask != NULL ? add_dict(answer, "ask") : NULL;

	if ((view->host != NULL && host == NULL) || (view->ask != NULL && ask == NULL))
		return -ENOMEM;
	for (uint32_t i = 0; host != NULL && i < TEP_HOST_N_COUNTERS; i++)
		rte_tel_data_add_dict_u64(
			host, tep_host_counter_info[i].name, tep_host_counter(view->host, i));
	for (uint32_t i = 0; ask != NULL && i < TEP_QUESTION_N_COUNTERS; i++)
		rte_tel_data_add_dict_u64(
			ask, tep_question_counter_info[i].name, tep_ask_counter(view->ask, i));
	return 0;
}

static int run_stats(const struct tep_view *view, const char *params, struct rte_tel_data *answer)
{
	struct rte_tel_data *drops, *others;
	struct dp_counters counters;

	rte_tel_data_start_dict(answer);
	drops = add_dict(answer, "drops");
	others = add_dict(answer, "packets");
	if (drops == NULL || others == NULL)
		return -ENOMEM;
	dp_datapath_counters(view->tep->datapath, &counters);
	for (uint32_t i = 0; i < DP_N_COUNTERS; i++)
		rte_tel_data_add_dict_u64(dp_counter_is_drop(i) ? drops : others,
			dp_counter_info[i].name, counters.packets[i]);
	add_work(answer, &counters);
	return add_control_counters(view, answer);
}

static int run_workers(const struct tep_view *view, const char *params, struct rte_tel_data *answer)
{
	struct dp_counters counters;

	rte_tel_data_start_dict(answer);
	for (uint32_t i = 0; i < view->tep->config->workers; i++) {
		struct rte_tel_data *item = add_item(answer, i);
		uint64_t dropped = 0;

		if (item == NULL)
			return -ENOMEM;
		dp_datapath_worker_counters(view->tep->datapath, i, &counters);
		for (uint32_t at = 0; at < DP_N_DROPS; at++)
			dropped += counters.packets[at];
		rte_tel_data_add_dict_u64(item, "packets", carried(&counters));
		rte_tel_data_add_dict_u64(item, "dropped", dropped);
		add_work(item, &counters);
	}
	return 0;
}

/* --- bindings ------------------------------------------------------------------------------------ */

static int run_bindings(
	const struct tep_view *view, const char *params, struct rte_tel_data *answer)
{
	struct dp_bindings_usage usage;

	dp_bindings_usage(view->tep->bindings, &usage);
	rte_tel_data_start_dict(answer);
	rte_tel_data_add_dict_u64(answer, "count", usage.bindings);
	rte_tel_data_add_dict_u64(answer, "exclusive", usage.exclusive);
	rte_tel_data_add_dict_u64(answer, "addresses", usage.addresses);
	rte_tel_data_add_dict_u64(answer, "max", usage.max_bindings);
	rte_tel_data_add_dict_u64(answer, "bytes", usage.bytes);
	rte_tel_data_add_dict_u64(answer, "version", usage.version);
	rte_tel_data_add_dict_u64(answer, "changed_s", (uint64_t)usage.changed_s);
	return 0;
}

/* "198.51.100.7,1500" */
static bool parse_key(const char *params, uint32_t *v4, uint16_t *port)
{
	const char *comma = strchr(params, ',');
	char text[ADDR_V4_STRLEN];
	unsigned long number;
	char *end;

	if (comma == NULL || (size_t)(comma - params) >= sizeof(text) || comma[1] < '0' ||
		comma[1] > '9')
		return false;
	memcpy(text, params, (size_t)(comma - params));
	text[comma - params] = '\0';
	number = strtoul(comma + 1, &end, 10);
	if (*end != '\0' || number > UINT16_MAX || addr_v4_parse(text, v4) < 0)
		return false;
	*port = (uint16_t)number;
	return true;
}

static int run_binding(const struct tep_view *view, const char *params, struct rte_tel_data *answer)
{
	uint32_t now_s = dp_datapath_now_s(view->tep->datapath), v4, end_s;
	const struct dp_binding *found;
	char text[ADDR_V6_STRLEN];
	uint16_t port;

	if (!parse_key(params, &v4, &port))
		return -EINVAL;
	found = dp_bindings_find(view->tep->bindings, v4, port);
	rte_tel_data_start_dict(answer);
	rte_tel_data_add_dict_u64(answer, "held", found != NULL);
	if (found == NULL)
		return 0;
	rte_tel_data_add_dict_string(answer, "v4", addr_v4_format(v4, text));
	rte_tel_data_add_dict_u64(answer, "first", found->first);
	rte_tel_data_add_dict_u64(answer, "last", found->last);
	rte_tel_data_add_dict_string(answer, "client", addr_v6_format(&found->client_v6, text));
	rte_tel_data_add_dict_string(answer, "tep", addr_v6_format(&found->tep_v6, text));
	rte_tel_data_add_dict_u64(answer, "static", found->is_static);
	rte_tel_data_add_dict_u64(answer, "dormant", found->is_dormant);
	end_s = dp_binding_lease_end_s(found);
	if (end_s != DP_BINDING_ENDLESS)
		rte_tel_data_add_dict_u64(
			answer, "seconds_left", end_s > now_s ? end_s - now_s : 0);
	return 0;
}

/* --- servers ------------------------------------------------------------------------------------- */

static int run_servers(const struct tep_view *view, const char *params, struct rte_tel_data *answer)
{
	struct tep_server_status rows[TEP_SERVERS_MAX];
	uint32_t n = 0;

	if (view->sessions != NULL)
		n = tep_sessions_status(view->sessions, rows, TEP_SERVERS_MAX);
	rte_tel_data_start_dict(answer);
	for (uint32_t i = 0; i < n; i++) {
		struct rte_tel_data *item = add_item(answer, i);

		if (item == NULL)
			return -ENOMEM;
		rte_tel_data_add_dict_string(item, "name", rows[i].name);
		rte_tel_data_add_dict_string(item, "state",
			!rows[i].connected  ? "down"
			: rows[i].levelling ? "syncing"
					    : "connected");
		rte_tel_data_add_dict_u64(
			item, "since_s", (uint64_t)(clock_boot_ms() - rows[i].since_ms) / 1000);
		rte_tel_data_add_dict_u64(item, "creates", rows[i].counts.creates);
		rte_tel_data_add_dict_u64(item, "deletes", rows[i].counts.deletes);
		rte_tel_data_add_dict_u64(item, "refused", rows[i].counts.refused);
		rte_tel_data_add_dict_u64(item, "level", rows[i].is_level);
		rte_tel_data_add_dict_u64(
			item, "differs_s", rows[i].word.differs ? rows[i].word.differs_s : 0);
	}
	return 0;
}

static int run_ready(const struct tep_view *view, const char *params, struct rte_tel_data *answer)
{
	const struct tep_ready *ready = &view->tep->ready;
	char reason[TEP_READY_REASON_LEN];

	rte_tel_data_start_dict(answer);
	rte_tel_data_add_dict_string(answer, "state", tep_ready_name(tep_ready_state(ready)));
	rte_tel_data_add_dict_string(answer, "reason", tep_ready_reason(ready, reason));
	return 0;
}

/* --- all of them --------------------------------------------------------------------------------- */

static int run_help(const struct tep_view *view, const char *params, struct rte_tel_data *answer)
{
	rte_tel_data_start_dict(answer);
	for (const struct tep_telemetry_command *command = tep_telemetry_commands;
		command->name != NULL; command++)
		rte_tel_data_add_dict_string(answer, command->name, command->help);
	return 0;
}

const struct tep_telemetry_command tep_telemetry_commands[] = {
	{"/dstm/help", "These commands", run_help},
	{"/dstm/stats", "Packets by counter and by reason of drop", run_stats},
	{"/dstm/workers", "What each worker did, by its number", run_workers},
	{"/dstm/bindings", "How many bindings there are, and may be", run_bindings},
	{"/dstm/binding", "Who holds an address and port: /dstm/binding,V4,PORT", run_binding},
	{"/dstm/servers", "The sessions of servers, by their number in the configuration",
		run_servers},
	{"/dstm/ready", "Is this TEP fit to carry traffic, and if not, why", run_ready},
	{NULL, NULL, NULL},
};
