# SPDX-License-Identifier: BSD-3-Clause
"""
On demand: packets of real applications wait for the lease and go out when it stands (R12, R14).
"""

import socket
import subprocess
import threading

import pytest

from bench import LEASE_V4, PEER_V4, Client, run, wait_for
from tsp_server import TspServer
from world import BINARY, TCP_PORT, UDP_PORT, World, in_ranges, leave, tcp_exchange

LAN_V4 = "192.168.7.5"


class GatedServer(TspServer):
    """Answers only while the gate is open."""

    def __init__(self, bench):
        super().__init__(bench)
        self.gate = threading.Event()
        self.gate.set()

    def answer(self, request):
        self.gate.wait(20)
        return super().answer(request)


class WaitingWorld(World):
    """Its client takes a lease on demand alone."""

    def __init__(self, bench, folder):
        super().__init__(bench, folder, GatedServer)

    def start(self, client=None, **settings):
        self.client = client or Client(
            self.bench, self.folder, BINARY, on_demand="true", **settings)
        self.client.start()
        wait_for(lambda: self.client.state_is("idle"), "the client to wait")
        return self.client

    def close(self):
        self.server.gate.set()
        super().close()


@pytest.fixture(name="world")
def fixture_world(bench, tmp_path):
    """Anew for each test: the last segments of an old connection would be a demand, too."""
    world = WaitingWorld(bench, tmp_path)
    yield world
    world.close()


def sequence(echoed):
    return [int(data) for data in echoed]


def udp_burst(sock, numbers):
    for number in numbers:
        sock.sendto(b"%d" % number, (PEER_V4, UDP_PORT))


def receive(sock, n):
    return [sock.recv(100) for _ in range(n)]


@pytest.mark.parametrize("settings", [{}, {"mode": "host"}, {"queues": 4}], ids=str)
def test_first_packets_wait_for_the_lease_and_flow_on(world, tmp_path, settings):
    """R12, R14, R56: connect(), sendto() and ping before there is a lease; the same sockets after."""
    before = world.bench.host_state()
    client = world.start(**settings)
    route = world.bench.in_client("ip", "-4", "route", "show", "default")
    assert "dev dstm0" in route and "metric 4096" in route
    assert client.show()["v4"] is None and world.server.received == []

    world.server.gate.clear()
    udp = world.udp_socket()
    udp_burst(udp, range(8))
    tcp = world.bench.client_socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.settimeout(20)
    connected = threading.Thread(target=tcp.connect, args=((PEER_V4, TCP_PORT),))
    connected.start()
    with subprocess.Popen(
            ["ip", "netns", "exec", world.bench.client, "ping", "-c", "2", "-i", "0.2", "-W", "10",
             PEER_V4], stdout=subprocess.PIPE, text=True) as ping:
        wait_for(lambda: client.show()["held_packets"] >= 10, "packets that wait")
        wait_for(lambda: world.server.received, "the request")
        assert len(world.server.received) == 1 and world.tep.sent == []
        world.server.gate.set()
        client.wait_bound()
        assert sequence(receive(udp, 8)) == list(range(8))
        connected.join()
        assert "2 received" in ping.communicate(timeout=20)[0]
    for number in range(5):
        udp_burst(udp, [number])
        assert sequence(receive(udp, 1)) == [number]
        tcp.sendall(b"still here")
        assert tcp.recv(100) == b"still here"
    assert tcp_exchange(world.bench) == b"hello"

    assert {packet.src for packet in world.tep.sent} == {LEASE_V4}
    assert all(in_ranges(packet.sport, world.server.ranges) for packet in world.tep.sent)
    assert world.drops() == {}
    udp.close()
    tcp.close()
    assert leave(client) == 0
    assert world.bench.host_state() == before


