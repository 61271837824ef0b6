# SPDX-License-Identifier: BSD-3-Clause
"""
Mode napt with real applications: spread, endpoint independence, time-outs, forwards (S18, S19, R63).
"""

import re
import socket
import struct
import subprocess
import threading

import pytest

from bench import CLIENT_V6, LEASE_V4, PEER_V4, run, wait_for
from tep import udp_packet
from world import TCP_PORT, UDP_PORT, World, in_ranges, ping, tcp_exchange

LAN_V4 = "192.168.7.5"
OTHER_PEER_V4 = "203.0.113.6"


class LanWorld(World):
    """Behind the client, on request, another host."""

    def __init__(self, bench, folder):
        super().__init__(bench, folder)
        self.lan = f"{bench.client}l"

    def start(self, client=None, **settings):
        self.tep.client_v6 = CLIENT_V6
        return super().start(client, **settings)

    def far_udp_socket(self, address, port):
        sock = self.bench.far_socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((address, port))
        sock.settimeout(10)
        return sock

    def add_lan(self):
        client = self.bench.client
        run("ip", "netns", "add", self.lan)
        run("ip", "-n", client, "link", "add", "l0", "type", "veth", "peer", "name", "l1",
            "netns", self.lan)
        for name, device, address in ((client, "l0", "192.168.7.1"), (self.lan, "l1", LAN_V4)):
            run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", device)
            run("ip", "-n", name, "link", "set", device, "up")
        run("ip", "-n", self.lan, "route", "add", "default", "via", "192.168.7.1")
        self.bench.in_client("sysctl", "-qw", "net.ipv4.ip_forward=1")

    def close(self):
        super().close()
        subprocess.run(["ip", "netns", "del", self.lan], check=False, capture_output=True)


@pytest.fixture(name="world")
def fixture_world(bench, tmp_path):
    world = LanWorld(bench, tmp_path)
    yield world
    world.close()


def serve_tcp(sock):
    """One thread that greets whoever connects, with the address that it sees."""
    def serve():
        while True:
            try:
                peer, address = sock.accept()
            except OSError:
                return
            peer.sendall(f"hello {address[0]}".encode())
            peer.close()

    sock.listen(8)
    threading.Thread(target=serve, daemon=True).start()


def greeting(sock, target):
    sock.settimeout(10)
    with sock:
        sock.connect(target)
        return sock.recv(100).decode()


def conntrack(world, protocol):
    """The entries of a protocol: (seconds left, the line)."""
    lines = world.bench.in_client("cat", "/proc/net/nf_conntrack").splitlines()
    fields = [line.split() for line in lines]
    return [(int(f[4]), " ".join(f)) for f in fields if f[2] == protocol]


def mss_of(packet):
    """The MSS option of a SYN."""
    header = (packet.data[0] & 15) * 4
    tcp = packet.data[header:]
    assert tcp[13] & 0x02
    options = tcp[20:(tcp[12] >> 4) * 4]
    while options:
        if options[0] == 2:
            return struct.unpack("!H", options[2:4])[0]
        options = options[1:] if options[0] == 1 else options[options[1]:]
    return None


def test_ranges_are_used_by_their_size(world):
    """S18: 400 sources over ranges of 512 and 1536 ports, the second in three that adjoin."""
    world.server.ranges = [(50512, 51023), (2048, 2559), (50000, 50511), (51024, 51535)]
    world.start()
    socks = [world.udp_socket() for _ in range(400)]
    for sock in socks:
        sock.sendto(b"x", (PEER_V4, UDP_PORT))
        assert sock.recv(10) == b"x"
    for sock in socks:
        sock.close()
    ports = [port for _, port in world.echo.sources]
    assert len(set(ports)) == 400
    assert all(in_ranges(port, world.server.ranges) for port in ports)
    small = sum(port < 2560 for port in ports)
    assert 60 <= small <= 140  # 100 expected; more than four standard deviations either way
    thirds = [sum(first <= port <= first + 511 for port in ports)
              for first in (50000, 50512, 51024)]
    assert min(thirds) >= 60


def test_every_port_of_every_range_is_used_before_a_flow_is_refused(world):
    """S18: a flow whose range is full towards its destination gets a port of another one."""
    world.server.ranges = [(2048, 2051), (3000, 3000), (5000, 5010)]
    world.start(ports_max=16)
    socks = [world.udp_socket() for _ in range(16)]
    for sock in socks:
        sock.sendto(b"x", (PEER_V4, UDP_PORT))
        assert sock.recv(10) == b"x"
    assert sorted(port for _, port in world.echo.sources) == [
        *range(2048, 2052), 3000, *range(5000, 5011)]
    with world.udp_socket() as late, pytest.raises(PermissionError):
        late.sendto(b"x", (PEER_V4, UDP_PORT))
    # Another destination has all ports again, and so has TCP.
    assert tcp_exchange(world.bench) == b"hello"
    for sock in socks:
        sock.close()


