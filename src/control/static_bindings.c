// SPDX-License-Identifier: BSD-3-Clause
#include "control/static_bindings.h"

#include "common/log.h"
#include "control/learn.h"

#include <errno.h>
#include <rte_byteorder.h>
#include <stdlib.h>
#include <string.h>

/* By address, then by first port. */
static int compare(const void *a, const void *b)
{
	const struct tep_static_binding *x = a, *y = b;

	if (x->v4 != y->v4)
		return x->v4 < y->v4 ? -1 : 1;
	return (int)x->ports.first - (int)y->ports.first;
}

static bool is_listed(const struct in6_addr *v6, const struct tep_binding_file_limits *limits)
{
	for (uint32_t i = 0; i < limits->n_tep_v6; i++)
		if (addr_v6_equal(v6, &limits->tep_v6[i]))
			return true;
	return false;
}

static int check_row(const char *path, const struct tep_static_binding *row,
	const struct tep_binding_file_limits *limits, struct config_error *error)
{
	uint8_t top = row->v4 >> 24;
	char text[ADDR_V6_STRLEN];

	if (top == 0 || top == 127 || top >= 224)
		return config_fail(error, path, row->pos,
			"bindings.static: %s is no unicast address", addr_v4_format(row->v4, text));
	if (!addr_v6_is_global(&row->client_v6))
		return config_fail(error, path, row->pos,
			"bindings.static: client %s cannot be a tunnel end",
			addr_v6_format(&row->client_v6, text));
	if (is_listed(&row->client_v6, limits))
		return config_fail(error, path, row->pos,
			"bindings.static: client %s is one of tunnel.v6",
			addr_v6_format(&row->client_v6, text));
	if (!is_listed(&row->tep_v6, limits))
		return config_fail(error, path, row->pos,
			"bindings.static: tep %s is not one of tunnel.v6",
			addr_v6_format(&row->tep_v6, text));
	return 0;
}

/* The rows are sorted: neighbours tell. */
static int check_overlaps(const struct tep_static_bindings *bindings, struct config_error *error)
{
	for (uint32_t i = 1; i < bindings->n_rows; i++) {
		const struct tep_static_binding *a = &bindings->rows[i - 1], *b = a + 1;
		char v4[ADDR_V4_STRLEN], ports[PORT_RANGE_STRLEN];

		if (a->v4 == b->v4 && port_range_overlaps(a->ports, b->ports))
			return config_fail(error, bindings->path, b->pos,
				"bindings.static: %s has a port of %s in line %u, too",
				addr_v4_format(b->v4, v4), port_range_format(a->ports, ports),
				a->pos.line);
	}
	return 0;
}

/* The last row that begins at or before this place in the order, or NULL. */
static const struct tep_static_binding *row_before(
	const struct tep_static_bindings *bindings, uint32_t v4, uint16_t port)
{
	const struct tep_static_binding place = {.v4 = v4, .ports = {port, port}};
	uint32_t low = 0, high = bindings->n_rows;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (compare(&bindings->rows[middle], &place) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? NULL : &bindings->rows[low - 1];
}

static int check_file_overlaps(
	const struct tep_static_bindings *bindings, struct config_error *error)
{
	for (uint32_t i = 0; i < bindings->file.n; i++) {
		const struct dp_binding *binding = &bindings->file.bindings[i];
		const struct port_range ports = {binding->first, binding->last};
		uint32_t v4 = rte_be_to_cpu_32(binding->v4_be);
		const struct tep_static_binding *row = row_before(bindings, v4, ports.last);
		const struct config_pos pos = {.line = bindings->file.lines[i], .column = 1};

		if (row != NULL && row->v4 == v4 && port_range_overlaps(row->ports, ports))
			return config_fail(error, bindings->file_path, pos,
				"ports of this row are also in %s line %u", bindings->path,
				row->pos.line);
	}
	return 0;
}

int tep_static_check(struct tep_static_bindings *bindings,
	const struct tep_binding_file_limits *limits, struct config_error *error)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < bindings->n_rows; i++)
		rc = check_row(bindings->path, &bindings->rows[i], limits, error);
	if (rc != 0)
		return rc;
	if (bindings->n_rows != 0)
		qsort(bindings->rows, bindings->n_rows, sizeof(*bindings->rows), compare);
	rc = check_overlaps(bindings, error);
	if (rc != 0 || bindings->file_path == NULL)
		return rc;
	rc = tep_binding_file_read(bindings->file_path, limits, &bindings->file, error);
	return rc != 0 ? rc : check_file_overlaps(bindings, error);
}

