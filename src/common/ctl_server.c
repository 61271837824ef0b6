// SPDX-License-Identifier: BSD-3-Clause
/*
 * The daemon's side of a control socket. A client may send requests back to back; the next one is
 * served when the answer before it has left, so that a client that never reads holds one answer.
 */
#include "common/ctl.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include <errno.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX    65536 /* octets of a line, its end included */
#define CLIENTS_MAX    16 /* more wait in the backlog */
#define IDLE_TIMEOUT_S 10 /* without a request, or without reading its answer */
#define BACKLOG        64

struct ctl_client {
	TAILQ_ENTRY(ctl_client) link;
	struct ctl_server *server;
	struct bufferevent *stream;
	bool closing; /* no more input; goes when its last answer has left */
};

struct ctl_server {
	const struct ctl_command *commands;
	void *arg;
	struct evconnlistener *listener;
	TAILQ_HEAD(, ctl_client) clients;
	unsigned int n_clients;
	struct sockaddr_un sa;
	ino_t inode; /* of our socket file: another's is never removed */
};

static void client_destroy(struct ctl_client *client)
{
	struct ctl_server *server = client->server;

	TAILQ_REMOVE(&server->clients, client, link);
	if (server->n_clients-- == CLIENTS_MAX)
		evconnlistener_enable(server->listener);
	bufferevent_free(client->stream);
	free(client);
}

/* Takes over the reference. */
static void send_answer(struct ctl_client *client, json_t *answer)
{
	char *text = answer != NULL ? json_dumps(answer, JSON_COMPACT) : NULL;

	if (text != NULL)
		evbuffer_add_printf(bufferevent_get_output(client->stream), "%s\n", text);
	else
		client->closing = true;
	free(text);
	json_decref(answer);
}

static void send_error(struct ctl_client *client, const char *error)
{
	json_t *answer = json_pack("{s:b, s:s}", "ok", 0, "error", error);

	if (answer == NULL) /* a sentence that was cut inside a character */
		answer = json_pack("{s:b, s:s}", "ok", 0, "error", "failed");
	send_answer(client, answer);
}

static const struct ctl_command *find_command(const struct ctl_command *commands, const char *name)
{
	for (; commands->name != NULL; commands++) {
		if (strcmp(commands->name, name) == 0)
			return commands;
	}
	return NULL;
}

static void serve_request(struct ctl_client *client, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "command"));
	json_t *arguments = json_object_get(request, "arguments");
	const struct ctl_command *command;
	char error[CTL_ERROR_LEN] = "failed";
	json_t *result;

	if (name == NULL)
		return send_error(client, "the request is not an object with a \"command\"");
	if (arguments != NULL && !json_is_object(arguments))
		return send_error(client, "\"arguments\" is not an object");
	command = find_command(client->server->commands, name);
	if (command == NULL)
		return send_error(client, "there is no such command");

	arguments = arguments != NULL ? json_incref(arguments) : json_object();
	result = command->run(client->server->arg, arguments, error);
	json_decref(arguments);
	if (result == NULL)
		send_error(client, error);
	else
		send_answer(client, json_pack("{s:b, s:o}", "ok", 1, "result", result));
}

static void serve_line(struct ctl_client *client, const char *line, size_t len)
{
	char error[CTL_ERROR_LEN];
	json_error_t json_error;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &json_error);

	if (request == NULL) {
		snprintf(error, sizeof(error), "the request is not JSON: column %d: %s",
			json_error.column, json_error.text);
		send_error(client, error);
		return;
	}
	serve_request(client, request);
	json_decref(request);
}

/* Serves what can be served now; may destroy the client. */
static void serve(struct ctl_client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->stream);
	struct evbuffer *output = bufferevent_get_output(client->stream);

	while (evbuffer_get_length(output) == 0) {
		size_t len;
		char *line = evbuffer_readln(input, &len, EVBUFFER_EOL_LF);

		if (line == NULL)
			break;
		serve_line(client, line, len);
		free(line);
	}
	if (evbuffer_get_length(output) > 0)
		return;
	if (evbuffer_get_length(input) >= REQUEST_MAX && !client->closing) {
		bufferevent_disable(client->stream, EV_READ);
		client->closing = true;
		send_error(client, "the request is longer than 64 KiB");
	} else if (client->closing) {
		client_destroy(client);
	}
}

