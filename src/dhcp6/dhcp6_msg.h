// SPDX-License-Identifier: BSD-3-Clause
/*
 * A DHCPv6 message as a value: what the octets between client and server say (RFC 8415), as far as
 * a lease of IPv4 needs it. Relays wrap messages; dhcp6_relay.h takes them off and puts them on.
 *
 * Reading believes no length and no count. What it does not know it skips, as the standard asks;
 * what contradicts itself, or is more than this value holds, makes the whole message unreadable:
 * half a message would be half a lease. Option requests alone may be cut to DHCP6_ORO_MAX codes.
 *
 * What is written reads back as the same value. One thing is not written, and not read either:
 * a TEP in a message from a client (R42).
 */
#pragma once

#include "common/lease.h"
#include "dhcp6/dhcp6_codes.h"
#include "dhcp6/dhcp6_duid.h"
#include "dhcp6/dhcp6_option.h"
#include "dhcp6/dhcp6_s46.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP6_PORT_CLIENT 546
#define DHCP6_PORT_SERVER 547

#define DHCP6_MSG_MAX   65527 /* octets of a datagram that we read */
#define DHCP6_SEND_MAX  1232 /* what every IPv6 link carries in one packet */
#define DHCP6_IAS_MAX   8
#define DHCP6_ADDRS_MAX 8
#define DHCP6_ORO_MAX   64
#define DHCP6_TEXT_MAX  63 /* of a status, and NUL */
#define DHCP6_AUTH_MAX  64 /* octets of authentication information */

enum dhcp6_type {
	DHCP6_SOLICIT = 1,
	DHCP6_ADVERTISE = 2,
	DHCP6_REQUEST = 3,
	DHCP6_CONFIRM = 4,
	DHCP6_RENEW = 5,
	DHCP6_REBIND = 6,
	DHCP6_REPLY = 7,
	DHCP6_RELEASE = 8,
	DHCP6_DECLINE = 9,
	DHCP6_RECONFIGURE = 10,
	DHCP6_INFORMATION_REQUEST = 11,
	DHCP6_RELAY_FORW = 12,
	DHCP6_RELAY_REPL = 13,
};

enum dhcp6_status_code {
	DHCP6_STATUS_SUCCESS = 0,
	DHCP6_STATUS_UNSPEC_FAIL = 1,
	DHCP6_STATUS_NO_ADDRS_AVAIL = 2,
	DHCP6_STATUS_NO_BINDING = 3,
	DHCP6_STATUS_NOT_ON_LINK = 4,
	DHCP6_STATUS_USE_MULTICAST = 5,
	DHCP6_STATUS_NO_PREFIX_AVAIL = 6,
};

struct dhcp6_status {
	bool present;
	uint16_t code; /* enum dhcp6_status_code, or another */
	char text[DHCP6_TEXT_MAX + 1]; /* printable ASCII; '?' for every other octet */
};

/* Our own options, wherever they stand: in an IA, at the top, in a vendor option. */
struct dhcp6_dstm {
	uint32_t n_teps;
	struct in6_addr teps[DHCP6_TEPS_MAX]; /* the first few; never in a client's message */
	uint32_t n_ranges;
	struct port_range ranges[LEASE_RANGES_MAX]; /* no two overlap */
	bool has_client;
	bool has_v4;
	struct in6_addr client;
	uint32_t v4; /* host order */
};

/* An IAADDR. */
struct dhcp6_addr {
	struct in6_addr addr; /* in an IA_DSTM IPv4-mapped: dhcp6_v4_of() */
	uint32_t preferred_s;
	uint32_t valid_s; /* UINT32_MAX: endless */
	bool has_status;
	uint16_t status;
	uint32_t n_ranges; /* of this address; 0: what the IA says is meant */
	struct port_range ranges[LEASE_RANGES_MAX];
};

/* IA_NA (dstm stays empty) or IA_DSTM. */
struct dhcp6_ia {
	uint32_t iaid;
	uint32_t t1_s;
	uint32_t t2_s;
	struct dhcp6_status status;
	struct dhcp6_dstm dstm;
	uint32_t n_addrs;
	struct dhcp6_addr addrs[DHCP6_ADDRS_MAX];
};

