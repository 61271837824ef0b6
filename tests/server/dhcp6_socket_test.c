// SPDX-License-Identifier: BSD-3-Clause
/*
 * The DHCPv6 sockets with real ones on the other side, over loopback in a network namespace of their own, where the
 * kernel lets us have one. A peer is an ordinary socket at ::1.
 */
#include "server/dhcp6_socket.h"

#include "common/log.h"

#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define PORT 10547 /* of the groups */

static const struct timeval second = {.tv_sec = 1};

struct fixture {
	struct event_base *base;
	struct srv_dhcp6_sockets *sockets;
	struct srv_counters counters;
	int peer; /* at ::1 */
	struct addr_endpoint endpoint; /* where the peer finds the sockets */
	struct srv_dhcp6_path path; /* of the datagram that came last */
	size_t len; /* its length */
	uint32_t n_came;
	uint32_t n_turns; /* of the event loop in which some came */
	uint32_t answers; /* sent to each that comes */
	size_t answer_len;
};

static const uint8_t payload[100000];

static void came(void *arg, const struct srv_dhcp6_datagram *datagram)
{
	struct fixture *f = arg;

	f->path = datagram->path;
	f->len = datagram->len;
	f->n_came++;
	for (uint32_t i = 0; i < f->answers; i++)
		srv_dhcp6_sockets_send(f->sockets, &datagram->path, payload, f->answer_len);
}

static int open_peer(const struct in6_addr *addr)
{
	const struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = *addr};
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)), 0);
	return fd;
}

static void begin(struct fixture *f, const struct srv_dhcp6_sockets_params *params)
{
	f->sockets = srv_dhcp6_sockets_open(params);
	assert_non_null(f->sockets);
	assert_int_equal(srv_dhcp6_sockets_start(f->sockets, f->base, &f->counters, came, f), 0);
	f->endpoint = srv_dhcp6_sockets_endpoint(f->sockets, 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	log_set_level(LOG_LEVEL_ERR);
	f->base = event_base_new();
	f->peer = open_peer(&in6addr_loopback);
	*state = f;
	return f->base == NULL;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	srv_dhcp6_sockets_close(f->sockets);
	event_base_free(f->base);
	close(f->peer);
	free(f);
	return 0;
}

static void begin_at(struct fixture *f, const char *listen)
{
	struct addr_endpoint endpoint;

	assert_int_equal(addr_endpoint_parse(listen, &endpoint), 0);
	begin(f, &(struct srv_dhcp6_sockets_params){.listen = &endpoint, .n_listen = 1});
}

static void send_to(
	const struct fixture *f, const struct addr_endpoint *endpoint, uint32_t ifindex, size_t len)
{
	struct sockaddr_in6 sa;

	addr_endpoint_to_sockaddr(endpoint, &sa);
	sa.sin6_scope_id = ifindex;
	assert_int_equal(sendto(f->peer, payload, len, 0, (struct sockaddr *)&sa, sizeof(sa)), len);
}

/* Turns of the event loop until as many have come as shall, or nothing comes any more. */
static void turn_until(struct fixture *f, uint32_t n)
{
	for (uint32_t i = 0; i < 1000 && f->n_came < n; i++) {
		uint32_t before = f->n_came;

		event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		f->n_turns += f->n_came > before;
	}
	assert_int_equal(f->n_came, n);
}

static ssize_t receive(int fd, struct sockaddr_in6 *from)
{
	static uint8_t data[sizeof(payload)];
	socklen_t len = sizeof(*from);

	return recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)from, &len);
}

static void an_answer_goes_to_the_sender_from_where_it_was_sent_to(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in6 from;

	begin_at(f, "[::]:0");
	f->endpoint.addr = in6addr_loopback;
	f->answers = 1;
	f->answer_len = 300;
	send_to(f, &f->endpoint, 0, 77);
	turn_until(f, 1);
	assert_int_equal(f->len, 77);
	assert_true(addr_v6_equal(&f->path.local, &in6addr_loopback));
	assert_int_equal(f->path.ifindex, if_nametoindex("lo"));
	assert_int_equal(receive(f->peer, &from), 300);
	assert_true(addr_v6_equal(&from.sin6_addr, &in6addr_loopback));
	assert_int_equal(ntohs(from.sin6_port), f->endpoint.port);
	assert_int_equal(f->counters.n[SRV_COUNT_DHCP6_RECEIVED], 1);
	assert_int_equal(f->counters.n[SRV_COUNT_DHCP6_SENT], 1);
}

