# SPDX-License-Identifier: BSD-3-Clause
"""
Two namespaces with one IPv6 link between them: the client's host, and everything behind it.

The far side is scripted, so that the client under test is the only program of ours: a TSP server
(tsp_server.py) and a TEP (tep.py) whose IPv4 side is the far namespace's own kernel.
"""

import ctypes
import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000

CLIENT_V6 = "2001:db8:1::17"
OTHER_CLIENT_V6 = "2001:db8:1::18"
SERVER_V6 = "2001:db8:1::53"
OTHER_SERVER_V6 = "2001:db8:1::54"
TEP_V6 = "2001:db8:1::1"
IMPOSTOR_V6 = "2001:db8:1::66"
LEASE_V4 = "198.51.100.7"
PEER_V4 = "203.0.113.5"


def run(*command, check=True):
    return subprocess.run(
        command, check=check, capture_output=True, text=True, timeout=30).stdout


def in_namespace(name, function):
    """Calls function on a thread inside the namespace; sockets made there stay there."""
    result = {}

    def body():
        fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            if LIBC.setns(fd, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            result["value"] = function()
        except BaseException as error:  # carried to the caller
            result["error"] = error
        finally:
            os.close(fd)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if "error" in result:
        raise result["error"]
    return result["value"]


def wait_for(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


class Bench:
    """The namespaces; client is the name of one, far of the other."""

    def __init__(self, tag=""):
        self.client = f"dstmc{os.getpid()}{tag}c"
        self.far = f"dstmc{os.getpid()}{tag}f"

    def __enter__(self):
        self.remove()
        for name in (self.client, self.far):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", self.client, "link", "add", "c0", "type", "veth",
            "peer", "name", "f0", "netns", self.far)
        for name, device, addresses in (
                (self.client, "c0", (CLIENT_V6,)),
                (self.far, "f0", (SERVER_V6, OTHER_SERVER_V6, TEP_V6, IMPOSTOR_V6))):
            run("ip", "-n", name, "link", "set", device, "up")
            for address in addresses:
                run("ip", "-n", name, "addr", "add", f"{address}/64", "dev", device, "nodad")
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        for name in (self.client, self.far):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def narrow(self, mtu):
        """Makes the IPv6 link carry no longer packets, from both ends."""
        run("ip", "-n", self.client, "link", "set", "c0", "mtu", str(mtu))
        run("ip", "-n", self.far, "link", "set", "f0", "mtu", str(mtu))

    def client_socket(self, family, kind, protocol=0):
        return in_namespace(self.client, lambda: socket.socket(family, kind, protocol))

    def far_socket(self, family, kind, protocol=0):
        return in_namespace(self.far, lambda: socket.socket(family, kind, protocol))

    def in_client(self, *command, check=True):
        return run("ip", "netns", "exec", self.client, *command, check=check)

    def host_state(self):
        """Everything that a client may change on its host."""
        return {
            "tables": self.in_client("nft", "list", "tables"),
            "ports": self.in_client("sysctl", "-n", "net.ipv4.ip_local_port_range"),
            "routes": self.in_client("ip", "-4", "route", "show", "table", "all"),
            "addresses": self.in_client("ip", "-4", "-o", "addr"),
            "devices": sorted(
                line.split(":")[1] for line in self.in_client("ip", "-o", "link").splitlines()),
        }


class Client:
    """dstm-client in the client's namespace."""

    def __init__(self, bench, folder, binary, **settings):
        self.bench = bench
        self.binary = binary
        self.folder = Path(folder)
        self.config = self.folder / "client.yaml"
        self.log = self.folder / "client.log"
        self.state = self.folder / "client.state"
        self.socket = self.folder / "client.sock"
        self.process = None
        self.arguments = []  # of the binary, before the client's own
        self.write_config(**settings)

    def write_config(self, **settings):
        values = {
            "server": f'"[{SERVER_V6}]:3653"',
            "retry_min_s": 1,
            "retry_max_s": 2,
            "socket": self.socket,
            "state": self.state,
        }
        values.update(settings)
        self.config.write_text("".join(f"{key}: {value}\n" for key, value in values.items()))

    def start(self):
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.bench.client, self.binary, *self.arguments, "-v", "-c",
                 str(self.config)], stderr=log, stdout=log)
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=15):
        return self.process.wait(timeout=seconds)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=10)

    def ask(self, command):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(5)
            sock.connect(str(self.socket))
            sock.sendall(json.dumps({"command": command}).encode() + b"\n")
            answer = json.loads(sock.makefile().readline())
        assert answer["ok"], answer
        return answer["result"]

    def show(self):
        return self.ask("show")

    def shows(self, **expected):
        """False also while there is nobody to ask, or no more."""
        try:
            show = self.show()
        except (OSError, ValueError):
            return False
        return all(show[key] == value for key, value in expected.items())

    def state_is(self, state):
        return self.shows(state=state)

    def wait_bound(self):
        wait_for(lambda: self.state_is("bound"), "a lease")
        return self.show()
