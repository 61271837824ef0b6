// SPDX-License-Identifier: BSD-3-Clause
#include "control/ctl_socket.h"

#include "common/addr.h"
#include "common/clock.h"
#include "common/ctl.h"
#include "common/log.h"
#include "control/packet_json.h"
#include "control/status.h"
#include "control/watch.h"

#include <rte_ethdev.h>
#include <limits.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX     10000

struct tep_ctl_socket {
	struct ctl_server *server;
	struct tep *tep;
	const struct tep_host *host;
	const struct tep_sessions *sessions;
	const struct tep_ask *ask;
	struct tep_watches *watches;
	int64_t start_ms;
	int64_t start_s; /* the same, since 1970 */
	char name[HOST_NAME_MAX + 1]; /* of this instance */
};

static json_t *json_v4(uint32_t v4)
{
	char text[ADDR_V4_STRLEN];

	return json_string(addr_v4_format(v4, text));
}

static json_t *json_v6(const struct in6_addr *v6)
{
	char text[ADDR_V6_STRLEN];

	return json_string(addr_v6_format(v6, text));
}

/* An optional integer argument from min to max. False with a sentence in error. */
static bool get_integer(const json_t *arguments, const char *key, json_int_t min, json_int_t max,
	json_int_t *value, char error[static CTL_ERROR_LEN])
{
	const json_t *found = json_object_get(arguments, key);

	if (found == NULL || json_is_null(found))
		return true;
	if (!json_is_integer(found) || json_integer_value(found) < min ||
		json_integer_value(found) > max) {
		snprintf(error, CTL_ERROR_LEN,
			"%s is not a number from %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT,
			key, min, max);
		return false;
	}
	*value = json_integer_value(found);
	return true;
}

/* --- show ---------------------------------------------------------------------------------------- */

static json_t *show_port(const struct tep_stats_port *port)
{
	char mac_text[RTE_ETHER_ADDR_FMT_SIZE];
	struct rte_ether_addr mac = {0};
	uint16_t mtu = 0;

	rte_eth_macaddr_get(port->port, &mac);
	rte_eth_dev_get_mtu(port->port, &mtu);
	rte_ether_format_addr(mac_text, sizeof(mac_text), &mac);
	return json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I}", "side", port->side,
		"device", port->device, "mac", mac_text, "mtu", (int)mtu, "rx_packets",
		(json_int_t)port->now.ipackets, "rx_bytes", (json_int_t)port->now.ibytes,
		"tx_packets", (json_int_t)port->now.opackets, "tx_bytes",
		(json_int_t)port->now.obytes, "rx_missed", (json_int_t)port->now.imissed);
}

static json_t *show_ports(struct tep *tep)
{
	json_t *ports = json_array();

	tep_stats_sample(&tep->stats);
	for (uint32_t i = 0; i < tep->stats.n_ports; i++)
		json_array_append_new(ports, show_port(&tep->stats.ports[i]));
	return ports;
}

static json_t *show_buffers(const struct tep *tep)
{
	json_t *pools = json_array();

	for (uint32_t i = 0; i < RTE_DIM(tep->pools); i++)
		if (tep->pools[i] != NULL && (i == 0 || tep->pools[i] != tep->pools[0]))
			json_array_append_new(pools,
				json_pack("{s:s, s:I, s:I}", "name", tep->pools[i]->name, "total",
					(json_int_t)tep->pools[i]->size, "in_use",
					(json_int_t)rte_mempool_in_use_count(tep->pools[i])));
	return pools;
}

static json_t *show_usage(const struct tep *tep)
{
	struct dp_bindings_usage usage;

	dp_bindings_usage(tep->bindings, &usage);
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "count", (json_int_t)usage.bindings,
		"exclusive", (json_int_t)usage.exclusive, "addresses", (json_int_t)usage.addresses,
		"max", (json_int_t)usage.max_bindings, "bytes", (json_int_t)usage.bytes);
}

