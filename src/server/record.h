// SPDX-License-Identifier: BSD-3-Clause
/*
 * A record: one line about one change of a lease, for those who must answer later who held an address
 * and port (RFC 6888 section 4, RFC 6302). It names the subscriber and what it may use, and never whom it
 * talked to. Notices about the pools travel the same way.
 *
 * A line is one JSON object and ends with a newline:
 *	{"time": "2026-01-31T12:00:00.123Z", "event": "allocated", "nat_event": 16, "lease": 7,
 *	 "client": "2001:db8::1", "user": "alice", "v4": "198.51.100.7", "ports": [[1024, 2047]],
 *	 "protocols": ["tcp", "udp", "icmp"], "pool": "shared", "tep": "tep1", "lifetime_s": 3600,
 *	 "end": "2026-01-31T13:00:00.123Z", "reason": "requested"}
 * nat_event is the event's number in RFC 8158 section 4.1, where it has one.
 */
#pragma once

#include "common/lease.h"
#include "server/record_time.h"
#include "server/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SRV_RECORD_NAME_SIZE   64 /* a pool's or TEP's name and NUL */
#define SRV_RECORD_REASON_SIZE 64
#define SRV_RECORD_LINE_SIZE   2048 /* the longest line, its newline and NUL */

enum srv_record_event {
	/* of a lease */
	SRV_RECORD_ALLOCATED,
	SRV_RECORD_CHANGED, /* other ranges or another TEP: the line says what holds from now on */
	SRV_RECORD_RENEWED,
	SRV_RECORD_RELEASED, /* ended, for whatever reason */
	/* of a pool */
	SRV_RECORD_THRESHOLD, /* fuller than a threshold */
	SRV_RECORD_RELAXED, /* no longer */
	SRV_RECORD_EXHAUSTED,
	/* of a subscriber */
	SRV_RECORD_QUOTA,
	SRV_RECORD_EVENTS,
};

struct srv_record {
	enum srv_record_event event;
	int64_t time_utc_ms;
	uint64_t id; /* of the lease */
	struct lease lease; /* end_ms is not used: */
	int64_t end_utc_ms; /* 0: none */
	int64_t from_utc_ms; /* of a recovered lease: held since then at the latest; 0: since time */
	uint32_t lifetime_s;
	uint32_t percent; /* of a pool: how much is in use */
	char user[SRV_USER_SIZE]; /* "": ANONYMOUS */
	char pool[SRV_RECORD_NAME_SIZE];
	char tep[SRV_RECORD_NAME_SIZE];
	char reason[SRV_RECORD_REASON_SIZE];
};

static inline bool srv_record_is_of_lease(const struct srv_record *record)
{
	return record->event <= SRV_RECORD_RELEASED;
}

const char *srv_record_event_name(enum srv_record_event event);
/* The number in RFC 8158; 0: it has none. */
uint32_t srv_record_nat_event(const struct srv_record *record);

/* Writes the line with newline and NUL and returns its length; 0: it cannot be written (no memory). */
size_t srv_record_format(const struct srv_record *record, char line[static SRV_RECORD_LINE_SIZE]);
/* Reads a line of len octets, without its newline. Returns 0, or -EINVAL; unknown members are skipped. */
int srv_record_parse(const char *line, size_t len, struct srv_record *record);
