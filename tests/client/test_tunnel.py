# SPDX-License-Identifier: BSD-3-Clause
"""
The tunnel of the real dstm-client: what it does with headers, errors and much data. One pair of
namespaces, TSP server and TEP, both scripted, for all tests.
"""

import errno
import hashlib
import os
import signal
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from bench import (CLIENT_V6, IMPOSTOR_V6, LEASE_V4, PEER_V4, SERVER_V6, TEP_V6, Bench, Client,
                   run, wait_for)
from tep import Tep, ip_packet, udp_packet
from tsp_server import TspServer
from world import BINARY

PORT = 2050  # of the lease
NOT_OURS = 12345
DESTINATION_UNREACHABLE, PACKET_TOO_BIG = 1, 2
ECT_0, CE = 2, 3
IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0
IP_RECVERR = 11
UDP_SEGMENT = 103


@pytest.fixture(name="world", scope="module")
def fixture_world():
    with Bench() as bench:
        server = TspServer(bench)
        tep = Tep(bench)
        yield bench, server, tep
        tep.close()
        server.close()


@pytest.fixture(name="make_client")
def fixture_make_client(world, tmp_path):
    clients = []

    def make(**settings):
        client = Client(world[0], tmp_path, BINARY, **{"mode": "host", **settings})
        clients.append(client)
        client.start().wait_bound()
        return client

    yield make
    for client in clients:
        if client.process.poll() is None:
            client.signal(signal.SIGTERM)
            client.wait()
        print(client.log.read_text())


def udp_socket(bench, port=PORT):
    sock = bench.client_socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(10)
    sock.bind((LEASE_V4, port))
    return sock


def drops(client):
    return {name: n for name, n in client.show()["drops"].items() if n > 0}


def assert_drops(client, expected):
    """Carriers add what they count when a batch is done, which an application may see before."""
    wait_for(lambda: drops(client) == expected, expected, 5)


def send_error(bench, kind, code, value=0, source=TEP_V6, inner=None):
    """An ICMPv6 error about a packet of this client to the TEP, sent by anybody."""
    inner = inner or udp_packet(LEASE_V4, PORT, PEER_V4, 9)
    quote = struct.pack("!IHBB", 6 << 28, len(inner), 4, 63) + socket.inet_pton(
        socket.AF_INET6, CLIENT_V6) + socket.inet_pton(socket.AF_INET6, TEP_V6) + inner
    with bench.far_socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        sock.bind((source, 0))
        sock.sendto(struct.pack("!BBHI", kind, code, 0, value) + quote, (CLIENT_V6, 0))


def is_stopped(pid):
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return all("\nState:\tT" in (task / "status").read_text() for task in tasks)


def device_mtu(bench):
    return int(bench.in_client("cat", "/sys/class/net/dstm0/mtu"))


@pytest.mark.parametrize("dscp,outer", [("copy", 0xB8 | ECT_0), ("10", 10 << 2 | ECT_0)])
def test_traffic_class_goes_into_the_outer_header(world, make_client, dscp, outer):
    """S14, S15: DSCP as configured, ECN as the inner packet has it."""
    bench, _, _ = world
    make_client(dscp=dscp)
    with bench.far_socket(socket.AF_INET6, socket.SOCK_RAW, 4) as tap, udp_socket(bench) as sock:
        tap.bind((TEP_V6, 0))
        tap.settimeout(10)
        tap.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        tap.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        for tos in (0xB8 | ECT_0, 0):
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
            sock.sendto(b"x", (PEER_V4, 9))
            data, ancillary, _, _ = tap.recvmsg(2000, 200)
            told = {kind: struct.unpack("i", value)[0] for _, kind, value in ancillary}
            assert data[1] == tos
            assert told[socket.IPV6_HOPLIMIT] == 64
            expected = outer if tos else outer & ~ECT_0 if dscp != "copy" else 0
            assert told[socket.IPV6_TCLASS] == expected


