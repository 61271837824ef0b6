// SPDX-License-Identifier: BSD-3-Clause
#include "client/dhcp6_exchange.h"

#include "dhcp6/dhcp6_auth.h"

#define FIRST_DELAY_MS 1000 /* SOL_MAX_DELAY, INF_MAX_DELAY */
#define PREFERENCE_MAX 255 /* its server is not to be waited behind */
#define MAX_RT_MIN_S   60 /* of what servers may set */
#define MAX_RT_MAX_S   86400

/* RFC 8415 section 7.6; 0 is "no limit". */
struct timing {
	const char *name;
	enum dhcp6_type type;
	int64_t first_ms; /* IRT */
	int64_t max_ms; /* MRT */
	uint32_t count; /* MRC */
};

static const struct timing timings[CL_DHCP6_PHASES_N] = {
	[CL_DHCP6_IDLE] = {"idle"},
	[CL_DHCP6_DELAY] = {"delay"},
	[CL_DHCP6_SOLICIT] = {"solicit", DHCP6_SOLICIT, 1000, 3600000, 0},
	[CL_DHCP6_REQUEST] = {"request", DHCP6_REQUEST, 1000, 30000, 10},
	[CL_DHCP6_RENEW] = {"renew", DHCP6_RENEW, 10000, 600000, 0},
	[CL_DHCP6_REBIND] = {"rebind", DHCP6_REBIND, 10000, 600000, 0},
	[CL_DHCP6_INFORM] = {"inform", DHCP6_INFORMATION_REQUEST, 1000, 3600000, 0},
	[CL_DHCP6_ANNOUNCE] = {"announce", DHCP6_INFORMATION_REQUEST, 1000, 3600000, 10},
	[CL_DHCP6_RELEASE] = {"release", DHCP6_RELEASE, 1000, 0, 4},
	[CL_DHCP6_DECLINE] = {"decline", DHCP6_DECLINE, 1000, 0, 4},
};

const char *cl_dhcp6_phase_name(enum cl_dhcp6_phase phase)
{
	return timings[phase].name;
}

void cl_dhcp6_exchange_init(
	struct cl_dhcp6_exchange *exchange, const struct cl_dhcp6_exchange_params *params)
{
	*exchange = (struct cl_dhcp6_exchange){
		.params = *params,
		.next_ms = CL_DHCP6_NEVER,
		.end_ms = CL_DHCP6_NEVER,
		.random = params->seed,
	};
}

int64_t cl_dhcp6_exchange_deadline(const struct cl_dhcp6_exchange *exchange)
{
	if (exchange->phase == CL_DHCP6_IDLE)
		return CL_DHCP6_NEVER;
	return exchange->next_ms < exchange->end_ms ? exchange->next_ms : exchange->end_ms;
}

/* xorshift64, seeded by the kernel: a transaction cannot be guessed from outside the link, and retries spread. */
static uint64_t next_random(struct cl_dhcp6_exchange *exchange)
{
	uint64_t x = exchange->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	exchange->random = x;
	return x;
}

/* Times RAND: a tenth of it at most, less or more; only more where a Solicit begins. */
static int64_t chance(struct cl_dhcp6_exchange *exchange, int64_t ms, bool only_more)
{
	int64_t tenth = ms / 10;
	int64_t span = only_more ? tenth : 2 * tenth + 1;
	int64_t drawn = (int64_t)((next_random(exchange) >> 16) % (uint64_t)span);

	return only_more ? drawn + 1 : drawn - tenth;
}

static int64_t max_rt_ms(const struct cl_dhcp6_exchange *exchange)
{
	if (exchange->phase == CL_DHCP6_SOLICIT && exchange->sol_max_rt_s > 0)
		return (int64_t)exchange->sol_max_rt_s * 1000;
	if (exchange->phase == CL_DHCP6_INFORM && exchange->inf_max_rt_s > 0)
		return (int64_t)exchange->inf_max_rt_s * 1000;
	return timings[exchange->phase].max_ms;
}

/* RFC 8415 section 15. */
static void set_next(struct cl_dhcp6_exchange *exchange)
{
	const struct timing *timing = &timings[exchange->phase];
	bool is_first = exchange->sent == 1;
	int64_t base = is_first ? timing->first_ms : 2 * exchange->rt_ms;
	int64_t max = max_rt_ms(exchange);

	if (is_first)
		exchange->rt_ms = base +
				  chance(exchange, base, exchange->phase == CL_DHCP6_SOLICIT);
	else
		exchange->rt_ms = base + chance(exchange, base / 2, false);
	if (max > 0 && exchange->rt_ms > max)
		exchange->rt_ms = max + chance(exchange, max, false);
	exchange->next_ms = exchange->now_ms + exchange->rt_ms;
}

