// SPDX-License-Identifier: BSD-3-Clause
/*
 * A link over DHCPv6: what the engine asks becomes an exchange (client/dhcp6_exchange.h), and its outcome an answer.
 *
 *	create			Solicit to Reply; Information-request where there is no IA
 *	create of what is held	Renew, at T2 Rebind
 *	delete			Release
 *	reject			Decline
 *
 * It is ready at once: no connection is made. A link that is closed goes on with a Release or a Decline
 * that nobody has answered, until another link asks something.
 */
#pragma once

#include "client/link.h"

extern const struct cl_link_kind cl_dhcp6_link;
