// SPDX-License-Identifier: BSD-3-Clause
/*
 * The configuration reader against good, wrong and hostile text. The section of support/config_table.h
 * has every type.
 */
#include "common/config.h"

#include "support/config_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <errno.h>

static const struct root zero;

/* Parses text that must be good. */
static void parse_good(const char *text, struct root *root)
{
	struct config_error error;

	if (config_parse("t.yaml", text, strlen(text), &root_section, root, &error) < 0)
		fail_msg("%s", error.text);
	assert_string_equal(error.text, "");
}

/* Parses len octets that must be refused with one sentence; nothing of them may be kept. */
static void parse_bad(const char *text, size_t len, const char *sentence)
{
	struct config_error error;
	struct root root;

	memset(&root, 0xa5, sizeof(root));
	assert_int_equal(config_parse("t.yaml", text, len, &root_section, &root, &error), -EINVAL);
	if (strcmp(error.text, sentence) != 0)
		fail_msg("\ninput:    %s\nexpected: %s\nis:       %s", text, sentence, error.text);
	assert_memory_equal(&root, &zero, sizeof(root));
}

static void every_type_lands_in_its_field(void **state)
{
	static const uint8_t mac[6] = {0x02, 0, 0, 0, 0x06, 0x02};
	const struct server *servers;
	struct in6_addr v6;
	struct root root;

	parse_good("name: \"tep 1\"\nenabled: false\nmode: napt\nv4: 198.51.100.7\n"
		   "v6: 2001:db8::1\nv4_prefix: 198.51.100.0/28\nv6_prefix: 2001:db8::/32\n"
		   "endpoint: \"[2001:db8::53]:3653\"\nmac: \"02:00:00:00:06:02\"\n"
		   "range: 1024-2047\nports: {mtu_v6: 9000, device: eth1}\n"
		   "control:\n  listen: \"[::1]:0\"\n"
		   "servers:\n  - name: a\n    weight: 0\n  - name: b\n"
		   "listen: [\"[::1]:1\", \"[::1]:2\"]\nnames: [x, 'y', \"z\"]\nclients: []\n",
		&root);
	assert_string_equal(root.name, "tep 1");
	assert_false(root.enabled);
	assert_int_equal(root.mode, 0);
	assert_int_equal(root.v4, 0xc6336407);
	assert_int_equal(addr_v6_parse("2001:db8::1", &v6), 0);
	assert_true(addr_v6_equal(&root.v6, &v6));
	assert_int_equal(root.v4_prefix.len, 28);
	assert_int_equal(root.v6_prefix.len, 32);
	assert_int_equal(root.endpoint.port, 3653);
	assert_memory_equal(root.mac, mac, 6);
	assert_int_equal(root.range.first, 1024);
	assert_int_equal(root.range.last, 2047);
	assert_int_equal(root.ports.mtu_v6, 9000);
	assert_string_equal(root.ports.device, "eth1");
	assert_true(root.control_present);
	assert_int_equal(root.control.backlog, 16);
	assert_int_equal(root.servers.n, 2);
	servers = root.servers.items;
	assert_int_equal(servers[0].weight, 0);
	assert_string_equal(servers[1].name, "b");
	assert_int_equal(servers[1].weight, 7);
	assert_int_equal(servers[1].pos.line, 17);
	assert_int_equal(servers[1].pos.column, 5);
	assert_int_equal(root.listen.n, 2);
	assert_int_equal(((struct addr_endpoint *)root.listen.items)[1].port, 2);
	assert_int_equal(root.names.n, 3);
	assert_string_equal(((char **)root.names.items)[2], "z");
	assert_int_equal(root.clients.n, 0);
	assert_true(root.clients_present);
	config_free(&root_section, &root);
	assert_memory_equal(&root, &zero, sizeof(root));
	config_free(&root_section, &root); /* twice is safe */
}

