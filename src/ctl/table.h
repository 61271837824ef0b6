// SPDX-License-Identifier: BSD-3-Clause
/*
 * Text in columns, each as wide as its widest cell.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CTL_TABLE_COLUMNS_MAX 12

struct ctl_table {
	size_t n_columns;
	bool right[CTL_TABLE_COLUMNS_MAX]; /* aligned to the right, as numbers are */
	size_t width[CTL_TABLE_COLUMNS_MAX];
	char **cells; /* row after row, owned */
	size_t n_cells;
	bool failed; /* out of memory at some cell */
};

/* Starts from a zeroed struct with n_columns and right[] set. Adds the next cell; text is copied. */
void ctl_table_add(struct ctl_table *table, const char *text);
/* Returns 0, or -ENOMEM when a cell is missing; then nothing is printed. */
int ctl_table_print(const struct ctl_table *table, FILE *file);
void ctl_table_free(struct ctl_table *table);
