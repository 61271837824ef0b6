# SPDX-License-Identifier: BSD-3-Clause
"""The whole client: leases, applications, what is dropped, and what is left behind."""

import os
import signal
import socket
import subprocess

import pytest

from bench import CLIENT_V6, LEASE_V4, OTHER_CLIENT_V6, PEER_V4, TEP_V6, wait_for
from tep import udp_packet
from world import (BINARY, ROOT, TCP_PORT, UDP_PORT, in_ranges, leave, ping, tcp_exchange,
                   udp_exchange)


def test_any_application_goes_out_through_all_ranges(bench, server, tep, echo, make_client):
    """R15, R19, R20, R49, R91, S18: TCP, UDP and ping with ports and identifiers of both ranges."""
    client = make_client().start()
    show = client.wait_bound()
    assert show["v4"] == LEASE_V4
    assert show["ports"] == [[2048, 2111], [50000, 50063]]
    assert show["v6"] == CLIENT_V6
    route = bench.in_client("ip", "-4", "route", "show", "default")
    assert "dev dstm0" in route and "metric 4096" in route

    for _ in range(20):
        assert tcp_exchange(bench) == b"hello"
        assert udp_exchange(bench) == b"hello"
    for _ in range(4):
        assert "2 received" in ping(bench)

    assert {address for address, _ in echo.sources} == {LEASE_V4}
    for first, last in server.ranges:
        assert any(first <= port <= last for _, port in echo.sources)
    assert all(in_ranges(packet.sport, server.ranges) for packet in tep.sent)
    assert all(packet.src == LEASE_V4 for packet in tep.sent)
    assert {packet.protocol for packet in tep.sent} == {1, 6, 17}
    assert {packet.outer_source for packet in tep.sent} == {CLIENT_V6}
    assert len({packet.sport for packet in tep.sent if packet.protocol == 1}) > 1
    show = client.show()
    assert show["rx_packets"] == len(tep.returned)
    assert sum(show["drops"].values()) == 0


def test_large_transfer_and_large_datagram_pass(bench, server, echo, make_client):
    """R63: what is longer than the device's MTU is fragmented and put together again."""
    client = make_client().start()
    client.wait_bound()
    data = os.urandom(300000)
    assert tcp_exchange(bench, data) == data
    assert len(udp_exchange(bench, b"d" * 4000)) == 4000


def test_narrow_path_fragments_the_outer_packet(bench, server, echo, make_client):
    """R63: an IPv6 path narrower than the device's MTU asks for costs fragments, not packets."""
    bench.narrow(1280)
    client = make_client(mtu=1460).start()
    client.wait_bound()
    data = os.urandom(100000)
    assert tcp_exchange(bench, data) == data
    assert len(udp_exchange(bench, b"d" * 1400)) == 1400
    assert client.show()["drops"]["tx_error"] == 0


@pytest.mark.parametrize("mode", ["napt", "host"])
def test_icmp_error_reaches_the_application(bench, server, tep, make_client, mode):
    """S6: the error's quote carries the port that was sent from, and finds its way by it."""
    client = make_client(mode=mode).start()
    client.wait_bound()
    with bench.client_socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(20)
        sock.connect((PEER_V4, 9999))
        sock.send(b"nobody there")
        with pytest.raises(ConnectionRefusedError):
            sock.recv(100)
    assert sum(client.show()["drops"].values()) == 0


def test_lease_is_released_at_sigterm_and_nothing_stays(bench, server, make_client):
    """D8, R51: delete to the server, exit status 0, and the host as it was."""
    before = bench.host_state()
    client = make_client().start()
    client.wait_bound()
    assert bench.host_state() != before
    assert leave(client) == 0
    assert server.actions() == ["create", "accept", "delete"]
    assert server.received[-1].client("ipv4") == [LEASE_V4]
    assert bench.host_state() == before
    assert not list(client.folder.glob("client.s*"))


def test_dead_server_does_not_hold_up_the_end(bench, server, make_client):
    before = bench.host_state()
    client = make_client().start()
    client.wait_bound()
    server.silent = True
    assert leave(client) == 0
    assert bench.host_state() == before