static void defaults_fill_what_the_file_leaves_out(void **state)
{
	struct root root;

	parse_good("name: x\n", &root);
	assert_true(root.enabled);
	assert_int_equal(root.mode, 1);
	assert_int_equal(root.v4, 0xc0000001);
	assert_int_equal(root.ports.mtu_v6, 1500);
	assert_string_equal(root.ports.device, "dstm0");
	assert_int_equal(root.listen.n, 1);
	assert_int_equal(((struct addr_endpoint *)root.listen.items)[0].port, 3653);
	assert_int_equal(root.clients.n, 1);
	assert_false(root.clients_present);
	assert_int_equal(root.servers.n, 0);
	assert_null(root.servers.items);
	config_free(&root_section, &root);
}

/* control.listen is required, but only where control stands in the file. */
static void an_optional_section_keeps_its_defaults_when_absent(void **state)
{
	struct root root;

	parse_good("name: x\n", &root);
	assert_false(root.control_present);
	assert_int_equal(root.control.backlog, 16);
	config_free(&root_section, &root);
	parse_bad("name: x\ncontrol: {backlog: 1}\n", 30,
		"t.yaml:2:10: control.listen: missing: this key is required");
}

static const struct {
	const char *text, *sentence;
} bad_cases[] = {
	/* keys */
	{"naem: x\n", "t.yaml:1:1: unknown key \"naem\"; did you mean \"name\"?"},
	{"name: x\nports:\n  mtu6: 1\n",
		"t.yaml:3:3: ports: unknown key \"mtu6\"; did you mean \"mtu_v6\"?"},
	{"name: x\nzzzzzz: 1\n", "t.yaml:2:1: unknown key \"zzzzzz\""},
	{"name: x\n\"a\\0b\": 1\n", "t.yaml:2:1: unknown key \"a\""},
	{"name: x\n\"\\e[31m\": 1\n", "t.yaml:2:1: unknown key \"?[31m\""},
	{"name: x\n<<: {name: y}\n", "t.yaml:2:1: unknown key \"<<\""},
	{"name: x\n? [a]\n: b\n", "t.yaml:2:3: expected the name of a key"},
	{"name: x\nname: y\n", "t.yaml:2:1: name: this key stands here twice"},
	{"enabled: true\n", "t.yaml:1:1: name: missing: this key is required"},
	{"name: x\nservers:\n  - name: a\n  - weight: 1\n",
		"t.yaml:4:5: servers[1].name: missing: this key is required"},
	/* kinds of node */
	{"", "t.yaml:1:1: the file is empty"},
	{"# nothing\n", "t.yaml:2:1: the file is empty"},
	{"---\n", "t.yaml:2:1: expected a mapping of keys, not an empty value"},
	{"name\n", "t.yaml:1:1: expected a mapping of keys, not a single value"},
	{"[name]\n", "t.yaml:1:1: expected a mapping of keys, not a list"},
	{"name: [x]\n", "t.yaml:1:7: name: expected text, not a list"},
	{"name: {x: y}\n", "t.yaml:1:7: name: expected text, not a mapping of keys"},
	{"name:\n", "t.yaml:1:6: name: has no value, expected text"},
	{"name: ~\n", "t.yaml:1:7: name: has no value, expected text"},
	{"name: x\nports: 1\n",
		"t.yaml:2:8: ports: expected a mapping of keys, not a single value"},
	{"name: x\nports:\n", "t.yaml:2:7: ports: expected a mapping of keys, not an empty value"},
	{"name: x\nservers: {name: a}\n",
		"t.yaml:2:10: servers: expected a list, not a mapping of keys"},
	{"name: x\nservers: [a]\n",
		"t.yaml:2:11: servers[0]: expected a mapping of keys, not a single value"},
	{"name: x\nnames: [[a]]\n", "t.yaml:2:9: names[0]: expected text, not a list"},
	/* numbers and texts */
	{"name: x\nports: {mtu_v6: 70000}\n",
		"t.yaml:2:17: ports.mtu_v6: 70000 is out of range 1280..65535"},
	{"name: x\nports: {mtu_v6: 1279}\n",
		"t.yaml:2:17: ports.mtu_v6: 1279 is out of range 1280..65535"},
	{"name: x\nports: {mtu_v6: 99999999999999999999999}\n",
		"t.yaml:2:17: ports.mtu_v6: 99999999999999999999999 is out of range 1280..65535"},
	{"name: x\nports: {mtu_v6: -1}\n",
		"t.yaml:2:17: ports.mtu_v6: expected a whole number, not \"-1\""},
	{"name: x\nports: {mtu_v6: 1e4}\n",
		"t.yaml:2:17: ports.mtu_v6: expected a whole number, not \"1e4\""},
	{"name: x\nports: {mtu_v6: 02000}\n",
		"t.yaml:2:17: ports.mtu_v6: expected a whole number, not \"02000\""},
	{"name: x\nports: {mtu_v6: \"1500\"}\n",
		"t.yaml:2:17: ports.mtu_v6: expected a whole number, not \"1500\""},
	{"name: x\nenabled: yes\n", "t.yaml:2:10: enabled: expected true or false, not \"yes\""},
	{"name: x\nenabled: \"true\"\n",
		"t.yaml:2:10: enabled: expected true or false, not \"true\""},
	{"name: x\nmode: nat\n", "t.yaml:2:7: mode: \"nat\" is not one of napt, host"},
	{"name: \"a\\0b\"\n", "t.yaml:1:7: name: holds a NUL character"},
	{"name: x\nservers: [{name: \"\"}]\n",
		"t.yaml:2:18: servers[0].name: 0 characters long, expected at least 1"},
	{"name: x\nservers: [{name: secretsecret}]\n",
		"t.yaml:2:18: servers[0].name: 12 characters long, expected at most 8"},
	/* addresses */
	{"name: x\nv4: 1.2.3\n", "t.yaml:2:5: v4: expected an IPv4 address, not \"1.2.3\""},
	{"name: x\nv6: 1.2.3.4\n", "t.yaml:2:5: v6: expected an IPv6 address, not \"1.2.3.4\""},
	{"name: x\nv4_prefix: 198.51.100.1/28\n",
		"t.yaml:2:12: v4_prefix: expected an IPv4 prefix without host bits, "
		"not \"198.51.100.1/28\""},
	{"name: x\nv6_prefix: 2001:db8::1/64\n",
		"t.yaml:2:12: v6_prefix: expected an IPv6 prefix without host bits, "
		"not \"2001:db8::1/64\""},
	{"name: x\nendpoint: \"[::1]:65536\"\n",
		"t.yaml:2:11: endpoint: expected \"[IPv6 address]:port\", not \"[::1]:65536\""},
	{"name: x\nmac: 02:00\n", "t.yaml:2:6: mac: expected a MAC address, not \"02:00\""},
	{"name: x\nrange: 9-8\n",
		"t.yaml:2:8: range: expected a port range (first-last), not \"9-8\""},
	/* lists */
	{"name: x\nlisten: []\n", "t.yaml:2:9: listen: 0 items, expected at least 1"},
	{"name: x\nlisten: [\"[::]:1\", \"[::]:2\", \"[::]:3\"]\n",
		"t.yaml:2:30: listen: more than 2 items"},
	{"name: x\nnames: [a, ~]\n", "t.yaml:2:12: names[1]: has no value, expected text"},
	/* YAML that hides what it means, and what is not YAML */
	{"name: &a x\n", "t.yaml:1:7: name: anchors and aliases are not allowed"},
	{"name: x\nnames: [*a]\n", "t.yaml:2:9: names: anchors and aliases are not allowed"},
	{"name: !!str x\n", "t.yaml:1:7: name: tags are not allowed"},
	{"name: ! x\n", "t.yaml:1:7: name: tags are not allowed"},
	{"name: x\nports: !p {}\n", "t.yaml:2:8: ports: tags are not allowed"},
	{"name: x\nnames: &a []\n", "t.yaml:2:8: names: anchors and aliases are not allowed"},
	{"&root name: x\n", "t.yaml:1:1: anchors and aliases are not allowed"},
	{"name: x\n---\nname: y\n", "t.yaml:2:1: a second document begins here; one is allowed"},
	{"name: [x\n", "t.yaml:1:7: name: expected text, not a list"},
	{"names: [x\n", "t.yaml:2:1: not valid YAML: did not find expected ',' or ']'"},
	{"name: 'x\n", "t.yaml:2:1: not valid YAML: found unexpected end of stream"},
	{"name: x\n\tports: 1\n",
		"t.yaml:2:1: not valid YAML: found a tab character that violates indentation"},
	{"name: x\n# caf\xc3\xa9: \xff\n",
		"t.yaml:2:9: not UTF-8 text: invalid leading UTF-8 octet"},
	{"\xff\xfen\x00", "t.yaml:1:1: not UTF-8 text: invalid leading UTF-8 octet"},
	{"name: \x01\n", "t.yaml:1:7: not UTF-8 text: control characters are not allowed"},
};

