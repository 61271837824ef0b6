// SPDX-License-Identifier: BSD-3-Clause
/*
 * Hears the DNS replies that this host gets over IPv6, so that a lease can stand before the first IPv4 packet
 * (R13; client/dns_names.h says what counts).
 *
 * A packet socket, whose filter in the kernel lets through only UDP from port 53 to this host: nothing else
 * ever wakes the program. The replies of a name server elsewhere are what is seen, whatever local resolver or cache
 * the applications ask. Replies over TCP, in fragments, behind extension headers and under TLS are not
 * seen; then the first packet does the same a little later (R12).
 */
#pragma once

#include <stdint.h>

struct cl_dns_watch;
struct event_base;

/* Opens the socket; needs CAP_NET_RAW, which nothing else here does. Returns it or -errno. */
int cl_dns_watch_open(void);

/*
 * Takes over the socket, also when it fails. needed(arg) is called from the event loop for each name that is
 * found to need IPv4, while it listens. NULL + errno.
 */
struct cl_dns_watch *cl_dns_watch_create(
	struct event_base *base, int fd, void (*needed)(void *arg), void *arg);
/* NULL is allowed here and below. */
void cl_dns_watch_destroy(struct cl_dns_watch *watch);

/* At first it does not listen. What came meanwhile is forgotten. */
void cl_dns_watch_start(struct cl_dns_watch *watch);
void cl_dns_watch_stop(struct cl_dns_watch *watch);
