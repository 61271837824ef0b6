# SPDX-License-Identifier: BSD-3-Clause
"""What the packet cases reach: every drop, every other counter, and every ICMP message that is sent,
translated, passed on or refused. Nothing is run here; test_packets.py proves that the cases hold."""

from collections import namedtuple
from pathlib import Path

import pytest
from test_packets import CASES, SIDES, counter_names, frames, load

ROOT = Path(__file__).resolve().parents[2]

# Counters that no frame in a file can move, and the test that does.
WORKER = "tests/dataplane/worker_test.c"
MISS = "tests/dataplane/miss_test.c"
SPREAD = "tests/dataplane/spread_test.c"
NOT_BY_FRAMES = {
    "no_headroom": (WORKER, "a_buffer_without_headroom_is_a_counted_drop"),
    "no_route": (WORKER, "next_hops_that_cannot_be_used_are_named"),
    "forward_loop": ("tests/dataplane/forward_test.c", "what_came_from_its_next_hop_is_dropped"),
    "no_nexthop": (WORKER, "next_hops_that_cannot_be_used_are_named"),
    "punt_full": (WORKER, "a_full_ring_to_the_host_is_a_counted_drop"),
    "frag_no_mbuf": (WORKER, "a_packet_that_no_buffers_are_left_to_cut_is_a_counted_drop"),
    "tx_full": (WORKER, "a_full_port_is_a_counted_drop"),
    "tx_no_port": (WORKER, "a_port_that_is_not_ours_is_a_counted_drop"),
    "rx_ring_full": (SPREAD, "a_full_ring_to_a_member_is_a_counted_drop"),
    "tx_ring_full": (SPREAD, "a_full_ring_to_the_owner_is_a_counted_drop"),
    "rx_handed": (SPREAD, "a_burst_is_handed_out_in_order"),
    "tx_handed": (SPREAD, "a_full_ring_to_the_owner_is_a_counted_drop"),
    "punted": (WORKER, "next_hops_that_cannot_be_used_are_named"),
    "resolve": (WORKER, "next_hops_that_cannot_be_used_are_named"),
    "ask_limit": (MISS, "each_prefix_has_its_own_share"),
    "ask_full": (MISS, "a_full_ring_is_a_counted_drop"),
    "asked": (MISS, "a_miss_is_asked_and_goes_on_when_the_binding_stands"),
    "ask_returned": (MISS, "a_miss_is_asked_and_goes_on_when_the_binding_stands"),
    "ask_known": (MISS, "what_nobody_holds_is_not_asked_again_until_somebody_may"),
    "from_host": (WORKER, "a_worker_carries_both_directions_and_the_hosts_frames"),
}
IN_EVERY_CASE = {"rx", "tx"}

QUERIES = {0, 8, 13, 14, 15, 16, 17, 18}
ERRORS = {3, 11, 12}
# (type, code) of our own errors, from here or on behalf of a router inside the tunnel domain.
OWN_V4 = {(11, 0), (3, 4), (3, 1)}
OWN_V6 = {(1, 5), (4, 0), (4, 1), (4, 2), (3, 0), (2, 0)}
# Those that need routes, and the test of a function that makes them.
FORWARD = "tests/dataplane/forward_test.c"
NOT_FROM_FRAMES = {
    "ICMP_NET_UNREACH": (FORWARD, "what_has_no_route_is_answered"),
    "ICMP6_DST_UNREACH_NOROUTE": (FORWARD, "what_has_no_route_is_answered"),
}

# An ICMP message in a frame. way: v4 as it is, tunnel inside IPv6, v6 is ICMPv6; source: its IPv4 source.
Icmp = namedtuple("Icmp", "way type code source")


def icmp_of(frame):
    """The ICMP message that a frame carries behind plain headers, or None."""
    kind, way, at = frame[12:14], "v4", 14
    if kind == b"\x86\xdd" and len(frame) > 56:
        if frame[20] == 58:
            return Icmp("v6", frame[54], frame[55], None)
        if frame[20] != 4:
            return None
        way, at = "tunnel", 54
    elif kind != b"\x08\x00":
        return None
    l4 = at + (frame[at] & 15) * 4 if len(frame) > at + 20 else len(frame)
    later = int.from_bytes(frame[at + 6:at + 8], "big") & 0x1fff
    if len(frame) < l4 + 2 or frame[at + 9] != 1 or later:
        return None
    return Icmp(way, frame[l4], frame[l4 + 1], frame[at + 12:at + 16])


