// SPDX-License-Identifier: BSD-3-Clause
/*
 * A value of a daemon's answer as an operator reads it. null and what is missing is "-".
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

enum ctl_value {
	CTL_TEXT,
	CTL_COUNT, /* 1,234,567 */
	CTL_NUMBER, /* 1234567: a port, an MTU */
	CTL_DURATION, /* seconds: "1 h 5 min" */
	CTL_TIME, /* seconds since 1970: "2026-01-31 12:00:00", local time */
	CTL_FLAG, /* "yes" or "-" */
	CTL_PORTS, /* [[first, last], ..]: "1024-2047,4096-5119" */
	CTL_TEXTS, /* ["a", "b"]: "a, b" */
};

#define CTL_VALUE_LEN 512

/* Formats into buf and returns it. Control characters become '?': names come from the network. */
const char *ctl_value_format(
	const json_t *value, enum ctl_value kind, char buf[static CTL_VALUE_LEN]);
