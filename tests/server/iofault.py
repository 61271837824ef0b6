# SPDX-License-Identifier: BSD-3-Clause
"""Faults of the disk under the store, through a preloaded library (tests/support/iofault.c)."""

import os
import struct

from dstm_server import ROOT

LIBRARY = ROOT / os.environ.get("DSTM_BUILD", "build/gcc") / "tests/server/libiofault.so"
KINDS = ("none", "write_eio", "write_enospc", "sync_eio", "short", "torn", "truncate_eio")
TORN_STATUS = 99  # of a program that ended in the middle of a write


class Faults:
    """What is wrong with the disk at the moment; environment: of the program that has it."""

    def __init__(self, folder):
        self.path = folder / "iofault"
        self.path.write_bytes(bytes(8))
        self.environment = dict(os.environ, LD_PRELOAD=str(LIBRARY), IOFAULT=str(self.path))

    def set(self, kind, rarity=1):
        """rarity: one call in so many."""
        with open(self.path, "r+b") as file:
            file.write(struct.pack("=II", KINDS.index(kind), rarity))

    def clear(self):
        self.set("none")
