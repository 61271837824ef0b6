// SPDX-License-Identifier: BSD-3-Clause
#include "fleet_model.h"

#include "common/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint64_t dice;

void model_set_seed(uint64_t seed)
{
	dice = seed;
}

uint32_t model_roll(uint32_t sides)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(dice >> 33) % sides;
}

/* The pool's lots and the keys of the tables come from the seed as well. */
uint32_t arc4random(void)
{
	return model_roll(UINT32_MAX);
}

uint32_t arc4random_uniform(uint32_t sides)
{
	return model_roll(sides);
}

void arc4random_buf(void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = model_roll(256);
}

/* --- TEPs ---------------------------------------------------------------------------------------- */

void model_place(struct model *model, struct tep *tep, const struct lease *lease)
{
	for (uint32_t i = 0; i < lease->n_ranges; i++)
		tep->table[lease->ranges[i].first / UNIT_PORTS] = (struct binding){.stands = true,
			.client_v6 = lease->client_v6,
			.tep_v6 = lease->tep_v6,
			.end_ms = lease->end_ms,
			.serial = tep->serial};
}

static void delete (struct tep *tep, const struct lease *lease)
{
	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		struct binding *binding = &tep->table[lease->ranges[i].first / UNIT_PORTS];

		if (addr_v6_equal(&binding->client_v6, &lease->client_v6))
			binding->stands = false;
	}
}

/* The TEP carries out the next request that it has not. */
void model_carry_out(struct model *model, struct tep *tep)
{
	struct request *request = &tep->queue[tep->n_done];

	tep->n_done++;
	switch (request->kind) {
	case CREATE:
	case LEVEL:
		request->is_refused = request->job != NULL && !model->is_calm &&
				      model_roll(100) < SILENT;
		if (!request->is_refused)
			model_place(model, tep, &request->lease);
		return;
	case DELETE:
		return delete (tep, &request->lease);
	case BEGIN:
		tep->serial++;
		return;
	case END:
		for (uint32_t i = 0; i < UNITS; i++)
			tep->table[i].stands &= tep->table[i].serial == tep->serial;
		return;
	}
}

static void add_request(struct model *model, struct tep *tep, enum kind kind,
	const struct lease *lease, struct srv_job *job)
{
	struct request *request = &tep->queue[tep->n];

	assert_true(tep->n < QUEUE_MAX);
	*request = (struct request){
		.kind = kind, .job = job, .deadline_ms = model->now_ms + TIMEOUT_MS};
	if (lease != NULL)
		request->lease = *lease;
	if (tep->n++ == 0)
		tep->head_ms = model->now_ms;
}

static void tell(struct model *model, uint32_t tep, struct srv_job *job, enum srv_tep_result result,
	const struct lease *lease)
{
	struct tsp_msg info = {.status = TSP_STATUS_OK,
		.action = TSP_ACTION_INFO,
		.server = {.present = true, .n_v6 = 1, .v6 = {lease->tep_v6}}};

	srv_engine_tep_answered(model->engine, job, tep, result,
		result == SRV_TEP_DONE ? &info : NULL, model->now_ms);
}

/* It comes before what waits from an earlier session; within a session, behind the last answer. */
void model_begin_list(struct model *model, struct tep *tep)
{
	tep->state = SRV_TEP_SYNCING;
	tep->listing = true;
	tep->again = false;
	tep->cursor = 0;
	tep->head_ms = model->now_ms;
	memmove(tep->queue + 1, tep->queue, tep->n++ * sizeof(tep->queue[0]));
	tep->queue[0] = (struct request){.kind = BEGIN};
}

/* The server hears the first answer. */
void model_hear(struct model *model, uint32_t number)
{
	struct tep *tep = &model->teps[number];
	struct request request = tep->queue[0];

	memmove(tep->queue, tep->queue + 1, --tep->n * sizeof(request));
	tep->n_done--;
	tep->head_ms = model->now_ms;
	if (request.job != NULL)
		tell(model, number, request.job,
			request.is_refused ? SRV_TEP_REFUSED : SRV_TEP_DONE, &request.lease);
	else if (request.is_refused)
		srv_engine_copy_refused(model->engine, number, &request.lease);
	if (request.kind == END) {
		tep->state = SRV_TEP_CONNECTED;
		srv_engine_tep_changed(model->engine, number, SRV_TEP_CONNECTED);
	}
}

void model_list_again(struct model *model, struct tep *tep)
{
	if (tep->again && tep->state == SRV_TEP_CONNECTED && tep->n == 0)
		model_begin_list(model, tep);
}

/* One lease of the list, or its end; requests go first. */
void model_list(struct model *model, uint32_t number)
{
	const struct srv_lease_db *db = srv_engine_leases(model->engine);
	struct tep *tep = &model->teps[number];

	while (tep->cursor < srv_lease_db_slots(db)) {
		const struct srv_lease *lease = srv_lease_db_at(db, tep->cursor++);

		if (lease == NULL || lease->state != SRV_LEASE_ACTIVE ||
			!srv_lease_is_at(lease, number))
			continue;
		return add_request(model, tep, LEVEL, srv_engine_announced(lease, number), NULL);
	}
	tep->listing = false;
	add_request(model, tep, END, NULL, NULL);
}

