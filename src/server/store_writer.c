// SPDX-License-Identifier: BSD-3-Clause
#include "server/store_writer.h"

#include "common/log.h"
#include "common/thread.h"

#include <event2/event.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#define DELIVERED_AT_ONCE 256 /* answers, before the event loop turns */
#define RETRY_S           1 /* after a failure, where nobody else has anything to write */

/* One change on its way to the store and back. */
struct change {
	STAILQ_ENTRY(change) link;
	enum {
		PUT,
		REMOVE,
		NOTE, /* nothing for the store */
	} kind;
	int error; /* of the store */
	bool unrecorded; /* though it had to be */
	void *token;
	struct srv_record *note;
	struct srv_store_record record; /* of a remove: the id alone */
};
STAILQ_HEAD(change_list, change);

struct srv_writer {
	struct srv_store *store; /* the thread's while it runs, as is the */
	struct srv_recorder *recorder; /* or NULL */
	srv_writer_done_fn done;
	void *arg;
	struct event *wake;
	int wake_fd; /* eventfd: the thread has finished a group */
	pthread_t thread;
	bool failing; /* event loop's: the last group failed */
	struct change_list arrived; /* event loop's: written, and not delivered yet */
	uint32_t n_open; /* event loop's: given, and not delivered yet */
	bool is_held; /* event loop's */
	struct change_list held; /* event loop's: for one group */

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t work;
	struct change_list queued;
	struct change_list
		unwritten; /* nobody waits for them, and they must not be lost: once more */
	struct change_list finished;
	struct srv_writer_counts counts;
	char error[SRV_STORE_ERROR_SIZE];
	bool stop;
};

static int write_group(struct srv_store *store, struct change_list *group)
{
	struct change *change;
	int ret = store->ops->begin(store);

	STAILQ_FOREACH(change, group, link) {
		if (ret < 0)
			break;
		if (change->kind == PUT)
			ret = store->ops->put(store, &change->record);
		else if (change->kind == REMOVE)
			ret = store->ops->remove(store, change->record.id);
	}
	if (ret == 0)
		ret = store->ops->commit(store);
	if (ret < 0)
		store->ops->rollback(store);
	return ret;
}

/* A lease that would begin, or go on to begin. */
static bool begins_lease(const struct change *change)
{
	return change->kind == PUT &&
	       (change->record.state == SRV_LEASE_PENDING ||
		       (change->note != NULL && change->note->event == SRV_RECORD_ALLOCATED));
}

/* What the store refused did not happen, and is no record. */
static void record_group(struct srv_recorder *recorder, struct change_list *group, int error)
{
	struct change *change;
	bool unwritten;

	STAILQ_FOREACH(change, group, link) {
		if (change->note != NULL && (error == 0 || change->kind == NOTE))
			srv_recorder_add(recorder, change->note);
	}
	unwritten = srv_recorder_flush(recorder) < 0 && srv_recorder_is_required(recorder);
	STAILQ_FOREACH(change, group, link)
		change->unrecorded = unwritten && begins_lease(change);
}

/*
 * Who waits for a change is told that it failed, and gives up what it was for. What nobody waits for, the end of a
 * lease, is a fact that the store has to learn: it stays in front of all that comes later.
 */
static void keep_unwritten(struct srv_writer *writer, struct change_list *group)
{
	struct change_list told = STAILQ_HEAD_INITIALIZER(told);
	struct change *change;

	while ((change = STAILQ_FIRST(group)) != NULL) {
		STAILQ_REMOVE_HEAD(group, link);
		if (change->token == NULL && change->kind != NOTE)
			STAILQ_INSERT_TAIL(&writer->unwritten, change, link);
		else
			STAILQ_INSERT_TAIL(&told, change, link);
	}
	STAILQ_CONCAT(group, &told);
}

