// SPDX-License-Identifier: BSD-3-Clause
#include "client/carrier.h"

#include "client/inner.h"
#include "client/peers.h"
#include "client/tunnel_error.h"
#include "common/addr.h"
#include "common/clock.h"
#include "common/thread.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define ERRORS_MAX 16 /* read in a turn */
#define SUSPECT_MS 1000 /* between two tellings of the same errors */

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
		cl_counters_add(carrier->tunnel->counters, i, carrier->counters.value[i]);
		carrier->counters.value[i] = 0;
	}
}

void cl_carrier_tell(struct cl_carrier *carrier, enum cl_tunnel_news news)
{
	static const uint64_t one = 1;

	if (atomic_fetch_or(&carrier->tunnel->news, news) & news)
		return;
	/* Cannot fail before 2^64 news. */
	if (write(carrier->tunnel->news_fd, &one, sizeof(one)) < 0)
		return;
}

void cl_carrier_refuse(
	struct cl_carrier *carrier, const uint8_t *packet, size_t len, uint8_t code, int64_t now_ms)
{
	uint8_t answer[CL_REFUSE_MAX];
	size_t answer_len;

	if (!cl_refuse_may(&carrier->refuse_limit, now_ms))
		return;
	answer_len = cl_refuse_make(packet, len, code, answer);
	if (answer_len > 0 && cl_tun_write(carrier->tun_fd, answer, answer_len) == 0)
		cl_carrier_count(carrier, CL_REFUSED, 1);
}

/* The way to the TEP, or the TEP itself: how it is told, at most once a second. */
static void suspect(struct cl_carrier *carrier, enum cl_tunnel_news news, int64_t now_ms)
{
	if (now_ms - carrier->suspect_ms < SUSPECT_MS)
		return;
	carrier->suspect_ms = now_ms;
	cl_carrier_tell(carrier, news);
}

/* What is told about a packet of an earlier lease says nothing about this one. */
static void take_error(
	struct cl_carrier *carrier, const struct cl_tunnel_error *error, int64_t now_ms)
{
	bool of_tep = addr_v6_equal(&error->destination, &carrier->lease.tep_v6);

	if (cl_inner_check_quote(error->quote, error->quote_len, &carrier->lease) != CL_PASS)
		return;
	switch (error->type) {
	case CL_TUNNEL_ERROR_NONE:
		return;
	case CL_TUNNEL_ERROR_TOO_BIG:
		cl_carrier_count(carrier, CL_TX_TOO_BIG, 1);
		if (of_tep)
			cl_carrier_tell(carrier, CL_NEWS_PATH_MTU);
		return;
	case CL_TUNNEL_ERROR_UNBOUND:
		cl_carrier_count(carrier, CL_TX_UNBOUND, 1);
		suspect(carrier, CL_NEWS_UNBOUND, now_ms);
		return;
	case CL_TUNNEL_ERROR_UNREACHABLE:
		cl_carrier_count(carrier, CL_TX_UNREACHABLE, 1);
		if (!of_tep) {
			cl_peers_lost(carrier->tunnel->peers, &error->destination, now_ms);
			return;
		}
		suspect(carrier, CL_NEWS_SUSPECT, now_ms);
		cl_carrier_refuse(carrier, error->quote, error->quote_len,
			CL_REFUSE_HOST_UNREACHABLE, now_ms);
		return;
	}
}

static void read_errors(struct cl_carrier *carrier, int64_t now_ms)
{
	struct cl_tunnel_error error;
	socklen_t size = sizeof(int);
	int pending;

	for (uint32_t i = 0; i < ERRORS_MAX; i++) {
		if (cl_tunnel_error_read(carrier->raw_fd, &carrier->lease.tep_v6, &error) < 0) {
			/* Takes away what is not in the queue and would wake us for ever. */
			getsockopt(carrier->raw_fd, SOL_SOCKET, SO_ERROR, &pending, &size);
			return;
		}
		take_error(carrier, &error, now_ms);
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
		if (watched[WATCH_RAW].revents & POLLERR)
			read_errors(carrier, now_ms);
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
