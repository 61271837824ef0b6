// SPDX-License-Identifier: BSD-3-Clause
/*
 * Exchanges: requests over DHCPv6 that wait for the engine, each with a session of its own.
 *
 * A client repeats what is not answered at once. The repetition has the same DUID and transaction, by which the exchange
 * under way is found: it answers both. There is a bound on how many there may be; beyond it a message is
 * dropped, and comes again. An exchange that is answered is no longer found, and can be freed outside the
 * engine's callback.
 */
#pragma once

#include "dhcp6/dhcp6_relay.h"
#include "server/dhcp6_request.h"
#include "server/dhcp6_socket.h"
#include "server/engine.h"

#include <stdint.h>
#include <sys/queue.h>

/* A message, and who sent it by which way. */
struct srv_dhcp6_inquiry {
	struct srv_dhcp6_request request;
	struct srv_dhcp6_path path; /* of the answer, too */
	struct dhcp6_relay relay;
	bool has_tunnel_end; /* one that is believed */
	struct in6_addr tunnel_end;
};

struct srv_dhcp6_exchange {
	struct srv_session session;
	void *owner;
	struct srv_dhcp6_inquiry inquiry;

	/* of the table */
	uint64_t hash;
	LIST_ENTRY(srv_dhcp6_exchange) of_bucket; /* while it is under way */
	TAILQ_ENTRY(srv_dhcp6_exchange)
	of_list; /* of those under way, of the answered, or of the free */
};

struct srv_dhcp6_exchanges;

/* NULL + errno. */
struct srv_dhcp6_exchanges *srv_dhcp6_exchanges_create(uint32_t max);
/* None is under way any more. NULL is allowed. */
void srv_dhcp6_exchanges_destroy(struct srv_dhcp6_exchanges *exchanges);

/* The one under way for the same client's same transaction, or NULL. */
struct srv_dhcp6_exchange *srv_dhcp6_exchange_find(
	const struct srv_dhcp6_exchanges *exchanges, const struct srv_dhcp6_request *request);
/* With a copy of inquiry and all else zero; NULL: as many as may be, or no memory. */
struct srv_dhcp6_exchange *srv_dhcp6_exchange_begin(
	struct srv_dhcp6_exchanges *exchanges, const struct srv_dhcp6_inquiry *inquiry);
/* It has been answered. */
void srv_dhcp6_exchange_end(
	struct srv_dhcp6_exchanges *exchanges, struct srv_dhcp6_exchange *exchange);

/* One that has been answered, or one that is under way; NULL: none. */
struct srv_dhcp6_exchange *srv_dhcp6_exchange_ended(const struct srv_dhcp6_exchanges *exchanges);
struct srv_dhcp6_exchange *srv_dhcp6_exchange_pending(const struct srv_dhcp6_exchanges *exchanges);
/* One that has been answered is free for another. */
void srv_dhcp6_exchange_free(
	struct srv_dhcp6_exchanges *exchanges, struct srv_dhcp6_exchange *exchange);

/* How many are under way. */
uint32_t srv_dhcp6_exchanges_count(const struct srv_dhcp6_exchanges *exchanges);
