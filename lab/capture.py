# SPDX-License-Identifier: BSD-3-Clause
"""tcpdump on an interface into the run's folder, and reading a capture back."""

import re
import signal
import struct
import subprocess
import time
from pathlib import Path

from lab.netns import CommandFailed, Namespace, run

START_TIMEOUT_S = 10
END_TIMEOUT_S = 20


class Capture:
    """Started when made. Packets stand in `path`; after stop() the file is whole.

    Packets reach the file in blocks, at the latest after a second; that carries a bulk transfer.
    With `prompt` each one reaches it at once, which costs more.
    """

    def __init__(self, namespace: Namespace, interface: str, path: Path, filter: str = "",
                 snaplen: int = 128, prompt: bool = False):
        self.path = path
        self.dropped = 0
        self._settle_s = 0.1 if prompt else 1.1
        self._log = path.with_suffix(".tcpdump.log")
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                namespace.command(["tcpdump", "-i", interface, "-n", "-p", "-Z", "root",
                                   "-B", "16384", "-s", str(snaplen),
                                   *["--immediate-mode", "-U"] * prompt,
                                   "--time-stamp-precision=nano", "-w", str(path), filter]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_until_listening()

    def _wait_until_listening(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while "listening on" not in self._log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.end()
                raise CommandFailed(f"tcpdump for {self.path.name}: "
                                    f"{self._log.read_text().strip()}")
            time.sleep(0.02)

    def stop(self):
        """Ends the capture; returns itself. A second call does nothing."""
        if self._process.poll() is None:
            time.sleep(self._settle_s)  # what the kernel has already taken reaches the file
            self._process.send_signal(signal.SIGINT)
            self._process.wait(END_TIMEOUT_S)
        found = re.search(r"(\d+) packets? dropped by kernel", self._log.read_text())
        self.dropped = int(found[1]) if found else 0
        return self

    def end(self):
        """Ends it at once: the file is whole but may lack the last second's packets."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(END_TIMEOUT_S)

    def count(self, filter: str = "") -> int:
        """How many packets of the capture match a tcpdump filter."""
        said = run(["tcpdump", "-n", "-r", str(self.path), "--count", filter], timeout=60)
        return int(re.match(r"(\d+) packet", said)[1])

    def packets(self, filter: str = "") -> list[tuple[float, bytes]]:
        """(time, octets) of the packets that match; not for millions of them."""
        matching = self.path.with_suffix(".filtered.pcap")
        run(["tcpdump", "-n", "-r", str(self.path), "--time-stamp-precision=nano",
             "-w", str(matching), filter], timeout=60)
        packets = read_pcap(matching)
        matching.unlink()
        return packets


def read_pcap(path: Path) -> list[tuple[float, bytes]]:
    """A capture file with nanoseconds in this machine's byte order, as tcpdump wrote it here."""
    octets = path.read_bytes()
    if struct.unpack_from("=I", octets)[0] != 0xA1B23C4D:
        raise ValueError(f"{path}: not a pcap file with nanoseconds")
    packets, at = [], 24
    while at + 16 <= len(octets):
        seconds, nanoseconds, length, _ = struct.unpack_from("=IIII", octets, at)
        packets.append((seconds + nanoseconds / 1e9, octets[at + 16:at + 16 + length]))
        at += 16 + length
    return packets
