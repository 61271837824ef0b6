// SPDX-License-Identifier: BSD-3-Clause
#include "client/privileged.h"

#include "client/dhcp6_socket.h"
#include "client/dns_watch.h"
#include "client/hold.h"
#include "common/privileges.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cl_privileged nothing = {.hold_fd = -1, .dns_fd = -1, .dhcp6_fd = -1};

static int open_hold(void *arg)
{
	return cl_hold_open_socket();
}

/* Here and not in the other namespace, as all that goes over IPv6. */
static int open_dhcp6(struct cl_privileged *privileged, const struct cl_config *config, char *why)
{
	int fd;

	if (config->protocol != CL_LINK_DHCPV6)
		return 0;
	fd = cl_dhcp6_socket_open((uint16_t)config->dhcp6.port);
	if (fd < 0) {
		snprintf(why, CL_WHY_LEN, "dhcpv6: port %u: %s", config->dhcp6.port, strerror(-fd));
		return fd;
	}
	privileged->dhcp6_fd = fd;
	privileged->dhcp6_port = (uint16_t)config->dhcp6.port;
	return 0;
}

int cl_privileged_open(struct cl_privileged *privileged, const struct cl_config *config,
	char why[static CL_WHY_LEN])
{
	int ret;

	*privileged = nothing;
	if (config->netns != NULL)
		privileged->netns_name = strdup(config->netns);
	privileged->netns = cl_netns_open(config->netns);
	if (privileged->netns == NULL) {
		ret = -errno;
		snprintf(why, CL_WHY_LEN, "netns %s: cannot be entered: %s", config->netns,
			strerror(-ret));
		goto fail;
	}
	ret = cl_tunnel_open_sockets(config->queues, &privileged->tunnel);
	if (ret == 0)
		ret = privileged->hold_fd = cl_netns_call(privileged->netns, open_hold, NULL);
	if (ret >= 0 && config->dns_trigger)
		ret = privileged->dns_fd = cl_dns_watch_open();
	if (ret >= 0)
		ret = open_dhcp6(privileged, config, why);
	else
		snprintf(why, CL_WHY_LEN, "raw socket: cannot be opened: %s", strerror(-ret));
	if (ret >= 0)
		return 0;
fail:
	cl_privileged_close(privileged);
	return ret;
}

void cl_privileged_close(struct cl_privileged *privileged)
{
	cl_tunnel_close_sockets(&privileged->tunnel);
	if (privileged->hold_fd >= 0)
		close(privileged->hold_fd);
	if (privileged->dns_fd >= 0)
		close(privileged->dns_fd);
	if (privileged->dhcp6_fd >= 0)
		close(privileged->dhcp6_fd);
	cl_netns_close(privileged->netns);
	free(privileged->netns_name);
	*privileged = nothing;
}

const char *cl_privileged_fault(
	const struct cl_privileged *privileged, const struct cl_config *config)
{
	const char *was = privileged->netns_name != NULL ? privileged->netns_name : "";

	if (strcmp(was, config->netns != NULL ? config->netns : "") != 0)
		return "netns: changes only with a restart";
	if (config->dns_trigger && privileged->dns_fd < 0)
		return "dns_trigger: begins only with a restart";
	if (config->protocol == CL_LINK_DHCPV6 && privileged->dhcp6_fd < 0)
		return "protocol: dhcpv6 begins only with a restart";
	if (config->protocol == CL_LINK_DHCPV6 && config->dhcp6.port != privileged->dhcp6_port)
		return "dhcpv6: port: changes only with a restart";
	if (config->queues > privileged->tunnel.n)
		return "queues: more only with a restart";
	return NULL;
}

static int drop(void *arg)
{
	return privileges_keep_net_admin();
}

int cl_privileged_drop(struct cl_privileged *privileged)
{
	int ret = drop(NULL);

	/* Each thread has its own. */
	return ret == 0 ? cl_netns_call(privileged->netns, drop, NULL) : ret;
}