/* Our digest of what it has announced, and what it says of that; null before it has said anything. */
static void add_digests(json_t *object, const struct tep_server_status *server)
{
	const struct tep_sync_word *word = &server->word;
	char text[DIGEST_STRLEN];

	json_object_set_new(object, "tables",
		json_string(!server->connected || !word->is_known ? "unknown"
			    : word->differs                       ? "differ"
								  : "equal"));
	json_object_set_new(object, "digest", json_string(digest_format(server->digest, text)));
	json_object_set_new(object, "server_digest",
		word->is_known ? json_string(digest_format(word->digest, text)) : json_null());
	json_object_set_new(object, "compared_s",
		word->is_known ? json_integer(word->said_ms / 1000) : json_null());
	json_object_set_new(
		object, "differs_s", word->differs ? json_integer(word->differs_s) : json_null());
	json_object_set_new(
		object, "leaves_listed", json_integer((json_int_t)server->counts.leaves_listed));
}

static json_t *show_server(const struct tep_server_status *server)
{
	const char *state = !server->connected  ? "down"
			    : server->levelling ? "syncing"
						: "connected";
	char text[ADDR_ENDPOINT_STRLEN];
	json_t *peer = server->connected ? json_string(addr_endpoint_format(&server->peer, text))
					 : json_null();
	json_t *object = json_pack("{s:s, s:o, s:s, s:I, s:I, s:I, s:I}", "name", server->name,
		"peer", peer, "state", state, "since_s",
		(json_int_t)(clock_boot_ms() - server->since_ms) / 1000, "creates",
		(json_int_t)server->counts.creates, "deletes", (json_int_t)server->counts.deletes,
		"refused", (json_int_t)server->counts.refused);

	add_digests(object, server);
	return object;
}

static json_t *show_servers(const struct tep_sessions *sessions)
{
	struct tep_server_status rows[TEP_SERVERS_MAX];
	uint32_t n = sessions == NULL ? 0 : tep_sessions_status(sessions, rows, TEP_SERVERS_MAX);
	json_t *servers = json_array();

	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(servers, show_server(&rows[i]));
	return servers;
}

static json_t *show_tunnel_v6(const struct tep_config *config)
{
	json_t *addresses = json_array();

	for (uint32_t i = 0; i < config->tunnel.v6.n; i++)
		json_array_append_new(addresses, json_v6(&tep_config_tunnel_v6(config)[i]));
	return addresses;
}

static json_t *show_host(const struct tep_host *host)
{
	uint32_t n_routes, n_neighbours;

	if (host == NULL)
		return json_null();
	tep_host_usage(host, &n_routes, &n_neighbours);
	return json_pack("{s:I, s:I}", "routes", (json_int_t)n_routes, "neighbours",
		(json_int_t)n_neighbours);
}

/* Where its figures are, or null. */
static json_t *show_metrics(const struct monitor_config *metrics)
{
	char text[ADDR_ENDPOINT_STRLEN];

	if (!metrics->has_listen)
		return json_null();
	return json_string(addr_endpoint_format(&metrics->listen, text));
}

static json_t *run_show(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	const struct tep_ctl_socket *ctl = arg;
	const struct tep_config *config = ctl->tep->config;
	bool is_kernel = config->neighbor.mode == TEP_NEIGHBOR_KERNEL;
	const struct tep_ready *ready = &ctl->tep->ready;
	char reason[TEP_READY_REASON_LEN];

	tep_ready_reason(ready, reason);
	return json_pack(
		"{s:s, s:s, s:s, s:s?, s:I, s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"name", ctl->name, "version", DSTM_VERSION, "state",
		tep_ready_name(tep_ready_state(ready)), "reason", reason[0] != '\0' ? reason : NULL,
		"uptime_s", (json_int_t)(clock_boot_ms() - ctl->start_ms) / 1000, "workers",
		(int)config->workers, "neighbor", is_kernel ? "kernel" : "static", "host",
		show_host(ctl->host), "tunnel_v6", show_tunnel_v6(config), "tunnel_v4",
		json_v4(config->tunnel.v4), "ports", show_ports(ctl->tep), "bindings",
		show_usage(ctl->tep), "buffers", show_buffers(ctl->tep), "servers",
		show_servers(ctl->sessions), "metrics", show_metrics(&config->metrics));
}

static json_t *run_status(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	const struct tep_ctl_socket *ctl = arg;

	return tep_status(ctl->tep, ctl->name, ctl->start_s);
}

/* --- bindings ------------------------------------------------------------------------------------ */

