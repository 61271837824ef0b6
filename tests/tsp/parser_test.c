// SPDX-License-Identifier: BSD-3-Clause
/*
 * The parser's process as it is, and one that lies: what the program believes, whom it blames for a death,
 * and that every body is answered once, in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tsp/tsp_parser.h"
#include "tsp/tsp_parser_wire.h"

#include "xml_bodies.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 5000
#define SHORT_MS    100
#define MANY        2000
#define GOOD        CREATE(V6("2001:db8:1::17") "<ports/>")

/* The answers of one test, in the order in which they came. */
struct fixture {
	struct event_base *base;
	struct tsp_parser *parser;
	uint32_t n_wanted;
	uint32_t n_answered;
	uint32_t events[4]; /* by enum tsp_parser_event */
	struct tsp_parsed answers[MANY];

	/* the lying parser */
	int nursery;
	uint32_t serial;
	uint32_t n_read; /* bodies that any of them has read */
	struct bufferevent *liar;
	struct event *orders;
};

static void on_event(void *arg, enum tsp_parser_event event)
{
	struct fixture *f = arg;

	f->events[event]++;
	if (event == TSP_PARSER_LOST)
		event_base_loopbreak(f->base);
}

static void on_answer(void *arg, const struct tsp_parsed *parsed)
{
	struct fixture *f = arg;

	f->answers[f->n_answered] = *parsed;
	f->answers[f->n_answered].why = NULL;
	if (++f->n_answered == f->n_wanted)
		event_base_loopbreak(f->base);
}

static void submit(struct fixture *f, const char *body)
{
	f->n_wanted++;
	assert_int_equal(tsp_parser_submit(f->parser, strdup(body), strlen(body), TSP_GENERATION_1,
				 on_answer, f),
		0);
}

static void create_parser(struct fixture *f, int control, uint32_t patience_ms)
{
	const struct tsp_parser_params params = {.base = f->base,
		.control = control,
		.patience_ms = patience_ms,
		.event = on_event,
		.arg = f};

	assert_true(control >= 0);
	f->parser = tsp_parser_create(&params);
	assert_non_null(f->parser);
}

/* --- the real one -------------------------------------------------------------------------------- */

static void run(struct fixture *f)
{
	const struct timeval limit = {.tv_sec = 20};

	event_base_loopexit(f->base, &limit);
	event_base_dispatch(f->base);
}

static void answers_are_those_of_the_parser_in_place(void **state)
{
	static const char *const bodies[] = {GOOD, "200 Success", "", "<tunnel", "x", "<a/>",
		CREATE(V6("2001:db8::g")), CREATE(V4("1.2.3")),
		"<!DOCTYPE a [<!ENTITY b \"c\">]><tunnel action=\"create\" type=\"v4v6\"/>",
		"<tunnel action=\"create\" type=\"v6v4\"/>",
		TUNNEL("action=\"create\" type=\"v4v6\" lifetime=\"0\"")};
	struct fixture *f = *state;

	create_parser(f, tsp_parser_spawn(SANDBOX_ON), PATIENCE_MS);
	for (uint32_t i = 0; i < MANY; i++)
		submit(f, bodies[i % N(bodies)][0] != '\0' ? bodies[i % N(bodies)] : " ");
	run(f);
	assert_int_equal(f->n_answered, MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		const char *body = bodies[i % N(bodies)];
		struct tsp_msg msg;

		assert_int_equal(f->answers[i].status, parse(body, &msg));
		assert_memory_equal(&f->answers[i].msg, &msg, sizeof(msg));
	}
	assert_int_equal(f->events[TSP_PARSER_DIED], 0);
}

static void a_body_has_bounds(void **state)
{
	struct fixture *f = *state;
	char big[TSP_MESSAGE_MAX + 1];

	create_parser(f, tsp_parser_spawn(SANDBOX_ON), PATIENCE_MS);
	assert_int_equal(tsp_parser_submit(f->parser, malloc(1), TSP_MESSAGE_MAX + 1,
				 TSP_GENERATION_1, on_answer, f),
		-EMSGSIZE);
	assert_int_equal(tsp_parser_submit(f->parser, malloc(1), 0, TSP_GENERATION_1, on_answer, f),
		-EMSGSIZE);
	memset(big, ' ', sizeof(big));
	big[TSP_MESSAGE_MAX] = '\0';
	submit(f, big);
	run(f);
	assert_int_equal(f->answers[0].status, TSP_STATUS_MALFORMED);
	assert_false(f->answers[0].is_deadly);
}

