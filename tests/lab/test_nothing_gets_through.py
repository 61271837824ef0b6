# SPDX-License-Identifier: BSD-3-Clause
"""Packets that are not the sender's own: none leaves the TEP, each is counted by name (R54, S2)."""

import pytest

from conftest import (SHARED_ADDRESS, derived, lab_with_leases, run_steps, wait_until,
                      without_captures)
from packets import TEP_V6, WEB, Wire, echo, gre, settle, tcp, tunnelled, udp

COUNT = 20
CLIENT1, CLIENT2 = "2001:db8:1::17", "2001:db8:1::18"
SECOND_TEP_V6 = "2001:db8:fe::2001"  # a tunnel address of the TEP that no binding names


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    def second_tunnel_address(content):
        content["programs"]["tep"]["config"]["tunnel"]["v6"].append(SECOND_TEP_V6)
        content["nodes"]["tep"]["interfaces"]["dstm6"]["addresses"].append(SECOND_TEP_V6 + "/64")
        without_captures(content)

    with lab_with_leases(derived(tmp_path_factory, SHARED_ADDRESS, second_tunnel_address)) as lab:
        run_steps(lab, "ping")  # the TEP knows its neighbours from here on
        yield lab


@pytest.fixture(scope="module")
def held(lab):
    """The shared address, and each client's first and last port."""
    leases = lab.leases
    assert leases["client1"]["v4"] == leases["client2"]["v4"]
    return {"v4": leases["client1"]["v4"], "one": leases["client1"]["ports"][0],
            "two": leases["client2"]["ports"][0]}


def drops(lab) -> dict[str, int]:
    return {item["name"]: item["packets"] for item in lab.programs["tep"].ctl("counters")
            if item["drop"]}


def dropped_since(lab, before: dict[str, int]) -> dict[str, int]:
    """The drop counters that rose, once together they rose by COUNT."""
    wait_until(lambda: sum(drops(lab).values()) >= sum(before.values()) + COUNT, 5,
               f"{COUNT} drops more than {before}; now {drops(lab)}")
    settle()
    risen = {name: count - before[name] for name, count in drops(lab).items()}
    return {name: count for name, count in risen.items() if count}


def unheld_port(held) -> int:
    """A port of the address that neither client holds."""
    return next(port for port in (1024, 30000, 60000)
                if not any(first <= port <= last for first, last in (held["one"], held["two"])))


# What is put on client1's link, and the counter that names it.
OUTWARD = {
    "a port outside its range": (
        lambda held: tunnelled(CLIENT1, udp(held["v4"], unheld_port(held), 9)), "no_binding_v6"),
    "a well-known port": (
        lambda held: tunnelled(CLIENT1, udp(held["v4"], 1023, 9)), "no_binding_v6"),
    "port 0": (
        lambda held: tunnelled(CLIENT1, udp(held["v4"], 0, 9)), "no_binding_v6"),
    "TCP from a port outside its range": (
        lambda held: tunnelled(CLIENT1, tcp(held["v4"], unheld_port(held), 9)), "no_binding_v6"),
    "an echo identifier outside its range": (
        lambda held: tunnelled(CLIENT1, echo(held["v4"], unheld_port(held))), "no_binding_v6"),
    "an address that nobody holds": (
        lambda held: tunnelled(CLIENT1, udp("198.51.100.9", held["one"][0], 9)), "no_binding_v6"),
    "the other client's port": (
        lambda held: tunnelled(CLIENT1, udp(held["v4"], held["two"][0], 9)), "spoofed_client"),
    "the other client's echo identifier": (
        lambda held: tunnelled(CLIENT1, echo(held["v4"], held["two"][1])), "spoofed_client"),
    "its own port behind the other client's outer source": (
        lambda held: tunnelled(CLIENT2, udp(held["v4"], held["one"][0], 9)), "spoofed_client"),
    "its own port behind an outer source of nobody": (
        lambda held: tunnelled("2001:db8:1::dead", udp(held["v4"], held["one"][0], 9)),
        "spoofed_client"),
    "its own port to a tunnel address that is not its TEP": (
        lambda held: tunnelled(CLIENT1, udp(held["v4"], held["one"][0], 9), SECOND_TEP_V6),
        "wrong_tep"),
    "a protocol without ports": (
        lambda held: tunnelled(CLIENT1, gre(held["v4"])), "no_port_v6"),
}


@pytest.fixture
def client1_wire(lab):
    wire = Wire(lab, "client1", "eth0", ("core", "clients"))
    yield wire
    wire.close()


@pytest.fixture
def web_wire(lab):
    wire = Wire(lab, "web", "eth0", ("tep", "outside"))
    yield wire
    wire.close()


def test_what_the_client_may_send_goes_out(lab, held, client1_wire):
    """The control: the same means, a packet of its own, and the web side sees it."""
    before = drops(lab)
    capture = lab.capture("own", "web", "eth0", f"src host {held['v4']}")
    client1_wire.send(tunnelled(CLIENT1, udp(held["v4"], held["one"][0], 9)), COUNT)
    client1_wire.send(tunnelled(CLIENT1, udp(held["v4"], held["one"][1], 9)), COUNT)
    client1_wire.send(tunnelled(CLIENT1, echo(held["v4"], held["one"][0])), COUNT)
    settle()
    capture.stop()
    assert capture.count("udp") == 2 * COUNT
    assert capture.count("icmp[icmptype] == icmp-echo") == COUNT
    assert drops(lab) == before


@pytest.mark.parametrize("what", OUTWARD)
def test_outward_nothing_gets_through_with(lab, held, client1_wire, what):
    make, counter = OUTWARD[what]
    before = drops(lab)
    capture = lab.capture("outward", "web", "eth0", "src net 198.51.100.0/24")
    client1_wire.send(make(held), COUNT)
    assert dropped_since(lab, before) == {counter: COUNT}
    assert capture.stop().count() == 0


INWARD = {
    "a port that nobody holds": (
        lambda held: udp(WEB, 9, unheld_port(held), held["v4"]), "no_binding_v4"),
    "a well-known port": (lambda held: tcp(WEB, 9, 80, held["v4"]), "no_binding_v4"),
    "an echo identifier that nobody holds": (
        lambda held: echo(WEB, unheld_port(held), held["v4"]), "no_binding_v4"),
    "an address that nobody holds": (
        lambda held: udp(WEB, 9, 2000, "198.51.100.9"), "no_binding_v4"),
    "a protocol without ports": (lambda held: gre(WEB, held["v4"]), "no_port_v4"),
}


@pytest.mark.parametrize("what", INWARD)
def test_inward_nothing_gets_through_to(lab, held, web_wire, what):
    """S3."""
    make, counter = INWARD[what]
    before = drops(lab)
    capture = lab.capture("inward", "core", "border", "ip6 proto 4")
    web_wire.send(make(held), COUNT)
    assert dropped_since(lab, before) == {counter: COUNT}
    assert capture.stop().count() == 0


def test_inward_a_held_port_reaches_its_holder_alone(lab, held, web_wire):
    """S1: the same address, told apart by the port."""
    capture = lab.capture("inward-held", "core", "border", f"ip6 proto 4 and src host {TEP_V6}")
    web_wire.send(udp(WEB, 9, held["one"][0], held["v4"]), COUNT)
    web_wire.send(udp(WEB, 9, held["two"][1], held["v4"]), 2 * COUNT)
    settle()
    capture.stop()
    assert capture.count(f"dst host {CLIENT1}") == COUNT
    assert capture.count(f"dst host {CLIENT2}") == 2 * COUNT
    assert capture.count() == 3 * COUNT
