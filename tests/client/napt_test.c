// SPDX-License-Identifier: BSD-3-Clause
/*
 * The nftables rules of a lease, word for word.
 */
#include "client/napt.h"

#include "client/nft.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                      \
	"add table ip dstm_dstm0\nflush table ip dstm_dstm0\n"                    \
	"add chain ip dstm_dstm0 hold_out\ndelete chain ip dstm_dstm0 hold_out\n" \
	"add chain ip dstm_dstm0 hold_forward\n"                                  \
	"delete chain ip dstm_dstm0 hold_forward\ntable ip dstm_dstm0 {\n"
#define SPREAD(rules) "\tchain spread {\n" rules "\t}\n"
#define SOURCES               \
	"\tchain sources {\n" \
	"\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
#define SET(name)                                                                  \
	"\tset ports_" name " {\n\t\ttype ipv4_addr . inet_proto . inet_service; " \
	"size 65535; flags dynamic;\n\t}\n"
#define TAKE(set, count, range)                                                                  \
	"\t\tmeta l4proto { tcp, udp } add @ports_" set                                          \
	" { ip daddr . meta l4proto . th dport ct count " count " } snat to 198.51.100.7:" range \
	"\n"
/* clang-format off */
#define ONE(name, first, count, last, range) \
	SET(name) \
	"\tchain last {\n" \
	"\t\tmeta l4proto { tcp, udp } snat to jhash ip saddr . th sport mod " count \
	" seed 0x6473746d map { 0-" last " : 198.51.100.7 . " range " }\n" \
	"\t\tmeta l4proto icmp snat to jhash ip saddr . @th,32,16 mod " count \
	" seed 0x6473746d map { 0-" last " : 198.51.100.7 . " range " }\n\t}\n" \
	"\tchain any {\n" TAKE(name, count, range) "\t\tgoto last\n\t}\n" \
	"\tchain from_" first " {\n" TAKE(name, count, range) "\t\tgoto any\n\t}\n" \
	SPREAD("\t\tmeta l4proto { tcp, udp } jhash ip saddr . th sport mod " count \
	       " seed 0x6473746d vmap { 0-" last " : goto from_" first " }\n\t\tgoto last\n")
/* clang-format on */
#define BLOCK ONE("2048_3071", "2048", "1024", "1023", "2048-3071")
#define FORWARDS                    \
	"\t}\n\tchain forwards {\n" \
	"\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
#define STRANGERS                                                                \
	"\t}\n\tchain strangers {\n"                                             \
	"\t\ttype filter hook prerouting priority dstnat + 10; policy accept;\n" \
	"\t\tiifname \"dstm0\" ip daddr 198.51.100.7 counter drop\n\t}\n"
#define OUT "\t\toifname \"dstm0\" "
#define IN  "\t\tiifname \"dstm0\" "

static const struct cl_forward forwards[] = {
	{.protocol = CL_PROTOCOL_TCP, .port = 2050, .to_port = 22},
	{.protocol = CL_PROTOCOL_UDP, .to_v4 = 0xc0a80705, .to_port = 53},
	{.protocol = CL_PROTOCOL_TCP, .port = 80, .to_port = 80},
};

static const struct cl_napt napt = {
	.device = "dstm0", .mode = CL_MODE_NAPT, .inner_v4 = 0xc0000002};
static const struct cl_napt forwarding = {.device = "dstm0",
	.mode = CL_MODE_NAPT,
	.inner_v4 = 0xc0000002,
	.forwards = forwards,
	.n_forwards = 3};
static const struct cl_napt host = {
	.device = "dstm0", .mode = CL_MODE_HOST, .inner_v4 = 0xc0000002};
static const struct cl_napt host_on_demand = {
	.device = "dstm0", .mode = CL_MODE_HOST, .inner_v4 = 0xc0000002, .has_before = true};

