// SPDX-License-Identifier: BSD-3-Clause
/*
 * The queue of packets that wait for a lease: order, limits and age, with a device of sockets and a clock of ours.
 */
#include "client/hold.h"

#include "packets.h"

#include <event2/event.h>

#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define INNER 0xc0000002u /* 192.0.0.2 */
#define LEASE 0xc6336407u
#define PEER  0xcb007105u
#define INDEX 7

static int64_t now_ms;
static unsigned int n_sent, n_passed, n_demands;
static uint8_t sent[4096], passed[16]; /* the first octet of each payload */

int64_t __wrap_clock_boot_ms(void);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);

int64_t __wrap_clock_boot_ms(void)
{
	return now_ms;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	const struct sockaddr_in *peer = message->msg_name;
	const struct cmsghdr *control = CMSG_FIRSTHDR(message);
	struct in_pktinfo info;

	assert_int_equal(ntohl(peer->sin_addr.s_addr), PEER);
	assert_int_equal(control->cmsg_type, IP_PKTINFO);
	memcpy(&info, CMSG_DATA(control), sizeof(info));
	assert_int_equal(info.ipi_ifindex, INDEX);
	sent[n_sent++] = ((const uint8_t *)message->msg_iov->iov_base)[28];
	return (ssize_t)message->msg_iov->iov_len;
}

static void on_demand(void *arg)
{
	n_demands++;
}

static void on_pass(void *arg, const uint8_t *packet, size_t len)
{
	passed[n_passed++] = packet[28];
}

struct rig {
	struct event_base *base;
	struct cl_tun tun;
	int application; /* writes what the device is read for */
	struct cl_counters counters;
	struct cl_hold *hold;
};

static void setup(struct rig *rig, uint32_t packets_max)
{
	struct cl_hold_params params = {
		.tun = &rig->tun,
		.raw_fd = -1,
		.device = INDEX,
		.packets_max = packets_max,
		.counters = &rig->counters,
		.demand = on_demand,
		.pass = on_pass,
	};
	int fds[2], size = 4 * 1024 * 1024;

	*rig = (struct rig){.base = event_base_new()};
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	rig->tun = (struct cl_tun){.n_queues = 1, .fds = {fds[0]}};
	rig->application = fds[1];
	params.base = rig->base;
	rig->hold = cl_hold_create(&params);
	assert_non_null(rig->hold);
	assert_int_equal(cl_hold_start(rig->hold), 0);
	now_ms = 1000000;
	n_sent = n_passed = n_demands = 0;
}

static void teardown(struct rig *rig)
{
	cl_hold_destroy(rig->hold);
	close(rig->application);
	cl_tun_close(&rig->tun);
	event_base_free(rig->base);
}

/* A UDP packet of len octets that begins with name. */
static void put(struct rig *rig, uint8_t name, uint32_t source, size_t len)
{
	uint8_t frame[sizeof(struct virtio_net_hdr) + 2048] = {0};
	uint8_t *packet = frame + sizeof(struct virtio_net_hdr);

	packet[0] = 0x45;
	put_u16(packet + 2, len);
	packet[8] = 64;
	packet[9] = IPPROTO_UDP;
	put_u32(packet + 12, source);
	put_u32(packet + 16, PEER);
	put_u16(packet + 24, len - 20);
	packet[28] = name;
	assert_int_equal(write(rig->application, frame, sizeof(struct virtio_net_hdr) + len),
		sizeof(struct virtio_net_hdr) + len);
}

static void turn(struct rig *rig)
{
	event_base_loop(rig->base, EVLOOP_NONBLOCK);
}

static void packets_go_in_the_order_they_came(void **state)
{
	struct rig rig;

	setup(&rig, 64);
	for (uint8_t i = 0; i < 10; i++)
		put(&rig, i, INNER, 100);
	turn(&rig);
	assert_int_equal(n_demands, 1);
	assert_int_equal(n_sent, 0);
	put(&rig, 10, INNER, 100);
	/* What is still in the device belongs to those that wait. */
	cl_hold_stop(rig.hold, LEASE);
	cl_hold_release(rig.hold);
	assert_int_equal(n_sent, 11);
	for (unsigned int i = 0; i < n_sent; i++)
		assert_int_equal(sent[i], i);
	assert_int_equal(rig.counters.value[CL_HELD_PACKETS], 11);
	cl_hold_release(rig.hold);
	assert_int_equal(n_sent, 11);
	teardown(&rig);
}

