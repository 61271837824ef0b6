// SPDX-License-Identifier: BSD-3-Clause
/*
 * Where a packet goes. A stage works on packets whose verdict is DP_CONTINUE and leaves one of these; drops
 * carry their named reason (counters.h).
 */
#pragma once

enum dp_verdict {
	DP_CONTINUE, /* the next stage of its journey */
	DP_RELAY, /* an ICMPv6 error about a packet that we encapsulated: to icmp_err */
	DP_FRAGMENT, /* defrag decides */
	DP_FORWARD, /* not for a tunnel: forward decides */
	DP_HELD, /* waits in a table for the rest of its packet; not in the burst any more */
	DP_TX, /* to the port that nexthop chose */
	DP_PUNT, /* to the host: the TAP twin of the port it came from */
	DP_ASK, /* to the control thread, which asks a server who holds the key of the packet */
	DP_RESOLVE, /* to the control thread: its next hop has no link-layer address yet */
	DP_DROP, /* counted under its reason and freed */
};
