// SPDX-License-Identifier: BSD-3-Clause
/*
 * The program's side. One queue holds what has not been answered, oldest first: what the parser has, then what
 * waits. All of it may be at the parser, but after a death only the oldest, until everything that was
 * there when it died has had its answer.
 */
#include "tsp/tsp_parser.h"

#include "tsp/tsp_parser_wire.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

/* A body on its way. */
struct parse {
	STAILQ_ENTRY(parse) link;
	void (*done)(void *arg, const struct tsp_parsed *parsed); /* NULL: cancelled */
	void *arg;
	char *body; /* owned; NULL: cancelled */
	struct tsp_parser_request request;
	bool is_sent;
};

struct tsp_parser {
	struct tsp_parser_params params;
	struct event *control;
	struct event *patience; /* runs while the parser has a body */
	struct bufferevent *stream; /* NULL: between two parsers */
	int next; /* the next parser's stream, before the end of the last one's was seen; -1 */
	uint32_t serial; /* of the stream's parser */
	uint32_t last_id;
	uint32_t n_suspects; /* the first ones of the queue: sent to a parser that died */
	STAILQ_HEAD(, parse) queue;
};

static void send_body(struct tsp_parser *parser, struct parse *parse)
{
	struct evbuffer *output = bufferevent_get_output(parser->stream);

	parse->request.id = ++parser->last_id;
	parse->is_sent = true;
	evbuffer_add(output, &parse->request, sizeof(parse->request));
	evbuffer_add(output, parse->body, parse->request.len);
}

static void drop_oldest(struct tsp_parser *parser)
{
	struct parse *oldest = STAILQ_FIRST(&parser->queue);

	if (parser->n_suspects > 0)
		parser->n_suspects--;
	STAILQ_REMOVE_HEAD(&parser->queue, link);
	free(oldest->body);
	free(oldest);
}

/* The oldest that is not cancelled, unless the parser has it still: its answer will come. */
static struct parse *find_oldest(struct tsp_parser *parser)
{
	struct parse *oldest;

	while ((oldest = STAILQ_FIRST(&parser->queue)) != NULL) {
		if (oldest->is_sent || oldest->done != NULL)
			break;
		drop_oldest(parser);
	}
	return oldest;
}

static void arm(struct tsp_parser *parser)
{
	const struct timeval delay = {.tv_sec = parser->params.patience_ms / 1000,
		.tv_usec = parser->params.patience_ms % 1000 * 1000};
	const struct parse *oldest = find_oldest(parser);

	if (parser->stream != NULL && oldest != NULL && oldest->is_sent)
		evtimer_add(parser->patience, &delay);
	else
		evtimer_del(parser->patience);
}

/* Sends what may be sent now. */
static void go_on(struct tsp_parser *parser)
{
	struct parse *parse = find_oldest(parser);

	if (parser->stream == NULL)
		return;
	for (; parse != NULL; parse = STAILQ_NEXT(parse, link)) {
		if (!parse->is_sent && parse->done != NULL)
			send_body(parser, parse);
		if (parser->n_suspects > 0)
			break;
	}
	arm(parser);
}

static void finish_oldest(struct tsp_parser *parser, const struct tsp_parsed *parsed)
{
	struct parse oldest = *STAILQ_FIRST(&parser->queue);

	drop_oldest(parser);
	if (oldest.done != NULL)
		oldest.done(oldest.arg, parsed);
}

