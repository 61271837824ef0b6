// SPDX-License-Identifier: BSD-3-Clause
/*
 * What test_scapy.py speaks to: the codec behind standard input and output.
 *
 * scapy_peer write: prints the messages below, a line each: name, octets in hex.
 * scapy_peer read:  reads a message in hex a line, relays and all; prints what it says, in JSON.
 */
#include "common/addr.h"
#include "dhcp6/dhcp6_auth.h"
#include "dhcp6/dhcp6_lease.h"
#include "dhcp6/dhcp6_msg.h"
#include "dhcp6/dhcp6_relay.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct dhcp6_codes codes = DHCP6_CODES_DEFAULT;

/* --- writing ------------------------------------------------------------------------------------- */

static void print_hex(const char *name, const uint8_t *octets, int len)
{
	printf("%s ", name);
	for (int i = 0; i < len; i++)
		printf("%02x", octets[i]);
	printf("\n");
}

static struct lease lease_of(uint32_t n_ranges)
{
	struct lease lease = {
		.v4 = 0xc6336407, .n_ranges = n_ranges, .ranges = {{1024, 2047}, {4096, 5119}}};

	addr_v6_parse("2001:db8:1::17", &lease.client_v6);
	addr_v6_parse("2001:db8:0:64::1", &lease.tep_v6);
	return lease;
}

static struct dhcp6_msg message_of(enum dhcp6_type type)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x17};
	static const uint8_t uuid[16] = "0123456789abcdef";
	struct dhcp6_msg msg = {.type = type, .xid = 0xa1b2c3};

	msg.client_id = dhcp6_duid_from_mac(mac);
	msg.server_id = dhcp6_duid_from_uuid(uuid);
	return msg;
}

/* A Reply that says the same in each form. */
static struct dhcp6_msg reply_of(uint32_t n_ranges)
{
	struct dhcp6_msg msg = message_of(DHCP6_REPLY);
	struct lease lease = lease_of(n_ranges);
	struct dhcp6_times times = dhcp6_times_of(3600);

	msg.n_ia_dstm = 1;
	dhcp6_ia_from_lease(&msg.ia_dstm[0], 1, &lease, &times);
	dhcp6_dstm_from_lease(&msg.dstm, &lease);
	msg.vendor.present = true;
	dhcp6_dstm_from_lease(&msg.vendor.dstm, &lease);
	dhcp6_s46_from_lease(&msg.s46, &lease);
	return msg;
}

/* Everything that the standard has and a lease has not. */
static struct dhcp6_msg advertise(void)
{
	struct dhcp6_msg msg = message_of(DHCP6_ADVERTISE);
	struct lease lease = lease_of(1);

	msg.has_preference = msg.has_unicast = msg.has_rapid_commit = msg.has_reconf_accept = true;
	msg.has_info_refresh = msg.has_elapsed = true;
	msg.preference = 200;
	msg.elapsed_cs = 300;
	msg.info_refresh_s = 1800;
	msg.unicast = lease.tep_v6;
	dhcp6_msg_ask(&msg, 96);
	dhcp6_msg_ask(&msg, codes.tep);
	dhcp6_status_set(&msg.status, DHCP6_STATUS_UNSPEC_FAIL, "not now");
	msg.n_ia_na = 1;
	msg.ia_na[0] = (struct dhcp6_ia){.iaid = 3, .t1_s = 10, .t2_s = 20, .n_addrs = 1};
	msg.ia_na[0].addrs[0] = (struct dhcp6_addr){
		.addr = lease.client_v6, .preferred_s = 30, .valid_s = 40};
	msg.n_ia_pd = 1;
	msg.ia_pd[0].iaid = 4;
	dhcp6_status_set(&msg.ia_pd[0].status, DHCP6_STATUS_NO_PREFIX_AVAIL, "none");
	return msg;
}

static void print_message(const char *name, const struct dhcp6_msg *msg)
{
	uint8_t buf[DHCP6_SEND_MAX];

	print_hex(name, buf, dhcp6_msg_write(msg, &codes, buf, sizeof(buf)));
}

static void print_reconfigure(void)
{
	static const uint8_t key[DHCP6_AUTH_KEY_LEN] = "sixteen octets.";
	struct dhcp6_msg msg = message_of(DHCP6_RECONFIGURE);
	uint8_t buf[DHCP6_SEND_MAX];
	int len;

	msg.xid = 0;
	msg.reconf_type = DHCP6_RENEW;
	dhcp6_msg_ask(&msg, codes.ia);
	dhcp6_auth_set_hmac(&msg.auth, 7);
	len = dhcp6_msg_write(&msg, &codes, buf, sizeof(buf));
	if (len < 0 || dhcp6_auth_sign(buf, (size_t)len, key) != 0)
		exit(EXIT_FAILURE);
	print_hex("reconfigure", buf, len);
}

static void write_all(void)
{
	struct dhcp6_msg msg = reply_of(1);

	print_message("reply", &msg);
	msg = reply_of(2);
	print_message("ranges", &msg);
	msg = advertise();
	print_message("advertise", &msg);
	print_reconfigure();
}

