// SPDX-License-Identifier: BSD-3-Clause
/*
 * The index: what the records say, in one SQLite file, by address and port.
 *
 * A row is a holding: one range of one lease, from when to when. Its key begins with the address and the
 * node of its range: the ports of an address are the leaves of a binary tree of 17 levels (numbered as a heap,
 * root 1, leaf of port p: 65536 + p), and a range belongs to the smallest node that covers it. Blocks are
 * aligned powers of two, so they are nodes. Whoever held port p at some time is found at one of the 17 nodes
 * above it, each one seek, however many years of records there are.
 *
 * It is made from the record files and can be made anew from them. Several processes may have it open.
 * One thread for each that is open.
 */
#pragma once

#include "server/record.h"

#include <stdbool.h>
#include <stdint.h>

#define SRV_INDEX_ERROR_SIZE 256
#define SRV_INDEX_STATEMENTS 15
#define SRV_INDEX_OPEN       INT64_MAX /* until, of a holding that goes on */

struct srv_record_index {
	struct sqlite3 *db;
	struct sqlite3_stmt *statements[SRV_INDEX_STATEMENTS];
	char error[SRV_INDEX_ERROR_SIZE]; /* of the last call that failed, with the path */
	char *path;
	int64_t newest_utc_ms; /* of the records that were applied */
};

struct srv_holding {
	uint32_t v4;
	struct port_range range;
	int64_t since_utc_ms;
	int64_t until_utc_ms; /* or SRV_INDEX_OPEN */
	uint64_t id; /* of the lease */
	struct in6_addr client_v6;
	char user[SRV_USER_SIZE];
	char pool[SRV_RECORD_NAME_SIZE];
	char tep[SRV_RECORD_NAME_SIZE];
	char began[SRV_RECORD_REASON_SIZE];
	char ended[SRV_RECORD_REASON_SIZE]; /* "" while it goes on */
};

enum srv_index_mode {
	SRV_INDEX_WRITE, /* made if it is not there */
	SRV_INDEX_READ,
	SRV_INDEX_MEMORY, /* no file: path only names it */
};

/* Functions return 0 or -errno and leave a sentence in index->error. */
int srv_record_index_open(
	struct srv_record_index *index, const char *path, enum srv_index_mode mode);
void srv_record_index_close(struct srv_record_index *index);

int srv_record_index_begin(struct srv_record_index *index);
int srv_record_index_commit(struct srv_record_index *index);
void srv_record_index_rollback(struct srv_record_index *index);

/* Inside of begin and commit. */
int srv_record_index_apply(struct srv_record_index *index, const struct srv_record *record);
/* How far a file has been read; a file is known by its first line. 0: not at all. */
int srv_record_index_position(
	struct srv_record_index *index, const char *first_line, int64_t *offset);
int srv_record_index_set_position(
	struct srv_record_index *index, const char *first_line, int64_t offset);

/* A NULL port asks for the whole address. Calls each() in order of time, or of ports for an address. */
typedef void (*srv_holding_fn)(void *arg, const struct srv_holding *holding);
int srv_record_index_at(struct srv_record_index *index, uint32_t v4, const uint16_t *port,
	int64_t utc_ms, srv_holding_fn each, void *arg);
/* All that is known, at most limit of them. */
int srv_record_index_ever(struct srv_record_index *index, uint32_t v4, const uint16_t *port,
	uint32_t limit, srv_holding_fn each, void *arg);

/* What goes on, in order of lease ids; a lease with several ranges comes several times. */
int srv_record_index_open_holdings(struct srv_record_index *index,
	void (*each)(void *arg, uint64_t id, uint32_t v4), void *arg);
/* The open holdings of one lease. */
int srv_record_index_of_lease(
	struct srv_record_index *index, uint64_t id, uint32_t v4, srv_holding_fn each, void *arg);
/* The time of the newest record; 0: there is none. */
int srv_record_index_newest(struct srv_record_index *index, int64_t *utc_ms);

/* Forgets what ended before, of the next address after *cursor (0 at first, and after the last). */
int srv_record_index_prune(struct srv_record_index *index, int64_t before_utc_ms, uint32_t *cursor);

/* Pages of the file that this process has looked at since the index was opened. */
uint64_t srv_record_index_pages(const struct srv_record_index *index);
