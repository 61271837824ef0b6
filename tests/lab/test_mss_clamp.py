# SPDX-License-Identifier: BSD-3-Clause
"""100 MB by TCP, each way, through a tunnel that carries less than the links, without and with tunnel.mss_clamp."""

import re
import subprocess

import pytest

from conftest import SHARED_ADDRESS, counters, derived, lab_with_leases, on_pcap_ports
from packets import WEB

DATA_OCTETS = 100_000_000
FITS = 1420  # 1500, less an IPv6, an IPv4 and a TCP header
PLAIN = 1460  # what the server's own link carries


def lab_with_clamp(tmp_path_factory, value: str):
    def change(content):
        on_pcap_ports(content)
        content["programs"]["tep"]["config"]["tunnel"]["mss_clamp"] = value
    return lab_with_leases(derived(tmp_path_factory, SHARED_ADDRESS, change))


def sizes(capture, filter: str) -> set:
    """The segment sizes that are announced in a capture of SYNs."""
    said = subprocess.run(["tcpdump", "-nvr", str(capture.path), filter], capture_output=True,
                          text=True, timeout=20, check=True).stdout
    return {int(size) for size in re.findall(r"\bmss (\d+)", said)}


def transfer(lab, direction: list) -> tuple[set, set]:
    """What the server is told of segments, and what the client is."""
    outside = lab.capture("outside", "web", "eth0", "tcp[tcpflags] & tcp-syn != 0")
    inside = lab.capture("inside", "client1", "eth0", "ip6 proto 4 and ip6[40 + 20 + 13] & 2 != 0")
    lab.nodes["client1"].run(["iperf3", "-c", WEB, "-n", str(DATA_OCTETS), *direction], timeout=120)
    outside.stop()
    inside.stop()
    return sizes(outside, f"dst host {WEB}"), sizes(inside, "src host 2001:db8:fe::1")


@pytest.mark.parametrize("value, to_client", [("off", PLAIN), ("auto", FITS)])
def test_segments_are_as_long_as_the_tunnel_carries(tmp_path_factory, value, to_client):
    """S10, S13: off, path MTU discovery finds the length; auto, nobody needs it. Never is a packet cut."""
    with lab_with_clamp(tmp_path_factory, value) as lab:
        for direction in ([], ["--reverse"]):
            assert transfer(lab, direction) == ({FITS}, {to_client})
        after = counters(lab)
    assert after["fragmented"] == 0
    if value == "auto":
        assert after["too_big_v6"] == 0
