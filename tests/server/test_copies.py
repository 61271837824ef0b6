# SPDX-License-Identifier: BSD-3-Clause
"""One lease on three real TEPs behind one anycast tunnel address: every table, whatever dies (R67, R72, S33)."""

import random
import signal

import pytest

from dstm_server import A, B, Server, wait_for
from dstm_tep import Tep
from tsp_peers import address_xml

N = 3


@pytest.fixture(name="folder", scope="module")
def fixture_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("copies")


@pytest.fixture(name="teps", scope="module")
def fixture_teps(folder):
    teps = []
    for i in range(N):
        (folder / f"tep{i}").mkdir()
        teps.append(Tep(folder / f"tep{i}"))
        teps[i].start()
    yield teps
    for tep in teps:
        tep.stop(signal.SIGKILL)


@pytest.fixture(name="fleet")
def fixture_fleet(tmp_path, teps):
    """A server of which all TEPs hold everything."""
    server = Server(tmp_path, teps)
    server.config["pools"] = [{"name": "shared", "prefix": "198.51.100.0/28", "copies": "push",
                               "teps": [f"tep{i}" for i in range(N)]}]
    server.start().wait_level()
    yield server
    server.stop(signal.SIGKILL)
    assert "runtime error" not in server.log() and "Sanitizer" not in server.log()
    for tep in teps:
        if tep.process is None:
            tep.start()


def rows(bindings):
    return sorted((b["v4"], b["first"], b["last"], b["client"], b["tep"]) for b in bindings)


def expected(server):
    return sorted((lease["v4"], first, last, lease["client"], Tep.V6)
                  for lease in server.leases("active") for first, last in lease["ports"])


def wait_same(server, teps):
    """Each table is what the server says, and nothing else."""
    server.wait_level()
    wait_for(lambda: all(rows(tep.bindings()) == expected(server) for tep in teps),
             "equal tables")
    assert {item["tables"] for item in server.ctl("teps")["items"]} == {"equal"}


def show(server, i):
    return server.ctl("teps")["items"][i]


def test_every_tep_has_a_lease_before_its_client_hears_of_it(fleet, teps):
    client, info = fleet.lease(A, "1.0", lifetime=600)
    assert info.address("server", "ipv6") == Tep.V6
    v4 = info.address("client", "ipv4")
    for tep in teps:
        assert rows(tep.bindings()) == [(v4, *info.ports[0], A, Tep.V6)]
    (home,) = [i for i in range(N) if show(fleet, i)["homes"] == 1]
    assert [show(fleet, i)["copies"] for i in range(N)] == [int(i != home) for i in range(N)]
    assert [show(fleet, i)["bindings"] for i in range(N)] == [1] * N
    ends = [tep.bindings()[0]["seconds_left"] for tep in teps]
    again = client.create(A, lifetime=3000, v4=v4, ports=info.ports)
    assert again.code == 200
    for tep, end in zip(teps, ends):
        assert tep.bindings()[0]["seconds_left"] > end + 2000
    assert client.ask("delete", address_xml(v4, A, info.ports)).code == 200
    assert [tep.bindings() for tep in teps] == [[]] * N
    assert fleet.counter("copies") == 2 * (N - 1) and fleet.counter("copies-refused") == 0


def test_a_dead_home_is_replaced_without_the_client_noticing(fleet, teps):
    client, info = fleet.lease(A, "1.0")
    v4 = info.address("client", "ipv4")
    home = fleet.leases("active")[0]["tep"]
    dead = teps[int(home[3:])]
    dead.stop(signal.SIGKILL)
    wait_for(lambda: show(fleet, int(home[3:]))["state"] == "down", "the death to be noticed")
    again = client.create(A, v4=v4, ports=info.ports)
    assert (again.code, again.ports, again.address("client", "ipv4")) == (200, info.ports, v4)
    assert again.address("server", "ipv6") == info.address("server", "ipv6") == Tep.V6
    assert fleet.leases("active")[0]["tep"] != home
    other, _ = fleet.lease(B, "1.0")  # nobody waits for the dead one
    dead.start()
    wait_same(fleet, teps)
    # Its range is nobody else's while a TEP that cannot be told may have it.
    dead.stop(signal.SIGKILL)
    wait_for(lambda: show(fleet, int(home[3:]))["state"] == "down", "the death to be noticed")
    assert client.ask("delete", address_xml(v4, A, info.ports)).code == 200
    (resting,) = fleet.leases("quarantine")
    assert resting["seconds_left"] > fleet.config["lease"]["quarantine_s"] + 600
    other.close()


def test_a_reload_adds_a_tep_and_takes_one_away(fleet, teps):
    pool = fleet.config["pools"][0]
    pool["teps"] = ["tep0", "tep1"]
    assert "all is as" in fleet.reload()
    held = []
    for v6 in (A, B):
        held.append((v6, *fleet.lease(v6, "1.0")))
    wait_same(fleet, teps[:2])
    assert teps[2].bindings() == []
    pool["teps"] = ["tep0", "tep1", "tep2"]
    assert "all is as" in fleet.reload()
    wait_same(fleet, teps)
    del fleet.config["teps"][1]
    pool["teps"] = ["tep0", "tep2"]
    assert "all is as" in fleet.reload()
    assert show(fleet, 1)["leaving"] and len(teps[1].bindings()) == 2
    for v6, client, info in held:
        v4 = info.address("client", "ipv4")
        assert client.create(v6, v4=v4, ports=info.ports).code == 200
    wait_for(lambda: len(fleet.ctl("teps")["items"]) == 2, "the TEP to be let go")
    assert teps[1].bindings() == []
    wait_same(fleet, [teps[0], teps[2]])


@pytest.mark.parametrize("seed", [7])
def test_tables_are_equal_after_any_deaths(fleet, teps, seed):
    """Leases come and go while TEPs and the server are killed; then each table is the server's."""
    dice, held = random.Random(seed), {}
    for _ in range(60):
        v6, roll = f"2001:db8:1::{dice.randrange(1, 40):x}", dice.random()
        if roll < 0.06:
            tep = dice.choice(teps)
            tep.stop(signal.SIGKILL)
            tep.launch()
        elif roll < 0.1:
            fleet.stop(signal.SIGKILL)
            fleet.start()
        elif v6 in held and roll < 0.5:
            v4, ports = held.pop(v6)
            client = fleet.anonymous("1.0")
            assert client.ask("delete", address_xml(v4, v6, ports)).code in (200, 308)
            client.close()
        else:
            client = fleet.anonymous("1.0")
            info = client.create(v6, lifetime=dice.choice((2, 600)))
            client.close()
            if info.code == 200:
                held[v6] = (info.address("client", "ipv4"), info.ports)
    for tep in teps:
        wait_for(tep.is_there, "the TEP's control socket")
    assert fleet.leases("active")
    wait_same(fleet, teps)