/* Hundredths of a second since the first message of this kind. */
static uint16_t elapsed_cs(const struct cl_dhcp6_exchange *exchange)
{
	int64_t cs = (exchange->now_ms - exchange->began_ms) / 10;

	return cs < UINT16_MAX ? (uint16_t)cs : UINT16_MAX;
}

static bool is_asking(enum cl_dhcp6_phase phase)
{
	return phase != CL_DHCP6_RELEASE && phase != CL_DHCP6_DECLINE;
}

/* A Release and a Decline name no option that they would want back. */
static void write_question(const struct cl_dhcp6_exchange *exchange, struct dhcp6_msg *msg)
{
	if (exchange->phase == CL_DHCP6_ANNOUNCE)
		cl_dhcp6_grant_announce(&exchange->params.want, msg);
	else
		cl_dhcp6_grant_ask(
			&exchange->params.want, exchange->has_lease ? &exchange->lease : NULL, msg);
	if (is_asking(exchange->phase)) {
		msg->has_reconf_accept = exchange->params.is_reconfigured;
		msg->has_rapid_commit = exchange->phase == CL_DHCP6_SOLICIT &&
					exchange->params.is_rapid;
	} else {
		msg->has_oro = false;
		msg->n_oro = 0;
	}
}

static void transmit(struct cl_dhcp6_exchange *exchange)
{
	struct dhcp6_msg *msg = &exchange->out->msg;

	exchange->sent++;
	*msg = (struct dhcp6_msg){
		.type = timings[exchange->phase].type,
		.xid = exchange->xid,
		.client_id = exchange->params.duid,
		.server_id = exchange->server,
		.has_elapsed = true,
		.elapsed_cs = elapsed_cs(exchange),
	};
	write_question(exchange, msg);
	exchange->out->is_sent = true;
	set_next(exchange);
}

/* Every transition passes here. */
static void enter(struct cl_dhcp6_exchange *exchange, enum cl_dhcp6_phase phase)
{
	exchange->phase = phase;
	exchange->sent = 0;
	exchange->next_ms = exchange->end_ms = CL_DHCP6_NEVER;
	if (phase == CL_DHCP6_IDLE)
		return;
	if (phase == CL_DHCP6_SOLICIT || phase == CL_DHCP6_REBIND || phase == CL_DHCP6_INFORM ||
		phase == CL_DHCP6_ANNOUNCE || phase == CL_DHCP6_DELAY)
		exchange->server.len = 0;
	if (phase == CL_DHCP6_DELAY) {
		exchange->next_ms = exchange->now_ms +
				    (int64_t)(next_random(exchange) >> 16) % FIRST_DELAY_MS;
		return;
	}
	exchange->xid = (next_random(exchange) >> 24) & 0xffffff;
	exchange->began_ms = exchange->now_ms;
	transmit(exchange);
}

static void finish(struct cl_dhcp6_exchange *exchange, enum cl_dhcp6_outcome outcome)
{
	exchange->out->outcome = outcome;
	exchange->out->giver = exchange->server;
	enter(exchange, CL_DHCP6_IDLE);
}

static void solicit(struct cl_dhcp6_exchange *exchange)
{
	exchange->has_lease = exchange->has_offer = false;
	exchange->refusal.present = false;
	exchange->useless = NULL;
	enter(exchange, exchange->params.want.is_stateless ? CL_DHCP6_INFORM : CL_DHCP6_SOLICIT);
}

static void ask(struct cl_dhcp6_exchange *exchange)
{
	exchange->has_lease = exchange->is_held = false;
	if (exchange->params.is_delayed) {
		exchange->params.is_delayed = false;
		enter(exchange, CL_DHCP6_DELAY);
	} else {
		solicit(exchange);
	}
}

/* What is held is never held for longer than it was given. */
static void rebind(struct cl_dhcp6_exchange *exchange)
{
	enter(exchange, CL_DHCP6_REBIND);
	exchange->end_ms = exchange->lease.end_ms;
}

static void renew(struct cl_dhcp6_exchange *exchange, const struct cl_dhcp6_event *event)
{
	if (exchange->params.want.is_stateless) {
		enter(exchange, CL_DHCP6_INFORM);
		exchange->end_ms = exchange->lease.end_ms;
	} else if (event->type == CL_DHCP6_EVENT_REBIND || event->giver->len == 0 ||
		   exchange->now_ms >= event->rebind_ms) {
		rebind(exchange);
	} else {
		exchange->server = *event->giver;
		enter(exchange, CL_DHCP6_RENEW);
		exchange->end_ms = event->rebind_ms;
	}
}

