// SPDX-License-Identifier: BSD-3-Clause
#include "control/status.h"

#include <rte_ip.h>

/* A leaf of the traffic statistics: the sum of these counters. */
struct leaf {
	const char *name;
	uint32_t first, last; /* enum dp_counter */
	bool has_bytes;
};

static const struct leaf leaves[] = {
	{"received", DP_COUNT_RX, DP_COUNT_RX, true},
	{"sent", DP_COUNT_TX, DP_COUNT_TX, true},
	{"decapsulated", DP_COUNT_DECAPSULATED, DP_COUNT_DECAPSULATED, true},
	{"encapsulated", DP_COUNT_ENCAPSULATED, DP_COUNT_ENCAPSULATED, true},
	{"hairpin", DP_COUNT_HAIRPINNED, DP_COUNT_HAIRPINNED, true},
	{"dropped", 0, DP_N_DROPS - 1, true},
	{"dropped_ipv6_fragments", DP_DROP_V6_FRAG_TIMEOUT, DP_DROP_V6_FRAG_TOO_MANY, true},
	{"dropped_inner_fragments", DP_DROP_INNER_FRAG_TIMEOUT, DP_DROP_INNER_FRAG_TOO_MANY, true},
	{"dropped_ipv4_fragments", DP_DROP_V4_FRAG_TIMEOUT, DP_DROP_V4_FRAG_TOO_MANY, true},
	{"ipv6_reassembled", DP_COUNT_V6_REASSEMBLED, DP_COUNT_V6_REASSEMBLED, false},
	{"inner_reassembled", DP_COUNT_INNER_REASSEMBLED, DP_COUNT_INNER_REASSEMBLED, false},
	{"ipv4_reassembled", DP_COUNT_V4_REASSEMBLED, DP_COUNT_V4_REASSEMBLED, false},
	{"fragments_made", DP_COUNT_FRAGMENTS_MADE, DP_COUNT_FRAGMENTS_MADE, false},
	{"out_icmpv4_errors", DP_COUNT_OUT_ICMPV4_ERRORS, DP_COUNT_OUT_ICMPV4_ERRORS, true},
	{"out_icmpv6_errors", DP_COUNT_OUT_ICMPV6_ERRORS, DP_COUNT_OUT_ICMPV6_ERRORS, true},
	{"dropped_icmpv4", DP_DROP_INNER_ICMP_TYPE, DP_DROP_INNER_ICMP_ERROR, true},
	{"dropped_icmpv4", DP_DROP_V4_ICMP_TYPE, DP_DROP_V4_ICMP_ERROR, true},
};

static void add(json_t *object, const char *name, const char *unit, uint64_t value)
{
	char key[64];

	snprintf(key, sizeof(key), "%s_%s", name, unit);
	value += (uint64_t)json_integer_value(json_object_get(object, key));
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

static json_t *show_traffic(const struct tep *tep)
{
	json_t *traffic = json_object();
	struct dp_counters counters;

	dp_datapath_counters(tep->datapath, &counters);
	for (size_t i = 0; i < RTE_DIM(leaves); i++) {
		uint64_t packets = 0, bytes = 0;

		for (uint32_t at = leaves[i].first; at <= leaves[i].last; at++) {
			packets += counters.packets[at];
			bytes += counters.bytes[at];
		}
		add(traffic, leaves[i].name, "packets", packets);
		if (leaves[i].has_bytes)
			add(traffic, leaves[i].name, "bytes", bytes);
	}
	return traffic;
}

static json_t *show_icmp(const struct tep_config_icmp *icmp)
{
	return json_pack("{s:I, s:I, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:b}", "rate",
		(json_int_t)icmp->rate, "burst", (json_int_t)icmp->burst, "relay", (int)icmp->relay,
		"time_exceeded_to_v4", (int)icmp->time_exceeded_to_v4, "time_exceeded_to_clients",
		(int)icmp->time_exceeded_to_clients, "too_big_to_v4", (int)icmp->too_big_to_v4,
		"too_big_to_clients", (int)icmp->too_big_to_clients, "unreachable_to_v4",
		(int)icmp->unreachable_to_v4, "unreachable_to_clients",
		(int)icmp->unreachable_to_clients, "policy_to_clients",
		(int)icmp->policy_to_clients, "parameter_to_clients",
		(int)icmp->parameter_to_clients);
}

static json_t *show_reassembly(const struct tep_fill_alarm *alarm)
{
	return json_pack("{s:i, s:i, s:b, s:I}", "fill_percent", (int)alarm->fill,
		"threshold_percent", TEP_FILL_HIGH, "high", (int)alarm->is_high, "warnings",
		(json_int_t)alarm->warnings);
}

json_t *tep_status(const struct tep *tep, const char *name, int64_t start_s)
{
	const struct tep_config *config = tep->config;
	struct dp_bindings_usage usage;

	dp_bindings_usage(tep->bindings, &usage);
	return json_pack("{s:s, s:I, s:I, s:o, s:I, s:I, s:i, s:i, s:b, s:o, s:o, s:o}", "name",
		name, "discontinuity_s", (json_int_t)start_s, "table_version",
		(json_int_t)usage.version, "table_changed_s",
		usage.changed_s != 0 ? json_integer(usage.changed_s) : json_null(),
		"softwire_num_max", (json_int_t)usage.max_bindings, "active_softwire_num",
		(json_int_t)usage.bindings, "softwire_payload_mtu",
		(int)(config->ports.mtu_v6 - sizeof(struct rte_ipv6_hdr)), "softwire_path_mru",
		(int)config->ports.mtu_v6, "hairpin", (int)config->hairpin, "icmp",
		show_icmp(&config->icmp), "reassembly", show_reassembly(&tep->reassembly_alarm),
		"traffic", show_traffic(tep));
}
