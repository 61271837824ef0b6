// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_reconfigure.h"

#include "common/addr.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* A client that is being told, and the way to it as it was when that began. */
struct told {
	struct in6_addr tunnel_end;
	struct dhcp6_duid duid;
	struct srv_dhcp6_path path;
	struct dhcp6_relay relay;
	unsigned int forms;
	enum dhcp6_type type; /* what it is to come with */
	uint32_t sent;
	int64_t due_ms;
	TAILQ_ENTRY(told) link;
};

struct srv_dhcp6_reconfigure {
	struct srv_dhcp6_reconfigure_params params;
	uint64_t replay; /* the last value */
	uint32_t n;
	TAILQ_HEAD(, told) all;
};

struct srv_dhcp6_reconfigure *srv_dhcp6_reconfigure_create(
	const struct srv_dhcp6_reconfigure_params *params)
{
	struct srv_dhcp6_reconfigure *reconfigure = calloc(1, sizeof(*reconfigure));

	if (reconfigure == NULL)
		return NULL;
	reconfigure->params = *params;
	TAILQ_INIT(&reconfigure->all);
	return reconfigure;
}

static void forget(struct srv_dhcp6_reconfigure *reconfigure, struct told *told)
{
	TAILQ_REMOVE(&reconfigure->all, told, link);
	reconfigure->n--;
	free(told);
}

void srv_dhcp6_reconfigure_destroy(struct srv_dhcp6_reconfigure *reconfigure)
{
	struct told *told, *next;

	if (reconfigure == NULL)
		return;
	for (told = TAILQ_FIRST(&reconfigure->all); told != NULL; told = next) {
		next = TAILQ_NEXT(told, link);
		free(told);
	}
	free(reconfigure);
}

/* --- the message --------------------------------------------------------------------------------- */

/* Grows, also over a restart: milliseconds, with room for a million messages in each. */
static uint64_t next_replay(struct srv_dhcp6_reconfigure *reconfigure)
{
	uint64_t now = (uint64_t)clock_utc_ms() << 20;

	reconfigure->replay = now > reconfigure->replay ? now : reconfigure->replay + 1;
	return reconfigure->replay;
}

void srv_dhcp6_reconfigure_give_key(struct srv_dhcp6_reconfigure *reconfigure,
	const struct dhcp6_duid *duid, const struct in6_addr *tunnel_end, struct dhcp6_auth *auth)
{
	uint8_t key[DHCP6_AUTH_KEY_LEN];

	srv_dhcp6_secret_key(reconfigure->params.secret, duid, tunnel_end, key);
	dhcp6_auth_set_key(auth, next_replay(reconfigure), key);
}

/* What it is to ask for: IA_DSTM (001 C.2), and the forms in which it took its lease so far. */
static void ask_for(struct dhcp6_msg *msg, const struct dhcp6_codes *codes, unsigned int forms)
{
	dhcp6_msg_ask(msg, codes->ia);
	if ((forms & SRV_DHCP6_FORM_TOP_LEVEL) != 0) {
		dhcp6_msg_ask(msg, codes->address);
		dhcp6_msg_ask(msg, codes->ports);
		dhcp6_msg_ask(msg, codes->tep);
	}
	if ((forms & SRV_DHCP6_FORM_SOFTWIRE) != 0)
		dhcp6_msg_ask(msg, DHCP6_OPTION_S46_CONT_LW);
	if ((forms & SRV_DHCP6_FORM_VENDOR) != 0)
		dhcp6_msg_ask(msg, DHCP6_OPTION_VENDOR);
}

/* Returns its length, or -errno. */
static int write_message(
	struct srv_dhcp6_reconfigure *reconfigure, const struct told *told, uint8_t *buf, int size)
{
	const struct srv_dhcp6_reconfigure_params *params = &reconfigure->params;
	struct dhcp6_msg msg = {
		.type = DHCP6_RECONFIGURE,
		.client_id = told->duid,
		.server_id = *params->server_duid,
		.reconf_type = told->type,
	};
	uint8_t key[DHCP6_AUTH_KEY_LEN], bare[DHCP6_SEND_MAX];
	int len, ret;

	ask_for(&msg, params->codes, told->forms);
	dhcp6_auth_set_hmac(&msg.auth, next_replay(reconfigure));
	len = dhcp6_msg_write(&msg, params->codes, bare, sizeof(bare));
	if (len < 0)
		return len;
	srv_dhcp6_secret_key(params->secret, &told->duid, &told->tunnel_end, key);
	ret = dhcp6_auth_sign(bare, len, key);
	return ret < 0 ? ret : dhcp6_relay_close(&told->relay, bare, len, buf, size);
}

static void send_to(struct srv_dhcp6_reconfigure *reconfigure, struct told *told, int64_t now_ms)
{
	uint8_t buf[DHCP6_SEND_MAX];
	char text[ADDR_V6_STRLEN];
	int len = write_message(reconfigure, told, buf, sizeof(buf));

	if (len < 0) {
		log_warn("client %s: reconfigure: cannot be written: %s",
			addr_v6_format(&told->tunnel_end, text), strerror(-len));
	} else {
		reconfigure->params.send(reconfigure->params.arg, &told->path, buf, len);
		reconfigure->params.counters->n[SRV_COUNT_DHCP6_RECONFIGURES]++;
	}
	told->due_ms = now_ms + ((int64_t)SRV_DHCP6_REC_TIMEOUT_MS << told->sent);
	told->sent++;
}

