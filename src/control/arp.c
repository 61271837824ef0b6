// SPDX-License-Identifier: BSD-3-Clause
#include "control/arp.h"

#include <rte_arp.h>

/* A request, Ethernet and IPv4, that is not about its sender. */
static bool is_question(const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_arp_hdr *arp = (const struct rte_arp_hdr *)(ether + 1);

	return m->data_len >= sizeof(*ether) + sizeof(*arp) &&
	       ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP) &&
	       arp->arp_hardware == RTE_BE16(RTE_ARP_HRD_ETHER) &&
	       arp->arp_protocol == RTE_BE16(RTE_ETHER_TYPE_IPV4) &&
	       arp->arp_hlen == RTE_ETHER_ADDR_LEN && arp->arp_plen == sizeof(rte_be32_t) &&
	       arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST) &&
	       arp->arp_data.arp_sip != arp->arp_data.arp_tip &&
	       !rte_is_multicast_ether_addr(&arp->arp_data.arp_sha);
}

bool tep_arp_answer(
	struct rte_mbuf *m, const struct dp_pools *pools, const struct rte_ether_addr *mac)
{
	struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)(ether + 1);
	rte_be32_t asked;

	if (!is_question(m) || !dp_pools_contain(pools, rte_be_to_cpu_32(arp->arp_data.arp_tip)))
		return false;
	asked = arp->arp_data.arp_tip;
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_tha = arp->arp_data.arp_sha;
	arp->arp_data.arp_tip = arp->arp_data.arp_sip;
	arp->arp_data.arp_sha = *mac;
	arp->arp_data.arp_sip = asked;
	ether->dst_addr = arp->arp_data.arp_tha;
	ether->src_addr = *mac;
	return true;
}
