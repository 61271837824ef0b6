# SPDX-License-Identifier: BSD-3-Clause
"""Clients without NAT: host mode on a port range, and a whole address."""

import pytest

from conftest import HOST_MODE, run_steps, lab_with_leases
from packets import WEB, Wire, gre, settle


@pytest.fixture(scope="module")
def lab():
    with lab_with_leases(HOST_MODE) as lab:
        yield lab


def test_a_client_on_a_range_has_the_address_and_keeps_to_its_ports(lab):
    """R15, R56, S18: the address stands on the device, the kernel picks ports in the range."""
    lease = lab.leases["ranged"]
    first, last = lease["ports"][0]
    assert lease["mode"] == "host"
    node = lab.nodes["ranged"]
    assert f"inet {lease['v4']}/32" in node.ip("address", "show", "dev", lease["device"])
    said = node.run(["sysctl", "-n", "net.ipv4.ip_local_port_range"]).split()
    assert [int(port) for port in said] == [first, last]


def test_a_whole_address_is_ports_0_to_65535(lab):
    """S17, S37."""
    lease = lab.leases["whole"]
    assert lease["ports"] == [[0, 65535]]
    assert lease["v4"] == "198.51.100.8"


@pytest.mark.parametrize("kind", ["ping", "pages", "bulk", "only_ipv6", "empty"])
def test_the_host_mode_lab(lab, kind):
    run_steps(lab, kind)


def test_a_protocol_without_ports_reaches_a_whole_address_alone(lab):
    """R35, S37: GRE is delivered to the exclusive holder, and to nobody behind a shared address."""
    wire = Wire(lab, "web", "eth0", ("tep", "outside"))
    whole = lab.capture("gre-whole", "whole", "eth0", "ip6 proto 4")
    ranged = lab.capture("gre-ranged", "ranged", "eth0", "ip6 proto 4")
    wire.send(gre(WEB, lab.leases["whole"]["v4"]), 5)
    wire.send(gre(WEB, lab.leases["ranged"]["v4"]), 5)
    settle()
    wire.close()
    # The holder's kernel may answer that it knows no GRE: count what came towards it.
    assert whole.stop().count("dst host 2001:db8:1::18") == 5
    assert ranged.stop().count("dst host 2001:db8:1::17") == 0
