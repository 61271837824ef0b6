// SPDX-License-Identifier: BSD-3-Clause
/*
 * explain: every kind of fate with its reason, the binding and what would leave; and that asking leaves no trace:
 * no buffer of the packets' pool, no count, no fragment, no ICMP error spent.
 */
#include "dataplane/explain.h"
#include "dataplane/port.h"
#include "dataplane/summary.h"
#include "support/packets.h"

#include <rte_eal.h>
#include <rte_ethdev.h>

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LOCAL_V4 0xc6336401U /* 198.51.100.1: ours */

static struct dp_bindings *bindings;
static struct dp_nexthops *nexthops;
static struct dp_punt *punt;
static struct dp_datapath *datapath;
static struct dp_explainer *explainer;
static struct dp_explanation answer;
static uint16_t vlan_v6;

static void set_nexthop(uint32_t side, enum dp_adjacency_state state)
{
	const struct dp_adjacency adjacency = {
		.dst_mac = {{0x02, 0, 0, 0, 0, 0x99}}, .port = (uint16_t)side, .state = state};

	if (side == 0)
		dp_nexthops_set_static_v6(nexthops, &adjacency);
	else
		dp_nexthops_set_static_v4(nexthops, &adjacency);
}

static void make_tables(void)
{
	const struct dp_bindings_params bindings_params = {
		.max_bindings = 16, .max_readers = 1, .socket = SOCKET_ID_ANY};
	const struct dp_nexthops_params nexthops_params = {
		.max_readers = 1, .socket = SOCKET_ID_ANY};
	struct dp_binding binding;

	bindings = dp_bindings_create(&bindings_params);
	nexthops = dp_nexthops_create(&nexthops_params);
	punt = dp_punt_create(32, SOCKET_ID_ANY);
	packets_binding_init(&binding);
	assert_int_equal(dp_bindings_add(bindings, &binding), 0);
	for (uint32_t side = 0; side < DP_SIDES; side++)
		set_nexthop(side, DP_ADJ_RESOLVED);
}

static int set_up(void **state)
{
	static const uint32_t local[] = {LOCAL_V4};
	struct dp_datapath_params params = {
		.port_v6 = 0,
		.port_v4 = 1,
		.vlan_v6 = vlan_v6,
		.n_workers = 1,
		.n_tep_v6 = 2,
		.hop_limit = 64,
		.hairpin = true,
		.mtu_v6 = 1500,
		.mtu_v4 = 1500,
		.icmp = {.rate = 1,
			.burst = 1,
			.tunnel_v4 = 0xc0000001,
			.relay = true,
			.to_v4 = {[DP_ICMP_TIME_EXCEEDED] = true}},
		.reassembly = {.max_datagrams = 8,
			.max_fragments = 16,
			.per_source = 4,
			.timeout_ms = 1000},
	};

	make_tables();
	inet_pton(AF_INET6, "2001:db8::1", &params.tep_v6[0]);
	inet_pton(AF_INET6, "2001:db8::2", &params.tep_v6[1]);
	params.bindings = bindings;
	params.nexthops = nexthops;
	params.punt = punt;
	datapath = dp_datapath_create(&params);
	if (datapath == NULL || dp_datapath_set_local_v4(datapath, local, 1) != 0)
		return -1;
	explainer = dp_explainer_create(datapath);
	return explainer == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	dp_explainer_destroy(explainer);
	dp_datapath_destroy(datapath);
	dp_punt_destroy(punt);
	dp_nexthops_destroy(nexthops);
	dp_bindings_destroy(bindings);
	return packets_all_back() ? 0 : -1;
}

static int ask_octets(const uint8_t *octets, uint32_t len)
{
	const struct dp_explain_question question = {.octets = octets, .len = len};

	return dp_explain(explainer, &question, &answer);
}

/* The packet without its Ethernet header. */
static const struct dp_outcome *ask_mbuf(struct rte_mbuf *m)
{
	assert_int_equal(ask_octets(rte_pktmbuf_mtod_offset(m, const uint8_t *, RTE_ETHER_HDR_LEN),
				 m->pkt_len - RTE_ETHER_HDR_LEN),
		0);
	rte_pktmbuf_free(m);
	assert_true(answer.is_bare);
	return &answer.outcome;
}

