# SPDX-License-Identifier: BSD-3-Clause
"""
A DHCPv6 server that does what the test says, written from RFC 8415, RFC 7598 and our own layouts alone.

Attributes may be changed while it runs; received holds every message in order.
"""

import hashlib
import hmac
import ipaddress
import socket
import struct
import threading

from bench import LEASE_V4, TEP_V6, in_namespace

SOLICIT, ADVERTISE, REQUEST, RENEW, REBIND, REPLY, RELEASE, DECLINE, RECONFIGURE, INFORM = (
    1, 2, 3, 5, 6, 7, 8, 9, 10, 11)
NAMES = {1: "solicit", 3: "request", 5: "renew", 6: "rebind", 8: "release", 9: "decline",
         11: "inform"}
CLIENT_ID, SERVER_ID, IA_NA, IAADDR, ORO, PREFERENCE, ELAPSED, AUTH, STATUS, RAPID = (
    1, 2, 3, 5, 6, 7, 8, 11, 13, 14)
VENDOR, RECONF_MSG, RECONF_ACCEPT, REFRESH, BR, BIND, PORTPARAMS, CONT_LW = (
    17, 19, 20, 32, 90, 92, 93, 96)
IA_DSTM, TEP, PORTS, CLIENT, ADDRESS = 65100, 65101, 65102, 65103, 65104
ENTERPRISE = 32473
NO_ADDRS, NO_BINDING = 2, 3


def option(code, data):
    return struct.pack("!HH", code, len(data)) + data


def options(data):
    """(code, data) of each option."""
    found = []
    while data:
        code, length = struct.unpack("!HH", data[:4])
        found.append((code, data[4:4 + length]))
        data = data[4 + length:]
    return found


def v6(text):
    return ipaddress.IPv6Address(text).packed


def status(code, text=""):
    return option(STATUS, struct.pack("!H", code) + text.encode())


class Message:
    def __init__(self, data, source):
        self.data = data
        self.type = data[0]
        self.name = NAMES.get(data[0], str(data[0]))
        self.xid = data[1:4]
        self.source = source
        self.options = options(data[4:])

    def get(self, code):
        return next((data for c, data in self.options if c == code), None)

    def asks(self):
        data = self.get(ORO) or b""
        return list(struct.unpack(f"!{len(data) // 2}H", data))

    def ia(self):
        """IAID and options of our own IA, from option 17 as well."""
        data = self.get(IA_DSTM)
        if data is None and self.get(VENDOR) is not None:
            data = dict(options(self.get(VENDOR)[4:])).get(IA_DSTM)
        return (data[:4], dict(options(data[12:]))) if data is not None else None


