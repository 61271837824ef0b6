// SPDX-License-Identifier: BSD-3-Clause
/*
 * Recovery: what a crash kept from being recorded is recorded at the next start.
 *
 * The store is right about what is leased and the index about what was recorded. Whoever holds a lease
 * that is not recorded, or is recorded as holding one that has ended, gets a record with the reason
 * "recovered"; "from" says since when at the earliest, since records are written in the order of the store's
 * changes: since the newest one that made it. A lease that ended while no server ran is recorded as expired,
 * at the time when it ended.
 */
#pragma once

#include "server/record_index.h"
#include "server/recorder.h"
#include "server/store.h"

#include <stdint.h>

struct srv_recovery;

/* Takes what the index holds open. NULL: the reason is in index->error, or there is no memory. */
struct srv_recovery *srv_recovery_create(
	struct srv_record_index *index, struct srv_recorder *recorder, int64_t now_utc_ms);
void srv_recovery_destroy(struct srv_recovery *recovery);

/* A lease from the store; pool and tep are names. quarantine_s tells when a resting one ended. */
void srv_recovery_lease(struct srv_recovery *recovery, const struct srv_store_record *stored,
	const char *pool, const char *tep, uint32_t quarantine_s);
/* All were told: what the index holds beside them has ended. Returns how many records were added. */
uint64_t srv_recovery_finish(struct srv_recovery *recovery);
