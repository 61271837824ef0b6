// SPDX-License-Identifier: BSD-3-Clause
/* DHCPv6 messages, against octets that were written by hand. */
#include "dhcp6/dhcp6_msg.h"

#include "common/addr.h"

#include "messages.h"
#include "octets.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct dhcp6_codes codes = DHCP6_CODES_DEFAULT;

static struct dhcp6_msg msg;

static int read_hex(const char *hex)
{
	struct octets octets = octets_of(hex);

	return dhcp6_msg_read(octets.data, octets.len, &codes, &msg);
}

static void assert_written(const char *hex)
{
	uint8_t buf[DHCP6_SEND_MAX];
	int len = dhcp6_msg_write(&msg, &codes, buf, sizeof(buf));

	assert_true(len > 0);
	octets_assert_equal(buf, (size_t)len, hex);
}

static void assert_v6(const struct in6_addr *addr, const char *text)
{
	char buf[ADDR_V6_STRLEN];

	assert_string_equal(addr_v6_format(addr, buf), text);
}

static void a_solicit_asks_for_a_lease(void **state)
{
	assert_int_equal(read_hex(SOLICIT), 0);
	assert_int_equal(msg.type, DHCP6_SOLICIT);
	assert_int_equal(msg.xid, 0xa1b2c3);
	assert_int_equal(msg.client_id.len, 10);
	assert_int_equal(msg.server_id.len, 0);
	assert_true(msg.has_elapsed && msg.elapsed_cs == 100);
	assert_true(msg.has_rapid_commit);
	assert_true(msg.has_reconf_accept);
	assert_int_equal(msg.n_oro, 3);
	assert_true(dhcp6_msg_asks(&msg, DHCP6_OPTION_S46_CONT_LW));
	assert_true(dhcp6_msg_asks(&msg, codes.tep));
	assert_false(dhcp6_msg_asks(&msg, codes.address));
	assert_int_equal(msg.n_ia_dstm, 1);
	assert_int_equal(msg.ia_dstm[0].iaid, 1);
	assert_int_equal(msg.ia_dstm[0].n_addrs, 0);
	/* R70: a Solicit comes from a link-local address, and names a global one. */
	assert_true(msg.ia_dstm[0].dstm.has_client);
	assert_v6(&msg.ia_dstm[0].dstm.client, "2001:db8:1::17");
	assert_int_equal(dhcp6_msg_check(&msg), 0);
	assert_written(SOLICIT);
}

static void assert_times(const struct dhcp6_ia *ia)
{
	assert_int_equal(ia->iaid, 1);
	assert_int_equal(ia->t1_s, 1800);
	assert_int_equal(ia->t2_s, 2880);
	assert_int_equal(ia->n_addrs, 1);
	assert_int_equal(ia->addrs[0].preferred_s, 2880);
	assert_int_equal(ia->addrs[0].valid_s, 3600);
	assert_v6(&ia->addrs[0].addr, "::ffff:198.51.100.7");
}

static void assert_tep_and_range(const struct dhcp6_dstm *dstm)
{
	assert_int_equal(dstm->n_teps, 1);
	assert_v6(&dstm->teps[0], "2001:db8:0:64::1");
	assert_int_equal(dstm->n_ranges, 1);
	assert_int_equal(dstm->ranges[0].first, 1024);
	assert_int_equal(dstm->ranges[0].last, 2047);
}

/* R43, R46: an IPv4-mapped address, its timers and lifetimes, its range and its TEP. */
static void a_reply_gives_a_lease(void **state)
{
	uint32_t v4;

	assert_int_equal(read_hex(REPLY), 0);
	assert_int_equal(dhcp6_msg_check(&msg), 0);
	assert_int_equal(msg.n_ia_dstm, 1);
	assert_times(&msg.ia_dstm[0]);
	assert_tep_and_range(&msg.ia_dstm[0].dstm);
	assert_true(dhcp6_v4_of(&msg.ia_dstm[0].addrs[0].addr, &v4));
	assert_int_equal(v4, 0xc6336407);
	assert_written(REPLY);
}

static void several_ranges_stand_in_the_address(void **state)
{
	const struct dhcp6_addr *addr = &msg.ia_dstm[0].addrs[0];

	assert_int_equal(read_hex(REPLY_RANGES), 0);
	assert_int_equal(msg.ia_dstm[0].dstm.n_ranges, 0);
	assert_int_equal(addr->n_ranges, 2);
	assert_true(port_range_equal(addr->ranges[0], (struct port_range){1024, 2047}));
	assert_true(port_range_equal(addr->ranges[1], (struct port_range){4096, 5119}));
	assert_written(REPLY_RANGES);
}

