// SPDX-License-Identifier: BSD-3-Clause
/* What differs between two configurations: what a reload has to do. */
#include "server/server_config.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_endpoint(const struct addr_endpoint *a, const struct addr_endpoint *b)
{
	return addr_v6_equal(&a->addr, &b->addr) && a->port == b->port;
}

static bool same_listen(const struct config_list *a, const struct config_list *b)
{
	const struct addr_endpoint *as = a->items, *bs = b->items;

	for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
		if (!same_endpoint(&as[i], &bs[i]))
			return false;
	}
	return a->n == b->n;
}

static bool same_teps(const struct config_list *a, const struct config_list *b)
{
	const struct srv_config_tep *as = a->items, *bs = b->items;

	for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
		if (!same_text(as[i].name, bs[i].name) ||
			!same_endpoint(&as[i].control, &bs[i].control) ||
			!same_text(as[i].user, bs[i].user) ||
			!same_text(as[i].password, bs[i].password) ||
			!addr_v6_equal(&as[i].v6, &bs[i].v6))
			return false;
	}
	return a->n == b->n;
}

static bool same_clients(const struct config_list *a, const struct config_list *b)
{
	const struct addr_v6_prefix *as = a->items, *bs = b->items;

	for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
		if (as[i].len != bs[i].len || !addr_v6_equal(&as[i].addr, &bs[i].addr))
			return false;
	}
	return a->n == b->n;
}

static bool same_pool_teps(const struct config_list *a, const struct config_list *b)
{
	const struct srv_config_pool_tep *as = a->items, *bs = b->items;

	for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
		if (!same_text(as[i].name, bs[i].name) ||
			!same_clients(&as[i].clients, &bs[i].clients))
			return false;
	}
	return a->n == b->n;
}

static bool same_pools(const struct config_list *a, const struct config_list *b)
{
	const struct srv_config_pool *as = a->items, *bs = b->items;

	for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
		if (!same_text(as[i].name, bs[i].name) || as[i].prefix.addr != bs[i].prefix.addr ||
			as[i].prefix.len != bs[i].prefix.len || as[i].mode != bs[i].mode ||
			as[i].block_size != bs[i].block_size ||
			as[i].tep_failure != bs[i].tep_failure ||
			!same_pool_teps(&as[i].teps, &bs[i].teps) ||
			!same_clients(&as[i].clients, &bs[i].clients))
			return false;
	}
	return a->n == b->n;
}

static bool same_records(const struct srv_config_records *a, const struct srv_config_records *b)
{
	return same_text(a->file, b->file) && a->syslog == b->syslog &&
	       a->required == b->required && a->renewals == b->renewals;
}

bool srv_config_same_plan(const struct srv_config *a, const struct srv_config *b)
{
	return same_listen(&a->listen, &b->listen) && same_text(a->socket, b->socket) &&
	       same_text(a->store, b->store) && same_teps(&a->teps, &b->teps) &&
	       same_records(&a->records, &b->records) && same_pools(&a->pools, &b->pools) &&
	       a->lease.tep_timeout_s == b->lease.tep_timeout_s;
}
