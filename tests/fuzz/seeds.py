#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""seeds.py FOLDER: an input for classify_fuzz of each packet case, with the case's switches."""

import os
import sys
from pathlib import Path

os.environ.setdefault("DSTM_TEP", "none")  # the cases' frames are read, no program is run
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pcap"))

from test_packets import CASES, SIDES, frames, load  # noqa: E402

FRAMES_MAX = 100
LENGTH_MAX = 2000


def configuration(tep: dict) -> bytes:
    """As path_begin() reads it: no host and everything as usual, but for what the case says."""
    hairpin_off = 0 if tep.get("hairpin", True) else 2
    relay_off = 0 if (tep.get("icmp") or {}).get("relay", True) else 4
    mtu_v6 = {1280: 1, 1400: 2, 9000: 3}.get((tep.get("ports") or {}).get("mtu_v6"), 0)
    mtu_v4 = {576: 1, 1280: 2, 9000: 3}.get((tep.get("ports") or {}).get("mtu_v4"), 0)
    pools = 16 if tep.get("pools") else 0
    plain = tep.get("plain") or {}
    forward_v4 = 64 if plain.get("ipv4") == "forward" else 0
    forward_v6 = 64 if plain.get("ipv6") == "forward" else 0
    return bytes([hairpin_off | relay_off, forward_v4, mtu_v6 | mtu_v4 << 2 | pools, forward_v6])


def seed(case: dict) -> bytes:
    octets = configuration(case.get("tep") or {})
    for number, side in enumerate(SIDES):
        for frame in frames(case, "in", side)[:FRAMES_MAX]:
            if len(frame) <= LENGTH_MAX:
                octets += bytes([number]) + len(frame).to_bytes(2, "big") + frame
    return octets


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for path in CASES:
        (folder / path.name).write_bytes(seed(load(path)))


if __name__ == "__main__":
    main()
