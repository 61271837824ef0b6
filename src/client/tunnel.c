// SPDX-License-Identifier: BSD-3-Clause
#include "client/tunnel.h"

#include "client/inner.h"
#include "client/peers.h"
#include "common/addr.h"
#include "common/clock.h"

#include <event2/event.h>

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH       32
#define TURN        8 /* batches a turn of the event loop */
#define PACKET_MAX  65536
#define SOCKET_BUFS (4 * 1024 * 1024)

struct cl_tunnel {
	struct lease lease;
	struct cl_counters *counters;
	struct cl_peers *others; /* reached without the TEP; NULL: nobody */
	int tun_fd, raw_fd; /* borrowed */
	int64_t used_ms;
	struct event *tun_event, *raw_event;
	struct sockaddr_in6 tep;
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	struct sockaddr_in6 peers[BATCH];
	uint8_t packets[BATCH][PACKET_MAX];
};

static void count(struct cl_tunnel *tunnel, enum cl_counter counter, uint64_t n)
{
	tunnel->counters->value[counter] += n;
}

static const enum cl_counter drop_counters[][2] = {
	[CL_MALFORMED] = {[CL_OUT] = CL_TX_MALFORMED, [CL_IN] = CL_RX_MALFORMED},
	[CL_FOREIGN_ADDRESS] = {[CL_OUT] = CL_TX_ADDRESS, [CL_IN] = CL_RX_ADDRESS},
	[CL_FOREIGN_PORT] = {[CL_OUT] = CL_TX_PORT, [CL_IN] = CL_RX_PORT},
	[CL_FOREIGN_PROTOCOL] = {[CL_OUT] = CL_TX_PROTOCOL, [CL_IN] = CL_RX_PROTOCOL},
};

/* True when the packet is the lease's; otherwise it has been counted. */
static bool is_ours(
	struct cl_tunnel *tunnel, const uint8_t *packet, size_t len, enum cl_direction direction)
{
	enum cl_verdict verdict = cl_inner_check(packet, len, direction, &tunnel->lease);

	if (verdict == CL_PASS)
		return true;
	count(tunnel, drop_counters[verdict][direction], 1);
	return false;
}

/* Fills messages with what the device has for us and returns how many; *more: it may have more. */
static unsigned int read_device(struct cl_tunnel *tunnel, bool *more)
{
	int64_t now_ms = clock_boot_ms();
	unsigned int n = 0;

	*more = true;
	for (unsigned int i = 0; i < BATCH; i++) {
		ssize_t len = read(tunnel->tun_fd, tunnel->packets[n], PACKET_MAX);

		if (len <= 0) {
			*more = false;
			break;
		}
		if (!is_ours(tunnel, tunnel->packets[n], len, CL_OUT))
			continue;
		tunnel->vectors[n].iov_len = len;
		tunnel->peers[n] = tunnel->tep;
		if (cl_peers_out(tunnel->others, tunnel->packets[n], len, now_ms,
			    &tunnel->peers[n].sin6_addr))
			count(tunnel, CL_TX_DIRECT, 1);
		n++;
	}
	return n;
}

static void send_batch(struct cl_tunnel *tunnel, unsigned int n)
{
	for (unsigned int done = 0; done < n;) {
		int sent = sendmmsg(tunnel->raw_fd, tunnel->messages + done, n - done, 0);

		if (sent <= 0) {
			/* The first of the rest failed; those behind it may pass. */
			count(tunnel, CL_TX_ERROR, 1);
			done++;
			continue;
		}
		for (int i = 0; i < sent; i++)
			count(tunnel, CL_TX_BYTES, tunnel->vectors[done + i].iov_len);
		count(tunnel, CL_TX_PACKETS, sent);
		done += sent;
	}
}

/* True while packets may pass; also notes the time for those that do. */
static bool lease_stands(struct cl_tunnel *tunnel, int64_t *now_ms)
{
	*now_ms = clock_boot_ms();
	return *now_ms < tunnel->lease.end_ms;
}

static void on_device(evutil_socket_t fd, short what, void *arg)
{
	struct cl_tunnel *tunnel = arg;
	bool more = true;

	for (unsigned int i = 0; i < TURN && more; i++) {
		unsigned int n = read_device(tunnel, &more);
		int64_t now_ms;

		if (n == 0)
			continue;
		if (!lease_stands(tunnel, &now_ms)) {
			count(tunnel, CL_TX_ENDED, n);
			continue;
		}
		tunnel->used_ms = now_ms;
		send_batch(tunnel, n);
	}
}

static void deliver(struct cl_tunnel *tunnel, unsigned int i, int64_t now_ms)
{
	const uint8_t *packet = tunnel->packets[i];
	const struct in6_addr *source = &tunnel->peers[i].sin6_addr;
	size_t len = tunnel->messages[i].msg_len;
	bool from_tep = addr_v6_equal(source, &tunnel->lease.tep_v6);

	if (!from_tep && tunnel->others == NULL) {
		count(tunnel, CL_RX_OUTER_SOURCE, 1);
		return;
	}
	if (now_ms >= tunnel->lease.end_ms) {
		count(tunnel, CL_RX_ENDED, 1);
		return;
	}
	if (!is_ours(tunnel, packet, len, CL_IN))
		return;
	if (!cl_peers_in(tunnel->others, from_tep, source, packet, len, now_ms)) {
		count(tunnel, CL_RX_OUTER_SOURCE, 1);
		return;
	}
	if (cl_tun_write(tunnel->tun_fd, packet, len) < 0) {
		count(tunnel, CL_RX_ERROR, 1);
		return;
	}
	count(tunnel, CL_RX_PACKETS, 1);
	count(tunnel, CL_RX_BYTES, len);
	count(tunnel, CL_RX_DIRECT, !from_tep);
	tunnel->used_ms = now_ms;
}

