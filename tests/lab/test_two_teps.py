# SPDX-License-Identifier: BSD-3-Clause
"""Two TEPs, one pool, one tunnel address, BIRD and FRR on their twins: any TEP takes any packet.

The lab is config/lab/two-teps.yaml; core prefers tep1 and internet tep2, so that return traffic
comes by the TEP that has not seen the connection. Each test prints how long nothing arrived; the
longest silences are in build/bench/recovery.json.
"""

import json
import time

import pytest

from client_lab import note_recovery
from conftest import ROOT, derived, run_steps, wait_until
from lab import steps
from lab.routing_steps import (carried_so_far, end_program, gateways, lost, stream_through,
                               wait_for_route, wait_for_sessions)
from lab.run import Lab
from lab.traffic import Load

TWO_TEPS = ROOT / "config/lab/two-teps.yaml"
TUNNEL, POOL = "2001:db8:fe::1", "198.51.100.0"
TO_POOL = {"tep1": "192.0.2.1", "tep2": "192.0.2.5"}  # internet's ways
TO_TUNNEL = {"tep1": "2001:db8:f1::1", "tep2": "2001:db8:f2::1"}  # core's ways
SERVICE = ("203.0.113.80", 7)
TEPS, CLIENTS = ("tep1", "tep2"), ("napt", "host", "whole")
ROUTERS = ("bird-core", "bird-inet", "bird-tep1", "frr-tep2")
ATTEMPTS = 4
CONNECTIONS = 66  # of each client, and a download
CONTROL_PREFIXES = ("2001:db8:f1::/64", "2001:db8:f2::/64")  # where the server reaches the TEPs


