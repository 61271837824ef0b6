// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a DSTM server may do to the binding table: create, delete, and get level. No sockets here.
 *
 * A binding belongs to the server that announced it last. Getting level ("list sync=begin", a create for
 * each live binding, "list sync=end") removes what the server owned and did not name; a session that breaks off
 * before the end removes nothing. Where the digests of parts of the table are equal, those need no list. Static bindings belong to the operator: a server can confirm one, never
 * change or remove it.
 *
 * A table of millions is looked through slice by slice, so that nothing else waits for it. What is to go and was not met
 * yet gives way at once where a new binding wants its place.
 */
#pragma once

#include "dataplane/binding.h"
#include "tsp/tsp_msg.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* What all servers share. Borrowed pointers. */
struct tep_sync {
	struct dp_bindings *table;
	const struct in6_addr *tep_v6; /* our tunnel addresses; the first is the default */
	uint32_t n_tep_v6;
	uint32_t tep_v4; /* told in answers (R89), host order */
};

struct tep_sync_counts {
	uint64_t creates; /* done */
	uint64_t deletes; /* done */
	uint64_t refused; /* answered with an error */
	uint64_t levelled_out; /* bindings removed because they were not named */
	uint64_t leaves_listed; /* parts of the table that did not agree and were listed anew */
};

/* What the server last said of the two tables. */
struct tep_sync_word {
	bool is_known;
	uint64_t digest; /* the root of its own */
	int64_t said_ms; /* of the table's clock */
	bool differs; /* from ours, for differs_s at that time */
	uint32_t differs_s;
};

/* One server, for the life of the process: sessions come and go. */
struct tep_sync_server {
	uint16_t owner; /* 1.. */
	bool levelling; /* between begin and end of a whole list */
	bool is_new; /* nothing has ended in this session yet: neither a whole list nor the comparison */
	bool is_comparing; /* the one that a session begins with */
	bool is_level; /* it has told us all its bindings once: what this process took over is confirmed */
	uint32_t serial; /* of the announcement now */
	bool sweeping; /* a list has ended, and not all that it did not name is gone yet */
	bool sweep_again; /* another one has, since this look through the table began */
	bool waking; /* the look wakes what is dormant, too */
	uint32_t cursor; /* in the table */
	struct tep_sync_counts counts;
	struct tep_sync_word word;
	uint32_t begun_whole; /* serial of the list that is under way ... */
	uint32_t begun[DIGEST_LEAVES]; /* ... and of a leaf's; 0: none is */
	uint32_t listed[DIGEST_LEAVES]; /* serial of the last list of the leaf that ended */
};

/* A session starts: what an older one began is void. */
void tep_sync_session_starts(struct tep_sync_server *server);

/* Carries out one request at now_ms of the table's clock, and says what to answer. */
void tep_sync_apply(const struct tep_sync *sync, struct tep_sync_server *server,
	const struct tsp_msg *request, int64_t now_ms, struct tsp_msg *answer);

/*
 * The answer to our own question who holds the key: what it says stands afterwards, as if the server had sent a create.
 * False: it fits neither the question nor us, and nothing has changed.
 */
bool tep_sync_take_answer(const struct tep_sync *sync, const struct tep_sync_server *server,
	const struct dp_binding_key *key, const struct tsp_msg *answer, int64_t now_ms);

/* While server->sweeping: looks through another slice of the table. */
void tep_sync_sweep(const struct tep_sync *sync, struct tep_sync_server *server);
