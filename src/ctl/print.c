// SPDX-License-Identifier: BSD-3-Clause
#include "ctl/print.h"

#include "ctl/table.h"

void ctl_print_list(const json_t *items, const struct ctl_field *fields, FILE *file)
{
	char buf[CTL_VALUE_LEN];
	struct ctl_table table = {};
	const json_t *item;
	size_t i;

	for (; fields[table.n_columns].title != NULL; table.n_columns++) {
		enum ctl_value kind = fields[table.n_columns].kind;

		table.right[table.n_columns] = kind == CTL_COUNT || kind == CTL_NUMBER;
	}
	for (size_t column = 0; column < table.n_columns; column++)
		ctl_table_add(&table, fields[column].title);
	json_array_foreach(items, i, item) {
		for (size_t column = 0; column < table.n_columns; column++)
			ctl_table_add(
				&table, ctl_value_format(json_object_get(item, fields[column].key),
						fields[column].kind, buf));
	}
	if (ctl_table_print(&table, file) < 0)
		fputs("not enough memory for the table\n", stderr);
	ctl_table_free(&table);
}

void ctl_print_form(const json_t *object, const struct ctl_field *fields, FILE *file)
{
	struct ctl_table table = {.n_columns = 2};
	char buf[CTL_VALUE_LEN];

	for (; fields->title != NULL; fields++) {
		ctl_table_add(&table, fields->title);
		ctl_table_add(&table,
			ctl_value_format(json_object_get(object, fields->key), fields->kind, buf));
	}
	if (ctl_table_print(&table, file) < 0)
		fputs("not enough memory for the table\n", stderr);
	ctl_table_free(&table);
}
