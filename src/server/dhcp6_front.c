// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_front.h"

#include "server/dhcp6_answer.h"
#include "server/dhcp6_exchange.h"
#include "server/dhcp6_rules.h"
#include "server/dhcp6_tunnel_end.h"
#include "server/dhcp6_users.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct srv_dhcp6_front {
	struct srv_dhcp6_front_params params;
	struct srv_dhcp6_exchanges *exchanges;
	struct srv_dhcp6_addresses addresses;
	struct srv_dhcp6_users users;
	int64_t now_ms; /* the last time that is known */
	/* Too large for the stack; what is in them is good until the next message. */
	struct dhcp6_msg heard;
	struct dhcp6_msg said;
};

static void count(struct srv_dhcp6_front *front, enum srv_counter counter)
{
	front->params.counters->n[counter]++;
}

static const struct srv_dhcp6_config *config_of(const struct srv_dhcp6_front *front)
{
	return &front->params.config->dhcp6;
}

static bool has_held_lease(const struct srv_dhcp6_front *front, const struct in6_addr *v6)
{
	const struct srv_lease *lease = srv_lease_db_of_client(
		srv_engine_leases(front->params.engine), v6);

	while (lease != NULL && !srv_lease_is_held(lease))
		lease = srv_lease_db_next_of_client(lease);
	return lease != NULL;
}

/* --- saying -------------------------------------------------------------------------------------- */

static void count_status(struct srv_dhcp6_front *front, uint16_t status)
{
	static const enum srv_counter counters[] = {
		[DHCP6_STATUS_UNSPEC_FAIL] = SRV_COUNT_DHCP6_UNSPEC_FAIL,
		[DHCP6_STATUS_NO_ADDRS_AVAIL] = SRV_COUNT_DHCP6_NO_ADDRS_AVAIL,
		[DHCP6_STATUS_NO_BINDING] = SRV_COUNT_DHCP6_NO_BINDING,
		[DHCP6_STATUS_NOT_ON_LINK] = SRV_COUNT_DHCP6_NOT_ON_LINK,
		[DHCP6_STATUS_USE_MULTICAST] = SRV_COUNT_DHCP6_USE_MULTICAST,
		[DHCP6_STATUS_NO_PREFIX_AVAIL] = SRV_COUNT_DHCP6_NO_PREFIX_AVAIL,
	};

	if (status != DHCP6_STATUS_SUCCESS && status < sizeof(counters) / sizeof(counters[0]))
		count(front, counters[status]);
}

static void count_statuses(struct srv_dhcp6_front *front, const struct dhcp6_msg *answer)
{
	count_status(front, answer->status.code);
	count_status(front, answer->vendor.ia.status.code);
	for (uint32_t i = 0; i < answer->n_ia_na; i++)
		count_status(front, answer->ia_na[i].status.code);
	for (uint32_t i = 0; i < answer->n_ia_pd; i++)
		count_status(front, answer->ia_pd[i].status.code);
	for (uint32_t i = 0; i < answer->n_ia_dstm; i++)
		count_status(front, answer->ia_dstm[i].status.code);
}

static void say(struct srv_dhcp6_front *front, const struct srv_dhcp6_inquiry *inquiry,
	struct dhcp6_msg *answer)
{
	uint8_t buf[DHCP6_SEND_MAX];
	int len = srv_dhcp6_answer_write(
		answer, &inquiry->request.codes, &inquiry->relay, buf, sizeof(buf));

	if (len < 0)
		return count(front, SRV_COUNT_DHCP6_NO_FIT);
	count(front, answer->type == DHCP6_ADVERTISE ? SRV_COUNT_DHCP6_ADVERTISED
						     : SRV_COUNT_DHCP6_REPLIED);
	count_statuses(front, answer);
	front->params.send(front->params.arg, &inquiry->path, buf, (size_t)len);
}