/* IA_PD: we delegate no prefixes; only what a refusal needs. */
struct dhcp6_ia_pd {
	uint32_t iaid;
	struct dhcp6_status status;
};

/* Option 11; dhcp6_auth.h knows the one protocol that is left. */
struct dhcp6_auth {
	bool present;
	uint8_t protocol;
	uint8_t algorithm;
	uint8_t rdm;
	uint64_t replay;
	uint32_t info_len;
	uint8_t info[DHCP6_AUTH_MAX];
};

/* Option 17 under codes->vendor; those of others are skipped. */
struct dhcp6_vendor {
	bool present;
	bool has_ia;
	struct dhcp6_dstm dstm;
	struct dhcp6_ia ia;
};

struct dhcp6_msg {
	enum dhcp6_type type; /* SOLICIT to INFORMATION_REQUEST */
	uint32_t xid; /* 24 bits */
	struct dhcp6_duid client_id; /* len 0: absent */
	struct dhcp6_duid server_id;
	bool has_elapsed;
	bool has_preference;
	bool has_unicast;
	bool has_rapid_commit;
	bool has_reconf_accept;
	bool has_info_refresh;
	bool has_sol_max_rt;
	bool has_inf_max_rt;
	bool has_oro;
	uint16_t elapsed_cs; /* hundredths of a second, as the wire has it */
	uint8_t preference;
	uint8_t reconf_type; /* option 19: RENEW, REBIND or INFORMATION_REQUEST; 0: absent */
	uint32_t info_refresh_s;
	uint32_t sol_max_rt_s;
	uint32_t inf_max_rt_s;
	struct in6_addr unicast;
	struct dhcp6_status status;
	struct dhcp6_auth auth;
	uint32_t n_oro;
	uint16_t oro[DHCP6_ORO_MAX];
	uint32_t n_ia_na;
	uint32_t n_ia_pd;
	uint32_t n_ia_dstm;
	struct dhcp6_ia ia_na[DHCP6_IAS_MAX];
	struct dhcp6_ia_pd ia_pd[DHCP6_IAS_MAX];
	struct dhcp6_ia ia_dstm[DHCP6_IAS_MAX];
	struct dhcp6_dstm dstm; /* at the top level */
	struct dhcp6_vendor vendor;
	struct dhcp6_s46 s46;
};

/*
 * Reads a whole message, relays taken off. Returns 0; -EINVAL for what is no message or contradicts
 * itself (an option that may stand once stands twice, a length is wrong, ranges overlap); -E2BIG for
 * more IAs, addresses or ranges than this value holds. *msg means nothing after an error.
 */
int dhcp6_msg_read(
	const void *data, size_t len, const struct dhcp6_codes *codes, struct dhcp6_msg *msg);

/* Returns how many octets it wrote, or -EMSGSIZE. */
int dhcp6_msg_write(
	const struct dhcp6_msg *msg, const struct dhcp6_codes *codes, uint8_t *buf, size_t size);

/*
 * Which identifiers a message of its type must and must not have, and no IA in an
 * Information-request (RFC 8415 section 16). Whether a server identifier is ours, and whether a
 * Reconfigure is genuine, is for others. Returns 0 or -EINVAL.
 */
int dhcp6_msg_check(const struct dhcp6_msg *msg);

/* True for the types that clients send. */
bool dhcp6_type_is_clients(enum dhcp6_type type);
/* "Solicit"; "unknown". */
const char *dhcp6_type_name(enum dhcp6_type type);
/* "NoAddrsAvail"; "unknown". */
const char *dhcp6_status_name(uint16_t code);

/* The option request holds the code; never code 0. */
bool dhcp6_msg_asks(const struct dhcp6_msg *msg, uint16_t code);
/* Adds it; one more than DHCP6_ORO_MAX and code 0 are left out. */
void dhcp6_msg_ask(struct dhcp6_msg *msg, uint16_t code);

/* text is cut to DHCP6_TEXT_MAX. */
void dhcp6_status_set(struct dhcp6_status *status, uint16_t code, const char *text);

/* IPv4-mapped IPv6 addresses (::ffff:a.b.c.d), in host order. */
struct in6_addr dhcp6_v6_of(uint32_t v4);
/* False when the address is none. */
bool dhcp6_v4_of(const struct in6_addr *addr, uint32_t *v4);
