# SPDX-License-Identifier: BSD-3-Clause
"""
A TEP whose IPv4 Internet is the kernel of the far namespace.

Inner packets go to a tun device there and come back from it, so that real TCP, UDP and ICMP answer
the client. Every inner packet is kept: sent (by the client) and returned (to it).
"""

import fcntl
import os
import select
import socket
import struct
import threading

from bench import IMPOSTOR_V6, LEASE_V4, PEER_V4, TEP_V6, in_namespace, run

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
IPPROTO_IPIP = 4


class Packet:
    """The fields of an inner packet that tests ask for."""

    def __init__(self, data, outer_source=None):
        self.data = data
        self.outer_source = outer_source
        header = (data[0] & 15) * 4
        self.protocol = data[9]
        self.src = socket.inet_ntoa(data[12:16])
        self.dst = socket.inet_ntoa(data[16:20])
        l4 = data[header:]
        if self.protocol == socket.IPPROTO_ICMP:
            self.type = l4[0]
            self.sport = self.dport = struct.unpack("!H", l4[4:6])[0]
        else:
            self.sport, self.dport = struct.unpack("!HH", l4[:4])


class Tep:
    def __init__(self, bench):
        self.sent = []
        self.returned = []
        self.client_v6 = None  # learnt from what arrives: the last outer source
        self.raw = self.raw_socket(bench, TEP_V6)
        self.impostor = self.raw_socket(bench, IMPOSTOR_V6)
        self.tun = in_namespace(bench.far, self.open_tun)
        run("ip", "-n", bench.far, "addr", "add", f"{PEER_V4}/32", "dev", "tep0")
        run("ip", "-n", bench.far, "link", "set", "tep0", "up", "mtu", "1460")
        run("ip", "-n", bench.far, "route", "add", f"{LEASE_V4}/32", "dev", "tep0")
        self.stop = os.pipe()
        self.thread = threading.Thread(target=self.forward, daemon=True)
        self.thread.start()

    @staticmethod
    def raw_socket(bench, address):
        sock = bench.far_socket(socket.AF_INET6, socket.SOCK_RAW, IPPROTO_IPIP)
        sock.bind((address, 0))
        return sock

    @staticmethod
    def open_tun():
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"tep0", IFF_TUN | IFF_NO_PI))
        return fd

    def forward(self):
        while True:
            readable, _, _ = select.select([self.raw, self.tun, self.stop[0]], [], [])
            if self.stop[0] in readable:
                return
            if self.raw in readable:
                data, peer = self.raw.recvfrom(65536)
                self.client_v6 = peer[0]
                self.sent.append(Packet(data, peer[0]))
                os.write(self.tun, data)
            if self.tun in readable:
                data = os.read(self.tun, 65536)
                if data[0] >> 4 == 4 and self.client_v6 is not None:
                    self.returned.append(Packet(data))
                    self.send(data)

    def send(self, data, client_v6=None, impostor=False):
        sock = self.impostor if impostor else self.raw
        sock.sendto(data, (client_v6 or self.client_v6, 0))

    def close(self):
        os.write(self.stop[1], b"x")
        self.thread.join()
        self.raw.close()
        self.impostor.close()
        os.close(self.tun)
        for fd in self.stop:
            os.close(fd)


def ip_packet(protocol, src, dst, payload):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0,
                         socket.inet_aton(src), socket.inet_aton(dst))
    total = sum(struct.unpack("!10H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return header[:10] + struct.pack("!H", ~total & 0xFFFF) + header[12:] + payload


def udp_packet(src, sport, dst, dport, payload=b"x"):
    return ip_packet(
        socket.IPPROTO_UDP, src, dst, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
        + payload)