struct listing {
	json_t *items;
	uint32_t now_s;
};

static void list_binding(void *arg, const struct dp_binding *binding)
{
	const struct listing *listing = arg;

	json_array_append_new(listing->items, tep_packet_binding(binding, listing->now_s));
}

/* All bindings of one address; the cursor is a port. */
static bool list_address(const struct dp_bindings *table, uint32_t v4, uint32_t *port,
	uint32_t limit, struct listing *listing)
{
	for (; *port <= UINT16_MAX && limit > 0; ++*port) {
		const struct dp_binding *found = dp_bindings_find(table, v4, (uint16_t)*port);

		if (found == NULL)
			continue;
		list_binding(listing, found);
		*port = found->last;
		limit--;
	}
	return *port <= UINT16_MAX;
}

static json_t *run_bindings(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	const struct tep_ctl_socket *ctl = arg;
	const json_t *filter = json_object_get(arguments, "v4");
	json_int_t limit = LIMIT_DEFAULT, after = 0;
	struct listing listing;
	uint32_t cursor, v4 = 0;
	bool is_more;

	if (!get_integer(arguments, "limit", 1, LIMIT_MAX, &limit, error) ||
		!get_integer(arguments, "after", 0, UINT32_MAX, &after, error))
		return NULL;
	if (filter != NULL &&
		(!json_is_string(filter) || addr_v4_parse(json_string_value(filter), &v4) != 0)) {
		snprintf(error, CTL_ERROR_LEN, "v4 is not an IPv4 address");
		return NULL;
	}
	listing = (struct listing){
		.items = json_array(), .now_s = dp_datapath_now_s(ctl->tep->datapath)};
	cursor = (uint32_t)after;
	if (filter != NULL)
		is_more = list_address(ctl->tep->bindings, v4, &cursor, (uint32_t)limit, &listing);
	else
		is_more = dp_bindings_walk(
			ctl->tep->bindings, &cursor, (uint32_t)limit, list_binding, &listing);
	return json_pack("{s:o, s:o}", "items", listing.items, "next",
		is_more ? json_integer(cursor) : json_null());
}

/* --- counters ------------------------------------------------------------------------------------ */

static json_t *counter_item(unsigned int i, const struct dp_counters *counters)
{
	return json_pack("{s:s, s:I, s:I, s:b, s:s}", "name", dp_counter_info[i].name, "packets",
		(json_int_t)counters->packets[i], "bytes", (json_int_t)counters->bytes[i], "drop",
		(int)dp_counter_is_drop(i), "text", dp_counter_info[i].text);
}

static void list_datapath_counters(json_t *items, const struct dp_counters *counters)
{
	for (unsigned int i = 0; i < DP_N_COUNTERS; i++)
		json_array_append_new(items, counter_item(i, counters));
}

/* Each counter at each worker, side by side. */
static json_t *list_by_worker(const struct tep *tep)
{
	uint32_t n_workers = tep->config->workers;
	struct dp_counters *counters = aligned_alloc(
		alignof(struct dp_counters), n_workers * sizeof(*counters));
	json_t *items = json_array();

	if (counters == NULL)
		return items;
	for (uint32_t worker = 0; worker < n_workers; worker++)
		dp_datapath_worker_counters(tep->datapath, worker, &counters[worker]);
	for (unsigned int i = 0; i < DP_N_COUNTERS; i++) {
		for (uint32_t worker = 0; worker < n_workers; worker++) {
			json_t *item = counter_item(i, &counters[worker]);

			json_object_set_new(item, "worker", json_integer(worker));
			json_array_append_new(items, item);
		}
	}
	free(counters);
	return items;
}

static void list_counter(json_t *items, const struct tep_counter_info *info, uint64_t packets)
{
	json_array_append_new(items, json_pack("{s:s, s:I, s:n, s:b, s:s}", "name", info->name,
					     "packets", (json_int_t)packets, "bytes", "drop",
					     (int)info->is_drop, "text", info->text));
}

static void list_host_counters(json_t *items, const struct tep_host *host)
{
	for (unsigned int i = 0; i < TEP_HOST_N_COUNTERS; i++)
		list_counter(items, &tep_host_counter_info[i], tep_host_counter(host, i));
}

