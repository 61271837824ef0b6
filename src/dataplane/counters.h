// SPDX-License-Identifier: BSD-3-Clause
/*
 * Every counter of the data plane, listed once.
 *
 * A row is (id, public name, sentence). Drops come first: a packet that goes nowhere is counted under
 * exactly one of them, with its octets. The names are what dstmctl, statistics files and
 * docs/counters.md show (dstm-tep --list-counters prints that page). Names with _v6 or inner_ speak of
 * packets that came through a tunnel, names with _v4 or v4_ of packets that came from the IPv4 side.
 *
 * Each packet that was received, came from the host, came back (ask_returned) or was made (*_reassembled,
 * fragments_made, out_icmpv4_errors, out_icmpv6_errors) is in the end in one of: a drop, tx, punted, resolve,
 * asked, or used up (fragments_joined, fragmented).
 */
#pragma once

#include <rte_common.h>
#include <stdbool.h>
#include <stdint.h>

/* Fragments of one kind, in the order of enum dp_frag_fault. */
#define DP_FRAG_DROP_ROWS(X, KIND, kind, packet)                                          \
	X(KIND##_FRAG_TIMEOUT, kind "_frag_timeout",                                      \
		"A fragment of " packet " whose others did not come in time.")            \
	X(KIND##_FRAG_EVICTED, kind "_frag_evicted",                                      \
		"A fragment of " packet " that waited the longest when room was needed.") \
	X(KIND##_FRAG_OVERLAP, kind "_frag_overlap",                                      \
		"A fragment of " packet " some of whose fragments overlap (RFC 5722).")   \
	X(KIND##_FRAG_DUPLICATE, kind "_frag_duplicate",                                  \
		"A fragment of " packet " that came before, octet for octet.")            \
	X(KIND##_FRAG_MALFORMED, kind "_frag_malformed",                                  \
		"A fragment of " packet " with an impossible length or place, too long "  \
		"for a packet buffer, or with ECN marks that contradict each other.")     \
	X(KIND##_FRAG_TOO_MANY, kind "_frag_too_many",                                    \
		"A fragment of " packet " in more than 64 fragments.")

