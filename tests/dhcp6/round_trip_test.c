// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any value that can be said is written, and reads back as itself; and a good message with octets
 * changed at random is refused or reads back as itself, too.
 */
#include "dhcp6/dhcp6_flat.h"
#include "dhcp6/dhcp6_msg.h"

#include "../support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS  2000
#define CHANGED 200 /* of each round's message */

static const struct dhcp6_codes codes = DHCP6_CODES_DEFAULT;
static uint64_t seed;
static uint8_t octets[DHCP6_MSG_MAX];

static uint32_t below(uint32_t n)
{
	return test_random_below(&seed, n);
}

static bool maybe(void)
{
	return below(2) == 0;
}

static void fill(void *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)at)[i] = (uint8_t)below(256);
}

static struct in6_addr any_v6(void)
{
	struct in6_addr addr;

	fill(&addr, sizeof(addr));
	return addr;
}

/* Each in its own part of the ports, so that no two overlap. */
static void any_ranges(struct port_range *ranges, uint32_t *n_ranges)
{
	*n_ranges = below(LEASE_RANGES_MAX + 1);
	for (uint32_t i = 0; i < *n_ranges; i++) {
		uint16_t first = (uint16_t)below(4096);

		ranges[i].first = (uint16_t)(i * 8192 + first);
		ranges[i].last = (uint16_t)(ranges[i].first + below(4096));
	}
}

static void any_status(struct dhcp6_status *status)
{
	char text[100] = "";

	if (maybe())
		return;
	for (uint32_t i = 0; i < below(sizeof(text)); i++)
		text[i] = (char)(' ' + below('~' - ' ' + 1));
	dhcp6_status_set(status, (uint16_t)below(70000), text);
}

static void any_dstm(enum dhcp6_type type, struct dhcp6_dstm *dstm)
{
	dstm->n_teps = dhcp6_type_is_clients(type) ? 0 : below(DHCP6_TEPS_MAX + 1);
	for (uint32_t i = 0; i < dstm->n_teps; i++)
		dstm->teps[i] = any_v6();
	any_ranges(dstm->ranges, &dstm->n_ranges);
	dstm->has_client = maybe();
	if (dstm->has_client)
		dstm->client = any_v6();
	dstm->has_v4 = maybe();
	if (dstm->has_v4)
		dstm->v4 = test_random(&seed);
}

static void any_ia(enum dhcp6_type type, bool is_dstm, struct dhcp6_ia *ia)
{
	ia->iaid = test_random(&seed);
	ia->t1_s = test_random(&seed);
	ia->t2_s = test_random(&seed);
	any_status(&ia->status);
	if (is_dstm)
		any_dstm(type, &ia->dstm);
	ia->n_addrs = below(DHCP6_ADDRS_MAX + 1);
	for (uint32_t i = 0; i < ia->n_addrs; i++) {
		struct dhcp6_addr *addr = &ia->addrs[i];

		addr->addr = any_v6();
		addr->preferred_s = test_random(&seed);
		addr->valid_s = test_random(&seed);
		addr->has_status = maybe();
		if (addr->has_status)
			addr->status = (uint16_t)below(65536);
		if (is_dstm)
			any_ranges(addr->ranges, &addr->n_ranges);
	}
}

static void any_s46(struct dhcp6_s46 *s46)
{
	s46->present = true;
	s46->n_brs = below(DHCP6_TEPS_MAX + 1);
	for (uint32_t i = 0; i < s46->n_brs; i++)
		s46->brs[i] = any_v6();
	s46->has_bind = maybe();
	if (!s46->has_bind)
		return;
	s46->v4 = test_random(&seed);
	s46->prefix_len = (uint8_t)below(129);
	s46->client_v6 = any_v6();
	for (uint32_t bit = s46->prefix_len; bit < 128; bit++)
		s46->client_v6.s6_addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	s46->has_psid = maybe();
	if (!s46->has_psid)
		return;
	s46->psid.offset = (uint8_t)below(17);
	s46->psid.len = (uint8_t)below(17 - s46->psid.offset);
	s46->psid.psid = (uint16_t)below(1u << s46->psid.len);
}

