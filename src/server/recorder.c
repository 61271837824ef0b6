// SPDX-License-Identifier: BSD-3-Clause
#include "server/recorder.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define BACKLOG_MAX     (4U << 20) /* octets that wait for a disk with room */
#define LOOK_AGAIN_MS   1000 /* how often the file's name is looked at */
#define FILE_MODE       0640
#define ALLOCATION_STEP (64U << 10)

struct srv_recorder {
	struct srv_recorder_params params;
	int fd; /* -1: not open */
	struct stat file; /* of fd, to see whether the name still means it */
	int64_t look_ms; /* when it is looked at next */
	bool torn; /* the file does not end with a whole line */
	bool failing; /* the last flush failed, and that was said */
	char *buf;
	size_t len, size;
	atomic_bool reopen;
	_Atomic uint64_t written, lost, failures;
};

struct srv_recorder *srv_recorder_create(const struct srv_recorder_params *params)
{
	struct srv_recorder *recorder = calloc(1, sizeof(*recorder));

	if (recorder == NULL)
		return NULL;
	recorder->params = *params;
	recorder->fd = -1;
	if (params->syslog)
		openlog("dstm-server", LOG_PID, LOG_DAEMON);
	return recorder;
}

static void close_file(struct srv_recorder *recorder)
{
	if (recorder->fd >= 0)
		close(recorder->fd);
	recorder->fd = -1;
}

void srv_recorder_destroy(struct srv_recorder *recorder)
{
	if (recorder == NULL)
		return;
	if (srv_recorder_flush(recorder) < 0)
		log_err("records: the last ones are not written");
	close_file(recorder);
	if (recorder->params.syslog)
		closelog();
	free(recorder->buf);
	free(recorder);
}

static bool ends_torn(int fd, off_t size)
{
	char last = '\n';

	return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

static int open_file(struct srv_recorder *recorder)
{
	int flags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY;

	recorder->fd = open(recorder->params.path, flags, FILE_MODE);
	if (recorder->fd < 0)
		return -errno;
	if (fstat(recorder->fd, &recorder->file) < 0) {
		int error = errno;

		close_file(recorder);
		return -error;
	}
	recorder->torn = ends_torn(recorder->fd, recorder->file.st_size);
	return 0;
}

/* The name means another file now, or none. */
static bool was_moved(const struct srv_recorder *recorder)
{
	struct stat named;

	return stat(recorder->params.path, &named) < 0 || named.st_ino != recorder->file.st_ino ||
	       named.st_dev != recorder->file.st_dev;
}

static int make_ready(struct srv_recorder *recorder)
{
	int64_t now_ms = clock_boot_ms();
	bool asked = atomic_exchange(&recorder->reopen, false);

	if (recorder->fd >= 0 && (asked || now_ms >= recorder->look_ms)) {
		recorder->look_ms = now_ms + LOOK_AGAIN_MS;
		if (was_moved(recorder))
			close_file(recorder);
	}
	return recorder->fd >= 0 ? 0 : open_file(recorder);
}

static bool make_room(struct srv_recorder *recorder, size_t len)
{
	size_t size = recorder->size;
	char *buf;

	if (recorder->len + len <= size)
		return true;
	while (size < recorder->len + len)
		size = size == 0 ? ALLOCATION_STEP : 2 * size;
	if (size > BACKLOG_MAX || (buf = realloc(recorder->buf, size)) == NULL)
		return false;
	recorder->buf = buf;
	recorder->size = size;
	return true;
}

void srv_recorder_add(struct srv_recorder *recorder, const struct srv_record *record)
{
	char line[SRV_RECORD_LINE_SIZE];
	size_t len;

	len = srv_record_format(record, line);
	if (recorder->params.syslog && len > 0)
		syslog(LOG_INFO, "%.*s", (int)len - 1, line);
	if (len == 0 || !make_room(recorder, len)) {
		recorder->lost++;
		return;
	}
	memcpy(recorder->buf + recorder->len, line, len);
	recorder->len += len;
}

/* Whole lines are done with; the piece of one is written again, on a line of its own. */
static void drop_written(struct srv_recorder *recorder, size_t len)
{
	size_t whole = 0;

	for (size_t i = 0; i < len; i++) {
		if (recorder->buf[i] != '\n')
			continue;
		whole = i + 1;
		recorder->written++;
	}
	recorder->torn = whole < len;
	memmove(recorder->buf, recorder->buf + whole, recorder->len - whole);
	recorder->len -= whole;
}

static int write_lines(struct srv_recorder *recorder)
{
	ssize_t n;

	if (recorder->torn) {
		n = write(recorder->fd, "\n", 1);
		if (n != 1)
			return n < 0 ? -errno : -ENOSPC;
		recorder->torn = false;
	}
	n = write(recorder->fd, recorder->buf, recorder->len);
	if (n < 0)
		return -errno;
	drop_written(recorder, (size_t)n);
	return recorder->len == 0 ? 0 : -ENOSPC;
}

/* Says once that it began to fail, and once that it works again. */
static void report(struct srv_recorder *recorder, int ret)
{
	const char *path = recorder->params.path;

	recorder->failures += ret < 0;
	if (ret < 0 && !recorder->failing)
		log_err("records %s: not written, %s: %s", path,
			recorder->params.required ? "new leases are refused" : "leases go on",
			strerror(-ret));
	else if (ret == 0 && recorder->failing)
		log_info("records %s: written again, %llu lines were lost so far", path,
			(unsigned long long)recorder->lost);
	recorder->failing = ret < 0;
}

int srv_recorder_flush(struct srv_recorder *recorder)
{
	int ret;

	if (recorder->len == 0)
		return 0;
	ret = make_ready(recorder);
	if (ret == 0)
		ret = write_lines(recorder);
	report(recorder, ret);
	return ret;
}

bool srv_recorder_is_required(const struct srv_recorder *recorder)
{
	return recorder->params.required;
}

void srv_recorder_reopen(struct srv_recorder *recorder)
{
	atomic_store(&recorder->reopen, true);
}

struct srv_recorder_counts srv_recorder_count(const struct srv_recorder *recorder)
{
	return (struct srv_recorder_counts){
		.written = recorder->written,
		.lost = recorder->lost,
		.failures = recorder->failures,
	};
}
