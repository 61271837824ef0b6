# SPDX-License-Identifier: BSD-3-Clause
"""
Every case of dhcp6_cases.py against the real server and the real TEP: answered, or dropped and counted by its reason.

All are played before the first test, and once more: after the first pass nothing may grow any more. Then floods.
Cites R70, D5, S25 and RFC 8415 sections 16 and 18.4.
"""

import os
import signal
import time

import pytest

from dhcp6_cases import ANSWERS, CASES, DROPS, HOSTILE, OUTCOMES, VICTIM
from dhcp6_world import Link, address_of
from dhcp6_octets import (RELEASE, RENEW, REQUEST, SOLICIT, SUCCESS, client, client_id, elapsed, ia,
                          message, option, ports)
from dstm_server import wait_for

GROWTH_KB = 1024
IS_SANITIZED = "fuzz" in os.environ.get("DSTM_BUILD", "")
PASSES = 1 if IS_SANITIZED else 2
FLOOD = 4000
PATIENCE_S = 10

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


class World(Link):
    """The link, and what became of the cases."""

    def __init__(self, folder):
        super().__init__(folder)
        self.server.config["auth"]["require_peer_address"] = True
        self.server.config["pools"][0]["prefix"] = "198.51.100.7/32"
        self.complaints = {}
        self.ledgers = []

    def outcomes(self):
        counters = self.counters()
        return counters["dhcp6-received"], {name: counters[name] for name in OUTCOMES}

    def send(self, case):
        if case.way == "relay":
            self.say_as_relay(case.octets)
        else:
            self.say(case.octets, "2001:db8:1::5" if case.way == "unicast" else "ff02::1:2")

    def play(self, case):
        """One datagram, and all that comes of it."""
        received, before = self.outcomes()
        self.send(case)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            now, after = self.outcomes()
            moved = {name: after[name] - before[name] for name in OUTCOMES
                     if after[name] != before[name]}
            if now > received and any(name in moved for name in DROPS | ANSWERS):
                break
        sock = self.relay if case.way == "relay" else self.direct
        answers = 0
        if any(name in moved for name in ANSWERS):
            answers = int(self.hear(PATIENCE_S, sock) is not None)
        return case.complaint(moved, answers + int(self.hear(0, sock) is not None))

    def play_all(self):
        for case in CASES:
            complaint = self.play(case)
            if complaint is not None:
                self.complaints.setdefault(case.name, complaint)
        self.ledgers.append(self.ledger())

    def ledger(self):
        pid = self.server.process.pid
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            rss_kb = int(file.read().split()[1]) * 4
        # Those that stay: a question to the control socket may be closed a little later.
        descriptors = []
        for _ in range(10):
            descriptors.append(len(os.listdir(f"/proc/{pid}/fd")))
            time.sleep(0.02)
        return {"rss_kb": rss_kb, "descriptors": min(descriptors),
                "leases": len(self.server.leases()), "bindings": len(self.tep.bindings()),
                "known": self.server.ctl("dhcp6")["known"]}

    def flood(self, datagrams):
        """As fast as the server reads them: none is lost."""
        received = self.counters()["dhcp6-received"]
        for number, octets in enumerate(datagrams, 1):
            self.say(octets)
            if number % 50 == 0:
                wait_for(lambda n=number: self.counters()["dhcp6-received"] >= received + n,
                         "the flood to be read")
                self.hush()
        wait_for(lambda: self.counters()["dhcp6-received"] >= received + len(datagrams),
                 "the flood to be read")
        self.hush()


@pytest.fixture(name="world", scope="module")
def fixture_world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("dhcp6_hostile")) as world:
        world.victim = world.lease(VICTIM).lease()
        world.ledgers.append(world.ledger())
        for _ in range(PASSES):
            world.play_all()
        yield world
        log = world.server.log()
        assert "runtime error" not in log and "Sanitizer" not in log, log[-10000:]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(world, case):
    assert case.name not in world.complaints, world.complaints[case.name]


def test_there_are_at_least_300_datagrams():
    assert len(CASES) >= 300
    assert len({case.name for case in CASES}) == len({(case.octets, case.way) for case in CASES}) \
        == len(CASES)


def test_nothing_is_left_of_them(world):
    start, *_, end = world.ledgers
    for what in ("descriptors", "leases", "bindings"):
        assert end[what] == start[what], what
    assert end["leases"] == 1 and end["known"] == 1  # the victim's


@pytest.mark.skipif(IS_SANITIZED, reason="one pass")
def test_the_second_pass_needs_no_more_memory_than_the_first(world):
    _, first, second = world.ledgers
    assert second["rss_kb"] - first["rss_kb"] < GROWTH_KB


def test_nobody_touched_the_victim(world):
    reply = world.tell(RENEW, VICTIM)
    assert reply.lease() == world.victim and reply.status() == SUCCESS
    assert world.counters()["leases-released"] == 0


def test_solicits_from_new_duids_cost_no_memory(world):
    """Nobody is taken down for asking."""
    def solicits(begin):
        return [message(SOLICIT, client_id(begin + i), elapsed(),
                        ia(client(address_of(0x10000 + i)), ports())) for i in range(FLOOD)]

    world.flood(solicits(0x10000))
    first = world.ledger()
    world.flood(solicits(0x20000))
    second = world.ledger()
    assert second["known"] == first["known"] and second["leases"] == first["leases"]
    if not IS_SANITIZED:
        assert second["rss_kb"] - first["rss_kb"] < GROWTH_KB


def test_requests_from_new_duids_get_what_there_is_and_no_more(world):
    """S25: 63 ranges of one address, then NoAddrsAvail; who has none is not known afterwards."""
    us = option(2, bytes.fromhex("00030001020000000005"))
    before = world.counters()
    world.flood([message(REQUEST, client_id(0x30000 + i), us, elapsed(),
                         ia(client(address_of(0x30000 + i)), ports()))
                 for i in range(500)])
    wait_for(lambda: world.counters()["dhcp6-replied"] >= before["dhcp6-replied"] + 500,
             "all to be answered")
    after = world.counters()
    active = len(world.server.leases("active"))
    assert active == world.server.ctl("dhcp6")["known"] <= 64
    assert after["dhcp6-no-addrs-avail"] - before["dhcp6-no-addrs-avail"] == 500 - (active - 1)
    assert len(world.tep.bindings()) == active
    for i in range(500):
        world.say(message(RELEASE, client_id(0x30000 + i), us,
                          ia(client(address_of(0x30000 + i)))))
    wait_for(lambda: len(world.server.leases("active")) == 1, "the releases")
    wait_for(lambda: len(world.server.leases()) == 1, "the quarantines to end")
    world.hush()


def test_an_honest_client_is_served_as_before(world):
    reply = world.lease(HOSTILE + 1)
    assert world.tell(RENEW, HOSTILE + 1).lease() == reply.lease()
    assert world.tell(RELEASE, HOSTILE + 1).status() == SUCCESS


def test_all_end_in_peace(world):
    """The last one: nothing runs any more after it. Under the sanitizers this is where leaks are told."""
    for process in (world.server, world.tep):
        assert process.stop(signal.SIGTERM) == 0