/* What of the queue was carried out is by lot; who waits for a create goes on waiting. */
void model_lose_session(struct model *model, uint32_t number)
{
	static struct request lost[QUEUE_MAX];
	struct tep *tep = &model->teps[number];
	uint32_t n_lost = 0, n_kept = 0;

	while (tep->n_done < tep->n && model_roll(2) == 0)
		model_carry_out(model, tep);
	for (uint32_t i = 0; i < tep->n; i++) {
		if (tep->queue[i].kind == DELETE || tep->queue[i].is_copy)
			lost[n_lost++] = tep->queue[i];
		else if (tep->queue[i].kind == CREATE && tep->queue[i].job != NULL)
			tep->queue[n_kept++] = tep->queue[i];
	}
	tep->n = n_kept;
	tep->n_done = 0;
	tep->listing = tep->again = false;
	if (tep->state == SRV_TEP_DOWN)
		return;
	tep->state = SRV_TEP_DOWN;
	srv_engine_tep_changed(model->engine, number, SRV_TEP_DOWN);
	for (uint32_t i = 0; i < n_lost; i++) {
		if (lost[i].job != NULL)
			tell(model, number, lost[i].job, SRV_TEP_LOST, &lost[i].lease);
		else if (lost[i].kind == DELETE)
			srv_engine_delete_lost(
				model->engine, number, &lost[i].lease, model->now_ms);
	}
}

void model_lose_all(struct model *model, uint32_t number)
{
	model_lose_session(model, number);
	memset(model->teps[number].table, 0, sizeof(model->teps[number].table));
}

void model_give_up(struct model *model, uint32_t number)
{
	struct tep *tep = &model->teps[number];

	if (tep->state != SRV_TEP_DOWN && tep->n > 0 && model->now_ms - tep->head_ms >= TIMEOUT_MS)
		model_lose_session(model, number);
	for (uint32_t i = 0; i < tep->n; i++) {
		struct request *request = &tep->queue[i];
		struct srv_job *job = request->job;

		if (request->is_late || request->deadline_ms > model->now_ms)
			continue;
		request->is_late = true;
		request->job = NULL;
		if (job == NULL && request->kind == DELETE)
			srv_engine_delete_lost(
				model->engine, number, &request->lease, model->now_ms);
		if (job == NULL)
			continue;
		if (tep->state == SRV_TEP_DOWN) {
			struct request gone = *request;

			memmove(request, request + 1, (--tep->n - i) * sizeof(gone));
			i--;
			tell(model, number, job, SRV_TEP_LOST, &gone.lease);
		} else {
			struct lease lease = request->lease;

			tell(model, number, job, SRV_TEP_LOST, &lease);
		}
	}
}

/* --- the engine's world -------------------------------------------------------------------------- */

static void act_answer(void *arg, struct srv_session *session, const struct tsp_msg *msg)
{
	struct model *model = arg;

	if (msg->status == TSP_STATUS_OK)
		model->answered++;
	else if (msg->status != TSP_STATUS_NONE)
		model->refused++;
}

static void write_row(struct model *model, const struct row *row)
{
	assert_true(model->n_writes < QUEUE_MAX);
	model->writes[model->n_writes] = *row;
	model->writes[model->n_writes++].goes_on = model->is_held;
}

static bool act_put(void *arg, const struct srv_lease *lease, int64_t until_ms, struct srv_job *job)
{
	struct model *model = arg;
	struct row row = {.record = {.id = lease->id, .state = lease->state, .lease = lease->lease},
		.until_ms = until_ms,
		.job = job};

	strcpy(row.record.tep, srv_engine_tep_name(model->engine, lease));
	write_row(model, &row);
	return true;
}

static void act_remove(void *arg, uint64_t id)
{
	write_row(arg, &(struct row){.record.id = id, .is_removal = true});
}

static void act_together(void *arg, bool on)
{
	struct model *model = arg;

	model->is_held = on;
	if (!on && model->n_writes > 0)
		model->writes[model->n_writes - 1].goes_on = false;
}

static void act_record(
	void *arg, const struct srv_lease *lease, enum srv_record_event event, const char *reason)
{
}

static void act_over_quota(void *arg, const struct in6_addr *client_v6, const char *user)
{
}

static uint32_t act_stamp(void *arg, int64_t end_ms)
{
	return (uint32_t)((end_ms + 999) / 1000);
}

static enum srv_tep_state act_tep_state(void *arg, uint32_t tep)
{
	const struct model *model = arg;

	return model->teps[tep].state;
}

static bool act_tep_create(void *arg, uint32_t tep, const struct lease *lease, struct srv_job *job)
{
	struct model *model = arg;

	if (job == NULL && model->teps[tep].state == SRV_TEP_DOWN)
		return false;
	add_request(model, &model->teps[tep], CREATE, lease, job);
	model->teps[tep].queue[model->teps[tep].n - 1].is_copy = srv_engine_is_copying(job);
	return true;
}