@pytest.mark.parametrize("server_v6", ["2001:db8:1::53", "2001:db8:1::dead", "2001:db8:2::1"])
def test_client_without_a_server_tries_on_and_ends_when_told(bench, make_client, server_v6):
    """Nobody listens, nobody is there, no route leads there."""
    client = make_client(server=f'"[{server_v6}]:3653"').start()
    wait_for(lambda: client.state_is("connecting") or client.state_is("backoff"), "a try")
    assert leave(client) == 0


@pytest.mark.parametrize("mode", ["napt", "host"])
def test_killed_client_is_cleaned_up_by_its_next_start(bench, server, echo, make_client, mode):
    before = bench.host_state()
    client = make_client(mode=mode).start()
    client.wait_bound()
    sock = bench.client_socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(30)
    sock.connect((PEER_V4, TCP_PORT))
    client.signal(signal.SIGKILL)
    client.wait()
    left = bench.host_state()
    assert left["tables"] != before["tables"]
    assert (left["ports"] != before["ports"]) == (mode == "host")
    assert left["devices"] == before["devices"]

    client.start().wait_bound()
    assert "left behind" in client.log.read_text()
    assert tcp_exchange(bench) == b"hello"
    sock.sendall(b"a connection outlives the client")
    assert sock.recv(100) == b"a connection outlives the client"
    sock.close()
    assert leave(client) == 0
    assert bench.host_state() == before


def test_killed_client_is_cleaned_up_even_without_a_server(bench, server, make_client):
    before = bench.host_state()
    client = make_client(mode="host").start()
    client.wait_bound()
    client.signal(signal.SIGKILL)
    client.wait()
    server.refuse = "306 Address pool exhausted"
    client.start()
    wait_for(lambda: client.state_is("backoff"), "a refusal")
    assert client.show()["v4"] is None
    assert "306" in client.show()["last_error"]
    for key in ("tables", "ports", "routes", "addresses"):
        assert bench.host_state()[key] == before[key]


def test_host_mode_keeps_applications_inside_the_largest_range(
        bench, server, tep, echo, make_client):
    """R49, S18: the kernel chooses from the range; who binds outside is dropped and counted."""
    server.ranges = [(3000, 3015), (40000, 40255)]
    client = make_client(mode="host").start()
    client.wait_bound()
    assert bench.host_state()["ports"].split() == ["40000", "40255"]
    for _ in range(10):
        assert tcp_exchange(bench) == b"hello"
    assert tcp_exchange(bench, local=(LEASE_V4, 3007)) == b"hello"
    assert all(40000 <= port <= 40255 or port == 3007 for _, port in echo.sources)
    assert "2 received" in ping(bench)
    assert all(in_ranges(packet.sport, server.ranges) for packet in tep.sent)

    arrived = len(tep.sent)
    with bench.client_socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((LEASE_V4, 12345))
        sock.sendto(b"x", (PEER_V4, UDP_PORT))
    wait_for(lambda: client.show()["drops"]["tx_port"] == 1, "the drop")
    assert len(tep.sent) == arrived


def test_exclusive_address_carries_any_protocol(bench, server, tep, make_client):
    """S37: without ports to share, every protocol passes."""
    server.ranges = []
    client = make_client(mode="host", exclusive="true").start()
    show = client.wait_bound()
    assert server.received[0].ports() == []
    assert show["ports"] == [[0, 65535]]
    with bench.client_socket(socket.AF_INET, socket.SOCK_RAW, 47) as sock:
        sock.sendto(b"\0\0\x08\0payload", (PEER_V4, 0))
    wait_for(lambda: any(packet.protocol == 47 for packet in tep.sent), "the GRE packet")
    assert "2 received" in ping(bench)


@pytest.mark.parametrize("mode", ["napt", "host"])
def test_protocol_without_ports_is_dropped_under_a_shared_address(
        bench, server, tep, make_client, mode):
    client = make_client(mode=mode).start()
    client.wait_bound()
    with bench.client_socket(socket.AF_INET, socket.SOCK_RAW, 47) as sock:
        sock.sendto(b"\0\0\x08\0payload", (PEER_V4, 0))
    wait_for(lambda: client.show()["drops"]["tx_protocol"] == 1, "the drop")
    assert tep.sent == []


