// SPDX-License-Identifier: BSD-3-Clause
/*
 * A link over TSP: the server's name looked up, its addresses tried one after the other, and the
 * connection that comes of it.
 *
 * A name is looked up anew each time, with /etc/hosts and /etc/resolv.conf as they are then, and
 * without a trace once it is answered: a host that has moved to another network asks the name
 * servers of that one.
 */
#pragma once

#include "client/link.h"

extern const struct cl_link_kind cl_tsp_link;