/* The address by which clients may write to us directly: where they just did, or the first that listen names. */
static bool find_unicast(const struct srv_dhcp6_front *front,
	const struct srv_dhcp6_inquiry *inquiry, struct in6_addr *addr)
{
	const struct addr_endpoint *listen = config_of(front)->listen.items;

	if (!config_of(front)->unicast)
		return false;
	*addr = inquiry->path.local;
	for (uint32_t i = 0; !addr_v6_is_global(addr) && i < config_of(front)->listen.n; i++) {
		if (listen[i].port == SRV_DHCP6_PORT)
			*addr = listen[i].addr;
	}
	return addr_v6_is_global(addr);
}

static struct srv_dhcp6_answerer answerer(
	const struct srv_dhcp6_front *front, const struct srv_dhcp6_inquiry *inquiry)
{
	struct srv_dhcp6_answerer by = {
		.config = config_of(front),
		.duid = front->params.duid,
		.addresses = &front->addresses,
		.gives_addresses = srv_dhcp6_gives_addresses(config_of(front), &inquiry->relay),
		.lifetime_s = front->params.config->lease.lifetime_s,
	};

	by.has_unicast = find_unicast(front, inquiry, &by.unicast);
	return by;
}

static void say_status(struct srv_dhcp6_front *front, const struct srv_dhcp6_inquiry *inquiry,
	uint16_t status, const char *text)
{
	const struct srv_dhcp6_answerer by = answerer(front, inquiry);

	srv_dhcp6_answer_status(&by, &inquiry->request, status, text, &front->said);
	say(front, inquiry, &front->said);
}

/* Who gets a Reply is known from then on, and who takes Reconfigures gets the key to them (R36). */
static void note_client(struct srv_dhcp6_front *front, const struct srv_dhcp6_inquiry *inquiry,
	struct dhcp6_msg *answer)
{
	const struct srv_dhcp6_request *request = &inquiry->request;
	const struct srv_dhcp6_client *before = srv_dhcp6_clients_find_by_v6(
		front->params.clients, &inquiry->tunnel_end);
	bool is_new = before == NULL;
	const struct srv_dhcp6_client client = {
		.tunnel_end = inquiry->tunnel_end,
		.duid = request->client,
		.path = inquiry->path,
		.relay = inquiry->relay.n_levels > 0 ? &inquiry->relay : NULL,
		.forms = request->forms | (is_new ? 0 : before->forms),
		.accepts_reconfigure = request->accepts_reconfigure &&
				       config_of(front)->reconfigure,
		.has_lease = has_held_lease(front, &inquiry->tunnel_end),
		.seen_ms = front->now_ms,
	};

	if (request->client.len == 0 || !inquiry->has_tunnel_end)
		return;
	srv_dhcp6_clients_note(front->params.clients, &client);
	if (!client.accepts_reconfigure)
		return;
	answer->has_reconf_accept = true;
	if (is_new || request->type == DHCP6_REQUEST || request->type == DHCP6_SOLICIT ||
		request->type == DHCP6_INFORMATION_REQUEST)
		srv_dhcp6_reconfigure_give_key(front->params.reconfigure, &request->client,
			&inquiry->tunnel_end, &answer->auth);
}

/* grant: NULL where no lease was asked for. */
static void conclude(struct srv_dhcp6_front *front, const struct srv_dhcp6_inquiry *inquiry,
	const struct srv_dhcp6_grant *grant)
{
	const struct srv_dhcp6_answerer by = answerer(front, inquiry);
	const struct srv_dhcp6_request *request = &inquiry->request;
	bool is_farewell = request->type == DHCP6_RELEASE || request->type == DHCP6_DECLINE;
	bool is_given = grant != NULL && grant->is_given;
	struct dhcp6_msg *answer = &front->said;

	if (!srv_dhcp6_answer_make(&by, request, grant, answer))
		return count(front, SRV_COUNT_DHCP6_NOT_OURS);
	if (is_farewell && is_given)
		srv_dhcp6_clients_set_lease(front->params.clients, &inquiry->tunnel_end, false);
	else if (!is_farewell && answer->type == DHCP6_REPLY && (is_given || !request->wants_lease))
		note_client(front, inquiry, answer);
	say(front, inquiry, answer);
}

/* --- the engine ---------------------------------------------------------------------------------- */

