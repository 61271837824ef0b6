# SPDX-License-Identifier: BSD-3-Clause
"""A lease that has ended stops at the TEP within a second: by time, or because it was given back.

Packets of the lease run all the time in both directions, put on the links by hand: that a client
stops sending proves nothing.
"""

import time

import pytest

from conftest import SHARED_ADDRESS, derived, lab_with_leases, wait_until, without_captures
from packets import TEP_V6, WEB, Stream, Wire, settle, tunnelled, udp

LIFETIME_S = 8
BOUND_S = 1.0
CLIENTS = {"client1": "2001:db8:1::17", "client2": "2001:db8:1::18"}
OUTWARD_PORT = 4001  # destination of the stream from the client, source of the one to it


@pytest.fixture
def lab(tmp_path_factory):
    def short_leases(content):
        content["programs"]["server"]["config"]["lease"] = {
            "lifetime_s": LIFETIME_S, "lifetime_min_s": 1}
        without_captures(content)

    with lab_with_leases(derived(tmp_path_factory, SHARED_ADDRESS, short_leases)) as lab:
        yield lab


class Watch:
    """A lease's packets in both directions, and captures of what the TEP lets through."""

    def __init__(self, lab, node: str):
        lease = lab.leases[node]
        self._v4, self._port = lease["v4"], lease["ports"][0][0]
        self._out = lab.capture("outward", "web", "eth0", f"udp and dst port {OUTWARD_PORT}")
        self._in = lab.capture("inward", "core", "border",
                               f"src host {TEP_V6} and dst host {CLIENTS[node]} and ip6 proto 4")
        self._wires = [Wire(lab, node, "eth0", ("core", "clients")),
                       Wire(lab, "web", "eth0", ("tep", "outside"))]
        outward = tunnelled(CLIENTS[node], udp(self._v4, self._port, OUTWARD_PORT))
        inward = udp(WEB, OUTWARD_PORT, self._port, self._v4)
        self._streams = [Stream(self._wires[0], outward), Stream(self._wires[1], inward)]

    def __enter__(self):
        for stream in self._streams:
            stream.__enter__()
        return self

    def __exit__(self, *exception):
        for stream in self._streams:
            stream.__exit__(*exception)
        for wire in self._wires:
            wire.close()

    def last_times(self) -> dict[str, float]:
        """When the last packet of each direction left the TEP."""
        return {"outward": self._out.stop().packets()[-1][0],
                "inward": self._in.stop().packets()[-1][0]}


def seconds_left(lab, node: str) -> int | None:
    return next((binding["seconds_left"] for binding in lab.programs["tep"].ctl("bindings")
                 if binding["client"] == CLIENTS[node]), None)


def lease_end(lab, node: str) -> float:
    """The wall-clock time at which the lease ends, as its client was told. seconds_left is rounded
    down, so it changes a whole number of seconds before. Polled: late by some milliseconds."""
    client = lab.client_of(node)
    first = client.ctl("show")["seconds_left"]
    wait_until(lambda: client.ctl("show")["seconds_left"] != first, 3, "seconds_left to change")
    return time.time() + first


def test_the_tep_ends_an_expired_lease_while_the_server_is_dead(lab):
    """S1: the TEP holds the lease's end itself."""
    with Watch(lab, "client1") as watch:
        settle()
        lab.programs["server"].kill()
        end = lease_end(lab, "client1")
        wait_until(lambda: seconds_left(lab, "client1") is None, LIFETIME_S + 5,
                   "the binding to go")
        time.sleep(max(0, end + 2 * BOUND_S - time.time()))
    for direction, last in watch.last_times().items():
        print(f"expiry, {direction}: last packet {last - end:+.3f} s after the lease's end")
        assert last <= end + BOUND_S
        assert last >= end - BOUND_S, "forwarding stopped before the lease ended"


def test_a_released_lease_stops_at_once(lab):
    """R78, R95, R97: SIGTERM to the client releases; its neighbour on the same address goes on."""
    with Watch(lab, "client1") as watch:
        settle()
        released = time.time()
        lab.programs["client1"].stop()
        time.sleep(max(0, released + 2 * BOUND_S - time.time()))
    for direction, last in watch.last_times().items():
        print(f"release, {direction}: last packet {last - released:+.3f} s after SIGTERM")
        assert last <= released + BOUND_S
    assert seconds_left(lab, "client1") is None
    assert seconds_left(lab, "client2") is not None
    leased = {lease["client"]: lease["state"] for lease in lab.programs["server"].ctl("leases")}
    assert leased.get(CLIENTS["client1"]) != "active"
    assert leased[CLIENTS["client2"]] == "active"


def test_a_client_that_lives_renews_in_time(lab):
    """R29, R93: longer than its lease without a gap, on the same ports."""
    held = lab.leases["client1"]
    with Watch(lab, "client1"):
        end = time.monotonic() + 1.5 * LIFETIME_S
        while time.monotonic() < end:
            assert seconds_left(lab, "client1") is not None
            time.sleep(0.2)
    shown = lab.programs["client1"].ctl("show")
    assert (shown["v4"], shown["ports"]) == (held["v4"], held["ports"])
