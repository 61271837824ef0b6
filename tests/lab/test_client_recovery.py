# SPDX-License-Identifier: BSD-3-Clause
"""What a client does when something fails around it, and how long it is without IPv4.

Two TEPs behind the pools, two servers, leases of eight seconds. Each test prints its time to
recovery; build/bench/recovery.json collects them.
"""

import contextlib
import signal
import socket
import struct
import time
from pathlib import Path

import pytest

from applications import ECHO_PORT, UdpEcho
from client_lab import (LIFETIME_S, SMALL, SMALL_BLOCK, TINY, assert_recovery, follow_route,
                        has_ipv4, note_recovery, show, status, with_spares)
from conftest import SHARED_ADDRESS, derived, run_steps, wait_until
from lab import steps
from lab.program import build_folder
from lab.run import Lab
from packets import WEB

IPV6_NEXT_HEADER, IPIP = 14 + 6, 4  # in an Ethernet frame
BOTH = ("napt1", "host1")  # a client in each mode, on one address


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(derived(tmp_path_factory, SHARED_ADDRESS, with_spares)) as lab:
        run_steps(lab, "start", "teps_connected")
        with UdpEcho(lab.nodes["web"]):
            yield lab


@pytest.fixture
def clients(lab):
    """Both clients with leases that work, whatever the test before has left."""
    for name in ("tep", "tep2", "server", *BOTH):
        if not lab.programs[name].running:
            lab.start(name)
    steps.wait_for_teps(lab.programs["server"])
    for name in BOTH:
        steps.wait_for_lease(lab, name)
        assert_works(lab, name)
    return lab


def assert_works(lab, name: str):
    def works():
        follow_route(lab, name)
        return has_ipv4(lab, name)

    wait_until(works, 20, f"IPv4 on {name}")


def still_has_ipv4(lab, name: str) -> bool:
    """A busy machine may be late, and may lose a datagram."""
    return any(has_ipv4(lab, name, 2) for _ in range(3))


def answered(flow) -> tuple[str, int] | None:
    """Whom the echo saw behind a flow; None when nobody answers, or no port is left for it."""
    try:
        flow.send(b"flow")
        address, port, _ = flow.recv(100).split(b" ")
    except OSError:
        return None
    return address, port


def talker(namespace):
    """A flow of its own, to the echo."""
    with namespace.inside():
        flow = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    flow.settimeout(0.2)
    flow.connect((WEB, ECHO_PORT))
    return flow


def test_server_gone_and_back(clients):
    """R51: a dead server stops nothing before the lease's end; it is asked until it is back."""
    lab = clients
    lab.programs["server"].kill()
    assert all(still_has_ipv4(lab, name) for name in BOTH)
    time.sleep(LIFETIME_S / 2)  # a renewal has failed by then
    assert all(still_has_ipv4(lab, name) for name in BOTH)
    since = time.monotonic()
    lab.start("server")
    steps.wait_for_teps(lab.programs["server"])
    for name in BOTH:
        wait_until(lambda: show(lab, name)["seconds_left"] > LIFETIME_S / 2, 20, "a renewal")
        note_recovery(f"server back, lease renewed ({name})", time.monotonic() - since)
        assert still_has_ipv4(lab, name)


def test_server_gone_for_good(clients):
    """The lease ends in time, and the next server of the list gives another."""
    lab = clients
    lab.start("server2")
    steps.wait_for_teps(lab.programs["server2"])
    since = time.monotonic()
    lab.programs["server"].kill()
    wait_until(lambda: show(lab, "napt1")["v4"] == "198.51.100.12", 40, "another lease")
    assert_recovery(lab, "napt1", "server gone, another one asked", since)
    lab.start("server")
    lab.programs["napt1"].stop()
    lab.programs["server2"].stop()
    steps.wait_for_teps(lab.programs["server"])


def kill_tep_of(lab, name: str) -> str:
    """Which program that was."""
    program = {"2001:db8:fe::1": "tep", "2001:db8:fe::3": "tep2"}[show(lab, name)["tep"]]
    lab.programs[program].kill()
    return program


def test_tep_gone(clients):
    """The lease moves to another TEP of the pool, at the latest with its renewal."""
    lab = clients
    before = {name: show(lab, name) for name in BOTH}
    assert before["napt1"]["tep"] == before["host1"]["tep"]
    since = time.monotonic()
    tep = kill_tep_of(lab, "napt1")
    for name in BOTH:
        assert_recovery(lab, name, "TEP gone, short lease", since)
        assert show(lab, name)["tep"] != before[name]["tep"]
    lab.start(tep)
    steps.wait_for_teps(lab.programs["server"])


