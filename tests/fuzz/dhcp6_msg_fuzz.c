// SPDX-License-Identifier: BSD-3-Clause
/*
 * DHCPv6 messages: what is read is within its bounds, is written again in no more octets, and reads
 * back as the same value. A signature that is put on it holds, and any change of it does not.
 *
 * The first octet turns options of ours off, one a bit.
 */
#include "dhcp6/dhcp6_auth.h"
#include "dhcp6/dhcp6_lease.h"
#include "dhcp6/dhcp6_msg.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static struct dhcp6_codes codes_of(uint8_t off)
{
	struct dhcp6_codes codes = DHCP6_CODES_DEFAULT;

	codes.ia = off & 1 ? 0 : codes.ia;
	codes.tep = off & 2 ? 0 : codes.tep;
	codes.ports = off & 4 ? 0 : codes.ports;
	codes.client = off & 8 ? 0 : codes.client;
	codes.address = off & 16 ? 0 : codes.address;
	codes.vendor = off & 32 ? 0 : codes.vendor;
	return codes;
}

static void check_ranges(const struct port_range *ranges, uint32_t n_ranges)
{
	check(n_ranges <= LEASE_RANGES_MAX);
	for (uint32_t i = 0; i < n_ranges; i++) {
		check(ranges[i].first <= ranges[i].last);
		for (uint32_t j = 0; j < i; j++)
			check(!port_range_overlaps(ranges[i], ranges[j]));
	}
}

static void check_dstm(const struct dhcp6_msg *msg, const struct dhcp6_dstm *dstm)
{
	struct lease lease = {0};

	check(dstm->n_teps <= DHCP6_TEPS_MAX);
	check(dstm->n_teps == 0 || !dhcp6_type_is_clients(msg->type));
	check_ranges(dstm->ranges, dstm->n_ranges);
	if (dhcp6_dstm_to_lease(dstm, &lease) == 0)
		check_ranges(lease.ranges, lease.n_ranges);
}

static void check_status(const struct dhcp6_status *status)
{
	check(memchr(status->text, '\0', sizeof(status->text)) != NULL);
	for (const char *at = status->text; *at != '\0'; at++)
		check(*at >= ' ' && *at <= '~');
}

static void check_ia(const struct dhcp6_msg *msg, const struct dhcp6_ia *ia)
{
	struct lease lease = {0};
	struct dhcp6_times times;

	check(ia->n_addrs <= DHCP6_ADDRS_MAX);
	for (uint32_t i = 0; i < ia->n_addrs; i++)
		check_ranges(ia->addrs[i].ranges, ia->addrs[i].n_ranges);
	check_status(&ia->status);
	check_dstm(msg, &ia->dstm);
	if (dhcp6_ia_to_lease(ia, &lease, &times) != 0)
		return;
	check(lease.n_ranges >= 1 && times.valid_s > 0);
	check_ranges(lease.ranges, lease.n_ranges);
}

static void check_msg(const struct dhcp6_msg *msg)
{
	struct lease lease = {0};

	check(msg->type >= DHCP6_SOLICIT && msg->type <= DHCP6_INFORMATION_REQUEST);
	check(msg->xid <= 0xffffff);
	check(msg->n_ia_na <= DHCP6_IAS_MAX && msg->n_ia_pd <= DHCP6_IAS_MAX);
	check(msg->n_ia_dstm <= DHCP6_IAS_MAX && msg->n_oro <= DHCP6_ORO_MAX);
	check(msg->auth.info_len <= DHCP6_AUTH_MAX);
	for (uint32_t i = 0; i < msg->n_ia_na; i++)
		check_ia(msg, &msg->ia_na[i]);
	for (uint32_t i = 0; i < msg->n_ia_dstm; i++)
		check_ia(msg, &msg->ia_dstm[i]);
	check_ia(msg, &msg->vendor.ia);
	check_dstm(msg, &msg->dstm);
	check_dstm(msg, &msg->vendor.dstm);
	check_status(&msg->status);
	if (dhcp6_s46_to_lease(&msg->s46, &lease) == 0)
		check_ranges(lease.ranges, lease.n_ranges);
	dhcp6_msg_check(msg);
}

/* The octets are signed where they can be; one bit of them, chosen by their sum, ends that. */
static void check_signature(uint8_t *octets, size_t len)
{
	static const uint8_t key[DHCP6_AUTH_KEY_LEN] = "sixteen octets.";
	uint64_t replay = 0;
	uint32_t sum = 0;

	if (dhcp6_auth_sign(octets, len, key) != 0)
		return;
	if (!dhcp6_auth_verify(octets, len, key, &replay)) {
		check(replay == 0);
		return; /* a replay value of 0 follows nothing */
	}
	check(!dhcp6_auth_verify(octets, len, key, &replay));
	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + octets[i];
	octets[sum / 8 % len] ^= (uint8_t)(1 << sum % 8);
	replay = 0;
	check(!dhcp6_auth_verify(octets, len, key, &replay));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dhcp6_msg msg, again;
	static uint8_t octets[DHCP6_MSG_MAX];
	struct dhcp6_codes codes;
	int len;

	if (size == 0)
		return 0;
	codes = codes_of(data[0]);
	memset(&msg, 0xaa, sizeof(msg));
	if (dhcp6_msg_read(data + 1, size - 1, &codes, &msg) != 0)
		return 0;
	check_msg(&msg);
	len = dhcp6_msg_write(&msg, &codes, octets, sizeof(octets));
	check(len >= 4 && (size_t)len <= size - 1);
	check(dhcp6_msg_write(&msg, &codes, octets, (size_t)len - 1) < 0);
	check(dhcp6_msg_write(&msg, &codes, octets, (size_t)len) == len);
	memset(&again, 0x55, sizeof(again));
	check(dhcp6_msg_read(octets, (size_t)len, &codes, &again) == 0);
	check(memcmp(&msg, &again, sizeof(msg)) == 0);
	check_signature(octets, (size_t)len);
	return 0;
}
