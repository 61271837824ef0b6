// SPDX-License-Identifier: BSD-3-Clause
#include "control/questions.h"

#include "control/fair_rate.h"

#include <rte_random.h>

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define BUCKETS 1024 /* by address */
#define LANES   4096 /* of each side, by the hash of the prefix that packets come from ... */
#define STEADY \
	32 /* ... which stays so many times longer than a worker's: in a new lane its share would be a new one */

/*
 * Waiting: in its bucket, with packets; not sent yet: in its lane. Sent: in its server's list, which has the order of the answers; there it
 * stays when its packets have gone, for its answer will come all the same.
 */
struct question {
	struct dp_binding_key key;
	struct lane *lane;
	int64_t since_ms;
	uint32_t server; /* that was asked last */
	uint32_t asked; /* bit 1 << server: those that have been */
	bool waits;
	bool is_sent;
	uint32_t n;
	LIST_ENTRY(question) in_bucket;
	TAILQ_ENTRY(question) in_age; /* of all that wait */
	TAILQ_ENTRY(question) in_turn; /* of its lane's unsent ones, or its server's sent ones */
	struct dp_question packets[]; /* room for hold_per_question */
};
LIST_HEAD(bucket, question);
TAILQ_HEAD(question_list, question);

/* What packets from one hashed prefix wait for. */
struct lane {
	uint32_t n_packets;
	bool is_active; /* it has unsent questions, and its turn comes */
	struct question_list unsent;
	TAILQ_ENTRY(lane) in_turn;
};
TAILQ_HEAD(lane_list, lane);

struct tep_questions {
	struct tep_questions_params params;
	uint64_t seed;
	struct tep_fair_rate rate;
	uint32_t n_packets;
	uint32_t n_by_side[TEP_FAIR_SIDES]; /* of them */
	uint32_t n_sent[TEP_QUESTIONS_SERVERS_MAX];
	struct question_list sent[TEP_QUESTIONS_SERVERS_MAX];
	struct question_list by_age;
	struct bucket buckets[BUCKETS];
	struct lane lanes[TEP_FAIR_SIDES][LANES];
	struct lane_list active[TEP_FAIR_SIDES];
	uint64_t counters[TEP_QUESTION_N_COUNTERS];
};

const struct tep_counter_info tep_question_counter_info[TEP_QUESTION_N_COUNTERS] = {
#define X(id, drop, name, text) {drop, name, text},
	TEP_QUESTION_COUNTERS(X)
#undef X
};

static struct bucket *bucket_of(struct tep_questions *questions, uint32_t v4)
{
	return &questions->buckets[dp_ask_hash(v4, questions->seed, 0) % BUCKETS];
}

static struct lane *lane_of(
	struct tep_questions *questions, const struct dp_question *packet, int64_t now_ms)
{
	uint32_t hash = dp_ask_hash(packet->asker, questions->seed, (uint64_t)now_ms / STEADY);

	return &questions->lanes[packet->from_v6][hash % LANES];
}

static uint32_t side_of(const struct tep_questions *questions, const struct lane *lane)
{
	return lane >= questions->lanes[1];
}

static struct question *find(struct tep_questions *questions, const struct dp_binding_key *key)
{
	struct question *question;

	LIST_FOREACH(question, bucket_of(questions, key->v4), in_bucket)
		if (question->key.v4 == key->v4 && question->key.port == key->port &&
			question->key.has_port == key->has_port)
			return question;
	return NULL;
}

/* --- life of a question ------------------------------------------------------------------------------- */

static void begin_turn(struct tep_questions *questions, struct question *question)
{
	struct lane *lane = question->lane;

	TAILQ_INSERT_TAIL(&lane->unsent, question, in_turn);
	if (lane->is_active)
		return;
	lane->is_active = true;
	TAILQ_INSERT_TAIL(&questions->active[side_of(questions, lane)], lane, in_turn);
}

static void end_turn(struct tep_questions *questions, struct question *question)
{
	struct lane *lane = question->lane;

	TAILQ_REMOVE(&lane->unsent, question, in_turn);
	if (!TAILQ_EMPTY(&lane->unsent))
		return;
	lane->is_active = false;
	TAILQ_REMOVE(&questions->active[side_of(questions, lane)], lane, in_turn);
}

