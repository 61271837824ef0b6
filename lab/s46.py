# SPDX-License-Identifier: BSD-3-Clause
"""Option 96 (RFC 7598, OPTION_S46_CONT_LW) as a softwire client of today reads it."""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

BR, V4V6BIND, PORTPARAMS = 90, 92, 93


@dataclass
class Softwire:
    tep: str
    v4: str
    v6: str  # the client's tunnel end
    ports: tuple[int, int]


def address(octets: bytes) -> str:
    return str(IPv6Address(octets))


def options(octets: bytes) -> list[tuple[int, bytes]]:
    """The options of a DHCPv6 option field; ValueError when the lengths do not add up."""
    found, at = [], 0
    while at < len(octets):
        if at + 4 > len(octets):
            raise ValueError("half an option")
        code, length = struct.unpack_from("!HH", octets, at)
        if at + 4 + length > len(octets):
            raise ValueError(f"option {code} is longer than what holds it")
        found.append((code, octets[at + 4:at + 4 + length]))
        at += 4 + length
    return found


def softwire(container: bytes) -> Softwire:
    """What the content of option 96 says; it names one BR and one binding here."""
    inside = dict(options(container))
    bind = inside[V4V6BIND]
    v4, length, prefix_octets = bind[:4], bind[4], (bind[4] + 7) // 8
    if length != 128:
        raise ValueError(f"a client's prefix of {length} bits, not an address")
    return Softwire(address(inside[BR]), str(IPv4Address(v4)),
                    address(bind[5:5 + prefix_octets]),
                    ports(bind[5 + prefix_octets:]))


def ports(bind_options: bytes) -> tuple[int, int]:
    """The ports that PORTPARAMS among the options of a binding stands for; without it, all."""
    params = dict(options(bind_options)).get(PORTPARAMS)
    if params is None:
        return 0, 65535
    offset, length, psid = struct.unpack("!BBH", params)
    if offset:
        raise ValueError("a PSID offset, which lw4o6 does not have")
    first = psid  # stands at the left of its field, as the PSID does in a port
    return first, first + (1 << (16 - length)) - 1
