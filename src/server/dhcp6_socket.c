// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_socket.h"

#include "common/log.h"

#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM_MAX  65536
#define BUFFER_SIZE   (4 << 20) /* of the kernel, for what has not been read yet */
#define QUEUE_MAX     256 /* answers that wait for the end of the turn ... */
#define QUEUE_OCTETS  (256 << 10) /* ... and their octets */
#define CONTROL_SIZE  (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint32_t)))
#define PKTINFO_SPACE CMSG_SPACE(sizeof(struct in6_pktinfo))

struct srv_dhcp6_socket {
	struct srv_dhcp6_sockets *owner;
	int fd;
	struct addr_endpoint endpoint; /* as it is bound */
	uint32_t ifindex; /* the link of a link-local group; 0: any */
	uint32_t overruns; /* what the kernel had to drop so far */
	struct event *event;
};

/* Room for a batch that is read; pages are touched only as far as datagrams are long. */
struct batch {
	struct mmsghdr headers[SRV_DHCP6_BATCH];
	struct iovec iov[SRV_DHCP6_BATCH];
	struct sockaddr_in6 peers[SRV_DHCP6_BATCH];
	char control[SRV_DHCP6_BATCH][CONTROL_SIZE] __attribute__((aligned(8)));
	uint8_t data[SRV_DHCP6_BATCH][DATAGRAM_MAX];
};

/* What leaves when the turn ends, in the order in which it was said. */
struct queue {
	struct mmsghdr headers[QUEUE_MAX];
	struct iovec iov[QUEUE_MAX];
	struct sockaddr_in6 peers[QUEUE_MAX];
	char control[QUEUE_MAX][PKTINFO_SPACE] __attribute__((aligned(8)));
	int fds[QUEUE_MAX];
	uint8_t data[QUEUE_OCTETS];
	uint32_t n;
	size_t octets;
};

struct srv_dhcp6_sockets {
	struct srv_dhcp6_socket *items;
	uint32_t n;
	struct batch *batch;
	struct queue *queue;
	struct event *flush;
	struct srv_counters *counters;
	srv_dhcp6_came_fn came;
	void *arg;
};

/* --- opening ------------------------------------------------------------------------------------- */

static int switch_on(int fd, int level, int option)
{
	static const int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on));
}

