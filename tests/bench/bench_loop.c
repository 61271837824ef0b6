// SPDX-License-Identifier: BSD-3-Clause
/*
 * How long a program's event loop works before it looks for events again, measured from inside:
 *
 *	LD_PRELOAD=libbench_loop.so dstm-server ...
 *
 * Stands between libevent and epoll_wait. At the end of the program it prints the longest turns of the loop, in
 * milliseconds of CPU time of its thread: what other programs on the machine do does not count.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#define TURNS 8

int bench_wait(int epfd, struct epoll_event *events, int max, int timeout) __asm__("epoll_wait");

static int64_t began_us; /* 0: no turn yet */
static int64_t longest_us[TURNS]; /* the longest first */

static int64_t thread_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void note(int64_t turn_us)
{
	int i = TURNS - 1;

	if (turn_us <= longest_us[i])
		return;
	for (; i > 0 && longest_us[i - 1] < turn_us; i--)
		longest_us[i] = longest_us[i - 1];
	longest_us[i] = turn_us;
}

int bench_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	static int (*real)(int, struct epoll_event *, int, int);
	int n;

	if (real == NULL)
		real = dlsym(RTLD_NEXT, "epoll_wait");
	if (began_us != 0)
		note(thread_us() - began_us);
	n = real(epfd, events, max, timeout);
	began_us = thread_us();
	return n;
}

__attribute__((destructor)) static void tell(void)
{
	fprintf(stderr, "longest turns:");
	for (int i = 0; i < TURNS; i++)
		fprintf(stderr, " %.2f", longest_us[i] / 1000.0);
	fprintf(stderr, "\n");
}
