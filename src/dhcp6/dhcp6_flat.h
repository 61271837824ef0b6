// SPDX-License-Identifier: BSD-3-Clause
/*
 * The layouts of 2001, as the specifications draw them: an option of 0 or 16 octets that says "the IA
 * behind me is about IPv4" and may name the TEP, and the identity association of the DHCPv6 drafts of
 * that time, a header and n addresses without options inside. For conformance; nobody sends them any
 * more, their code numbers were never assigned, and what an order of options means is nothing that
 * DHCPv6 knows today. dhcp6_msg.h is what our programs speak.
 *
 *     option (R40)         code 2, length 2 = 0 or 16, TEP 16 if there
 *     IA without ports     code 2, length 2 = 24 + 26n, IA ID 8, T1 4, T2 4, IA status 4, num-addrs 4,
 *       (R44)              n times: T bit and status 1, prefix length 1, address 16, preferred 4, valid 4
 *     IA with ports        code 2, length 2 = 17 + 29n, IA UUID 8, T1 4, T2 4, num-addrs 1,
 *       (R45)              n times: address 16, prefix length 1, preferred 4, valid 4, start 2, end 2
 *
 * What we had to decide, where text and figure leave room or disagree:
 *
 * - R44's figure has lost its head; the text gives 24 octets before the first address and names five
 *   fields. T1 and T2 are 4 each. The IA ID has 8, as in R45, whose IA is of the same family; status
 *   and number share the rest. Whatever their widths, the number ends at octet 24, where an address
 *   begins, as the surviving part of the figure has it: that much a peer can count on. A status above
 *   255 is refused, which a status of one octet could not have.
 * - R45's rule for the length, 17 + 25n, forgets the four octets of the ports that its own figure shows.
 *   The figure wins: 17 + 29n is written, and alone is read. Both say the same of n = 0.
 * - The number of addresses and the length must agree.
 * - An option holds for the next IA, and for no other (R41); one that no IA follows is kept as such.
 *   A second option before an IA came is refused: the first would hold for nothing.
 * - A request carries no TEP (R42): one that does is refused, and none is written.
 */
#pragma once

#include "common/port_range.h"
#include "dhcp6/dhcp6_msg.h"
#include "dhcp6/dhcp6_option.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP6_FLAT_ID_LEN 8

enum dhcp6_flat_layout {
	DHCP6_FLAT_PLAIN, /* R44: addresses */
	DHCP6_FLAT_PORTS, /* R45: addresses with port ranges */
};

/* The numbers that both sides agreed on; two different ones. */
struct dhcp6_flat_codes {
	uint16_t option;
	uint16_t ia;
};

struct dhcp6_flat_addr {
	struct in6_addr addr;
	uint8_t prefix_len; /* 0..128 */
	uint32_t preferred_s;
	uint32_t valid_s;
	bool is_temporary; /* PLAIN only, as status: 7 bits */
	uint8_t status;
	struct port_range ports; /* PORTS only */
};

struct dhcp6_flat_ia {
	uint8_t id[DHCP6_FLAT_ID_LEN];
	uint32_t t1_s;
	uint32_t t2_s;
	uint8_t status; /* PLAIN only */
	uint32_t n_addrs; /* may be 0 */
	struct dhcp6_flat_addr addrs[DHCP6_ADDRS_MAX];
};

/* An IA and the option before it, or one of them alone. */
struct dhcp6_flat_pair {
	bool has_option;
	bool has_tep;
	bool has_ia;
	struct in6_addr tep;
	struct dhcp6_flat_ia ia;
};

struct dhcp6_flat {
	enum dhcp6_type type;
	uint32_t xid; /* 24 bits */
	uint32_t n_pairs;
	struct dhcp6_flat_pair pairs[DHCP6_IAS_MAX];
};

/*
 * Reads a message: its header, and of its options these two kinds. Returns 0; -EINVAL for what
 * contradicts itself; -E2BIG for more IAs or addresses than this value holds. *flat means nothing
 * after an error.
 */
int dhcp6_flat_read(const void *data, size_t len, enum dhcp6_flat_layout layout,
	struct dhcp6_flat_codes codes, struct dhcp6_flat *flat);

/* Returns how many octets it wrote, or -EMSGSIZE. */
int dhcp6_flat_write(const struct dhcp6_flat *flat, enum dhcp6_flat_layout layout,
	struct dhcp6_flat_codes codes, uint8_t *buf, size_t size);
