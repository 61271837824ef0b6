// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_service.h"

#include "common/clock.h"
#include "common/log.h"
#include "server/dhcp6_request.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MACHINE_ID     "/etc/machine-id"
#define MACHINE_ID_LEN 32 /* hexadecimal digits */
#define DUID_USE       "dstm-server DUID"

/* --- the server's DUID --------------------------------------------------------------------------- */

/* The machine's own number stays its own: what others see is only made from it. */
static int duid_of_machine(struct dhcp6_duid *duid)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	char id[MACHINE_ID_LEN];
	int fd = open(MACHINE_ID, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, id, sizeof(id)) : -1;

	if (fd >= 0)
		close(fd);
	if (len != sizeof(id)) {
		log_err("dhcpv6: %s has no machine-id: set dhcpv6.duid", MACHINE_ID);
		return -ENOENT;
	}
	HMAC(EVP_sha256(), id, sizeof(id), (const uint8_t *)DUID_USE, strlen(DUID_USE), digest,
		NULL);
	*duid = dhcp6_duid_from_uuid(digest);
	return 0;
}

static int find_duid(const struct srv_dhcp6_config *config, struct dhcp6_duid *duid)
{
	return config->duid != NULL ? dhcp6_duid_parse(config->duid, duid) : duid_of_machine(duid);
}

/* --- sockets ------------------------------------------------------------------------------------- */

static void on_came(void *arg, const struct srv_dhcp6_datagram *datagram)
{
	struct srv_dhcp6_service *service = arg;

	srv_dhcp6_front_came(service->front, datagram, clock_boot_ms());
}

static void send_out(void *arg, const struct srv_dhcp6_path *path, const void *data, size_t len)
{
	struct srv_dhcp6_service *service = arg;

	srv_dhcp6_sockets_send(service->sockets, path, data, len);
}

/* --- its life ------------------------------------------------------------------------------------ */

static int open_secret(const struct srv_config *config, struct srv_dhcp6_secret *secret)
{
	char *path = srv_dhcp6_secret_path(config->dhcp6.secret_file, config->store);
	int ret = path != NULL ? srv_dhcp6_secret_open(path, secret) : -ENOMEM;

	free(path);
	return ret;
}

static int create_parts(
	struct srv_dhcp6_service *service, const struct srv_dhcp6_service_params *params)
{
	struct srv_dhcp6_reconfigure_params reconfigure = {
		.secret = &service->secret,
		.server_duid = &service->duid,
		.codes = &service->codes,
		.send = send_out,
		.arg = service,
		.counters = params->counters,
	};
	struct srv_dhcp6_front_params front = {
		.engine = params->engine,
		.counters = params->counters,
		.config = params->config,
		.duid = &service->duid,
		.secret = &service->secret,
		.links = params->links,
		.send = send_out,
		.arg = service,
	};

	service->clients = srv_dhcp6_clients_create(SRV_DHCP6_CLIENTS_MAX);
	if (service->clients == NULL)
		return -ENOMEM;
	reconfigure.clients = front.clients = service->clients;
	service->reconfigure = srv_dhcp6_reconfigure_create(&reconfigure);
	if (service->reconfigure == NULL)
		return -ENOMEM;
	front.reconfigure = service->reconfigure;
	service->front = srv_dhcp6_front_create(&front);
	return service->front != NULL ? 0 : -ENOMEM;
}

struct srv_dhcp6_service *srv_dhcp6_service_create(const struct srv_dhcp6_service_params *params)
{
	struct srv_dhcp6_service *service = calloc(1, sizeof(*service));
	char text[DHCP6_DUID_STRLEN];
	int ret;

	if (service == NULL)
		return NULL;
	service->config = params->config;
	service->sockets = params->sockets;
	service->links = params->links;
	service->codes = srv_dhcp6_codes_of(&params->config->dhcp6);
	ret = find_duid(&params->config->dhcp6, &service->duid);
	if (ret == 0)
		ret = open_secret(params->config, &service->secret);
	if (ret == 0)
		ret = create_parts(service, params);
	if (ret == 0)
		ret = srv_dhcp6_sockets_start(
			params->sockets, params->base, params->counters, on_came, service);
	if (ret == 0) {
		log_info("dhcpv6: this server is %s", dhcp6_duid_format(&service->duid, text));
		return service;
	}
	log_err("dhcpv6: cannot start: %s", strerror(-ret));
	srv_dhcp6_service_destroy(service);
	errno = -ret;
	return NULL;
}

void srv_dhcp6_service_destroy(struct srv_dhcp6_service *service)
{
	if (service == NULL)
		return;
	srv_dhcp6_front_destroy(service->front, clock_boot_ms());
	srv_dhcp6_reconfigure_destroy(service->reconfigure);
	srv_dhcp6_clients_destroy(service->clients);
	explicit_bzero(&service->secret, sizeof(service->secret));
	free(service);
}

void srv_dhcp6_service_tick(struct srv_dhcp6_service *service, int64_t now_ms)
{
	srv_dhcp6_front_tick(service->front, now_ms);
	srv_dhcp6_reconfigure_tick(service->reconfigure, now_ms);
}

void srv_dhcp6_service_reload(struct srv_dhcp6_service *service)
{
	service->codes = srv_dhcp6_codes_of(&service->config->dhcp6);
	if (srv_dhcp6_front_reload(service->front) < 0)
		log_warn("dhcpv6: out of memory: users are as they were");
}