def test_source_keeps_its_mapping_whatever_it_speaks_to(world):
    """RFC 4787 REQ-1: one socket, several ports and addresses, with ports to spare."""
    world.server.ranges = [(2048, 2303), (50000, 50255)]
    world.start()
    run("ip", "-n", world.bench.far, "addr", "add", f"{OTHER_PEER_V4}/32", "dev", "tep0")
    for _ in range(5):
        with world.udp_socket() as sock:
            seen = set()
            for address in (PEER_V4, OTHER_PEER_V4):
                for port in range(9100, 9104):
                    with world.far_udp_socket(address, port) as service:
                        sock.sendto(b"x", (address, port))
                        seen.add(service.recvfrom(10)[1])
            assert len(seen) == 1


def test_time_outs_are_those_of_the_rfcs_and_the_hosts_stay(world):
    """RFC 4787 REQ-5, 5382 REQ-5, 5508 REQ-2 for our flows; no sysctl is touched."""
    command = ("sh", "-c", "sysctl -a 2>/dev/null | grep '^net.netfilter.*timeout'")
    before = world.bench.in_client(*command)
    world.start()
    assert world.bench.in_client(*command) == before
    with world.udp_socket() as sock, world.bench.client_socket(
            socket.AF_INET, socket.SOCK_STREAM) as tcp:
        sock.sendto(b"x", (PEER_V4, UDP_PORT))
        assert sock.recv(10) == b"x"
        (left, _), = conntrack(world, "udp")
        assert 100 <= left <= 120 or 280 <= left <= 300
        tcp.settimeout(10)
        tcp.connect((PEER_V4, TCP_PORT))
        tcp.sendall(b"x")
        assert tcp.recv(10) == b"x"
        (left, line), = conntrack(world, "tcp")
        assert "ESTABLISHED" in line and 7400 <= left <= 7440
    wait_for(lambda: "ESTABLISHED" not in conntrack(world, "tcp")[0][1], "the connection's end")
    assert 200 <= conntrack(world, "tcp")[0][0] <= 240
    assert "2 received" in ping(world.bench)
    assert all(40 <= left <= 60 for left, _ in conntrack(world, "icmp"))
    # Another flow of the host, not ours, has the host's own.
    run("ip", "netns", "exec", world.bench.client, "ping", "-c", "1", "127.0.0.1")
    assert any(left <= 30 for left, line in conntrack(world, "icmp") if "127.0.0.1" in line)


def test_more_ranges_cost_no_flow(world):
    """Mappings and a connection stay when the renewal only adds ports."""
    world.server.lifetime_s = 3
    world.server.ranges = [(2048, 2063)]
    client = world.start()
    with world.udp_socket() as sock, world.bench.client_socket(
            socket.AF_INET, socket.SOCK_STREAM) as tcp:
        tcp.settimeout(10)
        tcp.connect((PEER_V4, TCP_PORT))
        sock.sendto(b"x", (PEER_V4, UDP_PORT))
        assert sock.recv(10) == b"x"
        world.server.ranges = [(2048, 2063), (6000, 7023)]
        wait_for(lambda: client.show()["ports"] == [[2048, 2063], [6000, 7023]], "more ports")
        wait_for(lambda: client.state_is("bound"), "the lease")
        sock.sendto(b"x", (PEER_V4, UDP_PORT))
        assert sock.recv(10) == b"x"
        assert len({packet.sport for packet in world.tep.sent if packet.protocol == 17}) == 1
        tcp.sendall(b"x")
        assert tcp.recv(10) == b"x"
    for _ in range(10):
        assert tcp_exchange(world.bench) == b"hello"
    assert any(port >= 6000 for _, port in world.echo.sources)
    assert world.drops() == {}


def test_what_nobody_asked_for_ends_here(world):
    """Without mapping and forward a packet is neither delivered nor routed back into the tunnel."""
    client = world.start()
    world.add_lan()
    with world.udp_socket() as listener:
        listener.bind(("0.0.0.0", 2050))
        listener.settimeout(0.5)
        for dport in (2050, 2051, 50001):
            world.tep.send(udp_packet(PEER_V4, 53, LEASE_V4, dport), CLIENT_V6)
        wait_for(lambda: client.show()["rx_packets"] == 3, "the packets")
        with pytest.raises(TimeoutError):
            listener.recv(10)
    assert world.tep.sent == []


