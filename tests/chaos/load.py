# SPDX-License-Identifier: BSD-3-Clause
"""
Clients that create, renew and release without pause, and check each answer against the history.

A session is one connection with some clients of its own, of whom it asks one thing at a time; when the server is
gone it connects again. Generation 1: an answered lease is the client's without an accept.
"""

import asyncio
import random
import re
import time

from tsp_peers import Message, address_xml, frame

from .history import Violation

LIFETIME_S = (4, 40)
ANSWER_S = 30


class Client:
    """One tunnel end; lease: ((v4, first, last), holding) or None."""

    def __init__(self, v6):
        self.v6 = v6
        self.lease = None


class Session:
    """Its connection, its clients, and what became of their requests."""

    def __init__(self, load, number, n_clients):
        self.load = load
        self.random = random.Random(f"{load.seed}-{number}")
        self.clients = [Client(f"2001:db8:{number + 1:x}::{i + 1:x}") for i in range(n_clients)]
        self.reader = self.writer = None

    # --- the connection ---

    async def connect(self):
        self.reader, self.writer = await asyncio.open_connection("::1", self.load.port)
        self.writer.write(b"VERSION=1.0\r\nAUTHENTICATE ANONYMOUS\r\n\r\n")
        for start in (b"CAPABILITY", b"200"):
            line = await self.reader.readline()
            if not line.startswith(start):
                raise ConnectionError(f"{line!r} came")

    def disconnect(self):
        if self.writer is not None:
            self.writer.transport.abort()
        self.reader = self.writer = None

    async def ask(self, action, inside, attributes=""):
        """The answer; a delete of the server's own, for a lease that has ended, comes in between."""
        self.writer.write(frame(f'<tunnel action="{action}" type="v4v6"{attributes}>'
                                f"<client>{inside}</client></tunnel>"))
        while True:
            header = re.fullmatch(rb"Content-length: (\d+)\r\n", await self.reader.readline())
            if header is None:
                raise ConnectionError("the stream ended")
            message = Message(await self.reader.readexactly(int(header[1])))
            if message.code is not None:
                return message

    # --- transactions ---

    async def create(self, client):
        """A new lease or a renewal, which names what it holds."""
        held = client.lease
        lifetime = self.random.randint(*LIFETIME_S)
        names = address_xml(v6=client.v6) + "<ports/>"
        if held is not None:
            (v4, first, last), _ = held
            names = address_xml(v4, client.v6, [(first, last)])
        asked = time.monotonic()
        if held is not None:
            held[1].end = min(held[1].end, asked + lifetime)  # a wish for less may be granted unheard
        answer = await self.ask("create", names, f' lifetime="{lifetime}"')
        now = time.monotonic()
        if answer.code != 200:
            return self.refused(client, answer.code, now)
        (first, last), = answer.ports
        key = (answer.address("client", "ipv4"), first, last)
        if held is not None and held[1].end > now and key != held[0]:
            raise Violation(f"{client.v6} held {held[0]} and was given {key}")
        client.lease = key, self.load.history.given(client.v6, key, asked, now, answer.lifetime)
        self.load.count("renewed" if held else "created")

    def refused(self, client, code, now):
        self.load.count(f"refused {code}")
        if client.lease is None:
            return
        key, holding = client.lease
        if holding.end <= now:
            client.lease = None
        elif code == 308 and holding.certain:
            raise Violation(f"{client.v6} is refused {key}, which it holds "
                            f"for {holding.end - now:.1f} s more")
        elif code == 308:
            client.lease = None

    async def release(self, client):
        key, holding = client.lease
        holding.end, holding.certain = min(holding.end, time.monotonic()), False
        answer = await self.ask("delete", address_xml(v6=client.v6))
        client.lease = None
        self.load.count("released" if answer.code == 200 else f"release refused {answer.code}")

    async def transaction(self):
        client = self.random.choice(self.clients)
        if client.lease is not None and client.lease[1].end <= time.monotonic():
            client.lease = None
        if client.lease is not None and self.random.random() < 0.4:
            await self.release(client)
        else:
            await self.create(client)

    async def run(self):
        while True:
            await self.load.turn()
            self.load.busy += 1
            try:
                async with asyncio.timeout(ANSWER_S):
                    if self.writer is None:
                        await self.connect()
                    await self.transaction()
            except TimeoutError:
                raise Violation(f"no answer within {ANSWER_S} s") from None
            except (ConnectionError, OSError, asyncio.IncompleteReadError):
                self.disconnect()
                await asyncio.sleep(0.02)
            finally:
                self.load.busy -= 1


class Load:
    """All sessions, at a rate, over one history. paused: nobody begins a transaction."""

    def __init__(self, port, history, seed, rate, n_sessions=24, n_clients=60):
        self.port, self.history, self.seed, self.rate = port, history, seed, rate
        self.counts = {}
        self.busy = 0
        self.paused = False
        self.next = 0.0
        self.sessions = [Session(self, i, n_clients) for i in range(n_sessions)]
        self.tasks = []

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    async def turn(self):
        """When the caller may begin: so many a second, none while paused."""
        while self.paused:
            await asyncio.sleep(0.01)
        now = time.monotonic()
        self.next = max(self.next + 1 / self.rate, now - 0.1)
        await asyncio.sleep(max(self.next - now, 0))

    def start(self):
        self.tasks = [asyncio.create_task(session.run()) for session in self.sessions]

    def check(self):
        """Raises what a session raised."""
        for task in self.tasks:
            if task.done():
                task.result()

    async def pause(self):
        self.paused = True
        while self.busy > 0:
            self.check()
            await asyncio.sleep(0.01)

    def resume(self):
        self.paused = False

    async def stop(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for session in self.sessions:
            session.disconnect()