static void finish_group(struct srv_writer *writer, struct change_list *group, int error)
{
	struct change *change;

	if (error < 0)
		keep_unwritten(writer, group);
	STAILQ_FOREACH(change, group, link) {
		change->error = error;
		writer->counts.changes += error == 0;
	}
	if (error == 0)
		writer->counts.groups++;
	else
		writer->counts.failures++;
	memcpy(writer->error, writer->store->error, sizeof(writer->error));
	STAILQ_CONCAT(&writer->finished, group);
}

/* Until there is something to write, or to try again, or the end. */
static void wait_for_work(struct srv_writer *writer)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += RETRY_S;
	while (STAILQ_EMPTY(&writer->queued) && !writer->stop) {
		if (STAILQ_EMPTY(&writer->unwritten))
			pthread_cond_wait(&writer->work, &writer->lock);
		else if (pthread_cond_timedwait(&writer->work, &writer->lock, &until) == ETIMEDOUT)
			return;
	}
}

static void *write_loop(void *arg)
{
	struct srv_writer *writer = arg;
	struct change_list group = STAILQ_HEAD_INITIALIZER(group);

	pthread_setname_np(pthread_self(), "dstm-store");
	pthread_mutex_lock(&writer->lock);
	for (bool is_last = false; !is_last;) {
		wait_for_work(writer);
		is_last = writer->stop && STAILQ_EMPTY(&writer->queued);
		STAILQ_CONCAT(&group, &writer->unwritten);
		STAILQ_CONCAT(&group, &writer->queued);
		if (STAILQ_EMPTY(&group))
			break;
		pthread_mutex_unlock(&writer->lock);

		int error = write_group(writer->store, &group);

		if (writer->recorder != NULL)
			record_group(writer->recorder, &group, error);
		pthread_mutex_lock(&writer->lock);
		finish_group(writer, &group, error);
		eventfd_write(writer->wake_fd, 1);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

/* Says once that the store began to fail, and once that it works again. */
static void report(struct srv_writer *writer, int error, const char *text)
{
	if (error < 0 && !writer->failing)
		log_err("store: not written, requests are refused: %s", text);
	else if (error == 0 && writer->failing)
		log_info("store: written again");
	writer->failing = error < 0;
}

static void free_change(struct change *change)
{
	free(change->note);
	free(change);
}

static void deliver_one(struct srv_writer *writer, struct change *change, const char *error)
{
	writer->n_open--;
	report(writer, change->error, error);
	if (change->token != NULL)
		writer->done(writer->arg, change->token,
			change->unrecorded ? -ECANCELED : change->error);
	free_change(change);
}

static void deliver(evutil_socket_t fd, short what, void *arg)
{
	struct srv_writer *writer = arg;
	struct change *change;
	char error[SRV_STORE_ERROR_SIZE];
	eventfd_t ignored;

	eventfd_read(fd, &ignored);
	pthread_mutex_lock(&writer->lock);
	STAILQ_CONCAT(&writer->arrived, &writer->finished);
	memcpy(error, writer->error, sizeof(error));
	pthread_mutex_unlock(&writer->lock);

	for (uint32_t i = 0; i < DELIVERED_AT_ONCE; i++) {
		change = STAILQ_FIRST(&writer->arrived);
		if (change == NULL)
			return;
		STAILQ_REMOVE_HEAD(&writer->arrived, link);
		deliver_one(writer, change, error);
	}
	eventfd_write(fd, 1);
}

static void free_changes(struct change_list *changes)
{
	struct change *change;

	while ((change = STAILQ_FIRST(changes)) != NULL) {
		STAILQ_REMOVE_HEAD(changes, link);
		free_change(change);
	}
}

static void release(struct srv_writer *writer)
{
	if (writer->wake != NULL)
		event_free(writer->wake);
	if (writer->wake_fd >= 0)
		close(writer->wake_fd);
	pthread_mutex_destroy(&writer->lock);
	pthread_cond_destroy(&writer->work);
	free_changes(&writer->unwritten);
	free_changes(&writer->finished);
	free_changes(&writer->arrived);
	free(writer);
}

struct srv_writer *srv_writer_create(struct event_base *base, struct srv_store *store,
	struct srv_recorder *recorder, srv_writer_done_fn done, void *arg)
{
	struct srv_writer *writer = calloc(1, sizeof(*writer));
	int error = ENOMEM;

	if (writer == NULL)
		return NULL;
	writer->store = store;
	writer->recorder = recorder;
	writer->done = done;
	writer->arg = arg;
	STAILQ_INIT(&writer->queued);
	STAILQ_INIT(&writer->held);
	STAILQ_INIT(&writer->unwritten);
	STAILQ_INIT(&writer->finished);
	STAILQ_INIT(&writer->arrived);
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->work, NULL);
	writer->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (writer->wake_fd < 0) {
		error = errno;
		goto fail;
	}
	writer->wake = event_new(base, writer->wake_fd, EV_READ | EV_PERSIST, deliver, writer);
	if (writer->wake == NULL || event_add(writer->wake, NULL) < 0)
		goto fail;
	error = -thread_start(&writer->thread, write_loop, writer);
	if (error == 0)
		return writer;
fail:
	release(writer);
	errno = error;
	return NULL;
}

void srv_writer_destroy(struct srv_writer *writer)
{
	if (writer == NULL)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->stop = true;
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	writer->store->ops->close(writer->store);
	release(writer);
}

static struct change *make_change(const struct srv_record *note, void *token)
{
	struct change *change = calloc(1, sizeof(*change));

	if (change == NULL)
		return NULL;
	change->token = token;
	if (note == NULL)
		return change;
	change->note = malloc(sizeof(*note));
	if (change->note == NULL) {
		free(change);
		return NULL;
	}
	*change->note = *note;
	return change;
}

static int enqueue(struct srv_writer *writer, struct change *change)
{
	writer->n_open++;
	if (writer->is_held) {
		STAILQ_INSERT_TAIL(&writer->held, change, link);
		return 0;
	}
	pthread_mutex_lock(&writer->lock);
	STAILQ_INSERT_TAIL(&writer->queued, change, link);
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->lock);
	return 0;
}

