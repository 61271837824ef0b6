// SPDX-License-Identifier: BSD-3-Clause
#include "control/binding_file.h"

#include "common/addr.h"

#include <rte_byteorder.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_FIELDS 4

/* One row at a time, and where in the file it stands. */
struct reader {
	const char *path;
	const struct tep_binding_file_limits *limits;
	struct tep_binding_file *file;
	struct config_error *error;
	uint32_t capacity; /* of file's vectors */
	uint32_t line;
	char *text; /* the row, cut into its fields */
	char *fields[N_FIELDS];
};

static struct config_pos field_pos(const struct reader *reader, uint32_t field)
{
	return (struct config_pos){
		.line = reader->line,
		.column = reader->fields[field] - reader->text + 1,
	};
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The text from start up to end without the blanks around it. */
static char *trim(char *start, char *end)
{
	while (start < end && is_blank(*start))
		start++;
	while (end > start && is_blank(end[-1]))
		end--;
	*end = '\0';
	return start;
}

/* Cuts the row at its commas. Returns how many fields it has; only the first N_FIELDS are kept. */
static uint32_t split(struct reader *reader)
{
	char *start = reader->text;
	uint32_t n = 0;

	for (;;) {
		char *end = strchrnul(start, ',');
		bool last = *end == '\0';

		if (n < N_FIELDS)
			reader->fields[n] = trim(start, end);
		n++;
		if (last)
			return n;
		start = end + 1;
	}
}

static int parse_ports(const char *text, struct port_range *range)
{
	if (text[0] == '\0' || strcmp(text, "*") == 0) {
		*range = PORT_RANGE_EXCLUSIVE;
		return 0;
	}
	return port_range_parse(text, range);
}

static bool is_tunnel_address(
	const struct tep_binding_file_limits *limits, const struct in6_addr *address)
{
	for (uint32_t i = 0; i < limits->n_tep_v6; i++)
		if (addr_v6_equal(&limits->tep_v6[i], address))
			return true;
	return false;
}

static int parse_binding(struct reader *reader, struct dp_binding *binding)
{
	char *const *fields = reader->fields;
	struct in6_addr client, tep;
	struct port_range range;
	uint32_t v4;

	if (addr_v4_parse(fields[0], &v4) < 0)
		return config_fail(reader->error, reader->path, field_pos(reader, 0),
			"\"%.64s\" is not an IPv4 address", fields[0]);
	if (parse_ports(fields[1], &range) < 0)
		return config_fail(reader->error, reader->path, field_pos(reader, 1),
			"\"%.64s\" is not a range of ports; write first-last, or * for all",
			fields[1]);
	if (addr_v6_parse(fields[2], &client) < 0)
		return config_fail(reader->error, reader->path, field_pos(reader, 2),
			"\"%.64s\" is not an IPv6 address", fields[2]);
	if (addr_v6_parse(fields[3], &tep) < 0)
		return config_fail(reader->error, reader->path, field_pos(reader, 3),
			"\"%.64s\" is not an IPv6 address", fields[3]);
	if (!is_tunnel_address(reader->limits, &tep))
		return config_fail(reader->error, reader->path, field_pos(reader, 3),
			"%.64s is not one of this router's tunnel addresses", fields[3]);
	*binding = (struct dp_binding){
		.tep_v6 = tep,
		.client_v6 = client,
		.v4_be = rte_cpu_to_be_32(v4),
		.first = range.first,
		.last = range.last,
		.end_s = DP_BINDING_ENDLESS,
		.is_static = 1,
	};
	return 0;
}

static int no_memory(struct reader *reader)
{
	config_fail(reader->error, reader->path, (struct config_pos){.line = 0}, "out of memory");
	return -ENOMEM;
}

/* Records are aligned to 64 octets, which realloc does not know. */
static int grow(struct reader *reader)
{
	struct tep_binding_file *file = reader->file;
	uint32_t capacity = reader->capacity > 0 ? reader->capacity * 2 : 1024;
	struct dp_binding *bindings = aligned_alloc(
		_Alignof(struct dp_binding), capacity * sizeof(*bindings));
	uint32_t *lines;

	if (bindings == NULL)
		return no_memory(reader);
	if (file->n > 0)
		memcpy(bindings, file->bindings, file->n * sizeof(*bindings));
	free(file->bindings);
	file->bindings = bindings;
	lines = realloc(file->lines, capacity * sizeof(*lines));
	if (lines == NULL)
		return no_memory(reader);
	file->lines = lines;
	reader->capacity = capacity;
	return 0;
}

static int read_row(struct reader *reader)
{
	struct tep_binding_file *file = reader->file;
	uint32_t n_fields = split(reader);
	int rc;

	if (reader->fields[0][0] == '#' || (n_fields == 1 && reader->fields[0][0] == '\0'))
		return 0;
	if (file->n == 0 && strcasecmp(reader->fields[0], "v4") == 0)
		return 0;
	if (n_fields != N_FIELDS)
		return config_fail(reader->error, reader->path, field_pos(reader, 0),
			"a row has four fields, v4,ports,client,tep, not %u", n_fields);
	if (file->n == reader->limits->max_bindings)
		return config_fail(reader->error, reader->path, field_pos(reader, 0),
			"more rows than the %u bindings that the table may hold", file->n);
	if (file->n == reader->capacity) {
		rc = grow(reader);
		if (rc < 0)
			return rc;
	}
	rc = parse_binding(reader, &file->bindings[file->n]);
	if (rc < 0)
		return rc;
	file->lines[file->n++] = reader->line;
	return 0;
}

static int read_rows(struct reader *reader, FILE *stream)
{
	size_t size = 0;
	ssize_t len;
	int rc = 0;

	while (rc == 0 && (len = getline(&reader->text, &size, stream)) >= 0) {
		reader->line++;
		reader->fields[0] = reader->text;
		if (memchr(reader->text, '\0', len) != NULL)
			rc = config_fail(reader->error, reader->path, field_pos(reader, 0),
				"a row with a NUL octet");
		else
			rc = read_row(reader);
	}
	if (rc == 0 && ferror(stream)) {
		rc = -errno;
		config_fail(reader->error, reader->path, (struct config_pos){.line = 0},
			"cannot read: %s", strerror(-rc));
	}
	free(reader->text);
	return rc;
}

/* A row's place in the order of addresses and ports. */
struct row_key {
	uint64_t key; /* v4, first, last */
	uint32_t index;
};

static int compare_keys(const void *a, const void *b)
{
	uint64_t x = ((const struct row_key *)a)->key, y = ((const struct row_key *)b)->key;

	return x < y ? -1 : x > y;
}

/* Sorted rows overlap exactly where a row begins before the one in front of it has ended. */
static int check_sorted(const struct reader *reader, const struct row_key *keys)
{
	for (uint32_t i = 1; i < reader->file->n; i++) {
		uint32_t last_before = keys[i - 1].key & 0xffff;
		uint32_t first = keys[i].key >> 16 & 0xffff;
		uint32_t line_a, line_b;

		if (keys[i].key >> 32 != keys[i - 1].key >> 32 || first > last_before)
			continue;
		line_a = reader->file->lines[keys[i - 1].index];
		line_b = reader->file->lines[keys[i].index];
		return config_fail(reader->error, reader->path,
			(struct config_pos){.line = RTE_MAX(line_a, line_b), .column = 1},
			"ports of this row are also in the row on line %u",
			RTE_MIN(line_a, line_b));
	}
	return 0;
}

static int check_overlaps(struct reader *reader)
{
	const struct tep_binding_file *file = reader->file;
	struct row_key *keys = malloc((file->n + 1) * sizeof(*keys));
	bool sorted = true;
	int rc;

	if (keys == NULL)
		return no_memory(reader);
	for (uint32_t i = 0; i < file->n; i++) {
		const struct dp_binding *binding = &file->bindings[i];
		uint64_t v4 = rte_be_to_cpu_32(binding->v4_be);

		keys[i] = (struct row_key){
			.key = v4 << 32 | (uint32_t)binding->first << 16 | binding->last,
			.index = i,
		};
		sorted = sorted && (i == 0 || keys[i - 1].key <= keys[i].key);
	}
	if (!sorted)
		qsort(keys, file->n, sizeof(*keys), compare_keys);
	rc = check_sorted(reader, keys);
	free(keys);
	return rc;
}

int tep_binding_file_read(const char *path, const struct tep_binding_file_limits *limits,
	struct tep_binding_file *file, struct config_error *error)
{
	struct reader reader = {.path = path, .limits = limits, .file = file, .error = error};
	FILE *stream = fopen(path, "re");
	int rc;