static void list_question_counters(json_t *items, const struct tep_ask *ask)
{
	for (unsigned int i = 0; i < TEP_QUESTION_N_COUNTERS; i++)
		list_counter(items, &tep_question_counter_info[i], tep_ask_counter(ask, i));
}

static json_t *run_counters(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	const struct tep_ctl_socket *ctl = arg;
	struct dp_counters counters = {0};
	json_int_t worker = -1;
	json_t *items;

	if (!get_integer(arguments, "worker", 0, ctl->tep->config->workers - 1, &worker, error))
		return NULL;
	if (json_is_true(json_object_get(arguments, "by_worker")))
		return json_pack("{s:o, s:n}", "items", list_by_worker(ctl->tep), "next");
	if (worker >= 0)
		dp_datapath_worker_counters(ctl->tep->datapath, (uint32_t)worker, &counters);
	else
		dp_datapath_counters(ctl->tep->datapath, &counters);
	items = json_array();
	list_datapath_counters(items, &counters);
	if (worker < 0 && ctl->host != NULL)
		list_host_counters(items, ctl->host);
	if (worker < 0 && ctl->ask != NULL)
		list_question_counters(items, ctl->ask);
	return json_pack("{s:o, s:n}", "items", items, "next");
}

/* --- packets -------------------------------------------------------------------------------------- */

static json_t *run_explain(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	return tep_watches_explain(((struct tep_ctl_socket *)arg)->watches, arguments, error);
}

static json_t *run_watch(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	return tep_watches_begin(((struct tep_ctl_socket *)arg)->watches, arguments, error);
}

static json_t *run_watch_next(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	return tep_watches_next(((struct tep_ctl_socket *)arg)->watches, arguments, error);
}

static json_t *run_watch_end(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	return tep_watches_end(((struct tep_ctl_socket *)arg)->watches, arguments, error);
}

/* --- drain ---------------------------------------------------------------------------------------- */

static json_t *run_drain(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	const struct tep_ctl_socket *ctl = arg;
	json_int_t wait_s = TEP_DRAIN_WAIT_S;

	if (!get_integer(arguments, "wait_s", 0, TEP_DRAIN_WAIT_MAX_S, &wait_s, error))
		return NULL;
	log_info("draining: no longer than %" JSON_INTEGER_FORMAT " s", wait_s);
	tep_drain_begin(&ctl->tep->drain, (uint32_t)wait_s, clock_boot_ms());
	return json_pack("{s:I, s:I}", "wait_s", wait_s, "pid", (json_int_t)getpid());
}

static const struct ctl_command commands[] = {
	{"show", run_show},
	{"status", run_status},
	{"bindings", run_bindings},
	{"counters", run_counters},
	{"explain", run_explain},
	{"watch", run_watch},
	{"watch_next", run_watch_next},
	{"watch_end", run_watch_end},
	{"drain", run_drain},
	{NULL, NULL},
};

struct tep_ctl_socket *tep_ctl_socket_create(struct event_base *base, struct tep *tep,
	const struct tep_host *host, const struct tep_sessions *sessions, const struct tep_ask *ask)
{
	struct tep_ctl_socket *ctl = calloc(1, sizeof(*ctl));

	if (ctl == NULL)
		return NULL;
	*ctl = (struct tep_ctl_socket){
		.tep = tep,
		.host = host,
		.sessions = sessions,
		.ask = ask,
		.start_ms = clock_boot_ms(),
		.start_s = time(NULL),
	};
	if (tep->config->name != NULL)
		snprintf(ctl->name, sizeof(ctl->name), "%s", tep->config->name);
	else
		gethostname(ctl->name, sizeof(ctl->name) - 1);
	ctl->watches = tep_watches_create(base, tep->datapath);
	if (ctl->watches != NULL)
		ctl->server = ctl_server_create(base, tep->config->control.socket, commands, ctl);
	if (ctl->server == NULL) {
		tep_watches_destroy(ctl->watches);
		free(ctl);
		return NULL;
	}
	return ctl;
}

void tep_ctl_socket_destroy(struct tep_ctl_socket *ctl)
{
	if (ctl == NULL)
		return;
	ctl_server_destroy(ctl->server);
	tep_watches_destroy(ctl->watches);
	free(ctl);
}
