# SPDX-License-Identifier: BSD-3-Clause
"""
What no caller should send, to the real server over real sockets: the reply that RFC 5531 has for it, or silence and a closed
connection; a counter each, nothing leased, and nothing grows. Each message goes by TCP and by UDP. Cites R38 and R39.
"""

import os
import random
import signal
from collections import Counter

import pytest

import rpc_peer
from dstm_server import wait_for
from rpc_peer import (NONE, NULL, RELEASE, RELEASE_REQ, REQUEST, REQUEST_REQ, Packet, Tcp, Udp,
                      auth_sys, call, opaque, record, release, request, words)
from rpc_world import CALLERS, PORT, RpcWorld, make_server
from tsp_peers import ScriptedTep

GROWTH_KB = 1024
IS_SANITIZED = "fuzz" in os.environ.get("DSTM_BUILD", "")
PASSES = 1 if IS_SANITIZED else 6
SEED = 20001

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

PROG_UNAVAIL, PROG_MISMATCH, PROC_UNAVAIL, GARBAGE_ARGS = 1, 2, 3, 4
RPC_MISMATCH, BADCRED, REJECTEDCRED = words(0, 2, 2), words(1, 1), words(1, 2)
WHOLE_CALL = call(NULL, xid=7)
ARGS = Packet(REQUEST_REQ).octets()


def no_calls():
    """Silence: whoever sent this cannot be answered."""
    cut = [WHOLE_CALL[:length] for length in range(0, len(WHOLE_CALL), 4)]
    odd = [WHOLE_CALL + bytes(n) for n in (1, 2, 3)]
    credentials = [call(NULL, credential=words(flavor, length), verifier=b"")
                   for flavor in (0, 1) for length in (401, 400, 8, 0xfffffffc, 0xffffffff)]
    verifiers = [call(NULL, verifier=words(0, length)) for length in (401, 400, 8, 0xffffffff)]
    directions = [words(7, direction) + WHOLE_CALL[8:] for direction in (1, 2, 0xffffffff)]
    chance = random.Random(SEED)
    noise = [chance.randbytes(length) for length in (1, 40, 104, 1024)]
    long = [call(REQUEST, bytes(1000)), bytes(1028), b"\xff" * 1400]
    reply = [words(7, 1, 0) + NONE + words(0) + ARGS]
    return cut + odd + credentials + verifiers + directions + noise + long + reply


def denied():
    """(message, what the denial says)."""
    for version in (0, 1, 3, 0xffffffff):
        yield call(NULL, rpc=version), RPC_MISMATCH
    yield words(7, 0, 9), RPC_MISMATCH
    for flavor in (2, 3, 6, 390003, 0xffffffff):
        yield call(REQUEST, ARGS, credential=opaque(flavor, b"1234")), REJECTEDCRED
    for body in (b"", words(7), words(7, 0, 0, 0, 17, *range(17)), words(7, 0, 0, 0, 0xffffffff),
                 words(7, 256) + bytes(256) + words(0, 0, 0), words(7, 0xffffffff, 0, 0, 0),
                 words(7, 0, 0, 0, 0, 0), words(7, 8, 0, 0)):
        yield call(REQUEST, ARGS, credential=opaque(1, body)), BADCRED


def refused():
    """(message, accept_stat)."""
    for program in (0, 100000, 100003, 0x20000d56, 0xffffffff):
        yield call(REQUEST, ARGS, program=program), PROG_UNAVAIL
    for version in (0, 2, 0xffffffff):
        yield call(REQUEST, ARGS, version=version), PROG_MISMATCH
    for procedure in (3, 4, 0x80000001, 0xffffffff):
        yield call(procedure, ARGS), PROC_UNAVAIL
    for args in (b"", words(1), ARGS[:60], ARGS + words(0), ARGS + ARGS, bytes(960), b"\xff" * 64):
        yield call(REQUEST, args), GARBAGE_ARGS
        yield call(RELEASE, args), GARBAGE_ARGS
    for kind in (0, 2, 3, 4, 0xffffffff):
        yield call(REQUEST, Packet(kind).octets()), GARBAGE_ARGS
    for kind in (0, 1, 2, 4):
        yield call(RELEASE, Packet(kind).octets()), GARBAGE_ARGS


def without_a_lease():
    """Well-formed, and nothing that this caller holds."""
    for v4 in ("0.0.0.1", "127.0.0.1", "224.0.0.1", "255.255.255.255", "198.51.100.7"):
        yield request(v4, extend=0xffffffff)
        yield release(v4)
    yield call(RELEASE, Packet(RELEASE_REQ).octets(), credential=auth_sys(b"x" * 255, groups=range(16)))