def test_forwards_lead_to_services(world):
    """Inbound through named and unnamed ports; what the lease lacks is reported and left out."""
    world.server.ranges = [(2048, 2111)]
    client = world.start(
        forwards='[{port: 2050, to: 8022}, {protocol: udp, to: 5353}, {port: 80, to: 80}]')
    forwards = client.show()["forwards"]
    assert forwards == [
        {"protocol": "tcp", "public": f"{LEASE_V4}:2050", "to": "8022"},
        {"protocol": "udp", "public": f"{LEASE_V4}:2048", "to": "5353"},
        {"protocol": "tcp", "public": None, "to": "80"}]
    assert "the lease does not have tcp port 80" in client.log.read_text()

    service = world.bench.client_socket(socket.AF_INET, socket.SOCK_STREAM)
    service.bind(("0.0.0.0", 8022))
    serve_tcp(service)
    far = world.bench.far_socket(socket.AF_INET, socket.SOCK_STREAM)
    assert greeting(far, (LEASE_V4, 2050)) == f"hello {PEER_V4}"
    with world.udp_socket() as sock, world.far_udp_socket(PEER_V4, 9100) as peer:
        sock.bind(("0.0.0.0", 5353))
        peer.sendto(b"in", (LEASE_V4, 2048))
        data, source = sock.recvfrom(10)
        assert (data, source) == (b"in", (PEER_V4, 9100))
        # What the service sends of its own accord has the forward's port, too.
        sock.sendto(b"out", (PEER_V4, UDP_PORT))
        assert sock.recv(10) == b"out"
        assert world.echo.sources[-1] == (LEASE_V4, 2048)
    # Nobody else gets a forwarded port.
    for _ in range(50):
        with world.udp_socket() as sock:
            sock.sendto(b"x", (PEER_V4, UDP_PORT))
    wait_for(lambda: len(world.echo.sources) >= 50, "the packets")
    assert not {2048, 2050} & {port for _, port in world.echo.sources[1:]}
    service.close()


def test_forwards_survive_a_change_of_the_lease(world):
    world.server.lifetime_s = 3
    world.server.ranges = [(2048, 2063)]
    client = world.start(forwards='[{to: 8022}]')
    service = world.bench.client_socket(socket.AF_INET, socket.SOCK_STREAM)
    service.bind(("0.0.0.0", 8022))
    serve_tcp(service)
    world.server.ranges = [(6000, 6015)]
    wait_for(lambda: client.show()["forwards"][0]["public"] == f"{LEASE_V4}:6000", "the change")
    wait_for(lambda: client.state_is("bound"), "the lease")
    far = world.bench.far_socket(socket.AF_INET, socket.SOCK_STREAM)
    assert greeting(far, (LEASE_V4, 6000)) == f"hello {PEER_V4}"
    service.close()


def test_forward_in_mode_host(world):
    client = world.start(mode="host", forwards='[{port: 2050, to: 8022}]')
    service = world.bench.client_socket(socket.AF_INET, socket.SOCK_STREAM)
    service.bind((LEASE_V4, 8022))
    serve_tcp(service)
    far = world.bench.far_socket(socket.AF_INET, socket.SOCK_STREAM)
    assert greeting(far, (LEASE_V4, 2050)) == f"hello {PEER_V4}"
    assert client.show()["forwards"][0]["public"] == f"{LEASE_V4}:2050"
    service.close()


def test_host_behind_the_client_is_reached_and_its_segments_are_clamped(world):
    """A forward to another host; MSS of the SYNs of both directions fits the tunnel (R63)."""
    world.add_lan()
    world.start(forwards=f'[{{port: 2050, to: "{LAN_V4}:8022"}}]')
    script = ("import socket; s = socket.create_server(('0.0.0.0', 8022)); print('up', flush=True);"
              "p, a = s.accept(); p.sendall(b'hello ' + a[0].encode());"
              f"p.close(); s = socket.create_connection(('{PEER_V4}', {TCP_PORT}), 10);"
              "print(s.getsockopt(6, 2), flush=True)")
    run("ip", "-n", world.bench.far, "link", "set", "tep0", "mtu", "9000")
    with subprocess.Popen(["ip", "netns", "exec", world.lan, "/usr/bin/python3", "-c", script],
                          stdout=subprocess.PIPE, text=True) as behind:
        assert behind.stdout.readline() == "up\n"
        far = world.bench.far_socket(socket.AF_INET, socket.SOCK_STREAM)
        assert greeting(far, (LEASE_V4, 2050)) == f"hello {PEER_V4}"
        answer, = [p for p in world.tep.sent if p.protocol == 6 and p.data[33] == 0x12]
        assert mss_of(answer) <= 1420
        # The far host's own MSS, 8960 on its wire, is cut on the way in.
        assert int(behind.stdout.readline()) <= 1420
    syn, = [p for p in world.tep.sent if p.protocol == 6 and p.data[33] == 2]
    assert mss_of(syn) <= 1420