#define DP_DROP_ROWS(X)                                                                            \
	X(FRAME_SHORT, "frame_short", "The frame ends inside its Ethernet header.")                \
	X(FRAME_SEGMENTED, "frame_segmented", "The frame is longer than one packet buffer.")       \
	X(NOT_OUR_MAC, "not_our_mac", "The frame is for another station's MAC address.")           \
	X(GROUP_MAC, "group_mac",                                                                  \
		"The frame is for a group of MAC addresses, and its packet not for the router "    \
		"itself (RFC 1812 section 5.3.4).")                                                \
	X(VLAN, "vlan",                                                                            \
		"The frame has not exactly the VLAN tag of its port: another one, two, none, or "  \
		"one where there is to be none.")                                                  \
	X(NO_HOST, "no_host",                                                                      \
		"The packet is for the router itself (ARP, ND, ping, routing), and with "          \
		"neighbor: "                                                                       \
		"static there is no host behind it.")                                              \
	X(V6_TRUNCATED, "v6_truncated", "The frame ends inside its IPv6 header.")                  \
	X(V6_BAD_VERSION, "v6_bad_version", "The version in the IPv6 header is not 6.")            \
	X(V6_BAD_LENGTH, "v6_bad_length", "The IPv6 payload length goes beyond the frame.")        \
	DP_FRAG_DROP_ROWS(X, V6, "v6", "an IPv6 packet to a tunnel address")                       \
	X(V6_EXT_MALFORMED, "v6_ext_malformed",                                                    \
		"An extension header of a packet to a tunnel address goes beyond the packet, or "  \
		"an option beyond its header.")                                                    \
	X(V6_EXT_ORDER, "v6_ext_order",                                                            \
		"Hop-by-hop options that are not the first extension header, or a fragment of a "  \
		"fragment, to a tunnel address.")                                                  \
	X(V6_EXT_TOO_LONG, "v6_ext_too_long",                                                      \
		"More than 8 extension headers, or 512 octets of them, in a packet to a tunnel "   \
		"address.")                                                                        \
	X(V6_EXT_OPTION, "v6_ext_option",                                                          \
		"An unknown IPv6 option, in a packet to a tunnel address, of a type that is not "  \
		"to be skipped.")                                                                  \
	X(V6_EXT_ROUTING, "v6_ext_routing",                                                        \
		"A routing header with segments left, in a packet to a tunnel address.")           \
	X(V6_AH, "v6_ah", "A packet to a tunnel address with an authentication header.")           \
	X(V6_ESP, "v6_esp", "An encrypted packet (ESP) to a tunnel address.")                      \
	X(INNER_TRUNCATED, "inner_truncated", "The tunnelled packet ends inside its IPv4 header.") \
	X(INNER_BAD_VERSION, "inner_bad_version", "The version in the inner header is not 4.")     \
	X(INNER_BAD_HEADER_LENGTH, "inner_bad_header_length",                                      \
		"The inner header length is under 20 octets or beyond the inner packet.")          \
	X(INNER_BAD_LENGTH, "inner_bad_length",                                                    \
		"The inner total length goes beyond the payload of the outer header.")             \
	X(INNER_BAD_CHECKSUM, "inner_bad_checksum", "The inner header checksum is wrong.")         \
	X(INNER_SOURCE_ROUTE, "inner_source_route",                                                \
		"A packet from inside a tunnel with a source route (RFC 7126).")                   \
	DP_FRAG_DROP_ROWS(X, INNER, "inner", "a packet from inside a tunnel")                      \
	X(INNER_L4_TRUNCATED, "inner_l4_truncated",                                                \
		"The inner packet ends inside its TCP, UDP or ICMP header.")                       \
	X(INNER_ICMP_TYPE, "inner_icmp_type",                                                      \
		"An ICMP message from a client that is neither a query, a reply nor an error.")    \
	X(INNER_ICMP_ERROR, "inner_icmp_error",                                                    \
		"An ICMP error from a client that does not quote a packet to that client, or is "  \
		"damaged.")                                                                        \
	X(NO_BINDING_V6, "no_binding_v6",                                                          \
		"No binding holds the inner source address and port or identifier.")               \
	X(NO_PORT_V6, "no_port_v6",                                                                \
		"A protocol without ports from a client that does not hold the whole address.")    \
	X(SPOOFED_CLIENT, "spoofed_client",                                                        \
		"The outer source is not the client that holds the inner source address and "      \
		"port.")                                                                           \
	X(WRONG_TEP, "wrong_tep",                                                                  \
		"The outer destination is ours, but not the tunnel address of the binding.")       \
	X(INNER_MARTIAN, "inner_martian",                                                          \
		"The inner destination is no unicast address (0/8, 127/8, multicast, 240/4).")     \
	X(INNER_TTL_EXPIRED, "inner_ttl_expired", "The inner TTL would reach 0 here.")             \
	X(TOO_BIG_V4, "too_big_v4", "The inner packet may not be cut, and is longer than mtu_v4.") \
	X(HAIRPIN_NO_BINDING, "hairpin_no_binding",                                                \
		"No binding holds the destination port or identifier of a packet from a client; "  \
		"the address is one of ours.")                                                     \
	X(POOL_NO_BINDING, "pool_no_binding",                                                      \
		"No binding has any port of the destination address of a packet from a client; "   \
		"the address is one of pools.")                                                    \
	X(OUTER_CE, "outer_ce",                                                                    \
		"Congestion was marked on the way for a packet that cannot carry the mark "        \
		"(RFC 6040).")                                                                     \
	X(TUNNEL_ERROR, "tunnel_error",                                                            \
		"An ICMPv6 error about a tunnel packet that is damaged, quotes no packet that we " \
		"sent to a holder, says nothing to an IPv4 sender, or came beyond icmp.rate.")     \
	X(V4_TRUNCATED, "v4_truncated", "The frame ends inside its IPv4 header.")                  \
	X(V4_BAD_VERSION, "v4_bad_version", "The version in the IPv4 header is not 4.")            \
	X(V4_BAD_HEADER_LENGTH, "v4_bad_header_length",                                            \
		"The IPv4 header length is under 20 octets or beyond the packet.")                 \
	X(V4_BAD_LENGTH, "v4_bad_length", "The IPv4 total length goes beyond the frame.")          \
	X(V4_BAD_CHECKSUM, "v4_bad_checksum", "The IPv4 header checksum is wrong.")                \
	X(V4_SOURCE_ROUTE, "v4_source_route",                                                      \
		"A packet from the IPv4 side with a source route (RFC 7126).")                     \
	DP_FRAG_DROP_ROWS(X, V4, "v4", "a packet from the IPv4 side")                              \
	X(V4_MARTIAN, "v4_martian",                                                                \
		"The IPv4 source is no unicast address (0/8, 127/8, multicast, 240/4).")           \
	X(V4_L4_TRUNCATED, "v4_l4_truncated",                                                      \
		"The IPv4 packet ends inside its TCP, UDP or ICMP header.")                        \
	X(V4_ICMP_TYPE, "v4_icmp_type",                                                            \
		"An ICMP message from the IPv4 side that is neither a query, a reply nor an "      \
		"error.")                                                                          \
	X(V4_ICMP_ERROR, "v4_icmp_error",                                                          \
		"An ICMP error from the IPv4 side that does not quote a packet from its "          \
		"destination, or is damaged.")                                                     \
	X(V4_ICMP_REFUSED, "v4_icmp_refused",                                                      \
		"An ICMP message from the IPv4 side of a kind that icmp.*_from_v4 refuses.")       \
	X(NO_BINDING_V4, "no_binding_v4",                                                          \
		"No binding holds the destination address and port or identifier.")                \
	X(NO_PORT_V4, "no_port_v4",                                                                \
		"A protocol without ports to an address that no client holds as a whole.")         \
	X(ASK_LIMIT, "ask_limit",                                                                  \
		"No binding, and the prefix that the packet came from has had its share of "       \
		"questions to servers (query.rate).")                                              \
	X(ASK_FULL, "ask_full", "No binding, and the ring to who asks servers is full.")           \
	X(V4_TTL_EXPIRED, "v4_ttl_expired", "The TTL would reach 0 here.")                         \
	X(TOO_BIG_V6, "too_big_v6",                                                                \
		"The packet may not be cut, and with its outer header is longer than the "         \
		"tunnel's MTU.")                                                                   \
	X(FORWARD_V4_ADDRESS, "forward_v4_address",                                                \
		"A plain IPv4 packet from or to an address that no router carries: 0/8, 127/8, "   \
		"169.254/16, 240/4.")                                                              \
	X(FORWARD_SPOOFED, "forward_spoofed",                                                      \
		"A plain IPv4 packet, from outside of any tunnel, whose source is an address of "  \
		"pools or of a binding.")                                                          \
	X(FORWARD_V4_TOO_BIG, "forward_v4_too_big",                                                \
		"A plain IPv4 packet that may not be cut, and is longer than the MTU of its "      \
		"port.")                                                                           \
	X(FORWARD_V6_ADDRESS, "forward_v6_address",                                                \
		"A plain IPv6 packet from or to an address that no router carries: unspecified, "  \
		"loopback, link-local, multicast, IPv4-mapped.")                                   \
	X(FORWARD_HOP_LIMIT, "forward_hop_limit",                                                  \
		"The hop limit of a plain IPv6 packet would reach 0 here.")                        \
	X(FORWARD_V6_TOO_BIG, "forward_v6_too_big",                                                \
		"A plain IPv6 packet is longer than the MTU of the port by which it was to "       \
		"leave.")                                                                          \
	X(FORWARD_LOOP, "forward_loop",                                                            \
		"The next hop of a plain packet is the neighbour who sent it here.")               \
	X(NO_HEADROOM, "no_headroom", "The packet buffer has no room for the outer header.")       \
	X(NO_ROUTE, "no_route", "There is no route to the packet's destination.")                  \
	X(NO_NEXTHOP, "no_nexthop",                                                                \
		"The next hop has no MAC address, and no host can ask for it.")                    \
	X(PUNT_FULL, "punt_full", "The ring to the host is full.")                                 \
	X(FRAG_NO_MBUF, "frag_no_mbuf",                                                            \
		"The packet was to be cut into fragments, and there were too few packet buffers.") \
	X(RX_RING_FULL, "rx_ring_full", "The ring to the worker that carries the frame was full.") \
	X(TX_RING_FULL, "tx_ring_full", "The ring to the worker that sends by the port was full.") \
	X(TX_FULL, "tx_full", "The port took no more packets.")                                    \
	X(TX_NO_PORT, "tx_no_port", "The next hop names a port that is not ours.")

