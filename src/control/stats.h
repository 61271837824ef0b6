// SPDX-License-Identifier: BSD-3-Clause
/*
 * Statistics as an operator reads them: per port and rates in testpmd's words, named drops, cycles a packet;
 * the same as JSON; and the page that explains every counter. Control thread only.
 */
#pragma once

#include "dataplane/counters.h"
#include "dataplane/datapath.h"

#include <rte_ethdev.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TEP_PORTS_MAX 2

struct tep_stats_port {
	const char *side; /* "v6", "v4", or "both" */
	char device[RTE_ETH_NAME_MAX_LEN];
	uint16_t port;
	struct rte_eth_stats now;
	struct rte_eth_stats last; /* at the last show */
};

struct tep_stats {
	const struct dp_datapath *datapath; /* borrowed */
	uint32_t n_workers;
	uint32_t n_ports;
	struct tep_stats_port ports[TEP_PORTS_MAX];
	struct dp_counters counters;
	uint64_t start_tsc, now_tsc, last_tsc;
	uint32_t mbufs_in_use; /* set by the owner when the ports are closed */
};

/* ports: IPv6 side and IPv4 side; the same number twice: one-armed. */
void tep_stats_init(struct tep_stats *stats, const struct dp_datapath *datapath, uint32_t n_workers,
	const uint16_t ports[TEP_PORTS_MAX]);

/* Reads all counters. */
void tep_stats_sample(struct tep_stats *stats);

/* Shows the last sample and the rates since the one shown before; final: the whole run. */
void tep_stats_print(struct tep_stats *stats, FILE *out, bool final);

/* 0 or -errno. */
int tep_stats_write_json(const struct tep_stats *stats, const char *path);

/* Markdown: one row for each counter. */
void tep_stats_list_counters(FILE *out);
