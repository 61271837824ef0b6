// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_exchange.h"

#include "server/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

LIST_HEAD(bucket, srv_dhcp6_exchange);
TAILQ_HEAD(list, srv_dhcp6_exchange);

struct srv_dhcp6_exchanges {
	uint64_t secret;
	uint32_t max;
	uint32_t n; /* allocated */
	uint32_t n_pending;
	uint32_t n_buckets; /* a power of two */
	struct bucket *buckets;
	struct list pending; /* oldest first, as the next one */
	struct list ended;
	struct list spare;
};

struct srv_dhcp6_exchanges *srv_dhcp6_exchanges_create(uint32_t max)
{
	struct srv_dhcp6_exchanges *exchanges = calloc(1, sizeof(*exchanges));

	if (exchanges == NULL)
		return NULL;
	exchanges->max = max;
	exchanges->n_buckets = 1;
	while (exchanges->n_buckets < max)
		exchanges->n_buckets *= 2;
	TAILQ_INIT(&exchanges->pending);
	TAILQ_INIT(&exchanges->ended);
	TAILQ_INIT(&exchanges->spare);
	exchanges->buckets = calloc(exchanges->n_buckets, sizeof(struct bucket));
	if (exchanges->buckets != NULL && getrandom(&exchanges->secret, sizeof(exchanges->secret),
						  0) == (ssize_t)sizeof(exchanges->secret))
		return exchanges;
	srv_dhcp6_exchanges_destroy(exchanges);
	errno = ENOMEM;
	return NULL;
}

static void free_all(struct list *list)
{
	struct srv_dhcp6_exchange *exchange;

	while ((exchange = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, exchange, of_list);
		free(exchange);
	}
}

void srv_dhcp6_exchanges_destroy(struct srv_dhcp6_exchanges *exchanges)
{
	if (exchanges == NULL)
		return;
	free_all(&exchanges->pending);
	free_all(&exchanges->ended);
	free_all(&exchanges->spare);
	free(exchanges->buckets);
	free(exchanges);
}

/* Clients choose both. */
static uint64_t hash_of(
	const struct srv_dhcp6_exchanges *exchanges, const struct srv_dhcp6_request *request)
{
	uint64_t hash = srv_source_mix(request->xid, exchanges->secret), word;

	for (size_t at = 0; at < request->client.len; at += sizeof(word)) {
		size_t rest = request->client.len - at;

		word = 0;
		memcpy(&word, request->client.octets + at,
			rest < sizeof(word) ? rest : sizeof(word));
		hash = srv_source_mix(hash ^ word, exchanges->secret);
	}
	return hash;
}

static struct bucket *bucket_of(const struct srv_dhcp6_exchanges *exchanges, uint64_t hash)
{
	return &exchanges->buckets[hash & (exchanges->n_buckets - 1)];
}

struct srv_dhcp6_exchange *srv_dhcp6_exchange_find(
	const struct srv_dhcp6_exchanges *exchanges, const struct srv_dhcp6_request *request)
{
	uint64_t hash = hash_of(exchanges, request);
	struct srv_dhcp6_exchange *exchange;

	LIST_FOREACH(exchange, bucket_of(exchanges, hash), of_bucket) {
		const struct srv_dhcp6_request *other = &exchange->inquiry.request;

		if (other->xid == request->xid && other->type == request->type &&
			dhcp6_duid_equal(&other->client, &request->client))
			return exchange;
	}
	return NULL;
}

/* A new one, or one that has been used before. */
static struct srv_dhcp6_exchange *take(struct srv_dhcp6_exchanges *exchanges)
{
	struct srv_dhcp6_exchange *exchange = TAILQ_FIRST(&exchanges->spare);

	if (exchange != NULL) {
		TAILQ_REMOVE(&exchanges->spare, exchange, of_list);
		return exchange;
	}
	if (exchanges->n == exchanges->max)
		return NULL;
	exchange = malloc(sizeof(*exchange));
	exchanges->n += exchange != NULL;
	return exchange;
}

struct srv_dhcp6_exchange *srv_dhcp6_exchange_begin(
	struct srv_dhcp6_exchanges *exchanges, const struct srv_dhcp6_inquiry *inquiry)
{
	struct srv_dhcp6_exchange *exchange = take(exchanges);

	if (exchange == NULL)
		return NULL;
	memset(exchange, 0, sizeof(*exchange));
	srv_session_init(&exchange->session);
	exchange->inquiry = *inquiry;
	exchange->hash = hash_of(exchanges, &inquiry->request);
	LIST_INSERT_HEAD(bucket_of(exchanges, exchange->hash), exchange, of_bucket);
	TAILQ_INSERT_TAIL(&exchanges->pending, exchange, of_list);
	exchanges->n_pending++;
	return exchange;
}

void srv_dhcp6_exchange_end(
	struct srv_dhcp6_exchanges *exchanges, struct srv_dhcp6_exchange *exchange)
{
	LIST_REMOVE(exchange, of_bucket);
	TAILQ_REMOVE(&exchanges->pending, exchange, of_list);
	TAILQ_INSERT_TAIL(&exchanges->ended, exchange, of_list);
	exchanges->n_pending--;
}

struct srv_dhcp6_exchange *srv_dhcp6_exchange_ended(const struct srv_dhcp6_exchanges *exchanges)
{
	return TAILQ_FIRST(&exchanges->ended);
}

struct srv_dhcp6_exchange *srv_dhcp6_exchange_pending(const struct srv_dhcp6_exchanges *exchanges)
{
	return TAILQ_FIRST(&exchanges->pending);
}

void srv_dhcp6_exchange_free(
	struct srv_dhcp6_exchanges *exchanges, struct srv_dhcp6_exchange *exchange)
{
	TAILQ_REMOVE(&exchanges->ended, exchange, of_list);
	TAILQ_INSERT_HEAD(&exchanges->spare, exchange, of_list);
}

uint32_t srv_dhcp6_exchanges_count(const struct srv_dhcp6_exchanges *exchanges)
{
	return exchanges->n_pending;
}
