// SPDX-License-Identifier: BSD-3-Clause
/*
 * A library to preload: kills the client (SIGKILL) right before the n-th call that changes something outside of it:
 * a file, a setting, a device, an address, a route, a rule.
 *
 * KILLPOINT is n. Only the program itself is concerned, not its children.
 */
#undef _FILE_OFFSET_BITS /* the names of the functions are ours */

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static _Atomic unsigned long calls;
static unsigned long last; /* 0: none, ever */
static pid_t self;

__attribute__((constructor)) static void start(void)
{
	const char *number = getenv("KILLPOINT");

	if (number == NULL || strcmp(program_invocation_short_name, "dstm-client") != 0)
		return;
	last = strtoul(number, NULL, 10);
	self = getpid();
}

static void pass(void)
{
	if (last != 0 && getpid() == self && atomic_fetch_add(&calls, 1) + 1 == last)
		kill(self, SIGKILL);
}

#define NEXT(name) __typeof__(&(name)) next = (__typeof__(&(name)))dlsym(RTLD_NEXT, #name)

int rename(const char *from, const char *to)
{
	NEXT(rename);

	pass();
	return next(from, to);
}

int unlink(const char *path)
{
	NEXT(unlink);

	pass();
	return next(path);
}

int fsync(int fd)
{
	NEXT(fsync);

	pass();
	return next(fd);
}

pid_t fork(void)
{
	NEXT(fork);

	pass();
	return next();
}

pid_t waitpid(pid_t pid, int *status, int options)
{
	NEXT(waitpid);

	pass();
	return next(pid, status, options);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	NEXT(sendmsg);

	pass();
	return next(fd, message, flags);
}

ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *peer,
	socklen_t peer_len)
{
	NEXT(sendto);

	pass();
	return next(fd, data, len, flags, peer, peer_len);
}

/* Files and settings, but neither pipes nor what wakes an event loop. */
ssize_t write(int fd, const void *data, size_t len)
{
	NEXT(write);
	struct stat stat;

	if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && fd != STDERR_FILENO)
		pass();
	return next(fd, data, len);
}

int ioctl(int fd, unsigned long request, ...)
{
	NEXT(ioctl);
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	pass();
	return next(fd, request, arg);
}
