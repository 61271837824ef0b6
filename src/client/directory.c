// SPDX-License-Identifier: BSD-3-Clause
#include "client/directory.h"

#include "common/clock.h"
#include "common/log.h"

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUESTIONS_MAX   64 /* that wait or are on their way ... */
#define OUTSTANDING_MAX 16 /* ... of which so many */
#define RETRIES_MAX     32
#define ANSWER_MS       10000 /* a server that has not answered by then is not asked for a while */
#define IDLE_MS         5000 /* an unused connection is closed */
#define PAUSE_MIN_MS    5000 /* without questions after a failure, doubled each time ... */
#define PAUSE_MAX_MS    60000 /* ... up to here */
#define DENIAL_MAX_MS   60000

/* A question each interval, after a burst; those about strangers have a rate of their own. */
static const struct rate {
	int64_t interval_ms;
	int64_t burst;
} rates[2] = {[false] = {200, 10}, [true] = {1000, 3}};

/* How long "unknown" holds, by how often it was said before; the first ones are asked again unbidden. */
static const int64_t denials_ms[] = {400, 1500, 4000, 8000, 16000, 32000};
#define UNBIDDEN 2

/* A connection until its "closed"; the directory hears only its current one. */
struct link {
	struct cl_directory *directory; /* NULL: nobody listens any more */
	struct tsp_conn *conn;
	bool is_ready; /* it takes questions */
};

struct retry {
	int64_t at_ms;
	struct cl_peers_question question;
};

struct cl_directory {
	struct cl_directory_params params;
	bool has_lease;
	struct lease lease;
	struct addr_endpoint server;
	const char *tls_name;

	struct link *link; /* NULL: no connection */
	uint32_t n, n_sent; /* the first n_sent are on their way */
	struct cl_peers_question questions[QUESTIONS_MAX];
	uint32_t n_retries;
	struct retry retries[RETRIES_MAX];
	int64_t full_ms[2]; /* when the budget of each rate is whole again */
	int64_t close_ms; /* when the connection is closed: nobody asks, or nobody answers; 0: never */
	uint32_t failures; /* in a row */
	struct event *asked;
	struct event *timer;
};

/* Nobody's address: which ones there are to ask about. */
static const struct cl_peers_question where;

static void flush(struct cl_directory *directory);
static void fail(struct cl_directory *directory, const char *why);

/* --- answers ------------------------------------------------------------------------------------- */

bool cl_directory_read(const struct tsp_msg *answer, const struct cl_peers_question *question,
	const struct lease *ours, int64_t now_ms, struct lease *holder)
{
	const struct tsp_party *party = &answer->server;
	struct lease found = {.v4 = party->v4, .n_ranges = party->n_ranges};
	int64_t life_ms = (int64_t)answer->lifetime_s * 1000;

	if (answer->status != TSP_STATUS_OK || answer->action != TSP_ACTION_INFO ||
		!answer->has_lifetime || !party->has_v4 || party->v4 != question->v4 ||
		!tsp_party_global_v6(party, &found.client_v6) ||
		addr_v6_equal(&found.client_v6, &ours->client_v6) ||
		addr_v6_equal(&found.client_v6, &ours->tep_v6))
		return false;
	memcpy(found.ranges, party->ranges, sizeof(found.ranges));
	if (found.n_ranges == 0) {
		found.n_ranges = 1;
		found.ranges[0] = PORT_RANGE_EXCLUSIVE;
	}
	if (!lease_has_port(&found, question->port))
		return false;
	if (life_ms > CL_DIRECTORY_ANSWER_MAX_MS)
		life_ms = CL_DIRECTORY_ANSWER_MAX_MS;
	found.end_ms = now_ms + life_ms;
	*holder = found;
	return true;
}

/* Every destination in there is asked about: what is half of the Internet is a mistake. */
static void learn_where(struct cl_directory *directory, const struct tsp_msg *answer)
{
	struct addr_v4_prefix prefixes[TSP_PREFIXES_MAX];
	char text[ADDR_PREFIX_STRLEN];
	uint32_t n = 0;

	if (answer->status != TSP_STATUS_OK)
		return;
	for (uint32_t i = 0; i < answer->n_prefixes; i++) {
		if (answer->prefixes[i].len < CL_PEERS_PREFIX_MIN)
			continue;
		log_debug("directory: clients of %s may be asked about",
			addr_v4_prefix_format(&answer->prefixes[i], text));
		prefixes[n++] = answer->prefixes[i];
	}
	cl_peers_cover(directory->params.peers, prefixes, n);
}

