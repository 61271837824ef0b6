// SPDX-License-Identifier: BSD-3-Clause
/*
 * One conversation with DHCPv6 servers (RFC 8415 sections 15 and 18), from its first message to its outcome.
 *
 * A pure state machine: events in, a message and an outcome out, time is an argument; no socket, no
 * clock, no memory.
 *
 *	ASK --> (DELAY) --> SOLICIT --the best Advertise--> REQUEST --Reply--> granted
 *	ASK, stateless --> INFORM --Reply--> granted
 *	RENEW --> RENEW --T2--> REBIND --Reply--> granted; "no binding" --> REQUEST
 *	ANNOUNCE --> ANNOUNCE --Reply with a key, or asked often enough--> done
 *	RELEASE, DECLINE --Reply, or asked often enough--> done
 *
 * Each message is sent again after times that double, with some chance in them. Advertises are collected until the
 * first such time is over, unless one has the highest preference or only one server is asked. A
 * message counts if it has our identifier, its transaction is this one, and it is from the server that was chosen.
 */
#pragma once

#include "client/dhcp6_grant.h"

#include <stdbool.h>
#include <stdint.h>

#define CL_DHCP6_NEVER INT64_MAX

enum cl_dhcp6_phase {
	CL_DHCP6_IDLE, /* before the first event and behind the outcome */
	CL_DHCP6_DELAY, /* before the first message of this host, so that all do not speak at once */
	CL_DHCP6_SOLICIT,
	CL_DHCP6_REQUEST,
	CL_DHCP6_RENEW,
	CL_DHCP6_REBIND,
	CL_DHCP6_INFORM,
	CL_DHCP6_ANNOUNCE,
	CL_DHCP6_RELEASE,
	CL_DHCP6_DECLINE,
	CL_DHCP6_PHASES_N
};

enum cl_dhcp6_event_type {
	CL_DHCP6_EVENT_ASK,
	CL_DHCP6_EVENT_ANNOUNCE, /* no lease is wanted, but the key of Reconfigure (R36) */
	CL_DHCP6_EVENT_RENEW, /* at its giver, until T2; then at any server */
	CL_DHCP6_EVENT_REBIND, /* at any server at once */
	CL_DHCP6_EVENT_RELEASE,
	CL_DHCP6_EVENT_DECLINE,
	CL_DHCP6_EVENT_TIMER, /* cl_dhcp6_exchange_deadline() has come; early calls do nothing */
	CL_DHCP6_EVENT_MESSAGE,
};

struct cl_dhcp6_event {
	enum cl_dhcp6_event_type type;
	const struct lease *lease; /* RENEW to DECLINE: what is held, to its end */
	const struct dhcp6_duid *giver; /* RENEW, RELEASE, DECLINE */
	int64_t rebind_ms; /* RENEW: T2 */
	const struct dhcp6_msg *msg; /* MESSAGE */
};

enum cl_dhcp6_outcome {
	CL_DHCP6_PENDING,
	CL_DHCP6_GRANTED, /* step->grant, by step->giver */
	CL_DHCP6_REFUSED, /* step->status; NoBinding: what was to be renewed is gone */
	CL_DHCP6_UNUSABLE, /* step->grant is to be declined: step->why */
	CL_DHCP6_DONE, /* announced, released, declined */
	CL_DHCP6_UNANSWERED, /* nothing that helps, or none before the end of the lease: step->why, or NULL */
};

/* What came of an event. */
struct cl_dhcp6_step {
	enum cl_dhcp6_outcome outcome;
	struct cl_dhcp6_grant grant;
	struct dhcp6_duid giver;
	struct dhcp6_status status;
	const char *why;
	bool is_accepted; /* the message is from who was asked: what it says beside the lease counts */
	bool is_sent; /* msg is to be sent now */
	struct dhcp6_msg msg;
};

struct cl_dhcp6_exchange_params {
	struct cl_dhcp6_want want;
	struct dhcp6_duid duid; /* ours */
	bool is_rapid; /* a Reply to the Solicit is welcome (rapid commit) */
	bool is_reconfigured; /* servers may tell us to ask again */
	bool is_alone; /* one server is asked: the first Advertise is the best */
	bool is_delayed; /* the first message waits for a moment */
	uint64_t seed; /* of the chance; not 0 */
};

struct cl_dhcp6_exchange {
	struct cl_dhcp6_exchange_params params;
	enum cl_dhcp6_phase phase;
	uint32_t xid;
	struct dhcp6_duid server; /* who is spoken to; len 0: all */
	bool has_lease;
	struct lease lease; /* with has_lease: what is held or was offered */
	bool is_held; /* it is held, not offered */
	bool has_offer;
	uint8_t preference; /* of the offer */
	struct dhcp6_status refusal; /* of the servers that advertised nothing else */
	const char *useless; /* why what they advertised cannot be used; NULL: nothing such */
	uint32_t sent; /* messages of this phase */
	int64_t began_ms; /* the first of them */
	int64_t rt_ms; /* the current retransmission time */
	int64_t next_ms; /* the next message */
	int64_t end_ms; /* of the phase */
	uint32_t sol_max_rt_s, inf_max_rt_s; /* as servers want them */
	uint64_t random;
	int64_t now_ms; /* of the step that runs */
	struct cl_dhcp6_step *out;
};

void cl_dhcp6_exchange_init(
	struct cl_dhcp6_exchange *exchange, const struct cl_dhcp6_exchange_params *params);

/* Takes one event; *step is overwritten. now_ms is clock_boot_ms(). */
void cl_dhcp6_exchange_step(struct cl_dhcp6_exchange *exchange, const struct cl_dhcp6_event *event,
	int64_t now_ms, struct cl_dhcp6_step *step);

/* When TIMER is due: boot clock, or CL_DHCP6_NEVER. */
int64_t cl_dhcp6_exchange_deadline(const struct cl_dhcp6_exchange *exchange);

const char *cl_dhcp6_phase_name(enum cl_dhcp6_phase phase);
