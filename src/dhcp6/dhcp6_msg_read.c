// SPDX-License-Identifier: BSD-3-Clause
/*
 * Reading a message: one function for each place where options stand, each a walk with a cursor.
 * The places are nested as deep as the format is, not as deep as a sender likes: nothing recurses.
 */
#include "dhcp6/dhcp6_msg.h"

#include <errno.h>
#include <string.h>

#define MSG_HEADER     4 /* type, transaction id */
#define IA_FIXED       12 /* IAID, T1, T2 */
#define IAADDR_FIXED   24 /* address, preferred and valid lifetime */
#define AUTH_FIXED     11 /* protocol, algorithm, RDM, replay value */
#define VENDOR_FIXED   4 /* enterprise number */
#define STANDARD_CODES 128

struct reader {
	const struct dhcp6_codes *codes;
	struct dhcp6_msg *msg;
	bool has_teps; /* who sends this kind of message may name TEPs (R42) */
	bool seen[STANDARD_CODES]; /* at the top level */
};

/* --- fields -------------------------------------------------------------------------------------- */

static int read_u32(const struct dhcp6_option *option, bool *present, uint32_t *value)
{
	if (option->len != sizeof(*value))
		return -EINVAL;
	*value = dhcp6_get_u32(option->data);
	*present = true;
	return 0;
}

static int read_v6(const struct dhcp6_option *option, bool *present, struct in6_addr *addr)
{
	if (option->len != sizeof(*addr))
		return -EINVAL;
	*addr = dhcp6_get_v6(option->data);
	*present = true;
	return 0;
}

static int read_flag(const struct dhcp6_option *option, bool *present)
{
	*present = true;
	return option->len == 0 ? 0 : -EINVAL;
}

static int read_status(const struct dhcp6_option *option, struct dhcp6_status *status)
{
	size_t len;

	if (option->len < 2 || status->present)
		return -EINVAL;
	status->present = true;
	status->code = dhcp6_get_u16(option->data);
	len = option->len - 2u;
	if (len > DHCP6_TEXT_MAX)
		len = DHCP6_TEXT_MAX;
	for (size_t i = 0; i < len; i++) {
		uint8_t octet = option->data[2 + i];

		status->text[i] = octet >= ' ' && octet <= '~' ? (char)octet : '?';
	}
	return 0;
}

static int read_range(
	const struct dhcp6_option *option, struct port_range *ranges, uint32_t *n_ranges)
{
	struct port_range range;

	if (option->len != 4)
		return -EINVAL;
	range.first = dhcp6_get_u16(option->data);
	range.last = dhcp6_get_u16(option->data + 2);
	if (range.first > range.last)
		return -EINVAL;
	for (uint32_t i = 0; i < *n_ranges; i++)
		if (port_range_overlaps(range, ranges[i]))
			return -EINVAL;
	if (*n_ranges == LEASE_RANGES_MAX)
		return -E2BIG;
	ranges[(*n_ranges)++] = range;
	return 0;
}

/* --- our own options ----------------------------------------------------------------------------- */

static int read_tep(
	struct reader *reader, const struct dhcp6_option *option, struct dhcp6_dstm *dstm)
{
	if (option->len != sizeof(struct in6_addr))
		return -EINVAL;
	if (reader->has_teps && dstm->n_teps < DHCP6_TEPS_MAX)
		dstm->teps[dstm->n_teps++] = dhcp6_get_v6(option->data);
	return 0;
}

static int read_mapped(const struct dhcp6_option *option, struct dhcp6_dstm *dstm)
{
	struct in6_addr addr;

	if (dstm->has_v4 || read_v6(option, &dstm->has_v4, &addr) != 0 ||
		!dhcp6_v4_of(&addr, &dstm->v4))
		return -EINVAL;
	return 0;
}

/* An option of ours, or one that is skipped. */
static int read_dstm(
	struct reader *reader, const struct dhcp6_option *option, struct dhcp6_dstm *dstm)
{
	const struct dhcp6_codes *codes = reader->codes;