/* --- the timer, while something waits for it ----------------------------------------------------- */

static void set_timer(struct cl_directory *directory)
{
	int64_t next_ms = directory->close_ms > 0 ? directory->close_ms : INT64_MAX;
	int64_t wait_ms;
	struct timeval tv;

	for (uint32_t i = 0; i < directory->n_retries; i++) {
		if (directory->retries[i].at_ms < next_ms)
			next_ms = directory->retries[i].at_ms;
	}
	if (next_ms == INT64_MAX) {
		event_del(directory->timer);
		return;
	}
	wait_ms = next_ms - clock_boot_ms();
	if (wait_ms < 1)
		wait_ms = 1;
	tv = (struct timeval){.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
	event_add(directory->timer, &tv);
}

static void retry_later(
	struct cl_directory *directory, const struct cl_peers_question *question, int64_t at_ms)
{
	if (directory->n_retries == RETRIES_MAX)
		return;
	directory->retries[directory->n_retries++] = (struct retry){at_ms, *question};
	set_timer(directory);
}

/* --- questions ----------------------------------------------------------------------------------- */

static bool is_queued(
	const struct cl_directory *directory, const struct cl_peers_question *question)
{
	for (uint32_t i = 0; i < directory->n; i++) {
		if (directory->questions[i].v4 == question->v4 &&
			directory->questions[i].port == question->port)
			return true;
	}
	return false;
}

/* False: too many of late, and none are wanted until there is room for one. */
static bool take_budget(struct cl_directory *directory, bool is_stranger, int64_t now_ms)
{
	const struct rate *rate = &rates[is_stranger];
	int64_t *full_ms = &directory->full_ms[is_stranger];
	int64_t next_ms = (*full_ms > now_ms ? *full_ms : now_ms) + rate->interval_ms;
	int64_t over_ms = next_ms - now_ms - rate->burst * rate->interval_ms;

	if (over_ms > 0) {
		cl_peers_pause(directory->params.peers, is_stranger, now_ms + over_ms);
		return false;
	}
	*full_ms = next_ms;
	return true;
}

static void put(struct cl_directory *directory, const struct cl_peers_question *question)
{
	int64_t now_ms = clock_boot_ms();

	if (directory->n == QUESTIONS_MAX || is_queued(directory, question) ||
		!take_budget(directory, question->is_stranger, now_ms))
		return;
	if (question->v4 == directory->lease.v4 &&
		lease_has_port(&directory->lease, question->port))
		cl_peers_deny(directory->params.peers, question->v4, question->port,
			now_ms + DENIAL_MAX_MS, now_ms);
	else
		directory->questions[directory->n++] = *question;
}

static void on_asked(evutil_socket_t fd, short what, void *arg)
{
	struct cl_directory *directory = arg;
	struct cl_peers_question questions[CL_PEERS_QUESTIONS];
	uint32_t n = cl_peers_take(directory->params.peers, questions);

	if (!directory->has_lease)
		return;
	for (uint32_t i = 0; i < n; i++)
		put(directory, &questions[i]);
	flush(directory);
}

/* Takes out what is due, then asks it: asking may bring new ones. */
static void run_retries(struct cl_directory *directory, int64_t now_ms)
{
	struct cl_peers_question due[RETRIES_MAX];
	uint32_t n_due = 0, n_kept = 0;

	for (uint32_t i = 0; i < directory->n_retries; i++) {
		if (directory->retries[i].at_ms <= now_ms)
			due[n_due++] = directory->retries[i].question;
		else
			directory->retries[n_kept++] = directory->retries[i];
	}
	directory->n_retries = n_kept;
	for (uint32_t i = 0; i < n_due; i++)
		put(directory, &due[i]);
	flush(directory);
}

/* --- the connection ------------------------------------------------------------------------------ */

/* It ends by itself, unheard; what is on its way will not be answered. */
static void hang_up(struct cl_directory *directory)
{
	if (directory->link != NULL) {
		directory->link->directory = NULL;
		tsp_conn_close(directory->link->conn);
	}
	directory->link = NULL;
	directory->close_ms = 0;
	directory->n = directory->n_sent = 0;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct cl_directory *directory = arg;
	int64_t now_ms = clock_boot_ms();

	if (directory->close_ms > 0 && directory->close_ms <= now_ms) {
		if (directory->n_sent > 0)
			fail(directory, "no answer");
		else
			hang_up(directory);
	}
	run_retries(directory, now_ms);
	set_timer(directory);
}

static void on_ready(struct tsp_conn *conn, void *arg)
{
	struct link *link = arg;

	if (link->directory == NULL)
		return;
	link->is_ready = true;
	flush(link->directory);
}

static void deny(struct cl_directory *directory, const struct cl_peers_question *question)
{
	int64_t now_ms = clock_boot_ms();
	size_t n = sizeof(denials_ms) / sizeof(denials_ms[0]);
	int64_t until_ms = now_ms +
			   (question->denials < n ? denials_ms[question->denials] : DENIAL_MAX_MS);
	struct cl_peers_question again = *question;

	cl_peers_deny(directory->params.peers, question->v4, question->port, until_ms, now_ms);
	if (question->denials < UNBIDDEN && !question->is_stranger) {
		again.denials++;
		retry_later(directory, &again, until_ms);
	}
}

static void judge(struct cl_directory *directory, const struct cl_peers_question *question,
	const struct tsp_msg *msg)
{
	int64_t now_ms = clock_boot_ms();
	char text[LEASE_STRLEN];
	struct lease holder;

	if (question->v4 == where.v4)
		return learn_where(directory, msg);
	if (cl_directory_read(msg, question, &directory->lease, now_ms, &holder)) {
		cl_peers_learn(directory->params.peers, &holder, now_ms);
		log_debug("directory: %s", lease_format(&holder, text));
	} else {
		deny(directory, question);
	}
}

static void on_message(struct tsp_conn *conn, const struct tsp_msg *msg, void *arg)
{
	struct link *link = arg;
	struct cl_directory *directory = link->directory;
	struct cl_peers_question question;

	/* What the server says unasked is for the session that holds the lease. */
	if (directory == NULL || directory->n_sent == 0 || tsp_msg_is_request(msg))
		return;
	if (msg->status == TSP_STATUS_BUSY) {
		fail(directory, "the server is busy");
		return;
	}
	directory->failures = 0;
	question = directory->questions[0];
	directory->n--;
	directory->n_sent--;
	memmove(directory->questions, directory->questions + 1,
		directory->n * sizeof(directory->questions[0]));
	directory->close_ms = clock_boot_ms() + (directory->n_sent > 0 ? ANSWER_MS : IDLE_MS);
	judge(directory, &question, msg);
	flush(directory);
}

static void on_closed(
	struct tsp_conn *conn, enum tsp_close_reason reason, const char *why, void *arg)
{
	struct link *link = arg;
	struct cl_directory *directory = link->directory;
	bool was_needed = directory != NULL && (directory->n > 0 || !link->is_ready);

	free(link);
	if (directory == NULL)
		return;
	directory->link = NULL;
	if (was_needed)
		fail(directory, why);
	else
		hang_up(directory);
	set_timer(directory);
}

static const struct tsp_conn_ops conn_ops = {
	.ready = on_ready,
	.message = on_message,
	.closed = on_closed,
};

/* The server cannot be asked now. What is known stays; packets go through the TEP otherwise. */
static void fail(struct cl_directory *directory, const char *why)
{
	int64_t pause_ms = PAUSE_MAX_MS;

	if (directory->failures < 4)
		pause_ms = (int64_t)PAUSE_MIN_MS << directory->failures;
	directory->failures++;
	log_debug("directory: cannot ask: %s", why);
	directory->n_retries = 0;
	hang_up(directory);
	cl_peers_pause(directory->params.peers, false, clock_boot_ms() + pause_ms);
}

/* Returns 0 or -errno. Generation 2: to such a session nothing is ever pushed. */
static int dial(struct cl_directory *directory)
{
	struct link *link = calloc(1, sizeof(*link));
	struct tsp_conn_params params = {
		.base = directory->params.base,
		.ops = &conn_ops,
		.arg = link,
		.auth = directory->params.auth,
		.limits = tsp_conn_default_limits,
		.generation = TSP_GENERATION_2,
		.local = &directory->lease.client_v6,
		.tls = directory->params.tls,
		.tls_name = directory->tls_name,
	};
	int error;

	if (link == NULL)
		return -ENOMEM;
	link->directory = directory;
	link->conn = tsp_conn_connect(&params, &directory->server);
	if (link->conn == NULL) {
		error = errno;
		free(link);
		return -error;
	}
	directory->link = link;
	return 0;
}

static int send_question(const struct link *link, const struct cl_peers_question *question)
{
	struct tsp_msg msg = {
		.action = TSP_ACTION_QUERY,
		.client = {.present = true, .n_v6 = 1, .v6 = {link->directory->lease.client_v6}},
		.server = {.present = true,
			.has_v4 = true,
			.v4 = question->v4,
			.has_ports = true,
			.n_ranges = 1,
			.ranges = {{question->port, question->port}}},
	};

	if (question->v4 == where.v4)
		msg.server = (struct tsp_party){.present = true};
	return tsp_conn_send(link->conn, &msg);
}

/* Sends what may be sent; the connection is made for the first question, closed after the last. */
static void flush(struct cl_directory *directory)
{
	const struct link *link;
	int ret = 0;

	if (directory->n > 0 && directory->link == NULL)
		ret = dial(directory);
	link = directory->link;
	while (ret == 0 && link != NULL && link->is_ready && directory->n_sent < directory->n &&
		directory->n_sent < OUTSTANDING_MAX) {
		ret = send_question(link, &directory->questions[directory->n_sent]);
		directory->n_sent += ret == 0;
		if (directory->n_sent == 1)
			directory->close_ms = clock_boot_ms() + ANSWER_MS;
	}
	if (ret < 0)
		fail(directory, strerror(-ret));
	set_timer(directory);
}

/* --- life ---------------------------------------------------------------------------------------- */

struct cl_directory *cl_directory_create(const struct cl_directory_params *params)
{
	struct cl_directory *directory = calloc(1, sizeof(*directory));

	if (directory == NULL)
		return NULL;
	directory->params = *params;
	directory->timer = evtimer_new(params->base, on_timer, directory);
	directory->asked = event_new(params->base, cl_peers_fd(params->peers), EV_READ | EV_PERSIST,
		on_asked, directory);
	if (directory->timer == NULL || directory->asked == NULL ||
		event_add(directory->asked, NULL) < 0) {
		cl_directory_destroy(directory);
		errno = ENOMEM;
		return NULL;
	}
	return directory;
}

void cl_directory_destroy(struct cl_directory *directory)
{
	if (directory == NULL)
		return;
	hang_up(directory);
	if (directory->asked != NULL)
		event_free(directory->asked);
	if (directory->timer != NULL)
		event_free(directory->timer);
	free(directory);
}

void cl_directory_start(struct cl_directory *directory, const struct addr_endpoint *server,
	const char *tls_name, const struct lease *lease)
{
	if (directory == NULL)
		return;
	if (directory->has_lease &&
		(directory->lease.v4 != lease->v4 ||
			!addr_v6_equal(&directory->lease.client_v6, &lease->client_v6) ||
			!addr_v6_equal(&directory->server.addr, &server->addr)))
		cl_directory_stop(directory);
	directory->has_lease = true;
	directory->lease = *lease;
	directory->server = *server;
	directory->tls_name = tls_name;
	if (!directory->params.asks_where)
		return;
	put(directory, &where);
	flush(directory);
}

void cl_directory_stop(struct cl_directory *directory)
{
	if (directory == NULL)
		return;
	hang_up(directory);
	directory->has_lease = false;
	directory->n_retries = 0;
	directory->failures = 0;
	event_del(directory->timer);
	if (directory->params.asks_where)
		cl_peers_cover(directory->params.peers, NULL, 0);
	cl_peers_forget(directory->params.peers);
}
