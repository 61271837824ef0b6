# SPDX-License-Identifier: BSD-3-Clause
"""SIGHUP: pools, TEPs and users change while leases and sessions go on."""

import random
import signal
import socket
import threading

import pytest

from dstm_server import A, B, Server, wait_for
from tsp_peers import Client

V6 = ("2001:db8::1", "2001:db8::2", "2001:db8::3")


@pytest.fixture(name="fleet")
def fixture_fleet(tmp_path, teps):
    """A server that knows all three, of which its configuration names the first."""
    server = Server(tmp_path, teps)
    server.all_teps = server.config["teps"]
    server.config["teps"] = server.all_teps[:1]
    yield server
    server.stop(signal.SIGKILL)
    assert "runtime error" not in server.log() and "Sanitizer" not in server.log()


def tep_states(server):
    return {tep["name"]: (tep["state"], tep["leaving"]) for tep in server.ctl("teps")["items"]}


def test_users_times_and_limits(fleet):
    fleet.start().wait_level()
    assert fleet.lease(A).lifetime == 3600
    fleet.config["auth"]["users"] = [{"name": "carol", "password": "queen"}]
    fleet.config["lease"]["lifetime_s"] = 900
    fleet.config["limits"]["leases_per_client"] = 1
    assert "restart" not in fleet.reload()
    assert Client(fleet.port).scram("alice", "wonderland").startswith("300")
    carol = Client(fleet.port)
    assert carol.scram("carol", "queen").startswith("200")
    assert carol.create(A).code == 530
    assert fleet.lease(A).lifetime == 900
    fleet.config["store"] += ".new"
    assert "change only with a restart" in fleet.reload()


@pytest.mark.parametrize("change, sentence", [
    (lambda c: c["pools"][0].update(block_size=3), "block_size 3 is not a power of two"),
    (lambda c: c["pools"][0].update(tep="x"), 'there is no tep "x"'),
    (lambda c: c.update(nonsense=1), 'unknown key "nonsense"'),
    (lambda c: c.update(teps=[]), "teps: 0 items"),
])
def test_a_bad_file_changes_nothing_and_is_named(fleet, teps, change, sentence):
    fleet.start().wait_level()
    client, info = fleet.lease(A, "1.0")
    change(fleet.config)
    fleet.config["lease"]["lifetime_s"] = 5
    said = fleet.reload()
    assert "nothing changed: " in said and "server.yaml:" in said and sentence in said
    again = client.create(A, v4="198.51.100.7", ports=info.ports)
    assert again.code == 200 and again.lifetime == 3600
    assert tep_states(fleet) == {"tep0": ("connected", False)} and teps[0].sessions == 1


def test_pools_are_added_shrunk_and_taken_away(fleet):
    """R94: what no pool has lives to its end and is not renewed."""
    pool = fleet.config["pools"][0]
    pool["prefix"] = "198.51.100.6/31"
    pool["block_size"] = 32768  # one block an address
    fleet.start().wait_level()
    leases = {}
    for v6 in (A, B):
        client, info = fleet.lease(v6, "1.0")
        leases[info.address("client", "ipv4")] = (v6, client, info)
    pool["prefix"] = "198.51.100.6/32"
    fleet.config["pools"].append({"name": "new", "prefix": "203.0.113.1/32", "tep": "tep0"})
    fleet.reload()
    assert {p["name"]: p["leased"] for p in fleet.ctl("pools")["items"]} == {"shared": 1, "new": 0}
    assert len(fleet.leases("active")) == 2
    for v4, code in (("198.51.100.6", 200), ("198.51.100.7", 308)):
        v6, client, info = leases[v4]
        assert client.create(v6, v4=v4, ports=info.ports).code == code
    v6, client, _ = leases["198.51.100.7"]
    assert client.create(v6).address("client", "ipv4") == "203.0.113.1"
    fleet.config["pools"] = [pool]
    fleet.reload()
    assert client.create(v6).code == 306
    assert len(fleet.leases("active")) == 1


def test_a_pool_that_comes_back_has_its_leases_again(fleet):
    fleet.start().wait_level()
    client, info = fleet.lease(A, "1.0")
    was = fleet.config["pools"]
    fleet.config["pools"] = [{"name": "new", "prefix": "203.0.113.1/32", "tep": "tep0"}]
    fleet.reload()
    assert fleet.leases("active")[0]["pool"] == ""
    fleet.config["pools"] = was
    fleet.reload()
    assert client.create(A, v4="198.51.100.7", ports=info.ports).ports == info.ports
    assert fleet.ctl("pools")["items"][0]["leased"] == 1


def test_a_tep_that_is_taken_away_is_kept_until_its_leases_have_left(fleet, teps):
    """Its leases move at their renewal; it hears of that, and then it is let go."""
    fleet.config["lease"]["quarantine_s"] = 0
    fleet.start().wait_level()
    client, info = fleet.lease(A, "1.0")
    fleet.config["teps"] = fleet.all_teps[1:2]
    fleet.config["pools"][0].update(tep="tep1", tep_failure="refuse")
    fleet.reload()
    wait_for(lambda: tep_states(fleet) == {"tep0": ("connected", True),
                                           "tep1": ("connected", False)}, "the new TEP")
    assert teps[0].sessions == 1 and len(teps[0].table) == 1
    assert fleet.lease(B).address("server", "ipv6") == V6[1]
    moved = client.create(A, v4="198.51.100.7", ports=info.ports)
    assert moved.code == 200 and moved.address("server", "ipv6") == V6[1]
    wait_for(lambda: list(tep_states(fleet)) == ["tep1"], "the old TEP to be let go")
    assert teps[0].table == {} and len(teps[1].table) == 2
    assert "TEP tep0: let go" in fleet.log()


