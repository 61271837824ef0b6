# SPDX-License-Identifier: BSD-3-Clause
"""Traffic that runs on a node while something else happens, and what became of it (probe.py)."""

import json
import subprocess
import sys

from lab.netns import CommandFailed
from lab.program import ROOT

END_TIMEOUT_S = 40


class Traffic:
    """One kind of probe.py's traffic from a node, from when it is made to end()."""

    def __init__(self, lab, node: str, kind: str, to: tuple[str, int], *arguments: int):
        self.node, self.kind = node, kind
        self._process = subprocess.Popen(
            lab.nodes[node].command([sys.executable, str(ROOT / "lab/probe.py"), kind, to[0],
                                     str(to[1]), *map(str, arguments)]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait(self):
        """Until something has come on all that it opened."""
        if self._process.stdout.readline() != "goes\n":
            raise CommandFailed(f"{self.kind} on {self.node}: it does not begin")

    def end(self) -> dict:
        said, complaint = self._process.communicate("", timeout=END_TIMEOUT_S)
        if self._process.returncode != 0:
            raise CommandFailed(f"{self.kind} on {self.node}: {complaint.strip()}")
        return json.loads(said)

    def kill(self):
        self._process.kill()
        self._process.communicate()


class Load:
    """All kinds at once from several nodes: a stream each, `connections` each, one download each.

    Use as a context; report() ends the traffic and tells what became of it.
    """

    def __init__(self, lab, nodes: list[str], to: tuple[str, int], connections: int):
        self._all = [Traffic(lab, node, kind, to, *arguments) for node in nodes
                     for kind, arguments in (("stream", ()), ("talk", (connections,)),
                                             ("download", ()))]

    def __enter__(self):
        for one in self._all:
            one.wait()
        return self

    def __exit__(self, *exception):
        for one in self._all:
            one.kill()

    def report(self) -> "Report":
        return Report([(one.node, one.kind, one.end()) for one in self._all])


class Report:
    """What became of a load."""

    def __init__(self, results: list[tuple[str, str, dict]]):
        self.streams = {node: said for node, kind, said in results if kind == "stream"}
        talks = [said for _, kind, said in results if kind == "talk"]
        downloads = [said for _, kind, said in results if kind == "download"]
        self.failures = [failure for said in talks + downloads for failure in said["failures"]]
        self.connections = sum(said["connections"] for said in talks) + len(downloads)
        self.answers = sum(said["answers"] for said in talks)
        self.octets = sum(said["octets"] for said in downloads)
        self.wait_ms = max(said["wait_ms"] for said in talks)

    def gap_ms(self, way: str) -> float:
        """The longest silence of any stream; way is up or down."""
        return max(stream[way]["gap_ms"] for stream in self.streams.values())

    def lost(self, way: str) -> int:
        return sum(stream[way]["sent"] - stream[way]["received"]
                   for stream in self.streams.values())

    def connections_line(self) -> str:
        return (f"{self.connections} connections, {self.answers:,} answers, "
                f"{self.octets / 1e6:.0f} MB downloaded, the longest wait {self.wait_ms:.0f} ms, "
                f"{len(self.failures)} failures"
                + (f" ({self.failures[0]})" if self.failures else ""))

    def way_line(self, way: str) -> str:
        return f"{self.gap_ms(way):.0f} ms, {self.lost(way)} datagrams of a 5 ms stream lost"
