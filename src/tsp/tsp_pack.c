// SPDX-License-Identifier: BSD-3-Clause
#include "tsp/tsp_pack.h"

#include <errno.h>
#include <string.h>

#define CODE_MAX        9999
#define PORTS_COUNT_MAX 65536

/* Which of the flags a message or a party has. */
enum {
	HAS_LIFETIME = 1 << 0,
	WANTS_KEEPALIVE = 1 << 1,
	LOOSE_V6 = 1 << 2,
	HAS_DIFFERS = 1 << 3,

	PRESENT = 1 << 0,
	HAS_V4 = 1 << 1,
	HAS_PORTS = 1 << 2,
};

_Static_assert(TSP_PACK_MAX >= 14 + 2 * (11 + TSP_PARTY_V6_MAX * 16 + LEASE_RANGES_MAX * 4) + 1 +
				       TSP_BROKERS_MAX * 17 + 1 + TSP_PREFIXES_MAX * 5 + 9 +
				       DIGEST_FANOUT * 8,
	"a whole message fits");

/* --- packing ------------------------------------------------------------------------------------- */

static void put(uint8_t **at, const void *value, size_t len)
{
	memcpy(*at, value, len);
	*at += len;
}

static void put_octet(uint8_t **at, uint8_t value)
{
	put(at, &value, 1);
}

static void put_party(uint8_t **at, const struct tsp_party *party)
{
	put_octet(at, (party->present ? PRESENT : 0) | (party->has_v4 ? HAS_V4 : 0) |
			      (party->has_ports ? HAS_PORTS : 0));
	put(at, &party->v4, sizeof(party->v4));
	put(at, &party->ports_count, sizeof(party->ports_count));
	put_octet(at, party->n_v6);
	put(at, party->v6, party->n_v6 * sizeof(party->v6[0]));
	put_octet(at, party->n_ranges);
	for (uint32_t i = 0; i < party->n_ranges; i++) {
		put(at, &party->ranges[i].first, sizeof(uint16_t));
		put(at, &party->ranges[i].last, sizeof(uint16_t));
	}
}

static void put_broker(uint8_t **at, const struct tsp_broker *broker)
{
	struct in6_addr addr = broker->v6;

	if (broker->is_v4)
		memcpy(&addr, &broker->v4, sizeof(broker->v4));
	put_octet(at, broker->is_v4);
	put(at, &addr, sizeof(addr));
}

static void put_digests(uint8_t **at, const struct tsp_msg *msg)
{
	put_octet(at, msg->node.depth);
	put(at, &msg->node.number, sizeof(msg->node.number));
	put(at, &msg->differs_s, sizeof(msg->differs_s));
	put_octet(at, msg->n_digests);
	put(at, msg->digests, msg->n_digests * sizeof(msg->digests[0]));
}

size_t tsp_msg_pack(const struct tsp_msg *msg, uint8_t buf[static TSP_PACK_MAX])
{
	uint8_t *at = buf;

	put_octet(&at, msg->status);
	put_octet(&at, msg->action);
	put_octet(&at, msg->sync);
	put_octet(&at, (msg->has_lifetime ? HAS_LIFETIME : 0) |
			       (msg->wants_keepalive ? WANTS_KEEPALIVE : 0) |
			       (msg->loose_v6 ? LOOSE_V6 : 0) |
			       (msg->has_differs ? HAS_DIFFERS : 0));
	put(&at, &msg->code, sizeof(msg->code));
	put(&at, &msg->lifetime_s, sizeof(msg->lifetime_s));
	put(&at, &msg->until_s, sizeof(msg->until_s));
	put_party(&at, &msg->client);
	put_party(&at, &msg->server);
	put_octet(&at, msg->n_brokers);
	for (uint32_t i = 0; i < msg->n_brokers; i++)
		put_broker(&at, &msg->brokers[i]);
	put_octet(&at, msg->n_prefixes);
	for (uint32_t i = 0; i < msg->n_prefixes; i++) {
		put(&at, &msg->prefixes[i].addr, sizeof(msg->prefixes[i].addr));
		put_octet(&at, msg->prefixes[i].len);
	}
	put_digests(&at, msg);
	return at - buf;
}

/* --- unpacking ----------------------------------------------------------------------------------- */

