// SPDX-License-Identifier: BSD-3-Clause
/*
 * Carriers move the packets: one thread for each queue of the device, with a raw socket of its own, both
 * directions. Only tunnel.c, carrier.c, outbound.c and inbound.c include this.
 *
 * A carrier sleeps in poll() without a timeout: an idle tunnel costs nothing. It shares little: the lease,
 * which it copies when its version has changed; the counters, to which it adds once a batch; and news
 * for the event loop's thread.
 */
#pragma once

#include "client/coalesce.h"
#include "client/counters.h"
#include "client/refuse.h"
#include "client/segment.h"
#include "client/tunnel.h"
#include "common/lease.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define CL_BATCH      64
#define CL_FRAMES     4 /* read before what they hold is sent */
#define CL_PACKET_MAX 65536
/* Apart by more than a packet may have, and not by a power of two: caches are indexed by address. */
#define CL_SLOT (CL_PACKET_MAX + 25 * 64)

/* Room for one int in a control message. */
union cl_control {
	struct cmsghdr header;
	uint8_t space[CMSG_SPACE(sizeof(int))];
};

struct cl_outbound {
	uint32_t n; /* messages that wait */
	struct mmsghdr messages[CL_BATCH];
	struct iovec vectors[CL_BATCH][2];
	struct sockaddr_in6 destinations[CL_BATCH];
	union cl_control controls[CL_BATCH];
	struct cl_segment segments[CL_BATCH];
	struct virtio_net_hdr vnet;
	uint8_t frames[CL_FRAMES][CL_SLOT];
};

struct cl_inbound {
	struct mmsghdr messages[CL_BATCH];
	struct iovec vectors[CL_BATCH];
	struct sockaddr_in6 sources[CL_BATCH];
	union cl_control controls[CL_BATCH];
	struct cl_coalescer coalescer;
	uint8_t packets[CL_BATCH][CL_SLOT];
};

struct cl_carrier {
	struct cl_tunnel *tunnel;
	pthread_t thread;
	bool is_running;
	int tun_fd, raw_fd;
	uint32_t lease_version;
	struct lease lease;
	struct cl_refuse_limit refuse_limit;
	int64_t suspect_ms; /* when an ICMPv6 error was told last */
	struct cl_counters counters; /* not yet added to the tunnel's */
	struct cl_outbound out;
	struct cl_inbound in;
};

enum cl_tunnel_news {
	CL_NEWS_UNBOUND = 1,
	CL_NEWS_SUSPECT = 2,
	CL_NEWS_PATH_MTU = 4,
};

struct cl_tunnel {
	const struct cl_tunnel_ops *ops;
	void *ops_arg;
	struct cl_counters *counters;
	struct cl_peers *peers; /* NULL: all goes through the TEP */
	int dscp; /* of the outer header, or CL_DSCP_COPY */
	bool rewrite_ip_id;
	struct event *news_event;
	struct event *age_event; /* a path MTU may be forgotten */
	int news_fd, stop_fd; /* eventfds */
	pthread_mutex_t lease_lock;
	struct lease lease; /* under the lock */
	_Atomic uint32_t lease_version;
	_Atomic int64_t used_ms;
	_Atomic int64_t
		unanswered_ms; /* since when packets go out and none comes in; 0: one came */
	_Atomic uint32_t news;
	uint32_t n_carriers;
	struct cl_carrier *carriers;
};

static inline void cl_carrier_count(struct cl_carrier *carrier, enum cl_counter counter, uint64_t n)
{
	carrier->counters.value[counter] += n;
}

/* Something for the event loop's thread to tell. */
void cl_carrier_tell(struct cl_carrier *carrier, enum cl_tunnel_news news);

/* Answers an outgoing packet that cannot pass, unless too many have been answered. */
void cl_carrier_refuse(struct cl_carrier *carrier, const uint8_t *packet, size_t len, uint8_t code,
	int64_t now_ms);

/* Starts the thread. Returns 0 or -errno. */
int cl_carrier_start(struct cl_carrier *carrier);
/* Waits for its end; the tunnel's stop_fd has been written to. */
void cl_carrier_join(struct cl_carrier *carrier);

void cl_outbound_init(struct cl_carrier *carrier);
/* Moves some packets from the device to the TEP. */
void cl_outbound_turn(struct cl_carrier *carrier, int64_t now_ms);

void cl_inbound_init(struct cl_carrier *carrier);
/* Moves some packets from the TEP to the device. */
void cl_inbound_turn(struct cl_carrier *carrier, int64_t now_ms);
