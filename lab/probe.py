# SPDX-License-Identifier: BSD-3-Clause
"""Traffic whose every gap and loss is known. probe.py serve PORT | KIND HOST PORT [COUNT]

serve answers the three kinds of traffic, on TCP and UDP; the others print "goes" once something has
come on all that they opened, run until their standard input ends, and print one JSON object:

    stream     numbered datagrams both ways, one each 5 ms: for each way, how many were sent and
               came, the longest silence in milliseconds and when it began (time.time())
    talk       COUNT TCP connections, each of which says something each 200 ms and hears it again:
               how many answers came, the failures (sentences), the longest wait in milliseconds
    download   one TCP connection, 4 MB a second, each octet of which is checked
"""

import asyncio
import json
import os
import random
import socket
import sys
import time

PERIOD_S = 0.005
TALK_PERIOD_S = 0.2
TALK_OCTETS = 512
PATIENCE_S = 20  # a connection that is silent for longer has broken
PACE = 4_000_000  # octets a second
SO_MAX_PACING_RATE = 47  # <asm-generic/socket.h>
BLOCK = random.Random(1).randbytes(16384 - 8)
TALK, DOWNLOAD, REPORT = b"talk\n", b"load\n", b"report"


def block(number: int) -> bytes:
    return number.to_bytes(8, "big") + BLOCK


class Arrivals:
    """What came of one way of a stream."""

    def __init__(self):
        self.count = 0
        self.silence_s, self.silent_since = 0.0, 0.0
        self._last = None

    def note(self):
        now = time.time()
        if self._last is not None and now - self._last > self.silence_s:
            self.silence_s, self.silent_since = now - self._last, self._last
        self._last = now
        self.count += 1

    def report(self) -> dict:
        return {"received": self.count, "gap_ms": round(self.silence_s * 1000, 1),
                "since": self.silent_since}


class StreamEnd(asyncio.DatagramProtocol):
    """Both ends of a stream. The server's has a Way for each peer, the client's has one."""

    def __init__(self, peer=None):
        self._peer = peer
        self._ways: dict = {}
        self.remote_report = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self._transport = transport
        if self._peer:
            self.way(self._peer)

    def way(self, peer) -> "Way":
        if peer not in self._ways:
            self._ways[peer] = Way(self._transport, peer)
        return self._ways[peer]

    def datagram_received(self, data, peer):
        if data == REPORT:
            self.way(peer).stop()
            self._transport.sendto(REPORT + json.dumps(self.way(peer).report()).encode(), peer)
        elif data.startswith(REPORT):
            if not self.remote_report.done():
                self.remote_report.set_result(json.loads(data[len(REPORT):]))
        else:
            self.way(peer).arrivals.note()

    def error_received(self, error):
        pass  # an ICMP error is a lost datagram, and counted as one


class Way:
    """To one peer a datagram each PERIOD_S, and what comes back."""

    def __init__(self, transport, peer):
        self.arrivals = Arrivals()
        self.sent = 0
        self._task = asyncio.get_running_loop().create_task(self._send(transport, peer))

    async def _send(self, transport, peer):
        due = time.monotonic()
        while True:
            transport.sendto(b"%d" % self.sent, peer)
            self.sent += 1
            due = max(due + PERIOD_S, time.monotonic() - 1)
            await asyncio.sleep(due - time.monotonic())

    def stop(self):
        self._task.cancel()

    def report(self) -> dict:
        return self.arrivals.report() | {"sent": self.sent}


async def end_of_input():
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


def goes():
    print("goes", flush=True)


