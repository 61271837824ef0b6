# SPDX-License-Identifier: BSD-3-Clause
"""
A scan of the pool at full rate (R72, D2): more than a million frames to addresses and ports that nobody has, as fast
as the TEP takes them, among those of flows that it knows, and of some that another TEP has.

The IPv4 side is a capture that is written while it is read (net_pcap on a FIFO): nothing is lost in front of the
TEP, so what does not come out was dropped by it. What it sends to the IPv6 side is a capture as well.
"""

import contextlib
import fcntl
import os
import signal
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "server"))

import dstm_server
import dstm_tep
from dstm_server import wait_for

POOL = "198.51.100.0/24"
RATE = 200
HELD = 256
KNOWN, ELSEWHERE = 4, 5  # leases
BLOCK, BLOCKS, EVERY = 20000, 100, 8  # frames at once; how often; one of EVERY is a known flow's
RECORD, FRAME = 16, 60  # octets
PORT_AT, MARK_AT = 36, 42  # in a frame: the destination port, four octets of payload
SIZE = RECORD + FRAME
OUT = RECORD + 14 + 40 + FRAME - 14
MAC = "02:00:00:00:04:01"


class HomeTep(dstm_tep.Tep):
    """Has the leases of clients that TEP 2 has to ask about."""


class ScannedTep(dstm_tep.Tep):
    V6 = "2001:db8::2"

    def __init__(self, folder):
        super().__init__(folder)
        self.fifo = folder / "in.pcap"
        self.out = folder / "out.pcap"
        os.mkfifo(self.fifo)
        self.eal = [*dstm_tep.EAL[:dstm_tep.EAL.index("--vdev")],
                    "--vdev", f"net_pcap0,tx_pcap={self.out}",
                    "--vdev", f"net_pcap1,rx_pcap={self.fifo},tx_pcap={folder / 'nothing.pcap'}"]
        self.config |= {
            "ports": {"v6": "net_pcap0", "v4": "net_pcap1"}, "idle_sleep_us": 0,
            "tunnel": {"v6": [HomeTep.V6, self.V6]}, "pools": [POOL],
            "query": {"enabled": True, "rate": RATE, "hold_packets": HELD, "hold_ms": 2000}}

    def counters(self):
        return {item["name"]: item["packets"] for item in self.ctl("counters")["items"]}

    def buffers(self):
        return sum(pool["in_use"] for pool in self.ctl("show")["buffers"])

    def memory_kb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])


class Feed:
    """Writes frames into the FIFO: a scan, and else one frame now and then: a worker waits in its read."""

    def __init__(self, path, mac):
        self.path = path
        self.mac = mac
        self.mark = 0
        self.idle = None
        self.ends = False
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        with contextlib.suppress(BrokenPipeError), open(self.path, "wb", buffering=0) as self.file:
            fcntl.fcntl(self.file, fcntl.F_SETPIPE_SZ, 1 << 20)
            self.file.write(bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 ffff0000 01000000"))
            while not self.ends:
                with self.lock:
                    self.file.write(self.frame("192.0.2.80", "203.0.113.1", 9))
                time.sleep(0.002)

    def frame(self, src, dst, port, mark=0):
        """A record of the capture."""
        mac = bytes.fromhex((self.mac + MAC).replace(":", ""))
        head = struct.pack(">BBHIBBH4s4s", 0x45, 0, FRAME - 14, 0, 64, 17, 0,
                           socket.inet_aton(src), socket.inet_aton(dst))
        total = sum(struct.unpack(">10H", head))
        total = ~(total % 0xffff) & 0xffff
        udp = struct.pack(">HHHHI", 53, port, FRAME - 34, 0, mark)
        octets = (mac + b"\x08\x00" + head[:10] + total.to_bytes(2, "big") + head[12:] + udp
                  ).ljust(FRAME, b"\0")
        assert len(octets) == FRAME
        return bytes(8) + FRAME.to_bytes(4, "little") * 2 + octets

    def write(self, octets):
        with self.lock:
            self.file.write(octets)

    def end(self):
        self.ends = True
        with contextlib.suppress(OSError):  # if nobody ever read
            os.close(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK))
        self.thread.join(10)


