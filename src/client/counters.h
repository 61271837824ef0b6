// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the client counts: one row each, nowhere else.
 *
 *	CL_TRAFFIC(id, name, sentence)	packets and octets that passed
 *	CL_DROP(id, name, sentence)	packets that did not, one reason each (R4)
 */
#pragma once

#include <stdint.h>

#define CL_COUNTERS(CL_TRAFFIC, CL_DROP)                                                           \
	CL_TRAFFIC(TX_PACKETS, "tx_packets", "IPv4 packets sent through the tunnel")               \
	CL_TRAFFIC(TX_BYTES, "tx_bytes", "octets of the IPv4 packets sent through the tunnel")     \
	CL_TRAFFIC(RX_PACKETS, "rx_packets", "IPv4 packets received through the tunnel")           \
	CL_TRAFFIC(RX_BYTES, "rx_bytes", "octets of the IPv4 packets received through the tunnel") \
	CL_TRAFFIC(TX_DIRECT, "tx_direct",                                                         \
		"IPv4 packets sent straight to another client; part of tx_packets (R16)")          \
	CL_TRAFFIC(RX_DIRECT, "rx_direct",                                                         \
		"IPv4 packets received straight from another client; part of rx_packets (R16)")    \
	CL_TRAFFIC(REFUSED, "refused",                                                             \
		"ICMP errors to applications of this host, for packets that could not pass (S18)") \
	CL_TRAFFIC(HELD_PACKETS, "held_packets",                                                   \
		"IPv4 packets that waited for a lease, those that were dropped included (R12)")    \
	CL_DROP(HOLD_FULL, "hold_full",                                                            \
		"packet that came while as many waited for a lease as may wait")                   \
	CL_DROP(HOLD_LATE, "hold_late", "packet that waited too long, or in vain, for a lease")    \
	CL_DROP(HOLD_ERROR, "hold_error",                                                          \
		"packet that waited for a lease and that the kernel then did not take")            \
	CL_DROP(TX_MALFORMED, "tx_malformed",                                                      \
		"outgoing packet that is not IPv4 or whose headers are cut short")                 \
	CL_DROP(TX_ADDRESS, "tx_address",                                                          \
		"outgoing packet whose source is not the lease's IPv4 address (S18)")              \
	CL_DROP(TX_PORT, "tx_port",                                                                \
		"outgoing packet whose source port or identifier is outside the lease's ranges "   \
		"(S18)")                                                                           \
	CL_DROP(TX_PROTOCOL, "tx_protocol",                                                        \
		"outgoing packet of a protocol without ports, while the address is shared (S37)")  \
	CL_DROP(TX_ENDED, "tx_ended",                                                              \
		"outgoing packet after the end of the lease, before it was taken down (R51)")      \
	CL_DROP(TX_ERROR, "tx_error",                                                              \
		"outgoing packet that the kernel did not take: no route to the TEP, full queue")   \
	CL_DROP(TX_UNBOUND, "tx_unbound",                                                          \
		"packet that the TEP sent back, for it has no such binding (S21)")                 \
	CL_DROP(TX_UNREACHABLE, "tx_unreachable",                                                  \
		"packet that did not reach the other end of the tunnel, as ICMPv6 says (S7)")      \
	CL_DROP(TX_TOO_BIG, "tx_too_big",                                                          \
		"packet that was longer than the IPv6 path allows; the next are not (S16)")        \
	CL_DROP(RX_OUTER_SOURCE, "rx_outer_source",                                                \
		"tunnelled packet whose IPv6 source is neither the TEP nor named by the server "   \
		"(S20)")                                                                           \
	CL_DROP(RX_ENDED, "rx_ended", "tunnelled packet after the end of the lease")               \
	CL_DROP(RX_MALFORMED, "rx_malformed",                                                      \
		"tunnelled packet that is not IPv4 or whose headers are cut short")                \
	CL_DROP(RX_ADDRESS, "rx_address",                                                          \
		"tunnelled packet whose destination is not the lease's IPv4 address (S20)")        \
	CL_DROP(RX_PORT, "rx_port",                                                                \
		"tunnelled packet whose destination port or identifier is outside the lease's "    \
		"ranges "                                                                          \
		"(S20)")                                                                           \
	CL_DROP(RX_PROTOCOL, "rx_protocol",                                                        \
		"tunnelled packet of a protocol without ports, while the address is shared (S37)") \
	CL_DROP(RX_CONGESTED, "rx_congested",                                                      \
		"tunnelled packet that met congestion and whose sender cannot be told (S15)")      \
	CL_DROP(RX_ERROR, "rx_error", "tunnelled packet that the device did not take")             \
	CL_DROP(DHCP6_MALFORMED, "dhcp6_malformed",                                                \
		"datagram to the DHCPv6 client that is no message of a server")                    \
	CL_DROP(DHCP6_STRANGE, "dhcp6_strange",                                                    \
		"DHCPv6 message that came another way than it was asked for, or that nothing "     \
		"asked "                                                                           \
		"for")                                                                             \
	CL_DROP(DHCP6_RECONFIGURE, "dhcp6_reconfigure",                                            \
		"DHCPv6 Reconfigure that is not proved to be from our server, or not for us "      \
		"(R36)")

#define CL_COUNTER_ID(id, name, text) CL_##id,
enum cl_counter {
	CL_COUNTERS(CL_COUNTER_ID, CL_COUNTER_ID) CL_COUNTERS_N,
};

/* Threads add at any time; who reads uses cl_counters_get. */
struct cl_counters {
	uint64_t value[CL_COUNTERS_N];
};

static inline uint64_t cl_counters_get(const struct cl_counters *counters, unsigned int counter)
{
	return __atomic_load_n(&counters->value[counter], __ATOMIC_RELAXED);
}

static inline void cl_counters_add(struct cl_counters *counters, unsigned int counter, uint64_t n)
{
	__atomic_fetch_add(&counters->value[counter], n, __ATOMIC_RELAXED);
}

struct cl_counter_row {
	const char *name;
	const char *text; /* one sentence */
	int is_drop;
};

/* CL_COUNTERS_N rows in the order of enum cl_counter. */
extern const struct cl_counter_row cl_counter_rows[];