def test_more_packets_than_may_wait_are_dropped_and_counted(world, tmp_path):
    """The oldest go out, and a flow that lost packets is translated like any other."""
    client = world.start(hold_packets=4)
    world.server.gate.clear()
    with world.udp_socket() as early, world.udp_socket() as late:
        udp_burst(early, range(10))
        udp_burst(late, range(3))
        wait_for(lambda: client.show()["held_packets"] == 13, "the packets")
        assert world.drops() == {"hold_full": 9}
        world.server.gate.set()
        client.wait_bound()
        assert sequence(receive(early, 4)) == [0, 1, 2, 3]
        for sock in (early, late):
            udp_burst(sock, [77])
            assert sequence(receive(sock, 1)) == [77]
    assert world.drops() == {"hold_full": 9}


def test_nothing_waits_with_a_queue_of_none(world, tmp_path):
    client = world.start(hold_packets=0)
    assert tcp_exchange(world.bench) == b"hello"
    assert client.show()["drops"]["hold_full"] >= 1


def test_host_behind_the_client_starts_the_lease(world, tmp_path):
    """A forwarded packet is held, translated when the lease stands, and so is what follows."""
    bench, lan = world.bench, f"{world.bench.client}l"
    run("ip", "netns", "add", lan)
    try:
        run("ip", "-n", bench.client, "link", "add", "l0", "type", "veth", "peer", "name", "l1",
            "netns", lan)
        bench.in_client("ip", "addr", "add", "192.168.7.1/24", "dev", "l0")
        bench.in_client("ip", "link", "set", "l0", "up")
        run("ip", "-n", lan, "addr", "add", f"{LAN_V4}/24", "dev", "l1")
        run("ip", "-n", lan, "link", "set", "l1", "up")
        run("ip", "-n", lan, "route", "add", "default", "via", "192.168.7.1")
        bench.in_client("sysctl", "-qw", "net.ipv4.ip_forward=1")
        client = world.start()
        world.server.gate.clear()
        script = (f"import socket; s = socket.create_connection(('{PEER_V4}', {TCP_PORT}), 20);"
                  "s.sendall(b'from behind'); print(s.recv(100))")
        with subprocess.Popen(["ip", "netns", "exec", lan, "/usr/bin/python3", "-c", script],
                              stdout=subprocess.PIPE, text=True) as behind:
            wait_for(lambda: client.show()["held_packets"] >= 1, "the packet")
            world.server.gate.set()
            assert behind.communicate(timeout=25)[0] == "b'from behind'\n"
        assert {address for address, _ in world.echo.sources} == {LEASE_V4}
        assert world.drops() == {}
    finally:
        bench.in_client("sysctl", "-qw", "net.ipv4.ip_forward=0")
        bench.in_client("ip", "link", "del", "l0", check=False)
        run("ip", "netns", "del", lan)


@pytest.mark.parametrize("mode", ["napt", "host"])
def test_idle_lease_is_given_back_and_asked_for_again(world, tmp_path, mode):
    """A socket outlives the lease: idle, no address; its next packet brings the next lease."""
    client = world.start(mode=mode, idle_s=1)
    with world.udp_socket() as sock:
        udp_burst(sock, [1])
        assert sequence(receive(sock, 1)) == [1]
        wait_for(lambda: client.state_is("idle"), "the end of the lease")
        assert LEASE_V4 not in world.bench.in_client("ip", "-4", "addr")
        wait_for(lambda: "delete" in world.server.actions(), "the release")
        world.server.ranges = [(7000, 7099)]
        udp_burst(sock, [2])
        assert sequence(receive(sock, 1)) == [2]
    assert 7000 <= world.echo.sources[-1][1] <= 7099
    assert world.drops() == {}


def test_packets_that_wait_in_vain_end_with_the_client(world, tmp_path):
    before = world.bench.host_state()
    client = world.start()
    world.server.refuse = "301 Address pool exhausted"
    with world.udp_socket() as sock:
        udp_burst(sock, range(3))
        wait_for(lambda: world.server.received, "the request")
        assert leave(client) == 0
    assert world.tep.sent == []
    assert world.bench.host_state() == before
