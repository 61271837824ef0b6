// SPDX-License-Identifier: BSD-3-Clause
/*
 * What every daemon's main does the same way: options, signals, systemd notification.
 *
 *	-c FILE   configuration
 *	-t        check the configuration and exit: 0 good, 2 bad
 *	-v        one more level of log lines
 *	-V        version; --version, too
 *	-h        usage; --help, too
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct event_base;

/* Exit codes of every daemon. */
enum daemon_exit {
	DAEMON_EXIT_OK = 0,
	DAEMON_EXIT_FAILURE = 1, /* could not start, or had to stop */
	DAEMON_EXIT_CONFIG = 2, /* bad option or configuration; nothing was started */
};

struct daemon_options {
	const char *config_path; /* the caller sets what holds without -c */
	bool check_only;
	void (*print_usage)(
		FILE *file); /* instead of the usage of a plain daemon; NULL: that one */
};

/* The options of every daemon, a line each, with config_path as the default of -c. */
void daemon_print_options(FILE *file, const char *config_path);

/*
 * Parses argv with getopt. Returns 0 to go on; otherwise 1, and *exit_code says with what main should
 * return (usage and version are printed here).
 */
int daemon_parse_options(int argc, char **argv, struct daemon_options *options, int *exit_code);

struct daemon_signals;

/*
 * SIGTERM and SIGINT call stop(arg), SIGHUP calls reload(arg), SIGPIPE is ignored. NULL + errno on
 * failure.
 */
struct daemon_signals *daemon_signals_create(
	struct event_base *base, void (*stop)(void *arg), void (*reload)(void *arg), void *arg);
void daemon_signals_destroy(struct daemon_signals *signals);

/* sd_notify; nothing happens outside systemd. */
void daemon_notify_ready(void);
void daemon_notify_reloading(void);
void daemon_notify_stopping(void);
