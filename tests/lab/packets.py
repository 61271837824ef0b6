# SPDX-License-Identifier: BSD-3-Clause
"""Packets made by hand and put on a node's link, whatever the node's own kernel thinks of them."""

import json
import socket
import time

from lab.background import Background
from scapy.layers.inet import GRE, ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

WEB = "192.0.2.80"
TEP_V6 = "2001:db8:fe::1"


def mac_of(namespace, interface: str) -> str:
    return json.loads(namespace.ip("-j", "link", "show", "dev", interface))[0]["address"]


class Wire:
    """A link as one node's interface sees it; next_hop is the interface that frames are for."""

    def __init__(self, lab, node: str, interface: str, next_hop: tuple[str, str]):
        namespace = lab.nodes[node]
        self._header = Ether(src=mac_of(namespace, interface),
                             dst=mac_of(lab.nodes[next_hop[0]], next_hop[1]))
        with namespace.inside():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._socket.bind((interface, 0))

    def send(self, packet, count: int = 1):
        frame = bytes(self._header / packet)
        for _ in range(count):
            self._socket.send(frame)

    def close(self):
        self._socket.close()


class Stream(Background):
    """Sends one packet again and again, every few milliseconds, while a `with` block runs."""

    PERIOD_S = 0.01

    def __init__(self, wire: Wire, packet):
        super().__init__()
        self._wire, self._packet = wire, packet

    def _tick(self):
        self._wire.send(self._packet)


def tunnelled(outer_source: str, inner, outer_destination: str = TEP_V6):
    return IPv6(src=outer_source, dst=outer_destination, nh=4) / inner


def udp(source: str, sport: int, dport: int, destination: str = WEB):
    return IP(src=source, dst=destination) / UDP(sport=sport, dport=dport) / Raw(b"dstm lab")


def tcp(source: str, sport: int, dport: int, destination: str = WEB):
    return IP(src=source, dst=destination) / TCP(sport=sport, dport=dport, flags="S")


def echo(source: str, identifier: int, destination: str = WEB):
    return IP(src=source, dst=destination) / ICMP(type=8, id=identifier) / Raw(b"dstm lab")


def gre(source: str, destination: str = WEB):
    return IP(src=source, dst=destination, proto=47) / GRE() / Raw(b"dstm lab")


def settle(seconds: float = 0.3):
    """Time for packets that are still under way, before saying that none came."""
    time.sleep(seconds)
