// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/port.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL_CACHE   256 /* buffers that an lcore keeps at hand */
#define FRAME_EXTRA  (RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN)
#define TUNNEL_EXTRA 48 /* what the other side's MTU may grow by */

struct rte_mempool *dp_port_pool_create(const char *name, uint32_t n, uint32_t mtu, int socket)
{
	uint32_t room = RTE_ALIGN_CEIL(mtu + TUNNEL_EXTRA + FRAME_EXTRA, RTE_CACHE_LINE_SIZE);

	room = RTE_MAX(room + RTE_PKTMBUF_HEADROOM, (uint32_t)RTE_MBUF_DEFAULT_BUF_SIZE);
	if (room > UINT16_MAX) {
		rte_errno = EINVAL;
		return NULL;
	}
	return rte_pktmbuf_pool_create(
		name, n, RTE_MIN(POOL_CACHE, n / 4), 0, (uint16_t)room, socket);
}

int dp_port_find(const char *device, uint16_t *port)
{
	char *end;
	unsigned long number = strtoul(device, &end, 10);

	if (device[0] >= '0' && device[0] <= '9' && *end == '\0') {
		if (number >= RTE_MAX_ETHPORTS || !rte_eth_dev_is_valid_port((uint16_t)number))
			return -ENODEV;
		*port = (uint16_t)number;
		return 0;
	}
	return rte_eth_dev_get_port_by_name(device, port) == 0 ? 0 : -ENODEV;
}

static int __attribute__((format(printf, 4, 5)))
fail(char *error, uint16_t port, int rc, const char *format, ...)
{
	char name[RTE_ETH_NAME_MAX_LEN] = "?";
	char what[DP_PORT_ERROR_LEN / 2];
	va_list args;

	rte_eth_dev_get_name_by_port(port, name);
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(error, DP_PORT_ERROR_LEN, "port %u (%s): %s", port, name, what);
	return rc;
}

static uint16_t queue_pairs(
	const struct dp_port_params *params, const struct rte_eth_dev_info *info)
{
	uint32_t pairs = RTE_MIN(info->max_rx_queues, info->max_tx_queues);

	return (uint16_t)RTE_MIN(params->n_queues, pairs);
}

/* What this device can do of what is asked; the rest is an error, or not needed. */
static int check_limits(uint16_t port, const struct dp_port_params *params,
	const struct rte_eth_dev_info *info, char *error)
{
	if (queue_pairs(params, info) == 0)
		return fail(error, port, -EINVAL, "it has no queue pair");
	if (info->max_mtu != 0 && params->mtu > info->max_mtu)
		return fail(error, port, -EINVAL, "an MTU of %u is more than its %u", params->mtu,
			info->max_mtu);
	return 0;
}

static int configure(
	uint16_t port, const struct dp_port_params *params, const struct rte_eth_dev_info *info)
{
	struct rte_eth_conf conf = {.rxmode.mtu = params->mtu};
	const uint64_t by_address = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6;
	uint16_t n_queues = queue_pairs(params, info);

	if (n_queues > 1 && (info->flow_type_rss_offloads & by_address) != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & by_address;
	}
	return rte_eth_dev_configure(port, n_queues, n_queues, &conf);
}

static int set_up_queues(
	uint16_t port, const struct dp_port_params *params, const struct rte_eth_dev_info *info)
{
	uint16_t n_queues = queue_pairs(params, info);
	uint16_t rx_descriptors = (uint16_t)params->rx_descriptors;
	uint16_t tx_descriptors = (uint16_t)params->tx_descriptors;
	int socket = rte_eth_dev_socket_id(port);
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(port, &rx_descriptors, &tx_descriptors);

	for (uint16_t queue = 0; rc == 0 && queue < n_queues; queue++) {
		rc = rte_eth_rx_queue_setup(
			port, queue, rx_descriptors, (unsigned int)socket, NULL, params->pool);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(
				port, queue, tx_descriptors, (unsigned int)socket, NULL);
	}
	return rc;
}

int dp_port_start(
	uint16_t port, const struct dp_port_params *params, char error[static DP_PORT_ERROR_LEN])
{
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(port, &info);

	if (rc != 0)
		return fail(error, port, rc, "it cannot be asked: %s", rte_strerror(-rc));
	rc = check_limits(port, params, &info, error);
	if (rc != 0)
		return rc;
	rc = configure(port, params, &info);
	if (rc != 0)
		return fail(error, port, rc, "it cannot be configured: %s", rte_strerror(-rc));
	rc = set_up_queues(port, params, &info);
	if (rc != 0)
		return fail(error, port, rc, "its queues cannot be set up: %s", rte_strerror(-rc));
	rc = rte_eth_dev_start(port);
	if (rc != 0)
		return fail(error, port, rc, "it does not start: %s", rte_strerror(-rc));
	/* For the host's multicast (ND, routing protocols); some devices cannot, and show it anyway. */
	rte_eth_promiscuous_enable(port);
	return 0;
}

void dp_port_stop(uint16_t port)
{
	rte_eth_dev_stop(port);
	rte_eth_dev_close(port);
}
