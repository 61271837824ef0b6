// SPDX-License-Identifier: BSD-3-Clause
/*
 * From the TEP to the device: a batch of packets is received, judged, and written, TCP segments of a flow
 * joined to one.
 */
#include "client/carrier.h"
#include "client/checksum.h"
#include "client/ecn.h"
#include "client/inner.h"
#include "client/peers.h"
#include "common/addr.h"

#include <netinet/ip.h>
#include <string.h>
#include <sys/uio.h>

static const enum cl_counter drops[] = {
	[CL_MALFORMED] = CL_RX_MALFORMED,
	[CL_FOREIGN_ADDRESS] = CL_RX_ADDRESS,
	[CL_FOREIGN_PORT] = CL_RX_PORT,
	[CL_FOREIGN_PROTOCOL] = CL_RX_PROTOCOL,
};

/* Counts packets, as many as came out of the tunnel, though fewer may go into the device. */
static void put(void *arg, const struct iovec *vectors, uint32_t n_vectors, uint32_t n_packets)
{
	struct cl_carrier *carrier = arg;
	ssize_t len = 0;

	for (uint32_t i = 0; i < n_vectors; i++)
		len += vectors[i].iov_len;
	if (writev(carrier->tun_fd, vectors, n_vectors) != len)
		cl_carrier_count(carrier, CL_RX_ERROR, n_packets);
	else
		cl_carrier_count(carrier, CL_RX_PACKETS, n_packets);
}

void cl_inbound_init(struct cl_carrier *carrier)
{
	struct cl_inbound *in = &carrier->in;

	in->coalescer.put = put;
	in->coalescer.arg = carrier;
	for (uint32_t i = 0; i < CL_BATCH; i++) {
		in->vectors[i] = (struct iovec){in->packets[i], CL_PACKET_MAX};
		in->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &in->sources[i],
			.msg_iov = &in->vectors[i],
			.msg_iovlen = 1,
			.msg_control = &in->controls[i],
		};
	}
}

static uint8_t outer_class(struct msghdr *message)
{
	const struct cmsghdr *control = CMSG_FIRSTHDR(message);
	int value;

	if (control == NULL || control->cmsg_level != IPPROTO_IPV6 ||
		control->cmsg_type != IPV6_TCLASS || control->cmsg_len < CMSG_LEN(sizeof(value)))
		return 0;
	memcpy(&value, CMSG_DATA(control), sizeof(value));
	return (uint8_t)value;
}

/* Brings congestion that was marked on the outer header in (S15). False: the packet must not go on. */
static bool merge_ecn(uint8_t *packet, uint8_t outer)
{
	int tos = cl_ecn_merge(packet[1], outer);

	if (tos < 0)
		return false;
	if (tos == packet[1])
		return true;
	/* A header that was damaged before stays so. */
	if (cl_checksum_fold(cl_checksum_add(0, packet, (packet[0] & 15) * 4u)) != 0xffff)
		return true;
	packet[1] = (uint8_t)tos;
	memset(packet + offsetof(struct iphdr, check), 0, 2);
	cl_checksum_store(packet + offsetof(struct iphdr, check),
		cl_checksum_fold(cl_checksum_add(0, packet, (packet[0] & 15) * 4u)));
	return true;
}

static void accept_packet(struct cl_carrier *carrier, uint32_t i, int64_t now_ms)
{
	struct cl_inbound *in = &carrier->in;
	struct cl_peers *peers = carrier->tunnel->peers;
	const struct in6_addr *source = &in->sources[i].sin6_addr;
	bool from_tep = addr_v6_equal(source, &carrier->lease.tep_v6);
	uint8_t *packet = in->packets[i];
	size_t len = in->messages[i].msg_len;
	enum cl_verdict verdict;

	if (!from_tep && peers == NULL) {
		cl_carrier_count(carrier, CL_RX_OUTER_SOURCE, 1);
		return;
	}
	verdict = cl_inner_check(packet, len, CL_IN, &carrier->lease);
	if (verdict != CL_PASS) {
		cl_carrier_count(carrier, drops[verdict], 1);
		return;
	}
	if (!cl_peers_in(peers, from_tep, source, packet, len, now_ms)) {
		cl_carrier_count(carrier, CL_RX_OUTER_SOURCE, 1);
		return;
	}
	if (!merge_ecn(packet, outer_class(&in->messages[i].msg_hdr))) {
		cl_carrier_count(carrier, CL_RX_CONGESTED, 1);
		return;
	}
	cl_carrier_count(carrier, CL_RX_BYTES, len);
	cl_carrier_count(carrier, CL_RX_DIRECT, !from_tep);
	cl_coalesce_add(&in->coalescer, packet, len);
}

/* What was dropped is neither use of the lease nor a sign of life. */
static void note_received(struct cl_carrier *carrier, int64_t now_ms)
{
	struct cl_tunnel *tunnel = carrier->tunnel;

	if (carrier->counters.value[CL_RX_PACKETS] == 0)
		return;
	atomic_store_explicit(&tunnel->used_ms, now_ms, memory_order_relaxed);
	if (atomic_load_explicit(&tunnel->unanswered_ms, memory_order_relaxed) != 0)
		atomic_store_explicit(&tunnel->unanswered_ms, 0, memory_order_relaxed);
}

void cl_inbound_turn(struct cl_carrier *carrier, int64_t now_ms)
{
	struct cl_inbound *in = &carrier->in;
	int n;

	for (uint32_t i = 0; i < CL_BATCH; i++) {
		in->messages[i].msg_hdr.msg_namelen = sizeof(in->sources[i]);
		in->messages[i].msg_hdr.msg_controllen = sizeof(in->controls[i]);
	}
	n = recvmmsg(carrier->raw_fd, in->messages, CL_BATCH, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return;
	if (now_ms >= carrier->lease.end_ms) {
		cl_carrier_count(carrier, CL_RX_ENDED, n);
		return;
	}
	for (int i = 0; i < n; i++)
		accept_packet(carrier, (uint32_t)i, now_ms);
	cl_coalesce_flush(&in->coalescer);
	note_received(carrier, now_ms);
}