	if (option->code == 0)
		return 0;
	if (option->code == codes->tep)
		return read_tep(reader, option, dstm);
	if (option->code == codes->ports)
		return read_range(option, dstm->ranges, &dstm->n_ranges);
	if (option->code == codes->client)
		return dstm->has_client ? -EINVAL
					: read_v6(option, &dstm->has_client, &dstm->client);
	if (option->code == codes->address)
		return read_mapped(option, dstm);
	return 0;
}

/* --- identity associations ----------------------------------------------------------------------- */

static int read_addr_status(const struct dhcp6_option *option, struct dhcp6_addr *addr)
{
	if (option->len < 2 || addr->has_status)
		return -EINVAL;
	addr->has_status = true;
	addr->status = dhcp6_get_u16(option->data);
	return 0;
}

static int read_addr(struct reader *reader, bool is_dstm, const struct dhcp6_option *option,
	struct dhcp6_addr *addr)
{
	struct dhcp6_cursor cursor = dhcp6_cursor_inside(option, IAADDR_FIXED);
	struct dhcp6_option inner;
	int found;
	int rc = 0;

	if (option->len < IAADDR_FIXED)
		return -EINVAL;
	addr->addr = dhcp6_get_v6(option->data);
	addr->preferred_s = dhcp6_get_u32(option->data + 16);
	addr->valid_s = dhcp6_get_u32(option->data + 20);
	while (rc == 0 && (found = dhcp6_cursor_next(&cursor, &inner)) != 0) {
		if (found < 0)
			return found;
		if (inner.code == DHCP6_OPTION_STATUS)
			rc = read_addr_status(&inner, addr);
		else if (is_dstm && inner.code == reader->codes->ports && inner.code != 0)
			rc = read_range(&inner, addr->ranges, &addr->n_ranges);
	}
	return rc;
}

static int read_in_ia(
	struct reader *reader, bool is_dstm, const struct dhcp6_option *option, struct dhcp6_ia *ia)
{
	if (option->code == DHCP6_OPTION_STATUS)
		return read_status(option, &ia->status);
	if (option->code == DHCP6_OPTION_IAADDR) {
		if (ia->n_addrs == DHCP6_ADDRS_MAX)
			return -E2BIG;
		return read_addr(reader, is_dstm, option, &ia->addrs[ia->n_addrs++]);
	}
	return is_dstm ? read_dstm(reader, option, &ia->dstm) : 0;
}

static int read_ia(
	struct reader *reader, bool is_dstm, const struct dhcp6_option *option, struct dhcp6_ia *ia)
{
	struct dhcp6_cursor cursor = dhcp6_cursor_inside(option, IA_FIXED);
	struct dhcp6_option inner;
	int found;
	int rc = 0;

	if (option->len < IA_FIXED)
		return -EINVAL;
	ia->iaid = dhcp6_get_u32(option->data);
	ia->t1_s = dhcp6_get_u32(option->data + 4);
	ia->t2_s = dhcp6_get_u32(option->data + 8);
	while (rc == 0 && (found = dhcp6_cursor_next(&cursor, &inner)) != 0)
		rc = found < 0 ? found : read_in_ia(reader, is_dstm, &inner, ia);
	return rc;
}

static int read_next_ia(struct reader *reader, bool is_dstm, const struct dhcp6_option *option,
	struct dhcp6_ia *ias, uint32_t *n_ias)
{
	if (*n_ias == DHCP6_IAS_MAX)
		return -E2BIG;
	return read_ia(reader, is_dstm, option, &ias[(*n_ias)++]);
}

