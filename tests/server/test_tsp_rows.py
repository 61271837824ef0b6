# SPDX-License-Identifier: BSD-3-Clause
"""What docs/tsp.md says of a session with clients, row by row, where test_server.py does not have it."""

import subprocess
import time

import pytest

from dstm_server import A, B, BINARY, WAIT_S, wait_for
from tsp_peers import Client, address_xml, frame

DSTMCTL = BINARY.parents[1] / "ctl/dstmctl"
BROKERS = ["2001:db8:b::1", "2001:db8:b::2"]


def brokers_of(message):
    assert message.tunnel.get("type") == "broker"
    return [element.text for element in message.tunnel.findall("broker/address")]


# --- a session ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.0", "1.1", "2.0.0", "2.0.1", "2.0.2"])
def test_versions_of_both_generations_are_spoken(server, version):
    server.start().wait_level()
    assert server.anonymous(version).create(A).code == 200


@pytest.mark.parametrize("version", ["2.0.3", "2.1", "3.0", "0.9", "1", "two", ""])
def test_a_client_falls_back_to_a_version_that_is_spoken(server, version):
    """302 and the end of the connection; on a new one it may name another version."""
    server.start().wait_level()
    client = Client(server.port, version)
    assert client.capability == "302 Unsupported client version" and client.is_closed()
    assert server.anonymous("1.0").create(A).code == 200


def test_stray_octets_between_messages_are_skipped(server):
    """A NUL behind AUTHENTICATE, empty lines before a message; a bare line feed ends a line."""
    server.start().wait_level()
    client = Client(server.port, "1.0")
    client.send(b"AUTENTICATE ANONYMOUS\n\0\r\n\0")
    assert client.read_line() == "200 Success"
    client.send(b"\r\n\0\n")
    assert client.create(A).code == 200


@pytest.mark.parametrize("wanted", [False, True])
def test_ok_instead_of_200_to_generation_1_where_configured(server, wanted):
    """D5: only there, and only after the authentication."""
    server.config["auth"]["send_ok_to_v1"] = wanted
    server.start().wait_level()
    old, new = Client(server.port, "1.0"), Client(server.port, "2.0.0")
    assert old.anonymous() == ("OK Authentication successful" if wanted else "200 Success")
    assert new.anonymous() == "200 Success"
    assert old.create(A).code == new.create(B).code == 200


def test_link_local_and_global_address_in_either_order(server, tep):
    """R83."""
    server.start().wait_level()
    for v6, both in ((A, ["fe80::1", A]), (B, [B, "fe80::1"])):
        info = server.anonymous("1.0").create(both)
        assert info.address("client", "ipv6") == v6
    assert {client for client, _ in tep.table.values()} == {A, B}


def test_a_keepalive_target_is_named_to_who_asks(server, tep):
    server.start().wait_level()
    client = server.anonymous("1.0")
    plain = client.create(A)
    assert plain.tunnel.find("client/keepalive") is None
    info = client.create(A, want='<ports/><keepalive interval="30"/>')
    assert info.tunnel.find("client/keepalive/address").text == tep.V4


def test_lifetimes_in_minutes_where_a_listener_says_so(server, tep):
    """Elsewhere, and towards the TEP, they are in seconds."""
    server.config["lease"]["lifetime_s"] = 7200
    server.config["listen_minutes"] = ["[::1]:0"]
    server.start().wait_level()
    port = int(server.ctl("show")["listen_minutes"][0].rpartition(":")[2])
    client = Client(port, "1.0")
    client.anonymous()
    info = client.create(A, lifetime=30)
    assert info.lifetime == 30
    (_, seconds), = tep.table.values()
    assert 1798 <= seconds <= 1800
    assert client.create(A).lifetime == 120
    assert server.anonymous().create(A, lifetime=30).lifetime == 30


# --- accept and reject --------------------------------------------------------------------------


@pytest.mark.parametrize("version, undone", [("1.0", False), ("2.0.0", True)])
def test_only_generation_2_has_to_accept(server, tep, version, undone):
    server.start().wait_level()
    client = server.anonymous(version)
    assert client.create(A).code == 200
    client.close()
    if undone:
        wait_for(lambda: tep.table == {}, "the delete at the TEP")
    else:
        time.sleep(0.3)
        assert len(tep.table) == 1


def test_a_reject_of_a_renewal_undoes_nothing(server, tep):
    server.start().wait_level()
    info = server.lease(A)
    client = server.anonymous()
    assert client.create(A).ports == info.ports
    client.reject()
    assert client.create(B).code == 200
    assert (info.address("client", "ipv4"), info.ports) in tep.table


# --- other servers ------------------------------------------------------------------------------


@pytest.mark.parametrize("version, code", [("1.0", 1306), ("2.0.0", 1301)])
def test_clients_are_sent_on_when_the_pool_is_exhausted(server, version, code):
    """R108, D6: the code plus 1000, and the list of brokers."""
    server.config["pools"][0]["block_size"] = 32768
    server.config["redirect"] = {"when": "when-exhausted", "brokers": BROKERS}
    server.start().wait_level()
    server.lease(A)
    refused = server.anonymous(version).create(B)
    assert refused.code == code and brokers_of(refused) == BROKERS
    assert server.counter("redirected") == 1


def test_all_new_clients_are_sent_on_while_others_are_served(server):
    server.start().wait_level()
    client, info = server.lease(A, "1.0")
    server.config["redirect"] = {"when": "always", "brokers": BROKERS[:1]}
    server.reload()
    refused = server.anonymous().create(B)
    assert refused.code == 1530 and brokers_of(refused) == BROKERS[:1]
    assert client.create(A, v4="198.51.100.7", ports=info.ports).code == 200
    assert client.ask("delete", address_xml("198.51.100.7", A, info.ports)).code == 200
    server.config["redirect"]["when"] = "never"
    server.reload()
    assert server.lease(B).code == 200