/* Without the privilege to go beyond the system's bound it is as large as that. */
static void enlarge(int fd)
{
	static const int size = BUFFER_SIZE;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* Groups are heard where they were joined for this socket, and nowhere else. Returns a descriptor, or -1 + errno. */
static int bind_socket(const struct addr_endpoint *endpoint, uint32_t ifindex)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	static const int off;
	struct sockaddr_in6 sa;
	int error;

	if (fd < 0)
		return -1;
	addr_endpoint_to_sockaddr(endpoint, &sa);
	sa.sin6_scope_id = ifindex;
	enlarge(fd);
	if (switch_on(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0 &&
		switch_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO) == 0 &&
		switch_on(fd, SOL_SOCKET, SO_RXQ_OVFL) == 0 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &off, sizeof(off)) == 0 &&
		bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int add_socket(
	struct srv_dhcp6_sockets *sockets, const struct addr_endpoint *endpoint, uint32_t ifindex)
{
	int fd = bind_socket(endpoint, ifindex);
	struct sockaddr_in6 sa = {0};
	socklen_t len = sizeof(sa);

	if (fd < 0)
		return -errno;
	getsockname(fd, (struct sockaddr *)&sa, &len);
	sockets->items[sockets->n++] = (struct srv_dhcp6_socket){
		.owner = sockets,
		.fd = fd,
		.endpoint = {endpoint->addr, ntohs(sa.sin6_port)},
		.ifindex = ifindex,
	};
	return 0;
}

static struct srv_dhcp6_socket *find_socket(
	struct srv_dhcp6_sockets *sockets, const struct addr_endpoint *endpoint, uint32_t ifindex)
{
	for (uint32_t i = 0; i < sockets->n; i++) {
		struct srv_dhcp6_socket *socket = &sockets->items[i];

		if (addr_v6_equal(&socket->endpoint.addr, &endpoint->addr) &&
			socket->endpoint.port == endpoint->port && socket->ifindex == ifindex)
			return socket;
	}
	return NULL;
}

/* One that listens on all addresses hears the group, too; else it gets a socket, a link-local one on each link. */
static int join(
	struct srv_dhcp6_sockets *sockets, const struct addr_endpoint *group, uint32_t ifindex)
{
	const struct addr_endpoint any = {in6addr_any, group->port};
	const struct ipv6_mreq membership = {group->addr, ifindex};
	uint32_t scope = IN6_IS_ADDR_MC_LINKLOCAL(&group->addr) ? ifindex : 0;
	struct srv_dhcp6_socket *socket = find_socket(sockets, &any, 0);
	int ret = 0;

	if (socket == NULL)
		socket = find_socket(sockets, group, scope);
	if (socket == NULL) {
		ret = add_socket(sockets, group, scope);
		socket = &sockets->items[sockets->n - 1];
	}
	if (ret == 0 && setsockopt(socket->fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &membership,
				sizeof(membership)) < 0)
		ret = -errno;
	return ret;
}

static const char *const groups[] = {"ff02::1:2", "ff05::1:3"};
#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static int open_interface(struct srv_dhcp6_sockets *sockets, const char *name, uint16_t port)
{
	struct addr_endpoint group = {.port = port};
	uint32_t ifindex = if_nametoindex(name);
	int ret = ifindex == 0 ? -errno : 0;

	for (size_t i = 0; ret == 0 && i < GROUPS; i++) {
		addr_v6_parse(groups[i], &group.addr);
		ret = join(sockets, &group, ifindex);
	}
	if (ret < 0)
		log_err("dhcpv6: interface %s: %s", name, strerror(-ret));
	return ret;
}

static int open_endpoint(struct srv_dhcp6_sockets *sockets, const struct addr_endpoint *endpoint)
{
	char text[ADDR_ENDPOINT_STRLEN];
	int ret = add_socket(sockets, endpoint, 0);

	if (ret < 0)
		log_err("dhcpv6: listen %s: %s", addr_endpoint_format(endpoint, text),
			strerror(-ret));
	return ret;
}

struct srv_dhcp6_sockets *srv_dhcp6_sockets_open(const struct srv_dhcp6_sockets_params *params)
{
	struct srv_dhcp6_sockets *sockets = calloc(1, sizeof(*sockets));
	uint32_t n = params->n_interfaces * GROUPS + params->n_listen;
	int ret = 0;

	if (sockets == NULL)
		return NULL;
	sockets->items = calloc(n, sizeof(*sockets->items));
	sockets->batch = calloc(1, sizeof(*sockets->batch));
	sockets->queue = calloc(1, sizeof(*sockets->queue));
	if (sockets->items == NULL || sockets->batch == NULL || sockets->queue == NULL)
		ret = -ENOMEM;
	for (uint32_t i = 0; ret == 0 && i < params->n_listen; i++)
		ret = open_endpoint(sockets, &params->listen[i]);
	for (uint32_t i = 0; ret == 0 && i < params->n_interfaces; i++)
		ret = open_interface(sockets, params->interfaces[i], params->port);
	if (ret == 0)
		return sockets;
	srv_dhcp6_sockets_close(sockets);
	errno = -ret;
	return NULL;
}

/* --- what comes ---------------------------------------------------------------------------------- */

static void count(struct srv_dhcp6_sockets *sockets, enum srv_counter counter, uint64_t n)
{
	sockets->counters->n[counter] += n;
}

static void make_room(struct batch *batch)
{
	for (uint32_t i = 0; i < SRV_DHCP6_BATCH; i++) {
		batch->iov[i] = (struct iovec){batch->data[i], DATAGRAM_MAX};
		batch->headers[i].msg_hdr = (struct msghdr){
			.msg_name = &batch->peers[i],
			.msg_namelen = sizeof(batch->peers[i]),
			.msg_iov = &batch->iov[i],
			.msg_iovlen = 1,
			.msg_control = batch->control[i],
			.msg_controllen = sizeof(batch->control[i]),
		};
	}
}

/* Where it came to, and how many the kernel had to drop before it. */
static void read_control(
	struct srv_dhcp6_socket *socket, struct msghdr *header, struct srv_dhcp6_path *path)
{
	struct in6_pktinfo info;
	uint32_t overruns;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			path->local = info.ipi6_addr;
			path->ifindex = info.ipi6_ifindex;
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
			memcpy(&overruns, CMSG_DATA(c), sizeof(overruns));
			count(socket->owner, SRV_COUNT_DHCP6_OVERRUNS, overruns - socket->overruns);
			socket->overruns = overruns;
		}
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct srv_dhcp6_socket *socket = arg;
	struct srv_dhcp6_sockets *sockets = socket->owner;
	struct batch *batch = sockets->batch;
	int n;

	make_room(batch);
	n = recvmmsg(fd, batch->headers, SRV_DHCP6_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct srv_dhcp6_datagram datagram = {
			.data = batch->data[i],
			.len = batch->headers[i].msg_len,
			.path = {.peer = batch->peers[i]},
		};

		read_control(socket, &batch->headers[i].msg_hdr, &datagram.path);
		sockets->came(sockets->arg, &datagram);
	}
	if (n > 0)
		count(sockets, SRV_COUNT_DHCP6_RECEIVED, n);
}

/* --- what goes ----------------------------------------------------------------------------------- */

/* The next messages that leave by the same socket. */
static uint32_t run_of_socket(const struct queue *queue, uint32_t from)
{
	uint32_t end = from + 1;

	while (end < queue->n && queue->fds[end] == queue->fds[from])
		end++;
	return end - from;
}