static void a_nursery_that_is_gone_is_told(void **state)
{
	struct fixture *f = *state;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	create_parser(f, fds[0], PATIENCE_MS);
	submit(f, GOOD);
	close(fds[1]);
	run(f);
	assert_int_equal(f->events[TSP_PARSER_LOST], 1);
	assert_int_equal(f->n_answered, 0);
}

/* --- one that lies ------------------------------------------------------------------------------- */

/* What it does with a body is what the body says. */
#define DIE  "die"
#define MUTE "mute" /* for ever, or until it is killed */
#define LIE  "lie"

static void give_stream(struct fixture *f);

static void say(struct fixture *f, const struct tsp_parser_answer *answer, const void *octets)
{
	bufferevent_write(f->liar, answer, sizeof(*answer));
	bufferevent_write(f->liar, octets, answer->len);
}

static void die(struct fixture *f)
{
	bufferevent_free(f->liar);
	f->liar = NULL;
	give_stream(f);
}

static const struct lie {
	int id; /* added to the right one */
	uint16_t status;
	uint16_t len;
} lies[] = {
	{1, TSP_STATUS_MALFORMED, 0},
	{-1, TSP_STATUS_MALFORMED, 0},
	{0, TSP_STATUS_OK, 0},
	{0, TSP_STATUS_OK, 40}, /* zeros: no message */
	{0, TSP_STATUS_NONE, 0},
	{0, TSP_STATUS_BUSY, 0},
	{0, UINT16_MAX, 0},
	{0, TSP_STATUS_MALFORMED, UINT16_MAX},
};

/* False: it will not say more. */
static bool behave(struct fixture *f, const struct tsp_parser_request *request, const char *body)
{
	static const uint8_t zeros[UINT16_MAX];
	struct tsp_parser_answer answer = {.id = request->id};
	uint8_t packed[TSP_PACK_MAX];
	struct tsp_msg msg;

	f->n_read++;
	if (strncmp(body, DIE, 3) == 0) {
		die(f);
		return false;
	}
	if (strncmp(body, MUTE, 4) == 0)
		return false;
	if (strncmp(body, LIE, 3) == 0) {
		const struct lie *lie = &lies[atoi(body + 3)];

		answer.id += lie->id;
		answer.status = lie->status;
		answer.len = lie->len;
		say(f, &answer, zeros);
		return true;
	}
	answer.status = parse(GOOD, &msg);
	answer.len = tsp_msg_pack(&msg, packed);
	say(f, &answer, packed);
	return true;
}

static void on_bodies(struct bufferevent *liar, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(liar);
	struct fixture *f = arg;
	struct tsp_parser_request request;
	bool goes_on = true;

	while (goes_on && evbuffer_copyout(input, &request, sizeof(request)) == sizeof(request)) {
		char body[TSP_MESSAGE_MAX + 1] = "";

		if (evbuffer_get_length(input) < sizeof(request) + request.len)
			return;
		evbuffer_drain(input, sizeof(request));
		evbuffer_remove(input, body, request.len);
		goes_on = behave(f, &request, body);
	}
}

static void on_end(struct bufferevent *liar, short what, void *arg)
{
}

