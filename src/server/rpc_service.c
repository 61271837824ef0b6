// SPDX-License-Identifier: BSD-3-Clause
#include "server/rpc_service.h"

#include "common/log.h"
#include "server/rpc_register.h"
#include "server/rpc_tcp.h"
#include "server/rpc_udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct srv_rpc_service {
	struct srv_rpc_service_params params;
	struct srv_rpc_front *front;
	struct srv_rpc_udp *udp;
	struct srv_rpc_tcp *tcp;
	struct srv_rpc_register *reg; /* NULL: rpcbind does not know of us */
	struct rpc_bind_entry entries[2 * SRV_RPC_LISTEN_MAX];
	uint32_t n_entries;
};

static int log_failure(const struct addr_endpoint *at, const char *transport, int error)
{
	char text[ADDR_ENDPOINT_STRLEN];

	log_err("rpc: cannot listen on %s (%s): %s", addr_endpoint_format(at, text), transport,
		strerror(-error));
	return error;
}

static int listen_at(struct srv_rpc_service *service, const struct addr_endpoint *at, bool is_tcp)
{
	struct rpc_bind_entry *entry = &service->entries[service->n_entries];
	char text[ADDR_ENDPOINT_STRLEN];
	int ret;

	*entry = (struct rpc_bind_entry){.program = service->params.config->program,
		.version = RPC_PROGRAM_VERSION,
		.is_tcp = is_tcp,
		.at = *at};
	ret = is_tcp ? srv_rpc_tcp_listen(service->tcp, &entry->at)
		     : srv_rpc_udp_listen(service->udp, &entry->at);
	if (ret < 0)
		return log_failure(at, is_tcp ? "TCP" : "UDP", ret);
	log_info("rpc: program 0x%x at %s (%s)", entry->program,
		addr_endpoint_format(&entry->at, text), is_tcp ? "TCP" : "UDP");
	service->n_entries++;
	return 0;
}

static int listen_everywhere(struct srv_rpc_service *service)
{
	const struct config_list *listen = &service->params.config->listen;
	const struct addr_endpoint *at = listen->items;
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < listen->n; i++) {
		ret = listen_at(service, &at[i], true);
		if (ret == 0)
			ret = listen_at(service, &at[i], false);
	}
	return ret;
}

static int start(struct srv_rpc_service *service)
{
	const struct srv_rpc_service_params *params = &service->params;
	const struct srv_rpc_front_params front = {
		.base = params->base,
		.config = params->config,
		.engine = params->engine,
		.counters = params->counters,
	};
	struct srv_rpc_tcp_params tcp = {
		.base = params->base,
		.config = params->config,
		.gate = params->gate,
		.counters = params->counters,
	};
	int ret;

	service->front = tcp.front = srv_rpc_front_create(&front);
	if (service->front == NULL)
		return -ENOMEM;
	service->udp = srv_rpc_udp_create(params->base, service->front, params->counters);
	service->tcp = srv_rpc_tcp_create(&tcp);
	if (service->udp == NULL || service->tcp == NULL)
		return -ENOMEM;
	ret = listen_everywhere(service);
	if (ret < 0 || !params->config->rpcbind)
		return ret;
	service->reg = srv_rpc_register_create(params->base, service->entries, service->n_entries);
	return service->reg != NULL ? 0 : -ENOMEM;
}

struct srv_rpc_service *srv_rpc_service_create(const struct srv_rpc_service_params *params)
{
	struct srv_rpc_service *service = calloc(1, sizeof(*service));
	int ret = -ENOMEM;

	if (service != NULL) {
		service->params = *params;
		ret = start(service);
	}
	if (ret == 0)
		return service;
	srv_rpc_service_destroy(service);
	errno = -ret;
	return NULL;
}

void srv_rpc_service_destroy(struct srv_rpc_service *service)
{
	if (service == NULL)
		return;
	srv_rpc_tcp_destroy(service->tcp);
	srv_rpc_udp_destroy(service->udp);
	srv_rpc_register_destroy(service->reg);
	srv_rpc_front_destroy(service->front);
	free(service);
}
