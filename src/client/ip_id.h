// SPDX-License-Identifier: BSD-3-Clause
/*
 * IPv4 identifications of hosts that share an address (S22, RFC 7597 section 8.3.3).
 *
 * Who joins fragments tells datagrams apart by addresses, protocol and identification. Hosts behind one
 * address do not know of each other's, so fragments of two of them can be joined; but their ports are apart,
 * and identifications that keep to the ports are, too. The price is that there are fewer of them: with few
 * ports and many fragments a host collides with itself sooner.
 *
 * The new value depends on the old one alone, so the fragments of a datagram keep belonging together.
 */
#pragma once

#include "common/lease.h"

#include <stdint.h>

/*
 * Makes the identification of a packet a port of the lease and corrects the header's checksum; header is a whole
 * IPv4 header. Packets that are atomic (DF, no fragment: RFC 6864) and those of a whole address stay.
 */
void cl_ip_id_rewrite(uint8_t *header, const struct lease *lease);
