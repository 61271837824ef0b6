# SPDX-License-Identifier: BSD-3-Clause
"""Applications whose packets go from client to client, do not fit the tunnel, or come in fragments.

All of it by real programs: socat, tracepath, traceroute, ping.
"""

import re
import subprocess

import pytest

from conftest import (SHARED_ADDRESS, counters, derived, lab_with_leases, on_pcap_ports,
                      wait_until)
from packets import WEB

TUNNEL_MTU = 1460
UDP_OVERHEAD = 28


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with lab_with_leases(derived(tmp_path_factory, SHARED_ADDRESS, on_pcap_ports)) as lab:
        yield lab


class Listener:
    """socat that answers what it gets on a port of a client's lease, or of the web server."""

    def __init__(self, namespace, address: str):
        self._process = subprocess.Popen(
            namespace.command(["socat", "-b", "65536", address, "EXEC:cat"]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._process.terminate()
        self._process.wait(5)


def say(namespace, address: str, text: bytes) -> bytes:
    """What comes back within two seconds."""
    done = subprocess.run(
        namespace.command(["socat", "-b", "65536", "-t", "2", "-", address]), input=text,
        capture_output=True, timeout=20, check=False)
    return done.stdout


def open_port(lab, client: str, offset: int) -> int:
    """A port of the client's lease that its own NAT hands to this host (a port forwarding)."""
    lease = lab.leases[client]
    port = lease["ports"][0][0] + offset
    node = lab.nodes[client]
    node.run(["nft", "add table ip lab_in; "
                     "add chain ip lab_in pre { type nat hook prerouting priority dstnat; }; "
                     f"add rule ip lab_in pre ip daddr {lease['v4']} meta l4proto {{ tcp, udp }} "
                     f"th dport {port} dnat to 192.0.0.2"])
    return port


@pytest.mark.parametrize("protocol, size", [("TCP4", 5000), ("UDP4", 64), ("UDP4", 4000)])
def test_clients_on_one_address_speak_with_each_other(lab, protocol, size):
    """S4, RFC 7596 section 6.2: out of one tunnel, into the other, nothing by the IPv4 side."""
    before = counters(lab)
    port = open_port(lab, "client2", 100)
    address = lab.leases["client2"]["v4"]
    assert address == lab.leases["client1"]["v4"]
    text = bytes(range(256)) * (size // 256 + 1)
    with Listener(lab.nodes["client2"], f"{protocol}-LISTEN:{port},reuseaddr,fork"):
        wait_until(lambda: f":{port} " in lab.nodes["client2"].run(["ss", "-Hlntu"]), 10, "socat")
        heard = say(lab.nodes["client1"], f"{protocol}:{address}:{port}", text[:size])
    assert heard == text[:size]
    after = counters(lab)
    assert after["hairpinned"] - before["hairpinned"] >= 2


def received(lab, client: str) -> int:
    return lab.programs[client].ctl("show")["rx_packets"]


def test_a_ping_to_the_shared_address_is_its_senders_own(lab):
    """S4, R60: an identifier names one client, whichever way the echo goes; nobody else gets it."""
    before, theirs, own = counters(lab), received(lab, "client2"), received(lab, "client1")
    lab.nodes["client1"].run(["ping", "-c", "2", "-W", "1", lab.leases["client2"]["v4"]],
                             check=False)
    after = counters(lab)
    assert after["hairpinned"] - before["hairpinned"] >= 2
    assert received(lab, "client1") - own >= 2
    assert received(lab, "client2") == theirs


@pytest.mark.parametrize("command", [["tracepath", "-n", WEB], ["traceroute", "-n", "-w", "2", WEB]])
def test_the_way_is_traced(lab, command):
    """S9, S10: this router is the hop before the server, and the tunnel's MTU is found."""
    said = lab.nodes["client1"].run(command, timeout=60)
    assert re.search(r"^ *1:? +192\.0\.0\.1 ", said, re.M), said
    assert re.search(rf"^ *2:? +{WEB} ", said, re.M), said
    if command[0] == "tracepath":
        assert f"pmtu {TUNNEL_MTU}" in said.splitlines()[-1], said


def test_a_server_finds_the_tunnels_mtu(lab):
    """S10: too big, not to be cut: ICMPv4 3/4 with 1460, and then it fits."""
    port = open_port(lab, "client1", 101)
    address = lab.leases["client1"]["v4"]
    web = lab.nodes["web"]
    with Listener(lab.nodes["client1"], f"UDP4-LISTEN:{port},reuseaddr,fork"):
        wait_until(lambda: f":{port} " in lab.nodes["client1"].run(["ss", "-Hlntu"]), 10, "socat")
        say(web, f"UDP4:{address}:{port},ip-mtu-discover=2", bytes(TUNNEL_MTU + 1 - UDP_OVERHEAD))
        assert f"mtu {TUNNEL_MTU}" in web.run(["ip", "route", "get", address])
        text = bytes(TUNNEL_MTU - UDP_OVERHEAD)
        assert say(web, f"UDP4:{address}:{port},ip-mtu-discover=2", text) == text


@pytest.mark.parametrize("size", [4000, 8000])
def test_large_udp_both_ways(lab, size):
    """S11, S12: in fragments through the 1,500-octet core, whole at both ends."""
    before = counters(lab)
    text = bytes(range(256)) * (size // 256 + 1)
    with Listener(lab.nodes["web"], "UDP4-LISTEN:7007,reuseaddr,fork"):
        wait_until(lambda: ":7007 " in lab.nodes["web"].run(["ss", "-Hlntu"]), 10, "socat")
        heard = say(lab.nodes["client1"], f"UDP4:{WEB}:7007", text[:size])
    assert heard == text[:size]
    after = counters(lab)
    for name in ("inner_reassembled", "v4_reassembled"):
        assert after[name] - before[name] == 1, name
    assert after["fragmented"] - before["fragmented"] == 2
