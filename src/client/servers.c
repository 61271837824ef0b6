// SPDX-License-Identifier: BSD-3-Clause
#include "client/servers.h"

#include "tsp/tsp_msg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* Labels of 1 to 63 characters; one of them at least has a letter, or it would be an IPv4 address. */
static bool is_name(const char *text)
{
	size_t label = 0;
	bool has_letter = false;

	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '.' ? label == 0 : !is_label_char(*p) || label == 63)
			return false;
		label = *p == '.' ? 0 : label + 1;
		has_letter = has_letter || (*p != '.' && (*p < '0' || *p > '9'));
	}
	return has_letter && text[0] != '-' && strlen(text) <= CL_SERVER_NAME_MAX;
}

/* 1 to 65535, nothing else. */
static int parse_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || value == 0 || value > UINT16_MAX)
		return -EINVAL;
	*port = value;
	return 0;
}

static int parse_bracketed(const char *text, struct cl_server *server)
{
	const char *close = strchr(text, ']');
	char addr[ADDR_V6_STRLEN];

	if (close == NULL || (size_t)(close - text) > sizeof(addr))
		return -EINVAL;
	snprintf(addr, sizeof(addr), "%.*s", (int)(close - text - 1), text + 1);
	if (close[1] != '\0' && (close[1] != ':' || parse_port(close + 2, &server->addr.port) < 0))
		return -EINVAL;
	return addr_v6_parse(addr, &server->addr.addr);
}

static int parse_name(const char *text, struct cl_server *server)
{
	size_t len = strcspn(text, ":");

	if (len > CL_SERVER_NAME_MAX)
		return -EINVAL;
	if (text[len] == ':' && parse_port(text + len + 1, &server->addr.port) < 0)
		return -EINVAL;
	memcpy(server->name, text, len);
	server->is_name = true;
	return is_name(server->name) ? 0 : -EINVAL;
}

int cl_server_parse(const char *text, struct cl_server *server)
{
	struct cl_server parsed = {.addr.port = TSP_PORT};
	int ret;

	if (text[0] == '[')
		ret = parse_bracketed(text, &parsed);
	else if (addr_v6_parse(text, &parsed.addr.addr) == 0)
		ret = 0;
	else
		ret = parse_name(text, &parsed);
	if (ret != 0)
		return -EINVAL;
	*server = parsed;
	return 0;
}

const char *cl_server_format(const struct cl_server *server, char buf[static CL_SERVER_STRLEN])
{
	if (server->is_name)
		snprintf(buf, CL_SERVER_STRLEN, "%s:%u", server->name, server->addr.port);
	else
		addr_endpoint_format(&server->addr, buf);
	return buf;
}

uint32_t cl_servers_count(const struct cl_config *config)
{
	if (config->protocol != CL_LINK_TSP)
		return 1;
	return config->server != NULL ? 1 : config->servers.n;
}

void cl_servers_get(const struct cl_config *config, uint32_t index, struct cl_server *server)
{
	const struct cl_server_config *item = config->servers.items;
	const char *tls_name = config->tls_name;

	*server = (struct cl_server){0}; /* loaded texts parse */
	if (config->protocol == CL_LINK_DHCPV6) {
		server->addr = cl_dhcp6_config_server(&config->dhcp6);
		return;
	}
	if (config->protocol == CL_LINK_RPC) {
		cl_server_parse(config->rpc.server, server);
		server->addr.port = (uint16_t)config->rpc.port;
		return;
	}
	if (config->server == NULL && item[index].tls_name != NULL)
		tls_name = item[index].tls_name;
	cl_server_parse(config->server != NULL ? config->server : item[index].name, server);
	server->tls_name = tls_name;
}

bool cl_servers_equal(const struct cl_config *a, const struct cl_config *b)
{
	struct cl_server one, other;
	char text[2][CL_SERVER_STRLEN];

	if (cl_servers_count(a) != cl_servers_count(b))
		return false;
	for (uint32_t i = 0; i < cl_servers_count(a); i++) {
		cl_servers_get(a, i, &one);
		cl_servers_get(b, i, &other);
		if (strcmp(cl_server_format(&one, text[0]), cl_server_format(&other, text[1])) !=
				0 ||
			(one.tls_name == NULL) != (other.tls_name == NULL) ||
			(one.tls_name != NULL && strcmp(one.tls_name, other.tls_name) != 0))
			return false;
	}
	return true;
}

bool cl_server_is_host(const struct in6_addr *addr)
{
	return !IN6_IS_ADDR_UNSPECIFIED(addr) && !IN6_IS_ADDR_MULTICAST(addr) &&
	       !IN6_IS_ADDR_V4MAPPED(addr);
}

static const char *find_fault(const char *text)
{
	struct cl_server server;

	if (cl_server_parse(text, &server) < 0)
		return "server: neither a name nor an IPv6 address, with or without a port";
	if (server.is_name)
		return NULL;
	if (!cl_server_is_host(&server.addr.addr))
		return "server: not the address of a host";
	return NULL;
}

const char *cl_servers_fault(const struct cl_config *config)
{
	const struct cl_server_config *item = config->servers.items;
	const char *fault = NULL;

	if (config->protocol != CL_LINK_TSP)
		return config->protocol == CL_LINK_RPC ? find_fault(config->rpc.server) : NULL;
	if (config->server != NULL && config->servers.n > 0)
		return "server and servers do not go together";
	if (config->server == NULL && config->servers.n == 0)
		return "server: missing: one is required";
	if (config->server != NULL)
		return find_fault(config->server);
	for (uint32_t i = 0; i < config->servers.n && fault == NULL; i++) {
		fault = find_fault(item[i].name);
		if (fault == NULL && item[i].tls_name != NULL && config->tls.ca == NULL)
			fault = "tls: there is no ca to check the server's certificate by";
	}
	return fault;
}
