# SPDX-License-Identifier: BSD-3-Clause
"""
A network namespace for RPC, with a /run of its own: rpcbind has a fixed port and a fixed socket, and no other
rpcbind is to be met. The addresses of callers are there beside the server's.
"""

import ctypes
import os
import socket
import subprocess

from dstm_server import Server, wait_for

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
SERVER = "2001:db8:1::5"
CALLERS = [f"2001:db8:1::{n:x}" for n in range(0x10, 0x20)]
STRANGER = "2001:db8:bad::1"
ALICE = CALLERS[15]
PORT = 3655
IDLE_S = 2


def enter(fd):
    if LIBC.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class RpcWorld:
    """This thread is in the namespace from start() to close()."""

    def __init__(self):
        setup = ["set -e", "mount -t tmpfs none /run", "ip link set lo up"]
        setup += [f"ip -6 addr add {v6}/128 dev lo nodad" for v6 in (SERVER, *CALLERS, STRANGER)]
        setup += ["echo ready", "exec sleep infinity"]
        self.rpcbind = None
        self.keeper = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c",
             "; ".join(setup)], stdout=subprocess.PIPE)
        assert self.keeper.stdout.readline() == b"ready\n"
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        namespace = os.open(f"/proc/{self.keeper.pid}/ns/net", os.O_RDONLY)
        enter(namespace)
        os.close(namespace)

    @property
    def wrapper(self):
        """Starts a command with this /run; it keeps its process id."""
        return ["nsenter", "-t", str(self.keeper.pid), "--mount", "--root"]

    def start_rpcbind(self):
        self.rpcbind = subprocess.Popen([*self.wrapper, "rpcbind", "-f"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.answers, "rpcbind")

    @staticmethod
    def answers():
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            return sock.connect_ex(("::1", 111)) == 0

    def stop_rpcbind(self):
        if self.rpcbind is not None:
            self.rpcbind.kill()
            self.rpcbind.wait()
        self.rpcbind = None

    def close(self):
        self.stop_rpcbind()
        enter(self.home)
        os.close(self.home)
        self.keeper.kill()
        self.keeper.wait()


def make_server(folder, world, tep, **rpc):
    server = Server(folder, [tep])
    server.wrapper = world.wrapper
    server.config["pools"].append(
        {"name": "whole", "prefix": "203.0.113.0/28", "mode": "exclusive", "tep": "tep0"})
    server.config["auth"]["require_peer_address"] = True
    server.config["lease"]["quarantine_s"] = 0
    server.config["rpc"] = {
        "listen": [f"[::]:{PORT}"], "allow": ["2001:db8:1::/64"], "idle_s": IDLE_S,
        "connections": 32, "users": [{"from": f"{ALICE}/128", "user": "alice"}]} | rpc
    return server