/* What stands in it is for who delegates prefixes; a status is for who asked. */
static int read_ia_pd(const struct dhcp6_option *option, struct dhcp6_msg *msg)
{
	struct dhcp6_cursor cursor = dhcp6_cursor_inside(option, IA_FIXED);
	struct dhcp6_option inner;
	struct dhcp6_ia_pd *ia;
	int found;
	int rc = 0;

	if (option->len < IA_FIXED)
		return -EINVAL;
	if (msg->n_ia_pd == DHCP6_IAS_MAX)
		return -E2BIG;
	ia = &msg->ia_pd[msg->n_ia_pd++];
	ia->iaid = dhcp6_get_u32(option->data);
	while (rc == 0 && (found = dhcp6_cursor_next(&cursor, &inner)) != 0) {
		if (found < 0)
			return found;
		if (inner.code == DHCP6_OPTION_STATUS)
			rc = read_status(&inner, &ia->status);
	}
	return rc;
}

/* --- other options with structure ---------------------------------------------------------------- */

static int read_in_vendor(
	struct reader *reader, const struct dhcp6_option *option, struct dhcp6_vendor *vendor)
{
	if (option->code == 0 || option->code != reader->codes->ia)
		return read_dstm(reader, option, &vendor->dstm);
	if (vendor->has_ia)
		return -E2BIG;
	vendor->has_ia = true;
	return read_ia(reader, true, option, &vendor->ia);
}

static int read_vendor(struct reader *reader, const struct dhcp6_option *option)
{
	struct dhcp6_vendor *vendor = &reader->msg->vendor;
	struct dhcp6_cursor cursor = dhcp6_cursor_inside(option, VENDOR_FIXED);
	struct dhcp6_option inner;
	int found;
	int rc = 0;

	if (option->len < VENDOR_FIXED)
		return -EINVAL;
	if (reader->codes->vendor == 0 || dhcp6_get_u32(option->data) != reader->codes->vendor)
		return 0;
	if (vendor->present)
		return -EINVAL;
	vendor->present = true;
	while (rc == 0 && (found = dhcp6_cursor_next(&cursor, &inner)) != 0)
		rc = found < 0 ? found : read_in_vendor(reader, &inner, vendor);
	return rc;
}

static int read_oro(const struct dhcp6_option *option, struct dhcp6_msg *msg)
{
	if (option->len % 2 != 0)
		return -EINVAL;
	msg->has_oro = true;
	for (uint32_t i = 0; i < option->len; i += 2)
		if (msg->n_oro < DHCP6_ORO_MAX)
			msg->oro[msg->n_oro++] = dhcp6_get_u16(option->data + i);
	return 0;
}

static int read_auth(const struct dhcp6_option *option, struct dhcp6_auth *auth)
{
	if (option->len < AUTH_FIXED)
		return -EINVAL;
	if (option->len - AUTH_FIXED > DHCP6_AUTH_MAX)
		return -E2BIG;
	auth->present = true;
	auth->protocol = option->data[0];
	auth->algorithm = option->data[1];
	auth->rdm = option->data[2];
	auth->replay = dhcp6_get_u64(option->data + 3);
	auth->info_len = option->len - AUTH_FIXED;
	memcpy(auth->info, option->data + AUTH_FIXED, auth->info_len);
	return 0;
}

static int read_reconf_type(const struct dhcp6_option *option, uint8_t *type)
{
	if (option->len != 1 ||
		(option->data[0] != DHCP6_RENEW && option->data[0] != DHCP6_REBIND &&
			option->data[0] != DHCP6_INFORMATION_REQUEST))
		return -EINVAL;
	*type = option->data[0];
	return 0;
}

static int read_elapsed(const struct dhcp6_option *option, struct dhcp6_msg *msg)
{
	if (option->len != 2)
		return -EINVAL;
	msg->has_elapsed = true;
	msg->elapsed_cs = dhcp6_get_u16(option->data);
	return 0;
}

static int read_preference(const struct dhcp6_option *option, struct dhcp6_msg *msg)
{
	if (option->len != 1)
		return -EINVAL;
	msg->has_preference = true;
	msg->preference = option->data[0];
	return 0;
}

/* --- the top level ------------------------------------------------------------------------------- */

