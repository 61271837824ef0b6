// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_secret.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const struct dhcp6_duid duid = {10, {0, 3, 0, 1, 2, 0, 0, 0, 0, 1}};

/* A folder of its own, which the test leaves empty. */
struct place {
	char folder[64];
	char file[96];
};

static struct place enter(void)
{
	struct place place = {.folder = "/tmp/dhcp6_secret_XXXXXX"};

	assert_non_null(mkdtemp(place.folder));
	snprintf(place.file, sizeof(place.file), "%s/secret", place.folder);
	return place;
}

static void leave(const struct place *place)
{
	unlink(place->file);
	assert_int_equal(rmdir(place->folder), 0); /* no draft is left */
}

static void fill(const struct place *place, const char *text, mode_t mode)
{
	FILE *file = fopen(place->file, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(place->file, mode), 0);
}

static void a_secret_is_made_once_and_for_its_owner_alone(void **state)
{
	struct srv_dhcp6_secret made = {}, again = {}, another = {};
	struct place place = enter(), elsewhere = enter();
	mode_t mask = umask(0);
	struct stat st;

	assert_int_equal(srv_dhcp6_secret_open(place.file, &made), 0);
	umask(mask);
	assert_int_equal(stat(place.file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 65);
	assert_int_equal(srv_dhcp6_secret_open(place.file, &again), 0);
	assert_memory_equal(&made, &again, sizeof(made));
	assert_int_equal(srv_dhcp6_secret_open(elsewhere.file, &another), 0);
	assert_memory_not_equal(&made, &another, sizeof(made));
	leave(&place);
	leave(&elsewhere);
}

/* One who died while it was being made leaves a draft, which is nobody's secret. */
static void a_draft_is_no_secret(void **state)
{
	struct place place = enter();
	struct srv_dhcp6_secret secret = {}, zero = {};
	char draft[128];
	FILE *file;

	snprintf(draft, sizeof(draft), "%s.new", place.file);
	file = fopen(draft, "w");
	assert_non_null(file);
	fputs("0000", file);
	fclose(file);
	assert_int_equal(srv_dhcp6_secret_open(place.file, &secret), 0);
	assert_memory_not_equal(&secret, &zero, sizeof(secret));
	leave(&place);
}

#define DIGITS "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static void what_is_no_secret_is_refused_and_left_alone(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		int ret;
	} cases[] = {
		{DIGITS, 0600, 0},
		{DIGITS "\n", 0400, 0},
		{DIGITS, 0640, -EPERM},
		{DIGITS, 0604, -EPERM},
		{DIGITS, 0601, -EPERM},
		{"", 0600, -EINVAL},
		{"00", 0600, -EINVAL},
		{DIGITS "0", 0600, -EINVAL},
		{DIGITS "\n\n", 0600, -EINVAL},
		{DIGITS DIGITS, 0600, -EINVAL},
		{"g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", 0600, -EINVAL},
		{" 0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", 0600, -EINVAL},
		{"0x112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", 0600, -EINVAL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct place place = enter();
		struct srv_dhcp6_secret secret = {};

		fill(&place, cases[i].text, cases[i].mode);
		assert_int_equal(srv_dhcp6_secret_open(place.file, &secret), cases[i].ret);
		assert_int_equal(secret.octets[1], cases[i].ret == 0 ? 0x11 : 0);
		assert_int_equal(secret.octets[31], cases[i].ret == 0 ? 0xff : 0);
		leave(&place);
	}
}

static void a_secret_is_a_file(void **state)
{
	struct place place = enter();
	struct srv_dhcp6_secret secret;

	assert_int_equal(srv_dhcp6_secret_open(place.folder, &secret), -EINVAL);
	assert_int_equal(srv_dhcp6_secret_open("/nowhere/at/all", &secret), -ENOENT);
	assert_int_equal(mkfifo(place.file, 0600), 0);
	assert_int_equal(srv_dhcp6_secret_open(place.file, &secret), -EINVAL);
	leave(&place);
}

static void it_stands_beside_the_store(void **state)
{
	char *given = srv_dhcp6_secret_path("/etc/dstm/key", "/var/lib/dstm/leases.db");
	char *beside = srv_dhcp6_secret_path(NULL, "/var/lib/dstm/leases.db");

	assert_string_equal(given, "/etc/dstm/key");
	assert_string_equal(beside, "/var/lib/dstm/dhcpv6.secret");
	free(given);
	free(beside);
}

/* RFC 8415 section 20.4: the same for the client after a restart, and no other client's. */
static void a_key_is_of_one_duid_at_one_tunnel_end(void **state)
{
	const struct srv_dhcp6_secret secret = {{1}}, other_secret = {{2}};
	const struct in6_addr end = {{{0x20, 0x01, [15] = 1}}},
			      other_end = {{{0x20, 0x01, [15] = 2}}};
	struct dhcp6_duid other_duid = duid, short_duid = duid;
	uint8_t keys[6][DHCP6_AUTH_KEY_LEN];

	other_duid.octets[9]++;
	short_duid.len--;
	srv_dhcp6_secret_key(&secret, &duid, &end, keys[0]);
	srv_dhcp6_secret_key(&secret, &duid, &other_end, keys[1]);
	srv_dhcp6_secret_key(&secret, &other_duid, &end, keys[2]);
	srv_dhcp6_secret_key(&secret, &short_duid, &end, keys[3]);
	srv_dhcp6_secret_key(&other_secret, &duid, &end, keys[4]);
	srv_dhcp6_secret_key(&secret, &duid, &end, keys[5]);
	assert_memory_equal(keys[0], keys[5], DHCP6_AUTH_KEY_LEN);
	for (int i = 0; i < 5; i++) {
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(keys[i], keys[j], DHCP6_AUTH_KEY_LEN);
	}
}

/* By Python's hmac: the order of what goes in is what keys that clients have hang on. */
static void keys_stay_what_they_are(void **state)
{
	static const uint8_t key[] = {0xf3, 0x2c, 0x78, 0xf9, 0x71, 0x36, 0xec, 0xda, 0x80, 0x36,
		0x09, 0xc0, 0x1d, 0xf1, 0x4e, 0x27};
	const struct srv_dhcp6_secret secret = {{1, 2, 3}};
	const struct in6_addr end = {{{0x20, 0x01, 0x0d, 0xb8, [15] = 1}}};
	uint8_t derived[DHCP6_AUTH_KEY_LEN];

	srv_dhcp6_secret_key(&secret, &duid, &end, derived);
	assert_memory_equal(derived, key, sizeof(key));
	assert_int_not_equal(srv_dhcp6_secret_interface_id(&secret, &duid, 1),
		srv_dhcp6_secret_interface_id(&secret, &duid, 2));
	assert_int_equal(srv_dhcp6_secret_interface_id(&secret, &duid, 1),
		srv_dhcp6_secret_interface_id(&secret, &duid, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_is_made_once_and_for_its_owner_alone),
		cmocka_unit_test(a_draft_is_no_secret),
		cmocka_unit_test(what_is_no_secret_is_refused_and_left_alone),
		cmocka_unit_test(a_secret_is_a_file),
		cmocka_unit_test(it_stands_beside_the_store),
		cmocka_unit_test(a_key_is_of_one_duid_at_one_tunnel_end),
		cmocka_unit_test(keys_stay_what_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
