# SPDX-License-Identifier: BSD-3-Clause
"""Leases over DHCPv6: a real server and a real TEP in a namespace, and a client written from RFC 8415 alone."""

import signal
import struct

import pytest

from dhcp6_client import (
    ADVERTISE, CONFIRM, DECLINE, DSTM_ADDRESS, DSTM_CLIENT, DSTM_PORTS, DSTM_TEP, ENTERPRISE, IA_DSTM,
    IA_NA, IA_PD, INFO_REFRESH, INFORMATION_REQUEST, NO_ADDRS_AVAIL, NO_BINDING, NO_PREFIX_AVAIL,
    NOT_ON_LINK, PREFERENCE, RAPID_COMMIT, REBIND, RELEASE, RENEW, REPLY, REQUEST, S46_CONT_LW, SOLICIT,
    SUCCESS, UNICAST, UNSPEC_FAIL, USE_MULTICAST, VENDOR, Client, Ia, Relay, ia, ia_dstm, iaaddr, mapped,
    option, options, oro, v6)
from dhcp6_link import HOST, LINK, SERVER, Link
from dstm_server import Server, wait_for
from dstm_tep import Tep

POOL = "198.51.100.7"
WHOLE = "203.0.113.4"


@pytest.fixture(name="link", scope="module")
def fixture_link():
    link = Link()
    yield link
    link.remove()


@pytest.fixture(name="tep", scope="module")
def fixture_tep(link, tmp_path_factory):
    tep = Tep(tmp_path_factory.mktemp("tep"))
    tep.wrapper = link.wrapper
    yield tep.start()
    tep.stop(signal.SIGKILL)


@pytest.fixture(name="server")
def fixture_server(link, tep, tmp_path):
    """Not started: with a block pool, a pool of whole addresses, and DHCPv6 at lan0."""
    server = Server(tmp_path, [tep])
    server.wrapper = link.wrapper
    server.config["auth"]["require_peer_address"] = True
    server.config["pools"].append(
        {"name": "whole", "prefix": f"{WHOLE}/32", "mode": "exclusive", "tep": "tep0"})
    server.config["dhcpv6"] = {"interfaces": ["lan0"], "listen": [f"[{SERVER}]:547"]}
    yield server
    server.stop(signal.SIGKILL)
    log = server.log() if (tmp_path / "log").exists() else ""
    print(log)
    assert "runtime error" not in log and "Sanitizer" not in log


@pytest.fixture(name="client")
def fixture_client(link):
    made = []

    def make(number=1, **fields):
        made.append(Client(number, "host0", link.clients, **fields))
        return made[-1]

    yield make
    for client in made:
        client.close()


def named(address):
    """DSTM_CLIENT: the tunnel end by the client's own word."""
    return option(DSTM_CLIENT, v6(address))


def held_by(tep):
    """What the TEP's table has, as (address, first, last, client)."""
    return {(b["v4"], b["first"], b["last"], b["client"]) for b in tep.bindings()}


# --- the four messages --------------------------------------------------------------------------


def test_four_messages_give_a_lease_and_the_tep_knows_it_first(server, tep, client):
    """R43, R47, R85, R69: the Advertise takes nothing, the Reply comes when the binding stands."""
    server.start().wait_level()
    host = client()
    offer = host.ask(SOLICIT, ia_dstm(7, named(HOST)))
    assert offer.type == ADVERTISE and offer.ia.iaid == 7 and offer.ia.v4 == POOL
    assert server.leases() == [] and not held_by(tep)
    answer = host.ask(REQUEST, ia_dstm(7, named(HOST), v4=POOL, ranges=offer.ia.ranges))
    (first, last), = answer.ia.ranges
    assert held_by(tep) == {(POOL, first, last, HOST)}
    assert answer.type == REPLY and answer.ia.iaid == 7 and answer.ia.v4 == POOL
    assert answer.ia.ranges == offer.ia.ranges and last - first == 1023
    assert answer.ia.teps == [tep.V6] and answer.ia.status is None
    _, preferred, valid, _ = answer.ia.addresses[0]
    assert (answer.ia.t1, answer.ia.t2, preferred, valid) == (1800, 2880, 2880, 3600)
    lease, = server.leases()
    assert lease["client"] == HOST and lease["ports"] == [[first, last]] and lease["user"] == ""
