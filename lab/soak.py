# SPDX-License-Identifier: BSD-3-Clause
"""The first lab under mixed traffic for a long time: soak.py [SECONDS]

Each round: TCP both ways, UDP in fragments both ways, pings, pings between the clients, garbage from
outside, and one client that gives its lease back and asks for one again. Before, between and after rounds
it looks at what must not grow: memory and descriptors of the daemons, packet buffers in use, bindings.
Exits non-zero when something grew beyond its bound, a daemon ended, a lease did not come or pings were lost.
"""

import contextlib
import os
import re
import socket
import sys
import tempfile
import time
from pathlib import Path

import yaml

from lab import steps
from lab.netns import CommandFailed
from lab.program import ROOT
from lab.run import Lab
from lab.screen import Screen

SHARED_ADDRESS = ROOT / "config/lab/shared-address.yaml"
WEB = "192.0.2.80"
CLIENTS = ("client1", "client2")
DAEMONS = ("tep", "server", *CLIENTS)

RSS_GROWTH_KB = 4096  # of any daemon, after the first round
DESCRIPTOR_GROWTH = 2
BUFFERS_GROWTH = 256  # what the rings of the ports hold changes with the moment
PINGS_LOST_PERCENT = 2
LEASE_TIMEOUT_S = 60


def lab_file(folder: str) -> str:
    """The first lab without captures, on ports that hand fragments through (docs/lab.md)."""
    content = yaml.safe_load(SHARED_ADDRESS.read_text())
    content["name"] = "soak"
    content["captures"] = {}
    content["steps"] = [one for one in content["steps"]
                        if {"start", "teps_connected", "leases"} & set(one)]
    eal = content["programs"]["tep"]["eal"]
    for at, text in enumerate(eal):
        if port := re.fullmatch(r"net_af_packet(\d),iface=(\w+).*", text):
            eal[at] = f"net_pcap{port[1]},rx_iface_in={port[2]},tx_iface={port[2]}"
    path = Path(folder, "soak.yaml")
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return str(path)


def sample(lab) -> dict[str, int]:
    """What must not grow, by name."""
    figures = {}
    for name in DAEMONS:
        program = lab.programs[name]
        if not program.running:
            raise CommandFailed(f"{name} is not running:\n{program.last_words()}")
        status = Path(f"/proc/{program.pid}/status").read_text()
        figures[f"{name} RSS, kB"] = int(re.search(r"VmRSS:\s+(\d+)", status)[1])
        figures[f"{name} descriptors"] = len(os.listdir(f"/proc/{program.pid}/fd"))
    show = lab.programs["tep"].ctl("show")
    figures["packet buffers in use"] = sum(pool["in_use"] for pool in show["buffers"])
    figures["bindings"] = show["bindings"]["count"]
    figures["octets of bindings"] = show["bindings"]["bytes"]
    return figures


BOUNDS = {"RSS, kB": RSS_GROWTH_KB, "descriptors": DESCRIPTOR_GROWTH,
          "packet buffers in use": BUFFERS_GROWTH, "bindings": 0, "octets of bindings": 0}


def bound(name: str) -> int:
    return next(value for end, value in BOUNDS.items() if name.endswith(end))


