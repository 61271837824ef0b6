// SPDX-License-Identifier: BSD-3-Clause
/*
 * The walk over a file's YAML events, one function per kind of node, led by the tables.
 *
 * The walk descends only where a table has a section or a list, so its depth is the table's; every
 * other node is a scalar or an error. Whatever was read so far hangs below the output struct, which
 * is complete enough for config_free() at any moment: one call there is the whole unwinding.
 */
#include "common/config.h"

#include "common/config_value.h"
#include "common/config_yaml.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_SIZE_MAX (64u << 20)
#define DEPTH_MAX     16
#define KEYS_MAX      64 /* of one section */

__attribute__((format(printf, 4, 0))) static int fail_va(struct config_error *error,
	const char *name, struct config_pos pos, const char *format, va_list args)
{
	int n = pos.line > 0 ? snprintf(error->text, sizeof(error->text), "%s:%u:%u: ", name,
				       pos.line, pos.column)
			     : snprintf(error->text, sizeof(error->text), "%s: ", name);

	if (n >= 0 && (size_t)n < sizeof(error->text))
		vsnprintf(error->text + n, sizeof(error->text) - n, format, args);
	return -EINVAL;
}

int config_fail(struct config_error *error, const char *path, struct config_pos pos,
	const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail_va(error, path, pos, format, args);
	va_end(args);
	return -EINVAL;
}

static const struct config_key *find_key(const struct config_section *section, const char *name)
{
	for (const struct config_key *key = section->keys; key->type != CONFIG_END; key++) {
		if (key->name != NULL && strcmp(key->name, name) == 0)
			return key;
	}
	return NULL;
}

/* Levenshtein distance; anything too long to be a typing error is SIZE_MAX. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[32], len_a = strlen(a), len_b = strlen(b);

	if (len_a >= 32 || len_b >= 32)
		return SIZE_MAX;
	for (size_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[len_b];
}

static int fail_unknown_key(const struct config_reader *reader, const struct config_path *path,
	struct config_pos pos, const struct config_section *section, const char *name)
{
	const char *nearest = NULL;
	size_t best = 3; /* two slips of the finger */
	char quoted[CONFIG_QUOTE_LEN];

	for (const struct config_key *key = section->keys; key->type != CONFIG_END; key++) {
		size_t distance = key->name != NULL ? edit_distance(name, key->name) : SIZE_MAX;

		if (distance < best && distance * 2 <= strlen(key->name)) {
			best = distance;
			nearest = key->name;
		}
	}
	config_quote(name, quoted);
	if (nearest == NULL)
		return config_reader_fail(reader, path, pos, "unknown key %s", quoted);
	return config_reader_fail(
		reader, path, pos, "unknown key %s; did you mean \"%s\"?", quoted, nearest);
}

static int read_value(struct config_reader *reader, const struct config_path *path,
	const struct config_key *key, enum config_type type, const yaml_event_t *event,
	void *field);
static int set_absent(struct config_reader *reader, const struct config_path *parent,
	const struct config_section *section, const bool *seen, struct config_pos pos,
	bool forgive_required, char *out);

static int read_scalar(struct config_reader *reader, const struct config_path *path,
	const struct config_key *key, enum config_type type, const struct config_scalar *scalar,
	struct config_pos pos, void *field)
{
	char reason[CONFIG_REASON_LEN];
	int rc = config_scalar_parse(key, type, scalar, field, reason);

	if (rc == -ENOMEM)
		return config_reader_fail_memory(reader);
	return rc < 0 ? config_reader_fail(reader, path, pos, "%s", reason) : 0;
}

/* One more zeroed item at the list's end. Room doubles at the powers of two. */
static void *list_grow(struct config_list *list, size_t item_size)
{
	char *items = list->items;

	if ((list->n & (list->n - 1)) == 0) {
		items = reallocarray(items, list->n > 0 ? list->n * 2ul : 1, item_size);
		if (items == NULL)
			return NULL;
		list->items = items;
	}
	return memset(items + item_size * list->n++, 0, item_size);
}

