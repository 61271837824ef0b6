// SPDX-License-Identifier: BSD-3-Clause
/*
 * The data plane as its owner sees it: made from parameters, started, read, stopped.
 *
 * Workers run on EAL worker lcores, with one queue pair each on every port that has as many; on another one they
 * share those that it has (spread.h). All pointers in the parameters are
 * borrowed and must outlive it. Only the control thread calls these.
 */
#pragma once

#include "common/icmp.h"
#include "dataplane/ask.h"
#include "dataplane/binding.h"
#include "dataplane/counters.h"
#include "dataplane/dscp.h"
#include "dataplane/nexthop.h"
#include "dataplane/pools.h"
#include "dataplane/punt.h"

#include <rte_config.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define DP_TEP_ADDRESSES_MAX 16
#define DP_LOCAL_V4_MAX      64
#define DP_MSS_AUTO          UINT32_MAX /* what the MTUs let pass */

/* Two VLANs on one port: what buffers and adjacencies call the IPv4 side's (vlan.h). No port has this number. */
#define DP_PORT_STICK RTE_MAX_ETHPORTS

struct dp_datapath;

/* Kinds of ICMP errors that we send ourselves. */
enum dp_icmp_kind {
	DP_ICMP_NONE,
	DP_ICMP_TIME_EXCEEDED, /* ICMPv4 11/0 (S9) */
	DP_ICMP_TOO_BIG, /* ICMPv4 3/4, with the MTU (S10) */
	DP_ICMP_UNREACHABLE, /* ICMPv4 3/1: nobody holds the destination (S3) */
	DP_ICMP_POLICY, /* ICMPv6 1/5: the source is not its sender's (S2) */
	DP_ICMP_PARAMETER, /* ICMPv6 4: an extension header that we cannot go past (S8) */
	DP_ICMP_NO_ROUTE, /* ICMPv4 3/0, ICMPv6 1/0: no way for a packet that is no tunnel's */
	DP_N_ICMP_KINDS,
};

struct dp_icmp_params {
	uint32_t rate; /* errors a second and worker; 0: none */
	uint32_t burst; /* errors at once */
	uint32_t tunnel_v4; /* host order: source of errors into tunnels ... */
	uint32_t v4_source; /* ... and to the IPv4 side; 0: a local address, or else tunnel_v4 */
	struct in6_addr v6_source; /* of ICMPv6 errors about packets that are no tunnel's */
	bool plain; /* errors about those, of either family */
	bool relay; /* ICMPv6 errors about packets that we encapsulated, as ICMPv4 errors (S7) */
	bool to_v4[DP_N_ICMP_KINDS]; /* which are sent to the IPv4 side ... */
	bool to_clients[DP_N_ICMP_KINDS]; /* ... and to clients */
	bool refuse_from_v4[ICMP_N_CLASSES]; /* what the IPv4 side sends to clients (S5) */
};

/* What encap writes beside addresses and hop limit (outer.h); all zero: nothing special. */
struct dp_outer_params {
	bool has_encapsulation_limit; /* RFC 2473 section 4.1.1 (S8) */
	uint8_t encapsulation_limit;
	struct dp_dscp dscp; /* S14 */
	bool hash_flows; /* a flow label for each inner flow (RFC 6438), else this one */
	uint32_t flow_label;
};

/* What becomes of packets that are not for a tunnel (forward.h). */
enum dp_forward_way {
	DP_FORWARD_DROP, /* counted as what no binding is for */
	DP_FORWARD_ROUTE, /* by the next hops */
	DP_FORWARD_HOST, /* by the host */
};

struct dp_forward_params {
	uint8_t v4; /* enum dp_forward_way */
	bool v6; /* by the next hops, else by the host */
};

/* Of each worker, for each kind of fragments (reassembly.h). */
struct dp_reassembly_params {
	uint32_t max_datagrams; /* packets that wait for fragments */
	uint32_t max_fragments; /* buffers that they may hold together; at least 2 */
	uint32_t per_source; /* packets of one sender that may wait */
	uint32_t timeout_ms; /* from the first fragment that came */
};