def test_identifications_keep_to_the_ports(world, make_client):
    """S22: those of fragments, alike in all of a datagram, and not those of atomic packets."""
    bench, server, _ = world
    make_client(rewrite_ip_id="true")
    with bench.far_socket(socket.AF_INET6, socket.SOCK_RAW, 4) as tap, udp_socket(bench) as sock:
        tap.bind((TEP_V6, 0))
        tap.settimeout(10)
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
        for _ in range(4):
            sock.sendto(bytes(4000), (PEER_V4, 9))
            ids = {struct.unpack(">H", tap.recv(2000)[4:6])[0] for _ in range(3)}
            assert len(ids) == 1
            assert any(first <= min(ids) <= last for first, last in server.ranges)


def test_congestion_on_the_way_reaches_the_application(world, make_client):
    """S15: CE of the outer header goes in, and what cannot bear it is dropped."""
    bench, _, tep = world
    client = make_client()
    with udp_socket(bench) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        tep.raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, CE)
        try:
            packet = udp_packet(PEER_V4, 9, LEASE_V4, PORT, b"to be dropped")
            tep.send(packet, CLIENT_V6)
            capable = bytearray(udp_packet(PEER_V4, 9, LEASE_V4, PORT, b"capable"))
            capable[1] = 0x20 | ECT_0
            capable[10:12] = struct.pack("!H", struct.unpack("!H", capable[10:12])[0] - 0x22)
            tep.send(bytes(capable), CLIENT_V6)
        finally:
            tep.raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0)
        data, ancillary, _, _ = sock.recvmsg(100, 100)
        assert data == b"capable"
        assert ancillary[0][2][0] == 0x20 | CE
        assert_drops(client, {"rx_congested": 1})


def test_what_cannot_pass_is_refused_at_once(world, make_client):
    """S18, S37: an application hears of it instead of waiting."""
    bench, _, tep = world
    client = make_client()
    before = len(tep.sent)
    with bench.client_socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(10)
        sock.bind((LEASE_V4, NOT_OURS))
        start = time.monotonic()
        with pytest.raises(OSError) as failure:
            sock.connect((PEER_V4, 80))
        assert failure.value.errno == errno.EHOSTUNREACH
        assert time.monotonic() - start < 5
    with udp_socket(bench, NOT_OURS) as sock:
        sock.connect((PEER_V4, 9))
        sock.send(b"x")
        with pytest.raises(OSError) as failure:
            sock.recv(10)
        assert failure.value.errno == errno.EHOSTUNREACH
    with bench.client_socket(socket.AF_INET, socket.SOCK_RAW, 47) as sock:
        sock.settimeout(10)
        sock.connect((PEER_V4, 0))
        sock.send(b"\0\0\x08\0payload")
        with pytest.raises(OSError) as failure:
            sock.recv(100)
        assert failure.value.errno == errno.EHOSTUNREACH
    wait_for(lambda: client.show()["refused"] == 3, "three refusals")
    assert_drops(client, {"tx_port": 2, "tx_protocol": 1})
    assert len(tep.sent) == before


def test_tep_without_the_binding_is_believed(world, make_client):
    """S21: the lease is asked for anew when the TEP says so, not when another does."""
    bench, server, _ = world
    client = make_client()
    asked = len(server.received)
    with udp_socket(bench) as sock:
        sock.sendto(b"x", (PEER_V4, 9))
        other = udp_packet(LEASE_V4, NOT_OURS, PEER_V4, 9)  # of an earlier lease, or invented
        send_error(bench, DESTINATION_UNREACHABLE, 5, inner=other)
        send_error(bench, DESTINATION_UNREACHABLE, 5, source=IMPOSTOR_V6)
        wait_for(lambda: drops(client).get("tx_unreachable") == 1, "the impostor's error")
        assert "tx_unbound" not in drops(client)
        time.sleep(1.1)  # errors are told once a second
        send_error(bench, DESTINATION_UNREACHABLE, 5)
        wait_for(lambda: drops(client).get("tx_unbound") == 1, "the TEP's error")
    wait_for(lambda: "create" in [r.action for r in server.received[asked:]], "a new request")
    client.wait_bound()


