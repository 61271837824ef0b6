// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/explain.h"

#include "common/clock.h"
#include "dataplane/fragment.h"
#include "dataplane/reassembly.h"
#include "dataplane/vlan.h"
#include "dataplane/worker.h"

#include <errno.h>
#include <rte_malloc.h>

#define MBUFS     (DP_EXPLAIN_OUT_MAX + 8)
#define V4_LENGTH 2 /* offsets of the length fields */
#define V6_LENGTH 4

struct dp_explainer {
	struct dp_ctx ctx;
	struct rte_mempool *pool;
	struct rte_mbuf *held[DP_EXPLAIN_OUT_MAX]; /* frames of the last explanation */
	uint32_t n_held;
	uint8_t in[RTE_ETHER_HDR_LEN + DP_EXPLAIN_LEN_MAX];
};

/* One packet may wait, so that what reassembly refuses at once is refused. */
static int create_reassembly(struct dp_ctx *ctx)
{
	const struct dp_reassembly_params params = {
		.max_datagrams = 1, .max_fragments = 2, .per_source = 1, .timeout_ms = 1};

	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++) {
		ctx->reassembly[kind] = dp_reassembly_create(&params, kind, SOCKET_ID_ANY);
		if (ctx->reassembly[kind] == NULL)
			return -ENOMEM;
	}
	return 0;
}

struct dp_explainer *dp_explainer_create(const struct dp_datapath *datapath)
{
	struct dp_explainer *explainer = rte_zmalloc(
		"dp_explainer", sizeof(*explainer), RTE_CACHE_LINE_SIZE);

	if (explainer == NULL)
		return NULL;
	dp_datapath_ctx_init(&explainer->ctx, datapath);
	explainer->ctx.path_mtu = false; /* nothing is learnt from a packet that did not come */
	explainer->pool = rte_pktmbuf_pool_create("explain", MBUFS, 0, 0,
		RTE_PKTMBUF_HEADROOM + sizeof(explainer->in), SOCKET_ID_ANY);
	if (explainer->pool == NULL || create_reassembly(&explainer->ctx) != 0) {
		dp_explainer_destroy(explainer);
		return NULL;
	}
	return explainer;
}

static void forget(struct dp_explainer *explainer)
{
	rte_pktmbuf_free_bulk(explainer->held, explainer->n_held);
	explainer->n_held = 0;
}

void dp_explainer_destroy(struct dp_explainer *explainer)
{
	if (explainer == NULL)
		return;
	forget(explainer);
	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++)
		dp_reassembly_destroy(explainer->ctx.reassembly[kind]);
	rte_mempool_free(explainer->pool);
	rte_free(explainer);
}

static uint32_t load_be16(const uint8_t *at)
{
	return (uint32_t)(at[0] << 8 | at[1]);
}

static bool has_known_ether_type(const struct dp_explain_question *question)
{
	static const uint16_t known[] = {RTE_ETHER_TYPE_IPV4, RTE_ETHER_TYPE_IPV6,
		RTE_ETHER_TYPE_ARP, RTE_ETHER_TYPE_VLAN, RTE_ETHER_TYPE_QINQ};

	if (question->len < RTE_ETHER_HDR_LEN)
		return false;
	for (uint32_t i = 0; i < RTE_DIM(known); i++)
		if (load_be16(question->octets + RTE_ETHER_HDR_LEN - 2) == known[i])
			return true;
	return false;
}

/* A whole IP packet fits its length field, what a frame does by an odd chance only. */
static bool is_bare(const struct dp_explain_question *question)
{
	const uint8_t *octets = question->octets;
	uint32_t len = question->len;
	uint8_t version = octets[0] >> 4;

	if (question->link != DP_EXPLAIN_GUESS)
		return question->link == DP_EXPLAIN_IP;
	if (version == 4 && len >= sizeof(struct rte_ipv4_hdr) &&
		load_be16(octets + V4_LENGTH) == len)
		return true;
	if (version == 6 && len >= sizeof(struct rte_ipv6_hdr) &&
		load_be16(octets + V6_LENGTH) == len - sizeof(struct rte_ipv6_hdr))
		return true;
	return (version == 4 || version == 6) && !has_known_ether_type(question);
}

static uint32_t guess_side(const struct dp_ctx *ctx, const struct rte_ether_hdr *ether)
{
	bool to_v6_port = rte_is_same_ether_addr(&ether->dst_addr, &ctx->macs[0]);
	bool to_v4_port = rte_is_same_ether_addr(&ether->dst_addr, &ctx->macs[1]);

	if (to_v6_port != to_v4_port)
		return to_v6_port ? 0 : 1;
	return ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) ? 1 : 0;
}

/* The header of a packet that the next station sends to our port. */
static void write_ether(const struct dp_explain_question *question, struct rte_ether_hdr *ether)
{
	bool is_v4 = question->octets[0] >> 4 == 4;

	*ether = (struct rte_ether_hdr){
		.src_addr.addr_bytes = {0x02},
		.ether_type = is_v4 ? RTE_BE16(RTE_ETHER_TYPE_IPV4) : RTE_BE16(RTE_ETHER_TYPE_IPV6),
	};
}