static struct srv_dhcp6_exchange *exchange_of(struct srv_session *session)
{
	return (struct srv_dhcp6_exchange *)((char *)session -
					     offsetof(struct srv_dhcp6_exchange, session));
}

/* A Rebind goes to all servers: of an address that is none of our pools' another one will know. */
static bool is_anothers(const struct srv_dhcp6_front *front,
	const struct srv_dhcp6_request *request, const struct srv_dhcp6_grant *grant)
{
	return request->type == DHCP6_REBIND && request->names_v4 && !grant->is_given &&
	       !srv_engine_has_address(front->params.engine, request->v4);
}

/* Called by the engine, which must not be called from here. */
static void on_answer(struct srv_session *session, const struct tsp_msg *msg)
{
	struct srv_dhcp6_exchange *exchange = exchange_of(session);
	struct srv_dhcp6_front *front = exchange->owner;
	struct srv_dhcp6_grant grant = {.is_given = true, .valid_s = msg->lifetime_s};

	if (msg->status != TSP_STATUS_OK)
		grant = srv_dhcp6_grant_refused(msg->status);
	else if (tsp_msg_to_lease(msg, front->now_ms, &grant.lease) != TSP_STATUS_NONE)
		grant = srv_dhcp6_grant_refused(TSP_STATUS_MALFORMED);
	srv_dhcp6_exchange_end(front->exchanges, exchange);
	if (is_anothers(front, &exchange->inquiry.request, &grant))
		count(front, SRV_COUNT_DHCP6_NOT_OURS);
	else
		conclude(front, &exchange->inquiry, &grant);
}

static void close_ended(struct srv_dhcp6_front *front)
{
	struct srv_dhcp6_exchange *exchange;

	while ((exchange = srv_dhcp6_exchange_ended(front->exchanges)) != NULL) {
		srv_engine_session_closed(front->params.engine, &exchange->session, front->now_ms);
		srv_dhcp6_exchange_free(front->exchanges, exchange);
	}
}

static void begin_session(struct srv_dhcp6_front *front, const struct srv_dhcp6_inquiry *inquiry,
	struct srv_session *session)
{
	const char *user = srv_dhcp6_users_find(&front->users, &inquiry->request.client);

	srv_session_init(session);
	session->answer = on_answer;
	session->is_single = true;
	session->generation = TSP_GENERATION_1;
	session->peer = inquiry->tunnel_end;
	session->client_v6 = inquiry->tunnel_end;
	strncpy(session->user, user, sizeof(session->user) - 1);
}

/* A client keeps the kind of lease that it has; a whole address serves who could live in a range, too. */
static bool is_for_range(const struct srv_dhcp6_front *front,
	const struct srv_dhcp6_inquiry *inquiry, const char *user)
{
	const struct srv_engine *engine = front->params.engine;
	const struct srv_lease *lease = srv_lease_db_of_client(
		srv_engine_leases(engine), &inquiry->tunnel_end);

	if (!inquiry->request.can_share)
		return false;
	for (; lease != NULL; lease = srv_lease_db_next_of_client(lease)) {
		if (srv_lease_is_held(lease) && strcmp(lease->user, user) == 0)
			return !lease_is_exclusive(&lease->lease);
	}
	return srv_engine_shares(engine, &inquiry->tunnel_end);
}

static void ask_engine(struct srv_dhcp6_front *front, const struct srv_dhcp6_inquiry *inquiry,
	enum tsp_action action)
{
	struct srv_dhcp6_exchange *exchange;
	struct tsp_msg msg;

	if (inquiry->request.client.len > 0 &&
		srv_dhcp6_exchange_find(front->exchanges, &inquiry->request) != NULL)
		return count(front, SRV_COUNT_DHCP6_MERGED);
	exchange = srv_dhcp6_exchange_begin(front->exchanges, inquiry);
	if (exchange == NULL)
		return count(front, SRV_COUNT_DHCP6_NO_ROOM);
	exchange->owner = front;
	begin_session(front, inquiry, &exchange->session);
	msg = srv_dhcp6_request_ask(&inquiry->request, action, &inquiry->tunnel_end,
		is_for_range(front, inquiry, exchange->session.user));
	srv_engine_message(front->params.engine, &exchange->session, &msg, front->now_ms);
}

