// SPDX-License-Identifier: BSD-3-Clause
#include "client/hold.h"

#include "common/clock.h"

#include <event2/event.h>

#include <errno.h>
#include <linux/membarrier.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TURN_FRAMES 64 /* read in one turn of the event loop */
#define STOP_FRAMES 1024 /* read of each queue when it stops */
#define SOCKET_BUF  (4 * 1024 * 1024)

struct packet {
	STAILQ_ENTRY(packet) entry;
	int64_t since_ms;
	size_t len;
	uint8_t data[];
};

struct cl_hold {
	struct cl_hold_params params;
	STAILQ_HEAD(packets, packet) packets; /* oldest first */
	uint32_t n;
	size_t octets;
	struct packets translated;
	uint32_t translated_v4; /* while it stops: the lease's address */
	struct event *events[CL_TUN_QUEUES_MAX];
};

static void count(struct cl_hold *hold, enum cl_counter counter)
{
	hold->params.counters->value[counter]++;
}

static void remove_first(struct cl_hold *hold)
{
	struct packet *packet = STAILQ_FIRST(&hold->packets);

	STAILQ_REMOVE_HEAD(&hold->packets, entry);
	hold->n--;
	hold->octets -= packet->len;
	free(packet);
}

static void drop_late(struct cl_hold *hold, int64_t now_ms)
{
	struct packet *packet;

	while ((packet = STAILQ_FIRST(&hold->packets)) != NULL &&
		now_ms - packet->since_ms > CL_HOLD_AGE_MAX_MS) {
		count(hold, CL_HOLD_LATE);
		remove_first(hold);
	}
}

static uint32_t source_of(const uint8_t *data)
{
	uint32_t v4;

	memcpy(&v4, data + offsetof(struct iphdr, saddr), sizeof(v4));
	return ntohl(v4);
}

static struct packet *copy(const uint8_t *data, size_t len)
{
	struct packet *packet = malloc(sizeof(*packet) + len);

	if (packet == NULL)
		return NULL;
	packet->since_ms = clock_boot_ms();
	packet->len = len;
	memcpy(packet->data, data, len);
	return packet;
}

static void keep(void *arg, uint8_t *data, size_t len)
{
	struct cl_hold *hold = arg;
	struct packet *packet;

	if (len < sizeof(struct iphdr) || data[0] >> 4 != 4) {
		count(hold, CL_TX_MALFORMED);
		return;
	}
	if (hold->translated_v4 != 0 && source_of(data) == hold->translated_v4) {
		packet = copy(data, len);
		if (packet != NULL)
			STAILQ_INSERT_TAIL(&hold->translated, packet, entry);
		return;
	}
	count(hold, CL_HELD_PACKETS);
	drop_late(hold, clock_boot_ms());
	if (hold->n >= hold->params.packets_max || hold->octets + len > CL_HOLD_OCTETS_MAX) {
		count(hold, CL_HOLD_FULL);
		return;
	}
	packet = copy(data, len);
	if (packet == NULL) {
		count(hold, CL_HOLD_FULL);
		return;
	}
	STAILQ_INSERT_TAIL(&hold->packets, packet, entry);
	hold->n++;
	hold->octets += len;
}

static void on_device(evutil_socket_t fd, short what, void *arg)
{
	struct cl_hold *hold = arg;
	int ret = 0, n = 0;

	for (unsigned int i = 0; i < TURN_FRAMES && ret >= 0; i++) {
		ret = cl_tun_read(fd, keep, hold);
		if (ret > 0)
			n += ret;
	}
	/* Last: what comes of it may well be the end of our reading. */
	if (n > 0)
		hold->params.demand(hold->params.arg);
}