static const struct dp_outcome *ask(const struct packet *packet)
{
	return ask_mbuf(packet_make(packet));
}

static void a_clients_packet_is_forwarded_without_its_outer_header(void **state)
{
	const struct packet packet = {.tunnel = true, .payload = 10};
	const struct dp_outcome *outcome = ask(&packet);
	struct dp_summary summary;

	assert_int_equal(outcome->fate, DP_FATE_SENT);
	assert_int_equal(answer.side, 0);
	assert_int_equal(outcome->out_side, 1);
	assert_true(outcome->has_key && outcome->has_binding && !outcome->has_target);
	assert_int_equal(outcome->key.v4, PACKET_CLIENT_V4);
	assert_int_equal(outcome->key.port, PACKET_CLIENT_PORT);
	assert_int_equal(outcome->binding.last, 2047);
	assert_int_equal(answer.n_out, 1);
	assert_int_equal(answer.out_len[0], 14 + 20 + 8 + 10);
	dp_summary_read(&summary, answer.out[0], answer.out_len[0]);
	assert_true(summary.has_v4 && !summary.has_v6);
	assert_int_equal(summary.ttl, 63);
	assert_int_equal(answer.out[0][5], 0x99);
}

static void a_packet_for_a_client_is_put_into_its_tunnel(void **state)
{
	const struct packet packet = {.payload = 10};
	struct dp_summary summary;

	assert_int_equal(ask(&packet)->fate, DP_FATE_SENT);
	assert_int_equal(answer.side, 1);
	assert_int_equal(answer.outcome.out_side, 0);
	dp_summary_read(&summary, answer.out[0], answer.out_len[0]);
	assert_true(summary.has_v6 && summary.has_v4 && summary.has_ports);
	assert_int_equal(summary.dst_port, PACKET_CLIENT_PORT);
	assert_memory_equal(&summary.v6_dst, &answer.outcome.binding.client_v6, 16);
}

/* All fragments that it would leave in (S10). */
static void a_long_packet_leaves_in_fragments(void **state)
{
	const struct packet packet = {.payload = 1460};

	assert_int_equal(ask(&packet)->fate, DP_FATE_SENT);
	assert_true(answer.outcome.cut);
	assert_int_equal(answer.n_out, 2);
	assert_int_equal(answer.out[1][20], IPPROTO_FRAGMENT);
	assert_int_equal(answer.out_len[0] + answer.out_len[1], 2 * (14 + 40 + 8) + 20 + 8 + 1460);
}

static void a_port_that_nobody_holds_is_named(void **state)
{
	const struct packet inside = {.tunnel = true, .port = 9}, outside = {.port = 9};

	assert_int_equal(ask(&inside)->fate, DP_FATE_DROPPED);
	assert_int_equal(answer.outcome.reason, DP_DROP_NO_BINDING_V6);
	assert_int_equal(answer.outcome.key.port, 9);
	assert_false(answer.outcome.has_binding);
	assert_int_equal(answer.n_out, 0);
	assert_int_equal(ask(&outside)->reason, DP_DROP_NO_BINDING_V4);
}

/* The binding tells whose the address really is (R54, S2). */
static void a_spoofed_packet_shows_the_true_holder(void **state)
{
	const struct packet packet = {.tunnel = true};
	struct rte_mbuf *m = packet_make(&packet);

	*rte_pktmbuf_mtod_offset(m, uint8_t *, 22 + 15) = 0x18;
	assert_int_equal(ask_mbuf(m)->reason, DP_DROP_SPOOFED_CLIENT);
	assert_true(answer.outcome.has_binding);
	assert_int_equal(answer.outcome.binding.client_v6.s6_addr[15], 0x17);
}

