// SPDX-License-Identifier: BSD-3-Clause
/*
 * Fills a lease store, as a server would have left it.
 *
 *	bench_store PATH LEASES SPREAD_S END_S
 *
 * Leases of blocks of 1,024 ports from 10.0.0.0 on, each of another client. The first ones end one after the other
 * from SPREAD_S seconds from now, as many a second as if all ended in an hour; those that would end behind END_S end
 * all together then.
 */
#include "common/clock.h"
#include "server/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP          10000
#define BLOCK_PORTS    1024
#define BLOCKS_OF_ADDR 63
#define FIRST_V4       0x0a000000u
#define HOUR_MS        3600000

static void die(const char *what)
{
	fprintf(stderr, "bench_store: %s\n", what);
	exit(1);
}

static struct srv_store_record lease(uint32_t i)
{
	uint16_t first = (i % BLOCKS_OF_ADDR + 1) * BLOCK_PORTS;
	struct srv_store_record record = {
		.id = i + 1,
		.state = SRV_LEASE_ACTIVE,
		.lease =
			{
				.client_v6 = {.s6_addr = {0x20, 0x01, 0x0d, 0xb8, 0, 4}},
				.tep_v6 = {.s6_addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
				.v4 = FIRST_V4 + i / BLOCKS_OF_ADDR,
				.n_ranges = 1,
				.ranges = {{first, first + BLOCK_PORTS - 1}},
			},
	};

	for (int octet = 0; octet < 4; octet++)
		record.lease.client_v6.s6_addr[15 - octet] = (uint8_t)(i >> 8 * octet);
	return record;
}

int main(int argc, char **argv)
{
	char error[SRV_STORE_ERROR_SIZE];
	struct srv_store *store;
	int64_t first_ms, last_ms;
	uint32_t n;

	if (argc != 5)
		die("usage: bench_store PATH LEASES SPREAD_S END_S");
	n = strtoul(argv[2], NULL, 10);
	first_ms = clock_utc_ms() + strtoul(argv[3], NULL, 10) * 1000;
	last_ms = clock_utc_ms() + strtoul(argv[4], NULL, 10) * 1000;
	store = srv_store_sqlite_open(argv[1], error);
	if (store == NULL)
		die(error);
	for (uint32_t i = 0; i < n; i++) {
		struct srv_store_record record = lease(i);

		record.until_utc_ms = first_ms + (int64_t)i * HOUR_MS / n;
		if (record.until_utc_ms > last_ms)
			record.until_utc_ms = last_ms;
		if ((i % GROUP == 0 && store->ops->begin(store) < 0) ||
			store->ops->put(store, &record) < 0 ||
			((i % GROUP == GROUP - 1 || i == n - 1) && store->ops->commit(store) < 0))
			die(store->error);
	}
	store->ops->close(store);
	return 0;
}
