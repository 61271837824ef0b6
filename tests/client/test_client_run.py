# SPDX-License-Identifier: BSD-3-Clause
"""
dstm-client run -- COMMAND: one program has the lease, the host nothing of it.
"""

import os
import signal
import subprocess

import pytest

from bench import CLIENT_V6, LEASE_V4, PEER_V4, SERVER_V6, wait_for
from world import BINARY, TCP_PORT, UDP_PORT, World, in_ranges

EXCHANGE = f"""
import socket
s = socket.create_connection(('{PEER_V4}', {TCP_PORT}), 15)
s.sendall(b'hello')
assert s.recv(100) == b'hello'
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(15)
u.sendto(b'x', ('{PEER_V4}', {UDP_PORT}))
assert u.recv(10) == b'x'
"""


class RunWorld(World):
    def __init__(self, bench, folder):
        super().__init__(bench, folder)
        self.tep.client_v6 = CLIENT_V6
        self.processes = []

    def launch(self, *command, options=(), **settings):
        """The client with a command, as a process whose output is read."""
        settings = {"server": f'"[{SERVER_V6}]:3653"', "retry_min_s": 1, **settings}
        config = self.folder / "run.yaml"
        config.write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.bench.client, str(BINARY), "run", "-c", str(config),
             *options, "--", *command],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def run(self, *command, **settings):
        """Exit status, output, errors."""
        process = self.launch(*command, **settings)
        out, errors = process.communicate(timeout=30)
        return process.returncode, out, errors

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=10)
        super().close()


@pytest.fixture(name="world")
def fixture_world(bench, tmp_path):
    world = RunWorld(bench, tmp_path)
    before = bench.host_state()
    yield world
    world.close()
    assert bench.host_state() == before


@pytest.mark.parametrize("settings", [{}, {"mode": "host"}, {"on_demand": "true"}])
def test_command_has_the_lease_and_the_host_has_not(world, settings):
    status, out, errors = world.run(
        "/usr/bin/python3", "-c", EXCHANGE + "print(open('/proc/net/dev').read())", **settings)
    assert (status, errors) == (0, "")
    devices = {line.split(":")[0].strip() for line in out.splitlines() if ":" in line}
    assert devices == {"lo", "dstm0"}
    assert {address for address, _ in world.echo.sources} == {LEASE_V4}
    assert all(in_ranges(packet.sport, world.server.ranges) for packet in world.tep.sent)
    assert world.server.actions()[-1] == "delete"


def test_exit_status_is_the_commands(world):
    assert world.run("sh", "-c", "echo out; echo err >&2; exit 7") == (7, "out\n", "err\n")
    assert world.run("sh", "-c", "kill -KILL $$")[0] == 128 + signal.SIGKILL
    status, _, errors = world.run("/no/such/program")
    assert status == 127 and "/no/such/program: No such file or directory" in errors
    assert world.run("/etc/passwd")[0] == 126
    assert world.server.actions().count("delete") == 4


def test_signals_reach_the_command(world):
    process = world.launch("sh", "-c", "trap 'echo usr; exit 3' USR1; trap 'echo term' TERM; "
                          "echo up; while :; do sleep 0.1; done")
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "term\n"
    process.send_signal(signal.SIGUSR1)
    assert process.stdout.readline() == "usr\n"
    assert process.wait(timeout=10) == 3


def test_client_killed_takes_the_command_along(world):
    process = world.launch("sh", "-c", "echo $$; exec sleep 100")
    pid = int(process.stdout.readline())
    process.kill()
    process.wait(timeout=10)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "the end of the command")


def test_end_before_there_is_a_lease(world):
    """The command has not begun, and does not."""
    world.server.refuse = "301 Address pool exhausted"
    process = world.launch("sh", "-c", "echo begun")
    wait_for(lambda: world.server.received, "the request")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 128 + signal.SIGTERM
    assert process.stdout.read() == ""


def test_resolv_conf_is_the_commands_alone(world, tmp_path):
    own = tmp_path / "resolv.conf"
    own.write_text("nameserver 203.0.113.5\n")
    outside = open("/etc/resolv.conf", encoding="utf-8").read()
    assert world.run("cat", "/etc/resolv.conf", options=("--resolv-conf", str(own)))[:2] == (
        0, own.read_text())
    assert open("/etc/resolv.conf", encoding="utf-8").read() == outside
    status, _, errors = world.run("true", options=("--resolv-conf", str(tmp_path / "none")))
    assert status == 125 and "none as /etc/resolv.conf: No such file" in errors


def test_two_commands_at_once(world):
    """No file and no device of one is in the other's way."""
    first = world.launch("sh", "-c", "echo up; read x")
    assert first.stdout.readline() == "up\n"
    assert world.run("sh", "-c", "exit 0")[0] == 0
    first.send_signal(signal.SIGTERM)
    first.wait(timeout=10)


def test_mistakes_are_said(world):
    for arguments in ((), ("-x",), ("-c", "/no/such/file", "--", "true")):
        done = subprocess.run([BINARY, "run", *arguments], capture_output=True, text=True,
                              check=False, timeout=20)
        assert done.returncode == 125 and done.stderr
