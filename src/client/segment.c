// SPDX-License-Identifier: BSD-3-Clause
#include "client/segment.h"

#include "client/checksum.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#define IP_ADDRESSES   12 /* offset of the two in the header */
#define TCP_CHECKSUM   16
#define UDP_CHECKSUM   6
#define TCP_CWR        0x80
#define GSO_TYPE(vnet) ((vnet)->gso_type & ~VIRTIO_NET_HDR_GSO_ECN)

/* The kernel has put the pseudo header's sum where the checksum belongs. */
static int complete_checksum(const struct virtio_net_hdr *vnet, uint8_t *packet, size_t len)
{
	size_t start = vnet->csum_start;
	size_t field = start + vnet->csum_offset;
	uint16_t sum;

	if (field + sizeof(sum) > len)
		return -EINVAL;
	sum = cl_checksum_fold(cl_checksum_add(0, packet + start, len - start));
	/* UDP has another word for 0, which means "none" there. */
	if (sum == 0xffff && vnet->csum_offset == UDP_CHECKSUM)
		sum = 0;
	cl_checksum_store(packet + field, sum);
	return 0;
}

/* Length of the headers of a packet that is to be cut, 0 when it cannot be. */
static size_t measure_headers(const uint8_t *packet, size_t len, bool is_tcp)
{
	struct iphdr ip;
	struct tcphdr tcp;
	size_t ip_len;

	if (len < sizeof(ip))
		return 0;
	memcpy(&ip, packet, sizeof(ip));
	ip_len = ip.ihl * 4u;
	if (ip.version != 4 || ip_len < sizeof(ip) || ntohs(ip.tot_len) != len ||
		(ip.frag_off & htons(IP_OFFMASK | IP_MF)) != 0 ||
		ip.protocol != (is_tcp ? IPPROTO_TCP : IPPROTO_UDP))
		return 0;
	if (!is_tcp)
		return len > ip_len + sizeof(struct udphdr) ? ip_len + sizeof(struct udphdr) : 0;
	if (len < ip_len + sizeof(tcp))
		return 0;
	memcpy(&tcp, packet + ip_len, sizeof(tcp));
	if (tcp.doff * 4u < sizeof(tcp) || len <= ip_len + tcp.doff * 4u)
		return 0;
	return ip_len + tcp.doff * 4u;
}

int cl_cut_begin(struct cl_cut *cut, const struct virtio_net_hdr *vnet, uint8_t *packet, size_t len)
{
	*cut = (struct cl_cut){.packet = packet, .len = len};
	switch (GSO_TYPE(vnet)) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM
			       ? complete_checksum(vnet, packet, len)
			       : 0;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		cut->is_tcp = true;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		break;
	default:
		return -EINVAL;
	}
	cut->header_len = measure_headers(packet, len, cut->is_tcp);
	cut->size = vnet->gso_size;
	if (cut->header_len == 0 || cut->size == 0)
		return -EINVAL;
	cut->ip_len = (packet[0] & 15) * 4u;
	return 0;
}

static void make_ip(const struct cl_cut *cut, uint8_t *header, size_t len)
{
	struct iphdr ip;

	memcpy(&ip, header, sizeof(ip));
	ip.tot_len = htons(len);
	ip.id = htons(ntohs(ip.id) + cut->n);
	ip.check = 0;
	memcpy(header, &ip, sizeof(ip));
	cl_checksum_store(header + offsetof(struct iphdr, check),
		cl_checksum_fold(cl_checksum_add(0, header, cut->ip_len)));
}

/* FIN and PSH are the last segment's, CWR is the first one's. */
static void make_tcp(const struct cl_cut *cut, uint8_t *l4, bool is_last)
{
	struct tcphdr tcp;

	memcpy(&tcp, l4, sizeof(tcp));
	tcp.seq = htonl(ntohl(tcp.seq) + cut->done);
	tcp.check = 0;
	if (!is_last)
		tcp.th_flags &= ~(TH_FIN | TH_PUSH);
	if (cut->n > 0)
		tcp.th_flags &= ~TCP_CWR;
	memcpy(l4, &tcp, sizeof(tcp));
}

static void make_udp(uint8_t *l4, size_t len)
{
	struct udphdr udp;

	memcpy(&udp, l4, sizeof(udp));
	udp.len = htons(len);
	udp.check = 0;
	memcpy(l4, &udp, sizeof(udp));
}

static void make_segment(const struct cl_cut *cut, struct cl_segment *segment, bool is_last)
{
	uint8_t *l4 = segment->header + cut->ip_len;
	size_t l4_header_len = cut->header_len - cut->ip_len;
	size_t l4_len = l4_header_len + segment->payload_len;
	uint16_t sum;

	memcpy(segment->header, cut->packet, cut->header_len);
	make_ip(cut, segment->header, cut->ip_len + l4_len);
	if (cut->is_tcp)
		make_tcp(cut, l4, is_last);
	else
		make_udp(l4, l4_len);
	sum = cl_checksum_fold(cl_checksum_add(
		cl_checksum_add(cl_checksum_pseudo(segment->header + IP_ADDRESSES,
					cut->is_tcp ? IPPROTO_TCP : IPPROTO_UDP, l4_len),
			l4, l4_header_len),
		segment->payload, segment->payload_len));
	if (sum == 0xffff && !cut->is_tcp)
		sum = 0;
	cl_checksum_store(l4 + (cut->is_tcp ? TCP_CHECKSUM : UDP_CHECKSUM), sum);
}

bool cl_cut_next(struct cl_cut *cut, struct cl_segment *segment)
{
	size_t left = cut->len - cut->header_len - cut->done;
	bool is_last = cut->header_len == 0 || left <= cut->size;

	if (cut->is_ended)
		return false;
	segment->header_len = cut->header_len;
	segment->payload = cut->packet + cut->header_len + cut->done;
	segment->payload_len = is_last ? left : cut->size;
	if (cut->header_len > 0)
		make_segment(cut, segment, is_last);
	cut->done += segment->payload_len;
	cut->n++;
	cut->is_ended = is_last;
	return true;
}
