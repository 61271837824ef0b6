// SPDX-License-Identifier: BSD-3-Clause
/*
 * The server's records put together: what the engine says of a lease becomes a record on its way to the
 * store's writer, which hands it to the recorder.
 *
 * At the start it makes the index level with the record files, and records what a crash kept from
 * being recorded, as the leases are taken up from the store.
 *
 * One thread, the event loop's.
 */
#pragma once

#include "server/engine.h"
#include "server/recorder.h"
#include "server/server_config.h"

#include <stdbool.h>
#include <stdint.h>

struct srv_records;

/* config, which names a file, is borrowed. NULL + errno. */
struct srv_records *srv_records_create(const struct srv_config_records *config);
/* After the writer, which uses the recorder. NULL is allowed. */
void srv_records_destroy(struct srv_records *records);

struct srv_recorder *srv_records_recorder(struct srv_records *records);

/*
 * At the start: each lease of the store, which the engine has taken up or not; and then that there are no
 * more. NULL is allowed.
 */
void srv_records_resume(struct srv_records *records, const struct srv_engine *engine,
	const struct srv_store_record *stored, uint32_t quarantine_s);
void srv_records_start(struct srv_records *records);

/* The engine's action: remembers the record for the put that comes next. */
void srv_records_say(struct srv_records *records, const struct srv_engine *engine,
	const struct srv_lease *lease, enum srv_record_event event, const char *reason);
/* What was remembered, once; NULL: nothing, or no records are kept. Valid until the next say. */
const struct srv_record *srv_records_take(struct srv_records *records);