static void an_icmp_error_that_would_be_sent_is_shown_again_and_again(void **state)
{
	const struct packet packet = {.ttl = 1};

	for (uint32_t i = 0; i < 3; i++) { /* the bucket of a worker holds one */
		struct dp_summary summary;

		assert_int_equal(ask(&packet)->fate, DP_FATE_ANSWERED);
		assert_int_equal(answer.outcome.reason, DP_DROP_V4_TTL_EXPIRED);
		assert_int_equal(answer.outcome.out_side, 1);
		dp_summary_read(&summary, answer.out[0], answer.out_len[0]);
		assert_int_equal(summary.v4_dst, PACKET_PEER_V4);
		assert_int_equal(summary.icmp_type, 11);
	}
}

static void what_is_for_the_router_goes_to_the_host(void **state)
{
	const struct packet packet = {.port = 9};
	struct rte_mbuf *m = packet_make(&packet);
	rte_be32_t local = rte_cpu_to_be_32(LOCAL_V4);

	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, 14 + 16), &local, sizeof(local));
	packet_resum(m, PACKET_V4_OFFSET);
	assert_int_equal(ask_mbuf(m)->fate, DP_FATE_HOST);
	assert_int_equal(answer.n_out, 0);
}

static void a_next_hop_without_a_mac_address_shows(void **state)
{
	const struct packet packet = {0};

	set_nexthop(0, DP_ADJ_PENDING);
	assert_int_equal(ask(&packet)->fate, DP_FATE_RESOLVE);
	set_nexthop(0, DP_ADJ_NO_ROUTE);
	assert_int_equal(ask(&packet)->reason, DP_DROP_NO_ROUTE);
	assert_true(answer.outcome.has_binding);
}

static struct rte_mbuf *fragment(uint16_t flags)
{
	const struct packet packet = {.payload = 16};
	struct rte_mbuf *m = packet_make(&packet);
	rte_be16_t offset = rte_cpu_to_be_16(flags);

	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, 14 + 6), &offset, sizeof(offset));
	packet_resum(m, PACKET_V4_OFFSET);
	return m;
}

/* Nothing is kept: the rest of the packet would wait just the same. */
static void a_fragment_would_wait(void **state)
{
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(ask_mbuf(fragment(0x2000))->fate, DP_FATE_WAITS);
		assert_int_equal(ask_mbuf(fragment(3))->fate, DP_FATE_WAITS);
	}
	assert_int_equal(answer.n_out, 0);
}

static void an_impossible_fragment_is_refused(void **state)
{
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(ask_mbuf(fragment(0x1fff))->reason, DP_DROP_V4_FRAG_MALFORMED);
}

static void a_frame_for_another_station_is_not_ours(void **state)
{
	const struct packet packet = {0};
	struct rte_mbuf *m = packet_make(&packet);

	assert_int_equal(ask_octets(rte_pktmbuf_mtod(m, uint8_t *), m->pkt_len), 0);
	assert_false(answer.is_bare);
	assert_int_equal(answer.outcome.reason, DP_DROP_NOT_OUR_MAC);
	rte_eth_macaddr_get(1, rte_pktmbuf_mtod(m, struct rte_ether_addr *));
	assert_int_equal(ask_octets(rte_pktmbuf_mtod(m, uint8_t *), m->pkt_len), 0);
	assert_int_equal(answer.outcome.fate, DP_FATE_SENT);
	rte_pktmbuf_free(m);
}

/* Hostile: nothing, a single octet of each value, too long, the longest, and every packet cut anywhere. */
static void rubbish_is_a_named_drop(void **state)
{
	static uint8_t octets[DP_EXPLAIN_LEN_MAX + 1];
	const struct packet packet = {.tunnel = true};
	struct rte_mbuf *m = packet_make(&packet);

	assert_int_equal(ask_octets(octets, 0), -EINVAL);
	assert_int_equal(ask_octets(octets, sizeof(octets)), -EMSGSIZE);
	assert_int_equal(ask_octets(octets, sizeof(octets) - 1), 0);
	assert_int_equal(answer.outcome.fate, DP_FATE_DROPPED);
	for (uint32_t i = 0; i <= UINT8_MAX; i++) {
		octets[0] = (uint8_t)i;
		assert_int_equal(ask_octets(octets, 1), 0);
		assert_int_equal(answer.outcome.fate, DP_FATE_DROPPED);
	}
	for (uint32_t len = 1; len < m->pkt_len - 14; len++) {
		assert_int_equal(ask_octets(rte_pktmbuf_mtod_offset(m, uint8_t *, 14), len), 0);
		assert_int_equal(answer.outcome.fate, DP_FATE_DROPPED);
	}
	rte_pktmbuf_free(m);
}