static struct dp_binding binding_of_row(const struct tep_static_binding *row)
{
	return (struct dp_binding){
		.tep_v6 = row->tep_v6,
		.client_v6 = row->client_v6,
		.v4_be = rte_cpu_to_be_32(row->v4),
		.first = row->ports.first,
		.last = row->ports.last,
		.end_s = DP_BINDING_ENDLESS,
		.is_static = 1,
	};
}

int tep_static_load(const struct tep_static_bindings *bindings, struct dp_bindings *table,
	struct config_error *error)
{
	for (uint32_t i = 0; i < bindings->n_rows; i++) {
		const struct tep_static_binding *row = &bindings->rows[i];
		const struct dp_binding binding = binding_of_row(row);
		int rc = dp_bindings_add(table, &binding);

		if (rc != 0) {
			config_fail(error, bindings->path, row->pos, "cannot add this binding: %s",
				strerror(-rc));
			return rc;
		}
	}
	if (bindings->file_path == NULL)
		return 0;
	return tep_binding_file_add(&bindings->file, bindings->file_path, table, error);
}

/* The rows of the YAML first, then those of the file. */
static struct dp_binding nth_binding(const struct tep_static_bindings *bindings, uint32_t i)
{
	return i < bindings->n_rows ? binding_of_row(&bindings->rows[i])
				    : bindings->file.bindings[i - bindings->n_rows];
}

struct stale {
	struct dp_bindings *table;
	uint32_t serial;
	uint32_t removed;
};

static void remove_stale(void *arg, const struct dp_binding *binding)
{
	struct stale *stale = arg;

	if (!binding->is_static || binding->serial == stale->serial)
		return;
	dp_bindings_remove(stale->table, rte_be_to_cpu_32(binding->v4_be),
		(struct port_range){binding->first, binding->last});
	stale->removed++;
}

static void log_refused(const struct dp_binding *binding, int rc)
{
	char v4[ADDR_V4_STRLEN], ports[PORT_RANGE_STRLEN];

	log_err("binding %s ports %s: %s", addr_v4_format(rte_be_to_cpu_32(binding->v4_be), v4),
		port_range_format((struct port_range){binding->first, binding->last}, ports),
		rc == -EEXIST ? "a lease has some of its ports" : strerror(-rc));
}

/* Adds those that do not stand yet; returns how many still do not. */
static uint32_t add_missing(const struct tep_static_bindings *bindings, struct dp_bindings *table,
	uint32_t serial, bool *stands, bool is_last_try)
{
	uint32_t n = tep_static_count(bindings), missing = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct dp_binding binding = nth_binding(bindings, i);
		int rc = 0;

		binding.serial = serial;
		if (!stands[i])
			rc = dp_bindings_add(table, &binding);
		if (rc == -EEXIST && is_last_try) {
			tep_learn_make_way(table, rte_be_to_cpu_32(binding.v4_be),
				(struct port_range){binding.first, binding.last});
			rc = dp_bindings_add(table, &binding);
		}
		stands[i] = rc == 0;
		missing += rc != 0;
		if (rc != 0 && is_last_try)
			log_refused(&binding, rc);
	}
	return missing;
}

/*
 * What stays is confirmed first and so never missed; what collides with a binding on its way out is added once
 * that is gone.
 */
int tep_static_replace(const struct tep_static_bindings *bindings, struct dp_bindings *table,
	uint32_t serial, struct tep_static_change *change)
{
	struct stale stale = {.table = table, .serial = serial};
	uint32_t n = tep_static_count(bindings), cursor = 0;
	bool *stands = calloc(n + 1, sizeof(*stands));

	if (stands == NULL)
		return -ENOMEM;
	add_missing(bindings, table, serial, stands, false);
	dp_bindings_walk(table, &cursor, UINT32_MAX, remove_stale, &stale);
	change->refused = add_missing(bindings, table, serial, stands, true);
	change->kept = n - change->refused;
	change->removed = stale.removed;
	free(stands);
	return 0;
}

void tep_static_free(struct tep_static_bindings *bindings)
{
	free(bindings->rows);
	free(bindings->file_path);
	tep_binding_file_free(&bindings->file);
	*bindings = (struct tep_static_bindings){0};
}
