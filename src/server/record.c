// SPDX-License-Identifier: BSD-3-Clause
#include "server/record.h"

#include "common/addr.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *const event_names[] = {
	[SRV_RECORD_ALLOCATED] = "allocated",
	[SRV_RECORD_CHANGED] = "changed",
	[SRV_RECORD_RENEWED] = "renewed",
	[SRV_RECORD_RELEASED] = "released",
	[SRV_RECORD_THRESHOLD] = "threshold",
	[SRV_RECORD_RELAXED] = "relaxed",
	[SRV_RECORD_EXHAUSTED] = "exhausted",
	[SRV_RECORD_QUOTA] = "quota",
};

const char *srv_record_event_name(enum srv_record_event event)
{
	return event_names[event];
}

/* RFC 8158 section 4.1: of a whole address, and of a block of ports. */
uint32_t srv_record_nat_event(const struct srv_record *record)
{
	bool whole = lease_is_exclusive(&record->lease);

	switch (record->event) {
	case SRV_RECORD_ALLOCATED:
		return whole ? 14 : 16;
	case SRV_RECORD_RELEASED:
		return whole ? 15 : 17;
	case SRV_RECORD_THRESHOLD:
		return 18;
	case SRV_RECORD_EXHAUSTED:
		return whole ? 3 : 12;
	case SRV_RECORD_QUOTA:
		return 13;
	default:
		return 0;
	}
}

/* --- to a line ----------------------------------------------------------------------------------- */

static bool set(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new_nocheck(object, name, value) == 0;
}

static bool set_time(json_t *object, const char *name, int64_t utc_ms)
{
	char text[SRV_RECORD_TIME_STRLEN];

	return set(object, name, json_string(srv_record_time_format(utc_ms, text)));
}

/* A user's name is whatever a client sent: what is not UTF-8 cannot stand in JSON. */
static bool set_name(json_t *object, const char *name, const char *text)
{
	json_t *value = json_string(text);

	return set(object, name, value != NULL ? value : json_string("?"));
}

static json_t *ports_json(const struct lease *lease)
{
	json_t *ports = json_array();

	for (uint32_t i = 0; i < lease->n_ranges; i++)
		json_array_append_new(ports, json_pack("[i, i]", (int)lease->ranges[i].first,
						     (int)lease->ranges[i].last));
	return ports;
}

/* S37: only a whole address carries protocols without ports. */
static json_t *protocols_json(const struct lease *lease)
{
	return lease_is_exclusive(lease) ? json_pack("[s]", "any")
					 : json_pack("[s, s, s]", "tcp", "udp", "icmp");
}

static bool set_subscriber(json_t *object, const struct srv_record *record)
{
	char client[ADDR_V6_STRLEN];

	return set(object, "client",
		       json_string(addr_v6_format(&record->lease.client_v6, client))) &&
	       set_name(object, "user", record->user);
}

static bool set_holding(json_t *object, const struct srv_record *record)
{
	char v4[ADDR_V4_STRLEN];

	return set(object, "v4", json_string(addr_v4_format(record->lease.v4, v4))) &&
	       set(object, "ports", ports_json(&record->lease)) &&
	       set(object, "protocols", protocols_json(&record->lease));
}

static bool set_lease(json_t *object, const struct srv_record *record)
{
	bool lasts = record->event != SRV_RECORD_RELEASED;

	return set(object, "lease", json_integer((json_int_t)record->id)) &&
	       set_subscriber(object, record) && set_holding(object, record) &&
	       set_name(object, "pool", record->pool) && set_name(object, "tep", record->tep) &&
	       (!lasts || set(object, "lifetime_s", json_integer(record->lifetime_s))) &&
	       (!lasts || record->end_utc_ms == 0 || set_time(object, "end", record->end_utc_ms)) &&
	       (record->from_utc_ms == 0 || set_time(object, "from", record->from_utc_ms));
}

static bool set_notice(json_t *object, const struct srv_record *record)
{
	if (record->event == SRV_RECORD_QUOTA)
		return set_subscriber(object, record);
	return set_name(object, "pool", record->pool) &&
	       set(object, "percent", json_integer(record->percent));
}

