// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tsp/tsp_plain.h"
#include "tsp/tsp_users.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The keys of "pencil" by a salt of sixteen octets, made by an implementation that is not ours. */
#define KEYS   "SCRAM-SHA-256$4096:AAECAwQFBgcICQoLDA0ODw==$" STORED ":" SERVER
#define STORED "zHCdol2044/ZyWzPLi7oxApCkamKw9Z+E4U/QApd/5Y="
#define SERVER "dd5peBOitVnLNFu7VmwP+HiDaaw4OUCv396eVCWhYiE="
#define DIGEST "DIGEST-MD5$dstm$0123456789abcdef0123456789abcdef"

static int parse(const char *text, struct tsp_users *users, struct config_error *error)
{
	return tsp_users_parse("f", text, strlen(text), users, error);
}

static void a_file_is_read_and_its_users_found(void **state)
{
	static const char text[] = "# who may come\n"
				   "bob\t" KEYS "\n"
				   "\n"
				   "alice b,c=d e@example.org\t" KEYS "\t" DIGEST "\n"
				   "j\xc3\xbcrgen\t" KEYS;
	const struct tsp_user *user;
	struct config_error error;
	struct tsp_secret secret = {0};
	struct tsp_users users;

	assert_int_equal(parse(text, &users, &error), 0);
	assert_int_equal(users.n, 3);
	user = tsp_users_find(&users, "alice b,c=d e@example.org");
	assert_non_null(user);
	assert_int_equal(user->line, 4);
	tsp_user_secret(user, "dstm", &secret);
	assert_true(secret.has_digest);
	assert_int_equal(secret.digest[1], 0x23);
	tsp_user_secret(user, "other", &secret);
	assert_false(secret.has_digest);
	assert_string_equal(secret.password, "");
	assert_int_equal(secret.scram.iterations, 4096);
	assert_int_equal(secret.scram.salt[15], 15);
	assert_true(tsp_plain_check("pencil", &secret.scram));
	assert_false(tsp_plain_check("Pencil", &secret.scram));
	assert_non_null(tsp_users_find(&users, "bob"));
	assert_non_null(tsp_users_find(&users, "j\xc3\xbcrgen"));
	assert_null(tsp_users_find(&users, "Bob"));
	assert_null(tsp_users_find(&users, ""));
	tsp_users_free(&users);
	assert_null(tsp_users_find(&users, "bob"));
}

/* Whatever is wrong is named with its line, and nothing of the file is kept. */
static void damage_is_named_with_its_line(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"alice\n", "f:1:1: users file: no TAB behind the name"},
		{"#\n\nalice " KEYS "\n", "f:3:1: users file: no TAB behind the name"},
		{"\t" KEYS, "f:1:1: users file: is empty"},
		{"a\"b\t" KEYS, "f:1:1: users file: holds a quote or a backslash"},
		{"a\rb\t" KEYS, "f:1:1: users file: holds a control character"},
		{"a\t", "f:1:1: users file: no SCRAM-SHA-256 keys behind the name"},
		{"a\tSCRAM-SHA-256$4095:AAECAwQFBgcICQoLDA0ODw==$" STORED ":" SERVER,
			"f:1:1: users file: no SCRAM-SHA-256 keys behind the name"},
		{"a\tSCRAM-SHA-256$99999999999999999999:AAECAwQFBgcICQoLDA0ODw==$" STORED
		 ":" SERVER,
			"f:1:1: users file: no SCRAM-SHA-256 keys behind the name"},
		{"a\tSCRAM-SHA-256$4096:AAECAwQFBgcICQoLDA0O$" STORED ":" SERVER,
			"f:1:1: users file: no SCRAM-SHA-256 keys behind the name"},
		{"a\tSCRAM-SHA-256$4096:AAECAwQFBgcICQoLDA0ODw==$" STORED,
			"f:1:1: users file: no SCRAM-SHA-256 keys behind the name"},
		{"a\t" KEYS "=", "f:1:1: users file: no SCRAM-SHA-256 keys behind the name"},
		{"a\t" KEYS "\r\n", "f:1:1: users file: no SCRAM-SHA-256 keys behind the name"},
		{"a\t" KEYS "\tDIGEST-MD5$dstm$0123",
			"f:1:1: users file: no DIGEST-MD5 secret behind the keys"},
		{"a\t" KEYS "\tDIGEST-MD5$$0123456789abcdef0123456789abcdef",
			"f:1:1: users file: no DIGEST-MD5 secret behind the keys"},
		{"a\t" KEYS "\t" DIGEST "\tmore",
			"f:1:1: users file: no DIGEST-MD5 secret behind the keys"},
		{"a\t" KEYS "\nb\t" KEYS "\na\t" KEYS "\n",
			"f:3:1: users file: this user stands there twice"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config_error error = {""};
		struct tsp_users users;

		assert_int_equal(parse(rows[i].text, &users, &error), -EINVAL);
		assert_string_equal(error.text, rows[i].error);
		assert_int_equal(users.n, 0);
		assert_null(users.items);
	}
}

