// SPDX-License-Identifier: BSD-3-Clause
#include "common/monitor.h"

#include "common/clock.h"
#include "common/http_server.h"
#include "common/log.h"

#include <event2/buffer.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>

struct monitor {
	const struct monitor_ops *ops;
	void *arg;
	int64_t start_utc_ms;
	struct http_server *http;
};

static const struct config_key keys[] = {
	{CONFIG_POS, offsetof(struct monitor_config, pos)},
	{CONFIG_ENDPOINT, offsetof(struct monitor_config, listen), "listen",
		.present = offsetof(struct monitor_config, has_listen)},
	{CONFIG_END},
};
const struct config_section monitor_section = {keys, sizeof(struct monitor_config)};

static double cpu_seconds(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) < 0)
		return 0;
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* What every daemon has; the names of the first two are those of Prometheus' own clients. */
static void write_process(const struct monitor *monitor, struct metrics *metrics)
{
	char reason[MONITOR_REASON_LEN];

	metrics_gauge_double(metrics, "process_start_time_seconds",
		"When the process started, in seconds since 1970.",
		(double)monitor->start_utc_ms / 1000);
	metrics_family(metrics, METRICS_COUNTER, "CPU time of the process in seconds.",
		"process_cpu_seconds_total");
	metrics_double(metrics, cpu_seconds(), NULL);
	metrics_family(metrics, METRICS_GAUGE, "Always 1; the label is the version.",
		"%s_build_info", monitor->ops->prefix);
	metrics_u64(metrics, 1, METRICS_LABELS({"version", DSTM_VERSION}));
	metrics_family(
		metrics, METRICS_GAUGE, "1 when /ready says so.", "%s_ready", monitor->ops->prefix);
	metrics_u64(metrics, monitor->ops->is_ready(monitor->arg, reason), NULL);
}

static int get_metrics(void *arg, struct evbuffer *body)
{
	const struct monitor *monitor = arg;
	struct metrics metrics = {.out = body};

	write_process(monitor, &metrics);
	monitor->ops->write(monitor->arg, &metrics);
	return 200;
}

static int get_health(void *arg, struct evbuffer *body)
{
	evbuffer_add_printf(body, "ok\n");
	return 200;
}

static int get_ready(void *arg, struct evbuffer *body)
{
	const struct monitor *monitor = arg;
	char reason[MONITOR_REASON_LEN] = "";
	bool is_ready = monitor->ops->is_ready(monitor->arg, reason);

	evbuffer_add_printf(body, "%s\n", is_ready ? "ready" : reason);
	return is_ready ? 200 : 503;
}

static const struct http_page pages[] = {
	{"/metrics", METRICS_CONTENT_TYPE, get_metrics},
	{"/healthz", "text/plain; charset=utf-8", get_health},
	{"/ready", "text/plain; charset=utf-8", get_ready},
	{NULL, NULL, NULL},
};

struct monitor *monitor_create(struct event_base *base, const struct monitor_config *config,
	const struct monitor_ops *ops, void *arg)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));
	char text[ADDR_ENDPOINT_STRLEN];
	int error = ENOMEM;

	if (monitor != NULL) {
		monitor->ops = ops;
		monitor->arg = arg;
		monitor->start_utc_ms = clock_utc_ms();
		monitor->http = http_server_create(base, &config->listen, pages, monitor);
		if (monitor->http != NULL)
			return monitor;
		error = errno;
	}
	free(monitor);
	log_err("metrics.listen %s: %s", addr_endpoint_format(&config->listen, text),
		strerror(error));
	errno = error;
	return NULL;
}

void monitor_destroy(struct monitor *monitor)
{
	if (monitor == NULL)
		return;
	http_server_destroy(monitor->http);
	free(monitor);
}