class Dhcp6Server:
    def __init__(self, bench, duid=b"\0\3\0\1serv01", address="::"):
        self.duid = duid
        self.preference = None
        self.rapid = True  # if the client asks for it
        self.silent = ()  # names of messages that are not answered
        self.refuse = {}  # name: status code within the IA
        self.lease_v4 = LEASE_V4
        self.tep_v6 = TEP_V6
        self.ranges = [(2048, 2111), (50000, 50063)]
        self.valid_s = 600
        self.preferred_s = None  # as valid_s
        self.t1_s = self.t2_s = 0
        self.refresh_s = 600
        self.client_v6 = None  # in answers: the client's own
        self.prefix_len = 128  # of the softwire container's
        self.psid = (0, 6, 2)  # offset, length, value: ports 2048 to 3071
        self.key = None  # handed to clients that accept Reconfigure
        self.mangle = lambda data: data
        self.received = []
        self.socket = bench.far_socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, 547))
        index = in_namespace(bench.far, lambda: socket.if_nametoindex("f0"))
        self.socket.setsockopt(
            socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
            socket.inet_pton(socket.AF_INET6, "ff02::1:2") + struct.pack("@I", index))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                data, source = self.socket.recvfrom(65536)
            except OSError:
                return
            message = Message(data, source)
            self.received.append(message)
            if message.name in self.silent:
                continue
            answer = self.answer(message)
            if answer is not None:
                self.socket.sendto(self.mangle(answer), source)

    def names(self):
        return [message.name for message in self.received]

    def last(self, name):
        return [message for message in self.received if message.name == name][-1]

    def ranges_options(self):
        return b"".join(option(PORTS, struct.pack("!HH", *ports)) for ports in self.ranges)

    def ia(self, iaid, name):
        if name in self.refuse:
            body = status(self.refuse[name], "as the test says")
        else:
            preferred_s = self.valid_s if self.preferred_s is None else self.preferred_s
            body = option(IAADDR, v6(f"::ffff:{self.lease_v4}") + struct.pack(
                "!II", preferred_s, self.valid_s) + self.ranges_options())
            body += option(TEP, v6(self.tep_v6))
        return option(IA_DSTM, iaid + struct.pack("!II", self.t1_s, self.t2_s) + body)

    def softwire(self, message):
        named = message.get(CLIENT) or message.ia()[1][CLIENT]
        client = self.client_v6 or str(ipaddress.IPv6Address(named))
        network = ipaddress.IPv6Network((client, self.prefix_len), strict=False)
        offset, length, psid = self.psid
        ports = option(PORTPARAMS, struct.pack("!BBH", offset, length, psid << (16 - length)))
        prefix = network.network_address.packed[:(self.prefix_len + 7) // 8]
        bind = ipaddress.IPv4Address(self.lease_v4).packed + bytes([self.prefix_len]) + prefix
        return option(CONT_LW, option(BR, v6(self.tep_v6)) + option(BIND, bind + ports))

    def flat(self):
        return (option(ADDRESS, v6(f"::ffff:{self.lease_v4}")) + option(TEP, v6(self.tep_v6)) +
                self.ranges_options())

    def content(self, message):
        ia = message.ia()
        if message.name in ("release", "decline"):
            return status(0)
        if CONT_LW in message.asks():  # as who does not know IA_DSTM
            return self.softwire(message) + option(REFRESH, struct.pack("!I", self.refresh_s))
        if message.get(VENDOR) is not None:
            inner = self.ia(ia[0], message.name) if ia is not None else self.flat()
            return option(VENDOR, struct.pack("!I", ENTERPRISE) + inner) + option(
                REFRESH, struct.pack("!I", self.refresh_s))
        if ia is not None:
            return self.ia(ia[0], message.name)
        return self.flat() + option(REFRESH, struct.pack("!I", self.refresh_s))

    def answer(self, message):
        kind = REPLY
        rest = b""
        if message.type == SOLICIT and self.rapid and message.get(RAPID) is not None:
            rest += option(RAPID, b"")
        elif message.type == SOLICIT:
            kind = ADVERTISE
            if self.preference is not None:
                rest += option(PREFERENCE, bytes([self.preference]))
        if message.get(SERVER_ID) not in (None, self.duid):
            return None
        if kind == REPLY and self.key is not None and message.get(RECONF_ACCEPT) is not None:
            rest += option(AUTH, bytes([3, 1, 0]) + struct.pack("!Q", 1) + b"\1" + self.key)
        return (bytes([kind]) + message.xid + option(CLIENT_ID, message.get(CLIENT_ID)) +
                option(SERVER_ID, self.duid) + rest + self.content(message))

    def reconfigure(self, kind=RENEW, replay=2, key=None, to=None):
        """A Reconfigure to the last client, signed as RFC 8415 section 20.4.3 says."""
        message = self.received[-1]
        head = (bytes([RECONFIGURE, 0, 0, 0]) + option(CLIENT_ID, message.get(CLIENT_ID)) +
                option(SERVER_ID, self.duid) + option(RECONF_MSG, bytes([kind])))
        auth = bytes([3, 1, 0]) + struct.pack("!Q", replay) + b"\2"
        blank = head + option(AUTH, auth + bytes(16))
        digest = hmac.new(key or self.key, blank, hashlib.md5).digest()
        self.socket.sendto(head + option(AUTH, auth + digest), to or message.source)

    def close(self):
        self.socket.close()
