# SPDX-License-Identifier: BSD-3-Clause
"""DHCPv6 and RPC with programs of others: dhclient, dhcpcd, dhcrelay and Kea as Debian has them."""

import os
import struct
from ipaddress import IPv6Address

import pytest

from conftest import ROOT, wait_until
from lab import dhcp_steps, s46
from lab.run import Lab
from packets import TEP_V6

DHCPV6 = ROOT / "config/lab/dhcpv6.yaml"
OURS = ("direct", "relayed", "standard", "rpc")
OTHERS = ("dhclient", "dhcpcd")
OWN_V6 = "2001:db8:1::20"
LIFETIME_S = 3600  # the default of lease.lifetime_s
VENDOR, PORTS, ADDRESS = 32473, 65102, 65104  # the defaults of dhcpv6.vendor and dhcpv6.codes

# What these programs would write to if they ran on the machine itself.
MACHINES_FILES = ["/etc/resolv.conf", "/etc/dhcpcd.conf", "/etc/dhcp/dhclient.conf",
                  "/var/lib/dhcp", "/var/lib/dhcpcd", "/var/lib/kea", "/run/dhclient6.pid",
                  "/run/dhcpcd", "/run/dhcrelay6.pid", "/run/kea", "/etc/kea/kea-dhcp6.conf"]


def machines_state() -> dict:
    return {path: os.stat(path).st_mtime_ns if os.path.exists(path) else None
            for path in MACHINES_FILES}


@pytest.fixture(scope="module")
def lab():
    """The lab after its last step, still up."""
    before = machines_state()
    with Lab(str(DHCPV6)) as lab:
        lab.run_steps()
        for what, holds, figure in lab.screen.results:
            print(f"{what}: {'ok' if holds else 'NOT OK'}, {figure}")
        yield lab
    assert machines_state() == before


@pytest.mark.parametrize("what", [
    *(f"{name} has a lease" for name in OURS),
    *(f"{name} was told its lease" for name in OTHERS),
    "visitor is served by kea alone", "sleeper is told to ask, and has a lease",
    *(f"{name} fetches pages" for name in (*OURS, "sleeper", *OTHERS)),
    *(f"the web server sees {name}'s lease" for name in (*OURS, "sleeper", *OTHERS)),
    *(f"nothing but IPv6 in {name}" for name in ("home", "office", "island")),
    "tep no_binding_v6 is 0", "tep spoofed_client is 0", "tep wrong_tep is 0",
])
def test_the_dhcpv6_lab(lab, what):
    """R36, R38, R43, R45, R47, R49, R53, R55, R70, S17."""
    results = {what: (holds, figure) for what, holds, figure in lab.screen.results}
    assert what in results, f"the lab did not come so far: {results}"
    assert results[what][0], results[what][1]


def test_all_checks_of_the_lab_hold(lab):
    assert lab.screen.all_hold, lab.screen.results


# --- clients of others and our server --------------------------------------------------------------

def leases_at(lab, v6: str) -> list:
    return dhcp_steps.leases_of(lab, "server", v6)


def bindings_at(lab, v6: str) -> list:
    return [(one["v4"], (one["first"], one["last"])) for one in lab.programs["tep"].ctl("bindings")
            if one["client"] == v6]


@pytest.mark.parametrize("name", OTHERS)
def test_a_client_that_starts_again_keeps_its_lease(lab, name):
    """R10: its identity and its address are what they were, and so is what it holds."""
    client = lab.programs[name]
    before = client.told()
    client.stop()
    lab.start(name)
    assert client.told() == before
    assert leases_at(lab, before.address) == [(before.v4, before.ports)]


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_released_is_gone_everywhere(lab, name):
    """R52: at the server and at the TEP; who comes back is served again."""
    client = lab.programs[name]
    told = client.told()
    assert leases_at(lab, told.address) == bindings_at(lab, told.address) == [
        (told.v4, told.ports)]
    client.release()
    wait_until(lambda: not leases_at(lab, told.address), 10, "the server to have it back")
    wait_until(lambda: not bindings_at(lab, told.address), 10, "the TEP to forget it")
    lab.start(name)
    again = client.told()
    assert again.v4 and leases_at(lab, again.address) == [(again.v4, again.ports)]
    assert again.tep == again.softwire.tep == TEP_V6


