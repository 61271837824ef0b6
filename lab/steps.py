# SPDX-License-Identifier: BSD-3-Clause
"""What a lab does and checks: one function per kind of step, and beside it the keys that it takes.

A function gets the lab and its checked keys. It says what happens and notes checks on lab.screen;
when it cannot do its work at all it raises CommandFailed, which ends the run as a failed check.
"""

import json
import subprocess
import sys
import time

from lab import yaml_lines as y
from lab.netns import CommandFailed
from lab.program import ROOT
from lab.yaml_lines import Key

FUNCTIONS = {}
READERS = {}

NODES = y.list_of(y.name_of("node"))
COUNTS = y.map_of(y.integer(0, 2**62))

LEASE_TIMEOUT_S = 20
CONNECT_TIMEOUT_S = 20


def step(reader):
    """Makes a function a kind of step, under its own name."""

    def register(function):
        FUNCTIONS[function.__name__] = function
        READERS[function.__name__] = reader
        return function

    return register


@step(y.list_of(y.name_of("program")))
def start(lab, names):
    for name in names:
        seconds = lab.start(name)
        program = lab.programs[name]
        lab.screen.say(name, f"{program.spec.run} runs on {program.spec.node}, "
                             f"ready after {seconds:.1f} s")


@step(y.table(server=Key(y.name_of("program"), required=True)))
def teps_connected(lab, keys):
    server = lab.programs[keys.server]
    teps = wait_for_teps(server)
    for tep in teps:
        lab.screen.say(keys.server, f"speaks with {tep['name']} at {tep['control']}, "
                                    f"which has {tep['bindings']} bindings")


def wait_for_teps(server):
    def connected():
        teps = server.ctl("teps")
        return teps if all(tep["state"] == "connected" for tep in teps) else None

    return server.wait_for(connected, CONNECT_TIMEOUT_S, "to reach its TEPs")


@step(y.table(clients=Key(y.list_of(y.name_of("program")), required=True),
              shared_address=Key(y.boolean, False)))
def leases(lab, keys):
    """Each client obtains its lease; shared_address: all on one address, in ranges apart."""
    for name in keys.clients:
        lease = wait_for_lease(lab, name)
        lab.screen.check(f"{name} has a lease", True,
                         f"{lease['v4']} {format_ports(lease['ports'])}, {lease['mode']} mode, "
                         f"{lease['lifetime_s']} s, through {lease['tep']}")
    for binding in lab.tep().ctl("bindings") if lab.tep() else []:
        ports = format_ports([(binding["first"], binding["last"])])
        lab.screen.say("tunnel", f"{binding['v4']} {ports} is {binding['client']} "
                                 f"by {binding['tep']}")
    if keys.shared_address:
        held = [lab.leases[lab.programs[name].spec.node] for name in keys.clients]
        addresses = sorted({lease["v4"] for lease in held})
        ranges = sorted(tuple(ports) for lease in held for ports in lease["ports"])
        apart = all(one[1] < other[0] for one, other in zip(ranges, ranges[1:]))
        lab.screen.check("one address, port ranges apart", len(addresses) == 1 and apart,
                         f"{', '.join(addresses)}: {format_ports(ranges)}")


def wait_for_lease(lab, name: str) -> dict:
    """What the client `name` shows once it has a lease; kept in lab.leases under its node."""
    client = lab.programs[name]

    def bound():
        shown = client.ctl("show")
        return shown if shown["state"] in ("bound", "renewing") else None

    lease = client.wait_for(bound, LEASE_TIMEOUT_S, "to have a lease")
    lab.leases[client.spec.node] = lease
    return lease


def format_ports(ranges) -> str:
    return "ports " + ",".join(f"{first}-{last}" for first, last in ranges)


@step(y.table(from_=Key(NODES, required=True), to=Key(y.address, required=True),
              count=Key(y.integer(1, 1000), 5)))
def ping(lab, keys):
    for node in keys.from_:
        answered, rtt_ms = ping_once(lab, node, keys.to, keys.count)
        figure = f"{answered} of {keys.count} answered" + (f", {rtt_ms} ms" if rtt_ms else "")
        lab.screen.check(f"{node} pings {keys.to}", answered == keys.count, figure)


def ping_once(lab, node: str, to: str, count: int) -> tuple[int, str | None]:
    """Pings; in host mode with an identifier of the lease, as ping chooses one by itself (R59)."""
    command = ["ping", "-n", "-q", "-c", str(count), "-i", "0.2", "-W", "2", to]
    lease = lab.leases.get(node)
    if lease and lease["mode"] == "host":
        command[1:1] = ["-e", str(max(1, lease["ports"][0][0]))]
    said = lab.nodes[node].run(command, timeout=count + 10, check=False)
    answered = rtt_ms = None
    for line in said.splitlines():
        if " received" in line:
            answered = int(line.split(" received")[0].split()[-1])
        if line.startswith("rtt "):
            rtt_ms = line.split("/")[4]
    if answered is None:
        raise CommandFailed(f"ping on {node}: {said.strip() or 'said nothing'}")
    return answered, rtt_ms


@step(y.table(from_=Key(NODES, required=True), to=Key(y.address, required=True),
              port=Key(y.integer(1, 65535), 80), seconds=Key(y.integer(1, 3600), 3),
              parallel=Key(y.integer(1, 512), 8),
              pages_per_connection=Key(y.integer(1, 10000), 20)))
