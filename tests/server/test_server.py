# SPDX-License-Identifier: BSD-3-Clause
"""Leases as clients of both generations see them: codes, authentication, renewal, release, expiry."""

import socket
import time

import pytest

from dstm_server import A, B, wait_for
from tsp_peers import Client, Stream, address_xml, frame


# --- create -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.0", "2.0.0", "2.0.1"])
def test_a_create_is_answered_with_what_the_tep_gave(server, tep, version):
    """R85, R89, R90, R100, R101, D1: TEP first, then the client, identical data."""
    server.start().wait_level()
    client = server.anonymous(version)
    info = client.create(["fe80::1", A] if version == "1.0" else A, lifetime=600)
    assert info.code == 200 and info.action == "info"
    assert info.lifetime == 600
    assert info.address("server", "ipv4") == tep.V4
    assert info.address("server", "ipv6") == tep.V6
    assert info.address("client", "ipv4") == "198.51.100.7"
    assert info.address("client", "ipv6") == A
    (first, last), = info.ports
    assert first >= 1024 and first % 1024 == 0 and last == first + 1023
    assert tep.table == {("198.51.100.7", ((first, last),)): (A, 600)}
    lease, = server.leases()
    assert lease["state"] == "active" and lease["client"] == A and lease["user"] == ""
    assert lease["ports"] == [[first, last]] and 590 <= lease["seconds_left"] <= 600


def test_lifetimes_are_kept_within_bounds(server):
    server.config["lease"]["lifetime_min_s"] = 60
    server.start().wait_level()
    assert server.lease(A, lifetime=5).lifetime == 60
    assert server.lease(B, lifetime=100000).lifetime == 3600
    assert server.lease("2001:db8:1::c").lifetime == 3600


def test_one_address_gives_63_blocks_of_1024_and_then_the_pool_is_exhausted(server, tep):
    """R26, R62, R84: codes 306 and 301."""
    server.start().wait_level()
    client = server.anonymous("1.0")
    for i in range(63):
        client.tell("create", address_xml(v6=f"2001:db8:2::{i:x}") + "<ports/>")
    blocks = {client.read_message().ports for _ in range(63)}  # pipelined
    assert blocks == {((first, first + 1023),) for first in range(1024, 65536, 1024)}
    assert len(tep.table) == 63
    assert client.create("2001:db8:3::1").code == 306
    assert server.anonymous("2.0.0").create("2001:db8:3::1").code == 301
    pool, = server.ctl("pools")["items"]
    assert (pool["total"], pool["leased"], pool["free"]) == (63, 63, 0)
    assert server.counter("refused-exhausted") == 2


def test_a_client_without_ports_gets_a_whole_address_or_none(server, tep):
    """D1: 306 and 301 where there is no exclusive pool."""
    server.start().wait_level()
    assert server.anonymous("1.0").create(A, want="").code == 306
    assert server.anonymous("2.0.0").create(A, want="").code == 301
    server.stop()
    server.config["pools"].append(
        {"name": "whole", "prefix": "203.0.113.4/31", "mode": "exclusive", "tep": "tep0"})
    server.start().wait_level()
    info = server.lease(A, want="")
    assert info.address("client", "ipv4") in ("203.0.113.4", "203.0.113.5")
    assert info.ports == ()
    assert (info.address("client", "ipv4"), ()) in tep.table
    assert server.leases()[0]["ports"] == [[0, 65535]]


def test_several_ranges_where_more_ports_are_asked_for_than_a_block_has(server, tep):
    server.start().wait_level()
    info = server.lease(A, want='<ports count="3000"/>')
    assert len(info.ports) == 3
    assert list(tep.table) == [("198.51.100.7", info.ports)]
    assert server.anonymous().create(B, want='<ports count="9000"/>').code == 301


def test_pools_are_chosen_by_the_clients_prefix(server):
    """R7, R37."""
    server.config["pools"] = [
        {"name": "one", "prefix": "198.51.100.1/32", "tep": "tep0",
         "clients": ["2001:db8:1::/48"]},
        {"name": "two", "prefix": "198.51.100.2/32", "tep": "tep0",
         "clients": ["2001:db8:2::/48"]},
    ]
    server.start().wait_level()
    assert server.lease("2001:db8:1::9").address("client", "ipv4") == "198.51.100.1"
    assert server.lease("2001:db8:2::9").address("client", "ipv4") == "198.51.100.2"
    assert server.anonymous().create("2001:db8:3::9").code == 301


@pytest.mark.parametrize("version, code", [("1.0", 309), ("2.0.0", 502)])
def test_a_tunnel_end_that_is_no_global_address_is_refused(server, version, code):
    """R83, R106."""
    server.start().wait_level()
    client = server.anonymous(version)
    for v6 in ("fe80::1", "::1", "ff02::1", []):
        assert client.create(v6).code == code
    assert server.leases() == []


