# SPDX-License-Identifier: BSD-3-Clause
"""tunnel.flow_label: hash. The labels are keyed, so what is tested is which packets share one (RFC 6437, RFC 6438)."""

import scapy.all as scapy

from test_packets import NAMES, cut4, frames, run_tep

FROM4, SHARED, PEER = NAMES["from4"], NAMES["SHARED"], NAMES["PEER"]
FLOWS = 256


def packet(sport, octets=0, **fields):
    return FROM4 / scapy.IP(src=PEER, dst=SHARED, **fields) / scapy.UDP(sport=sport, dport=1024) \
        / scapy.Raw(b"x" * octets)


def labels(tmp_path, sent):
    """The flow labels of what leaves to the IPv6 side, with the source ports where there are some."""
    case = {"tep": {"tunnel": {"v6": ["2001:db8::1", "2001:db8::2"], "flow_label": "hash"}},
            "in": {"v4": [scapy.raw(frame).hex() for frame in sent]}}
    assert len(frames(case, "in", "v4")) == len(sent)
    out, _ = run_tep(case, tmp_path)
    return [scapy.Ether(frame)[scapy.IPv6].fl for frame in out["v6"]]


def test_a_flow_has_one_label_and_flows_have_different_ones(tmp_path):
    sent = [packet(sport) for sport in range(FLOWS)] * 2
    found = labels(tmp_path, sent)
    assert len(found) == 2 * FLOWS
    assert found[:FLOWS] == found[FLOWS:]
    assert 0 not in found
    # Two of 256 are equal with a chance of 3 %, five pairs practically never.
    assert len(set(found)) > FLOWS - 5
    # As a router spreads them over four ways: 64 each, and less than 32 practically never.
    for way in range(4):
        assert sum(label % 4 == way for label in found[:FLOWS]) >= 32
        assert sum(label >> 18 == way for label in found[:FLOWS]) >= 32


def test_length_marks_and_fragmentation_do_not_change_a_flows_label(tmp_path):
    whole = packet(9, octets=1400, id=1)
    late = [FROM4 / fragment for fragment in cut4(whole[scapy.IP], 800)]
    found = labels(tmp_path, [packet(9), packet(9, octets=1400, tos=0xb8, ttl=9), packet(9, octets=1472), *late])
    # The third is too long for one outer packet: two fragments, one label.
    assert len(found) == 5
    assert len(set(found)) == 1


def test_protocol_addresses_and_ports_count(tmp_path):
    sent = [packet(9), FROM4 / scapy.IP(src="203.0.113.10", dst=SHARED) / scapy.UDP(sport=9, dport=1024),
            FROM4 / scapy.IP(src=PEER, dst=SHARED) / scapy.UDP(sport=9, dport=1025),
            FROM4 / scapy.IP(src=PEER, dst=SHARED) / scapy.TCP(sport=9, dport=1024),
            FROM4 / scapy.IP(src=PEER, dst=NAMES["WHOLE"]) / scapy.GRE()]
    assert len(set(labels(tmp_path, sent))) == len(sent)
