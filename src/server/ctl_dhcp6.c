// SPDX-License-Identifier: BSD-3-Clause
#include "server/ctl_dhcp6.h"

#include "common/clock.h"
#include "server/ctl_push.h"
#include "server/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static json_t *v6_json(const struct in6_addr *v6)
{
	char text[ADDR_V6_STRLEN];

	return json_string(addr_v6_format(v6, text));
}

static json_t *duid_json(const struct dhcp6_duid *duid)
{
	char text[DHCP6_DUID_STRLEN];

	return json_string(dhcp6_duid_format(duid, text));
}

/* --- who is known -------------------------------------------------------------------------------- */

static json_t *forms_json(unsigned int forms)
{
	static const struct {
		enum srv_dhcp6_form form;
		const char *name;
	} names[] = {
		{SRV_DHCP6_FORM_DSTM, "dstm"},
		{SRV_DHCP6_FORM_TOP_LEVEL, "top-level"},
		{SRV_DHCP6_FORM_SOFTWIRE, "softwire"},
		{SRV_DHCP6_FORM_VENDOR, "vendor"},
	};
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((forms & names[i].form) != 0)
			json_array_append_new(list, json_string(names[i].name));
	}
	return list;
}

static json_t *client_json(const struct srv_dhcp6_client *client)
{
	return json_pack("{s:o, s:o, s:o, s:i, s:i, s:o, s:b, s:b, s:I}", "client",
		v6_json(&client->tunnel_end), "duid", duid_json(&client->duid), "via",
		v6_json(&client->path.peer.sin6_addr), "port",
		(int)ntohs(client->path.peer.sin6_port), "relays",
		client->relay != NULL ? (int)client->relay->n_levels : 0, "forms",
		forms_json(client->forms), "accepts_reconfigure", (int)client->accepts_reconfigure,
		"has_lease", (int)client->has_lease, "seen_s",
		(json_int_t)(clock_boot_ms() - client->seen_ms) / 1000);
}

static struct srv_dhcp6_service *dhcp6_of(
	struct srv_server *server, char error[static CTL_ERROR_LEN])
{
	if (server->dhcp6 == NULL)
		snprintf(error, CTL_ERROR_LEN, "DHCPv6 is not spoken here: there is no \"dhcpv6\"");
	return server->dhcp6;
}

static json_t *listen_json(const struct srv_dhcp6_service *dhcp6)
{
	const struct srv_dhcp6_sockets *sockets = dhcp6->sockets;
	json_t *list = json_array();
	char text[ADDR_ENDPOINT_STRLEN];

	for (uint32_t i = 0; i < srv_dhcp6_sockets_count(sockets); i++) {
		struct addr_endpoint endpoint = srv_dhcp6_sockets_endpoint(sockets, i);

		json_array_append_new(list, json_string(addr_endpoint_format(&endpoint, text)));
	}
	return list;
}

/* The cursor is the slot to go on at: it stays good while clients come and go. */
json_t *srv_ctl_dhcp6(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	const struct srv_dhcp6_service *dhcp6 = dhcp6_of(arg, error);
	const struct srv_dhcp6_clients *clients;
	json_int_t limit = SRV_CTL_LIMIT_DEFAULT, slot = 0;
	json_t *items;

	if (dhcp6 == NULL ||
		!srv_ctl_number(arguments, "limit", 1, SRV_CTL_LIMIT_MAX, &limit, error) ||
		!srv_ctl_number(arguments, "after", 0, UINT32_MAX, &slot, error))
		return NULL;
	clients = dhcp6->clients;
	items = json_array();
	for (; slot < srv_dhcp6_clients_slots(clients) &&
		(json_int_t)json_array_size(items) < limit;
		slot++) {
		const struct srv_dhcp6_client *client = srv_dhcp6_clients_at(clients, slot);

		if (client != NULL)
			json_array_append_new(items, client_json(client));
	}
	return json_pack("{s:o, s:o, s:i, s:i, s:I, s:i, s:o, s:o}", "duid",
		duid_json(&dhcp6->duid), "listen", listen_json(dhcp6), "known",
		(int)srv_dhcp6_clients_count(clients), "with_lease",
		(int)srv_dhcp6_clients_with_lease(clients), "displaced",
		(json_int_t)srv_dhcp6_clients_displaced(clients), "reconfiguring",
		(int)srv_dhcp6_reconfigure_count(dhcp6->reconfigure), "items", items, "next",
		slot < srv_dhcp6_clients_slots(clients) ? json_integer(slot) : json_null());
}

/* --- telling one --------------------------------------------------------------------------------- */

/* What it is to come with; a Renew where nothing is said. */
static bool type_argument(
	const json_t *arguments, enum dhcp6_type *type, char error[static CTL_ERROR_LEN])
{
	static const struct {
		const char *name;
		enum dhcp6_type type;
	} types[] = {
		{"renew", DHCP6_RENEW},
		{"rebind", DHCP6_REBIND},
		{"information", DHCP6_INFORMATION_REQUEST},
	};
	const json_t *given = json_object_get(arguments, "by");
	const char *text = json_string_value(given);

	*type = DHCP6_RENEW;
	if (given == NULL || json_is_null(given))
		return true;
	for (size_t i = 0; text != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(text, types[i].name) == 0) {
			*type = types[i].type;
			return true;
		}
	}
	snprintf(error, CTL_ERROR_LEN, "\"by\" is not renew, rebind or information");
	return false;
}

/* Of length 0 when it is not there. */
static bool duid_argument(
	const json_t *arguments, struct dhcp6_duid *duid, char error[static CTL_ERROR_LEN])
{
	const json_t *given = json_object_get(arguments, "duid");

	duid->len = 0;
	if (given == NULL || json_is_null(given))
		return true;
	if (json_is_string(given) && dhcp6_duid_parse(json_string_value(given), duid) == 0)
		return true;
	snprintf(error, CTL_ERROR_LEN, "\"duid\" is not a DUID in hexadecimal");
	return false;
}

static const char *error_text(int error)
{
	switch (error) {
	case -ENOENT:
		return "the client is not known over DHCPv6: its DUID has to be given";
	case -EOPNOTSUPP:
		return "the client has not said that it accepts Reconfigure";
	case -EBUSY:
		return "too many clients are being told at the moment";
	default:
		return "out of memory";
	}
}

json_t *srv_ctl_reconfigure(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	struct srv_server *server = arg;
	struct srv_dhcp6_service *dhcp6 = dhcp6_of(server, error);
	struct in6_addr client;
	struct dhcp6_duid duid;
	enum dhcp6_type type;
	int ret;

	if (dhcp6 == NULL || !srv_ctl_client(arguments, &client, error) ||
		!type_argument(arguments, &type, error) || !duid_argument(arguments, &duid, error))
		return NULL;
	if (!server->config.dhcp6.reconfigure) {
		snprintf(error, CTL_ERROR_LEN, "no client has a key: dhcpv6.reconfigure is off");
		return NULL;
	}
	ret = srv_dhcp6_reconfigure_begin(
		dhcp6->reconfigure, &client, duid.len > 0 ? &duid : NULL, type, clock_boot_ms());
	if (ret == 0)
		return json_pack("{s:b}", "begun", 1);
	snprintf(error, CTL_ERROR_LEN, "%s", error_text(ret));
	return NULL;
}
