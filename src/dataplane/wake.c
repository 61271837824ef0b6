// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/wake.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int dp_wake_open(struct dp_wake *wake)
{
	atomic_init(&wake->asked, false);
	wake->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return wake->eventfd < 0 ? -errno : 0;
}

void dp_wake_close(struct dp_wake *wake)
{
	if (wake->eventfd >= 0)
		close(wake->eventfd);
	wake->eventfd = -1;
}

/* A write can only fail when the counter is full, and then the eventfd is readable anyway. */
void dp_wake_ask(struct dp_wake *wake)
{
	static const uint64_t one = 1;

	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&wake->asked, memory_order_relaxed))
		return;
	if (!atomic_exchange(&wake->asked, true) &&
		write(wake->eventfd, &one, sizeof(one)) != sizeof(one))
		return;
}

void dp_wake_heed(struct dp_wake *wake)
{
	uint64_t times;

	if (read(wake->eventfd, &times, sizeof(times)) == sizeof(times))
		atomic_store(&wake->asked, false);
	atomic_thread_fence(memory_order_seq_cst);
}