def test_foreign_packets_from_the_tunnel_are_dropped_and_counted(bench, server, tep, make_client):
    """S20: outer source, inner destination and inner port, one fault at a time."""
    client = make_client(mode="host").start()
    client.wait_bound()
    listener = bench.client_socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("0.0.0.0", 2050))
    listener.settimeout(5)

    good = udp_packet(PEER_V4, 53, LEASE_V4, 2050, b"good")
    tep.send(good, CLIENT_V6, impostor=True)
    tep.send(udp_packet(PEER_V4, 53, "198.51.100.8", 2050), CLIENT_V6)
    tep.send(udp_packet(PEER_V4, 53, LEASE_V4, 2112), CLIENT_V6)
    tep.send(good[:23], CLIENT_V6)
    tep.send(b"\x60" + good[1:], CLIENT_V6)
    tep.send(good, CLIENT_V6)
    assert listener.recv(100) == b"good"
    wait_for(lambda: client.show()["rx_packets"] == 1, "the good packet")
    drops = {name: n for name, n in client.show()["drops"].items() if n > 0}
    assert drops == {"rx_outer_source": 1, "rx_address": 1, "rx_port": 1, "rx_malformed": 2}
    rows = {row["name"]: row for row in client.ask("counters")["items"]}
    assert rows["rx_outer_source"]["count"] == 1
    assert all(row["text"] for row in rows.values())
    listener.close()


def test_lease_is_renewed_at_half_its_lifetime_and_stays_up(bench, server, echo, make_client):
    """R29, R81, R93: more lifetimes pass than one, and a connection does not notice."""
    server.lifetime_s = 2
    client = make_client().start()
    client.wait_bound()
    with bench.client_socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(20)
        sock.connect((PEER_V4, TCP_PORT))
        wait_for(lambda: server.actions().count("create") >= 5, "four renewals")
        sock.sendall(b"still here")
        assert sock.recv(100) == b"still here"
    assert "reject" not in server.actions()
    assert all(request.client("ipv4") == [] for request in server.received)


def test_lease_ends_when_the_server_is_silent(bench, server, make_client):
    """R51: the address is gone at the end of the lease, and asked for again."""
    before = bench.host_state()
    server.lifetime_s = 3
    client = make_client().start()
    client.wait_bound()
    server.refuse = "530 Too busy"
    wait_for(lambda: client.show()["v4"] is None, "the end of the lease")
    for key in ("tables", "routes", "addresses"):
        assert bench.host_state()[key] == before[key]
    server.refuse = None
    client.wait_bound()


def test_changed_lease_is_taken_over_at_renewal(bench, server, tep, echo, make_client):
    """S19: what was translated into the old range is not sent any more."""
    server.lifetime_s = 3
    server.ranges = [(2048, 2063)]
    client = make_client().start()
    client.wait_bound()
    sock = bench.client_socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(20)
    sock.sendto(b"one", (PEER_V4, UDP_PORT))
    assert sock.recv(100) == b"one"
    server.ranges = [(6000, 6015)]
    wait_for(lambda: client.show()["ports"] == [[6000, 6015]], "the new range")
    wait_for(lambda: client.state_is("bound"), "the lease")
    sock.sendto(b"two", (PEER_V4, UDP_PORT))
    assert sock.recv(100) == b"two"
    assert [2048 <= port <= 2063 for _, port in echo.sources] == [True, False]
    assert 6000 <= echo.sources[-1][1] <= 6015
    sock.close()


def test_a_tep_that_is_set_by_hand_is_used(bench, server, echo, make_client):
    """R18: the server names another one, where nobody answers."""
    server.tep_v6 = "2001:db8:53::dead"
    client = make_client(tep=TEP_V6).start()
    assert client.wait_bound()["tep"] == TEP_V6
    assert tcp_exchange(bench) == b"hello"
    assert leave(client) == 0


