# SPDX-License-Identifier: BSD-3-Clause
"""
A real TEP that is killed and comes back with its snapshot, between a real server and its clients (S1, R30):
nothing is in force that the server has given up, and nothing ends because the server is away.

Whether a packet would be forwarded is asked of the data plane itself: explain.
"""

import signal

import pytest
from scapy.layers.inet import IP, UDP

from dstm_server import A, B, Server, wait_for
from dstm_tep import Tep
from tsp_peers import address_xml


@pytest.fixture(name="tep")
def fixture_tep(tmp_path):
    (tmp_path / "tep").mkdir()
    tep = Tep(tmp_path / "tep")
    tep.config["bindings"]["snapshot"] = str(tmp_path / "tep" / "snapshot")
    tep.start()
    yield tep
    tep.stop(signal.SIGKILL)


@pytest.fixture(name="server")
def fixture_server(tmp_path, tep):
    server = Server(tmp_path, [tep])
    server.config["lease"]["quarantine_s"] = 0
    server.start().wait_level()
    yield server
    server.stop(signal.SIGKILL)
    assert "runtime error" not in server.log() and "Sanitizer" not in server.log()


class Lease:
    """What a client was given."""

    def __init__(self, server, client, lifetime=600):
        info = server.lease(client, lifetime=lifetime)
        self.client = client
        self.v4 = info.address("client", "ipv4")
        self.ports = [list(ports) for ports in info.ports]

    def is_forwarded(self, tep):
        """By the data plane, as it stands now: a packet from outside to the lease's first port."""
        packet = IP(src="192.0.2.80", dst=self.v4) / UDP(sport=53, dport=self.ports[0][0])
        said = tep.ctl("explain", packet=bytes(packet).hex())
        assert said["verdict"] in ("sent", "dropped"), said
        return said["verdict"] == "sent"

    def is_known(self, tep):
        """Whether it stands in the TEP's table, in force or dormant."""
        return any((b["v4"], b["client"]) == (self.v4, self.client) for b in tep.bindings())

    def release(self, server):
        said = server.anonymous("2.0.0").ask("delete", address_xml(self.v4, self.client,
                                                                   self.ports))
        assert said.code == 200, said.raw


def dormant(tep):
    return [b for b in tep.bindings() if b["dormant"]]


def kill(tep):
    assert tep.stop(signal.SIGKILL) == -signal.SIGKILL


def test_what_the_server_confirms_is_in_force_again(server, tep):
    """Killed at any time: nothing was written at the end."""
    leases = [Lease(server, f"2001:db8:1::{i:x}") for i in range(1, 20)]
    rows = sorted((b["v4"], b["first"], b["client"]) for b in tep.bindings())
    kill(tep)
    tep.start()
    assert "19 bindings taken over" in tep.log()
    wait_for(lambda: tep.ctl("show")["state"] == "ready", "the TEP to be ready")
    wait_for(lambda: all(lease.is_forwarded(tep) for lease in leases), "all leases in force")
    assert sorted((b["v4"], b["first"], b["client"]) for b in tep.bindings()) == rows
    assert dormant(tep) == []


def test_without_a_server_leases_wake_and_end_by_themselves(server, tep):
    """S1: until their own ends, and not a moment before the server had its chance."""
    tep.config["bindings"]["confirm_ms"] = 1500
    short, long = Lease(server, A, lifetime=7), Lease(server, B)
    server.stop(signal.SIGKILL)
    assert short.is_forwarded(tep) and long.is_forwarded(tep)
    kill(tep)
    tep.start()
    if tep.ctl("show")["state"] == "waiting":
        wait_for(lambda: tep.ctl("show")["reason"] != "has just started", "a first look")
    assert tep.ctl("show")["reason"] in (None, "server server1 has not told all its bindings yet")
    wait_for(lambda: long.is_forwarded(tep), "the lease in force")
    assert dormant(tep) == []
    assert tep.ctl("show")["state"] == "ready"
    wait_for(lambda: not short.is_known(tep), "the end of the other lease")
    assert not short.is_forwarded(tep) and long.is_forwarded(tep)
    kill(tep)
    tep.start()
    assert "1 bindings taken over" in tep.log()
    wait_for(lambda: long.is_forwarded(tep), "the lease in force once more")
    assert not short.is_known(tep)


def never_forwarded(lease, tep, until):
    """Looks at the lease again and again until the condition holds."""

    def look():
        assert not lease.is_forwarded(tep), "a lease that was given back is in force"
        return until()

    wait_for(look, "the TEP to be level")


def test_a_lease_that_was_given_back_while_the_tep_was_dead_is_never_in_force(server, tep):
    tep.config["bindings"]["confirm_ms"] = 15000
    gone, kept = Lease(server, A), Lease(server, B)
    kill(tep)
    wait_for(lambda: server.ctl("teps")["items"][0]["state"] == "down", "the server to notice")
    gone.release(server)
    tep.start()
    assert gone.is_known(tep) or tep.ctl("show")["state"] == "ready"
    never_forwarded(gone, tep, lambda: tep.ctl("show")["state"] == "ready")
    assert not gone.is_known(tep)
    wait_for(lambda: kept.is_forwarded(tep), "the other lease in force")


def test_a_range_that_went_to_another_client_is_that_clients(server, tep):
    """The snapshot is an old one: meanwhile the TEP ran without it, and the range changed hands."""
    tep.config["bindings"]["confirm_ms"] = 15000
    server.config["pools"][0]["block_size"] = 32768
    server.stop()
    server.start().wait_level()
    old = Lease(server, A)
    snapshot = tep.config["bindings"].pop("snapshot")
    kill(tep)
    tep.start()
    server.wait_level()
    old.release(server)
    new = wait_for(lambda: lease_or_none(server, B), "the range to be free")
    assert (new.v4, new.ports) == (old.v4, old.ports)
    kill(tep)
    tep.config["bindings"]["snapshot"] = snapshot
    tep.start()
    assert "1 bindings taken over" in tep.log()

    def holder():
        """Of the range, as far as it is in force."""
        return [b["client"] for b in tep.bindings() if not b["dormant"]]

    wait_for(lambda: holder() == [B] if holder() != [] else None, "the new holder")
    assert not old.is_known(tep) and new.is_forwarded(tep)


def lease_or_none(server, client):
    try:
        return Lease(server, client)
    except AssertionError:
        return None


def test_a_server_that_is_not_configured_any_more_has_no_bindings(server, tep):
    lease = Lease(server, A)
    kill(tep)
    tep.config["control"]["servers"] = [{"name": "another", "password": "between-us"}]
    tep.config["bindings"]["confirm_ms"] = 100
    tep.start()
    wait_for(lambda: tep.ctl("show")["state"] == "ready", "the TEP to be ready")
    assert "1 bindings of servers or tunnel addresses that are not configured" in tep.log()
    assert not lease.is_known(tep)


def test_a_second_tep_with_the_same_snapshot_does_not_start(server, tep, tmp_path):
    (tmp_path / "second").mkdir()
    second = Tep(tmp_path / "second")
    second.config["bindings"]["snapshot"] = tep.config["bindings"]["snapshot"]
    second.launch()
    assert second.process.wait(20) == 1
    second.process = None
    assert "another process uses it" in second.log()
    lease = Lease(server, A)
    assert lease.is_forwarded(tep)
