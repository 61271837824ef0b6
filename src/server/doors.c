// SPDX-License-Identifier: BSD-3-Clause
#include "server/doors.h"

#include "common/log.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct srv_door {
	struct srv_doors *owner;
	struct evconnlistener *socket;
	struct addr_endpoint endpoint; /* as configured */
	enum srv_door_kind kind;
};

struct srv_doors {
	struct event_base *base;
	srv_door_fn come;
	void *arg;
	struct event *resume; /* accepting again after an error */
	struct srv_door **doors;
	uint32_t n;
};

/* --- one door ------------------------------------------------------------------------------------ */

static void on_accept(struct evconnlistener *socket, evutil_socket_t fd, struct sockaddr *sa,
	int sa_len, void *arg)
{
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)sa;
	const struct addr_endpoint peer = {sin6->sin6_addr, ntohs(sin6->sin6_port)};
	const struct srv_door *door = arg;

	door->owner->come(door->owner->arg, door->kind, fd, &peer);
}

static void enable(struct srv_doors *doors, bool on)
{
	for (uint32_t i = 0; i < doors->n; i++) {
		if (on)
			evconnlistener_enable(doors->doors[i]->socket);
		else
			evconnlistener_disable(doors->doors[i]->socket);
	}
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	enable(arg, true);
}

/* Out of descriptors or memory: the next ones wait in the kernel for a second. */
static void on_accept_error(struct evconnlistener *socket, void *arg)
{
	static const struct timeval pause = {.tv_sec = 1};
	struct srv_doors *doors = ((struct srv_door *)arg)->owner;

	log_warn("client: cannot accept: %s", strerror(errno));
	enable(doors, false);
	evtimer_add(doors->resume, &pause);
}

static void close_door(struct srv_door *door)
{
	if (door == NULL)
		return;
	if (door->socket != NULL)
		evconnlistener_free(door->socket);
	free(door);
}

/* NULL + errno. */
static struct srv_door *open_door(struct srv_doors *doors, const struct addr_endpoint *endpoint)
{
	struct srv_door *door = calloc(1, sizeof(*door));
	struct sockaddr_in6 sa;
	int error;

	if (door == NULL)
		return NULL;
	door->owner = doors;
	door->endpoint = *endpoint;
	addr_endpoint_to_sockaddr(endpoint, &sa);
	door->socket = evconnlistener_new_bind(doors->base, on_accept, door,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE |
			LEV_OPT_BIND_IPV6ONLY,
		SOMAXCONN, (const struct sockaddr *)&sa, sizeof(sa));
	if (door->socket == NULL) {
		error = errno;
		close_door(door);
		errno = error;
		return NULL;
	}
	evconnlistener_set_error_cb(door->socket, on_accept_error);
	return door;
}

/* --- all of them --------------------------------------------------------------------------------- */

struct srv_doors *srv_doors_create(struct event_base *base, srv_door_fn come, void *arg)
{
	struct srv_doors *doors = calloc(1, sizeof(*doors));

	if (doors == NULL)
		return NULL;
	doors->base = base;
	doors->come = come;
	doors->arg = arg;
	doors->resume = evtimer_new(base, on_resume, doors);
	if (doors->resume == NULL) {
		free(doors);
		errno = ENOMEM;
		return NULL;
	}
	return doors;
}

void srv_doors_destroy(struct srv_doors *doors)
{
	if (doors == NULL)
		return;
	for (uint32_t i = 0; i < doors->n; i++)
		close_door(doors->doors[i]);
	free(doors->doors);
	event_free(doors->resume);
	free(doors);
}

static bool is_among(const struct srv_door *door, struct srv_door *const *doors, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (doors[i] == door)
			return true;
	}
	return false;
}

/* One that is open there and that the change does not have yet; what is spoken behind it may differ. */
static struct srv_door *find_open(const struct srv_doors *doors,
	const struct srv_doors_change *change, const struct addr_endpoint *endpoint)
{
	for (uint32_t i = 0; i < doors->n; i++) {
		struct srv_door *door = doors->doors[i];

		if (addr_endpoint_equal(&door->endpoint, endpoint) &&
			!is_among(door, change->doors, change->n))
			return door;
	}
	return NULL;
}

static int add_all(struct srv_doors *doors, const struct config_list *endpoints,
	enum srv_door_kind kind, struct srv_doors_change *change, struct config_error *error)
{
	const struct addr_endpoint *items = endpoints->items;
	char text[ADDR_ENDPOINT_STRLEN];
	struct srv_door *door;

	for (uint32_t i = 0; i < endpoints->n; i++) {
		door = find_open(doors, change, &items[i]);
		if (door == NULL)
			door = open_door(doors, &items[i]);
		if (door == NULL) {
			int ret = -errno;

			snprintf(error->text, sizeof(error->text), "listen %s: %s",
				addr_endpoint_format(&items[i], text), strerror(-ret));
			return ret;
		}
		change->kinds[change->n] = kind;
		change->doors[change->n++] = door;
	}
	return 0;
}

int srv_doors_prepare(struct srv_doors *doors, const struct srv_config *config,
	struct srv_doors_change *change, struct config_error *error)
{
	const struct config_list *lists[SRV_DOOR_KINDS] = {
		[SRV_DOOR_PLAIN] = &config->listen,
		[SRV_DOOR_TLS] = &config->listen_tls,
		[SRV_DOOR_MINUTES] = &config->listen_minutes,
	};
	uint32_t n = config->listen.n + config->listen_tls.n + config->listen_minutes.n;
	int ret = 0;

	*change = (struct srv_doors_change){0};
	change->doors = calloc(n, sizeof(struct srv_door *));
	change->kinds = calloc(n, sizeof(*change->kinds));
	if (change->doors == NULL || change->kinds == NULL) {
		snprintf(error->text, sizeof(error->text), "listen: out of memory");
		free(change->doors);
		free(change->kinds);
		return -ENOMEM;
	}
	for (int kind = 0; ret == 0 && kind < SRV_DOOR_KINDS; kind++)
		ret = add_all(doors, lists[kind], kind, change, error);
	if (ret < 0)
		srv_doors_abandon(doors, change);
	return ret;
}

void srv_doors_abandon(struct srv_doors *doors, struct srv_doors_change *change)
{
	for (uint32_t i = 0; i < change->n; i++) {
		if (!is_among(change->doors[i], doors->doors, doors->n))
			close_door(change->doors[i]);
	}
	free(change->doors);
	free(change->kinds);
	*change = (struct srv_doors_change){0};
}

void srv_doors_commit(struct srv_doors *doors, struct srv_doors_change *change)
{
	for (uint32_t i = 0; i < doors->n; i++) {
		if (!is_among(doors->doors[i], change->doors, change->n))
			close_door(doors->doors[i]);
	}
	for (uint32_t i = 0; i < change->n; i++)
		change->doors[i]->kind = change->kinds[i];
	free(doors->doors);
	free(change->kinds);
	doors->doors = change->doors;
	doors->n = change->n;
}

uint32_t srv_doors_count(const struct srv_doors *doors)
{
	return doors->n;
}

enum srv_door_kind srv_doors_kind(const struct srv_doors *doors, uint32_t i)
{
	return doors->doors[i]->kind;
}

struct addr_endpoint srv_doors_endpoint(const struct srv_doors *doors, uint32_t i)
{
	struct sockaddr_in6 sa = {0};
	socklen_t len = sizeof(sa);

	getsockname(evconnlistener_get_fd(doors->doors[i]->socket), (struct sockaddr *)&sa, &len);
	return (struct addr_endpoint){sa.sin6_addr, ntohs(sa.sin6_port)};
}
