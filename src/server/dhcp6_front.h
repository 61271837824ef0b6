// SPDX-License-Identifier: BSD-3-Clause
/*
 * The DHCPv6 front end (RFC 8415): a message in, an answer out, and between the two, where it is about a lease, an exchange
 * with the engine. Leases are the engine's alone (R10).
 *
 *	Solicit			Advertise of what a Request would get; with Rapid Commit as Request
 *	Request, Renew, Rebind	the lease is made or goes on, the TEP knows it, then the Reply
 *	Information-request	the same for who asks for our options and has no IA
 *	Release, Decline	the lease ends
 *	Confirm			whether the addresses that we gave are of the link still
 *
 * What is not for us, or not as the standard has it, is dropped and counted by its reason. In the roles companion and
 * stateless another server serves the link: we say nothing unless we are asked for what only we have.
 *
 * No sockets, no clock. One thread. Times are clock_boot_ms().
 */
#pragma once

#include "dhcp6/dhcp6_duid.h"
#include "server/counters.h"
#include "server/dhcp6_clients.h"
#include "server/dhcp6_links.h"
#include "server/dhcp6_reconfigure.h"
#include "server/dhcp6_secret.h"
#include "server/dhcp6_socket.h"
#include "server/engine.h"
#include "server/server_config.h"

#include <stddef.h>
#include <stdint.h>

struct srv_dhcp6_front;

/* All borrowed. */
struct srv_dhcp6_front_params {
	struct srv_engine *engine;
	struct srv_counters *counters;
	const struct srv_config *config; /* a reload changes it in place */
	const struct dhcp6_duid *duid; /* the server's */
	const struct srv_dhcp6_secret *secret;
	struct srv_dhcp6_clients *clients;
	struct srv_dhcp6_reconfigure *reconfigure;
	struct srv_dhcp6_links *links; /* NULL: none is known */
	void (*send)(void *arg, const struct srv_dhcp6_path *path, const void *data, size_t len);
	void *arg;
};

/* NULL + errno. */
struct srv_dhcp6_front *srv_dhcp6_front_create(const struct srv_dhcp6_front_params *params);
/* Exchanges under way stay without an answer. The engine must still be there. NULL is allowed. */
void srv_dhcp6_front_destroy(struct srv_dhcp6_front *front, int64_t now_ms);

/* A datagram; its octets are needed no longer than this takes. */
void srv_dhcp6_front_came(
	struct srv_dhcp6_front *front, const struct srv_dhcp6_datagram *datagram, int64_t now_ms);
/* A few times a second. */
void srv_dhcp6_front_tick(struct srv_dhcp6_front *front, int64_t now_ms);
/* After a reload: config has changed. Exchanges under way go on. Returns 0 or -ENOMEM: names stay as they were. */
int srv_dhcp6_front_reload(struct srv_dhcp6_front *front);

/* Exchanges under way. */
uint32_t srv_dhcp6_front_exchanges(const struct srv_dhcp6_front *front);