def scan_block(feed, known, sources):
    """BLOCK records: scanned addresses, and one of EVERY to a known flow."""
    free = [f"198.51.100.{i}" for i in range(100, 200)]
    scan = [feed.frame(src, dst, 0) for dst in free for src in sources]
    flows = [feed.frame("192.0.2.80", v4, port) for v4, port in known]
    records = [flows[i // EVERY % len(flows)] if i % EVERY == 0 else scan[i % len(scan)]
               for i in range(BLOCK)]
    return bytearray(b"".join(records))


def vary(block, first_mark):
    """Other ports in what is scanned, the next marks in what is known."""
    ports = [bytes(block[RECORD + PORT_AT + k::EVERY * SIZE]) for k in range(2)]
    for k in range(2):
        block[RECORD + PORT_AT + k::SIZE] = os.urandom(BLOCK)
        block[RECORD + PORT_AT + k::EVERY * SIZE] = ports[k]
    marks = range(first_mark, first_mark + BLOCK // EVERY)
    for k in range(4):
        block[RECORD + MARK_AT + k::EVERY * SIZE] = bytes(m >> 8 * (3 - k) & 255 for m in marks)
    return marks.stop


class Sampler:
    """How many questions the server has counted, again and again."""

    def __init__(self, server):
        self.server = server
        self.samples = []
        self.ends = False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.ends:
            before = time.monotonic()
            count = self.server.counter("tep-queries")
            self.samples.append((before, time.monotonic(), count))
            time.sleep(0.05)

    def end(self):
        self.ends = True
        self.thread.join()

    def most_in_a_second(self):
        """For certain within one second: between the begin of one sample and the end of another."""
        return max((b[2] - a[2] for i, a in enumerate(self.samples) for b in self.samples[i:]
                    if b[1] - a[0] <= 1), default=0)


@pytest.fixture(name="rig")
def fixture_rig(tmp_path):
    for name in ("home", "scanned", "server"):
        (tmp_path / name).mkdir()
    home, scanned = HomeTep(tmp_path / "home"), ScannedTep(tmp_path / "scanned")
    server = dstm_server.Server(tmp_path / "server", [home, scanned])
    server.config["pools"] = [
        {"name": "shared", "prefix": "198.51.100.0/26", "block_size": 4096, "copies": "query",
         "teps": [{"name": "tep0", "clients": ["2001:db8:1::/64"]},
                  {"name": "tep1", "clients": ["2001:db8:2::/64"]}]}]
    feed = Feed(scanned.fifo, "02:00:00:00:00:00")
    try:
        home.start()
        scanned.start()
        feed.mac = next(p["mac"] for p in scanned.ctl("show")["ports"] if p["side"] == "v4")
        server.start().wait_level()
        yield scanned, server, feed
    finally:
        feed.end()
        for process in (server, home, scanned):
            process.stop(signal.SIGKILL)


def leases(server, prefix, n):
    """(address, port) of each."""
    found = []
    for i in range(1, n + 1):
        info = server.lease(f"{prefix}::{i:x}")
        found.append((info.address("client", "ipv4"), info.ports[0][0] + i))
    return found


def frames_out(path):
    """(destination, mark) of the IPv4 packet in each frame."""
    octets = path.read_bytes()[24:]
    assert len(octets) % OUT == 0
    at = RECORD + 14 + 40
    for start in range(at, len(octets), OUT):
        yield (".".join(map(str, octets[start + 16:start + 20])),
               int.from_bytes(octets[start + 28:start + 32], "big"))


@pytest.mark.parametrize("prefixes", [1, 40])
def test_a_scan_costs_the_server_its_rate_and_known_flows_nothing(request, rig, prefixes):
    """By one prefix, and by so many that none stands out."""
    scanned, server, feed = rig
    known = leases(server, "2001:db8:2", KNOWN)
    elsewhere = leases(server, "2001:db8:1", ELSEWHERE)
    block = scan_block(feed, known, [f"203.0.{i}.77" for i in range(prefixes)])
    wait_for(lambda: len(scanned.bindings()) == KNOWN, "the known flows' bindings")
    before, memory = scanned.counters(), scanned.memory_kb()
    sampler = Sampler(server)
    request.addfinalizer(sampler.end)
    mark, buffers, start = 1, 0, time.monotonic()
    for i in range(BLOCKS):
        mark = vary(block, mark)
        feed.write(block)
        if i % 10 == 5:  # each time all of them, from a prefix that sends nothing else
            feed.write(b"".join(
                feed.frame(f"192.0.{i}.81", v4, port) for v4, port in elsewhere))
            buffers = max(buffers, scanned.buffers())
    took_s = time.monotonic() - start
    wait_for(lambda: scanned.counters()["encapsulated"] - before["encapsulated"] >= mark - 1,
             "the known flows' last frame")
    # Nothing of theirs was sent again after the scan: it keeps nobody else from an answer.
    wait_for(lambda: len(scanned.bindings()) == KNOWN + ELSEWHERE, "the others' bindings")
    time.sleep(2.2)  # what waits has come back or been given up
    sampler.end()
    more = {name: value - before[name] for name, value in scanned.counters().items()}
    print(f"{more['rx']} frames in {took_s:.1f} s, questions {more['ask_questions']}, in a second at "
          f"most {sampler.most_in_a_second()}, buffers at most {buffers}, memory {memory} and then "
          f"{scanned.memory_kb()} KiB; {({name: value for name, value in more.items() if value})}")
    assert more["rx"] - (mark - 1) >= 1_000_000
    assert 0 < sampler.most_in_a_second() <= RATE
    assert more["ask_questions"] <= RATE * (took_s + 4)
    assert buffers <= HELD + 2048 + 4096  # what waits, the rings, and what is in the worker's hands
    assert scanned.memory_kb() <= memory + 4096
    assert more["asked"] == more["ask_returned"] + sum(more[name] for name in (
        "ask_no_server", "ask_hold_full", "ask_timed_out", "ask_refused", "ask_back_full"))
    assert scanned.stop() == 0 and "packet buffers in use: 0" in scanned.log()
    addresses = {v4 for v4, _ in known}
    out = list(frames_out(scanned.out))
    assert [m for _, m in out if m] == list(range(1, mark))  # all of them, once, in order
    assert {v4 for v4, _ in out} <= addresses | {v4 for v4, _ in elsewhere}
