// SPDX-License-Identifier: BSD-3-Clause
/* Writing a message. Nothing in it can fail but the room: the builder remembers. */
#include "dhcp6/dhcp6_msg.h"

#include <string.h>

struct writer {
	struct dhcp6_builder builder;
	const struct dhcp6_codes *codes;
	bool has_teps; /* who sends this kind of message may name TEPs (R42) */
};

static void write_duid(struct writer *writer, uint16_t code, const struct dhcp6_duid *duid)
{
	if (duid->len > 0)
		dhcp6_option_put(&writer->builder, code, duid->octets, duid->len);
}

static void write_status(struct writer *writer, const struct dhcp6_status *status)
{
	size_t place;

	if (!status->present)
		return;
	place = dhcp6_option_begin(&writer->builder, DHCP6_OPTION_STATUS);
	dhcp6_put_u16(&writer->builder, status->code);
	dhcp6_put(&writer->builder, status->text, strlen(status->text));
	dhcp6_option_end(&writer->builder, place);
}

static void write_ranges(struct writer *writer, const struct port_range *ranges, uint32_t n)
{
	if (writer->codes->ports == 0)
		return;
	for (uint32_t i = 0; i < n; i++) {
		size_t place = dhcp6_option_begin(&writer->builder, writer->codes->ports);

		dhcp6_put_u16(&writer->builder, ranges[i].first);
		dhcp6_put_u16(&writer->builder, ranges[i].last);
		dhcp6_option_end(&writer->builder, place);
	}
}

static void write_dstm(struct writer *writer, const struct dhcp6_dstm *dstm)
{
	const struct dhcp6_codes *codes = writer->codes;
	struct in6_addr mapped = dhcp6_v6_of(dstm->v4);

	if (dstm->has_v4 && codes->address != 0)
		dhcp6_option_put_v6(&writer->builder, codes->address, &mapped);
	for (uint32_t i = 0; i < dstm->n_teps && codes->tep != 0 && writer->has_teps; i++)
		dhcp6_option_put_v6(&writer->builder, codes->tep, &dstm->teps[i]);
	write_ranges(writer, dstm->ranges, dstm->n_ranges);
	if (dstm->has_client && codes->client != 0)
		dhcp6_option_put_v6(&writer->builder, codes->client, &dstm->client);
}

/* --- identity associations ----------------------------------------------------------------------- */

static void write_addr(struct writer *writer, const struct dhcp6_addr *addr)
{
	size_t place = dhcp6_option_begin(&writer->builder, DHCP6_OPTION_IAADDR);

	dhcp6_put_v6(&writer->builder, &addr->addr);
	dhcp6_put_u32(&writer->builder, addr->preferred_s);
	dhcp6_put_u32(&writer->builder, addr->valid_s);
	write_ranges(writer, addr->ranges, addr->n_ranges);
	if (addr->has_status)
		dhcp6_option_put_u16(&writer->builder, DHCP6_OPTION_STATUS, addr->status);
	dhcp6_option_end(&writer->builder, place);
}

static void write_ia(struct writer *writer, uint16_t code, const struct dhcp6_ia *ia)
{
	size_t place = dhcp6_option_begin(&writer->builder, code);

	dhcp6_put_u32(&writer->builder, ia->iaid);
	dhcp6_put_u32(&writer->builder, ia->t1_s);
	dhcp6_put_u32(&writer->builder, ia->t2_s);
	for (uint32_t i = 0; i < ia->n_addrs; i++)
		write_addr(writer, &ia->addrs[i]);
	write_dstm(writer, &ia->dstm);
	write_status(writer, &ia->status);
	dhcp6_option_end(&writer->builder, place);
}

static void write_ia_pd(struct writer *writer, const struct dhcp6_ia_pd *ia)
{
	size_t place = dhcp6_option_begin(&writer->builder, DHCP6_OPTION_IA_PD);

	dhcp6_put_u32(&writer->builder, ia->iaid);
	dhcp6_put_u32(&writer->builder, 0);
	dhcp6_put_u32(&writer->builder, 0);
	write_status(writer, &ia->status);
	dhcp6_option_end(&writer->builder, place);
}

static void write_ias(struct writer *writer, const struct dhcp6_msg *msg)
{
	for (uint32_t i = 0; i < msg->n_ia_na; i++)
		write_ia(writer, DHCP6_OPTION_IA_NA, &msg->ia_na[i]);
	for (uint32_t i = 0; i < msg->n_ia_pd; i++)
		write_ia_pd(writer, &msg->ia_pd[i]);
	for (uint32_t i = 0; i < msg->n_ia_dstm && writer->codes->ia != 0; i++)
		write_ia(writer, writer->codes->ia, &msg->ia_dstm[i]);
}