def test_a_session_begins_anew_only_when_it_is_reached_otherwise(fleet, teps):
    fleet.start().wait_level()
    fleet.lease(A)
    fleet.config["pools"][0]["tep"] = fleet.all_teps[0]["name"] = "renamed"
    fleet.reload()
    fleet.wait_level()
    assert list(tep_states(fleet)) == ["renamed"] and len(teps[0].table) == 1
    assert fleet.leases("active")[0]["tep"] == "renamed"
    sessions = teps[0].sessions
    fleet.all_teps[0]["v6"] = V6[2]
    fleet.reload()
    assert fleet.lease(B).code == 200
    assert teps[0].sessions == sessions
    teps[0].password = fleet.all_teps[0]["password"] = "another-one"
    fleet.reload()
    fleet.wait_level()
    assert teps[0].sessions == sessions + 1 and len(teps[0].table) == 2


def test_listeners_are_moved_and_added_and_sessions_go_on(fleet):
    """An endpoint that stays is not touched, and one that cannot be had changes nothing."""
    fleet.start().wait_level()
    client, info = fleet.lease(A, "1.0")
    before = fleet.port
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::1", 0))
        taken.listen()
        busy, minutes = f"[::1]:{taken.getsockname()[1]}", fleet.config["listen"]
        fleet.config["listen"] = ["[::1]:0", busy]
        said = fleet.reload()
    assert f"nothing changed: listen {busy}: Address already in use" in said
    assert fleet.listen_port() == before
    fleet.config.update(listen=[busy], listen_minutes=minutes)
    assert "all is as" in fleet.reload()
    assert fleet.ctl("show")["listen"] == [busy]
    assert fleet.ctl("show")["listen_minutes"] == [f"[::1]:{before}"]
    fleet.port = fleet.listen_port()
    assert fleet.lease(B, lifetime=60).lifetime == 60
    del fleet.config["listen_minutes"]
    fleet.reload()
    with pytest.raises(ConnectionRefusedError):
        Client(before)
    assert client.create(A, v4="198.51.100.7", ports=info.ports).code == 200


class Load(threading.Thread):
    """Clients that lease, renew and release until they are told to stop; what went wrong is in errors."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.server, self.number = server, number
        self.random = random.Random(number)
        self.stopping = threading.Event()
        self.errors, self.done, self.held = [], 0, {}

    def run(self):
        client = self.server.anonymous("1.0")
        while not self.stopping.is_set():
            v6 = f"2001:db8:2:{self.number + 1}::{self.random.randrange(1, 9):x}"
            held = self.held.get(v6)
            if held is None:
                answer = client.create(v6)
            else:
                answer = client.create(v6, v4=held[0], ports=held[1])
            if answer.code == 200:
                self.held[v6] = (answer.address("client", "ipv4"), answer.ports)
                self.done += 1
            elif held is not None and answer.code == 308:
                del self.held[v6]  # its pool is gone: the next one is a new lease
            else:
                self.errors.append(answer.raw)


def test_reloads_under_load_lose_neither_lease_nor_session(fleet, teps):
    """Dozens of reloads: pools grow, shrink and change places, TEPs come and go."""
    fleet.config["lease"]["tep_timeout_s"] = 10
    base = {"name": "base", "prefix": "198.51.100.0/29"}
    extra = {"name": "extra", "prefix": "203.0.113.0/30"}
    fleet.config["pools"] = [dict(base, tep="tep0")]
    fleet.start().wait_level()
    kept, info = fleet.lease(A, "1.0")
    loads = [Load(fleet, i) for i in range(2)]
    for load in loads:
        load.start()
    choice = random.Random(7)
    for i in range(36):
        n = choice.randrange(1, 4)
        names = [f"tep{k}" for k in choice.sample(range(3), n)]
        fleet.config["teps"] = [tep for tep in fleet.all_teps if tep["name"] in names]
        pools = [dict(base, teps=list(names))]
        if i % 2:
            pools.insert(choice.randrange(2), dict(
                extra, teps=list(names), block_size=choice.choice([512, 1024, 2048]),
                prefix=choice.choice(["203.0.113.0/30", "203.0.113.0/31"])))
        fleet.config["pools"] = pools
        assert "all is as" in fleet.reload()
        done = [load.done for load in loads]
        wait_for(lambda: all(load.done > was or load.errors for load, was in zip(loads, done)),
                 "the clients to go on")
    for load in loads:
        load.stopping.set()
        load.join(20)
        assert load.errors == []
    fleet.wait_level()
    assert kept.create(A, v4="198.51.100.%d" % int(info.address("client", "ipv4")[-1]),
                       ports=info.ports).code == 200
    held = {(item["v4"], tuple(map(tuple, item["ports"]))): item["client"]
            for item in fleet.leases("active")}
    for load in loads:
        for v6, key in load.held.items():
            assert held[key] == v6
    ports = [(v4, port) for v4, ranges in held for first, last in ranges
             for port in range(first, last + 1)]
    assert len(ports) == len(set(ports))
    wait_for(lambda: {key: client for tep in teps for key, (client, _) in tep.table.items()} == held
             and sum(len(tep.table) for tep in teps) == len(held), "the TEPs to have just that")