def test_generation_1_renews_on_its_session_and_takes_a_pushed_delete(bench, server, make_client):
    """R83, R92, R95, R102."""
    server.lifetime_s = 4
    client = make_client(generation=1).start()
    client.wait_bound()
    wait_for(lambda: len(server.received) >= 2, "a renewal")
    assert server.versions == ["VERSION=1.0"]
    assert server.actions() == ["create", "create"]
    first, renewal = server.received[:2]
    assert [a.startswith("fe80") for a in first.client("ipv6")] == [True, False]
    assert renewal.client("ipv4") == [LEASE_V4]
    assert renewal.ports() == [
        {"start": "2048", "end": "2111"}, {"start": "50000", "end": "50063"}]
    assert len(server.connections) == 1

    server.lifetime_s = 600
    wait_for(lambda: client.show()["lifetime_s"] == 600, "a long renewal")
    server.push_delete()
    wait_for(lambda: len(server.connections) == 2, "a new connection")
    client.wait_bound()
    assert server.answers[0].startswith("200") or server.received[-2].action == "info"


def test_refused_version_falls_back_to_generation_1(bench, server, make_client):
    server.supported = ("VERSION=1.0",)
    client = make_client().start()
    client.wait_bound()
    assert server.versions == ["VERSION=2.0.0", "VERSION=1.0"]


def test_refused_lease_is_asked_for_again(bench, server, make_client):
    server.refuse = "301 Address pool exhausted"
    client = make_client().start()
    wait_for(lambda: len(server.received) >= 2, "a second try")
    server.refuse = None
    client.wait_bound()


def test_second_client_is_refused(bench, server, make_client, tmp_path):
    """Neither the same state file nor the same device, and the first one lives on."""
    first = make_client().start()
    first.wait_bound()
    second = subprocess.run(
        ["ip", "netns", "exec", bench.client, BINARY, "-c", first.config], check=False,
        capture_output=True, text=True, timeout=20)
    assert second.returncode == 1
    assert "another client runs with it" in second.stderr
    (tmp_path / "other").mkdir()
    other = make_client(folder=tmp_path / "other").start()
    assert other.wait() == 1
    assert "dstm0: device cannot be made: Device or resource busy" in other.log.read_text()
    assert first.state_is("bound")
    assert "dstm_dstm0" in bench.host_state()["tables"]


def test_configured_tunnel_end_is_used(bench, server, tep, echo, make_client):
    bench.in_client("ip", "addr", "add", f"{OTHER_CLIENT_V6}/64", "dev", "c0", "nodad")
    client = make_client(v6=OTHER_CLIENT_V6).start()
    assert client.wait_bound()["v6"] == OTHER_CLIENT_V6
    assert server.received[0].peer == OTHER_CLIENT_V6
    assert tcp_exchange(bench) == b"hello"
    assert {packet.outer_source for packet in tep.sent} == {OTHER_CLIENT_V6}


def test_lost_tunnel_end_makes_the_client_ask_from_another(bench, server, tep, echo, make_client):
    client = make_client().start()
    assert client.wait_bound()["v6"] == CLIENT_V6
    bench.in_client("ip", "addr", "add", f"{OTHER_CLIENT_V6}/64", "dev", "c0", "nodad")
    bench.in_client("ip", "addr", "del", f"{CLIENT_V6}/64", "dev", "c0")
    wait_for(lambda: client.show()["v6"] == OTHER_CLIENT_V6, "the new tunnel end")
    client.wait_bound()
    assert tcp_exchange(bench) == b"hello"


