# SPDX-License-Identifier: BSD-3-Clause
"""
A real TEP that learns from packets out of tunnels (R22, R71, D3): what a server confirms (learn.mode: confirmed), or
what the packets say (open).

DSTM_BUILD names the build directory.
"""

import os
import signal
import sys
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.packet import Raw

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "server"))

from tep_bench import CLIENT_V6, OUTSIDE_V4, TEP_V6, Bench, Tunnel, udp_socket, wait_for
from test_ask import CONTROL, OUTSIDE_PORT, POOL, AskBench, HomeTep, assert_settled

import dstm_server

V4 = "198.51.100.7"
OPEN = {"mode": "open", "clients": ["2001:db8::1:0/112"]}
ONE, OTHER = "2001:db8::1:1", "2001:db8::1:2"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and TAP devices need root")


class OpenBench(Bench):
    """A TEP, and two clients that it believes besides CLIENT_V6, which it does not."""

    def __init__(self, folder, **changes):
        super().__init__(folder, **dict({"pools": [POOL], "bindings": {"max": 4096}, "learn": OPEN},
                                        **changes))

    def _start(self):
        super()._start()
        for v6 in (ONE, OTHER):
            self.inside.ip("address", "add", f"{v6}/64", "dev", "c6", "nodad")
            self.inside.run(["ping", "-6", "-c", "1", "-W", "5", "-I", v6, TEP_V6])

    def learnt(self):
        return [item for item in self.ask("bindings")["result"]["items"] if item["learnt"]]


class ServedBench(OpenBench):
    """The same with a server, which has the whole of one address to give."""

    def __init__(self, folder):
        super().__init__(folder, control={
            "listen": CONTROL, "servers": [{"name": "server1", "password": "between-us"}]})
        self.home = HomeTep(folder)
        self.server = dstm_server.Server(folder, [self.home])
        self.server.wrapper = self.tep_ns.command([])
        self.server.config["teps"][0]["control"] = CONTROL
        self.server.config["pools"][0]["block_size"] = 1024

    def _start(self):
        super()._start()
        self.server.start()
        self.server.wait_level()

    def stop(self):
        self.server.stop(signal.SIGKILL)
        return super().stop()


# These two have benches of their own, and there is only one at a time: they come before the others' one.


def test_a_servers_create_wins(tmp_path):
    """A client has the server's whole address; who then gets a lease has that, and the other one nothing of it."""
    with ServedBench(tmp_path) as bench:
        with Tunnel(bench, ONE) as tunnel, Tunnel(bench, OTHER) as other, \
                udp_socket(bench, OUTSIDE_PORT) as outside:
            for port in range(0, 65536, 1024):
                tunnel.send(IP(src=V4, dst=OUTSIDE_V4) / UDP(sport=port, dport=OUTSIDE_PORT))
            wait_for(lambda: len(bench.learnt()) == 64, "all blocks are learnt")
            with bench.tep_ns.inside():
                info = bench.server.lease(OTHER)
            port = info.ports[0][0]
            left = bench.learnt()
            assert len(left) == 63
            assert port not in [item["first"] for item in left]
            before = bench.counters()
            tunnel.send(IP(src=V4, dst=OUTSIDE_V4) / UDP(sport=port, dport=OUTSIDE_PORT))
            bench.counted("spoofed_client", before)
            outside.sendto(b"leased", (V4, port))
            assert bytes(IP(other.receive())[UDP].payload) == b"leased"
        assert bench.stop() == 0


def test_confirmed_asks_about_tunnels_alone(tmp_path):
    """R71: out of a tunnel what the server confirms is kept; nothing is asked about what comes from outside."""
    with AskBench(tmp_path, {"mode": "confirmed"}, enabled=False) as bench:
        v6, v4, port = bench.lease()
        before = bench.counters()
        with udp_socket(bench, OUTSIDE_PORT) as outside, Tunnel(bench, v6) as tunnel:
            outside.sendto(b"too early", (v4, port))
            bench.counted("no_binding_v4", before)
            tunnel.send(IP(src=v4, dst=OUTSIDE_V4) / UDP(sport=port, dport=OUTSIDE_PORT) / b"out")
            assert outside.recvfrom(9) == (b"out", (v4, port))
            outside.sendto(b"back", (v4, port))
            assert bytes(IP(tunnel.receive())[UDP].payload) == b"back"
            # What no server confirms makes nothing of itself.
            tunnel.send(IP(src="198.51.100.250", dst=OUTSIDE_V4) / UDP(sport=9, dport=9))
            bench.counted("no_binding_v6", before)
        more = assert_settled(bench, before)
        assert (more["asked"], more["ask_questions"]) == (2, 2)
        assert (more["ask_holder"], more["ask_nobody"], more["learnt"]) == (1, 1, 0)
        assert bench.stop() == 0