/* What a Request would get. */
static void preview(struct srv_dhcp6_front *front, const struct srv_dhcp6_inquiry *inquiry)
{
	struct srv_dhcp6_grant grant = {.is_given = true};
	struct srv_session session;
	enum tsp_status status;
	struct tsp_msg msg;

	begin_session(front, inquiry, &session);
	msg = srv_dhcp6_request_ask(&inquiry->request, TSP_ACTION_CREATE, &inquiry->tunnel_end,
		is_for_range(front, inquiry, session.user));
	status = srv_engine_offer(
		front->params.engine, &session, &msg, front->now_ms, &grant.lease);
	if (status == TSP_STATUS_OK)
		grant.valid_s = lease_seconds_left(&grant.lease, front->now_ms);
	else
		grant = srv_dhcp6_grant_refused(status);
	conclude(front, inquiry, &grant);
}

/* --- one message --------------------------------------------------------------------------------- */

/* Sets the tunnel end of the inquiry, or says why it has none. */
static enum srv_dhcp6_tunnel_end find_tunnel_end(
	struct srv_dhcp6_front *front, struct srv_dhcp6_inquiry *inquiry)
{
	const struct srv_dhcp6_request *request = &inquiry->request;
	const struct srv_dhcp6_config *config = config_of(front);
	struct in6_addr given;
	struct srv_dhcp6_evidence evidence = {
		.config = config,
		.inquiry = inquiry,
		.clients = front->params.clients,
		.links = front->params.links,
		.is_required = front->params.config->auth.require_peer_address,
		.now_ms = front->now_ms,
	};
	enum srv_dhcp6_tunnel_end end;

	if (request->n_na > 0 && srv_dhcp6_gives_addresses(config, &inquiry->relay)) {
		given = srv_dhcp6_address_of(&front->addresses, &config->addresses,
			&request->client, request->na[0].iaid);
		evidence.given = &given;
	}
	end = srv_dhcp6_tunnel_end_find(&evidence, &inquiry->tunnel_end);
	if (end == SRV_DHCP6_END_GOOD &&
		!srv_dhcp6_clients_may_use(front->params.clients, &inquiry->tunnel_end,
			&request->client, has_held_lease(front, &inquiry->tunnel_end)))
		end = SRV_DHCP6_END_TAKEN;
	inquiry->has_tunnel_end = end == SRV_DHCP6_END_GOOD;
	return end;
}

static struct srv_dhcp6_grant refuse_end(
	struct srv_dhcp6_front *front, enum srv_dhcp6_tunnel_end end)
{
	static const struct {
		enum srv_counter counter;
		const char *text;
	} rows[] = {
		[SRV_DHCP6_END_MISSING] = {SRV_COUNT_DHCP6_END_MISSING,
			"no IPv6 address is known for the tunnel"},
		[SRV_DHCP6_END_NOT_BELIEVED] = {SRV_COUNT_DHCP6_END_NOT_BELIEVED,
			"the tunnel cannot end at that IPv6 address"},
		[SRV_DHCP6_END_TAKEN] = {SRV_COUNT_DHCP6_END_TAKEN,
			"that IPv6 address is another client's"},
	};

	count(front, rows[end].counter);
	return (struct srv_dhcp6_grant){.status = DHCP6_STATUS_UNSPEC_FAIL, .text = rows[end].text};
}

/* Request, Renew, Rebind, Information-request, and Solicit. */
static void serve(struct srv_dhcp6_front *front, struct srv_dhcp6_inquiry *inquiry)
{
	const struct srv_dhcp6_request *request = &inquiry->request;
	enum srv_dhcp6_tunnel_end end = find_tunnel_end(front, inquiry);
	struct srv_dhcp6_grant refusal;

	if (!srv_dhcp6_request_is_ours(request))
		return conclude(front, inquiry, NULL);
	if (end != SRV_DHCP6_END_GOOD) {
		refusal = refuse_end(front, end);
		return conclude(front, inquiry, &refusal);
	}
	if (!request->wants_lease ||
		(request->type == DHCP6_SOLICIT &&
			!(request->has_rapid_commit && config_of(front)->rapid_commit)))
		return preview(front, inquiry);
	ask_engine(front, inquiry, TSP_ACTION_CREATE);
}

