// SPDX-License-Identifier: BSD-3-Clause
/* The IPv6 addresses of a server's name, by the host's name servers and its own file of hosts. Nobody waits for them. */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#define CL_LOOKUP_MAX 8 /* addresses of one name */

struct event_base;
struct cl_lookup;

/* From the event loop, once: n addresses, or none and why. The lookup is gone when it returns. */
typedef void (*cl_lookup_fn)(
	void *arg, const struct in6_addr *addresses, uint32_t n, const char *why);

/* NULL: out of memory. */
struct cl_lookup *cl_lookup_start(
	struct event_base *base, const char *name, cl_lookup_fn found, void *arg);
/* Comes to its end sooner; found is still called. */
void cl_lookup_cancel(struct cl_lookup *lookup);

/*
 * Moves an address behind the others, where it is among them: a name may stand for several servers, and that one did
 * not help.
 */
void cl_lookup_put_last(struct in6_addr *addresses, uint32_t n, const struct in6_addr *last);
