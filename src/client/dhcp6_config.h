// SPDX-License-Identifier: BSD-3-Clause
/*
 * The map dhcpv6 of config/client.yaml: how a DHCPv6 server is asked.
 */
#pragma once

#include "common/addr.h"
#include "common/config.h"
#include "dhcp6/dhcp6_codes.h"

#include <stdbool.h>
#include <stdint.h>

/* In which options the lease is asked for and read. */
enum cl_dhcp6_options {
	CL_DHCP6_DSTM, /* IA_DSTM and what stands in it */
	CL_DHCP6_SOFTWIRE, /* option 96 (RFC 7598) */
	CL_DHCP6_VENDOR, /* the first within option 17 */
};

/* The codes of our own options; they have never been assigned. */
struct cl_dhcp6_codes {
	uint32_t ia, tep, ports, client, address;
};

struct cl_dhcp6_config {
	bool is_given; /* the map stands in the file */
	char *interface; /* the link of our multicasts; NULL: there is a server */
	bool has_server;
	struct in6_addr server; /* with has_server: asked directly */
	uint32_t port; /* ours */
	uint32_t server_port;
	int options; /* enum cl_dhcp6_options */
	bool stateless; /* Information-request instead of an exchange that makes a lease */
	uint32_t vendor; /* enterprise number of option 17 */
	struct cl_dhcp6_codes codes;
	bool rapid_commit; /* two messages instead of four where the server agrees */
	char *duid; /* ours, in hexadecimal; NULL: made from the interface or the host */
};

extern const struct config_section cl_dhcp6_config_section;

/* What is wrong with it under protocol: dhcpv6, a static sentence; NULL: nothing. */
const char *cl_dhcp6_config_fault(const struct cl_dhcp6_config *config);
bool cl_dhcp6_config_equal(const struct cl_dhcp6_config *a, const struct cl_dhcp6_config *b);
struct dhcp6_codes cl_dhcp6_config_codes(const struct cl_dhcp6_config *config);
/* Who is asked: the server, or all servers and relays of the link. */
struct addr_endpoint cl_dhcp6_config_server(const struct cl_dhcp6_config *config);
