// SPDX-License-Identifier: BSD-3-Clause
/*
 * A lease in DHCPv6 messages: what is asked, and what answers mean, in each of the three ways (R42, R44, R46, R50, R53, R70,
 * S17).
 */
#include "client/dhcp6_grant.h"
#include "common/addr.h"
#include "dhcp6/dhcp6_option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define IAID 7

static const struct in6_addr client = {.s6_addr = {0x20, 1, 0x0d, 0xb8, [15] = 0x17}};
static const struct in6_addr other = {.s6_addr = {0x20, 1, 0x0d, 0xb8, 0, 2, [15] = 0x18}};
static const struct in6_addr tep = {.s6_addr = {0x20, 1, 0x0d, 0xb8, [15] = 0x01}};

static struct cl_dhcp6_want want(enum cl_dhcp6_options options, bool is_stateless)
{
	return (struct cl_dhcp6_want){
		.options = options,
		.is_stateless = is_stateless,
		.takes_ports = true,
		.codes = DHCP6_CODES_DEFAULT,
		.iaid = IAID,
		.v6 = client,
		.n_ours = 2,
		.ours = {client, other},
	};
}

static struct dhcp6_msg reply(void)
{
	struct dhcp6_msg msg = {.type = DHCP6_REPLY, .n_ia_dstm = 1};
	struct dhcp6_ia *ia = &msg.ia_dstm[0];

	*ia = (struct dhcp6_ia){.iaid = IAID, .t1_s = 500, .t2_s = 800, .n_addrs = 1};
	ia->addrs[0] = (struct dhcp6_addr){
		.addr = dhcp6_v6_of(0xc6336407), .preferred_s = 800, .valid_s = 1000};
	ia->dstm.n_teps = 1;
	ia->dstm.teps[0] = tep;
	return msg;
}

static enum cl_dhcp6_verdict read_as(
	const struct cl_dhcp6_want *how, const struct dhcp6_msg *msg, struct cl_dhcp6_grant *grant)
{
	struct dhcp6_status status = {0};
	const char *why = NULL;
	enum cl_dhcp6_verdict verdict = cl_dhcp6_grant_read(how, msg, grant, &status, &why);

	assert_true((verdict == CL_DHCP6_USELESS) == (why != NULL));
	assert_true((verdict == CL_DHCP6_REFUSAL) == status.present);
	if (verdict == CL_DHCP6_GRANT) {
		assert_true(grant->valid_s > 0 && grant->preferred_s <= grant->valid_s);
		assert_in_range(grant->lease.n_ranges, 1, LEASE_RANGES_MAX);
	}
	return verdict;
}

static enum cl_dhcp6_verdict judge(const struct dhcp6_msg *msg)
{
	const struct cl_dhcp6_want how = want(CL_DHCP6_DSTM, false);
	struct cl_dhcp6_grant grant;

	return read_as(&how, msg, &grant);
}

static void association_gives_a_lease_and_its_times(void **state)
{
	const struct cl_dhcp6_want how = want(CL_DHCP6_DSTM, false);
	struct dhcp6_msg msg = reply();
	struct cl_dhcp6_grant grant;

	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_GRANT);
	assert_true(lease_is_exclusive(&grant.lease));
	assert_true(addr_v6_equal(&grant.lease.client_v6, &client));
	assert_true(addr_v6_equal(&grant.lease.tep_v6, &tep));
	assert_int_equal(grant.valid_s, 1000);
	assert_int_equal(grant.preferred_s, 800);
	assert_int_equal(grant.t1_s, 500);
	assert_int_equal(grant.t2_s, 800);
	msg.ia_dstm[0].addrs[0].n_ranges = 2;
	msg.ia_dstm[0].addrs[0].ranges[0] = (struct port_range){1024, 2047};
	msg.ia_dstm[0].addrs[0].ranges[1] = (struct port_range){4096, 4111};
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_GRANT);
	assert_int_equal(lease_ports(&grant.lease), 1040);
}

/* RFC 8415 sections 21.4, 21.6: what contradicts itself is not there. */
static void contradictions_are_no_lease(void **state)
{
	struct dhcp6_msg msg;

	msg = reply();
	msg.ia_dstm[0].t1_s = 900;
	assert_int_equal(judge(&msg), CL_DHCP6_NOTHING);
	msg = reply();
	msg.ia_dstm[0].addrs[0].preferred_s = 1001;
	assert_int_equal(judge(&msg), CL_DHCP6_NOTHING);
	msg = reply();
	msg.ia_dstm[0].addrs[0].addr = client; /* no IPv4 address */
	assert_int_equal(judge(&msg), CL_DHCP6_NOTHING);
	msg = reply();
	msg.ia_dstm[0].n_addrs = 0;
	assert_int_equal(judge(&msg), CL_DHCP6_NOTHING);
	msg = reply();
	msg.ia_dstm[0].iaid++;
	assert_int_equal(judge(&msg), CL_DHCP6_NOTHING);
	msg = reply();
	msg.n_ia_dstm = 0;
	assert_int_equal(judge(&msg), CL_DHCP6_NOTHING);
	msg = reply();
	msg.ia_dstm[0].addrs[0].valid_s = msg.ia_dstm[0].addrs[0].preferred_s = 0;
	assert_int_equal(judge(&msg), CL_DHCP6_ENDED);
	msg = reply();
	dhcp6_status_set(&msg.status, DHCP6_STATUS_UNSPEC_FAIL, "");
	assert_int_equal(judge(&msg), CL_DHCP6_REFUSAL);
	msg = reply();
	dhcp6_status_set(&msg.ia_dstm[0].status, DHCP6_STATUS_NO_ADDRS_AVAIL, "");
	assert_int_equal(judge(&msg), CL_DHCP6_REFUSAL);
	msg = reply();
	dhcp6_status_set(&msg.ia_dstm[0].status, DHCP6_STATUS_SUCCESS, "");
	assert_int_equal(judge(&msg), CL_DHCP6_GRANT);
}

