// SPDX-License-Identifier: BSD-3-Clause
/*
 * This host as a DHCPv6 client, for as long as a configuration lasts: its socket, who it is, what it was given last and
 * by whom. Links (client/dhcp6_link.h) come and go; each has one exchange with the servers, and hears what
 * comes.
 *
 * An answer counts if it came the way it was asked for: over the link that was asked, or from the
 * server that was. A Reconfigure may come any way, and is believed if it is signed with the key that came with a
 * lease (R36); everything else that nothing asked for is dropped and counted.
 */
#pragma once

#include "client/counters.h"
#include "client/dhcp6_identity.h"
#include "common/lease.h"
#include "dhcp6/dhcp6_msg.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct cl_dhcp6_node;
struct event_base;

struct cl_dhcp6_node_ops {
	/* A server wants to be asked: by Renew, Rebind or Information-request. */
	void (*reconfigured)(void *arg);
	void (*count)(void *arg, enum cl_counter counter);
};

struct cl_dhcp6_node_params {
	struct event_base *base;
	const struct cl_config *config; /* borrowed, as are ops */
	int fd; /* of cl_dhcp6_socket_open(); taken over, also by a failure */
	const struct cl_dhcp6_node_ops *ops;
	void *arg;
};

/* What the servers have given last. */
struct cl_dhcp6_binding {
	struct lease lease; /* v4 0: nothing */
	struct dhcp6_duid giver;
	int64_t rebind_ms; /* T2 */
	bool must_rebind; /* any server is to be asked (Reconfigure) */
};

/* Who hears the messages of servers. */
struct cl_dhcp6_listener {
	LIST_ENTRY(cl_dhcp6_listener) entry;
	/* True when it was waited for. */
	bool (*message)(struct cl_dhcp6_listener *listener, const struct dhcp6_msg *msg);
	/* Another asks now: what this one has still to say would cross it. */
	void (*hush)(struct cl_dhcp6_listener *listener);
	/* The node goes; the listener must not touch it again. */
	void (*gone)(struct cl_dhcp6_listener *listener);
};

/* NULL + errno. */
struct cl_dhcp6_node *cl_dhcp6_node_create(const struct cl_dhcp6_node_params *params);
/* NULL is allowed. */
void cl_dhcp6_node_destroy(struct cl_dhcp6_node *node);

void cl_dhcp6_node_listen(struct cl_dhcp6_node *node, struct cl_dhcp6_listener *listener);
void cl_dhcp6_node_leave(struct cl_dhcp6_listener *listener);
void cl_dhcp6_node_hush_others(struct cl_dhcp6_node *node, struct cl_dhcp6_listener *listener);

/* To the servers that the configuration names; by unicast from local. Returns 0 or -errno. */
int cl_dhcp6_node_send(
	struct cl_dhcp6_node *node, const struct dhcp6_msg *msg, const struct in6_addr *local);
/* The key that a Reply hands over, if Reconfigure is accepted. */
void cl_dhcp6_node_take_key(struct cl_dhcp6_node *node, const struct dhcp6_msg *msg);

const struct cl_dhcp6_identity *cl_dhcp6_node_identity(const struct cl_dhcp6_node *node);
struct cl_dhcp6_binding *cl_dhcp6_node_binding(struct cl_dhcp6_node *node);
/* True for the first question of this host alone. */
bool cl_dhcp6_node_is_first(struct cl_dhcp6_node *node);
