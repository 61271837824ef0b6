// SPDX-License-Identifier: BSD-3-Clause
/*
 * Relay agents: what they wrapped around a client's message (Relay-forward) is taken off, kept as a
 * value, and put around the answer again (Relay-reply), level by level (RFC 8415 sections 9, 19).
 *
 * Of what a relay put in, its Interface-ID and its relay port (RFC 8357) go back to it unchanged;
 * the client's link-layer address (RFC 6939) is kept for whoever wants it; all else is skipped.
 */
#pragma once

#include "dhcp6/dhcp6_option.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP6_RELAYS_MAX        8 /* HOP_COUNT_LIMIT */
#define DHCP6_INTERFACE_IDS_MAX 256 /* octets of all levels together */
#define DHCP6_LINK_LAYER_MAX    20

struct dhcp6_relay_level {
	uint8_t hop_count;
	bool has_interface_id;
	bool has_port;
	uint16_t port; /* of option 135: 0 says "the one that this came from" */
	uint16_t id_at; /* its Interface-ID: ids[id_at .. id_at + id_len) */
	uint16_t id_len;
	struct in6_addr link;
	struct in6_addr peer;
};

struct dhcp6_relay {
	uint32_t n_levels; /* 0: the client itself sent it */
	struct dhcp6_relay_level levels[DHCP6_RELAYS_MAX]; /* the one that we heard first */
	uint16_t ids_len;
	uint8_t ids[DHCP6_INTERFACE_IDS_MAX];
	uint16_t hardware; /* of the client's link-layer address, in IANA's ARP numbers */
	uint8_t link_layer_len; /* 0: no relay named it */
	uint8_t link_layer[DHCP6_LINK_LAYER_MAX];
};

/*
 * Takes all levels off a datagram; *inner and *inner_len are the client's message, inside data. A
 * datagram that is no Relay-forward has no level and is all inner. Returns 0; -EINVAL for a level
 * without exactly one message, or a length that lies; -E2BIG for more levels or longer Interface-IDs
 * than we keep.
 */
int dhcp6_relay_open(const void *data, size_t len, struct dhcp6_relay *relay, const uint8_t **inner,
	size_t *inner_len);

/*
 * Puts the levels around an answer, as Relay-reply; without levels it is copied. Returns how many
 * octets it wrote, or -EMSGSIZE.
 */
int dhcp6_relay_close(
	const struct dhcp6_relay *relay, const void *answer, size_t len, uint8_t *buf, size_t size);

/* How many octets that adds: what an answer may no longer use of its packet. */
size_t dhcp6_relay_overhead(const struct dhcp6_relay *relay);

/* The client as the relay nearest to it saw it. There is a level. */
static inline const struct in6_addr *dhcp6_relay_client(const struct dhcp6_relay *relay)
{
	return &relay->levels[relay->n_levels - 1].peer;
}

/* The client's link: of the levels with a link address the nearest to the client; else NULL. */
const struct in6_addr *dhcp6_relay_link(const struct dhcp6_relay *relay);
