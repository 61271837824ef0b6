# SPDX-License-Identifier: BSD-3-Clause
"""
dstm-tep with neighbor: kernel: the host answers on its twins, and the data plane follows what the
host knows.

DSTM_BUILD names the build directory whose dstm-tep is tested.
"""

import os
import signal
import socket

import pytest
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw

from tep_bench import (CLIENT_V6, FAR_CLIENT_V6, FAR_PORT, LEASE_PORT, LEASE_V4, OUTSIDE_V4, TEP_V4,
                       TEP_V6, Bench, Tunnel, udp_socket, wait_for)

OUTSIDE_PORT = 7000

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and TAP devices need root")


@pytest.fixture(name="bench")
def fixture_bench(tmp_path):
    with Bench(tmp_path) as bench:
        yield bench


def to_outside(payload, port=LEASE_PORT):
    return IP(src=LEASE_V4, dst=OUTSIDE_V4) / UDP(sport=port, dport=OUTSIDE_PORT) / Raw(payload)


def assert_both_ways(bench, payload):
    """One packet each way, the first one included: none is sent twice."""
    with Tunnel(bench) as tunnel, udp_socket(bench, OUTSIDE_PORT) as outside:
        tunnel.send(to_outside(payload))
        assert outside.recvfrom(2000) == (payload, (LEASE_V4, LEASE_PORT))
        outside.sendto(payload, (LEASE_V4, LEASE_PORT))
        inner = IP(tunnel.receive())
        assert (inner.src, inner.dst) == (OUTSIDE_V4, LEASE_V4)
        assert inner[UDP].dport == LEASE_PORT
        assert bytes(inner[UDP].payload) == payload


def forget_neighbours(bench):
    for twin in ("dstm6", "dstm4"):
        bench.tep_ns.ip("neighbour", "flush", "dev", twin)


def twin_neighbours(bench, twin):
    return bench.tep_ns.ip("neighbour", "show", "dev", twin)


def test_the_kernel_answers_on_the_twins(bench):
    """ARP, ND and ping come to the host by the port and are answered by it."""
    bench.inside.run(["ping", "-6", "-c", "2", "-W", "5", TEP_V6])
    bench.outside.run(["ping", "-c", "2", "-W", "5", TEP_V4])
    bench.tep_ns.run(["ping", "-6", "-c", "1", "-W", "5", CLIENT_V6])
    bench.tep_ns.run(["ping", "-c", "1", "-W", "5", OUTSIDE_V4])
    show = bench.ask("show")["result"]
    assert show["neighbor"] == "kernel" and len(show["ports"]) == 2


def test_packets_pass_both_ways_and_the_first_one_waits_for_its_neighbour(bench):
    """R71, R72: no neighbour is known at first; nothing is lost for it."""
    before = bench.counters()
    assert_both_ways(bench, b"first")
    after = bench.counters()
    assert after["host_held"] > before["host_held"]
    assert after["host_unresolved"] == 0 and after["no_nexthop"] == 0
    forget_neighbours(bench)
    assert_both_ways(bench, b"after a flush")
    assert bench.counters()["host_held"] > after["host_held"]


def test_a_known_neighbour_needs_no_help(bench):
    assert_both_ways(bench, b"learn")
    wait_for(lambda: "lladdr" in twin_neighbours(bench, "dstm4"), "the outside is known")
    before = bench.counters()
    assert_both_ways(bench, b"again")
    after = bench.counters()
    assert after["resolve"] == before["resolve"]


def test_a_neighbour_that_never_answers_costs_its_packets_and_is_counted(bench):
    before = bench.counters()
    with Tunnel(bench) as tunnel:
        for _ in range(20):
            tunnel.send(IP(src=LEASE_V4, dst="192.0.2.99") / UDP(sport=LEASE_PORT, dport=9))
        bench.counted("host_hold_full", before, 12)
        bench.counted("host_unresolved", before, 8)
    assert_both_ways(bench, b"others are not hurt")


def mac_of(namespace, device):
    return namespace.ip("-o", "link", "show", device).split("link/ether ")[1].split()[0]


def test_a_changed_mac_address_is_followed(bench):
    assert_both_ways(bench, b"old")
    old = mac_of(bench.outside, "c4")
    bench.outside.ip("link", "set", "c4", "address", "02:00:00:00:77:01")
    bench.outside.ip("route", "replace", "198.51.100.0/24", "via", TEP_V4)
    bench.outside.ip("neighbour", "flush", "dev", "c4")
    # An ARP request with the new address is what makes the router's kernel learn it.
    bench.outside.run(["ping", "-c", "1", "-W", "5", TEP_V4])
    wait_for(lambda: "02:00:00:00:77:01" in twin_neighbours(bench, "dstm4"), "the kernel knows")
    assert old not in twin_neighbours(bench, "dstm4")
    assert_both_ways(bench, b"new")


