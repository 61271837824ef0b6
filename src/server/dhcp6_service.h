// SPDX-License-Identifier: BSD-3-Clause
/* All of the server's DHCPv6 put together: what is known by which name, and the front end between sockets and engine. */
#pragma once

#include "dhcp6/dhcp6_codes.h"
#include "dhcp6/dhcp6_duid.h"
#include "server/dhcp6_clients.h"
#include "server/dhcp6_front.h"
#include "server/dhcp6_links.h"
#include "server/dhcp6_reconfigure.h"
#include "server/dhcp6_secret.h"
#include "server/dhcp6_socket.h"

#include <stdint.h>

struct event_base;

struct srv_dhcp6_service {
	const struct srv_config *config; /* borrowed, as the next two */
	struct srv_dhcp6_sockets *sockets;
	struct srv_dhcp6_links *links;
	struct dhcp6_duid duid;
	struct dhcp6_codes codes;
	struct srv_dhcp6_secret secret;
	struct srv_dhcp6_clients *clients;
	struct srv_dhcp6_reconfigure *reconfigure;
	struct srv_dhcp6_front *front;
};

struct srv_dhcp6_service_params {
	struct event_base *base;
	const struct srv_config *config;
	struct srv_engine *engine;
	struct srv_counters *counters;
	struct srv_dhcp6_sockets *sockets;
	struct srv_dhcp6_links *links; /* NULL: none is known */
};

/* Answers from now on. NULL + errno, with the reason logged. */
struct srv_dhcp6_service *srv_dhcp6_service_create(const struct srv_dhcp6_service_params *params);
/* Before sockets and engine go. NULL is allowed. */
void srv_dhcp6_service_destroy(struct srv_dhcp6_service *service);

/* A few times a second. */
void srv_dhcp6_service_tick(struct srv_dhcp6_service *service, int64_t now_ms);
/* config has changed. */
void srv_dhcp6_service_reload(struct srv_dhcp6_service *service);
