// SPDX-License-Identifier: BSD-3-Clause
/*
 * The servers of the configuration, in order of preference: what is written there, as values.
 *
 * A server is a name or an IPv6 address, with or without a port: "dstm.example.net",
 * "dstm.example.net:3653", "2001:db8::53", "[2001:db8::53]", "[2001:db8::53]:3653".
 */
#pragma once

#include "client/client_config.h"
#include "common/addr.h"

#include <stdbool.h>
#include <stdint.h>

#define CL_SERVERS_MAX     8
#define CL_SERVER_NAME_MAX 253
#define CL_SERVER_STRLEN   264 /* a name, "[", "]", ":65535" and NUL */

struct cl_server {
	bool is_name; /* to be looked up; else addr.addr is it */
	char name[CL_SERVER_NAME_MAX + 1]; /* with is_name */
	struct addr_endpoint addr; /* addr.port holds for names, too */
	const char *tls_name; /* whom its certificate is for; NULL: its address. Borrowed */
};

/* Returns 0, or -EINVAL and leaves the output alone. tls_name becomes NULL. */
int cl_server_parse(const char *text, struct cl_server *server);
const char *cl_server_format(const struct cl_server *server, char buf[static CL_SERVER_STRLEN]);

/* False for what no server can be reached at over IPv6: a group, an IPv4 address in disguise. */
bool cl_server_is_host(const struct in6_addr *addr);

/* How many the configuration names: at least one in a configuration that was loaded. */
uint32_t cl_servers_count(const struct cl_config *config);
/* The one at this place; strings are borrowed from config. */
void cl_servers_get(const struct cl_config *config, uint32_t index, struct cl_server *server);
/* True when both name the same servers in the same order. */
bool cl_servers_equal(const struct cl_config *a, const struct cl_config *b);
/* What is wrong with them, a static sentence; NULL: nothing. */
const char *cl_servers_fault(const struct cl_config *config);