/* Who gives back the address that its tunnel ends at, and never had an IA_DSTM, gives back the lease with it. */
static bool releases_tunnel_end(
	const struct srv_dhcp6_front *front, const struct srv_dhcp6_inquiry *inquiry)
{
	const struct srv_dhcp6_client *client = srv_dhcp6_clients_find_by_v6(
		front->params.clients, &inquiry->tunnel_end);

	return inquiry->request.n_na > 0 && client != NULL && client->has_lease &&
	       !(client->forms & SRV_DHCP6_FORM_DSTM) &&
	       dhcp6_duid_equal(&client->duid, &inquiry->request.client);
}

static void decline_addresses(
	struct srv_dhcp6_front *front, const struct srv_dhcp6_request *request)
{
	const struct addr_v6_prefix *prefix = &config_of(front)->addresses;
	struct in6_addr given;

	for (uint32_t i = 0; prefix->len > 0 && i < request->n_na; i++) {
		given = srv_dhcp6_address_of(
			&front->addresses, prefix, &request->client, request->na[i].iaid);
		for (uint32_t j = 0; j < request->na[i].n_addrs; j++) {
			if (addr_v6_equal(&request->na[i].addrs[j], &given))
				srv_dhcp6_address_decline(&front->addresses, &given);
		}
	}
}

static void take_leave(struct srv_dhcp6_front *front, struct srv_dhcp6_inquiry *inquiry)
{
	const struct srv_dhcp6_request *request = &inquiry->request;
	enum srv_dhcp6_tunnel_end end = find_tunnel_end(front, inquiry);
	struct srv_dhcp6_grant refusal;
	bool is_ours = srv_dhcp6_request_is_ours(request);

	if (request->type == DHCP6_DECLINE)
		decline_addresses(front, request);
	if (end == SRV_DHCP6_END_GOOD && (is_ours || releases_tunnel_end(front, inquiry)))
		return ask_engine(front, inquiry, TSP_ACTION_DELETE);
	if (!is_ours)
		return conclude(front, inquiry, NULL);
	refusal = refuse_end(front, end);
	conclude(front, inquiry, &refusal);
}

/* Only of what we give can we say whether it is of the link; an IPv4 lease is no link's. */
static void confirm(struct srv_dhcp6_front *front, const struct srv_dhcp6_inquiry *inquiry)
{
	const struct addr_v6_prefix *prefix = &config_of(front)->addresses;
	bool is_there = srv_dhcp6_gives_addresses(config_of(front), &inquiry->relay);
	uint32_t n = 0, n_good = 0;

	for (uint32_t i = 0; i < inquiry->request.n_na; i++) {
		const struct srv_dhcp6_na *na = &inquiry->request.na[i];

		for (uint32_t j = 0; j < na->n_addrs; j++, n++)
			n_good += is_there && addr_v6_prefix_contains(prefix, &na->addrs[j]);
	}
	if (prefix->len == 0 || n == 0)
		return count(front, SRV_COUNT_DHCP6_NOT_OURS);
	if (n_good == n)
		say_status(front, inquiry, DHCP6_STATUS_SUCCESS, "");
	else
		say_status(front, inquiry, DHCP6_STATUS_NOT_ON_LINK, "not an address of the link");
}

static void answer(struct srv_dhcp6_front *front, struct srv_dhcp6_inquiry *inquiry)
{
	switch (inquiry->request.type) {
	case DHCP6_CONFIRM:
		return confirm(front, inquiry);
	case DHCP6_RELEASE:
	case DHCP6_DECLINE:
		return take_leave(front, inquiry);
	default:
		return serve(front, inquiry);
	}
}

