// SPDX-License-Identifier: BSD-3-Clause
/*
 * Taps on a worker that a test drives by hand: which packets match, what is recorded of them before and after the
 * path rewrites them, what happens without room, and that beginning and ending leave nothing behind.
 */
#include "dataplane/port.h"
#include "dataplane/tap.h"
#include "dataplane/worker.h"
#include "support/packets.h"

#include <rte_eal.h>
#include <rte_ethdev.h>

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define UNHELD 9

static struct dp_bindings *bindings;
static struct dp_nexthops *nexthops;
static struct dp_datapath *datapath;
static struct dp_worker *worker;

static const struct packet from_client = {.tunnel = true, .payload = 20};
static const struct packet from_peer = {.payload = 20};
static const struct packet from_nobody = {.tunnel = true, .port = UNHELD};
static const struct packet to_nobody = {.port = UNHELD};

static int set_up(void **state)
{
	const struct dp_bindings_params bindings_params = {
		.max_bindings = 16, .max_readers = 1, .socket = SOCKET_ID_ANY};
	const struct dp_nexthops_params nexthops_params = {
		.max_readers = 1, .socket = SOCKET_ID_ANY};
	struct dp_datapath_params params = {
		.port_v4 = 1,
		.n_workers = 1,
		.n_tep_v6 = 1,
		.hop_limit = 64,
		.mtu_v6 = 1500,
		.mtu_v4 = 1500,
		.reassembly = {.max_datagrams = 8,
			.max_fragments = 16,
			.per_source = 4,
			.timeout_ms = 1000},
	};
	struct dp_binding binding;

	bindings = dp_bindings_create(&bindings_params);
	nexthops = dp_nexthops_create(&nexthops_params);
	packets_binding_init(&binding);
	assert_int_equal(dp_bindings_add(bindings, &binding), 0);
	for (uint16_t side = 0; side < DP_SIDES; side++) {
		const struct dp_adjacency adjacency = {.dst_mac = {{0x02, 0, 0, 0, 0, 0x99}},
			.port = side,
			.state = DP_ADJ_RESOLVED};

		if (side == 0)
			dp_nexthops_set_static_v6(nexthops, &adjacency);
		else
			dp_nexthops_set_static_v4(nexthops, &adjacency);
	}
	inet_pton(AF_INET6, "2001:db8::1", &params.tep_v6[0]);
	params.bindings = bindings;
	params.nexthops = nexthops;
	datapath = dp_datapath_create(&params);
	if (datapath == NULL)
		return -1;
	worker = dp_datapath_worker(datapath, 0);
	return 0;
}

static int tear_down(void **state)
{
	bool is_tapped = worker->ctx.taps != NULL;

	dp_datapath_destroy(datapath);
	dp_nexthops_destroy(nexthops);
	dp_bindings_destroy(bindings);
	return packets_all_back() && !is_tapped ? 0 : -1;
}

static void process(const struct packet *packet)
{
	uint32_t side = packet->tunnel ? 0 : 1;
	struct rte_mbuf *m = packet_make(packet);

	rte_eth_macaddr_get((uint16_t)side, rte_pktmbuf_mtod(m, struct rte_ether_addr *));
	dp_worker_process(worker, side, &m, 1);
	for (uint32_t at = 0; at < DP_SIDES; at++)
		dp_worker_flush(worker, at);
}

static struct dp_tap *tap(const struct dp_tap_filter *filter, uint32_t snaplen, uint32_t memory)
{
	const struct dp_tap_params params = {
		.filter = *filter, .snaplen = snaplen, .memory = memory};

	return dp_tap_create(datapath, &params);
}

/* Takes all that wait. */
static uint32_t drain(struct dp_tap *all)
{
	uint32_t n = 0;

	for (; dp_tap_first(all) != NULL; n++)
		dp_tap_dismiss(all);
	return n;
}

/* One of each kind; returns how many matched. */
static uint32_t matches(const struct dp_tap_filter *filter)
{
	struct dp_tap *all = tap(filter, 256, 1 << 16);
	uint32_t n;

	process(&from_client);
	process(&from_peer);
	process(&from_nobody);
	process(&to_nobody);
	n = drain(all);
	dp_tap_destroy(all);
	return n;
}

static struct addr_v4_prefix v4(const char *text)
{
	struct addr_v4_prefix prefix;

	assert_int_equal(addr_v4_prefix_parse(text, &prefix), 0);
	return prefix;
}

static struct addr_v6_prefix v6(const char *text)
{
	struct addr_v6_prefix prefix;

	assert_int_equal(addr_v6_prefix_parse(text, &prefix), 0);
	return prefix;
}

