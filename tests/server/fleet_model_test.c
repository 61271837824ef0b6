// SPDX-License-Identifier: BSD-3-Clause
/*
 * The engine among three TEPs and a store that fail at any time (fleet_model.h). After each step no range stands at two
 * TEPs for two clients. When all are well again and nothing is under way any more, each TEP has what the server says.
 *
 * The seed is printed; DSTM_SEED and DSTM_STEPS repeat a run or make it longer.
 */
#include "fleet_model.h"

#include "common/addr.h"
#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* --- steps --------------------------------------------------------------------------------------- */

static struct in6_addr client_address(uint32_t client)
{
	struct in6_addr v6;

	addr_v6_parse("2001:db8:1::1", &v6);
	v6.s6_addr[15] += client;
	return v6;
}

static void ask(struct model *model, enum tsp_action action)
{
	uint32_t client = model_roll(CLIENTS);
	struct tsp_msg msg = {.action = action,
		.has_lifetime = true,
		.lifetime_s = 1 + model_roll(LIFETIME_S),
		.client = {.present = true,
			.n_v6 = 1,
			.v6 = {client_address(client)},
			.has_ports = true}};
	const struct srv_lease *lease = srv_lease_db_of_client(
		srv_engine_leases(model->engine), &msg.client.v6[0]);

	if (action == TSP_ACTION_CREATE && lease != NULL && lease->state == SRV_LEASE_ACTIVE &&
		model_roll(3) == 0) {
		tsp_party_from_lease(&msg.client, &lease->lease);
		msg.client.ports_count = UNIT_PORTS;
	}
	srv_engine_message(model->engine, &model->sessions[client], &msg, model->now_ms);
}

/* A TEP misses a port; what it is told it keeps, unless the answer is lost. */
static void query(struct model *model, uint32_t number)
{
	struct tep *tep = &model->teps[number];
	uint32_t unit = 1 + model_roll(UNITS - 1);
	struct tsp_msg answer,
		msg = {.action = TSP_ACTION_QUERY,
			.server = {.present = true,
				.has_v4 = true,
				.v4 = 0xc6336407,
				.n_ranges = 1,
				.ranges = {{unit * UNIT_PORTS + 5, unit * UNIT_PORTS + 5}}},
			.client = {
				.present = true, .n_v6 = 1, .v6 = {model->engine_teps[number].v6}}};
	struct lease lease;

	/* Answers overtake nothing: they come behind what was sent before. */
	if (tep->state == SRV_TEP_DOWN)
		return;
	while (tep->n_done < tep->n)
		model_carry_out(model, tep);
	srv_engine_query(model->engine, number, &msg, model->now_ms, &answer);
	if (answer.status != TSP_STATUS_OK)
		return;
	model->queries++;
	lease = (struct lease){.client_v6 = answer.server.v6[0],
		.tep_v6 = answer.client.v6[0],
		.v4 = answer.server.v4,
		.n_ranges = answer.server.n_ranges};
	memcpy(lease.ranges, answer.server.ranges, sizeof(lease.ranges));
	/* As the wire has it, in seconds; here to the end that the server knows, for the comparison. */
	lease.end_ms = srv_engine_announced(srv_lease_db_holder(srv_engine_leases(model->engine),
						    lease.v4, lease.ranges[0].first),
		number)
			       ->end_ms;
	model_place(model, tep, &lease);
}

static void fail_something(struct model *model, uint32_t number)
{
	uint32_t what = model_roll(100);

	if (what < 60)
		model_lose_session(model, number);
	else if (what < 80)
		model_lose_all(model, number);
	else if (what < 90)
		model_reload(model);
	else
		model_kill_server(model);
}

static void step(struct model *model)
{
	uint32_t number = model_roll(TEPS), what = model_roll(1000);
	struct tep *tep = &model->teps[number];

	if (what < 100)
		ask(model, TSP_ACTION_CREATE);
	else if (what < 140)
		ask(model, TSP_ACTION_DELETE);
	else if (what < 180)
		query(model, number);
	else if (what < 400 && model->n_writes > 0)
		model_commit(model);
	else if (what < 640 && tep->state != SRV_TEP_DOWN && tep->n_done < tep->n)
		model_carry_out(model, tep);
	else if (what < 880 && tep->n_done > 0)
		model_hear(model, number);
	else if (what < 980 && tep->listing)
		model_list(model, number);
	else if (what < 985 && tep->state == SRV_TEP_DOWN)
		model_begin_list(model, tep);
	else if (what >= 995)
		fail_something(model, number);
	model->now_ms += model_roll(20) == 0 ? model_roll(4000) : model_roll(50);
	for (uint32_t i = 0; i < TEPS; i++) {
		model_give_up(model, i);
		model_list_again(model, &model->teps[i]);
	}
	srv_engine_tick(model->engine, model->now_ms);
}

/* --- what has to hold ---------------------------------------------------------------------------- */

static const struct binding *standing(const struct model *model, uint32_t tep, uint32_t unit)
{
	const struct binding *binding = &model->teps[tep].table[unit];

	return binding->stands && binding->end_ms > model->now_ms ? binding : NULL;
}

