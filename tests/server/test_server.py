# SPDX-License-Identifier: BSD-3-Clause
"""
The real dstm-server on ::1 between scripted clients of both generations and a scripted TEP.

DSTM_BUILD names the build directory whose dstm-server is tested.
"""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tsp_peers import Client, ScriptedTep, Stream, address_xml, frame

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / os.environ.get("DSTM_BUILD", "build/gcc") / "src/server/dstm-server"
WAIT_S = 20

A = "2001:db8:1::a"
B = "2001:db8:1::b"


def wait_for(condition, what, timeout_s=WAIT_S):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


class Server:
    """dstm-server with a folder of its own."""

    def __init__(self, folder, teps):
        self.folder = folder
        self.process = None
        self.port = None
        self.config = {
            "listen": ["[::1]:0"],
            "socket": str(folder / "ctl.sock"),
            "store": str(folder / "leases.db"),
            "lease": {"lifetime_s": 3600, "lifetime_min_s": 1, "quarantine_s": 120,
                      "tep_timeout_s": 1},
            "auth": {"users": [{"name": "alice", "password": "wonderland"},
                               {"name": "bob", "password": "builder"}],
                     "require_peer_address": False},
            "limits": {},
            "teps": [{"name": f"tep{i}", "control": f"[::1]:{tep.port}", "user": tep.user,
                      "password": "between-us", "v6": tep.V6} for i, tep in enumerate(teps)],
            "pools": [{"name": "shared", "prefix": "198.51.100.7/32", "tep": "tep0"}],
        }

    def write_config(self):
        path = self.folder / "server.yaml"
        path.write_text(yaml.safe_dump(self.config))
        return path

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "-v", "-c", self.write_config()], stderr=log, stdout=log)
        self.port = wait_for(self.listen_port, "the control socket")
        return self

    def listen_port(self):
        assert self.process.poll() is None, self.log()
        try:
            return int(self.ctl("show")["listen"][0].rpartition(":")[2])
        except (FileNotFoundError, ConnectionRefusedError):
            return None

    def ctl(self, command, **arguments):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(WAIT_S)
            sock.connect(self.config["socket"])
            sock.sendall(json.dumps({"command": command, "arguments": arguments}).encode() + b"\n")
            answer = json.loads(sock.makefile().readline())
        assert answer["ok"], answer
        return answer["result"]

    def refused_ctl(self, command, **arguments):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(WAIT_S)
            sock.connect(self.config["socket"])
            sock.sendall(json.dumps({"command": command, "arguments": arguments}).encode() + b"\n")
            answer = json.loads(sock.makefile().readline())
        assert not answer["ok"]
        return answer["error"]

    def counter(self, name):
        return {c["name"]: c["count"] for c in self.ctl("counters")["items"]}[name]

    def leases(self, state=None):
        return [item for item in self.ctl("leases")["items"] if state in (None, item["state"])]

    def wait_level(self):
        wait_for(lambda: all(t["state"] == "connected" for t in self.ctl("teps")["items"]),
                 "the TEPs to be level")
        return self

    def stop(self, number=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(number)
        status = self.process.wait(WAIT_S)
        self.process = None
        return status

    def log(self):
        return (self.folder / "log").read_text()

    def anonymous(self, version="2.0.0"):
        client = Client(self.port, version)
        assert client.anonymous().startswith("200")
        return client

    def lease(self, v6, version="2.0.0", **arguments):
        """A confirmed lease; the client stays connected only in generation 1."""
        client = self.anonymous(version)
        info = client.create(v6, **arguments)
        assert info.code == 200, info.raw
        if version.startswith("2"):
            client.accept()
            client.close()
            return info
        return client, info


@pytest.fixture(name="tep")
def fixture_tep():
    tep = ScriptedTep()
    yield tep
    tep.stop()


@pytest.fixture(name="server")
def fixture_server(tmp_path, tep):
    server = Server(tmp_path, [tep])
    yield server
    server.stop(signal.SIGKILL)
    log = server.log() if (tmp_path / "log").exists() else ""
    print(log)
    assert "runtime error" not in log and "Sanitizer" not in log


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


# --- TEPs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("version, code", [("1.0", 307), ("2.0.0", 310)])
def test_a_tep_that_refuses_is_told_to_the_client(server, tep, version, code):
    """R88: and the range is free again at once."""
    server.start().wait_level()
    tep.behaviour = "refuse"
    assert server.anonymous(version).create(A).code == code
    assert server.leases() == []
    assert server.ctl("pools")["items"][0]["free"] == 63


@pytest.mark.parametrize("version, code", [("1.0", 307), ("2.0.0", 310)])
def test_a_tep_that_is_silent_is_a_tep_error(server, tep, version, code):
    """R88: it may have installed the binding, so the range rests; the TEP gets level again."""
    server.start().wait_level()
    tep.behaviour = "silent"
    assert server.anonymous(version).create(A).code == code
    assert server.leases()[0]["state"] == "quarantine"
    tep.behaviour = "ok"
    server.wait_level()
    assert tep.sessions >= 2
    assert server.lease(A).code == 200


def test_a_tep_that_is_not_there_is_a_tep_error(server, tep):
    tep.stop()
    server.start()
    assert server.anonymous("1.0").create(A).code == 307
    assert server.ctl("teps")["items"][0]["state"] == "down"
    assert server.ctl("teps")["items"][0]["last_error"]
    tep.start()
    server.wait_level()
    assert server.lease(A).code == 200


def test_a_tep_with_another_password_is_not_served(server, tep):
    tep.password = "another"
    server.start()
    wait_for(lambda: server.ctl("teps")["items"][0]["last_error"], "the failure")
    assert server.ctl("teps")["items"][0]["state"] == "down"


def test_a_restarted_tep_gets_its_table_back(server, tep):
    server.start().wait_level()
    for i in range(20):
        server.lease(f"2001:db8:1::{i:x}")
    table = {key: client for key, (client, _) in tep.table.items()}
    tep.stop()
    released = server.anonymous("1.0")
    assert released.ask("delete", address_xml(v6="2001:db8:1::3")).code == 200
    tep.start()
    server.wait_level()
    expected = {k: v for k, v in table.items() if v != "2001:db8:1::3"}
    assert {key: client for key, (client, _) in tep.table.items()} == expected
    assert [m.sync for m in tep.seen("list")[-2:]] == ["begin", "end"]


def test_a_binding_that_the_server_does_not_know_is_levelled_out(server, tep):
    tep.table[("198.51.100.7", ((2048, 3071),))] = (B, 1000)
    server.start().wait_level()
    assert tep.table == {}


def test_a_renewal_that_the_tep_refuses_ends_the_lease(server, tep):
    """R88, R94: nothing is left at the TEP."""
    server.start().wait_level()
    client, info = server.lease(A, "1.0")
    tep.behaviour = "refuse"
    assert client.create(A, v4="198.51.100.7", ports=info.ports).code == 307
    wait_for(lambda: tep.table == {}, "the delete")
    assert server.leases()[0]["state"] == "quarantine"


# --- restarts -----------------------------------------------------------------------------------


def test_acknowledged_leases_survive_kill_9(server, tep):
    """Done when 4: leases, quarantines and ends are known again, the TEP is levelled."""
    server.start().wait_level()
    infos = {v6: server.lease(v6) for v6 in (f"2001:db8:1::{i:x}" for i in range(1, 11))}
    assert server.anonymous().ask("delete", address_xml(v6="2001:db8:1::1")).code == 200
    before = {lease["client"]: lease for lease in server.leases()}
    server.stop(signal.SIGKILL)
    tep.table = {}
    server.start().wait_level()
    after = {lease["client"]: lease for lease in server.leases()}
    assert after.keys() == before.keys()
    for client, lease in after.items():
        for key in ("v4", "ports", "tep", "user", "pool", "state"):
            assert lease[key] == before[client][key]
        assert 0 <= before[client]["seconds_left"] - lease["seconds_left"] <= WAIT_S
    assert len(tep.table) == 9
    assert server.lease("2001:db8:1::2").ports == infos["2001:db8:1::2"].ports
    assert server.lease("2001:db8:1::1").ports == infos["2001:db8:1::1"].ports


def test_leases_that_end_while_the_server_is_down_are_ended(server, tep):
    server.start().wait_level()
    server.lease(A, lifetime=1)
    server.stop(signal.SIGKILL)
    time.sleep(1.2)
    server.start().wait_level()
    assert tep.table == {}
    assert server.leases()[0]["state"] == "quarantine"


def test_leases_of_a_pool_that_is_gone_are_left_alone(server, tep):
    server.start().wait_level()
    info = server.lease(A)
    server.stop()
    was = server.config["pools"][0]["prefix"]
    server.config["pools"][0]["prefix"] = "203.0.113.1/32"
    server.start().wait_level()
    assert server.leases() == [] and tep.table == {}
    assert "1 leases left alone" in server.log()
    assert server.lease(A).address("client", "ipv4") == "203.0.113.1"
    server.stop()
    server.config["pools"][0]["prefix"] = was
    server.start().wait_level()
    assert server.lease(A).ports == info.ports


def test_two_servers_cannot_share_a_store(server, tmp_path, tep):
    server.start()
    folder = tmp_path / "second"
    folder.mkdir()
    second = Server(folder, [tep])
    second.config["store"] = server.config["store"]
    done = subprocess.run([BINARY, "-c", second.write_config()], capture_output=True, text=True,
                          timeout=WAIT_S, check=False)
    assert done.returncode == 1 and "database is locked" in done.stderr


# --- operation ----------------------------------------------------------------------------------


def test_connections_over_the_limit_are_closed_at_once(server):
    server.config["limits"]["connections"] = 2
    server.start().wait_level()
    kept = [server.anonymous(), server.anonymous()]
    with socket.create_connection(("::1", server.port)) as third:
        assert Stream(third).is_closed()
    kept[0].close()
    wait_for(lambda: server.ctl("show")["connections"] == 1, "the first to leave")
    assert server.anonymous().create(A).code == 200
    assert server.counter("connections-refused") == 1


def test_a_reload_changes_users_and_times_and_keeps_the_rest(server):
    server.start().wait_level()
    assert server.lease(A).lifetime == 3600
    server.config["auth"]["users"] = [{"name": "carol", "password": "queen"}]
    server.config["lease"]["lifetime_s"] = 900
    server.write_config()
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "reload: users" in server.log(), "the reload")
    assert Client(server.port).scram("alice", "wonderland").startswith("300")
    assert Client(server.port).scram("carol", "queen").startswith("200")
    assert server.lease(A).lifetime == 900
    assert "only with a restart" not in server.log()
    server.config["pools"][0]["block_size"] = 3
    server.write_config()
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "nothing changed" in server.log(), "the refused reload")
    assert server.lease(A).code == 200


