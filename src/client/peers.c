// SPDX-License-Identifier: BSD-3-Clause
#include "client/peers.h"

#include "client/far_end.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PAUSE_MS     10000 /* without a packet: what came before counts no more */
#define ASK_AGAIN_MS 1000 /* the same question */
#define LEAD_DIVISOR 10 /* sending ends that part of an answer's life before its end */

/* What the server said of some ports of an address; the members below the line change under readers. */
struct entry {
	uint32_t v4;
	struct port_range range;
	bool is_denied; /* nobody that we may know of; then only end_ms counts */
	uint8_t denials; /* lately, in a row */
	struct in6_addr v6;
	int64_t from_ms, until_ms; /* sent to directly */
	int64_t refresh_ms; /* asked about again, if it is in use */
	int64_t end_ms; /* forgotten, or asked about again */
	/* --- */
	_Atomic int64_t asked_ms;
	_Atomic int64_t sent_ms; /* the last packet */
	_Atomic int64_t silent_ms; /* the first packet that nothing has come back for */
	_Atomic uint32_t unanswered; /* packets since then */
	_Atomic int64_t shunned_ms; /* silent: through the TEP until then ... */
	_Atomic int64_t shun_ms; /* ... which was for so long */
	_Atomic int64_t lost_ms; /* said to be unreachable: through the TEP until then */
};

/* A question that the table says nothing of yet. */
struct asked {
	uint32_t v4;
	uint16_t port;
	int64_t at_ms;
};

struct cl_peers {
	_Atomic uint32_t n_prefixes;
	_Atomic uint64_t
		prefixes[CL_PEERS_PREFIXES_MAX]; /* a network in the upper half, its mask */

	pthread_rwlock_t lock; /* of the table */
	uint32_t n;
	struct entry entries[CL_PEERS_MAX]; /* by address and port; none overlap */

	_Atomic int64_t paused_ms[2]; /* for all questions, and for those about strangers */
	pthread_mutex_t questions_lock;
	uint32_t n_questions;
	struct cl_peers_question questions[CL_PEERS_QUESTIONS];
	struct asked asked[CL_PEERS_QUESTIONS];
	int fd;
};

struct cl_peers *cl_peers_create(void)
{
	struct cl_peers *peers = calloc(1, sizeof(*peers));
	pthread_rwlockattr_t attributes;
	int error;

	if (peers == NULL)
		return NULL;
	peers->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (peers->fd < 0) {
		error = errno;
		free(peers);
		errno = error;
		return NULL;
	}
	pthread_mutex_init(&peers->questions_lock, NULL);
	/* A flood of packets does not keep the news out. */
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&peers->lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	return peers;
}

void cl_peers_destroy(struct cl_peers *peers)
{
	if (peers == NULL)
		return;
	pthread_rwlock_destroy(&peers->lock);
	pthread_mutex_destroy(&peers->questions_lock);
	close(peers->fd);
	free(peers);
}

/* --- the table ----------------------------------------------------------------------------------- */

static bool is_before(const struct entry *entry, uint32_t v4, uint16_t port)
{
	return entry->v4 != v4 ? entry->v4 < v4 : entry->range.last < port;
}

