// SPDX-License-Identifier: BSD-3-Clause
/*
 * The recorder: appends records to a file, and to syslog if asked.
 *
 * Lines are gathered by add and written by flush, whole lines only, in order. What cannot be written now
 * is kept, up to 4 MiB, and tried again at the next flush; what does not fit any more is counted as lost.
 * The file may be renamed under it at any time (logrotate): within a second, or at once after
 * reopen, it goes on in a new one.
 *
 * One thread, but for reopen and count.
 */
#pragma once

#include "server/record.h"

#include <stdbool.h>
#include <stdint.h>

struct srv_recorder;

struct srv_recorder_params {
	const char *path; /* borrowed */
	bool syslog;
	bool required; /* what is not recorded must not be leased: looked at by the writer */
};

struct srv_recorder_counts {
	uint64_t written; /* lines */
	uint64_t lost;
	uint64_t failures; /* flushes that left something behind */
};

/* A file that cannot be opened is tried again at each flush. NULL: no memory. */
struct srv_recorder *srv_recorder_create(const struct srv_recorder_params *params);
/* Tries a last flush. NULL is allowed. */
void srv_recorder_destroy(struct srv_recorder *recorder);

void srv_recorder_add(struct srv_recorder *recorder, const struct srv_record *record);
/* Returns 0 when everything that was added is in the file, or -errno. */
int srv_recorder_flush(struct srv_recorder *recorder);
bool srv_recorder_is_required(const struct srv_recorder *recorder);

/* Any thread. */
void srv_recorder_reopen(struct srv_recorder *recorder);
struct srv_recorder_counts srv_recorder_count(const struct srv_recorder *recorder);
