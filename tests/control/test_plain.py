# SPDX-License-Identifier: BSD-3-Clause
"""
Plain traffic through dstm-tep with neighbor: kernel (S33): two hosts of both families on either side talk to each
other, forwarded by the data plane (plain: forward) or by the kernel (plain: host), while a tunnel works beside.

    inside (2001:db8::17, 192.0.3.17) -- [tep] -- (2001:db8:4::80, 192.0.2.80) outside

The way out is narrower towards the outside. DSTM_BUILD names the build directory whose dstm-tep is tested.
"""

import contextlib
import os
import re
import socket
import subprocess
import threading

import pytest
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw

from tep_bench import (CLIENT_V6, LEASE_PORT, LEASE_V4, OUTSIDE_V4, TEP_V4, TEP_V6, Bench, udp_socket,
                       wait_for)
from test_host import OUTSIDE_PORT, assert_both_ways

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and TAP devices need root")

INSIDE_V4 = "192.0.3.17"
OUTSIDE_V6 = "2001:db8:4::80"
NEAR_V4 = "192.0.3.1"  # the TEP's own address there
FAR_V6 = "2001:db8:4::1"
NARROW = 1400
FAR = {4: OUTSIDE_V4, 6: OUTSIDE_V6}
NEAR = {4: INSIDE_V4, 6: CLIENT_V6}
OCTETS = 300000


class PlainBench(Bench):
    """Both families on both sides; the kernel forwards, or must not."""

    def __init__(self, folder, mode):
        plain = {"ipv4": mode, "ipv6": mode}
        super().__init__(folder, plain=plain, pools=["198.51.100.0/24"],
                         ports={"v6": "0", "v4": "1", "mtu_v4": NARROW})
        self.mode = mode

    def _wire(self):
        super()._wire()
        self.inside.ip("address", "add", f"{INSIDE_V4}/24", "dev", "c6")
        self.inside.ip("route", "add", "default", "via", NEAR_V4)
        self.inside.ip("-6", "route", "add", "default", "via", TEP_V6)
        self.outside.sysctl("net/ipv6/conf/c4/disable_ipv6", "0")
        self.outside.ip("address", "add", f"{OUTSIDE_V6}/64", "dev", "c4", "nodad")
        self.outside.ip("route", "add", "default", "via", TEP_V4)
        self.outside.ip("-6", "route", "add", "default", "via", FAR_V6)

    def _start(self):
        super()._start()
        forwards = "1" if self.mode == "host" else "0"
        self.tep_ns.sysctl("net/ipv4/ip_forward", forwards)
        self.tep_ns.sysctl("net/ipv6/conf/all/forwarding", forwards)
        for port in ("t6", "t4"):  # the kernel sees these frames as well, and is not to forward them twice
            self.tep_ns.sysctl(f"net/ipv4/conf/{port}/forwarding", "0")
        before = self.mirrored()
        self.tep_ns.ip("address", "add", f"{NEAR_V4}/24", "dev", "dstm6")
        self.tep_ns.ip("address", "add", f"{FAR_V6}/64", "dev", "dstm4", "nodad")
        wait_for(lambda: self.mirrored() >= before + 5, "the new prefixes are mirrored")


@pytest.fixture(name="bench", scope="module", params=["forward", "host"])
def fixture_bench(request, tmp_path_factory):
    with PlainBench(tmp_path_factory.mktemp(request.param), request.param) as bench:
        yield bench


def ping(bench, address, *options):
    """What ping says, failing or not."""
    with bench.inside.inside():
        done = subprocess.run(["ping", "-n", "-c", "1", "-W", "3", *options, address], check=False,
                              capture_output=True, text=True, timeout=20)
    return done.returncode == 0, done.stdout


@pytest.mark.parametrize("family", [4, 6])
def test_ping_passes(bench, family):
    """The first packet waits for its neighbour, and none is lost; the TTL tells of one router."""
    before = bench.counters()
    passed, said = ping(bench, FAR[family])
    assert passed and "ttl=63" in said, said
    after = bench.counters()
    name = f"forwarded_v{family}"
    if bench.mode == "forward":
        assert after[name] >= before[name] + 2
    else:
        assert after[name] == 0 and after["punted"] >= before["punted"] + 2


def test_an_address_of_the_router_itself_answers_from_either_side(bench):
    for address in (NEAR_V4, TEP_V4, TEP_V6, FAR_V6):
        passed, said = ping(bench, address)
        assert passed and "ttl=64" in said, said


