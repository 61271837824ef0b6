// SPDX-License-Identifier: BSD-3-Clause
/*
 * The range from which the kernel takes ports for sockets that name none: ip_local_port_range, in mode host the lease's
 * (R49). It is the whole namespace's, and a text to whoever restores it.
 */
#pragma once

#include "common/lease.h"

#define CL_LOCAL_PORTS "net/ipv4/ip_local_port_range"

/* These return 0 or -errno. */
int cl_local_ports_read(char *text, size_t size);
int cl_local_ports_restore(const char *text);

/*
 * The kernel knows one range, and none below the ports that are kept for root: that of the lease of which most
 * remains.
 */
int cl_local_ports_set(const struct lease *lease);
