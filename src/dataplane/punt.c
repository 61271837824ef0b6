// SPDX-License-Identifier: BSD-3-Clause
/* Two bounded rings, and what wakes the control thread. */
#include "dataplane/punt.h"

#include "dataplane/wake.h"

#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_ring.h>

#include <inttypes.h>
#include <stdio.h>

#define RING_SIZE_MAX (1U << 20)

struct dp_punt {
	struct rte_ring *to_host; /* many workers -> control */
	struct rte_ring *from_host; /* control -> worker 0 */
	struct dp_wake wake;
};

static struct rte_ring *create_ring(
	const struct dp_punt *punt, const char *way, uint32_t size, int socket, unsigned int flags)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "punt_%s_%" PRIxPTR, way, (uintptr_t)punt);
	return rte_ring_create(name, size, socket, flags | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

static void drain(struct rte_ring *ring)
{
	void *m;

	while (ring != NULL && rte_ring_dequeue(ring, &m) == 0)
		rte_pktmbuf_free(m);
}

struct dp_punt *dp_punt_create(uint32_t ring_size, int socket)
{
	struct dp_punt *punt;

	if (!rte_is_power_of_2(ring_size) || ring_size > RING_SIZE_MAX) {
		rte_errno = EINVAL;
		return NULL;
	}
	punt = rte_zmalloc_socket("dp_punt", sizeof(*punt), 0, socket);
	if (punt == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	rte_errno = -dp_wake_open(&punt->wake);
	if (rte_errno != 0)
		goto fail;
	punt->to_host = create_ring(punt, "out", ring_size, socket, 0);
	if (punt->to_host == NULL)
		goto fail;
	punt->from_host = create_ring(punt, "in", ring_size, socket, RING_F_SP_ENQ);
	if (punt->from_host == NULL)
		goto fail;
	return punt;
fail:
	dp_punt_destroy(punt);
	return NULL;
}

void dp_punt_destroy(struct dp_punt *punt)
{
	int error = rte_errno;

	if (punt == NULL)
		return;
	drain(punt->to_host);
	drain(punt->from_host);
	rte_ring_free(punt->to_host);
	rte_ring_free(punt->from_host);
	dp_wake_close(&punt->wake);
	rte_free(punt);
	rte_errno = error;
}

uint32_t dp_punt_to_host(
	struct dp_punt *punt, struct rte_mbuf **packets, uint32_t n, enum dp_punt_reason reason)
{
	uint32_t taken;

	if (n == 0)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		packets[i]->hash.usr = reason;
	taken = rte_ring_mp_enqueue_burst(punt->to_host, (void **)packets, n, NULL);
	dp_wake_ask(&punt->wake);
	return taken;
}

uint32_t dp_punt_from_host(struct dp_punt *punt, struct rte_mbuf **packets, uint32_t n)
{
	return rte_ring_sc_dequeue_burst(punt->from_host, (void **)packets, n, NULL);
}

int dp_punt_eventfd(const struct dp_punt *punt)
{
	return punt->wake.eventfd;
}

uint32_t dp_punt_take(struct dp_punt *punt, struct rte_mbuf **packets, uint32_t n)
{
	uint32_t taken;

	dp_wake_heed(&punt->wake);
	taken = rte_ring_sc_dequeue_burst(punt->to_host, (void **)packets, n, NULL);
	if (!rte_ring_empty(punt->to_host))
		dp_wake_ask(&punt->wake);
	return taken;
}

enum dp_punt_reason dp_punt_reason_of(const struct rte_mbuf *m)
{
	return m->hash.usr;
}

bool dp_punt_send(struct dp_punt *punt, struct rte_mbuf *m)
{
	return rte_ring_sp_enqueue(punt->from_host, m) == 0;
}
