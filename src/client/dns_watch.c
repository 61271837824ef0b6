// SPDX-License-Identifier: BSD-3-Clause
#include "client/dns_watch.h"

#include "client/dns_names.h"
#include "common/clock.h"
#include "common/log.h"

#include <event2/event.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_MAX   8192 /* a longer one is cut, and then does not parse */
#define TURN        16 /* replies a turn of the event loop */
#define DRAIN       4096 /* replies that the buffer may hold */
#define BUFFER      65536 /* in the kernel; replies beyond it are lost */
#define HEADERS_LEN (sizeof(struct ip6_hdr) + sizeof(struct udphdr))

/* Offsets from the IPv6 header, with which packets of this kind of socket begin. */
#define NEXT_HEADER 6
#define SOURCE_PORT 40
#define DNS_FLAGS   50 /* the first bit: it is a reply */

/* The last instruction refuses; jumps count what they skip. */
static struct sock_filter is_reply[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 0, 7),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NEXT_HEADER),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 5),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, SOURCE_PORT),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 53, 0, 3),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, DNS_FLAGS),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x80, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, HEADERS_LEN + REPLY_MAX),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

struct cl_dns_watch {
	int fd;
	struct event *event;
	struct cl_dns_names names;
	void (*needed)(void *arg);
	void *arg;
};

int cl_dns_watch_open(void)
{
	const struct sock_fprog filter = {
		.len = sizeof(is_reply) / sizeof(is_reply[0]), .filter = is_reply};
	struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IPV6)};
	int size = BUFFER, error;
	/* No protocol yet: nothing comes in before the filter stands. */
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &(int){1}, sizeof(int)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0 ||
		bind(fd, (struct sockaddr *)&all, sizeof(all)) < 0) {
		error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

/* What the UDP header says is there, at most len octets. */
static size_t reply_len(const uint8_t *packet, size_t len)
{
	struct udphdr udp;
	size_t said;

	memcpy(&udp, packet + sizeof(struct ip6_hdr), sizeof(udp));
	said = ntohs(udp.uh_ulen);
	if (said < sizeof(udp))
		return 0;
	return said - sizeof(udp) < len ? said - sizeof(udp) : len;
}

/* True when there was a packet; *is_needed when it asks for IPv4. */
static bool read_one(struct cl_dns_watch *watch, bool *is_needed)
{
	uint8_t packet[HEADERS_LEN + REPLY_MAX];
	ssize_t len = recv(watch->fd, packet, sizeof(packet), 0);

	if (len < 0)
		return false;
	if ((size_t)len > HEADERS_LEN &&
		cl_dns_names_read(&watch->names, packet + HEADERS_LEN,
			reply_len(packet, len - HEADERS_LEN), clock_boot_ms()))
		*is_needed = true;
	return true;
}

static void on_reply(evutil_socket_t fd, short what, void *arg)
{
	struct cl_dns_watch *watch = arg;
	bool is_needed = false;

	for (unsigned int i = 0; i < TURN && read_one(watch, &is_needed); i++)
		;
	if (!is_needed)
		return;
	log_debug("dns: a name has IPv4 addresses alone");
	watch->needed(watch->arg);
}

struct cl_dns_watch *cl_dns_watch_create(
	struct event_base *base, int fd, void (*needed)(void *arg), void *arg)
{
	struct cl_dns_watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	watch->fd = fd;
	watch->needed = needed;
	watch->arg = arg;
	watch->event = event_new(base, fd, EV_READ | EV_PERSIST, on_reply, watch);
	if (watch->event == NULL) {
		cl_dns_watch_destroy(watch);
		errno = ENOMEM;
		return NULL;
	}
	return watch;
}

void cl_dns_watch_destroy(struct cl_dns_watch *watch)
{
	if (watch == NULL)
		return;
	if (watch->event != NULL)
		event_free(watch->event);
	close(watch->fd);
	free(watch);
}

void cl_dns_watch_start(struct cl_dns_watch *watch)
{
	uint8_t octet;

	if (watch == NULL || event_pending(watch->event, EV_READ, NULL))
		return;
	for (unsigned int i = 0; i < DRAIN && recv(watch->fd, &octet, sizeof(octet), 0) >= 0; i++)
		;
	memset(&watch->names, 0, sizeof(watch->names));
	if (event_add(watch->event, NULL) < 0)
		log_warn("dns: replies cannot be heard");
}

void cl_dns_watch_stop(struct cl_dns_watch *watch)
{
	if (watch != NULL)
		event_del(watch->event);
}