static void single_options_give_a_lease_without_an_ia(void **state)
{
	assert_int_equal(read_hex(REPLY_SINGLE), 0);
	assert_int_equal(msg.n_ia_dstm, 0);
	assert_true(msg.has_info_refresh && msg.info_refresh_s == 1800);
	assert_true(msg.dstm.has_v4 && msg.dstm.v4 == 0xc6336407);
	assert_tep_and_range(&msg.dstm);
	assert_written(REPLY_SINGLE);
}

static void a_vendor_option_carries_the_same(void **state)
{
	struct dhcp6_codes others = codes;
	struct octets octets = octets_of(REPLY_VENDOR);

	assert_int_equal(read_hex(REPLY_VENDOR), 0);
	assert_true(msg.vendor.present && msg.vendor.has_ia);
	assert_times(&msg.vendor.ia);
	assert_tep_and_range(&msg.vendor.ia.dstm);
	assert_true(msg.vendor.dstm.has_v4 && msg.vendor.dstm.v4 == 0xc6336407);
	assert_tep_and_range(&msg.vendor.dstm);
	assert_int_equal(msg.n_ia_dstm, 0);
	assert_false(msg.dstm.has_v4);
	assert_written(REPLY_VENDOR);
	/* Under another number it is another's. */
	others.vendor = 32474;
	assert_int_equal(dhcp6_msg_read(octets.data, octets.len, &others, &msg), 0);
	assert_false(msg.vendor.present);
}

/* S17: the PSID triplet of RFC 7598. */
static void a_softwire_container_gives_the_same_lease(void **state)
{
	assert_int_equal(read_hex(REPLY_SOFTWIRE), 0);
	assert_true(msg.s46.present && msg.s46.has_bind && msg.s46.has_psid);
	assert_int_equal(msg.s46.n_brs, 1);
	assert_v6(&msg.s46.brs[0], "2001:db8:0:64::1");
	assert_int_equal(msg.s46.v4, 0xc6336407);
	assert_int_equal(msg.s46.prefix_len, 128);
	assert_v6(&msg.s46.client_v6, "2001:db8:1::17");
	assert_int_equal(msg.s46.psid.offset, 0);
	assert_int_equal(msg.s46.psid.len, 6);
	assert_int_equal(msg.s46.psid.psid, 1);
	assert_written(REPLY_SOFTWIRE);
}

static void refusals_say_what_was_refused(void **state)
{
	const struct dhcp6_ia *ia = &msg.ia_dstm[0];

	assert_int_equal(read_hex(REPLY_REFUSED), 0);
	assert_true(msg.ia_na[0].status.present);
	assert_int_equal(msg.ia_na[0].status.code, DHCP6_STATUS_NO_ADDRS_AVAIL);
	assert_int_equal(msg.n_ia_pd, 1);
	assert_int_equal(msg.ia_pd[0].iaid, 4);
	assert_int_equal(msg.ia_pd[0].status.code, DHCP6_STATUS_NO_PREFIX_AVAIL);
	assert_true(ia->status.present && ia->status.code == DHCP6_STATUS_UNSPEC_FAIL);
	assert_string_equal(ia->status.text, "no");
	assert_true(ia->addrs[0].has_status);
	assert_int_equal(ia->addrs[0].status, DHCP6_STATUS_NO_BINDING);
	assert_false(msg.status.present);
	assert_written(REPLY_REFUSED);
}

/* R36, R40: a Reconfigure names the IA in its option request. */
static void a_reconfigure_asks_to_renew(void **state)
{
	assert_int_equal(read_hex(RECONFIGURE), 0);
	assert_int_equal(dhcp6_msg_check(&msg), 0);
	assert_int_equal(msg.reconf_type, DHCP6_RENEW);
	assert_true(dhcp6_msg_asks(&msg, codes.ia));
	assert_true(msg.auth.present);
	assert_int_equal(msg.auth.protocol, 3);
	assert_int_equal(msg.auth.algorithm, 1);
	assert_int_equal(msg.auth.rdm, 0);
	assert_int_equal(msg.auth.replay, 7);
	assert_int_equal(msg.auth.info_len, 17);
	assert_int_equal(msg.auth.info[0], 2);
	assert_written(RECONFIGURE);
}

static void an_advertise_has_the_rest(void **state)
{
	assert_int_equal(read_hex(ADVERTISE), 0);
	assert_true(msg.has_preference && msg.preference == 255);
	assert_true(msg.has_unicast);
	assert_v6(&msg.unicast, "2001:db8:0:64::1");
	assert_true(msg.has_sol_max_rt && msg.sol_max_rt_s == 3600);
	assert_true(msg.has_inf_max_rt && msg.inf_max_rt_s == 3601);
	assert_true(msg.status.present && msg.status.code == DHCP6_STATUS_SUCCESS);
	assert_string_equal(msg.status.text, "welcome");
	assert_int_equal(msg.ia_na[0].n_addrs, 1);
	assert_v6(&msg.ia_na[0].addrs[0].addr, "2001:db8:1::17");
	assert_written(ADVERTISE);
}