static void endless_times_stay_endless(void **state)
{
	const struct cl_dhcp6_want how = want(CL_DHCP6_DSTM, false);
	struct dhcp6_msg msg = reply();
	struct cl_dhcp6_grant grant;

	msg.ia_dstm[0].t1_s = msg.ia_dstm[0].t2_s = UINT32_MAX;
	msg.ia_dstm[0].addrs[0].valid_s = msg.ia_dstm[0].addrs[0].preferred_s = UINT32_MAX;
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_GRANT);
	assert_int_equal(grant.valid_s, UINT32_MAX);
	assert_int_equal(grant.t1_s, UINT32_MAX);
}

static void ends_of_the_tunnel_are_ours_and_a_teps(void **state)
{
	struct cl_dhcp6_want how = want(CL_DHCP6_DSTM, false);
	struct dhcp6_msg msg = reply();
	struct cl_dhcp6_grant grant;

	msg.ia_dstm[0].dstm.has_client = true;
	msg.ia_dstm[0].dstm.client = tep; /* somebody else's lease */
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_USELESS);
	msg = reply();
	msg.ia_dstm[0].dstm.n_teps = 0;
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_USELESS);
	msg.dstm.n_teps = 1; /* at the top of the message */
	msg.dstm.teps[0] = other;
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_GRANT);
	assert_true(addr_v6_equal(&grant.lease.tep_v6, &other));
	msg.dstm.n_teps = 0;
	how.has_tep = true; /* by hand (R18) */
	how.tep = tep;
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_GRANT);
	assert_true(addr_v6_equal(&grant.lease.tep_v6, &tep));
}

static void vendor_option_is_read_like_the_rest(void **state)
{
	struct cl_dhcp6_want how = want(CL_DHCP6_VENDOR, false);
	struct dhcp6_msg msg = reply();
	struct cl_dhcp6_grant grant;

	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_NOTHING);
	msg.vendor.present = msg.vendor.has_ia = true;
	msg.vendor.ia = msg.ia_dstm[0];
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_GRANT);
	how.is_stateless = true;
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_NOTHING);
	msg.vendor.dstm = (struct dhcp6_dstm){
		.has_v4 = true, .v4 = 1 << 24 | 1, .n_teps = 1, .teps = {tep}};
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_GRANT);
	assert_int_equal(grant.valid_s, 86400);
	msg.has_info_refresh = true;
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_ENDED);
}

static struct dhcp6_s46 container(uint8_t prefix_len)
{
	return (struct dhcp6_s46){
		.present = true,
		.n_brs = 1,
		.brs = {tep},
		.has_bind = true,
		.v4 = 0xc6336407,
		.prefix_len = prefix_len,
		.client_v6 = {.s6_addr = {0x20, 1, 0x0d, 0xb8, 0, prefix_len == 48 ? 2 : 0}},
		.has_psid = true,
		.psid = {.offset = 0, .len = 6, .psid = 2},
	};
}

/* S17: the range is the PSID's; the prefix says which of our addresses the tunnel ends at. */
static void container_is_a_lease_of_one_of_our_addresses(void **state)
{
	const struct cl_dhcp6_want how = want(CL_DHCP6_SOFTWIRE, true);
	struct dhcp6_msg msg = {.type = DHCP6_REPLY};
	struct cl_dhcp6_grant grant;

	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_NOTHING);
	msg.s46 = container(64);
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_GRANT);
	assert_true(addr_v6_equal(&grant.lease.client_v6, &client));
	assert_int_equal(grant.lease.ranges[0].first, 2048);
	assert_int_equal(grant.lease.ranges[0].last, 3071);
	msg.s46 = container(48);
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_GRANT);
	assert_true(addr_v6_equal(&grant.lease.client_v6, &other));
	msg.s46 = container(128); /* 2001:db8:: itself is nobody's here */
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_USELESS);
	msg.s46 = container(64);
	msg.s46.n_brs = 0;
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_USELESS);
	msg.s46 = container(64);
	msg.s46.psid = (struct dhcp6_psid){.offset = 6, .len = 8, .psid = 1}; /* 63 ranges */
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_USELESS);
	msg.s46 = container(64);
	msg.s46.has_psid = false;
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_GRANT);
	assert_true(lease_is_exclusive(&grant.lease));
}

