// SPDX-License-Identifier: BSD-3-Clause
#include "client/tsp_link.h"

#include "client/lookup.h"

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRY_TIMEOUT_S 8 /* to connect to one address, and to be let in there */

struct tsp_link {
	struct cl_link link; /* first: the one is the other */
	struct cl_link_params params;
	struct cl_server server;
	struct in6_addr local, last; /* with params.local, params.last */
	struct in6_addr addresses[CL_LOOKUP_MAX]; /* to be tried */
	uint32_t n_addresses, next_address;
	struct cl_lookup *lookup; /* NULL: nothing is looked up */
	struct event *soon; /* goes on from the event loop */
	struct tsp_conn *conn;
	bool is_ready, is_closing;
	const char *why; /* it did not come to a connection */
};

static const char *tls_name_of(const struct tsp_link *link)
{
	if (link->server.tls_name != NULL)
		return link->server.tls_name;
	return link->server.is_name ? link->server.name : NULL;
}

/* The end, by way of the event loop. */
static void end_soon(struct tsp_link *link, const char *why)
{
	link->why = why;
	event_active(link->soon, EV_TIMEOUT, 0);
}

static void finish(struct tsp_link *link, enum tsp_close_reason reason, const char *why)
{
	link->params.ops->closed(&link->link, reason, why, link->params.arg);
	event_free(link->soon);
	free(link);
}

static void try_next(struct tsp_link *link);

static void on_ready(struct tsp_conn *conn, void *arg)
{
	struct tsp_link *link = arg;

	link->is_ready = true;
	link->params.ops->ready(&link->link, link->params.arg);
}

static void on_message(struct tsp_conn *conn, const struct tsp_msg *msg, void *arg)
{
	struct tsp_link *link = arg;

	link->params.ops->message(&link->link, msg, link->params.arg);
}

/* True when another address of the same server may do better. */
static bool is_worth_another(const struct tsp_link *link, enum tsp_close_reason reason)
{
	bool never_spoke = reason == TSP_CLOSE_CONNECT || reason == TSP_CLOSE_TIMEOUT ||
			   reason == TSP_CLOSE_ERROR || reason == TSP_CLOSE_PEER;

	return never_spoke && !link->is_ready && !link->is_closing &&
	       link->next_address < link->n_addresses;
}

static void on_closed(
	struct tsp_conn *conn, enum tsp_close_reason reason, const char *why, void *arg)
{
	struct tsp_link *link = arg;

	link->conn = NULL;
	if (is_worth_another(link, reason))
		try_next(link);
	else
		finish(link, reason, why);
}

static const struct tsp_conn_ops conn_ops = {
	.ready = on_ready,
	.message = on_message,
	.closed = on_closed,
};

/* The next address that a connection can be begun to. */
static void try_next(struct tsp_link *link)
{
	struct tsp_conn_params params = {
		.base = link->params.base,
		.ops = &conn_ops,
		.arg = link,
		.auth = link->params.auth,
		.limits = tsp_conn_default_limits,
		.generation = link->params.generation,
		.local = link->params.local,
		.tls = link->params.tls,
		.tls_name = tls_name_of(link),
	};

	params.limits.auth_timeout_s = TRY_TIMEOUT_S;
	while (link->conn == NULL && link->next_address < link->n_addresses) {
		struct addr_endpoint peer = {
			.addr = link->addresses[link->next_address++],
			.port = link->server.addr.port,
		};

		link->conn = tsp_conn_connect(&params, &peer);
		if (link->conn == NULL)
			end_soon(link, strerrordesc_np(errno));
	}
	if (link->conn != NULL)
		event_del(link->soon);
}

static void on_found(void *arg, const struct in6_addr *addresses, uint32_t n, const char *why)
{
	struct tsp_link *link = arg;

	link->lookup = NULL;
	memcpy(link->addresses, addresses, n * sizeof(*addresses));
	link->n_addresses = n;
	if (link->params.last != NULL)
		cl_lookup_put_last(link->addresses, n, &link->last);
	if (link->is_closing)
		finish(link, TSP_CLOSE_LOCAL, "closed");
	else if (n > 0)
		try_next(link);
	else
		finish(link, TSP_CLOSE_CONNECT, why);
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct tsp_link *link = arg;

	if (link->is_closing)
		finish(link, TSP_CLOSE_LOCAL, "closed");
	else if (link->next_address < link->n_addresses)
		try_next(link);
	else
		finish(link, TSP_CLOSE_CONNECT, link->why);
}

static struct cl_link *open_link(const struct cl_link_params *params)
{
	struct tsp_link *link = calloc(1, sizeof(*link));
	int ret = -ENOMEM;

	if (link == NULL)
		return NULL;
	link->link.kind = &cl_tsp_link;
	link->params = *params;
	link->server = *params->server;
	if (params->local != NULL) {
		link->local = *params->local;
		link->params.local = &link->local;
	}
	if (params->last != NULL) {
		link->last = *params->last;
		link->params.last = &link->last;
	}
	link->soon = evtimer_new(params->base, on_soon, link);
	if (link->soon == NULL)
		goto fail;
	if (params->only != NULL) {
		link->addresses[link->n_addresses++] = *params->only;
		try_next(link);
	} else if (link->server.is_name) {
		link->lookup = cl_lookup_start(params->base, link->server.name, on_found, link);
		if (link->lookup == NULL)
			goto fail;
	} else {
		link->addresses[link->n_addresses++] = link->server.addr.addr;
		try_next(link);
	}
	return &link->link;
fail:
	if (link->soon != NULL)
		event_free(link->soon);
	free(link);
	errno = -ret;
	return NULL;
}

static struct tsp_link *of(struct cl_link *link)
{
	return (struct tsp_link *)link;
}

static const struct tsp_link *of_const(const struct cl_link *link)
{
	return (const struct tsp_link *)link;
}

static int send_message(struct cl_link *base, const struct tsp_msg *msg)
{
	struct tsp_link *link = of(base);

	return link->conn != NULL ? tsp_conn_send(link->conn, msg) : -ENOTCONN;
}

static void close_link(struct cl_link *base)
{
	struct tsp_link *link = of(base);

	if (link->is_closing)
		return;
	link->is_closing = true;
	if (link->conn != NULL)
		tsp_conn_close(link->conn);
	else if (link->lookup != NULL)
		cl_lookup_cancel(link->lookup);
	else
		end_soon(link, "closed");
}

static int get_local(const struct cl_link *base, struct in6_addr *addr)
{
	const struct tsp_link *link = of_const(base);

	return link->conn != NULL ? tsp_conn_local(link->conn, addr) : -ENOTCONN;
}

static const struct addr_endpoint *get_peer(const struct cl_link *base)
{
	return tsp_conn_peer(of_const(base)->conn);
}

static const char *get_tls_name(const struct cl_link *base)
{
	return tls_name_of(of_const(base));
}

const struct cl_link_kind cl_tsp_link = {
	.open = open_link,
	.send = send_message,
	.close = close_link,
	.local = get_local,
	.peer = get_peer,
	.tls_name = get_tls_name,
};
