// SPDX-License-Identifier: BSD-3-Clause
#include "control/metrics.h"

#include "common/clock.h"

#include <rte_cycles.h>
#include <rte_mempool.h>
#include <stdio.h>

/* The label of a worker's number. */
struct number {
	char text[12];
};

static const char *label(struct number *number, uint32_t value)
{
	snprintf(number->text, sizeof(number->text), "%u", value);
	return number->text;
}

/* --- packets ------------------------------------------------------------------------------------- */

static void write_drops(const struct dp_counters *counters, struct metrics *metrics)
{
	metrics_family(metrics, METRICS_COUNTER,
		"Packets that went nowhere, each under one reason (docs/counters.md).",
		"dstm_tep_drop_packets_total");
	for (uint32_t i = 0; i < DP_N_DROPS; i++)
		metrics_u64(metrics, counters->packets[i],
			METRICS_LABELS({"reason", dp_counter_info[i].name}));
	metrics_family(metrics, METRICS_COUNTER, "Their octets.", "dstm_tep_drop_bytes_total");
	for (uint32_t i = 0; i < DP_N_DROPS; i++)
		metrics_u64(metrics, counters->bytes[i],
			METRICS_LABELS({"reason", dp_counter_info[i].name}));
}

static void write_counters(const struct tep *tep, struct metrics *metrics)
{
	struct dp_counters counters;

	dp_datapath_counters(tep->datapath, &counters);
	write_drops(&counters, metrics);
	for (uint32_t i = DP_N_DROPS; i < DP_N_COUNTERS; i++) {
		const struct dp_counter_info *info = &dp_counter_info[i];

		metrics_family(metrics, METRICS_COUNTER, info->text, "dstm_tep_%s_packets_total",
			info->name);
		metrics_u64(metrics, counters.packets[i], NULL);
		metrics_family(metrics, METRICS_COUNTER, info->text, "dstm_tep_%s_bytes_total",
			info->name);
		metrics_u64(metrics, counters.bytes[i], NULL);
	}
}

static uint64_t busy_cycles(const struct dp_counters *counters)
{
	return counters->busy_cycles;
}

static uint64_t busy_loops(const struct dp_counters *counters)
{
	return counters->busy_loops;
}

static uint64_t idle_loops(const struct dp_counters *counters)
{
	return counters->idle_loops;
}

static uint64_t carried(const struct dp_counters *counters)
{
	return counters->packets[DP_COUNT_RX] + counters->packets[DP_COUNT_FROM_HOST];
}

static uint64_t dropped(const struct dp_counters *counters)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < DP_N_DROPS; i++)
		sum += counters->packets[i];
	return sum;
}

static void write_workers(const struct tep *tep, struct metrics *metrics)
{
	static const struct {
		const char *name, *help;
		uint64_t (*get)(const struct dp_counters *counters);
	} rows[] = {
		{"busy_cycles", "TSC cycles of a worker's loops that found packets.", busy_cycles},
		{"busy_loops", "Those loops.", busy_loops},
		{"idle_loops", "Loops that found none.", idle_loops},
		{"packets", "Packets that a worker carried.", carried},
		{"drop_packets", "Packets that it dropped.", dropped},
	};
	struct dp_counters counters;
	struct number number;

	for (size_t row = 0; row < RTE_DIM(rows); row++) {
		metrics_family(metrics, METRICS_COUNTER, rows[row].help, "dstm_tep_worker_%s_total",
			rows[row].name);
		for (uint32_t i = 0; i < tep->config->workers; i++) {
			dp_datapath_worker_counters(tep->datapath, i, &counters);
			metrics_u64(metrics, rows[row].get(&counters),
				METRICS_LABELS({"worker", label(&number, i)}));
		}
	}
	metrics_gauge(metrics, "dstm_tep_cycles_hertz",
		"TSC cycles a second: the most that a worker can be busy.", rte_get_tsc_hz());
}

/* --- ports and buffers --------------------------------------------------------------------------- */

static void write_ports(struct tep *tep, struct metrics *metrics)
{
	static const struct {
		const char *name, *help;
		size_t offset;
	} rows[] = {
#define ROW(name, member, help) {name, help, offsetof(struct rte_eth_stats, member)}
		ROW("receive_packets", ipackets, "Frames that a port received."),
		ROW("receive_bytes", ibytes, "Their octets."),
		ROW("receive_missed_packets", imissed, "Frames for which its queue had no room."),
		ROW("receive_errors", ierrors, "Frames that came damaged."),
		ROW("receive_nombuf", rx_nombuf, "Times that there was no packet buffer for one."),
		ROW("transmit_packets", opackets, "Frames that a port sent."),
		ROW("transmit_bytes", obytes, "Their octets."),
		ROW("transmit_errors", oerrors, "Frames that it could not send."),
#undef ROW
	};

	tep_stats_sample(&tep->stats);
	for (size_t row = 0; row < RTE_DIM(rows); row++) {
		metrics_family(metrics, METRICS_COUNTER, rows[row].help, "dstm_tep_port_%s_total",
			rows[row].name);
		for (uint32_t i = 0; i < tep->stats.n_ports; i++) {
			const struct tep_stats_port *port = &tep->stats.ports[i];
			const uint64_t *value = RTE_PTR_ADD(&port->now, rows[row].offset);

			metrics_u64(metrics, *value,
				METRICS_LABELS({"side", port->side}, {"device", port->device}));
		}
	}
}