static int set_up_vlan(void **state)
{
	int rc;

	vlan_v6 = 5;
	rc = set_up(state);
	vlan_v6 = 0;
	return rc;
}

/* The port's own tag, another one, and none: a card may have taken it off before the capture was made. */
static void tags_are_looked_at_as_behind_the_port(void **state)
{
	const struct packet packet = {.tunnel = true};
	static const uint8_t tag[4] = {0x81, 0x00, 0x00, 0x05};
	uint8_t octets[256];
	struct rte_mbuf *m = packet_make(&packet);
	uint32_t len = m->pkt_len;

	rte_eth_macaddr_get(0, rte_pktmbuf_mtod(m, struct rte_ether_addr *));
	memcpy(octets, rte_pktmbuf_mtod(m, uint8_t *), 12);
	memcpy(octets + 12, tag, sizeof(tag));
	memcpy(octets + 16, rte_pktmbuf_mtod_offset(m, uint8_t *, 12), len - 12);
	assert_int_equal(ask_octets(octets, len + 4), 0);
	assert_int_equal(answer.outcome.fate, DP_FATE_SENT);
	octets[15] = 6;
	assert_int_equal(ask_octets(octets, len + 4), 0);
	assert_int_equal(answer.outcome.fate, DP_FATE_DROPPED);
	assert_int_equal(answer.outcome.reason, DP_DROP_VLAN);
	assert_int_equal(answer.n_out, 0);
	assert_int_equal(ask_mbuf(m)->fate, DP_FATE_SENT);
}

static void nobody_else_counts_it(void **state)
{
	const struct packet packet = {.ttl = 1};
	struct dp_counters counters;

	ask(&packet);
	dp_datapath_counters(datapath, &counters);
	for (unsigned int i = 0; i < DP_N_COUNTERS; i++)
		assert_int_equal(counters.packets[i], 0);
}

static int make_ports(void)
{
	const struct dp_port_params params = {.n_queues = 1,
		.rx_descriptors = 64,
		.tx_descriptors = 64,
		.mtu = 1500,
		.pool = packets_pool()};
	char error[DP_PORT_ERROR_LEN];

	for (uint16_t port = 0; port < DP_SIDES; port++) {
		struct rte_ether_addr mac = {{0x02, 0, 0, 0, 1, (uint8_t)port}};

		if (dp_port_start(port, &params, error) != 0)
			return -1;
		rte_eth_dev_default_mac_addr_set(port, &mac);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ASKED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		ASKED(a_clients_packet_is_forwarded_without_its_outer_header),
		ASKED(a_packet_for_a_client_is_put_into_its_tunnel),
		ASKED(a_long_packet_leaves_in_fragments),
		ASKED(a_port_that_nobody_holds_is_named),
		ASKED(a_spoofed_packet_shows_the_true_holder),
		ASKED(an_icmp_error_that_would_be_sent_is_shown_again_and_again),
		ASKED(what_is_for_the_router_goes_to_the_host),
		ASKED(a_next_hop_without_a_mac_address_shows),
		ASKED(a_fragment_would_wait),
		ASKED(an_impossible_fragment_is_refused),
		ASKED(a_frame_for_another_station_is_not_ours),
		ASKED(rubbish_is_a_named_drop),
		cmocka_unit_test_setup_teardown(
			tags_are_looked_at_as_behind_the_port, set_up_vlan, tear_down),
		ASKED(nobody_else_counts_it),
	};
	const char *args[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--log-level=lib.eal:error", "--lcores", "0@0,1@0", "-m", "128", "--vdev",
		"net_null0", "--vdev", "net_null1"};

	if (rte_eal_init(RTE_DIM(args), (char **)args) < 0 || make_ports() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