@pytest.mark.parametrize("version, code", [("1.0", 309), ("2.0.0", 502)])
def test_a_tunnel_end_that_is_not_the_peer_is_refused_unless_allowed(server, version, code):
    server.config["auth"]["require_peer_address"] = True
    server.start().wait_level()
    assert server.anonymous(version).create(A).code == code


@pytest.mark.parametrize("version, code", [("1.0", 310), ("2.0.0", 501)])
def test_a_malformed_ipv4_address_is_refused(server, version, code):
    """R106, D6."""
    server.start().wait_level()
    assert server.anonymous(version).create(A, v4="198.51.100.700").code == code


@pytest.mark.parametrize("body, code", [
    ('<tunnel action="create" type="v6v4"><client/></tunnel>', 303),
    ('<tunnel action="create"><client/></tunnel>', 500),
    ('<!DOCTYPE tunnel><tunnel action="create" type="v4v6"/>', 500),
    ('<tunnel action="list" type="v4v6" sync="begin"/>', 500),
    ("<tunnel", 500),
])
def test_what_cannot_be_read_gets_its_code(server, body, code):
    server.start().wait_level()
    client = server.anonymous()
    client.send(frame(body))
    assert client.read_message().code == code
    assert client.create(A).code == 200  # and the session goes on


def test_an_unknown_version_is_refused(server):
    server.start()
    assert Client(server.port, "9.0").capability.startswith("302")


# --- authentication -----------------------------------------------------------------------------


def test_users_authenticate_and_their_leases_are_their_own(server):
    """R33, R80, R82: DIGEST-MD5 and SCRAM-SHA-256; one IPv6 address, two users, two leases."""
    server.start().wait_level()
    alice, bob = Client(server.port, "1.0"), Client(server.port)
    assert alice.digest_md5("alice", "wonderland").startswith("200")
    assert bob.scram("bob", "builder").startswith("200")
    of_alice, of_bob = alice.create(A), bob.create(A)
    assert of_alice.code == of_bob.code == 200
    assert of_alice.ports != of_bob.ports
    stolen = bob.create(A, v4="198.51.100.7", ports=of_alice.ports)
    assert stolen.code == 310
    assert bob.ask("delete", address_xml("198.51.100.7", A, of_alice.ports)).code == 310
    assert {lease["user"] for lease in server.leases("active")} == {"alice", "bob"}


@pytest.mark.parametrize("method", ["digest_md5", "scram"])
def test_a_wrong_password_is_refused_and_no_address_given(server, tep, method):
    """R82: 300; the third failure ends the connection."""
    server.start().wait_level()
    client = Client(server.port, "1.0")
    for user in ("alice", "nobody", "alice"):
        assert getattr(client, method)(user, "guess") == "300 Authentication failed"
    assert client.is_closed()
    assert tep.table == {} and server.leases() == []
    wait_for(lambda: server.counter("auth-failed") == 1, "the counter")


def test_anonymous_can_be_forbidden(server):
    server.config["auth"]["anonymous"] = False
    server.start().wait_level()
    client = Client(server.port)
    assert "ANONYMOUS" not in client.capability
    assert client.anonymous().startswith("300")
    stream = Stream(socket.create_connection(("::1", server.port)))
    stream.send(b"VERSION=1.0\r\n")
    stream.read_line()
    stream.send(frame('<tunnel action="create" type="v4v6"/>'))  # before authentication
    assert stream.read_line().startswith("500")


# --- renewal, release, expiry -------------------------------------------------------------------


def test_a_renewal_extends_the_same_lease_and_the_tep_knows_first(server, tep):
    """R29, R92, S1; generation 1 names its address, generation 2 connects anew."""
    server.start().wait_level()
    client, first = server.lease(A, "1.0", lifetime=100)
    tep.forget()
    again = client.create(A, lifetime=500, v4=first.address("client", "ipv4"), ports=first.ports)
    assert again.code == 200 and again.ports == first.ports and again.lifetime == 500
    assert tep.table == {("198.51.100.7", first.ports): (A, 500)}
    assert [m.action for m in tep.requests] == ["create"]
    plain = server.lease(A, lifetime=700)
    assert plain.ports == first.ports and plain.lifetime == 700
    assert len(server.leases()) == 1


@pytest.mark.parametrize("version, code", [("1.0", 308), ("2.0.0", 310)])
def test_a_renewal_of_what_the_client_does_not_hold_is_refused(server, tep, version, code):
    """R94, R106: and nothing of others is deleted."""
    server.start().wait_level()
    other = server.lease(B)
    mine = server.lease(A)
    client = server.anonymous(version)
    table = dict(tep.table)
    assert client.create(A, v4="198.51.100.7", ports=other.ports).code == code
    assert client.create(A, v4="203.0.113.1").code == code
    assert client.create("2001:db8:1::c", v4="198.51.100.7", ports=mine.ports).code == code
    assert tep.table == table and len(server.leases("active")) == 2