static enum config_type list_item_type(const struct config_key *key)
{
	return key->section != NULL ? CONFIG_SECTION : key->item;
}

static size_t list_item_size(const struct config_key *key)
{
	return key->section != NULL ? key->section->size : config_scalar_size(key->item);
}

static void set_pos(const struct config_section *section, struct config_pos pos, char *out)
{
	for (const struct config_key *key = section->keys; key->type != CONFIG_END; key++) {
		if (key->type == CONFIG_POS)
			*(struct config_pos *)(out + key->offset) = pos;
	}
}

/* An item that is one value instead of a mapping: its section's first key, the others by default. */
static int read_short_item(struct config_reader *reader, const struct config_path *path,
	const struct config_key *key, const yaml_event_t *event, char *out)
{
	struct config_pos pos = config_mark_pos(&event->start_mark);
	const struct config_key *first = key->section->keys;
	bool seen[KEYS_MAX] = {};
	int rc;

	set_pos(key->section, pos, out);
	while (first->type == CONFIG_POS)
		first++;
	seen[first - key->section->keys] = true;
	rc = read_value(reader, path, first, key->item, event, out + first->offset);
	return rc < 0 ? rc : set_absent(reader, path, key->section, seen, pos, false, out);
}

static int read_item(struct config_reader *reader, const struct config_path *parent,
	const struct config_key *key, const yaml_event_t *event, struct config_list *list)
{
	const struct config_path path = {
		.parent = parent, .index = list->n, .depth = parent->depth + 1};
	void *item;

	if (key->max > 0 && list->n == key->max)
		return config_reader_fail(reader, parent, config_mark_pos(&event->start_mark),
			"more than %u items", key->max);
	item = list_grow(list, list_item_size(key));
	if (item == NULL)
		return config_reader_fail_memory(reader);
	if (key->section != NULL && key->item != CONFIG_END && event->type == YAML_SCALAR_EVENT)
		return read_short_item(reader, &path, key, event, item);
	return read_value(reader, &path, key, list_item_type(key), event, item);
}

static int read_list(struct config_reader *reader, const struct config_path *path,
	const struct config_key *key, struct config_pos start, struct config_list *list)
{
	yaml_event_t event;
	bool end = false;
	int rc;

	while (!end) {
		rc = config_reader_next(reader, path, &event);
		if (rc < 0)
			return rc;
		end = event.type == YAML_SEQUENCE_END_EVENT;
		if (!end)
			rc = read_item(reader, path, key, &event, list);
		yaml_event_delete(&event);
		if (rc < 0)
			return rc;
	}
	if (list->n < key->min)
		return config_reader_fail(
			reader, path, start, "%u items, expected at least %u", list->n, key->min);
	return 0;
}

/* A list's default is the list of that one scalar. */
static int set_default(struct config_reader *reader, const struct config_path *path,
	const struct config_key *key, struct config_pos pos, void *field)
{
	const struct config_scalar scalar = {
		.text = key->value,
		.len = strlen(key->value),
		.plain = key->value[0] != '\0',
	};
	enum config_type type = key->type;

	if (key->type == CONFIG_LIST) {
		type = key->item;
		field = list_grow(field, config_scalar_size(type));
		if (field == NULL)
			return config_reader_fail_memory(reader);
	}
	return read_scalar(reader, path, key, type, &scalar, pos, field);
}

/*
 * What the file left out: an error for a required key, otherwise the default. An absent section is an
 * empty one, except where its owner asks whether it is present: then only its defaults are set.
 */