int cl_hold_open_socket(void)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
	int size = SOCKET_BUF;

	if (fd < 0)
		return -errno;
	/* A small buffer costs packets, not correctness: a refusal is no error. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

struct cl_hold *cl_hold_create(const struct cl_hold_params *params)
{
	struct cl_hold *hold = calloc(1, sizeof(*hold));

	if (hold == NULL)
		return NULL;
	hold->params = *params;
	STAILQ_INIT(&hold->packets);
	STAILQ_INIT(&hold->translated);
	return hold;
}

static void stop_reading(struct cl_hold *hold)
{
	for (uint32_t i = 0; i < hold->params.tun->n_queues; i++) {
		if (hold->events[i] != NULL)
			event_free(hold->events[i]);
		hold->events[i] = NULL;
	}
}

void cl_hold_destroy(struct cl_hold *hold)
{
	if (hold == NULL)
		return;
	stop_reading(hold);
	cl_hold_clear(hold);
	free(hold);
}

int cl_hold_start(struct cl_hold *hold)
{
	const struct cl_tun *tun = hold->params.tun;

	stop_reading(hold);
	for (uint32_t i = 0; i < tun->n_queues; i++) {
		hold->events[i] = event_new(
			hold->params.base, tun->fds[i], EV_READ | EV_PERSIST, on_device, hold);
		if (hold->events[i] == NULL || event_add(hold->events[i], NULL) < 0) {
			stop_reading(hold);
			return -ENOMEM;
		}
	}
	return 0;
}

/*
 * A packet may have passed the rules from before the lease, on another CPU, and not be in the device yet. What holds it
 * there is an RCU section, and this waits for the end of all that have begun.
 */
static void wait_for_stragglers(void)
{
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

void cl_hold_stop(struct cl_hold *hold, uint32_t v4)
{
	const struct cl_tun *tun = hold->params.tun;

	if (hold->events[0] == NULL)
		return;
	stop_reading(hold);
	if (v4 != 0)
		wait_for_stragglers();
	hold->translated_v4 = v4;
	for (uint32_t i = 0; i < tun->n_queues; i++) {
		for (unsigned int n = 0; n < STOP_FRAMES; n++) {
			if (cl_tun_read(tun->fds[i], keep, hold) < 0)
				break;
		}
	}
	hold->translated_v4 = 0;
}

/* The device is named with each packet: binding the socket anew for another one would take CAP_NET_RAW. */
static int send_again(struct cl_hold *hold, const struct packet *packet)
{
	struct sockaddr_in peer = {.sin_family = AF_INET};
	struct in_pktinfo info = {.ipi_ifindex = (int)hold->params.device};
	union {
		struct cmsghdr header;
		uint8_t space[CMSG_SPACE(sizeof(info))];
	} control = {.header = {.cmsg_level = IPPROTO_IP,
			     .cmsg_type = IP_PKTINFO,
			     .cmsg_len = CMSG_LEN(sizeof(info))}};
	struct iovec vector = {.iov_base = (void *)packet->data, .iov_len = packet->len};
	struct msghdr message = {.msg_name = &peer,
		.msg_namelen = sizeof(peer),
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space)};

	memcpy(&peer.sin_addr, packet->data + offsetof(struct iphdr, daddr), sizeof(peer.sin_addr));
	memcpy(CMSG_DATA(&control.header), &info, sizeof(info));
	return sendmsg(hold->params.raw_fd, &message, 0) < 0 ? -errno : 0;
}

static void clear_translated(struct cl_hold *hold)
{
	struct packet *packet;

	while ((packet = STAILQ_FIRST(&hold->translated)) != NULL) {
		STAILQ_REMOVE_HEAD(&hold->translated, entry);
		free(packet);
	}
}

void cl_hold_release(struct cl_hold *hold)
{
	drop_late(hold, clock_boot_ms());
	while (!STAILQ_EMPTY(&hold->packets)) {
		if (send_again(hold, STAILQ_FIRST(&hold->packets)) < 0)
			count(hold, CL_HOLD_ERROR);
		remove_first(hold);
	}
	for (const struct packet *p = STAILQ_FIRST(&hold->translated); p != NULL;
		p = STAILQ_NEXT(p, entry))
		hold->params.pass(hold->params.arg, p->data, p->len);
	clear_translated(hold);
}

void cl_hold_clear(struct cl_hold *hold)
{
	clear_translated(hold);
	while (!STAILQ_EMPTY(&hold->packets)) {
		count(hold, CL_HOLD_LATE);
		remove_first(hold);
	}
}
