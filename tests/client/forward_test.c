// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which port a forward gets, and which ports are left for everybody else.
 */
#include "client/forward.h"

#include "../support/random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void targets_are_read_strictly(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint32_t v4;
		uint16_t port;
	} cases[] = {
		{"22", 0, 0, 22},
		{"65535", 0, 0, 65535},
		{"192.168.7.5:80", 0, 0xc0a80705, 80},
		{"", -EINVAL, 0, 0},
		{"0", -EINVAL, 0, 0},
		{"65536", -EINVAL, 0, 0},
		{"+22", -EINVAL, 0, 0},
		{"22 ", -EINVAL, 0, 0},
		{":22", -EINVAL, 0, 0},
		{"192.168.7.5", -EINVAL, 0, 0},
		{"192.168.7.5:", -EINVAL, 0, 0},
		{"192.168.7.5:0", -EINVAL, 0, 0},
		{"0.0.0.0:80", -EINVAL, 0, 0},
		{"192.168.7:80", -EINVAL, 0, 0},
		{"192.168.7.5:80; flush", -EINVAL, 0, 0},
		{"1111111111111111111:80", -EINVAL, 0, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[32];
		struct cl_forward forward = {.to = text};

		snprintf(text, sizeof(text), "%s", cases[i].text);
		assert_int_equal(cl_forward_read_target(&forward), cases[i].ret);
		assert_int_equal(forward.to_v4, cases[i].v4);
		assert_int_equal(forward.to_port, cases[i].port);
	}
}

static void ports_go_round_in_order(void **state)
{
	static const struct lease lease = {
		.n_ranges = 3, .ranges = {{0, 2}, {5000, 5000}, {6000, 6001}}};
	static const struct cl_forward forwards[] = {{.port = 0}, {.port = 6000}, {.port = 0},
		{.port = 1}, {.port = 0}, {.port = 80}, {.port = 0}, {.port = 0}};
	/* 0 is no port, 1 and 6000 are taken by name, 80 is not the lease's, the last finds none. */
	static const uint16_t expected[] = {2, 6000, 5000, 1, 6001, 0, 0, 0};
	uint16_t ports[CL_FORWARDS_MAX];

	cl_forward_assign(forwards, 8, &lease, ports);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(ports[i], expected[i]);
	for (size_t i = 8; i < CL_FORWARDS_MAX; i++)
		assert_int_equal(ports[i], 0);
}

/* Of a lease within ports 1 to 99, port by port: 1: usable, 2: forwarded, 0: not the lease's. */
struct model {
	uint8_t ports[101];
	uint32_t n_usable;
};

static bool is_forwarded(const uint16_t *ports, uint32_t port)
{
	for (uint32_t i = 0; i < CL_FORWARDS_MAX; i++) {
		if (ports[i] == port)
			return true;
	}
	return false;
}

static bool is_usable(const struct port_range *usable, uint32_t n, uint32_t port)
{
	for (uint32_t i = 0; i < n; i++) {
		if (port_range_contains(usable[i], port))
			return true;
	}
	return false;
}

static struct model model_of(const struct lease *lease, const uint16_t *ports)
{
	struct model model = {0};

	for (uint32_t port = 1; port < 100; port++) {
		if (lease_has_port(lease, port))
			model.ports[port] = is_forwarded(ports, port) ? 2 : 1;
		model.n_usable += model.ports[port] == 1;
	}
	return model;
}

/* A run of usable ports beside a forwarded one, or beside 0, that is a small part of all. */
static bool is_in_splinter(const struct model *model, const struct lease *lease, uint32_t port)
{
	uint32_t first = port, last = port;
	bool is_cut;

	while (model->ports[first - 1] == 1)
		first--;
	while (model->ports[last + 1] == 1)
		last++;
	is_cut = model->ports[first - 1] == 2 || model->ports[last + 1] == 2 ||
		 (first == 1 && lease_has_port(lease, 0));
	return is_cut && (last - first + 1) * CL_SPLINTER < model->n_usable;
}

/* Random leases and forwards against the definition, port by port. */
static void what_is_left_is_the_lease_without_the_forwards(void **state)
{
	uint64_t random = test_seed();

	for (unsigned int round = 0; round < 500; round++) {
		struct lease lease = {.n_ranges = 1 + test_random_below(&random, LEASE_RANGES_MAX)};
		uint32_t n = test_random_below(&random, CL_FORWARDS_MAX / 4 + 1), n_usable;
		struct cl_forward forwards[CL_FORWARDS_MAX] = {0};
		struct port_range usable[CL_USABLE_MAX];
		uint16_t ports[CL_FORWARDS_MAX];
		struct model model;

		/* In slots of ten ports from 0 on, some adjacent, in an order of their own. */
		for (uint32_t i = 0; i < lease.n_ranges; i++) {
			uint32_t slot = (i * 5 + round) % 8 * 10;

			lease.ranges[i] = (struct port_range){
				slot, slot + test_random_below(&random, 10)};
		}
		for (uint32_t i = 0; i < n; i++)
			forwards[i].port = test_random_below(&random, 2) *
					   test_random_below(&random, 80);
		cl_forward_assign(forwards, n, &lease, ports);
		n_usable = cl_forward_leave(&lease, ports, usable);
		model = model_of(&lease, ports);
		for (uint32_t i = 1; i < n_usable; i++)
			assert_true(usable[i].first > usable[i - 1].last + 1);
		assert_false(is_usable(usable, n_usable, 0));
		for (uint32_t port = 1; port < 100; port++) {
			bool expected = model.ports[port] == 1 &&
					!is_in_splinter(&model, &lease, port);

			if (model.n_usable == 0)
				expected = model.ports[port] == 2;
			assert_int_equal(is_usable(usable, n_usable, port), expected);
		}
	}
}

/* Nothing but splinters is better than the forwarded ports. */
static void many_forwards_leave_what_is_between_them(void **state)
{
	static const struct lease lease = {.n_ranges = 1, .ranges = {{2000, 2063}}};
	struct port_range usable[CL_USABLE_MAX];
	uint16_t ports[CL_FORWARDS_MAX];

	for (uint32_t i = 0; i < CL_FORWARDS_MAX; i++)
		ports[i] = 2000 + 2 * i;
	assert_int_equal(cl_forward_leave(&lease, ports, usable), CL_FORWARDS_MAX);
	for (uint32_t i = 0; i < CL_FORWARDS_MAX; i++)
		assert_true(port_range_equal(
			usable[i], (struct port_range){2001 + 2 * i, 2001 + 2 * i}));
}

static void upper_end_of_the_ports_does_not_wrap(void **state)
{
	static const struct lease lease = {.n_ranges = 2, .ranges = {{65000, 65535}, {0, 99}}};
	uint16_t ports[CL_FORWARDS_MAX] = {65535};
	struct port_range usable[CL_USABLE_MAX];

	assert_int_equal(cl_forward_leave(&lease, ports, usable), 2);
	assert_true(port_range_equal(usable[0], (struct port_range){1, 99}));
	assert_true(port_range_equal(usable[1], (struct port_range){65000, 65534}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_are_read_strictly),
		cmocka_unit_test(ports_go_round_in_order),
		cmocka_unit_test(what_is_left_is_the_lease_without_the_forwards),
		cmocka_unit_test(many_forwards_leave_what_is_between_them),
		cmocka_unit_test(upper_end_of_the_ports_does_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
