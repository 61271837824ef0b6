# SPDX-License-Identifier: BSD-3-Clause
"""Steps of labs with routers and several TEPs: sessions, ways, and what happens when one fails."""

import json
import time

from lab import yaml_lines as y
from lab.netns import CommandFailed, run
from lab.steps import NODES, step
from lab.traffic import Load, Traffic
from lab.yaml_lines import Key

SESSIONS_TIMEOUT_S = 30
ROUTE_TIMEOUT_S = 20
WAYS = {"outward": "decapsulated", "inward": "encapsulated"}
FAILURE_AFTER_S = 1

PROGRAMS = y.list_of(y.name_of("program"))


@step(y.table(routers=Key(PROGRAMS, required=True)))
def sessions(lab, keys):
    """Waits until every BGP and OSPF session of these routers is up."""
    for name in keys.routers:
        up = wait_for_sessions(lab.programs[name])
        lab.screen.say(name, f"{len(up)} sessions are up: {', '.join(up)}")


def wait_for_sessions(router) -> list[str]:
    def all_up():
        found = router.sessions()
        return list(found) if found and all(found.values()) else None

    return router.wait_for(all_up, SESSIONS_TIMEOUT_S, "to have its sessions up")


@step(y.table(node=Key(y.name_of("node"), required=True), to=Key(y.address, required=True),
              via=Key(y.list_of(y.address), required=True)))
def route(lab, keys):
    """Waits until a node's kernel has exactly these ways to an address."""
    wait_for_route(lab, keys.node, keys.to, keys.via)
    lab.screen.check(f"{keys.node} reaches {keys.to}", True, f"by {' and '.join(keys.via)}")


def wait_for_route(lab, node: str, to: str, via: list[str], timeout_s: float = ROUTE_TIMEOUT_S):
    deadline = time.monotonic() + timeout_s
    while (found := gateways(lab, node, to)) != set(via):
        if time.monotonic() > deadline:
            raise CommandFailed(f"{node} reaches {to} by {' and '.join(sorted(found)) or 'nothing'}"
                                f", not by {' and '.join(via)}")
        time.sleep(0.05)


def gateways(lab, node: str, to: str) -> set[str]:
    """The gateways of the longest prefix that holds an address; of a multipath route all."""
    family = "-6" if ":" in to else "-4"
    routes = json.loads(lab.nodes[node].ip("-j", family, "route", "show", "match", to) or "[]")
    if not routes:
        return set()
    best = max(routes, key=lambda one: prefix_length(one["dst"]))
    return {hop["gateway"] for hop in best.get("nexthops", [best]) if "gateway" in hop}


def prefix_length(destination: str) -> int:
    if destination == "default":
        return 0
    return int(destination.split("/")[1]) if "/" in destination else 128


@step(y.table(from_=Key(NODES, required=True), to=Key(y.address, required=True),
              port=Key(y.integer(1, 65535), 7), seconds=Key(y.integer(1, 3600), 1),
              outward=Key(PROGRAMS, required=True), inward=Key(PROGRAMS, required=True)))
def carried_by(lab, keys):
    """Datagrams both ways between nodes and a probe server: which TEPs carry them, by counters."""
    lab.screen.say("stream", f"{' and '.join(keys.from_)} and {keys.to}, a datagram each 5 ms "
                             f"both ways, {keys.seconds} s")
    carried, reports = stream_through(lab, keys.from_, (keys.to, keys.port), keys.seconds)
    for way in WAYS:
        expected = getattr(keys, way)
        lab.screen.check(f"{way} by {' and '.join(expected)}",
                         {name for name in carried if carried[name][way]} == set(expected),
                         ", ".join(f"{name} {counts[way]:,}" for name, counts in carried.items()))
    for node, report in zip(keys.from_, reports):
        lab.screen.check(f"{node}'s datagrams arrive", lost(report) == 0,
                         f"{report['up']['received']} out, {report['down']['received']} back, "
                         f"{lost(report)} lost")


def stream_through(lab, nodes, to: tuple[str, int], seconds: float) -> tuple[dict, list[dict]]:
    """Datagrams both ways for a while: what each TEP that runs carried of them, each way, and what
    the streams report."""
    before = carried_so_far(lab)
    streams = [Traffic(lab, node, "stream", to) for node in nodes]
    for one in streams:
        one.wait()
    time.sleep(seconds)
    reports = [one.end() for one in streams]
    after = carried_so_far(lab)
    return {name: {way: after[name][way] - before[name][way] for way in WAYS}
            for name in after}, reports


def carried_so_far(lab) -> dict[str, dict[str, int]]:
    """Of each dstm-tep that runs: the packets that it sent outward and inward."""
    found = {}
    for name, program in lab.programs.items():
        if program.spec.run == "dstm-tep" and program.running:
            counted = program.counters()
            found[name] = {way: counted[counter] for way, counter in WAYS.items()}
    return found


def lost(report: dict) -> int:
    """Datagrams of a stream that did not come, of both directions."""
    return sum(way["sent"] - way["received"] for way in report.values())


@step(y.table(program=Key(y.name_of("program"), required=True),
              how=Key(y.choice("kill", "stop", "drain"), y.Text("kill")),
              from_=Key(NODES, required=True), to=Key(y.address, required=True),
              port=Key(y.integer(1, 65535), 7), connections=Key(y.integer(1, 500), 66),
              seconds=Key(y.integer(1, 3600), 4)))
def failure(lab, keys):
    """A program goes while connections, downloads and streams run: how long nothing arrives, and
    that no connection breaks."""
    lab.screen.say("traffic", f"{' and '.join(keys.from_)} with {keys.to}: {keys.connections} "
                              "connections each, a download and a 5 ms stream both ways")
    with Load(lab, keys.from_, (keys.to, keys.port), keys.connections) as load:
        time.sleep(FAILURE_AFTER_S)
        lab.screen.say(keys.program, {"kill": "kill -9", "stop": "SIGTERM", "drain": "drain"}
                       [keys.how])
        end_program(lab.programs[keys.program], keys.how)
        time.sleep(keys.seconds)
        report = load.report()
    what = f"{keys.how} {keys.program}"
    lab.screen.check(f"{what}: connections stay", not report.failures, report.connections_line())
    for way, name in (("up", "outward"), ("down", "inward")):
        lab.screen.check(f"{what}: gap {name}", True, report.way_line(way))


def end_program(program, how: str):
    if how == "drain":
        run(program.ctl_command("drain"))
    else:
        {"kill": program.kill, "stop": program.stop}[how]()
