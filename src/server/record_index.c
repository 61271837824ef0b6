// SPDX-License-Identifier: BSD-3-Clause
#include "server/record_index.h"

#include "server/sqlite_error.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_VERSION  1
#define BUSY_TIMEOUT_MS 10000
#define NODE_LEAVES     65536U
#define NODE_LEVELS     17

enum statement {
	INSERT,
	CLOSE,
	MOVE, /* the same lease by another TEP */
	OF_LEASE,
	OF_NODE,
	POSITION,
	SET_POSITION,
	NEWEST,
	SET_NEWEST,
	AT,
	EVER,
	NEXT_NODE,
	OPEN,
	NEXT_ADDRESS,
	PRUNE,
	STATEMENTS,
};

static_assert(STATEMENTS == SRV_INDEX_STATEMENTS, "room for each");

#define COLUMNS "v4, first, last, since, until, lease, client, user, pool, tep, began, ended"
/* Rows are changed by their whole key: an UPDATE that finds its rows by an index costs ten times as much. */
#define KEY "v4 = ?1 AND node = ?2 AND since = ?3 AND lease = ?4 AND first = ?5"
/* The condition of the index "open", which has to be named, since there are no statistics. */
#define GOES_ON "until = 9223372036854775807"

static const char *const sql[STATEMENTS] = {
	[INSERT] = "INSERT OR REPLACE INTO holding (node, " COLUMNS ")"
		   " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
	[CLOSE] = "UPDATE holding SET until = max(since, ?6), ended = ?7 WHERE " KEY,
	[MOVE] = "UPDATE holding SET tep = ?6 WHERE " KEY,
	[OF_LEASE] = "SELECT " COLUMNS " FROM holding INDEXED BY open WHERE lease = ?1"
		     " AND v4 = ?2 AND " GOES_ON,
	[OF_NODE] = "SELECT " COLUMNS " FROM holding WHERE v4 = ?1 AND node = ?2"
		    " ORDER BY since DESC, lease DESC LIMIT 1",
	[POSITION] = "SELECT offset FROM file WHERE first_line = ?1",
	[SET_POSITION] = "INSERT OR REPLACE INTO file VALUES (?1, ?2)",
	[NEWEST] = "SELECT newest FROM state",
	[SET_NEWEST] = "UPDATE state SET newest = max(newest, ?1)",
	[AT] = "SELECT " COLUMNS " FROM holding WHERE v4 = ?1 AND node = ?2 AND since <= ?3"
	       " ORDER BY since DESC, lease DESC",
	[EVER] = "SELECT " COLUMNS " FROM holding WHERE v4 = ?1 AND (?2 < 0 OR node IN"
		 " (?2, ?2>>1, ?2>>2, ?2>>3, ?2>>4, ?2>>5, ?2>>6, ?2>>7, ?2>>8, ?2>>9, ?2>>10,"
		 " ?2>>11, ?2>>12, ?2>>13, ?2>>14, ?2>>15, ?2>>16)"
		 " AND first <= ?3 AND last >= ?3) ORDER BY since, lease, first LIMIT ?4",
	[NEXT_NODE] = "SELECT min(node) FROM holding WHERE v4 = ?1 AND node > ?2",
	[OPEN] = "SELECT lease, v4 FROM holding WHERE " GOES_ON " ORDER BY lease",
	[NEXT_ADDRESS] = "SELECT min(v4) FROM holding WHERE v4 > ?1",
	[PRUNE] = "DELETE FROM holding WHERE v4 = ?1 AND until < ?2",
};

static const char schema[] =
	"CREATE TABLE holding ("
	" v4 INTEGER NOT NULL, node INTEGER NOT NULL, since INTEGER NOT NULL,"
	" lease INTEGER NOT NULL, until INTEGER NOT NULL, first INTEGER NOT NULL,"
	" last INTEGER NOT NULL, client BLOB NOT NULL, user TEXT NOT NULL, pool TEXT NOT NULL,"
	" tep TEXT NOT NULL, began TEXT NOT NULL, ended TEXT NOT NULL,"
	" PRIMARY KEY (v4, node, since, lease, first)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX open ON holding (lease, v4) WHERE " GOES_ON ";"
	"CREATE TABLE file (first_line TEXT PRIMARY KEY, offset INTEGER NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE state (newest INTEGER NOT NULL) STRICT;"
	"INSERT INTO state VALUES (0);";