static void each_fault_is_one_sentence_and_nothing_is_kept(void **state)
{
	for (size_t i = 0; i < sizeof(bad_cases) / sizeof(bad_cases[0]); i++)
		parse_bad(bad_cases[i].text, strlen(bad_cases[i].text), bad_cases[i].sentence);
}

/* Every prefix of a good file ends in an error or in a good parse, never in a leak (ASan). */
static void a_file_cut_anywhere_is_read_or_refused(void **state)
{
	static const char text[] = "name: x\nservers:\n  - {name: a, weight: 1}\n  - name: b\n"
				   "names: [p, 'q', \"r\"]\ncontrol: {listen: \"[::1]:1\"}\n";
	struct config_error error;
	struct root root;

	for (size_t len = 0; len < sizeof(text); len++) {
		if (config_parse("t.yaml", text, len, &root_section, &root, &error) == 0)
			config_free(&root_section, &root);
		else
			assert_string_not_equal(error.text, "");
	}
}

/* A table that leads into itself, as a hand-made one might. */
struct tree {
	struct config_list children;
};

extern const struct config_section tree_section;

static const struct config_key tree_keys[] = {
	{CONFIG_LIST, offsetof(struct tree, children), "c", .section = &tree_section},
	{CONFIG_END},
};

const struct config_section tree_section = {tree_keys, sizeof(struct tree)};