def streams():
    """Closed: what no record may be."""
    yield words(0x7fffffff)
    yield words(0xffffffff) + bytes(64)
    yield words(0x80000000 | 1025)
    yield words(1024) + bytes(1024) + words(0x80000001)
    yield words(0) * 65
    yield words(0x80000000)
    yield b"GET / HTTP/1.0\r\n\r\n"
    yield b"VERSION=2.0.0\r\n"
    yield bytes.fromhex("16030100c8010000c40303") + bytes(200)
    yield record(WHOLE_CALL[:20])


@pytest.fixture(name="server", scope="module")
def fixture_server(tmp_path_factory):
    world = RpcWorld()
    tep = ScriptedTep()
    server = make_server(tmp_path_factory.mktemp("hostile"), world, tep, idle_s=30)
    server.config["limits"] = {"connections_per_minute": 0, "requests_per_client": 0}
    try:
        server.start().wait_level()
        yield server
        assert server.stop() == 0
        assert "Sanitizer" not in server.log() and "runtime error" not in server.log()
    finally:
        server.stop(signal.SIGKILL)
        print(server.log()[-4000:])
        tep.stop()
        world.close()


def play_udp(expected):
    with Udp(PORT, CALLERS[0]) as caller:
        def next_reply(message, n=2):
            """n replies come: one of them to a call that is as it should be, behind this one."""
            caller.send(message)
            end = call(NULL)
            caller.send(end)
            replies = {reply.octets[:4]: reply for reply in (caller.receive() for _ in range(n))}
            assert replies.pop(end[:4]).accept == 0
            return replies.popitem()[1] if replies else None

        for message in no_calls():
            assert next_reply(message, 1) is None, message.hex()
            expected["rpc-malformed"] += 1
            expected["rpc-calls"] += 1
        play_answered(next_reply, expected)


def play_tcp(expected):
    for octets in [record(message) for message in no_calls()] + list(streams()):
        with Tcp(PORT, CALLERS[0]) as caller:
            caller.send(octets)
            assert caller.receive() is None, octets.hex()
            expected["rpc-malformed"] += 1
    with Tcp(PORT, CALLERS[0]) as caller:
        def next_reply(message):
            reply = caller.ask(message)
            assert caller.ask(call(NULL)).accept == 0
            return reply

        play_answered(next_reply, expected)


def play_answered(next_reply, expected):
    """Each call is followed by a NULL of its own."""
    for message, why in denied():
        reply = next_reply(message)
        assert reply.octets == message[:4] + words(1, 1) + why, message.hex()
        expected["rpc-denied"] += 1
        expected["rpc-calls"] += 2
    for message, accept in refused():
        reply = next_reply(message)
        rest = words(1, 1) if accept == PROG_MISMATCH else b""
        assert reply.octets == message[:4] + words(1, 0) + NONE + words(accept) + rest
        expected["rpc-garbage" if accept == GARBAGE_ARGS else "rpc-unknown"] += 1
        expected["rpc-calls"] += 2
    for message in without_a_lease():
        assert next_reply(message).packet().v4 == "0.0.0.0", message.hex()
        expected["rpc-refused"] += 1
        expected["rpc-calls"] += 2


def rss_kb(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def counters(server):
    return Counter({c["name"]: c["count"] for c in server.ctl("counters")["items"]
                    if c["name"].startswith("rpc-")})


def test_there_are_enough_of_them():
    groups = no_calls(), list(denied()), list(refused()), list(without_a_lease()), list(streams())
    messages = {bytes(m[0] if isinstance(m, tuple) else m)[4:] for group in groups for m in group}
    assert len(messages) >= 100


def test_each_is_answered_or_dropped_and_counted_and_memory_is_flat(server):
    sizes = []
    for _ in range(PASSES):
        before, expected = counters(server), Counter()
        play_udp(expected)
        play_tcp(expected)
        wait_for(lambda b=before, e=expected:
                 all(counters(server)[name] - b[name] == n for name, n in e.items()),
                 f"the counters: {expected}, {counters(server) - before}", 5)
        sizes.append(rss_kb(server))
    assert PASSES == 1 or sizes[-1] - sizes[1] < GROWTH_KB, sizes
    assert server.leases() == []
    assert server.counter("rpc-forbidden") == server.counter("rpc-busy") == 0
    with Udp(PORT, CALLERS[1]) as caller:
        assert caller.ask(rpc_peer.request()).packet().v4 != "0.0.0.0"
        assert caller.ask(rpc_peer.release()).packet().v4 != "0.0.0.0"
