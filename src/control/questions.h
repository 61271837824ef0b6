// SPDX-License-Identifier: BSD-3-Clause
/*
 * Questions to servers about addresses and ports without a binding, and the packets that wait for the answers
 * (R72, D2). No sockets and no clock here: ask.c has them.
 *
 *	packet -> its question, a new one or one that is there already; or refused, counted
 *	turn   -> questions that the rate lets go are sent; packets that waited too long are dropped
 *	answer -> a binding stands: its packets go back; nobody holds it: they go back, too, to be refused by name;
 *		  another server is asked first if there is one; busy, or no use: they are dropped
 *	binding added, by whomever -> packets that waited for it go back
 *
 * Everything is bounded: packets in all, for one question, and in time; questions that a server has not answered.
 * In no second are more questions sent than the rate says. What senders ask for together beyond that is shared out: half for
 * packets from the IPv4 side and half for those out of tunnels, either taking what the other leaves; within
 * each by turns between the prefixes that packets come from (hashed). The room for packets is shared in the same way; when it is
 * full, the prefix with the most of them loses its newest. So who scans a pool waits for himself, and others have their share.
 */
#pragma once

#include "common/port_range.h"
#include "control/counter_info.h"
#include "dataplane/ask.h"

#include <stdbool.h>
#include <stdint.h>

#define TEP_QUESTIONS_SERVERS_MAX 16
#define TEP_QUESTIONS_SENT_MAX    1024 /* that one server may owe us the answers of */
#define TEP_QUESTIONS_HOLD_MAX    64 /* packets of one question */
#define TEP_QUESTIONS_RATE_MIN    10

/* One X-macro row = id, is it a drop, public name, sentence. */
#define TEP_QUESTION_COUNTERS(X)                                                                   \
	X(SENT, false, "ask_questions", "Questions sent to servers.")                              \
	X(HOLDER, false, "ask_holder", "Answers that made a binding.")                             \
	X(NOBODY, false, "ask_nobody", "Answers that nobody holds it.")                            \
	X(BUSY, false, "ask_busy", "Answers that the server has no time.")                         \
	X(UNUSABLE, false, "ask_unusable",                                                         \
		"Answers that made no binding: about something else, for a tunnel address "        \
		"that is not ours, or with no room in the table.")                                 \
	X(LOST, false, "ask_lost",                                                                 \
		"Questions without an answer in query.hold_ms, or lost "                           \
		"with their session.")                                                             \
	X(HELD, false, "ask_held", "Packets that waited for an answer.")                           \
	X(RELEASED, false, "ask_released", "Packets that went on when they had waited.")           \
	X(NO_SERVER, true, "ask_no_server", "No server was connected that could be asked.")        \
	X(HOLD_FULL, true, "ask_hold_full",                                                        \
		"Too many packets waited for the same answer, or in all; those of the "            \
		"prefix that had the most were dropped.")                                          \
	X(TIMED_OUT, true, "ask_timed_out", "A packet had waited for query.hold_ms.")              \
	X(REFUSED, true, "ask_refused", "A packet whose answer was of no use: busy, or unusable.") \
	X(BACK_FULL, true, "ask_back_full", "The ring back to the worker was full.")               \
	X(LEARNT, false, "learnt", "Bindings that packets made of themselves (learn.mode: open).") \
	X(LEARN_STRANGER, false, "learn_stranger",                                                 \
		"Packets that made none: their sender is not in learn.clients.")                   \
	X(LEARN_NO_PORT, false, "learn_no_port",                                                   \
		"Packets that made none: without a port, and learn.block is a part of an "         \
		"address.")                                                                        \
	X(LEARN_TAKEN, false, "learn_taken",                                                       \
		"Packets that made none: somebody has a port of the block.")                       \
	X(LEARN_FULL, false, "learn_full",                                                         \
		"Packets that made none: learn.max or the table is reached.")

enum tep_question_counter {
#define X(id, drop, name, text) TEP_QUESTION_##id,
	TEP_QUESTION_COUNTERS(X)
#undef X
	TEP_QUESTION_N_COUNTERS
};

extern const struct tep_counter_info tep_question_counter_info[TEP_QUESTION_N_COUNTERS];

enum tep_answer {
	TEP_ANSWER_HOLDER, /* its binding has been added */
	TEP_ANSWER_NOBODY,
	TEP_ANSWER_BUSY,
	TEP_ANSWER_UNUSABLE,
};

struct tep_questions_ops {
	bool (*is_connected)(void *arg, uint32_t server);
	/* Sends it; false: it cannot be sent now. */
	bool (*send)(void *arg, uint32_t server, const struct dp_binding_key *key);
	/* The packet goes on; false: no room, it is still the caller's. */
	bool (*give_back)(void *arg, const struct dp_question *packet);
	/* No server knows who holds it: do not ask again for a while. */
	void (*remember)(void *arg, const struct dp_binding_key *key);
};

struct tep_questions_params {
	uint32_t rate; /* a second, TEP_QUESTIONS_RATE_MIN at least */
	uint32_t hold_packets; /* in all */
	uint32_t hold_per_question; /* 1 to TEP_QUESTIONS_HOLD_MAX */
	uint32_t hold_ms;
	uint32_t n_servers;
	const struct tep_questions_ops *ops; /* borrowed */
	void *arg;
};

struct tep_questions;

/* NULL: no memory. */
struct tep_questions *tep_questions_create(const struct tep_questions_params *params);
/* Frees the packets that still wait. NULL is allowed. */
void tep_questions_destroy(struct tep_questions *questions);

/* Takes the packet over. */
void tep_questions_add(
	struct tep_questions *questions, const struct dp_question *packet, int64_t now_ms);

/* The same for a packet that nobody need be asked about, after all: it goes on; counter says why. */
void tep_questions_pass(struct tep_questions *questions, const struct dp_question *packet,
	enum tep_question_counter counter);

/* Time has gone on: gives packets up, sends questions. Returns false when nothing is left to wait for. */
bool tep_questions_turn(struct tep_questions *questions, int64_t now_ms);

/* What the server's next answer is about; NULL: it owes none. */
const struct dp_binding_key *tep_questions_next(
	const struct tep_questions *questions, uint32_t server);
/* It has come. */
void tep_questions_answered(
	struct tep_questions *questions, uint32_t server, enum tep_answer answer, int64_t now_ms);
/* The session has ended: nothing that it owed comes any more. */
void tep_questions_lost(struct tep_questions *questions, uint32_t server, int64_t now_ms);

/* A binding of these ports stands. */
void tep_questions_release(struct tep_questions *questions, uint32_t v4, struct port_range ports);

uint32_t tep_questions_n_packets(const struct tep_questions *questions);
uint64_t tep_questions_counter(
	const struct tep_questions *questions, enum tep_question_counter counter);