def test_the_anycast_address_of_all_routers_answers(bench):
    """RFC 4291 section 2.6.1: the kernel has it once it forwards."""
    bench.tep_ns.sysctl("net/ipv6/conf/all/forwarding", "1")
    try:
        wait_for(lambda: ping(bench, "2001:db8:4::", "-W", "1")[0], "it is mirrored")
    finally:
        bench.tep_ns.sysctl("net/ipv6/conf/all/forwarding", "1" if bench.mode == "host" else "0")


@pytest.mark.parametrize("family", [4, 6])
def test_a_trace_shows_the_router_and_the_host(bench, family):
    with bench.inside.inside():
        said = subprocess.run(["traceroute", f"-{family}", "-n", "-q", "1", "-w", "3", "-m", "4", FAR[family]],
                              check=True, capture_output=True, text=True, timeout=30).stdout
    hops = re.findall(r"^ *\d+ +(\S+)", said, re.M)
    assert len(hops) == 2 and hops[1] == FAR[family], said
    assert hops[0] in ((NEAR_V4, TEP_V4), (TEP_V6,))[family == 6], said


@pytest.mark.parametrize("family", [4, 6])
def test_what_is_too_big_hears_of_the_mtu(bench, family):
    """IPv6 always, IPv4 with DF."""
    payload = str(1500 - (28 if family == 4 else 48))
    passed, said = ping(bench, FAR[family], "-M", "do", "-s", payload)
    assert not passed and re.search(rf"mtu[ =]+{NARROW}", said, re.I), said


def test_ipv4_without_df_is_cut_and_so_are_fragments(bench):
    """The port itself, AF_PACKET, joins fragments: they may not be larger than its buffers together."""
    before = bench.counters()
    for payload in ("1472", "1600"):
        passed, said = ping(bench, OUTSIDE_V4, "-M", "dont", "-s", payload)
        assert passed, said
    if bench.mode == "forward":
        assert bench.counters()["fragmented"] >= before["fragmented"] + 2


@contextlib.contextmanager
def receiver(bench, address):
    """A TCP server of the host outside; yields what it has read in the end."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with bench.outside.inside():
        server = socket.socket(family, socket.SOCK_STREAM)
    server.settimeout(10)
    server.bind((address, 5001))
    server.listen()
    read = []

    def serve():
        connection, _ = server.accept()
        connection.settimeout(10)
        with connection:
            while octets := connection.recv(65536):
                read.append(octets)
            connection.sendall(b"".join(read))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield family
    finally:
        thread.join(20)
        server.close()


@pytest.mark.parametrize("family", [4, 6])
def test_tcp_finds_its_path_mtu_and_everything_arrives(bench, family):
    octets = os.urandom(OCTETS)
    # Nothing remembered of the tests before.
    bench.inside.ip(f"-{family}", "route", "flush", "cache")
    with receiver(bench, FAR[family]) as domain:
        with bench.inside.inside():
            client = socket.socket(domain, socket.SOCK_STREAM)
        with client:
            client.settimeout(10)
            client.connect((FAR[family], 5001))
            client.sendall(octets)
            client.shutdown(socket.SHUT_WR)
            echo = b"".join(iter(lambda: client.recv(65536), b""))
    assert echo == octets


@pytest.mark.parametrize("address, word", [("203.0.113.1", "Net Unreachable"),
                                           ("2001:db8:ffff::1", "No route")])
def test_who_sends_where_no_route_leads_is_told(bench, address, word):
    passed, said = ping(bench, address)
    assert not passed and word in said, said


def test_a_clients_address_is_of_no_use_outside_of_its_tunnel(bench):
    """R54: whoever forwards, past the holder check there is no way."""
    before = bench.counters()
    with bench.inside.inside():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw, udp_socket(bench, OUTSIDE_PORT) as outside:
        outside.settimeout(0.3)
        packet = IP(src=LEASE_V4, dst=OUTSIDE_V4) / UDP(sport=LEASE_PORT, dport=OUTSIDE_PORT) / Raw(b"forged")
        raw.sendto(bytes(packet), (OUTSIDE_V4, 0))
        bench.counted("forward_spoofed", before)
        with pytest.raises(TimeoutError):
            outside.recv(2000)


def test_nobody_is_reached_at_an_unassigned_address_of_the_pool(bench):
    before = bench.counters()
    passed, _ = ping(bench, "198.51.100.200", "-W", "1")
    assert not passed
    bench.counted("no_binding_v4", before)


def test_tunnels_work_beside(bench):
    assert_both_ways(bench, b"beside plain traffic")
