// SPDX-License-Identifier: BSD-3-Clause
#include "server/rpc_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MAX     8
#define START   1000
#define MESSAGE (const uint8_t *)"message", 7

static struct sockaddr_in6 peer_at(uint16_t port)
{
	struct sockaddr_in6 peer = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	peer.sin6_addr = in6addr_loopback;
	return peer;
}

static struct srv_rpc_cached *add(struct srv_rpc_cache *cache, uint16_t port, int64_t now_ms)
{
	struct sockaddr_in6 peer = peer_at(port);

	return srv_rpc_cache_add(cache, &peer, MESSAGE, now_ms);
}

static struct srv_rpc_cached *find(struct srv_rpc_cache *cache, uint16_t port, int64_t now_ms)
{
	struct sockaddr_in6 peer = peer_at(port);

	return srv_rpc_cache_find(cache, &peer, MESSAGE, now_ms);
}

/* What is under way has no place in these tests at the end: no engine is there to be told. */
static void end(struct srv_rpc_cache *cache)
{
	assert_int_equal(srv_rpc_cache_count(cache), 0);
	srv_rpc_cache_destroy(cache);
}

static void a_call_is_the_same_when_caller_port_and_octets_are(void **state)
{
	struct srv_rpc_cache *cache = srv_rpc_cache_create(MAX);
	struct sockaddr_in6 peer = peer_at(1), other = peer_at(1);
	struct srv_rpc_cached *cached = add(cache, 1, START);

	assert_ptr_equal(find(cache, 1, START), cached);
	assert_null(find(cache, 2, START));
	assert_null(srv_rpc_cache_find(cache, &peer, (const uint8_t *)"messagf", 7, START));
	assert_null(srv_rpc_cache_find(cache, &peer, (const uint8_t *)"message", 6, START));
	other.sin6_addr.s6_addr[0] = 0x20;
	assert_null(srv_rpc_cache_find(cache, &other, MESSAGE, START));
	other = peer;
	other.sin6_scope_id = 3;
	assert_null(srv_rpc_cache_find(cache, &other, MESSAGE, START));
	srv_rpc_cache_drop(cached);
	assert_null(find(cache, 1, START));
	end(cache);
}

static void an_answer_is_kept_for_its_time(void **state)
{
	struct srv_rpc_cache *cache = srv_rpc_cache_create(MAX);
	struct srv_rpc_cached *cached = add(cache, 1, START);

	assert_false(cached->is_done);
	assert_ptr_equal(find(cache, 1, START + 10 * SRV_RPC_CACHE_MS), cached);
	srv_rpc_cache_done(cached, START);
	assert_ptr_equal(find(cache, 1, START + SRV_RPC_CACHE_MS - 1), cached);
	assert_true(cached->is_done);
	assert_null(find(cache, 1, START + SRV_RPC_CACHE_MS));
	end(cache);
}

static void the_oldest_answer_makes_room_and_a_call_under_way_does_not(void **state)
{
	struct srv_rpc_cache *cache = srv_rpc_cache_create(MAX);
	struct srv_rpc_cached *cached[MAX + 2];

	for (uint16_t i = 0; i < MAX; i++)
		assert_non_null(cached[i] = add(cache, i, START));
	assert_null(add(cache, MAX, START));
	srv_rpc_cache_done(cached[5], START + 1);
	srv_rpc_cache_done(cached[2], START + 2);
	assert_non_null(cached[MAX] = add(cache, MAX, START + 3));
	assert_null(find(cache, 5, START + 3));
	assert_ptr_equal(find(cache, 2, START + 3), cached[2]);
	assert_non_null(cached[MAX + 1] = add(cache, MAX + 1, START + 3));
	assert_null(find(cache, 2, START + 3));
	assert_null(add(cache, MAX + 2, START + 3));
	assert_int_equal(srv_rpc_cache_count(cache), MAX);
	for (uint16_t i = 0; i < MAX + 2; i++) {
		if (i != 5 && i != 2)
			srv_rpc_cache_drop(cached[i]);
	}
	end(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_the_same_when_caller_port_and_octets_are),
		cmocka_unit_test(an_answer_is_kept_for_its_time),
		cmocka_unit_test(the_oldest_answer_makes_room_and_a_call_under_way_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
