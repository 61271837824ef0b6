// SPDX-License-Identifier: BSD-3-Clause
/*
 * The writer: a thread of its own between the event loop and the store, since a commit waits for the
 * disk (R27).
 *
 * Changes are written in the order in which they were given. Whatever gathered while one commit was
 * under way becomes the next group, so that a sync is shared by all who wait for it. The answers come
 * back on the event loop's thread, in order.
 *
 * A change may carry a record. It goes to the recorder when its change is durable and before anybody
 * hears of that, a group's records in one write. Where the recorder is required and cannot write, changes
 * that begin a lease are answered with -ECANCELED; the store has them.
 */
#pragma once

#include "server/recorder.h"
#include "server/store.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct srv_writer;

/* error: 0, or -errno: nothing of this change is in the store, or it is not recorded and has to be. */
typedef void (*srv_writer_done_fn)(void *arg, void *token, int error);

struct srv_writer_counts {
	uint64_t groups; /* committed */
	uint64_t changes; /* in them */
	uint64_t failures; /* groups that the store refused */
};

/*
 * Starts the thread; store is the writer's from now on, and closed by it; recorder (NULL: no records)
 * is used by it until it is destroyed. done is called once for each change whose token is not NULL. NULL + errno,
 * and store is still the caller's.
 */
struct srv_writer *srv_writer_create(struct event_base *base, struct srv_store *store,
	struct srv_recorder *recorder, srv_writer_done_fn done, void *arg);

/* Writes what is left, without calling done, and closes the store. */
void srv_writer_destroy(struct srv_writer *writer);

/* What is given between these two is written as a whole or not at all. */
void srv_writer_hold(struct srv_writer *writer);
void srv_writer_release(struct srv_writer *writer);
/*
 * Queue a change. Return 0 or -ENOMEM. note: its record, or NULL. One without a token that the store refuses
 * is tried again, in front of all later ones, until the store takes it.
 */
int srv_writer_put(struct srv_writer *writer, const struct srv_store_record *record,
	const struct srv_record *note, void *token);
int srv_writer_remove(struct srv_writer *writer, uint64_t id, void *token);
/* Queues a record alone. */
int srv_writer_note(struct srv_writer *writer, const struct srv_record *note);

struct srv_writer_counts srv_writer_count(struct srv_writer *writer);

/* Changes that were given and whose end has not been told yet. For the event loop's thread. */
uint32_t srv_writer_backlog(const struct srv_writer *writer);
/* The last group whose end has been told was refused; the same thread. */
bool srv_writer_is_failing(const struct srv_writer *writer);
