#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""dhcp6_seeds.py FOLDER: the inputs that the fuzzers of DHCPv6 begin with, a folder for each."""

import ipaddress
import struct
import sys
from pathlib import Path

TEP = ipaddress.IPv6Address("2001:db8:0:64::1").packed
CLIENT = ipaddress.IPv6Address("2001:db8:1::17").packed
MAPPED = ipaddress.IPv6Address("::ffff:198.51.100.7").packed
IA, TEPS, PORTS, END, ADDRESS, VENDOR = 65100, 65101, 65102, 65103, 65104, 32473
DUID = bytes.fromhex("00030001020000000017")
UUID = bytes.fromhex("000400112233445566778899aabbccddeeff")


def option(code: int, *data: bytes) -> bytes:
    whole = b"".join(data)
    return struct.pack("!HH", code, len(whole)) + whole


def message(kind: int, *options: bytes) -> bytes:
    return bytes([kind, 0xA1, 0xB2, 0xC3]) + b"".join(options)


def oro(*codes: int) -> bytes:
    return option(6, *(struct.pack("!H", code) for code in codes))


def ports(first: int, last: int) -> bytes:
    return option(PORTS, struct.pack("!HH", first, last))


def ia(code: int, *options: bytes) -> bytes:
    return option(code, struct.pack("!III", 1, 1800, 2880), *options)


def address(v6: bytes, *options: bytes) -> bytes:
    return option(5, v6, struct.pack("!II", 2880, 3600), *options)


def status(code: int, text: bytes = b"") -> bytes:
    return option(13, struct.pack("!H", code), text)


def auth(kind: int, replay: int = 7) -> bytes:
    return option(11, bytes([3, 1, 0]), struct.pack("!QB", replay, kind), bytes(16))


SOFTWIRE = (
    option(90, TEP)
    + option(92, MAPPED[12:], b"\x80", CLIENT, option(93, b"\x00\x06\x04\x00"))
)
IDS = option(1, DUID) + option(2, UUID)
LEASE = address(MAPPED) + option(TEPS, TEP) + ports(1024, 2047)
SINGLE = option(ADDRESS, MAPPED) + option(TEPS, TEP) + ports(1024, 2047) + option(END, CLIENT)

MESSAGES = {
    "solicit": message(
        1, option(1, DUID), option(8, b"\x00\x64"), option(14), option(20),
        oro(96, 17, TEPS, PORTS), ia(3), ia(IA, option(END, CLIENT), ports(0, 0)),
        option(25, bytes(12))),
    "advertise": message(2, IDS, option(7, b"\xff"), ia(IA, LEASE)),
    "reply": message(7, IDS, option(20), ia(IA, LEASE), auth(1)),
    "several-ranges": message(
        7, IDS, ia(IA, address(MAPPED, ports(1024, 2047), ports(4096, 5119)), option(TEPS, TEP))),
    "refusals": message(
        7, IDS, status(1, b"no"), ia(3, status(2)), option(25, bytes(12), status(6)),
        ia(IA, address(MAPPED, status(3)), status(3, b"\xff"))),
    "top-level": message(7, IDS, SINGLE, option(32, b"\x00\x00\x07\x08"), option(12, TEP)),
    "vendor": message(7, IDS, option(17, struct.pack("!I", VENDOR), ia(IA, LEASE), SINGLE)),
    "softwire": message(7, IDS, option(96, SOFTWIRE), option(82, bytes(4)), option(83, bytes(4))),
    "reconfigure": message(10, IDS, option(19, b"\x05"), oro(IA), auth(2)),
    "information-request": message(11, oro(TEPS, PORTS, ADDRESS, 96, 32)),
}


def relayed(inner: bytes, *options: bytes) -> bytes:
    return bytes([12, 1]) + TEP + CLIENT + b"".join(options) + option(9, inner)


SOLICIT = MESSAGES["solicit"]
ONCE = relayed(SOLICIT, option(18, b"eth0"), option(79, b"\x00\x01", DUID[4:]))
RELAYED = {
    "direct": SOLICIT,
    "once": ONCE,
    "twice": relayed(ONCE, option(135, b"\x12\x34"), option(37, bytes(5)), option(18)),
    "empty": relayed(b""),
}


def flat(status_and_count: bytes, *addresses: bytes) -> bytes:
    header = bytes(range(8)) + struct.pack("!II", 1800, 2880) + status_and_count
    return message(7, option(1777, TEP), option(1778, header, *addresses), option(1777))


TIMES = struct.pack("!II", 2880, 3600)
FLAT = {
    "request": b"\x00" + message(3, option(1777)),
    "plain-0": b"\x00" + flat(struct.pack("!II", 3, 0)),
    "plain-2": b"\x00" + flat(struct.pack("!II", 0, 2), *2 * [b"\x80\x80" + MAPPED + TIMES]),
    "ports-0": b"\x01" + flat(b"\x00"),
    "ports-2": b"\x01" + flat(b"\x02", *2 * [MAPPED + b"\x80" + TIMES + b"\x04\x01\x04\x0a"]),
}

S46 = {
    "lease": b"\x00\x06\x00\x01" + SOFTWIRE,
    "offset": b"\x02\x08\x00\x34" + SOFTWIRE.replace(b"\x00\x06\x04\x00", b"\x02\x08\x34\x00"),
    "whole": b"\x00\x00\xff\xff" + option(90, TEP) + option(92, MAPPED[12:], b"\x38", CLIENT[:7]),
    "others": b"\x04\x00\x07\xff" + option(89, bytes(9)) + option(91, bytes(9)) + SOFTWIRE,
}


def main():
    folders = {
        "dhcp6_msg": {name: b"\x00" + octets for name, octets in MESSAGES.items()},
        "dhcp6_relay": RELAYED,
        "dhcp6_flat": FLAT,
        "dhcp6_s46": S46,
    }
    for name, seeds in folders.items():
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        for seed, octets in seeds.items():
            (folder / seed).write_bytes(octets)


if __name__ == "__main__":
    main()
