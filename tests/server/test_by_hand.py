# SPDX-License-Identifier: BSD-3-Clause
"""The session that docs/tsp.md types by hand, taken from the page and typed through socat (R103)."""

import os
import re
import subprocess
import time

import pytest

from dstm_server import ROOT, wait_for

PAGE = (ROOT / "docs/tsp.md").read_text()


def block_behind(sentence):
    """The lines of the first code block behind a sentence of the page."""
    return re.search(r"```\n(.*?)```", PAGE[PAGE.index(sentence):], re.DOTALL)[1].splitlines()


def is_typed(line, following):
    """What a person types, and not the server: requests and what announces them."""
    return (line.startswith(("VERSION=", "AUTHENTICATE ", "<tunnel action=\"create\"",
                             "<tunnel action=\"accept\""))
            or line.startswith("Content-length:") and following.startswith("<tunnel"))


def pattern_of(line):
    """Counts may differ, and what the page leaves out."""
    head = line.removesuffix("...")
    text = re.sub(r"\d+$", r"\\d+", re.escape(head)) if head.startswith("Content-length") \
        else re.escape(head)
    return text.encode() + (b"[^\n]*" if head != line else b"")


class Terminal:
    """socat, as somebody sees it who types into it."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.shown = b""

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def has(self, pattern):
        self.shown += self.process.stdout.read() or b""
        match = re.match(pattern + rb"(\r?\n|$)", self.shown)
        if match:
            self.shown = self.shown[match.end():]
        return match

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20)


@pytest.fixture(name="open_server")
def fixture_open_server(server):
    return server.start().wait_level()


def test_the_session_of_the_page_works(open_server, tep):
    command, *lines = block_behind("A whole session, typed into a server")
    assert command.startswith("$ socat ") and "[::1]:3653" in command
    terminal = Terminal(command[2:].replace("3653", str(open_server.port)))
    try:
        for line, following in zip(lines, lines[1:] + [""]):
            if is_typed(line, following):
                terminal.type(line)
                time.sleep(0.02)  # a person does not type faster
            else:
                pattern = pattern_of(line)
                wait_for(lambda: terminal.has(pattern),  # pylint: disable=cell-var-from-loop
                         f"{line!r}, not {terminal.shown!r}", 10)
        assert terminal.shown == b""
        lease, = wait_for(lambda: open_server.leases("active"), "the lease")
        assert lease["client"] == "2001:db8:1::17" and len(tep.table) == 1
        time.sleep(0.2)
    finally:
        terminal.close()
    assert len(open_server.leases("active")) == 1  # accepted: it outlives the session


def test_the_lines_of_the_page_for_a_shell_work(open_server):
    script = "\n".join(block_behind("Or in one go"))
    done = subprocess.run(script.replace("3653", str(open_server.port)), shell=True, timeout=30,
                          capture_output=True, check=True)
    head, _, rest = done.stdout.partition(b"Content-length: ")
    assert head.endswith(b"200 Success\r\n")
    count, _, body = rest.partition(b"\r\n")
    assert int(count) == len(body) and body.startswith(b"200 Success\r\n<tunnel action=\"info\"")
