// SPDX-License-Identifier: BSD-3-Clause
/*
 * The DHCPv6 clients that are known: which DUID speaks for a tunnel end, and how to reach it unasked.
 *
 * Two things need that. A Reconfigure goes to the client by the way that its last message came (R36). And while a
 * lease is held for a tunnel end, no other DUID may speak for it: without that, a host could have its neighbour's
 * lease by naming its address.
 *
 * A client is noted when it is answered, not when it asks: who only sends Solicits from new DUIDs takes no room
 * here. There is room for so many; the one that was quiet for longest goes, and who has no lease goes before who
 * has. A tunnel end has one DUID, a DUID may have several tunnel ends. Hashed with secrets, because clients choose
 * both. Pure, one thread.
 */
#pragma once

#include "dhcp6/dhcp6_duid.h"
#include "dhcp6/dhcp6_relay.h"
#include "server/dhcp6_socket.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define SRV_DHCP6_CLIENTS_MAX 65536

/* In which form a client wants its lease; bits. */
enum srv_dhcp6_form {
	SRV_DHCP6_FORM_DSTM = 1 << 0, /* IA_DSTM */
	SRV_DHCP6_FORM_TOP_LEVEL = 1 << 1, /* our options, by its option request */
	SRV_DHCP6_FORM_SOFTWIRE = 1 << 2, /* option 96 */
	SRV_DHCP6_FORM_VENDOR = 1 << 3, /* option 17 */
};

struct srv_dhcp6_client {
	struct in6_addr tunnel_end;
	struct dhcp6_duid duid;
	struct srv_dhcp6_path path; /* to the client, or to the relay that is nearest to us */
	const struct dhcp6_relay *relay; /* the relays between; NULL: none */
	unsigned int forms; /* enum srv_dhcp6_form */
	bool accepts_reconfigure;
	bool has_lease;
	int64_t seen_ms; /* when it was noted last; boot clock */
};

struct srv_dhcp6_clients;

/* NULL + errno. */
struct srv_dhcp6_clients *srv_dhcp6_clients_create(uint32_t max);
void srv_dhcp6_clients_destroy(struct srv_dhcp6_clients *clients); /* NULL is allowed */

/*
 * Takes down what is said of a client; what it points to is copied. A tunnel end that had another DUID has this one
 * from now on: ask srv_dhcp6_clients_may_use before. Returns 0; -EINVAL: without a DUID; -ENOMEM.
 */
int srv_dhcp6_clients_note(
	struct srv_dhcp6_clients *clients, const struct srv_dhcp6_client *client);
/* Its lease has ended, or it has one again: it stays known. */
void srv_dhcp6_clients_set_lease(
	struct srv_dhcp6_clients *clients, const struct in6_addr *tunnel_end, bool has_lease);

/* NULL: unknown. What is returned is good until the next change. */
const struct srv_dhcp6_client *srv_dhcp6_clients_find_by_v6(
	const struct srv_dhcp6_clients *clients, const struct in6_addr *tunnel_end);
/* The tunnel end that the DUID was noted with last. */
const struct srv_dhcp6_client *srv_dhcp6_clients_find_by_duid(
	const struct srv_dhcp6_clients *clients, const struct dhcp6_duid *duid);

/* False when another DUID is known for the tunnel end, and is_held says that a lease is held for it now. */
bool srv_dhcp6_clients_may_use(const struct srv_dhcp6_clients *clients,
	const struct in6_addr *tunnel_end, const struct dhcp6_duid *duid, bool is_held);

uint32_t srv_dhcp6_clients_count(const struct srv_dhcp6_clients *clients);
uint32_t srv_dhcp6_clients_with_lease(const struct srv_dhcp6_clients *clients);
/* How many had to go for want of room. */
uint64_t srv_dhcp6_clients_displaced(const struct srv_dhcp6_clients *clients);

/* The walk: slots 0 to slots-1, NULL where a slot is empty. */
uint32_t srv_dhcp6_clients_slots(const struct srv_dhcp6_clients *clients);
const struct srv_dhcp6_client *srv_dhcp6_clients_at(
	const struct srv_dhcp6_clients *clients, uint32_t slot);
