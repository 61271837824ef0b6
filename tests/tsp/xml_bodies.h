// SPDX-License-Identifier: BSD-3-Clause
/* Bodies for the tests of reading. Include it behind cmocka.h. */
#pragma once

#include "common/addr.h"
#include "tsp/tsp_xml.h"

#include <string.h>

/* A body as its only client and a create around it. */
#define CREATE(inside) \
	"<tunnel action=\"create\" type=\"v4v6\"><client>" inside "</client></tunnel>"
#define V4(text) "<address type=\"ipv4\">" text "</address>"
#define V6(text) "<address type=\"ipv6\">" text "</address>"
#define TUNNEL(attributes) \
	"<tunnel " attributes "><client>" V6("2001:db8:1::17") "</client></tunnel>"

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

static inline enum tsp_status parse(const char *body, struct tsp_msg *msg)
{
	enum tsp_status status;
	const char *why = NULL;

	status = tsp_xml_parse(body, strlen(body), TSP_GENERATION_1, msg, &why);
	assert_non_null(why);
	return status;
}

static inline void assert_v6(const struct in6_addr *addr, const char *expected)
{
	char text[ADDR_V6_STRLEN];

	assert_string_equal(addr_v6_format(addr, text), expected);
}
