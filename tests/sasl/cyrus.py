# SPDX-License-Identifier: BSD-3-Clause
"""Cyrus SASL as a peer: one authentication is one process (cyrus_peer.c), driven token by token."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / os.environ.get("DSTM_BUILD", "build/gcc") / "tests/sasl/cyrus_peer"
TIMEOUT_S = 20


class Failed(Exception):
    """Cyrus says that the other side is not who it claims to be, or that it cannot go on."""


def make_database(path, **passwords):
    """A database of users for a server; returns its path."""
    for user, password in passwords.items():
        subprocess.run(["saslpasswd2", "-p", "-c", "-f", path, "-u", "dstm", user],
                       input=password, text=True, check=True, timeout=TIMEOUT_S)
    return path


class Peer:
    """
    first is its first token in base64, or None where the other side begins. user is set at the end, and
    done says whether it was reached.
    """

    def __init__(self, *arguments):
        self.user = None
        self.process = subprocess.Popen([BINARY, *arguments], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.first = self.read()

    @property
    def done(self):
        return self.user is not None

    def read(self):
        """A token, or None: there is none (any more)."""
        word, _, rest = self.process.stdout.readline().rstrip("\n").partition(" ")
        if word == "token":
            return rest
        self.ended = word in ("done", "failed", "")
        if word == "done":
            self.user = rest
        elif word != "none":
            raise Failed(rest)
        return None

    def step(self, token):
        """Gives it the other side's token; returns its own, or None when it is done."""
        self.process.stdin.write(token + "\n")
        self.process.stdin.flush()
        return self.read()

    def finish(self):
        """After its last token: it is done, or raises Failed."""
        if not self.done:
            self.read()
        self.close()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(TIMEOUT_S)


def client(mechanism, host, user, password):
    return Peer("client", mechanism, host, user, password)


def server(mechanism, host, database, external=None):
    return Peer("server", mechanism, host, str(database), *([external] if external else []))
