// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/reassembly.h"

#include <rte_common.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <sys/queue.h>
#include <sys/random.h>

#define LENGTH_UNKNOWN UINT32_MAX

/* Where a waiting fragment's payload belongs; kept in the buffer, in a field that nobody reads there. */
struct note {
	uint16_t offset;
	uint16_t len;
	uint16_t start;
};
static_assert(sizeof(struct note) <= sizeof(((struct rte_mbuf *)NULL)->hash));

/* A packet that is not whole yet. */
struct datagram {
	struct dp_frag_key key;
	uint64_t since_ms;
	struct rte_mbuf *first; /* by offset, chained by next; none once it is refused */
	uint32_t n;
	uint32_t have; /* octets of payload */
	uint32_t payload_len; /* known with the last fragment */
	uint32_t source;
	uint32_t df_len; /* of the longest fragment that may not be cut */
	uint8_t ecn_seen;
	bool outer_ce;
	bool refused;
	uint8_t fault; /* why */
	LIST_ENTRY(datagram) in_bucket;
	TAILQ_ENTRY(datagram) in_age;
	TAILQ_ENTRY(datagram) in_source;
};

LIST_HEAD(bucket, datagram);
TAILQ_HEAD(age_list, datagram);

/* The packets of one sender, oldest first. */
struct source {
	uint32_t n;
	struct age_list by_age;
};

struct dp_reassembly {
	struct dp_reassembly_params params;
	enum dp_frag_kind kind;
	uint64_t secret[7]; /* of the hashes: senders choose what is hashed */
	uint32_t mask; /* of the hashes */
	uint32_t n_datagrams;
	uint32_t n_fragments;
	struct age_list by_age; /* oldest first */
	struct bucket unused;
	struct bucket *buckets;
	struct source *sources;
	struct datagram *datagrams;
};

static struct note *note_of(struct rte_mbuf *m)
{
	return (struct note *)&m->hash;
}

struct dp_reassembly *dp_reassembly_create(
	const struct dp_reassembly_params *params, enum dp_frag_kind kind, int socket)
{
	struct dp_reassembly *table = rte_zmalloc_socket(NULL, sizeof(*table), 0, socket);
	uint32_t n = rte_align32pow2(params->max_datagrams * 2);

	if (table == NULL)
		return NULL;
	table->params = *params;
	table->kind = kind;
	table->mask = n - 1;
	table->buckets = rte_zmalloc_socket(NULL, n * sizeof(*table->buckets), 0, socket);
	table->sources = rte_zmalloc_socket(NULL, n * sizeof(*table->sources), 0, socket);
	table->datagrams = rte_zmalloc_socket(
		NULL, params->max_datagrams * sizeof(*table->datagrams), 0, socket);
	if (table->buckets == NULL || table->sources == NULL || table->datagrams == NULL) {
		dp_reassembly_destroy(table);
		return NULL;
	}
	if (getrandom(table->secret, sizeof(table->secret), GRND_NONBLOCK) != sizeof(table->secret))
		for (uint32_t i = 0; i < RTE_DIM(table->secret); i++)
			table->secret[i] = rte_rand();
	TAILQ_INIT(&table->by_age);
	for (uint32_t i = 0; i < n; i++)
		TAILQ_INIT(&table->sources[i].by_age);
	for (uint32_t i = 0; i < params->max_datagrams; i++)
		LIST_INSERT_HEAD(&table->unused, &table->datagrams[i], in_bucket);
	return table;
}

void dp_reassembly_destroy(struct dp_reassembly *table)
{
	if (table == NULL)
		return;
	rte_free(table->datagrams);
	rte_free(table->sources);
	rte_free(table->buckets);
	rte_free(table);
}

static void drop_fragments(struct dp_ctx *ctx, struct dp_reassembly *table,
	struct datagram *datagram, enum dp_frag_fault fault)
{
	struct rte_mbuf *m = datagram->first;

