// SPDX-License-Identifier: BSD-3-Clause
#include "tsp/tsp_msg.h"

#include "common/addr.h"

#define REDIRECTION 1000 /* added to the code of an answer that lists other servers */

/* One row per status. In a column, the first row with a number is what the number means on input. */
static const struct {
	const char *text;
	uint16_t code[TSP_GENERATION_2 + 1]; /* by generation */
} codes[] = {
	[TSP_STATUS_NONE] = {"", {0, 0, 0}},
	[TSP_STATUS_OK] = {"Success", {0, 200, 200}},
	[TSP_STATUS_AUTH_FAILED] = {"Authentication failed", {0, 300, 300}},
	[TSP_STATUS_BAD_VERSION] = {"Unsupported client version", {0, 302, 302}},
	[TSP_STATUS_BAD_TUNNEL_TYPE] = {"Unsupported tunnel type", {0, 303, 303}},
	[TSP_STATUS_POOL_EXHAUSTED] = {"Address pool exhausted", {0, 306, 301}},
	[TSP_STATUS_TEP_ERROR] = {"Configuration error at TEP", {0, 307, 310}},
	[TSP_STATUS_UNAVAILABLE] = {"Requested address unavailable", {0, 308, 301}},
	[TSP_STATUS_RENEWAL_REFUSED] = {"Renewal refused", {0, 308, 310}},
	[TSP_STATUS_BAD_V6] = {"Invalid IPv6 address", {0, 309, 502}},
	[TSP_STATUS_BAD_V4] = {"Invalid IPv4 address", {0, 310, 501}},
	[TSP_STATUS_MALFORMED] = {"Malformed message", {0, 500, 500}},
	[TSP_STATUS_BUSY] = {"Too busy", {0, 530, 530}},
};
#define N_CODES (sizeof(codes) / sizeof(codes[0]))

uint16_t tsp_code(enum tsp_status status, enum tsp_generation generation)
{
	return codes[status].code[generation];
}

static enum tsp_status find_code(uint16_t code, enum tsp_generation generation)
{
	for (uint32_t i = TSP_STATUS_OK; i < N_CODES; i++) {
		if (codes[i].code[generation] == code)
			return i;
	}
	return TSP_STATUS_NONE;
}

enum tsp_status tsp_status_from_code(uint16_t code, enum tsp_generation generation)
{
	enum tsp_generation other = generation == TSP_GENERATION_1 ? TSP_GENERATION_2
								   : TSP_GENERATION_1;
	enum tsp_status status;

	if (code >= REDIRECTION)
		code -= REDIRECTION;
	status = find_code(code, generation);
	/* Peers mix the two tables up; a number without a meaning here may have one there. */
	if (status == TSP_STATUS_NONE)
		status = find_code(code, other);
	return status != TSP_STATUS_NONE ? status : TSP_STATUS_MALFORMED;
}

const char *tsp_status_text(enum tsp_status status)
{
	return codes[status].text;
}

bool tsp_msg_is_request(const struct tsp_msg *msg)
{
	return msg->action == TSP_ACTION_CREATE || msg->action == TSP_ACTION_DELETE ||
	       msg->action == TSP_ACTION_QUERY || msg->action == TSP_ACTION_LIST;
}

void tsp_party_from_lease(struct tsp_party *party, const struct lease *lease)
{
	*party = (struct tsp_party){
		.present = true,
		.has_v4 = true,
		.v4 = lease->v4,
		.n_v6 = 1,
		.v6 = {lease->client_v6},
	};
	if (lease_is_exclusive(lease))
		return;
	party->has_ports = true;
	party->n_ranges = lease->n_ranges;
	memcpy(party->ranges, lease->ranges, sizeof(party->ranges));
}

bool tsp_party_global_v6(const struct tsp_party *party, struct in6_addr *addr)
{
	for (uint32_t i = 0; i < party->n_v6; i++) {
		if (addr_v6_is_global(&party->v6[i])) {
			*addr = party->v6[i];
			return true;
		}
	}
	return false;
}

/* A host's address: not "this network", loopback, multicast, reserved or broadcast. */
static bool v4_is_unicast(uint32_t addr)
{
	uint8_t first = addr >> 24;

	return first != 0 && first != 127 && first < 224;
}

static int64_t lease_end(const struct tsp_msg *msg, int64_t now_ms)
{
	uint32_t lifetime_s = msg->has_lifetime ? msg->lifetime_s : TSP_LIFETIME_DEFAULT_S;

	if (msg->action == TSP_ACTION_DELETE)
		return now_ms;
	return now_ms + (int64_t)lifetime_s * 1000;
}

enum tsp_status tsp_msg_to_lease(const struct tsp_msg *msg, int64_t now_ms, struct lease *lease)
{
	const struct tsp_party *client = &msg->client;
	struct lease out = {
		.v4 = client->v4, .end_ms = lease_end(msg, now_ms), .stamp = msg->until_s};

	if (!client->has_v4 || !v4_is_unicast(client->v4))
		return TSP_STATUS_BAD_V4;
	if (!tsp_party_global_v6(client, &out.client_v6) ||
		!tsp_party_global_v6(&msg->server, &out.tep_v6))
		return TSP_STATUS_BAD_V6;
	/* Ports are asked for, but none are named: a request, not a lease. */
	if (client->has_ports && client->n_ranges == 0)
		return TSP_STATUS_MALFORMED;
	out.n_ranges = client->n_ranges;
	memcpy(out.ranges, client->ranges, sizeof(out.ranges));
	if (!client->has_ports) {
		out.n_ranges = 1;
		out.ranges[0] = PORT_RANGE_EXCLUSIVE;
	}
	*lease = out;
	return TSP_STATUS_NONE;
}