static void a_turn_reads_one_batch(void **state)
{
	struct fixture *f = *state;

	begin_at(f, "[::1]:0");
	for (uint32_t i = 0; i < 3 * SRV_DHCP6_BATCH; i++)
		send_to(f, &f->endpoint, 0, 10);
	turn_until(f, 3 * SRV_DHCP6_BATCH);
	assert_true(f->n_turns >= 3);
	assert_int_equal(f->counters.n[SRV_COUNT_DHCP6_RECEIVED], 3 * SRV_DHCP6_BATCH);
	assert_int_equal(f->counters.n[SRV_COUNT_DHCP6_OVERRUNS], 0);
}

/* Empty ones, and the longest that UDP carries, come as they are. */
static void datagrams_of_any_length_come_whole(void **state)
{
	static const size_t lengths[] = {0, 1, 4, 1500, 65487};
	struct fixture *f = *state;

	begin_at(f, "[::1]:0");
	for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		send_to(f, &f->endpoint, 0, lengths[i]);
		turn_until(f, i + 1);
		assert_int_equal(f->len, lengths[i]);
	}
}

/* More than the queue holds at once: the order stays, and what cannot be sent is counted. */
static void answers_beyond_the_queue_are_sent_or_counted(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in6 from;
	uint64_t sent;

	begin_at(f, "[::1]:0");
	f->answers = 1000;
	f->answer_len = 1232;
	send_to(f, &f->endpoint, 0, 10);
	turn_until(f, 1);
	sent = f->counters.n[SRV_COUNT_DHCP6_SENT];
	assert_int_equal(sent + f->counters.n[SRV_COUNT_DHCP6_NOT_SENT], 1000);
	assert_true(sent > 0);
	assert_int_equal(receive(f->peer, &from), 1232);
}

/* One is too long for UDP, one has no way, one is for nobody's port; those between them arrive. */
static void what_the_kernel_refuses_stops_nobody_else(void **state)
{
	struct fixture *f = *state;
	struct srv_dhcp6_path nowhere;
	struct sockaddr_in6 from;

	begin_at(f, "[::1]:0");
	send_to(f, &f->endpoint, 0, 10);
	turn_until(f, 1);
	nowhere = f->path;
	assert_int_equal(addr_v6_parse("fe80::1", &nowhere.peer.sin6_addr), 0);
	nowhere.ifindex = 987654;
	srv_dhcp6_sockets_send(f->sockets, &f->path, payload, 11);
	srv_dhcp6_sockets_send(f->sockets, &f->path, payload, 65530);
	srv_dhcp6_sockets_send(f->sockets, &f->path, payload, sizeof(payload));
	srv_dhcp6_sockets_send(f->sockets, &nowhere, payload, 12);
	srv_dhcp6_sockets_send(f->sockets, &f->path, payload, 13);
	srv_dhcp6_sockets_send(f->sockets, &f->path, payload, 1 << 20);
	event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_int_equal(receive(f->peer, &from), 11);
	assert_int_equal(receive(f->peer, &from), 13);
	assert_int_equal(f->counters.n[SRV_COUNT_DHCP6_SENT], 2);
	assert_int_equal(f->counters.n[SRV_COUNT_DHCP6_NOT_SENT], 4);
}

/* What was said just before the end is on its way, too. */
static void closing_sends_what_is_queued(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in6 from;

	begin_at(f, "[::1]:0");
	send_to(f, &f->endpoint, 0, 10);
	turn_until(f, 1);
	srv_dhcp6_sockets_send(f->sockets, &f->path, payload, 21);
	srv_dhcp6_sockets_close(f->sockets);
	f->sockets = NULL;
	assert_int_equal(receive(f->peer, &from), 21);
}