	table->n_fragments -= datagram->n;
	datagram->first = NULL;
	datagram->n = 0;
	while (m != NULL) {
		struct rte_mbuf *next = m->next;

		m->next = NULL;
		dp_drop(ctx, m, dp_frag_drop(table->kind, fault));
		m = next;
	}
}

static void forget(struct dp_ctx *ctx, struct dp_reassembly *table, struct datagram *datagram,
	enum dp_frag_fault fault)
{
	struct source *source = &table->sources[datagram->source];

	drop_fragments(ctx, table, datagram, fault);
	source->n--;
	table->n_datagrams--;
	TAILQ_REMOVE(&source->by_age, datagram, in_source);
	TAILQ_REMOVE(&table->by_age, datagram, in_age);
	LIST_REMOVE(datagram, in_bucket);
	LIST_INSERT_HEAD(&table->unused, datagram, in_bucket);
}

void dp_reassembly_expire(struct dp_ctx *ctx, struct dp_reassembly *table)
{
	struct datagram *oldest = TAILQ_FIRST(&table->by_age);

	while (oldest != NULL && ctx->now_ms - oldest->since_ms >= table->params.timeout_ms) {
		forget(ctx, table, oldest, DP_FRAG_TIMEOUT);
		oldest = TAILQ_FIRST(&table->by_age);
	}
}

uint32_t dp_reassembly_fill(const struct dp_reassembly *table)
{
	uint64_t datagrams = __atomic_load_n(&table->n_datagrams, __ATOMIC_RELAXED);
	uint64_t fragments = __atomic_load_n(&table->n_fragments, __ATOMIC_RELAXED);

	return (uint32_t)RTE_MAX(datagrams * 100 / table->params.max_datagrams,
		fragments * 100 / table->params.max_fragments);
}

void dp_reassembly_flush(struct dp_ctx *ctx, struct dp_reassembly *table)
{
	while (!TAILQ_EMPTY(&table->by_age))
		forget(ctx, table, TAILQ_FIRST(&table->by_age), DP_FRAG_TIMEOUT);
}

/* Both halves of the product of two words, each with a secret. */
static inline uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

struct dp_frag_place dp_reassembly_place(
	const struct dp_reassembly *table, const struct dp_frag_key *key)
{
	const uint64_t *secret = table->secret;
	uint64_t sender, rest, words[sizeof(*key) / sizeof(uint64_t)];
	struct dp_frag_place place;

	static_assert(sizeof(words) == sizeof(*key) && RTE_DIM(words) == 6);
	memcpy(words, key, sizeof(words));
	sender = fold(words[0] ^ secret[0], words[1] ^ secret[1]);
	rest = fold(words[2] ^ secret[2], words[3] ^ secret[3]) ^
	       fold(words[4] ^ secret[4], words[5] ^ secret[5]);
	place.bucket = (uint32_t)fold(sender ^ rest, secret[6]) & table->mask;
	if (table->kind == DP_FRAG_V4)
		sender ^= key->src;
	place.source = (uint32_t)fold(sender, secret[6]) & table->mask;
	rte_prefetch0(&table->buckets[place.bucket]);
	rte_prefetch0(&table->sources[place.source]);
	return place;
}

static inline bool same_key(const struct dp_frag_key *a, const struct dp_frag_key *b)
{
	uint64_t as[sizeof(*a) / sizeof(uint64_t)], bs[RTE_DIM(as)], diff = 0;

	memcpy(as, a, sizeof(as));
	memcpy(bs, b, sizeof(bs));
	for (uint32_t i = 0; i < RTE_DIM(as); i++)
		diff |= as[i] ^ bs[i];
	return diff == 0;
}

static inline struct datagram *find(const struct bucket *bucket, const struct dp_frag_key *key)
{
	struct datagram *datagram;

	LIST_FOREACH(datagram, bucket, in_bucket)
		if (same_key(&datagram->key, key))
			return datagram;
	return NULL;
}

