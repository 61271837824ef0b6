// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/summary.h"
#include "dataplane/tap.h"

/* The outcome alone: what most packets fail at first. */
static bool outcome_matches(const struct dp_tap_filter *filter, const struct dp_tap_record *record)
{
	const struct dp_outcome *outcome = &record->outcome;

	if (filter->side != DP_TAP_BOTH_SIDES && (filter->side == DP_TAP_V4) != record->side)
		return false;
	if (filter->fates != 0 && (filter->fates & 1U << outcome->fate) == 0)
		return false;
	if (!filter->has_reason)
		return true;
	return outcome->reason == filter->reason &&
	       (outcome->fate == DP_FATE_DROPPED || outcome->fate == DP_FATE_ANSWERED);
}

static bool has_v4(const struct dp_tap_filter *filter, const struct dp_summary *summary)
{
	return summary->has_v4 && (addr_v4_prefix_contains(&filter->v4, summary->v4_src) ||
					  addr_v4_prefix_contains(&filter->v4, summary->v4_dst));
}

static bool has_v6(const struct dp_tap_filter *filter, const struct dp_summary *summary)
{
	return summary->has_v6 && (addr_v6_prefix_contains(&filter->v6, &summary->v6_src) ||
					  addr_v6_prefix_contains(&filter->v6, &summary->v6_dst));
}

static bool has_port(const struct dp_tap_filter *filter, const struct dp_summary *summary,
	const struct dp_outcome *outcome)
{
	if (summary->has_ports &&
		(summary->src_port == filter->port || summary->dst_port == filter->port))
		return true;
	if (summary->has_icmp && summary->icmp_id == filter->port)
		return true;
	return outcome->has_key && outcome->key.has_port && outcome->key.port == filter->port;
}

bool dp_tap_filter_matches(const struct dp_tap_filter *filter, const struct dp_tap_record *record)
{
	struct dp_summary in, out;

	if (!outcome_matches(filter, record))
		return false;
	if (!filter->has_v4 && !filter->has_v6 && !filter->has_port)
		return true;
	dp_summary_read(&in, record->octets, record->in_kept);
	dp_summary_read(&out, record->octets + record->in_kept, record->out_kept);
	if (filter->has_v4 && !has_v4(filter, &in) && !has_v4(filter, &out))
		return false;
	if (filter->has_v6 && !has_v6(filter, &in) && !has_v6(filter, &out))
		return false;
	return !filter->has_port || has_port(filter, &in, &record->outcome) ||
	       has_port(filter, &out, &record->outcome);
}