#define DP_COUNT_ROWS(X)                                                                           \
	X(RX, "rx",                                                                                \
		"Frames received from the ports; at the worker that carried them through the "     \
		"path, or dropped them before.")                                                   \
	X(RX_HANDED, "rx_handed",                                                                  \
		"Frames that the worker at the port's queue handed to another one.")               \
	X(DECAPSULATED, "decapsulated", "Packets taken out of a tunnel; inner octets.")            \
	X(ENCAPSULATED, "encapsulated", "Packets put into a tunnel; IPv6 octets.")                 \
	X(HAIRPINNED, "hairpinned",                                                                \
		"Packets out of one tunnel and into another; they are among decapsulated and "     \
		"encapsulated, too; IPv6 octets.")                                                 \
	X(FORWARDED_V4, "forwarded_v4",                                                            \
		"Plain IPv4 packets, of no tunnel, that were forwarded; IPv4 octets.")             \
	X(FORWARDED_V6, "forwarded_v6",                                                            \
		"Plain IPv6 packets, of no tunnel, that were forwarded; IPv6 octets.")             \
	X(PATH_MTU_LEARNT, "path_mtu_learnt",                                                      \
		"Tunnels whose MTU a router on the way to the client has told to be smaller; "     \
		"octets of the ICMPv6 errors.")                                                    \
	X(MSS_CLAMPED, "mss_clamped", "TCP SYNs whose maximum segment size was lowered.")          \
	X(ECN_ODD, "ecn_odd",                                                                      \
		"Packets with a combination of inner and outer ECN that RFC 6040 calls to "        \
		"attention; forwarded.")                                                           \
	X(V6_REASSEMBLED, "v6_reassembled",                                                        \
		"IPv6 packets to a tunnel address made whole from their fragments.")               \
	X(INNER_REASSEMBLED, "inner_reassembled",                                                  \
		"Packets from inside a tunnel made whole from their fragments.")                   \
	X(V4_REASSEMBLED, "v4_reassembled",                                                        \
		"Packets from the IPv4 side made whole from their fragments.")                     \
	X(FRAGMENTS_JOINED, "fragments_joined", "Fragments that they were made from.")             \
	X(FRAGMENTED, "fragmented", "Packets that were cut into fragments.")                       \
	X(FRAGMENTS_MADE, "fragments_made", "Fragments that they were cut into.")                  \
	X(OUT_ICMPV4_ERRORS, "out_icmpv4_errors",                                                  \
		"ICMPv4 errors of our own, to the IPv4 side and into tunnels, each in place of a " \
		"dropped packet; IPv4 octets.")                                                    \
	X(OUT_ICMPV6_ERRORS, "out_icmpv6_errors",                                                  \
		"ICMPv6 errors of our own, each in place of a dropped packet; IPv6 octets.")       \
	X(ICMP_WITHHELD, "icmp_withheld",                                                          \
		"ICMP errors that were due and not sent: icmp.rate, or no room in the buffer; "    \
		"octets of the packets dropped.")                                                  \
	X(ICMPV6_RELAYED, "icmpv6_relayed",                                                        \
		"ICMPv6 errors about tunnel packets that went on as ICMPv4 errors; IPv4 octets.")  \
	X(ASKED, "asked", "Packets without a binding handed over to wait for a server's answer.")  \
	X(ASK_RETURNED, "ask_returned", "Packets that came back with it.")                         \
	X(ASK_KNOWN, "ask_known",                                                                  \
		"Packets without a binding that needed no question: a server has just said that "  \
		"nobody holds it.")                                                                \
	X(PUNTED, "punted", "Frames handed to the host.")                                          \
	X(RESOLVE, "resolve", "Packets handed to the host to find their next hop's MAC address.")  \
	X(FROM_HOST, "from_host", "Frames from the host to be sent.")                              \
	X(TX_HANDED, "tx_handed", "Frames handed to the worker at the port's queue to be sent.")   \
	X(TX, "tx", "Frames sent; at the worker that gave them to the port.")