static void expect_one_holder(const struct model *model)
{
	for (uint32_t unit = 0; unit < UNITS; unit++) {
		const struct binding *first = NULL;
		uint32_t first_tep = 0;

		for (uint32_t tep = 0; tep < TEPS; tep++) {
			const struct binding *binding = standing(model, tep, unit);

			if (first == NULL) {
				first = binding;
				first_tep = tep;
			} else if (binding != NULL &&
				   !addr_v6_equal(&binding->client_v6, &first->client_v6)) {
				fail_msg("block %u: TEP %u has it for client %u, TEP %u for %u",
					unit, first_tep, first->client_v6.s6_addr[15], tep,
					binding->client_v6.s6_addr[15]);
			}
		}
	}
}

/* All are up and nothing fails; time goes on, but no lease ends. */
static void calm_down(struct model *model)
{
	bool is_busy = true;

	model->is_calm = true;
	for (uint32_t i = 0; i < TEPS; i++) {
		if (model->teps[i].state == SRV_TEP_DOWN)
			model_begin_list(model, &model->teps[i]);
	}
	while (is_busy) {
		is_busy = model->n_writes > 0;
		if (is_busy)
			model_commit(model);
		for (uint32_t i = 0; i < TEPS; i++) {
			struct tep *tep = &model->teps[i];

			model_list_again(model, tep);
			is_busy |= tep->n > 0 || tep->listing;
			while (tep->n_done < tep->n)
				model_carry_out(model, tep);
			if (tep->n > 0)
				model_hear(model, i);
			if (tep->listing)
				model_list(model, i);
		}
		expect_one_holder(model);
	}
	model->is_calm = false;
}

static void expect_same_tables(const struct model *model)
{
	const struct srv_lease_db *db = srv_engine_leases(model->engine);

	for (uint32_t tep = 0; tep < TEPS; tep++) {
		for (uint32_t unit = 1; unit < UNITS; unit++) {
			const struct binding *binding = standing(model, tep, unit);
			const struct srv_lease *lease = srv_lease_db_holder(
				db, 0xc6336407, unit * UNIT_PORTS);
			bool is_there = lease != NULL && lease->state == SRV_LEASE_ACTIVE &&
					srv_lease_is_at(lease, tep) &&
					lease->lease.end_ms > model->now_ms;

			if (is_there != (binding != NULL))
				fail_msg("block %u: TEP %u %s it", unit, tep,
					is_there ? "lacks" : "has");
			if (!is_there)
				continue;
			assert_true(addr_v6_equal(&binding->client_v6, &lease->lease.client_v6));
			assert_true(addr_v6_equal(&binding->tep_v6, &lease->lease.tep_v6));
			assert_int_equal(binding->end_ms, lease->lease.end_ms);
		}
	}
}

/* --- runs ---------------------------------------------------------------------------------------- */

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static uint64_t random_seed(void)
{
	uint32_t seed = 0;

	assert_int_equal(getentropy(&seed, sizeof(seed)), 0);
	return seed;
}

static void run(bool is_anycast)
{
	uint64_t seed = number_from("DSTM_SEED", random_seed()),
		 steps = number_from("DSTM_STEPS", 200000);
	struct model *model = calloc(1, sizeof(*model));

	log_set_level(LOG_LEVEL_ERR);
	printf("seed %llu\n", (unsigned long long)seed);
	model_set_seed(seed);
	model->now_ms = 1000000;
	model->pool = (struct srv_engine_pool){.name = "pool",
		.teps = model->pool_teps,
		.n_teps = TEPS,
		.another_tep = true,
		.pushes_copies = true,
		.clients = &model->everybody,
		.n_clients = 1};
	for (uint32_t i = 0; i < TEPS; i++) {
		addr_v6_parse("2001:db8::1", &model->engine_teps[i].v6);
		model->engine_teps[i].v6.s6_addr[15] += is_anycast ? 0 : i;
		model->pool_teps[i].tep = i;
	}
	model_begin_life(model);
	for (uint64_t i = 1; i <= steps; i++) {
		step(model);
		expect_one_holder(model);
		if (i % 2000 == 0) {
			calm_down(model);
			expect_same_tables(model);
		}
	}
	printf("answered %llu, refused %llu, queries %llu, copies lost %llu, moves %llu, restarts "
	       "%llu\n",
		(unsigned long long)model->answered, (unsigned long long)model->refused,
		(unsigned long long)model->queries,
		(unsigned long long)model->counters.n[SRV_COUNT_COPIES_LOST],
		(unsigned long long)model->counters.n[SRV_COUNT_LEASES_MOVED],
		(unsigned long long)model->restarts);
	assert_true(model->answered > steps / 100);
	model_end_life(model);
	free(model);
}

/* R67, S33 */
static void no_range_stands_for_two_clients_behind_addresses_of_their_own(void **state)
{
	run(false);
}

static void no_range_stands_for_two_clients_behind_one_address(void **state)
{
	run(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_range_stands_for_two_clients_behind_addresses_of_their_own),
		cmocka_unit_test(no_range_stands_for_two_clients_behind_one_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
