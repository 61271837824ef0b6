# SPDX-License-Identifier: BSD-3-Clause
"""Clients that ask who of them holds an address and port (R16, D2), as it goes over the wire."""

import pytest

from dstm_server import A, B, wait_for
from tsp_peers import Client, address_xml, frame

UNKNOWN = {"1.0": 308, "2.0.0": 301}


@pytest.fixture(name="open_server")
def fixture_open_server(server):
    """One whose clients may ask, with a second pool where they may not."""
    server.config["lease"]["quarantine_s"] = 30
    server.config["pools"][0]["direct"] = True
    server.config["pools"].append({"name": "closed", "prefix": "203.0.113.9/32", "mode": "exclusive",
                                   "tep": server.config["teps"][0]["name"]})
    return server


def query(inside):
    return frame(f'<tunnel action="query" type="v4v6">{inside}</tunnel>')


def question(asker, v4, *ports):
    return query(f"<server>{address_xml(v4, (), ports)}</server>"
                 f"<client>{address_xml(None, asker)}</client>")


def said_to(client, octets):
    client.send(octets)
    return client.read_message()


def is_bare(answer):
    """Nothing but a code: who asks cannot tell why."""
    return answer.code in UNKNOWN.values() and answer.tunnel is None


def ask(server, asker, v4, *ports, version="2.0.0"):
    """On a session of its own, as a client of ours asks."""
    client = server.anonymous(version)
    answer = said_to(client, question(asker, v4, *ports))
    client.close()
    return answer


@pytest.mark.parametrize("version", ["1.0", "2.0.0"])
def test_two_that_ask_find_each_other(open_server, version):
    open_server.start().wait_level()
    a, b = (open_server.lease(v6) for v6 in (A, B))
    (first_a, _), (_, last_b) = a.ports[0], b.ports[0]
    assert ask(open_server, A, "198.51.100.7", (last_b, last_b), version=version).code == UNKNOWN[version]
    found = ask(open_server, B, "198.51.100.7", (first_a, first_a), version=version)
    assert found.code == 200 and found.action == "info"
    assert found.address("server", "ipv4") == "198.51.100.7"
    assert found.address("server", "ipv6") == A and found.ports_of("server") == a.ports
    assert found.lifetime == 30
    found = ask(open_server, A, "198.51.100.7", (last_b, last_b), version=version)
    assert found.address("server", "ipv6") == B and found.ports_of("server") == b.ports
    assert open_server.counter("queries") == 3 and open_server.counter("queries-answered") == 2


def test_all_that_is_not_told_looks_alike(open_server):
    """No lease, a lease of a pool that is closed, an address and port of nobody, questions that are none."""
    open_server.start().wait_level()
    closed = "2001:db8:1::c"
    a = open_server.lease(A)
    b = open_server.lease(B)
    open_server.lease(closed, want="")
    (port, _), = a.ports
    assert is_bare(ask(open_server, A, "198.51.100.7", b.ports[0][:1] * 2))  # from now on A may be told of
    cases = [(stranger, ("198.51.100.7", (port, port))) for stranger in ("2001:db8:1::d", closed, "fe80::1")]
    cases += [(B, question) for question in (
        ("198.51.100.7", (80, 80)), ("198.51.100.7",), ("198.51.100.7", (port, port + 1)),
        ("203.0.113.9", (80, 80)), ("203.0.113.9",), ("192.0.2.1", (port, port)),
        ("0.0.0.0", (0, 0)), ("255.255.255.255", (65535, 65535)))]
    for asker, asked in cases:
        assert is_bare(ask(open_server, asker, *asked)), (asker, asked)
    assert ask(open_server, B, "198.51.100.7", (port, port)).address("server", "ipv6") == A
    client = open_server.anonymous()
    for inside in ("", "<server/>", "<client/>", f"<client>{address_xml(None, closed)}</client>"):
        assert is_bare(said_to(client, query(inside))), inside
    for ports in ('<ports start="9"/>', '<ports start="70000" end="70000"/>', '<ports start="9" end="8"/>'):
        inside = f"<server>{address_xml('198.51.100.7')}{ports}</server>"
        assert said_to(client, query(inside)).code == 500, inside


def test_who_may_ask_is_told_about_which_addresses(open_server):
    open_server.config["pools"].append({"name": "open", "prefix": "192.0.2.16/28", "direct": True,
                                        "tep": open_server.config["teps"][0]["name"]})
    open_server.start().wait_level()
    open_server.lease(A)
    client = open_server.anonymous()
    for inside in (f"<client>{address_xml(None, A)}</client>",
                   f"<server></server><client>{address_xml(None, A)}</client>"):
        answer = said_to(client, query(inside))
        assert answer.code == 200 and answer.action == "info"
        assert [(found.text, found.get("length")) for found in answer.tunnel.findall("direct/address")] == [
            ("198.51.100.7", "32"), ("192.0.2.16", "28")]


def test_who_insists_on_its_peers_addresses_believes_no_other(open_server):
    """Another's IPv6 address opens nothing."""
    open_server.start().wait_level()
    a = open_server.lease(A)
    open_server.lease(B)
    (port, _), = a.ports
    ask(open_server, A, "198.51.100.7", (1, 1))
    assert ask(open_server, B, "198.51.100.7", (port, port)).code == 200
    open_server.config["auth"]["require_peer_address"] = True
    open_server.reload()
    assert is_bare(ask(open_server, B, "198.51.100.7", (port, port)))


def test_the_policy_ends_with_a_reload(open_server):
    open_server.start().wait_level()
    a = open_server.lease(A)
    open_server.lease(B)
    (port, _), = a.ports
    ask(open_server, A, "198.51.100.7", (1, 1))
    assert ask(open_server, B, "198.51.100.7", (port, port)).code == 200
    open_server.config["pools"][0]["direct"] = False
    open_server.reload()
    assert is_bare(ask(open_server, B, "198.51.100.7", (port, port)))


def test_a_flood_is_refused_like_any_other(open_server):
    """Questions count as requests of their source, and are answered in their order."""
    open_server.config["clients"] = {"exempt": []}
    open_server.config["limits"] = {"requests_per_client": 20}
    open_server.start().wait_level()
    open_server.lease(A)
    client = Client(open_server.port)
    assert client.anonymous().startswith("200")
    for port in range(60):
        client.send(question(A, "198.51.100.7", (port, port)))
    codes = [client.read_message().code for _ in range(60)]
    assert set(codes) == {301, 530} and codes.count(301) <= 20
    wait_for(lambda: open_server.counter("over-rate") >= 40, "the refusals")
