// SPDX-License-Identifier: BSD-3-Clause
/*
 * One authentication exchange, either side: base64 lines in, base64 lines out, no I/O.
 *
 * GNU SASL does the work of SCRAM-SHA-256 and DIGEST-MD5; what old clients need on top of it is here (a
 * DIGEST-MD5 challenge without blanks, PLAIN without base64). A user that does not exist takes the same
 * steps as a wrong password.
 */
#pragma once

#include "tsp/tsp_conn.h"
#include "tsp/tsp_secret.h"

struct tsp_sasl;

enum tsp_sasl_result {
	TSP_SASL_MORE, /* the peer's next line is due */
	TSP_SASL_DONE, /* authenticated; a last line may still have to be sent */
	TSP_SASL_FAILED,
};

/* "SCRAM-SHA-256", as CAPABILITY and AUTHENTICATE name it. */
const char *tsp_mechanism_name(enum tsp_mechanism mechanism);
/* By name, any case; 0 when it is none of ours. */
enum tsp_mechanism tsp_mechanism_find(const char *name);

/* auth is borrowed. hostname is the peer's name for digest-uri. NULL + errno. */
struct tsp_sasl *tsp_sasl_create_initiator(
	enum tsp_mechanism mechanism, const struct tsp_auth *auth, const char *hostname);
struct tsp_sasl *tsp_sasl_create_responder(
	enum tsp_mechanism mechanism, const struct tsp_auth *auth);
void tsp_sasl_destroy(struct tsp_sasl *sasl); /* NULL is allowed */

/* Responder: whom the peer's certificate names, for EXTERNAL; borrowed. NULL: nobody. */
void tsp_sasl_certify(struct tsp_sasl *sasl, const char *name);

/* True when this side speaks first. */
bool tsp_sasl_begins(const struct tsp_sasl *sasl);

/*
 * One step: the peer's line ("" to begin), and in *out the line to send, malloc'ed, NULL for none.
 */
enum tsp_sasl_result tsp_sasl_step(struct tsp_sasl *sasl, const char *in, char **out);

/* Responder: the one message of PLAIN, raw (tsp_plain.h). The initiator's step says DONE at once. */
enum tsp_sasl_result tsp_sasl_step_plain(struct tsp_sasl *sasl, const char *data, size_t len);

/* Who it was, once DONE; "" for ANONYMOUS. */
const char *tsp_sasl_user(const struct tsp_sasl *sasl);