static void nesting_is_bounded(void **state)
{
	struct config_error error;
	struct tree tree;
	char text[4096];
	size_t n = 0;

	for (int i = 0; i < 200; i++)
		n += snprintf(text + n, sizeof(text) - n, "{c: [");
	assert_int_equal(config_parse("t.yaml", text, n, &tree_section, &tree, &error), -EINVAL);
	assert_non_null(strstr(error.text, "more than 16 levels deep"));
	assert_null(tree.children.items);

	memset(text, '[', sizeof(text));
	parse_bad(text, sizeof(text) - 1, "t.yaml:1:1: expected a mapping of keys, not a list");
}

static void a_list_may_be_long(void **state)
{
	enum {
		COUNT = 100000
	};
	size_t size = COUNT * 8 + 64, n;
	char *text = malloc(size);
	struct root root;

	assert_non_null(text);
	n = snprintf(text, size, "name: x\nnames:\n");
	for (int i = 0; i < COUNT; i++)
		n += snprintf(text + n, size - n, "- %d\n", i);
	parse_good(text, &root);
	assert_int_equal(root.names.n, COUNT);
	assert_string_equal(((char **)root.names.items)[COUNT - 1], "99999");
	config_free(&root_section, &root);
	free(text);
}

/* A list of sections that takes bare values, too: each is the first key, the rest is by default. */
static void an_item_may_be_its_first_key_alone(void **state)
{
	static const struct config_key keys[] = {
		{CONFIG_LIST, 0, "servers", .section = &server_section, .item = CONFIG_STRING},
		{CONFIG_END},
	};
	static const struct config_section section = {keys, sizeof(struct config_list)};
	static const char good[] = "servers: [one, {name: two, weight: 3}, {name: three}]";
	static const char bad[] = "servers: [one, [two]]", none[] = "servers: [\"\", {weight: 3}]";
	struct config_error error;
	struct config_list list;
	const struct server *servers;

	assert_int_equal(config_parse("f", good, strlen(good), &section, &list, &error), 0);
	servers = list.items;
	assert_int_equal(list.n, 3);
	assert_string_equal(servers[0].name, "one");
	assert_int_equal(servers[0].weight, 7);
	assert_int_equal(servers[0].pos.column, 11);
	assert_string_equal(servers[1].name, "two");
	assert_int_equal(servers[1].weight, 3);
	assert_string_equal(servers[2].name, "three");
	config_free(&section, &list);
	assert_int_equal(config_parse("f", bad, strlen(bad), &section, &list, &error), -EINVAL);
	assert_string_equal(
		error.text, "f:1:16: servers[1]: expected a mapping of keys, not a list");
	assert_int_equal(config_parse("f", none, strlen(none), &section, &list, &error), -EINVAL);
}

