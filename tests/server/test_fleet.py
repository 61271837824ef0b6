# SPDX-License-Identifier: BSD-3-Clause
"""One pool behind several TEPs: who serves whom, and what happens when one of them fails (R37, R67)."""

import signal

import pytest

from dstm_server import A, B, Server, wait_for
from tsp_peers import address_xml

V6 = ("2001:db8::1", "2001:db8::2")


@pytest.fixture(name="fleet")
def fixture_fleet(tmp_path, teps):
    server = Server(tmp_path, teps)
    pool = server.config["pools"][0]
    del pool["tep"]
    pool["teps"] = ["tep0", "tep1"]
    yield server
    server.stop(signal.SIGKILL)
    assert "runtime error" not in server.log() and "Sanitizer" not in server.log()


def wait_down(server, i):
    wait_for(lambda: server.ctl("teps")["items"][i]["state"] == "down", f"tep{i} to be down")


def test_leases_are_spread_evenly_and_a_tep_that_is_down_gets_none(fleet, teps):
    fleet.start().wait_level()
    for i in range(10):
        fleet.lease(f"2001:db8:1::{i:x}")
    assert [len(tep.table) for tep in teps] == [5, 5]
    teps[0].stop()
    wait_down(fleet, 0)
    for i in range(4):
        info = fleet.lease(f"2001:db8:2::{i:x}")
        assert info.address("server", "ipv6") == V6[1]
    assert len(teps[1].table) == 9
    teps[0].start()


def test_the_tep_follows_the_clients_prefix(fleet, teps):
    """R37: the longest prefix wins."""
    fleet.config["pools"][0]["teps"] = [
        {"name": "tep0", "clients": ["2001:db8:1::/48"]},
        {"name": "tep1", "clients": ["2001:db8:1:1::/64", "2001:db8:2::/48"]}]
    fleet.start().wait_level()
    for v6, tep in (("2001:db8:1::9", 0), ("2001:db8:1:1::9", 1), ("2001:db8:2::9", 1)):
        assert fleet.lease(v6).address("server", "ipv6") == V6[tep]
    assert fleet.anonymous().create("2001:db8:3::9").code == 301


@pytest.mark.parametrize("policy, version, code", [
    ("refuse", "1.0", 307), ("refuse", "2.0.0", 310), ("another", "2.0.0", 200)])
def test_a_tep_that_does_not_answer(fleet, teps, policy, version, code):
    """R88: told to the client, or another one takes its place, and the first forgets."""
    fleet.config["pools"][0]["tep_failure"] = policy
    fleet.start().wait_level()
    teps[0].behaviour = "silent"
    info = fleet.anonymous(version).create(A)
    assert info.code == code
    if code == 200:
        assert info.address("server", "ipv6") == V6[1]
        assert list(teps[1].table) == [("198.51.100.7", info.ports)]
        teps[0].behaviour = "ok"
        fleet.wait_level()  # whatever it had, the list does not name it
        assert teps[0].table == {}


def test_a_renewal_moves_a_lease_and_it_stays_moved_over_a_restart(fleet, teps):
    """The answer names the new TEP; no TEP but that one is told of the lease again."""
    fleet.start().wait_level()
    client, first = fleet.lease(A, "1.0")
    assert first.address("server", "ipv6") == V6[0]
    teps[0].stop()
    wait_down(fleet, 0)
    again = client.create(A, v4="198.51.100.7", ports=first.ports)
    assert again.code == 200 and again.ports == first.ports
    assert again.address("server", "ipv6") == V6[1]
    assert fleet.leases("active")[0]["tep"] == "tep1"
    assert fleet.counter("leases-moved") == 1
    fleet.stop(signal.SIGKILL)
    teps[0].start()
    fleet.start().wait_level()
    assert fleet.leases("active")[0]["tep"] == "tep1"
    assert teps[0].table == {} and list(teps[1].table) == [("198.51.100.7", first.ports)]


