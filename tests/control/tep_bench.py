# SPDX-License-Identifier: BSD-3-Clause
"""
A dstm-tep on two veth pairs between an IPv6-only link and an IPv4-only one, neighbor: kernel.

    inside (2001:db8::17, c6) -- t6 [tep] t4 -- (c4, 192.0.2.80) outside

The kernel lives on the twins dstm6 (2001:db8::1) and dstm4 (192.0.2.1).
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lab import netns  # noqa: E402

BINARY = ROOT / os.environ.get("DSTM_BUILD", "build/gcc") / "src/control/dstm-tep"
EAL = ["--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m", "256", "--lcores", "0@0,1@1,2@0",
       "--vdev", "net_af_packet0,iface=t6", "--vdev", "net_af_packet1,iface=t4"]

TEP_V6 = "2001:db8::1"
TEP_V4 = "192.0.2.1"
CLIENT_V6 = "2001:db8::17"
FAR_CLIENT_V6 = "2001:db8:1::17"
OUTSIDE_V4 = "192.0.2.80"
LEASE_V4 = "198.51.100.7"
LEASE_PORT = 1500
FAR_PORT = 3000

CONFIG = {
    "name": "tep1",
    "ports": {"v6": "0", "v4": "1"},
    "workers": 2,  # on ports with one queue: what goes to the host and comes from it passes rings, too
    "idle_sleep_us": 200,
    "tunnel": {"v6": [TEP_V6]},
    "neighbor": {"mode": "kernel"},
    "bindings": {"max": 1024, "static": [
        {"v4": LEASE_V4, "ports": "1024-2047", "client": CLIENT_V6},
        {"v4": LEASE_V4, "ports": "2048-3071", "client": FAR_CLIENT_V6}]},
}


def wait_for(condition, what, deadline_s=15):
    """Polls until condition() is true and returns what it returned."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {deadline_s} s: {what}")


class Bench:
    """The namespaces and the running TEP."""

    eal = EAL

    def __init__(self, folder: Path, **changes):
        """changes: top-level keys of the configuration."""
        self.folder = folder
        self.changes = changes
        self.tep_ns, self.inside, self.outside = (
            netns.Namespace(name) for name in ("tep", "inside", "outside"))
        self.process = None

    def __enter__(self):
        try:
            self._wire()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.stop()
        netns.remove(os.getpid())

    def _wire(self):
        for namespace in (self.tep_ns, self.inside, self.outside):
            namespace.create()
        self._connect()
        self.inside.ip("address", "add", f"{CLIENT_V6}/64", "dev", "c6", "nodad")
        self.outside.sysctl("net/ipv6/conf/c4/disable_ipv6", "1")
        self.outside.ip("address", "add", f"{OUTSIDE_V4}/24", "dev", "c4")
        self.outside.ip("route", "add", "198.51.100.0/24", "via", TEP_V4)

    def _connect(self):
        """The links between the ports and c6 and c4."""
        self._veth("t6", "c6", self.inside)
        self._veth("t4", "c4", self.outside)

    def _veth(self, port, peer, far):
        self.tep_ns.ip("link", "add", port, "type", "veth", "peer", peer, "netns", far.id)
        self.tep_ns.sysctl(f"net/ipv6/conf/{port}/disable_ipv6", "1")
        self.tep_ns.run(["ethtool", "-K", port, "tx", "off", "rx", "off", "gro", "off"])
        far.run(["ethtool", "-K", peer, "tx", "off", "tso", "off", "gso", "off"])
        self.tep_ns.ip("link", "set", port, "up")
        far.ip("link", "set", peer, "up")

    def _start(self):
        config = dict(CONFIG, **self.changes)
        config["control"] = dict(config.get("control", {}), socket=str(self.folder / "tep.sock"))
        (self.folder / "tep.yaml").write_text(yaml.safe_dump(config))
        self.log = (self.folder / "tep.log").open("w+")
        self.process = subprocess.Popen(
            self.tep_ns.command([str(BINARY), *self.eal, "--", "-c", str(self.folder / "tep.yaml")]),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        wait_for(self.is_running, f"the TEP runs: {self.said()}")
        self.tep_ns.ip("address", "add", f"{TEP_V6}/64", "dev", "dstm6", "nodad")
        self.tep_ns.ip("address", "add", f"{TEP_V4}/24", "dev", "dstm4")
        # Each address brings a prefix and itself; IPv4 a broadcast address too.
        wait_for(lambda: self.mirrored() >= 5, "routes are mirrored")

    def is_running(self):
        assert self.process.poll() is None, self.said()
        return "running: workers" in self.said()

    def said(self):
        self.log.flush()
        return (self.folder / "tep.log").read_text()

    def stop(self):
        """Ends the TEP and returns its exit code."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            self.log.close()

    def ask(self, command, **arguments):
        """One request to the control socket."""
        with socket.socket(socket.AF_UNIX) as ctl:
            ctl.settimeout(10)
            ctl.connect(str(self.folder / "tep.sock"))
            ctl.sendall(json.dumps({"command": command, "arguments": arguments}).encode() + b"\n")
            return json.loads(ctl.makefile().readline())

    def counters(self):
        answer = self.ask("counters")
        assert answer["ok"], answer
        return {item["name"]: item["packets"] for item in answer["result"]["items"]}

    def mirrored(self):
        """How many prefixes the data plane has from the kernel."""
        return self.ask("show")["result"]["host"]["routes"]

    def counted(self, name, before, more=1):
        """Waits until a counter has grown by so much."""
        return wait_for(lambda: self.counters()[name] >= before[name] + more, f"{name} grows")


class Tunnel:
    """The client's end: a raw socket carries IPv4 packets over IPv6, as protocol 4."""

    def __init__(self, bench, address=CLIENT_V6):
        with bench.inside.inside():
            self.socket = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 4)
        self.socket.settimeout(5)
        self.socket.bind((address, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, packet):
        self.socket.sendto(bytes(packet), (TEP_V6, 0))

    def receive(self):
        """The next inner packet, and nothing else that waits."""
        return self.socket.recv(65535)


def udp_socket(bench, port):
    """A UDP socket of the host outside."""
    with bench.outside.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(5)
    sock.bind((OUTSIDE_V4, port))
    return sock