/* R42: no TEP is written into what a client sends, and none that stands there is believed. */
static void a_clients_message_carries_no_tep(void **state)
{
	static const enum dhcp6_type types[] = {DHCP6_SOLICIT, DHCP6_REQUEST, DHCP6_CONFIRM,
		DHCP6_RENEW, DHCP6_REBIND, DHCP6_RELEASE, DHCP6_DECLINE, DHCP6_INFORMATION_REQUEST};
	static const struct in6_addr tep = {.s6_addr = {0x20, 1}};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct octets octets = octets_of("00 a1b2c3 fe4d 0010 " TEP);
		char hex[] = "00 a1b2c3 ";

		octets.data[0] = (uint8_t)types[i];
		assert_int_equal(dhcp6_msg_read(octets.data, octets.len, &codes, &msg), 0);
		assert_int_equal(msg.dstm.n_teps, 0);
		msg.dstm.n_teps = 1;
		msg.dstm.teps[0] = tep;
		hex[1] = "0123456789ab"[types[i]];
		assert_written(hex);
	}
	msg.type = DHCP6_REPLY;
	assert_written("07 a1b2c3 fe4d 0010 20010000000000000000000000000000 ");
}

/* What we do not know is skipped wherever it stands; so is what belongs elsewhere. */
static void unknown_options_are_skipped(void **state)
{
	static const char *const known[] = {
		"07 000001 fe4c 000c 00000001 00000002 00000003 ",
		"07 000001 0060 0014 005a 0010 " TEP,
		"07 000001 0011 0018 00007ed9 fe4d 0010 " TEP,
		"07 000001 0003 0028 00000003 00000708 00000b40 0005 0018 " CLIENT
		"00000b40 00000e10 ",
	};
	static const char *const more[] = {
		/* FQDN, MAP-E and MAP-T containers, RFC 7600, code 0 */
		"07 000001 0027 0003 000161 005e 0001 ff 005f 0000 0061 0002 ffff 0000 0001 ff "
		"fe4c 0011 00000001 00000002 00000003 fe4b 0001 ff ",
		/* a rule and a default mapping rule inside the container */
		"07 000001 0060 0022 0059 0004 ffffffff 005a 0010 " TEP "005b 0002 ffff ",
		/* sub-options of others, and the whole option of another enterprise */
		"07 000001 0011 001d 00007ed9 0001 0001 ff fe4d 0010 " TEP "0011 0005 00000009 ff ",
		/* our options are not for an IA_NA */
		"07 000001 0003 0038 00000003 00000708 00000b40 0005 0020 " CLIENT
		"00000b40 00000e10 fe4e 0004 0001 0002 fe4e 0004 0001 0000 ",
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		assert_int_equal(read_hex(more[i]), 0);
		assert_written(known[i]);
	}
}

/* Codes are the site's choice, and 0 is no code. */
static void options_that_are_off_are_not_there(void **state)
{
	const char *all = "07 000001 fe4c 000c 00000001 00000002 00000003 fe50 0010 " MAPPED
			  "fe4d 0010 " TEP "fe4e 0004 0400 07ff fe4f 0010 " CLIENT
			  "0011 0018 00007ed9 fe4d 0010 " TEP;
	const struct dhcp6_codes off = {0};
	struct octets octets = octets_of(all);
	uint8_t buf[DHCP6_SEND_MAX];
	int len;

	assert_int_equal(read_hex(all), 0);
	assert_written(all);
	len = dhcp6_msg_write(&msg, &off, buf, sizeof(buf));
	octets_assert_equal(buf, (size_t)len, "07 000001");
	assert_int_equal(dhcp6_msg_read(octets.data, octets.len, &off, &msg), 0);
	assert_written("07 000001");
	/* Neither is an option of code 0. */
	octets = octets_of("07 000001 0000 0010 " TEP "0011 0018 00000000 fe4d 0010 " TEP);
	assert_int_equal(dhcp6_msg_read(octets.data, octets.len, &off, &msg), 0);
	assert_written("07 000001");
}

