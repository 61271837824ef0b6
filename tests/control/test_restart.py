# SPDX-License-Identifier: BSD-3-Clause
"""
What routing daemons see of a TEP that starts, is drained, stops or is killed (R30, R68).

DSTM_BUILD names the build directory whose programs are tested.
"""

import json
import os
import signal
import subprocess
import threading

import pytest
from scapy.layers.inet import IP, UDP

from tep_bench import (CLIENT_V6, LEASE_PORT, LEASE_V4, OUTSIDE_V4, ROOT, TEP_V6, Bench, Tunnel,
                       udp_socket, wait_for)

DSTMCTL = ROOT / os.environ.get("DSTM_BUILD", "build/gcc") / "src/ctl/dstmctl"
POOL = "198.51.100.0/24"
ANYCAST = "2001:db8:ffff::1"
ANNOUNCE = {"pools": True, "tunnel": True}
OUTSIDE_PORT = 7000

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and TAP devices need root")


@pytest.fixture(name="bench")
def fixture_bench(tmp_path):
    with Bench(tmp_path, pools=[POOL], announce=ANNOUNCE,
               tunnel={"v6": [TEP_V6, ANYCAST]}) as bench:
        yield bench


def announced(bench):
    """The pools and tunnel addresses that the kernel has for routing daemons."""
    routes = json.loads(bench.tep_ns.ip("-j", "route", "show", "proto", "213"))
    links = json.loads(bench.tep_ns.ip("-j", "-6", "address", "show", "dev", "lo"))
    addresses = [address for link in links for address in link.get("addr_info", [])]
    assert all((r["type"], r["metric"]) == ("unreachable", 213) for r in routes)
    return ({route["dst"] for route in routes},
            {a["local"] for a in addresses if a["prefixlen"] == 128 and a["local"] != "::1"})


ALL = ({POOL}, {TEP_V6, ANYCAST})
NOTHING = (set(), set())


def state(bench):
    return bench.ask("show")["result"]["state"]


def is_announced(bench):
    return announced(bench) == ALL


def begin_drain(bench, *options):
    return subprocess.Popen([str(DSTMCTL), "tep", "drain", *options, "--socket",
                             str(bench.folder / "tep.sock")], stdout=subprocess.PIPE, text=True)


def ended(bench):
    """The TEP's exit code; it ends by itself."""
    process, bench.process = bench.process, None
    code = process.wait(20)
    bench.log.close()
    return code


class Traffic:
    """One packet after the other out of the tunnel, until it is left."""

    def __init__(self, bench):
        self.bench = bench
        self.over = threading.Event()

    def __enter__(self):
        self.tunnel = Tunnel(self.bench)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def run(self):
        packet = IP(src=LEASE_V4, dst=OUTSIDE_V4) / UDP(sport=LEASE_PORT, dport=OUTSIDE_PORT)
        while not self.over.wait(0.05):
            self.tunnel.send(packet)

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.tunnel.__exit__()


def test_announced_while_ready_and_withdrawn_by_drain(bench):
    """Nobody is sent here any more, and who still comes is served until nobody does."""
    wait_for(lambda: is_announced(bench), "pools and tunnel addresses stand")
    assert state(bench) == "ready"
    with udp_socket(bench, OUTSIDE_PORT) as outside, Traffic(bench):
        outside.recv(2000)
        drain = begin_drain(bench, "--wait", "60")
        wait_for(lambda: announced(bench) == NOTHING, "they are withdrawn")
        assert state(bench) == "draining"
        assert bench.ask("show")["result"]["reason"] == "draining"
        for _ in range(40):
            outside.recv(2000)
        assert drain.poll() is None and bench.process.poll() is None
    assert drain.wait(20) == 0
    assert ended(bench) == 0


def test_patience_of_a_drain_ends(bench):
    wait_for(lambda: is_announced(bench), "pools and tunnel addresses stand")
    with Traffic(bench):
        assert begin_drain(bench, "--wait", "1").wait(20) == 0
    assert ended(bench) == 0
    assert announced(bench) == NOTHING


def test_a_tep_without_its_routes_is_not_announced(tmp_path):
    """The way out comes, goes, and comes again."""
    with Bench(tmp_path, pools=[POOL], announce=ANNOUNCE, tunnel={"v6": [TEP_V6, ANYCAST]},
               ready={"routes_v4": ["203.0.113.1"], "routes_v6": [CLIENT_V6]}) as bench:
        route = ("203.0.113.0/24", "via", OUTSIDE_V4, "dev", "dstm4")
        wait_for(lambda: bench.ask("show")["result"]["reason"] ==
                 "there is no route to 203.0.113.1", "the reason")
        assert state(bench) == "waiting"
        assert announced(bench) == NOTHING
        for _ in range(2):
            bench.tep_ns.ip("route", "add", *route)
            wait_for(lambda: is_announced(bench), "pools and tunnel addresses stand")
            assert state(bench) == "ready"
            bench.tep_ns.ip("route", "del", *route)
            wait_for(lambda: announced(bench) == NOTHING, "they are withdrawn")


def test_a_stop_withdraws_and_what_a_kill_left_goes_at_the_next_start(bench):
    wait_for(lambda: is_announced(bench), "pools and tunnel addresses stand")
    bench.process.send_signal(signal.SIGKILL)
    assert ended(bench) == -signal.SIGKILL
    assert is_announced(bench)
    bench._start()
    assert "a former process left it; removed" in bench.said()
    wait_for(lambda: is_announced(bench), "they stand again")
    assert bench.stop() == 0
    assert announced(bench) == NOTHING
