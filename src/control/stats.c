// SPDX-License-Identifier: BSD-3-Clause
#include "control/stats.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <rte_cycles.h>
#include <string.h>

void tep_stats_init(struct tep_stats *stats, const struct dp_datapath *datapath, uint32_t n_workers,
	const uint16_t ports[TEP_PORTS_MAX])
{
	memset(stats, 0, sizeof(*stats));
	stats->datapath = datapath;
	stats->n_workers = n_workers;
	stats->n_ports = ports[0] == ports[1] ? 1 : TEP_PORTS_MAX;
	for (uint32_t i = 0; i < stats->n_ports; i++) {
		struct tep_stats_port *port = &stats->ports[i];

		port->side = stats->n_ports == 1 ? "both" : i == 0 ? "v6" : "v4";
		port->port = ports[i];
		rte_eth_dev_get_name_by_port(ports[i], port->device);
	}
	stats->start_tsc = rte_rdtsc();
	stats->now_tsc = stats->start_tsc;
	stats->last_tsc = stats->start_tsc;
}

void tep_stats_sample(struct tep_stats *stats)
{
	stats->now_tsc = rte_rdtsc();
	for (uint32_t i = 0; i < stats->n_ports; i++)
		rte_eth_stats_get(stats->ports[i].port, &stats->ports[i].now);
	dp_datapath_counters(stats->datapath, &stats->counters);
}

static double seconds(uint64_t cycles)
{
	return (double)cycles / (double)rte_get_tsc_hz();
}

static double cycles_per_packet(const struct dp_counters *counters)
{
	uint64_t packets = counters->packets[DP_COUNT_RX] + counters->packets[DP_COUNT_FROM_HOST];

	return packets == 0 ? 0 : (double)counters->busy_cycles / (double)packets;
}

static uint64_t rx_lost(const struct rte_eth_stats *stats)
{
	return stats->imissed + stats->ierrors + stats->rx_nombuf;
}

static void print_rate(FILE *out, const char *name, uint64_t packets, uint64_t bytes, double time)
{
	double pps = time > 0 ? (double)packets / time : 0;
	double bps = time > 0 ? (double)bytes * 8 / time : 0;

	fprintf(out, "  %s-pps: %12.0f          %s-bps: %12.0f\n", name, pps, name, bps);
}

static void print_port(FILE *out, const struct tep_stats_port *port, double time)
{
	const struct rte_eth_stats *now = &port->now, *last = &port->last;

	fprintf(out,
		"  ############ NIC statistics for port %u (%s, %s) ############\n"
		"  RX-packets: %-12" PRIu64 " RX-dropped: %-12" PRIu64 " RX-bytes: %" PRIu64 "\n"
		"  TX-packets: %-12" PRIu64 " TX-dropped: %-12" PRIu64 " TX-bytes: %" PRIu64 "\n",
		port->port, port->side, port->device, now->ipackets, rx_lost(now), now->ibytes,
		now->opackets, now->oerrors, now->obytes);
	print_rate(out, "Rx", now->ipackets - last->ipackets, now->ibytes - last->ibytes, time);
	print_rate(out, "Tx", now->opackets - last->opackets, now->obytes - last->obytes, time);
}

static void print_drops(FILE *out, const struct dp_counters *counters)
{
	for (unsigned int i = 0; i < DP_N_DROPS; i++)
		if (counters->packets[i] != 0)
			fprintf(out, "  drop %-20s %12" PRIu64 " packets %14" PRIu64 " bytes\n",
				dp_counter_info[i].name, counters->packets[i], counters->bytes[i]);
}

static void print_totals(FILE *out, const struct tep_stats *stats)
{
	const struct dp_counters *counters = &stats->counters;
	uint64_t dropped = 0;

	for (unsigned int i = 0; i < DP_N_DROPS; i++)
		dropped += counters->packets[i];
	fprintf(out,
		"  ++++++++++++ Accumulated statistics for all ports ++++++++++++\n"
		"  RX-packets: %-12" PRIu64 " TX-packets: %-12" PRIu64 " dropped: %" PRIu64 "\n"
		"  decapsulated: %-10" PRIu64 " encapsulated: %-10" PRIu64 " to host: %" PRIu64 "\n"
		"  cycles/packet: %.1f\n",
		counters->packets[DP_COUNT_RX], counters->packets[DP_COUNT_TX], dropped,
		counters->packets[DP_COUNT_DECAPSULATED], counters->packets[DP_COUNT_ENCAPSULATED],
		counters->packets[DP_COUNT_PUNTED] + counters->packets[DP_COUNT_RESOLVE],
		cycles_per_packet(counters));
}

