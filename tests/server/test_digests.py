# SPDX-License-Identifier: BSD-3-Clause
"""
Whether the tables of server and TEP are the same is known by digests: what differs is listed, seen, and mended (S1).

A real TEP, to which a second server may speak, too: it is the hand that takes away what it should not.
"""

import signal
import time

import pytest

from dstm_server import Server, wait_for
from dstm_tep import Tep
from tsp_peers import Client, ScriptedTep, address_xml

N = 40
HEAL_S = 5
PASSWORDS = {"server1": "between-us", "server2": "other"}


@pytest.fixture(name="tep")
def fixture_tep(tmp_path):
    tep = Tep(tmp_path, PASSWORDS)
    yield tep.start()
    tep.stop(signal.SIGKILL)
    assert "runtime error" not in tep.log() and "Sanitizer" not in tep.log()


@pytest.fixture(name="pair")
def fixture_pair(tmp_path, tep):
    server = Server(tmp_path, [tep])
    server.config["pools"][0]["prefix"] = "198.51.100.0/26"
    server.start().wait_level()
    with_leases(server)
    yield server, tep
    server.stop(signal.SIGKILL)
    assert "runtime error" not in server.log() and "Sanitizer" not in server.log()


def with_leases(server):
    client = server.anonymous("1.0")
    for i in range(N):
        assert client.create(f"2001:db8:1::{i:x}").code == 200
    client.close()


def speak(tep, user):
    client = Client(tep.port)
    assert client.scram(user, PASSWORDS[user]).startswith("200")
    return client


def views(server, tep):
    return server.ctl("teps")["items"][0], tep.ctl("show")["servers"][0]


def are_equal(server, tep):
    """Both sides say so, and show the same numbers."""
    ours, its = views(server, tep)
    return (ours["tables"] == its["tables"] == "equal" and ours["differs_s"] is its["differs_s"] is None
            and ours["digest"] == ours["tep_digest"] == its["digest"] == its["server_digest"])


def table(tep):
    return {(b["v4"], b["first"]): b["client"] for b in tep.bindings()}


def test_both_sides_show_the_same_digest(pair):
    server, tep = pair
    wait_for(lambda: are_equal(server, tep), "equal digests")
    assert views(server, tep)[0]["digest"] != "0" * 16
    assert len(table(tep)) == N


def test_equal_tables_are_not_listed_after_a_kill(pair):
    """R27, R30: the ends read from the store are the ones that the TEP was told."""
    server, tep = pair
    before = table(tep)
    server.stop(signal.SIGKILL)
    server.start().wait_level()
    assert server.counter("tep-levelled") == 0
    assert server.counter("tep-by-digest") == 1
    assert "0 of 4096 parts of the table were listed" in server.log()
    assert table(tep) == before
    wait_for(lambda: are_equal(server, tep), "equal digests")


def test_only_the_part_that_differs_is_listed(pair):
    """What the server does not know is gone, what it does is not touched."""
    server, tep = pair
    before = table(tep)
    server.stop(signal.SIGKILL)
    own = speak(tep, "server1")
    assert own.ask("create", address_xml("198.51.100.77", "2001:db8:2::1", [(1024, 2047)]),
                   ' lifetime="600"').code == 200
    own.close()
    assert len(table(tep)) == N + 1
    server.start().wait_level()
    wait_for(lambda: table(tep) == before, "the stranger to go")
    assert server.counter("tep-levelled") <= N // 2
    assert "1 of 4096 parts of the table were listed" in server.log()


def test_what_another_hand_removes_is_put_back_within_5_s(pair):
    server, tep = pair
    wait_for(lambda: are_equal(server, tep), "equal digests")
    before = table(tep)
    (v4, first), client = next(iter(before.items()))
    other = speak(tep, "server2")
    assert other.ask("delete", address_xml(v4, client, [(first, first + 1023)])).code == 200
    began = time.monotonic()
    wait_for(lambda: table(tep) == before, "the binding to be put back")
    assert time.monotonic() - began < HEAL_S
    assert server.counter("tep-diverged") == server.counter("tep-mended") == 1
    assert views(server, tep)[0]["mended"] == 1
    assert views(server, tep)[1]["leaves_listed"] == 1
    assert "1 of 4096 parts of its table have not been ours" in server.log()
    wait_for(lambda: are_equal(server, tep), "equal digests")
    other.close()


def test_what_cannot_be_mended_is_shown(pair):
    """A binding that another server's stands in the way of: both sides say that the tables differ, and it stays seen."""
    server, tep = pair
    wait_for(lambda: are_equal(server, tep), "equal digests")
    (v4, first), client = next(iter(table(tep).items()))
    ports = [(first, first + 1023)]
    other = speak(tep, "server2")
    assert other.ask("delete", address_xml(v4, client, ports)).code == 200
    assert other.ask("create", address_xml(v4, "2001:db8:3::3", ports), ' lifetime="600"').code == 200
    wait_for(lambda: views(server, tep)[0]["tables"] == "differ", "the server to see it")
    wait_for(lambda: views(server, tep)[1]["tables"] == "differ", "the TEP to be told")
    assert views(server, tep)[0]["differs_s"] >= 1
    assert table(tep)[(v4, first)] == "2001:db8:3::3"
    assert other.ask("delete", address_xml(v4, "2001:db8:3::3", ports)).code == 200
    wait_for(lambda: are_equal(server, tep), "equal digests")
    assert table(tep)[(v4, first)] == client
    assert "its table is ours again" in server.log()
    other.close()


def test_a_tep_that_knows_no_digests_gets_the_whole_list(tmp_path):
    """One of before there were any (tsp_peers.py): it is level, and that is all that is known."""
    old = ScriptedTep()
    server = Server(tmp_path, [old])
    try:
        server.config["lease"]["tep_compare_s"] = 1
        server.start().wait_level()
        server.lease("2001:db8:1::1")
        server.stop(signal.SIGKILL)
        old.forget()
        server.start().wait_level()
        assert [m.sync for m in old.seen("list")] == ["digest", "begin", "end"]
        assert len(old.seen("create")) == 1 and len(old.table) == 1
        assert server.counter("tep-by-digest") == server.counter("tep-refusals") == 0
        assert server.ctl("teps")["items"][0]["tables"] == "unknown"
    finally:
        server.stop(signal.SIGKILL)
        old.stop()


def test_a_server_that_asks_for_no_digests_gets_what_it_got_before(tep):
    """An older server: a whole list, and no word of when leases end by its clock."""
    own = speak(tep, "server1")
    binding = address_xml("198.51.100.77", "2001:db8:2::1", [(1024, 2047)])
    stale = address_xml("198.51.100.78", "2001:db8:2::1", [(1024, 2047)])
    assert own.ask("create", stale, ' lifetime="600"').code == 200
    assert own.ask("list", attributes=' sync="begin"').code == 200
    assert own.ask("create", binding, ' lifetime="600"').code == 200
    assert own.ask("list", attributes=' sync="end"').code == 200
    assert list(table(tep)) == [("198.51.100.77", 1024)]
    its = tep.ctl("show")["servers"][0]
    assert its["state"] == "connected" and its["tables"] == "unknown" and its["server_digest"] is None
    own.close()
