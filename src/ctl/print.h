// SPDX-License-Identifier: BSD-3-Clause
/*
 * Answers of the daemons as short tables, by declared columns.
 */
#pragma once

#include "common/ctl_value.h"

#include <stdbool.h>
#include <stdio.h>

/* A member of an object: a column of a list, or a line of a form. A title of NULL ends the rows. */
struct ctl_field {
	const char *title;
	const char *key;
	enum ctl_value kind;
};

struct ctl_print_options {
	bool explain; /* counters: their sentences */
	bool all; /* counters: zero ones too */
};

/* A title line and one line an item. */
void ctl_print_list(const json_t *items, const struct ctl_field *fields, FILE *file);
/* "title  value" lines. */
void ctl_print_form(const json_t *object, const struct ctl_field *fields, FILE *file);

/* The answers of one command each; result is what the daemon said. */
void ctl_print_tep_show(const json_t *result, const struct ctl_print_options *options, FILE *file);
void ctl_print_tep_status(
	const json_t *result, const struct ctl_print_options *options, FILE *file);
void ctl_print_bindings(const json_t *result, const struct ctl_print_options *options, FILE *file);
void ctl_print_server_show(
	const json_t *result, const struct ctl_print_options *options, FILE *file);
void ctl_print_leases(const json_t *result, const struct ctl_print_options *options, FILE *file);
void ctl_print_pools(const json_t *result, const struct ctl_print_options *options, FILE *file);
void ctl_print_pushed(const json_t *result, const struct ctl_print_options *options, FILE *file);
void ctl_print_dhcp6(const json_t *result, const struct ctl_print_options *options, FILE *file);
void ctl_print_reconfigure(
	const json_t *result, const struct ctl_print_options *options, FILE *file);
void ctl_print_teps(const json_t *result, const struct ctl_print_options *options, FILE *file);
void ctl_print_client_show(
	const json_t *result, const struct ctl_print_options *options, FILE *file);
/* Of all three daemons. */
void ctl_print_counters(const json_t *result, const struct ctl_print_options *options, FILE *file);
