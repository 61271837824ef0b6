// SPDX-License-Identifier: BSD-3-Clause
#include "client/tunnel_socket.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/ip.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * What is sent waits in the socket, which tells, rather than in a queue behind it that drops: a raw socket
 * takes up to four times this much (twice for the kernel's own, twice before it says no).
 */
#define SEND_BUF    (512 * 1024)
#define RECEIVE_BUF (4 * 1024 * 1024)
#define WAITING_MAX 65536 /* packets; more than the buffer takes */
#define HOP_LIMIT   64
#define ALL         UINT32_MAX
#define GOLDEN      0x9e3779b1u /* 2^32 / golden ratio: spreads what is near */

static int set_filter(int fd, struct sock_filter *filter, uint16_t len)
{
	struct sock_fprog program = {.len = len, .filter = filter};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

static int let_in(int fd, uint32_t what)
{
	struct sock_filter filter[] = {BPF_STMT(BPF_RET | BPF_K, what)};

	return set_filter(fd, filter, 1);
}

/*
 * The inner packet begins at offset 0. A load from behind its end ends the filter with "drop", so lengths
 * are asked first: what is cut short is for part 0, which counts it.
 */
static int let_in_part(int fd, uint32_t part, uint32_t n)
{
	struct sock_filter filter[] = {
		/* 0 */ BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		/* 1 */ BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, sizeof(struct iphdr), 1, 0),
		/* 2 */ BPF_STMT(BPF_RET | BPF_K, part == 0 ? ALL : 0),
		/* 3: addresses */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 12),
		/* 4 */ BPF_STMT(BPF_MISC | BPF_TAX, 0),
		/* 5 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),
		/* 6 */ BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
		/* 7 */ BPF_STMT(BPF_ST, 0),
		/* 8: TCP */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		/* 9 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 11),
		/* 10: whole */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
		/* 11 */ BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, IP_OFFMASK | IP_MF, 9, 0),
		/* 12: with ports */ BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		/* 13 */ BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		/* 14 */ BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 4),
		/* 15 */ BPF_JUMP(BPF_JMP | BPF_JGE | BPF_X, 0, 0, 5),
		/* 16 */ BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
		/* 17 */ BPF_STMT(BPF_MISC | BPF_TAX, 0),
		/* 18 */ BPF_STMT(BPF_LD | BPF_MEM, 0),
		/* 19 */ BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
		/* 20 */ BPF_STMT(BPF_ST, 0),
		/* 21: choose */ BPF_STMT(BPF_LD | BPF_MEM, 0),
		/* 22 */ BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, GOLDEN),
		/* 23 */ BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
		/* 24 */ BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n),
		/* 25 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, part, 0, 1),
		/* 26 */ BPF_STMT(BPF_RET | BPF_K, ALL),
		/* 27 */ BPF_STMT(BPF_RET | BPF_K, 0),
	};

	return set_filter(fd, filter, sizeof(filter) / sizeof(filter[0]));
}

/* What makes the traffic worse, not wrong, when the kernel refuses it. */
static void set_options(int fd)
{
	static const int send = SEND_BUF, receive = RECEIVE_BUF, hops = HOP_LIMIT, on = 1;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send, sizeof(send));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof(receive));
	setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops));
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof(on));
}

int cl_tunnel_socket_open(void)
{
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_IPIP);
	int ret;

	if (fd < 0)
		return -errno;
	ret = let_in(fd, 0);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	set_options(fd);
	return fd;
}

/* Throws away what waits in the socket. An error that waits comes first, and goes by being told. */
static void empty(int fd, int queue)
{
	uint8_t octet;

	for (uint32_t i = 0; i < WAITING_MAX; i++) {
		if (recv(fd, &octet, sizeof(octet), MSG_DONTWAIT | queue) < 0 && errno == EAGAIN)
			return;
	}
}

int cl_tunnel_socket_begin(int fd, const struct in6_addr *local, uint32_t part, uint32_t n)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = *local};

	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	/* The filter still lets nothing in. */
	empty(fd, MSG_ERRQUEUE);
	empty(fd, 0);
	return n == 1 ? let_in(fd, ALL) : let_in_part(fd, part, n);
}

void cl_tunnel_socket_end(int fd)
{
	let_in(fd, 0);
}
