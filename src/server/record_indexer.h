// SPDX-License-Identifier: BSD-3-Clause
/*
 * The server's indexer: keeps the index level with the record files, in a thread of its own that gives way to
 * everything else, and forgets what is older than it should be. It looks once a second; dstmctl reads for
 * itself what the index has not got yet.
 */
#pragma once

#include "server/record_index.h"

#include <stdint.h>

struct srv_indexer;

/* Opens the index and makes it level, which takes as long as there are lines. NULL: the reason was logged. */
struct srv_indexer *srv_indexer_create(
	const char *index_path, const char *records_path, uint32_t keep_days);
/* For the time before start. */
struct srv_record_index *srv_indexer_index(struct srv_indexer *indexer);
/* Returns 0 or -errno. */
int srv_indexer_start(struct srv_indexer *indexer);
/* NULL is allowed. */
void srv_indexer_destroy(struct srv_indexer *indexer);
