# SPDX-License-Identifier: BSD-3-Clause
"""
The real dstm-server as a process with a folder of its own, on ::1.

DSTM_BUILD names the build directory whose dstm-server is tested.
"""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import yaml

from tsp_peers import Client

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / os.environ.get("DSTM_BUILD", "build/gcc") / "src/server/dstm-server"
WAIT_S = 20

A = "2001:db8:1::a"
B = "2001:db8:1::b"


def wait_for(condition, what, timeout_s=WAIT_S):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


class Server:
    """dstm-server with a folder of its own."""

    def __init__(self, folder, teps):
        self.folder = folder
        self.process = None
        self.environment = None  # ours
        self.port = None
        self.wrapper = []  # a command to start it by
        self.config = {
            "listen": ["[::1]:0"],
            "socket": str(folder / "ctl.sock"),
            "store": str(folder / "leases.db"),
            "lease": {"lifetime_s": 3600, "lifetime_min_s": 1, "quarantine_s": 120,
                      "tep_timeout_s": 1},
            "auth": {"users": [{"name": "alice", "password": "wonderland"},
                               {"name": "bob", "password": "builder"}],
                     "require_peer_address": False},
            "limits": {},
            "teps": [{"name": f"tep{i}", "control": f"[::1]:{tep.port}", "user": tep.user,
                      "password": "between-us", "v6": tep.V6} for i, tep in enumerate(teps)],
            "pools": [{"name": "shared", "prefix": "198.51.100.7/32", "tep": "tep0"}],
        }

    def write_config(self):
        path = self.folder / "server.yaml"
        path.write_text(yaml.safe_dump(self.config))
        return path

    def launch(self):
        """Without waiting for it."""
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, BINARY, "-v", "-c", self.write_config()], stderr=log, stdout=log,
                env=self.environment)

    def start(self):
        self.launch()
        self.port = wait_for(self.listen_port, "the control socket")
        return self

    def listen_port(self):
        assert self.process.poll() is None, self.log()
        try:
            return int(self.ctl("show")["listen"][0].rpartition(":")[2])
        except (FileNotFoundError, ConnectionRefusedError):
            return None

    def tls_port(self):
        return int(self.ctl("show")["listen_tls"][0].rpartition(":")[2])

    def ask_ctl(self, command, arguments):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(WAIT_S)
            sock.connect(self.config["socket"])
            sock.sendall(json.dumps({"command": command, "arguments": arguments}).encode() + b"\n")
            return json.loads(sock.makefile().readline())

    def ctl(self, command, **arguments):
        answer = self.ask_ctl(command, arguments)
        assert answer["ok"], answer
        return answer["result"]

    def refused_ctl(self, command, **arguments):
        answer = self.ask_ctl(command, arguments)
        assert not answer["ok"]
        return answer["error"]

    def counter(self, name):
        return {c["name"]: c["count"] for c in self.ctl("counters")["items"]}[name]

    def leases(self, state=None):
        return [item for item in self.ctl("leases")["items"] if state in (None, item["state"])]

    def wait_level(self):
        wait_for(lambda: all(t["state"] == "connected" for t in self.ctl("teps")["items"]),
                 "the TEPs to be level")
        return self

    def stop(self, number=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(number)
        status = self.process.wait(WAIT_S)
        self.process = None
        return status

    def reload(self):
        """Reads the file again, as self.config has it now; returns what the log says of it."""
        before = self.log().count("reload: ")
        self.write_config()
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: any(word in self.log().split("reload: ", before + 1)[-1]
                             for word in ("all is as", "nothing changed"))
                 if self.log().count("reload: ") > before else None, "the reload")
        return self.log().split("reload: ", before + 1)[-1]

    def log(self):
        return (self.folder / "log").read_text()

    def anonymous(self, version="2.0.0"):
        client = Client(self.port, version)
        assert client.anonymous().startswith("200")
        return client

    def lease(self, v6, version="2.0.0", **arguments):
        """A confirmed lease; the client stays connected only in generation 1."""
        client = self.anonymous(version)
        before = self.counter("requests")
        info = client.create(v6, **arguments)
        assert info.code == 200, info.raw
        if version.startswith("2"):
            client.accept()
            client.close()
            wait_for(lambda: self.counter("requests") >= before + 2, "the accept to be read")
            return info
        return client, info
