// SPDX-License-Identifier: BSD-3-Clause
/*
 * Figures as text that Prometheus reads (text format 0.0.4). A family has a name, a type and a sentence; below
 * it stand its samples, a line each, told apart by labels.
 *
 *	metrics_family(out, METRICS_COUNTER, "Packets dropped.", "dstm_tep_drop_packets_total");
 *	metrics_u64(out, 17, METRICS_LABELS({"reason", "no_route"}));
 *
 * Names come from tables of counters, so whatever a name may not have becomes an underscore; label values and
 * sentences may hold any text.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define METRICS_NAME_LEN     128
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct evbuffer;

enum metrics_type {
	METRICS_COUNTER, /* only grows while the process lives */
	METRICS_GAUGE,
};

struct metrics_label {
	const char *name; /* NULL: the end */
	const char *value;
};
#define METRICS_LABELS(...) ((const struct metrics_label[]){__VA_ARGS__, {NULL, NULL}})

struct metrics {
	struct evbuffer *out; /* borrowed */
	char name[METRICS_NAME_LEN]; /* of the family whose samples are written */
};

/* Begins a family; its name is a printf format. */
void metrics_family(struct metrics *metrics, enum metrics_type type, const char *help,
	const char *name, ...) __attribute__((format(printf, 4, 5)));

/* A sample of it; labels: METRICS_LABELS, or NULL for none. */
void metrics_u64(struct metrics *metrics, uint64_t value, const struct metrics_label *labels);
void metrics_double(struct metrics *metrics, double value, const struct metrics_label *labels);

/* A family of one sample without labels. */
void metrics_counter(struct metrics *metrics, const char *name, const char *help, uint64_t value);
void metrics_gauge(struct metrics *metrics, const char *name, const char *help, uint64_t value);
void metrics_gauge_double(
	struct metrics *metrics, const char *name, const char *help, double value);