class Traffic:
    """One round of everything; counts what pings were lost and how slow the slowest was."""

    def __init__(self, lab):
        self.lab = lab
        self.sent = self.answered = 0
        self.failures: list[str] = []  # what failed transfers said
        self.slowest_ms = 0.0

    def ping(self, node: str, *options: str):
        said = self.lab.nodes[node].run(
            ["ping", "-c", "10", "-i", "0.1", "-W", "2", *options, WEB], check=False, timeout=60)
        sent, answered = map(int, re.search(r"(\d+) packets transmitted, (\d+) received",
                                            said).groups())
        self.sent += sent
        self.answered += answered
        self.slowest_ms = max([self.slowest_ms, *map(float, re.findall(r"time=([\d.]+)", said))])

    def tcp(self, node: str, *options: str):
        try:
            self.lab.nodes[node].run(["iperf3", "-c", WEB, "-t", "2", *options], timeout=60)
        except CommandFailed as error:
            self.failures.append(str(error))

    def garbage(self):
        """To the shared address and to the tunnel address: nothing that makes sense."""
        for node, family, target, protocols in (
                ("web", socket.AF_INET, self.lab.leases["client1"]["v4"], (1, 4, 6, 17, 47, 255)),
                ("client1", socket.AF_INET6, "2001:db8:fe::1", (4, 44, 58, 60, 43, 59))):
            with self.lab.nodes[node].inside():
                for protocol in protocols:
                    with socket.socket(family, socket.SOCK_RAW, protocol) as raw:
                        for size in (1, 19, 40, 600, 1300):
                            with contextlib.suppress(OSError):  # the kernel refuses some of them
                                raw.sendto(os.urandom(size), (target, 0))

    def change_leases(self):
        """client2 ends, so that its lease goes, and asks for one again."""
        program = self.lab.programs["client2"]
        program.stop()
        self.lab.start("client2")
        program.wait_for(lambda: program.ctl("show")["state"] == "bound", LEASE_TIMEOUT_S,
                         "to have a lease again")

    def round(self):
        # After a test iperf3's server listens anew, and resets who connected before it did: never two in a row.
        for node, direction in zip(CLIENTS, ([], ["-R"])):
            self.ping(node)
            self.ping(node, "-M", "dont", "-s", "3972")
            self.tcp(node, *direction)
        # To the shared address: out of a tunnel and into one again.
        self.lab.nodes["client1"].run(
            ["ping", "-c", "5", "-i", "0.1", "-W", "1", self.lab.leases["client1"]["v4"]],
            check=False)
        self.garbage()
        self.change_leases()


def grown(before: dict[str, int], after: dict[str, int]) -> list[str]:
    return [f"{name}: {before[name]} -> {after[name]}, at most {bound(name)} more"
            for name in before if after[name] - before[name] > bound(name)]


def table(before: dict[str, int], peak: dict[str, int], after: dict[str, int]) -> str:
    rows = [f"{'':32} {'before':>10} {'peak':>10} {'after':>10}"]
    rows += [f"{name:32} {before[name]:>10,} {peak[name]:>10,} {after[name]:>10,}" for name in before]
    return "\n".join(rows)


def soak(lab, seconds: float) -> list[str]:
    """Runs it; what went wrong, as sentences."""
    for kind, arguments in lab.spec.steps:
        steps.FUNCTIONS[kind](lab, arguments)
    traffic = Traffic(lab)
    traffic.round()  # what is made once, at the first packet, is there afterwards
    before = peak = after = sample(lab)
    end, rounds = time.monotonic() + seconds, 0
    while rounds == 0 or time.monotonic() < end:
        traffic.round()
        rounds += 1
        after = sample(lab)
        peak = {name: max(peak[name], after[name]) for name in after}
    drops = lab.programs["tep"].counters()
    print(table(before, peak, after))
    print(f"{rounds} rounds in {seconds:.0f} s: {traffic.answered} of {traffic.sent} pings answered, the "
          f"slowest in {traffic.slowest_ms:.1f} ms; {drops['rx']:,} frames received, {drops['tx']:,} sent, "
          f"{drops['hairpinned']:,} between clients, {drops['fragments_joined']:,} fragments joined")
    wrong = grown(before, after)
    if (traffic.sent - traffic.answered) * 100 > traffic.sent * PINGS_LOST_PERCENT:
        wrong.append(f"{traffic.sent - traffic.answered} of {traffic.sent} pings lost")
    if traffic.failures:
        wrong.append(f"{len(traffic.failures)} TCP transfers failed; {traffic.failures[0]}")
    return wrong


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3600
    with tempfile.TemporaryDirectory() as folder:
        with Lab(lab_file(folder), Screen(quiet=True)) as lab:
            try:
                wrong = soak(lab, seconds)
            except CommandFailed as error:
                wrong = [str(error)]
    for sentence in wrong:
        print(f"soak: {sentence}")
    print("soak: failed" if wrong else "soak: nothing grew")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