static void no_cut_or_changed_file_is_read_wrongly(void **state)
{
	static const char text[] = "bob\t" KEYS "\t" DIGEST "\n";
	struct config_error error;
	struct tsp_users users;

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		char changed[sizeof(text)];

		tsp_users_parse("f", text, i, &users, &error);
		tsp_users_free(&users);
		for (unsigned int c = 0; c < 256; c++) {
			memcpy(changed, text, sizeof(text));
			changed[i] = c;
			tsp_users_parse("f", changed, sizeof(text) - 1, &users, &error);
			tsp_users_free(&users);
		}
	}
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
	struct config_error error;
	struct tsp_users users;

	assert_int_equal(tsp_users_load("/nowhere/users", &users, &error), -ENOENT);
	assert_string_equal(error.text, "/nowhere/users: users file: No such file or directory");
	assert_int_equal(tsp_users_load("/", &users, &error), -EINVAL);
}

/* What is kept of a password checks it, holds none of it, and is read back as it was written. */
static void what_is_derived_can_be_written_and_read(void **state)
{
	struct tsp_secret first, second, read = {0};
	char line[TSP_USER_LINE_MAX];
	struct config_error error;
	struct tsp_users users;

	assert_int_equal(tsp_secret_derive("alice", "dstm", "wonderland", &first), 0);
	assert_int_equal(tsp_secret_derive("alice", NULL, "wonderland", &second), 0);
	assert_memory_not_equal(first.scram.salt, second.scram.salt, TSP_SCRAM_SALT_LEN);
	assert_false(second.has_digest);
	assert_string_equal(first.password, "");
	tsp_users_format("alice", "dstm", &first, line);
	assert_null(strstr(line, "wonderland"));
	assert_int_equal(parse(line, &users, &error), 0);
	tsp_user_secret(tsp_users_find(&users, "alice"), "dstm", &read);
	assert_memory_equal(&read, &first, sizeof(read));
	/* the digest by md5sum of alice:dstm:wonderland */
	assert_non_null(strstr(line, "\tDIGEST-MD5$dstm$e912e1ba613cec8c5610904f8b910e97\n"));
	assert_true(tsp_plain_check("wonderland", &read.scram));
	tsp_users_free(&users);
	assert_int_equal(tsp_secret_derive("alice", NULL, "", &first), -EINVAL);
	assert_int_equal(tsp_secret_derive("alice", NULL, "\x01", &first), -EINVAL);
	assert_int_equal(tsp_secret_derive("alice", NULL, "\xff\xfe", &first), -EINVAL);
}

/* A hundred thousand users: each is found, and nobody else. */
static void a_large_file_is_sorted(void **state)
{
	enum {
		N = 100000
	};
	char *text = malloc(N * 256L), *end = text, name[16];
	struct config_error error;
	struct tsp_users users;

	for (unsigned int i = 0; i < N; i++)
		end += sprintf(end, "u%u\t" KEYS "\n", i * 7919 % N);
	assert_int_equal(tsp_users_parse("f", text, end - text, &users, &error), 0);
	assert_int_equal(users.n, N);
	for (unsigned int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		assert_string_equal(tsp_users_find(&users, name)->name, name);
		snprintf(name, sizeof(name), "v%u", i);
		assert_null(tsp_users_find(&users, name));
	}
	tsp_users_free(&users);
	free(text);
}

static void plain_messages_are_read(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		const char *role, *user, *password; /* NULL: it is none */
	} rows[] = {
#define RAW(text) text, sizeof(text) - 1
		{RAW("alice\0secret"), "", "alice", "secret"},
		{RAW("\0alice\0secret"), "", "alice", "secret"},
		{RAW("bob\0alice\0secret"), "bob", "alice", "secret"},
		{RAW("AGFsaWNlAHNlY3JldA=="), "", "alice", "secret"},
		{RAW("alice\0p\xc3\xa4ss w\\rd"), "", "alice", "p\xc3\xa4ss w\\rd"},
		{RAW("")},
		{RAW("alice")},
		{RAW("alice\0")},
		{RAW("\0secret")},
		{RAW("a\0b\0c\0d")},
		{RAW("\0\0alice\0secret")},
		{RAW("AGFsaWNl")},
		{RAW("A")},
		{RAW("0123456789012345678901234567890123456789012345678901234567890123\0x")},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tsp_plain plain;
		bool ok = tsp_plain_read(&plain, rows[i].data, rows[i].len);

		assert_int_equal(ok, rows[i].user != NULL);
		if (!ok)
			continue;
		assert_string_equal(plain.role, rows[i].role);
		assert_string_equal(plain.user, rows[i].user);
		assert_string_equal(plain.password, rows[i].password);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_and_its_users_found),
		cmocka_unit_test(damage_is_named_with_its_line),
		cmocka_unit_test(no_cut_or_changed_file_is_read_wrongly),
		cmocka_unit_test(a_file_that_cannot_be_read_is_named),
		cmocka_unit_test(what_is_derived_can_be_written_and_read),
		cmocka_unit_test(a_large_file_is_sorted),
		cmocka_unit_test(plain_messages_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
