// SPDX-License-Identifier: BSD-3-Clause
/*
 * The answer to a request over DHCPv6: what became of it, in the forms that it was asked for in. Pure.
 *
 *	IA_DSTM		the IA with address, ports and TEP, or with a status
 *	top level	those of our three options that were asked for; never an address without its ports
 *	option 96	when the lease's first range is one that a PSID can say (RFC 7597 section 5.1)
 *	option 17	the same as IA_DSTM, or bare options, inside it
 *
 * A status stands in the IA that it is about. At the top level there is one only where no IA could have it.
 */
#pragma once

#include "dhcp6/dhcp6_relay.h"
#include "server/dhcp6_address.h"
#include "server/dhcp6_request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What became of the lease. */
struct srv_dhcp6_grant {
	bool is_given; /* there is a lease; of a Release: it has ended */
	uint16_t status; /* otherwise: why; enum dhcp6_status_code */
	const char *text;
	struct lease lease; /* its end is not looked at */
	uint32_t valid_s;
};

/* Who answers. */
struct srv_dhcp6_answerer {
	const struct srv_dhcp6_config *config;
	const struct dhcp6_duid *duid;
	const struct srv_dhcp6_addresses *addresses;
	bool gives_addresses; /* the client is on a link that the addresses are for */
	uint32_t lifetime_s; /* of what an IA_NA gets */
	bool has_unicast; /* clients may write to this address directly */
	struct in6_addr unicast;
};

/* What the engine's refusal is to DHCPv6. */
struct srv_dhcp6_grant srv_dhcp6_grant_refused(enum tsp_status status);

/*
 * Everything but authentication. grant: NULL where no lease was asked for. False: nothing in the answer would be
 * about what was asked, and silence is better.
 */
bool srv_dhcp6_answer_make(const struct srv_dhcp6_answerer *by,
	const struct srv_dhcp6_request *request, const struct srv_dhcp6_grant *grant,
	struct dhcp6_msg *answer);

/* A Reply without anything but a status at the top level. */
void srv_dhcp6_answer_status(const struct srv_dhcp6_answerer *by,
	const struct srv_dhcp6_request *request, uint16_t status, const char *text,
	struct dhcp6_msg *answer);

/*
 * Writes the answer with the relays around it. What does not fit into a packet of 1,280 octets loses texts, then IAs but for
 * the first of each kind. Returns the length or -EMSGSIZE.
 */
int srv_dhcp6_answer_write(struct dhcp6_msg *answer, const struct dhcp6_codes *codes,
	const struct dhcp6_relay *relay, uint8_t *buf, size_t size);
