# SPDX-License-Identifier: BSD-3-Clause
"""
A small client of RFC 8415, written from the standard alone: messages as octets, options as (code, data).

What it sends may be as wrong as a test likes. Sockets may stand in another network namespace.
"""

import ctypes
import ipaddress
import os
import select
import socket
import struct
import time

SOLICIT, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE, DECLINE, RECONFIGURE, \
    INFORMATION_REQUEST, RELAY_FORW, RELAY_REPL = range(1, 14)

CLIENT_ID, SERVER_ID, IA_NA, IAADDR, ORO, PREFERENCE, ELAPSED_TIME, RELAY_MSG = 1, 2, 3, 5, 6, 7, 8, 9
AUTH, UNICAST, STATUS, RAPID_COMMIT, VENDOR, INTERFACE_ID = 11, 12, 13, 14, 17, 18
RECONF_MSG, RECONF_ACCEPT, IA_PD, INFO_REFRESH = 19, 20, 25, 32
S46_BR, S46_V4V6BIND, S46_PORTPARAMS, S46_CONT_LW = 90, 92, 93, 96
IA_DSTM, DSTM_TEP, DSTM_PORTS, DSTM_CLIENT, DSTM_ADDRESS = range(65100, 65105)
ENTERPRISE = 32473

SUCCESS, UNSPEC_FAIL, NO_ADDRS_AVAIL, NO_BINDING, NOT_ON_LINK, USE_MULTICAST, NO_PREFIX_AVAIL = range(7)

ALL_SERVERS = "ff02::1:2"
WAIT_S = 10
CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


# --- octets -------------------------------------------------------------------------------------


def v6(text):
    return ipaddress.IPv6Address(text).packed


def mapped(v4):
    return v6("::ffff:" + v4)


def option(code, data=b""):
    return struct.pack("!HH", code, len(data)) + data


def options(octets):
    """The list of (code, data); what is cut short is an error."""
    found = []
    while octets:
        code, length = struct.unpack("!HH", octets[:4])
        assert len(octets) >= 4 + length, octets
        found.append((code, octets[4:4 + length]))
        octets = octets[4 + length:]
    return found


def oro(*codes):
    return option(ORO, b"".join(struct.pack("!H", code) for code in codes))


def ports(first=0, last=0):
    return option(DSTM_PORTS, struct.pack("!HH", first, last))


def ia(code, iaid, *inside, t1=0, t2=0):
    return option(code, struct.pack("!III", iaid, t1, t2) + b"".join(inside))


def ia_dstm(iaid=1, *inside, shared=True, v4=None, ranges=(), valid=0):
    """With an address: as offered or held. shared: it can live in a port range."""
    parts = list(inside)
    if v4 is not None:
        parts.append(iaaddr(mapped(v4), valid=valid))
    if ranges or shared:
        parts += [ports(*pair) for pair in (ranges or [(0, 0)])]
    return ia(IA_DSTM, iaid, *parts)


def iaaddr(address, preferred=0, valid=0, inside=b""):
    return option(IAADDR, address + struct.pack("!II", preferred, valid) + inside)


def duid_of(number):
    """DUID-LL of a locally administered MAC address."""
    return struct.pack("!HHHI", 3, 1, 0x0200, number)


# --- what came ----------------------------------------------------------------------------------


class Ia:
    """An IA: its fields, addresses as (address, preferred, valid, ranges), and what else is in it."""

    def __init__(self, data):
        self.iaid, self.t1, self.t2 = struct.unpack("!III", data[:12])
        self.status, self.addresses, self.teps, self.ranges = None, [], [], []
        for code, inside in options(data[12:]):
            if code == IAADDR:
                preferred, valid = struct.unpack("!II", inside[16:24])
                ranges = [struct.unpack("!HH", d) for c, d in options(inside[24:]) if c == DSTM_PORTS]
                self.addresses.append((ipaddress.IPv6Address(inside[:16]), preferred, valid, ranges))
                self.ranges += ranges
            elif code == DSTM_PORTS:
                self.ranges.append(struct.unpack("!HH", inside))
            elif code == DSTM_TEP:
                assert len(inside) == 16
                self.teps.append(str(ipaddress.IPv6Address(inside)))
            elif code == STATUS:
                self.status = struct.unpack("!H", inside[:2])[0]

    @property
    def v4(self):
        return str(self.addresses[0][0].ipv4_mapped) if self.addresses else None

    @property
    def valid(self):
        return self.addresses[0][2] if self.addresses else None


class Message:
    """A message between client and server."""

    def __init__(self, octets):
        self.octets = octets
        self.type = octets[0]
        self.xid = int.from_bytes(octets[1:4], "big")
        self.options = options(octets[4:])

    def all(self, code):
        return [data for c, data in self.options if c == code]

    def one(self, code):
        data, = self.all(code)
        return data

    def has(self, code):
        return bool(self.all(code))

    @property
    def status(self):
        return struct.unpack("!H", self.one(STATUS)[:2])[0] if self.has(STATUS) else None

    @property
    def server(self):
        return self.one(SERVER_ID)

    def ias(self, code=IA_DSTM):
        return [Ia(data) for data in self.all(code)]

    @property
    def ia(self):
        found, = self.ias()
        return found

    @property
    def softwire(self):
        """(TEP, IPv4 address, client, PSID length, PSID) of option 96; None without one."""
        if not self.has(S46_CONT_LW):
            return None
        inside = dict(options(self.one(S46_CONT_LW)))
        bind = inside[S46_V4V6BIND]
        prefix = (bind[4] + 7) // 8
        params = dict(options(bind[5 + prefix:])).get(S46_PORTPARAMS)
        offset, length, psid = struct.unpack("!BBH", params) if params else (0, 0, 0)
        assert offset == 0
        return (str(ipaddress.IPv6Address(inside[S46_BR])), str(ipaddress.IPv4Address(bind[:4])),
                str(ipaddress.IPv6Address(bind[5:5 + prefix].ljust(16, b"\0"))), length,
                psid >> (16 - length) if length else 0)


