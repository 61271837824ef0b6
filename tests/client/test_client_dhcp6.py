# SPDX-License-Identifier: BSD-3-Clause
"""
The real dstm-client with protocol: dhcpv6, before a scripted server: whole exchanges, what is sent in them,
and what becomes of the host (R36, R42, R46, R48 to R53, R70).
"""

import signal
import socket
import struct
import threading

import pytest

import dhcp6_server as d6
from bench import (
    CLIENT_V6, IMPOSTOR_V6, LEASE_V4, OTHER_CLIENT_V6, SERVER_V6, TEP_V6, Client, in_namespace, run,
    wait_for)
from dhcp6_server import Dhcp6Server
from world import BINARY, World, leave, tcp_exchange, udp_exchange


class Dhcp6Client(Client):
    """options are those of the map dhcpv6."""

    def __init__(self, bench, folder, binary=BINARY, options="", **settings):
        self.options = options
        super().__init__(bench, folder, binary, **settings)

    def write_config(self, **settings):
        dhcp6 = settings.pop("dhcpv6", "interface: c0" + self.options)
        super().write_config(protocol="dhcpv6", dhcpv6="{" + dhcp6 + "}", **settings)
        lines = self.config.read_text().splitlines()
        self.config.write_text(
            "".join(f"{line}\n" for line in lines if not line.startswith("server:")))


@pytest.fixture(name="world")
def fixture_world(bench, tmp_path):
    world = World(bench, tmp_path, Dhcp6Server)
    yield world
    world.close()


def start(world, options="", **settings):
    return world.start(Dhcp6Client(world.bench, world.folder, options=options, **settings))


def begin(world, options="", **settings):
    """Without waiting for a lease."""
    world.client = Dhcp6Client(world.bench, world.folder, options=options, **settings).start()
    return world.client


def drops(client):
    return {name: n for name, n in client.show()["drops"].items() if n > 0}


def says(client, text):
    return client.shows() and text in (client.show()["last_error"] or "")


def assert_lease(client, ports):
    show = client.show()
    assert show["v4"] == LEASE_V4
    assert show["ports"] == [list(pair) for pair in ports]
    assert show["v6"] == CLIENT_V6
    assert show["tep"] == TEP_V6


@pytest.mark.parametrize("mode", ["napt", "host"])
def test_four_messages_and_http(world, mode):
    """R42, R70: the client names its own global address and never a TEP."""
    before = world.bench.host_state()
    world.server.rapid = False
    client = start(world, mode=mode)
    assert world.server.names() == ["solicit", "request"]
    assert_lease(client, world.server.ranges)
    for message in world.server.received:
        assert message.source[1] == 546
        _, inner = message.ia()
        assert inner[d6.CLIENT] == d6.v6(CLIENT_V6)
        assert d6.TEP not in inner and message.get(d6.TEP) is None
        assert d6.PORTS in message.asks() and 82 in message.asks()
    assert world.server.received[1].get(d6.SERVER_ID) == world.server.duid
    assert world.server.received[1].xid != world.server.received[0].xid
    assert tcp_exchange(world.bench) == b"hello"
    assert udp_exchange(world.bench) == b"hello"
    assert leave(client) == 0
    assert world.server.names()[2:] == ["release"]
    _, inner = world.server.received[-1].ia()
    assert inner[d6.IAADDR][:16] == d6.v6(f"::ffff:{LEASE_V4}")
    assert world.bench.host_state() == before


@pytest.mark.parametrize("options", ["vendor", "softwire"])
@pytest.mark.parametrize("stateless", ["false", "true"])
def test_other_options(world, options, stateless):
    """The lease from option 17 and option 96, with an exchange of its own and by Information-request."""
    client = start(world, options=f", options: {options}, stateless: {stateless}")
    assert world.server.names() == ["inform" if stateless == "true" else "solicit"]
    assert_lease(client, [(2048, 3071)] if options == "softwire" else world.server.ranges)
    assert tcp_exchange(world.bench) == b"hello"
    assert leave(client) == 0
    assert ("release" in world.server.names()) == (stateless == "false")


def test_stateless_with_our_own_options(world):
    client = start(world, options=", stateless: true")
    message = world.server.received[0]
    assert message.name == "inform" and message.get(d6.IA_DSTM) is None
    assert message.get(d6.CLIENT) == d6.v6(CLIENT_V6)
    assert {d6.ADDRESS, d6.TEP, d6.PORTS, d6.REFRESH} <= set(message.asks())
    assert_lease(client, world.server.ranges)
    assert client.show()["lifetime_s"] == world.server.refresh_s