static void any_duid(struct dhcp6_duid *duid)
{
	uint8_t any[DHCP6_DUID_MAX];

	fill(any, sizeof(any));
	if (maybe())
		assert_int_equal(dhcp6_duid_set(duid, any, 3 + below(128)), 0);
}

static void any_singles(struct dhcp6_msg *msg)
{
	static const uint8_t reconf_types[] = {
		0, DHCP6_RENEW, DHCP6_REBIND, DHCP6_INFORMATION_REQUEST};

	msg->elapsed_cs = (msg->has_elapsed = maybe()) ? (uint16_t)below(65536) : 0;
	msg->preference = (msg->has_preference = maybe()) ? (uint8_t)below(256) : 0;
	msg->info_refresh_s = (msg->has_info_refresh = maybe()) ? test_random(&seed) : 0;
	msg->sol_max_rt_s = (msg->has_sol_max_rt = maybe()) ? test_random(&seed) : 0;
	msg->inf_max_rt_s = (msg->has_inf_max_rt = maybe()) ? test_random(&seed) : 0;
	msg->has_rapid_commit = maybe();
	msg->has_reconf_accept = maybe();
	msg->has_unicast = maybe();
	if (msg->has_unicast)
		msg->unicast = any_v6();
	msg->reconf_type = reconf_types[below(4)];
	msg->auth.present = maybe();
	if (!msg->auth.present)
		return;
	msg->auth.protocol = (uint8_t)below(256);
	msg->auth.algorithm = (uint8_t)below(256);
	msg->auth.rdm = (uint8_t)below(256);
	msg->auth.replay = (uint64_t)test_random(&seed) << 32 | test_random(&seed);
	msg->auth.info_len = below(DHCP6_AUTH_MAX + 1);
	fill(msg->auth.info, msg->auth.info_len);
}

static void any_msg(struct dhcp6_msg *msg)
{
	memset(msg, 0, sizeof(*msg));
	msg->type = DHCP6_SOLICIT + below(DHCP6_INFORMATION_REQUEST);
	msg->xid = below(1 << 24);
	any_duid(&msg->client_id);
	any_duid(&msg->server_id);
	any_singles(msg);
	any_status(&msg->status);
	for (uint32_t n = below(80); n > 0; n--)
		dhcp6_msg_ask(msg, (uint16_t)below(65536));
	for (uint32_t n = below(DHCP6_IAS_MAX + 1); n > 0; n--)
		any_ia(msg->type, false, &msg->ia_na[msg->n_ia_na++]);
	for (uint32_t n = below(DHCP6_IAS_MAX + 1); n > 0; n--)
		any_ia(msg->type, true, &msg->ia_dstm[msg->n_ia_dstm++]);
	for (uint32_t n = below(DHCP6_IAS_MAX + 1); n > 0; n--) {
		msg->ia_pd[msg->n_ia_pd].iaid = test_random(&seed);
		any_status(&msg->ia_pd[msg->n_ia_pd++].status);
	}
	any_dstm(msg->type, &msg->dstm);
	msg->vendor.present = maybe();
	if (msg->vendor.present)
		any_dstm(msg->type, &msg->vendor.dstm);
	msg->vendor.has_ia = msg->vendor.present && maybe();
	if (msg->vendor.has_ia)
		any_ia(msg->type, true, &msg->vendor.ia);
	if (maybe())
		any_s46(&msg->s46);
}

