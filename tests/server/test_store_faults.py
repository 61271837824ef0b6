# SPDX-License-Identifier: BSD-3-Clause
"""
A disk that fails under the store (R27, S24): what is answered stays, what cannot be written is refused with 530, and
when the disk is well again so is the server, without a restart.
"""

import os
import signal
import subprocess
import time

import pytest

from dstm_server import A, B, wait_for
from iofault import TORN_STATUS, Faults
from tsp_peers import address_xml

C = "2001:db8:1::c"
LASTING = ["write_eio", "write_enospc", "sync_eio", "short"]


@pytest.fixture(name="faults")
def fixture_faults(server):
    faults = Faults(server.folder)
    server.environment = faults.environment
    return faults


def restarted(server):
    server.stop(signal.SIGKILL)
    server.start().wait_level()
    return {lease["client"]: lease for lease in server.leases()}


@pytest.mark.parametrize("kind", LASTING)
def test_a_failing_disk_refuses_and_recovers(server, tep, faults, kind):
    server.start().wait_level()
    held = server.lease(A)
    client = server.anonymous("1.0")
    faults.set(kind)
    for _ in range(3):
        assert client.create(B).code == 530
        assert client.create(A, v4=held.address("client", "ipv4"), ports=held.ports).code == 530
    assert [lease["client"] for lease in server.leases("active")] == [A]
    assert list(tep.table) == [("198.51.100.7", held.ports)]
    assert server.log().count("store: not written") == 1
    shown = server.ctl("show")
    assert (shown["state"], shown["reason"]) == ("not ready", "the store cannot be written")
    assert shown["store"]["failing"] and shown["store"]["failures"] > 0
    faults.clear()
    info = client.create(B)
    assert info.code == 200
    assert (server.ctl("show")["state"], server.ctl("show")["reason"]) == ("ready", None)
    assert server.log().count("store: written again") == 1
    assert client.create(A, v4=held.address("client", "ipv4"), ports=held.ports).code == 200
    leases = restarted(server)
    assert leases.keys() == {A, B}
    assert leases[A]["ports"] == [list(r) for r in held.ports]
    assert leases[B]["ports"] == [list(r) for r in info.ports]


@pytest.mark.parametrize("kind", LASTING)
def test_what_is_released_on_a_failing_disk_gets_no_second_holder(server, tep, faults, kind):
    """Only one range: whoever has it next, the first one's release is written before that."""
    server.config["pools"][0]["block_size"] = 32768
    server.config["lease"]["quarantine_s"] = 1
    server.start().wait_level()
    held = server.lease(A)
    client = server.anonymous("1.0")
    faults.set(kind)
    assert client.ask("delete", address_xml(v6=A)).code == 200
    assert tep.table == {}
    time.sleep(1.3)
    assert client.create(B).code == 530
    faults.clear()
    info = wait_for(lambda: (answer := client.create(B)).code == 200 and answer, "room again")
    assert info.ports == held.ports
    leases = restarted(server)
    assert leases.keys() == {B} and list(tep.table.values())[0][0] == B


def test_an_end_on_a_failing_disk_is_written_when_it_is_well_again(server, faults):
    server.config["lease"]["quarantine_s"] = 1000
    server.start().wait_level()
    server.lease(A, lifetime=1000)
    client = server.anonymous("1.0")
    faults.set("write_enospc")
    assert client.ask("delete", address_xml(v6=A)).code == 200
    faults.clear()
    time.sleep(2.5)  # nobody asks for anything meanwhile
    assert restarted(server)[A]["state"] == "quarantine"


@pytest.mark.parametrize("turn", range(4))
def test_a_torn_write_loses_nothing_that_was_answered(server, faults, turn):
    """The server dies in the middle of a write; the tail of the log is then cut, or followed by rubbish."""
    server.start().wait_level()
    held = {v6: server.lease(v6).ports for v6 in (A, B)}
    client = server.anonymous("1.0")
    faults.set("torn", 1 + turn)
    with pytest.raises((EOFError, ConnectionError)):
        for i in range(50):
            v6 = f"2001:db8:2::{i + 1:x}"
            info = client.create(v6)
            assert info.code == 200
            held[v6] = info.ports
    assert server.process.wait(20) == TORN_STATUS
    server.process = None
    with open(server.config["store"] + "-wal", "ab") as log:
        log.write(os.urandom(100 + turn * 3000))
    server.start().wait_level()
    leases = {lease["client"]: lease["ports"] for lease in server.leases("active")}
    for v6, ports in held.items():
        assert leases[v6] == [list(r) for r in ports]
    assert server.lease(C).code == 200


def test_a_disk_that_is_really_full(server, tep, tmp_path):
    """A file system of half a megabyte, filled to the last octet; then there is room again."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk], check=False)
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        server.config["store"] = str(disk / "leases.db")
        server.start().wait_level()
        held = server.lease(A)
        with open(disk / "rubbish", "wb", buffering=0) as file:
            with pytest.raises(OSError):
                while True:
                    file.write(bytes(4096))
        client = server.anonymous("1.0")
        codes = {client.create(f"2001:db8:2::{i + 1:x}").code for i in range(60)}
        assert 530 in codes and codes <= {200, 530}
        assert client.ask("delete", address_xml(v6=A)).code == 200
        active = {lease["client"] for lease in server.leases("active")}
        (disk / "rubbish").unlink()
        assert server.lease(A).ports == held.ports
        assert restarted(server).keys() >= active | {A}
        assert {v6 for v6, _ in tep.table.values()} == active | {A}
    finally:
        server.stop(signal.SIGKILL)
        subprocess.run(["umount", disk], check=True)


def test_a_disk_that_fails_at_the_start_is_named(server, faults):
    faults.set("write_eio")
    server.launch()
    assert server.process.wait(20) == 1
    server.process = None
    assert "leases.db" in server.log() and "disk I/O error" in server.log()
    faults.clear()
    server.start().wait_level()
    assert server.lease(A).code == 200


def test_the_library_is_there(server, faults):
    """Or all of the above would pass without a fault."""
    server.start()
    with open(f"/proc/{server.process.pid}/maps", encoding="ascii") as maps:
        assert "libiofault" in maps.read()
