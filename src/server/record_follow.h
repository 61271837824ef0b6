// SPDX-License-Identifier: BSD-3-Clause
/*
 * Reads record files into the index: the one that is written to, and those that it was renamed to (its name and
 * a suffix of digits, dots and dashes; not compressed ones). A file is known by its first line, so it may
 * be renamed or copied; how far it was read stands in the index, written together with what was read. A line
 * without its end waits, a line that is no record is counted and skipped.
 *
 * Server and dstmctl may both do this at the same time.
 */
#pragma once

#include "server/record_index.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

struct srv_record_follow {
	struct srv_record_index *index;
	const char *path; /* of the file that is written to */
	const atomic_bool *stop; /* true: come back soon; or NULL */
	uint64_t records; /* read so far */
	uint64_t skipped; /* lines that were none */
	/* what the file was at the last look */
	ino_t inode;
	off_t size;
};

/* Reads all that there is. Returns 0 or -errno with a sentence in index->error. */
int srv_record_follow(struct srv_record_follow *follow);
/* Reads n files that stand for themselves, the oldest first, and of them what is about one address. */
int srv_record_follow_files(
	struct srv_record_follow *follow, const char *const *paths, size_t n, uint32_t v4);