async def stream(host: str, port: int) -> dict:
    transport, end = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: StreamEnd((host, port)), local_addr=("0.0.0.0", 0))
    mine = end.way((host, port))
    deadline = time.monotonic() + PATIENCE_S
    while not mine.arrivals.count and time.monotonic() < deadline:
        await asyncio.sleep(PERIOD_S)
    goes()
    await end_of_input()
    mine.stop()
    await asyncio.sleep(0.2)  # what is under way arrives
    deadline = time.monotonic() + PATIENCE_S
    while not end.remote_report.done() and time.monotonic() < deadline:
        transport.sendto(REPORT, (host, port))
        await asyncio.wait([end.remote_report], timeout=0.2)
    if not end.remote_report.done():
        end.remote_report.set_result(Arrivals().report() | {"sent": 0})
    theirs, own = end.remote_report.result(), mine.report()
    return {"up": theirs | {"sent": own["sent"]}, "down": own | {"sent": theirs["sent"]}}


async def connect(host: str, port: int):
    """Tries again for a while: what matters here is what becomes of a connection that stands."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await asyncio.wait_for(asyncio.open_connection(host, port), PATIENCE_S)
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(TALK_PERIOD_S)


async def talk(host: str, port: int, count: int) -> dict:
    ended = asyncio.create_task(end_of_input())
    tally = {"connections": 0, "answers": 0, "failures": [], "wait_ms": 0.0}

    def note_answer():
        tally["answers"] += 1
        if tally["answers"] == count:  # as good as one of each
            goes()

    await asyncio.gather(*(talk_once(host, port, ended, tally, note_answer)
                           for _ in range(count)))
    return tally


async def talk_once(host: str, port: int, ended: asyncio.Task, tally: dict, note_answer):
    try:
        reader, writer = await connect(host, port)
        writer.write(TALK)
        tally["connections"] += 1
        while not ended.done():
            began = time.monotonic()
            said = os.urandom(TALK_OCTETS)
            writer.write(said)
            heard = await asyncio.wait_for(reader.readexactly(TALK_OCTETS), PATIENCE_S)
            if heard != said:
                raise OSError("the answer is not what was said")
            note_answer()
            tally["wait_ms"] = max(tally["wait_ms"], (time.monotonic() - began) * 1000)
            await asyncio.wait([ended], timeout=TALK_PERIOD_S)
        writer.close()
    except (OSError, EOFError, asyncio.TimeoutError) as error:
        tally["failures"].append(f"{type(error).__name__}: {error}")


async def download(host: str, port: int) -> dict:
    ended = asyncio.create_task(end_of_input())
    tally = {"octets": 0, "failures": []}
    try:
        reader, writer = await connect(host, port)
        writer.write(DOWNLOAD)
        number, size = 0, len(block(0))
        while not ended.done():
            if await asyncio.wait_for(reader.readexactly(size), PATIENCE_S) != block(number):
                raise OSError(f"block {number} is not what was sent")
            number += 1
            tally["octets"] += size
            if number == 1:
                goes()
        writer.close()
    except (OSError, EOFError, asyncio.TimeoutError) as error:
        tally["failures"].append(f"{type(error).__name__}: {error}")
    return tally


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
    """One TCP connection at the server."""
    try:
        if await reader.readexactly(5) == DOWNLOAD:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, PACE)
            number = 0
            while True:
                writer.write(block(number))
                await writer.drain()
                number += 1
        while said := await reader.read(65536):
            writer.write(said)
            await writer.drain()
    except (OSError, EOFError):
        pass  # the peer has gone; it tells why
    finally:
        writer.close()


async def serve(port: int):
    await asyncio.get_running_loop().create_datagram_endpoint(
        StreamEnd, local_addr=("0.0.0.0", port))
    server = await asyncio.start_server(answer, "0.0.0.0", port, backlog=1024)
    await server.serve_forever()


async def main():
    kind, *arguments = sys.argv[1:]
    if kind == "serve":
        await serve(int(arguments[0]))
    run = {"stream": stream, "talk": talk, "download": download}[kind]
    print(json.dumps(await run(arguments[0], *map(int, arguments[1:]))))


if __name__ == "__main__":
    asyncio.run(main())
