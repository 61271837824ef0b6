// SPDX-License-Identifier: BSD-3-Clause
#include "common/daemon.h"

#include "common/log.h"

#include <event2/event.h>
#include <systemd/sd-daemon.h>

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

void daemon_print_options(FILE *file, const char *config_path)
{
	fprintf(file,
		"  -c FILE        configuration; default: %s\n"
		"  -t             check the configuration and exit: 0 good, 2 bad\n"
		"  -v             one more level of log lines\n"
		"  -V, --version  print the version and exit\n"
		"  -h, --help     print this and exit\n",
		config_path);
}

static void print_usage(FILE *file, const char *program, const struct daemon_options *options)
{
	if (options->print_usage != NULL) {
		options->print_usage(file);
		return;
	}
	fprintf(file, "usage: %s [-c FILE] [-t] [-v]\n", program);
	daemon_print_options(file, options->config_path);
}

/* Takes one option. Returns 0, or 1 where the program ends with *exit_code. */
static int take_option(
	int option, const char *program, struct daemon_options *options, int *exit_code)
{
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
		*exit_code = DAEMON_EXIT_OK;
		return 1;
	case 'h':
		print_usage(stdout, program, options);
		*exit_code = DAEMON_EXIT_OK;
		return 1;
	default:
		print_usage(stderr, program, options);
		*exit_code = DAEMON_EXIT_CONFIG;
		return 1;
	}
}

int daemon_parse_options(int argc, char **argv, struct daemon_options *options, int *exit_code)
{
	static const struct option long_options[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{},
	};
	const char *program = program_name(argv[0]);
	int option;

	optind = 0; /* start anew: whoever took its options off before used getopt too */
	while ((option = getopt_long(argc, argv, "+c:tvVh", long_options, NULL)) != -1) {
		if (take_option(option, program, options, exit_code) != 0)
			return 1;
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "%s: unexpected argument: %s\n", program, argv[optind]);
	print_usage(stderr, program, options);
	*exit_code = DAEMON_EXIT_CONFIG;
	return 1;
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
