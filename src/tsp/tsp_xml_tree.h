// SPDX-License-Identifier: BSD-3-Clause
/*
 * Hostile octets -> a tree of bounded size.
 *
 * libxml2 reads, our hooks keep what they are told in one fixed piece of memory: the limits of tsp_xml.h hold
 * before anything is kept of what lies beyond them, and a DOCTYPE stops the parser, so there are no
 * entities to expand. Messages come by the ten thousand a second: neither tree nor parser is made anew for
 * each. A parser that met a broken message is thrown away, and so is one that has seen many names.
 *
 * One thread of a process.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct tsp_xml_text {
	const char *begin; /* not NUL-terminated */
	size_t len;
};

/* An attribute without a namespace. */
struct tsp_xml_property {
	const char *name;
	struct tsp_xml_text value; /* entities and character references replaced */
};

struct tsp_xml_node {
	const char *name; /* without its namespace; "" when that is not declared */
	const struct tsp_xml_property *properties; /* [n_properties] */
	uint32_t n_properties;
	struct tsp_xml_text text; /* of the element and all that are in it */
	struct tsp_xml_node *children;
	struct tsp_xml_node *next;
};

/* The root, good until the next call, or NULL with *why a static sentence. len: TSP_MESSAGE_MAX at most. */
const struct tsp_xml_node *tsp_xml_tree_read(const char *xml, size_t len, const char **why);

/* Frees the parser. */
void tsp_xml_tree_cleanup(void);
