// SPDX-License-Identifier: BSD-3-Clause
#include "common/ctl.h"

#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX (64u << 20)

static int connect_socket(const char *path, int64_t deadline_ms)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* EAGAIN is a full backlog, which cannot be polled for. */
	while ((rc = connect(fd, (const struct sockaddr *)&sa, sizeof(sa))) < 0 &&
		errno == EAGAIN && clock_boot_ms() < deadline_ms)
		usleep(10000);
	if (rc < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static int wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd pollfd = {.fd = fd, .events = events};
	int64_t left_ms = deadline_ms - clock_boot_ms();
	int n = left_ms > 0 ? poll(&pollfd, 1, (int)left_ms) : 0;

	if (n < 0 && errno != EINTR)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

static int send_all(int fd, const char *text, size_t len, int64_t deadline_ms)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n > 0) {
			text += n;
			len -= n;
		} else if (errno == EAGAIN) {
			int rc = wait_for(fd, POLLOUT, deadline_ms);

			if (rc < 0)
				return rc;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* A daemon may answer and hang up before it has read all: what it said is still there to be read. */
static int send_request(int fd, const char *command, json_t *arguments, int64_t deadline_ms)
{
	json_t *request = json_pack("{s:s, s:O*}", "command", command, "arguments", arguments);
	char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
	int rc = -ENOMEM;

	json_decref(request);
	if (text != NULL)
		rc = send_all(fd, text, strlen(text), deadline_ms);
	if (rc == 0)
		rc = send_all(fd, "\n", 1, deadline_ms);
	free(text);
	return rc == -EPIPE ? 0 : rc;
}

/* Reads up to the end of the line. *text is the caller's to free, on an error too. */
static int receive_line(int fd, char **text, size_t *len, int64_t deadline_ms)
{
	size_t size = 0;

	*text = NULL;
	*len = 0;
	for (;;) {
		ssize_t n;

		if (*len == size) {
			char *grown;

			size = size > 0 ? size * 2 : 16384;
			if (size > ANSWER_MAX)
				return -EMSGSIZE;
			grown = realloc(*text, size);
			if (grown == NULL)
				return -ENOMEM;
			*text = grown;
		}
		n = recv(fd, *text + *len, size - *len, 0);
		if (n == 0)
			return -ECONNRESET;
		if (n > 0) {
			*len += n;
			if ((*text)[*len - 1] == '\n')
				return 0;
		} else if (errno == EAGAIN) {
			int rc = wait_for(fd, POLLIN, deadline_ms);

			if (rc < 0)
				return rc;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
}

/* Takes the result out of {"ok": true, "result": ...}. */
static int open_answer(
	const char *text, size_t len, json_t **result, char error[static CTL_ERROR_LEN])
{
	json_t *answer = json_loadb(text, len, 0, NULL);
	json_t *value = json_object_get(answer, "result");
	const char *reason = json_string_value(json_object_get(answer, "error"));
	int rc = 0;

	if (json_is_true(json_object_get(answer, "ok")) && value != NULL) {
		*result = json_incref(value);
	} else if (reason != NULL) {
		snprintf(error, CTL_ERROR_LEN, "%s", reason);
		rc = -EREMOTEIO;
	} else {
		snprintf(error, CTL_ERROR_LEN, "the answer is not one of a DSTM daemon");
		rc = -EPROTO;
	}
	json_decref(answer);
	return rc;
}

int ctl_request(const char *path, const char *command, json_t *arguments, int timeout_ms,
	json_t **result, char error[static CTL_ERROR_LEN])
{
	int64_t deadline_ms = clock_boot_ms() + timeout_ms;
	char *text = NULL;
	size_t len = 0;
	int fd, rc;

	fd = connect_socket(path, deadline_ms);
	if (fd < 0) {
		snprintf(error, CTL_ERROR_LEN, "%s: no daemon answers here: %s", path,
			strerror(-fd));
		return fd;
	}
	rc = send_request(fd, command, arguments, deadline_ms);
	if (rc == 0)
		rc = receive_line(fd, &text, &len, deadline_ms);
	if (rc < 0)
		snprintf(error, CTL_ERROR_LEN, "%s: no answer: %s", path, strerror(-rc));
	else
		rc = open_answer(text, len, result, error);
	free(text);
	close(fd);
	return rc;
}
