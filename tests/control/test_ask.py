# SPDX-License-Identifier: BSD-3-Clause
"""
Two real TEPs and a real server: what TEP 2 does not know it asks, and the packets wait (R72, R73, D2).

TEP 1 has the leases and ports that carry nothing; all packets go through TEP 2, the one of tep_bench.py, which
has none.
DSTM_BUILD names the build directory.
"""

import errno
import itertools
import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.packet import Raw

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "server"))

from tep_bench import OUTSIDE_V4, TEP_V6, Bench, Tunnel, udp_socket, wait_for

import dstm_server
import dstm_tep

OUTSIDE_PORT = 7000
POOL = "198.51.100.0/24"
CONTROL = "[::1]:3654"
RATE = 100
IP_RECVERR = 11

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and TAP devices need root")


class HomeTep(dstm_tep.Tep):
    """TEP 1, in the namespace of TEP 2."""

    V6 = TEP_V6


class FarTep:
    """TEP 2 as the server's configuration names it."""

    V6 = "2001:db8::2"
    port = 3654
    user = "server1"


class AskBench(Bench):
    """TEP 2, TEP 1 and the server; clients have leases that only TEP 1 knows."""

    def __init__(self, folder, learn=None, **query):
        super().__init__(
            folder, pools=[POOL], bindings={"max": 1024}, tunnel={"v6": [TEP_V6, FarTep.V6]},
            query=dict({"enabled": True, "rate": RATE, "hold_ms": 2000}, **query),
            learn=learn or {}, icmp={"unreachable_to_v4": True},
            control={"listen": CONTROL,
                     "servers": [{"name": "server1", "password": "between-us"}]})
        self.numbers = itertools.count(1)
        (folder / "home").mkdir()
        (folder / "server").mkdir()
        self.home = HomeTep(folder / "home")
        self.home.wrapper = self.tep_ns.command([])
        self.server = dstm_server.Server(folder / "server", [self.home, FarTep()])
        self.server.wrapper = self.tep_ns.command([])
        self.server.config["pools"] = [
            {"name": "shared", "prefix": POOL, "block_size": 1024, "copies": "query", "teps": [
                {"name": "tep0", "clients": ["2001:db8::/64"]},
                {"name": "tep1", "clients": ["2001:db8:ffff::/64"]}]}]

    def _start(self):
        super()._start()
        self.home.start()
        self.server.start()
        self.server.wait_level()

    def stop(self):
        self.server.stop(signal.SIGKILL)
        self.home.stop(signal.SIGKILL)
        return super().stop()

    def lease(self):
        """A new client on the link inside: its address, and its lease's address and first port."""
        v6 = f"2001:db8::1:{next(self.numbers):x}"
        self.inside.ip("address", "add", f"{v6}/64", "dev", "c6", "nodad")
        self.inside.run(["ping", "-6", "-c", "1", "-W", "5", "-I", v6, TEP_V6])  # its neighbours know it
        with self.tep_ns.inside():
            info = self.server.lease(v6)
        return v6, info.address("client", "ipv4"), info.ports[0][0]

    def bindings(self):
        return self.ask("bindings")["result"]["items"]


@pytest.fixture(name="bench", scope="module")
def fixture_bench(tmp_path_factory):
    with AskBench(tmp_path_factory.mktemp("ask")) as bench:
        yield bench
        assert bench.stop() == 0
        assert "packet buffers in use: 0" in (bench.folder / "tep.log").read_text()


def assert_settled(bench, before):
    """Each packet that was handed over has come back, or been dropped under a name."""
    drops = ("ask_no_server", "ask_hold_full", "ask_timed_out", "ask_refused", "ask_back_full")
    after = wait_for(
        lambda: (now := bench.counters()) and now["asked"] == now["ask_returned"] + sum(
            now[name] for name in drops) and now, "no packet waits")
    return {name: after[name] - before[name] for name in after}


