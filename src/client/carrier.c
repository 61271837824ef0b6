// SPDX-License-Identifier: BSD-3-Clause
#include "client/carrier.h"

#include "common/clock.h"
#include "common/thread.h"

#include <errno.h>
#include <poll.h>

enum {
	WATCH_TUN,
	WATCH_RAW,
	WATCH_STOP,
	WATCH_N
};

static void refresh_lease(struct cl_carrier *carrier)
{
	struct cl_tunnel *tunnel = carrier->tunnel;
	uint32_t version = atomic_load_explicit(&tunnel->lease_version, memory_order_acquire);

	if (version == carrier->lease_version)
		return;
	pthread_mutex_lock(&tunnel->lease_lock);
	carrier->lease = tunnel->lease;
	carrier->lease_version = atomic_load_explicit(&tunnel->lease_version, memory_order_relaxed);
	pthread_mutex_unlock(&tunnel->lease_lock);
}

static void add_counters(struct cl_carrier *carrier)
{
	for (uint32_t i = 0; i < CL_COUNTERS_N; i++) {
		if (carrier->counters.value[i] == 0)
			continue;
		__atomic_fetch_add(&carrier->tunnel->counters->value[i], carrier->counters.value[i],
			__ATOMIC_RELAXED);
		carrier->counters.value[i] = 0;
	}
}

static void *run(void *arg)
{
	struct cl_carrier *carrier = arg;
	struct pollfd watched[WATCH_N] = {
		[WATCH_TUN] = {.fd = carrier->tun_fd, .events = POLLIN},
		[WATCH_RAW] = {.fd = carrier->raw_fd, .events = POLLIN},
		[WATCH_STOP] = {.fd = carrier->tunnel->stop_fd, .events = POLLIN},
	};

	for (;;) {
		int64_t now_ms;

		if (poll(watched, WATCH_N, -1) < 0 && errno != EINTR)
			break;
		if (watched[WATCH_STOP].revents != 0)
			break;
		refresh_lease(carrier);
		now_ms = clock_boot_ms();
		if (watched[WATCH_TUN].revents & POLLIN)
			cl_outbound_turn(carrier, now_ms);
		if (watched[WATCH_RAW].revents & POLLIN)
			cl_inbound_turn(carrier, now_ms);
		/* Somebody took the device away: nothing comes from it any more. */
		if (watched[WATCH_TUN].revents & (POLLERR | POLLHUP | POLLNVAL))
			watched[WATCH_TUN].fd = -1;
		add_counters(carrier);
	}
	return NULL;
}

int cl_carrier_start(struct cl_carrier *carrier)
{
	int ret;

	refresh_lease(carrier);
	cl_outbound_init(carrier);
	cl_inbound_init(carrier);
	ret = thread_start(&carrier->thread, run, carrier);
	carrier->is_running = ret == 0;
	return ret;
}

void cl_carrier_join(struct cl_carrier *carrier)
{
	if (carrier->is_running)
		pthread_join(carrier->thread, NULL);
	carrier->is_running = false;
}
