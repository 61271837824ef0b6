# SPDX-License-Identifier: BSD-3-Clause
"""
The real dstm-tep as a process, on ports that carry nothing: its control port and its table are what counts.

Without hugepages and with few packet buffers, so that it is there again in half a second.
"""

import json
import os
import signal
import socket
import subprocess

import yaml

from dstm_server import ROOT, WAIT_S, wait_for

BINARY = ROOT / os.environ.get("DSTM_BUILD", "build/gcc") / "src/control/dstm-tep"
EAL = ["--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "--log-level", "*:error", "-m", "64",
       "--lcores", "0@0,1@1",
       "--vdev", "net_null0,no-rx=1", "--vdev", "net_null1,no-rx=1"]


def free_port():
    with socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        return sock.getsockname()[1]


class Tep:
    """dstm-tep with a folder of its own; users: who may speak to it, by name and password."""

    V6 = "2001:db8::1"
    user = "server1"
    eal = EAL

    def __init__(self, folder, users=None):
        self.folder = folder
        self.process = None
        self.wrapper = []  # a command to start it by
        self.port = free_port()
        self.config = {
            "name": "tep0",
            "ports": {"v6": "net_null0", "v4": "net_null1"},
            "idle_sleep_us": 10000,
            "mbufs": 4096,
            "tunnel": {"v6": [self.V6]},
            "neighbor": {"v6_mac": "02:00:00:00:06:02", "v4_mac": "02:00:00:00:04:02"},
            "bindings": {"max": 65536},
            "control": {"listen": f"[::1]:{self.port}", "socket": str(folder / "tep.sock"),
                        "servers": [{"name": name, "password": password} for name, password in
                                    (users or {self.user: "between-us"}).items()]},
        }

    def launch(self):
        """Without waiting for it."""
        path = self.folder / "tep.yaml"
        path.write_text(yaml.safe_dump(self.config))
        with open(self.folder / "tep.log", "ab") as log:
            self.process = subprocess.Popen([*self.wrapper, BINARY, *self.eal, "--", "-c", path], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)

    def start(self):
        self.launch()
        wait_for(self.is_there, "the TEP's control socket")
        return self

    def is_there(self):
        assert self.process.poll() is None, self.log()
        try:
            return self.ctl("show")
        except (FileNotFoundError, ConnectionError):
            return None

    def ctl(self, command, **arguments):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(WAIT_S)
            sock.connect(str(self.folder / "tep.sock"))
            sock.sendall(json.dumps({"command": command, "arguments": arguments}).encode() + b"\n")
            answer = json.loads(sock.makefile().readline())
        assert answer["ok"], answer
        return answer["result"]

    def bindings(self):
        items, after = [], {}
        while after is not None:
            page = self.ctl("bindings", **after)
            items += page["items"]
            after = None if page["next"] is None else {"after": page["next"]}
        return items

    def stop(self, number=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(number)
        status = self.process.wait(WAIT_S)
        self.process = None
        return status

    def log(self):
        return (self.folder / "tep.log").read_text()