def test_unreachable_tep_is_told_to_application_and_server(world, make_client):
    """S7: what a router says about the outer packet becomes an ICMP error for the inner one."""
    bench, server, _ = world
    client = make_client()
    asked = len(server.received)
    with udp_socket(bench) as sock:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)  # who asks for soft errors
        sock.connect((PEER_V4, 9))
        send_error(bench, DESTINATION_UNREACHABLE, 3, source=SERVER_V6)
        with pytest.raises(OSError) as failure:
            sock.recv(10)
        assert failure.value.errno == errno.EHOSTUNREACH
    assert_drops(client, {"tx_unreachable": 1})
    wait_for(lambda: len(server.received) > asked, "a question to the server")


def test_device_follows_the_path(world, make_client):
    """R63, S16: MTU of the route, then of a Packet Too Big, and back when that has aged."""
    bench, _, _ = world
    bench.in_client("sysctl", "-qw", "net.ipv6.route.mtu_expires=2")
    client = make_client()
    assert client.show()["path_mtu"] == 1500
    assert device_mtu(bench) == 1460
    with udp_socket(bench) as sock:
        sock.sendto(b"x", (PEER_V4, 9))
    send_error(bench, PACKET_TOO_BIG, 0, 1300, source=SERVER_V6)
    wait_for(lambda: device_mtu(bench) == 1260, "the narrow path")
    assert client.show()["path_mtu"] == 1300
    wait_for(lambda: device_mtu(bench) == 1460, "the path's MTU to age")
    send_error(bench, PACKET_TOO_BIG, 0, 1280, source=SERVER_V6)
    wait_for(lambda: device_mtu(bench) == 1240, "the narrowest path")
    send_error(bench, PACKET_TOO_BIG, 0, 600, source=SERVER_V6)
    wait_for(lambda: drops(client).get("tx_too_big") == 3, "the impossible path")
    assert device_mtu(bench) == 1240
    wait_for(lambda: device_mtu(bench) == 1460, "all that to age")


def test_mtu_of_the_configuration_stays(world, make_client):
    bench, _, _ = world
    client = make_client(mtu=1400)
    with udp_socket(bench) as sock:
        sock.sendto(b"x", (PEER_V4, 9))
    send_error(bench, PACKET_TOO_BIG, 0, 1320, source=SERVER_V6)
    wait_for(lambda: client.show()["path_mtu"] == 1320, "the narrow path")
    assert device_mtu(bench) == 1400


def test_checksum_that_a_neighbour_left_open_is_closed(world, make_client):
    """What receive offload joined, or a TEP on this machine sends, has a pseudo header's sum only."""
    bench, _, tep = world
    client = make_client()
    payload = b"never summed"
    pseudo = socket.inet_aton(PEER_V4) + socket.inet_aton(LEASE_V4) + struct.pack(
        "!HH", 17, 8 + len(payload))
    total = sum(struct.unpack("!6H", pseudo))
    total = (total & 0xFFFF) + (total >> 16)
    packet = ip_packet(17, PEER_V4, LEASE_V4, struct.pack(
        "!HHHH", 9, PORT, 8 + len(payload), total) + payload)
    wrong = ip_packet(17, PEER_V4, LEASE_V4, struct.pack(
        "!HHHH", 9, PORT, 8 + len(payload), total ^ 1) + payload)
    with udp_socket(bench) as sock:
        tep.send(wrong, CLIENT_V6)
        tep.send(packet, CLIENT_V6)
        assert sock.recv(100) == payload
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(100)
    assert_drops(client, {})


