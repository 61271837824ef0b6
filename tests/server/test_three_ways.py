# SPDX-License-Identifier: BSD-3-Clause
"""
One allocator, three protocols: the same host sees the same lease by TSP, DHCPv6 and RPC (R10, R33, S25, S26, S27).

A host is an address of the clients' end of the link. Over TSP and RPC it calls from there; over DHCPv6 it names it.
"""

import itertools
import json
import os
import subprocess

import pytest

from dhcp6_octets import (NO_ADDRS_AVAIL, REBIND, RELEASE, RENEW, REPLY, REQUEST, SERVER_ID,
                          SUCCESS, client, client_id, elapsed, ia, iaaddr, mapped, message, option, ports)
from dhcp6_world import SERVER_DUID, SERVER_V6, Link, address_of
from dstm_server import ROOT, wait_for
from rpc_peer import Tcp, release, request
from test_records import lines
from tsp_peers import Client, address_xml

DSTMCTL = ROOT / os.environ.get("DSTM_BUILD", "build/gcc") / "src/ctl/dstmctl"
TSP_PORT, RPC_PORT = 3653, 3655
WHOLE, NOTHING = "203.0.113.0/28", "0.0.0.0"
SPECIFICATION = "1.0"  # the generation of TSP without an acceptance

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


class Host:
    """A number is a DUID and an address."""

    def __init__(self, link, number):
        self.link, self.number, self.v6 = link, number, address_of(number)
        link.far.ip("address", "replace", f"{self.v6}/64", "dev", "c0", "nodad")

    def tsp(self):
        """A connection from this address."""
        self.link.far.ip("route", "replace", f"{SERVER_V6}/128", "dev", "c0", "src", self.v6)
        with self.link.far.inside():
            session = Client(TSP_PORT, SPECIFICATION, SERVER_V6)
        assert session.anonymous().startswith("200")
        return session

    def rpc(self, call):
        with self.link.far.inside():
            caller = Tcp(RPC_PORT, self.v6)
        with caller:
            return caller.ask(call).packet()

    def dhcp6(self, kind, *inside):
        to = () if kind == REBIND else (option(SERVER_ID, SERVER_DUID),)
        return self.link.ask(message(kind, client_id(self.number), *to, elapsed(),
                                     ia(client(self.v6), *inside)), REPLY)

    # Each returns the whole address that the host has from then on, or None.

    def get_by_tsp(self):
        session = self.tsp()
        answer = session.create(self.v6, want="")
        session.close()
        return answer.address("client", "ipv4") if answer.code == 200 else None

    def get_by_dhcp6(self):
        lease = self.dhcp6(REQUEST).lease()
        return lease[0] if lease is not None else None

    def get_by_rpc(self):
        v4 = self.rpc(request()).v4
        return v4 if v4 != NOTHING else None

    # Each returns whether there was a lease to give back.

    def release_by_tsp(self, v4):
        session = self.tsp()
        code = session.ask("delete", address_xml(v4, self.v6)).code
        session.close()
        return code == 200

    def release_by_dhcp6(self, v4):
        return self.dhcp6(RELEASE, iaaddr(mapped(v4))).status() == SUCCESS

    def release_by_rpc(self, v4):
        return self.rpc(release(v4)).v4 == v4

    def get(self, protocol):
        return getattr(self, f"get_by_{protocol}")()

    def release(self, protocol, v4):
        return getattr(self, f"release_by_{protocol}")(v4)

    def leases(self):
        return [lease for lease in self.link.server.leases("active") if lease["client"] == self.v6]


PROTOCOLS = ("tsp", "dhcp6", "rpc")
PAIRS = list(itertools.permutations(PROTOCOLS, 2))


@pytest.fixture(name="link", scope="module")
def fixture_link(tmp_path_factory):
    link = Link(tmp_path_factory.mktemp("three_ways"))
    config = link.server.config
    config["listen"] = [f"[{SERVER_V6}]:{TSP_PORT}"]
    config["auth"]["require_peer_address"] = True
    config["pools"].append({"name": "whole", "prefix": WHOLE, "mode": "exclusive", "tep": "tep0"})
    config["rpc"] = {"listen": [f"[{SERVER_V6}]:{RPC_PORT}"], "allow": ["2001:db8:1::/64"]}
    config["records"] = {"file": str(link.server.folder / "records.jsonl")}
    with link:
        yield link
        log = link.server.log()
        assert "runtime error" not in log and "Sanitizer" not in log, log[-10000:]


HOSTS = itertools.count(0x100)


@pytest.fixture(name="host")
def fixture_host(link):
    return Host(link, next(HOSTS))


