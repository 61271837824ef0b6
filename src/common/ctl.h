// SPDX-License-Identifier: BSD-3-Clause
/*
 * Control sockets: how dstmctl talks to the daemons.
 *
 * A Unix stream socket, mode 0600. One JSON object a line each way:
 *	{"command": "bindings", "arguments": {...}}
 *	{"ok": true, "result": ...}    or    {"ok": false, "error": "one sentence"}
 * A command that lists many things takes "limit" and "after" and returns
 *	{"items": [...], "next": CURSOR or null}
 * so that no answer grows with the table. A request line is at most 64 KiB.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

struct event_base;
struct ctl_server;

#define CTL_ERROR_LEN 256

struct ctl_command {
	const char *name;
	/*
	 * Returns a new reference, the result; or NULL with a sentence in error. arguments is an object,
	 * borrowed, empty when the request had none. Runs on the event loop's thread.
	 */
	json_t *(*run)(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN]);
};

/* Makes the folder of the socket at path, unless it is there; a failure shows when listening. */
void ctl_make_folder(const char *path);

/*
 * Listens on path (an old socket file that nobody answers is replaced; its folder is made). commands
 * ends with a NULL name and is borrowed. NULL + errno on failure.
 */
struct ctl_server *ctl_server_create(
	struct event_base *base, const char *path, const struct ctl_command *commands, void *arg);
/* Closes all connections and removes the socket file; NULL is allowed. */
void ctl_server_destroy(struct ctl_server *server);

/*
 * Client side, blocking, timeout_ms for the whole exchange. arguments is borrowed and may be NULL.
 * Returns 0 and a new reference in *result, or -errno with a sentence in error (-EREMOTEIO: the
 * daemon said no).
 */
int ctl_request(const char *path, const char *command, json_t *arguments, int timeout_ms,
	json_t **result, char error[static CTL_ERROR_LEN]);
