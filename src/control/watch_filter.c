// SPDX-License-Identifier: BSD-3-Clause
#include "control/watch_filter.h"

#include <stdio.h>
#include <string.h>

static bool parse_side(
	const json_t *value, struct dp_tap_filter *filter, char error[static CTL_ERROR_LEN])
{
	const char *text = json_string_value(value);

	if (text != NULL && strcmp(text, "v6") == 0) {
		filter->side = DP_TAP_V6;
	} else if (text != NULL && strcmp(text, "v4") == 0) {
		filter->side = DP_TAP_V4;
	} else {
		snprintf(error, CTL_ERROR_LEN, "the side is neither v6 nor v4");
		return false;
	}
	return true;
}

static bool parse_address(
	const json_t *value, struct dp_tap_filter *filter, char error[static CTL_ERROR_LEN])
{
	const char *text = json_string_value(value);

	if (text != NULL && addr_v4_prefix_parse(text, &filter->v4) == 0) {
		filter->has_v4 = true;
	} else if (text != NULL && addr_v6_prefix_parse(text, &filter->v6) == 0) {
		filter->has_v6 = true;
	} else {
		snprintf(error, CTL_ERROR_LEN,
			"not an address, nor a prefix without host bits: %.100s",
			text != NULL ? text : "no text");
		return false;
	}
	return true;
}

static bool parse_port(
	const json_t *value, struct dp_tap_filter *filter, char error[static CTL_ERROR_LEN])
{
	json_int_t port = json_integer_value(value);

	if (!json_is_integer(value) || port < 0 || port > UINT16_MAX) {
		snprintf(error, CTL_ERROR_LEN, "the port is not a number from 0 to 65535");
		return false;
	}
	filter->has_port = true;
	filter->port = (uint16_t)port;
	return true;
}

static bool parse_verdict(
	const json_t *value, struct dp_tap_filter *filter, char error[static CTL_ERROR_LEN])
{
	const char *text = json_string_value(value);

	for (unsigned int fate = 0; text != NULL && fate < DP_N_FATES; fate++) {
		if (strcmp(text, dp_fate_info[fate].name) == 0) {
			filter->fates = 1U << fate;
			return true;
		}
	}
	snprintf(error, CTL_ERROR_LEN,
		"there is no verdict %.60s; there are:", text != NULL ? text : "without a name");
	for (unsigned int fate = 0; fate < DP_N_FATES; fate++)
		snprintf(error + strlen(error), CTL_ERROR_LEN - strlen(error), " %s",
			dp_fate_info[fate].name);
	return false;
}

static bool parse_reason(
	const json_t *value, struct dp_tap_filter *filter, char error[static CTL_ERROR_LEN])
{
	const char *text = json_string_value(value);

	for (unsigned int reason = 0; text != NULL && reason < DP_N_DROPS; reason++) {
		if (strcmp(text, dp_counter_info[reason].name) == 0) {
			filter->has_reason = true;
			filter->reason = (uint8_t)reason;
			return true;
		}
	}
	snprintf(error, CTL_ERROR_LEN,
		"there is no drop %.60s (dstmctl tep counters --all names them)",
		text != NULL ? text : "without a name");
	return false;
}

static const struct {
	const char *key;
	bool (*parse)(const json_t *value, struct dp_tap_filter *filter,
		char error[static CTL_ERROR_LEN]);
} members[] = {
	{"side", parse_side},
	{"address", parse_address},
	{"port", parse_port},
	{"verdict", parse_verdict},
	{"reason", parse_reason},
};

static bool parse_member(const char *key, const json_t *value, struct dp_tap_filter *filter,
	char error[static CTL_ERROR_LEN])
{
	for (size_t i = 0; i < RTE_DIM(members); i++)
		if (strcmp(key, members[i].key) == 0)
			return members[i].parse(value, filter, error);
	snprintf(error, CTL_ERROR_LEN, "a filter has no %.60s", key);
	return false;
}

bool tep_watch_filter_parse(
	const json_t *json, struct dp_tap_filter *filter, char error[static CTL_ERROR_LEN])
{
	const char *key;
	json_t *value;

	memset(filter, 0, sizeof(*filter));
	if (json == NULL || json_is_null(json))
		return true;
	if (!json_is_object(json)) {
		snprintf(error, CTL_ERROR_LEN, "the filter is not an object");
		return false;
	}
	json_object_foreach((json_t *)(uintptr_t)json, key, value) {
		if (!parse_member(key, value, filter, error))
			return false;
	}
	return true;
}
