// SPDX-License-Identifier: BSD-3-Clause
#include "control/telemetry.h"

#include "control/telemetry_commands.h"

#include <event2/event.h>
#include <rte_telemetry.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 2 /* how long the control thread may be busy with other things */

struct tep_telemetry {
	const struct tep_view *view;
	struct event *wake;
	int wake_fd; /* eventfd: there is a question */
};

/*
 * The one question on its way. Whoever asks holds callers; lock guards the rest. BUSY is the control thread's: then
 * it alone touches answer and result, and the asker waits for DONE, however long.
 */
static struct {
	pthread_mutex_t callers;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct tep_telemetry *telemetry; /* who answers; NULL: nobody */
	enum {
		NONE,
		ASKED,
		BUSY,
		DONE,
	} state;
	const struct tep_telemetry_command *command;
	const char *params;
	struct rte_tel_data *answer;
	int result;
} question = {.callers = PTHREAD_MUTEX_INITIALIZER,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER};

/* --- a thread of DPDK's -------------------------------------------------------------------------- */

static const struct tep_telemetry_command *find_command(const char *name)
{
	const struct tep_telemetry_command *command = tep_telemetry_commands;

	while (command->name != NULL && strcmp(command->name, name) != 0)
		command++;
	return command->name != NULL ? command : NULL;
}

/* Under lock. Returns what the command did, or -ETIMEDOUT. */
static int await(void)
{
	struct timespec end;
	int error = 0;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE_S;
	while (question.state == ASKED && error != ETIMEDOUT)
		error = pthread_cond_timedwait(&question.changed, &question.lock, &end);
	while (question.state == BUSY)
		pthread_cond_wait(&question.changed, &question.lock);
	return question.state == DONE ? question.result : -ETIMEDOUT;
}

static int ask(const char *name, const char *params, struct rte_tel_data *answer)
{
	const struct tep_telemetry_command *command = find_command(name);
	const uint64_t one = 1;
	int ret = -ENODEV;

	if (command == NULL)
		return -ENOENT;
	pthread_mutex_lock(&question.callers);
	pthread_mutex_lock(&question.lock);
	if (question.telemetry != NULL) {
		question.command = command;
		question.params = params != NULL ? params : "";
		question.answer = answer;
		question.state = ASKED;
		if (write(question.telemetry->wake_fd, &one, sizeof(one)) == sizeof(one))
			ret = await();
		question.state = NONE;
	}
	pthread_mutex_unlock(&question.lock);
	pthread_mutex_unlock(&question.callers);
	return ret;
}

/* --- the control thread -------------------------------------------------------------------------- */

static void finish(int result)
{
	question.result = result;
	question.state = DONE;
	pthread_cond_signal(&question.changed);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	const struct tep_telemetry *telemetry = arg;
	uint64_t count;
	bool is_asked;

	if (read(fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&question.lock);
	is_asked = question.state == ASKED;
	if (is_asked)
		question.state = BUSY;
	pthread_mutex_unlock(&question.lock);
	if (is_asked) {
		int result = question.command->run(
			telemetry->view, question.params, question.answer);

		pthread_mutex_lock(&question.lock);
		finish(result);
		pthread_mutex_unlock(&question.lock);
	}
}

/* Once in a process. */
static int register_commands(void)
{
	static bool is_done;
	int ret = 0;

	for (const struct tep_telemetry_command *command = tep_telemetry_commands;
		!is_done && ret == 0 && command->name != NULL; command++)
		ret = rte_telemetry_register_cmd(command->name, ask, command->help);
	is_done |= ret == 0;
	return ret;
}

/* Who is asked from now on; NULL: nobody. False: somebody else is. */
static bool set_answerer(struct tep_telemetry *telemetry)
{
	bool is_free;

	pthread_mutex_lock(&question.lock);
	is_free = telemetry == NULL || question.telemetry == NULL;
	if (is_free)
		question.telemetry = telemetry;
	if (telemetry == NULL && question.state == ASKED)
		finish(-ENODEV);
	pthread_mutex_unlock(&question.lock);
	return is_free;
}

static void release(struct tep_telemetry *telemetry)
{
	if (telemetry->wake != NULL)
		event_free(telemetry->wake);
	if (telemetry->wake_fd >= 0)
		close(telemetry->wake_fd);
	free(telemetry);
}

struct tep_telemetry *tep_telemetry_create(struct event_base *base, const struct tep_view *view)
{
	struct tep_telemetry *telemetry = calloc(1, sizeof(*telemetry));
	int error = ENOMEM;

	if (telemetry == NULL)
		return NULL;
	telemetry->view = view;
	telemetry->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (telemetry->wake_fd < 0) {
		error = errno;
		goto fail;
	}
	telemetry->wake = event_new(
		base, telemetry->wake_fd, EV_READ | EV_PERSIST, on_wake, telemetry);
	if (telemetry->wake == NULL || event_add(telemetry->wake, NULL) < 0)
		goto fail;
	error = -register_commands();
	if (error == 0 && set_answerer(telemetry))
		return telemetry;
	if (error == 0)
		error = EBUSY;
fail:
	release(telemetry);
	errno = error;
	return NULL;
}

void tep_telemetry_destroy(struct tep_telemetry *telemetry)
{
	if (telemetry == NULL)
		return;
	set_answerer(NULL);
	release(telemetry);
}