/* --- beginning and end --------------------------------------------------------------------------- */

static struct told *find(
	const struct srv_dhcp6_reconfigure *reconfigure, const struct in6_addr *tunnel_end)
{
	struct told *told;

	TAILQ_FOREACH(told, &reconfigure->all, link) {
		if (addr_v6_equal(&told->tunnel_end, tunnel_end))
			return told;
	}
	return NULL;
}

/* Straight to where every client listens. */
static struct srv_dhcp6_path path_to(const struct in6_addr *address)
{
	return (struct srv_dhcp6_path){
		.peer = {.sin6_family = AF_INET6,
			.sin6_port = htons(DHCP6_PORT_CLIENT),
			.sin6_addr = *address},
	};
}

static int fill(const struct srv_dhcp6_reconfigure *reconfigure, const struct in6_addr *tunnel_end,
	const struct dhcp6_duid *duid, struct told *told)
{
	const struct srv_dhcp6_client *client = srv_dhcp6_clients_find_by_v6(
		reconfigure->params.clients, tunnel_end);

	*told = (struct told){.tunnel_end = *tunnel_end};
	if (client != NULL && (duid == NULL || dhcp6_duid_equal(duid, &client->duid))) {
		if (!client->accepts_reconfigure)
			return -EOPNOTSUPP;
		told->duid = client->duid;
		told->path = client->path;
		told->forms = client->forms;
		if (client->relay != NULL)
			told->relay = *client->relay;
		return 0;
	}
	if (duid == NULL)
		return -ENOENT;
	told->duid = *duid;
	told->path = path_to(tunnel_end);
	return 0;
}

int srv_dhcp6_reconfigure_begin(struct srv_dhcp6_reconfigure *reconfigure,
	const struct in6_addr *tunnel_end, const struct dhcp6_duid *duid, enum dhcp6_type type,
	int64_t now_ms)
{
	struct told *before = find(reconfigure, tunnel_end), *told;
	int ret;

	if (before == NULL && reconfigure->n == SRV_DHCP6_REC_UNDER_WAY)
		return -EBUSY;
	told = malloc(sizeof(*told));
	if (told == NULL)
		return -ENOMEM;
	ret = fill(reconfigure, tunnel_end, duid, told);
	if (ret < 0) {
		free(told);
		return ret;
	}
	if (before != NULL)
		forget(reconfigure, before);
	told->type = type;
	TAILQ_INSERT_TAIL(&reconfigure->all, told, link);
	reconfigure->n++;
	send_to(reconfigure, told, now_ms);
	return 0;
}

/* Any of the three will do, whichever it was told to send; and who has no lease to renew begins as it always does. */
static bool is_awaited(enum dhcp6_type type)
{
	return type == DHCP6_RENEW || type == DHCP6_REBIND || type == DHCP6_INFORMATION_REQUEST ||
	       type == DHCP6_SOLICIT || type == DHCP6_REQUEST;
}

void srv_dhcp6_reconfigure_heard(struct srv_dhcp6_reconfigure *reconfigure,
	const struct dhcp6_duid *duid, enum dhcp6_type type)
{
	struct told *told, *next;
	char text[ADDR_V6_STRLEN];

	if (reconfigure->n == 0 || !is_awaited(type))
		return;
	for (told = TAILQ_FIRST(&reconfigure->all); told != NULL; told = next) {
		next = TAILQ_NEXT(told, link);
		if (!dhcp6_duid_equal(&told->duid, duid))
			continue;
		log_info("client %s: reconfigure: it has come",
			addr_v6_format(&told->tunnel_end, text));
		reconfigure->params.counters->n[SRV_COUNT_DHCP6_RECONFIGURED]++;
		forget(reconfigure, told);
	}
}

static void give_up(struct srv_dhcp6_reconfigure *reconfigure, struct told *told)
{
	char text[ADDR_V6_STRLEN];

	log_warn("client %s: reconfigure: %u messages brought no answer",
		addr_v6_format(&told->tunnel_end, text), told->sent);
	reconfigure->params.counters->n[SRV_COUNT_DHCP6_RECONFIGURES_GIVEN_UP]++;
	forget(reconfigure, told);
}

void srv_dhcp6_reconfigure_tick(struct srv_dhcp6_reconfigure *reconfigure, int64_t now_ms)
{
	struct told *told, *next;

	for (told = TAILQ_FIRST(&reconfigure->all); told != NULL; told = next) {
		next = TAILQ_NEXT(told, link);
		if (told->due_ms > now_ms)
			continue;
		if (told->sent < SRV_DHCP6_REC_MAX_RC)
			send_to(reconfigure, told, now_ms);
		else
			give_up(reconfigure, told);
	}
}

uint32_t srv_dhcp6_reconfigure_count(const struct srv_dhcp6_reconfigure *reconfigure)
{
	return reconfigure->n;
}