/* The first entry that does not end before the port. */
static uint32_t lower_bound(const struct cl_peers *peers, uint32_t v4, uint16_t port)
{
	uint32_t low = 0, high = peers->n;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (is_before(&peers->entries[middle], v4, port))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct entry *find(struct cl_peers *peers, uint32_t v4, uint16_t port)
{
	uint32_t i = lower_bound(peers, v4, port);
	struct entry *entry = &peers->entries[i];

	if (i == peers->n || entry->v4 != v4 || entry->range.first > port)
		return NULL;
	return entry;
}

static void remove_at(struct cl_peers *peers, uint32_t i)
{
	peers->n--;
	memmove(&peers->entries[i], &peers->entries[i + 1],
		(peers->n - i) * sizeof(peers->entries[0]));
}

/* Which of two is the smaller loss: a denial, of two such the one that ends first. */
static bool is_lesser(const struct entry *a, const struct entry *b)
{
	if (a->is_denied != b->is_denied)
		return a->is_denied;
	return a->end_ms < b->end_ms;
}

static void make_room(struct cl_peers *peers, int64_t now_ms)
{
	uint32_t least = 0;

	if (peers->n < CL_PEERS_MAX)
		return;
	for (uint32_t i = peers->n; i-- > 0;) {
		if (peers->entries[i].end_ms <= now_ms)
			remove_at(peers, i);
	}
	if (peers->n < CL_PEERS_MAX)
		return;
	for (uint32_t i = 1; i < peers->n; i++) {
		if (is_lesser(&peers->entries[i], &peers->entries[least]))
			least = i;
	}
	remove_at(peers, least);
}

/* What was said before of any of these ports holds no more. */
static void remove_overlaps(struct cl_peers *peers, uint32_t v4, struct port_range range)
{
	uint32_t i = lower_bound(peers, v4, range.first);

	while (i < peers->n && peers->entries[i].v4 == v4 &&
		peers->entries[i].range.first <= range.last)
		remove_at(peers, i);
}

static void insert(struct cl_peers *peers, const struct entry *entry, int64_t now_ms)
{
	uint32_t i;

	remove_overlaps(peers, entry->v4, entry->range);
	make_room(peers, now_ms);
	i = lower_bound(peers, entry->v4, entry->range.first);
	memmove(&peers->entries[i + 1], &peers->entries[i],
		(peers->n - i) * sizeof(peers->entries[0]));
	peers->entries[i] = *entry;
	peers->n++;
}

/* --- questions ----------------------------------------------------------------------------------- */

/* Notes the question; false when it was asked just now. One that hashes alike makes it be asked again. */
static bool is_new(struct cl_peers *peers, const struct cl_peers_question *question, int64_t now_ms)
{
	struct asked
		*asked = &peers->asked[(question->v4 * 31 + question->port) % CL_PEERS_QUESTIONS];

	if (asked->v4 == question->v4 && asked->port == question->port &&
		now_ms < asked->at_ms + ASK_AGAIN_MS)
		return false;
	*asked = (struct asked){question->v4, question->port, now_ms};
	return true;
}

/* What does not fit is asked with a later packet. Strangers get half of the places. */
static void ask(struct cl_peers *peers, const struct cl_peers_question *question, int64_t now_ms)
{
	uint32_t places = question->is_stranger ? CL_PEERS_QUESTIONS / 2 : CL_PEERS_QUESTIONS;
	const uint64_t one = 1;
	bool is_first;

	if (now_ms < atomic_load_explicit(
			     &peers->paused_ms[question->is_stranger], memory_order_relaxed))
		return;
	pthread_mutex_lock(&peers->questions_lock);
	is_first = peers->n_questions == 0;
	if (peers->n_questions < places && is_new(peers, question, now_ms))
		peers->questions[peers->n_questions++] = *question;
	is_first = is_first && peers->n_questions > 0;
	pthread_mutex_unlock(&peers->questions_lock);
	/* A counter that is full is readable, too. */
	if (is_first && write(peers->fd, &one, sizeof(one)) < 0)
		return;
}

/* True when the entry leaves a question, which nobody has asked just now. */
static bool is_due(struct entry *entry, bool is_stranger, int64_t now_ms)
{
	int64_t asked_ms = atomic_load_explicit(&entry->asked_ms, memory_order_relaxed);
	int64_t due_ms = entry->is_denied ? entry->end_ms : entry->refresh_ms;

	if ((now_ms < due_ms && !is_stranger) || now_ms < asked_ms + ASK_AGAIN_MS)
		return false;
	return atomic_compare_exchange_strong(&entry->asked_ms, &asked_ms, now_ms);
}

/* --- data threads -------------------------------------------------------------------------------- */

static bool is_idle(const struct cl_peers *peers)
{
	return atomic_load_explicit(&peers->n_prefixes, memory_order_relaxed) == 0;
}

static bool is_covered(const struct cl_peers *peers, uint32_t v4)
{
	uint32_t n = atomic_load_explicit(&peers->n_prefixes, memory_order_acquire);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t prefix = atomic_load_explicit(&peers->prefixes[i], memory_order_relaxed);

		if ((v4 & (uint32_t)prefix) == prefix >> 32)
			return true;
	}
	return false;
}

static void shun(struct entry *entry, int64_t now_ms)
{
	int64_t shun_ms = atomic_load(&entry->shun_ms) * 2;

	if (shun_ms < CL_PEERS_SHUN_MIN_MS)
		shun_ms = CL_PEERS_SHUN_MIN_MS;
	if (shun_ms > CL_PEERS_SHUN_MAX_MS)
		shun_ms = CL_PEERS_SHUN_MAX_MS;
	atomic_store(&entry->shun_ms, shun_ms);
	atomic_store(&entry->shunned_ms, now_ms + shun_ms);
	atomic_store(&entry->unanswered, 0);
}

/* Counts a packet to the peer; false when too many have remained without an answer. */
static bool is_answering(struct entry *entry, int64_t now_ms)
{
	int64_t sent_ms = atomic_exchange_explicit(&entry->sent_ms, now_ms, memory_order_relaxed);

	if (now_ms - sent_ms > PAUSE_MS)
		atomic_store_explicit(&entry->unanswered, 0, memory_order_relaxed);
	if (atomic_fetch_add_explicit(&entry->unanswered, 1, memory_order_relaxed) == 0) {
		atomic_store_explicit(&entry->silent_ms, now_ms, memory_order_relaxed);
		return true;
	}
	return atomic_load_explicit(&entry->unanswered, memory_order_relaxed) <=
		       CL_PEERS_UNANSWERED ||
	       now_ms - atomic_load_explicit(&entry->silent_ms, memory_order_relaxed) <
		       CL_PEERS_SILENCE_MS;
}