# --- pushed -------------------------------------------------------------------------------------


def push(server, *arguments):
    done = subprocess.run(
        [DSTMCTL, "server", *arguments, "--socket", server.config["socket"]],
        capture_output=True, text=True, timeout=WAIT_S, check=False)
    return done.returncode, done.stdout + done.stderr


def kept_session(server, v6):
    """A generation 1 client that has given its lease back and stays connected."""
    client, info = server.lease(v6, "1.0")
    assert client.ask("delete", address_xml("198.51.100.7", v6, info.ports)).code == 200
    return client


@pytest.mark.parametrize("answer, stays", [
    ('200 Success\r\n<tunnel action="info" type="v4v6"/>', True), ("200 Success\r\n", True),
    ("308 Requested address unavailable\r\n", False), ("500 Malformed message\r\n", False)])
def test_a_lease_is_pushed_over_a_kept_session(server, tep, answer, stays):
    """R32, R102: the client's answer decides."""
    server.start().wait_level()
    client = kept_session(server, A)
    code, text = push(server, "push-create", A, "--ports", "2048")
    assert code == 0 and "begun" in text
    pushed = client.read_message()
    assert pushed.code is None and pushed.action == "create"
    assert pushed.address("server", "ipv6") == tep.V6 and pushed.lifetime == 3600
    assert len(pushed.ports) == 2 and ("198.51.100.7", pushed.ports) in tep.table
    client.send(frame(answer))
    if stays:
        assert client.create(A, v4="198.51.100.7", ports=pushed.ports).code == 200
    else:
        wait_for(lambda: tep.table == {}, "the delete at the TEP")
        assert server.counter("leases-undone") == 1


def test_a_client_that_leaves_a_pushed_lease_unanswered_has_none(server, tep):
    server.start().wait_level()
    client = kept_session(server, A)
    assert push(server, "push-create", A, "--ports", "0")[0] == 0
    assert client.read_message().action == "create"
    client.close()
    wait_for(lambda: tep.table == {}, "the delete at the TEP")
    assert server.leases("active") == []


def test_what_cannot_be_pushed_is_said(server):
    server.start().wait_level()
    assert "no session of generation 1" in push(server, "push-create", A)[1]
    client, _ = server.lease(A, "1.0")
    assert "has a lease already" in push(server, "push-create", A)[1]
    kept = kept_session(server, B)
    assert "no pool has room" in push(server, "push-create", B)[1]  # no whole address
    code, text = push(server, "push-create", "fe80::1")
    assert code == 1 and "IPv6 address of a client" in text
    assert "ports" in server.refused_ctl("push-create", client=A, ports="x")
    assert "v4" in server.refused_ctl("push-delete", client=A, v4="x")
    for session in (client, kept):
        session.close()


def test_a_lease_is_ended_by_the_operator(server, tep):
    """R78: the TEP is told always, the client where it listens; its answer matters to nobody."""
    server.start().wait_level()
    client, info = server.lease(A, "1.0")
    server.lease(B)
    assert "1" in push(server, "push-delete", A)[1]
    told = client.read_message()
    assert told.code is None and told.action == "delete" and told.ports == info.ports
    client.send(frame("500 Malformed message\r\n"))
    wait_for(lambda: len(tep.table) == 1, "the delete at the TEP")
    assert push(server, "push-delete", B, "--v4", "198.51.100.7")[0] == 0
    wait_for(lambda: tep.table == {}, "the delete at the TEP")
    assert {lease["state"] for lease in server.leases()} == {"quarantine"}
    assert client.create(A).ports == info.ports


# --- more ports ---------------------------------------------------------------------------------


def ask_more(client, v6, info, count):
    return client.ask("create", address_xml(info.address("client", "ipv4"), v6, info.ports)
                      + f'<ports count="{count}"/>')


def test_a_client_gets_more_ports_of_its_address(server, tep):
    """R58: the same lease with one more range; renewal and release are about all of them."""
    server.start().wait_level()
    client, info = server.lease(A, "1.0")
    more = ask_more(client, A, info, 1024)
    assert more.code == 200 and len(more.ports) == 2 and more.ports[0] == info.ports[0]
    assert list(tep.table)[-1] == ("198.51.100.7", more.ports)
    assert len(server.leases("active")) == 1
    assert ask_more(client, A, more, 8000).code == 306  # no more than eight ranges
    server.stop()
    server.start().wait_level()
    client = server.anonymous("1.0")
    assert client.create(A, v4="198.51.100.7", ports=more.ports).ports == more.ports
    assert client.ask("delete", address_xml("198.51.100.7", A, more.ports)).code == 200
    assert server.ctl("pools")["items"][0]["quarantined"] == 2


@pytest.mark.parametrize("policy, code", [
    ("same-address", 301), ("another-address", 200), ("never", 200)])
def test_more_ports_than_the_address_has(server, policy, code):
    server.config["pools"][0].update(prefix="198.51.100.6/31", block_size=32768)
    server.config["lease"]["more_ports"] = policy
    server.start().wait_level()
    info = server.lease(A)
    client = server.anonymous()
    answer = ask_more(client, A, info, 100)
    assert answer.code == code
    if policy == "another-address":
        assert answer.address("client", "ipv4") != info.address("client", "ipv4")
        client.accept()
    elif policy == "never":
        assert answer.ports == info.ports  # renewed, no more
    assert server.lease(A).address("client", "ipv4") == info.address("client", "ipv4")
    assert len(server.leases("active")) == (2 if policy == "another-address" else 1)
