// SPDX-License-Identifier: BSD-3-Clause
/*
 * The store in one SQLite file.
 *
 * WAL with synchronous=FULL: commit returns after the log was synced, which is what durable asks for;
 * locking_mode=EXCLUSIVE keeps a second server away from the file. Nothing is written to any other folder, where
 * the sandbox would not let it: what the load sorts stays in memory. user_version numbers the
 * schema: a file from a newer program is refused, not guessed at, and one of version 1, which did not have the names of
 * TEPs, is brought up to date in one transaction.
 */
#include "server/store.h"

#include "common/addr.h"
#include "server/sqlite_error.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_VERSION  2
#define BUSY_TIMEOUT_MS 2000
#define RANGES_STRLEN   (LEASE_RANGES_MAX * PORT_RANGE_STRLEN)

struct sqlite_store {
	struct srv_store head; /* first */
	sqlite3 *db;
	sqlite3_stmt *put;
	sqlite3_stmt *remove;
	char *path;
};

static const char schema[] = "CREATE TABLE leases ("
			     " id INTEGER PRIMARY KEY,"
			     " state TEXT NOT NULL," /* pending, active, quarantine */
			     " v4 TEXT NOT NULL,"
			     " ports TEXT NOT NULL," /* first-last[,first-last...] */
			     " client TEXT NOT NULL,"
			     " tep TEXT NOT NULL," /* its tunnel address */
			     " user TEXT NOT NULL," /* empty: ANONYMOUS */
			     " until_utc_ms INTEGER NOT NULL,"
			     " tep_name TEXT NOT NULL DEFAULT ''"
			     ") STRICT;";

static const char update[] = "ALTER TABLE leases ADD COLUMN tep_name TEXT NOT NULL DEFAULT ''";

static const char *const state_names[] = {
	[SRV_LEASE_PENDING] = "pending",
	[SRV_LEASE_ACTIVE] = "active",
	[SRV_LEASE_RESTING] = "quarantine",
};

static int fail(struct sqlite_store *store, const char *what)
{
	return srv_sqlite_error(
		store->db, store->path, what, store->head.error, sizeof(store->head.error));
}

static int run(struct sqlite_store *store, const char *sql)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(store, sql);
}

static int read_version(struct sqlite_store *store, int *version)
{
	sqlite3_stmt *statement;
	int ret = 0;

	if (sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK)
		return fail(store, "user_version");
	if (sqlite3_step(statement) == SQLITE_ROW)
		*version = sqlite3_column_int(statement, 0);
	else
		ret = fail(store, "user_version");
	sqlite3_finalize(statement);
	return ret;
}

/* Makes the table, or changes it. */
static int make_schema(struct sqlite_store *store, const char *change)
{
	char sql[64];
	int ret;

	snprintf(sql, sizeof(sql), "PRAGMA user_version=%d", SCHEMA_VERSION);
	ret = run(store, "BEGIN IMMEDIATE");
	if (ret == 0)
		ret = run(store, change);
	if (ret == 0)
		ret = run(store, sql);
	return ret == 0 ? run(store, "COMMIT") : ret;
}

static int prepare(struct sqlite_store *store)
{
	int version = 0, ret;

	ret = run(store, "PRAGMA locking_mode=EXCLUSIVE");
	if (ret == 0)
		ret = run(store, "PRAGMA journal_mode=WAL");
	if (ret == 0)
		ret = run(store, "PRAGMA synchronous=FULL");
	if (ret == 0)
		ret = run(store, "PRAGMA temp_store=MEMORY");
	if (ret == 0)
		ret = read_version(store, &version);
	if (ret == 0 && version == 0)
		ret = make_schema(store, schema);
	else if (ret == 0 && version == 1)
		ret = make_schema(store, update);
	else if (ret == 0 && version != SCHEMA_VERSION) {
		snprintf(store->head.error, sizeof(store->head.error),
			"%s: schema version %d, this program knows %d", store->path, version,
			SCHEMA_VERSION);
		ret = -EINVAL;
	}
	if (ret < 0)
		return ret;
	if (sqlite3_prepare_v2(store->db,
		    "INSERT OR REPLACE INTO leases VALUES (?,?,?,?,?,?,?,?,?)", -1, &store->put,
		    NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(store->db, "DELETE FROM leases WHERE id=?", -1, &store->remove,
			NULL) != SQLITE_OK)
		return fail(store, "leases");
	return 0;
}

static void format_ranges(const struct lease *lease, char buf[static RANGES_STRLEN])
{
	char *at = buf;

	*at = '\0';
	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		if (i > 0)
			*at++ = ',';
		at += strlen(port_range_format(lease->ranges[i], at));
	}
}

static int parse_ranges(const char *text, struct lease *lease)
{
	char copy[RANGES_STRLEN], *rest, *part;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	for (part = strtok_r(copy, ",", &rest); part != NULL; part = strtok_r(NULL, ",", &rest)) {
		if (lease->n_ranges == LEASE_RANGES_MAX ||
			port_range_parse(part, &lease->ranges[lease->n_ranges++]) < 0)
			return -EINVAL;
	}
	return lease->n_ranges > 0 ? 0 : -EINVAL;
}

