// SPDX-License-Identifier: BSD-3-Clause
/* The digest of bindings: the numbers that another implementation has to get, and sums that stay right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/addr.h"
#include "common/digest.h"

#include <stdlib.h>
#include <string.h>

#define N_BINDINGS 5000

static struct lease make_lease(uint32_t v4, uint16_t first, uint16_t last, uint32_t stamp)
{
	struct lease lease = {.v4 = v4, .n_ranges = 1, .ranges = {{first, last}}, .stamp = stamp};

	addr_v6_parse("2001:db8:1::17", &lease.client_v6);
	addr_v6_parse("2001:db8::1", &lease.tep_v6);
	return lease;
}

/* These numbers are in docs/tsp.md. */
static void a_binding_has_the_digest_that_the_protocol_says(void **state)
{
	struct lease lease = make_lease(0xc6336407, 2048, 3071, 4102444800);
	char text[DIGEST_STRLEN];

	assert_string_equal(digest_format(digest_lease(&lease), text), "6a997218594bf0d9");
	assert_int_equal(digest_leaf(lease.v4), 0x235);
}

static void every_field_counts(void **state)
{
	const struct lease lease = make_lease(0xc6336407, 2048, 3071, 1000);
	struct lease others[7] = {lease, lease, lease, lease, lease, lease, lease};

	others[0].v4++;
	others[1].ranges[0].first++;
	others[2].ranges[0].last--;
	others[3].client_v6.s6_addr[0]++;
	others[4].tep_v6.s6_addr[15]++;
	others[5].stamp++;
	others[6].n_ranges = 2;
	for (int i = 0; i < 7; i++)
		assert_true(digest_lease(&others[i]) != digest_lease(&lease));
}

/* A lease of two ranges is two bindings. The end in this boot's clock is another on the other side. */
static void a_lease_is_the_sum_of_its_ranges(void **state)
{
	struct lease both = make_lease(0xc6336407, 2048, 3071, 1000);
	const struct lease one = both, two = make_lease(0xc6336407, 4096, 5119, 1000);

	both.n_ranges = 2;
	both.ranges[1] = two.ranges[0];
	assert_true(digest_lease(&both) == digest_lease(&one) + digest_lease(&two));
	both.end_ms = 17;
	assert_true(digest_lease(&both) == digest_lease(&one) + digest_lease(&two));
}

static void neighbouring_addresses_are_spread_over_all_leaves(void **state)
{
	uint32_t n[DIGEST_LEAVES] = {0};

	for (uint32_t i = 0; i < 1 << 20; i++)
		n[digest_leaf(0x0a000000 + i)]++;
	for (uint32_t i = 0; i < DIGEST_LEAVES; i++)
		assert_in_range(n[i], 200, 320);
}

static void a_node_is_the_sum_of_its_children(void **state)
{
	static struct digest digest;
	uint64_t root[DIGEST_FANOUT], middle[DIGEST_FANOUT], leaves[DIGEST_FANOUT], sum = 0;
	struct digest_node node = {0};

	for (uint32_t i = 0; i < DIGEST_LEAVES; i++)
		digest.leaves[i] = (uint64_t)random() << 33 ^ (uint64_t)random();
	digest_children(&digest, node, root);
	for (uint32_t i = 0; i < DIGEST_FANOUT; i++)
		sum += root[i];
	assert_true(sum == digest_root(&digest));
	digest_children(&digest, digest_child(node, 0xa), middle);
	digest_children(&digest, digest_child(digest_child(node, 0xa), 0x3), leaves);
	assert_memory_equal(leaves, &digest.leaves[0xa30], sizeof(leaves));
	sum = 0;
	for (uint32_t i = 0; i < DIGEST_FANOUT; i++)
		sum += leaves[i];
	assert_true(sum == middle[3]);
	assert_int_equal(digest_child(digest_child(digest_child(node, 0xa), 3), 0xf).number, 0xa3f);
}

/* Whatever came and went in whatever order: the same as from scratch. */
static void sums_are_the_same_in_any_order(void **state)
{
	static struct digest walked, scratch;
	struct lease leases[N_BINDINGS];

	for (uint32_t i = 0; i < N_BINDINGS; i++) {
		leases[i] = make_lease((uint32_t)random(), 1024, 2047, (uint32_t)random());
		walked.leaves[digest_leaf(leases[i].v4)] += digest_lease(&leases[i]);
	}
	for (uint32_t i = 0; i < N_BINDINGS; i += 2)
		walked.leaves[digest_leaf(leases[i].v4)] -= digest_lease(&leases[i]);
	for (uint32_t i = N_BINDINGS - 1; i < N_BINDINGS; i -= 2)
		scratch.leaves[digest_leaf(leases[i].v4)] += digest_lease(&leases[i]);
	assert_memory_equal(&walked, &scratch, sizeof(walked));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_binding_has_the_digest_that_the_protocol_says),
		cmocka_unit_test(every_field_counts),
		cmocka_unit_test(a_lease_is_the_sum_of_its_ranges),
		cmocka_unit_test(neighbouring_addresses_are_spread_over_all_leaves),
		cmocka_unit_test(a_node_is_the_sum_of_its_children),
		cmocka_unit_test(sums_are_the_same_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
