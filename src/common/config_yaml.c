// SPDX-License-Identifier: BSD-3-Clause
#include "common/config_yaml.h"

#include "common/config_value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define PATH_LEN 160 /* of a key path in a message */

static size_t path_format(const struct config_path *path, char buf[static PATH_LEN])
{
	size_t n;

	if (path->parent == NULL) {
		buf[0] = '\0';
		return 0;
	}
	n = path_format(path->parent, buf);
	if (path->key == NULL)
		n += snprintf(buf + n, PATH_LEN - n, "[%u]", path->index);
	else
		n += snprintf(buf + n, PATH_LEN - n, "%s%s", n > 0 ? "." : "", path->key);
	return n < PATH_LEN ? n : PATH_LEN - 1;
}

struct config_pos config_mark_pos(const yaml_mark_t *mark)
{
	return (struct config_pos){.line = mark->line + 1, .column = mark->column + 1};
}

int config_reader_fail(const struct config_reader *reader, const struct config_path *path,
	struct config_pos pos, const char *format, ...)
{
	char key[PATH_LEN], text[CONFIG_REASON_LEN + PATH_LEN];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	path_format(path, key);
	return config_fail(
		reader->error, reader->name, pos, "%s%s%s", key, key[0] != '\0' ? ": " : "", text);
}

int config_reader_fail_memory(const struct config_reader *reader)
{
	config_fail(reader->error, reader->name, (struct config_pos){}, "%s", strerror(ENOMEM));
	return -ENOMEM;
}

/* libyaml gives an octet offset, not a mark, for text that is not UTF-8. */
static struct config_pos offset_pos(const struct config_reader *reader, size_t offset)
{
	struct config_pos pos = {.line = 1, .column = 1};

	for (size_t i = 0; i < offset && i < reader->len; i++) {
		if (reader->text[i] == '\n')
			pos = (struct config_pos){.line = pos.line + 1, .column = 1};
		else if (((unsigned char)reader->text[i] & 0xc0) != 0x80)
			pos.column++;
	}
	return pos;
}

static int fail_yaml(const struct config_reader *reader)
{
	const yaml_parser_t *yaml = &reader->yaml;

	if (yaml->error == YAML_MEMORY_ERROR)
		return config_reader_fail_memory(reader);
	if (yaml->error == YAML_READER_ERROR)
		return config_fail(reader->error, reader->name,
			offset_pos(reader, yaml->problem_offset), "not UTF-8 text: %s",
			yaml->problem);
	return config_fail(reader->error, reader->name, config_mark_pos(&yaml->problem_mark),
		"not valid YAML: %s", yaml->problem);
}

/* Anchors, aliases and tags: one file means one thing to whoever reads it. */
static int refuse_indirection(const struct config_reader *reader, const struct config_path *path,
	const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (event->type) {
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		break;
	case YAML_ALIAS_EVENT:
		anchor = event->data.alias.anchor;
		break;
	default:
		break;
	}
	if (anchor == NULL && tag == NULL)
		return 0;
	return config_reader_fail(reader, path, config_mark_pos(&event->start_mark),
		"%s are not allowed", anchor != NULL ? "anchors and aliases" : "tags");
}

int config_reader_next(
	struct config_reader *reader, const struct config_path *path, yaml_event_t *event)
{
	int rc;

	if (!yaml_parser_parse(&reader->yaml, event))
		return fail_yaml(reader);
	rc = refuse_indirection(reader, path, event);
	if (rc < 0)
		yaml_event_delete(event);
	return rc;
}

int config_reader_expect(struct config_reader *reader, const struct config_path *path,
	yaml_event_type_t type, const char *complaint)
{
	yaml_event_t event;
	int rc = config_reader_next(reader, path, &event);

	if (rc < 0)
		return rc;
	if (event.type != type)
		rc = config_reader_fail(
			reader, path, config_mark_pos(&event.start_mark), "%s", complaint);
	yaml_event_delete(&event);
	return rc;
}
