# SPDX-License-Identifier: BSD-3-Clause
"""What the running server may still do: its process tree, its sandbox and its unit."""

import os
import pwd
import re
import signal
import subprocess
from pathlib import Path

import pytest

from dstm_server import A, B, BINARY, ROOT, WAIT_S, wait_for

USER = "nobody"
UNIT = BINARY.parents[2] / "config/dstm-server.service"


@pytest.fixture(name="owned")
def fixture_owned(server, tmp_path):
    """A server whose folder belongs to an ordinary user, down from the root."""
    who = pwd.getpwnam(USER)
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    os.chown(tmp_path, who.pw_uid, who.pw_gid)
    server.config["user"] = USER
    return server


def tree(pid):
    """The process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid] + [below for child in children for below in tree(int(child))]


def status(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.split() for key, _, value in (line.partition(":") for line in lines)}


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
    for pid in processes:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            assert_without_privilege(int(thread.name))
    assert "running as root" not in owned.log()


def test_root_without_a_user_is_warned_and_has_no_capability(server):
    server.start()
    assert "running as root" in server.log()
    assert int(status(server.process.pid)["CapEff"][0], 16) == 0


def test_the_server_works_in_its_sandbox(owned, tep):
    """Leases, the store, the control socket, a reload and an end: all as an ordinary user."""
    owned.start().wait_level()
    lease = owned.lease(A)
    assert lease.code == 200
    owned.config["lease"]["lifetime_s"] = 1234
    owned.write_config()
    owned.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "reload: users" in owned.log(), "the reload")
    assert owned.lease(B).code == 200
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