/* A place for a new packet, if need be that of the sender's oldest or of the oldest of all. */
static struct datagram *start(struct dp_ctx *ctx, struct dp_reassembly *table,
	const struct dp_frag_key *key, struct dp_frag_place place)
{
	struct source *source = &table->sources[place.source];
	struct datagram *datagram;

	if (source->n >= table->params.per_source)
		forget(ctx, table, TAILQ_FIRST(&source->by_age), DP_FRAG_EVICTED);
	else if (LIST_EMPTY(&table->unused))
		forget(ctx, table, TAILQ_FIRST(&table->by_age), DP_FRAG_EVICTED);
	datagram = LIST_FIRST(&table->unused);
	LIST_REMOVE(datagram, in_bucket);
	datagram->key = *key;
	datagram->since_ms = ctx->now_ms;
	datagram->first = NULL;
	datagram->n = 0;
	datagram->have = 0;
	datagram->payload_len = LENGTH_UNKNOWN;
	datagram->source = place.source;
	datagram->df_len = 0;
	datagram->ecn_seen = 0;
	datagram->outer_ce = false;
	datagram->refused = false;
	source->n++;
	table->n_datagrams++;
	TAILQ_INSERT_TAIL(&source->by_age, datagram, in_source);
	TAILQ_INSERT_TAIL(&table->by_age, datagram, in_age);
	LIST_INSERT_HEAD(&table->buckets[place.bucket], datagram, in_bucket);
	return datagram;
}

static bool is_copy(struct rte_mbuf *held, const struct dp_frag *frag, struct rte_mbuf *m)
{
	const struct note *note = note_of(held);

	return note->offset == frag->offset && note->len == frag->len &&
	       memcmp(rte_pktmbuf_mtod_offset(held, uint8_t *, note->start),
		       rte_pktmbuf_mtod_offset(m, uint8_t *, frag->start), frag->len) == 0;
}

/* May the fragment join those that are there? *place: the link where it belongs. */
static bool fits(const struct datagram *datagram, const struct dp_frag *frag, struct rte_mbuf *m,
	struct rte_mbuf ***place, enum dp_frag_fault *fault)
{
	uint32_t end = frag->offset + frag->len, last_end = 0;

	*fault = DP_FRAG_OVERLAP;
	while (**place != NULL && note_of(**place)->offset < frag->offset) {
		last_end = note_of(**place)->offset + note_of(**place)->len;
		*place = &(**place)->next;
	}
	if (**place != NULL && is_copy(**place, frag, m)) {
		*fault = DP_FRAG_DUPLICATE;
		return false;
	}
	if (last_end > frag->offset || (**place != NULL && end > note_of(**place)->offset))
		return false;
	*fault = DP_FRAG_MALFORMED; /* two ends, or something behind the end */
	if (frag->more ? end >= datagram->payload_len
		       : datagram->payload_len != LENGTH_UNKNOWN || **place != NULL)
		return false;
	*fault = DP_FRAG_TOO_MANY;
	return datagram->n < DP_DATAGRAM_FRAGMENTS;
}

/* A copy of the next octets, as many as are asked for, at the end of the packet's first buffer. */
static void pull(struct rte_mbuf *first, struct rte_mbuf *from, uint32_t len)
{
	memcpy(rte_pktmbuf_mtod_offset(first, char *, first->data_len),
		rte_pktmbuf_mtod(from, char *), len);
	first->data_len += len;
	first->pkt_len += len;
	from->data_off += len;
	from->data_len -= len;
	from->pkt_len -= len;
}

/* Makes one packet of the waiting fragments; their buffers live on in it or are freed. */
static struct rte_mbuf *join(struct dp_ctx *ctx, struct datagram *datagram)
{
	struct rte_mbuf *whole = datagram->first, *last = whole, *m = whole->next, *next;

