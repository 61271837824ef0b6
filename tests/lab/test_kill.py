# SPDX-License-Identifier: BSD-3-Clause
"""kill -9 of each daemon in turn, and a restart: the lease stays, and traffic flows again."""

import time

import pytest

from conftest import SHARED_ADDRESS, derived, lab_with_leases, wait_until, without_captures
from lab import steps

RECOVERY_TIMEOUT_S = 60
PAGE = "http://192.0.2.80/"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    return tmp_path_factory.mktemp("tep") / "snapshot"


@pytest.fixture(scope="module")
def lab(tmp_path_factory, snapshot):
    def with_snapshot(content):
        content["programs"]["tep"]["config"].setdefault("bindings", {})["snapshot"] = str(snapshot)
        without_captures(content)

    with lab_with_leases(derived(tmp_path_factory, SHARED_ADDRESS, with_snapshot)) as lab:
        yield lab


def without(items: list[dict], *keys: str) -> list[dict]:
    """The items in a fixed order, less what changes with the time."""
    kept = [{key: value for key, value in item.items() if key not in keys} for item in items]
    return sorted(kept, key=str)


def leases(lab):
    return without(lab.programs["server"].ctl("leases"), "seconds_left")


def bindings(lab):
    return without(lab.programs["tep"].ctl("bindings"), "seconds_left")


def page_comes(lab, node: str) -> bool:
    said = lab.nodes[node].run(["curl", "-s", "-4", "-m", "1", PAGE], check=False)
    return said.startswith(f"You are {lab.leases[node]['v4']} ")


def assert_traffic_flows_again(lab, since: float, what: str):
    for node in ("client1", "client2"):
        wait_until(lambda: page_comes(lab, node), RECOVERY_TIMEOUT_S,
                   f"a page on {node} after {what}")
        print(f"{what}: a page on {node} {time.monotonic() - since:.2f} s after the kill")


def test_the_server_still_knows_its_leases(lab):
    """Design: an acknowledged lease is durable. Traffic needs no server."""
    before, table = leases(lab), bindings(lab)
    assert len(before) == 2 and all(lease["state"] == "active" for lease in before)
    began = time.monotonic()
    lab.programs["server"].kill()
    assert page_comes(lab, "client1"), "a dead server stopped the traffic"
    lab.start("server")
    assert leases(lab) == before
    steps.wait_for_teps(lab.programs["server"])
    print(f"server: speaks with its TEP again {time.monotonic() - began:.2f} s after the kill")
    assert bindings(lab) == table
    assert leases(lab) == before
    assert_traffic_flows_again(lab, began, "server")


def test_the_tep_gets_its_table_back_without_being_asked(lab, snapshot):
    """From the server, with no snapshot of its own."""
    table = bindings(lab)
    assert len(table) == 2
    began = time.monotonic()
    lab.programs["tep"].kill()
    snapshot.unlink()
    lab.start("tep")
    wait_until(lambda: bindings(lab) == table, RECOVERY_TIMEOUT_S, "the TEP's table")
    print(f"tep: its table is back {time.monotonic() - began:.2f} s after the kill")
    assert_traffic_flows_again(lab, began, "tep")


def test_a_tep_carries_its_leases_without_a_server(lab):
    """S1, R30: also after a restart, by its snapshot; the server finds nothing to mend."""
    before, table = leases(lab), bindings(lab)
    began = time.monotonic()
    lab.programs["server"].kill()
    lab.programs["tep"].kill()
    lab.start("tep")
    assert_traffic_flows_again(lab, began, "tep, the server dead")
    assert bindings(lab) == table
    lab.start("server")
    steps.wait_for_teps(lab.programs["server"])
    assert leases(lab) == before
    assert bindings(lab) == table


def test_the_client_recovers_its_lease(lab):
    """S23: the current lease first."""
    before, table, held = leases(lab), bindings(lab), lab.leases["client1"]
    began = time.monotonic()
    lab.programs["client1"].kill()
    lab.start("client1")
    lease = steps.wait_for_lease(lab, "client1")
    assert (lease["v4"], lease["ports"], lease["tep"]) == (held["v4"], held["ports"], held["tep"])
    assert_traffic_flows_again(lab, began, "client")
    assert leases(lab) == before
    assert bindings(lab) == table


def test_all_three_at_once(lab):
    before, table = leases(lab), bindings(lab)
    began = time.monotonic()
    for name in ("server", "tep", "client1"):
        lab.programs[name].kill()
    for name in ("tep", "server", "client1"):
        lab.start(name)
    assert_traffic_flows_again(lab, began, "all three")
    assert leases(lab) == before
    assert bindings(lab) == table


def test_sigterm_ends_each_daemon_with_code_0(lab):
    """The last one: nothing runs any more after it."""
    for name in ("client1", "client2", "server", "tep"):
        program = lab.programs[name]
        assert program.running
        assert program.stop() == 0, program.last_words()
        assert not program.socket.exists()
