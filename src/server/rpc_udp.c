// SPDX-License-Identifier: BSD-3-Clause
#include "server/rpc_udp.h"

#include "common/clock.h"
#include "common/log.h"
#include "rpc/rpc_call.h"
#include "server/rpc_cache.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALLS_MAX  2048 /* under way or answered lately, about 600 octets each */
#define TURN_CALLS 64 /* of one socket, before others have their turn */

struct udp_socket {
	struct srv_rpc_udp *udp;
	int fd;
	struct event *readable;
};

struct srv_rpc_udp {
	struct event_base *base;
	struct srv_rpc_front *front;
	struct srv_counters *counters;
	struct srv_rpc_cache *cache;
	struct udp_socket sockets[SRV_RPC_LISTEN_MAX];
	uint32_t n;
};

/* A datagram that came. */
struct datagram {
	struct sockaddr_in6 peer;
	struct in6_pktinfo via;
	size_t len;
	uint8_t data[RPC_MESSAGE_MAX];
};

/* Room for one struct in6_pktinfo. */
union control {
	struct cmsghdr head;
	char octets[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static void count(struct srv_rpc_udp *udp, enum srv_counter counter)
{
	udp->counters->n[counter]++;
}

/* --- one datagram -------------------------------------------------------------------------------- */

/* From the address that was called; to a link-local caller out of the interface that it came by. */
static void answer(const struct udp_socket *socket, const struct sockaddr_in6 *peer,
	const struct in6_pktinfo *via, const uint8_t *data, size_t len)
{
	struct iovec iov = {(void *)data, len};
	union control control = {.octets = {0}};
	struct msghdr msg = {
		.msg_name = (void *)peer,
		.msg_namelen = sizeof(*peer),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.octets,
		.msg_controllen = sizeof(control.octets),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = IPPROTO_IPV6;
	head->cmsg_type = IPV6_PKTINFO;
	head->cmsg_len = CMSG_LEN(sizeof(*via));
	memcpy(CMSG_DATA(head), via, sizeof(*via));
	if (sendmsg(socket->fd, &msg, MSG_DONTWAIT) < 0)
		log_debug("rpc: an answer by UDP was not sent: %s", strerror(errno));
}

static void answer_cached(const struct srv_rpc_cached *cached)
{
	answer(cached->socket, &cached->peer, &cached->via, cached->exchange.reply,
		cached->exchange.reply_len);
}

static void on_answered(struct srv_rpc_exchange *exchange)
{
	struct srv_rpc_cached *cached = (struct srv_rpc_cached *)exchange;

	srv_rpc_cache_done(cached, clock_boot_ms());
	answer_cached(cached);
}

static void repeat(struct srv_rpc_udp *udp, const struct srv_rpc_cached *cached)
{
	count(udp, SRV_COUNT_RPC_REPEATED);
	if (cached->is_done)
		answer_cached(cached);
}

static void on_datagram(struct udp_socket *socket, const struct datagram *datagram)
{
	struct srv_rpc_udp *udp = socket->udp;
	int64_t now_ms = clock_boot_ms();
	struct srv_rpc_cached *cached;
	enum srv_rpc_step step;

	if (!srv_rpc_front_allows(udp->front, &datagram->peer.sin6_addr))
		return;
	cached = srv_rpc_cache_find(
		udp->cache, &datagram->peer, datagram->data, datagram->len, now_ms);
	if (cached != NULL)
		return repeat(udp, cached);
	cached = srv_rpc_cache_add(
		udp->cache, &datagram->peer, datagram->data, datagram->len, now_ms);
	if (cached == NULL)
		return count(udp, SRV_COUNT_RPC_BUSY);
	cached->socket = socket;
	cached->via = datagram->via;
	cached->exchange.answered = on_answered;
	step = srv_rpc_front_begin(udp->front, &cached->exchange, &datagram->peer.sin6_addr,
		datagram->data, datagram->len);
	if (step == SRV_RPC_BEGUN)
		return;
	if (step == SRV_RPC_ANSWERED)
		answer_cached(cached);
	srv_rpc_cache_drop(cached);
}

/* --- reading ------------------------------------------------------------------------------------- */

static struct in6_pktinfo via_of(struct msghdr *msg)
{
	struct in6_pktinfo via = {.ipi6_ifindex = 0};

	for (struct cmsghdr *head = CMSG_FIRSTHDR(msg); head != NULL;
		head = CMSG_NXTHDR(msg, head)) {
		if (head->cmsg_level == IPPROTO_IPV6 && head->cmsg_type == IPV6_PKTINFO)
			memcpy(&via, CMSG_DATA(head), sizeof(via));
	}
	/* The way back is the routes' to choose, but for a link-local peer, whose scope says it already. */
	via.ipi6_ifindex = 0;
	return via;
}

/* False: there is nothing to read. What is too long for a call has no length. */
static bool receive(const struct udp_socket *socket, struct datagram *datagram)
{
	struct iovec iov = {datagram->data, sizeof(datagram->data)};
	union control control;
	struct msghdr msg = {
		.msg_name = &datagram->peer,
		.msg_namelen = sizeof(datagram->peer),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.octets,
		.msg_controllen = sizeof(control.octets),
	};
	ssize_t len = recvmsg(socket->fd, &msg, MSG_DONTWAIT);

	if (len < 0)
		return false;
	datagram->via = via_of(&msg);
	datagram->len = (msg.msg_flags & MSG_TRUNC) != 0 ? 0 : (size_t)len;
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct udp_socket *socket = arg;
	struct datagram datagram;

	for (uint32_t i = 0; i < TURN_CALLS && receive(socket, &datagram); i++)
		on_datagram(socket, &datagram);
}

/* --- sockets ------------------------------------------------------------------------------------- */

static int open_socket(struct addr_endpoint *at)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, error;
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);

	if (fd < 0)
		return -errno;
	addr_endpoint_to_sockaddr(at, &sa);
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one)) == 0 &&
		bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0 &&
		getsockname(fd, (struct sockaddr *)&sa, &len) == 0) {
		at->port = ntohs(sa.sin6_port);
		return fd;
	}
	error = errno;
	close(fd);
	return -error;
}

