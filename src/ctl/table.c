// SPDX-License-Identifier: BSD-3-Clause
#include "ctl/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Columns on the screen: UTF-8 characters, not octets. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

void ctl_table_add(struct ctl_table *table, const char *text)
{
	size_t column = table->n_cells % table->n_columns;
	char *copy = strdup(text);

	assert(table->n_columns <= CTL_TABLE_COLUMNS_MAX);
	if ((table->n_cells & (table->n_cells - 1)) == 0) {
		size_t room = table->n_cells > 0 ? table->n_cells * 2 : 1;
		char **grown = reallocarray(table->cells, room, sizeof(*grown));

		if (grown == NULL) {
			free(copy);
			table->failed = true;
			return;
		}
		table->cells = grown;
	}
	if (copy == NULL) {
		table->failed = true;
		return;
	}
	table->cells[table->n_cells++] = copy;
	if (text_width(copy) > table->width[column])
		table->width[column] = text_width(copy);
}

int ctl_table_print(const struct ctl_table *table, FILE *file)
{
	if (table->failed)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t column = i % table->n_columns;
		bool last = column + 1 == table->n_columns;
		int padding = (int)(table->width[column] - text_width(table->cells[i]));

		if (table->right[column])
			fprintf(file, "%*s%s", padding, "", table->cells[i]);
		else
			fprintf(file, "%s%*s", table->cells[i], last ? 0 : padding, "");
		fputs(last ? "\n" : "  ", file);
	}
	return 0;
}

void ctl_table_free(struct ctl_table *table)
{
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	table->cells = NULL;
	table->n_cells = 0;
}
