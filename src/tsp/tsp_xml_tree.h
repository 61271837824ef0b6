// SPDX-License-Identifier: BSD-3-Clause
/*
 * Hostile octets -> an XML tree of bounded size.
 *
 * libxml2 builds the tree while our hooks watch: the limits of tsp_xml.h hold before anything is kept of
 * what lies beyond them, and a DOCTYPE stops the parser, so there are no entities to expand.
 */
#pragma once

#include <libxml/tree.h>

#include <stddef.h>

/* Returns the tree for xmlFreeDoc, or NULL with *why a static sentence. len is bounded by the caller. */
xmlDoc *tsp_xml_tree_read(const char *xml, size_t len, const char **why);