/* Relays taken off, and read. Returns 0 or -EINVAL, and then the reason is counted. */
static int read_datagram(struct srv_dhcp6_front *front, const struct srv_dhcp6_datagram *datagram,
	struct srv_dhcp6_inquiry *inquiry)
{
	const struct dhcp6_codes codes = srv_dhcp6_codes_of(config_of(front));
	const struct config_list *relays = &config_of(front)->relays;
	const uint8_t *inner;
	size_t inner_len;

	inquiry->path = datagram->path;
	if (dhcp6_relay_open(datagram->data, datagram->len, &inquiry->relay, &inner, &inner_len) <
			0 ||
		dhcp6_msg_read(inner, inner_len, &codes, &front->heard) < 0) {
		count(front, SRV_COUNT_DHCP6_MALFORMED);
		return -EINVAL;
	}
	if (inquiry->relay.n_levels == 0)
		return 0;
	count(front, SRV_COUNT_DHCP6_RELAYED);
	if (IN6_IS_ADDR_LINKLOCAL(&datagram->path.peer.sin6_addr) ||
		addr_v6_prefixes_contain(relays->items, relays->n, &datagram->path.peer.sin6_addr))
		return 0;
	count(front, SRV_COUNT_DHCP6_FOREIGN_RELAY);
	return -EINVAL;
}

void srv_dhcp6_front_came(
	struct srv_dhcp6_front *front, const struct srv_dhcp6_datagram *datagram, int64_t now_ms)
{
	struct srv_dhcp6_inquiry inquiry = {.has_tunnel_end = false};
	struct srv_dhcp6_verdict verdict;

	front->now_ms = now_ms;
	close_ended(front);
	if (read_datagram(front, datagram, &inquiry) < 0)
		return;
	srv_dhcp6_request_read(&front->heard, config_of(front), &inquiry.request);
	verdict = srv_dhcp6_rules_apply(
		config_of(front), front->params.duid, &front->heard, &inquiry);
	count(front, verdict.type);
	if (verdict.use_multicast)
		return say_status(front, &inquiry, DHCP6_STATUS_USE_MULTICAST, "");
	if (!verdict.is_good)
		return count(front, verdict.discarded);
	if (inquiry.request.client.len > 0)
		srv_dhcp6_reconfigure_heard(
			front->params.reconfigure, &inquiry.request.client, inquiry.request.type);
	answer(front, &inquiry);
}

/* --- its life ------------------------------------------------------------------------------------ */

void srv_dhcp6_front_tick(struct srv_dhcp6_front *front, int64_t now_ms)
{
	front->now_ms = now_ms;
	close_ended(front);
}

int srv_dhcp6_front_reload(struct srv_dhcp6_front *front)
{
	return srv_dhcp6_users_set(&front->users, config_of(front));
}

uint32_t srv_dhcp6_front_exchanges(const struct srv_dhcp6_front *front)
{
	return srv_dhcp6_exchanges_count(front->exchanges);
}

struct srv_dhcp6_front *srv_dhcp6_front_create(const struct srv_dhcp6_front_params *params)
{
	struct srv_dhcp6_front *front = calloc(1, sizeof(*front));

	if (front == NULL)
		return NULL;
	front->params = *params;
	front->addresses.secret = params->secret;
	front->exchanges = srv_dhcp6_exchanges_create(params->config->dhcp6.exchanges);
	if (front->exchanges != NULL && srv_dhcp6_front_reload(front) == 0)
		return front;
	srv_dhcp6_exchanges_destroy(front->exchanges);
	free(front);
	errno = ENOMEM;
	return NULL;
}

void srv_dhcp6_front_destroy(struct srv_dhcp6_front *front, int64_t now_ms)
{
	struct srv_dhcp6_exchange *exchange;

	if (front == NULL)
		return;
	front->now_ms = now_ms;
	while ((exchange = srv_dhcp6_exchange_pending(front->exchanges)) != NULL)
		srv_dhcp6_exchange_end(front->exchanges, exchange);
	close_ended(front);
	srv_dhcp6_exchanges_destroy(front->exchanges);
	srv_dhcp6_users_free(&front->users);
	free(front);
}