static struct question *begin(
	struct tep_questions *questions, const struct dp_question *packet, int64_t now_ms)
{
	struct question *question = calloc(
		1, sizeof(*question) +
			   questions->params.hold_per_question * sizeof(question->packets[0]));

	if (question == NULL)
		return NULL;
	question->key = packet->key;
	question->lane = lane_of(questions, packet, now_ms);
	question->since_ms = now_ms;
	question->waits = true;
	LIST_INSERT_HEAD(bucket_of(questions, packet->key.v4), question, in_bucket);
	TAILQ_INSERT_TAIL(&questions->by_age, question, in_age);
	begin_turn(questions, question);
	return question;
}

/* Nothing waits for it any more; if its answer is still to come, it stays for that. Its packets are gone already. */
static void end(struct tep_questions *questions, struct question *question)
{
	if (question->waits) {
		LIST_REMOVE(question, in_bucket);
		TAILQ_REMOVE(&questions->by_age, question, in_age);
		question->waits = false;
	}
	if (question->is_sent)
		return;
	end_turn(questions, question);
	free(question);
}

static void count_packets(struct tep_questions *questions, struct question *question, int32_t more)
{
	question->n += more;
	question->lane->n_packets += more;
	questions->n_by_side[side_of(questions, question->lane)] += more;
	questions->n_packets += more;
}

static void drop_packets(struct tep_questions *questions, struct question *question,
	enum tep_question_counter counter)
{
	for (uint32_t i = 0; i < question->n; i++)
		rte_pktmbuf_free(question->packets[i].m);
	questions->counters[counter] += question->n;
	count_packets(questions, question, -(int32_t)question->n);
}

static void give_back(struct tep_questions *questions, const struct dp_question *packet)
{
	if (questions->params.ops->give_back(questions->params.arg, packet)) {
		questions->counters[TEP_QUESTION_RELEASED]++;
		return;
	}
	questions->counters[TEP_QUESTION_BACK_FULL]++;
	rte_pktmbuf_free(packet->m);
}

/* In the order in which they came. */
static void give_all_back(struct tep_questions *questions, struct question *question)
{
	for (uint32_t i = 0; i < question->n; i++)
		give_back(questions, &question->packets[i]);
	count_packets(questions, question, -(int32_t)question->n);
}

/* --- packets ------------------------------------------------------------------------------------------ */

/* Of those with questions that have not been sent: what a server is asked about is worth its place. */
static struct lane *fullest(struct tep_questions *questions, uint32_t side)
{
	struct lane *lane, *fullest = TAILQ_FIRST(&questions->active[side]);

	TAILQ_FOREACH(lane, &questions->active[side], in_turn)
		if (lane->n_packets > fullest->n_packets)
			fullest = lane;
	return fullest;
}

/*
 * There is no room. A side that has less than its half gets it from the other; within a side who has the most gives, but
 * not to one who would have as many then. False: the newcomer has to go.
 */
static bool make_room(
	struct tep_questions *questions, const struct dp_question *packet, int64_t now_ms)
{
	uint32_t side = packet->from_v6;
	const struct lane *lane = lane_of(questions, packet, now_ms);
	bool is_poor = questions->n_by_side[side] < questions->params.hold_packets / 2;
	struct lane *victim = fullest(questions, is_poor ? !side : side);
	struct question *newest;

	if (victim == NULL || (!is_poor && victim->n_packets <= lane->n_packets + 1))
		return false;
	newest = TAILQ_LAST(&victim->unsent, question_list);
	rte_pktmbuf_free(newest->packets[newest->n - 1].m);
	count_packets(questions, newest, -1);
	questions->counters[TEP_QUESTION_HOLD_FULL]++;
	if (newest->n == 0)
		end(questions, newest);
	return true;
}

static void refuse(struct tep_questions *questions, const struct dp_question *packet,
	enum tep_question_counter counter)
{
	questions->counters[counter]++;
	rte_pktmbuf_free(packet->m);
}

/* The server to ask next; n_servers: there is none. */
static uint32_t next_server(const struct tep_questions *questions, uint32_t asked)
{
	const struct tep_questions_params *params = &questions->params;
	uint32_t server = 0;

	while (server < params->n_servers &&
		((asked >> server & 1) != 0 || !params->ops->is_connected(params->arg, server)))
		server++;
	return server;
}

void tep_questions_add(
	struct tep_questions *questions, const struct dp_question *packet, int64_t now_ms)
{
	const struct tep_questions_params *params = &questions->params;
	struct question *question = find(questions, &packet->key);