def next_station(sock):
    """The MAC to which the next tunnel packet for the far client goes; None: there comes none."""
    sock.settimeout(0.5)
    far = socket.inet_pton(socket.AF_INET6, FAR_CLIENT_V6)
    while True:
        try:
            frame = sock.recv(2000)
        except TimeoutError:
            return None
        if frame[12:14] == b"\x86\xdd" and frame[20] == 4 and frame[38:54] == far:
            return frame[:6].hex(":")


@pytest.fixture(name="link")
def fixture_link(bench):
    """All frames of the inside link."""
    with bench.inside.inside():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind(("c6", 0))
    yield sock
    sock.close()


def test_a_changed_gateway_is_followed(bench, link):
    """Two routers on the link, the second by its link-local address."""
    gateways = {"gw1": "2001:db8::a", "gw2": "fe80::b"}
    for device, address in gateways.items():
        bench.inside.ip("link", "add", "link", "c6", "name", device, "type", "macvlan",
                        "mode", "bridge")
        bench.inside.ip("address", "add", f"{address}/64", "dev", device, "nodad")
        bench.inside.ip("link", "set", device, "up")
    with udp_socket(bench, OUTSIDE_PORT) as outside:
        before = bench.counters()
        outside.sendto(b"no route yet", (LEASE_V4, FAR_PORT))
        bench.counted("no_route", before)
        for device, address in gateways.items():
            bench.tep_ns.ip("-6", "route", "replace", "default", "via", address, "dev", "dstm6")
            wait_for(lambda: address in bench.tep_ns.ip("-6", "route"), "the route stands")
            mac = mac_of(bench.inside, device)

            def goes_there():
                outside.sendto(b"to the far client", (LEASE_V4, FAR_PORT))
                return next_station(link) == mac

            wait_for(goes_there, f"{device} gets the packets")
        bench.tep_ns.ip("-6", "route", "delete", "default")

        def is_refused():
            now = bench.counters()["no_route"]
            outside.sendto(b"no route any more", (LEASE_V4, FAR_PORT))
            return bench.counters()["no_route"] > now

        wait_for(is_refused, "packets without a route are dropped")


def test_routes_by_other_interfaces_are_not_for_the_data_plane(bench):
    """A default route by the twin must not swallow what the host sends elsewhere."""
    bench.tep_ns.ip("link", "add", "mgmt0", "type", "veth", "peer", "mgmt1")
    bench.tep_ns.ip("link", "set", "mgmt0", "up")
    bench.tep_ns.ip("route", "add", "default", "via", OUTSIDE_V4, "dev", "dstm4")
    bench.tep_ns.ip("route", "add", "203.0.113.0/24", "dev", "mgmt0")
    with Tunnel(bench) as tunnel:
        def is_refused():
            before = bench.counters()["no_route"]
            tunnel.send(IP(src=LEASE_V4, dst="203.0.113.9") / UDP(sport=LEASE_PORT, dport=9))
            return bench.counters()["no_route"] > before

        wait_for(is_refused, "no_route grows")


def test_an_address_that_goes_takes_its_routes_with_it(bench):
    """The kernel does not announce IPv4 routes that go with an address or a link."""
    routes = bench.mirrored()
    assert_both_ways(bench, b"before")
    bench.tep_ns.ip("address", "delete", f"{TEP_V4}/24", "dev", "dstm4")
    with Tunnel(bench) as tunnel:
        def is_refused():
            before = bench.counters()["no_route"]
            tunnel.send(to_outside(b"nowhere to go"))
            return bench.counters()["no_route"] > before

        wait_for(is_refused, "no_route grows")
    bench.tep_ns.ip("address", "add", f"{TEP_V4}/24", "dev", "dstm4")
    wait_for(lambda: bench.mirrored() >= routes, "the route is back")
    assert_both_ways(bench, b"after")