static void hold(struct cl_dhcp6_exchange *exchange, const struct lease *lease)
{
	exchange->has_lease = exchange->is_held = true;
	exchange->lease = *lease;
}

static void give_back(struct cl_dhcp6_exchange *exchange, const struct cl_dhcp6_event *event)
{
	bool declines = event->type == CL_DHCP6_EVENT_DECLINE;

	if (exchange->params.want.is_stateless || event->giver->len == 0) {
		finish(exchange, CL_DHCP6_DONE); /* nobody keeps it for us */
		return;
	}
	exchange->server = *event->giver;
	enter(exchange, declines ? CL_DHCP6_DECLINE : CL_DHCP6_RELEASE);
}

/* The server that was chosen has nothing for us after all, or does not answer: look for another. */
static void begin_again(struct cl_dhcp6_exchange *exchange)
{
	if (exchange->is_held)
		finish(exchange, CL_DHCP6_UNANSWERED);
	else
		solicit(exchange);
}

static void on_end(struct cl_dhcp6_exchange *exchange)
{
	if (exchange->phase == CL_DHCP6_RENEW && exchange->lease.end_ms > exchange->now_ms)
		rebind(exchange);
	else
		finish(exchange, CL_DHCP6_UNANSWERED);
}

static void request(struct cl_dhcp6_exchange *exchange)
{
	exchange->has_lease = true;
	enter(exchange, CL_DHCP6_REQUEST);
}

/* The first time is over. */
static void on_solicit_timer(struct cl_dhcp6_exchange *exchange)
{
	if (exchange->has_offer) {
		request(exchange);
	} else if (exchange->refusal.present) {
		exchange->out->status = exchange->refusal;
		finish(exchange, CL_DHCP6_REFUSED);
	} else if (exchange->useless != NULL) {
		exchange->out->why = exchange->useless;
		finish(exchange, CL_DHCP6_UNANSWERED);
	} else {
		transmit(exchange);
	}
}

static void on_timer(struct cl_dhcp6_exchange *exchange)
{
	const struct timing *timing = &timings[exchange->phase];

	if (exchange->now_ms < cl_dhcp6_exchange_deadline(exchange))
		return;
	if (exchange->now_ms >= exchange->end_ms) {
		on_end(exchange);
	} else if (exchange->phase == CL_DHCP6_DELAY) {
		solicit(exchange);
	} else if (exchange->phase == CL_DHCP6_SOLICIT) {
		on_solicit_timer(exchange);
	} else if (timing->count == 0 || exchange->sent < timing->count) {
		transmit(exchange);
	} else if (exchange->phase == CL_DHCP6_REQUEST) {
		begin_again(exchange);
	} else {
		finish(exchange, CL_DHCP6_DONE); /* said often enough */
	}
}

/* The highest preference, and of those the first (RFC 8415 section 18.2.9). */
static void take_advertise(struct cl_dhcp6_exchange *exchange, const struct dhcp6_msg *msg)
{
	struct cl_dhcp6_grant grant;
	struct dhcp6_status status;
	const char *why;
	enum cl_dhcp6_verdict verdict = cl_dhcp6_grant_read(
		&exchange->params.want, msg, &grant, &status, &why);

	exchange->out->is_accepted = true;
	if (verdict == CL_DHCP6_REFUSAL)
		exchange->refusal = status;
	if (verdict == CL_DHCP6_USELESS)
		exchange->useless = why;
	if (verdict != CL_DHCP6_GRANT ||
		(exchange->has_offer && msg->preference <= exchange->preference))
		return;
	exchange->has_offer = true;
	exchange->preference = msg->preference;
	exchange->server = msg->server_id;
	exchange->lease = grant.lease;
	if (exchange->params.is_alone || exchange->preference == PREFERENCE_MAX ||
		exchange->sent > 1)
		request(exchange);
}

/* "No binding": the server that says so is asked for one (RFC 8415 section 18.2.10.1). */
static void take_refusal(struct cl_dhcp6_exchange *exchange, const struct dhcp6_msg *msg)
{
	bool was_renewing = exchange->phase == CL_DHCP6_RENEW || exchange->phase == CL_DHCP6_REBIND;

	if (was_renewing && exchange->out->status.code == DHCP6_STATUS_NO_BINDING) {
		exchange->server = msg->server_id;
		request(exchange);
		exchange->end_ms = exchange->lease.end_ms;
		return;
	}
	finish(exchange, CL_DHCP6_REFUSED);
}

