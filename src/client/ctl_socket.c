// SPDX-License-Identifier: BSD-3-Clause
#include "client/ctl_socket.h"

#include "client/counters.h"
#include "client/forward.h"
#include "common/addr.h"
#include "common/clock.h"

static json_t *format_v6(const struct in6_addr *v6)
{
	char text[ADDR_V6_STRLEN];

	return json_string(addr_v6_format(v6, text));
}

static json_t *format_ports(const struct lease *lease)
{
	json_t *ports = json_array();

	for (uint32_t i = 0; i < lease->n_ranges; i++)
		json_array_append_new(
			ports, json_pack("[i, i]", lease->ranges[i].first, lease->ranges[i].last));
	return ports;
}

static json_t *seconds_until(int64_t when_ms, int64_t now_ms)
{
	return json_integer(when_ms > now_ms ? (when_ms - now_ms) / 1000 : 0);
}

static void add_lease(json_t *result, const struct cl_engine *engine)
{
	const struct lease *lease = &engine->lease;
	int64_t now_ms = clock_boot_ms();
	char v4[ADDR_V4_STRLEN];

	json_object_set_new(result, "v4", json_string(addr_v4_format(lease->v4, v4)));
	json_object_set_new(result, "ports", format_ports(lease));
	json_object_set_new(result, "v6", format_v6(&lease->client_v6));
	json_object_set_new(result, "tep", format_v6(&lease->tep_v6));
	json_object_set_new(result, "lifetime_s", json_integer(engine->lifetime_s));
	json_object_set_new(result, "seconds_left", seconds_until(lease->end_ms, now_ms));
	if (engine->preferred_ms != 0)
		json_object_set_new(
			result, "preferred_left_s", seconds_until(engine->preferred_ms, now_ms));
	if (engine->state == CL_STATE_BOUND)
		json_object_set_new(
			result, "renew_in_s", seconds_until(engine->deadline_ms, now_ms));
}

/* Those that lead nowhere now have no public address. */
static json_t *format_forwards(const struct cl_config *config, const struct cl_engine *engine)
{
	const struct cl_forward *forwards = config->forwards.items;
	uint16_t ports[CL_FORWARDS_MAX] = {0};
	json_t *items = json_array();
	char v4[ADDR_V4_STRLEN];

	if (engine->has_lease)
		cl_forward_assign(forwards, config->forwards.n, &engine->lease, ports);
	for (uint32_t i = 0; i < config->forwards.n; i++) {
		json_t *public = json_null();

		if (ports[i] != 0)
		public = json_sprintf("%s:%u", addr_v4_format(engine->lease.v4, v4), ports[i]);
		json_array_append_new(items, json_pack("{s:s, s:o, s:s}", "protocol",
						     cl_protocol_names[forwards[i].protocol],
						     "public", public, "to", forwards[i].to));
	}
	return items;
}

static void add_traffic(json_t *result, const struct cl_counters *counters)
{
	json_t *drops = json_object();

	for (unsigned int i = 0; i < CL_COUNTERS_N; i++) {
		const struct cl_counter_row *row = &cl_counter_rows[i];

		json_object_set_new(row->is_drop ? drops : result, row->name,
			json_integer((json_int_t)cl_counters_get(counters, i)));
	}
	json_object_set_new(result, "drops", drops);
}

static json_t *show(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	const struct cl_ctl_view *view = arg;
	const struct cl_engine *engine = cl_session_engine(view->session);
	char text[CL_SERVER_STRLEN];
	json_t *result = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:s?}", "version",
		DSTM_VERSION, "state", cl_state_name(engine->state), "server",
		cl_session_server(view->session, text), "mode",
		view->config->mode == CL_MODE_HOST ? "host" : "napt", "device",
		view->config->device, "v4", "ports", "v6", "tep", "lifetime_s", "seconds_left",
		"renew_in_s", "last_error", engine->report[0] != '\0' ? engine->report : NULL);

	if (engine->has_lease)
		add_lease(result, engine);
	json_object_set_new(result, "forwards", format_forwards(view->config, engine));
	if (cl_dti_path_mtu(view->dti) != 0)
		json_object_set_new(result, "path_mtu", json_integer(cl_dti_path_mtu(view->dti)));
	add_traffic(result, cl_dti_counters(view->dti));
	return result;
}

static json_t *counters(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	const struct cl_ctl_view *view = arg;
	const struct cl_counters *values = cl_dti_counters(view->dti);
	json_t *items = json_array();

	for (unsigned int i = 0; i < CL_COUNTERS_N; i++)
		json_array_append_new(
			items, json_pack("{s:s, s:I, s:s}", "name", cl_counter_rows[i].name,
				       "count", (json_int_t)cl_counters_get(values, i), "text",
				       cl_counter_rows[i].text));
	return json_pack("{s:o, s:n}", "items", items, "next");
}

const struct ctl_command cl_ctl_commands[] = {
	{"show", show},
	{"counters", counters},
	{NULL, NULL},
};