	if (question == NULL && next_server(questions, 0) == params->n_servers)
		return refuse(questions, packet, TEP_QUESTION_NO_SERVER);
	if (question != NULL && question->n == params->hold_per_question)
		return refuse(questions, packet, TEP_QUESTION_HOLD_FULL);
	if (questions->n_packets == params->hold_packets) {
		if (!make_room(questions, packet, now_ms))
			return refuse(questions, packet, TEP_QUESTION_HOLD_FULL);
		question = find(questions, &packet->key);
	}
	if (question == NULL)
		question = begin(questions, packet, now_ms);
	if (question == NULL)
		return refuse(questions, packet, TEP_QUESTION_HOLD_FULL);
	question->packets[question->n] = *packet;
	count_packets(questions, question, 1);
	questions->counters[TEP_QUESTION_HELD]++;
}

/* --- time --------------------------------------------------------------------------------------------- */

/* False: nobody can take it now. */
static bool send_question(struct tep_questions *questions, struct question *question)
{
	const struct tep_questions_params *params = &questions->params;
	uint32_t server = next_server(questions, question->asked);

	if (server == params->n_servers) { /* there was one when it came */
		drop_packets(questions, question, TEP_QUESTION_NO_SERVER);
		end(questions, question);
		return true;
	}
	if (questions->n_sent[server] == TEP_QUESTIONS_SENT_MAX ||
		!params->ops->send(params->arg, server, &question->key))
		return false;
	end_turn(questions, question);
	question->server = server;
	question->asked |= UINT32_C(1) << server;
	question->is_sent = true;
	TAILQ_INSERT_TAIL(&questions->sent[server], question, in_turn);
	questions->n_sent[server]++;
	questions->counters[TEP_QUESTION_SENT]++;
	return true;
}

/* One question of the lane whose turn it is. False: this side has none, or it cannot be sent. */
static bool send_one(struct tep_questions *questions, uint32_t side)
{
	struct lane *lane = TAILQ_FIRST(&questions->active[side]);

	if (lane == NULL || !send_question(questions, TAILQ_FIRST(&lane->unsent)))
		return false;
	if (lane->is_active) { /* it has more */
		TAILQ_REMOVE(&questions->active[side], lane, in_turn);
		TAILQ_INSERT_TAIL(&questions->active[side], lane, in_turn);
	}
	return true;
}

static void expire(struct tep_questions *questions, int64_t now_ms)
{
	struct question *oldest;

	while ((oldest = TAILQ_FIRST(&questions->by_age)) != NULL &&
		now_ms - oldest->since_ms >= questions->params.hold_ms) {
		drop_packets(questions, oldest, TEP_QUESTION_TIMED_OUT);
		if (oldest->is_sent)
			questions->counters[TEP_QUESTION_LOST]++;
		end(questions, oldest);
	}
}

void tep_questions_pass(struct tep_questions *questions, const struct dp_question *packet,
	enum tep_question_counter counter)
{
	questions->counters[counter]++;
	give_back(questions, packet);
}

bool tep_questions_turn(struct tep_questions *questions, int64_t now_ms)
{
	expire(questions, now_ms);
	tep_fair_rate_fill(&questions->rate, now_ms);
	for (uint32_t side = 0; side < TEP_FAIR_SIDES; side++) {
		while (tep_fair_rate_has(&questions->rate, side) && send_one(questions, side))
			tep_fair_rate_take(&questions->rate, side);
	}
	return !TAILQ_EMPTY(&questions->by_age);
}

/* --- answers ------------------------------------------------------------------------------------------ */

static struct question *take_sent(struct tep_questions *questions, uint32_t server)
{
	struct question *question = TAILQ_FIRST(&questions->sent[server]);

	if (question == NULL)
		return NULL;
	TAILQ_REMOVE(&questions->sent[server], question, in_turn);
	questions->n_sent[server]--;
	question->is_sent = false;
	/* Neither sent nor done with, it is where end() expects it. */
	TAILQ_INSERT_HEAD(&question->lane->unsent, question, in_turn);
	if (!question->lane->is_active) {
		question->lane->is_active = true;
		TAILQ_INSERT_HEAD(&questions->active[side_of(questions, question->lane)],
			question->lane, in_turn);
	}
	return question;
}

