// SPDX-License-Identifier: BSD-3-Clause
#include "server/ctl_push.h"

#include "common/clock.h"
#include "server/server.h"

#include <errno.h>
#include <stdio.h>

bool srv_ctl_client(
	const json_t *arguments, struct in6_addr *client, char error[static CTL_ERROR_LEN])
{
	const char *text = json_string_value(json_object_get(arguments, "client"));

	if (text != NULL && addr_v6_parse(text, client) == 0 && addr_v6_is_global(client))
		return true;
	snprintf(error, CTL_ERROR_LEN, "\"client\" is not the IPv6 address of a client");
	return false;
}

/* 0 when it is not there. */
static bool v4_argument(const json_t *arguments, uint32_t *v4, char error[static CTL_ERROR_LEN])
{
	const json_t *given = json_object_get(arguments, "v4");

	*v4 = 0;
	if (given == NULL || json_is_null(given))
		return true;
	if (json_is_string(given) && addr_v4_parse(json_string_value(given), v4) == 0)
		return true;
	snprintf(error, CTL_ERROR_LEN, "\"v4\" is not an IPv4 address");
	return false;
}

static const char *error_text(int error)
{
	switch (error) {
	case -EBUSY:
		return "the client has a lease already, or a request under way";
	case -EDQUOT:
		return "the client would have more than its quota";
	case -ENOSPC:
		return "no pool has room for the client";
	default:
		return "out of memory";
	}
}

/* Without "ports" a whole address, with 0 a range of any size. */
json_t *srv_ctl_push_create(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	struct srv_server *server = arg;
	struct srv_wish wish = {.lifetime_s = server->config.lease.lifetime_s};
	struct srv_session *session;
	json_int_t ports = -1;
	int ret;

	if (!srv_ctl_client(arguments, &wish.client_v6, error) ||
		!srv_ctl_number(arguments, "ports", 0, UINT16_MAX, &ports, error))
		return NULL;
	wish.shared = ports >= 0;
	wish.ports = ports > 0 ? ports : 0;
	session = srv_listener_find(server->listener, &wish.client_v6);
	if (session == NULL) {
		snprintf(error, CTL_ERROR_LEN, "the client has no session of generation 1 open");
		return NULL;
	}
	ret = srv_engine_push_create(server->engine, session, &wish, clock_boot_ms());
	if (ret == 0)
		return json_pack("{s:b}", "begun", 1);
	snprintf(error, CTL_ERROR_LEN, "%s", error_text(ret));
	return NULL;
}

/* Who took its lease over DHCPv6 asks for it again, and hears that it is gone; over TSP the engine tells. */
static void tell_by_dhcp6(struct srv_server *server, const struct in6_addr *client)
{
	if (server->dhcp6 == NULL)
		return;
	srv_dhcp6_reconfigure_begin(
		server->dhcp6->reconfigure, client, NULL, DHCP6_RENEW, clock_boot_ms());
}

json_t *srv_ctl_push_delete(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	struct srv_server *server = arg;
	struct in6_addr client;
	uint32_t v4, ended;

	if (!srv_ctl_client(arguments, &client, error) || !v4_argument(arguments, &v4, error))
		return NULL;
	ended = srv_engine_push_delete(server->engine, &client, v4, clock_boot_ms());
	if (ended > 0)
		tell_by_dhcp6(server, &client);
	return json_pack("{s:i}", "ended", (int)ended);
}