/* The frame as it would have arrived. */
static void lay_frame(struct dp_explainer *explainer, const struct dp_explain_question *question,
	struct dp_explanation *explanation)
{
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)explainer->in;
	uint32_t at = explanation->is_bare ? RTE_ETHER_HDR_LEN : 0;

	if (explanation->is_bare)
		write_ether(question, ether);
	memcpy(explainer->in + at, question->octets, question->len);
	explanation->in = explainer->in;
	explanation->in_len = at + question->len;
	if (question->side != DP_EXPLAIN_BY_PACKET)
		explanation->side = question->side == DP_EXPLAIN_V6 ? 0 : 1;
	else if (explanation->in_len >= RTE_ETHER_HDR_LEN)
		explanation->side = guess_side(&explainer->ctx, ether);
	if (explanation->is_bare)
		ether->dst_addr = explainer->ctx.macs[explanation->side];
}

/* As the worker's clock, and with as many ICMP errors to send as the configuration ever allows at once. */
static void set_moment(struct dp_ctx *ctx)
{
	ctx->now_ms = clock_boot_ms();
	ctx->now_s = (uint32_t)(ctx->now_ms / 1000);
	ctx->icmp_bucket.filled_ms = ctx->now_ms;
	ctx->icmp_bucket.level = ctx->icmp.rate != 0 ? UINT32_MAX : 0;
}

static void forget_fragments(struct dp_ctx *ctx)
{
	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++)
		dp_reassembly_flush(ctx, ctx->reassembly[kind]);
}

/* Takes over the packet, cut if it has to be. 0 or -ENOMEM. */
static int keep(
	struct dp_explainer *explainer, struct dp_burst *burst, struct dp_explanation *explanation)
{
	const struct dp_pkt *p = &burst->pkts[0];
	struct rte_mbuf *frames[DP_FRAGMENTS_MAX] = {p->m};
	bool leaves = dp_outcome_leaves(&explanation->outcome);
	uint32_t n = leaves && p->cut ? dp_fragment(&explainer->ctx, burst, 0, frames) : 1;

	if (n == 0 || n > DP_EXPLAIN_OUT_MAX) {
		rte_pktmbuf_free_bulk(frames, RTE_MAX(n, 1U));
		return -ENOMEM;
	}
	memcpy(explainer->held, frames, n * sizeof(frames[0]));
	explainer->n_held = n;
	explanation->n_out = leaves ? n : 0;
	for (uint32_t i = 0; i < explanation->n_out; i++) {
		explanation->out[i] = rte_pktmbuf_mtod(frames[i], const uint8_t *);
		explanation->out_len[i] = frames[i]->data_len;
	}
	return 0;
}

/*
 * As the worker does behind a port with a VLAN. A frame without any tag passes: many captures are made
 * where the card has taken it off. False: dropped, and no packet any more.
 */
static bool untag(struct dp_ctx *ctx, struct rte_mbuf **m, struct dp_explanation *explanation)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(*m, const struct rte_ether_hdr *);

	if (!ctx->tagged || (*m)->data_len < sizeof(*ether) ||
		ether->ether_type != RTE_BE16(RTE_ETHER_TYPE_VLAN) ||
		dp_vlan_untag(ctx, explanation->side, m, 1) == 1)
		return true;
	explanation->outcome = (struct dp_outcome){.fate = DP_FATE_DROPPED, .reason = DP_DROP_VLAN};
	return false;
}

int dp_explain(struct dp_explainer *explainer, const struct dp_explain_question *question,
	struct dp_explanation *explanation)
{
	struct dp_burst burst = {.n = 1};
	struct rte_mbuf *m;
	int rc = 0;

	forget(explainer);
	memset(explanation, 0, sizeof(*explanation));
	if (question->len == 0)
		return -EINVAL;
	if (question->len > DP_EXPLAIN_LEN_MAX)
		return -EMSGSIZE;
	explanation->is_bare = is_bare(question);
	lay_frame(explainer, question, explanation);

	m = rte_pktmbuf_alloc(explainer->pool);
	if (m == NULL)
		return -ENOMEM;
	memcpy(rte_pktmbuf_append(m, (uint16_t)explanation->in_len), explanation->in,
		explanation->in_len);
	m->port = explainer->ctx.ports[explanation->side];
	if (!untag(&explainer->ctx, &m, explanation))
		return 0;
	burst.pkts[0].m = m;
	set_moment(&explainer->ctx);
	dp_outcome_prepare(&burst);
	dp_worker_stages(&explainer->ctx, &burst, explanation->side);
	dp_outcome_read(&explainer->ctx, &burst, 0, &explanation->outcome);
	if (explanation->outcome.fate != DP_FATE_WAITS)
		rc = keep(explainer, &burst, explanation);
	forget_fragments(&explainer->ctx);
	return rc;
}
