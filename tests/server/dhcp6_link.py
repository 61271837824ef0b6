# SPDX-License-Identifier: BSD-3-Clause
"""
Two namespaces and the link between them: the server's (with its TEP) and the clients'.

    servers  lan0  2001:db8:1::1/64  --- link ---  host0  2001:db8:1::c/64  clients
"""

import os
import subprocess

from dstm_server import wait_for

LINK = "2001:db8:1::/64"
SERVER = "2001:db8:1::1"
HOST = "2001:db8:1::c"


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Link:
    """With both ends up and their addresses usable at once."""

    def __init__(self):
        self.servers = f"d6s-{os.getpid()}"
        self.clients = f"d6c-{os.getpid()}"
        try:
            self.build()
        except BaseException:
            self.remove()
            raise

    def build(self):
        for netns in (self.servers, self.clients):
            ip("netns", "add", netns)
            for key in ("all", "default"):
                self.run(netns, "sysctl", "-qw", f"net.ipv6.conf.{key}.accept_dad=0")
            self.run(netns, "ip", "link", "set", "lo", "up")
        ip("-n", self.servers, "link", "add", "lan0", "type", "veth", "peer", "name", "host0",
           "netns", self.clients)
        for netns, interface, address in ((self.servers, "lan0", SERVER), (self.clients, "host0", HOST)):
            ip("-n", netns, "address", "add", f"{address}/64", "dev", interface, "nodad")
            ip("-n", netns, "link", "set", interface, "up")
        wait_for(lambda: self.is_up(self.servers) and self.is_up(self.clients), "the link")

    def is_up(self, netns):
        """It has its link-local address."""
        return "fe80" in self.run(netns, "ip", "-6", "address", "show", "scope", "link")

    @staticmethod
    def run(netns, *words):
        return subprocess.run(["ip", "netns", "exec", netns, *words], check=True, capture_output=True,
                              text=True).stdout

    @property
    def wrapper(self):
        """A command to start servers and TEPs by."""
        return ["ip", "netns", "exec", self.servers]

    def remove(self):
        for netns in (self.servers, self.clients):
            subprocess.run(["ip", "netns", "delete", netns], check=False, capture_output=True)
