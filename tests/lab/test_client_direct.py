# SPDX-License-Identifier: BSD-3-Clause
"""Client to client without the TEP (R16, S20): the way is taken when both may, nothing is lost on changing
to it and back, and nobody is believed whom the server has not named.

napt1 and napt2 share one address, host1 has another, and host2 a third, whose pool does not allow it.
"""

import contextlib
import json
import socket
import subprocess
import threading
import time

import pytest

from applications import UdpEcho
from client_lab import mode_of, with_clients
from conftest import SHARED_ADDRESS, derived, run_steps, wait_until
from lab import steps
from lab.run import Lab
from packets import Wire, settle, tunnelled, udp

CLIENTS = ("napt1", "napt2", "host1", "host2")
V6 = {name: f"2001:db8:1::{17 + number}" for number, name in enumerate(CLIENTS)}
PREFIX = "198.51.100.0/28"
REST_S = 30  # for so long an answer holds; it is asked for again after half of that


def change(content):
    # host1 lets the server say whom it may ask about.
    with_clients({name: mode_of(name) | ({"direct_auto": True} if name == "host1" else {"direct": [PREFIX]})
                  for name in CLIENTS})(content)
    server = content["programs"]["server"]["config"]
    server["lease"] = {"quarantine_s": REST_S}
    shared, = server["pools"]
    server["pools"] = [
        shared | {"direct": True, "clients": [f"{V6['napt1']}/128", f"{V6['napt2']}/128"]},
        shared | {"direct": True, "name": "open", "prefix": "198.51.100.8/32",
                  "clients": [f"{V6['host1']}/128"]},
        shared | {"name": "closed", "prefix": "198.51.100.9/32", "clients": [f"{V6['host2']}/128"]}]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(derived(tmp_path_factory, SHARED_ADDRESS, change)) as lab:
        run_steps(lab, "start", "teps_connected")
        for name in CLIENTS:
            lab.start(name)
        for name in CLIENTS:
            steps.wait_for_lease(lab, name)
        assert lab.leases["napt1"]["v4"] == lab.leases["napt2"]["v4"]
        yield lab


class Conversation:
    """Numbered datagrams from a port of `name`, every 10 ms, while the block runs."""

    def __init__(self, lab, name: str, port: int, to: tuple[str, int]):
        self.sent = 0
        self.heard: dict[int, float] = {}  # number -> when
        self._to, self._is_over = to, threading.Event()
        with lab.nodes[name].inside():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("", port))
        self._socket.settimeout(0.2)
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._hear)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self._is_over.set()
        for thread in self._threads:
            thread.join(5)
        self._socket.close()

    def _send(self):
        while not self._is_over.wait(0.01):
            self._socket.sendto(str(self.sent).encode(), self._to)
            self.sent += 1

    def _hear(self):
        while not self._is_over.is_set():
            try:
                self.heard[int(self._socket.recv(100).split()[-1])] = time.monotonic()
            except (TimeoutError, ConnectionRefusedError):
                continue

    @property
    def lost(self) -> int:
        """What has been under way for long is not coming any more."""
        return self.sent - len(self.heard)


def as_number(lab, name: str) -> str:
    """The leased address, for a capture filter."""
    return "0x" + socket.inet_aton(lab.leases[name]["v4"]).hex()


@contextlib.contextmanager
def talk_to(lab, name: str, host: str, offset: int = 0):
    """A conversation with an echo, at ports of both leases."""
    port = a_port(lab, host, offset)
    to = (lab.leases[host]["v4"], port)
    with UdpEcho(lab.nodes[host], port), \
            Conversation(lab, name, a_port(lab, name, offset + a_place(host)), to) as talk:
        yield talk


def a_place(host: str) -> int:
    """Conversations with different hosts have ports of their own."""
    return 20 * CLIENTS.index(host)


def a_port(lab, name: str, offset: int = 0) -> int:
    return lab.leases[name]["ports"][0][0] + offset


def between(one: str, other: str) -> str:
    """Tunnel packets straight from host to host."""
    return f"ip6 proto 4 and host {V6[one]} and host {V6[other]}"


