// SPDX-License-Identifier: BSD-3-Clause
/*
 * The message reader: whatever the body says, it is either refused with a status and nothing kept, or
 * read within the bounds of struct tsp_msg, and then what we write of it is read back the same.
 *
 * The first octet chooses the generation.
 */
#include "tsp/tsp_xml.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void check_party(const struct tsp_party *party)
{
	check(party->present || (!party->has_v4 && party->n_v6 == 0 && !party->has_ports));
	check(party->n_v6 <= TSP_PARTY_V6_MAX && party->n_ranges <= LEASE_RANGES_MAX);
	check(party->has_ports || (party->n_ranges == 0 && party->ports_count == 0));
	check(party->ports_count <= 65536);
	for (uint32_t i = 0; i < party->n_ranges; i++) {
		check(party->ranges[i].first <= party->ranges[i].last);
		for (uint32_t k = 0; k < i; k++)
			check(!port_range_overlaps(party->ranges[i], party->ranges[k]));
	}
}

static void check_read(const struct tsp_msg *msg)
{
	check(msg->action <= TSP_ACTION_LIST && msg->status <= TSP_STATUS_BUSY);
	check(msg->action != TSP_ACTION_NONE || msg->status != TSP_STATUS_NONE);
	check(msg->n_brokers <= TSP_BROKERS_MAX);
	check(!msg->has_lifetime ||
		(msg->lifetime_s >= 1 && msg->lifetime_s <= TSP_LIFETIME_MAX_S));
	check_party(&msg->client);
	check_party(&msg->server);
}

/* Leaves what the wire keeps: two statuses may share a code, ranges go before a wish. */
static void normalize(struct tsp_msg *msg)
{
	struct tsp_party *parties[] = {&msg->client, &msg->server};

	msg->status = TSP_STATUS_NONE;
	msg->code = 0;
	msg->loose_v6 = false;
	msg->wants_keepalive = msg->wants_keepalive && msg->client.present;
	for (size_t i = 0; i < 2; i++) {
		if (parties[i]->n_ranges > 0)
			parties[i]->ports_count = 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum tsp_generation generation;
	struct tsp_msg msg, again;
	static const struct tsp_msg zero;
	enum tsp_status status;
	char buf[TSP_SEND_MAX];
	const char *why = NULL;
	int len;

	if (size == 0)
		return 0;
	generation = data[0] % 2 == 0 ? TSP_GENERATION_1 : TSP_GENERATION_2;
	status = tsp_xml_parse((const char *)data + 1, size - 1, generation, &msg, &why);
	check(why != NULL);
	if (status != TSP_STATUS_OK) {
		check(tsp_code(status, generation) >= 300);
		check(memcmp(&msg, &zero, sizeof(msg)) == 0);
		return 0;
	}
	check_read(&msg);
	len = tsp_xml_write(&msg, generation, buf, sizeof(buf));
	check(len > 0);
	check(tsp_xml_parse(buf, len, generation, &again, &why) == TSP_STATUS_OK);
	normalize(&msg);
	normalize(&again);
	check(memcmp(&msg, &again, sizeof(msg)) == 0);
	return 0;
}
