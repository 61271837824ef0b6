// SPDX-License-Identifier: BSD-3-Clause
/*
 * Whom an ICMP error is for: the port in the packet that it quotes.
 *
 * An error from the IPv4 side quotes a packet that a client sent: the quoted source is the client's
 * address and port. An error from a client quotes a packet that the client received: there it is the quoted
 * destination (S5, S6; RFC 5508 REQ-3). A quote may be cut after 8 octets of its transport header, and
 * its options are skipped; its own header checksum must be right.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* One end of the packet that an error quotes. */
struct dp_icmp_quote {
	uint32_t v4; /* host order */
	uint16_t port; /* port or query identifier, host order */
	bool has_port;
};

/*
 * Reads an ICMP error of len octets from its type on, the checksum of all of it included; takes the quoted
 * packet's source, or its destination. False: damaged, or the quote says nothing about a port.
 */
bool dp_icmp_quote_read(
	const uint8_t *icmp, uint32_t len, bool take_source, struct dp_icmp_quote *quote);
