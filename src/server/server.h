// SPDX-License-Identifier: BSD-3-Clause
/* The server put together: engine, store, TEP links, front ends and control socket on one event loop. */
#pragma once

#include "server/auth.h"
#include "server/dhcp6_service.h"
#include "server/engine.h"
#include "server/fleet.h"
#include "server/gate.h"
#include "server/listener.h"
#include "server/pool_set.h"
#include "server/records.h"
#include "server/rpc_service.h"
#include "server/server_config.h"
#include "server/store_writer.h"
#include "tsp/tsp_parser.h"

#include <stdint.h>

struct ctl_server;
struct monitor;
struct event;
struct event_base;

/* What has to be there before privilege is given up and the sandbox closes. */
struct srv_inheritance {
	int parser_control;
	struct srv_dhcp6_sockets *dhcp6_sockets; /* NULL: none */
	struct srv_dhcp6_links *dhcp6_links; /* NULL: none is known */
};

struct srv_server {
	struct event_base *base;
	const char *config_path;
	struct srv_config config; /* as it holds now; others borrow it, so it stays where it is */
	struct srv_auth auth;
	struct srv_counters counters;
	int64_t started_ms;
	bool has_failed; /* why the loop ended, unless a signal said so */

	struct srv_fleet fleet;
	struct srv_pool_set pools; /* in the order of config.pools */
	struct srv_quota *quota;
	struct srv_gate *gate;
	struct srv_engine *engine;
	struct srv_records *records; /* NULL: none are kept */
	struct srv_writer *writer;
	int parser_control;
	struct tsp_parser *parser;
	struct srv_listener *listener;
	struct srv_dhcp6_sockets *dhcp6_sockets; /* NULL: none */
	struct srv_dhcp6_links *dhcp6_links; /* NULL: none is known */
	struct srv_dhcp6_service *dhcp6; /* NULL: none */
	struct srv_rpc_service *rpc; /* NULL: none */
	struct ctl_server *ctl;
	struct monitor *monitor; /* NULL: none */
	struct event *tick;
	int64_t quota_since_ms; /* the time in which clients over their quota are told about ... */
	uint32_t quota_told; /* and how many were */
};

/*
 * Opens the store, takes up its leases, dials the TEPs and listens. config and what is inherited are the server's
 * from now on, also on failure. NULL: the reason has been logged.
 */
struct srv_server *srv_server_create(struct event_base *base, const char *config_path,
	struct srv_config *config, const struct srv_inheritance *inheritance);
/* Stops; what was acknowledged is in the store. NULL is allowed. */
void srv_server_destroy(struct srv_server *server);

/* Reads the file again (reload.c): all holds from now on but what needs a restart, or nothing does. */
void srv_server_reload(struct srv_server *server);
/* Reads the users file again. Returns 0, or -errno with a sentence in error: nothing changed. */
int srv_server_reload_users(struct srv_server *server, struct config_error *error);
