// SPDX-License-Identifier: BSD-3-Clause
#include "client/tunnel.h"

#include "client/carrier.h"
#include "client/path_mtu.h"
#include "client/tunnel_error.h"
#include "client/tunnel_socket.h"

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

int cl_tunnel_open_sockets(uint32_t n, struct cl_tunnel_sockets *sockets)
{
	*sockets = (struct cl_tunnel_sockets){0};
	for (uint32_t i = 0; i < n; i++) {
		int fd = cl_tunnel_socket_open();

		if (fd < 0) {
			cl_tunnel_close_sockets(sockets);
			return fd;
		}
		sockets->fds[sockets->n++] = fd;
	}
	/* Each of them would be told every error. */
	cl_tunnel_error_listen(sockets->fds[0]);
	return 0;
}

void cl_tunnel_close_sockets(struct cl_tunnel_sockets *sockets)
{
	while (sockets->n > 0)
		close(sockets->fds[--sockets->n]);
}

static void tell_path_mtu(struct cl_tunnel *tunnel)
{
	tunnel->ops->path_mtu(
		tunnel->ops_arg, cl_path_mtu_get(&tunnel->lease.client_v6, &tunnel->lease.tep_v6));
}

/* The kernel has forgotten what it learnt by now: the path may have become wider. */
static void on_age(evutil_socket_t fd, short what, void *arg)
{
	tell_path_mtu(arg);
}

static void on_news(evutil_socket_t fd, short what, void *arg)
{
	struct cl_tunnel *tunnel = arg;
	struct timeval age = {.tv_sec = cl_path_mtu_age_s() + 1};
	uint64_t times;
	uint32_t news;

	/* In this order: news that comes between the two is told twice rather than never. */
	if (read(fd, &times, sizeof(times)) < 0)
		return;
	news = atomic_exchange(&tunnel->news, 0);
	if (news & CL_NEWS_PATH_MTU) {
		tell_path_mtu(tunnel);
		event_add(tunnel->age_event, &age);
	}
	/* The last one: they may take the tunnel away. */
	if (news & CL_NEWS_UNBOUND)
		tunnel->ops->unbound(tunnel->ops_arg);
	else if (news & CL_NEWS_SUSPECT)
		tunnel->ops->suspect(tunnel->ops_arg);
}

static int watch_news(struct cl_tunnel *tunnel, struct event_base *base)
{
	tunnel->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	tunnel->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (tunnel->news_fd < 0 || tunnel->stop_fd < 0)
		return -errno;
	tunnel->age_event = evtimer_new(base, on_age, tunnel);
	tunnel->news_event = event_new(
		base, tunnel->news_fd, EV_READ | EV_PERSIST, on_news, tunnel);
	if (tunnel->age_event == NULL || tunnel->news_event == NULL ||
		event_add(tunnel->news_event, NULL) < 0)
		return -ENOMEM;
	return 0;
}

static int start_carriers(struct cl_tunnel *tunnel, const struct cl_tunnel_params *params)
{
	uint32_t n = params->tun->n_queues;

	tunnel->carriers = calloc(n, sizeof(*tunnel->carriers));
	if (tunnel->carriers == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct cl_carrier *carrier = &tunnel->carriers[tunnel->n_carriers];
		int ret;

		carrier->tunnel = tunnel;
		carrier->tun_fd = params->tun->fds[i];
		carrier->raw_fd = params->sockets->fds[i];
		ret = cl_tunnel_socket_begin(carrier->raw_fd, &params->lease->client_v6, i, n);
		if (ret < 0)
			return ret;
		tunnel->n_carriers++;
		ret = cl_carrier_start(carrier);
		if (ret < 0)
			return ret;
	}
	return 0;
}

struct cl_tunnel *cl_tunnel_create(const struct cl_tunnel_params *params)
{
	struct cl_tunnel *tunnel = calloc(1, sizeof(*tunnel));
	int ret;

	if (tunnel == NULL)
		return NULL;
	tunnel->ops = params->ops;
	tunnel->ops_arg = params->arg;
	tunnel->counters = params->counters;
	tunnel->peers = params->peers;
	tunnel->dscp = params->dscp;
	tunnel->rewrite_ip_id = params->rewrite_ip_id;
	tunnel->lease = *params->lease;
	tunnel->lease_version = 1;
	tunnel->news_fd = tunnel->stop_fd = -1;
	pthread_mutex_init(&tunnel->lease_lock, NULL);
	ret = watch_news(tunnel, params->base);
	if (ret == 0)
		ret = start_carriers(tunnel, params);
	if (ret == 0)
		return tunnel;
	cl_tunnel_destroy(tunnel);
	errno = -ret;
	return NULL;
}

void cl_tunnel_update(struct cl_tunnel *tunnel, const struct lease *lease)
{
	pthread_mutex_lock(&tunnel->lease_lock);
	tunnel->lease = *lease;
	atomic_fetch_add_explicit(&tunnel->lease_version, 1, memory_order_release);
	pthread_mutex_unlock(&tunnel->lease_lock);
}

static void stop_carriers(struct cl_tunnel *tunnel)
{
	static const uint64_t one = 1;

	if (tunnel->n_carriers == 0)
		return;
	/* Cannot fail: the counter is 0. */
	if (write(tunnel->stop_fd, &one, sizeof(one)) < 0)
		return;
	for (uint32_t i = 0; i < tunnel->n_carriers; i++) {
		cl_carrier_join(&tunnel->carriers[i]);
		cl_tunnel_socket_end(tunnel->carriers[i].raw_fd);
	}
}

void cl_tunnel_destroy(struct cl_tunnel *tunnel)
{
	if (tunnel == NULL)
		return;
	stop_carriers(tunnel);
	free(tunnel->carriers);
	if (tunnel->news_event != NULL)
		event_free(tunnel->news_event);
	if (tunnel->age_event != NULL)
		event_free(tunnel->age_event);
	if (tunnel->news_fd >= 0)
		close(tunnel->news_fd);
	if (tunnel->stop_fd >= 0)
		close(tunnel->stop_fd);
	pthread_mutex_destroy(&tunnel->lease_lock);
	free(tunnel);
}

int64_t cl_tunnel_used_ms(const struct cl_tunnel *tunnel)
{
	return atomic_load_explicit(&tunnel->used_ms, memory_order_relaxed);
}