static void hear(struct entry *entry)
{
	/* Cache lines that all threads share are written only when that changes something. */
	if (atomic_load_explicit(&entry->unanswered, memory_order_relaxed) != 0)
		atomic_store_explicit(&entry->unanswered, 0, memory_order_relaxed);
	if (atomic_load_explicit(&entry->shun_ms, memory_order_relaxed) != 0) {
		atomic_store_explicit(&entry->shun_ms, 0, memory_order_relaxed);
		atomic_store_explicit(&entry->shunned_ms, 0, memory_order_relaxed);
	}
}

static bool is_direct(struct entry *entry, int64_t now_ms)
{
	if (entry->is_denied || now_ms < entry->from_ms || now_ms >= entry->until_ms ||
		now_ms < atomic_load_explicit(&entry->shunned_ms, memory_order_relaxed) ||
		now_ms < atomic_load_explicit(&entry->lost_ms, memory_order_relaxed))
		return false;
	if (is_answering(entry, now_ms))
		return true;
	shun(entry, now_ms);
	return false;
}

/* A question about an end of which the table says entry, NULL: nothing. */
static void wonder(struct cl_peers *peers, struct entry *entry, const struct cl_far_end *end,
	bool is_stranger, int64_t now_ms)
{
	struct cl_peers_question question = {
		.v4 = end->v4, .port = end->port, .is_stranger = is_stranger};

	if (entry != NULL && !is_due(entry, is_stranger, now_ms))
		return;
	if (entry != NULL)
		question.denials = entry->denials;
	ask(peers, &question, now_ms);
}

bool cl_peers_out(struct cl_peers *peers, const uint8_t *packet, size_t len, int64_t now_ms,
	struct in6_addr *v6)
{
	struct cl_far_end end;
	struct entry *entry;
	bool direct;

	if (peers == NULL || is_idle(peers) || !cl_far_end_of(packet, len, CL_OUT, &end) ||
		!is_covered(peers, end.v4))
		return false;
	pthread_rwlock_rdlock(&peers->lock);
	entry = find(peers, end.v4, end.port);
	wonder(peers, entry, &end, false, now_ms);
	direct = entry != NULL && is_direct(entry, now_ms);
	if (direct)
		*v6 = entry->v6;
	pthread_rwlock_unlock(&peers->lock);
	return direct;
}

bool cl_peers_in(struct cl_peers *peers, bool from_tep, const struct in6_addr *outer_src,
	const uint8_t *packet, size_t len, int64_t now_ms)
{
	struct cl_far_end end;
	struct entry *entry;
	bool is_known;

	if (peers == NULL || is_idle(peers) || !cl_far_end_of(packet, len, CL_IN, &end) ||
		!is_covered(peers, end.v4))
		return from_tep;
	pthread_rwlock_rdlock(&peers->lock);
	entry = find(peers, end.v4, end.port);
	is_known = entry != NULL && !entry->is_denied && now_ms < entry->end_ms &&
		   addr_v6_equal(&entry->v6, outer_src);
	if (is_known)
		hear(entry);
	wonder(peers, entry, &end, !from_tep && !is_known, now_ms);
	pthread_rwlock_unlock(&peers->lock);
	return from_tep || is_known;
}

void cl_peers_lost(struct cl_peers *peers, const struct in6_addr *v6, int64_t now_ms)
{
	if (peers == NULL)
		return;
	pthread_rwlock_rdlock(&peers->lock);
	for (uint32_t i = 0; i < peers->n; i++) {
		struct entry *entry = &peers->entries[i];

		if (!entry->is_denied && addr_v6_equal(&entry->v6, v6))
			atomic_store(&entry->lost_ms, now_ms + CL_PEERS_LOST_MS);
	}
	pthread_rwlock_unlock(&peers->lock);
}

/* --- the thread that learns ---------------------------------------------------------------------- */

void cl_peers_cover(struct cl_peers *peers, const struct addr_v4_prefix *prefixes, uint32_t n)
{
	if (n > CL_PEERS_PREFIXES_MAX)
		n = CL_PEERS_PREFIXES_MAX;
	atomic_store(&peers->n_prefixes, 0);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t mask = prefixes[i].len > 0 ? UINT32_MAX << (32 - prefixes[i].len) : 0;

		atomic_store(&peers->prefixes[i], (uint64_t)prefixes[i].addr << 32 | mask);
	}
	atomic_store_explicit(&peers->n_prefixes, n, memory_order_release);
}

