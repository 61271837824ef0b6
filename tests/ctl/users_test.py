# SPDX-License-Identifier: BSD-3-Clause
"""dstmctl server user: the file of users (S36). What stands in it is made again with hashlib."""

import base64
import hashlib
import hmac
import os
import pty
import re
import stat
import subprocess
import threading

import pytest

DSTMCTL = os.environ["DSTMCTL"]
LINE = re.compile(r"(?P<name>[^\t]+)\tSCRAM-SHA-256\$(?P<rounds>\d+):(?P<salt>[^$]+)\$"
                  r"(?P<stored>[^:]+):(?P<server>[^\t]+)(\tDIGEST-MD5\$(?P<realm>.+)\$(?P<hex>.+))?")


@pytest.fixture(name="path")
def fixture_path(tmp_path):
    return tmp_path / "users"


def run(path, *args, password=None):
    return subprocess.run(
        [DSTMCTL, "server", "user", *args, "--file", path, "--socket", path.parent / "none.sock"],
        input="" if password is None else password + "\n", capture_output=True, text=True,
        timeout=30, check=False)


def add(path, name, password, *args):
    done = run(path, "add", name, *args, password=password)
    assert done.returncode == 0, done.stderr
    return done.stdout


def keys_of(password, salt, rounds):
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    client = hmac.digest(salted, b"Client Key", "sha256")
    return hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256")


def check_line(line, name, password, realm=None):
    parts = LINE.fullmatch(line)
    assert parts, line
    stored, server = keys_of(password, base64.b64decode(parts["salt"]), int(parts["rounds"]))
    assert parts["name"] == name
    assert base64.b64decode(parts["stored"]) == stored
    assert base64.b64decode(parts["server"]) == server
    assert parts["realm"] == realm
    if realm is not None:
        secret = f"{name}:{realm}:".encode() + password.encode("latin-1")
        assert parts["hex"] == hashlib.md5(secret).hexdigest()


def test_users_come_change_and_go(path):
    assert add(path, "alice", "wonderland") == "alice: added\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.write_text("# who may come\n\n" + path.read_text() + "# the end")
    assert add(path, "bob", "pä ss", "--digest") == "bob: added\n"
    assert add(path, "carol", "x", "--digest", "--realm", "ex$ample") == "carol: added\n"
    assert add(path, "alice", "looking glass") == "alice: changed\n"
    text = path.read_text()
    lines = text.splitlines()
    assert lines[0] == "# who may come" and lines[3] == "# the end" and lines[1] == ""
    check_line(lines[2], "alice", "looking glass")
    check_line(lines[4], "bob", "pä ss", "dstm")
    check_line(lines[5], "carol", "x", "ex$ample")
    assert not any(secret in text for secret in ("wonderland", "looking", "pä ss"))
    assert run(path, "list").stdout.split("\n")[1].split() == ["alice", "SCRAM-SHA-256", "-"]
    assert run(path, "delete", "bob").stdout == "bob: deleted\n"
    assert [line.split("\t")[0] for line in path.read_text().splitlines()] == [
        "# who may come", "", "alice", "# the end", "carol"]
    assert os.listdir(path.parent) == ["users"]


@pytest.mark.parametrize("args, password, error", [
    (("delete", "nobody"), None, "there is no such user"),
    (("add", 'a"b'), "x", "the name holds a quote or a backslash"),
    (("add", "a\\b"), "x", "the name holds a quote or a backslash"),
    (("add", "#a"), "x", "the name begins with #"),
    (("add", ""), "x", "the name is empty"),
    (("add", "a" * 64), "x", "the name is longer than 63 octets"),
    (("add", "a\tb"), "x", "the name holds a control character"),
    (("add", "a"), "", "this password cannot be"),
    (("add", "a"), "x" * 300, "no password on standard input, or too long"),
    (("add", "a", "--realm", 'b"'), "x", "this realm cannot be"),
])
def test_what_cannot_be_is_refused_and_changes_nothing(path, args, password, error):
    add(path, "old", "x")
    before = path.read_bytes()
    done = run(path, *args, password=password)
    assert done.returncode == 1 and done.stderr == f"dstmctl: {error}\n"
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["users"]


def test_bad_verbs_are_a_usage_error(path):
    for args in (("drop", "a"), ("add",), ("list", "a"), ("delete",)):
        assert run(path, *args).returncode == 2


def test_a_damaged_file_is_named_and_left_alone(path):
    path.write_text("# x\nalice:secret\n")
    for args in (("add", "bob"), ("delete", "alice"), ("list",)):
        done = run(path, *args, password="x")
        assert done.returncode == 1
        assert done.stderr == f"dstmctl: {path}:2:1: users file: no TAB behind the name\n"
    assert path.read_text() == "# x\nalice:secret\n"


def test_many_at_once_take_turns(path):
    threads = [threading.Thread(target=add, args=(path, f"u{i}", "x")) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [line.split("\t")[0] for line in path.read_text().splitlines()]
    assert sorted(names) == sorted(f"u{i}" for i in range(12))


def test_a_terminal_shows_no_password(path):
    master, slave = pty.openpty()
    command = [DSTMCTL, "server", "user", "add", "alice", "--file", path,
               "--socket", path.parent / "none.sock"]
    with subprocess.Popen(command, stdin=slave, stderr=slave, stdout=subprocess.DEVNULL) as process:
        os.close(slave)
        shown = b""
        for question in (b"Password of alice: ", b"Once more: "):
            while question not in shown:
                shown += os.read(master, 1024)
            os.write(master, b"wonderland\n")
        assert process.wait(30) == 0
    os.close(master)
    assert b"wonderland" not in shown
    check_line(path.read_text().rstrip("\n"), "alice", "wonderland")
