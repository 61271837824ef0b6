// SPDX-License-Identifier: BSD-3-Clause
#include "client/dhcp6_node.h"

#include "client/dhcp6_socket.h"
#include "common/addr.h"
#include "common/log.h"

#include <event2/event.h>

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATAGRAMS_PER_TURN 16

struct cl_dhcp6_node {
	struct cl_dhcp6_node_params params;
	const struct cl_dhcp6_config *config;
	struct dhcp6_codes codes;
	struct cl_dhcp6_identity identity;
	struct cl_dhcp6_binding binding;
	struct event *event;
	LIST_HEAD(listeners, cl_dhcp6_listener) listeners;
	bool has_asked;
	uint8_t buf[DHCP6_MSG_MAX];
};

void cl_dhcp6_node_listen(struct cl_dhcp6_node *node, struct cl_dhcp6_listener *listener)
{
	LIST_INSERT_HEAD(&node->listeners, listener, entry);
}

void cl_dhcp6_node_leave(struct cl_dhcp6_listener *listener)
{
	LIST_REMOVE(listener, entry);
}

void cl_dhcp6_node_hush_others(struct cl_dhcp6_node *node, struct cl_dhcp6_listener *listener)
{
	struct cl_dhcp6_listener *other;

	LIST_FOREACH(other, &node->listeners, entry) {
		if (other != listener)
			other->hush(other);
	}
}

int cl_dhcp6_node_send(
	struct cl_dhcp6_node *node, const struct dhcp6_msg *msg, const struct in6_addr *local)
{
	const struct addr_endpoint server = cl_dhcp6_config_server(node->config);
	struct cl_dhcp6_way way = {.local = in6addr_any};
	uint8_t buf[DHCP6_SEND_MAX];
	int len = dhcp6_msg_write(msg, &node->codes, buf, sizeof(buf));

	if (len < 0)
		return len;
	addr_endpoint_to_sockaddr(&server, &way.peer);
	if (node->config->has_server) {
		way.local = *local;
	} else {
		way.ifindex = if_nametoindex(node->config->interface);
		way.peer.sin6_scope_id = way.ifindex;
		if (way.ifindex == 0)
			return -ENODEV;
	}
	log_debug("dhcpv6: %s is sent", dhcp6_type_name(msg->type));
	return cl_dhcp6_socket_send(node->params.fd, &way, buf, (size_t)len);
}

void cl_dhcp6_node_take_key(struct cl_dhcp6_node *node, const struct dhcp6_msg *msg)
{
	uint8_t key[DHCP6_AUTH_KEY_LEN];

	if (node->params.config->accept_push && msg->type == DHCP6_REPLY &&
		dhcp6_auth_get_key(&msg->auth, key))
		cl_dhcp6_identity_set_key(&node->identity, key, msg->auth.replay);
}

static void count(struct cl_dhcp6_node *node, enum cl_counter counter)
{
	node->params.ops->count(node->params.arg, counter);
}

/* RFC 8415 section 18.2.11. */
static void take_reconfigure(struct cl_dhcp6_node *node, const struct dhcp6_msg *msg, size_t len)
{
	bool is_wanted = node->params.config->accept_push && dhcp6_msg_check(msg) == 0 &&
			 dhcp6_duid_equal(&msg->client_id, &node->identity.duid);

	if (!is_wanted || !cl_dhcp6_identity_verify(&node->identity, node->buf, len)) {
		count(node, CL_DHCP6_RECONFIGURE);
		return;
	}
	log_info("dhcpv6: the server wants to be asked: %s",
		dhcp6_type_name((enum dhcp6_type)msg->reconf_type));
	node->binding.must_rebind = msg->reconf_type == DHCP6_REBIND;
	node->params.ops->reconfigured(node->params.arg);
}

static bool came_as_asked(const struct cl_dhcp6_node *node, const struct cl_dhcp6_way *way)
{
	if (node->config->has_server)
		return addr_v6_equal(&way->peer.sin6_addr, &node->config->server);
	return way->ifindex != 0 && way->ifindex == if_nametoindex(node->config->interface);
}

static void take(struct cl_dhcp6_node *node, size_t len, const struct cl_dhcp6_way *way)
{
	struct cl_dhcp6_listener *listener, *next;
	struct dhcp6_msg msg;
	bool is_wanted = false;

	if (len > sizeof(node->buf) || dhcp6_msg_read(node->buf, len, &node->codes, &msg) < 0) {
		count(node, CL_DHCP6_MALFORMED);
		return;
	}
	if (msg.type == DHCP6_RECONFIGURE) {
		take_reconfigure(node, &msg, len);
		return;
	}
	log_debug("dhcpv6: %s came", dhcp6_type_name(msg.type));
	listener = came_as_asked(node, way) ? LIST_FIRST(&node->listeners) : NULL;
	for (; listener != NULL && !is_wanted; listener = next) {
		next = LIST_NEXT(listener, entry);
		is_wanted = listener->message(listener, &msg);
	}
	if (!is_wanted)
		count(node, CL_DHCP6_STRANGE);
}

static void on_datagram(evutil_socket_t fd, short what, void *arg)
{
	struct cl_dhcp6_node *node = arg;
	struct cl_dhcp6_way way;

	for (unsigned int i = 0; i < DATAGRAMS_PER_TURN; i++) {
		ssize_t len = cl_dhcp6_socket_receive(fd, node->buf, sizeof(node->buf), &way);

		if (len == -EAGAIN)
			return;
		if (len >= 0)
			take(node, (size_t)len, &way);
	}
}

struct cl_dhcp6_node *cl_dhcp6_node_create(const struct cl_dhcp6_node_params *params)
{
	struct cl_dhcp6_node *node = calloc(1, sizeof(*node));
	char duid[DHCP6_DUID_STRLEN];
	int ret = -ENOMEM;

	if (node == NULL) {
		close(params->fd);
		errno = ENOMEM;
		return NULL;
	}
	LIST_INIT(&node->listeners);
	node->params = *params;
	node->config = &params->config->dhcp6;
	node->codes = cl_dhcp6_config_codes(node->config);
	node->event = event_new(params->base, params->fd, EV_READ | EV_PERSIST, on_datagram, node);
	if (node->event == NULL || event_add(node->event, NULL) < 0)
		goto fail;
	ret = cl_dhcp6_identity_init(&node->identity, params->config);
	if (ret < 0)
		goto fail;
	log_info("dhcpv6: this host is %s", dhcp6_duid_format(&node->identity.duid, duid));
	return node;
fail:
	cl_dhcp6_node_destroy(node);
	errno = -ret;
	return NULL;
}

void cl_dhcp6_node_destroy(struct cl_dhcp6_node *node)
{
	struct cl_dhcp6_listener *listener;

	if (node == NULL)
		return;
	while ((listener = LIST_FIRST(&node->listeners)) != NULL) {
		LIST_REMOVE(listener, entry);
		listener->gone(listener);
	}
	if (node->event != NULL)
		event_free(node->event);
	close(node->params.fd);
	cl_dhcp6_identity_fini(&node->identity);
	free(node);
}

const struct cl_dhcp6_identity *cl_dhcp6_node_identity(const struct cl_dhcp6_node *node)
{
	return &node->identity;
}

struct cl_dhcp6_binding *cl_dhcp6_node_binding(struct cl_dhcp6_node *node)
{
	return &node->binding;
}

bool cl_dhcp6_node_is_first(struct cl_dhcp6_node *node)
{
	bool is_first = !node->has_asked;

	node->has_asked = true;
	return is_first;
}
