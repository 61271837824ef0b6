// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_clients.h"

#include "common/addr.h"
#include "server/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

struct known {
	struct srv_dhcp6_client client;
	uint32_t slot;
	uint64_t duid_hash;
	LIST_ENTRY(known) of_v6; /* bucket */
	LIST_ENTRY(known) of_duid; /* bucket: those noted later come first */
	TAILQ_ENTRY(known) by_age;
	struct dhcp6_relay relay[]; /* one, if there is any */
};

LIST_HEAD(bucket, known);
TAILQ_HEAD(ages, known); /* the one that was quiet for longest comes first */

struct srv_dhcp6_clients {
	uint64_t secret;
	uint32_t max;
	uint32_t n;
	uint32_t n_with_lease;
	uint64_t displaced;
	uint32_t n_buckets; /* a power of two */
	struct bucket *of_v6;
	struct bucket *of_duid;
	struct ages with_lease;
	struct ages without;
	struct known **slots; /* [max] */
	uint32_t *free_slots; /* [max - n] of them */
};

struct srv_dhcp6_clients *srv_dhcp6_clients_create(uint32_t max)
{
	struct srv_dhcp6_clients *clients = calloc(1, sizeof(*clients));

	if (clients == NULL)
		return NULL;
	clients->max = max;
	clients->n_buckets = 1;
	while (clients->n_buckets < max)
		clients->n_buckets *= 2;
	TAILQ_INIT(&clients->with_lease);
	TAILQ_INIT(&clients->without);
	clients->of_v6 = calloc(clients->n_buckets, sizeof(struct bucket));
	clients->of_duid = calloc(clients->n_buckets, sizeof(struct bucket));
	clients->slots = calloc(max, sizeof(struct known *));
	clients->free_slots = calloc(max, sizeof(uint32_t));
	if (clients->of_v6 != NULL && clients->of_duid != NULL && clients->slots != NULL &&
		clients->free_slots != NULL &&
		getrandom(&clients->secret, sizeof(clients->secret), 0) ==
			(ssize_t)sizeof(clients->secret)) {
		for (uint32_t i = 0; i < max; i++)
			clients->free_slots[i] = max - 1 - i;
		return clients;
	}
	srv_dhcp6_clients_destroy(clients);
	errno = ENOMEM;
	return NULL;
}

void srv_dhcp6_clients_destroy(struct srv_dhcp6_clients *clients)
{
	if (clients == NULL)
		return;
	for (uint32_t i = 0; clients->slots != NULL && i < clients->max; i++)
		free(clients->slots[i]);
	free(clients->of_v6);
	free(clients->of_duid);
	free(clients->slots);
	free(clients->free_slots);
	free(clients);
}

/* --- finding ------------------------------------------------------------------------------------- */

static uint64_t hash_of_duid(const struct srv_dhcp6_clients *clients, const struct dhcp6_duid *duid)
{
	uint64_t hash = duid->len, word;

	for (size_t at = 0; at < duid->len; at += sizeof(word)) {
		size_t rest = duid->len - at < sizeof(word) ? duid->len - at : sizeof(word);

		word = 0;
		memcpy(&word, duid->octets + at, rest);
		hash = srv_source_mix(hash ^ word, clients->secret);
	}
	return hash;
}

static struct bucket *bucket_of_v6(
	const struct srv_dhcp6_clients *clients, const struct in6_addr *tunnel_end)
{
	struct srv_source source = srv_source_of_prefix(tunnel_end, 128);

	return &clients->of_v6[srv_source_hash(&source, clients->secret) &
			       (clients->n_buckets - 1)];
}

static struct bucket *bucket_of_duid(const struct srv_dhcp6_clients *clients, uint64_t hash)
{
	return &clients->of_duid[hash & (clients->n_buckets - 1)];
}

static struct known *find(
	const struct srv_dhcp6_clients *clients, const struct in6_addr *tunnel_end)
{
	struct known *known;

	LIST_FOREACH(known, bucket_of_v6(clients, tunnel_end), of_v6) {
		if (addr_v6_equal(&known->client.tunnel_end, tunnel_end))
			return known;
	}
	return NULL;
}

const struct srv_dhcp6_client *srv_dhcp6_clients_find_by_v6(
	const struct srv_dhcp6_clients *clients, const struct in6_addr *tunnel_end)
{
	const struct known *known = find(clients, tunnel_end);

	return known != NULL ? &known->client : NULL;
}