@pytest.mark.parametrize("first, second", PAIRS)
def test_who_asks_again_by_another_protocol_has_the_same_lease(link, host, first, second):
    v4 = host.get(first)
    assert v4 is not None
    (before,) = host.leases()
    assert host.get(second) == v4 == host.get(first)
    (after,) = host.leases()
    assert (after["v4"], after["ports"], after["user"]) == (before["v4"], before["ports"], "")
    assert [b["client"] for b in link.tep.bindings() if b["v4"] == v4] == [host.v6]
    assert [r["event"] for r in lines(link.server) if r["client"] == host.v6] == ["allocated"]
    assert host.release(second, v4)


@pytest.mark.parametrize("first, second", PAIRS)
def test_a_release_by_one_ends_it_for_the_others(link, host, first, second):
    v4 = host.get(first)
    assert host.release(second, v4)
    assert host.leases() == []
    assert [b for b in link.tep.bindings() if b["v4"] == v4] == []
    assert not host.release(first, v4)
    assert [r["reason"] for r in lines(link.server) if r["client"] == host.v6 and r["event"] == "released"] == [
        "released-by-client"]


def test_a_range_is_renewed_whoever_asks(link, host):
    """Ranges by TSP and DHCPv6; RPC cannot tell of ports, and renews what its caller names."""
    reply = host.dhcp6(REQUEST, ports())
    v4, pair = reply.lease()
    session = host.tsp()
    answer = session.create(host.v6)
    assert (answer.address("client", "ipv4"), answer.ports) == (v4, (pair,))
    session.close()
    assert host.dhcp6(RENEW, ports(*pair), iaaddr(mapped(v4))).lease() == (v4, pair)
    assert host.rpc(request(v4)).v4 == v4
    (lease,) = host.leases()
    assert lease["ports"] == [list(pair)]
    assert host.rpc(release(v4)).v4 == v4 and host.leases() == []


@pytest.mark.parametrize("last", PROTOCOLS)
def test_a_quota_counts_all_three(link, last):
    """S25: two leases for the prefix, had by the other two."""
    link.server.config["limits"]["leases_per_prefix"] = 2
    link.server.reload()
    before = link.server.counter("over-quota")
    hosts = [Host(link, next(HOSTS)) for _ in PROTOCOLS]
    others = [name for name in PROTOCOLS if name != last]
    had = [host.get(name) for host, name in zip(hosts, others)]
    assert None not in had
    assert hosts[2].get(last) is None and hosts[2].leases() == []
    assert link.server.counter("over-quota") == before + 1
    for host, name, v4 in zip(hosts, others, had):
        assert host.release(name, v4)
    v4 = hosts[2].get(last)
    assert v4 is not None and hosts[2].release(last, v4)
    del link.server.config["limits"]["leases_per_prefix"]
    link.server.reload()


@pytest.mark.parametrize("first", PROTOCOLS)
def test_what_one_gave_back_rests_for_all(link, first):
    """R89: the only address of the pool is nobody's during its quarantine."""
    wait_for(lambda: link.server.leases() == [], "the quarantines to end")
    link.server.config["pools"][1]["prefix"] = "203.0.113.64/32"
    link.server.config["lease"]["quarantine_s"] = 600
    link.server.reload()
    holder = Host(link, next(HOSTS))
    v4 = holder.get(first)
    assert v4 == "203.0.113.64" and holder.release(first, v4)
    for protocol in PROTOCOLS:
        assert Host(link, next(HOSTS)).get(protocol) is None
    assert Host(link, next(HOSTS)).dhcp6(REQUEST).status() == NO_ADDRS_AVAIL
    # Its former holder need not wait (S23), by whichever protocol.
    for protocol in PROTOCOLS:
        assert holder.get(protocol) == v4
    link.server.config["lease"]["quarantine_s"] = 0
    link.server.reload()
    assert holder.release(first, v4)
    link.server.config["pools"][1]["prefix"] = WHOLE
    link.server.reload()


def test_who_names_the_holder_whichever_way_it_came(link):
    """S27."""
    for protocol in PROTOCOLS:
        host = Host(link, next(HOSTS))
        v4 = host.get(protocol)
        done = subprocess.run([DSTMCTL, "server", "who", f"{v4}:80", "--json", "--config",
                               link.server.folder / "server.yaml"], capture_output=True, text=True, timeout=60,
                              check=True)
        assert [item["client"] for item in json.loads(done.stdout)["items"]] == [host.v6]
        assert host.release(protocol, v4)


def test_another_duid_cannot_take_what_a_host_has_by_dhcp6(link, host):
    """R70: and over RPC and TSP nobody can call from its address."""
    v4 = host.get_by_dhcp6()
    other = message(RELEASE, client_id(0x999), option(SERVER_ID, SERVER_DUID), ia(client(host.v6)))
    assert link.ask(other, REPLY).status() != SUCCESS
    neighbour = Host(link, next(HOSTS))
    session = neighbour.tsp()
    assert session.ask("delete", address_xml(v4, host.v6)).code != 200
    session.close()
    assert neighbour.rpc(release(v4)).v4 == NOTHING
    assert [lease["v4"] for lease in host.leases()] == [v4]
    assert host.release_by_rpc(v4)