def direct(lab, name: str) -> tuple[int, int]:
    counted = lab.programs[name].counters()
    return counted["tx_direct"], counted["rx_direct"]


def is_direct(lab, *names: str) -> bool:
    """Both send and both receive directly at this moment."""
    before = [direct(lab, name) for name in names]
    time.sleep(0.3)
    after = [direct(lab, name) for name in names]
    return all(b[0] < a[0] and b[1] < a[1] for b, a in zip(before, after))


def test_the_change_to_the_direct_way_loses_nothing(lab):
    """R16: through the TEP at first, then not, a datagram every 10 ms all the while. At the same time to
    host2, which is asked about as well, and never told of."""
    capture = lab.capture("change", "napt1", "eth0", "ip6 proto 4")
    with talk_to(lab, "napt1", "host1") as talk, talk_to(lab, "napt1", "host2") as closed:
        wait_until(lambda: is_direct(lab, "napt1", "host1"), 15, "the direct way")
        time.sleep(1)
    capture.stop()
    for conversation in (talk, closed):
        assert conversation.lost <= 2, (conversation.lost, conversation.sent)
    straight = capture.packets(between("napt1", "host1"))
    around = capture.packets(f"host 2001:db8:fe::1 and ip6[40 + 16:4] = {as_number(lab, 'host1')}")
    assert len(straight) > 150 and len(around) > 100
    assert max(at for at, _ in around) < straight[-100][0], "the TEP was still used at the end"
    assert capture.count(between("napt1", "host2")) == 0
    assert direct(lab, "host2") == (0, 0)
    counted = lab.programs["server"].counters()
    assert counted["queries"] > counted["queries-answered"] > 0