def test_tep_gone_long_before_the_renewal(lab):
    """Silence is suspicious: with a lease of an hour the server is asked when nothing answers."""
    lab.start(SMALL)
    assert steps.wait_for_lease(lab, SMALL)["lifetime_s"] == 3600
    assert_works(lab, SMALL)
    since = time.monotonic()
    tep = kill_tep_of(lab, SMALL)
    assert_recovery(lab, SMALL, "TEP gone, lease of an hour", since)
    assert lab.programs[SMALL].stop() == 0
    lab.start(tep)
    steps.wait_for_teps(lab.programs["server"])


def test_tep_moved(clients):
    """The operator takes a TEP out of the pool: the lease moves, with its address and ports."""
    lab = clients
    before = {name: show(lab, name) for name in BOTH}
    stays = next(name for name, v6 in (("tep1", "2001:db8:fe::1"), ("tep2", "2001:db8:fe::3"))
                 if v6 != before["napt1"]["tep"])

    def leave_one(config):
        for pool in config["pools"]:
            pool["teps"] = [stays]

    def put_back(config):
        for pool in config["pools"]:
            pool["teps"] = ["tep1", "tep2"]

    since = time.monotonic()
    lab.programs["server"].reload(leave_one)
    for name in BOTH:
        wait_until(lambda: show(lab, name)["tep"] != before[name]["tep"], 20, "the other TEP")
        assert_recovery(lab, name, "TEP moved by the operator", since)
        after = show(lab, name)
        for key in ("v4", "ports"):
            assert after[key] == before[name][key]
    lab.programs["server"].reload(put_back)


def test_pool_exhausted(lab):
    """Refused while another holds the only block, and served soon after that is free."""
    first, second = TINY
    lab.start(first)
    steps.wait_for_lease(lab, first)
    lab.start(second)
    wait_until(lambda: "exhausted" in (show(lab, second)["last_error"] or ""), 20, "a refusal")
    assert show(lab, second)["v4"] is None
    assert not has_ipv4(lab, second)
    since = time.monotonic()
    assert lab.programs[first].stop() == 0
    assert_recovery(lab, second, "pool exhausted, then free", since)
    assert lab.programs[second].stop() == 0


def test_not_allowed(lab):
    """A server that lets nobody in is asked again, until it does."""
    name, server = TINY[0], lab.programs["server"]
    server.stop()
    server.spec.config["clients"] = {"allow": ["2001:db8:9::/64"]}
    lab.start("server")
    try:
        lab.start(name)
        wait_until(lambda: show(lab, name)["last_error"], 20, "a refusal")
        assert show(lab, name)["v4"] is None
        assert status(lab, name)[0] == 3
    finally:
        since = time.monotonic()
        server.reload(lambda config: config.pop("clients"))
    assert_recovery(lab, name, "not allowed, then allowed", since)
    exit_status, screen = status(lab, name)
    assert exit_status == 0 and f"  address     {show(lab, name)['v4']}\n" in screen
    assert lab.programs[name].stop() == 0


@pytest.mark.parametrize("name", BOTH)
def test_renumbered(clients, name):
    """The host's IPv6 address is replaced: a new lease for the new tunnel end."""
    lab = clients
    old, new = show(lab, name)["v6"], f"2001:db8:1::{31 + BOTH.index(name)}"
    node = lab.nodes[name]
    since = time.monotonic()
    node.ip("address", "add", f"{new}/64", "dev", "eth0", "nodad")
    node.ip("address", "del", f"{old}/64", "dev", "eth0")
    wait_until(lambda: show(lab, name)["v6"] == new, 30, "a lease of the new address")
    assert_recovery(lab, name, "IPv6 renumbered", since)
    node.ip("address", "add", f"{old}/64", "dev", "eth0", "nodad")
    node.ip("address", "del", f"{new}/64", "dev", "eth0")
    wait_until(lambda: show(lab, name)["v6"] == old, 30, "a lease of the old address")


def n_ports(lease: dict) -> int:
    return sum(last - first + 1 for first, last in lease["ports"])


