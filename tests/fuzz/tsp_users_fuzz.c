// SPDX-License-Identifier: BSD-3-Clause
/*
 * The file of users, and PLAIN's one message: refused with one sentence and nothing kept, or read such that
 * writing what was read and reading it again gives the same.
 */
#include "tsp/tsp_plain.h"
#include "tsp/tsp_users.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void check_user(const struct tsp_users *users, const struct tsp_user *user)
{
	struct tsp_secret secret = {0}, again = {0};
	const char *realm = user->realm != NULL ? user->realm : "";
	char line[TSP_USER_LINE_MAX];
	struct config_error error;
	struct tsp_users one;

	check(tsp_user_fault(user->name) == NULL);
	check(tsp_users_find(users, user->name) == user);
	tsp_user_secret(user, realm, &secret);
	tsp_users_format(user->name, realm, &secret, line);
	if (user->name[0] == '#')
		return;
	check(tsp_users_parse("f", line, strlen(line), &one, &error) == 0 && one.n == 1);
	tsp_user_secret(&one.items[0], realm, &again);
	check(memcmp(&secret, &again, sizeof(secret)) == 0);
	tsp_users_free(&one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_error error;
	struct tsp_users users;
	struct tsp_plain plain;

	if (tsp_users_parse("f", (const char *)data, size, &users, &error) < 0) {
		check(users.n == 0 && users.items == NULL);
		check(strncmp(error.text, "f:", 2) == 0 && strchr(error.text, '\n') == NULL);
	}
	for (uint32_t i = 0; i < users.n; i++)
		check_user(&users, &users.items[i]);
	tsp_users_free(&users);
	if (tsp_plain_read(&plain, (const char *)data, size))
		check(plain.user[0] != '\0' && plain.password[0] != '\0');
	return 0;
}
