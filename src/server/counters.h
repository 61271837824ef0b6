// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the server counts. One row here is the counter, its public name and its sentence for
 * "dstmctl server counters --explain" and the documentation.
 */
#pragma once

#include <stdint.h>

#define SRV_COUNTERS(X)                                                                            \
	X(CONNECTIONS, "connections", "Client connections that were accepted.")                    \
	X(CONNECTIONS_REFUSED, "connections-refused",                                              \
		"Client connections closed at once because limits.connections was reached.")       \
	X(CONNECTIONS_FORBIDDEN, "connections-forbidden",                                          \
		"Connections closed at once because clients.allow does not name their source.")    \
	X(CONNECTIONS_OF_PREFIX, "connections-of-prefix",                                          \
		"Connections closed at once because their prefix had too many "                    \
		"(limits.connections_per_prefix).")                                                \
	X(CONNECTIONS_TOO_FAST, "connections-too-fast",                                            \
		"Connections closed at once because their prefix opened too many within a minute " \
		"(limits.connections_per_minute).")                                                \
	X(CONNECTIONS_HALF_OPEN, "connections-half-open",                                          \
		"Connections closed because too many had not authenticated: new ones of a prefix " \
		"(limits.unauthenticated_per_prefix), the oldest of all "                          \
		"(limits.unauthenticated).")                                                       \
	X(AUTH_FAILED, "auth-failed", "Connections that ended without authentication.")            \
	X(REQUESTS, "requests", "Messages received from authenticated clients.")                   \
	X(PARSER_DEATHS, "parser-deaths",                                                          \
		"XML parsers that died, or were killed because they said nothing; another one "    \
		"took over.")                                                                      \
	X(PARSER_DEADLY, "parser-deadly",                                                          \
		"Messages that no parser survived; their connections were closed.")                \
	X(LEASES_CREATED, "leases-created", "New leases that were answered with success.")         \
	X(LEASES_RENEWED, "leases-renewed", "Leases extended for their holder.")                   \
	X(LEASES_PUSHED, "leases-pushed",                                                          \
		"Leases that were sent to a client which had not asked (R32).")                    \
	X(LEASES_GROWN, "leases-grown", "Leases that got more ports of their address (R58).")      \
	X(LEASES_MOVED, "leases-moved",                                                            \
		"Leases that were renewed through another TEP than before; part of "               \
		"leases-renewed.")                                                                 \
	X(LEASES_RETURNED, "leases-returned",                                                      \
		"New leases that gave a client the range it had before (S23); part of "            \
		"leases-created.")                                                                 \
	X(LEASES_RELEASED, "leases-released", "Leases that their client gave back.")               \
	X(LEASES_EXPIRED, "leases-expired", "Leases that reached their end.")                      \
	X(LEASES_UNDONE, "leases-undone",                                                          \
		"New leases taken back: rejected, or not accepted in time by a generation 2 "      \
		"client.")                                                                         \
	X(LEASES_REVOKED, "leases-revoked",                                                        \
		"Leases that ended because policy or their TEP refused to go on.")                 \
	X(REFUSED_EXHAUSTED, "refused-exhausted",                                                  \
		"Requests refused because no pool for the client had room (306, 301).")            \
	X(REDIRECTED, "redirected",                                                                \
		"Requests refused with a list of other servers; part of the refused ones.")        \
	X(REFUSED_TEP, "refused-tep",                                                              \
		"Requests refused because the TEP refused or did not answer (307, 310).")          \
	X(REFUSED_UNAVAILABLE, "refused-unavailable",                                              \
		"Requests that named an address or lease that the client does not hold (308).")    \
	X(REFUSED_V6, "refused-v6", "Requests without a usable IPv6 address (309, 502).")          \
	X(REFUSED_BUSY, "refused-busy",                                                            \
		"Requests refused for a quota, for too many at once, or because the store failed " \
		"(530).")                                                                          \
	X(OVER_QUOTA, "over-quota",                                                                \
		"New leases refused because a user, address or prefix had its share (S25); part "  \
		"of refused-busy.")                                                                \
	X(OVER_RATE, "over-rate",                                                                  \
		"Requests refused because a user, address or prefix sent too many within a "       \
		"minute; part of refused-busy.")                                                   \
	X(POOLS_FILLING, "pools-filling", "Times that a pool became fuller than a threshold.")     \
	X(POOLS_EXHAUSTED, "pools-exhausted", "Times that nothing was free in a pool any more.")   \
	X(QUERIES, "queries", "Questions of clients who holds an address and port (R16).")         \
	X(QUERIES_ANSWERED, "queries-answered",                                                    \
		"Questions of clients that were answered with a holder; part of queries.")         \
	X(REFUSED_OTHER, "refused-other", "Requests refused for what they say (500 and others).")  \
	X(TEP_REQUESTS, "tep-requests", "Creates and deletes sent to TEPs, levelling aside.")      \
	X(TEP_LEVELLED, "tep-levelled", "Leases announced to TEPs after a connection.")            \
	X(TEP_REFUSALS, "tep-refusals", "Requests that a TEP answered with an error.")             \
	X(TEP_TIMEOUTS, "tep-timeouts", "Requests that a TEP did not answer in time.")             \
	X(COPIES, "copies",                                                                        \
		"Copies of leases asked of TEPs besides the one a lease goes through.")            \
	X(COPIES_REFUSED, "copies-refused",                                                        \
		"Copies that a TEP answered with an error; the lease goes on without.")            \
	X(COPIES_LOST, "copies-lost",                                                              \
		"Copies that a TEP did not answer for; it gets them when it gets level.")          \
	X(TEP_QUERIES, "tep-queries", "Questions of TEPs who holds an address and port (R72).")    \
	X(TEP_QUERIES_ANSWERED, "tep-queries-answered",                                            \
		"Questions of TEPs that were answered with a holder; part of tep-queries.")        \
	X(TEP_QUERIES_REFUSED, "tep-queries-refused",                                              \
		"Questions of TEPs beyond limits.tep_queries_per_second (530); part of "           \
		"tep-queries.")                                                                    \
	X(TEP_BY_DIGEST, "tep-by-digest",                                                          \
		"Times that a TEP got level without a whole list, since digests told what "        \
		"differed.")                                                                       \
	X(TEP_COMPARED, "tep-compared", "Looks at the digest of a TEP that was level.")            \
	X(TEP_DIVERGED, "tep-diverged",                                                            \
		"Times that the table of a TEP was found not to be ours, twice in a row.")         \
	X(TEP_MENDED, "tep-mended",                                                                \
		"Parts of TEPs' tables (of 4,096 each) that were listed anew because of that.")    \
	X(TEP_CONNECTS, "tep-connects", "Sessions with TEPs that were set up.")                    \
	X(RPC_CALLS, "rpc-calls", "Calls by RPC that could be read, repeated ones aside.")         \
	X(RPC_REFUSED, "rpc-refused",                                                              \
		"REQUEST and RELEASE that were answered without an address; part of rpc-calls.")   \
	X(RPC_GARBAGE, "rpc-garbage",                                                              \
		"Calls with arguments that are none (GARBAGE_ARGS); part of rpc-calls.")           \
	X(RPC_UNKNOWN, "rpc-unknown",                                                              \
		"Calls of a program, version or procedure that is not here; part of rpc-calls.")   \
	X(RPC_DENIED, "rpc-denied",                                                                \
		"Calls of another RPC version, or with credentials that nobody can check; part "   \
		"of rpc-calls.")                                                                   \
	X(RPC_MALFORMED, "rpc-malformed",                                                          \
		"Datagrams and records that are no call: dropped, and the connection closed.")     \
	X(RPC_FORBIDDEN, "rpc-forbidden",                                                          \
		"Datagrams and connections dropped because rpc.allow does not name their source.") \
	X(RPC_REPEATED, "rpc-repeated",                                                            \
		"Calls by UDP that came again, and were not worked on again.")                     \
	X(RPC_BUSY, "rpc-busy", "Calls by UDP dropped because too many were under way.")           \
	X(RPC_CONNECTIONS, "rpc-connections", "Connections for RPC that were accepted.")           \
	X(RPC_CONNECTIONS_REFUSED, "rpc-connections-refused",                                      \
		"Connections for RPC closed at once: too many of all (rpc.connections), or of "    \
		"their prefix (limits), or from outside clients.allow.")                           \
	X(RPC_IDLE, "rpc-idle",                                                                    \
		"Connections for RPC closed because no whole call came within rpc.idle_s.")        \
	X(DHCP6_RECEIVED, "dhcp6-received", "DHCPv6 datagrams that were read.")                    \
	X(DHCP6_OVERRUNS, "dhcp6-overruns",                                                        \
		"DHCPv6 datagrams that the kernel dropped because they came faster than they "     \
		"were read; counted when the next one is.")                                        \
	X(DHCP6_SENT, "dhcp6-sent", "DHCPv6 datagrams that were sent.")                            \
	X(DHCP6_NOT_SENT, "dhcp6-not-sent",                                                        \
		"DHCPv6 datagrams lost because the kernel had no room or no way for them.")        \
	X(DHCP6_SOLICITS, "dhcp6-solicits",                                                        \
		"DHCPv6 Solicits, and whatever becomes of them; so are the next "                  \
		"ones.")                                                                           \
	X(DHCP6_REQUESTS, "dhcp6-requests", "DHCPv6 Requests.")                                    \
	X(DHCP6_CONFIRMS, "dhcp6-confirms", "DHCPv6 Confirms.")                                    \
	X(DHCP6_RENEWS, "dhcp6-renews", "DHCPv6 Renews.")                                          \
	X(DHCP6_REBINDS, "dhcp6-rebinds", "DHCPv6 Rebinds.")                                       \
	X(DHCP6_RELEASES, "dhcp6-releases", "DHCPv6 Releases.")                                    \
	X(DHCP6_DECLINES, "dhcp6-declines", "DHCPv6 Declines.")                                    \
	X(DHCP6_INFORMATION_REQUESTS, "dhcp6-information-requests",                                \
		"DHCPv6 Information-requests.")                                                    \
	X(DHCP6_OTHERS, "dhcp6-others", "DHCPv6 messages of other types.")                         \
	X(DHCP6_RELAYED, "dhcp6-relayed",                                                          \
		"DHCPv6 messages that came through relays; part of those above.")                  \
	X(DHCP6_MERGED, "dhcp6-merged",                                                            \
		"DHCPv6 messages that repeat one whose answer is under way, which "                \
		"answers both.")                                                                   \
	X(DHCP6_MALFORMED, "dhcp6-malformed",                                                      \
		"DHCPv6 datagrams dropped: no message, or one that contradicts "                   \
		"itself.")                                                                         \
	X(DHCP6_UNEXPECTED, "dhcp6-unexpected",                                                    \
		"DHCPv6 messages dropped: of a type that clients do not send.")                    \
	X(DHCP6_IDENTIFIERS, "dhcp6-identifiers",                                                  \
		"DHCPv6 messages dropped: without an identifier that their type "                  \
		"must have, or with what it must not have (RFC 8415 section 16).")                 \
	X(DHCP6_OTHER_SERVER, "dhcp6-other-server",                                                \
		"DHCPv6 messages dropped: for another server.")                                    \
	X(DHCP6_UNICAST, "dhcp6-unicast",                                                          \
		"DHCPv6 messages dropped: straight from a client by unicast "                      \
		"(dhcpv6.unicast).")                                                               \
	X(DHCP6_FOREIGN_RELAY, "dhcp6-foreign-relay",                                              \
		"DHCPv6 messages dropped: from a relay that dhcpv6.relays does "                   \
		"not name.")                                                                       \
	X(DHCP6_NOT_OURS, "dhcp6-not-ours",                                                        \
		"DHCPv6 messages dropped: they ask for nothing that is ours to "                   \
		"give.")                                                                           \
	X(DHCP6_NO_ROOM, "dhcp6-no-room",                                                          \
		"DHCPv6 messages dropped: too many are waiting for their answer "                  \
		"(dhcpv6.exchanges).")                                                             \
	X(DHCP6_NO_FIT, "dhcp6-no-fit", "DHCPv6 answers that did not fit into a packet.")          \
	X(DHCP6_ADVERTISED, "dhcp6-advertised", "DHCPv6 Advertises that were made.")               \
	X(DHCP6_REPLIED, "dhcp6-replied", "DHCPv6 Replies that were made.")                        \
	X(DHCP6_UNSPEC_FAIL, "dhcp6-unspec-fail", "UnspecFail in a DHCPv6 answer.")                \
	X(DHCP6_NO_ADDRS_AVAIL, "dhcp6-no-addrs-avail", "NoAddrsAvail in a DHCPv6 answer.")        \
	X(DHCP6_NO_BINDING, "dhcp6-no-binding", "NoBinding in a DHCPv6 answer.")                   \
	X(DHCP6_NOT_ON_LINK, "dhcp6-not-on-link", "NotOnLink in a DHCPv6 answer.")                 \
	X(DHCP6_USE_MULTICAST, "dhcp6-use-multicast", "UseMulticast in a DHCPv6 answer.")          \
	X(DHCP6_NO_PREFIX_AVAIL, "dhcp6-no-prefix-avail", "NoPrefixAvail in a DHCPv6 answer.")     \
	X(DHCP6_END_MISSING, "dhcp6-end-missing",                                                  \
		"Leases refused over DHCPv6 because no tunnel end was known.")                     \
	X(DHCP6_END_NOT_BELIEVED, "dhcp6-end-not-believed",                                        \
		"Leases refused over DHCPv6 because the tunnel end is neither the "                \
		"client's source nor on its link (R70).")                                          \
	X(DHCP6_END_TAKEN, "dhcp6-end-taken",                                                      \
		"Leases refused over DHCPv6 because another DUID holds a lease "                   \
		"for the tunnel end.")                                                             \
	X(DHCP6_RECONFIGURES, "dhcp6-reconfigures",                                                \
		"Reconfigure messages that were sent, repeated ones too (R36).")                   \
	X(DHCP6_RECONFIGURED, "dhcp6-reconfigured",                                                \
		"DHCPv6 clients that came after they were sent a Reconfigure.")                    \
	X(DHCP6_RECONFIGURES_GIVEN_UP, "dhcp6-reconfigures-given-up",                              \
		"DHCPv6 clients that did not come, whatever was sent.")

enum srv_counter {
#define X(id, name, text) SRV_COUNT_##id,
	SRV_COUNTERS(X)
#undef X
	SRV_COUNTER_MAX,
};

struct srv_counters {
	uint64_t n[SRV_COUNTER_MAX];
};

struct srv_counter_text {
	const char *name;
	const char *text;
};
extern const struct srv_counter_text srv_counter_texts[SRV_COUNTER_MAX];