/* Beside a container an IA_NA says how long; without one the information refresh time does. */
static void container_lives_as_long_as_what_comes_with_it(void **state)
{
	const struct cl_dhcp6_want how = want(CL_DHCP6_SOFTWIRE, false);
	struct dhcp6_msg msg = {
		.type = DHCP6_REPLY, .has_info_refresh = true, .info_refresh_s = 60};
	struct cl_dhcp6_grant grant;

	msg.s46 = container(64);
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_GRANT);
	assert_int_equal(grant.valid_s, 60);
	msg.n_ia_na = 1;
	msg.ia_na[0] = reply().ia_dstm[0];
	msg.ia_na[0].addrs[0].addr = client;
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_GRANT);
	assert_int_equal(grant.valid_s, 1000);
	assert_int_equal(grant.t1_s, 500);
	msg.n_ia_dstm = 1; /* of a server that knows both */
	msg.ia_dstm[0] = msg.ia_na[0];
	msg.ia_dstm[0].addrs[0].valid_s = 900;
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_GRANT);
	assert_int_equal(grant.valid_s, 900);
	dhcp6_status_set(&msg.ia_dstm[0].status, DHCP6_STATUS_NO_BINDING, "");
	assert_int_equal(read_as(&how, &msg, &grant), CL_DHCP6_REFUSAL);
}

static void questions_name_our_tunnel_end_and_no_tep(void **state)
{
	for (enum cl_dhcp6_options options = CL_DHCP6_DSTM; options <= CL_DHCP6_VENDOR; options++) {
		for (unsigned int i = 0; i < 4; i++) {
			struct cl_dhcp6_want how = want(options, (i & 1) != 0);
			const struct lease lease = {.client_v6 = client,
				.tep_v6 = tep,
				.v4 = 1 << 24 | 1,
				.n_ranges = 1,
				.ranges = {{2048, 3071}}};
			struct dhcp6_msg msg = {.type = DHCP6_SOLICIT};
			const struct dhcp6_dstm *told = &msg.dstm;

			cl_dhcp6_grant_ask(&how, i & 2 ? &lease : NULL, &msg);
			if (msg.n_ia_dstm > 0)
				told = &msg.ia_dstm[0].dstm;
			else if (msg.vendor.has_ia)
				told = &msg.vendor.ia.dstm;
			else if (msg.vendor.present)
				told = &msg.vendor.dstm;
			assert_true(told->has_client && addr_v6_equal(&told->client, &client));
			assert_int_equal(told->n_teps, 0);
			assert_int_equal(dhcp6_msg_asks(&msg, how.codes.ports),
				options != CL_DHCP6_SOFTWIRE);
			assert_int_equal(dhcp6_msg_asks(&msg, DHCP6_OPTION_S46_CONT_LW),
				options == CL_DHCP6_SOFTWIRE);
			assert_true(!how.is_stateless || msg.n_ia_dstm + msg.n_ia_na == 0);
		}
	}
}

static void lifetime_is_wished_for_with_an_address(void **state)
{
	struct cl_dhcp6_want how = want(CL_DHCP6_DSTM, false);
	const struct lease lease = {.v4 = 1 << 24 | 1, .n_ranges = 1, .ranges = {{2048, 3071}}};
	struct dhcp6_msg msg = {.type = DHCP6_REQUEST};

	how.lifetime_s = 600;
	cl_dhcp6_grant_ask(&how, &lease, &msg);
	assert_int_equal(msg.ia_dstm[0].addrs[0].valid_s, 600);
	assert_int_equal(msg.ia_dstm[0].dstm.ranges[0].first, 2048);
}

/* Who can only use a whole address does not say that ports would do. */
static void whole_addresses_are_asked_for_without_ports(void **state)
{
	struct cl_dhcp6_want how = want(CL_DHCP6_DSTM, false);
	struct dhcp6_msg msg = {.type = DHCP6_SOLICIT};

	how.takes_ports = false;
	cl_dhcp6_grant_ask(&how, NULL, &msg);
	assert_false(dhcp6_msg_asks(&msg, how.codes.ports));
	assert_int_equal(msg.ia_dstm[0].dstm.n_ranges, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(association_gives_a_lease_and_its_times),
		cmocka_unit_test(contradictions_are_no_lease),
		cmocka_unit_test(endless_times_stay_endless),
		cmocka_unit_test(ends_of_the_tunnel_are_ours_and_a_teps),
		cmocka_unit_test(vendor_option_is_read_like_the_rest),
		cmocka_unit_test(container_is_a_lease_of_one_of_our_addresses),
		cmocka_unit_test(container_lives_as_long_as_what_comes_with_it),
		cmocka_unit_test(questions_name_our_tunnel_end_and_no_tep),
		cmocka_unit_test(lifetime_is_wished_for_with_an_address),
		cmocka_unit_test(whole_addresses_are_asked_for_without_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
