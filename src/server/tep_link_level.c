// SPDX-License-Identifier: BSD-3-Clause
/*
 * How a TEP gets level after its session has begun, and how it is seen that it stays so. What to ask and list is
 * tep_level's, what to make of it tep_compare's; here is what they need of the session.
 */
#include "server/tep_link_impl.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>

static const struct digest *our_digest(const struct srv_tep_link *link)
{
	return link->params.ops->digest(link->params.arg, link->params.tep);
}

/* Those who look at the TEP shall see what we think of it. */
static void add_our_word(const struct srv_tep_link *link, struct srv_tep_request *request)
{
	const struct digest *ours = our_digest(link);

	if (request->node.depth > 0 || ours == NULL)
		return;
	request->digest = digest_root(ours);
	request->differs_s = srv_tep_compare_differs_s(&link->compare, clock_boot_ms());
}

static bool next_of_list(struct srv_tep_link *link, struct srv_tep_request *request)
{
	struct srv_tep_level *level = &link->level;

	switch (link->params.ops->next_lease(link->params.arg, link->params.tep,
		level->is_whole ? NULL : &level->listed, &level->cursor, &request->lease)) {
	case SRV_TEP_LIST_LEASE:
		level->n_leases++;
		return true;
	case SRV_TEP_LIST_PAUSE:
		srv_tep_link_set_timer(link->more, 0);
		return false;
	case SRV_TEP_LIST_END:
		break;
	}
	srv_tep_level_list_ends(level);
	return srv_tep_level_next(level, request) == SRV_LEVEL_REQUEST;
}

struct srv_tep_request *srv_tep_link_next_of_level(struct srv_tep_link *link)
{
	struct srv_tep_request *request;
	bool is_one = false;

	if (link->level.step == SRV_LEVEL_IDLE)
		return NULL;
	request = srv_tep_link_new_request(link, SRV_TEP_LEVEL, NULL, NULL);
	if (request == NULL)
		return NULL;
	switch (srv_tep_level_next(&link->level, request)) {
	case SRV_LEVEL_REQUEST:
		add_our_word(link, request);
		is_one = true;
		break;
	case SRV_LEVEL_LEASE:
		is_one = next_of_list(link, request);
		break;
	case SRV_LEVEL_NOTHING:
		break;
	}
	if (is_one)
		return request;
	free(request);
	return NULL;
}

void srv_tep_link_begin_levelling(struct srv_tep_link *link)
{
	link->again = false;
	evtimer_del(link->look);
	srv_tep_link_set_state(link, SRV_TEP_SYNCING);
	srv_tep_level_walk(&link->level, true);
	srv_tep_link_pump(link);
}

/* The next look, where there is something to be seen. */
static void look_later(struct srv_tep_link *link, int64_t delay_ms)
{
	if (link->again)
		srv_tep_link_begin_levelling(link);
	else if (link->level.knows_digests && link->params.compare_s > 0)
		srv_tep_link_set_timer(link->look, delay_ms);
}

static void become_level(struct srv_tep_link *link)
{
	const struct srv_tep_level *level = &link->level;
	uint32_t n_listed = level->is_whole ? DIGEST_LEAVES : srv_leaves_count(&level->listed);

	link->attempts = 0;
	link->last_error[0] = '\0';
	srv_tep_link_set_state(link, SRV_TEP_CONNECTED);
	log_info("TEP %s: connected and level, %u of %u parts of the table were listed, %u leases",
		link->params.name, n_listed, DIGEST_LEAVES, level->n_leases);
	if (!level->is_whole)
		srv_tep_link_count(link, SRV_COUNT_TEP_BY_DIGEST);
	srv_tep_compare_begin(&link->compare, level, clock_boot_ms());
	link->params.ops->changed(link->params.arg, link->params.tep, SRV_TEP_CONNECTED);
	look_later(link, SRV_COMPARE_AGAIN_MS);
}

/* --- comparing ----------------------------------------------------------------------------------- */

void srv_tep_link_look(evutil_socket_t fd, short what, void *arg)
{
	struct srv_tep_link *link = arg;

	srv_tep_level_walk(&link->level, false);
	srv_tep_link_pump(link);
}