static void options_have_the_numbers_that_the_site_chose(void **state)
{
	const struct dhcp6_codes site = {.ia = 500, .tep = 501, .ports = 502, .vendor = 9};
	uint8_t buf[DHCP6_SEND_MAX];
	struct octets octets;
	int len;

	assert_int_equal(read_hex(REPLY), 0);
	len = dhcp6_msg_write(&msg, &site, buf, sizeof(buf));
	octets = octets_of("07 a1b2c3 " CLIENT_ID SERVER_ID "0014 0000 "
			   "01f4 0044 00000001 00000708 00000b40 "
			   "0005 0018 " MAPPED "00000b40 00000e10 "
			   "01f5 0010 " TEP "01f6 0004 0400 07ff ");
	assert_int_equal(len, octets.len);
	assert_memory_equal(buf, octets.data, octets.len);
	assert_int_equal(dhcp6_msg_read(buf, (size_t)len, &site, &msg), 0);
	assert_written(REPLY);
}

static void codes_are_ours_and_distinct(void **state)
{
	static const struct {
		struct dhcp6_codes codes;
		bool is_good;
	} cases[] = {
		{DHCP6_CODES_DEFAULT, true},
		{{0}, true},
		{{.ia = 256, .tep = 65535}, true},
		{{.ia = 65100, .tep = 65100}, false},
		{{.ports = 7000, .address = 7000}, false},
		{{.ia = 3}, false},
		{{.client = 255}, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(dhcp6_codes_are_distinct(&cases[i].codes), cases[i].is_good);
}

/* RFC 8415 section 16. */
static void each_message_has_the_identifiers_of_its_type(void **state)
{
	/* by type: c, s: must be there; C, S: must not */
	static const char *const rules[] = {[DHCP6_SOLICIT] = "cS",
		[DHCP6_ADVERTISE] = "cs",
		[DHCP6_REQUEST] = "cs",
		[DHCP6_CONFIRM] = "cS",
		[DHCP6_RENEW] = "cs",
		[DHCP6_REBIND] = "cS",
		[DHCP6_REPLY] = "s",
		[DHCP6_RELEASE] = "cs",
		[DHCP6_DECLINE] = "cs",
		[DHCP6_RECONFIGURE] = "cs",
		[DHCP6_INFORMATION_REQUEST] = ""};

	for (unsigned int type = DHCP6_SOLICIT; type <= DHCP6_INFORMATION_REQUEST; type++) {
		for (unsigned int has = 0; has < 4; has++) {
			bool is_bad = (strchr(rules[type], 'c') && !(has & 1)) ||
				      (strchr(rules[type], 's') && !(has & 2)) ||
				      (strchr(rules[type], 'S') && (has & 2));

			assert_int_equal(read_hex(RECONFIGURE), 0);
			msg.type = type;
			msg.client_id.len = has & 1 ? 10 : 0;
			msg.server_id.len = has & 2 ? 18 : 0;
			assert_int_equal(dhcp6_msg_check(&msg), is_bad ? -EINVAL : 0);
		}
	}
	assert_int_equal(read_hex(RECONFIGURE), 0);
	msg.reconf_type = 0;
	assert_int_equal(dhcp6_msg_check(&msg), -EINVAL);
	assert_int_equal(read_hex(RECONFIGURE), 0);
	msg.auth.present = false;
	assert_int_equal(dhcp6_msg_check(&msg), -EINVAL);
	assert_int_equal(read_hex("0b 000001 fe4c 000c 00000001 00000002 00000003 "), 0);
	assert_int_equal(dhcp6_msg_check(&msg), -EINVAL);
}

static void an_option_is_asked_for_once(void **state)
{
	memset(&msg, 0, sizeof(msg));
	msg.type = DHCP6_REQUEST;
	dhcp6_msg_ask(&msg, 96);
	dhcp6_msg_ask(&msg, 0);
	dhcp6_msg_ask(&msg, 96);
	assert_written("03 000000 0006 0002 0060");
	for (uint16_t code = 1; code < 200; code++)
		dhcp6_msg_ask(&msg, code);
	assert_int_equal(msg.n_oro, DHCP6_ORO_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_solicit_asks_for_a_lease),
		cmocka_unit_test(a_reply_gives_a_lease),
		cmocka_unit_test(several_ranges_stand_in_the_address),
		cmocka_unit_test(single_options_give_a_lease_without_an_ia),
		cmocka_unit_test(a_vendor_option_carries_the_same),
		cmocka_unit_test(a_softwire_container_gives_the_same_lease),
		cmocka_unit_test(refusals_say_what_was_refused),
		cmocka_unit_test(a_reconfigure_asks_to_renew),
		cmocka_unit_test(an_advertise_has_the_rest),
		cmocka_unit_test(a_clients_message_carries_no_tep),
		cmocka_unit_test(unknown_options_are_skipped),
		cmocka_unit_test(options_that_are_off_are_not_there),
		cmocka_unit_test(options_have_the_numbers_that_the_site_chose),
		cmocka_unit_test(codes_are_ours_and_distinct),
		cmocka_unit_test(each_message_has_the_identifiers_of_its_type),
		cmocka_unit_test(an_option_is_asked_for_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
