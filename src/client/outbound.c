// SPDX-License-Identifier: BSD-3-Clause
/*
 * From the device to the TEP: frames are read, judged and cut, and their segments sent as they lie in the
 * frames, a batch of messages in one call.
 */
#include "client/carrier.h"
#include "client/ecn.h"
#include "client/inner.h"
#include "client/ip_id.h"
#include "client/peers.h"
#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>

#define QUEUE_WAIT_MS 20 /* for room in the socket; longer, and the packet is lost */
#define SILENCE_MS    8000 /* of the far end, while packets go there */

static const enum cl_counter drops[] = {
	[CL_MALFORMED] = CL_TX_MALFORMED,
	[CL_FOREIGN_ADDRESS] = CL_TX_ADDRESS,
	[CL_FOREIGN_PORT] = CL_TX_PORT,
	[CL_FOREIGN_PROTOCOL] = CL_TX_PROTOCOL,
};

void cl_outbound_init(struct cl_carrier *carrier)
{
	struct cl_outbound *out = &carrier->out;

	for (uint32_t i = 0; i < CL_BATCH; i++) {
		out->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &out->destinations[i],
			.msg_namelen = sizeof(out->destinations[i]),
			.msg_iov = out->vectors[i],
		};
		out->destinations[i].sin6_family = AF_INET6;
		out->controls[i].header = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = IPPROTO_IPV6,
			.cmsg_type = IPV6_TCLASS,
		};
	}
}

static size_t message_len(const struct cl_outbound *out, uint32_t i)
{
	return out->segments[i].header_len + out->segments[i].payload_len;
}

/*
 * True when another try may succeed: there is room in the socket's buffer again (which a raw socket calls
 * ENOBUFS), or the error was an earlier packet's (ICMPv6).
 */
static bool may_try_again(struct cl_carrier *carrier, int error)
{
	struct pollfd room = {.fd = carrier->raw_fd, .events = POLLOUT};

	return (error != EAGAIN && error != ENOBUFS) || poll(&room, 1, QUEUE_WAIT_MS) > 0;
}

static void send_all(struct cl_carrier *carrier)
{
	struct cl_outbound *out = &carrier->out;
	bool is_second_try = false;

	for (uint32_t done = 0; done < out->n;) {
		int sent = sendmmsg(
			carrier->raw_fd, out->messages + done, out->n - done, MSG_DONTWAIT);

		if (sent <= 0) {
			/* The first of the rest failed; those behind it may pass. */
			if (!is_second_try && may_try_again(carrier, errno)) {
				is_second_try = true;
				continue;
			}
			is_second_try = false;
			cl_carrier_count(carrier, CL_TX_ERROR, 1);
			done++;
			continue;
		}
		is_second_try = false;
		for (int i = 0; i < sent; i++)
			cl_carrier_count(carrier, CL_TX_BYTES, message_len(out, done + i));
		cl_carrier_count(carrier, CL_TX_PACKETS, sent);
		done += sent;
	}
}

/* A far end that has been silent for long, while packets went to it without a long pause, may be dead. */
static void note_sent(struct cl_carrier *carrier, int64_t now_ms)
{
	struct cl_tunnel *tunnel = carrier->tunnel;
	int64_t since_ms = atomic_load_explicit(&tunnel->unanswered_ms, memory_order_relaxed);
	int64_t used_ms = atomic_exchange_explicit(&tunnel->used_ms, now_ms, memory_order_relaxed);

	if (since_ms != 0 && now_ms - used_ms < SILENCE_MS && now_ms - since_ms < SILENCE_MS)
		return;
	if (since_ms != 0 && now_ms - used_ms < SILENCE_MS)
		cl_carrier_tell(carrier, CL_NEWS_SUSPECT);
	atomic_store_explicit(&tunnel->unanswered_ms, now_ms, memory_order_relaxed);
}

static void flush(struct cl_carrier *carrier)
{
	struct cl_outbound *out = &carrier->out;
	int64_t now_ms;

	if (out->n == 0)
		return;
	now_ms = clock_boot_ms();
	if (now_ms < carrier->lease.end_ms) {
		send_all(carrier);
		note_sent(carrier, now_ms);
	} else {
		cl_carrier_count(carrier, CL_TX_ENDED, out->n);
	}
	out->n = 0;
}

/* Segment out->n is made; the message around it. */
static void add_message(
	struct cl_carrier *carrier, const struct in6_addr *destination, int traffic_class)
{
	struct cl_outbound *out = &carrier->out;
	struct msghdr *message = &out->messages[out->n].msg_hdr;
	struct cl_segment *segment = &out->segments[out->n];
	struct iovec *vectors = out->vectors[out->n];
	uint32_t n_vectors = 0;

	if (segment->header_len > 0)
		vectors[n_vectors++] = (struct iovec){segment->header, segment->header_len};
	vectors[n_vectors++] = (struct iovec){(void *)segment->payload, segment->payload_len};
	message->msg_iovlen = n_vectors;
	/* The class of a message without one is 0. */
	message->msg_control = traffic_class != 0 ? &out->controls[out->n] : NULL;
	message->msg_controllen = traffic_class != 0 ? CMSG_SPACE(sizeof(int)) : 0;
	memcpy(CMSG_DATA(&out->controls[out->n].header), &traffic_class, sizeof(int));
	out->destinations[out->n].sin6_addr = *destination;
	if (++out->n == CL_BATCH)
		flush(carrier);
}

static void send_frame(struct cl_carrier *carrier, uint8_t *packet, size_t len, int64_t now_ms)
{
	struct cl_outbound *out = &carrier->out;
	struct in6_addr destination = carrier->lease.tep_v6;
	enum cl_verdict verdict = cl_inner_check(packet, len, CL_OUT, &carrier->lease);
	struct cl_cut cut;
	int traffic_class;
	bool is_direct;

	if (verdict != CL_PASS) {
		cl_carrier_count(carrier, drops[verdict], 1);
		cl_carrier_refuse(carrier, packet, len, CL_REFUSE_PROHIBITED, now_ms);
		return;
	}
	if (now_ms >= carrier->lease.end_ms) {
		cl_carrier_count(carrier, CL_TX_ENDED, 1);
		cl_carrier_refuse(carrier, packet, len, CL_REFUSE_PROHIBITED, now_ms);
		return;
	}
	is_direct = cl_peers_out(carrier->tunnel->peers, packet, len, now_ms, &destination);
	if (cl_cut_begin(&cut, &out->vnet, packet, len) < 0) {
		cl_carrier_count(carrier, CL_TX_MALFORMED, 1);
		return;
	}
	traffic_class = cl_ecn_outer(carrier->tunnel->dscp, packet[1]);
	while (cl_cut_next(&cut, &out->segments[out->n])) {
		struct cl_segment *segment = &out->segments[out->n];

		if (carrier->tunnel->rewrite_ip_id)
			cl_ip_id_rewrite(segment->header_len > 0 ? segment->header : packet,
				&carrier->lease);
		add_message(carrier, &destination, traffic_class);
	}
	if (is_direct)
		cl_carrier_count(carrier, CL_TX_DIRECT, cut.n);
}

void cl_outbound_turn(struct cl_carrier *carrier, int64_t now_ms)
{
	for (uint32_t i = 0; i < CL_FRAMES; i++) {
		uint8_t *packet = carrier->out.frames[i];
		ssize_t len = cl_tun_read_frame(
			carrier->tun_fd, &carrier->out.vnet, packet, CL_SLOT);

		if (len < 0)
			break;
		send_frame(carrier, packet, len, now_ms);
	}
	flush(carrier);
}
