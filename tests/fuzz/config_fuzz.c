// SPDX-License-Identifier: BSD-3-Clause
/*
 * The configuration reader: whatever the file says, it is either refused with one sentence and nothing
 * kept, or read within the bounds that the table declares.
 */
#include "common/config.h"

#include "support/config_table.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void check_refused(const struct root *root, const struct config_error *error)
{
	static const struct root zero;

	check(memcmp(root, &zero, sizeof(zero)) == 0);
	check(strncmp(error->text, "f.yaml:", 7) == 0);
	check(strchr(error->text, '\n') == NULL);
}

static void check_read(const struct root *root)
{
	const struct server *servers = root->servers.items;

	check(root->name != NULL);
	check(root->mode == 0 || root->mode == 1);
	check(root->ports.mtu_v6 >= 1280 && root->ports.mtu_v6 <= 65535);
	check(root->v4_prefix.len <= 32 && root->v6_prefix.len <= 128);
	check(root->range.first <= root->range.last);
	check(root->listen.n >= 1 && root->listen.n <= 2);
	check(root->servers.n <= 3);
	for (uint32_t i = 0; i < root->servers.n; i++) {
		check(strlen(servers[i].name) >= 1 && strlen(servers[i].name) <= 8);
		check(servers[i].weight <= 10 && servers[i].pos.line > 0);
	}
	for (uint32_t i = 0; i < root->names.n; i++)
		check(((char **)root->names.items)[i] != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_error error;
	struct root root;

	memset(&root, 0xa5, sizeof(root));
	if (config_parse("f.yaml", (const char *)data, size, &root_section, &root, &error) < 0) {
		check_refused(&root, &error);
		return 0;
	}
	check_read(&root);
	config_free(&root_section, &root);
	return 0;
}