static void write_pools(const struct tep *tep, struct metrics *metrics)
{
	uint32_t n = tep->pools[1] == NULL || tep->pools[1] == tep->pools[0] ? 1 : TEP_PORTS_MAX;

	metrics_family(metrics, METRICS_GAUGE, "Packet buffers of a pool.", "dstm_tep_buffers");
	for (uint32_t i = 0; i < n; i++)
		metrics_u64(metrics, tep->pools[i]->size,
			METRICS_LABELS({"pool", tep->pools[i]->name}));
	metrics_family(metrics, METRICS_GAUGE, "Those of them that are in use.",
		"dstm_tep_buffers_in_use");
	for (uint32_t i = 0; i < n; i++)
		metrics_u64(metrics, rte_mempool_in_use_count(tep->pools[i]),
			METRICS_LABELS({"pool", tep->pools[i]->name}));
}

/* --- tables -------------------------------------------------------------------------------------- */

static void write_bindings(const struct tep *tep, struct metrics *metrics)
{
	struct dp_bindings_usage usage;

	dp_bindings_usage(tep->bindings, &usage);
	metrics_gauge(metrics, "dstm_tep_bindings", "Bindings in the table.", usage.bindings);
	metrics_gauge(metrics, "dstm_tep_bindings_exclusive", "Those of whole addresses.",
		usage.exclusive);
	metrics_gauge(metrics, "dstm_tep_bindings_addresses", "IPv4 addresses that have a binding.",
		usage.addresses);
	metrics_gauge(metrics, "dstm_tep_bindings_limit", "Bindings that the table can hold.",
		usage.max_bindings);
	metrics_gauge(
		metrics, "dstm_tep_bindings_bytes", "Octets of memory of the table.", usage.bytes);
	metrics_counter(metrics, "dstm_tep_bindings_changes_total",
		"Bindings that were added and removed.", usage.version);
	metrics_gauge(metrics, "dstm_tep_bindings_changed_timestamp_seconds",
		"When that was last, in seconds since 1970; 0: never.", (uint64_t)usage.changed_s);
}

static void write_reassembly(const struct tep *tep, struct metrics *metrics)
{
	metrics_gauge_double(metrics, "dstm_tep_reassembly_fill_ratio",
		"How full the fullest table of fragments is, from 0 to 1.",
		(double)tep->reassembly_alarm.fill / 100);
	metrics_counter(metrics, "dstm_tep_reassembly_warnings_total",
		"Times that this was warned about.", tep->reassembly_alarm.warnings);
}

/* A metric for each row that is no drop; unit: of its name. */
static void write_rows(struct metrics *metrics, const struct tep_counter_info *info,
	const uint64_t *counts, uint32_t n, const char *unit)
{
	for (uint32_t i = 0; i < n; i++) {
		if (info[i].is_drop)
			continue;
		metrics_family(metrics, METRICS_COUNTER, info[i].text, "dstm_tep_%s%s_total",
			info[i].name, unit);
		metrics_u64(metrics, counts[i], NULL);
	}
}

/* The others, as samples of the family that has been begun. */
static void write_drop_rows(struct metrics *metrics, const struct tep_counter_info *info,
	const uint64_t *counts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (info[i].is_drop)
			metrics_u64(metrics, counts[i], METRICS_LABELS({"reason", info[i].name}));
	}
}

static void write_host(const struct tep_host *host, struct metrics *metrics)
{
	uint64_t counts[TEP_HOST_N_COUNTERS];
	uint32_t n_routes, n_neighbours;

	if (host == NULL)
		return;
	tep_host_usage(host, &n_routes, &n_neighbours);
	metrics_gauge(
		metrics, "dstm_tep_routes", "Routes of the kernel that are mirrored.", n_routes);
	metrics_gauge(metrics, "dstm_tep_neighbours", "Neighbours of the kernel that are mirrored.",
		n_neighbours);
	for (uint32_t i = 0; i < TEP_HOST_N_COUNTERS; i++)
		counts[i] = tep_host_counter(host, i);
	write_rows(metrics, tep_host_counter_info, counts, TEP_HOST_N_COUNTERS, "_packets");
	metrics_family(metrics, METRICS_COUNTER,
		"Packets dropped on the way to or from the kernel, each under one reason.",
		"dstm_tep_host_drop_packets_total");
	write_drop_rows(metrics, tep_host_counter_info, counts, TEP_HOST_N_COUNTERS);
}