static void write_vendor(struct writer *writer, const struct dhcp6_vendor *vendor)
{
	size_t place;

	if (!vendor->present || writer->codes->vendor == 0)
		return;
	place = dhcp6_option_begin(&writer->builder, DHCP6_OPTION_VENDOR);
	dhcp6_put_u32(&writer->builder, writer->codes->vendor);
	if (vendor->has_ia && writer->codes->ia != 0)
		write_ia(writer, writer->codes->ia, &vendor->ia);
	write_dstm(writer, &vendor->dstm);
	dhcp6_option_end(&writer->builder, place);
}

/* --- single options ------------------------------------------------------------------------------ */

static void write_oro(struct writer *writer, const struct dhcp6_msg *msg)
{
	size_t place;

	if (!msg->has_oro)
		return;
	place = dhcp6_option_begin(&writer->builder, DHCP6_OPTION_ORO);
	for (uint32_t i = 0; i < msg->n_oro; i++)
		dhcp6_put_u16(&writer->builder, msg->oro[i]);
	dhcp6_option_end(&writer->builder, place);
}

static void write_auth(struct writer *writer, const struct dhcp6_auth *auth)
{
	size_t place;

	if (!auth->present)
		return;
	place = dhcp6_option_begin(&writer->builder, DHCP6_OPTION_AUTH);
	dhcp6_put_u8(&writer->builder, auth->protocol);
	dhcp6_put_u8(&writer->builder, auth->algorithm);
	dhcp6_put_u8(&writer->builder, auth->rdm);
	dhcp6_put_u64(&writer->builder, auth->replay);
	dhcp6_put(&writer->builder, auth->info, auth->info_len);
	dhcp6_option_end(&writer->builder, place);
}

static void write_singles(struct writer *writer, const struct dhcp6_msg *msg)
{
	struct dhcp6_builder *builder = &writer->builder;

	if (msg->has_preference)
		dhcp6_option_put(builder, DHCP6_OPTION_PREFERENCE, &msg->preference,
			sizeof(msg->preference));
	if (msg->has_elapsed)
		dhcp6_option_put_u16(builder, DHCP6_OPTION_ELAPSED_TIME, msg->elapsed_cs);
	if (msg->has_unicast)
		dhcp6_option_put_v6(builder, DHCP6_OPTION_UNICAST, &msg->unicast);
	if (msg->has_rapid_commit)
		dhcp6_option_put(builder, DHCP6_OPTION_RAPID_COMMIT, NULL, 0);
	if (msg->reconf_type != 0)
		dhcp6_option_put(builder, DHCP6_OPTION_RECONF_MSG, &msg->reconf_type,
			sizeof(msg->reconf_type));
	if (msg->has_reconf_accept)
		dhcp6_option_put(builder, DHCP6_OPTION_RECONF_ACCEPT, NULL, 0);
	if (msg->has_info_refresh)
		dhcp6_option_put_u32(builder, DHCP6_OPTION_INFO_REFRESH, msg->info_refresh_s);
	if (msg->has_sol_max_rt)
		dhcp6_option_put_u32(builder, DHCP6_OPTION_SOL_MAX_RT, msg->sol_max_rt_s);
	if (msg->has_inf_max_rt)
		dhcp6_option_put_u32(builder, DHCP6_OPTION_INF_MAX_RT, msg->inf_max_rt_s);
}

int dhcp6_msg_write(
	const struct dhcp6_msg *msg, const struct dhcp6_codes *codes, uint8_t *buf, size_t size)
{
	struct writer writer = {
		.builder = dhcp6_builder_into(buf, size),
		.codes = codes,
		.has_teps = !dhcp6_type_is_clients(msg->type),
	};

	dhcp6_put_u32(&writer.builder, (uint32_t)msg->type << 24 | (msg->xid & 0xffffff));
	write_duid(&writer, DHCP6_OPTION_CLIENT_ID, &msg->client_id);
	write_duid(&writer, DHCP6_OPTION_SERVER_ID, &msg->server_id);
	write_singles(&writer, msg);
	write_oro(&writer, msg);
	write_status(&writer, &msg->status);
	write_ias(&writer, msg);
	write_dstm(&writer, &msg->dstm);
	write_vendor(&writer, &msg->vendor);
	if (msg->s46.present)
		dhcp6_s46_write(&msg->s46, &writer.builder);
	write_auth(&writer, &msg->auth);
	return dhcp6_builder_len(&writer.builder);
}
