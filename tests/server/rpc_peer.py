# SPDX-License-Identifier: BSD-3-Clause
"""ONC RPC spoken by hand (RFC 5531), as a caller who may do everything wrong."""

import itertools
import socket
import struct

PROGRAM = 0x20000D57
NULL, REQUEST, RELEASE = 0, 1, 2
REQUEST_REQ, REQUEST_REP, RELEASE_REQ, RELEASE_REP = 1, 2, 3, 4
CALL, REPLY = 0, 1
NONE = struct.pack(">II", 0, 0)
LOCAL = socket.inet_pton(socket.AF_INET6, "fe80::260:caff:fe85:abcd")
LAST = 0x80000000
WAIT_S = 10
XIDS = itertools.count(1000)


def words(*numbers):
    return struct.pack(f">{len(numbers)}I", *numbers)


def opaque(flavor, body):
    return words(flavor, len(body)) + body + bytes(-len(body) % 4)


def auth_sys(machine=b"host", uid=1000, gid=100, groups=()):
    body = words(7, len(machine)) + machine + bytes(-len(machine) % 4)
    return opaque(1, body + words(uid, gid, len(groups), *groups))


class Packet:
    """The structure of annex B."""

    def __init__(self, kind, v4="0.0.0.0", extend=0, local=LOCAL):
        self.type, self.v4, self.extend, self.local = kind, v4, extend, local

    def octets(self):
        return words(self.type) + self.local + bytes(4) + socket.inet_aton(self.v4) + bytes(4) \
            + bytes(16) + words(0, 0, self.extend, 0)

    @staticmethod
    def read(octets):
        assert len(octets) == 64, len(octets)
        packet = Packet(struct.unpack(">i", octets[:4])[0])
        packet.local = octets[4:20]
        packet.mask, packet.v4, packet.tep4 = (
            socket.inet_ntoa(octets[at:at + 4]) for at in (20, 24, 28))
        packet.tep6 = socket.inet_ntop(socket.AF_INET6, octets[32:48])
        packet.ends, packet.starts, packet.extend, packet.keep = struct.unpack(
            ">4I", octets[48:])
        return packet


class Reply:
    def __init__(self, octets):
        self.octets = octets
        self.xid, direction, self.stat = struct.unpack(">III", octets[:12])
        assert direction == REPLY
        self.accept, self.results = None, b""
        if self.stat == 0:
            assert octets[12:20] == NONE
            self.accept = struct.unpack(">I", octets[20:24])[0]
            self.results = octets[24:]
        else:
            self.results = octets[12:]

    def packet(self):
        assert (self.stat, self.accept) == (0, 0), self.octets.hex()
        return Packet.read(self.results)


def call(procedure, args=b"", xid=None, program=PROGRAM, version=1, rpc=2, credential=NONE,
         verifier=NONE):
    head = words(next(XIDS) if xid is None else xid, CALL, rpc, program, version, procedure)
    return head + credential + verifier + args


def request(v4="0.0.0.0", extend=0, **fields):
    return call(REQUEST, Packet(REQUEST_REQ, v4, extend).octets(), **fields)


def release(v4="0.0.0.0", **fields):
    return call(RELEASE, Packet(RELEASE_REQ, v4).octets(), **fields)


def record(message):
    return words(LAST | len(message)) + message


class Tcp:
    def __init__(self, port, source=None, server="2001:db8:1::5"):
        self.sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self.sock.settimeout(WAIT_S)
        if source is not None:
            self.sock.bind((source, 0))
        self.sock.connect((server, port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, octets):
        self.sock.sendall(octets)

    def receive(self):
        """The next reply; None: the connection is closed."""
        head = self.read(4)
        if head is None:
            return None
        mark = struct.unpack(">I", head)[0]
        assert mark & LAST
        return Reply(self.read(mark & ~LAST))

    def read(self, n):
        octets = b""
        while len(octets) < n:
            try:
                more = self.sock.recv(n - len(octets))
            except ConnectionResetError:
                return None
            if not more:
                return None
            octets += more
        return octets

    def ask(self, message):
        self.send(record(message))
        return self.receive()


class Udp:
    def __init__(self, port, source=None, server="2001:db8:1::5"):
        self.sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.sock.settimeout(WAIT_S)
        if source is not None:
            self.sock.bind((source, 0))
        self.sock.connect((server, port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, octets):
        self.sock.send(octets)

    def receive(self, timeout_s=WAIT_S):
        """The next reply; None: nothing comes."""
        self.sock.settimeout(timeout_s)
        try:
            return Reply(self.sock.recv(2048))
        except TimeoutError:
            return None

    def ask(self, message):
        self.send(message)
        return self.receive()
