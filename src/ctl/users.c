// SPDX-License-Identifier: BSD-3-Clause
#include "ctl/users.h"

#include "common/ctl.h"
#include "ctl/print.h"
#include "ctl/users_file.h"
#include "tsp/tsp_users.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define TIMEOUT_MS 10000
#define EXIT_USAGE 2

static int complain(const char *sentence)
{
	fprintf(stderr, "dstmctl: %s\n", sentence);
	return EXIT_FAILURE;
}

/* --- the password -------------------------------------------------------------------------------- */

static bool read_line(char line[static TSP_PASSWORD_MAX])
{
	size_t len;

	if (fgets(line, TSP_PASSWORD_MAX, stdin) == NULL)
		return false;
	len = strcspn(line, "\n");
	if (line[len] != '\n' && !feof(stdin))
		return false; /* too long */
	line[len] = '\0';
	return true;
}

/* From a terminal, which shows nothing of it. */
static bool ask_line(const char *question, char line[static TSP_PASSWORD_MAX])
{
	struct termios shown, hidden;
	bool ok;

	if (tcgetattr(STDIN_FILENO, &shown) < 0)
		return false;
	hidden = shown;
	hidden.c_lflag &= ~ECHO;
	/* What was typed before the question is discarded; an answer to it is not. */
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) < 0)
		return false;
	fputs(question, stderr);
	ok = read_line(line);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	fputc('\n', stderr);
	return ok;
}

/* NULL, or what is wrong. */
static const char *read_password(const char *name, char password[static TSP_PASSWORD_MAX])
{
	char question[TSP_USER_MAX + 32], again[TSP_PASSWORD_MAX];
	bool same;

	if (!isatty(STDIN_FILENO))
		return read_line(password) ? NULL : "no password on standard input, or too long";
	snprintf(question, sizeof(question), "Password of %s: ", name);
	if (!ask_line(question, password) || !ask_line("Once more: ", again))
		return "no password, or too long";
	same = strcmp(password, again) == 0;
	explicit_bzero(again, sizeof(again));
	return same ? NULL : "the two passwords differ";
}

/* --- verbs --------------------------------------------------------------------------------------- */

/* A server that does not run reads the file when it starts. */
static int tell_server(const char *socket)
{
	char error[CTL_ERROR_LEN];
	json_t *answer = NULL;
	int ret = ctl_request(socket, "reload-users", NULL, TIMEOUT_MS, &answer, error);

	json_decref(answer);
	if (ret == 0 || ret == -ENOENT || ret == -ECONNREFUSED)
		return EXIT_SUCCESS;
	fprintf(stderr, "dstmctl: the file is changed, but the server did not take it: %s\n",
		error);
	return EXIT_FAILURE;
}

static int change(const char *name, const char *line, const struct ctl_users_options *options)
{
	struct config_error error;
	bool existed;

	if (ctl_users_file_set(options->file, name, line, &existed, &error) < 0)
		return complain(error.text);
	if (line == NULL && !existed)
		return complain("there is no such user");
	printf("%s: %s\n", name, line == NULL ? "deleted" : existed ? "changed" : "added");
	return tell_server(options->socket);
}

static int add(const char *name, const struct ctl_users_options *options)
{
	char password[TSP_PASSWORD_MAX], line[TSP_USER_LINE_MAX], sentence[128];
	const char *fault = tsp_user_fault(name), *realm = options->realm;
	struct tsp_secret secret;
	int ret;

	if (fault == NULL && name[0] == '#')
		fault = "begins with #";
	if (fault != NULL) {
		snprintf(sentence, sizeof(sentence), "the name %s", fault);
		return complain(sentence);
	}
	if (strlen(realm) == 0 || strlen(realm) > TSP_REALM_MAX || tsp_user_fault(realm) != NULL)
		return complain("this realm cannot be");
	fault = read_password(name, password);
	if (fault != NULL)
		return complain(fault);
	ret = tsp_secret_derive(name, options->digest ? realm : NULL, password, &secret);
	explicit_bzero(password, sizeof(password));
	if (ret < 0)
		return complain(ret == -EINVAL ? "this password cannot be" : "no randomness");
	tsp_users_format(name, realm, &secret, line);
	explicit_bzero(&secret, sizeof(secret));
	ret = change(name, line, options);
	explicit_bzero(line, sizeof(line));
	return ret;
}

static int list(const struct ctl_users_options *options)
{
	static const struct ctl_field fields[] = {
		{"NAME", "name", CTL_TEXT},
		{"MECHANISMS", "mechanisms", CTL_TEXTS},
		{"REALM", "realm", CTL_TEXT},
		{},
	};
	json_t *items = json_array();
	struct config_error error;
	struct tsp_users users;

	if (tsp_users_load(options->file, &users, &error) < 0) {
		json_decref(items);
		return complain(error.text);
	}
	for (uint32_t i = 0; i < users.n; i++) {
		const struct tsp_user *user = &users.items[i];
		json_t *mechanisms = json_pack("[s]", "SCRAM-SHA-256");

		if (user->realm != NULL)
			json_array_append_new(mechanisms, json_string("DIGEST-MD5"));
		json_array_append_new(
			items, json_pack("{s:s, s:o, s:s?}", "name", user->name, "mechanisms",
				       mechanisms, "realm", user->realm));
	}
	if (options->json) {
		json_dumpf(items, stdout, JSON_INDENT(2));
		fputc('\n', stdout);
	} else {
		ctl_print_list(items, fields, stdout);
	}
	json_decref(items);
	tsp_users_free(&users);
	return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int ctl_users_run(const char *verb, const char *name, const struct ctl_users_options *options)
{
	struct ctl_users_options complete = *options;

	if (complete.file == NULL)
		complete.file = CTL_USERS_FILE;
	if (complete.realm == NULL)
		complete.realm = "dstm";
	if (strcmp(verb, "list") == 0 && name == NULL)
		return list(&complete);
	if (strcmp(verb, "add") == 0 && name != NULL)
		return add(name, &complete);
	if (strcmp(verb, "delete") == 0 && name != NULL)
		return change(name, NULL, &complete);
	fputs("usage: dstmctl server user add|delete NAME | list\n", stderr);
	return EXIT_USAGE;
}