static void give_stream(struct fixture *f)
{
	const struct tsp_parser_order order = {++f->serial};
	char space[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {(void *)&order, sizeof(order)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	int fds[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fds[0], sizeof(int));
	assert_int_equal(sendmsg(f->nursery, &msg, 0), sizeof(order));
	close(fds[0]);
	f->liar = bufferevent_socket_new(f->base, fds[1], BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(f->liar, on_bodies, NULL, on_end, f);
	bufferevent_enable(f->liar, EV_READ | EV_WRITE);
}

static void on_order(evutil_socket_t fd, short what, void *arg)
{
	struct tsp_parser_order order;
	struct fixture *f = arg;

	if (recv(fd, &order, sizeof(order), 0) == sizeof(order) && order.serial == f->serial)
		die(f);
}

static void create_liar(struct fixture *f, uint32_t patience_ms)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	f->nursery = fds[1];
	f->orders = event_new(f->base, f->nursery, EV_READ | EV_PERSIST, on_order, f);
	event_add(f->orders, NULL);
	create_parser(f, fds[0], patience_ms);
	give_stream(f);
}

/* Answers in the order of the bodies; 'd' was deadly, '.' was good. */
static void assert_answers(const struct fixture *f, const char *expected)
{
	assert_int_equal(f->n_answered, strlen(expected));
	for (uint32_t i = 0; i < f->n_answered; i++) {
		char got = f->answers[i].is_deadly                 ? 'd'
			   : f->answers[i].status == TSP_STATUS_OK ? '.'
								   : 'x';

		if (got != expected[i])
			fail_msg("answer %u is %c instead of %c", i, got, expected[i]);
		if (got == 'd')
			assert_int_equal(f->answers[i].status, TSP_STATUS_MALFORMED);
	}
}

static void the_killer_is_found_and_nobody_else_is_blamed(void **state)
{
	struct fixture *f = *state;

	create_liar(f, PATIENCE_MS);
	submit(f, GOOD);
	submit(f, DIE);
	submit(f, GOOD);
	submit(f, DIE);
	submit(f, GOOD);
	run(f);
	assert_answers(f, ".d.d.");
	assert_int_equal(f->events[TSP_PARSER_DEADLY], 2);
	assert_int_equal(f->events[TSP_PARSER_DIED], 3); /* once in company, twice alone */
	assert_int_equal(f->events[TSP_PARSER_LOST], 0);
}

static void a_parser_that_says_nothing_is_killed(void **state)
{
	struct fixture *f = *state;

	create_liar(f, SHORT_MS);
	submit(f, GOOD);
	submit(f, MUTE);
	submit(f, GOOD);
	run(f);
	assert_answers(f, ".d.");
	assert_int_equal(f->events[TSP_PARSER_HUNG], 2);
	assert_int_equal(f->events[TSP_PARSER_DIED], 2);
}

static void a_parser_that_lies_is_killed(void **state)
{
	struct fixture *f = *state;
	char body[N(lies)][8];

	create_liar(f, SHORT_MS);
	for (uint32_t i = 0; i < N(lies); i++) {
		snprintf(body[i], sizeof(body[i]), LIE "%u", i);
		submit(f, body[i]);
		submit(f, GOOD);
	}
	run(f);
	assert_answers(f, "d.d.d.d.d.d.d.d.");
	assert_int_equal(f->events[TSP_PARSER_DEADLY], N(lies));
}

static void on_answer_to_nobody(void *arg, const struct tsp_parsed *parsed)
{
	fail_msg("what was cancelled is answered");
}

/* Sends a body as somebody else, who leaves at once. */
static void submit_and_leave(struct fixture *f, const char *body)
{
	static int nobody;

	assert_int_equal(tsp_parser_submit(f->parser, strdup(body), strlen(body), TSP_GENERATION_1,
				 on_answer_to_nobody, &nobody),
		0);
	tsp_parser_cancel(f->parser, &nobody);
}

static void what_was_cancelled_is_never_answered(void **state)
{
	struct fixture *f = *state;

	create_liar(f, PATIENCE_MS);
	submit_and_leave(f, DIE); /* before there is a stream: it goes nowhere */
	submit(f, GOOD);
	run(f);
	assert_answers(f, ".");
	assert_int_equal(f->events[TSP_PARSER_DIED], 0);
	submit(f, GOOD);
	submit_and_leave(f, DIE); /* it is on its way, kills, and is not tried again */
	submit_and_leave(f, GOOD);
	submit(f, GOOD);
	run(f);
	assert_answers(f, "...");
	assert_int_equal(f->events[TSP_PARSER_DIED], 1);
	assert_int_equal(f->events[TSP_PARSER_DEADLY], 0);
}

/* --- set-up -------------------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	signal(SIGPIPE, SIG_IGN);
	f->nursery = -1;
	f->base = event_base_new();
	*state = f;
	return f->base != NULL ? 0 : -1;
}

/* The processes end when their sockets do. */
static int teardown(void **state)
{
	struct fixture *f = *state;

	tsp_parser_destroy(f->parser);
	if (f->liar != NULL)
		bufferevent_free(f->liar);
	if (f->orders != NULL)
		event_free(f->orders);
	if (f->nursery >= 0)
		close(f->nursery);
	while (wait(NULL) > 0)
		;
	event_base_free(f->base);
	free(f);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			answers_are_those_of_the_parser_in_place, setup, teardown),
		cmocka_unit_test_setup_teardown(a_body_has_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(a_nursery_that_is_gone_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_killer_is_found_and_nobody_else_is_blamed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_parser_that_says_nothing_is_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_parser_that_lies_is_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_was_cancelled_is_never_answered, setup, teardown),
	};

	if (argc > 1 && strcmp(argv[1], TSP_PARSER_ARGUMENT) == 0)
		return tsp_parser_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