def test_container_chooses_the_tunnel_end(world):
    """An address of ours within its prefix, and no lease when none is."""
    run("ip", "-n", world.bench.client, "addr", "add", "2001:db8:1::a:1/128", "dev", "c0", "nodad")
    world.server.client_v6, world.server.prefix_len = "2001:db8:1::a:0", 112
    client = start(world, options=", options: softwire, stateless: true", v6=CLIENT_V6)
    assert client.show()["v6"] == "2001:db8:1::a:1"
    assert leave(client) == 0
    world.server.client_v6 = "2001:db8:2::"
    client = begin(world, options=", options: softwire")
    wait_for(lambda: says(client, "no address of this host"), "the refusal")
    wait_for(lambda: "decline" in world.server.names(), "the Decline")
    assert client.show()["v4"] is None


def test_renewal_at_t1_and_rebinding_at_t2(world):
    """R46: T1 at the same server, T2 at any; the lease stays what it is."""
    world.server.valid_s, world.server.t1_s, world.server.t2_s = 6, 1, 2
    client = start(world)
    wait_for(lambda: "renew" in world.server.names(), "a renewal")
    renew = world.server.last("renew")
    assert renew.get(d6.SERVER_ID) == world.server.duid
    assert renew.ia()[1][d6.IAADDR][:16] == d6.v6(f"::ffff:{LEASE_V4}")
    world.server.silent = ("renew",)
    wait_for(lambda: "rebind" in world.server.names(), "a rebinding")
    assert world.server.last("rebind").get(d6.SERVER_ID) is None
    wait_for(lambda: client.state_is("bound"), "the lease to stand again")
    assert client.log.read_text().count("lease: 198.51.100.7") == 1


def test_lifetimes_of_the_address(world):
    """R50: the kernel has the valid and the preferred lifetime, and gets new ones with each renewal."""
    world.server.valid_s, world.server.preferred_s = 300, 200
    world.server.t1_s, world.server.t2_s = 1, 250
    client = start(world, mode="host")
    shown = world.bench.in_client("ip", "-4", "addr", "show", "dev", "dstm0")
    valid, preferred = (int(shown.split(word)[1].split("sec")[0])
                        for word in ("valid_lft ", "preferred_lft "))
    assert 295 <= valid <= 300 and 195 <= preferred <= 200
    assert 190 <= client.show()["preferred_left_s"] <= 200
    world.server.preferred_s = 1
    world.server.t1_s = 200  # so that no renewal makes it new again
    wait_for(lambda: "deprecated" in
             world.bench.in_client("ip", "-4", "addr", "show", "dev", "dstm0"), "the end of that")
    assert client.state_is("bound")


def test_end_without_renewal(world):
    """R51, R52: at the end address and ports leave the host, and a Release goes out."""
    world.server.valid_s, world.server.t1_s, world.server.t2_s = 3, 1, 2
    client = start(world, mode="host")
    world.server.silent = ("renew", "rebind", "solicit")
    wait_for(lambda: "release" in world.server.names(), "the Release")
    assert LEASE_V4 not in world.bench.in_client("ip", "-4", "-o", "addr")
    assert world.bench.in_client("sysctl", "-n", "net.ipv4.ip_local_port_range").split() == [
        "32768", "60999"]
    world.server.silent = ()
    world.server.valid_s, world.server.t1_s, world.server.t2_s = 600, 0, 0
    client.wait_bound()


def test_lease_that_the_server_has_lost(world):
    """NoBinding: asked for anew at that server, without an interruption when it is the same."""
    world.server.t1_s, world.server.t2_s = 1, 500
    world.server.refuse = {"renew": d6.NO_BINDING}
    client = start(world)
    wait_for(lambda: world.server.names().count("request") == 2, "a request")
    wait_for(lambda: client.state_is("bound"), "a lease")
    assert client.log.read_text().count("lease: 198.51.100.7") == 1
    world.server.refuse = {name: d6.NO_BINDING for name in ("renew", "request")}
    wait_for(lambda: client.show()["v4"] is None, "the host to be bare")


def test_refusal_is_shown_and_asked_again(world):
    world.server.refuse, world.server.rapid = {"solicit": d6.NO_ADDRS}, False
    client = begin(world)
    wait_for(lambda: says(client, "exhausted"), "the word")
    world.server.refuse = {}
    client.wait_bound()


def test_server_of_the_highest_preference(world):
    other = Dhcp6Server(world.bench, duid=b"\0\3\0\1serv02")
    try:
        world.server.rapid = other.rapid = False
        world.server.preference, other.preference = 1, 7
        other.lease_v4 = "198.51.100.9"
        client = start(world)
        assert client.show()["v4"] == "198.51.100.9"
        assert "request" in other.names()
        assert other.last("request").get(d6.SERVER_ID) == other.duid
    finally:
        other.close()