def test_packets_from_outside_wait_for_the_answer_and_keep_their_order(bench):
    """R72: none of those that came while the server was asked is lost, and they arrive as they were sent."""
    v6, v4, port = bench.lease()
    before = bench.counters()
    with Tunnel(bench, v6) as tunnel, udp_socket(bench, OUTSIDE_PORT) as outside:
        for number in range(8):
            outside.sendto(b"%d" % number, (v4, port))
        inner = [IP(tunnel.receive()) for _ in range(8)]
    assert [bytes(packet[UDP].payload) for packet in inner] == [b"%d" % n for n in range(8)]
    assert {(packet.src, packet.dst) for packet in inner} == {(OUTSIDE_V4, v4)}
    more = assert_settled(bench, before)
    assert (more["ask_questions"], more["ask_holder"]) == (1, 1)
    assert more["ask_returned"] >= more["ask_released"] > 0
    binding, = [item for item in bench.bindings() if item["client"] == v6]
    assert (binding["v4"], binding["first"], binding["tep"]) == (v4, port, TEP_V6)
    assert 3500 < binding["seconds_left"] <= 3601  # to the nearest second


def test_packets_out_of_a_tunnel_wait_for_the_answer(bench):
    """S33: the client's own TEP may have failed; a first ping goes out and comes back."""
    v6, v4, port = bench.lease()
    before = bench.counters()
    with Tunnel(bench, v6) as tunnel:
        tunnel.send(IP(src=v4, dst=OUTSIDE_V4) / ICMP(id=port, seq=1) / Raw(b"first"))
        answer = IP(tunnel.receive())
    assert (answer[ICMP].type, answer[ICMP].id, bytes(answer[Raw])) == (0, port, b"first")
    more = assert_settled(bench, before)
    assert (more["ask_questions"], more["asked"]) == (1, 1)


def test_a_packet_between_clients_asks_for_both(bench):
    """Its sender first, whom decap must prove; then its receiver."""
    sender_v6, sender, sport = bench.lease()
    receiver_v6, receiver, dport = bench.lease()
    before = bench.counters()
    with Tunnel(bench, sender_v6) as tunnel, Tunnel(bench, receiver_v6) as other:
        tunnel.send(IP(src=sender, dst=receiver) / UDP(sport=sport, dport=dport) / Raw(b"across"))
        inner = IP(other.receive())
    assert (inner.src, inner.dst, bytes(inner[Raw])) == (sender, receiver, b"across")
    more = assert_settled(bench, before)
    assert (more["ask_questions"], more["asked"], more["hairpinned"]) == (2, 2, 1)


def test_nobody_holds_it(bench):
    """D2: told to the sender, and not asked again for a while; no question leaves the pools."""
    before = bench.counters()
    with udp_socket(bench, OUTSIDE_PORT) as outside:
        outside.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        for _ in range(3):
            outside.sendto(b"anybody?", ("198.51.100.250", 9))
            with pytest.raises(OSError) as caught:
                outside.recv(1)
            assert caught.value.errno == errno.EHOSTUNREACH
    more = assert_settled(bench, before)
    assert (more["ask_questions"], more["ask_nobody"]) == (1, 1)
    assert (more["ask_known"], more["no_binding_v4"]) == (2, 3)


def test_explain_says_that_it_would_be_asked(bench):
    packet = IP(src=OUTSIDE_V4, dst="198.51.100.249") / UDP(sport=9, dport=9)
    before = bench.counters()
    told = bench.ask("explain", packet=bytes(packet).hex(), link="ip")["result"]
    assert (told["verdict"], told["key"]) == ("asks", {"v4": "198.51.100.249", "port": 9})
    told = bench.ask("explain", packet=bytes(IP(src=OUTSIDE_V4, dst="203.0.113.9") / UDP()).hex(),
                     link="ip")["result"]
    assert (told["verdict"], told["reason"]) == ("answered", "no_binding_v4")
    assert bench.counters()["ask_questions"] == before["ask_questions"]
