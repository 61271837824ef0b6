// SPDX-License-Identifier: BSD-3-Clause
#include "common/http_server.h"

#include "common/clock.h"
#include "common/log.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 32
#define HEAD_MAX    8192 /* octets of a request, its empty line included */
#define EXCHANGE_S  10

struct http_client {
	TAILQ_ENTRY(http_client) link;
	struct http_server *server;
	struct bufferevent *stream;
	int64_t end_ms;
	bool is_answered; /* what comes now is thrown away */
	bool has_ended; /* nothing comes any more */
};

struct http_server {
	const struct http_page *pages;
	void *arg;
	struct evconnlistener *listener;
	struct event *late; /* the oldest one's time is up */
	struct event *resume; /* accepting again after an error */
	TAILQ_HEAD(client_list, http_client) clients; /* the oldest first */
	uint32_t n_clients;
};

static void client_destroy(struct http_client *client)
{
	TAILQ_REMOVE(&client->server->clients, client, link);
	client->server->n_clients--;
	bufferevent_free(client->stream);
	free(client);
}

/* --- answers ------------------------------------------------------------------------------------- */

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} rows[] = {{200, "OK"}, {400, "Bad Request"}, {404, "Not Found"},
		{405, "Method Not Allowed"}, {431, "Request Header Fields Too Large"},
		{503, "Service Unavailable"}, {505, "HTTP Version Not Supported"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].status == status)
			return rows[i].reason;
	}
	return "";
}

/* Empties body. */
static void answer(struct http_client *client, int status, const char *content_type,
	struct evbuffer *body, bool is_head)
{
	struct evbuffer *output = bufferevent_get_output(client->stream);
	struct evbuffer *input = bufferevent_get_input(client->stream);

	client->is_answered = true;
	evbuffer_drain(input, evbuffer_get_length(input));
	evbuffer_add_printf(output,
		"HTTP/1.1 %d %s\r\n"
		"%s"
		"Content-Type: %s\r\n"
		"Content-Length: %zu\r\n"
		"Cache-Control: no-store\r\n"
		"Connection: close\r\n"
		"\r\n",
		status, reason_of(status), status == 405 ? "Allow: GET, HEAD\r\n" : "",
		content_type, evbuffer_get_length(body));
	if (!is_head)
		evbuffer_add_buffer(output, body);
}

static void answer_page(struct http_client *client, const char *path, bool is_head)
{
	const struct http_server *server = client->server;
	const struct http_page *page = server->pages;
	struct evbuffer *body = evbuffer_new();

	if (body == NULL)
		return client_destroy(client);
	while (page->path != NULL && strcmp(page->path, path) != 0)
		page++;
	if (page->path == NULL) {
		evbuffer_add_printf(body, "no such page\n");
		answer(client, 404, "text/plain", body, is_head);
	} else {
		int status = page->get(server->arg, body);

		answer(client, status, page->content_type, body, is_head);
	}
	evbuffer_free(body);
}

static void answer_error(struct http_client *client, int status)
{
	struct evbuffer *body = evbuffer_new();

	if (body == NULL)
		return client_destroy(client);
	evbuffer_add_printf(body, "%s\n", reason_of(status));
	answer(client, status, "text/plain", body, false);
	evbuffer_free(body);
}

/* --- requests ------------------------------------------------------------------------------------ */

/* The next word of a line, which ends at a single space; NULL: there is none. */
static char *take_word(char **line)
{
	char *word = strsep(line, " ");

	return word != NULL && word[0] != '\0' ? word : NULL;
}

/* METHOD SP TARGET SP HTTP/1.n */
static void serve_line(struct http_client *client, char *line)
{
	char *method = take_word(&line), *target = take_word(&line), *version = take_word(&line);
	bool is_head;

	if (method == NULL || target == NULL || version == NULL || line != NULL ||
		strncmp(version, "HTTP/", 5) != 0)
		return answer_error(client, 400);
	if (strncmp(version, "HTTP/1.", 7) != 0)
		return answer_error(client, 505);
	is_head = strcmp(method, "HEAD") == 0;
	if (!is_head && strcmp(method, "GET") != 0)
		return answer_error(client, 405);
	target[strcspn(target, "?")] = '\0';
	answer_page(client, target, is_head);
}

static bool is_complete(struct evbuffer *input)
{
	return evbuffer_search(input, "\r\n\r\n", 4, NULL).pos >= 0 ||
	       evbuffer_search(input, "\n\n", 2, NULL).pos >= 0;
}

static void serve(struct http_client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->stream);
	bool is_short = evbuffer_get_length(input) < HEAD_MAX;
	char *line;
	size_t len;

	if (!is_complete(input)) {
		if (!is_short)
			answer_error(client, 431);
		return;
	}
	line = evbuffer_readln(input, &len, EVBUFFER_EOL_CRLF);
	if (line == NULL || strlen(line) != len) /* a NUL inside */
		answer_error(client, 400);
	else
		serve_line(client, line);
	free(line);
}