	*file = (struct tep_binding_file){0};
	if (stream == NULL) {
		rc = -errno;
		config_fail(error, path, (struct config_pos){.line = 0}, "cannot read: %s",
			strerror(-rc));
		return rc;
	}
	rc = read_rows(&reader, stream);
	fclose(stream);
	if (rc == 0)
		rc = check_overlaps(&reader);
	if (rc < 0)
		tep_binding_file_free(file);
	return rc;
}

void tep_binding_file_free(struct tep_binding_file *file)
{
	free(file->bindings);
	free(file->lines);
	*file = (struct tep_binding_file){0};
}

static struct port_range range_of(const struct dp_binding *binding)
{
	return (struct port_range){.first = binding->first, .last = binding->last};
}

/* Adds one row; *is_new tells a binding that was not there from a renewal. */
static int add_row(struct dp_bindings *table, const struct dp_binding *binding, bool *is_new)
{
	uint32_t v4 = rte_be_to_cpu_32(binding->v4_be);

	*is_new = dp_bindings_find(table, v4, binding->first) == NULL;
	return dp_bindings_add(table, binding);
}

int tep_binding_file_add(const struct tep_binding_file *file, const char *path,
	struct dp_bindings *table, struct config_error *error)
{
	bool *is_new = calloc(file->n + 1, sizeof(*is_new));
	uint32_t n = 0;
	int rc = is_new != NULL ? 0 : -ENOMEM;

	while (rc == 0 && n < file->n) {
		rc = add_row(table, &file->bindings[n], &is_new[n]);
		n += rc == 0;
	}
	if (rc < 0) {
		config_fail(error, path,
			(struct config_pos){.line = file->n > n ? file->lines[n] : 0, .column = 1},
			"cannot add this binding: %s",
			rc == -EEXIST ? "another holder has some of its ports" : strerror(-rc));
		while (n-- > 0) {
			const struct dp_binding *binding = &file->bindings[n];

			if (is_new[n])
				dp_bindings_remove(
					table, rte_be_to_cpu_32(binding->v4_be), range_of(binding));
		}
	}
	free(is_new);
	return rc;
}