static void newest_are_dropped_beyond_the_number_and_the_octets(void **state)
{
	struct rig rig;

	setup(&rig, 3);
	for (uint8_t i = 0; i < 5; i++)
		put(&rig, i, INNER, 100);
	turn(&rig);
	assert_int_equal(rig.counters.value[CL_HOLD_FULL], 2);
	cl_hold_release(rig.hold);
	assert_int_equal(n_sent, 3);
	assert_int_equal(sent[2], 2);
	teardown(&rig);

	setup(&rig, 1024);
	for (unsigned int i = 0; i < 1024; i++) {
		put(&rig, i, INNER, 1400);
		turn(&rig);
	}
	assert_int_equal(rig.counters.value[CL_HOLD_FULL], 1024 - CL_HOLD_OCTETS_MAX / 1400);
	cl_hold_release(rig.hold);
	assert_int_equal(n_sent, CL_HOLD_OCTETS_MAX / 1400);
	teardown(&rig);
}

static void nobody_waits_longer_than_the_age(void **state)
{
	struct rig rig;

	setup(&rig, 2);
	put(&rig, 0, INNER, 100);
	turn(&rig);
	now_ms += CL_HOLD_AGE_MAX_MS;
	put(&rig, 1, INNER, 100);
	turn(&rig);
	now_ms += 1;
	/* The first is too old and makes room. */
	put(&rig, 2, INNER, 100);
	turn(&rig);
	assert_int_equal(rig.counters.value[CL_HOLD_LATE], 1);
	assert_int_equal(rig.counters.value[CL_HOLD_FULL], 0);
	now_ms += CL_HOLD_AGE_MAX_MS;
	cl_hold_release(rig.hold);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0], 2);
	assert_int_equal(rig.counters.value[CL_HOLD_LATE], 2);
	teardown(&rig);
}

/* Between the rules and the tunnel: what has been translated is not translated again, what has not still is. */
static void translated_packets_are_passed_on_behind_the_others(void **state)
{
	struct rig rig;
	uint8_t rest[16];

	setup(&rig, 64);
	put(&rig, 0, INNER, 100);
	put(&rig, 1, LEASE, 100);
	put(&rig, 2, INNER, 100);
	put(&rig, 3, LEASE, 100);
	cl_hold_stop(rig.hold, LEASE);
	assert_int_equal(n_passed, 0);
	cl_hold_release(rig.hold);
	assert_int_equal(n_sent, 2);
	assert_int_equal(sent[0], 0);
	assert_int_equal(sent[1], 2);
	assert_int_equal(n_passed, 2);
	assert_int_equal(passed[0], 1);
	assert_int_equal(passed[1], 3);
	assert_true(read(rig.tun.fds[0], rest, sizeof(rest)) < 0);
	teardown(&rig);
}

static void what_waits_in_vain_is_counted(void **state)
{
	struct rig rig;

	setup(&rig, 64);
	for (uint8_t i = 0; i < 3; i++)
		put(&rig, i, INNER, 100);
	cl_hold_stop(rig.hold, 0);
	cl_hold_clear(rig.hold);
	assert_int_equal(rig.counters.value[CL_HOLD_LATE], 3);
	cl_hold_release(rig.hold);
	assert_int_equal(n_sent, 0);
	teardown(&rig);
}

static void frames_that_are_no_ipv4_are_nothing(void **state)
{
	static const uint8_t frames[][40] = {{0}, {[10] = 0x60}, {[10] = 0x45, [13] = 200}};
	struct rig rig;

	setup(&rig, 64);
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		for (size_t len = 1; len <= sizeof(frames[0]); len++)
			assert_int_equal(write(rig.application, frames[i], len), len);
		cl_hold_stop(rig.hold, LEASE);
		assert_int_equal(cl_hold_start(rig.hold), 0);
	}
	cl_hold_release(rig.hold);
	assert_int_equal(n_sent, 0);
	assert_int_equal(n_passed, 0);
	teardown(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_go_in_the_order_they_came),
		cmocka_unit_test(newest_are_dropped_beyond_the_number_and_the_octets),
		cmocka_unit_test(nobody_waits_longer_than_the_age),
		cmocka_unit_test(translated_packets_are_passed_on_behind_the_others),
		cmocka_unit_test(what_waits_in_vain_is_counted),
		cmocka_unit_test(frames_that_are_no_ipv4_are_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
