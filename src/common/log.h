// SPDX-License-Identifier: BSD-3-Clause
/*
 * Log lines: "subject: what failed: reason", lower case, no full stop, the object named.
 *
 * On a terminal or a pipe a line is "LEVEL subject: ..." on standard error; under systemd (JOURNAL_STREAM
 * set) the level is the journal's <N> prefix. Control threads only; workers count instead.
 */
#pragma once

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* Sets the highest level that is written; LOG_LEVEL_INFO at start. */
void log_set_level(enum log_level level);

/* True when lines of that level are written. */
bool log_is_on(enum log_level level);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...)  log_write(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
/* What it is given is not even worked out where nobody reads it: it may stand where every request passes. */
#define log_debug(...) \
	(log_is_on(LOG_LEVEL_DEBUG) ? log_write(LOG_LEVEL_DEBUG, __VA_ARGS__) : (void)0)