/* clang-format off */
/* Two ranges, one of them of two that adjoin: by weight, and a full one passes a flow on. */
static const char two_ranges[] = HEAD SET("2048_3071") SET(
	"5000_5000") "\tchain last {\n\t\tmeta l4proto { tcp, udp } snat to jhash ip saddr . th "
		     "sport "
		     "mod 1025 seed 0x6473746d map { 0-1023 : 198.51.100.7 . 2048-3071, "
		     "1024-1024 : 198.51.100.7 . 5000-5000 }\n"
		     "\t\tmeta l4proto icmp snat to jhash ip saddr . @th,32,16 "
		     "mod 1025 seed 0x6473746d map { 0-1023 : 198.51.100.7 . 2048-3071, "
		     "1024-1024 : 198.51.100.7 . 5000-5000 }\n\t}\n"
		     "\tchain any {\n" TAKE("2048_3071", "1024", "2048-3071") TAKE("5000_5000", "1",
			     "5000-5000") "\t\tgoto last\n\t}\n"
					  "\tchain from_2048 {\n" TAKE("2048_3071", "1024",
						  "2048-3071") "\t\tgoto any\n\t}\n"
							       "\tchain from_5000 {\n" TAKE(
								       "5000_5000", "1",
								       "5000-5000") "\t\tgoto "
										    "any\n\t}\n"
										    "\tchain "
										    "spread "
										    "{\n\t\tmeta "
										    "l4proto { "
										    "tcp, udp } "
										    "jhash ip "
										    "saddr . th "
										    "sport "
										    "mod 1025 seed "
										    "0x6473746d "
										    "vmap { 0-1023 "
										    ": goto "
										    "from_2048, "
										    "1024-1024 : "
										    "goto "
										    "from_5000 }\n"
										    "\t\tgoto "
										    "last\n\t}"
										    "\n" SOURCES OUT
										    "goto "
										    "spread"
										    "\n" FORWARDS
											    STRANGERS;

static const char one_range[] = HEAD BLOCK SOURCES OUT "goto spread\n" FORWARDS STRANGERS;

/* Port 0 is never a source. */
static const char low_ports[] = HEAD ONE("1_1023", "1", "1023", "1022", "1-1023") SOURCES OUT
	"goto spread\n" FORWARDS STRANGERS;

static const char whole_address[] = HEAD SPREAD("\t\tsnat to 198.51.100.7\n") SOURCES OUT
	"goto spread\n" FORWARDS STRANGERS;

/* The port of a forward is nobody's source but its target's; port 80 is not the lease's. */
static const char with_forwards[] = HEAD ONE("2051_3071", "2051", "1021", "1020", "2051-3071")
	SOURCES OUT "ip saddr 192.0.0.2 tcp sport 22 snat to 198.51.100.7:2050\n" OUT
		    "ip saddr 192.168.7.5 udp sport 53 snat to 198.51.100.7:2048\n" OUT
		    "goto spread\n" FORWARDS IN
		    "ip daddr 198.51.100.7 tcp dport 2050 dnat to 192.0.0.2:22\n" IN
		    "ip daddr 198.51.100.7 udp dport 2048 dnat to 192.168.7.5:53\n" STRANGERS;

static const char mode_host[] = HEAD BLOCK SOURCES OUT
	"icmp type echo-request goto spread\n" FORWARDS "\t}\n}\n";

/* R14: sockets from before the lease. */
static const char mode_host_on_demand[] = HEAD BLOCK SOURCES OUT
	"ip saddr 192.0.0.2 goto spread\n" OUT
	"meta l4proto { tcp, udp } th sport != { 2048-3071 } goto spread\n" OUT
	"icmp type echo-request goto spread\n" FORWARDS "\t}\n}\n";

static const char mode_host_on_demand_whole[] = HEAD SPREAD("\t\tsnat to 198.51.100.7\n")
	SOURCES OUT "ip saddr 192.0.0.2 goto spread\n" FORWARDS "\t}\n}\n";

static const char mode_host_whole[] = HEAD SPREAD("\t\tsnat to 198.51.100.7\n") SOURCES FORWARDS
	"\t}\n}\n";
/* clang-format on */

/* The rules of the chains that depend on the lease; the others are the same in each mode napt. */
static void rules_are_those_of_the_lease(void **state)
{
	static const struct {
		const struct cl_napt *napt;
		const char *rules;
		uint32_t n_ranges;
		struct port_range ranges[3];
	} cases[] = {
		{&napt, one_range, 1, {{2048, 3071}}},
		{&napt, two_ranges, 3, {{5000, 5000}, {2048, 2303}, {2304, 3071}}},
		{&napt, low_ports, 1, {{0, 1023}}},
		{&napt, whole_address, 1, {{0, 65535}}},
		{&forwarding, with_forwards, 1, {{2048, 3071}}},
		{&host, mode_host, 1, {{2048, 3071}}},
		{&host, mode_host_whole, 1, {{0, 65535}}},
		{&host_on_demand, mode_host_on_demand, 1, {{2048, 3071}}},
		{&host_on_demand, mode_host_on_demand_whole, 1, {{0, 65535}}},
	};
	char text[CL_NFT_TEXT_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lease lease = {.v4 = 0xc6336407, .n_ranges = cases[i].n_ranges};
		int len;

		memcpy(lease.ranges, cases[i].ranges, sizeof(cases[i].ranges));
		len = cl_napt_ruleset(cases[i].napt, &lease, text, sizeof(text));
		assert_int_equal(len, strlen(text));
		text[strnlen(cases[i].rules, sizeof(text) - 1)] = '\0';
		assert_string_equal(text, cases[i].rules);
	}
}

