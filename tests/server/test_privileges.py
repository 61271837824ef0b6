# SPDX-License-Identifier: BSD-3-Clause
"""What the running server may still do: its process tree, its sandbox and its unit."""

import os
import pwd
import re
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from dstm_server import A, B, BINARY, WAIT_S, Server, wait_for
from tsp_peers import address_xml

USER = "nobody"
UNIT = BINARY.parents[2] / "config/dstm-server.service"


@pytest.fixture(name="owned")
def fixture_owned(tep):
    """A server whose folder belongs to an ordinary user, who can reach it."""
    who = pwd.getpwnam(USER)
    with tempfile.TemporaryDirectory(prefix="dstm-owned-") as folder:
        os.chown(folder, who.pw_uid, who.pw_gid)
        server = Server(Path(folder), [tep])
        server.config["user"] = USER
        yield server
        server.stop(signal.SIGKILL)
        print(server.log())


def tree(pid):
    """The process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid] + [below for child in children for below in tree(int(child))]


def status(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.split() for key, _, value in (line.partition(":") for line in lines)}


def memory_has(pid, octets):
    """Whether the octets stand anywhere in the memory that a process may write."""
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            begin, end = (int(part, 16) for part in line.split()[0].split("-"))
            if not line.split()[1].startswith("rw"):
                continue
            memory.seek(begin)
            if octets in memory.read(end - begin):
                return True
    return False


def is_sanitized():
    return b"__asan_init" in BINARY.read_bytes()


def assert_without_privilege(pid):
    who = pwd.getpwnam(USER)
    now = status(pid)
    assert now["Uid"] == [str(who.pw_uid)] * 4
    assert now["Gid"] == [str(who.pw_gid)] * 4
    assert set(now["Groups"]) <= {str(gid) for gid in os.getgrouplist(USER, who.pw_gid)}
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(now[name][0], 16) == 0, name
    assert now["NoNewPrivs"] == ["1"]
    if not is_sanitized():
        assert now["Seccomp"] == ["2"]


def test_the_process_tree_has_no_privilege(owned):
    """Started as root: every process and thread is an ordinary user without capabilities."""
    owned.start().wait_level()
    processes = tree(owned.process.pid)
    assert len(processes) == 3, "server, nursery and parser"
    for pid in processes:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            assert_without_privilege(int(thread.name))
    assert "running as root" not in owned.log()


def test_the_parser_holds_nothing(owned):
    """One descriptor, its stream; nothing of the environment; no file of the server's."""
    owned.start().wait_level()
    nursery, parser = tree(owned.process.pid)[1:]
    for pid in (nursery, parser):
        assert Path(f"/proc/{pid}/environ").read_bytes() == b"" or is_sanitized()
        files = {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
        assert not any("leases.db" in name or "server.yaml" in name for name in files)
    if not is_sanitized():
        assert len(list(Path(f"/proc/{parser}/fd").iterdir())) == 1
        assert memory_has(owned.process.pid, b"wonderland")
        assert not memory_has(nursery, b"wonderland")
        assert not memory_has(parser, b"wonderland")


def test_requests_survive_the_parser(owned):
    """A parser that is killed at any moment costs a client nothing but time."""
    owned.start().wait_level()
    parsers = set()
    for i in range(1, 30):
        parser = tree(owned.process.pid)[2]
        client = owned.anonymous("1.0")
        client.tell("create", address_xml(v6=f"2001:db8:1::{i:x}") + "<ports/>")
        if parser not in parsers:
            os.kill(parser, signal.SIGKILL)
            parsers.add(parser)
        assert client.read_message().code == 200
        wait_for(lambda: len(tree(owned.process.pid)) == 3, "another parser")
    assert owned.counter("parser-deaths") == len(parsers) >= 2
    assert owned.counter("parser-deadly") == 0


def test_a_server_without_a_parser_ends(owned):
    """systemd starts it again; the parser goes with its nursery, and both with the server."""
    owned.start().wait_level()
    nursery, parser = tree(owned.process.pid)[1:]
    os.kill(nursery, signal.SIGKILL)
    assert owned.process.wait(WAIT_S) == 1
    wait_for(lambda: not Path(f"/proc/{parser}").exists(), "the parser to end")
    assert "parser: is gone" in owned.log()


def test_a_server_that_is_killed_leaves_nobody(owned):
    owned.start()
    family = tree(owned.process.pid)[1:]
    owned.stop(signal.SIGKILL)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), "both to end")


def test_root_without_a_user_is_warned_and_has_no_capability(server):
    server.start()
    assert "running as root" in server.log()
    assert int(status(server.process.pid)["CapEff"][0], 16) == 0


def test_the_server_works_in_its_sandbox(owned, tep):
    """Leases, the store, the control socket, a reload and an end: all as an ordinary user."""
    owned.start().wait_level()
    holders = [owned.lease(A, "1.0")]
    owned.config["lease"]["lifetime_s"] = 1234
    owned.write_config()
    owned.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "reload: all is as" in owned.log(), "the reload")
    holders += [owned.lease(B, "1.0")]
    assert holders[1][1].lifetime == 1234
    assert owned.stop() == 0
    assert not Path(owned.config["socket"]).exists()
    owned.start().wait_level()
    assert {item["client"] for item in owned.leases("active")} == {A, B}


def test_a_user_that_is_not_there_starts_nothing(server):
    server.config["user"] = "no-such-user-at-all"
    done = subprocess.run([BINARY, "-c", server.write_config()], timeout=WAIT_S, check=False,
                          stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "user no-such-user-at-all: there is none" in done.stderr


def test_a_sandbox_that_is_off_is_told(server):
    server.config["sandbox"] = "off"
    server.start()
    assert "sandbox: off" in server.log()
    assert status(server.process.pid)["Seccomp"] == ["0"]


@pytest.mark.parametrize("program, most", [("server", 1.5), ("tep", 3.5), ("client", 2.8)])
def test_the_unit_is_hardened(program, most):
    """The exposure that systemd works out of the installed unit."""
    unit = UNIT.with_name(f"dstm-{program}.service")
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
                          timeout=WAIT_S, check=False, stdout=subprocess.PIPE, text=True)
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert float(exposure[1]) <= most, done.stdout