int srv_rpc_udp_listen(struct srv_rpc_udp *udp, struct addr_endpoint *at)
{
	struct udp_socket *socket = &udp->sockets[udp->n];
	int fd = open_socket(at);

	if (fd < 0)
		return fd;
	socket->udp = udp;
	socket->fd = fd;
	socket->readable = event_new(udp->base, fd, EV_READ | EV_PERSIST, on_readable, socket);
	if (socket->readable == NULL || event_add(socket->readable, NULL) < 0) {
		if (socket->readable != NULL)
			event_free(socket->readable);
		close(fd);
		return -ENOMEM;
	}
	udp->n++;
	return 0;
}

struct srv_rpc_udp *srv_rpc_udp_create(
	struct event_base *base, struct srv_rpc_front *front, struct srv_counters *counters)
{
	struct srv_rpc_udp *udp = calloc(1, sizeof(*udp));

	if (udp == NULL)
		return NULL;
	udp->base = base;
	udp->front = front;
	udp->counters = counters;
	udp->cache = srv_rpc_cache_create(CALLS_MAX);
	if (udp->cache != NULL)
		return udp;
	free(udp);
	errno = ENOMEM;
	return NULL;
}

void srv_rpc_udp_destroy(struct srv_rpc_udp *udp)
{
	if (udp == NULL)
		return;
	srv_rpc_cache_destroy(udp->cache);
	for (uint32_t i = 0; i < udp->n; i++) {
		event_free(udp->sockets[i].readable);
		close(udp->sockets[i].fd);
	}
	free(udp);
}
