# SPDX-License-Identifier: BSD-3-Clause
"""What one user, address or prefix may have, ask for and connect (S25, S36); ::1 is no exception here."""

import signal
import time

import pytest

from dstm_server import A, B, wait_for
from tsp_peers import Client, address_xml


@pytest.fixture(name="limited")
def fixture_limited(server):
    server.config["clients"] = {"exempt": []}
    server.config["lease"]["quarantine_s"] = 0
    return server


def users_client(server, user="alice", password="wonderland"):
    client = Client(server.port)
    assert client.scram(user, password).startswith("200")
    return client


def reload(server):
    server.write_config()
    done = server.log().count("reload: all is as")
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: server.log().count("reload: all is as") > done, "the reload")


@pytest.mark.parametrize("limits, room", [
    ({"leases_per_user": 2}, 2),
    ({"ports_per_user": 3000}, 2),
    ({"ports_per_client": 3000}, None),
    ({"leases_per_prefix": 2}, 2),
    ({"ports_per_prefix": 2048}, 2),
])
def test_leases_and_ports_have_limits_and_nothing_is_taken_away(limited, tep, limits, room):
    """S25: 530 for what is new; what is held is renewed, and a release makes room."""
    limited.config["limits"] = limits
    limited.start().wait_level()
    client = users_client(limited)
    if room is None:  # of one address: ports asked for in one piece
        assert client.create(A, want='<ports count="4096"/>').code == 530
        assert client.create(A, want='<ports count="2048"/>').code == 200
        return
    infos = [client.create(f"2001:db8:1::{n}") for n in range(room)]
    assert [info.code for info in infos] == [200] * room
    assert client.create("2001:db8:1::f").code == 530
    assert limited.counter("over-quota") == 1 and limited.counter("refused-busy") == 1
    assert client.create("2001:db8:1::0").code == 200  # a renewal
    assert len(tep.table) == len(limited.leases("active")) == room
    released = address_xml("198.51.100.7", "2001:db8:1::0", infos[0].ports)
    assert client.ask("delete", released).code == 200
    assert client.create("2001:db8:1::f").code == 200
    assert client.create("2001:db8:1::e").code == 530


def test_a_limit_that_comes_later_counts_what_is_held(limited):
    limited.start().wait_level()
    client = users_client(limited)
    assert client.create(A).code == client.create(B).code == 200
    limited.config["limits"] = {"leases_per_user": 1}
    reload(limited)
    assert client.create("2001:db8:1::c").code == 530
    assert client.create(A).code == client.create(B).code == 200
    bob = users_client(limited, "bob", "builder")
    assert bob.create("2001:db8:1::c").code == 200
    limited.stop(signal.SIGKILL)
    limited.start().wait_level()
    assert users_client(limited).create("2001:db8:1::d").code == 530  # after a crash too


def test_requests_above_a_rate_are_refused_in_their_turn(limited):
    """S25: pipelined, the answers keep their order."""
    limited.config["limits"] = {"requests_per_client": 5}
    limited.start().wait_level()
    client = limited.anonymous("1.0")
    for n in range(8):
        client.tell("create", address_xml(v6=f"2001:db8:1::{n % 4}") + "<ports/>")
    assert [client.read_message().code for _ in range(8)] == [200] * 5 + [530] * 3
    assert limited.counter("over-rate") == 3
    assert limited.anonymous().create(A).code == 530  # another connection, the same source
    limited.config["limits"] = {}
    reload(limited)
    wait_for(lambda: client.create(A).code == 200, "the new rate's first token")


def test_a_users_rate_follows_it_and_its_alone(limited):
    limited.config["limits"] = {"requests_per_user": 3}
    limited.start().wait_level()
    codes = [users_client(limited).create(A).code for _ in range(4)]
    assert codes == [200, 200, 200, 530]
    assert users_client(limited, "bob", "builder").create(B).code == 200
    assert limited.anonymous().create(B).code == 200


def is_hung_up_on(server):
    try:
        Client(server.port)
    except (EOFError, ConnectionError):
        return True
    return False


def test_connections_of_a_prefix_are_limited(limited):
    limited.config["limits"] = {"connections_per_prefix": 3}
    limited.start()
    held = [limited.anonymous() for _ in range(3)]
    assert is_hung_up_on(limited)
    assert limited.counter("connections-of-prefix") == 1
    shown = limited.ctl("show")
    assert (shown["connections"], shown["unauthenticated"], shown["prefixes"]) == (3, 0, 1)
    held[0].close()
    wait_for(lambda: not is_hung_up_on(limited), "room")


def test_connections_that_come_too_fast_are_refused(limited):
    limited.config["limits"] = {"connections_per_minute": 20}
    limited.start()
    for _ in range(20):
        limited.anonymous().close()
    assert is_hung_up_on(limited)
    assert limited.counter("connections-too-fast") == 1


def test_half_open_connections_of_a_prefix_are_limited(limited):
    limited.config["limits"] = {"unauthenticated_per_prefix": 2}
    limited.start()
    strangers = [Client(limited.port) for _ in range(2)]
    assert is_hung_up_on(limited)
    assert limited.counter("connections-half-open") == 1
    assert strangers[0].anonymous().startswith("200")
    assert not is_hung_up_on(limited)


def test_the_oldest_half_open_connection_gives_way(limited):
    """A flood of them, from however many prefixes, locks nobody out."""
    limited.config["limits"] = {"unauthenticated": 3}
    limited.start().wait_level()
    strangers = [Client(limited.port) for _ in range(5)]
    assert strangers[0].is_closed() and strangers[1].is_closed()
    assert limited.counter("connections-half-open") == 2
    assert limited.ctl("show")["unauthenticated"] == 3
    client = limited.anonymous()
    assert client.create(A).code == 200
    assert strangers[2].is_closed()
    assert strangers[4].anonymous().startswith("200")


def test_only_the_allowed_may_ask(server):
    """S36, RFC 6333 section 11: by source, and by the tunnel end that is asked for."""
    server.config["clients"] = {"allow": ["::1/128", "2001:db8:1::/48"]}
    server.start().wait_level()
    client = server.anonymous()
    assert client.create(A).code == 200
    assert client.create("2001:db8:2::1").code == 502
    server.config["clients"] = {"allow": ["2001:db8:1::/48"]}
    reload(server)
    assert is_hung_up_on(server)
    assert server.counter("connections-forbidden") == 1
    assert client.create(A).code == 200  # a session that is there stays
    assert len(server.leases()) == 1


def test_this_host_is_exempt_unless_told_otherwise(server):
    server.config["limits"] = {"connections_per_prefix": 1, "connections_per_minute": 1,
                               "unauthenticated_per_prefix": 1, "requests_per_client": 1}
    server.start().wait_level()
    held = [server.anonymous() for _ in range(4)]
    assert {client.create(A).code for client in held} == {200}


def test_who_waits_for_its_turn_is_not_counted_twice(limited, tep):
    """A request that waits for another's job is looked at again: it has paid already."""
    tep.delay_s = 0.2
    limited.config["limits"] = {"requests_per_client": 4}
    limited.start().wait_level()
    first, second = limited.anonymous("1.0"), limited.anonymous("1.0")
    first.tell("create", address_xml(v6=A) + "<ports/>")
    time.sleep(0.05)
    second.tell("create", address_xml(v6=A) + "<ports/>")
    assert first.read_message().code == second.read_message().code == 200
    assert first.create(A).code == second.create(A).code == 200
    assert first.create(A).code == 530
