# SPDX-License-Identifier: BSD-3-Clause
"""
A link with DHCPv6 clients on one end and the real dstm-server, with its real dstm-tep, on the other.

Two namespaces and a veth pair. Clients speak from the link-local address of their end, a relay from a global one; who
is asking is in their DUIDs alone. Root only.
"""

import os
import select
import signal
import socket
import sys

from dstm_server import ROOT, Server, wait_for
from dstm_tep import Tep

sys.path.insert(0, str(ROOT))

from dhcp6_octets import (ADVERTISE, REPLY, REQUEST, SERVER_ID, SOLICIT, Answer, client, client_id,
                          elapsed, ia, message, option, ports)
from lab import netns

SERVER_V6 = "2001:db8:1::5"
RELAY_V6 = "2001:db8:1::9"
GROUP = "ff02::1:2"
SERVER_DUID = bytes.fromhex("00030001020000000005")
ANSWER_S = 5


def address_of(number):
    """The tunnel end of a client: it never speaks from it."""
    return f"2001:db8:1::1:{number >> 16:x}:{number & 0xffff:x}"


class Link:
    """The two ends, TEP and server."""

    def __init__(self, folder, **dhcp6):
        self.near, self.far = netns.Namespace("server"), netns.Namespace("clients")
        self.tep = Tep(folder)
        self.server = Server(folder, [self.tep])
        self.server.config["pools"][0]["prefix"] = "198.51.100.0/28"
        self.server.config["lease"].update(quarantine_s=1, tep_timeout_s=20)
        self.server.config["dhcpv6"] = {
            "interfaces": ["s0"], "listen": [f"[{SERVER_V6}]:547"],
            "duid": SERVER_DUID.hex(":"), **dhcp6}
        self.sockets = []

    def __enter__(self):
        try:
            self._wire()
            for process in (self.tep, self.server):
                process.wrapper = self.near.command([])
            self.tep.start()
            self.server.start().wait_level()
            self.direct = self._socket(self._link_local(), 546)
            self.relay = self._socket(RELAY_V6, 547)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in (self.server, self.tep):
            process.stop(signal.SIGKILL)
        for sock in self.sockets:
            sock.close()
        netns.remove(os.getpid())

    def _wire(self):
        for namespace in (self.near, self.far):
            namespace.create()
            namespace.sysctl("net/ipv6/conf/default/accept_dad", "0")
        self.near.ip("link", "add", "s0", "type", "veth", "peer", "c0", "netns", self.far.id)
        for namespace, name, address in ((self.near, "s0", SERVER_V6), (self.far, "c0", RELAY_V6)):
            namespace.ip("address", "add", f"{address}/64", "dev", name, "nodad")
            namespace.ip("link", "set", name, "up")
        wait_for(lambda: "state UP" in self.far.ip("link", "show", "c0"), "the link")

    def _link_local(self):
        line, = self.far.ip("-o", "-6", "address", "show", "dev", "c0", "scope", "link").splitlines()
        return line.split()[3].partition("/")[0]

    def _socket(self, address, port):
        with self.far.inside():
            sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            scope = socket.if_nametoindex("c0")
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, scope)
        sock.bind((address, port, 0, scope))
        self.sockets.append(sock)
        self.scope = scope
        return sock

    # --- saying and hearing ---

    def say(self, octets, to=GROUP):
        """As a client does: to the group of servers, or to an address of the server."""
        self.direct.sendto(octets, (to, 547, 0, self.scope))

    def say_as_relay(self, octets):
        self.relay.sendto(octets, (SERVER_V6, 547))

    def hear(self, timeout_s=ANSWER_S, sock=None):
        """What comes next, or None."""
        sock = sock or self.direct
        if not select.select([sock], [], [], timeout_s)[0]:
            return None
        return Answer(sock.recv(65536))

    def hush(self):
        """Whatever is waiting to be heard is forgotten."""
        for sock in (self.direct, self.relay):
            while self.hear(0, sock) is not None:
                pass

    def ask(self, octets, kind, to=GROUP):
        self.say(octets, to)
        answer = self.hear()
        assert answer is not None and answer.kind == kind, answer and answer.kind
        return answer

    # --- an honest client ---

    def options(self, number, *more, address=None):
        return (client_id(number), elapsed(), *more,
                ia(client(address or address_of(number)), ports()))

    def solicit(self, number, *more, **place):
        return self.ask(message(SOLICIT, *self.options(number, *more, **place)), ADVERTISE)

    def tell(self, kind, number, *more, **place):
        """A message to this server, and its Reply."""
        more = (option(SERVER_ID, SERVER_DUID), *more)
        return self.ask(message(kind, *self.options(number, *more, **place)), REPLY)

    def lease(self, number, *more, **place):
        """The four messages; returns the Reply."""
        assert self.solicit(number, *more, **place).lease() is not None
        reply = self.tell(REQUEST, number, *more, **place)
        assert reply.lease() is not None, reply.status()
        return reply

    # --- what the server says of itself ---

    def counters(self):
        return {item["name"]: item["count"] for item in self.server.ctl("counters")["items"]}