def pages(lab, keys):
    """All nodes fetch pages over HTTP at the same time; the web server says whom it saw."""
    lab.screen.say("pages", f"{' and '.join(keys.from_)} fetch from http://{keys.to}:{keys.port}/ "
                            f"for {keys.seconds} s, {keys.parallel} connections each at a time")
    with lab.meter():
        tallies = fetch_pages(lab, keys)
    for node, tally in tallies.items():
        lab.screen.say("pages", f"{node} reads: {tally['sample']}")
        rate = tally["octets"] * 8 / keys.seconds / 1e6
        failures = tally["failures"]
        lab.screen.check(f"{node} fetches pages", tally["pages"] > 0 and not failures,
                         f"{tally['pages']} pages on {tally['connections']} connections, "
                         f"{rate:.0f} Mb/s, {len(failures)} failures"
                         + (f" ({failures[0]})" if failures else ""))
        seen_as_leased(lab, node, tally)
    if len(tallies) > 1 and all(tally["pages"] for tally in tallies.values()):
        overlap = (min(tally["last"] for tally in tallies.values())
                   - max(tally["first"] for tally in tallies.values()))
        addresses = {address for tally in tallies.values() for address in tally["addresses"]}
        lab.screen.check("pages at the same time", overlap > 0,
                         f"{overlap:.1f} s together, through {', '.join(sorted(addresses))}")


def seen_as_leased(lab, node: str, tally: dict):
    """The web server saw this node under its lease's address and ports, and nothing else."""
    lease = lab.leases.get(node)
    if not lease or not tally["ports"]:
        return
    ports = tally["ports"]
    inside = all(any(first <= port <= last for first, last in lease["ports"]) for port in ports)
    lab.screen.check(f"the web server sees {node}'s lease",
                     inside and tally["addresses"] == [lease["v4"]],
                     f"{', '.join(tally['addresses'])}: {len(ports)} ports, "
                     f"{ports[0]} to {ports[-1]} of {format_ports(lease['ports'])}")


def fetch_pages(lab, keys) -> dict[str, dict]:
    """fetch.py on all nodes at once; node -> its tally."""
    begin = time.time() + max(1, 0.3 * len(keys.from_))  # all interpreters are up by then
    running = {}
    for node in keys.from_:
        command = [sys.executable, str(ROOT / "lab/fetch.py"), keys.to, str(keys.port),
                   str(keys.seconds), str(keys.parallel), str(keys.pages_per_connection),
                   str(begin)]
        running[node] = subprocess.Popen(
            lab.nodes[node].command(command),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    tallies = {}
    for node, process in running.items():
        said, complaint = process.communicate(timeout=keys.seconds + 30)
        if process.returncode != 0:
            raise CommandFailed(f"fetch.py on {node}: {complaint.strip()}")
        tallies[node] = json.loads(said)
    return tallies


@step(y.table(from_=Key(y.name_of("node"), required=True), to=Key(y.address, required=True),
              port=Key(y.integer(1, 65535), 5201), seconds=Key(y.integer(1, 3600), 10),
              direction=Key(y.choice("down", "up"), "down")))
def bulk(lab, keys):
    """One TCP connection for some seconds, as fast as it goes: down is towards the node."""
    way = "from" if keys.direction == "down" else "to"
    lab.screen.say("bulk", f"{keys.from_} {way} {keys.to}, one TCP connection, {keys.seconds} s")
    command = ["iperf3", "-J", "-c", keys.to, "-p", str(keys.port), "-t", str(keys.seconds)]
    with lab.meter():
        said = lab.nodes[keys.from_].run(command + ["-R"] * (keys.direction == "down"),
                                         timeout=keys.seconds + 20, check=False)
    answer = json.loads(said or "{}")
    if "error" in answer or "end" not in answer:
        raise CommandFailed(f"iperf3 on {keys.from_}: {answer.get('error', 'said nothing')}")
    received, sent = answer["end"]["sum_received"], answer["end"]["sum_sent"]
    lab.screen.check(f"{keys.from_} bulk TCP {keys.direction}", received["bytes"] > 0,
                     f"{received['bits_per_second'] / 1e6:,.0f} Mb/s over "
                     f"{received['seconds']:.1f} s, {received['bytes'] / 1e6:,.0f} MB, "
                     f"{sent.get('retransmits', 0)} retransmits")


@step(y.table(captures=Key(y.list_of(y.name_of("capture")), required=True)))
def only_ipv6(lab, keys):
    """Ends the captures and reads them back: nothing but IPv6; how many packets held IPv4."""
    for name in keys.captures:
        capture = lab.captures[name].stop()
        total, other = capture.count(), capture.count("not ether proto 0x86dd")
        inside = capture.count("ip6 proto 4")
        lab.screen.check(f"nothing but IPv6 in {name}", total > 0 and other == 0,
                         f"{total:,} packets, {inside:,} with IPv4 inside, {other} without IPv6"
                         + f", {capture.dropped:,} not captured" * (capture.dropped > 0))


@step(y.table(capture=Key(y.name_of("capture"), required=True)))
def empty(lab, keys):
    """Ends a capture whose filter must not have caught anything."""
    capture = lab.captures[keys.capture].stop()
    caught = capture.count()
    lab.screen.check(f"{keys.capture} caught nothing", caught == 0 and capture.dropped == 0,
                     f"{caught} packets, {capture.dropped} missed")


@step(y.table(program=Key(y.name_of("program"), required=True),
              at_least=Key(COUNTS, {}), exactly=Key(COUNTS, {})))
def counters(lab, keys):
    """What a daemon counted, by dstmctl; a counter that it does not have shows as -1."""
    program = lab.programs[keys.program]
    counted = program.counters()
    for name, wanted in keys.at_least.items():
        count = counted.get(name, -1)
        lab.screen.check(f"{keys.program} {name} is at least {wanted:,}", count >= wanted,
                         f"{count:,}")
    for name, wanted in keys.exactly.items():
        count = counted.get(name, -1)
        lab.screen.check(f"{keys.program} {name} is {wanted:,}", count == wanted, f"{count:,}")
