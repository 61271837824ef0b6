// SPDX-License-Identifier: BSD-3-Clause
/*
 * What stands in one element of the tree: its attributes, numbers and addresses, read as leniently as
 * old peers need and no more.
 */
#pragma once

#include "tsp/tsp_xml.h"
#include "tsp/tsp_xml_tree.h"

/* A value as text, trimmed. */
struct tsp_xml_value {
	char text[TSP_XML_VALUE_MAX + 1];
};

/* An address element, either family; other types ("dn") are neither. */
struct tsp_xml_address {
	bool is_v4;
	bool is_v6;
	bool loose; /* eight groups and "::" (D4) */
	uint32_t v4;
	struct in6_addr v6;
	uint32_t length; /* as it says; without a word all of the address */
};

bool tsp_xml_is_named(const struct tsp_xml_node *node, const char *name);

/* False when the attribute is not there. */
bool tsp_xml_attribute(
	const struct tsp_xml_node *node, const char *name, struct tsp_xml_value *value);

/* Decimal digits only: no sign, no blank, no second base. False: not one, or out of bounds. */
bool tsp_xml_number(const char *text, uint32_t min, uint32_t max, uint32_t *value);

/* n lower-case hex digits, 1 to 16, at the beginning of the text. False: there are not that many. */
bool tsp_xml_hex(const char *text, size_t n, uint64_t *value);

/* Returns TSP_STATUS_OK, or the status to answer with and a sentence in *why. */
enum tsp_status tsp_xml_address(
	const struct tsp_xml_node *node, struct tsp_xml_address *address, const char **why);