static int fail(struct srv_record_index *index, const char *what)
{
	return srv_sqlite_error(index->db, index->path, what, index->error, sizeof(index->error));
}

static int run(struct srv_record_index *index, const char *what, const char *text)
{
	return sqlite3_exec(index->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(index, what);
}

/* --- statements ---------------------------------------------------------------------------------- */

static sqlite3_stmt *with(struct srv_record_index *index, enum statement id, int n, ...)
{
	sqlite3_stmt *statement = index->statements[id];
	va_list values;

	sqlite3_reset(statement);
	va_start(values, n);
	for (int i = 1; i <= n; i++)
		sqlite3_bind_int64(statement, i, va_arg(values, int64_t));
	va_end(values);
	return statement;
}

/* Of a statement that returns nothing. */
static int finish(struct srv_record_index *index, sqlite3_stmt *statement, const char *what)
{
	int ret = sqlite3_step(statement) == SQLITE_DONE ? 0 : fail(index, what);

	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return ret;
}

/* The one number that a statement returns; empty or NULL: none. */
static int number(struct srv_record_index *index, sqlite3_stmt *statement, const char *what,
	int64_t none, int64_t *value)
{
	int step = sqlite3_step(statement), ret = 0;

	*value = none;
	if (step == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL)
		*value = sqlite3_column_int64(statement, 0);
	else if (step != SQLITE_ROW && step != SQLITE_DONE)
		ret = fail(index, what);
	sqlite3_reset(statement);
	return ret;
}

static void read_text(sqlite3_stmt *row, int column, char *text, size_t size)
{
	const char *found = (const char *)sqlite3_column_text(row, column);

	snprintf(text, size, "%s", found != NULL ? found : "");
}

/* COLUMNS */
static struct srv_holding read_holding(sqlite3_stmt *row)
{
	struct srv_holding holding = {
		.v4 = (uint32_t)sqlite3_column_int64(row, 0),
		.range = {(uint16_t)sqlite3_column_int(row, 1),
			(uint16_t)sqlite3_column_int(row, 2)},
		.since_utc_ms = sqlite3_column_int64(row, 3),
		.until_utc_ms = sqlite3_column_int64(row, 4),
		.id = (uint64_t)sqlite3_column_int64(row, 5),
	};

	if (sqlite3_column_bytes(row, 6) == (int)sizeof(holding.client_v6))
		memcpy(&holding.client_v6, sqlite3_column_blob(row, 6), sizeof(holding.client_v6));
	read_text(row, 7, holding.user, sizeof(holding.user));
	read_text(row, 8, holding.pool, sizeof(holding.pool));
	read_text(row, 9, holding.tep, sizeof(holding.tep));
	read_text(row, 10, holding.began, sizeof(holding.began));
	read_text(row, 11, holding.ended, sizeof(holding.ended));
	return holding;
}

static int each_holding(
	struct srv_record_index *index, sqlite3_stmt *statement, srv_holding_fn each, void *arg)
{
	int step, ret = 0;

	while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
		struct srv_holding holding = read_holding(statement);

		each(arg, &holding);
	}
	if (step != SQLITE_DONE)
		ret = fail(index, "look up");
	sqlite3_reset(statement);
	return ret;
}

/* --- open ---------------------------------------------------------------------------------------- */