def test_existing_default_route_is_not_touched(bench, server, make_client):
    bench.in_client("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    bench.in_client("ip", "link", "set", "lan0", "up")
    bench.in_client("ip", "addr", "add", "192.168.7.2/24", "dev", "lan0")
    bench.in_client("ip", "route", "add", "default", "via", "192.168.7.1")
    client = make_client().start()
    client.wait_bound()
    routes = bench.in_client("ip", "-4", "route", "show", "default").splitlines()
    assert len(routes) == 2 and "192.168.7.1" in routes[0] and "dstm0" in routes[1]
    assert leave(client) == 0
    assert "192.168.7.1" in bench.in_client("ip", "-4", "route", "show", "default")


def test_default_route_of_the_same_metric_is_a_clear_refusal(bench, server, make_client):
    """A second DTI cannot have the default route too: the lease goes back, with the reason."""
    bench.in_client("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    bench.in_client("ip", "link", "set", "lan0", "up")
    bench.in_client("ip", "route", "add", "default", "dev", "lan0", "metric", "4096")
    client = make_client().start()
    wait_for(lambda: "reject" in server.actions(), "the reject")
    wait_for(lambda: client.state_is("backoff"), "the back-off")
    assert "an IPv4 default route of metric 4096 is there" in client.show()["last_error"]


def test_default_route_can_be_left_out(bench, server, echo, make_client):
    client = make_client(default_route="false").start()
    client.wait_bound()
    assert bench.in_client("ip", "-4", "route", "show", "default") == ""
    bench.in_client("ip", "route", "add", f"{PEER_V4}/32", "dev", "dstm0")
    assert tcp_exchange(bench) == b"hello"


def test_sighup_takes_a_changed_configuration(bench, server, make_client):
    client = make_client().start()
    client.wait_bound()
    client.signal(signal.SIGHUP)
    wait_for(lambda: "nothing changed" in client.log.read_text(), "the first reload")
    wait_for(lambda: server.actions() == ["create", "accept"], "the lease to be accepted, once")
    client.config.write_text("nonsense: 1\n")
    client.signal(signal.SIGHUP)
    wait_for(lambda: "nonsense" in client.log.read_text(), "the refusal")
    assert client.state_is("bound")
    client.write_config(device="dti7", mode="host")
    client.signal(signal.SIGHUP)
    wait_for(lambda: client.shows(state="bound", device="dti7"), "the change")
    wait_for(lambda: server.actions() == ["create", "accept", "delete", "create", "accept"],
             "the other lease to be accepted")
    assert "dstm_dti7" in bench.host_state()["tables"]
    assert "dstm_dstm0" not in bench.host_state()["tables"]


def test_host_that_cannot_be_configured_gives_the_lease_back(bench, server, make_client):
    """The address of the device is refused by the kernel: the server hears a reject."""
    server.ranges = [(80, 89)]  # below ip_unprivileged_port_start: the sysctl refuses it
    client = make_client(mode="host").start()
    wait_for(lambda: "reject" in server.actions(), "the reject")
    wait_for(lambda: client.state_is("backoff"), "the back-off")
    assert "ip_local_port_range" in client.show()["last_error"]
    assert "dstm" not in bench.host_state()["tables"]


def test_hostile_answers_change_nothing(bench, server, make_client):
    before = bench.host_state()
    client = make_client().start()
    for body in ("200 Success\r\n<tunnel action='info' type='v4v6'>", "junk", "200 Success\r\n",
                 "200 Success\r\n<!DOCTYPE x><tunnel action='info' type='v4v6'/>",
                 "1302 Go elsewhere\r\n"):
        tries = len(server.received)
        server.refuse = body
        wait_for(lambda: len(server.received) > tries + 1, "two more tries")
    assert client.process.poll() is None
    for key in ("tables", "routes", "addresses"):
        assert bench.host_state()[key] == before[key]
    server.refuse = None
    client.wait_bound()


def test_configuration_is_checked_without_being_used(tmp_path):
    example = ROOT / "config/client.yaml"
    good = subprocess.run([BINARY, "-t", "-c", example], check=False, timeout=20)
    assert good.returncode == 0
    bad = tmp_path / "bad.yaml"
    bad.write_text('server: "[2001:db8::53]:3653"\nmtu: 9\n')
    result = subprocess.run(
        [BINARY, "-t", "-c", bad], check=False, capture_output=True, text=True, timeout=20)
    assert result.returncode == 2
    assert result.stderr == f"error: {bad}:1:1: mtu: 0, or 512 and more\n"