static int parse_state(const char *text, enum srv_lease_state *state)
{
	for (size_t i = 0; i < sizeof(state_names) / sizeof(state_names[0]); i++) {
		if (strcmp(text, state_names[i]) == 0) {
			*state = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Every column is NOT NULL and typed (STRICT), so that no text below can be NULL but for memory. */
static int read_row(sqlite3_stmt *row, struct srv_store_record *record)
{
	const char *text[7], *tep;

	memset(record, 0, sizeof(*record));
	record->id = sqlite3_column_int64(row, 0);
	record->until_utc_ms = sqlite3_column_int64(row, 7);
	for (int i = 1; i < 7; i++) {
		text[i] = (const char *)sqlite3_column_text(row, i);
		if (text[i] == NULL)
			return -ENOMEM;
	}
	if (parse_state(text[1], &record->state) < 0 ||
		addr_v4_parse(text[2], &record->lease.v4) < 0 ||
		parse_ranges(text[3], &record->lease) < 0 ||
		addr_v6_parse(text[4], &record->lease.client_v6) < 0 ||
		addr_v6_parse(text[5], &record->lease.tep_v6) < 0 ||
		strlen(text[6]) >= sizeof(record->user))
		return -EINVAL;
	strcpy(record->user, text[6]);
	tep = (const char *)sqlite3_column_text(row, 8);
	if (tep == NULL)
		return -ENOMEM;
	if (strlen(tep) >= sizeof(record->tep))
		return -EINVAL;
	strcpy(record->tep, tep);
	return 0;
}

static int store_load(struct srv_store *head,
	void (*each)(void *arg, const struct srv_store_record *record), void *arg)
{
	struct sqlite_store *store = (struct sqlite_store *)head;
	struct srv_store_record record;
	sqlite3_stmt *rows;
	int step, ret = 0;

	if (sqlite3_prepare_v2(store->db, "SELECT * FROM leases ORDER BY until_utc_ms", -1, &rows,
		    NULL) != SQLITE_OK)
		return fail(store, "leases");
	while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
		ret = read_row(rows, &record);
		if (ret < 0) {
			snprintf(head->error, sizeof(head->error), "%s: lease %llu: not readable",
				store->path, (unsigned long long)record.id);
			break;
		}
		each(arg, &record);
	}
	if (ret == 0 && step != SQLITE_DONE)
		ret = fail(store, "leases");
	sqlite3_finalize(rows);
	return ret;
}

static int store_begin(struct srv_store *head)
{
	return run((struct sqlite_store *)head, "BEGIN IMMEDIATE");
}

static int finish(struct sqlite_store *store, sqlite3_stmt *statement, const char *what)
{
	int ret = sqlite3_step(statement) == SQLITE_DONE ? 0 : fail(store, what);

	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return ret;
}

static int store_put(struct srv_store *head, const struct srv_store_record *record)
{
	struct sqlite_store *store = (struct sqlite_store *)head;
	char v4[ADDR_V4_STRLEN], client[ADDR_V6_STRLEN], tep[ADDR_V6_STRLEN], ports[RANGES_STRLEN];

	addr_v4_format(record->lease.v4, v4);
	addr_v6_format(&record->lease.client_v6, client);
	addr_v6_format(&record->lease.tep_v6, tep);
	format_ranges(&record->lease, ports);
	sqlite3_bind_int64(store->put, 1, record->id);
	sqlite3_bind_text(store->put, 2, state_names[record->state], -1, SQLITE_STATIC);
	sqlite3_bind_text(store->put, 3, v4, -1, SQLITE_STATIC);
	sqlite3_bind_text(store->put, 4, ports, -1, SQLITE_STATIC);
	sqlite3_bind_text(store->put, 5, client, -1, SQLITE_STATIC);
	sqlite3_bind_text(store->put, 6, tep, -1, SQLITE_STATIC);
	sqlite3_bind_text(store->put, 7, record->user, -1, SQLITE_STATIC);
	sqlite3_bind_int64(store->put, 8, record->until_utc_ms);
	sqlite3_bind_text(store->put, 9, record->tep, -1, SQLITE_STATIC);
	return finish(store, store->put, "put");
}

static int store_remove(struct srv_store *head, uint64_t id)
{
	struct sqlite_store *store = (struct sqlite_store *)head;

	sqlite3_bind_int64(store->remove, 1, id);
	return finish(store, store->remove, "remove");
}

static int store_commit(struct srv_store *head)
{
	return run((struct sqlite_store *)head, "COMMIT");
}

static void store_rollback(struct srv_store *head)
{
	struct sqlite_store *store = (struct sqlite_store *)head;

	/* A full disk has rolled back already; then there is nothing to do. */
	if (sqlite3_get_autocommit(store->db) == 0)
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

static void store_close(struct srv_store *head)
{
	struct sqlite_store *store = (struct sqlite_store *)head;

	sqlite3_finalize(store->put);
	sqlite3_finalize(store->remove);
	sqlite3_close(store->db);
	free(store->path);
	free(store);
}

static const struct srv_store_ops sqlite_ops = {
	.load = store_load,
	.begin = store_begin,
	.put = store_put,
	.remove = store_remove,
	.commit = store_commit,
	.rollback = store_rollback,
	.close = store_close,
};

struct srv_store *srv_store_sqlite_open(const char *path, char error[static SRV_STORE_ERROR_SIZE])
{
	struct sqlite_store *store = calloc(1, sizeof(*store));
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

	if (store == NULL || (store->path = strdup(path)) == NULL) {
		snprintf(error, SRV_STORE_ERROR_SIZE, "%s: out of memory", path);
		free(store);
		return NULL;
	}
	store->head.ops = &sqlite_ops;
	if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
		fail(store, "open");
	else if (sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS), prepare(store) == 0)
		return &store->head;
	memcpy(error, store->head.error, SRV_STORE_ERROR_SIZE);
	store_close(&store->head);
	return NULL;
}