def test_unicast(world):
    """From the tunnel end itself, and nobody else's answers."""
    world.server.close()
    world.server = Dhcp6Server(world.bench, address=SERVER_V6)
    client = start(world, dhcpv6=f'server: "{SERVER_V6}", duid: "000400112233445566778899aabbccddeeff"')
    assert {message.source[0] for message in world.server.received} == {CLIENT_V6}
    assert world.server.received[0].get(d6.CLIENT_ID).hex() == (
        "000400112233445566778899aabbccddeeff")
    assert leave(client) == 0
    # The same answers from another address count for nothing.
    impostor = world.bench.far_socket(socket.AF_INET6, socket.SOCK_DGRAM)
    impostor.bind((IMPOSTOR_V6, 0))
    right = world.server.mangle
    world.server.silent = ("solicit",)
    client.start()
    wait_for(lambda: world.server.names()[-1] == "solicit", "the question")
    impostor.sendto(
        right(world.server.answer(world.server.received[-1])), world.server.received[-1].source)
    wait_for(lambda: drops(client).get("dhcp6_strange"), "the drop")
    world.server.silent = ()
    client.wait_bound()
    impostor.close()


def test_tep_by_hand(world):
    """R53 with R18: the TEP of the configuration wins."""
    client = start(world, tep=IMPOSTOR_V6)
    assert client.show()["tep"] == IMPOSTOR_V6


def test_on_demand_and_idle(world):
    client = begin(world, on_demand="true", idle_s=2)
    wait_for(lambda: client.state_is("idle"), "the client to wait")
    assert world.server.names() == []
    assert tcp_exchange(world.bench) == b"hello"
    wait_for(lambda: client.state_is("idle"), "the lease to be given back")
    assert world.server.names() == ["solicit", "release"]
    assert tcp_exchange(world.bench) == b"hello"


def test_moved_tunnel_end(world):
    """Another address of the host: another lease, told by its new end."""
    client = start(world)
    run("ip", "-n", world.bench.client, "addr", "add", f"{OTHER_CLIENT_V6}/64", "dev", "c0", "nodad")
    run("ip", "-n", world.bench.client, "addr", "del", f"{CLIENT_V6}/64", "dev", "c0")
    wait_for(lambda: client.shows(state="bound", v6=OTHER_CLIENT_V6), "the other end")
    assert world.server.received[-1].ia()[1][d6.CLIENT] == d6.v6(OTHER_CLIENT_V6)


def test_lease_that_cannot_be_used_is_declined(world):
    """It is in the Reply: an Advertise of it is not taken up."""
    world.server.tep_v6 = CLIENT_V6
    client = begin(world, retry_max_s=9, retry_min_s=9)
    wait_for(lambda: says(client, "the TEP's address is this host's"), "the refusal")
    wait_for(lambda: "decline" in world.server.names(), "the Decline")
    assert world.server.last("decline").get(d6.SERVER_ID) == world.server.duid


def test_reconfigure(world):
    """R36: the key comes with a Reply; a Reconfigure signed with it makes the client ask."""
    world.server.key = bytes(range(16))
    client = start(world, accept_push="true")
    assert world.server.received[0].get(d6.RECONF_ACCEPT) == b""
    world.server.reconfigure()
    wait_for(lambda: "renew" in world.server.names(), "the Renew")
    wait_for(lambda: client.state_is("bound"), "its end")
    # Heard before, signed by somebody else, not signed at all: dropped and counted.
    count = len(world.server.received)
    for replay, key in ((2, None), (9, bytes(16))):
        world.server.reconfigure(replay=replay, key=key)
    world.server.socket.sendto(
        bytes([d6.RECONFIGURE, 0, 0, 0]) +
        d6.option(d6.CLIENT_ID, world.server.received[-1].get(d6.CLIENT_ID)) +
        d6.option(d6.SERVER_ID, world.server.duid) + d6.option(d6.RECONF_MSG, bytes([5])),
        world.server.received[-1].source)
    wait_for(lambda: drops(client).get("dhcp6_reconfigure") == 3, "the three")
    assert len(world.server.received) == count
    world.server.reconfigure(kind=d6.REBIND, replay=3)
    wait_for(lambda: "rebind" in world.server.names(), "the Rebind")


