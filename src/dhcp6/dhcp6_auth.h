// SPDX-License-Identifier: BSD-3-Clause
/*
 * The reconfigure key authentication protocol (RFC 8415 section 20.4), the one kind of
 * authentication that DHCPv6 has left.
 *
 * A server hands a client a key of 16 octets in the Reply that accepts it, in the clear; each
 * Reconfigure then carries the HMAC-MD5 of itself under that key, its own field taken as zero. The
 * replay value grows from message to message. It proves that a Reconfigure comes from who sent that
 * Reply, to anyone who did not hear the Reply.
 */
#pragma once

#include "dhcp6/dhcp6_msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP6_AUTH_KEY_LEN 16

/* The option of a Reply that hands over the key, and of a Reconfigure that is to be signed. */
void dhcp6_auth_set_key(
	struct dhcp6_auth *auth, uint64_t replay, const uint8_t key[static DHCP6_AUTH_KEY_LEN]);
void dhcp6_auth_set_hmac(struct dhcp6_auth *auth, uint64_t replay);

/* The key that a Reply hands over; false when it hands over none. */
bool dhcp6_auth_get_key(const struct dhcp6_auth *auth, uint8_t key[static DHCP6_AUTH_KEY_LEN]);

/*
 * Writes the HMAC into a message as octets, whose option was made by dhcp6_auth_set_hmac(). Returns
 * 0; -ENOENT when it has no such option; -ENOTSUP when the library has no HMAC-MD5.
 */
int dhcp6_auth_sign(uint8_t *message, size_t len, const uint8_t key[static DHCP6_AUTH_KEY_LEN]);

/*
 * True when the message carries the right HMAC and a replay value above the last one that was
 * accepted, which then becomes *replay. Anything else leaves *replay alone.
 */
bool dhcp6_auth_verify(const uint8_t *message, size_t len,
	const uint8_t key[static DHCP6_AUTH_KEY_LEN], uint64_t *replay);