static void on_data(struct bufferevent *stream, void *arg)
{
	serve(arg);
}

static void on_event(struct bufferevent *stream, short events, void *arg)
{
	struct ctl_client *client = arg;

	if ((events & BEV_EVENT_EOF) != 0) {
		client->closing = true;
		serve(client);
	} else {
		client_destroy(client);
	}
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
	int sa_len, void *arg)
{
	const struct timeval timeout = {.tv_sec = IDLE_TIMEOUT_S};
	struct ctl_server *server = arg;
	struct ctl_client *client = calloc(1, sizeof(*client));

	if (client != NULL)
		client->stream = bufferevent_socket_new(
			evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
	if (client == NULL || client->stream == NULL) {
		free(client);
		close(fd);
		return;
	}
	client->server = server;
	TAILQ_INSERT_TAIL(&server->clients, client, link);
	if (++server->n_clients == CLIENTS_MAX)
		evconnlistener_disable(server->listener);
	bufferevent_setcb(client->stream, on_data, on_data, on_event, client);
	bufferevent_setwatermark(client->stream, EV_READ, 0, REQUEST_MAX);
	bufferevent_set_timeouts(client->stream, &timeout, &timeout);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

/* Removes the socket file of a daemon that is gone. */
static int remove_stale(const struct sockaddr_un *sa)
{
	struct stat st;
	int fd, rc = 0;

	if (lstat(sa->sun_path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno != ECONNREFUSED)
		rc = -EADDRINUSE;
	close(fd);
	if (rc == 0 && unlink(sa->sun_path) < 0)
		rc = -errno;
	return rc;
}

void ctl_make_folder(const char *path)
{
	char copy[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	snprintf(copy, sizeof(copy), "%s", path);
	mkdir(dirname(copy), 0755); /* a failure shows at bind */
}

/* Returns a socket bound to the path, mode 0600, or -errno. */
static int bind_socket(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc;

	if (fd < 0)
		return -errno;
	/* Linux gives the file the mode of the unbound socket: there is no moment with a wider one. */
	rc = fchmod(fd, 0600);
	if (rc == 0)
		rc = bind(fd, (const struct sockaddr *)sa, sizeof(*sa));
	if (rc < 0 && errno == EADDRINUSE) {
		rc = remove_stale(sa);
		if (rc < 0)
			errno = -rc;
		else
			rc = bind(fd, (const struct sockaddr *)sa, sizeof(*sa));
	}
	if (rc < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static ino_t file_inode(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? st.st_ino : 0;
}

struct ctl_server *ctl_server_create(
	struct event_base *base, const char *path, const struct ctl_command *commands, void *arg)
{
	struct ctl_server *server;
	int fd;

	if (strlen(path) >= sizeof(server->sa.sun_path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	server = calloc(1, sizeof(*server));
	if (server == NULL)
		return NULL;
	server->commands = commands;
	server->arg = arg;
	server->sa.sun_family = AF_UNIX;
	TAILQ_INIT(&server->clients);
	snprintf(server->sa.sun_path, sizeof(server->sa.sun_path), "%s", path);

	ctl_make_folder(path);
	fd = bind_socket(&server->sa);
	if (fd < 0) {
		errno = -fd;
		goto fail;
	}
	server->listener = evconnlistener_new(base, on_accept, server,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
	if (server->listener == NULL) {
		close(fd);
		unlink(path);
		errno = ENOMEM;
		goto fail;
	}
	server->inode = file_inode(path);
	return server;

fail:
	free(server);
	return NULL;
}

void ctl_server_destroy(struct ctl_server *server)
{
	struct ctl_client *client, *next;

	if (server == NULL)
		return;
	for (client = TAILQ_FIRST(&server->clients); client != NULL; client = next) {
		next = TAILQ_NEXT(client, link);
		client_destroy(client);
	}
	if (file_inode(server->sa.sun_path) == server->inode)
		unlink(server->sa.sun_path);
	evconnlistener_free(server->listener);
	free(server);
}