static void filters_match_what_they_say(void **state)
{
	const struct {
		struct dp_tap_filter filter;
		uint32_t n;
	} rows[] = {
		{{0}, 4},
		{{.side = DP_TAP_V6}, 2},
		{{.side = DP_TAP_V4}, 2},
		{{.has_v4 = true, .v4 = v4("198.51.100.7")}, 4},
		{{.has_v4 = true, .v4 = v4("0.0.0.0/0")}, 4},
		{{.has_v4 = true, .v4 = v4("198.51.100.8/29")}, 0},
		/* What is forwarded to the client has its address outside only when it leaves. */
		{{.has_v6 = true, .v6 = v6("2001:db8:1::17")}, 3},
		{{.has_v6 = true, .v6 = v6("2001:db8::/47")}, 3},
		{{.has_v6 = true, .v6 = v6("2001:db8:2::/48")}, 0},
		{{.has_port = true, .port = UNHELD}, 2},
		{{.has_port = true, .port = PACKET_PEER_PORT}, 4},
		{{.has_port = true, .port = 1}, 0},
		{{.fates = 1 << DP_FATE_SENT}, 2},
		{{.fates = 1 << DP_FATE_DROPPED}, 2},
		{{.fates = 1 << DP_FATE_WAITS}, 0},
		{{.has_reason = true, .reason = DP_DROP_NO_BINDING_V4}, 1},
		/* No reason of a packet that was not refused. */
		{{.has_reason = true, .reason = 0}, 0},
		{{.side = DP_TAP_V6, .has_port = true, .port = UNHELD}, 1},
		{{.side = DP_TAP_V6, .has_reason = true, .reason = DP_DROP_NO_BINDING_V4}, 0},
	};

	for (size_t i = 0; i < RTE_DIM(rows); i++)
		if (matches(&rows[i].filter) != rows[i].n)
			fail_msg("row %zu", i);
}

static void a_record_holds_the_frame_as_it_came_and_as_it_left(void **state)
{
	const struct dp_tap_filter any = {0};
	struct dp_tap *all = tap(&any, 2048, 1 << 20);
	struct rte_mbuf *m = packet_make(&from_client);
	const struct dp_tap_record *record;

	process(&from_client);
	record = dp_tap_first(all);
	assert_non_null(record);
	assert_int_equal(record->outcome.fate, DP_FATE_SENT);
	assert_int_equal(record->in_len, m->pkt_len);
	assert_int_equal(record->in_kept, m->pkt_len);
	assert_memory_equal(record->octets + RTE_ETHER_ADDR_LEN,
		rte_pktmbuf_mtod_offset(m, uint8_t *, RTE_ETHER_ADDR_LEN),
		m->pkt_len - RTE_ETHER_ADDR_LEN);
	assert_int_equal(record->out_len, m->pkt_len - 40);
	assert_int_equal(record->octets[record->in_kept + 5], 0x99);
	assert_int_equal(record->octets[record->in_kept + 14 + 8], 63);
	assert_int_equal(record->outcome.binding.last, 2047);
	rte_pktmbuf_free(m);
	dp_tap_destroy(all);
}

static void frames_are_cut_at_the_snaplen(void **state)
{
	const struct dp_tap_filter any = {0};
	struct dp_tap *all = tap(&any, 20, 1 << 16);
	const struct dp_tap_record *record;

	process(&from_client);
	record = dp_tap_first(all);
	assert_int_equal(record->in_kept, 20);
	assert_int_equal(record->out_kept, 20);
	assert_true(record->in_len > 60);
	dp_tap_destroy(all);
}

/* Full: counted, and the path goes on; emptied, it records again, also after many rounds. */
static void without_room_packets_are_counted_as_missed(void **state)
{
	const struct dp_tap_filter any = {0};
	struct dp_tap *all = tap(&any, 64, 1 << 13);
	uint32_t room, missed = 0;

	for (uint32_t i = 0; i < 100; i++)
		process(&from_peer);
	room = drain(all);
	missed = 100 - room;
	assert_true(room > 2 && missed > 0);
	assert_int_equal(dp_tap_missed(all), missed);
	for (uint32_t round = 0; round < 100; round++) {
		process(&from_peer);
		assert_int_equal(drain(all), 1);
	}
	assert_int_equal(dp_tap_missed(all), missed);
	assert_int_equal(worker->ctx.counters.packets[DP_COUNT_TX], 200);
	dp_tap_destroy(all);
}

static void two_taps_do_not_disturb_each_other(void **state)
{
	const struct dp_tap_filter any = {0}, dropped = {.fates = 1 << DP_FATE_DROPPED};
	struct dp_tap *first = tap(&any, 64, 1 << 16), *second = tap(&dropped, 128, 1 << 16);

	assert_null(tap(&any, 64, 1 << 16));
	assert_int_equal(errno, EBUSY);
	process(&from_peer);
	process(&to_nobody);
	assert_int_equal(drain(first), 2);
	dp_tap_destroy(first);
	process(&to_nobody);
	assert_int_equal(drain(second), 2);
	first = tap(&any, 64, 1 << 16);
	assert_non_null(first);
	dp_tap_destroy(second);
	process(&to_nobody);
	assert_int_equal(drain(first), 1);
	dp_tap_destroy(first);
}

static int make_ports(void)
{
	const struct dp_port_params params = {.n_queues = 1,
		.rx_descriptors = 64,
		.tx_descriptors = 64,
		.mtu = 1500,
		.pool = packets_pool()};
	char error[DP_PORT_ERROR_LEN];

	for (uint16_t port = 0; port < DP_SIDES; port++)
		if (dp_port_start(port, &params, error) != 0)
			return -1;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TAPPED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TAPPED(filters_match_what_they_say),
		TAPPED(a_record_holds_the_frame_as_it_came_and_as_it_left),
		TAPPED(frames_are_cut_at_the_snaplen),
		TAPPED(without_room_packets_are_counted_as_missed),
		TAPPED(two_taps_do_not_disturb_each_other),
	};
	const char *args[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--log-level=lib.eal:error", "--lcores", "0@0,1@0", "-m", "128", "--vdev",
		"net_null0", "--vdev", "net_null1"};

	if (rte_eal_init(RTE_DIM(args), (char **)args) < 0 || make_ports() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
