// SPDX-License-Identifier: BSD-3-Clause
#include "common/daemon.h"

#include "common/log.h"

#include <event2/event.h>
#include <systemd/sd-daemon.h>

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *program_name(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	return slash != NULL ? slash + 1 : argv0;
}

#define EXTRA_MAX  8
#define EXTRA_BASE 256 /* getopt_long's value of the first extra option; above every character */

static void print_usage(FILE *file, const char *program, const struct daemon_option *extra)
{
	char option[64];

	fprintf(file,
		"usage: %s -c FILE [options]\n"
		"  -c FILE  configuration\n"
		"  -t       check the configuration and exit: 0 good, 2 bad\n"
		"  -v       one more level of log lines\n"
		"  -V       print the version and exit\n"
		"  -h       print this and exit\n",
		program);
	for (; extra != NULL && extra->name != NULL; extra++) {
		snprintf(option, sizeof(option), "%s%s%s", extra->name,
			extra->value_name != NULL ? "=" : "",
			extra->value_name != NULL ? extra->value_name : "");
		fprintf(file, "  --%-22s %s\n", option, extra->help);
	}
}

static void fill_long_options(const struct daemon_option *extra, struct option *rows)
{
	for (int i = 0; extra != NULL && extra[i].name != NULL; i++) {
		assert(i < EXTRA_MAX);
		rows[i] = (struct option){
			.name = extra[i].name,
			.has_arg = extra[i].value_name != NULL ? required_argument : no_argument,
			.val = EXTRA_BASE + i,
		};
	}
}

/* Takes one option. Returns 0, or 1 where the program ends with *exit_code. */
static int take_option(int option, const char *program, const struct daemon_option *extra,
	struct daemon_options *options, int *exit_code)
{
	*exit_code = DAEMON_EXIT_OK;
	switch (option) {
	case 'c':
		options->config_path = optarg;
		return 0;
	case 't':
		options->check_only = true;
		return 0;
	case 'v':
		log_set_level(LOG_LEVEL_DEBUG);
		return 0;
	case 'V':
		printf("%s %s\n", program, DSTM_VERSION);
		return 1;
	case 'h':
		print_usage(stdout, program, extra);
		return 1;
	case '?':
		print_usage(stderr, program, extra);
		*exit_code = DAEMON_EXIT_CONFIG;
		return 1;
	default:
		*extra[option - EXTRA_BASE].value = optarg != NULL ? optarg : "";
		return 0;
	}
}

int daemon_parse_long_options(int argc, char **argv, const struct daemon_option *extra,
	struct daemon_options *options, int *exit_code)
{
	const char *program = program_name(argv[0]);
	struct option long_options[EXTRA_MAX + 1] = {};
	int option;

	*options = (struct daemon_options){};
	fill_long_options(extra, long_options);
	optind = 0; /* start anew: EAL parsed its own arguments with getopt before */
	while ((option = getopt_long(argc, argv, "+c:tvVh", long_options, NULL)) != -1) {
		if (take_option(option, program, extra, options, exit_code) != 0)
			return 1;
	}
	if (optind == argc && options->config_path != NULL)
		return 0;
	if (optind < argc)
		fprintf(stderr, "%s: unexpected argument: %s\n", program, argv[optind]);
	else
		fprintf(stderr, "%s: -c FILE is required\n", program);
	print_usage(stderr, program, extra);
	*exit_code = DAEMON_EXIT_CONFIG;
	return 1;
}

int daemon_parse_options(int argc, char **argv, struct daemon_options *options, int *exit_code)
{
	return daemon_parse_long_options(argc, argv, NULL, options, exit_code);
}

struct daemon_signals {
	void (*stop)(void *arg);
	void (*reload)(void *arg);
	void *arg;
	struct event *events[3];
};

static void on_stop(evutil_socket_t number, short events, void *arg)
{
	struct daemon_signals *signals = arg;

	signals->stop(signals->arg);
}

static void on_reload(evutil_socket_t number, short events, void *arg)
{
	struct daemon_signals *signals = arg;

	signals->reload(signals->arg);
}

struct daemon_signals *daemon_signals_create(
	struct event_base *base, void (*stop)(void *arg), void (*reload)(void *arg), void *arg)
{
	static const struct {
		int number;
		event_callback_fn callback;
	} rows[] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_reload}};
	struct daemon_signals *signals = calloc(1, sizeof(*signals));

	if (signals == NULL)
		return NULL;
	signals->stop = stop;
	signals->reload = reload;
	signals->arg = arg;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		signals->events[i] = evsignal_new(base, rows[i].number, rows[i].callback, signals);
		if (signals->events[i] == NULL || event_add(signals->events[i], NULL) < 0) {
			daemon_signals_destroy(signals);
			errno = ENOMEM;
			return NULL;
		}
	}
	signal(SIGPIPE, SIG_IGN);
	return signals;
}

void daemon_signals_destroy(struct daemon_signals *signals)
{
	if (signals == NULL)
		return;
	for (unsigned int i = 0; i < 3; i++) {
		if (signals->events[i] != NULL)
			event_free(signals->events[i]);
	}
	free(signals);
}

void daemon_notify_ready(void)
{
	sd_notify(0, "READY=1");
}

void daemon_notify_reloading(void)
{
	struct timespec now;

	/* Type=notify-reload wants the moment too, to know which READY=1 answers it. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void daemon_notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}
