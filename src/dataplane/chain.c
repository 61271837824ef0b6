// SPDX-License-Identifier: BSD-3-Clause
/* Packets in several buffers, as reassembly leaves them where one is too small. */
#include "dataplane/pkt_ctx.h"

static void free_chain(struct rte_mbuf *m)
{
	while (m != NULL) {
		struct rte_mbuf *next = m->next;

		rte_pktmbuf_free_seg(m);
		m = next;
	}
}

static void truncate(struct rte_mbuf *m, uint32_t len)
{
	struct rte_mbuf *last = m;
	uint32_t left = len;

	m->pkt_len = len;
	m->nb_segs = 1;
	while (left > last->data_len) {
		left -= last->data_len;
		last = last->next;
		m->nb_segs++;
	}
	last->data_len = (uint16_t)left;
	free_chain(last->next);
	last->next = NULL;
}

void dp_chain_set_len(struct dp_pkt *p, uint32_t len, int32_t grown)
{
	p->m->data_len = (uint16_t)(p->m->data_len + grown);
	truncate(p->m, len);
	if (rte_pktmbuf_linearize(p->m) != 0)
		p->cut = true;
}
