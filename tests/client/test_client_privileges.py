# SPDX-License-Identifier: BSD-3-Clause
"""
What the client may do after its start, and the network namespace that gets its lease.
"""

import os
import pwd
import signal
import socket
from pathlib import Path

import pytest

from bench import LEASE_V4, PEER_V4, Client, in_namespace, run, wait_for
from world import BINARY, TCP_PORT, leave, tcp_exchange

CAP_NET_ADMIN = 1 << 12
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


@pytest.fixture(name="inside")
def fixture_inside(world):
    """A namespace beside the client's, with nothing in it but lo."""
    name = f"{world.bench.client}n"
    run("ip", "netns", "add", name)
    run("ip", "-n", name, "link", "set", "lo", "up")
    yield name
    run("ip", "netns", "del", name)


class UserClient(Client):
    """As a user of its own, by ambient capabilities alone, as systemd would start it."""

    def start(self):
        entry = pwd.getpwnam("nobody")
        os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        for folder in (self.folder, *self.folder.parents[:3]):
            folder.chmod(0o755)
        binary = self.binary
        caps = "+net_admin,+net_raw"
        self.binary = "setpriv"
        self.arguments = [
            f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups",
            f"--inh-caps={caps}", f"--ambient-caps={caps}", "--bounding-set=-all," + caps,
            str(binary)]
        return super().start()


def statuses(pid):
    """/proc/PID/status of every thread, as dictionaries."""
    return [dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
            for task in Path(f"/proc/{pid}/task").iterdir()]


def assert_only_net_admin(pid):
    for status in statuses(pid):
        assert {name: int(status[name], 16) for name in SETS} == dict.fromkeys(SETS, CAP_NET_ADMIN)
        assert status["NoNewPrivs"].strip() == "1"


@pytest.mark.parametrize("mode", ["napt", "host"])
def test_only_net_admin_is_left(world, mode):
    """Raw sockets are open by then; all that comes later works without more."""
    before = world.bench.host_state()
    client = world.start(mode=mode, on_demand="false")
    assert_only_net_admin(client.process.pid)
    assert tcp_exchange(world.bench) == b"hello"
    # Another configuration, from device to tunnel, by what is left.
    client.write_config(device="dti7", mode=mode)
    client.signal(signal.SIGHUP)
    wait_for(lambda: client.shows(state="bound", device="dti7"), "the change")
    assert tcp_exchange(world.bench) == b"hello"
    assert_only_net_admin(client.process.pid)
    assert leave(client) == 0
    assert world.bench.host_state() == before


@pytest.mark.parametrize("mode", ["napt", "host"])
def test_own_user_with_ambient_capabilities(world, mode):
    before = world.bench.host_state()
    client = world.start(UserClient(world.bench, world.folder, BINARY, mode=mode))
    status = statuses(client.process.pid)[0]
    assert set(status["Uid"].split()) == {str(pwd.getpwnam("nobody").pw_uid)}
    for name in SETS[:3] + SETS[4:]:
        assert int(status[name], 16) == CAP_NET_ADMIN
    assert tcp_exchange(world.bench) == b"hello"
    assert leave(client) == 0
    assert world.bench.host_state() == before


def test_without_net_admin_the_client_says_so(world):
    client = Client(world.bench, world.folder, BINARY)
    client.arguments = ["--bounding-set=-net_admin", "--inh-caps=-all", str(client.binary)]
    client.binary = "setpriv"
    world.client = client.start()
    assert client.wait() == 1
    assert "device cannot be made: Operation not permitted" in client.log.read_text()


@pytest.mark.parametrize("mode", ["napt", "host"])
def test_namespace_gets_the_lease_and_the_client_stays_outside(world, inside, mode):
    """Device, address, route, rules and sysctl are in the namespace, none of them where we are."""
    before = world.bench.host_state()
    ports = run("ip", "netns", "exec", inside, "sysctl", "-n", "net.ipv4.ip_local_port_range")
    client = world.start(netns=inside, mode=mode)
    assert_only_net_admin(client.process.pid)
    assert world.bench.host_state() == before
    addresses = run("ip", "-n", inside, "-4", "addr", "show", "dev", "dstm0")
    assert (LEASE_V4 if mode == "host" else "192.0.0.2") in addresses
    assert "dstm_dstm0" in run("ip", "netns", "exec", inside, "nft", "list", "tables")

    with in_namespace(inside, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as sock:
        sock.settimeout(10)
        sock.connect((PEER_V4, TCP_PORT))
        sock.sendall(b"from inside")
        assert sock.recv(100) == b"from inside"
    assert leave(client) == 0
    assert run("ip", "netns", "exec", inside, "nft", "list", "tables") == ""
    assert "dstm0" not in run("ip", "-n", inside, "-o", "link")
    assert run("ip", "netns", "exec", inside, "sysctl", "-n",
               "net.ipv4.ip_local_port_range") == ports


def test_packets_of_a_namespace_wait_for_the_lease(world, inside):
    client = Client(world.bench, world.folder, BINARY, netns=inside, on_demand="true")
    world.client = client.start()
    wait_for(lambda: client.state_is("idle"), "the client to wait")
    with in_namespace(inside, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as sock:
        sock.settimeout(10)
        sock.connect((PEER_V4, TCP_PORT))
        sock.sendall(b"x")
        assert sock.recv(10) == b"x"
    assert client.show()["held_packets"] >= 1


def test_namespace_of_a_killed_client_is_cleaned(world, inside):
    """Also when the next client lives elsewhere; and a namespace that is gone is no obstacle."""
    client = world.start(netns=inside, mode="host")
    client.signal(signal.SIGKILL)
    client.wait()
    assert "dstm_dstm0" in run("ip", "netns", "exec", inside, "nft", "list", "tables")
    client.write_config()
    client.start().wait_bound()
    assert run("ip", "netns", "exec", inside, "nft", "list", "tables") == ""
    assert run("ip", "netns", "exec", inside, "sysctl", "-n",
               "net.ipv4.ip_local_port_range").split() == ["32768", "60999"]
    # Another namespace needs what the client has given up.
    client.write_config(netns=inside)
    client.signal(signal.SIGHUP)
    wait_for(lambda: "netns: changes only with a restart" in client.log.read_text(), "the word")
    assert client.state_is("bound")
    assert leave(client) == 0
    client.write_config(netns="no-such-namespace")
    client.start()
    assert client.wait() == 1
    assert "netns no-such-namespace: cannot be entered: No such file" in client.log.read_text()