/* Whatever reads is written as octets that read as the same. */
static void change_and_read(int len)
{
	static struct dhcp6_msg got, again;
	static uint8_t changed[DHCP6_MSG_MAX], written[DHCP6_MSG_MAX];

	for (int i = 0; i < CHANGED; i++) {
		int n;

		memcpy(changed, octets, (size_t)len);
		for (uint32_t k = 1 + below(3); k > 0; k--)
			changed[below((uint32_t)len)] = (uint8_t)below(256);
		if (dhcp6_msg_read(changed, (size_t)len, &codes, &got) != 0)
			continue;
		n = dhcp6_msg_write(&got, &codes, written, sizeof(written));
		assert_true(n > 0 && n <= len);
		assert_int_equal(dhcp6_msg_read(written, (size_t)n, &codes, &again), 0);
		assert_memory_equal(&got, &again, sizeof(got));
	}
}

static void any_message_reads_back(void **state)
{
	static struct dhcp6_msg msg, got;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		int len;

		any_msg(&msg);
		len = dhcp6_msg_write(&msg, &codes, octets, sizeof(octets));
		assert_true(len >= 4);
		memset(&got, 0xff, sizeof(got));
		assert_int_equal(dhcp6_msg_read(octets, (size_t)len, &codes, &got), 0);
		assert_memory_equal(&msg, &got, sizeof(msg));
		if (i % 20 == 0)
			change_and_read(len);
	}
}

static void any_flat_ia(enum dhcp6_flat_layout layout, struct dhcp6_flat_ia *ia)
{
	fill(ia->id, sizeof(ia->id));
	ia->t1_s = test_random(&seed);
	ia->t2_s = test_random(&seed);
	ia->status = layout == DHCP6_FLAT_PLAIN ? (uint8_t)below(256) : 0;
	ia->n_addrs = below(DHCP6_ADDRS_MAX + 1);
	for (uint32_t i = 0; i < ia->n_addrs; i++) {
		struct dhcp6_flat_addr *addr = &ia->addrs[i];

		addr->addr = any_v6();
		addr->prefix_len = (uint8_t)below(129);
		addr->preferred_s = test_random(&seed);
		addr->valid_s = test_random(&seed);
		if (layout == DHCP6_FLAT_PLAIN) {
			addr->is_temporary = maybe();
			addr->status = (uint8_t)below(128);
		} else {
			addr->ports.first = (uint16_t)below(65536);
			addr->ports.last = (uint16_t)(addr->ports.first +
						      below(65536u - addr->ports.first));
		}
	}
}

/* R40, R41, R44, R45: what no IA follows can only stand at the end. */
static void any_flat_message_reads_back(void **state)
{
	static const struct dhcp6_flat_codes flat_codes = {.option = 1777, .ia = 1778};
	static struct dhcp6_flat flat, got;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		enum dhcp6_flat_layout layout = maybe() ? DHCP6_FLAT_PLAIN : DHCP6_FLAT_PORTS;
		int len;

		memset(&flat, 0, sizeof(flat));
		flat.type = DHCP6_SOLICIT + below(DHCP6_INFORMATION_REQUEST);
		flat.xid = below(1 << 24);
		flat.n_pairs = below(DHCP6_IAS_MAX + 1);
		for (uint32_t j = 0; j < flat.n_pairs; j++) {
			struct dhcp6_flat_pair *pair = &flat.pairs[j];

			pair->has_ia = j + 1 < flat.n_pairs || maybe();
			pair->has_option = !pair->has_ia || maybe();
			pair->has_tep = pair->has_option && !dhcp6_type_is_clients(flat.type) &&
					maybe();
			if (pair->has_tep)
				pair->tep = any_v6();
			if (pair->has_ia)
				any_flat_ia(layout, &pair->ia);
		}
		len = dhcp6_flat_write(&flat, layout, flat_codes, octets, sizeof(octets));
		assert_true(len >= 4);
		memset(&got, 0xff, sizeof(got));
		assert_int_equal(dhcp6_flat_read(octets, (size_t)len, layout, flat_codes, &got), 0);
		assert_memory_equal(&flat, &got, sizeof(flat));
	}
}

static int setup(void **state)
{
	seed = test_seed();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_message_reads_back),
		cmocka_unit_test(any_flat_message_reads_back),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