/* Octets that are left; bad once something was missing or impossible. */
struct reader {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static void check(struct reader *reader, bool is_possible)
{
	reader->bad |= !is_possible;
}

static void take(struct reader *reader, void *value, size_t len)
{
	check(reader, len <= reader->left);
	if (reader->bad) {
		memset(value, 0, len);
		return;
	}
	memcpy(value, reader->at, len);
	reader->at += len;
	reader->left -= len;
}

/* 0 to max, or the reader is bad and it is 0. */
static uint8_t take_octet(struct reader *reader, uint8_t max)
{
	uint8_t value;

	take(reader, &value, 1);
	check(reader, value <= max);
	return reader->bad ? 0 : value;
}

static void take_range(struct reader *reader, struct tsp_party *party, uint32_t i)
{
	struct port_range range = {0};

	take(reader, &range.first, sizeof(uint16_t));
	take(reader, &range.last, sizeof(uint16_t));
	check(reader, range.first <= range.last);
	for (uint32_t j = 0; j < i; j++)
		check(reader, !port_range_overlaps(range, party->ranges[j]));
	party->ranges[i] = range;
}

static void take_party(struct reader *reader, struct tsp_party *party)
{
	uint8_t flags = take_octet(reader, PRESENT | HAS_V4 | HAS_PORTS);

	party->present = flags & PRESENT;
	party->has_v4 = flags & HAS_V4;
	party->has_ports = flags & HAS_PORTS;
	take(reader, &party->v4, sizeof(party->v4));
	take(reader, &party->ports_count, sizeof(party->ports_count));
	party->n_v6 = take_octet(reader, TSP_PARTY_V6_MAX);
	take(reader, party->v6, party->n_v6 * sizeof(party->v6[0]));
	party->n_ranges = take_octet(reader, LEASE_RANGES_MAX);
	for (uint32_t i = 0; i < party->n_ranges; i++)
		take_range(reader, party, i);
	check(reader, party->has_v4 || party->v4 == 0);
	check(reader, party->ports_count <= PORTS_COUNT_MAX);
	check(reader, party->has_ports || (party->n_ranges == 0 && party->ports_count == 0));
	check(reader, party->present || (!party->has_v4 && !party->has_ports && party->n_v6 == 0));
}

static void take_broker(struct reader *reader, struct tsp_broker *broker)
{
	struct in6_addr addr;

	broker->is_v4 = take_octet(reader, true);
	take(reader, &addr, sizeof(addr));
	if (broker->is_v4)
		memcpy(&broker->v4, &addr, sizeof(broker->v4));
	else
		broker->v6 = addr;
}

static void take_prefix(struct reader *reader, struct addr_v4_prefix *prefix)
{
	take(reader, &prefix->addr, sizeof(prefix->addr));
	prefix->len = take_octet(reader, 32);
	check(reader, prefix->len == 32 || (prefix->addr & UINT32_MAX >> prefix->len) == 0);
}

static void take_digests(struct reader *reader, struct tsp_msg *msg)
{
	msg->node.depth = take_octet(reader, DIGEST_DEPTH);
	take(reader, &msg->node.number, sizeof(msg->node.number));
	take(reader, &msg->differs_s, sizeof(msg->differs_s));
	msg->n_digests = take_octet(reader, DIGEST_FANOUT);
	take(reader, msg->digests, msg->n_digests * sizeof(msg->digests[0]));
	check(reader, msg->node.number >> 4 * msg->node.depth == 0);
	check(reader, msg->n_digests <= 1 || msg->n_digests == DIGEST_FANOUT);
	check(reader, msg->has_differs || msg->differs_s == 0);
}

/* Digests belong to what levels two tables, and to its answers. */
static bool has_digests(const struct tsp_msg *msg)
{
	return msg->node.depth > 0 || msg->n_digests > 0 || msg->has_differs;
}

/* What the parts of a message say about each other. */
static void check_whole(struct reader *reader, const struct tsp_msg *msg)
{
	check(reader, msg->status != TSP_STATUS_NONE || msg->action != TSP_ACTION_NONE);
	check(reader, msg->action != TSP_ACTION_INFO || msg->status != TSP_STATUS_NONE);
	check(reader, msg->sync == TSP_SYNC_NONE || msg->action == TSP_ACTION_LIST);
	check(reader,
		!has_digests(msg) || msg->sync != TSP_SYNC_NONE || msg->action == TSP_ACTION_INFO);
	check(reader, msg->code <= CODE_MAX);
	check(reader, msg->has_lifetime
			      ? msg->lifetime_s >= 1 && msg->lifetime_s <= TSP_LIFETIME_MAX_S
			      : msg->lifetime_s == 0);
	check(reader, reader->left == 0);
}

int tsp_msg_unpack(const uint8_t *buf, size_t len, struct tsp_msg *msg)
{
	struct reader reader = {.at = buf, .left = len};
	uint8_t flags;

	*msg = (struct tsp_msg){0};
	msg->status = take_octet(&reader, TSP_STATUS_BUSY);
	msg->action = take_octet(&reader, TSP_ACTION_LIST);
	msg->sync = take_octet(&reader, TSP_SYNC_LEVEL);
	flags = take_octet(&reader, HAS_LIFETIME | WANTS_KEEPALIVE | LOOSE_V6 | HAS_DIFFERS);
	msg->has_lifetime = flags & HAS_LIFETIME;
	msg->wants_keepalive = flags & WANTS_KEEPALIVE;
	msg->loose_v6 = flags & LOOSE_V6;
	msg->has_differs = flags & HAS_DIFFERS;
	take(&reader, &msg->code, sizeof(msg->code));
	take(&reader, &msg->lifetime_s, sizeof(msg->lifetime_s));
	take(&reader, &msg->until_s, sizeof(msg->until_s));
	take_party(&reader, &msg->client);
	take_party(&reader, &msg->server);
	msg->n_brokers = take_octet(&reader, TSP_BROKERS_MAX);
	for (uint32_t i = 0; i < msg->n_brokers; i++)
		take_broker(&reader, &msg->brokers[i]);
	msg->n_prefixes = take_octet(&reader, TSP_PREFIXES_MAX);
	for (uint32_t i = 0; i < msg->n_prefixes; i++)
		take_prefix(&reader, &msg->prefixes[i]);
	take_digests(&reader, msg);
	check_whole(&reader, msg);
	if (!reader.bad)
		return 0;
	*msg = (struct tsp_msg){0};
	return -EINVAL;
}