def test_ports_exhausted(lab):
    """R58, S18: more flows at a time than ports: more ports are asked for, and used."""
    lab.start(SMALL)
    assert n_ports(steps.wait_for_lease(lab, SMALL)) == SMALL_BLOCK
    assert_works(lab, SMALL)
    with contextlib.ExitStack() as stack:
        flows = [stack.enter_context(talker(lab.nodes[SMALL])) for _ in range(2 * SMALL_BLOCK)]
        since = time.monotonic()
        first = [answered(flow) for flow in flows[:SMALL_BLOCK + 8]]
        assert len(first) - first.count(None) >= SMALL_BLOCK / 2
        wait_until(lambda: len(show(lab, SMALL)["ports"]) > 1, 30, "more ports")
        assert_recovery(lab, SMALL, "ports exhausted", since)
        assert n_ports(show(lab, SMALL)) >= 2 * SMALL_BLOCK
        seen = [peer for flow in flows if (peer := answered(flow))]
        assert len(seen) > SMALL_BLOCK + 8
        assert len(set(seen)) == len(seen)
    assert lab.programs[SMALL].stop() == 0


def is_bound(lab, v4: str) -> bool:
    """Some TEP has a binding of this address."""
    return any(binding["v4"] == v4 for tep in ("tep", "tep2")
               for binding in lab.programs[tep].ctl("bindings"))


@pytest.mark.parametrize("name", TINY)
def test_lease_stolen(lab, name):
    """S21: a lease of an hour is taken away, and nobody tells but the TEP, by ICMPv6 1/5."""
    client = lab.programs[name]
    lab.start(name)
    assert steps.wait_for_lease(lab, name)["lifetime_s"] == 3600
    assert_works(lab, name)
    assert lab.programs["server"].ctl("push-delete", show(lab, name)["v6"])["ended"] == 1
    wait_until(lambda: not is_bound(lab, show(lab, name)["v4"]), 10, "the binding to be gone")
    assert_recovery(lab, name, "lease stolen", time.monotonic())
    assert client.stop() == 0


def test_time_of_day_jumps(clients, tmp_path):
    """Set ten years ahead, and back: no lease ends or lasts longer for it, and renewals go on."""
    lab, jump = clients, tmp_path / "jump"
    library = build_folder() / "tests/client/libclock_jump.so"
    jump.write_bytes(struct.pack("=q", 0))
    for name in BOTH:
        lab.programs[name].stop()
        lab.programs[name].environment = {"LD_PRELOAD": str(library), "CLOCK_JUMP": str(jump)}
        lab.start(name)
        steps.wait_for_lease(lab, name)
        lab.programs[name].environment = {}
        assert str(library) in Path(f"/proc/{lab.programs[name].pid}/maps").read_text()
        assert_works(lab, name)
    before = {name: show(lab, name)["v4"] for name in BOTH}
    for years in (10, -10):
        with open(jump, "r+b") as file:
            file.write(struct.pack("=q", years * 365 * 86400))
        until = time.monotonic() + LIFETIME_S / 2 + 1
        while time.monotonic() < until:  # a renewal is among it
            for name in BOTH:
                assert still_has_ipv4(lab, name), (name, years)
                assert show(lab, name)["v4"] == before[name]
                assert show(lab, name)["seconds_left"] <= LIFETIME_S
            time.sleep(0.1)


def test_sleep_and_resume(clients):
    """R51: who slept past the end of the lease sends nothing under it, and gets another."""
    lab = clients
    for name in BOTH:
        lab.programs[name].signal(signal.SIGSTOP)
    asleep_until = time.monotonic() + LIFETIME_S + 1
    while time.monotonic() < asleep_until:  # packets wait in the device meanwhile
        assert not any(has_ipv4(lab, name) for name in BOTH)
    captures = {name: lab.capture(f"resume-{name}", name, "eth0", "ip6 proto 4 or tcp port 3653")
                for name in BOTH}
    since = time.monotonic()
    for name in BOTH:
        lab.programs[name].signal(signal.SIGCONT)
    for name in BOTH:
        assert_recovery(lab, name, "slept past the lease's end", since)
        packets = captures[name].stop().packets()
        leased_at = min(when for when, octets in packets if b'action="info"' in octets)
        early = [when for when, octets in packets
                 if octets[IPV6_NEXT_HEADER] == IPIP and when < leased_at]
        assert early == [], f"{name}: {len(early)} packets between waking and the new lease"