static void on_data(struct bufferevent *stream, void *arg)
{
	struct http_client *client = arg;
	struct evbuffer *input = bufferevent_get_input(stream);

	if (client->is_answered)
		evbuffer_drain(input, evbuffer_get_length(input));
	else
		serve(client);
}

/* To close with something unread could cost the peer the answer: it closes first, or its time is up. */
static void on_sent(struct bufferevent *stream, void *arg)
{
	struct http_client *client = arg;

	if (client->has_ended)
		client_destroy(client);
	else if (client->is_answered)
		shutdown(bufferevent_getfd(stream), SHUT_WR);
}

static void on_end(struct bufferevent *stream, short events, void *arg)
{
	struct http_client *client = arg;

	client->has_ended = true;
	/* It may have said all it wanted to, and still wait for its answer. */
	if ((events & BEV_EVENT_EOF) == 0 ||
		evbuffer_get_length(bufferevent_get_output(stream)) == 0)
		client_destroy(client);
}

/* --- connections --------------------------------------------------------------------------------- */

static void arm(struct http_server *server, const struct http_client *oldest)
{
	int64_t left_ms;
	struct timeval left;

	if (oldest == NULL)
		return;
	left_ms = oldest->end_ms - clock_boot_ms();
	if (left_ms < 0)
		left_ms = 0;
	left = (struct timeval){left_ms / 1000, left_ms % 1000 * 1000};
	evtimer_add(server->late, &left);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *server = arg;
	struct http_client *client = TAILQ_FIRST(&server->clients), *next;
	int64_t now_ms = clock_boot_ms();

	for (; client != NULL && client->end_ms <= now_ms; client = next) {
		next = TAILQ_NEXT(client, link);
		client_destroy(client);
	}
	arm(server, client);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
	int sa_len, void *arg)
{
	struct http_server *server = arg;
	struct http_client *client;

	if (server->n_clients == CLIENTS_MAX)
		client_destroy(TAILQ_FIRST(&server->clients));
	client = calloc(1, sizeof(*client));
	if (client != NULL)
		client->stream = bufferevent_socket_new(
			evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
	if (client == NULL || client->stream == NULL) {
		free(client);
		close(fd);
		return;
	}
	client->server = server;
	client->end_ms = clock_boot_ms() + EXCHANGE_S * 1000;
	TAILQ_INSERT_TAIL(&server->clients, client, link);
	server->n_clients++;
	bufferevent_setcb(client->stream, on_data, on_sent, on_end, client);
	bufferevent_setwatermark(client->stream, EV_READ, 0, HEAD_MAX);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
	if (TAILQ_FIRST(&server->clients) == client)
		arm(server, client);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	evconnlistener_enable(((struct http_server *)arg)->listener);
}

/* Out of descriptors or memory: the next ones wait in the kernel for a second. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval pause = {.tv_sec = 1};

	log_warn("http: cannot accept: %s", strerror(errno));
	evconnlistener_disable(listener);
	evtimer_add(((struct http_server *)arg)->resume, &pause);
}

struct http_server *http_server_create(struct event_base *base, const struct addr_endpoint *listen,
	const struct http_page *pages, void *arg)
{
	struct http_server *server = calloc(1, sizeof(*server));
	struct sockaddr_in6 sa;
	int error = ENOMEM;

	if (server == NULL)
		return NULL;
	server->pages = pages;
	server->arg = arg;
	TAILQ_INIT(&server->clients);
	server->late = evtimer_new(base, on_late, server);
	server->resume = evtimer_new(base, on_resume, server);
	if (server->late != NULL && server->resume != NULL) {
		addr_endpoint_to_sockaddr(listen, &sa);
		server->listener = evconnlistener_new_bind(base, on_accept, server,
			LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
			CLIENTS_MAX, (const struct sockaddr *)&sa, sizeof(sa));
		error = errno;
	}
	if (server->listener == NULL) {
		http_server_destroy(server);
		errno = error;
		return NULL;
	}
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	return server;
}

void http_server_destroy(struct http_server *server)
{
	struct http_client *client, *next;

	if (server == NULL)
		return;
	for (client = TAILQ_FIRST(&server->clients); client != NULL; client = next) {
		next = TAILQ_NEXT(client, link);
		client_destroy(client);
	}
	if (server->listener != NULL)
		evconnlistener_free(server->listener);
	if (server->late != NULL)
		event_free(server->late);
	if (server->resume != NULL)
		event_free(server->resume);
	free(server);
}

struct addr_endpoint http_server_endpoint(const struct http_server *server)
{
	struct sockaddr_in6 sa = {0};
	socklen_t len = sizeof(sa);

	getsockname(evconnlistener_get_fd(server->listener), (struct sockaddr *)&sa, &len);
	return (struct addr_endpoint){sa.sin6_addr, ntohs(sa.sin6_port)};
}