static int make_schema(struct srv_record_index *index)
{
	sqlite3_stmt *statement;
	int64_t version = 0;
	char text[64];
	int ret;

	if (sqlite3_prepare_v2(index->db, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK)
		return fail(index, "open");
	ret = number(index, statement, "open", 0, &version);
	sqlite3_finalize(statement);
	if (ret < 0 || version == SCHEMA_VERSION)
		return ret;
	if (version != 0) {
		snprintf(index->error, sizeof(index->error),
			"%s: schema version %lld, this program knows %d", index->path,
			(long long)version, SCHEMA_VERSION);
		return -EINVAL;
	}
	snprintf(text, sizeof(text), "PRAGMA user_version=%d", SCHEMA_VERSION);
	ret = run(index, "begin", "BEGIN IMMEDIATE");
	if (ret == 0)
		ret = run(index, "open", schema);
	if (ret == 0)
		ret = run(index, "open", text);
	return ret == 0 ? run(index, "commit", "COMMIT") : ret;
}

static int prepare(struct srv_record_index *index)
{
	for (int i = 0; i < STATEMENTS; i++) {
		if (sqlite3_prepare_v3(index->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
			    &index->statements[i], NULL) != SQLITE_OK)
			return fail(index, "prepare");
	}
	return 0;
}

int srv_record_index_open(
	struct srv_record_index *index, const char *path, enum srv_index_mode mode)
{
	static const int flags[] = {
		[SRV_INDEX_WRITE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
		[SRV_INDEX_READ] = SQLITE_OPEN_READONLY,
		[SRV_INDEX_MEMORY] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
				     SQLITE_OPEN_MEMORY,
	};
	int ret = 0;

	memset(index, 0, sizeof(*index));
	index->path = strdup(path);
	if (index->path == NULL)
		return -ENOMEM;
	if (sqlite3_open_v2(path, &index->db, flags[mode] | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		ret = fail(index, "open");
	if (ret == 0)
		sqlite3_busy_timeout(index->db, BUSY_TIMEOUT_MS);
	if (ret == 0 && mode == SRV_INDEX_WRITE)
		ret = run(index, "open",
			"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA "
			"cache_size=-8192");
	if (ret == 0 && mode != SRV_INDEX_READ)
		ret = make_schema(index);
	if (ret == 0)
		ret = prepare(index);
	if (ret < 0)
		srv_record_index_close(index);
	return ret;
}

/* The sentence in error stays. */
void srv_record_index_close(struct srv_record_index *index)
{
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(index->statements[i]);
	memset(index->statements, 0, sizeof(index->statements));
	sqlite3_close(index->db);
	free(index->path);
	index->db = NULL;
	index->path = NULL;
}

int srv_record_index_begin(struct srv_record_index *index)
{
	return run(index, "begin", "BEGIN IMMEDIATE");
}

int srv_record_index_commit(struct srv_record_index *index)
{
	int ret = finish(index, with(index, SET_NEWEST, 1, index->newest_utc_ms), "commit");

	return ret < 0 ? ret : run(index, "commit", "COMMIT");
}

void srv_record_index_rollback(struct srv_record_index *index)
{
	if (sqlite3_get_autocommit(index->db) == 0)
		sqlite3_exec(index->db, "ROLLBACK", NULL, NULL, NULL);
}

/* --- records into holdings ----------------------------------------------------------------------- */

/* The smallest node that covers the range. */
static int64_t node_of(struct port_range range)
{
	uint32_t first = NODE_LEAVES + range.first, last = NODE_LEAVES + range.last;

	while (first != last) {
		first >>= 1;
		last >>= 1;
	}
	return first;
}

/* Up to LEASE_RANGES_MAX holdings of one lease. */
struct holdings {
	struct srv_holding of[LEASE_RANGES_MAX];
	uint32_t n;
};

static void collect(void *arg, const struct srv_holding *holding)
{
	struct holdings *holdings = arg;

	if (holdings->n < LEASE_RANGES_MAX)
		holdings->of[holdings->n++] = *holding;
}

/* A statement about one row, by its key. */
static sqlite3_stmt *with_key(
	struct srv_record_index *index, enum statement id, const struct srv_holding *holding)
{
	return with(index, id, 5, (int64_t)holding->v4, node_of(holding->range),
		holding->since_utc_ms, (int64_t)holding->id, (int64_t)holding->range.first);
}

static int end_holding(struct srv_record_index *index, const struct srv_holding *holding,
	int64_t utc_ms, const char *reason)
{
	sqlite3_stmt *statement = with_key(index, CLOSE, holding);

	sqlite3_bind_int64(statement, 6, utc_ms);
	sqlite3_bind_text(statement, 7, reason, -1, SQLITE_STATIC);
	return finish(index, statement, "release");
}

static int move(struct srv_record_index *index, const struct srv_holding *holding, const char *tep)
{
	sqlite3_stmt *statement;

	if (strcmp(holding->tep, tep) == 0)
		return 0;
	statement = with_key(index, MOVE, holding);
	sqlite3_bind_text(statement, 6, tep, -1, SQLITE_STATIC);
	return finish(index, statement, "change");
}

static int insert(struct srv_record_index *index, const struct srv_record *record,
	struct port_range range, int64_t since)
{
	sqlite3_stmt *statement = with(index, INSERT, 7, node_of(range), (int64_t)record->lease.v4,
		(int64_t)range.first, (int64_t)range.last, since, SRV_INDEX_OPEN,
		(int64_t)record->id);

	sqlite3_bind_blob(statement, 8, &record->lease.client_v6, sizeof(record->lease.client_v6),
		SQLITE_STATIC);
	sqlite3_bind_text(statement, 9, record->user, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 10, record->pool, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 11, record->tep, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 12, record->reason, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 13, "", -1, SQLITE_STATIC);
	return finish(index, statement, "allocate");
}

/* Whoever held the same ports until now, with an end that was never recorded. */
static int supersede(struct srv_record_index *index, const struct srv_record *record,
	struct port_range range, int64_t since)
{
	sqlite3_stmt *statement = with(
		index, OF_NODE, 2, (int64_t)record->lease.v4, node_of(range));
	struct holdings last = {0};
	int ret = each_holding(index, statement, collect, &last);

	if (ret < 0 || last.n == 0 || last.of[0].until_utc_ms != SRV_INDEX_OPEN ||
		!port_range_equal(last.of[0].range, range))
		return ret;
	return end_holding(index, &last.of[0], since, "superseded");
}

/* A range that the lease has from now on; it may have had it before. */
static int hold(struct srv_record_index *index, const struct srv_record *record,
	const struct holdings *had, struct port_range range)
{
	int64_t since = record->from_utc_ms != 0 ? record->from_utc_ms : record->time_utc_ms;
	int ret;

	for (uint32_t i = 0; i < had->n; i++) {
		if (port_range_equal(had->of[i].range, range))
			return move(index, &had->of[i], record->tep);
	}
	ret = supersede(index, record, range, since);
	return ret < 0 ? ret : insert(index, record, range, since);
}

static bool has_range(const struct lease *lease, struct port_range range)
{
	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		if (port_range_equal(lease->ranges[i], range))
			return true;
	}
	return false;
}

int srv_record_index_apply(struct srv_record_index *index, const struct srv_record *record)
{
	bool ends = record->event == SRV_RECORD_RELEASED;
	bool begins = record->event == SRV_RECORD_ALLOCATED || record->event == SRV_RECORD_CHANGED;
	struct holdings had = {0};
	int ret;

	if (record->time_utc_ms > index->newest_utc_ms)
		index->newest_utc_ms = record->time_utc_ms;
	if (!ends && !begins)
		return 0;
	ret = srv_record_index_of_lease(index, record->id, record->lease.v4, collect, &had);
	for (uint32_t i = 0; ret == 0 && i < had.n; i++) {
		if (ends || (record->event == SRV_RECORD_CHANGED &&
				    !has_range(&record->lease, had.of[i].range)))
			ret = end_holding(index, &had.of[i], record->time_utc_ms, record->reason);
	}
	for (uint32_t i = 0; begins && ret == 0 && i < record->lease.n_ranges; i++)
		ret = hold(index, record, &had, record->lease.ranges[i]);
	return ret;
}

int srv_record_index_position(
	struct srv_record_index *index, const char *first_line, int64_t *offset)
{
	sqlite3_stmt *statement = with(index, POSITION, 0);

	sqlite3_bind_text(statement, 1, first_line, -1, SQLITE_STATIC);
	return number(index, statement, "position", 0, offset);
}

int srv_record_index_set_position(
	struct srv_record_index *index, const char *first_line, int64_t offset)
{
	sqlite3_stmt *statement = with(index, SET_POSITION, 0);

	sqlite3_bind_text(statement, 1, first_line, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, offset);
	return finish(index, statement, "position");
}

int srv_record_index_newest(struct srv_record_index *index, int64_t *utc_ms)
{
	return number(index, with(index, NEWEST, 0), "state", 0, utc_ms);
}

/* --- questions ----------------------------------------------------------------------------------- */

/*
 * Those of a node at a time, the newest first. Nobody else can have held any port of a node while
 * somebody held all of it, nor since: there the search ends.
 */
static int at_node(struct srv_record_index *index, uint32_t v4, int64_t node, const uint16_t *port,
	int64_t utc_ms, srv_holding_fn each, void *arg)
{
	sqlite3_stmt *statement = with(index, AT, 3, (int64_t)v4, node, utc_ms);
	int step, ret = 0;

	while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
		struct srv_holding holding = read_holding(statement);
		uint32_t size = port_range_size(holding.range);
		bool whole = (size & (size - 1)) == 0 && holding.range.first % size == 0;
		bool lasted = holding.until_utc_ms > holding.since_utc_ms;

		if (holding.until_utc_ms > utc_ms &&
			(port == NULL || port_range_contains(holding.range, *port)))
			each(arg, &holding);
		if (whole && lasted)
			break;
	}
	if (step != SQLITE_DONE && step != SQLITE_ROW)
		ret = fail(index, "look up");
	sqlite3_reset(statement);
	return ret;
}

static int at_address(
	struct srv_record_index *index, uint32_t v4, int64_t utc_ms, srv_holding_fn each, void *arg)
{
	int64_t node = 0;
	int ret;

	for (;;) {
		ret = number(
			index, with(index, NEXT_NODE, 2, (int64_t)v4, node), "look up", 0, &node);
		if (ret < 0 || node == 0)
			return ret;
		ret = at_node(index, v4, node, NULL, utc_ms, each, arg);
		if (ret < 0)
			return ret;
	}
}

int srv_record_index_at(struct srv_record_index *index, uint32_t v4, const uint16_t *port,
	int64_t utc_ms, srv_holding_fn each, void *arg)
{
	int ret = 0;

	if (port == NULL)
		return at_address(index, v4, utc_ms, each, arg);
	for (int level = 0; ret == 0 && level < NODE_LEVELS; level++)
		ret = at_node(index, v4, (NODE_LEAVES + *port) >> level, port, utc_ms, each, arg);
	return ret;
}

int srv_record_index_ever(struct srv_record_index *index, uint32_t v4, const uint16_t *port,
	uint32_t limit, srv_holding_fn each, void *arg)
{
	int64_t leaf = port != NULL ? (int64_t)NODE_LEAVES + *port : -1;
	sqlite3_stmt *statement = with(index, EVER, 4, (int64_t)v4, leaf,
		port != NULL ? (int64_t)*port : (int64_t)0, (int64_t)limit);

	return each_holding(index, statement, each, arg);
}

int srv_record_index_of_lease(
	struct srv_record_index *index, uint64_t id, uint32_t v4, srv_holding_fn each, void *arg)
{
	return each_holding(index, with(index, OF_LEASE, 2, (int64_t)id, (int64_t)v4), each, arg);
}

int srv_record_index_open_holdings(struct srv_record_index *index,
	void (*each)(void *arg, uint64_t id, uint32_t v4), void *arg)
{
	sqlite3_stmt *statement = with(index, OPEN, 0);
	int step, ret = 0;

	while ((step = sqlite3_step(statement)) == SQLITE_ROW)
		each(arg, (uint64_t)sqlite3_column_int64(statement, 0),
			(uint32_t)sqlite3_column_int64(statement, 1));
	if (step != SQLITE_DONE)
		ret = fail(index, "look up");
	sqlite3_reset(statement);
	return ret;
}

/* --- upkeep -------------------------------------------------------------------------------------- */

int srv_record_index_prune(struct srv_record_index *index, int64_t before_utc_ms, uint32_t *cursor)
{
	sqlite3_stmt *statement = with(index, NEXT_ADDRESS, 1, (int64_t)*cursor);
	int64_t v4;
	int ret = number(index, statement, "prune", 0, &v4);

	*cursor = (uint32_t)v4;
	if (ret < 0 || v4 == 0)
		return ret;
	return finish(index, with(index, PRUNE, 2, v4, before_utc_ms), "prune");
}

uint64_t srv_record_index_pages(const struct srv_record_index *index)
{
	int hits = 0, misses = 0, ignored;

	sqlite3_db_status(index->db, SQLITE_DBSTATUS_CACHE_HIT, &hits, &ignored, 0);
	sqlite3_db_status(index->db, SQLITE_DBSTATUS_CACHE_MISS, &misses, &ignored, 0);
	return (uint64_t)hits + (uint64_t)misses;
}
