// SPDX-License-Identifier: BSD-3-Clause
/* What dstmctl asks a TEP; the commands stand in docs/control-sockets.md. */
#pragma once

#include "control/ask.h"
#include "control/host.h"
#include "control/session.h"
#include "control/tep.h"

struct event_base;
struct tep_ctl_socket;

/* Listens on control.socket. host, sessions and ask may be NULL. NULL + errno. */
struct tep_ctl_socket *tep_ctl_socket_create(struct event_base *base, struct tep *tep,
	const struct tep_host *host, const struct tep_sessions *sessions,
	const struct tep_ask *ask);
/* NULL is allowed. */
void tep_ctl_socket_destroy(struct tep_ctl_socket *ctl);
