// SPDX-License-Identifier: BSD-3-Clause
/*
 * A configuration file as a stream of YAML events, and errors that say where in it they are.
 * Used by config.c alone.
 */
#pragma once

#include "common/config.h"

#include <yaml.h>

struct config_reader {
	const char *name; /* of the file */
	const char *text;
	size_t len;
	yaml_parser_t yaml;
	struct config_error *error;
};

/* Where the walk stands: "teps", item 1 of it, "name" in that. Lives on the stack. */
struct config_path {
	const struct config_path *parent;
	const char *key; /* NULL: a list's item */
	uint32_t index;
	unsigned int depth;
};

struct config_pos config_mark_pos(const yaml_mark_t *mark);

/* config_fail() with the key path in front; without one at the root. */
int config_reader_fail(const struct config_reader *reader, const struct config_path *path,
	struct config_pos pos, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Out of memory: -ENOMEM. */
int config_reader_fail_memory(const struct config_reader *reader);

/*
 * Next event; the caller deletes it when the return is 0. What is not UTF-8, not YAML, or an anchor,
 * alias or tag is an error.
 */
int config_reader_next(
	struct config_reader *reader, const struct config_path *path, yaml_event_t *event);
/* Passes one event, which must be of the given type; complaint is the error otherwise. */
int config_reader_expect(struct config_reader *reader, const struct config_path *path,
	yaml_event_type_t type, const char *complaint);
