// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/ipv6_ext.h"

#include <netinet/icmp6.h>

#define UNIT           8 /* headers are multiples of it */
#define OPTIONS_START  2 /* behind the next header and the length */
#define OPTION_PAD1    0
#define OPTION_ACTION  0xc0 /* bits of its type: what to do if it is unknown */
#define ACTION_DISCARD 0x40 /* in silence; the two higher ones tell the sender */
#define ROUTING_TYPE   2 /* its place in a routing header ... */
#define SEGMENTS_LEFT  3 /* ... and what is left of it */

#define FRAGMENT_OFFSET_LOW 0xf8 /* the offset in the last octet of its field */

static bool is_skippable(uint8_t next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS || next == IPPROTO_ROUTING;
}

/* The octets of the header at ext->end, or 0: it is cut. */
static uint32_t header_len(const uint8_t *packet, uint32_t len, const struct dp_ext *ext)
{
	uint32_t room = len - ext->end, header_len;

	if (room < UNIT)
		return 0;
	header_len = (packet[ext->end + 1] + 1U) * UNIT;
	return header_len <= room ? header_len : 0;
}

static void skip(const uint8_t *packet, uint32_t octets, struct dp_ext *ext)
{
	ext->next = packet[ext->end];
	ext->next_at = ext->end;
	ext->end += octets;
}

/* The options of a header that ends at `end`. */
static enum dp_ext_fault check_options(const uint8_t *packet, uint32_t end, struct dp_ext *ext)
{
	uint32_t at = ext->end + OPTIONS_START;

	while (at < end) {
		ext->fault_at = (uint16_t)at;
		if (packet[at] == OPTION_PAD1) {
			at++;
			continue;
		}
		if (at + 2 > end || at + 2 + packet[at + 1] > end)
			return DP_EXT_MALFORMED;
		if ((packet[at] & OPTION_ACTION) != 0)
			return DP_EXT_OPTION;
		at += 2 + packet[at + 1];
	}
	return DP_EXT_SOUND;
}

static enum dp_ext_fault check_header(
	const uint8_t *packet, uint32_t octets, bool is_first, struct dp_ext *ext)
{
	switch (ext->next) {
	case IPPROTO_ROUTING:
		ext->fault_at = ext->end + ROUTING_TYPE;
		return packet[ext->end + SEGMENTS_LEFT] == 0 ? DP_EXT_SOUND : DP_EXT_ROUTING;
	case IPPROTO_HOPOPTS:
		ext->fault_at = ext->next_at;
		if (!is_first)
			return DP_EXT_ORDER;
		return check_options(packet, ext->end + octets, ext);
	default:
		return check_options(packet, ext->end + octets, ext);
	}
}

enum dp_ext_fault dp_ext_walk_chain(
	const struct rte_ipv6_hdr *v6, uint32_t payload_len, struct dp_ext *ext)
{
	const uint8_t *packet = (const uint8_t *)v6;
	uint32_t len = sizeof(*v6) + payload_len;

	*ext = (struct dp_ext){v6->proto, offsetof(struct rte_ipv6_hdr, proto), sizeof(*v6), 0};
	for (uint32_t n = 0; is_skippable(ext->next); n++) {
		uint32_t octets = header_len(packet, len, ext);
		enum dp_ext_fault fault;

		if (octets == 0)
			return DP_EXT_MALFORMED;
		if (n == DP_EXT_HEADERS_MAX || ext->end + octets > sizeof(*v6) + DP_EXT_OCTETS_MAX)
			return DP_EXT_TOO_LONG;
		fault = check_header(packet, octets, n == 0, ext);
		if (fault != DP_EXT_SOUND)
			return fault;
		skip(packet, octets, ext);
	}
	if (ext->next == IPPROTO_AH)
		return DP_EXT_AH;
	return ext->next == IPPROTO_ESP ? DP_EXT_ESP : DP_EXT_SOUND;
}

/* Past all headers but fragment headers; false: it ends before, or is too long to know. */
static bool skip_all(const uint8_t *packet, uint32_t len, struct dp_ext *ext)
{
	for (uint32_t n = 0; is_skippable(ext->next); n++) {
		uint32_t octets = header_len(packet, len, ext);

		if (octets == 0 || n == DP_EXT_HEADERS_MAX ||
			ext->end + octets > sizeof(struct rte_ipv6_hdr) + DP_EXT_OCTETS_MAX)
			return false;
		skip(packet, octets, ext);
	}
	return true;
}

/* An ICMPv6 error or redirect, or what is cut before it can be told. */
static bool is_error(const uint8_t *packet, uint32_t len, const struct dp_ext *ext)
{
	return ext->next == IPPROTO_ICMPV6 &&
	       (ext->end == len || (packet[ext->end] & ICMP6_INFOMSG_MASK) == 0 ||
		       packet[ext->end] == ND_REDIRECT);
}

/* May there be an ICMPv6 error behind the header at fault? Those are never answered (RFC 4443 section 2.4). */
static bool may_carry_error(const uint8_t *packet, uint32_t len, struct dp_ext ext)
{
	return !skip_all(packet, len, &ext) || ext.next == IPPROTO_FRAGMENT ||
	       is_error(packet, len, &ext);
}

bool dp_ext_may_be_error(const struct rte_ipv6_hdr *v6, uint32_t payload_len)
{
	struct dp_ext ext = {v6->proto, offsetof(struct rte_ipv6_hdr, proto), sizeof(*v6), 0};
	const uint8_t *packet = (const uint8_t *)v6;
	uint32_t len = sizeof(*v6) + payload_len, offset;

	if (!skip_all(packet, len, &ext))
		return true;
	if (ext.next != IPPROTO_FRAGMENT)
		return is_error(packet, len, &ext);
	if (len - ext.end < UNIT)
		return true;
	offset = (uint32_t)packet[ext.end + 2] << 8 | (packet[ext.end + 3] & FRAGMENT_OFFSET_LOW);
	skip(packet, UNIT, &ext);
	if (offset != 0)
		return ext.next == IPPROTO_ICMPV6 || is_skippable(ext.next);
	return may_carry_error(packet, len, ext);
}

bool dp_ext_problem(
	const struct rte_ipv6_hdr *v6, uint32_t payload_len, struct dp_ext_problem *problem)
{
	const uint8_t *packet = (const uint8_t *)v6;
	struct dp_ext ext;

	switch (dp_ext_walk(v6, payload_len, &ext)) {
	case DP_EXT_ORDER:
		problem->code = ICMP6_PARAMPROB_NEXTHEADER;
		break;
	case DP_EXT_ROUTING:
		problem->code = ICMP6_PARAMPROB_HEADER;
		break;
	case DP_EXT_OPTION:
		if ((packet[ext.fault_at] & OPTION_ACTION) == ACTION_DISCARD)
			return false;
		problem->code = ICMP6_PARAMPROB_OPTION;
		break;
	default:
		return false;
	}
	problem->pointer = ext.fault_at;
	return !may_carry_error(packet, sizeof(*v6) + payload_len, ext);
}
