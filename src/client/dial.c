// SPDX-License-Identifier: BSD-3-Clause
#include "client/dial.h"

#include "client/link.h"
#include "common/log.h"
#include "tsp/tsp_tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* A link from its opening to its end. */
struct attempt {
	LIST_ENTRY(attempt) entry;
	struct cl_dial *dial; /* NULL: nobody listens any more */
	struct cl_link *link;
};

struct cl_dial {
	struct event_base *base;
	const struct cl_config *config;
	struct cl_dhcp6_node *dhcp6;
	const struct cl_dial_ops *ops;
	void *arg;
	struct tsp_auth auth;
	struct ssl_ctx_st *tls; /* NULL: plain TCP */
	LIST_HEAD(attempts, attempt) attempts;
	struct attempt *current; /* NULL: none */
	struct cl_server asked; /* the last one */
	struct addr_endpoint peer; /* of the connection that was ready last ... */
	char peer_name[CL_SERVER_NAME_MAX + 1];
	const char *tls_name; /* ... and whom its certificate was for; NULL: its address */
	bool is_unhelpful; /* it let us in, and no lease came of it so far */
	struct in6_addr giver; /* the address of the server that gave the lease */
};

void cl_dial_close(struct cl_dial *dial)
{
	if (dial->current != NULL)
		cl_link_close(dial->current->link);
	dial->current = NULL;
}

/* Whom a callback is for, or NULL if nobody is to hear of it. */
static struct cl_dial *listener(const struct attempt *attempt)
{
	if (attempt->dial == NULL || attempt->dial->current != attempt)
		return NULL;
	return attempt->dial;
}

static void note_peer(struct cl_dial *dial, const struct cl_link *link)
{
	const char *name = cl_link_tls_name(link);

	dial->peer = *cl_link_peer(link);
	dial->is_unhelpful = true;
	dial->tls_name = NULL;
	if (name == NULL)
		return;
	snprintf(dial->peer_name, sizeof(dial->peer_name), "%s", name);
	dial->tls_name = dial->peer_name;
}

static void on_ready(struct cl_link *link, void *arg)
{
	struct cl_dial *dial = listener(arg);
	struct in6_addr local;

	if (dial == NULL)
		return;
	if (cl_link_local(link, &local) < 0) {
		cl_dial_close(dial);
		dial->ops->closed(
			dial->arg, TSP_CLOSE_ERROR, "the connection has no local address");
		return;
	}
	note_peer(dial, link);
	dial->ops->ready(dial->arg, &local);
}

static void on_message(struct cl_link *link, const struct tsp_msg *msg, void *arg)
{
	struct cl_dial *dial = listener(arg);
	struct in6_addr local;

	if (dial != NULL && cl_link_local(link, &local) == 0)
		dial->ops->message(dial->arg, msg, &local);
}

static void on_closed(
	struct cl_link *link, enum tsp_close_reason reason, const char *why, void *arg)
{
	struct attempt *attempt = arg;
	struct cl_dial *dial = attempt->dial;
	bool heard = listener(attempt) != NULL;

	if (dial != NULL)
		LIST_REMOVE(attempt, entry);
	free(attempt);
	if (heard) {
		dial->current = NULL;
		dial->ops->closed(dial->arg, reason, why);
	} else if (dial != NULL) {
		dial->ops->drained(dial->arg);
	}
}

static const struct cl_link_ops link_ops = {
	.ready = on_ready,
	.message = on_message,
	.closed = on_closed,
};

static void get_server(
	const struct cl_dial *dial, const struct cl_target *target, struct cl_server *server)
{
	cl_servers_get(dial->config, target->server, server);
	if (!target->is_redirected)
		return;
	server->is_name = false;
	server->addr.addr = target->v6;
	server->tls_name = NULL;
}

/* A change of server is worth a line. */
static void note_asked(struct cl_dial *dial, const struct cl_server *server)
{
	char text[CL_SERVER_STRLEN], before[CL_SERVER_STRLEN];

	if (strcmp(cl_server_format(server, text), cl_server_format(&dial->asked, before)) != 0)
		log_info("server: %s is asked", text);
	dial->asked = *server;
}