# --- sockets ------------------------------------------------------------------------------------


class inside:
    """A with-block in the network namespace of that name; None: ours."""

    def __init__(self, netns):
        self.netns = netns

    def __enter__(self):
        if self.netns is None:
            return
        self.ours = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.enter(os.open(f"/run/netns/{self.netns}", os.O_RDONLY))

    def __exit__(self, *_):
        if self.netns is not None:
            self.enter(self.ours)

    @staticmethod
    def enter(fd):
        try:
            if _libc.setns(fd, CLONE_NEWNET) < 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(fd)


class Client:
    """
    One client. server: where messages go, a group needs the interface. local: the address to write from; the
    kernel's choice without one, which for a group is the link-local address.
    """

    def __init__(self, number=1, interface=None, netns=None, server=ALL_SERVERS, local=None, port=547):
        self.duid = duid_of(number)
        self.server_id = None
        self.xid = (number << 8) % 0xffffff
        with inside(netns):
            self.sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            scope = socket.if_nametoindex(interface) if interface else 0
        if interface:
            self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, scope)
        self.sock.bind((local or "::", 0, 0, scope if (local or "").startswith("fe80") else 0))
        self.to = (server, port, 0, scope)

    def close(self):
        self.sock.close()

    def next_xid(self):
        self.xid = (self.xid + 1) % 0x1000000
        return self.xid

    # what every message has, and then what a test adds
    def compose(self, kind, *parts, xid=None, client=True, server=None):
        octets = struct.pack("!I", kind << 24 | (self.next_xid() if xid is None else xid))
        octets += option(CLIENT_ID, self.duid) if client else b""
        octets += option(SERVER_ID, server) if server else b""
        return octets + option(ELAPSED_TIME, b"\0\0") + b"".join(parts)

    def send(self, octets):
        self.sock.sendto(octets, self.to)

    def receive(self, wait_s=WAIT_S):
        """Octets, or None when nothing came."""
        if not select.select([self.sock], [], [], wait_s)[0]:
            return None
        return self.sock.recv(65536)

    def tell(self, octets, wrap=None):
        """
        Sends until it is answered, as a client does, and returns the answer, which has to be of the same transaction and
        for us. wrap: a relay's functions, what it makes of a message and of the answer.
        """
        xid = int.from_bytes(octets[1:4], "big")
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            self.send(wrap.forward(octets) if wrap else octets)
            came = self.receive(2)
            if came is None:
                continue
            answer = Message(wrap.back(came) if wrap else came)
            if answer.xid != xid:
                continue
            assert answer.all(CLIENT_ID) in ([self.duid], [])
            self.server_id = answer.server
            return answer
        raise AssertionError("waited in vain for an answer")

    def ask(self, kind, *parts, relay=None, **fields):
        if kind in (REQUEST, RENEW, RELEASE, DECLINE):
            fields.setdefault("server", self.server_id)
        return self.tell(self.compose(kind, *parts, **fields), relay)

    def is_silent(self, *octets, wait_s=0.3):
        """None of these is answered; an Information-request for nothing, which is, ends the wait."""
        for one in octets:
            self.send(one)
        return self.receive(wait_s) is None

    def lease(self, *parts, relay=None, **kwargs):
        """Solicit, Advertise, Request, Reply; returns the Reply."""
        offer = self.ask(SOLICIT, *(parts or (ia_dstm(**kwargs),)), relay=relay)
        assert offer.type == ADVERTISE
        if parts:
            return self.ask(REQUEST, *parts, relay=relay)
        return self.ask(REQUEST, self.held(offer), relay=relay)

    @staticmethod
    def held(answer):
        """The IA_DSTM that names what an answer gave."""
        given = answer.ia
        return ia_dstm(given.iaid, v4=given.v4, ranges=given.ranges, shared=bool(given.ranges))


class Relay:
    """A relay agent's wrapping; levels: (link address, peer address, Interface-ID or None), the last one is next to us."""

    def __init__(self, *levels):
        self.levels = levels

    def forward(self, octets):
        for hops, (link, peer, interface) in enumerate(self.levels):
            octets = struct.pack("!BB", RELAY_FORW, hops) + v6(link) + v6(peer) + \
                (option(INTERFACE_ID, interface) if interface is not None else b"") + \
                option(RELAY_MSG, octets)
        return octets

    def back(self, octets):
        for hops, (link, peer, interface) in reversed(list(enumerate(self.levels))):
            assert octets[:34] == struct.pack("!BB", RELAY_REPL, hops) + v6(link) + v6(peer)
            found = dict(options(octets[34:]))
            assert found.get(INTERFACE_ID) == interface
            octets = found[RELAY_MSG]
        return octets
