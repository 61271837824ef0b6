// SPDX-License-Identifier: BSD-3-Clause
/*
 * Ports of a lease that lead to a service here or behind this host, and the ports that are left.
 *
 * A forward names a port or takes the next one: the ports of the lease in their order, without those that
 * another forward names, go to the forwards without a port in theirs. A forward whose port the lease does not
 * have is left out, and is back with the next lease that has it.
 */
#pragma once

#include "common/config.h"
#include "common/lease.h"

#include <stdint.h>

#define CL_FORWARDS_MAX 32
/* Each forward may cut one range in two. */
#define CL_USABLE_MAX (LEASE_RANGES_MAX + CL_FORWARDS_MAX)

enum cl_protocol {
	CL_PROTOCOL_TCP,
	CL_PROTOCOL_UDP,
};

/* One item of "forwards" in client.yaml. */
struct cl_forward {
	struct config_pos pos;
	int protocol; /* enum cl_protocol */
	uint32_t port; /* of the lease; 0: the next */
	char *to; /* as written */
	uint32_t to_v4; /* 0: this host */
	uint16_t to_port;
};

/* "tcp", "udp", NULL. */
extern const char *const cl_protocol_names[];

/* Reads forward->to, "192.168.1.5:80" or "80", into to_v4 and to_port. Returns 0 or -EINVAL. */
int cl_forward_read_target(struct cl_forward *forward);

/* ports[i] becomes the port of the lease that forwards[i] has, 0: none. */
void cl_forward_assign(const struct cl_forward *forwards, uint32_t n, const struct lease *lease,
	uint16_t ports[static CL_FORWARDS_MAX]);

/*
 * The lease's ports that are not forwarded, as ranges in ascending order with a gap between any two; if
 * there are none, the forwarded ones. Port 0 is no port to send from. What forwards cut off is left unused when
 * it is less than a CL_SPLINTER-th of all: a flow would soon find it full, while others have room. Returns
 * their number.
 */
#define CL_SPLINTER 16
uint32_t cl_forward_leave(const struct lease *lease, const uint16_t ports[static CL_FORWARDS_MAX],
	struct port_range usable[static CL_USABLE_MAX]);
