// SPDX-License-Identifier: BSD-3-Clause
/*
 * Questions of DPDK's telemetry threads and the control thread that answers them. DPDK's side is the function that
 * it was given; the tables are real as far as the commands here look at them.
 */
#include "control/telemetry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <event2/event.h>
#include <rte_telemetry.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define ASKERS    8
#define QUESTIONS 500

int __wrap_rte_telemetry_register_cmd(const char *cmd, telemetry_cb fn, const char *help);
int __real_pthread_cond_timedwait(
	pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *end);
int __wrap_pthread_cond_timedwait(
	pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *end);

static telemetry_cb call; /* the same for all commands */
static unsigned int n_registered;
static atomic_bool is_late; /* whoever waits has waited long enough */
static atomic_uint n_waiting, n_done;
static struct tep tep;
static const struct tep_view view = {.tep = &tep};
static struct event_base *base;
static struct tep_telemetry *telemetry;

int __wrap_rte_telemetry_register_cmd(const char *cmd, telemetry_cb fn, const char *help)
{
	assert_memory_equal(cmd, "/dstm/", 6);
	assert_int_not_equal(help[0], '\0');
	call = fn;
	n_registered++;
	return 0;
}

int __wrap_pthread_cond_timedwait(
	pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *end)
{
	atomic_fetch_add(&n_waiting, 1);
	return atomic_load(&is_late) ? ETIMEDOUT : __real_pthread_cond_timedwait(cond, mutex, end);
}

static int set_up(void **state)
{
	tep = (struct tep){.ready = {.is_running = true}};
	atomic_store(&is_late, false);
	atomic_store(&n_waiting, 0);
	atomic_store(&n_done, 0);
	base = event_base_new();
	telemetry = tep_telemetry_create(base, &view);
	return telemetry == NULL;
}

static int tear_down(void **state)
{
	tep_telemetry_destroy(telemetry);
	event_base_free(base);
	return 0;
}

static int ask(const char *name, const char *params)
{
	struct rte_tel_data *answer = rte_tel_data_alloc();
	int ret = call(name, params, answer);

	rte_tel_data_free(answer);
	return ret;
}

struct asker {
	pthread_t thread;
	const char *name;
	int questions;
	int result; /* the worst */
};

static void *run_asker(void *arg)
{
	struct asker *asker = arg;

	for (int i = 0; i < asker->questions; i++) {
		int ret = ask(asker->name, NULL);

		if (ret != 0)
			asker->result = ret;
	}
	atomic_fetch_add(&n_done, 1);
	return NULL;
}

static void start(struct asker *asker, const char *name, int questions)
{
	*asker = (struct asker){.name = name, .questions = questions};
	assert_int_equal(pthread_create(&asker->thread, NULL, run_asker, asker), 0);
}

static int end(struct asker *asker)
{
	pthread_join(asker->thread, NULL);
	return asker->result;
}

static void each_command_is_registered_once(void **state)
{
	unsigned int before = n_registered;

	assert_true(before >= 7);
	tep_telemetry_destroy(telemetry);
	telemetry = tep_telemetry_create(base, &view);
	assert_non_null(telemetry);
	assert_int_equal(n_registered, before);
}

static void many_threads_are_answered_by_one(void **state)
{
	static const char *const names[] = {"/dstm/help", "/dstm/ready", "/dstm/servers"};
	struct asker askers[ASKERS];

	for (int i = 0; i < ASKERS; i++)
		start(&askers[i], names[i % 3], QUESTIONS);
	while (atomic_load(&n_done) < ASKERS)
		event_base_loop(base, EVLOOP_NONBLOCK);
	for (int i = 0; i < ASKERS; i++)
		assert_int_equal(end(&askers[i]), 0);
}

static void a_busy_control_thread_keeps_nobody_waiting(void **state)
{
	atomic_store(&is_late, true);
	assert_int_equal(ask("/dstm/ready", NULL), -ETIMEDOUT);
	/* The question was taken back: its answer's memory is no longer anybody's. */
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(ask("/dstm/ready", NULL), -ETIMEDOUT);
}

static void who_waits_at_the_end_is_let_go(void **state)
{
	struct asker asker;

	start(&asker, "/dstm/ready", 1);
	while (atomic_load(&n_waiting) == 0)
		;
	tep_telemetry_destroy(telemetry);
	telemetry = NULL;
	assert_int_equal(end(&asker), -ENODEV);
	assert_int_equal(ask("/dstm/ready", NULL), -ENODEV);
}

static void there_is_one_in_a_process(void **state)
{
	assert_null(tep_telemetry_create(base, &view));
	assert_int_equal(errno, EBUSY);
}

static void an_unknown_command_is_refused(void **state)
{
	assert_int_equal(ask("/dstm/nothing", NULL), -ENOENT);
	assert_int_equal(ask("", "x"), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_command_is_registered_once),
		TEST(many_threads_are_answered_by_one),
		TEST(a_busy_control_thread_keeps_nobody_waiting),
		TEST(who_waits_at_the_end_is_let_go),
		TEST(there_is_one_in_a_process),
		TEST(an_unknown_command_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