def test_option_17_tells_the_same(lab):
    """Whoever says our enterprise's number is told there, too."""
    client = lab.programs["dhclient"]
    client.release()
    client.spec.config += ("also request dhcp6.vendor-opts;\n"
                           "send dhcp6.vendor-opts 00:00:7e:d9;\n")
    lab.start("dhclient")
    told, variables = client.told(), client.events()[-1]["told"]
    content = bytes(int(octet, 16) for octet in variables["new_dhcp6_vendor_opts"].split(":"))
    assert int.from_bytes(content[:4], "big") == VENDOR
    inside = dict(s46.options(content[4:]))
    assert str(IPv6Address(inside[ADDRESS]).ipv4_mapped) == told.v4
    assert struct.unpack("!HH", inside[PORTS]) == told.ports


def test_information_is_a_lease_for_who_names_its_tunnel_end(lab):
    """R47, R70: no IA and a link-local source, but the client's global address in our option."""
    client = lab.programs["dhclient"]
    client.release()
    lab.nodes["dhclient"].ip("address", "add", f"{OWN_V6}/64", "dev", "eth0", "nodad")
    client.spec.config += ("option dhcp6.dstm-client code 65103 = ip6-address;\n"
                           f"send dhcp6.dstm-client {OWN_V6};\n")
    client.flags = ("-S",)
    lab.start("dhclient")
    told = client.told()
    assert told.address is None and told.tep == TEP_V6
    assert told.softwire == s46.Softwire(TEP_V6, told.v4, OWN_V6, told.ports)
    assert leases_at(lab, OWN_V6) == bindings_at(lab, OWN_V6) == [(told.v4, told.ports)]
    assert int(client.events()[-1]["told"]["new_dhcp6_info_refresh_time"]) == LIFETIME_S / 2


# --- clients of ours without TSP -------------------------------------------------------------------

def test_an_rpc_client_has_a_whole_address(lab):
    """R39: its protocol has no word for ports."""
    lease = lab.leases["rpc"]
    assert (lease["v4"], lease["ports"]) == ("198.51.100.10", [[0, 65535]])
    assert bindings_at(lab, "2001:db8:1::18") == [(lease["v4"], (0, 65535))]


def test_only_the_sleeper_was_told_to_ask(lab):
    """R36: it held nothing before, and what it asked for then is what the server has leased."""
    lease = lab.leases["sleeper"]
    assert leases_at(lab, "2001:db8:1::19") == [(lease["v4"], tuple(lease["ports"][0]))]
    server = lab.programs["server"]
    wait_until(lambda: server.counters()["dhcp6-reconfigured"] == 1, 10, "it to be heard")


# --- beside Kea -------------------------------------------------------------------------------------

def test_neither_server_speaks_for_the_other(lab):
    """The relay asks both, all the time; Kea leases to its client and ours to ours."""
    visitor, relayed = lab.programs["visitor"].told(), lab.leases["relayed"]
    assert lab.programs["kea"].leases() == [visitor.address]
    assert [(one["client"], one["v4"]) for one in lab.programs["companion"].ctl("leases")] == [
        ("2001:db8:2::17", relayed["v4"])]
    counted = lab.programs["companion"].counters()
    assert counted["dhcp6-not-ours"] > 0 and counted["dhcp6-other-server"] > 0


def test_the_lease_of_kea_is_what_its_configuration_says(lab):
    """S17: six bits of PSID 6 are ports 6144 to 7167."""
    lease = lab.leases["standard"]
    assert (lease["v4"], lease["ports"], lease["tep"]) == ("198.51.100.9", [[6144, 7167]], TEP_V6)