@pytest.fixture(name="bench", scope="module")
def fixture_bench(tmp_path_factory):
    with OpenBench(tmp_path_factory.mktemp("open")) as bench:
        yield bench
        assert bench.stop() == 0
        assert "packet buffers in use: 0" in (bench.folder / "tep.log").read_text()


def test_the_start_says_what_is_at_stake(bench):
    assert "learn.mode: open: any node of learn.clients can take any address" in bench.said()


def test_the_first_packet_passes_and_its_answer_finds_the_way_back(bench):
    """R22, R71: nobody has told the TEP anything."""
    before = bench.counters()
    with Tunnel(bench, ONE) as tunnel:
        tunnel.send(IP(src=V4, dst=OUTSIDE_V4) / ICMP(id=1500, seq=1) / Raw(b"first"))
        answer = IP(tunnel.receive())
    assert (answer[ICMP].type, answer[ICMP].id, bytes(answer[Raw])) == (0, 1500, b"first")
    more = assert_settled(bench, before)
    assert (more["learnt"], more["asked"], more["ask_questions"]) == (1, 1, 0)
    binding, = bench.learnt()
    assert (binding["v4"], binding["first"], binding["last"]) == (V4, 1024, 2047)
    assert (binding["client"], binding["tep"]) == (ONE, TEP_V6)
    assert 290 < binding["seconds_left"] <= 300


def test_nobody_takes_what_another_was_first_to_use(bench):
    """The same port, and another one of the block."""
    packet = IP(src=V4, dst=OUTSIDE_V4) / UDP(sport=5000, dport=OUTSIDE_PORT)
    with udp_socket(bench, OUTSIDE_PORT) as outside, Tunnel(bench, ONE) as first, \
            Tunnel(bench, OTHER) as second:
        first.send(packet / Raw(b"mine"))
        assert outside.recvfrom(9) == (b"mine", (V4, 5000))
        before = bench.counters()
        second.send(packet / Raw(b"stolen"))
        packet.sport = 5119
        second.send(packet / Raw(b"stolen"))
        bench.counted("spoofed_client", before, 2)
        outside.sendto(b"still", (V4, 5000))
        assert bytes(IP(first.receive())[UDP].payload) == b"still"
    assert bench.counters()["learnt"] == before["learnt"]


def test_a_source_outside_the_clients_is_dropped(bench):
    """D3: what an outer source outside of learn.clients says is worth nothing."""
    before, known = bench.counters(), len(bench.learnt())
    with Tunnel(bench, CLIENT_V6) as tunnel:
        tunnel.send(IP(src=V4, dst=OUTSIDE_V4) / UDP(sport=9000, dport=OUTSIDE_PORT))
    bench.counted("no_binding_v6", before)
    more = assert_settled(bench, before)
    assert (more["learn_stranger"], more["learnt"], more["no_binding_v6"]) == (1, 0, 1)
    assert len(bench.learnt()) == known


def test_an_inner_source_outside_the_pools_is_dropped(bench):
    before = bench.counters()
    with Tunnel(bench, ONE) as tunnel:
        tunnel.send(IP(src="203.0.113.9", dst=OUTSIDE_V4) / UDP(sport=9000, dport=OUTSIDE_PORT))
    bench.counted("no_binding_v6", before)
    assert assert_settled(bench, before)["asked"] == 0


def test_nothing_from_outside_is_learnt(bench):
    before = bench.counters()
    with udp_socket(bench, OUTSIDE_PORT) as outside:
        outside.sendto(b"anybody?", (V4, 60000))
        bench.counted("no_binding_v4", before)
    assert assert_settled(bench, before)["asked"] == 0