@pytest.fixture(scope="module", name="cases")
def fixture_cases():
    return {path.name: load(path) for path in CASES}


def messages(cases, way):
    """All ICMP messages that arrive ("in") or leave ("out")."""
    found = (icmp_of(frame) for case in cases.values() for side in SIDES
             for frame in frames(case, way, side))
    return {message for message in found if message}


def test_there_are_enough_of_them(cases):
    assert len(cases) >= 120


def test_every_counter_is_reached(cases):
    drops, others = map(set, counter_names())
    by_drops = {name for case in cases.values() for name in case.get("drops") or {}}
    by_counters = {name for case in cases.values()
                   for name, value in (case.get("counters") or {}).items() if value}
    assert drops - by_drops - set(NOT_BY_FRAMES) == set()
    assert others - by_counters - IN_EVERY_CASE - set(NOT_BY_FRAMES) == set()
    # The table names nothing that frames do reach, or that is gone.
    assert set(NOT_BY_FRAMES) <= drops | others
    assert not set(NOT_BY_FRAMES) & (by_drops | by_counters)


@pytest.mark.parametrize("name", NOT_BY_FRAMES)
def test_what_frames_cannot_reach_has_a_test_of_its_own(name):
    path, function = NOT_BY_FRAMES[name]
    text = (ROOT / path).read_text()
    start = text.index(f"static void {function}(void **state)")
    assert f"_{name.upper()}" in text[start:text.index("\n}\n", start)]


@pytest.mark.parametrize("name", NOT_FROM_FRAMES)
def test_what_needs_routes_has_a_test_of_its_own(name):
    path, function = NOT_FROM_FRAMES[name]
    text = (ROOT / path).read_text()
    start = text.index(f"static void {function}(void **state)")
    assert name in text[start:text.index("\n}\n", start)]


@pytest.mark.parametrize("way", ["v4", "tunnel", "v6"])
def test_every_icmp_type_arrives(cases, way):
    assert {message.type for message in messages(cases, "in") if message.way == way} == \
        set(range(256))


@pytest.mark.parametrize("way", ["v4", "tunnel"])
def test_queries_and_errors_pass_and_no_other_icmp(cases, way):
    """What is for no tunnel passes whatever it is."""
    of_tunnels = {name: case for name, case in cases.items() if "plain" not in case.get("tep", {})}
    assert {message.type for message in messages(of_tunnels, "out") if message.way == way} == \
        QUERIES | ERRORS


def test_every_error_of_our_own_is_sent(cases):
    """192.0.0.1 is our IPv4 address in all cases that do not say otherwise."""
    out = messages(cases, "out")
    for way in ("v4", "tunnel"):
        assert {(message.type, message.code) for message in out
                if message.way == way and message.source == bytes([192, 0, 0, 1])} == OWN_V4
    assert {(message.type, message.code) for message in out
            if message.way == "v6" and message.type < 128} == OWN_V6


def test_every_icmpv6_error_is_translated(cases):
    relaying = {name: case for name, case in cases.items()
                if (case.get("counters") or {}).get("icmpv6_relayed")}
    assert {message.type for message in messages(relaying, "in") if message.way == "v6"} >= \
        {1, 2, 3, 4}


def test_what_peers_were_seen_to_get_wrong_has_a_case(cases):
    assert {name for name in cases if name.startswith("peers-")} >= {
        "peers-drop-neighbour-solicitations", "peers-lose-icmpv6-errors",
        "peers-take-an-mtu-of-zero", "peers-swallow-ttl-one",
        "peers-give-gre-to-the-first-holder", "peers-pass-later-fragments",
        "peers-ignore-the-outer-destination", "peers-mix-fragment-streams"}