static void take_reply(struct cl_dhcp6_exchange *exchange, const struct dhcp6_msg *msg)
{
	struct cl_dhcp6_step *out = exchange->out;
	uint8_t key[DHCP6_AUTH_KEY_LEN];

	out->is_accepted = true;
	if (exchange->phase == CL_DHCP6_ANNOUNCE) {
		if (dhcp6_auth_get_key(&msg->auth, key))
			finish(exchange, CL_DHCP6_DONE);
		return;
	}
	if (!is_asking(exchange->phase)) {
		finish(exchange, CL_DHCP6_DONE);
		return;
	}
	switch (cl_dhcp6_grant_read(
		&exchange->params.want, msg, &out->grant, &out->status, &out->why)) {
	case CL_DHCP6_NOTHING: /* asked again, not more often than without it */
		break;
	case CL_DHCP6_GRANT:
		exchange->server = msg->server_id;
		finish(exchange, CL_DHCP6_GRANTED);
		break;
	case CL_DHCP6_REFUSAL:
		take_refusal(exchange, msg);
		break;
	case CL_DHCP6_ENDED:
		dhcp6_status_set(&out->status, DHCP6_STATUS_NO_BINDING, "its lifetime is 0");
		finish(exchange, CL_DHCP6_REFUSED);
		break;
	case CL_DHCP6_USELESS:
		exchange->server = msg->server_id;
		finish(exchange, CL_DHCP6_UNUSABLE);
		break;
	}
}

/* SOL_MAX_RT and INF_MAX_RT of any answer, within their bounds (RFC 8415 sections 21.24, 21.25). */
static void note_max_rt(struct cl_dhcp6_exchange *exchange, const struct dhcp6_msg *msg)
{
	if (msg->has_sol_max_rt && msg->sol_max_rt_s >= MAX_RT_MIN_S &&
		msg->sol_max_rt_s <= MAX_RT_MAX_S)
		exchange->sol_max_rt_s = msg->sol_max_rt_s;
	if (msg->has_inf_max_rt && msg->inf_max_rt_s >= MAX_RT_MIN_S &&
		msg->inf_max_rt_s <= MAX_RT_MAX_S)
		exchange->inf_max_rt_s = msg->inf_max_rt_s;
}

static bool is_for_us(const struct cl_dhcp6_exchange *exchange, const struct dhcp6_msg *msg)
{
	bool is_inform = exchange->phase == CL_DHCP6_INFORM || exchange->phase == CL_DHCP6_ANNOUNCE;
	bool names_us = dhcp6_duid_equal(&msg->client_id, &exchange->params.duid) ||
			(is_inform && msg->client_id.len == 0);

	return msg->xid == exchange->xid && names_us && msg->server_id.len > 0;
}

static void on_message(struct cl_dhcp6_exchange *exchange, const struct dhcp6_msg *msg)
{
	bool is_soliciting = exchange->phase == CL_DHCP6_SOLICIT;
	bool is_chosen = is_soliciting || exchange->server.len == 0 ||
			 dhcp6_duid_equal(&msg->server_id, &exchange->server);

	if (exchange->phase == CL_DHCP6_IDLE || exchange->phase == CL_DHCP6_DELAY ||
		!is_for_us(exchange, msg))
		return;
	note_max_rt(exchange, msg);
	if (msg->type == DHCP6_ADVERTISE && is_soliciting)
		take_advertise(exchange, msg);
	else if (msg->type == DHCP6_REPLY && is_chosen &&
		 (!is_soliciting || (msg->has_rapid_commit && exchange->params.is_rapid)))
		take_reply(exchange, msg);
}

void cl_dhcp6_exchange_step(struct cl_dhcp6_exchange *exchange, const struct cl_dhcp6_event *event,
	int64_t now_ms, struct cl_dhcp6_step *step)
{
	*step = (struct cl_dhcp6_step){.outcome = CL_DHCP6_PENDING};
	exchange->out = step;
	exchange->now_ms = now_ms;
	if (event->lease != NULL)
		hold(exchange, event->lease);
	switch (event->type) {
	case CL_DHCP6_EVENT_ASK:
		ask(exchange);
		break;
	case CL_DHCP6_EVENT_ANNOUNCE:
		enter(exchange, CL_DHCP6_ANNOUNCE);
		break;
	case CL_DHCP6_EVENT_RENEW:
	case CL_DHCP6_EVENT_REBIND:
		renew(exchange, event);
		break;
	case CL_DHCP6_EVENT_RELEASE:
	case CL_DHCP6_EVENT_DECLINE:
		give_back(exchange, event);
		break;
	case CL_DHCP6_EVENT_TIMER:
		on_timer(exchange);
		break;
	case CL_DHCP6_EVENT_MESSAGE:
		on_message(exchange, event->msg);
		break;
	}
	exchange->out = NULL;
}
