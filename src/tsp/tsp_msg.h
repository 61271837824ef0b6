// SPDX-License-Identifier: BSD-3-Clause
/*
 * A TSP message of the v4v6 profile as a value: what the XML says, without the XML.
 *
 * "server" is always the other party of the connection (R99): the TEP when the server speaks to a
 * TEP, the DSTM server's TEP when it answers a client.
 */
#pragma once

#include "common/addr.h"
#include "common/digest.h"
#include "common/lease.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define TSP_PORT               3653
#define TSP_MESSAGE_MAX        8192 /* octets behind Content-length that we accept */
#define TSP_SEND_MAX           4096 /* octets that we ever send in one message */
#define TSP_PARTY_V6_MAX       4
#define TSP_BROKERS_MAX        8
#define TSP_PREFIXES_MAX       8
#define TSP_LIFETIME_MAX_S     INT32_MAX
#define TSP_LIFETIME_DEFAULT_S 1440 /* where a message names none (R104) */

enum tsp_action {
	TSP_ACTION_NONE, /* a bare status line without XML */
	TSP_ACTION_CREATE,
	TSP_ACTION_DELETE,
	TSP_ACTION_INFO,
	TSP_ACTION_QUERY,
	TSP_ACTION_ACCEPT,
	TSP_ACTION_REJECT,
	TSP_ACTION_LIST,
};

/* What went wrong (or right), free of generation; tsp_code() gives the number on the wire. */
enum tsp_status {
	TSP_STATUS_NONE, /* a request: no status line */
	TSP_STATUS_OK,
	TSP_STATUS_AUTH_FAILED,
	TSP_STATUS_BAD_VERSION,
	TSP_STATUS_BAD_TUNNEL_TYPE,
	TSP_STATUS_POOL_EXHAUSTED,
	TSP_STATUS_TEP_ERROR,
	TSP_STATUS_UNAVAILABLE, /* address unavailable or unknown: on create */
	TSP_STATUS_RENEWAL_REFUSED, /* the same on a renewal or a delete */
	TSP_STATUS_BAD_V6,
	TSP_STATUS_BAD_V4,
	TSP_STATUS_MALFORMED,
	TSP_STATUS_BUSY,
};

enum tsp_generation {
	TSP_GENERATION_1 = 1, /* VERSION 1.x, draft-blanchet-ngtrans-tsp-dstm-profile */
	TSP_GENERATION_2 = 2, /* VERSION 2.0.0 to 2.0.2, RFC 5572 */
};

/* How the server makes a TEP's table equal to its own (attribute "sync" of a list message). */
enum tsp_sync {
	TSP_SYNC_NONE,
	TSP_SYNC_BEGIN, /* every live binding, or every one of a leaf, follows as create */
	TSP_SYNC_END, /* what was not named since BEGIN is dropped */
	TSP_SYNC_DIGEST, /* what are the digests of a node's children? */
	TSP_SYNC_LEVEL, /* whatever was not listed is equal */
};

/* The client or server element. */
struct tsp_party {
	bool present;
	bool has_v4;
	bool has_ports; /* at least one <ports> element stood here */
	uint32_t v4; /* host order */
	uint32_t n_v6;
	struct in6_addr v6[TSP_PARTY_V6_MAX]; /* in the order of the message */
	uint32_t n_ranges;
	struct port_range ranges[LEASE_RANGES_MAX];
	uint32_t ports_count; /* <ports count="n"/>: how many are asked for; 0: any size */
};

struct tsp_broker {
	bool is_v4;
	uint32_t v4; /* host order */
	struct in6_addr v6;
};

struct tsp_msg {
	enum tsp_status status; /* of an answer; NONE on requests */
	uint16_t code; /* as received on the wire; ignored when sending */
	enum tsp_action action;
	enum tsp_sync sync;
	bool has_lifetime;
	bool wants_keepalive; /* a request asks for a keepalive target; an answer names server.v4 */
	bool loose_v6; /* as received: an address had eight groups and "::" (D4) */
	uint32_t lifetime_s; /* 1..TSP_LIFETIME_MAX_S */
	/* Of an answer to a client, from now; 0: not named. TSP has no words for them (R46, R50). */
	uint32_t renew_s, rebind_s, preferred_s;
	uint32_t until_s; /* to a TEP: the end as the server wrote it down, UTC; 0: not named */
	struct tsp_party client;
	struct tsp_party server;
	/* Of a create, never on TSP's wire: this range if it is free, else any. */
	bool has_hint;
	uint32_t hint_v4; /* host order */
	struct port_range hint;
	struct digest_node node; /* of a list: what it is about; of an info: whose children */
	uint32_t n_digests; /* 0; 1: the server's root; DIGEST_FANOUT: an answer */
	uint64_t digests[DIGEST_FANOUT];
	bool has_differs; /* of a list: the tables are not equal, for differs_s now */
	uint32_t differs_s;
	uint32_t n_brokers;
	struct tsp_broker brokers[TSP_BROKERS_MAX];
	uint32_t n_prefixes; /* of an answer: what a client may ask about (R16) */
	struct addr_v4_prefix prefixes[TSP_PREFIXES_MAX];
};

/* The number on the wire for a status, by generation (D6). */
uint16_t tsp_code(enum tsp_status status, enum tsp_generation generation);
/*
 * The status that a received number means; unknown numbers: TSP_STATUS_MALFORMED. Where one number
 * has two meanings (301 and 310 to VERSION 2.x) it is the first: POOL_EXHAUSTED, TEP_ERROR. A
 * redirection (number + 1000) reads as the number without it.
 */
enum tsp_status tsp_status_from_code(uint16_t code, enum tsp_generation generation);
/* The text behind the code on the status line: "Success", "Address pool exhausted". */
const char *tsp_status_text(enum tsp_status status);

/* True for a message that an answer is due to. */
bool tsp_msg_is_request(const struct tsp_msg *msg);

/* Builds a party from a lease: v4 and v6 and ranges (none for an exclusive address). */
void tsp_party_from_lease(struct tsp_party *party, const struct lease *lease);
/* The tunnel end: the first global address, wherever it stands (R83); false when there is none. */
bool tsp_party_global_v6(const struct tsp_party *party, struct in6_addr *addr);
/*
 * The other way: address, ranges (exclusive when there are none) and the global IPv6 address of
 * client, TEP address from server, which must be there. lifetime_s (absent: the default of R104)
 * becomes an end behind now_ms; a delete ends now. until_s becomes the stamp. Returns TSP_STATUS_NONE (0) or the status that
 * names what is wrong, and then leaves *lease alone.
 */
enum tsp_status tsp_msg_to_lease(const struct tsp_msg *msg, int64_t now_ms, struct lease *lease);