/* One that the kernel refuses is left out; a full buffer ends the turn for all that wait. */
static void flush(struct srv_dhcp6_sockets *sockets)
{
	struct queue *queue = sockets->queue;
	uint32_t at = 0, sent = 0;

	while (at < queue->n) {
		int n = sendmmsg(queue->fds[at], &queue->headers[at], run_of_socket(queue, at), 0);

		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
			break;
		sent += n > 0 ? n : 0;
		at += n > 0 ? n : 1;
	}
	count(sockets, SRV_COUNT_DHCP6_SENT, sent);
	count(sockets, SRV_COUNT_DHCP6_NOT_SENT, queue->n - sent);
	queue->n = 0;
	queue->octets = 0;
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	flush(arg);
}

/* The socket by which to send: one that is bound to the address, one of the interface, or the first. */
static int socket_for(const struct srv_dhcp6_sockets *sockets, const struct srv_dhcp6_path *path)
{
	const struct srv_dhcp6_socket *best = &sockets->items[0];

	for (uint32_t i = 0; i < sockets->n; i++) {
		const struct srv_dhcp6_socket *socket = &sockets->items[i];

		if (addr_v6_equal(&socket->endpoint.addr, &path->local) &&
			(socket->ifindex == 0 || socket->ifindex == path->ifindex))
			return socket->fd;
		if (socket->ifindex != 0 && socket->ifindex == path->ifindex)
			best = socket;
	}
	return best->fd;
}

/* A peer on the link is reached by that link; to any other the routes lead. */
static struct in6_pktinfo way_of(const struct srv_dhcp6_path *path)
{
	bool is_on_link = IN6_IS_ADDR_LINKLOCAL(&path->peer.sin6_addr) ||
			  IN6_IS_ADDR_MULTICAST(&path->peer.sin6_addr);
	struct in6_pktinfo info = {.ipi6_ifindex = is_on_link ? path->ifindex : 0};

	if (!IN6_IS_ADDR_MULTICAST(&path->local))
		info.ipi6_addr = path->local;
	return info;
}

static void fill_header(struct queue *queue, uint32_t i, const struct in6_pktinfo *info)
{
	struct msghdr *header = &queue->headers[i].msg_hdr;
	struct cmsghdr *c;

	*header = (struct msghdr){
		.msg_name = &queue->peers[i],
		.msg_namelen = sizeof(queue->peers[i]),
		.msg_iov = &queue->iov[i],
		.msg_iovlen = 1,
		.msg_control = queue->control[i],
		.msg_controllen = sizeof(queue->control[i]),
	};
	c = CMSG_FIRSTHDR(header);
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(*info));
	memcpy(CMSG_DATA(c), info, sizeof(*info));
}

void srv_dhcp6_sockets_send(struct srv_dhcp6_sockets *sockets, const struct srv_dhcp6_path *path,
	const void *data, size_t len)
{
	struct queue *queue = sockets->queue;
	const struct in6_pktinfo info = way_of(path);
	uint8_t *copy;

	if (queue->n == QUEUE_MAX || len > QUEUE_OCTETS - queue->octets)
		flush(sockets);
	if (len > QUEUE_OCTETS)
		return count(sockets, SRV_COUNT_DHCP6_NOT_SENT, 1);
	if (queue->n == 0)
		event_active(sockets->flush, EV_WRITE, 0);
	copy = queue->data + queue->octets;
	memcpy(copy, data, len);
	queue->iov[queue->n] = (struct iovec){copy, len};
	queue->peers[queue->n] = path->peer;
	queue->fds[queue->n] = socket_for(sockets, path);
	fill_header(queue, queue->n, &info);
	queue->octets += len;
	queue->n++;
}

/* --- beginning and end --------------------------------------------------------------------------- */

int srv_dhcp6_sockets_start(struct srv_dhcp6_sockets *sockets, struct event_base *base,
	struct srv_counters *counters, srv_dhcp6_came_fn came, void *arg)
{
	sockets->counters = counters;
	sockets->came = came;
	sockets->arg = arg;
	sockets->flush = event_new(base, -1, 0, on_flush, sockets);
	if (sockets->flush == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < sockets->n; i++) {
		struct srv_dhcp6_socket *socket = &sockets->items[i];

		socket->event = event_new(
			base, socket->fd, EV_READ | EV_PERSIST, on_readable, socket);
		if (socket->event == NULL || event_add(socket->event, NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

void srv_dhcp6_sockets_close(struct srv_dhcp6_sockets *sockets)
{
	if (sockets == NULL)
		return;
	if (sockets->flush != NULL) {
		flush(sockets);
		event_free(sockets->flush);
	}
	for (uint32_t i = 0; i < sockets->n; i++) {
		if (sockets->items[i].event != NULL)
			event_free(sockets->items[i].event);
		close(sockets->items[i].fd);
	}
	free(sockets->items);
	free(sockets->batch);
	free(sockets->queue);
	free(sockets);
}

uint32_t srv_dhcp6_sockets_count(const struct srv_dhcp6_sockets *sockets)
{
	return sockets->n;
}

struct addr_endpoint srv_dhcp6_sockets_endpoint(const struct srv_dhcp6_sockets *sockets, uint32_t i)
{
	return sockets->items[i].endpoint;
}