static bool act_tep_delete(void *arg, uint32_t tep, const struct lease *lease, struct srv_job *job)
{
	struct model *model = arg;

	if (model->teps[tep].state == SRV_TEP_DOWN)
		return false;
	add_request(model, &model->teps[tep], DELETE, lease, job);
	return true;
}

static const struct srv_engine_ops ops = {
	.answer = act_answer,
	.put = act_put,
	.remove = act_remove,
	.together = act_together,
	.record = act_record,
	.over_quota = act_over_quota,
	.stamp = act_stamp,
	.tep_state = act_tep_state,
	.tep_create = act_tep_create,
	.tep_delete = act_tep_delete,
};

static struct srv_engine_params params_of(struct model *model)
{
	return (struct srv_engine_params){
		.policy = {.lifetime_s = LIFETIME_S, .lifetime_min_s = 1},
		.quarantine_s = QUARANTINE_S,
		.quota = model->quota,
		.more_ports = SRV_MORE_PORTS_SAME_ADDRESS,
		.confirm_s = 30,
		.pools = &model->pool,
		.n_pools = 1,
		.teps = model->engine_teps,
		.n_teps = TEPS,
		.ops = &ops,
		.arg = model,
		.counters = &model->counters,
	};
}

/* --- the store ----------------------------------------------------------------------------------- */

void model_commit(struct model *model)
{
	struct row row = model->writes[0];
	uint32_t i = 0;

	memmove(model->writes, model->writes + 1, --model->n_writes * sizeof(row));
	if (row.job != NULL && !model->is_calm && model_roll(100) < SILENT)
		return srv_engine_stored(model->engine, row.job, -EIO, model->now_ms);
	while (i < model->n_rows && model->rows[i].record.id != row.record.id)
		i++;
	assert_true(i < ROWS_MAX);
	if (!row.is_removal) {
		model->rows[i] = row;
		model->n_rows += i == model->n_rows;
	} else if (i < model->n_rows) {
		model->rows[i] = model->rows[--model->n_rows];
	}
	if (row.job != NULL)
		srv_engine_stored(model->engine, row.job, 0, model->now_ms);
	if (row.goes_on)
		model_commit(model);
}

/* --- lives of a server --------------------------------------------------------------------------- */

void model_begin_life(struct model *model)
{
	static const struct addr_v4_prefix prefix = {0xc6336407, 32};
	static const char *const names[] = {"one", "two", "three"};
	struct srv_engine_params params;

	model->pool.pool = srv_pool_create(&prefix, UNIT_PORTS);
	for (uint32_t i = 0; i < TEPS; i++)
		model->engine_teps[i] = (struct srv_engine_tep){
			.name = names[i], .v6 = model->engine_teps[i].v6};
	params = params_of(model);
	model->quota = srv_quota_create(&(struct srv_quota_limits){.client = {.leases = 2}});
	params.quota = model->quota;
	model->engine = srv_engine_create(&params);
	assert_non_null(model->engine);
	for (uint32_t i = 0; i < model->n_rows; i++)
		srv_engine_resume(model->engine, &model->rows[i].record, model->rows[i].until_ms,
			model->now_ms);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		srv_session_init(&model->sessions[i]);
		model->sessions[i].generation = TSP_GENERATION_1;
	}
}

void model_end_life(struct model *model)
{
	for (uint32_t i = 0; i < CLIENTS; i++)
		srv_engine_session_closed(model->engine, &model->sessions[i], model->now_ms);
	srv_engine_destroy(model->engine);
	srv_pool_destroy(model->pool.pool);
	srv_quota_destroy(model->quota);
}

/* All that was under way is gone, but for what was carried out, or written, by then. */
void model_kill_server(struct model *model)
{
	srv_engine_stop(model->engine);
	for (uint32_t i = 0; i < TEPS; i++) {
		struct tep *tep = &model->teps[i];

		while (tep->n_done < tep->n && model_roll(2) == 0)
			model_carry_out(model, tep);
		tep->n = tep->n_done = 0;
		tep->state = SRV_TEP_DOWN;
		tep->listing = tep->again = false;
	}
	for (uint32_t i = 0; i < model->n_writes; i++)
		model->writes[i].job = NULL;
	while (model->n_writes > 0 && model_roll(2) == 0)
		model_commit(model);
	model->n_writes = 0;
	model_end_life(model);
	model->n_writes = 0;
	for (uint32_t i = 0; i < TEPS; i++)
		model->teps[i].n = 0;
	model_begin_life(model);
	model->restarts++;
}

/* Another number of TEPs, other copies; the others keep being told. */
void model_reload(struct model *model)
{
	static const uint16_t map[] = {0};
	struct srv_engine_params params;
	uint64_t gained;

	model->pool.n_teps = 2 + model_roll(2);
	model->pool.pushes_copies = model_roll(2) != 0;
	model->pool.answers_queries = model_roll(2) != 0;
	params = params_of(model);
	gained = srv_engine_set_plan(model->engine, &params, map);
	for (uint32_t i = 0; i < TEPS; i++) {
		if ((gained & srv_tep_bit(i)) != 0)
			model->teps[i].again = model->teps[i].state != SRV_TEP_DOWN;
	}
}