static int read_single(const struct dhcp6_option *option, struct dhcp6_msg *msg)
{
	switch (option->code) {
	case DHCP6_OPTION_CLIENT_ID:
		return dhcp6_duid_set(&msg->client_id, option->data, option->len);
	case DHCP6_OPTION_SERVER_ID:
		return dhcp6_duid_set(&msg->server_id, option->data, option->len);
	case DHCP6_OPTION_ORO:
		return read_oro(option, msg);
	case DHCP6_OPTION_PREFERENCE:
		return read_preference(option, msg);
	case DHCP6_OPTION_ELAPSED_TIME:
		return read_elapsed(option, msg);
	case DHCP6_OPTION_AUTH:
		return read_auth(option, &msg->auth);
	case DHCP6_OPTION_UNICAST:
		return read_v6(option, &msg->has_unicast, &msg->unicast);
	case DHCP6_OPTION_STATUS:
		return read_status(option, &msg->status);
	case DHCP6_OPTION_RAPID_COMMIT:
		return read_flag(option, &msg->has_rapid_commit);
	case DHCP6_OPTION_RECONF_MSG:
		return read_reconf_type(option, &msg->reconf_type);
	case DHCP6_OPTION_RECONF_ACCEPT:
		return read_flag(option, &msg->has_reconf_accept);
	case DHCP6_OPTION_INFO_REFRESH:
		return read_u32(option, &msg->has_info_refresh, &msg->info_refresh_s);
	case DHCP6_OPTION_SOL_MAX_RT:
		return read_u32(option, &msg->has_sol_max_rt, &msg->sol_max_rt_s);
	case DHCP6_OPTION_INF_MAX_RT:
		return read_u32(option, &msg->has_inf_max_rt, &msg->inf_max_rt_s);
	case DHCP6_OPTION_S46_CONT_LW:
		return dhcp6_s46_read(option, &msg->s46);
	default:
		return -ENOENT;
	}
}

static int read_option(struct reader *reader, const struct dhcp6_option *option)
{
	struct dhcp6_msg *msg = reader->msg;
	int rc;

	if (option->code == DHCP6_OPTION_IA_NA)
		return read_next_ia(reader, false, option, msg->ia_na, &msg->n_ia_na);
	if (option->code == DHCP6_OPTION_IA_PD)
		return read_ia_pd(option, msg);
	if (option->code == DHCP6_OPTION_VENDOR)
		return read_vendor(reader, option);
	if (option->code != 0 && option->code == reader->codes->ia)
		return read_next_ia(reader, true, option, msg->ia_dstm, &msg->n_ia_dstm);
	rc = read_single(option, msg);
	if (rc == -ENOENT)
		return read_dstm(reader, option, &msg->dstm);
	if (rc == 0 && reader->seen[option->code])
		return -EINVAL;
	reader->seen[option->code] = true;
	return rc;
}

int dhcp6_msg_read(
	const void *data, size_t len, const struct dhcp6_codes *codes, struct dhcp6_msg *msg)
{
	struct reader reader = {.codes = codes, .msg = msg};
	struct dhcp6_cursor cursor;
	struct dhcp6_option option;
	const uint8_t *octets = data;
	int found;
	int rc = 0;

	if (len < MSG_HEADER || len > DHCP6_MSG_MAX || octets[0] < DHCP6_SOLICIT ||
		octets[0] > DHCP6_INFORMATION_REQUEST)
		return -EINVAL;
	memset(msg, 0, sizeof(*msg));
	msg->type = octets[0];
	msg->xid = dhcp6_get_u32(octets) & 0xffffff;
	reader.has_teps = !dhcp6_type_is_clients(msg->type);
	cursor = dhcp6_cursor_over(octets + MSG_HEADER, len - MSG_HEADER);
	while (rc == 0 && (found = dhcp6_cursor_next(&cursor, &option)) != 0)
		rc = found < 0 ? found : read_option(&reader, &option);
	return rc;
}