static void on_tunnel(evutil_socket_t fd, short what, void *arg)
{
	struct cl_tunnel *tunnel = arg;
	int n = BATCH;

	for (unsigned int turn = 0; turn < TURN && n == BATCH; turn++) {
		int64_t now_ms = clock_boot_ms();

		for (unsigned int i = 0; i < BATCH; i++)
			tunnel->vectors[i].iov_len = PACKET_MAX;
		n = recvmmsg(fd, tunnel->messages, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++)
			deliver(tunnel, i, now_ms);
	}
}

/* Lets every packet reach the socket, or none. Returns 0 or -errno. */
static int set_gate(int fd, bool open)
{
	struct sock_filter verdict = BPF_STMT(BPF_RET | BPF_K, open ? UINT32_MAX : 0);
	struct sock_fprog program = {.len = 1, .filter = &verdict};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

/* A raw socket of next header 4 with its gate shut. Returns it, or -errno. */
static int open_raw(void)
{
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_IPIP);
	int size = SOCKET_BUFS;
	int ret;

	if (fd < 0)
		return -errno;
	/* Small buffers cost packets, not correctness: a refusal is no error. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	ret = set_gate(fd, false);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	return fd;
}

int cl_tunnel_open_sockets(uint32_t n, struct cl_tunnel_sockets *sockets)
{
	*sockets = (struct cl_tunnel_sockets){0};
	for (uint32_t i = 0; i < n; i++) {
		int fd = open_raw();

		if (fd < 0) {
			cl_tunnel_close_sockets(sockets);
			return fd;
		}
		sockets->fds[sockets->n++] = fd;
	}
	return 0;
}

void cl_tunnel_close_sockets(struct cl_tunnel_sockets *sockets)
{
	while (sockets->n > 0)
		close(sockets->fds[--sockets->n]);
}

/* Binds the socket to our end; what waits there is of an earlier lease and goes. */
static int begin_raw(int fd, const struct in6_addr *local)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = *local};
	uint8_t octet;

	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	while (recv(fd, &octet, sizeof(octet), MSG_DONTWAIT) >= 0)
		;
	return set_gate(fd, true);
}

static void wire_messages(struct cl_tunnel *tunnel)
{
	for (unsigned int i = 0; i < BATCH; i++) {
		tunnel->vectors[i].iov_base = tunnel->packets[i];
		tunnel->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &tunnel->peers[i],
			.msg_namelen = sizeof(tunnel->peers[i]),
			.msg_iov = &tunnel->vectors[i],
			.msg_iovlen = 1,
		};
	}
}

struct cl_tunnel *cl_tunnel_create(const struct cl_tunnel_params *params)
{
	const struct lease *lease = params->lease;
	struct cl_tunnel *tunnel = calloc(1, sizeof(*tunnel));
	int error = ENOMEM;
	int ret;

	if (tunnel == NULL)
		return NULL;
	tunnel->lease = *lease;
	tunnel->counters = params->counters;
	tunnel->others = params->peers;
	tunnel->tun_fd = params->tun->fds[0];
	tunnel->raw_fd = params->sockets->fds[0];
	tunnel->tep = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = lease->tep_v6};
	wire_messages(tunnel);
	ret = begin_raw(tunnel->raw_fd, &lease->client_v6);
	if (ret < 0) {
		error = -ret;
		goto fail;
	}
	tunnel->tun_event = event_new(
		params->base, tunnel->tun_fd, EV_READ | EV_PERSIST, on_device, tunnel);
	tunnel->raw_event = event_new(
		params->base, tunnel->raw_fd, EV_READ | EV_PERSIST, on_tunnel, tunnel);
	if (tunnel->tun_event == NULL || tunnel->raw_event == NULL ||
		event_add(tunnel->tun_event, NULL) < 0 || event_add(tunnel->raw_event, NULL) < 0)
		goto fail;
	return tunnel;
fail:
	cl_tunnel_destroy(tunnel);
	errno = error;
	return NULL;
}

void cl_tunnel_update(struct cl_tunnel *tunnel, const struct lease *lease)
{
	tunnel->lease = *lease;
}

void cl_tunnel_destroy(struct cl_tunnel *tunnel)
{
	if (tunnel == NULL)
		return;
	if (tunnel->tun_event != NULL)
		event_free(tunnel->tun_event);
	if (tunnel->raw_event != NULL)
		event_free(tunnel->raw_event);
	set_gate(tunnel->raw_fd, false);
	free(tunnel);
}

int64_t cl_tunnel_used_ms(const struct cl_tunnel *tunnel)
{
	return tunnel->used_ms;
}
