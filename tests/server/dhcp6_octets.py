# SPDX-License-Identifier: BSD-3-Clause
"""DHCPv6 as octets, written by hand from RFC 8415: nothing here is checked, so that anything can be said."""

import hmac
import struct
from ipaddress import IPv4Address, IPv6Address

(SOLICIT, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE, DECLINE, RECONFIGURE, INFORMATION,
 RELAY_FORW, RELAY_REPL) = range(1, 14)
(CLIENT_ID, SERVER_ID, IA_NA, IA_TA, IAADDR, ORO, PREFERENCE, ELAPSED, RELAY_MSG) = range(1, 10)
AUTH, UNICAST, STATUS, RAPID_COMMIT = 11, 12, 13, 14
VENDOR, INTERFACE_ID, RECONF_MSG, RECONF_ACCEPT, IA_PD = 17, 18, 19, 20, 25
IA_DSTM, TEP, PORTS, CLIENT, ADDRESS = range(65100, 65105)
S46_CONT_LW = 96
ENTERPRISE = 32473
NO_LIFETIME = 0
SUCCESS, UNSPEC_FAIL, NO_ADDRS_AVAIL, NO_BINDING = range(4)


def option(code, data=b"", length=None):
    """length: what it says of itself, if that is not the truth."""
    return struct.pack("!HH", code, len(data) if length is None else length) + data


def message(kind, *options, xid=0x123456):
    return struct.pack("!I", kind << 24 | xid) + b"".join(options)


def v6(address):
    return IPv6Address(address).packed


def mapped(v4):
    return bytes(10) + b"\xff\xff" + IPv4Address(v4).packed


def duid(number):
    """A link-layer DUID of its own for each number."""
    return bytes([0, 3, 0, 1, 2, 0]) + struct.pack("!I", number)


def client_id(number):
    return option(CLIENT_ID, duid(number))


def ia(*options, code=IA_DSTM, iaid=1):
    return option(code, struct.pack("!III", iaid, 0, 0) + b"".join(options))


def iaaddr(address, *options, preferred=NO_LIFETIME, valid=NO_LIFETIME):
    """address: 16 octets."""
    return option(IAADDR, address + struct.pack("!II", preferred, valid) + b"".join(options))


def ports(first=0, last=0):
    return option(PORTS, struct.pack("!HH", first, last))


def client(address):
    return option(CLIENT, v6(address))


def elapsed(hundredths=0):
    return option(ELAPSED, struct.pack("!H", hundredths))


def oro(*codes):
    return option(ORO, struct.pack(f"!{len(codes)}H", *codes))


def auth(info, protocol=3, algorithm=1, rdm=0, replay=1):
    return option(AUTH, struct.pack("!BBBQ", protocol, algorithm, rdm, replay) + info)


def relay(inner, link="2001:db8:1::9", peer="fe80::17", *options, hops=0, kind=RELAY_FORW):
    return (bytes([kind, hops]) + v6(link) + v6(peer) + b"".join(options)
            + option(RELAY_MSG, inner))


# --- reading -------------------------------------------------------------------------------------


def options_of(data):
    """(code, data) of each; what is cut short is an error."""
    found = []
    while data:
        code, length = struct.unpack_from("!HH", data)
        assert len(data) >= 4 + length, "an option is cut short"
        found.append((code, data[4:4 + length]))
        data = data[4 + length:]
    return found


class Answer:
    """A message of the server, its relays taken off."""

    def __init__(self, data):
        self.levels = 0
        self.interface_ids = []
        while data[0] == RELAY_REPL:
            options = options_of(data[34:])
            self.interface_ids += [value for code, value in options if code == INTERFACE_ID]
            (data,) = [value for code, value in options if code == RELAY_MSG]
            self.levels += 1
        self.data = data
        self.kind = data[0]
        self.xid = int.from_bytes(data[1:4], "big")
        self.options = options_of(data[4:])

    def get(self, code):
        """The data of the option, which is there once; None: it is not there."""
        found = [value for known, value in self.options if known == code]
        assert len(found) <= 1
        return found[0] if found else None

    def ia(self):
        """The IA_DSTM, as {code: data} of what is in it; an address comes as IAADDR."""
        data = self.get(IA_DSTM)
        return dict(options_of(data[12:])) if data is not None else None

    def status(self):
        """The code in the IA_DSTM or at the top level; 0 where there is none."""
        data = (self.ia() or {}).get(STATUS, self.get(STATUS))
        return struct.unpack_from("!H", data)[0] if data else SUCCESS

    def lease(self):
        """(IPv4 address, (first, last)); a whole address: (0, 65535). None: there is no lease."""
        held = self.ia() or {}
        if IAADDR not in held:
            return None
        assert held[IAADDR][:12] == mapped("0.0.0.0")[:12]
        inside = dict(options_of(held[IAADDR][24:]))
        pair = held.get(PORTS, inside.get(PORTS))
        return (str(IPv4Address(held[IAADDR][12:16])),
                struct.unpack("!HH", pair) if pair else (0, 65535))

    def valid_s(self):
        return struct.unpack_from("!I", self.ia()[IAADDR], 20)[0]

    def key(self):
        """The reconfigure key (RFC 8415 section 20.4); None: it hands over none."""
        data = self.get(AUTH)
        if data is None or data[:3] != bytes([3, 1, 0]) or data[11] != 1:
            return None
        return data[12:]

    def replay(self):
        return struct.unpack_from("!Q", self.get(AUTH), 3)[0]

    def is_signed_with(self, key):
        """The HMAC-MD5 of the message with zeros in its place."""
        info = self.get(AUTH)
        assert info[:3] == bytes([3, 1, 0]) and info[11] == 2 and len(info) == 28
        at = self.data.index(info) + 12
        zeroed = self.data[:at] + bytes(16) + self.data[at + 16:]
        return hmac.compare_digest(hmac.new(key, zeroed, "md5").digest(), info[12:])
