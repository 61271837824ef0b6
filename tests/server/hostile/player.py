# SPDX-License-Identifier: BSD-3-Clause
"""Plays cases against a peer: what a case does not foresee is its complaint."""

import asyncio
import hashlib
import re
import socket
import struct

from tsp_peers import Message

from .cases import expand
from .sasl import Digest, Scram

PATIENCE_S = 30
SILENCE_S = 0.3
READ_MAX = 1 << 20


class Unexpected(Exception):
    """Something else came back than the case says."""


class Peer:
    """Where to connect, who we are there, and what is due to the one good request after each case."""

    def __init__(self, port, users, password, words, at_once, mechanism="ANONYMOUS"):
        self.port = port
        self.mechanism = mechanism
        self.password = password
        self.words = words
        self.users = asyncio.Queue()
        for i in range(at_once):
            self.users.put_nowait(users[i % len(users)])


class Conversation:
    """One connection of one case."""

    def __init__(self, peer, user, case):
        self.peer, self.user, self.case = peer, user, case
        number = int.from_bytes(hashlib.sha256(case.id.encode()).digest()[:6])
        client = "2001:db8:c:0:" + ":".join(f"{number >> s & 0xffff:x}" for s in (32, 16, 0)) + ":1"
        self.words = dict(peer.words, client=client,
                          v6=f'<address type="ipv6">{client}</address>')
        self.reader = self.writer = None
        self.is_shut = False

    async def connect(self):
        self.reader, self.writer = await asyncio.open_connection(
            "::1", self.peer.port, limit=READ_MAX)

    # --- sending ---

    async def send(self, data):
        """A peer that has closed hears no more: what it said is still to be read."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except (ConnectionError, OSError):
            pass

    async def send_line(self, text):
        await self.send(text.encode("latin-1") + b"\r\n")

    async def send_body(self, text):
        body = expand(text, self.words)
        await self.send(b"Content-length: %d\r\n" % len(body) + body)

    async def drip(self, text):
        for octet in expand(text, self.words):
            await self.send(bytes([octet]))
            await asyncio.sleep(0.001)

    async def authenticate(self, mechanism, changes):
        changes = dict({"user": self.user, "password": self.peer.password}, **changes)
        if mechanism == "SCRAM-SHA-256":
            exchange = Scram(**changes)
            await self.send_line("AUTHENTICATE SCRAM-SHA-256")
            await self.send_line(exchange.first())
            token = exchange.final(await self.challenge())
        else:
            await self.send_line("AUTHENTICATE DIGEST-MD5")
            token = Digest(**changes).answer(await self.challenge())
        await self.send_line(token)
        return token

    # --- receiving ---

    async def read(self, coroutine, what):
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await coroutine
        except TimeoutError:
            raise Unexpected(f"{what}: nothing came") from None
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise Unexpected(f"{what}: {error!r}") from None

    async def line(self, what="a line"):
        line = await self.read(self.reader.readline(), what)
        if not line.endswith(b"\n"):
            raise Unexpected(f"{what}: the end came, after {line!r}")
        return line.decode("latin-1").rstrip("\r\n")

    async def challenge(self):
        line = await self.line("a challenge")
        if line[:3].isdigit() and line[3:4] == " ":
            raise Unexpected(f"a challenge: {line!r} came")
        return line

    async def message(self, what):
        line = await self.line(what)
        header = re.fullmatch(r"Content-length: (\d+)", line)
        if header is None:
            raise Unexpected(f"{what}: {line!r} came")
        body = await self.read(self.reader.readexactly(int(header[1])), what)
        message = Message(body)
        if message.code == 200 and message.address("client", "ipv4"):
            self.words["v4"] = message.address("client", "ipv4")
            self.words["first"], self.words["last"] = (message.ports or ((0, 65535),))[0]
        return message

    async def expect_code(self, token):
        codes = token.split("/")
        code = int(codes[0 if self.case.generation == 1 else -1])
        message = await self.message(f"code {code}")
        if message.code != code:
            raise Unexpected(f"code {code}: {message.raw!r} came")

    async def expect_line(self, start):
        line = await self.line(f"the line {start!r}")
        if start != "*" and not line.startswith(start):
            raise Unexpected(f"the line {start!r}: {line!r} came")

    async def expect_end(self):
        data = await self.read(self.reader.read(READ_MAX), "the end")
        if data:
            raise Unexpected(f"the end: {data!r} came")

    async def expect_silence(self):
        try:
            async with asyncio.timeout(SILENCE_S):
                data = await self.reader.read(READ_MAX)
        except TimeoutError:
            return
        raise Unexpected(f"silence: {data!r} came")

    async def expect(self, outcome):
        for token in expand(outcome, {}).decode().split():
            kind, _, rest = token.partition(":")
            if kind == "line":
                await self.expect_line(rest)
            elif kind == "delete":
                message = await self.message("a delete")
                if message.code is not None or message.action != "delete":
                    raise Unexpected(f"a delete: {message.raw!r} came")
            elif kind == "end":
                await self.expect_end()
            elif kind == "silent":
                await self.expect_silence()
            else:
                await self.expect_code(token)

    # --- a case ---

    async def begin(self):
        """To where the case begins."""
        if self.case.start == "connect":
            return
        await self.send_line("VERSION=1.0" if self.case.generation == 1 else "VERSION=2.0.0")
        await self.expect("line:CAPABILITY")
        if self.case.start == "hello":
            return
        if self.peer.mechanism == "ANONYMOUS":
            await self.send_line("AUTHENTICATE ANONYMOUS")
            await self.send_line("")
            await self.expect("line:200")
        else:
            await self.authenticate(self.peer.mechanism, {})
            await self.expect("line:* line:200")

    async def play(self, step):
        if isinstance(step, str):
            return await self.send(expand(step, self.words))
        (kind, value), = step.items()
        if kind == "body":
            await self.send_body(value)
        elif kind == "expect":
            await self.expect(str(value))
        elif kind == "drip":
            await self.drip(value)
        elif kind == "pause":
            await asyncio.sleep(value)
        elif kind == "fin":
            self.writer.write_eof()
        elif kind == "reset":
            self.writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
            self.is_shut = True
        else:
            await self.authenticate(
                {"scram": "SCRAM-SHA-256", "digest": "DIGEST-MD5"}[kind], value)

    async def is_alive(self):
        """Nobody has this lease: the answer changes nothing."""
        await self.send_body(
            '<tunnel action="delete" type="v4v6"><client>{v6}'
            '<address type="ipv4">203.0.113.77</address></client></tunnel>')
        await self.expect_code(self.words["no_lease"])

    async def run(self):
        await self.connect()
        await self.begin()
        for step in self.case.steps:
            await self.play(step)
        if self.is_shut:
            return
        await self.expect(self.case.outcome)
        if self.case.start == "session" and not re.search(r"(end|silent)$", self.case.outcome):
            await self.is_alive()

    async def close(self):
        if self.writer is None:
            return
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (ConnectionError, OSError):
            pass


async def play_case(case, peer, complaints):
    user = await peer.users.get()
    conversation = Conversation(peer, user, case)
    try:
        await conversation.run()
    except (Unexpected, OSError) as error:
        complaints[case.id] = str(error) or repr(error)
    finally:
        await conversation.close()
        peer.users.put_nowait(user)


async def play_all(cases, peers):
    """What came otherwise, by the case's id."""
    complaints = {}
    await asyncio.gather(*(play_case(case, peers[case.peer], complaints) for case in cases))
    return complaints