static void what_cannot_be_bound_is_an_error(void **state)
{
	static const char *const interfaces[] = {"none-such"};
	struct fixture *f = *state;
	struct srv_dhcp6_sockets_params params = {.listen = &f->endpoint, .n_listen = 1};

	begin_at(f, "[::1]:0");
	assert_null(srv_dhcp6_sockets_open(&params));
	assert_int_equal(errno, EADDRINUSE);
	params = (struct srv_dhcp6_sockets_params){.interfaces = interfaces, .n_interfaces = 1};
	assert_null(srv_dhcp6_sockets_open(&params));
	assert_int_equal(errno, ENODEV);
}

/* --- groups, in a namespace ---------------------------------------------------------------------- */

static const char *const link_name = "group0";
static bool has_link; /* one that hears its own groups, and has fe80::1 */

static void enter_namespace(void)
{
	has_link = geteuid() == 0 && unshare(CLONE_NEWNET) == 0 &&
		   system("ip link set lo up && ip link add group0 type veth peer name group1 && "
			  "ip link set group0 addrgenmode none && ip link set group0 up && "
			  "ip link set group1 up && "
			  "ip -6 address add fe80::1/64 dev group0 nodad") == 0;
}

static void hear_groups(
	struct fixture *f, const struct srv_dhcp6_sockets_params *params, uint32_t sockets)
{
	struct addr_endpoint group = {.port = PORT};
	uint32_t ifindex = if_nametoindex(link_name);
	int client = open_peer(&in6addr_any);
	struct sockaddr_in6 from;

	close(f->peer);
	f->peer = client;
	assert_int_equal(
		setsockopt(client, IPPROTO_IPV6, IPV6_MULTICAST_IF, &ifindex, sizeof(ifindex)), 0);
	begin(f, params);
	assert_int_equal(srv_dhcp6_sockets_count(f->sockets), sockets);
	f->answers = 1;
	f->answer_len = 9;
	for (uint32_t i = 0; i < 2; i++) {
		addr_v6_parse(i == 0 ? "ff02::1:2" : "ff05::1:3", &group.addr);
		send_to(f, &group, ifindex, 30 + i);
		turn_until(f, i + 1);
		assert_int_equal(f->len, 30 + i);
		assert_true(addr_v6_equal(&f->path.local, &group.addr));
		assert_int_equal(f->path.ifindex, ifindex);
		assert_int_equal(receive(client, &from), 9);
		assert_true(IN6_IS_ADDR_LINKLOCAL(&from.sin6_addr));
		assert_int_equal(ntohs(from.sin6_port), PORT);
	}
}

/* RFC 8415 section 7.1: All_DHCP_Relay_Agents_and_Servers and All_DHCP_Servers. */
static void the_groups_of_an_interface_are_heard(void **state)
{
	const struct srv_dhcp6_sockets_params params = {
		.interfaces = &link_name, .n_interfaces = 1, .port = PORT};

	if (!has_link)
		skip();
	hear_groups(*state, &params, 2);
}

static void a_socket_for_all_addresses_hears_the_groups_too(void **state)
{
	const struct addr_endpoint any = {.port = PORT};
	const struct srv_dhcp6_sockets_params params = {.interfaces = &link_name,
		.n_interfaces = 1,
		.listen = &any,
		.n_listen = 1,
		.port = PORT};

	if (!has_link)
		skip();
	hear_groups(*state, &params, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_answer_goes_to_the_sender_from_where_it_was_sent_to),
		T(a_turn_reads_one_batch),
		T(datagrams_of_any_length_come_whole),
		T(answers_beyond_the_queue_are_sent_or_counted),
		T(what_the_kernel_refuses_stops_nobody_else),
		T(closing_sends_what_is_queued),
		T(what_cannot_be_bound_is_an_error),
		T(the_groups_of_an_interface_are_heard),
		T(a_socket_for_all_addresses_hears_the_groups_too),
	};

	enter_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
