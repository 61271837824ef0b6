// SPDX-License-Identifier: BSD-3-Clause
/*
 * Where clients come in: the sockets that listen, and what is spoken behind each.
 *
 * A reload opens and closes them one by one; one whose endpoint stays is not touched. A change is prepared,
 * which may fail and changes nothing, and then made, which cannot fail.
 */
#pragma once

#include "common/addr.h"
#include "server/server_config.h"

#include <stdint.h>

struct event_base;
struct srv_door;
struct srv_doors;

enum srv_door_kind {
	SRV_DOOR_PLAIN, /* config.listen */
	SRV_DOOR_TLS, /* config.listen_tls */
	SRV_DOOR_MINUTES, /* config.listen_minutes: lifetimes are in minutes */
	SRV_DOOR_KINDS,
};

/* Somebody came; fd is the function's from now on. */
typedef void (*srv_door_fn)(
	void *arg, enum srv_door_kind kind, int fd, const struct addr_endpoint *peer);

/* A change on its way. */
struct srv_doors_change {
	struct srv_door **doors; /* [n] those that stay and those that are new */
	enum srv_door_kind *kinds; /* [n] */
	uint32_t n;
};

/* None at first. NULL + errno. */
struct srv_doors *srv_doors_create(struct event_base *base, srv_door_fn come, void *arg);
void srv_doors_destroy(struct srv_doors *doors);

/* Returns 0, or -errno with a sentence in error. */
int srv_doors_prepare(struct srv_doors *doors, const struct srv_config *config,
	struct srv_doors_change *change, struct config_error *error);
void srv_doors_abandon(struct srv_doors *doors, struct srv_doors_change *change);
void srv_doors_commit(struct srv_doors *doors, struct srv_doors_change *change);

uint32_t srv_doors_count(const struct srv_doors *doors);
enum srv_door_kind srv_doors_kind(const struct srv_doors *doors, uint32_t i);
/* The endpoint that it has, also when the kernel chose the port. */
struct addr_endpoint srv_doors_endpoint(const struct srv_doors *doors, uint32_t i);