static void mend(struct srv_tep_link *link, const struct srv_leaves *leaves)
{
	uint32_t n = srv_leaves_count(leaves);

	log_warn("TEP %s: %u of %u parts of its table have not been ours for %u s, and are listed "
		 "anew",
		link->params.name, n, DIGEST_LEAVES,
		srv_tep_compare_differs_s(&link->compare, clock_boot_ms()));
	link->params.counters->n[SRV_COUNT_TEP_MENDED] += n;
	srv_tep_level_list(&link->level, leaves);
}

static void look_is_over(struct srv_tep_link *link)
{
	bool differed = link->compare.differs_since_ms != 0;
	struct srv_leaves leaves;
	enum srv_compare_verdict verdict = srv_tep_compare_look(
		&link->compare, &link->level, clock_boot_ms(), &leaves);

	srv_tep_link_count(link, SRV_COUNT_TEP_COMPARED);
	if (verdict == SRV_COMPARE_EQUAL && differed)
		log_info("TEP %s: its table is ours again", link->params.name);
	if (!differed && link->compare.differs_since_ms != 0)
		srv_tep_link_count(link, SRV_COUNT_TEP_DIVERGED);
	if (verdict == SRV_COMPARE_MEND)
		return mend(link, &leaves);
	link->level.step = SRV_LEVEL_IDLE;
	look_later(link, verdict == SRV_COMPARE_EQUAL ? (int64_t)link->params.compare_s * 1000
						      : SRV_COMPARE_AGAIN_MS);
}

/* What differs is listed, or everything where that is most of it. */
static void levelling_walked(struct srv_tep_link *link)
{
	struct srv_leaves differing = link->level.differing;
	uint32_t n = srv_leaves_count(&differing);

	if (n == 0)
		srv_tep_level_close(&link->level);
	else
		srv_tep_level_list(&link->level, n <= DIGEST_LEAVES / 2 ? &differing : NULL);
}

static void level_event(struct srv_tep_link *link, enum srv_level_event event)
{
	bool is_new = link->level.is_new;

	switch (event) {
	case SRV_LEVEL_GOES_ON:
		break;
	case SRV_LEVEL_WALKED:
		if (is_new)
			levelling_walked(link);
		else
			look_is_over(link);
		break;
	case SRV_LEVEL_UNKNOWN:
		if (!is_new)
			return srv_tep_link_hang_up(link, "it tells no digests any more");
		srv_tep_level_list(&link->level, NULL);
		break;
	case SRV_LEVEL_LISTED:
		if (is_new && !link->level.is_whole)
			srv_tep_level_close(&link->level);
		else if (is_new)
			become_level(link);
		else
			look_later(link, SRV_COMPARE_AGAIN_MS);
		break;
	case SRV_LEVEL_CLOSED:
		become_level(link);
		break;
	}
}

void srv_tep_link_level_answered(
	struct srv_tep_link *link, const struct srv_tep_request *request, const struct tsp_msg *msg)
{
	struct srv_leaves busy = {0};

	if (request->node.depth == DIGEST_DEPTH - 1) {
		srv_tep_requests_leaves(&link->sent, &busy);
		srv_tep_requests_leaves(&link->unsent, &busy);
		link->params.ops->unsettled(link->params.arg, &busy);
	}
	level_event(
		link, srv_tep_level_answered(&link->level, request, msg, our_digest(link), &busy));
}

void srv_tep_link_level(struct srv_tep_link *link)
{
	if (link->state == SRV_TEP_CONNECTED && link->level.step == SRV_LEVEL_IDLE)
		srv_tep_link_begin_levelling(link);
	else if (link->state != SRV_TEP_DOWN)
		link->again = true;
}

void srv_tep_link_set_compare_s(struct srv_tep_link *link, uint32_t compare_s)
{
	link->params.compare_s = compare_s;
	if (link->state == SRV_TEP_CONNECTED && link->level.step == SRV_LEVEL_IDLE)
		look_later(link, (int64_t)compare_s * 1000);
}
