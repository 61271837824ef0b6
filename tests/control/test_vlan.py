# SPDX-License-Identifier: BSD-3-Clause
"""
dstm-tep on ports with VLANs, neighbor: kernel: the host's twins see no tags, the links see nothing else.

DSTM_BUILD names the build directory whose dstm-tep is tested.
"""

import os

import pytest

from tep_bench import (CLIENT_V6, EAL, OUTSIDE_V4, TEP_V4, TEP_V6, Bench, wait_for)
from test_host import assert_both_ways
from vlan_switch import Switch, open_tap

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and TAP devices need root")


def trunk(bench, port, peer, far, taps):
    """The port's veth pair, and a switch at its far end, where the kernel itself says nothing."""
    bench._veth(port, peer, far)  # pylint: disable=protected-access
    far.sysctl(f"net/ipv6/conf/{peer}/disable_ipv6", "1")
    return Switch(far, peer, taps)


class TaggedBench(Bench):
    """Both ports have VLANs: 7 and 8."""

    ports = {"v6": "0", "v4": "1", "vlan_v6": 7, "vlan_v4": 8}
    switches = ()

    def __init__(self, folder):
        super().__init__(folder, ports=self.ports)

    def _connect(self):
        self.switches = (trunk(self, "t6", "w6", self.inside, {7: open_tap(self.inside, "c6")}),
                         trunk(self, "t4", "w4", self.outside, {8: open_tap(self.outside, "c4")}))

    def __exit__(self, *arguments):
        for switch in self.switches:
            switch.stop()
        super().__exit__(*arguments)

    def vlans_seen(self):
        return {vlan for switch in self.switches for vlan in switch.seen}


class StickBench(TaggedBench):
    """One port with both VLANs."""

    ports = {"v6": "0", "v4": "0", "vlan_v6": 7, "vlan_v4": 8}
    eal = EAL[:-2]

    def _connect(self):
        taps = {7: open_tap(self.inside, "c6"), 8: open_tap(self.outside, "c4")}
        self.switches = (trunk(self, "t6", "w6", self.inside, taps),)


class NativeBench(TaggedBench):
    """One port; the IPv6 side is untagged."""

    ports = {"v6": "0", "v4": "0", "vlan_v4": 8}
    eal = EAL[:-2]

    def _connect(self):
        taps = {0: open_tap(self.inside, "c6"), 8: open_tap(self.outside, "c4")}
        self.switches = (trunk(self, "t6", "w6", self.inside, taps),)


@pytest.mark.parametrize("kind, vlans", [(TaggedBench, {7, 8}), (StickBench, {7, 8}),
                                         (NativeBench, {0, 8})])
def test_the_host_and_the_data_plane_live_on_vlans(tmp_path, kind, vlans):
    """ARP, ND and ping by the twins, then packets both ways with the first one waiting for its neighbour (R71, R72)."""
    with kind(tmp_path) as bench:
        bench.inside.run(["ping", "-6", "-c", "1", "-W", "5", TEP_V6])
        bench.outside.run(["ping", "-c", "1", "-W", "5", TEP_V4])
        bench.tep_ns.run(["ping", "-6", "-c", "1", "-W", "5", CLIENT_V6])
        bench.tep_ns.run(["ping", "-c", "1", "-W", "5", OUTSIDE_V4])
        for twin in ("dstm6", "dstm4"):
            bench.tep_ns.ip("neighbour", "flush", "dev", twin)
        before = bench.counters()
        assert_both_ways(bench, b"first")
        after = bench.counters()
        assert after["host_held"] > before["host_held"]
        assert after["decapsulated"] == before["decapsulated"] + 1
        assert after["vlan"] == before["vlan"] and after["no_nexthop"] == 0
        wait_for(lambda: {vlan for vlan, _ in bench.vlans_seen()} == vlans, "both links are used")
        assert {priority for _, priority in bench.vlans_seen()} == {0}