void tep_stats_print(struct tep_stats *stats, FILE *out, bool final)
{
	double time = seconds(stats->now_tsc - (final ? stats->start_tsc : stats->last_tsc));

	for (uint32_t i = 0; i < stats->n_ports; i++) {
		if (final)
			memset(&stats->ports[i].last, 0, sizeof(stats->ports[i].last));
		print_port(out, &stats->ports[i], time);
		stats->ports[i].last = stats->ports[i].now;
	}
	print_totals(out, stats);
	print_drops(out, &stats->counters);
	if (final)
		fprintf(out, "  seconds: %.3f          packet buffers in use: %u\n", time,
			stats->mbufs_in_use);
	fputc('\n', out);
	fflush(out);
	stats->last_tsc = stats->now_tsc;
}

static json_t *ports_json(const struct tep_stats *stats)
{
	json_t *ports = json_array();

	for (uint32_t i = 0; i < stats->n_ports; i++) {
		const struct tep_stats_port *port = &stats->ports[i];
		const struct rte_eth_stats *now = &port->now;

		json_array_append_new(ports,
			json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "side", port->side,
				"device", port->device, "rx_packets", (json_int_t)now->ipackets,
				"rx_bytes", (json_int_t)now->ibytes, "rx_missed",
				(json_int_t)rx_lost(now), "tx_packets", (json_int_t)now->opackets,
				"tx_bytes", (json_int_t)now->obytes, "tx_errors",
				(json_int_t)now->oerrors));
	}
	return ports;
}

static json_t *counters_json(const struct dp_counters *counters)
{
	json_t *all = json_object();

	for (unsigned int i = 0; i < DP_N_COUNTERS; i++)
		json_object_set_new(all, dp_counter_info[i].name,
			json_pack("{s:I, s:I}", "packets", (json_int_t)counters->packets[i],
				"bytes", (json_int_t)counters->bytes[i]));
	return all;
}

static json_t *by_worker_json(const struct tep_stats *stats)
{
	json_t *all = json_array();

	for (uint32_t i = 0; i < stats->n_workers; i++) {
		struct dp_counters counters;

		dp_datapath_worker_counters(stats->datapath, i, &counters);
		json_array_append_new(all, counters_json(&counters));
	}
	return all;
}

int tep_stats_write_json(const struct tep_stats *stats, const char *path)
{
	const struct dp_counters *counters = &stats->counters;
	json_t *all = json_pack("{s:s, s:f, s:i, s:o, s:o, s:o, s:I, s:I, s:I, s:f, s:i}",
		"version", DSTM_VERSION, "seconds", seconds(stats->now_tsc - stats->start_tsc),
		"workers", (int)stats->n_workers, "ports", ports_json(stats), "counters",
		counters_json(counters), "by_worker", by_worker_json(stats), "busy_cycles",
		(json_int_t)counters->busy_cycles, "busy_loops", (json_int_t)counters->busy_loops,
		"idle_loops", (json_int_t)counters->idle_loops, "cycles_per_packet",
		cycles_per_packet(counters), "mbufs_in_use", (int)stats->mbufs_in_use);
	int rc;

	if (all == NULL)
		return -ENOMEM;
	errno = 0;
	rc = json_dump_file(all, path, JSON_INDENT(1));
	json_decref(all);
	if (rc == 0)
		return 0;
	return errno != 0 ? -errno : -EIO;
}

static void list_rows(FILE *out, unsigned int first, unsigned int end)
{
	fputs("| name | meaning |\n| --- | --- |\n", out);
	for (unsigned int i = first; i < end; i++)
		fprintf(out, "| `%s` | %s |\n", dp_counter_info[i].name, dp_counter_info[i].text);
}

void tep_stats_list_counters(FILE *out)
{
	fputs("# Counters of dstm-tep\n\n"
	      "Made by `dstm-tep --list-counters`; a test holds this page against the program.\n"
	      "Every counter has packets and octets.\n\n"
	      "## Drops\n\n"
	      "A packet that goes nowhere is counted under exactly one of these.\n\n",
		out);
	list_rows(out, 0, DP_N_DROPS);
	fputs("\n## Other counters\n\n"
	      "`rx`, `from_host`, `ask_returned`, `fragments_made`, `out_icmpv4_errors` and "
	      "`out_icmpv6_errors` together are `tx`, `punted`, `resolve`, `asked`, `fragmented` "
	      "and "
	      "all drops together.\n\n",
		out);
	list_rows(out, DP_N_DROPS, DP_N_COUNTERS);
}