/* What becomes of packets without a binding; the packets themselves are among write_counters, too. */
static void write_questions(const struct tep_ask *ask, struct metrics *metrics)
{
	uint64_t counts[TEP_QUESTION_N_COUNTERS];

	if (ask == NULL)
		return;
	for (uint32_t i = 0; i < TEP_QUESTION_N_COUNTERS; i++)
		counts[i] = tep_ask_counter(ask, i);
	write_rows(metrics, tep_question_counter_info, counts, TEP_QUESTION_N_COUNTERS, "");
	metrics_family(metrics, METRICS_COUNTER,
		"Packets dropped while they waited for a server's answer, each under one reason.",
		"dstm_tep_ask_drop_packets_total");
	write_drop_rows(metrics, tep_question_counter_info, counts, TEP_QUESTION_N_COUNTERS);
}

static void write_announcement(const struct tep_view *view, struct metrics *metrics)
{
	metrics_gauge(metrics, "dstm_tep_draining",
		"1 from the order to leave on: nothing is announced any more.",
		view->tep->ready.is_draining);
	metrics_gauge(metrics, "dstm_tep_announced",
		"1 while the kernel has what is to be announced, and nothing else of ours.",
		view->announce == NULL || tep_announce_stands(view->announce));
}

/* --- servers ------------------------------------------------------------------------------------- */

static uint64_t is_connected(const struct tep_server_status *server)
{
	return server->connected;
}

static uint64_t is_levelling(const struct tep_server_status *server)
{
	return server->connected && server->levelling;
}

static uint64_t state_seconds(const struct tep_server_status *server)
{
	return (uint64_t)(clock_boot_ms() - server->since_ms) / 1000;
}

static uint64_t creates(const struct tep_server_status *server)
{
	return server->counts.creates;
}

static uint64_t deletes(const struct tep_server_status *server)
{
	return server->counts.deletes;
}

static uint64_t refused(const struct tep_server_status *server)
{
	return server->counts.refused;
}

static uint64_t is_level(const struct tep_server_status *server)
{
	return server->is_level;
}

static uint64_t differs_s(const struct tep_server_status *server)
{
	return server->word.differs ? server->word.differs_s : 0;
}

static uint64_t leaves_listed(const struct tep_server_status *server)
{
	return server->counts.leaves_listed;
}

static uint64_t levelled_out(const struct tep_server_status *server)
{
	return server->counts.levelled_out;
}

static void write_servers(const struct tep_sessions *sessions, struct metrics *metrics)
{
	static const struct {
		enum metrics_type type;
		const char *name, *help;
		uint64_t (*get)(const struct tep_server_status *server);
	} rows[] = {
		{METRICS_GAUGE, "connected", "1 while a server has a session.", is_connected},
		{METRICS_GAUGE, "levelling", "1 while it announces its whole list.", is_levelling},
		{METRICS_GAUGE, "level", "1 once it has told all its bindings.", is_level},
		{METRICS_GAUGE, "differs_seconds",
			"For how long its table and ours have differed; 0: they agree.", differs_s},
		{METRICS_COUNTER, "leaves_listed_total",
			"Parts of the table that differed and were listed anew.", leaves_listed},
		{METRICS_GAUGE, "state_seconds", "How long it has been so.", state_seconds},
		{METRICS_COUNTER, "creates_total", "Bindings that a server created or renewed.",
			creates},
		{METRICS_COUNTER, "deletes_total", "Bindings that it deleted.", deletes},
		{METRICS_COUNTER, "refused_total", "Requests that were answered with an error.",
			refused},
		{METRICS_COUNTER, "levelled_out_total",
			"Bindings that went because its list did not name them.", levelled_out},
	};
	struct tep_server_status servers[TEP_SERVERS_MAX];
	uint32_t n;

	if (sessions == NULL)
		return;
	n = tep_sessions_status(sessions, servers, TEP_SERVERS_MAX);
	for (size_t row = 0; row < RTE_DIM(rows); row++) {
		metrics_family(metrics, rows[row].type, rows[row].help, "dstm_tep_server_%s",
			rows[row].name);
		for (uint32_t i = 0; i < n; i++)
			metrics_u64(metrics, rows[row].get(&servers[i]),
				METRICS_LABELS({"server", servers[i].name}));
	}
}

/* --- all ----------------------------------------------------------------------------------------- */

static void write_all(void *arg, struct metrics *metrics)
{
	const struct tep_view *view = arg;

	write_counters(view->tep, metrics);
	write_workers(view->tep, metrics);
	write_ports(view->tep, metrics);
	write_pools(view->tep, metrics);
	write_bindings(view->tep, metrics);
	write_reassembly(view->tep, metrics);
	write_host(view->host, metrics);
	write_questions(view->ask, metrics);
	write_announcement(view, metrics);
	write_servers(view->sessions, metrics);
}

static bool is_ready(void *arg, char reason[static MONITOR_REASON_LEN])
{
	const struct tep_view *view = arg;

	static_assert(TEP_READY_REASON_LEN <= MONITOR_REASON_LEN);
	tep_ready_reason(&view->tep->ready, reason);
	return tep_ready_state(&view->tep->ready) == TEP_READY;
}

const struct monitor_ops tep_metrics_ops = {
	.prefix = "dstm_tep",
	.write = write_all,
	.is_ready = is_ready,
};