@pytest.mark.parametrize("version", ["1.0", "2.0.0"])
def test_a_released_range_rests_and_returns_to_its_holder(server, tep, version):
    """D8, S23, S24: deleted at the TEP, then answered; quarantine; the same range for the same client."""
    server.config["pools"][0]["block_size"] = 32768  # one block
    server.start().wait_level()
    info = server.lease(A)
    client = server.anonymous(version)
    answer = client.ask("delete", address_xml("198.51.100.7", A, info.ports))
    assert answer.code == 200 and answer.action == "info"
    assert tep.table == {}
    assert server.leases()[0]["state"] == "quarantine"
    assert 110 <= server.leases()[0]["seconds_left"] <= 120
    assert server.anonymous().create(B).code == 301
    assert server.lease(A).ports == info.ports
    assert client.ask("delete", address_xml(v6=B)).code == (308 if version == "1.0" else 310)


def test_a_range_is_free_again_after_its_quarantine(server):
    server.config["pools"][0]["block_size"] = 32768
    server.config["lease"]["quarantine_s"] = 1
    server.start().wait_level()
    server.lease(A)
    assert server.anonymous().ask("delete", address_xml(v6=A)).code == 200
    assert server.anonymous().create(B).code == 301
    wait_for(lambda: server.ctl("pools")["items"][0]["free"] == 1, "the end of the quarantine")
    assert server.lease(B).code == 200


def test_an_expired_lease_is_deleted_at_the_tep_and_at_an_open_session(server, tep):
    """R78, R95, R96, R105: generation 1 is told; nobody waits for its answer."""
    server.start().wait_level()
    client, info = server.lease(A, "1.0", lifetime=1)
    server.lease(B, lifetime=1)
    message = client.read_message()
    assert message.code is None and message.action == "delete"
    assert message.ports == info.ports
    assert message.address("client", "ipv4") == "198.51.100.7"
    assert message.address("client", "ipv6") == A
    assert message.address("server", "ipv6") == tep.V6
    wait_for(lambda: tep.table == {}, "the deletes at the TEP")
    assert {lease["state"] for lease in server.leases()} == {"quarantine"}
    client.send(frame('200 Success\r\n<tunnel action="info" type="v4v6"/>'))  # R98
    assert client.create(A).ports == info.ports


def test_a_lease_may_be_scattered_over_its_address(server, tep):
    """S29: small blocks anywhere; who names a number of ports gets what that needs."""
    server.config["pools"][0].update(block_size=64, blocks_per_lease=8)
    server.start().wait_level()
    info = server.lease(A)
    assert len(info.ports) == 8 and all(last - first == 63 for first, last in info.ports)
    gaps = [b[0] - a[1] for a, b in zip(sorted(info.ports), sorted(info.ports)[1:])]
    assert max(gaps) > 1
    assert [ports for _, ports in tep.table] == [info.ports]
    assert server.lease(A).ports == info.ports
    assert len(server.lease(B, want='<ports count="100"/>').ports) == 2


def test_a_binding_that_ended_by_itself_is_no_refusal(server, tep):
    """S1: the TEP holds the end, too, and is often there first."""
    server.start().wait_level()
    server.lease(A, lifetime=1)
    tep.table.clear()
    wait_for(lambda: tep.seen("delete"), "the delete at the TEP")
    server.lease(B)
    assert server.counter("tep-refusals") == 0 and "refused" not in server.log()


def test_a_lease_that_generation_2_rejects_or_does_not_accept_is_undone(server, tep):
    server.start().wait_level()
    for end in (Client.reject, Client.close):
        client = server.anonymous()
        assert client.create(A).code == 200
        end(client)
        wait_for(lambda: tep.table == {}, "the delete at the TEP")
        assert server.leases()[0]["state"] == "quarantine"
    assert server.counter("leases-undone") == 2
    server.lease(A)
    time.sleep(0.3)
    assert len(tep.table) == 1  # accepted: it stays when the connection ends


def test_a_repeated_create_is_answered_from_one_lease(server, tep):
    """Twice on one connection, and once more from another, while the first is pending."""
    tep.behaviour = "silent"
    server.config["lease"]["tep_timeout_s"] = 5
    server.start()
    one, other = server.anonymous("1.0"), server.anonymous("1.0")
    wait_for(lambda: tep.seen("list"), "the TEP")
    for client in (one, one, other):
        client.tell("create", address_xml(v6=A) + "<ports/>")
    wait_for(lambda: tep.seen("create"), "the create")
    tep.behaviour = "ok"
    tep.drop()  # the request goes on to the next session
    infos = [one.read_message(), one.read_message(), other.read_message()]
    assert [info.code for info in infos] == [200, 200, 200]
    assert len({info.ports for info in infos}) == 1
    assert len(server.leases()) == 1


def test_leases_of_one_address_are_limited(server):
    server.config["limits"]["leases_per_client"] = 1
    server.start().wait_level()
    server.lease(A)
    client = Client(server.port)
    assert client.scram("alice", "wonderland").startswith("200")
    assert client.create(A).code == 530
