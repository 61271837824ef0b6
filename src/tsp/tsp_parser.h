// SPDX-License-Identifier: BSD-3-Clause
/*
 * XML parsing in a process that has nothing to lose.
 *
 *	program --- control --- nursery            forks a parser, and another when it has died
 *	   |                       |
 *	   +------- bodies ----- parser            octets in, packed messages out, and no other system call
 *
 * Both are the program's own binary, executed anew, so they hold nothing of its memory, descriptors or
 * environment. Bodies go to the parser by the batch, as many as the event loop has at hand, and are answered
 * in their order. The parser's answers are not believed (tsp_pack.h).
 *
 * A body may be the parser's end: then one more parser gets what was not answered, one body at a time, and a
 * body that was alone with a parser that died was its killer. A parser that says nothing for too
 * long is killed, and that is the same.
 */
#pragma once

#include "common/sandbox.h"
#include "tsp/tsp_msg.h"

#include <stddef.h>
#include <stdint.h>

struct event_base;
struct tsp_parser;

struct tsp_parsed {
	enum tsp_status status; /* as tsp_xml_parse returns it */
	bool is_deadly; /* nobody survived reading it; status is MALFORMED */
	const char *why; /* a sentence, when status is not OK; good during the callback */
	struct tsp_msg msg;
};

enum tsp_parser_event {
	TSP_PARSER_DIED, /* another one takes over */
	TSP_PARSER_HUNG, /* it is killed and dies soon */
	TSP_PARSER_DEADLY, /* a body is answered as such */
	TSP_PARSER_LOST, /* there will be no other: nothing is answered any more */
};

struct tsp_parser_params {
	struct event_base *base;
	int control; /* of tsp_parser_spawn; the parser's from now on */
	uint32_t patience_ms; /* how long it may say nothing while it has a body */
	void (*event)(void *arg, enum tsp_parser_event event);
	void *arg;
};

/*
 * Starts nursery and parser with this program's rights, which should be few by now, and before the
 * program is in its sandbox. Returns the control socket, or -errno.
 */
int tsp_parser_spawn(enum sandbox_mode mode);

#define TSP_PARSER_ARGUMENT "--parse"
/* The main of a program that was executed with TSP_PARSER_ARGUMENT first. Returns its exit status. */
int tsp_parser_main(int argc, char **argv);

/* NULL + errno, and the control socket is still the caller's. */
struct tsp_parser *tsp_parser_create(const struct tsp_parser_params *params);
/* Ends both processes; what is under way is never answered. NULL is allowed. */
void tsp_parser_destroy(struct tsp_parser *parser);

/*
 * Sends a body of len octets, which is malloc'ed and the parser's from now on, also on failure. done is called
 * from the event loop, in the order of the bodies. Returns 0 or -errno.
 */
int tsp_parser_submit(struct tsp_parser *parser, char *body, size_t len,
	enum tsp_generation generation, void (*done)(void *arg, const struct tsp_parsed *parsed),
	void *arg);
/* True while there is something to answer. */
bool tsp_parser_is_busy(const struct tsp_parser *parser);
/* done will not be called with this arg any more. */
void tsp_parser_cancel(struct tsp_parser *parser, const void *arg);