enum dp_counter {
#define X(id, name, text) DP_DROP_##id,
	DP_DROP_ROWS(X)
#undef X
	DP_N_DROPS,
	DP_COUNT_FIRST = DP_N_DROPS - 1,
#define X(id, name, text) DP_COUNT_##id,
	DP_COUNT_ROWS(X)
#undef X
	DP_N_COUNTERS,
};

/* One worker's, or a sum. Frames with their Ethernet header, but for those whose row says otherwise. */
struct dp_counters {
	uint64_t packets[DP_N_COUNTERS];
	uint64_t bytes[DP_N_COUNTERS];
	uint64_t busy_cycles; /* TSC cycles of the loops that found packets */
	uint64_t idle_loops; /* loops that found none */
	uint64_t busy_loops;
} __rte_cache_aligned;

struct dp_counter_info {
	const char *name;
	const char *text;
};

enum dp_frag_kind {
	DP_FRAG_V6, /* the outer packet */
	DP_FRAG_INNER, /* the packet inside */
	DP_FRAG_V4, /* from the IPv4 side */
	DP_FRAG_N_KINDS,
};

enum dp_frag_fault {
	DP_FRAG_TIMEOUT,
	DP_FRAG_EVICTED,
	DP_FRAG_OVERLAP,
	DP_FRAG_DUPLICATE,
	DP_FRAG_MALFORMED,
	DP_FRAG_TOO_MANY,
};

extern const struct dp_counter_info dp_counter_info[DP_N_COUNTERS];

static inline bool dp_counter_is_drop(enum dp_counter counter)
{
	return (unsigned int)counter < DP_N_DROPS;
}

static inline enum dp_counter dp_frag_drop(enum dp_frag_kind kind, enum dp_frag_fault fault)
{
	static const enum dp_counter first[] = {
		[DP_FRAG_V6] = DP_DROP_V6_FRAG_TIMEOUT,
		[DP_FRAG_INNER] = DP_DROP_INNER_FRAG_TIMEOUT,
		[DP_FRAG_V4] = DP_DROP_V4_FRAG_TIMEOUT,
	};

	return first[kind] + (enum dp_counter)fault;
}

static inline void dp_count(
	struct dp_counters *counters, enum dp_counter counter, uint64_t packets, uint64_t bytes)
{
	counters->packets[counter] += packets;
	counters->bytes[counter] += bytes;
}

void dp_counters_add(struct dp_counters *sum, const struct dp_counters *one);