static void kill_parser(struct tsp_parser *parser)
{
	const struct tsp_parser_order order = {parser->serial};

	send(parser->params.control, &order, sizeof(order), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* --- answers ------------------------------------------------------------------------------------- */

/* Fills parsed from an answer; false when no parser of ours would have said that. */
static bool read_answer(
	const struct tsp_parser_answer *answer, const uint8_t *octets, struct tsp_parsed *parsed)
{
	parsed->status = answer->status;
	parsed->why = "";
	if (answer->status == TSP_STATUS_OK)
		return tsp_msg_unpack(octets, answer->len, &parsed->msg) == 0;
	return answer->status == TSP_STATUS_MALFORMED || answer->status == TSP_STATUS_BAD_V4 ||
	       answer->status == TSP_STATUS_BAD_V6 || answer->status == TSP_STATUS_BAD_TUNNEL_TYPE;
}

/* Takes one answer off. Returns 1, 0 when it is not whole yet, -EPROTO when it makes no sense. */
static int take_answer(struct tsp_parser *parser, struct evbuffer *input)
{
	const struct parse *oldest = find_oldest(parser);
	struct tsp_parsed parsed = {0};
	struct tsp_parser_answer answer;
	uint8_t octets[TSP_PACK_MAX];
	char why[TSP_PARSER_WHY_MAX + 1] = "";

	if (evbuffer_copyout(input, &answer, sizeof(answer)) < (ssize_t)sizeof(answer))
		return 0;
	if (oldest == NULL || !oldest->is_sent || answer.id != oldest->request.id ||
		answer.len > sizeof(octets))
		return -EPROTO;
	if (evbuffer_get_length(input) < sizeof(answer) + answer.len)
		return 0;
	evbuffer_drain(input, sizeof(answer));
	evbuffer_remove(input, octets, answer.len);
	if (!read_answer(&answer, octets, &parsed))
		return -EPROTO;
	if (parsed.status != TSP_STATUS_OK) {
		memcpy(why, octets, answer.len < sizeof(why) ? answer.len : sizeof(why) - 1);
		parsed.why = why;
	}
	finish_oldest(parser, &parsed);
	return 1;
}

static void adopt(struct tsp_parser *parser, int fd);

/* One of those that the parser had was its end, or several were. */
static void suspect_all(struct tsp_parser *parser)
{
	struct parse *parse;
	uint32_t place = 0;

	parser->n_suspects = 0;
	STAILQ_FOREACH(parse, &parser->queue, link) {
		place++;
		if (parse->is_sent)
			parser->n_suspects = place;
		parse->is_sent = false;
	}
}

/* The parser is gone, or is not to be listened to any more. */
static void lose_parser(struct tsp_parser *parser)
{
	static const struct tsp_parsed deadly = {.status = TSP_STATUS_MALFORMED,
		.is_deadly = true,
		.why = "nobody survives reading this"};
	const struct parse *oldest = STAILQ_FIRST(&parser->queue);
	bool was_alone = parser->n_suspects > 0 && oldest != NULL && oldest->is_sent;
	int next = parser->next;

	bufferevent_free(parser->stream);
	parser->stream = NULL;
	parser->next = -1;
	parser->params.event(parser->params.arg, TSP_PARSER_DIED);
	if (was_alone) {
		parser->params.event(parser->params.arg, TSP_PARSER_DEADLY);
		finish_oldest(parser, &deadly);
	} else {
		suspect_all(parser);
	}
	arm(parser);
	if (next >= 0)
		adopt(parser, next);
}

static void on_answers(struct bufferevent *stream, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(stream);
	struct tsp_parser *parser = arg;
	int ret;

	do
		ret = take_answer(parser, input);
	while (ret > 0);
	if (ret < 0) {
		kill_parser(parser);
		return lose_parser(parser);
	}
	go_on(parser);
}

static void on_stream_event(struct bufferevent *stream, short what, void *arg)
{
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		lose_parser(arg);
}

static void on_impatience(evutil_socket_t fd, short what, void *arg)
{
	struct tsp_parser *parser = arg;

	parser->params.event(parser->params.arg, TSP_PARSER_HUNG);
	kill_parser(parser);
	arm(parser);
}

/* --- the nursery --------------------------------------------------------------------------------- */

static void lose_nursery(struct tsp_parser *parser)
{
	event_del(parser->control);
	parser->params.event(parser->params.arg, TSP_PARSER_LOST);
}

static void adopt(struct tsp_parser *parser, int fd)
{
	parser->serial++;
	parser->stream = bufferevent_socket_new(parser->params.base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (parser->stream == NULL) {
		close(fd);
		return lose_nursery(parser);
	}
	bufferevent_setcb(parser->stream, on_answers, NULL, on_stream_event, parser);
	bufferevent_enable(parser->stream, EV_READ | EV_WRITE);
	go_on(parser);
}

/* Receives a parser's stream. Returns it, or -1 + errno; 0: the nursery is gone. */
static int receive_stream(int control)
{
	struct tsp_parser_order order;
	char space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {&order, sizeof(order)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space)};
	ssize_t n = recvmsg(control, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	const struct cmsghdr *head = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	int fd;

	if (n < 0)
		return -1;
	errno = 0;
	if (head == NULL || n != sizeof(order) || head->cmsg_level != SOL_SOCKET ||
		head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

static void on_control(evutil_socket_t control, short what, void *arg)
{
	struct tsp_parser *parser = arg;
	int fd = receive_stream(control);

	if (fd < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (fd < 0 || parser->next >= 0 || evutil_make_socket_nonblocking(fd) < 0) {
		if (fd >= 0)
			close(fd);
		return lose_nursery(parser);
	}
	if (parser->stream != NULL)
		parser->next = fd;
	else
		adopt(parser, fd);
}

/* --- for the program ----------------------------------------------------------------------------- */

struct tsp_parser *tsp_parser_create(const struct tsp_parser_params *params)
{
	struct tsp_parser *parser = calloc(1, sizeof(*parser));

	if (parser == NULL)
		return NULL;
	parser->params = *params;
	parser->next = -1;
	STAILQ_INIT(&parser->queue);
	parser->patience = evtimer_new(params->base, on_impatience, parser);
	parser->control = event_new(
		params->base, params->control, EV_READ | EV_PERSIST, on_control, parser);
	if (parser->patience != NULL && parser->control != NULL &&
		event_add(parser->control, NULL) == 0)
		return parser;
	parser->params.control = -1;
	tsp_parser_destroy(parser);
	errno = ENOMEM;
	return NULL;
}

void tsp_parser_destroy(struct tsp_parser *parser)
{
	if (parser == NULL)
		return;
	while (!STAILQ_EMPTY(&parser->queue))
		drop_oldest(parser);
	if (parser->stream != NULL)
		bufferevent_free(parser->stream);
	if (parser->patience != NULL)
		event_free(parser->patience);
	if (parser->control != NULL)
		event_free(parser->control);
	if (parser->next >= 0)
		close(parser->next);
	if (parser->params.control >= 0)
		close(parser->params.control);
	free(parser);
}

int tsp_parser_submit(struct tsp_parser *parser, char *body, size_t len,
	enum tsp_generation generation, void (*done)(void *arg, const struct tsp_parsed *parsed),
	void *arg)
{
	struct parse *parse = NULL;

	if (len > 0 && len <= TSP_MESSAGE_MAX)
		parse = calloc(1, sizeof(*parse));
	if (parse == NULL) {
		free(body);
		return len > 0 && len <= TSP_MESSAGE_MAX ? -ENOMEM : -EMSGSIZE;
	}
	*parse = (struct parse){
		.done = done,
		.arg = arg,
		.body = body,
		.request = {.len = len, .generation = generation},
	};
	STAILQ_INSERT_TAIL(&parser->queue, parse, link);
	if (parser->stream != NULL && parser->n_suspects == 0) {
		send_body(parser, parse);
		if (STAILQ_FIRST(&parser->queue) == parse)
			arm(parser);
	}
	return 0;
}

bool tsp_parser_is_busy(const struct tsp_parser *parser)
{
	return !STAILQ_EMPTY(&parser->queue);
}

/* What was cancelled keeps its place, so that the answers behind its own find theirs. */
void tsp_parser_cancel(struct tsp_parser *parser, const void *arg)
{
	struct parse *parse;

	STAILQ_FOREACH(parse, &parser->queue, link) {
		if (parse->arg != arg)
			continue;
		parse->done = NULL;
		free(parse->body);
		parse->body = NULL;
	}
}
