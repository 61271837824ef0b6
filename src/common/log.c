// SPDX-License-Identifier: BSD-3-Clause
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
	const char *name;
	int syslog; /* RFC 5424 severity, the journal's prefix */
} levels[] = {
	[LOG_LEVEL_ERR] = {"error", 3},
	[LOG_LEVEL_WARN] = {"warning", 4},
	[LOG_LEVEL_INFO] = {"info", 6},
	[LOG_LEVEL_DEBUG] = {"debug", 7},
};

static enum log_level highest = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	highest = level;
}

bool log_is_on(enum log_level level)
{
	return level <= highest;
}

/* A name that came over the network must neither begin a line of its own nor drive a terminal. */
static void mask_control_characters(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

void log_write(enum log_level level, const char *format, ...)
{
	char line[1024];
	va_list args;
	int n;

	if (!log_is_on(level))
		return;
	if (getenv("JOURNAL_STREAM") != NULL)
		n = snprintf(line, sizeof(line), "<%d>", levels[level].syslog);
	else
		n = snprintf(line, sizeof(line), "%s: ", levels[level].name);
	va_start(args, format);
	vsnprintf(line + n, sizeof(line) - n - 1, format, args);
	va_end(args);
	mask_control_characters(line);
	/* One write per line, so that lines of several processes on one pipe stay whole. */
	fprintf(stderr, "%s\n", line);
}
