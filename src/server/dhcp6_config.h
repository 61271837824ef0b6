// SPDX-License-Identifier: BSD-3-Clause
/* The part "dhcpv6" of the configuration: who is answered over DHCPv6, where, and with which options. */
#pragma once

#include "common/config.h"

#include <stdbool.h>
#include <stdint.h>

#define SRV_DHCP6_INTERFACES_MAX 16
#define SRV_DHCP6_LISTEN_MAX     16

/* What the server is to the clients of its links. */
enum srv_dhcp6_role {
	SRV_DHCP6_SERVER, /* their DHCPv6 server */
	SRV_DHCP6_COMPANION, /* beside another one: silent unless our options are asked for */
	SRV_DHCP6_STATELESS, /* the same, and answers Information-request alone */
};

/* A client that has a name, as far as leases and quotas go. */
struct srv_dhcp6_user {
	struct config_pos pos;
	char *duid; /* hexadecimal, colons allowed */
	char *user;
};

/* The option codes of IA_DSTM and its company; in option 17 they are its sub-options'. */
struct srv_dhcp6_codes {
	uint32_t ia;
	uint32_t tep;
	uint32_t ports;
	uint32_t client;
	uint32_t address;
};

struct srv_dhcp6_config {
	struct config_pos pos;
	bool is_on; /* the section is there */
	struct config_list interfaces; /* char *: where multicasts are heard */
	struct config_list listen; /* struct addr_endpoint: where relays send to, and unicast */
	int role; /* enum srv_dhcp6_role */
	struct addr_v6_prefix addresses; /* IA_NA gets one of these; len 0: IA_NA is not answered */
	uint32_t preference; /* 0: not named */
	bool rapid_commit;
	bool unicast; /* clients may write to listen themselves (RFC 8415 section 21.12) */
	bool softwire; /* option 96 for who asks for it */
	uint32_t vendor; /* enterprise number of option 17; 0: none */
	struct srv_dhcp6_codes codes;
	struct config_list users; /* struct srv_dhcp6_user */
	struct config_list relays; /* struct addr_v6_prefix: whose word for a client counts */
	bool reconfigure; /* clients that accept it get a key */
	uint32_t exchanges; /* under way at once */
	char *duid; /* the server's, hexadecimal; NULL: made from /etc/machine-id */
	char *secret_file; /* NULL: beside the store */
};

extern const struct config_section srv_dhcp6_config_section;

/* Returns 0, or -EINVAL with a sentence in error. */
int srv_dhcp6_config_check(
	const char *path, const struct srv_dhcp6_config *config, struct config_error *error);
/* True when the two differ only in what a reload can change. */
bool srv_dhcp6_config_same_fixtures(
	const struct srv_dhcp6_config *a, const struct srv_dhcp6_config *b);
/* Gives each the other's fixtures. */
void srv_dhcp6_config_swap_fixtures(struct srv_dhcp6_config *a, struct srv_dhcp6_config *b);
