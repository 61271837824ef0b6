# SPDX-License-Identifier: BSD-3-Clause
"""
The path between server and TEP, which breaks in every way that a path can.

A proxy of our own carries the session. It resets it, cuts it in the middle of a message, lets one direction or both stand
still for a while, or is not there at all. After each of these the digests of both tables have to be the same.
"""

import asyncio
import re
import socket
import struct
import time

EQUAL_S = 5  # from when both programs run and the path is whole


class Proxy:
    """Between a free port on ::1 and the TEP's. Runs in the loop of whoever starts it."""

    def __init__(self, target):
        self.target = target
        self.port = 0
        self.server = None
        self.writers = set()
        self.whole = asyncio.Event()  # octets pass
        self.octets_left = None  # until the session is cut; None: it is not

    async def start(self):
        self.whole.set()
        self.server = await asyncio.start_server(self.serve, "::1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self):
        if self.server is not None:
            self.server.close()
        self.server = None
        self.reset()

    async def serve(self, reader, writer):
        try:
            to_reader, to_writer = await asyncio.open_connection("::1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self.writers |= {writer, to_writer}
        await asyncio.gather(self.carry(reader, to_writer), self.carry(to_reader, writer))
        self.writers -= {writer, to_writer}

    async def carry(self, reader, writer):
        try:
            while octets := await reader.read(4096):
                await self.whole.wait()
                if self.octets_left is not None:
                    self.octets_left -= len(octets)
                    if self.octets_left < 0:
                        writer.write(octets[:self.octets_left])
                        await writer.drain()
                        self.octets_left = None
                        self.reset()
                        return
                writer.write(octets)
                await writer.drain()
            writer.write_eof()
        except (OSError, RuntimeError):
            writer.transport.abort()

    def reset(self):
        """Both ends hear of it by a reset."""
        for writer in self.writers:
            sock = writer.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def freeze(self, seconds):
        self.whole.clear()
        await asyncio.sleep(seconds)
        self.whole.set()


async def flap(world, rng):
    """One disturbance, over when this returns. Returns what it was."""
    proxy = world.proxy
    what = rng.choices(("reset", "cut", "freeze", "gone", "silent", "kill"), (50, 20, 15, 8, 1, 6))[0]
    if what == "reset":
        proxy.reset()
    elif what == "cut":
        proxy.octets_left = rng.randint(1, 30000)
        await asyncio.sleep(rng.uniform(0, 0.3))
        proxy.octets_left = None
        proxy.reset()
    elif what == "freeze":
        await proxy.freeze(rng.uniform(0.05, 0.8))
    elif what == "gone":
        await proxy.stop()
        await asyncio.sleep(rng.uniform(0, 0.5))
        await proxy.start()
    elif what == "silent":  # longer than the server waits for an answer
        await proxy.freeze(rng.uniform(2.1, 3))
    else:
        what = rng.choice(("kill server", "kill tep", "kill both"))
        world.kill({"kill server": ("server",), "kill tep": ("tep",)}.get(what, ("server", "tep")))
        await world.there()
    return what


def digests(world):
    """(server's, TEP's, do both say that they are equal), as dstmctl shows them; None: not now."""
    try:
        server = world.server.ctl("teps")["items"][0]
        tep = world.tep.ctl("show")["servers"][0]
    except OSError:
        return None
    if server["state"] != "connected" or tep["state"] != "connected":
        return None
    return server["digest"], tep["digest"], server["tables"] == "equal"


async def wait_equal(world):
    """Returns after how many seconds the digests were the same. The load has to be paused."""
    began = time.monotonic()
    found = None
    while found is None or found[0] != found[1] or not found[2]:
        if time.monotonic() > began + EQUAL_S:
            raise AssertionError(f"after {EQUAL_S} s: {found}; {world.server.log()[-3000:]}")
        await asyncio.sleep(0.01)
        world.check_running()
        found = digests(world)
    return time.monotonic() - began


async def rounds(world, load, history, n, rng):
    """Each round: a little load, a flap, equal digests. Now and then all of both tables is compared."""
    counts, took = {}, []
    between = max(1, min(n // 10, 50))
    for number in range(1, n + 1):
        await asyncio.sleep(rng.uniform(0, 0.25))
        load.check()
        what = await flap(world, rng)
        counts[what] = counts.get(what, 0) + 1
        began = time.monotonic()
        await load.pause()
        await wait_equal(world)
        took.append(time.monotonic() - began)
        if took[-1] > EQUAL_S:
            raise AssertionError(f"round {number}, {what}: equal after {took[-1]:.2f} s only")
        if number % between == 0 or number == n:
            await world.compare(history)
            print(f"flap {number}: digests and tables equal, {world.n_leases} leases", flush=True)
        load.resume()
    took.sort()
    print("flaps: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    print(f"digests equal after {took[len(took) // 2]:.2f} s (median), {took[-1]:.2f} s at most")
    log = world.server.log()
    listed = [int(n) for n in re.findall(r"level, (\d+) of 4096 parts", log)]
    print(f"{len(listed)} sessions: {listed.count(0)} were level at once, "
          f"{len([n for n in listed if n == 4096])} needed the whole list, of the others "
          f"{sum(n for n in listed if n < 4096)} parts were listed; "
          f"{log.count('have not been ours')} divergences while level")
