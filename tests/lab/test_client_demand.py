# SPDX-License-Identifier: BSD-3-Clause
"""Leases on demand: nothing before the first packet, which arrives; given back after use."""

import concurrent.futures
import socket
import time
from pathlib import Path

import pytest

from applications import ECHO_PORT, UdpEcho, say
from client_lab import show, status, with_clients
from conftest import SHARED_ADDRESS, derived, run_steps, wait_until
from lab import steps
from lab.run import Lab
from packets import WEB

IDLE_S = 2
BOTH = ("napt1", "host1")
PUSHED = "pushed"
QUIET_S = 5


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    on_demand = {"on_demand": True, "idle_s": IDLE_S}
    change = with_clients({
        "napt1": on_demand, "host1": on_demand | {"mode": "host"},
        PUSHED: {"on_demand": True, "idle_s": 0, "generation": 1, "accept_push": True}})
    with Lab(derived(tmp_path_factory, SHARED_ADDRESS, change)) as lab:
        run_steps(lab, "start", "teps_connected")
        for name in BOTH:
            lab.start(name)
        with UdpEcho(lab.nodes["web"]):
            yield lab


def on_both(function) -> dict:
    with concurrent.futures.ThreadPoolExecutor(len(BOTH)) as pool:
        return dict(zip(BOTH, pool.map(function, BOTH)))


@pytest.fixture
def idle(lab):
    for name in BOTH:
        wait_until(lambda: show(lab, name)["state"] == "idle", IDLE_S + 10, f"{name} to be idle")
        assert show(lab, name)["v4"] is None
    return lab


def wake_ups(pid: int) -> int:
    """How often the threads of a process have gone to sleep again."""
    return sum(int(line.split()[1]) for task in Path(f"/proc/{pid}/task").iterdir()
               for line in (task / "status").read_text().splitlines()
               if line.startswith("voluntary_ctxt_switches"))


def test_nothing_happens_without_demand(idle):
    """R12: no lease, no question to the server, and the process sleeps."""
    lab = idle
    captures = {name: lab.capture(f"quiet-{name}", name, "eth0", "tcp port 3653 or ip6 proto 4")
                for name in BOTH}
    before = {name: wake_ups(lab.programs[name].pid) for name in BOTH}
    time.sleep(QUIET_S)
    after = {name: wake_ups(lab.programs[name].pid) for name in BOTH}
    for name in BOTH:
        assert captures[name].stop().count() == 0
        assert after[name] - before[name] <= 1, name
        assert status(lab, name)[0] == 0, "idle is well"
    assert not any(lease["state"] == "active" for lease in lab.programs["server"].ctl("leases"))


def ping(lab, name: str) -> bool:
    return " 1 received" in lab.nodes[name].run(["ping", "-c", "1", "-W", "10", WEB], check=False)


def fetch(lab, name: str) -> bool:
    said = lab.nodes[name].run(["curl", "-sS", "-m", "20", f"http://{WEB}/"], 30, check=False)
    return said.startswith(f"You are {show(lab, name)['v4']} ")


def echo(lab, name: str) -> bool:
    answer = say(lab.nodes[name], (WEB, ECHO_PORT), b"first", 10)
    return answer is not None and answer.startswith(show(lab, name)["v4"].encode() + b" ")


@pytest.mark.parametrize("application", [ping, echo, fetch])
def test_the_first_packet_brings_the_lease_and_arrives(idle, application):
    """R12, R14, R56: one echo request, one datagram, one SYN: none is sent a second time."""
    lab = idle
    capture = lab.capture(f"first-{application.__name__}", "web", "eth0",
                          "icmp[0] == 8 or udp or "
                          "(tcp dst port 80 and tcp[tcpflags] & tcp-syn != 0)")
    began = time.monotonic()
    done = on_both(lambda name: (application(lab, name), time.monotonic() - began))
    capture.stop()
    for name, (arrived, seconds) in done.items():
        assert arrived, name
        print(f"first packet: {application.__name__} on {name}: answered after {seconds:.2f} s")
    assert capture.count(f"dst host {WEB}") == len(BOTH)


def test_packets_wait_in_order(idle):
    """R14: what an application sends meanwhile comes out as it went in."""
    lab = idle

    def send(name):
        with lab.nodes[name].inside():
            talker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with talker:
            talker.settimeout(10)
            for number in range(20):
                talker.sendto(b"%d" % number, (WEB, ECHO_PORT))
            return [int(talker.recv(100).split(b" ")[2]) for _ in range(20)]

    assert on_both(send) == {name: list(range(20)) for name in BOTH}


def test_an_idle_lease_is_given_back(idle):
    """A lease in use stays; unused for a while it is released, and the server has it again."""
    lab = idle
    for _ in range(IDLE_S * 2):
        time.sleep(0.7)
        assert echo(lab, "napt1")
    began = time.monotonic()
    wait_until(lambda: show(lab, "napt1")["state"] == "idle", IDLE_S + 10, "napt1 to be idle")
    print(f"idle: released {time.monotonic() - began:.1f} s after the last packet, of {IDLE_S} s")
    server = lab.programs["server"]
    wait_until(lambda: all(lease["state"] != "active" for lease in server.ctl("leases")), 10,
               "the server to have it")


def test_a_lease_may_be_pushed_and_taken_back(lab):
    """R32, R78, S21: the server creates a lease unasked, and deletes it, over the open session."""
    lab.start(PUSHED)
    server, v6 = lab.programs["server"], "2001:db8:1::19"
    wait_until(lambda: show(lab, PUSHED)["state"] == "idle", 10, "it to be idle")

    def push():
        try:
            return server.ctl("push-create", v6, "--ports", "1024")["begun"]
        except Exception:  # its session may not be open yet
            return False

    wait_until(push, 10, "an open session")
    lease = steps.wait_for_lease(lab, PUSHED)
    assert lease["v4"] == "198.51.100.7"
    assert echo(lab, PUSHED)
    since = time.monotonic()
    assert server.ctl("push-delete", v6)["ended"] == 1
    wait_until(lambda: show(lab, PUSHED)["v4"] is None, 10, "the lease to go")
    print(f"pushed delete: the host is bare after {time.monotonic() - since:.2f} s")
    assert echo(lab, PUSHED), "a packet is a new demand"
    assert lab.programs[PUSHED].stop() == 0