const struct dp_binding_key *tep_questions_next(
	const struct tep_questions *questions, uint32_t server)
{
	const struct question *question = TAILQ_FIRST(&questions->sent[server]);

	return question != NULL ? &question->key : NULL;
}

/* Nobody, says one server: another may have other pools. */
static void on_nobody(struct tep_questions *questions, struct question *question)
{
	const struct tep_questions_params *params = &questions->params;

	if (question->waits && next_server(questions, question->asked) != params->n_servers)
		return;
	params->ops->remember(params->arg, &question->key);
	give_all_back(questions, question);
	end(questions, question);
}

void tep_questions_answered(
	struct tep_questions *questions, uint32_t server, enum tep_answer answer, int64_t now_ms)
{
	static const enum tep_question_counter counters[] = {
		[TEP_ANSWER_HOLDER] = TEP_QUESTION_HOLDER,
		[TEP_ANSWER_NOBODY] = TEP_QUESTION_NOBODY,
		[TEP_ANSWER_BUSY] = TEP_QUESTION_BUSY,
		[TEP_ANSWER_UNUSABLE] = TEP_QUESTION_UNUSABLE,
	};
	struct question *question = take_sent(questions, server);

	if (question == NULL)
		return;
	questions->counters[counters[answer]]++;
	if (answer == TEP_ANSWER_NOBODY) {
		on_nobody(questions, question);
	} else {
		if (answer == TEP_ANSWER_UNUSABLE)
			questions->params.ops->remember(questions->params.arg, &question->key);
		if (answer == TEP_ANSWER_HOLDER)
			give_all_back(questions, question);
		else
			drop_packets(questions, question, TEP_QUESTION_REFUSED);
		end(questions, question);
	}
	tep_questions_turn(questions, now_ms);
}

void tep_questions_lost(struct tep_questions *questions, uint32_t server, int64_t now_ms)
{
	struct question *question;

	while ((question = take_sent(questions, server)) != NULL) {
		questions->counters[TEP_QUESTION_LOST]++;
		question->asked &= ~(
			UINT32_C(1) << server); /* it may be asked again in a new session */
		if (!question->waits)
			end(questions, question);
	}
	tep_questions_turn(questions, now_ms);
}

void tep_questions_release(struct tep_questions *questions, uint32_t v4, struct port_range ports)
{
	struct question *question, *next;

	if (questions->n_packets == 0)
		return;
	for (question = LIST_FIRST(bucket_of(questions, v4)); question != NULL; question = next) {
		next = LIST_NEXT(question, in_bucket);
		if (question->key.v4 != v4 ||
			!(question->key.has_port ? port_range_contains(ports, question->key.port)
						 : port_range_is_exclusive(ports)))
			continue;
		give_all_back(questions, question);
		end(questions, question);
	}
}

uint32_t tep_questions_n_packets(const struct tep_questions *questions)
{
	return questions->n_packets;
}

uint64_t tep_questions_counter(
	const struct tep_questions *questions, enum tep_question_counter counter)
{
	return questions->counters[counter];
}

/* --- set-up ------------------------------------------------------------------------------------------- */

struct tep_questions *tep_questions_create(const struct tep_questions_params *params)
{
	struct tep_questions *questions = calloc(1, sizeof(*questions));

	if (questions == NULL)
		return NULL;
	questions->params = *params;
	questions->seed = rte_rand();
	tep_fair_rate_init(&questions->rate, params->rate);
	TAILQ_INIT(&questions->by_age);
	for (uint32_t i = 0; i < TEP_QUESTIONS_SERVERS_MAX; i++)
		TAILQ_INIT(&questions->sent[i]);
	for (uint32_t side = 0; side < TEP_FAIR_SIDES; side++) {
		TAILQ_INIT(&questions->active[side]);
		for (uint32_t i = 0; i < LANES; i++)
			TAILQ_INIT(&questions->lanes[side][i].unsent);
	}
	return questions;
}

void tep_questions_destroy(struct tep_questions *questions)
{
	struct question *question;

	if (questions == NULL)
		return;
	for (uint32_t i = 0; i < TEP_QUESTIONS_SERVERS_MAX; i++)
		while ((question = take_sent(questions, i)) != NULL)
			if (!question->waits)
				end(questions, question);
	while ((question = TAILQ_FIRST(&questions->by_age)) != NULL) {
		drop_packets(questions, question, TEP_QUESTION_TIMED_OUT);
		end(questions, question);
	}
	free(questions);
}