def test_reconfigure_without_a_lease_is_a_demand(world):
    """R36, R32: who never had a lease makes itself known; the key outlives a restart."""
    world.server.key = bytes(range(16))
    client = begin(world, on_demand="true", accept_push="true", idle_s=2)
    wait_for(lambda: "inform" in world.server.names(), "the client to tell of itself")
    announcement = world.server.received[0]
    assert announcement.get(d6.CLIENT) == d6.v6(CLIENT_V6)
    assert d6.ADDRESS not in announcement.asks()
    wait_for(lambda: '"key"' in (world.folder / "client.state.dhcpv6").read_text(), "the key")
    world.server.reconfigure()
    wait_for(lambda: client.state_is("bound"), "the lease")
    leave(client)
    world.server.key, key = None, world.server.key
    client.start()
    wait_for(lambda: client.state_is("idle"), "the client to wait")
    world.server.reconfigure(replay=1, key=key)
    wait_for(lambda: drops(client).get("dhcp6_reconfigure"), "the drop of what was heard before")
    world.server.reconfigure(replay=3, key=key)
    wait_for(lambda: client.state_is("bound"), "the lease")
    assert client.show()["v4"] == LEASE_V4


def test_hostile_answers(world):
    """None of them makes a lease; each is dropped and counted, and the exchange goes on."""
    server = world.server
    answers = []

    def mangle(data):
        """Before each right answer, many wrong ones."""
        message = server.received[-1]
        client_id = d6.option(d6.CLIENT_ID, message.get(d6.CLIENT_ID))
        wrong = [
            b"", data[:1], data[:3], data[:20], data[:-1], b"\0" * 40, b"\xff" * 60,
            bytes([data[0]]) + bytes(3) + data[4:],  # another transaction
            data.replace(client_id, d6.option(d6.CLIENT_ID, b"\0\3\0\1other!")),
            data.replace(client_id, b""),
            data.replace(d6.option(d6.SERVER_ID, server.duid), b""),
            bytes([d6.SOLICIT]) + data[1:], bytes([d6.REQUEST]) + data[1:],
            bytes([12]) + data[1:], bytes([200]) + data[1:],
            data + d6.option(d6.SERVER_ID, server.duid),
            data[:4] + struct.pack("!HH", 1, 65535) + data[8:],
        ]
        for answer in wrong:
            server.socket.sendto(answer, message.source)
        answers.extend(wrong)
        return data

    server.mangle, server.rapid = mangle, False
    client = start(world)
    assert server.names() == ["solicit", "request"]
    assert_lease(client, server.ranges)
    counted = drops(client)
    assert counted["dhcp6_malformed"] + counted["dhcp6_strange"] == len(answers)


def test_endless_lease(world):
    world.server.valid_s = world.server.t1_s = world.server.t2_s = 0xffffffff
    client = start(world, mode="host")
    assert client.show()["lifetime_s"] == 2**31 - 1
    assert client.show()["renew_in_s"] > 10**9


def test_no_dns_update(world):
    """R48: with all that a lease does, no DNS packet leaves the host, by UDP or TCP, IPv4 or IPv6."""
    tap = in_namespace(world.bench.far, lambda: socket.socket(
        socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
    tap.bind(("f0", 0))
    tap.settimeout(0.2)
    seen = []
    done = threading.Event()

    def listen():
        while not done.is_set():
            try:
                seen.append(tap.recv(65536))
            except TimeoutError:
                pass

    thread = threading.Thread(target=listen)
    thread.start()
    world.server.t1_s, world.server.t2_s = 1, 500
    client = start(world, mode="host")
    tcp_exchange(world.bench)
    wait_for(lambda: "renew" in world.server.names(), "a renewal")
    wait_for(lambda: client.state_is("bound"), "its end")
    assert leave(client) == 0
    done.set()
    thread.join()
    tap.close()
    dns = struct.pack("!H", 53)
    tunnelled = 0
    for frame in seen:
        payload, protocol = frame[54:], frame[20]
        if protocol == 4:
            tunnelled += 1
            protocol, payload = payload[9], payload[20:]
        if protocol in (6, 17):
            assert dns not in (payload[:2], payload[2:4])
    assert tunnelled > 0 and len(seen) > 10


def test_reload_and_restart(world):
    """Other options take a reload; another port or another protocol a restart."""
    client = start(world)
    client.options = ", options: vendor"
    client.write_config()
    client.signal(signal.SIGHUP)
    wait_for(lambda: world.server.received[-1].get(d6.VENDOR) is not None, "the other options")
    wait_for(lambda: client.state_is("bound"), "the lease")
    client.options = ", port: 10546"
    client.write_config()
    client.signal(signal.SIGHUP)
    wait_for(lambda: "port: changes only with a restart" in client.log.read_text(), "the word")
    assert client.state_is("bound")