def test_the_control_socket_pages_through_leases(server):
    server.start().wait_level()
    client = server.anonymous("1.0")
    for i in range(10):
        assert client.create(f"2001:db8:1::{i:x}").code == 200
    seen, after = [], None
    while True:
        page = server.ctl("leases", limit=3, **({} if after is None else {"after": after}))
        assert len(page["items"]) <= 3
        seen += [lease["client"] for lease in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 10
    assert "limit" in server.refused_ctl("leases", limit=0)
    assert "after" in server.refused_ctl("leases", after="x")
    show = server.ctl("show")
    assert show["leases"] == 10 and show["connections"] >= 1
    tep, = server.ctl("teps")["items"]
    assert tep["bindings"] == 10 and tep["v4"] == ScriptedTep.V4 and tep["last_error"] is None


def test_sigterm_ends_it_cleanly(server, tep):
    server.start().wait_level()
    client, _ = server.lease(A, "1.0")
    undone = server.anonymous()
    assert undone.create(B).code == 200  # and not accepted
    assert server.stop() == 0
    assert client.is_closed() and undone.is_closed()
    assert [key for key, (v6, _) in tep.table.items() if v6 == B] == []
    assert not Path(server.config["socket"]).exists()


def test_a_bad_configuration_starts_nothing(server):
    server.config["pools"][0]["tep"] = "nowhere"
    path = server.write_config()
    for options in ([], ["-t"]):
        done = subprocess.run([BINARY, *options, "-c", path], capture_output=True, text=True,
                              timeout=WAIT_S, check=False)
        assert done.returncode == 2
        assert 'there is no tep "nowhere"' in done.stderr
    assert not Path(server.config["store"]).exists()
    done = subprocess.run([BINARY, "-t", "-c", ROOT / "config/server.yaml"], timeout=WAIT_S,
                          check=False)
    assert done.returncode == 0