def test_tcp_does_not_stall_on_the_way(lab):
    """A transfer that begins while nothing is known: every interval moves something."""
    port = a_port(lab, "host1", 1)
    with subprocess.Popen(lab.nodes["host1"].command(["iperf3", "-s", "-1", "-p", str(port)]),
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as server:
        wait_until(lambda: f":{port} " in lab.nodes["host1"].run(["ss", "-Hlnt"]), 10, "iperf3")
        before = direct(lab, "napt2")
        said = json.loads(lab.nodes["napt2"].run(
            ["iperf3", "-J", "-c", lab.leases["host1"]["v4"], "-p", str(port), "-t", "5", "-i", "0.5",
             "-b", "100M"], 60, check=False))
        server.terminate()
    assert "error" not in said, said
    moved = [round(interval["sum"]["bits_per_second"] / 1e6) for interval in said["intervals"]]
    again = said["end"]["sum_sent"]["retransmits"]
    print(f"Mb/s: {moved}, retransmitted: {again}")
    assert min(moved) > 0
    after = direct(lab, "napt2")
    assert after[0] - before[0] > 1000 and after[1] > before[1]


def test_two_clients_on_one_address(lab):
    """Each behind its own NAPT, from ports of their own leases: both ends send first."""
    ports = {name: a_port(lab, name, 7) for name in ("napt1", "napt2")}
    v4 = lab.leases["napt1"]["v4"]
    capture = lab.capture("one-address", "napt1", "eth0", between("napt1", "napt2"))
    with Conversation(lab, "napt1", ports["napt1"], (v4, ports["napt2"])) as one, \
            Conversation(lab, "napt2", ports["napt2"], (v4, ports["napt1"])) as other:
        wait_until(lambda: is_direct(lab, "napt1", "napt2"), 15, "the direct way")
        time.sleep(0.5)
    capture.stop()
    assert capture.count() > 50
    for talk in (one, other):
        # What came before the other end had sent anything found no way through its NAPT.
        missing = max(talk.heard) - min(talk.heard) + 1 - len(talk.heard)
        assert missing <= 2 and len(talk.heard) > 100, (missing, len(talk.heard))


def test_a_stranger_is_not_believed(lab):
    """S20: packets to host1's own ports, inside the tunnel, from a host that does not hold their source."""
    wire = Wire(lab, "host2", "eth0", ("host1", "eth0"))
    target = lab.leases["host1"]["v4"]
    capture = lab.capture("stranger", "host1", "dstm0")
    before = lab.programs["host1"].counters()["rx_outer_source"]
    forged = [
        # The lease of napt1, of host2 itself (whom nobody may ask about), of nobody; a fragment.
        udp(lab.leases["napt1"]["v4"], a_port(lab, "napt1"), a_port(lab, "host1"), target),
        udp(lab.leases["host2"]["v4"], a_port(lab, "host2"), a_port(lab, "host1"), target),
        udp("198.51.100.12", 4000, a_port(lab, "host1"), target),
        udp("203.0.113.1", 4000, a_port(lab, "host1"), target),
    ]
    for packet in forged:
        wire.send(tunnelled(V6["host2"], packet, V6["host1"]), count=5)
    fragment = udp(lab.leases["napt1"]["v4"], a_port(lab, "napt1"), a_port(lab, "host1"), target)
    fragment.flags = "MF"
    wire.send(tunnelled(V6["napt1"], fragment, V6["host1"]), count=5)
    wire.close()
    settle()
    capture.stop()
    assert capture.count() == 0
    assert lab.programs["host1"].counters()["rx_outer_source"] - before == 25


def test_a_way_that_is_blocked_is_left(lab):
    """Something between the two swallows IPv4 in IPv6: after a few seconds the TEP is the way again."""
    host1 = lab.nodes["host1"]
    with talk_to(lab, "napt1", "host1", 3) as talk:
        wait_until(lambda: is_direct(lab, "napt1", "host1"), 15, "the direct way")
        host1.run(["nft", "add table netdev block; add chain netdev block in { type filter hook ingress "
                   f"device eth0 priority 0; }}; add rule netdev block in ip6 saddr {V6['napt1']} "
                   "ip6 nexthdr 4 drop"])
        began = time.monotonic()
        try:
            number = talk.sent
            wait_until(lambda: any(heard > number + 20 for heard in list(talk.heard)), 15, "an answer")
            print(f"back through the TEP after {time.monotonic() - began:.1f} s")
            settle()
            assert not is_direct(lab, "napt1", "host1")
        finally:
            host1.run(["nft", "delete table netdev block"])


def test_a_server_that_begins_anew_interrupts_nobody(lab):
    """It remembers no questions: both are refused at first when they ask again, and go on all the same."""
    with talk_to(lab, "napt2", "host1", 5) as talk:
        wait_until(lambda: is_direct(lab, "napt2", "host1"), 15, "the direct way")
        lab.programs["server"].kill()
        time.sleep(0.5)
        assert is_direct(lab, "napt2", "host1"), "who is known is reached without the server"
        lab.start("server")
        server = lab.programs["server"]
        wait_until(lambda: server.counters()["queries-answered"] >= 2, REST_S, "both to have asked again")
        wait_until(lambda: is_direct(lab, "napt2", "host1"), 15, "the direct way")
    assert server.counters()["queries-answered"] < server.counters()["queries"]
    assert talk.lost <= 2, (talk.lost, talk.sent)


def test_who_has_nothing_to_ask_has_no_connection(lab):
    """Neither for questions nor for the lease, which generation 2 closes at once."""
    for name in CLIENTS:
        wait_until(lambda name=name: not lab.nodes[name].run(["ss", "-Htn", "dport", "=", ":3653"]), 8, name)


def test_a_client_that_dies_is_left_at_once(lab):
    """Its host says in ICMPv6 that nobody takes IPv4 in IPv6 there; when a client does again, it is found
    through the TEP."""
    with talk_to(lab, "napt2", "host1", 6) as talk:
        wait_until(lambda: is_direct(lab, "napt2", "host1"), 15, "the direct way")
        lab.programs["host1"].kill()
        sent = talk.sent
        wait_until(lambda: talk.sent > sent + 20, 5, "some more to be sent")
        left = direct(lab, "napt2")[0]
        wait_until(lambda: talk.sent > sent + 80, 5, "some more to be sent")
        assert direct(lab, "napt2")[0] == left
        lab.start("host1")
        number = talk.sent
        wait_until(lambda: any(heard > number for heard in list(talk.heard)), 15, "an answer")