def test_lost_announcements_are_made_good(bench):
    """The kernel drops what does not fit into the socket: then everything is read again."""
    assert_both_ways(bench, b"before")
    changes = "".join(f"neighbour replace 192.0.2.{n} lladdr 02:00:00:00:{turn:02x}:{n:02x} "
                      "nud permanent dev dstm4\n"
                      for turn in range(200) for n in range(100, 250)) * 4
    batch = bench.folder / "changes"
    batch.write_text(changes)
    bench.process.send_signal(signal.SIGSTOP)
    try:
        bench.tep_ns.run(["ip", "-batch", str(batch)])
        bench.tep_ns.ip("route", "add", "203.0.113.9/32", "via", OUTSIDE_V4, "dev", "dstm4")
    finally:
        bench.process.send_signal(signal.SIGCONT)
    wait_for(lambda: "announcements were lost" in bench.said(), "the loss is noticed")
    with Tunnel(bench) as tunnel:
        def passes():
            before = bench.counters()["tx"]
            tunnel.send(IP(src=LEASE_V4, dst="203.0.113.9") / UDP(sport=LEASE_PORT, dport=9))
            return bench.counters()["tx"] > before

        wait_for(passes, "the route that nobody announced is used")
    assert_both_ways(bench, b"after")


GATEWAYS = {"192.0.2.101": "02:00:00:00:09:01", "192.0.2.102": "02:00:00:00:09:02"}


def send_flows(bench, first, n=64):
    """A packet of each of so many flows: the MAC address that it left for, by port."""
    left = {}
    with bench.outside.inside():
        taps = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    with taps, Tunnel(bench) as tunnel:
        taps.bind(("c4", 0x0800))
        taps.settimeout(5)
        for port in range(first, first + n):
            tunnel.send(IP(src=LEASE_V4, dst="203.0.113.9") /
                        UDP(sport=LEASE_PORT, dport=port) / Raw(b"flow"))
        while len(left) < n:
            frame = taps.recv(2000)
            if frame[-4:] == b"flow":
                left[int.from_bytes(frame[36:38], "big")] = frame[:6].hex(":")
    return left


def hops(*gateways):
    return [word for gateway in gateways
            for word in ("nexthop", "via", gateway, "dev", "dstm4")]


def test_flows_are_spread_over_gateways_and_stay(bench):
    """S33: a route by two gateways uses both; a flow keeps its own; one that goes costs nothing."""
    for gateway, mac in GATEWAYS.items():
        bench.tep_ns.ip("neighbour", "replace", gateway, "lladdr", mac, "dev", "dstm4",
                        "nud", "permanent")
    one, two = GATEWAYS.values()
    bench.tep_ns.ip("route", "add", "203.0.113.0/24", *hops(*GATEWAYS))
    wait_for(lambda: set(send_flows(bench, 1000).values()) == {one, two}, "both are used")
    first = send_flows(bench, 1000)
    counts = [list(first.values()).count(mac) for mac in (one, two)]
    assert min(counts) >= 64 // 5, counts
    assert send_flows(bench, 1000) == first
    before = bench.counters()
    bench.tep_ns.ip("route", "replace", "203.0.113.0/24", *hops("192.0.2.101"))
    assert len(send_flows(bench, 1000)) == 64
    wait_for(lambda: set(send_flows(bench, 1000).values()) == {one}, "one is left")
    after = bench.counters()
    assert after["no_route"] == before["no_route"]
    # The gateway gets another address: the group follows, no route is told anew.
    bench.tep_ns.ip("neighbour", "replace", "192.0.2.101", "lladdr", "02:00:00:00:09:77",
                    "dev", "dstm4", "nud", "permanent")
    wait_for(lambda: set(send_flows(bench, 1000).values()) == {"02:00:00:00:09:77"}, "followed")
    # Objects of next hops, as FRR makes them.
    bench.tep_ns.ip("nexthop", "add", "id", "7", "via", "192.0.2.102", "dev", "dstm4")
    bench.tep_ns.ip("route", "replace", "203.0.113.0/24", "nhid", "7")
    wait_for(lambda: set(send_flows(bench, 1000).values()) == {two}, "the object's gateway is used")
    bench.tep_ns.ip("nexthop", "replace", "id", "7", "via", "192.0.2.101", "dev", "dstm4")
    wait_for(lambda: set(send_flows(bench, 1000).values()) == {"02:00:00:00:09:77"},
             "a changed object is followed")


