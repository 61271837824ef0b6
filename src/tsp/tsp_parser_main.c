// SPDX-License-Identifier: BSD-3-Clause
/*
 * The other side: the nursery, and the parser that it forks.
 *
 * The nursery hears from the program alone, when to kill a parser, and never sees a body. The parser
 * has one descriptor and reads, writes and allocates. Neither can open a file, make a socket or execute a
 * program; the nursery may fork, the parser may not.
 */
#include "tsp/tsp_parser.h"

#include "tsp/tsp_parser_wire.h"
#include "tsp/tsp_xml.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTROL     STDIN_FILENO
#define INPUT_SIZE  65536
#define OUTPUT_SIZE 65536
#define MEMORY_MAX  (64 * 1024 * 1024) /* octets of data that a parser may have */
#define LEN(a)      (sizeof(a) / sizeof((a)[0]))

/* clang-format off */
#define PARSER_CALLS                                                                               \
	{"read"}, {"write"}, {"brk"}, {"munmap"}, {"mremap"}, {"madvise"},                         \
	{"mmap", 2, PROT_EXEC, 0}, {"futex"}, {"getrandom"}, {"clock_gettime"},                    \
	{"restart_syscall"}, {"rt_sigreturn"}, {"exit"}, {"exit_group"}

static const struct sandbox_call parser_calls[] = {PARSER_CALLS};

/* And what it takes to make a parser, up to its own sandbox. The filter of a process only ever narrows. */
static const struct sandbox_call nursery_calls[] = {
	PARSER_CALLS,
	{"poll"}, {"ppoll"}, {"recvfrom"}, {"sendmsg"}, {"close"}, {"close_range"},
	{"socketpair", 0, UINT32_MAX, AF_UNIX}, {"wait4"}, {"pidfd_open"}, {"pidfd_send_signal"},
	{"clone"}, {"set_robust_list"}, {"rseq"}, {"getpid"}, {"getppid"}, {"gettid"},
	{"rt_sigprocmask"}, {"prctl"}, {"seccomp"}, {"prlimit64"}, {"setrlimit"},
	{"mprotect", 2, PROT_EXEC, 0},
};
/* clang-format on */

/* --- the parser ---------------------------------------------------------------------------------- */

/* Octets that came and octets that leave. */
struct exchange {
	int fd;
	size_t in_len;
	size_t out_len;
	uint8_t in[INPUT_SIZE];
	uint8_t out[OUTPUT_SIZE];
};

_Static_assert(INPUT_SIZE > sizeof(struct tsp_parser_request) + TSP_MESSAGE_MAX, "a body fits");

