// SPDX-License-Identifier: BSD-3-Clause
/*
 * The store: what must survive kill -9 and power loss, one record a lease.
 *
 * A record is written in groups: begin, any number of put and remove, commit. What commit has
 * returned 0 for is durable; a group that failed is gone as a whole and the store goes on. Times in
 * the store are UTC (clock_utc_ms()), because the boot clock ends with the boot.
 *
 * A store may be handed from one thread to another but is used by one at a time.
 */
#pragma once

#include "server/lease_db.h"

#include <stddef.h>
#include <stdint.h>

#define SRV_USER_SIZE        64 /* a user's name and NUL */
#define SRV_TEP_NAME_SIZE    64 /* the same of a TEP */
#define SRV_STORE_ERROR_SIZE 256

struct srv_store_record {
	uint64_t id;
	enum srv_lease_state state; /* PENDING, ACTIVE or RESTING */
	struct lease lease; /* end_ms is not used: */
	int64_t until_utc_ms; /* end of the lease or of its quarantine */
	char user[SRV_USER_SIZE];
	char tep[SRV_TEP_NAME_SIZE]; /* its home; "": not known */
};

struct srv_store;

/* A kind of store. Functions return 0 or -errno and leave a sentence in store->error. */
struct srv_store_ops {
	/* Calls each() for every record, in ascending order of until_utc_ms. */
	int (*load)(struct srv_store *store,
		void (*each)(void *arg, const struct srv_store_record *record), void *arg);
	int (*begin)(struct srv_store *store);
	int (*put)(struct srv_store *store, const struct srv_store_record *record);
	int (*remove)(struct srv_store *store, uint64_t id);
	int (*commit)(struct srv_store *store);
	void (*rollback)(struct srv_store *store);
	void (*close)(struct srv_store *store);
};

/* The head of every kind of store. */
struct srv_store {
	const struct srv_store_ops *ops;
	char error[SRV_STORE_ERROR_SIZE];
};

/*
 * Opens or makes a database file (its folder must be there). Only one process can have it open. NULL
 * with a sentence in error.
 */
struct srv_store *srv_store_sqlite_open(const char *path, char error[static SRV_STORE_ERROR_SIZE]);