	dp_count(&ctx->counters, DP_COUNT_FRAGMENTS_JOINED, 1, whole->pkt_len);
	whole->next = NULL;
	whole->data_len = note_of(whole)->start + note_of(whole)->len;
	whole->pkt_len = whole->data_len;
	for (; m != NULL; m = next) {
		const struct note note = *note_of(m);
		uint32_t room = last == whole ? rte_pktmbuf_tailroom(whole) : 0;
		uint32_t wanted = last == whole && whole->data_len < DP_CONTIGUOUS
					  ? DP_CONTIGUOUS - whole->data_len
					  : 0;

		next = m->next;
		m->next = NULL;
		dp_count(&ctx->counters, DP_COUNT_FRAGMENTS_JOINED, 1, m->pkt_len);
		m->data_off += note.start;
		m->data_len = note.len;
		m->pkt_len = note.len;
		pull(whole, m, note.len <= room ? note.len : RTE_MIN(wanted, room));
		if (m->data_len == 0) {
			rte_pktmbuf_free(m);
			continue;
		}
		last->next = m;
		last = m;
		whole->nb_segs++;
		whole->pkt_len += m->data_len;
	}
	return whole;
}

static void take_whole(struct dp_ctx *ctx, struct dp_reassembly *table, struct datagram *datagram,
	struct dp_whole *whole)
{
	whole->start = note_of(datagram->first)->start;
	whole->payload_len = datagram->payload_len;
	whole->df_len = datagram->df_len;
	whole->ecn_seen = datagram->ecn_seen;
	whole->outer_ce = datagram->outer_ce;
	whole->m = join(ctx, datagram);
	dp_count(&ctx->counters, DP_COUNT_V6_REASSEMBLED + table->kind, 1, whole->m->pkt_len);
	table->n_fragments -= datagram->n;
	datagram->first = NULL;
	datagram->n = 0;
	forget(ctx, table, datagram, DP_FRAG_TIMEOUT);
}

/* Keeps a fragment at its place; false: refused. */
static bool keep(struct dp_ctx *ctx, struct dp_reassembly *table, struct datagram *datagram,
	const struct dp_frag *frag, struct rte_mbuf *m, enum dp_frag_fault *fault)
{
	struct rte_mbuf **place = &datagram->first;

	if (datagram->refused) {
		*fault = datagram->fault;
		return false;
	}
	if (!fits(datagram, frag, m, &place, fault)) {
		if (*fault != DP_FRAG_DUPLICATE) {
			datagram->refused = true;
			datagram->fault = *fault;
			drop_fragments(ctx, table, datagram, *fault);
		}
		return false;
	}
	*note_of(m) = (struct note){frag->offset, frag->len, frag->start};
	m->next = *place;
	*place = m;
	table->n_fragments++;
	datagram->n++;
	datagram->have += frag->len;
	datagram->df_len = RTE_MAX(datagram->df_len, frag->df_len);
	datagram->ecn_seen |= 1 << frag->ecn;
	datagram->outer_ce |= frag->outer_ecn == DP_ECN_CE;
	if (!frag->more)
		datagram->payload_len = frag->offset + frag->len;
	return true;
}

enum dp_frag_result dp_reassembly_add(struct dp_ctx *ctx, struct dp_reassembly *table,
	const struct dp_frag *frag, struct dp_frag_place place, struct rte_mbuf *m,
	struct dp_whole *whole, enum dp_frag_fault *fault)
{
	struct datagram *datagram;

	if (frag->len == 0 || (frag->more && frag->len % 8 != 0) || m->nb_segs != 1 ||
		frag->offset + frag->len > DP_DATAGRAM_MAX) {
		*fault = DP_FRAG_MALFORMED;
		return DP_FRAG_REFUSED;
	}
	dp_reassembly_expire(ctx, table);
	while (table->n_fragments >= table->params.max_fragments)
		forget(ctx, table, TAILQ_FIRST(&table->by_age), DP_FRAG_EVICTED);
	datagram = find(&table->buckets[place.bucket], &frag->key);
	if (datagram == NULL)
		datagram = start(ctx, table, &frag->key, place);
	if (!keep(ctx, table, datagram, frag, m, fault))
		return DP_FRAG_REFUSED;
	if (datagram->have != datagram->payload_len)
		return DP_FRAG_HELD;
	take_whole(ctx, table, datagram, whole);
	return DP_FRAG_WHOLE;
}