int cl_dial_connect(
	struct cl_dial *dial, const struct cl_action *action, const struct in6_addr *local)
{
	struct attempt *attempt = calloc(1, sizeof(*attempt));
	struct cl_server server;
	struct cl_link_params params = {
		.base = dial->base,
		.ops = &link_ops,
		.arg = attempt,
		.config = dial->config,
		.server = &server,
		.only = action->only_giver ? &dial->giver : NULL,
		.last = dial->is_unhelpful ? &dial->peer.addr : NULL,
		.dhcp6 = dial->dhcp6,
		.auth = &dial->auth,
		.tls = dial->tls,
		.generation = action->generation,
		.local = local,
	};
	int error;

	if (attempt == NULL)
		return -ENOMEM;
	get_server(dial, &action->target, &server);
	note_asked(dial, &server);
	attempt->dial = dial;
	attempt->link = cl_link_open(&params);
	if (attempt->link == NULL) {
		error = errno;
		free(attempt);
		return -error;
	}
	LIST_INSERT_HEAD(&dial->attempts, attempt, entry);
	dial->current = attempt;
	return 0;
}

int cl_dial_send(struct cl_dial *dial, const struct tsp_msg *msg)
{
	return dial->current != NULL ? cl_link_send(dial->current->link, msg) : -ENOTCONN;
}

bool cl_dial_is_drained(const struct cl_dial *dial)
{
	return LIST_EMPTY(&dial->attempts);
}

void cl_dial_helped(struct cl_dial *dial)
{
	dial->giver = dial->peer.addr;
	dial->is_unhelpful = false;
}

const struct addr_endpoint *cl_dial_peer(const struct cl_dial *dial)
{
	return &dial->peer;
}

const char *cl_dial_tls_name(const struct cl_dial *dial)
{
	return dial->tls_name;
}

const struct tsp_auth *cl_dial_auth(const struct cl_dial *dial)
{
	return &dial->auth;
}

struct ssl_ctx_st *cl_dial_tls(const struct cl_dial *dial)
{
	return dial->tls;
}

const char *cl_dial_format(const struct cl_dial *dial, const struct cl_target *target,
	char buf[static CL_SERVER_STRLEN])
{
	struct cl_server server;

	get_server(dial, target, &server);
	return cl_server_format(&server, buf);
}

static void init_auth(struct cl_dial *dial)
{
	dial->auth = (struct tsp_auth){
		.mechanisms = TSP_MECHANISM_ANONYMOUS | TSP_MECHANISM_EXTERNAL,
		.user = dial->config->user,
		.password = dial->config->password,
	};
	if (dial->config->user != NULL)
		dial->auth.mechanisms = TSP_MECHANISM_SCRAM_SHA_256 | TSP_MECHANISM_DIGEST_MD5 |
					TSP_MECHANISM_PLAIN;
}

static bool init_tls(struct cl_dial *dial)
{
	const struct tsp_tls_params params = {.files = &dial->config->tls};
	char error[TSP_TLS_ERROR_LEN];

	if (params.files->ca == NULL)
		return true;
	dial->tls = tsp_tls_create(&params, error);
	if (dial->tls == NULL)
		log_err("%s", error);
	return dial->tls != NULL;
}

struct cl_dial *cl_dial_create(struct event_base *base, const struct cl_config *config,
	struct cl_dhcp6_node *dhcp6, const struct cl_dial_ops *ops, void *arg)
{
	struct cl_dial *dial = calloc(1, sizeof(*dial));

	if (dial == NULL)
		return NULL;
	LIST_INIT(&dial->attempts);
	dial->base = base;
	dial->config = config;
	dial->dhcp6 = dhcp6;
	dial->ops = ops;
	dial->arg = arg;
	init_auth(dial);
	if (!init_tls(dial)) {
		free(dial);
		errno = EINVAL;
		return NULL;
	}
	return dial;
}

void cl_dial_destroy(struct cl_dial *dial)
{
	struct attempt *attempt;

	if (dial == NULL)
		return;
	cl_dial_close(dial);
	LIST_FOREACH(attempt, &dial->attempts, entry)
		attempt->dial = NULL;
	tsp_tls_destroy(dial->tls);
	free(dial);
}