def test_twenty_thousand_routes_come_and_go_at_once(bench):
    """R68: what a routing daemon puts into the kernel is used, and packets pass meanwhile."""
    few = bench.mirrored()
    routes = [f"10.{n >> 8}.{n & 255}.0/24 via {OUTSIDE_V4} dev dstm4" for n in range(20000)]
    for verb, left in (("add", few + 20000), ("delete", few)):
        batch = bench.folder / verb
        batch.write_text("".join(f"route {verb} {route}\n" for route in routes))
        bench.tep_ns.run(["ip", "-batch", str(batch)])
        wait_for(lambda left=left: bench.mirrored() == left, f"all {verb}")
        assert_both_ways(bench, verb.encode())


def test_pool_addresses_are_answered_for(tmp_path):
    """R30: on a segment without a route to the pool the TEP answers for it, and nothing else."""
    with Bench(tmp_path, neighbor={"mode": "kernel", "answer_arp": True},
               pools=["198.51.100.0/25"]) as bench:
        bench.outside.ip("route", "replace", "198.51.100.0/24", "dev", "c4")
        with Tunnel(bench) as tunnel, udp_socket(bench, OUTSIDE_PORT) as outside:
            outside.sendto(b"on-link", (LEASE_V4, LEASE_PORT))
            assert tunnel.receive()[-7:] == b"on-link"
            outside.sendto(b"x", ("198.51.100.200", 9))
        assert mac_of(bench.tep_ns, "t4") in bench.outside.ip("neighbour", "show", LEASE_V4)
        assert bench.counters()["host_arp_answered"] >= 1
        wait_for(lambda: "FAILED" in bench.outside.ip("neighbour", "show", "198.51.100.200"),
                 "nobody answers for addresses outside the pools")


def test_the_twins_go_with_the_process(bench):
    links = bench.tep_ns.ip("link")
    assert "dstm6" in links and "dstm4" in links
    assert mac_of(bench.tep_ns, "dstm6") == mac_of(bench.tep_ns, "t6")
    assert bench.stop() == 0
    links = bench.tep_ns.ip("link")
    assert "dstm6" not in links and "dstm4" not in links


def test_the_control_socket_lists_bindings_and_refuses_nonsense(bench):
    answer = bench.ask("bindings", limit=1)
    first = answer["result"]["items"][0]
    assert first == {"v4": LEASE_V4, "first": 1024, "last": 2047, "client": CLIENT_V6,
                     "tep": TEP_V6, "static": True, "dormant": False, "learnt": False,
                     "seconds_left": None}
    rest = bench.ask("bindings", after=answer["result"]["next"])["result"]
    assert [item["first"] for item in rest["items"]] == [2048] and rest["next"] is None
    by_address = bench.ask("bindings", v4=LEASE_V4, limit=1)["result"]
    assert by_address["items"] == [first]
    by_address = bench.ask("bindings", v4=LEASE_V4, after=by_address["next"])["result"]
    assert [item["first"] for item in by_address["items"]] == [2048]
    assert bench.ask("bindings", v4="192.0.2.9")["result"] == {"items": [], "next": None}
    assert bench.ask("counters", worker=1)["ok"]
    for command, arguments in (("bindings", {"limit": 0}), ("bindings", {"limit": "all"}),
                               ("bindings", {"v4": "nowhere"}), ("bindings", {"after": -1}),
                               ("counters", {"worker": 2}), ("reboot", {})):
        assert not bench.ask(command, **arguments)["ok"]


def test_each_counter_has_its_workers(bench):
    """Packets of several clients and peers: each worker carries some, and they add up."""
    with Tunnel(bench) as tunnel, udp_socket(bench, OUTSIDE_PORT):
        before = bench.counters()
        tunnel.send(to_outside(b"both"))
        for last in range(1, 33):
            tunnel.send(IP(src=LEASE_V4, dst=f"203.0.113.{last}") / UDP(sport=1) / Raw(b"spoofed"))
        bench.counted("no_binding_v6", before, 32)
    total = {item["name"]: item for item in bench.ask("counters")["result"]["items"]}
    by_worker = bench.ask("counters", by_worker=True)["result"]["items"]
    assert {item["worker"] for item in by_worker} == {0, 1}
    for unit in ("packets", "bytes"):
        added = sum(item[unit] for item in by_worker if item["name"] == "no_binding_v6")
        assert added == total["no_binding_v6"][unit] > 0
    for worker in (0, 1):
        alone = bench.ask("counters", worker=worker)["result"]["items"]
        assert [item["name"] for item in alone] == \
            [item["name"] for item in by_worker if item["worker"] == worker]
    # Each worker owns the queue of one port, and both sides had something sent.
    assert all(item["packets"] > 0 for item in by_worker if item["name"] == "tx")
    assert total["tx_handed"]["packets"] > 0