static int set_absent(struct config_reader *reader, const struct config_path *parent,
	const struct config_section *section, const bool *seen, struct config_pos pos,
	bool forgive_required, char *out)
{
	for (size_t i = 0; section->keys[i].type != CONFIG_END; i++) {
		const struct config_key *key = &section->keys[i];
		const struct config_path path = {
			.parent = parent, .key = key->name, .depth = parent->depth + 1};
		int rc = 0;

		if (key->type == CONFIG_POS || (seen != NULL && seen[i]))
			continue;
		if (key->required && !forgive_required)
			return config_reader_fail(
				reader, &path, pos, "missing: this key is required");
		if (key->type == CONFIG_SECTION)
			rc = set_absent(reader, &path, key->section, NULL, pos,
				forgive_required || key->present != 0, out + key->offset);
		else if (key->value != NULL)
			rc = set_default(reader, &path, key, pos, out + key->offset);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Reads the value behind a key that was just read. */
static int read_key(struct config_reader *reader, const struct config_path *parent,
	const struct config_section *section, const yaml_event_t *name_event, bool *seen, char *out)
{
	const char *name = (const char *)name_event->data.scalar.value;
	struct config_pos pos = config_mark_pos(&name_event->start_mark);
	const struct config_key *key;
	struct config_path path = {.parent = parent, .depth = parent->depth + 1};
	yaml_event_t event;
	int rc;

	if (name_event->type != YAML_SCALAR_EVENT)
		return config_reader_fail(reader, parent, pos, "expected the name of a key");
	key = strlen(name) == name_event->data.scalar.length ? find_key(section, name) : NULL;
	if (key == NULL)
		return fail_unknown_key(reader, parent, pos, section, name);
	path.key = key->name;
	if (seen[key - section->keys])
		return config_reader_fail(reader, &path, pos, "this key stands here twice");
	seen[key - section->keys] = true;
	if (key->present != 0)
		*(bool *)(out + key->present) = true;

	rc = config_reader_next(reader, &path, &event);
	if (rc < 0)
		return rc;
	rc = read_value(reader, &path, key, key->type, &event, out + key->offset);
	yaml_event_delete(&event);
	return rc;
}

/* The mapping whose start was just read. */
static int read_section(struct config_reader *reader, const struct config_path *path,
	const struct config_section *section, struct config_pos pos, char *out)
{
	bool seen[KEYS_MAX] = {};
	yaml_event_t event;
	int rc;

	for (size_t i = 0; section->keys[i].type != CONFIG_END; i++)
		assert(i < KEYS_MAX);
	set_pos(section, pos, out);
	for (;;) {
		rc = config_reader_next(reader, path, &event);
		if (rc < 0)
			return rc;
		if (event.type == YAML_MAPPING_END_EVENT)
			break;
		rc = read_key(reader, path, section, &event, seen, out);
		yaml_event_delete(&event);
		if (rc < 0)
			return rc;
	}
	yaml_event_delete(&event);
	return set_absent(reader, path, section, seen, pos, false, out);
}

static const char *node_text(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_MAPPING_START_EVENT:
		return "a mapping of keys";
	case YAML_SEQUENCE_START_EVENT:
		return "a list";
	default:
		return event->data.scalar.length > 0 ? "a single value" : "an empty value";
	}
}

static int read_value(struct config_reader *reader, const struct config_path *path,
	const struct config_key *key, enum config_type type, const yaml_event_t *event, void *field)
{
	struct config_pos pos = config_mark_pos(&event->start_mark);

	if (path->depth > DEPTH_MAX)
		return config_reader_fail(reader, path, pos, "more than %u levels deep", DEPTH_MAX);
	if (type == CONFIG_SECTION && event->type == YAML_MAPPING_START_EVENT)
		return read_section(reader, path, key->section, pos, field);
	if (type == CONFIG_LIST && event->type == YAML_SEQUENCE_START_EVENT)
		return read_list(reader, path, key, pos, field);
	if (type != CONFIG_SECTION && type != CONFIG_LIST && event->type == YAML_SCALAR_EVENT) {
		const struct config_scalar scalar = {
			.text = (const char *)event->data.scalar.value,
			.len = event->data.scalar.length,
			.plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
		};
		return read_scalar(reader, path, key, type, &scalar, pos, field);
	}
	return config_reader_fail(
		reader, path, pos, "expected %s, not %s", config_type_text(type), node_text(event));
}

static int read_file(struct config_reader *reader, const struct config_section *section, void *out)
{
	const struct config_key root_key = {.type = CONFIG_SECTION, .section = section};
	const struct config_path root = {};
	yaml_event_t event;
	int rc;

	rc = config_reader_expect(reader, &root, YAML_STREAM_START_EVENT, "not YAML");
	if (rc == 0)
		rc = config_reader_expect(
			reader, &root, YAML_DOCUMENT_START_EVENT, "the file is empty");
	if (rc == 0)
		rc = config_reader_next(reader, &root, &event);
	if (rc != 0)
		return rc;
	rc = read_value(reader, &root, &root_key, CONFIG_SECTION, &event, out);
	yaml_event_delete(&event);
	if (rc == 0)
		rc = config_reader_expect(
			reader, &root, YAML_DOCUMENT_END_EVENT, "not one document");
	if (rc == 0)
		rc = config_reader_expect(reader, &root, YAML_STREAM_END_EVENT,
			"a second document begins here; one is allowed");
	return rc;
}

int config_parse(const char *name, const char *text, size_t len, const struct config_section *root,
	void *out, struct config_error *error)
{
	struct config_reader reader = {.name = name, .text = text, .len = len, .error = error};
	int rc;

	memset(out, 0, root->size);
	error->text[0] = '\0';
	if (len > FILE_SIZE_MAX)
		return config_fail(error, name, (struct config_pos){}, "larger than %u MiB",
			FILE_SIZE_MAX >> 20);
	if (!yaml_parser_initialize(&reader.yaml))
		return config_reader_fail_memory(&reader);
	yaml_parser_set_input_string(&reader.yaml, (const unsigned char *)text, len);
	yaml_parser_set_encoding(&reader.yaml, YAML_UTF8_ENCODING);
	rc = read_file(&reader, root, out);
	yaml_parser_delete(&reader.yaml);
	if (rc < 0)
		config_free(root, out);
	return rc;
}

/* Reads at most FILE_SIZE_MAX + 1 octets; a file of that size is refused by config_parse(). */
static int read_all(int fd, char **text, size_t *len)
{
	size_t size = 0, used = 0;
	char *buf = NULL;

	for (;;) {
		ssize_t n;

		if (used == size) {
			char *grown;

			size = size > 0 ? size * 2 : 16384;
			grown = realloc(buf, size);
			if (grown == NULL)
				goto fail;
			buf = grown;
		}
		n = read(fd, buf + used, size - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto fail;
		used += n;
		if (n == 0 || used > FILE_SIZE_MAX)
			break;
	}
	*text = buf;
	*len = used;
	return 0;

fail:
	free(buf);
	return -errno;
}

int config_load(
	const char *path, const struct config_section *root, void *out, struct config_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t len = 0;
	int rc = fd < 0 ? -errno : read_all(fd, &text, &len);

	if (fd >= 0)
		close(fd);
	if (rc < 0) {
		memset(out, 0, root->size);
		config_fail(error, path, (struct config_pos){}, "cannot read: %s", strerror(-rc));
		return rc;
	}
	rc = config_parse(path, text, len, root, out, error);
	free(text);
	return rc;
}

void config_free(const struct config_section *root, void *obj)
{
	for (const struct config_key *key = root->keys; key->type != CONFIG_END; key++) {
		void *field = (char *)obj + key->offset;

		if (key->type == CONFIG_STRING)
			free(*(char **)field);
		if (key->type == CONFIG_SECTION)
			config_free(key->section, field);
		if (key->type == CONFIG_LIST) {
			struct config_list *list = field;
			char *items = list->items;

			for (uint32_t i = 0; i < list->n; i++) {
				if (key->section != NULL)
					config_free(key->section, items + i * key->section->size);
				else if (key->item == CONFIG_STRING)
					free(((char **)items)[i]);
			}
			free(items);
		}
	}
	memset(obj, 0, root->size);
}

bool config_same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool config_same_endpoints(const struct config_list *a, const struct config_list *b)
{
	const struct addr_endpoint *ends = a->items, *others = b->items;

	for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
		if (!addr_endpoint_equal(&ends[i], &others[i]))
			return false;
	}
	return a->n == b->n;
}