static void a_long_value_is_cut_in_the_message(void **state)
{
	struct config_error error;
	struct root root;
	char text[2048];
	int n = snprintf(text, sizeof(text), "name: x\nv4: ");

	memset(text + n, 'a', 1000);
	assert_int_equal(
		config_parse("t.yaml", text, n + 1000, &root_section, &root, &error), -EINVAL);
	assert_true(strlen(error.text) < 150);
	assert_non_null(strstr(error.text, "aaa...\""));

	memset(text, 'n', 1500); /* a file name longer than the error */
	text[1500] = '\0';
	assert_int_equal(config_parse(text, "", 0, &root_section, &root, &error), -EINVAL);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
}

static void load_reads_a_file_and_names_what_it_cannot_read(void **state)
{
	char path[] = "/tmp/dstm-config-XXXXXX", expected[128];
	struct config_error error;
	struct root root;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "name: x\n", 8), 8);
	assert_int_equal(config_load(path, &root_section, &root, &error), 0);
	assert_string_equal(root.name, "x");
	config_free(&root_section, &root);

	assert_int_equal(ftruncate(fd, (64 << 20) + 1), 0);
	assert_int_equal(config_load(path, &root_section, &root, &error), -EINVAL);
	snprintf(expected, sizeof(expected), "%s: larger than 64 MiB", path);
	assert_string_equal(error.text, expected);
	close(fd);
	unlink(path);

	assert_int_equal(config_load(path, &root_section, &root, &error), -ENOENT);
	snprintf(expected, sizeof(expected), "%s: cannot read: No such file or directory", path);
	assert_string_equal(error.text, expected);
	assert_int_equal(config_load("/", &root_section, &root, &error), -EISDIR);
	assert_memory_equal(&root, &zero, sizeof(root));
}

static void fail_says_where(void **state)
{
	struct config_error error;

	assert_int_equal(
		config_fail(&error, "t.yaml", (struct config_pos){3, 5}, "%d ports", 7), -EINVAL);
	assert_string_equal(error.text, "t.yaml:3:5: 7 ports");
	config_fail(&error, "t.yaml", (struct config_pos){}, "two ports");
	assert_string_equal(error.text, "t.yaml: two ports");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_lands_in_its_field),
		cmocka_unit_test(defaults_fill_what_the_file_leaves_out),
		cmocka_unit_test(an_optional_section_keeps_its_defaults_when_absent),
		cmocka_unit_test(each_fault_is_one_sentence_and_nothing_is_kept),
		cmocka_unit_test(a_file_cut_anywhere_is_read_or_refused),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(a_list_may_be_long),
		cmocka_unit_test(an_item_may_be_its_first_key_alone),
		cmocka_unit_test(a_long_value_is_cut_in_the_message),
		cmocka_unit_test(load_reads_a_file_and_names_what_it_cannot_read),
		cmocka_unit_test(fail_says_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