const struct srv_dhcp6_client *srv_dhcp6_clients_find_by_duid(
	const struct srv_dhcp6_clients *clients, const struct dhcp6_duid *duid)
{
	uint64_t hash = hash_of_duid(clients, duid);
	const struct known *known;

	LIST_FOREACH(known, bucket_of_duid(clients, hash), of_duid) {
		if (known->duid_hash == hash && dhcp6_duid_equal(&known->client.duid, duid))
			return &known->client;
	}
	return NULL;
}

bool srv_dhcp6_clients_may_use(const struct srv_dhcp6_clients *clients,
	const struct in6_addr *tunnel_end, const struct dhcp6_duid *duid, bool is_held)
{
	const struct srv_dhcp6_client *client = srv_dhcp6_clients_find_by_v6(clients, tunnel_end);

	return !is_held || client == NULL || dhcp6_duid_equal(&client->duid, duid);
}

/* --- changing ------------------------------------------------------------------------------------ */

static struct ages *ages_of(struct srv_dhcp6_clients *clients, const struct known *known)
{
	return known->client.has_lease ? &clients->with_lease : &clients->without;
}

static void take_in(struct srv_dhcp6_clients *clients, struct known *known)
{
	LIST_INSERT_HEAD(bucket_of_v6(clients, &known->client.tunnel_end), known, of_v6);
	LIST_INSERT_HEAD(bucket_of_duid(clients, known->duid_hash), known, of_duid);
	TAILQ_INSERT_TAIL(ages_of(clients, known), known, by_age);
	clients->n_with_lease += known->client.has_lease;
	known->slot = clients->free_slots[clients->max - 1 - clients->n++];
	clients->slots[known->slot] = known;
}

static void put_out(struct srv_dhcp6_clients *clients, struct known *known)
{
	LIST_REMOVE(known, of_v6);
	LIST_REMOVE(known, of_duid);
	TAILQ_REMOVE(ages_of(clients, known), known, by_age);
	clients->n_with_lease -= known->client.has_lease;
	clients->slots[known->slot] = NULL;
	clients->free_slots[clients->max - clients->n--] = known->slot;
	free(known);
}

static void make_room(struct srv_dhcp6_clients *clients)
{
	struct known *oldest = TAILQ_FIRST(&clients->without);

	if (clients->n < clients->max)
		return;
	if (oldest == NULL)
		oldest = TAILQ_FIRST(&clients->with_lease);
	put_out(clients, oldest);
	clients->displaced++;
}

int srv_dhcp6_clients_note(struct srv_dhcp6_clients *clients, const struct srv_dhcp6_client *client)
{
	struct known *known, *before = find(clients, &client->tunnel_end);

	if (client->duid.len == 0)
		return -EINVAL;
	known = calloc(1, sizeof(*known) + (client->relay != NULL ? sizeof(*client->relay) : 0));
	if (known == NULL)
		return -ENOMEM;
	known->client = *client;
	if (client->relay != NULL) {
		known->relay[0] = *client->relay;
		known->client.relay = known->relay;
	}
	known->duid_hash = hash_of_duid(clients, &client->duid);
	if (before != NULL)
		put_out(clients, before);
	make_room(clients);
	take_in(clients, known);
	return 0;
}

void srv_dhcp6_clients_set_lease(
	struct srv_dhcp6_clients *clients, const struct in6_addr *tunnel_end, bool has_lease)
{
	struct known *known = find(clients, tunnel_end);

	if (known == NULL || known->client.has_lease == has_lease)
		return;
	TAILQ_REMOVE(ages_of(clients, known), known, by_age);
	clients->n_with_lease += has_lease ? 1 : -1;
	known->client.has_lease = has_lease;
	TAILQ_INSERT_TAIL(ages_of(clients, known), known, by_age);
}

/* --- showing ------------------------------------------------------------------------------------- */

uint32_t srv_dhcp6_clients_count(const struct srv_dhcp6_clients *clients)
{
	return clients->n;
}

uint32_t srv_dhcp6_clients_with_lease(const struct srv_dhcp6_clients *clients)
{
	return clients->n_with_lease;
}

uint64_t srv_dhcp6_clients_displaced(const struct srv_dhcp6_clients *clients)
{
	return clients->displaced;
}

uint32_t srv_dhcp6_clients_slots(const struct srv_dhcp6_clients *clients)
{
	return clients->max;
}

const struct srv_dhcp6_client *srv_dhcp6_clients_at(
	const struct srv_dhcp6_clients *clients, uint32_t slot)
{
	const struct known *known = slot < clients->max ? clients->slots[slot] : NULL;

	return known != NULL ? &known->client : NULL;
}
