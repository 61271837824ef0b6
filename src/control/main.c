// SPDX-License-Identifier: BSD-3-Clause
/*
 * dstm-tep: the border router. This thread is the control thread: it checks the configuration before the EAL
 * starts anything, builds the data plane, launches the workers, and then runs the event loop: ageing of
 * bindings, statistics, signals, servers' sessions, the host and the control socket.
 */
#include "common/clock.h"
#include "common/daemon.h"
#include "common/log.h"
#include "control/services.h"
#include "control/tep.h"
#include "control/tep_options.h"

#include <event2/event.h>
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <string.h>

#define SWEEP_PERIOD_MS 100
#define SWEEP_LIMIT     16384 /* bindings looked at in one go */
#define IDLE_PERIOD_MS  10

struct loop {
	struct tep *tep;
	struct tep_services *services;
	const struct tep_options *options;
	struct event_base *base;
	struct daemon_signals *signals;
	struct event *timers[4];
	uint32_t n_timers;
	uint32_t static_serial; /* of the static bindings; 0 at the start */
};

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	struct tep *tep = loop->tep;

	dp_bindings_sweep(tep->bindings, dp_datapath_now_s(tep->datapath), SWEEP_LIMIT);
	tep_check(tep);
	tep_services_look(loop->services);
}

static void on_stats(evutil_socket_t fd, short what, void *arg)
{
	struct tep *tep = ((struct loop *)arg)->tep;

	tep_stats_sample(&tep->stats);
	tep_stats_print(&tep->stats, stdout, false);
}

static void on_idle_check(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	uint64_t idle = rte_rdtsc() - dp_datapath_last_rx_tsc(loop->tep->datapath);

	/* A packet may come between the two readings: then the difference is negative. */
	if ((int64_t)idle > (int64_t)(rte_get_tsc_hz() / 1000 * loop->options->idle_ms))
		event_base_loopbreak(loop->base);
}

static void on_duration(evutil_socket_t fd, short what, void *arg)
{
	event_base_loopbreak(((struct loop *)arg)->base);
}

static void on_stop(void *arg)
{
	event_base_loopbreak(((struct loop *)arg)->base);
}

/* Static bindings change in the running table; a bad file changes nothing. */
static void on_reload(void *arg)
{
	struct loop *loop = arg;
	struct tep_static_change change;
	struct tep_config config;
	struct config_error error;
	int rc;

	daemon_notify_reloading();
	if (tep_config_load(loop->options->config_path, &config, &error) != 0) {
		log_err("reload: nothing changed: %s", error.text);
	} else {
		rc = tep_static_replace(
			&config.fixed, loop->tep->bindings, ++loop->static_serial, &change);
		if (rc != 0)
			log_err("reload: nothing changed: %s", strerror(-rc));
		else
			log_info("reload: static bindings: %u stand, %u removed, %u refused; other "
				 "keys are read at start only",
				change.kept, change.removed, change.refused);
		tep_config_free(&config);
	}
	daemon_notify_ready();
}

static int add_timer(struct loop *loop, event_callback_fn callback, uint32_t period_ms)
{
	const struct timeval period = {
		.tv_sec = period_ms / 1000, .tv_usec = period_ms % 1000 * 1000};
	struct event *timer = event_new(loop->base, -1, EV_PERSIST, callback, loop);

	if (timer == NULL || event_add(timer, &period) != 0) {
		log_err("event loop: no timer");
		if (timer != NULL)
			event_free(timer);
		return -1;
	}
	loop->timers[loop->n_timers++] = timer;
	return 0;
}

static int add_timers(struct loop *loop)
{
	const struct tep_options *options = loop->options;
	int rc = add_timer(loop, on_sweep, SWEEP_PERIOD_MS);

	if (rc == 0 && options->stats_period_s != 0)
		rc = add_timer(loop, on_stats, options->stats_period_s * 1000);
	if (rc == 0 && options->exit_on_idle)
		rc = add_timer(loop, on_idle_check, IDLE_PERIOD_MS);
	if (rc == 0 && options->duration_s != 0)
		rc = add_timer(loop, on_duration, options->duration_s * 1000);
	return rc;
}

static int loop_create(struct loop *loop)
{
	loop->base = event_base_new();
	if (loop->base == NULL) {
		log_err("event loop: cannot be made");
		return -1;
	}
	loop->signals = daemon_signals_create(loop->base, on_stop, on_reload, loop);
	if (loop->signals == NULL) {
		log_err("signals: cannot be taken");
		return -1;
	}
	return add_timers(loop);
}

static void loop_destroy(struct loop *loop)
{
	while (loop->n_timers > 0)
		event_free(loop->timers[--loop->n_timers]);
	if (loop->signals != NULL)
		daemon_signals_destroy(loop->signals);
	if (loop->base != NULL)
		event_base_free(loop->base);
}

/* The last words: statistics on the screen and in the file. */
static int report(struct tep *tep, const struct tep_options *options)
{
	int rc = 0;

	tep_stats_print(&tep->stats, stdout, true);
	if (options->stats_file != NULL) {
		rc = tep_stats_write_json(&tep->stats, options->stats_file);
		if (rc != 0)
			log_err("%s: cannot be written: %s", options->stats_file, strerror(-rc));
	}
	return rc;
}

/* From the first port to the last word. */
static int run(const struct tep_config *config, const struct tep_options *options)
{
	struct tep tep;
	struct loop loop = {.tep = &tep, .options = options};
	const int64_t start_ms = clock_boot_ms();
	int exit_code = DAEMON_EXIT_FAILURE;

	if (tep_create(&tep, config) != 0)
		return exit_code;
	if (loop_create(&loop) != 0)
		goto out;
	loop.services = tep_services_create(&tep, loop.base);
	if (loop.services == NULL || tep_start(&tep) != 0)
		goto out;
	log_info("running: workers %u, static bindings %u, %" PRId64 " ms after the EAL",
		config->workers, tep_static_count(&config->fixed), clock_boot_ms() - start_ms);
	daemon_notify_ready();
	event_base_dispatch(loop.base);
	daemon_notify_stopping();
	tep_services_destroy(loop.services);
	loop.services = NULL;
	tep_stop(&tep);
	if (report(&tep, options) == 0)
		exit_code = DAEMON_EXIT_OK;
out:
	tep_services_destroy(loop.services);
	loop_destroy(&loop);
	tep_destroy(&tep);
	return exit_code;
}

int main(int argc, char **argv)
{
	struct tep_options options;
	struct tep_config config;
	struct config_error error;
	int exit_code;

	if (tep_options_parse(argc, argv, &options, &exit_code) != 0)
		return exit_code;
	if (tep_config_load(options.config_path, &config, &error) != 0) {
		log_err("%s", error.text);
		return DAEMON_EXIT_CONFIG;
	}
	exit_code = DAEMON_EXIT_OK;
	if (!options.check_only) {
		exit_code = DAEMON_EXIT_FAILURE;
		if (rte_eal_init(options.eal_argc, options.eal_argv) < 0)
			log_err("EAL: %s", rte_strerror(rte_errno));
		else
			exit_code = run(&config, &options);
		rte_eal_cleanup();
	}
	tep_config_free(&config);
	return exit_code;
}