def test_own_forward_is_reached_by_its_public_address(world):
    """Hairpin (RFC 4787 REQ-9), by way of the TEP."""
    for setting in ("ip_forward=1", "conf.all.send_redirects=0", "conf.tep0.send_redirects=0"):
        run("ip", "netns", "exec", world.bench.far, "sysctl", "-qw", f"net.ipv4.{setting}")
    world.start(forwards='[{port: 2050, to: 8022}]')
    service = world.bench.client_socket(socket.AF_INET, socket.SOCK_STREAM)
    service.bind(("0.0.0.0", 8022))
    serve_tcp(service)
    own = world.bench.client_socket(socket.AF_INET, socket.SOCK_STREAM)
    assert greeting(own, (LEASE_V4, 2050)) == f"hello {LEASE_V4}"
    service.close()


def test_ports_that_run_out_bring_more(world):
    """R58: the kernel finds no port for a flow, the client asks for more, and the flow goes."""
    world.server.ranges = [(2048, 2063)]
    client = world.start(ports=16)
    socks = [world.udp_socket() for _ in range(24)]
    refused = 0
    for sock in socks:
        try:
            sock.sendto(b"x", (PEER_V4, UDP_PORT))
        except PermissionError:
            refused += 1  # at once, not in silence
    assert refused >= 8
    world.server.ranges = [(2048, 2063), (6000, 6255)]

    def has_more():
        # The watch of ports looks more often while packets pass.
        socks[0].sendto(b"x", (PEER_V4, UDP_PORT))
        return client.show()["ports"][-1] == [6000, 6255] and client.state_is("bound")

    wait_for(has_more, "more ports")
    assert any({"start": "2048", "end": "2063"} in request.ports()
               and any("count" in ports for ports in request.ports())
               for request in world.server.received)
    for sock in socks:
        sock.sendto(b"again", (PEER_V4, UDP_PORT))
    for sock in socks:
        while sock.recv(10) != b"again":
            continue
        sock.close()


def test_others_flows_without_a_port_are_not_ours(world):
    """Somebody else's NAT has run out: the lease has room, and the server is not asked."""
    client = world.start()
    world.bench.in_client("nft", "add table ip other; add chain ip other c { type nat hook "
                          "postrouting priority 100; }; add rule ip other c oifname lo meta "
                          "l4proto udp snat to 127.0.0.1:7000-7000")
    with world.udp_socket() as first, world.udp_socket() as second, world.udp_socket() as own:
        first.sendto(b"x", ("127.0.0.1", 9))
        with pytest.raises(PermissionError):
            second.sendto(b"x", ("127.0.0.1", 9))

        def is_noticed():
            own.sendto(b"x", (PEER_V4, UDP_PORT))
            return "flows without a port: 1, 1 of ours" in client.log.read_text()

        wait_for(is_noticed, "the look at the flows")
    assert world.server.actions() == ["create", "accept"]


MANY_FORWARDS = [f"{{protocol: {protocol}, to: '192.168.7.{host}:80'}}"
                 for protocol in ("tcp", "udp") for host in range(16)]


@pytest.mark.parametrize("ranges, forwards", [
    ([(5000, 5000), (6001, 6001), (65535, 65535)], []),
    ([(0, 7)], []),
    ([], []),  # the whole address, although nobody asked for one
    ([(first, first + 99) for first in range(60000, 60800, 100)][::-1], []),
    ([(first, first + 9) for first in range(60000, 60800, 100)], MANY_FORWARDS),
])
def test_odd_leases_are_taken_by_the_kernel(world, ranges, forwards):
    world.server.ranges = ranges
    client = world.start(forwards=f"[{', '.join(forwards)}]")
    assert tcp_exchange(world.bench) == b"hello"
    assert "1 received" in world.bench.in_client("ping", "-c", "1", "-W", "5", PEER_V4)
    assert all(in_ranges(packet.sport, ranges or [(1, 65535)]) for packet in world.tep.sent)
    assert [forward["public"] for forward in client.show()["forwards"]] == [
        f"{LEASE_V4}:{first + i}" for first, _ in ranges for i in range(10)][:len(forwards)]


def test_table_is_the_only_trace_in_nftables(world):
    """Other tables stay as they are, and ours is one."""
    world.bench.in_client("nft", "add table ip other; add chain ip other c { type filter hook "
                          "forward priority 0; }; add rule ip other c counter accept")
    other = world.bench.in_client("nft", "list", "table", "ip", "other")
    world.start()
    tables = world.bench.in_client("nft", "list", "tables").split("\n")
    assert sorted(filter(None, tables)) == ["table ip dstm_dstm0", "table ip other"]
    ours = world.bench.in_client("nft", "list", "table", "ip", "dstm_dstm0")
    assert re.search(r"ct timeout set \"?icmp_times\"?", ours)
    assert world.bench.in_client("nft", "list", "table", "ip", "other") == other
