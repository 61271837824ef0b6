// SPDX-License-Identifier: BSD-3-Clause
/*
 * One TSP connection, either side: handshake, authentication, then messages both ways.
 *
 * The initiator opens (a client to its server; the server to a TEP), the responder answers. Both hand
 * whole, checked messages up. A connection is owned by whoever created it; callbacks run on the event
 * loop's thread and may call tsp_conn_close, never destroy memory under the caller: a closed
 * connection frees itself after its "closed" callback returned.
 *
 * Limits (tsp_conn_limits) hold from the first octet: time to authenticate, time to complete a
 * message, length, failed attempts, what may wait in the output. Over a limit the peer gets its code, where
 * the protocol has one, and a clean close.
 */
#pragma once

#include "common/addr.h"
#include "tsp/tsp_msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TSP_CONN_OWED_MAX \
	64 /* requests that a responder takes before it has answered the first of them */

struct event_base;
struct ssl_ctx_st;
struct tsp_conn;
struct tsp_parser;
struct tsp_secret;

enum tsp_mechanism {
	TSP_MECHANISM_ANONYMOUS = 1 << 0,
	TSP_MECHANISM_DIGEST_MD5 = 1 << 1,
	TSP_MECHANISM_SCRAM_SHA_256 = 1 << 2,
	TSP_MECHANISM_PLAIN = 1 << 3, /* under TLS alone, whatever is asked for */
	TSP_MECHANISM_EXTERNAL = 1 << 4, /* with a certificate that was checked alone */
};
#define TSP_MECHANISMS_ALL 31

enum tsp_close_reason {
	TSP_CLOSE_LOCAL, /* tsp_conn_close */
	TSP_CLOSE_PEER, /* end of stream */
	TSP_CLOSE_CONNECT, /* could not connect */
	TSP_CLOSE_AUTH, /* authentication failed or refused */
	TSP_CLOSE_TIMEOUT, /* a limit of time */
	TSP_CLOSE_VERSION, /* 302: the responder does not speak the initiator's version */
	TSP_CLOSE_PROTOCOL, /* malformed, too long */
	TSP_CLOSE_ERROR, /* socket error */
};

struct tsp_conn_limits {
	uint32_t auth_timeout_s; /* 30 */
	uint32_t message_timeout_s; /* 10: to complete a message once it began */
	uint32_t idle_timeout_s; /* 0: none */
	uint32_t auth_attempts; /* 3 */
	uint32_t dead_peer_s; /* 60: a host that is gone is noticed after that; 0: the default */
	uint32_t output_max; /* octets waiting to be sent before the peer is dropped; 256 KiB */
};
extern const struct tsp_conn_limits tsp_conn_default_limits;

/* How the responder finds what it knows of a user: fills secret (zero before); false: no such user. */
typedef bool (*tsp_secret_fn)(void *arg, const char *user, struct tsp_secret *secret);

struct tsp_auth {
	uint32_t mechanisms; /* enum tsp_mechanism bits that are allowed */
	/* Initiator: who it says it is. NULL user: ANONYMOUS. */
	const char *user;
	const char *password;
	/* Responder: whom it believes. */
	tsp_secret_fn find_secret;
	void *find_secret_arg;
	const char *realm; /* NULL: "dstm" */
};

struct tsp_conn_ops {
	/* Authenticated: messages may be sent. May be NULL. */
	void (*ready)(struct tsp_conn *conn, void *arg);
	/*
	 * One message. A body that does not parse never gets here: the responder has answered it
	 * with its code, the initiator closes.
	 */
	void (*message)(struct tsp_conn *conn, const struct tsp_msg *msg, void *arg);
	/* The output ran empty after having held something. May be NULL. */
	void (*drained)(struct tsp_conn *conn, void *arg);
	/* The last callback; conn is invalid afterwards. why is a sentence for the log. */
	void (*closed)(
		struct tsp_conn *conn, enum tsp_close_reason reason, const char *why, void *arg);
};

struct tsp_conn_params {
	struct event_base *base;
	const struct tsp_conn_ops *ops;
	void *arg;
	const struct tsp_auth *auth; /* borrowed for the life of the connection */
	struct tsp_conn_limits limits;
	enum tsp_generation generation; /* initiator: what it announces */
	bool send_ok_to_v1; /* responder: "OK ..." instead of "200 Success" to VERSION 1.x */
	struct ssl_ctx_st *tls; /* TLS from the first octet; NULL: plain TCP */
	const char *tls_name; /* initiator: whom the peer's certificate is for; NULL: its address */
	struct tsp_parser *parser; /* who reads bodies, borrowed; NULL: this process itself */
	uint32_t withheld; /* responder: mechanisms of auth that this connection is not offered */
	const struct in6_addr *local; /* initiator: its own address; NULL: the kernel's choice */
};

/* Initiator: connects and goes on by itself. NULL + errno. */
struct tsp_conn *tsp_conn_connect(
	const struct tsp_conn_params *params, const struct addr_endpoint *peer);
/* Responder: takes over an accepted socket. NULL + errno, and fd is still the caller's. */
struct tsp_conn *tsp_conn_accept(
	const struct tsp_conn_params *params, int fd, const struct addr_endpoint *peer);

/*
 * Queues a message. Returns 0, -ENOTCONN before ready or after close, -ENOSPC, or -ENOBUFS: output_max is
 * passed and the peer dropped. Who sends without end watches tsp_conn_queued and goes on in drained().
 */
int tsp_conn_send(struct tsp_conn *conn, const struct tsp_msg *msg);
/* Octets that wait to be sent. */
size_t tsp_conn_queued(const struct tsp_conn *conn);

/* Flushes what is queued, closes, calls closed(TSP_CLOSE_LOCAL) from the event loop. */
void tsp_conn_close(struct tsp_conn *conn);

/* Replaces arg of the callbacks. */
void tsp_conn_set_arg(struct tsp_conn *conn, void *arg);

const struct addr_endpoint *tsp_conn_peer(const struct tsp_conn *conn);
enum tsp_generation tsp_conn_generation(const struct tsp_conn *conn);
/* Authenticated name; "" for ANONYMOUS. */
const char *tsp_conn_user(const struct tsp_conn *conn);
/* The local IPv6 address of the connected socket: what an initiator on this host is reached by. */
int tsp_conn_local(const struct tsp_conn *conn, struct in6_addr *addr);
