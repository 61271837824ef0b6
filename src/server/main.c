// SPDX-License-Identifier: BSD-3-Clause
/* dstm-server: leases IPv4 addresses and port ranges over TSP, DHCPv6 and RPC, and tells the TEPs. */
#include "common/daemon.h"
#include "common/log.h"
#include "common/privileges.h"
#include "server/dhcp6_socket.h"
#include "server/sandbox.h"
#include "server/server.h"
#include "tsp/tsp_parser.h"
#include "tsp/tsp_xml.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void stop(void *arg)
{
	struct srv_server *server = arg;

	event_base_loopbreak(server->base);
}

static void reload(void *arg)
{
	daemon_notify_reloading();
	srv_server_reload(arg);
	daemon_notify_ready();
}

/* Runs until a signal says stop. */
static int run(struct event_base *base, const char *path, struct srv_config *config,
	const struct srv_inheritance *inheritance)
{
	struct srv_server *server = srv_server_create(base, path, config, inheritance);
	struct daemon_signals *signals;
	int exit_code = DAEMON_EXIT_FAILURE;

	if (server == NULL)
		return exit_code;
	signals = daemon_signals_create(base, stop, reload, server);
	if (signals == NULL) {
		log_err("signals: cannot be handled");
	} else {
		daemon_notify_ready();
		if (event_base_dispatch(base) >= 0 && !server->has_failed)
			exit_code = DAEMON_EXIT_OK;
		daemon_notify_stopping();
	}
	daemon_signals_destroy(signals);
	srv_server_destroy(server);
	return exit_code;
}

/* What the configuration names has to be readable too. */
static int check_files(struct srv_config *config)
{
	struct srv_auth_files files;
	struct config_error error;
	int ret = srv_auth_load(config, &files, &error);

	if (ret < 0)
		fprintf(stderr, "%s\n", error.text);
	srv_auth_free_files(&files);
	srv_config_free(config);
	return ret < 0 ? DAEMON_EXIT_CONFIG : DAEMON_EXIT_OK;
}

/* Port 547 is for the privileged. Returns 0 or -errno. */
static int open_dhcp6(const struct srv_dhcp6_config *config, struct srv_inheritance *inheritance)
{
	const struct srv_dhcp6_sockets_params params = {
		.interfaces = config->interfaces.items,
		.n_interfaces = config->interfaces.n,
		.listen = config->listen.items,
		.n_listen = config->listen.n,
		.port = SRV_DHCP6_PORT,
	};

	if (!config->is_on)
		return 0;
	inheritance->dhcp6_links = srv_dhcp6_links_open(NULL);
	if (inheritance->dhcp6_links == NULL)
		log_warn("dhcpv6: the prefixes of links are not known: %s", strerror(errno));
	inheritance->dhcp6_sockets = srv_dhcp6_sockets_open(&params);
	return inheritance->dhcp6_sockets != NULL ? 0 : -errno;
}

/*
 * From here on without privilege: nothing but the sockets of DHCPv6 has been opened yet. The parser has to be
 * started before the sandbox, which leaves no way to start anything. Returns 0 or -errno.
 */
static int confine(
	const struct srv_config *config, const char *path, struct srv_inheritance *inheritance)
{
	int ret = open_dhcp6(&config->dhcp6, inheritance);

	if (ret == 0)
		ret = privileges_drop(config->user);
	if (ret == 0)
		ret = inheritance->parser_control = tsp_parser_spawn(config->sandbox);
	if (ret >= 0)
		ret = srv_sandbox_enter(config, path);
	if (ret >= 0)
		return 0;
	close(inheritance->parser_control);
	srv_dhcp6_sockets_close(inheritance->dhcp6_sockets);
	srv_dhcp6_links_close(inheritance->dhcp6_links);
	return ret;
}

int main(int argc, char **argv)
{
	struct daemon_options options = {.config_path = "/etc/dstm/server.yaml"};
	struct config_error error;
	struct srv_config config;
	struct srv_inheritance inheritance = {.parser_control = -1};
	struct event_base *base = NULL;
	int exit_code;

	if (argc > 1 && strcmp(argv[1], TSP_PARSER_ARGUMENT) == 0)
		return tsp_parser_main(argc, argv);
	if (daemon_parse_options(argc, argv, &options, &exit_code) != 0)
		return exit_code;
	if (srv_config_load(options.config_path, &config, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return DAEMON_EXIT_CONFIG;
	}
	if (options.check_only)
		return check_files(&config);
	if (confine(&config, options.config_path, &inheritance) == 0)
		base = event_base_new();
	if (base == NULL) {
		log_err("server: cannot start");
		srv_config_free(&config);
		return DAEMON_EXIT_FAILURE;
	}
	exit_code = run(base, options.config_path, &config, &inheritance);
	event_base_free(base);
	tsp_xml_cleanup();
	return exit_code;
}