def test_a_range_is_not_given_again_while_a_lost_tep_may_forward_it(fleet, teps):
    """Two TEPs never hold a range for two clients."""
    fleet.config["pools"][0]["block_size"] = 32768  # one block
    fleet.config["lease"]["quarantine_s"] = 0
    fleet.start().wait_level()
    client, info = fleet.lease(A, "1.0", lifetime=3)
    teps[0].stop()
    wait_down(fleet, 0)
    assert client.ask("delete", address_xml("198.51.100.7", A, info.ports)).code == 200
    assert fleet.anonymous().create(B).code == 301
    wait_for(lambda: fleet.ctl("pools")["items"][0]["free"] == 1, "the old binding's end")
    assert fleet.lease(B).address("server", "ipv6") == V6[1]
    teps[0].start()


def test_a_tep_may_ask_who_holds_a_port(fleet, teps):
    """R72 to R74, D2: the holder and no other, and only to a TEP that serves the pool."""
    fleet.config["pools"][0]["teps"] = ["tep0"]
    fleet.config["pools"].append({"name": "whole", "prefix": "203.0.113.9/32", "mode": "exclusive",
                                  "tep": "tep0"})
    fleet.start().wait_level()
    (first, last), = fleet.lease(A).ports
    fleet.lease(B, want="")
    for port in (first, last):
        found = teps[0].query("198.51.100.7", (port, port))
        assert found.code == 200 and found.action == "info"
        assert found.address("server", "ipv6") == A
        assert found.ports_of("server") == ((first, last),)
        assert found.address("client", "ipv6") == V6[0]
        assert 0 < found.lifetime <= 3600
    whole = teps[0].query("203.0.113.9")
    assert whole.address("server", "ipv6") == B and whole.ports_of("server") == ()
    # Another's port, a port that is never given out, a shared address without a port, no address of ours.
    for v4, ports in (("198.51.100.7", [(last + 1 & 0xffff, last + 1 & 0xffff)]),
                      ("198.51.100.7", [(80, 80)]), ("198.51.100.7", []), ("192.0.2.1", [])):
        assert teps[0].query(v4, *ports).code == 301
    assert teps[0].query("198.51.100.7", (first, last)).code == 500
    assert teps[1].query("198.51.100.7", (first, first)).code == 301
    assert fleet.counter("tep-refusals") == 0


def test_a_tep_that_asked_hears_of_what_becomes_of_the_lease(fleet, teps):
    """R72, R74: it has a copy, also of the next end, and not beyond the lease."""
    fleet.config["pools"][0]["copies"] = "query"
    fleet.start().wait_level()
    client, info = fleet.lease(A, "1.0")
    (first, last), = info.ports
    assert teps[1].query("198.51.100.7", (first, first)).address("client", "ipv6") == V6[0]
    assert [(t["homes"], t["copies"], t["queries_answered"])
            for t in fleet.ctl("teps")["items"]] == [(1, 0, 0), (0, 1, 1)]
    assert client.create(A, v4="198.51.100.7", ports=info.ports).code == 200
    assert list(teps[1].table) == list(teps[0].table) == [("198.51.100.7", info.ports)]
    teps[1].drop()
    fleet.wait_level()  # the list names what it asked for
    assert list(teps[1].table) == [("198.51.100.7", info.ports)]
    assert client.ask("delete", address_xml("198.51.100.7", A, info.ports)).code == 200
    assert teps[0].table == teps[1].table == {}
    assert teps[1].query("198.51.100.7", (last, last)).code == 301


def test_a_tep_asks_no_faster_than_it_may(fleet, teps):
    """D2: what a scan costs the server is bounded for each TEP."""
    fleet.config["limits"]["tep_queries_per_second"] = 5
    fleet.start().wait_level()
    codes = [teps[0].query("198.51.100.7", (80, 80)).code for _ in range(20)]
    assert codes[:5] == [301] * 5 and codes.count(530) >= 10
    assert teps[1].query("198.51.100.7", (80, 80)).code == 301
    assert fleet.counter("tep-queries-refused") == codes.count(530)
