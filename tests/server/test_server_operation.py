# SPDX-License-Identifier: BSD-3-Clause
"""The server among TEPs that fail, through restarts, and as its operator sees it."""

import contextlib
import resource
import signal
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from dstm_server import A, B, BINARY, ROOT, WAIT_S, Server, wait_for
from tsp_peers import Client, ScriptedTep, Stream, address_xml


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


def test_a_tep_that_is_busy_keeps_its_session(server, tep):
    """Who waited too long is refused; late answers find their places and nothing is left behind."""
    server.start().wait_level()
    tep.delay_s = 0.3
    clients = [server.anonymous("1.0") for _ in range(8)]
    for i, client in enumerate(clients):
        client.tell("create", address_xml(v6=f"2001:db8:1::{i + 1:x}") + "<ports/>")
    codes = [client.read_message().code for client in clients]
    assert set(codes) == {200, 307}
    tep.delay_s = 0
    wait_for(lambda: len(tep.table) == codes.count(200), "the late bindings to be deleted")
    assert tep.sessions == 1
    held = {(lease["v4"], tuple(map(tuple, lease["ports"]))) for lease in server.leases("active")}
    assert set(tep.table) == held


def test_a_tep_that_is_not_there_is_a_tep_error(server, tep):
    tep.stop()
    server.start()
    assert server.anonymous("1.0").create(A).code == 307
    assert server.ctl("teps")["items"][0]["state"] == "down"
    assert server.ctl("teps")["items"][0]["last_error"]
    tep.start()
    server.wait_level()
    assert server.lease(A).code == 200


def test_a_tep_that_will_not_get_level_is_not_connected(server, tep):
    tep.refuse_list = True
    server.start()
    error = wait_for(lambda: server.ctl("teps")["items"][0]["last_error"], "the failure")
    assert error == "it refuses to get level"
    tep.refuse_list = False
    server.wait_level()


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


def test_a_store_too_large_to_sort_in_a_small_memory_is_read_in_the_sandbox(server, tep):
    """SQLite would put what it sorts into a file that the sandbox does not allow."""
    server.config["pools"][0]["prefix"] = "198.51.0.0/22"
    server.start()
    server.stop()
    with contextlib.closing(sqlite3.connect(server.config["store"])) as store, store:
        store.executemany(
            "INSERT INTO leases (id, state, v4, ports, client, tep, user, until_utc_ms)"
            " VALUES (?, 'quarantine', ?, ?, ?, '2001:db8::1', '', ?)",
            [(i + 1, f"198.51.{i // 63 >> 8}.{i // 63 & 255}",
              f"{(i % 63 + 1) * 1024}-{(i % 63 + 1) * 1024 + 1023}",
              f"2001:db8:1::{i:x}", i * 7919 % 60000) for i in range(60000)])
    server.start()
    assert "60000 leases taken up" in server.log()


def test_many_leases_that_end_together_do_not_cost_the_session_with_the_tep(server, tep):
    """Their deletes are more than may wait in a connection's output."""
    server.config["pools"][0]["prefix"] = "198.51.100.0/26"
    server.start().wait_level()
    server.stop()
    until_ms = int((time.time() + 3) * 1000)
    with contextlib.closing(sqlite3.connect(server.config["store"])) as store, store:
        store.executemany(
            "INSERT INTO leases (id, state, v4, ports, client, tep, user, until_utc_ms)"
            " VALUES (?, 'active', ?, ?, ?, '2001:db8::1', '', ?)",
            [(i + 1, f"198.51.100.{i // 63}", f"{(i % 63 + 1) * 1024}-{(i % 63 + 1) * 1024 + 1023}",
              f"2001:db8:1::{i:x}", until_ms) for i in range(2000)])
    sessions = tep.sessions
    server.start().wait_level()
    assert tep.sessions == sessions + 1
    wait_for(lambda: server.counter("leases-expired") == 2000 and tep.table == {}, "their end")
    assert tep.sessions == sessions + 1
    assert len(tep.seen("delete")) == 2000


def test_leases_of_a_pool_that_is_gone_live_to_their_ends(server, tep):
    """Also over a restart: the TEP is told of them; they are not renewed, and come back with their pool."""
    server.start().wait_level()
    _, info = server.lease(A, "1.0")
    _, other = server.lease(B, "1.0")
    server.stop()
    was = server.config["pools"][0]["prefix"]
    server.config["pools"][0]["prefix"] = "203.0.113.1/32"
    server.start().wait_level()
    assert len(server.leases("active")) == 2 and len(tep.table) == 2
    assert "2 leases live to their ends without a pool" in server.log()
    assert server.anonymous("1.0").create(A, v4="198.51.100.7", ports=info.ports).code == 308
    assert server.lease(A).address("client", "ipv4") == "203.0.113.1"
    server.stop()
    server.config["pools"][0]["prefix"] = was
    server.start().wait_level()
    assert server.lease(B).ports == other.ports


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


def test_a_full_disk_refuses_requests_and_the_server_lives(server, tep):
    """530 while nothing can be written down; nothing is promised, nothing is left at the TEP."""
    server.start().wait_level()
    server.lease(A)
    full = Path(server.config["store"] + "-wal").stat().st_size
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
    assert server.anonymous("1.0").create(B).code == 530
    assert len(tep.table) == 1 and len(server.leases()) == 1
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE,
                     (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert server.lease(B).code == 200
    assert "store: not written, requests are refused" in server.log()
    assert "store: written again" in server.log()
    server.stop(signal.SIGKILL)
    server.start()
    assert {lease["client"] for lease in server.leases("active")} == {A, B}


@pytest.mark.parametrize("octets", [
    b"\0" * 5000, b"VERSION=", b"VERSION=2.0.0\r\n" + b"A" * 9000,
    b"VERSION=1.0\r\nAUTHENTICATE ANONYMOUS\r\n\r\nContent-length: 99999999\r\n",
    b"VERSION=1.0\r\nAUTHENTICATE DIGEST-MD5\r\n\xff\xff\xff\r\n",
    b"VERSION=1.0\r\nAUTHENTICATE SCRAM-SHA-256\r\nbiwsbj0s\r\n" * 3,
    b"GET / HTTP/1.1\r\n\r\n",
])
def test_garbage_hurts_nobody_else(server, octets):
    server.start().wait_level()
    for _ in range(3):
        with socket.create_connection(("::1", server.port)) as sock:
            sock.sendall(octets)
    assert server.lease(A).code == 200


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
    waiting = server.anonymous()
    assert waiting.create(B).code == 200  # its accept may be on its way
    assert server.stop() == 0
    assert client.is_closed() and waiting.is_closed()
    assert {v6 for v6, _ in tep.table.values()} == {A, B}
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