/* R12: untracked, so that what waits can be translated when it goes. */
static void rules_before_a_lease_only_keep_packets_untracked(void **state)
{
	char text[CL_NFT_TEXT_MAX];

	assert_true(cl_napt_ruleset(&napt, NULL, text, sizeof(text)) > 0);
	assert_string_equal(text,
		"add table ip dstm_dstm0\nflush table ip dstm_dstm0\ntable ip dstm_dstm0 {\n"
		"\tchain hold_out {\n\t\ttype filter hook output priority raw; policy accept;\n"
		"\t\toifname \"dstm0\" notrack\n\t}\n"
		"\tchain hold_forward {\n"
		"\t\ttype filter hook prerouting priority raw; policy accept;\n"
		"\t\tiifname != \"dstm0\" fib daddr oifname \"dstm0\" notrack\n\t}\n}\n");
}

/* S19: time-outs, and nothing of them in mode host. */
static void flows_of_a_napt_get_its_time_outs(void **state)
{
	static const struct lease lease = {
		.v4 = 0xc6336407, .n_ranges = 1, .ranges = {{2048, 3071}}};
	char text[CL_NFT_TEXT_MAX];

	cl_napt_ruleset(&napt, &lease, text, sizeof(text));
	assert_non_null(strstr(text, "\t\tmeta l4proto tcp ct timeout set \"tcp_times\"\n"));
	assert_non_null(strstr(text, "\t\tmeta l4proto udp ct timeout set \"udp_times\"\n"));
	assert_non_null(strstr(text, "\t\tmeta l4proto icmp ct timeout set \"icmp_times\"\n"));
	assert_non_null(strstr(text, IN "ct state new jump times\n"));
	assert_non_null(strstr(text, OUT "ct state new jump times\n"));
	assert_non_null(
		strstr(text, IN "tcp flags syn / syn,rst tcp option maxseg size set rt mtu"));
	cl_napt_ruleset(&host, &lease, text, sizeof(text));
	assert_null(strstr(text, "timeout"));
	assert_null(strstr(text, "maxseg"));
}

/* The longest there can be fits; every shorter buffer is an error and is not overrun. */
static void short_buffer_is_an_error(void **state)
{
	struct cl_forward many[CL_FORWARDS_MAX] = {0};
	struct cl_napt longest = {.device = "dstm-0.long_one",
		.mode = CL_MODE_NAPT,
		.inner_v4 = 0xffffffff,
		.forwards = many,
		.n_forwards = CL_FORWARDS_MAX};
	struct lease lease = {.v4 = 0xc6336407, .n_ranges = LEASE_RANGES_MAX};
	char text[CL_NFT_TEXT_MAX], fits[CL_NFT_TEXT_MAX];
	int len;

	for (uint16_t i = 0; i < LEASE_RANGES_MAX; i++)
		lease.ranges[i] = (struct port_range){60000 + i * 100, 60090 + i * 100};
	for (uint16_t i = 0; i < CL_FORWARDS_MAX; i++)
		many[i] = (struct cl_forward){
			.port = 60002 + i * 2 + i / 4 * 92, .to_v4 = 0xffffffff, .to_port = 65535};
	len = cl_napt_ruleset(&longest, &lease, fits, sizeof(fits));
	assert_in_range(len, 4096, sizeof(fits) - 1);
	for (int size = 0; size <= len; size++) {
		text[size] = '#';
		assert_int_equal(cl_napt_ruleset(&longest, &lease, text, size), -ENOSPC);
		assert_int_equal(text[size], '#');
	}
	assert_int_equal(cl_napt_ruleset(&longest, &lease, text, len + 1), len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_those_of_the_lease),
		cmocka_unit_test(rules_before_a_lease_only_keep_packets_untracked),
		cmocka_unit_test(flows_of_a_napt_get_its_time_outs),
		cmocka_unit_test(short_buffer_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
