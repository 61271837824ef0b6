// SPDX-License-Identifier: BSD-3-Clause
/*
 * Reconfigure: the operator tells a client that it will need IPv4, or that its lease is gone, and the client comes
 * and asks (R36; RFC 8415 section 18.3.11, once called Reconfigure-Init).
 *
 * A client believes only what is signed with the key that it got in a Reply (section 20.4). So it has to have said
 * that it accepts Reconfigures, and been given a key; then the message is repeated, after 2 s and from then on
 * after twice as long each time, until the client asks for something, or
 * SRV_DHCP6_REC_MAX_RC messages brought nothing. Each has a replay value above all before it: the time.
 *
 * Pure but for the wall clock that gives the replay value; one thread. Times are clock_boot_ms().
 */
#pragma once

#include "dhcp6/dhcp6_auth.h"
#include "dhcp6/dhcp6_codes.h"
#include "server/counters.h"
#include "server/dhcp6_clients.h"
#include "server/dhcp6_secret.h"

#include <stdbool.h>
#include <stdint.h>

#define SRV_DHCP6_REC_TIMEOUT_MS 2000
#define SRV_DHCP6_REC_MAX_RC     8
#define SRV_DHCP6_REC_UNDER_WAY  1024 /* clients that are being told at once */

struct srv_dhcp6_reconfigure;

struct srv_dhcp6_reconfigure_params {
	const struct srv_dhcp6_clients *clients;
	const struct srv_dhcp6_secret *secret;
	const struct dhcp6_duid *server_duid;
	/* Borrowed, as those above; a reload may change what they hold. */
	const struct dhcp6_codes *codes;
	void (*send)(void *arg, const struct srv_dhcp6_path *path, const void *data, size_t len);
	void *arg;
	struct srv_counters *counters;
};

/* NULL + errno. */
struct srv_dhcp6_reconfigure *srv_dhcp6_reconfigure_create(
	const struct srv_dhcp6_reconfigure_params *params);
void srv_dhcp6_reconfigure_destroy(struct srv_dhcp6_reconfigure *reconfigure); /* NULL is allowed */

/* The option by which a Reply gives the client its key. */
void srv_dhcp6_reconfigure_give_key(struct srv_dhcp6_reconfigure *reconfigure,
	const struct dhcp6_duid *duid, const struct in6_addr *tunnel_end, struct dhcp6_auth *auth);

/*
 * Tells the client to come with a message of that type (RENEW, REBIND or INFORMATION_REQUEST); one that is being told
 * already is told anew. duid: of a client that is not known, say since the server was restarted, which is sent to at
 * its tunnel end; else NULL. Returns 0; -ENOENT: it is not known; -EOPNOTSUPP: it does not accept that; -EBUSY: too
 * many are being told; -ENOMEM.
 */
int srv_dhcp6_reconfigure_begin(struct srv_dhcp6_reconfigure *reconfigure,
	const struct in6_addr *tunnel_end, const struct dhcp6_duid *duid, enum dhcp6_type type,
	int64_t now_ms);
/* A client has sent a message of that type, which may be what it was told to. */
void srv_dhcp6_reconfigure_heard(struct srv_dhcp6_reconfigure *reconfigure,
	const struct dhcp6_duid *duid, enum dhcp6_type type);

/* Repeats what is due. Cheap when nothing is. */
void srv_dhcp6_reconfigure_tick(struct srv_dhcp6_reconfigure *reconfigure, int64_t now_ms);
/* Clients that are being told. */
uint32_t srv_dhcp6_reconfigure_count(const struct srv_dhcp6_reconfigure *reconfigure);