void srv_writer_hold(struct srv_writer *writer)
{
	writer->is_held = true;
}

void srv_writer_release(struct srv_writer *writer)
{
	writer->is_held = false;
	pthread_mutex_lock(&writer->lock);
	STAILQ_CONCAT(&writer->queued, &writer->held);
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->lock);
}

int srv_writer_put(struct srv_writer *writer, const struct srv_store_record *record,
	const struct srv_record *note, void *token)
{
	struct change *change = make_change(note, token);

	if (change == NULL)
		return -ENOMEM;
	change->kind = PUT;
	change->record = *record;
	return enqueue(writer, change);
}

int srv_writer_remove(struct srv_writer *writer, uint64_t id, void *token)
{
	struct change *change = make_change(NULL, token);

	if (change == NULL)
		return -ENOMEM;
	change->kind = REMOVE;
	change->record.id = id;
	return enqueue(writer, change);
}

int srv_writer_note(struct srv_writer *writer, const struct srv_record *note)
{
	struct change *change = make_change(note, NULL);

	if (change == NULL)
		return -ENOMEM;
	change->kind = NOTE;
	return enqueue(writer, change);
}

struct srv_writer_counts srv_writer_count(struct srv_writer *writer)
{
	struct srv_writer_counts counts;

	pthread_mutex_lock(&writer->lock);
	counts = writer->counts;
	pthread_mutex_unlock(&writer->lock);
	return counts;
}

uint32_t srv_writer_backlog(const struct srv_writer *writer)
{
	return writer->n_open;
}

bool srv_writer_is_failing(const struct srv_writer *writer)
{
	return writer->failing;
}