struct dp_datapath_params {
	uint16_t port_v6; /* DPDK port number of the IPv6 side ... */
	uint16_t port_v4; /* ... and of the IPv4 side; may be the same one */
	uint16_t vlan_v6; /* VLAN of frames from and to each side; 0: untagged */
	uint16_t vlan_v4;
	uint32_t n_workers;
	uint32_t rx_ring; /* packets that wait for a worker without a queue of its own ... */
	uint32_t tx_ring; /* ... and that it wants sent; both unused with queues for all */
	uint32_t n_tep_v6;
	struct in6_addr tep_v6[DP_TEP_ADDRESSES_MAX]; /* our tunnel addresses */
	uint8_t hop_limit; /* outer hop limit (S9) */
	struct dp_outer_params outer;
	bool pass_source_routes; /* of IPv4 options; else they are dropped */
	bool hairpin; /* packets between clients stay here (S4) ... */
	const struct addr_v4_prefix
		*pools; /* ... and so do those to an address of these that nobody holds */
	uint32_t n_pools; /* up to DP_POOLS_MAX */
	struct dp_forward_params forward;
	uint32_t mtu_v6; /* largest outer IPv6 packet, octets */
	uint32_t mtu_v4; /* largest IPv4 packet out, octets */
	bool fragment_inner; /* what is too long for its tunnel is cut inside, not outside (S11) */
	bool ignore_df; /* DF forbids no cut on the way into a tunnel (S11) */
	bool path_mtu; /* believe "packet too big" about a tunnel (S16); needs icmp.relay */
	uint32_t mss_clamp; /* largest TCP segment announced; 0: as it is; DP_MSS_AUTO */
	struct dp_icmp_params icmp;
	struct dp_reassembly_params reassembly;
	uint32_t idle_sleep_us; /* how long a worker sleeps after 64 empty polls; 0: never */
	struct dp_bindings *bindings;
	struct dp_nexthops *nexthops;
	struct dp_ask *ask; /* NULL: nobody is asked about what has no binding; needs pools */
	struct dp_punt *punt; /* NULL: neighbor: static, what is for the host is dropped */
};

/* What buffers and adjacencies call the port of the IPv4 side. */
static inline uint16_t dp_datapath_number_v4(
	uint16_t port_v6, uint16_t port_v4, uint16_t vlan_v6, uint16_t vlan_v4)
{
	return port_v6 == port_v4 && vlan_v6 != vlan_v4 ? DP_PORT_STICK : port_v4;
}

/* NULL + rte_errno. */
struct dp_datapath *dp_datapath_create(const struct dp_datapath_params *params);
void dp_datapath_destroy(struct dp_datapath *datapath);

/* Launches the workers. 0 or -errno. */
int dp_datapath_start(struct dp_datapath *datapath);
/* Asks the workers to stop, waits for them, sends what they have handed to each other, frees what waits for more. */
void dp_datapath_stop(struct dp_datapath *datapath);

/* IPv4 addresses of this router: packets to them that no binding holds go to the host. 0 or -ENOSPC. */
int dp_datapath_set_local_v4(struct dp_datapath *datapath, const uint32_t *v4, uint32_t n);

/* How full the fullest of all workers' tables of fragments is, in percent, and of what kind it is. */
uint32_t dp_datapath_reassembly_fill(const struct dp_datapath *datapath, enum dp_frag_kind *kind);

/* Seconds of the binding table's clock now; lease ends are in this unit. */
uint32_t dp_datapath_now_s(const struct dp_datapath *datapath);

/* Sums of all workers; torn only between counters, never inside one. */
void dp_datapath_counters(const struct dp_datapath *datapath, struct dp_counters *sum);
/* One worker's own. */
void dp_datapath_worker_counters(
	const struct dp_datapath *datapath, uint32_t worker, struct dp_counters *counters);
/* TSC of the last loop in which any worker received a packet, or now while a worker has not polled in vain
 * since: for --exit-on-idle. */
uint64_t dp_datapath_last_rx_tsc(const struct dp_datapath *datapath);
