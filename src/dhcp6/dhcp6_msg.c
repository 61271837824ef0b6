// SPDX-License-Identifier: BSD-3-Clause
#include "dhcp6/dhcp6_msg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

bool dhcp6_codes_are_distinct(const struct dhcp6_codes *codes)
{
	const uint16_t all[] = {codes->ia, codes->tep, codes->ports, codes->client, codes->address};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i] == 0)
			continue;
		if (all[i] < DHCP6_CODE_FIRST_FREE)
			return false;
		for (size_t j = 0; j < i; j++)
			if (all[i] == all[j])
				return false;
	}
	return true;
}

bool dhcp6_type_is_clients(enum dhcp6_type type)
{
	switch (type) {
	case DHCP6_SOLICIT:
	case DHCP6_REQUEST:
	case DHCP6_CONFIRM:
	case DHCP6_RENEW:
	case DHCP6_REBIND:
	case DHCP6_RELEASE:
	case DHCP6_DECLINE:
	case DHCP6_INFORMATION_REQUEST:
		return true;
	default:
		return false;
	}
}

const char *dhcp6_type_name(enum dhcp6_type type)
{
	static const char *const names[] = {
		[DHCP6_SOLICIT] = "Solicit",
		[DHCP6_ADVERTISE] = "Advertise",
		[DHCP6_REQUEST] = "Request",
		[DHCP6_CONFIRM] = "Confirm",
		[DHCP6_RENEW] = "Renew",
		[DHCP6_REBIND] = "Rebind",
		[DHCP6_REPLY] = "Reply",
		[DHCP6_RELEASE] = "Release",
		[DHCP6_DECLINE] = "Decline",
		[DHCP6_RECONFIGURE] = "Reconfigure",
		[DHCP6_INFORMATION_REQUEST] = "Information-request",
		[DHCP6_RELAY_FORW] = "Relay-forward",
		[DHCP6_RELAY_REPL] = "Relay-reply",
	};

	return type < ARRAY_LEN(names) && names[type] != NULL ? names[type] : "unknown";
}

const char *dhcp6_status_name(uint16_t code)
{
	static const char *const names[] = {
		[DHCP6_STATUS_SUCCESS] = "Success",
		[DHCP6_STATUS_UNSPEC_FAIL] = "UnspecFail",
		[DHCP6_STATUS_NO_ADDRS_AVAIL] = "NoAddrsAvail",
		[DHCP6_STATUS_NO_BINDING] = "NoBinding",
		[DHCP6_STATUS_NOT_ON_LINK] = "NotOnLink",
		[DHCP6_STATUS_USE_MULTICAST] = "UseMulticast",
		[DHCP6_STATUS_NO_PREFIX_AVAIL] = "NoPrefixAvail",
	};

	return code < ARRAY_LEN(names) ? names[code] : "unknown";
}

bool dhcp6_msg_asks(const struct dhcp6_msg *msg, uint16_t code)
{
	for (uint32_t i = 0; i < msg->n_oro; i++)
		if (msg->oro[i] == code && code != 0)
			return true;
	return false;
}

void dhcp6_msg_ask(struct dhcp6_msg *msg, uint16_t code)
{
	if (code == 0 || msg->n_oro == DHCP6_ORO_MAX || dhcp6_msg_asks(msg, code))
		return;
	msg->has_oro = true;
	msg->oro[msg->n_oro++] = code;
}

void dhcp6_status_set(struct dhcp6_status *status, uint16_t code, const char *text)
{
	memset(status, 0, sizeof(*status));
	status->present = true;
	status->code = code;
	snprintf(status->text, sizeof(status->text), "%s", text);
}

struct in6_addr dhcp6_v6_of(uint32_t v4)
{
	struct in6_addr addr = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	addr.s6_addr32[3] = htonl(v4);
	return addr;
}

bool dhcp6_v4_of(const struct in6_addr *addr, uint32_t *v4)
{
	if (!IN6_IS_ADDR_V4MAPPED(addr))
		return false;
	*v4 = ntohl(addr->s6_addr32[3]);
	return true;
}

/* --- what belongs into which message ------------------------------------------------------------- */

enum presence {
	MAY,
	MUST,
	MUST_NOT
};

static bool fits(enum presence presence, bool is_there)
{
	return presence == MAY || is_there == (presence == MUST);
}

int dhcp6_msg_check(const struct dhcp6_msg *msg)
{
	static const struct {
		enum presence client_id;
		enum presence server_id;
	} rules[] = {
		[DHCP6_SOLICIT] = {MUST, MUST_NOT},
		[DHCP6_ADVERTISE] = {MUST, MUST},
		[DHCP6_REQUEST] = {MUST, MUST},
		[DHCP6_CONFIRM] = {MUST, MUST_NOT},
		[DHCP6_RENEW] = {MUST, MUST},
		[DHCP6_REBIND] = {MUST, MUST_NOT},
		[DHCP6_REPLY] = {MAY, MUST},
		[DHCP6_RELEASE] = {MUST, MUST},
		[DHCP6_DECLINE] = {MUST, MUST},
		[DHCP6_RECONFIGURE] = {MUST, MUST},
		[DHCP6_INFORMATION_REQUEST] = {MAY, MAY},
	};
	bool has_ia = msg->n_ia_na > 0 || msg->n_ia_pd > 0 || msg->n_ia_dstm > 0;

	if (msg->type < DHCP6_SOLICIT || msg->type > DHCP6_INFORMATION_REQUEST)
		return -EINVAL;
	if (!fits(rules[msg->type].client_id, msg->client_id.len > 0) ||
		!fits(rules[msg->type].server_id, msg->server_id.len > 0))
		return -EINVAL;
	if (msg->type == DHCP6_INFORMATION_REQUEST && has_ia)
		return -EINVAL;
	if (msg->type == DHCP6_RECONFIGURE && (msg->reconf_type == 0 || !msg->auth.present))
		return -EINVAL;
	return 0;
}