static bool flush(struct exchange *exchange)
{
	size_t sent = 0;

	while (sent < exchange->out_len) {
		ssize_t n = write(exchange->fd, exchange->out + sent, exchange->out_len - sent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		sent += n;
	}
	exchange->out_len = 0;
	return true;
}

/* Reads one body and puts the answer behind the others. */
static bool answer(
	struct exchange *exchange, const struct tsp_parser_request *request, const uint8_t *body)
{
	uint8_t *head = exchange->out + exchange->out_len;
	uint8_t *octets = head + sizeof(struct tsp_parser_answer);
	struct tsp_parser_answer answered = {.id = request->id};
	struct tsp_msg msg;
	const char *why;

	answered.status = tsp_xml_parse(
		(const char *)body, request->len, request->generation, &msg, &why);
	if (answered.status == TSP_STATUS_OK) {
		answered.len = tsp_msg_pack(&msg, octets);
	} else {
		answered.len = strnlen(why, TSP_PARSER_WHY_MAX);
		memcpy(octets, why, answered.len);
	}
	memcpy(head, &answered, sizeof(answered));
	exchange->out_len += sizeof(answered) + answered.len;
	if (exchange->out_len + sizeof(answered) + TSP_PACK_MAX > sizeof(exchange->out))
		return flush(exchange);
	return true;
}

/* Answers every body that is whole. False: the program is gone, or not ours. */
static bool answer_all(struct exchange *exchange)
{
	struct tsp_parser_request request;
	size_t taken = 0;

	while (exchange->in_len - taken >= sizeof(request)) {
		memcpy(&request, exchange->in + taken, sizeof(request));
		if (request.len > TSP_MESSAGE_MAX)
			return false;
		if (exchange->in_len - taken < sizeof(request) + request.len)
			break;
		if (!answer(exchange, &request, exchange->in + taken + sizeof(request)))
			return false;
		taken += sizeof(request) + request.len;
	}
	exchange->in_len -= taken;
	memmove(exchange->in, exchange->in + taken, exchange->in_len);
	return flush(exchange);
}

static void parse_all(int fd)
{
	static struct exchange exchange;

	exchange.fd = fd;
	for (;;) {
		ssize_t n = read(
			fd, exchange.in + exchange.in_len, sizeof(exchange.in) - exchange.in_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		exchange.in_len += n;
		if (!answer_all(&exchange))
			return;
	}
}

/* No files but the stream; a sanitizer also needs a place for its last words. */
static void close_others(int fd)
{
	if (sandbox_is_possible())
		close_range(0, fd - 1, 0);
	else
		close(CONTROL);
	close_range(fd + 1, ~0U, 0);
}

static void confine_memory(void)
{
	const struct rlimit limit = {MEMORY_MAX, MEMORY_MAX};

	if (sandbox_is_possible())
		setrlimit(RLIMIT_DATA, &limit);
}

/* A parser's whole life; 0: the program has hung up. */
static int be_parser(int fd, pid_t nursery, enum sandbox_mode mode)
{
	close_others(fd);
	confine_memory();
	prctl(PR_SET_NAME, "dstm-parser");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != nursery)
		return 0;
	if (sandbox_is_possible() &&
		sandbox_confine_calls(parser_calls, LEN(parser_calls), mode) < 0)
		return 1;
	parse_all(fd);
	return 0;
}

/* --- the nursery --------------------------------------------------------------------------------- */

struct child {
	pid_t pid;
	int pidfd;
	uint32_t serial;
};

static int send_stream(int fd, uint32_t serial)
{
	struct tsp_parser_order order = {serial};
	char space[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {&order, sizeof(order)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	return sendmsg(CONTROL, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Forks a parser and sends its stream to the program. */
static int bear(struct child *child, enum sandbox_mode mode)
{
	pid_t nursery = getpid();
	int fds[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return -errno;
	child->serial++;
	child->pid = fork();
	if (child->pid == 0) {
		close(fds[0]);
		_exit(be_parser(fds[1], nursery, mode));
	}
	ret = child->pid < 0 ? -errno : send_stream(fds[0], child->serial);
	close(fds[0]);
	close(fds[1]);
	if (ret < 0)
		return ret;
	child->pidfd = syscall(SYS_pidfd_open, child->pid, 0);
	return child->pidfd < 0 ? -errno : 0;
}

static void kill_child(const struct child *child)
{
	syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
}

/* Returns true while the program is there. */
static bool take_order(const struct child *child)
{
	struct tsp_parser_order order;
	ssize_t n = recv(CONTROL, &order, sizeof(order), 0);

	if (n < 0 && errno == EINTR)
		return true;
	if (n == sizeof(order) && order.serial == child->serial)
		kill_child(child);
	return n > 0;
}

/* Until the child has died (0) or the program is gone (1). */
static int watch(const struct child *child)
{
	struct pollfd fds[] = {{CONTROL, POLLIN}, {child->pidfd, POLLIN}};

	for (;;) {
		if (poll(fds, LEN(fds), -1) < 0 && errno != EINTR)
			return 1;
		if (fds[0].revents != 0 && !take_order(child))
			return 1;
		if (fds[1].revents != 0)
			return 0;
	}
}

/* A parser that ends by itself has found the program gone, or could not begin: no use in another. */
static int nurse(enum sandbox_mode mode)
{
	struct child child = {0};
	int status;

	while (bear(&child, mode) == 0) {
		int gone = watch(&child);

		if (gone)
			kill_child(&child);
		waitpid(child.pid, &status, 0);
		close(child.pidfd);
		if (gone || WIFEXITED(status))
			return gone ? 0 : WEXITSTATUS(status);
	}
	return 1;
}

/* What the first parsing sets up is there for every parser then. */
static void warm_up(void)
{
	static const char body[] = "<tunnel action=\"accept\"></tunnel>";
	struct tsp_msg msg;
	const char *why;

	tsp_xml_parse(body, sizeof(body) - 1, TSP_GENERATION_2, &msg, &why);
}

static int confine(enum sandbox_mode mode)
{
	int ret = 0;

	if (mode == SANDBOX_OFF || !sandbox_is_possible())
		return 0;
	ret = sandbox_confine_files(NULL, 0);
	if (ret < 0 && ret != -EOPNOTSUPP)
		return ret;
	return sandbox_confine_calls(nursery_calls, LEN(nursery_calls), mode);
}

int tsp_parser_main(int argc, char **argv)
{
	enum sandbox_mode mode = argc > 2 ? atoi(argv[2]) : SANDBOX_ON;

	prctl(PR_SET_NAME, "dstm-nursery");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	warm_up();
	if (confine(mode) < 0)
		return 1;
	return nurse(mode);
}

/* --- from the program ---------------------------------------------------------------------------- */

/* In the child: becomes the nursery, with the control socket as its standard input. */
static void become_nursery(int control, enum sandbox_mode mode)
{
	char digit[] = {(char)('0' + mode), '\0'};
	char *argv[] = {(char[]){"dstm-parser"}, (char[]){TSP_PARSER_ARGUMENT}, digit, NULL};
	char *nothing[] = {NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(control, CONTROL) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(127);
	if (sandbox_is_possible() && dup2(null, STDERR_FILENO) < 0)
		_exit(127);
	execve("/proc/self/exe", argv, sandbox_is_possible() ? nothing : environ);
	_exit(127);
}

int tsp_parser_spawn(enum sandbox_mode mode)
{
	int fds[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	child = fork();
	if (child == 0)
		become_nursery(fds[1], mode);
	close(fds[1]);
	if (child > 0)
		return fds[0];
	close(fds[0]);
	return -EAGAIN;
}
