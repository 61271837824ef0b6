// SPDX-License-Identifier: BSD-3-Clause
/*
 * A few pages over HTTP/1, for programs that look after this one: GET and HEAD, one request a connection.
 *
 * Whoever reaches the port may send anything. A request has HEAD_MAX octets and EXCHANGE_S seconds from the connection to
 * the last octet of the answer; there are at most CLIENTS_MAX connections, and one more takes the place of the
 * oldest, so that nobody can lock out the others for long. What a request says beyond its first line is not looked at.
 *
 * It stands on libevent's buffers and not on its evhttp: that (in 2.1) bounds neither the number of connections nor
 * the time of a slow one, and asks for peers' names by calls that a confined process may not make.
 *
 * One thread.
 */
#pragma once

#include "common/addr.h"

struct evbuffer;
struct event_base;
struct http_server;

struct http_page {
	const char *path; /* with its slash, without a query */
	const char *content_type;
	/* Writes the body and returns the status: 200 or 503. */
	int (*get)(void *arg, struct evbuffer *body);
};

/*
 * Listens; an IPv4-mapped address is IPv4, and [::] both. pages, which ends with a path of NULL, is borrowed. NULL +
 * errno.
 */
struct http_server *http_server_create(struct event_base *base, const struct addr_endpoint *listen,
	const struct http_page *pages, void *arg);
/* Closes everything. NULL is allowed. */
void http_server_destroy(struct http_server *server);

/* Where it listens, also when the kernel chose the port. */
struct addr_endpoint http_server_endpoint(const struct http_server *server);