def test_datagrams_of_one_call_go_out_one_by_one(world, make_client):
    """UDP_SEGMENT: the kernel leaves the cutting to the device where it knows how to."""
    bench, _, tep = world
    client = make_client()
    with bench.far_socket(socket.AF_INET, socket.SOCK_DGRAM) as sink, udp_socket(bench) as sock:
        sink.settimeout(10)
        sink.bind((PEER_V4, 9999))
        sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 500)
        data = os.urandom(1300)
        sock.sendto(data, (PEER_V4, 9999))
        pieces = [sink.recv(2000) for _ in range(3)]
    assert pieces == [data[:500], data[500:1000], data[1000:]]
    assert [len(p.data) for p in tep.sent if p.dport == 9999] == [528, 528, 328]
    assert_drops(client, {})


@pytest.mark.parametrize("mode", ["napt", "host"])
@pytest.mark.parametrize("queues", [1, 3])
def test_much_data_in_many_flows_arrives_whole(world, make_client, mode, queues):
    """What is cut and joined on the way is what was sent; each packet has been carried once."""
    bench, _, tep = world
    client = make_client(mode=mode, queues=queues)
    returned = len(tep.returned)
    data = os.urandom(1 << 20)
    results = []
    with bench.far_socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((PEER_V4, 8081))
        listener.listen(16)

        def echo():
            sock, _ = listener.accept()
            with sock:
                while chunk := sock.recv(1 << 18):
                    sock.sendall(chunk)

        def exchange():
            with bench.client_socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
                sock.settimeout(60)
                sock.connect((PEER_V4, 8081))
                sender = threading.Thread(target=lambda: (
                    sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
                sender.start()
                digest = hashlib.sha256()
                while chunk := sock.recv(1 << 18):
                    digest.update(chunk)
                sender.join()
                results.append(digest.digest())

        threads = [threading.Thread(target=task) for task in (echo, exchange) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert results == [hashlib.sha256(data).digest()] * 6

    show = client.show()
    assert show["rx_packets"] <= len(tep.returned) - returned  # each by one of the sockets
    # When the scripted TEP is too slow for its socket, its kernel says that nobody took the packet.
    assert set(drops(client)) <= {"tx_unreachable"}
    tasks = run("ls", f"/proc/{client.process.pid}/task").split()
    assert len(tasks) >= 1 + queues


def test_nothing_is_sent_after_the_end_even_by_who_slept(world, make_client):
    """R51: a client that was stopped past the end of its lease keeps the packets that wait."""
    bench, server, tep = world
    server.lifetime_s = 4
    try:
        client = make_client()
        with udp_socket(bench) as sock:
            server.refuse = "530 Too busy"
            client.signal(signal.SIGSTOP)
            wait_for(lambda: is_stopped(client.process.pid), "all threads to stop")
            sock.sendto(b"too late", (PEER_V4, 9))
            time.sleep(4.5)
            client.signal(signal.SIGCONT)
            wait_for(lambda: client.show()["v4"] is None, "the end of the lease")
        assert not any(b"too late" in packet.data for packet in tep.sent)
    finally:
        server.lifetime_s = 600
        server.refuse = None


def test_silence_of_the_far_end_makes_the_client_ask(world, make_client):
    """Packets go out for long and none comes back, but others': is the TEP still the right one?"""
    bench, server, tep = world
    make_client()
    asked = len(server.received)
    with udp_socket(bench) as sock:

        def ask():
            sock.sendto(b"anybody?", ("203.0.113.99", 9))
            tep.send(udp_packet(PEER_V4, 9, LEASE_V4, PORT), CLIENT_V6, impostor=True)
            tep.send(udp_packet(PEER_V4, 9, LEASE_V4, NOT_OURS), CLIENT_V6)
            time.sleep(0.2)
            return len(server.received) > asked

        wait_for(ask, "a question to the server", 20)
