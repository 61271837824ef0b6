// SPDX-License-Identifier: BSD-3-Clause
#include "tsp/tsp_xml_value.h"

#include "common/addr.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool tsp_xml_is_named(const struct tsp_xml_node *node, const char *name)
{
	return strcmp(node->name, name) == 0;
}

/* What does not fit becomes empty, which no reader accepts. */
static void take_value(struct tsp_xml_text text, struct tsp_xml_value *value)
{
	while (text.len > 0 && isspace((unsigned char)text.begin[0])) {
		text.begin++;
		text.len--;
	}
	while (text.len > 0 && isspace((unsigned char)text.begin[text.len - 1]))
		text.len--;
	if (text.len > TSP_XML_VALUE_MAX)
		text.len = 0;
	memcpy(value->text, text.begin, text.len);
	value->text[text.len] = '\0';
}

bool tsp_xml_attribute(
	const struct tsp_xml_node *node, const char *name, struct tsp_xml_value *value)
{
	for (uint32_t i = 0; i < node->n_properties; i++) {
		if (strcmp(node->properties[i].name, name) == 0) {
			take_value(node->properties[i].value, value);
			return true;
		}
	}
	return false;
}

bool tsp_xml_number(const char *text, uint32_t min, uint32_t max, uint32_t *value)
{
	size_t len = strspn(text, "0123456789");
	unsigned long number;

	if (len == 0 || len > 10 || text[len] != '\0')
		return false;
	number = strtoul(text, NULL, 10);
	if (number < min || number > max)
		return false;
	*value = number;
	return true;
}

bool tsp_xml_hex(const char *text, size_t n, uint64_t *value)
{
	static const char digits[] = "0123456789abcdef";

	*value = 0;
	if (n == 0 || strspn(text, digits) < n)
		return false;
	for (size_t i = 0; i < n; i++)
		*value = *value << 4 | (uint64_t)(strchr(digits, text[i]) - digits);
	return true;
}

/*
 * An address as RFC 4291 has it, or, as both profiles print it, eight groups and a needless "::"
 * (D4): then "::" is read as ":".
 */
static bool read_v6(const char *text, struct in6_addr *addr, bool *loose)
{
	const char *colons = strstr(text, "::");
	struct tsp_xml_value second;

	if (addr_v6_parse(text, addr) == 0)
		return true;
	if (colons == NULL || strstr(colons + 1, "::") != NULL)
		return false;
	memcpy(second.text, text, colons - text);
	strcpy(second.text + (colons - text), colons + 1);
	if (addr_v6_parse(second.text, addr) < 0)
		return false;
	*loose = true;
	return true;
}

/* Of an address it says nothing that we use, but it must make sense. */
static bool read_length(const struct tsp_xml_node *node, uint32_t max, uint32_t *length)
{
	struct tsp_xml_value text;

	*length = max;
	if (!tsp_xml_attribute(node, "length", &text) || text.text[0] == '\0')
		return true;
	return tsp_xml_number(text.text, 0, max, length);
}

enum tsp_status tsp_xml_address(
	const struct tsp_xml_node *node, struct tsp_xml_address *address, const char **why)
{
	struct tsp_xml_value type, text;

	*address = (struct tsp_xml_address){0};
	*why = "address without type";
	if (!tsp_xml_attribute(node, "type", &type))
		return TSP_STATUS_MALFORMED;
	take_value(node->text, &text);
	if (strcmp(type.text, "ipv4") == 0) {
		address->is_v4 = true;
		*why = "not an IPv4 address";
		if (addr_v4_parse(text.text, &address->v4) < 0 ||
			!read_length(node, 32, &address->length))
			return TSP_STATUS_BAD_V4;
	} else if (strcmp(type.text, "ipv6") == 0) {
		address->is_v6 = true;
		*why = "not an IPv6 address";
		if (!read_v6(text.text, &address->v6, &address->loose) ||
			!read_length(node, 128, &address->length))
			return TSP_STATUS_BAD_V6;
	}
	return TSP_STATUS_OK;
}