int cl_peers_fd(const struct cl_peers *peers)
{
	return peers->fd;
}

uint32_t cl_peers_take(
	struct cl_peers *peers, struct cl_peers_question questions[static CL_PEERS_QUESTIONS])
{
	uint64_t count;
	uint32_t n;

	if (read(peers->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return 0;
	pthread_mutex_lock(&peers->questions_lock);
	n = peers->n_questions;
	memcpy(questions, peers->questions, n * sizeof(*questions));
	peers->n_questions = 0;
	pthread_mutex_unlock(&peers->questions_lock);
	return n;
}

void cl_peers_pause(struct cl_peers *peers, bool only_strangers, int64_t until_ms)
{
	atomic_store(&peers->paused_ms[true], until_ms);
	if (!only_strangers)
		atomic_store(&peers->paused_ms[false], until_ms);
}

/* What was found out about the same peer goes on. */
static void inherit(struct entry *entry, const struct entry *before)
{
	entry->from_ms = before->from_ms;
	entry->sent_ms = before->sent_ms;
	entry->silent_ms = before->silent_ms;
	entry->unanswered = before->unanswered;
	entry->shunned_ms = before->shunned_ms;
	entry->shun_ms = before->shun_ms;
	entry->lost_ms = before->lost_ms;
}

void cl_peers_learn(struct cl_peers *peers, const struct lease *holder, int64_t now_ms)
{
	int64_t life_ms = holder->end_ms - now_ms;

	pthread_rwlock_wrlock(&peers->lock);
	for (uint32_t i = 0; i < holder->n_ranges && life_ms > 0; i++) {
		const struct entry *before = find(peers, holder->v4, holder->ranges[i].first);
		struct entry entry = {
			.v4 = holder->v4,
			.range = holder->ranges[i],
			.v6 = holder->client_v6,
			.from_ms = now_ms + CL_PEERS_SETTLE_MS,
			.until_ms = holder->end_ms - life_ms / LEAD_DIVISOR,
			.refresh_ms = now_ms + life_ms / 2,
			.end_ms = holder->end_ms,
		};

		if (before != NULL && !before->is_denied && addr_v6_equal(&before->v6, &entry.v6) &&
			now_ms < before->end_ms)
			inherit(&entry, before);
		insert(peers, &entry, now_ms);
	}
	pthread_rwlock_unlock(&peers->lock);
}

/* Nothing more is sent to a holder; what it was said to have it has until its end. */
static void stop_sending(struct cl_peers *peers, const struct entry *refused, int64_t again_ms)
{
	struct in6_addr v6 = refused->v6;
	uint32_t v4 = refused->v4;

	for (uint32_t i = 0; i < peers->n; i++) {
		struct entry *entry = &peers->entries[i];

		if (entry->is_denied || entry->v4 != v4 || !addr_v6_equal(&entry->v6, &v6))
			continue;
		entry->until_ms = 0;
		entry->refresh_ms = again_ms;
		if (entry->denials < UINT8_MAX)
			entry->denials++;
	}
}

void cl_peers_deny(
	struct cl_peers *peers, uint32_t v4, uint16_t port, int64_t until_ms, int64_t now_ms)
{
	struct entry denial = {
		.v4 = v4, .range = {port, port}, .is_denied = true, .end_ms = until_ms};
	const struct entry *before;

	pthread_rwlock_wrlock(&peers->lock);
	before = find(peers, v4, port);
	if (before != NULL && !before->is_denied && now_ms < before->end_ms) {
		stop_sending(peers, before, until_ms);
	} else {
		if (before != NULL && before->is_denied)
			denial.denials = before->denials;
		if (denial.denials < UINT8_MAX)
			denial.denials++;
		insert(peers, &denial, now_ms);
	}
	pthread_rwlock_unlock(&peers->lock);
}

void cl_peers_forget(struct cl_peers *peers)
{
	struct cl_peers_question forgotten[CL_PEERS_QUESTIONS];

	pthread_rwlock_wrlock(&peers->lock);
	peers->n = 0;
	pthread_rwlock_unlock(&peers->lock);
	cl_peers_take(peers, forgotten);
	pthread_mutex_lock(&peers->questions_lock);
	memset(peers->asked, 0, sizeof(peers->asked));
	pthread_mutex_unlock(&peers->questions_lock);
	cl_peers_pause(peers, false, 0);
}

uint32_t cl_peers_count(struct cl_peers *peers)
{
	uint32_t n = 0;

	pthread_rwlock_rdlock(&peers->lock);
	for (uint32_t i = 0; i < peers->n; i++)
		n += !peers->entries[i].is_denied;
	pthread_rwlock_unlock(&peers->lock);
	return n;
}