static bool set_all(json_t *object, const struct srv_record *record)
{
	uint32_t number = srv_record_nat_event(record);

	return set_time(object, "time", record->time_utc_ms) &&
	       set(object, "event", json_string(event_names[record->event])) &&
	       (number == 0 || set(object, "nat_event", json_integer(number))) &&
	       (srv_record_is_of_lease(record) ? set_lease(object, record)
					       : set_notice(object, record)) &&
	       (record->reason[0] == '\0' || set_name(object, "reason", record->reason));
}

size_t srv_record_format(const struct srv_record *record, char line[static SRV_RECORD_LINE_SIZE])
{
	json_t *object = json_object();
	size_t len = 0;

	if (object != NULL && set_all(object, record))
		len = json_dumpb(object, line, SRV_RECORD_LINE_SIZE - 2, JSON_COMPACT);
	json_decref(object);
	if (len == 0 || len > SRV_RECORD_LINE_SIZE - 2)
		return 0;
	line[len] = '\n';
	line[len + 1] = '\0';
	return len + 1;
}

/* --- from a line --------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static bool read_text(const json_t *object, const char *name, char *text, size_t size)
{
	return (size_t)snprintf(text, size, "%s", text_of(object, name)) < size;
}

/* Absent: 0. */
static bool read_time(const json_t *object, const char *name, int64_t *utc_ms)
{
	*utc_ms = 0;
	return json_object_get(object, name) == NULL ||
	       srv_record_time_parse(text_of(object, name), utc_ms) == 0;
}

/* Absent: the unspecified address. */
static bool read_client(const json_t *object, struct in6_addr *client)
{
	return json_object_get(object, "client") == NULL ||
	       addr_v6_parse(text_of(object, "client"), client) == 0;
}

static bool read_port(const json_t *value, uint16_t *port)
{
	json_int_t number = json_integer_value(value);

	*port = (uint16_t)number;
	return json_is_integer(value) && number >= 0 && number <= UINT16_MAX;
}

static bool read_ports(const json_t *ports, struct lease *lease)
{
	size_t n = json_array_size(ports);

	if (n == 0 || n > LEASE_RANGES_MAX)
		return false;
	for (lease->n_ranges = 0; lease->n_ranges < n; lease->n_ranges++) {
		struct port_range *range = &lease->ranges[lease->n_ranges];
		const json_t *pair = json_array_get(ports, lease->n_ranges);

		if (!read_port(json_array_get(pair, 0), &range->first) ||
			!read_port(json_array_get(pair, 1), &range->last) ||
			range->first > range->last)
			return false;
	}
	return true;
}

static bool read_lease(const json_t *object, struct srv_record *record)
{
	json_int_t id = json_integer_value(json_object_get(object, "lease"));

	record->id = (uint64_t)id;
	record->lifetime_s = (uint32_t)json_integer_value(json_object_get(object, "lifetime_s"));
	return id > 0 && addr_v4_parse(text_of(object, "v4"), &record->lease.v4) == 0 &&
	       !IN6_IS_ADDR_UNSPECIFIED(&record->lease.client_v6) &&
	       read_ports(json_object_get(object, "ports"), &record->lease) &&
	       read_time(object, "end", &record->end_utc_ms) &&
	       read_time(object, "from", &record->from_utc_ms);
}

static bool read_event(const json_t *object, enum srv_record_event *event)
{
	const char *name = text_of(object, "event");

	for (*event = 0; *event < SRV_RECORD_EVENTS; (*event)++) {
		if (strcmp(name, event_names[*event]) == 0)
			return true;
	}
	return false;
}

static bool read_all(const json_t *object, struct srv_record *record)
{
	record->percent = (uint32_t)json_integer_value(json_object_get(object, "percent"));
	return read_event(object, &record->event) &&
	       srv_record_time_parse(text_of(object, "time"), &record->time_utc_ms) == 0 &&
	       read_text(object, "user", record->user, sizeof(record->user)) &&
	       read_text(object, "pool", record->pool, sizeof(record->pool)) &&
	       read_text(object, "tep", record->tep, sizeof(record->tep)) &&
	       read_text(object, "reason", record->reason, sizeof(record->reason)) &&
	       read_client(object, &record->lease.client_v6) &&
	       (!srv_record_is_of_lease(record) || read_lease(object, record));
}

int srv_record_parse(const char *line, size_t len, struct srv_record *record)
{
	json_t *object = json_loadb(line, len, 0, NULL);
	struct srv_record read = {0};
	bool good = json_is_object(object) && read_all(object, &read);

	json_decref(object);
	if (!good)
		return -EINVAL;
	*record = read;
	return 0;
}