def prepared(content):
    """For derived(): the programs start, and the rest is the tests'."""
    kept = {"start", "sessions", "teps_connected", "route"}
    content["captures"] = {}
    content["steps"] = [step for step in content["steps"][:6] if kept & set(step)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(derived(tmp_path_factory, TWO_TEPS, prepared)) as lab:
        run_steps(lab, "start", "sessions", "teps_connected", "route")
        yield lab


@pytest.fixture
def level(lab):
    """Both TEPs run, are preferred as at the start, and have all leases."""
    for name in TEPS:
        if not lab.programs[name].running:
            lab.start(name)
    restore(lab)
    for name in CLIENTS:
        if not lab.programs[name].running:
            lab.start(name)
        steps.wait_for_lease(lab, name)
    wait_until(lambda: table(lab, "tep1") == table(lab, "tep2"), 10, "both tables")
    return lab


def restore(lab):
    """The routers have what the TEPs that run announce; of both, each prefers its own."""
    up = [name for name in TEPS if lab.programs[name].running]
    if len(up) == len(TEPS):
        steps.wait_for_teps(lab.programs["server"])
        for name in ROUTERS:
            wait_for_sessions(lab.programs[name])
    wait_for_route(lab, "core", TUNNEL, [TO_TUNNEL[up[0]]])
    wait_for_route(lab, "internet", POOL, [TO_POOL[up[-1]]])


def table(lab, tep: str) -> set:
    return {(row["v4"], row["first"], row["last"], row["client"], row["tep"])
            for row in lab.programs[tep].ctl("bindings")}


def assert_carried(lab, out: str, back: str, nodes=CLIENTS[:1]):
    """One TEP carries the way out and one the way back, and neither loses anything.

    A busy machine may stand still for longer than BFD waits; then the routes move, and come back.
    """
    for _ in range(ATTEMPTS):
        through, reports = stream_through(lab, nodes, SERVICE, 0.5)
        by = {way: {name for name in through if through[name][way]}
              for way in ("outward", "inward")}
        if by == {"outward": {out}, "inward": {back}} and not any(map(lost, reports)):
            return
        restore(lab)
    pytest.fail(f"{out} out and {back} back: {through}, {reports}")


def note(what: str, report):
    """The longest silence of each direction, for the reader and for who compares runs."""
    print(f"{what}: {report.connections_line()}")
    for way, name in (("up", "outward"), ("down", "inward")):
        print(f"{what}: {name} {report.way_line(way)}")
        note_recovery(f"{what}, gap {name}", report.gap_ms(way) / 1000)


def with_copies(lab, copies: str):
    """All pools have this kind of copies from now on; the clients get new leases."""
    for name in CLIENTS:
        lab.programs[name].stop()

    def change(config):
        for pool in config["pools"]:
            pool["copies"] = copies

    lab.programs["server"].reload(change)
    wait_until(lambda: not table(lab, "tep1") | table(lab, "tep2"), 10, "empty tables")
    for name in CLIENTS:
        lab.start(name)
        steps.wait_for_lease(lab, name)


@pytest.mark.parametrize("copies", ["query", "both", "push"])
def test_out_by_one_and_back_by_the_other(lab, copies):
    """R67, R72, S33: with each kind of copies, from the first packet on; captures agree."""
    restore(lab)
    with_copies(lab, copies)
    if copies == "query":
        assert table(lab, "tep1").isdisjoint(table(lab, "tep2"))  # one holder each
    else:
        assert table(lab, "tep1") == table(lab, "tep2")
        assert len(table(lab, "tep1")) == len(CLIENTS)
    first = {node: steps.ping_once(lab, node, SERVICE[0], 1) for node in CLIENTS}
    print(f"copies {copies}: the first echo of each (answered, ms): {first}")
    assert all(answered == 1 for answered, _ in first.values())
    assert_carried(lab, "tep1", "tep2", CLIENTS)
    assert_captured(lab, copies)
    if copies == "query":
        held = table(lab, "tep2")
        assert {lab.leases[node]["v4"] for node in CLIENTS} <= {row[0] for row in held}
        assert lab.programs["tep2"].counters()["ask_holder"] > 0


def assert_captured(lab, name: str):
    """On the four links, too, packets go out by tep1 alone and come back by tep2 alone."""
    for _ in range(ATTEMPTS):
        captures = {(way, tep): lab.capture(f"{way}-{tep}-{name}", node, f"{link}{number}", wanted)
                    for number, tep in enumerate(TEPS, 1)
                    for way, node, link, wanted in (
                        ("out", "core", "border", f"ip6 dst {TUNNEL} and ip6 proto 4"),
                        ("back", "internet", "peering", f"dst net {POOL}/24"))}
        stream_through(lab, CLIENTS[:1], SERVICE, 0.3)
        seen = {key for key, capture in captures.items() if capture.stop().count()}
        if seen == {("out", "tep1"), ("back", "tep2")}:
            return
        restore(lab)
    pytest.fail(f"packets seen: {seen}")


@pytest.mark.parametrize("how", ["kill", "drain"])
@pytest.mark.parametrize("tep", TEPS)
def test_a_tep_goes_and_comes_back(level, tep, how):
    """R67: more than 200 connections and three downloads through a TEP that goes: none breaks; the
    other carries both ways. It comes back, gets its table before it announces, takes its share."""
    lab, other = level, TEPS[1 - TEPS.index(tep)]
    before = table(lab, tep)
    with Load(lab, CLIENTS, SERVICE, CONNECTIONS) as load:
        time.sleep(0.5)
        end_program(lab.programs[tep], how)
        time.sleep(1.5 if how == "kill" else 0.2)  # drain has ended when nothing came any more
        report = load.report()
    assert report.failures == []
    assert report.connections == len(CLIENTS) * (CONNECTIONS + 1)
    note(f"{how} of {tep}", report)
    assert_carried(lab, other, other)

    with Load(lab, CLIENTS, SERVICE, CONNECTIONS) as load:
        lab.start(tep)
        restore(lab)
        report = load.report()
    assert report.failures == []
    note(f"{tep} back after {how}", report)
    assert table(lab, tep) == before
    assert_carried(lab, "tep1", "tep2")


def test_a_tep_loses_its_way_out(level):
    """R67: tep1 lives, but the IPv4 side behind it is gone: it is not ready any more, and core hears
    so in time (ready.routes_v4)."""
    lab = level
    with Load(lab, CLIENTS, SERVICE, CONNECTIONS) as load:
        lab.nodes["internet"].ip("link", "set", "peering1", "down")
        wait_for_route(lab, "core", TUNNEL, [TO_TUNNEL["tep2"]])
        time.sleep(0.5)
        report = load.report()
    lab.nodes["internet"].ip("link", "set", "peering1", "up")
    assert report.failures == []
    note("tep1 loses its IPv4 side", report)
    restore(lab)
    assert_carried(lab, "tep1", "tep2")


def test_no_way_between_server_and_teps(level):
    """R24: what is leased goes on; what ends meanwhile is gone from both when the way is back."""
    lab, leaves, stay = level, CLIENTS[0], CLIENTS[1:]
    before = table(lab, "tep1")
    gone = {row for row in before if row[0] == lab.leases[leaves]["v4"]
            and row[1] == lab.leases[leaves]["ports"][0][0]}
    server = lab.nodes["server"]
    with Load(lab, stay, SERVICE, CONNECTIONS) as load:
        for prefix in CONTROL_PREFIXES:
            server.ip("-6", "route", "add", "unreachable", prefix)
        lab.programs[leaves].stop()
        time.sleep(1.5)
        assert table(lab, "tep1") == before
        for prefix in CONTROL_PREFIXES:
            server.ip("-6", "route", "del", "unreachable", prefix)
        for tep in TEPS:
            wait_until(lambda: table(lab, tep) == before - gone, 20, f"the end at {tep}")
        report = load.report()
    assert report.failures == []
    note("server cut off", report)


def with_ospf(text: str, core: bool) -> str:
    """config/routing/bird-ospf.conf for the session between core and tep1."""
    ospf = (ROOT / "config/routing/bird-ospf.conf").read_text()
    if not core:
        return text[:text.index("protocol bgp core")] + ospf
    at = text.index("protocol bgp tep1")
    ospf = ospf.replace("dstm6", "border1").replace("net != 2001:db8:fe::1/128", "true").replace(
        "net = 2001:db8:fe::1/128", "source = RTS_DEVICE")
    return text[:at] + ospf + text[text.index("protocol bgp tep2"):]


def test_ospf_in_the_place_of_bgp(level):
    """The tunnel address by OSPFv3, whose packets are multicast on the twin; BFD ends that, too."""
    lab = level
    routers = {name: lab.programs[name] for name in ("bird-core", "bird-tep1")}
    before = {name: router.config_text() for name, router in routers.items()}
    for name, router in routers.items():
        router.reload(lambda text, name=name: with_ospf(text, name == "bird-core"))
    try:
        for router in routers.values():
            assert "inside" in wait_for_sessions(router)
        best = ("show", "route", "for", TUNNEL, "primary")
        wait_until(lambda: "[inside" in routers["bird-core"].ask(*best), 10, "the way by OSPF")
        wait_until(lambda: gateways(lab, "core", TUNNEL) != {TO_TUNNEL["tep1"]}, 10, "its route")
        through, _ = stream_through(lab, CLIENTS[:1], SERVICE, 0.5)
        assert through["tep1"]["outward"] > 0
    finally:
        for name, text in before.items():
            routers[name].reload(lambda _, text=text: text)


def test_both_share_by_flow(level):
    """S33: routers that prefer neither spread flows over both, each way by itself."""
    lab = level

    def equal(text: str) -> str:
        return text.replace("merge paths off", "merge paths on").replace(
            "bgp_local_pref = 200", "bgp_local_pref = 100")

    before = {name: lab.programs[name].config_text() for name in ("bird-core", "bird-inet")}
    for name in before:
        router = lab.programs[name]
        for family in ("ipv4", "ipv6"):
            router.namespace.sysctl(f"net/{family}/fib_multipath_hash_policy", "1")
        router.reload(equal)
    try:
        wait_for_route(lab, "core", TUNNEL, TO_TUNNEL.values())
        wait_for_route(lab, "internet", POOL, TO_POOL.values())
        first = carried_so_far(lab)
        with Load(lab, CLIENTS, SERVICE, CONNECTIONS) as load:
            time.sleep(1)
            report = load.report()
        after = carried_so_far(lab)
        print(f"both: {json.dumps([first, after])}")
        assert report.failures == []
        assert all(after[name]["inward"] > first[name]["inward"] + 100 for name in TEPS)
    finally:
        for name, text in before.items():
            lab.programs[name].reload(lambda _, text=text: text)
