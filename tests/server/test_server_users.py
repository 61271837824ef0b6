# SPDX-License-Identifier: BSD-3-Clause
"""The file of users, as dstmctl writes it and the server reads it (R33, R80, S36)."""

import os
import signal
import subprocess

import pytest

from dstm_server import A, BINARY, ROOT, wait_for
from tsp_peers import Client

DSTMCTL = ROOT / os.environ.get("DSTM_BUILD", "build/gcc") / "src/ctl/dstmctl"


@pytest.fixture(name="users")
def fixture_users(server):
    server.config["auth"] = {"users_file": str(server.folder / "users"), "anonymous": False,
                             "require_peer_address": False}
    return Users(server)


class Users:
    def __init__(self, server):
        self.server = server
        self.path = server.folder / "users"

    def edit(self, *args, password=""):
        return subprocess.run(
            [DSTMCTL, "server", "user", *args, "--file", self.path, "--socket",
             self.server.config["socket"]],
            input=password + "\n", capture_output=True, text=True, timeout=30, check=False)

    def add(self, name, password, *args):
        done = self.edit("add", name, *args, password=password)
        assert done.returncode == 0, done.stderr


def log_in(server, method, user, password):
    client = Client(server.port)
    return getattr(client, method)(user, password), client


def test_users_of_the_file_log_in(server, users):
    users.add("carol", "kitten", "--digest")
    users.add("dave", "lion")
    server.start().wait_level()
    assert server.ctl("show")["users"] == 2
    for method in ("scram", "digest_md5"):
        answer, client = log_in(server, method, "carol", "kitten")
        assert answer.startswith("200")
        assert client.create(A).code == 200
        for user, password in (("carol", "Kitten"), ("nobody", "kitten"), ("dave", "kitten")):
            assert log_in(server, method, user, password)[0].startswith("300")
    assert log_in(server, "scram", "dave", "lion")[0].startswith("200")
    # A user without its secret cannot use DIGEST-MD5, whatever the password.
    assert log_in(server, "digest_md5", "dave", "lion")[0].startswith("300")
    assert {lease["user"] for lease in server.leases()} == {"carol"}


def test_a_change_counts_at_once_and_sessions_stay(server, users):
    users.add("carol", "kitten")
    server.start().wait_level()
    answer, client = log_in(server, "scram", "carol", "kitten")
    assert answer.startswith("200")
    users.add("carol", "cat")  # the server is told
    assert log_in(server, "scram", "carol", "kitten")[0].startswith("300")
    assert log_in(server, "scram", "carol", "cat")[0].startswith("200")
    assert users.edit("delete", "carol").stdout == "carol: deleted\n"
    assert log_in(server, "scram", "carol", "cat")[0].startswith("300")
    assert client.create(A).code == 200


def test_a_hangup_reads_the_file_and_damage_changes_nothing(server, users):
    users.add("carol", "kitten")
    server.start().wait_level()
    good = users.path.read_text()
    users.path.write_text(good + "mallory:in the clear\n")
    server.process.send_signal(signal.SIGHUP)
    sentence = f"{users.path}:2:1: users file: no TAB behind the name"
    wait_for(lambda: f"reload: nothing changed: {sentence}" in server.log(), "the refusal")
    assert server.refused_ctl("reload-users") == sentence
    assert log_in(server, "scram", "carol", "kitten")[0].startswith("200")
    users.path.write_text(good.replace("carol", "carla"))
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: log_in(server, "scram", "carla", "kitten")[0].startswith("200"), "carla")
    assert log_in(server, "scram", "carol", "kitten")[0].startswith("300")


def test_a_start_without_its_file_is_refused(server, users):
    path = server.write_config()
    for option in (["-t"], []):
        done = subprocess.run([BINARY, *option, "-c", path], capture_output=True, text=True,
                              timeout=20, check=False)
        assert done.returncode != 0
        assert f"{users.path}: users file: No such file or directory" in done.stderr


@pytest.mark.parametrize("name", ['a"b', "a\\\\b"])
def test_names_that_digest_md5_would_quote_are_refused(server, name):
    server.config["auth"]["users"] = [{"name": name, "password": "x"}]
    done = subprocess.run([BINARY, "-t", "-c", server.write_config()], capture_output=True,
                          text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert "the name of this user holds a quote or a backslash" in done.stderr