/* --- reading ------------------------------------------------------------------------------------- */

static json_t *text_of(const struct in6_addr *addr)
{
	char buf[ADDR_V6_STRLEN];

	return json_string(addr_v6_format(addr, buf));
}

static json_t *duid_of(const struct dhcp6_duid *duid)
{
	char buf[DHCP6_DUID_STRLEN];

	return json_string(dhcp6_duid_format(duid, buf));
}

static json_t *ranges_of(const struct port_range *ranges, uint32_t n)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("[ii]", ranges[i].first, ranges[i].last));
	return list;
}

static json_t *dstm_of(const struct dhcp6_dstm *dstm)
{
	return json_pack("{s:i, s:o*, s:o, s:o*}", "v4", (int)dstm->v4, "tep",
		dstm->n_teps > 0 ? text_of(&dstm->teps[0]) : NULL, "ranges",
		ranges_of(dstm->ranges, dstm->n_ranges), "client",
		dstm->has_client ? text_of(&dstm->client) : NULL);
}

static json_t *ias_of(const struct dhcp6_ia *ias, uint32_t n)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < n; i++) {
		json_t *addrs = json_array();

		for (uint32_t j = 0; j < ias[i].n_addrs; j++) {
			const struct dhcp6_addr *addr = &ias[i].addrs[j];

			json_array_append_new(addrs,
				json_pack("{s:o, s:I, s:I, s:o}", "addr", text_of(&addr->addr),
					"preferred", (json_int_t)addr->preferred_s, "valid",
					(json_int_t)addr->valid_s, "ranges",
					ranges_of(addr->ranges, addr->n_ranges)));
		}
		json_array_append_new(list,
			json_pack("{s:I, s:I, s:I, s:o, s:o, s:s}", "iaid", (json_int_t)ias[i].iaid,
				"t1", (json_int_t)ias[i].t1_s, "t2", (json_int_t)ias[i].t2_s,
				"addrs", addrs, "dstm", dstm_of(&ias[i].dstm), "status",
				ias[i].status.present ? dhcp6_status_name(ias[i].status.code)
						      : ""));
	}
	return list;
}

static json_t *levels_of(const struct dhcp6_relay *relay)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < relay->n_levels; i++) {
		const struct dhcp6_relay_level *level = &relay->levels[i];

		json_array_append_new(list,
			json_pack("{s:i, s:o, s:o, s:s%}", "hops", level->hop_count, "link",
				text_of(&level->link), "peer", text_of(&level->peer), "interface",
				(const char *)relay->ids + level->id_at, (size_t)level->id_len));
	}
	return list;
}

static json_t *message_in_json(const struct dhcp6_msg *msg, const struct dhcp6_relay *relay)
{
	json_t *oro = json_array();

	for (uint32_t i = 0; i < msg->n_oro; i++)
		json_array_append_new(oro, json_integer(msg->oro[i]));
	return json_pack("{s:s, s:i, s:o, s:o, s:i, s:i, s:b, s:b, s:i, s:I, s:o, s:o, s:o, s:o, "
			 "s:s, s:s, s:i, s:o}",
		"type", dhcp6_type_name(msg->type), "xid", (int)msg->xid, "client_id",
		duid_of(&msg->client_id), "server_id", duid_of(&msg->server_id), "elapsed",
		msg->elapsed_cs, "preference", msg->preference, "rapid_commit",
		msg->has_rapid_commit, "reconf_accept", msg->has_reconf_accept, "reconf_type",
		msg->reconf_type, "info_refresh", (json_int_t)msg->info_refresh_s, "unicast",
		text_of(&msg->unicast), "oro", oro, "ia_na", ias_of(msg->ia_na, msg->n_ia_na),
		"ia_dstm", ias_of(msg->ia_dstm, msg->n_ia_dstm), "status",
		msg->status.present ? dhcp6_status_name(msg->status.code) : "", "text",
		msg->status.text, "ia_pd", (int)msg->n_ia_pd, "relays", levels_of(relay));
}

static void read_line(const char *line)
{
	static uint8_t octets[DHCP6_MSG_MAX];
	static struct dhcp6_msg msg;
	struct dhcp6_relay relay;
	const uint8_t *inner;
	size_t len = 0;
	size_t inner_len;
	json_t *json;
	int rc;

	while (len < sizeof(octets) && sscanf(line + 2 * len, "%2hhx", &octets[len]) == 1)
		len++;
	rc = dhcp6_relay_open(octets, len, &relay, &inner, &inner_len);
	if (rc == 0)
		rc = dhcp6_msg_read(inner, inner_len, &codes, &msg);
	json = rc == 0 ? message_in_json(&msg, &relay) : json_pack("{s:i}", "error", rc);
	json_dumpf(json, stdout, 0);
	printf("\n");
	json_decref(json);
}

int main(int argc, char **argv)
{
	char *line = NULL;
	size_t size = 0;

	if (argc == 2 && strcmp(argv[1], "write") == 0) {
		write_all();
		return EXIT_SUCCESS;
	}
	while (getline(&line, &size, stdin) > 0)
		read_line(line);
	free(line);
	return EXIT_SUCCESS;
}
