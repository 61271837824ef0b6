# SPDX-License-Identifier: BSD-3-Clause
"""
The real dstm-client asks a scripted server who holds an address and port (R16), and is lied to.

Everybody's packets go through the scripted TEP unless the server has named another host for their port, and that
host is the impostor here.
"""

import signal
import socket
import time

import pytest

from bench import CLIENT_V6, IMPOSTOR_V6, LEASE_V4, PEER_V4, TEP_V6, wait_for
from tep import udp_packet
from tsp_server import TspServer

SETTLE_S = 3.2  # from the answer to the first packet that goes there
HONEST, QUIET = 9000, 9001


def info(v4=PEER_V4, v6=IMPOSTOR_V6, ports=(), lifetime=' lifetime="60"'):
    ranges = "".join(f'<ports start="{first}" end="{last}"/>' for first, last in ports)
    return (f'200 Success\r\n<tunnel action="info" type="v4v6"{lifetime}><server>'
            f'<address type="ipv4" length="32">{v4}</address><address type="ipv6">{v6}</address>{ranges}'
            f'</server><client><address type="ipv6">{CLIENT_V6}</address></client></tunnel>')


LIES = {
    9100: info(v4="203.0.113.6", ports=[(9100, 9100)]),
    9101: info(ports=[(9100, 9100), (9102, 9102)]),
    9102: info(v6=CLIENT_V6, ports=[(9102, 9102)]),
    9103: info(v6=TEP_V6, ports=[(9103, 9103)]),
    9104: info(v6="ff02::1", ports=[(9104, 9104)]),
    9105: info(v6="fe80::66", ports=[(9105, 9105)]),
    9106: info(v6="::1", ports=[(9106, 9106)]),
    9107: "301 Unavailable\r\n",
    9108: "200 Success\r\n",
    9109: info(ports=[(9109, 9109)], lifetime=""),
}
BREAKS = {
    9200: "200 Success\r\n<tunnel action=",
    9201: "999 \xff\r\n" + "<" * 4000,
    9202: "200 Success\r\n<!DOCTYPE a [<!ENTITY b 'b'>]><tunnel action='info' type='v4v6'>&b;</tunnel>",
    9203: None,
}


class Directory(TspServer):
    """Answers questions by the port that they are about; HONEST is the impostor's alone."""

    def __init__(self, bench):
        super().__init__(bench)
        self.asked = []

    def answer(self, request):
        if request.action != "query":
            return super().answer(request)
        assert request.root.find("server/address").text == PEER_V4
        assert request.client("ipv6") == [CLIENT_V6]
        port = int(request.root.find("server/ports").get("start"))
        self.asked.append(port)
        if port == HONEST:
            return info(ports=[(HONEST, HONEST)])
        if port in BREAKS:
            return BREAKS[port]
        return LIES.get(port, "301 Unavailable\r\n")


@pytest.fixture(name="directory")
def fixture_directory(bench):
    directory = Directory(bench)
    yield directory
    directory.close()


@pytest.fixture(name="client")
def fixture_client(make_client, directory, tep):
    client = make_client(direct=f"[{PEER_V4}/32]").start()
    client.wait_bound()
    return client


@pytest.fixture(name="sender")
def fixture_sender(bench):
    with bench.client_socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        yield sender


def arrivals(raw):
    """Inner destination ports of what a raw socket of next header 4 has got."""
    ports = []
    raw.setblocking(False)
    while True:
        try:
            data, source = raw.recvfrom(65536)
        except BlockingIOError:
            return ports
        assert source[0] == CLIENT_V6
        assert socket.inet_ntoa(data[12:16]) == LEASE_V4
        ports.append(int.from_bytes(data[22:24], "big"))


def send(sender, *ports):
    for port in ports:
        sender.sendto(b"x", (PEER_V4, port))
        time.sleep(0.01)


def seen_by_tep(tep, *ports):
    return all(any(packet.dport == port for packet in tep.sent) for port in ports)


def test_packets_go_to_whom_the_server_names_for_their_port(client, directory, tep, sender):
    """And to nobody before it has; one question for many packets."""
    for _ in range(20):
        send(sender, HONEST, QUIET)
    wait_for(lambda: seen_by_tep(tep, HONEST, QUIET), "the TEP to get both")
    assert directory.asked.count(HONEST) == 1
    assert arrivals(tep.impostor) == []
    time.sleep(SETTLE_S)
    tep.sent.clear()
    send(sender, HONEST, QUIET)
    wait_for(lambda: seen_by_tep(tep, QUIET), "the TEP to get one")
    assert arrivals(tep.impostor) == [HONEST]
    assert not seen_by_tep(tep, HONEST)
    # The host is believed for that port, and for no other.
    before = client.show()
    for sport in (HONEST, QUIET):
        tep.impostor.sendto(udp_packet(PEER_V4, sport, LEASE_V4, 2048), (CLIENT_V6, 0))
    wait_for(lambda: client.show()["rx_direct"] > before["rx_direct"], "the packet from the port")
    wait_for(lambda: client.show()["drops"]["rx_outer_source"] > before["drops"]["rx_outer_source"],
             "the other one to be dropped")
    assert client.show()["rx_direct"] == before["rx_direct"] + 1


def test_lies_lead_nobody_anywhere(client, directory, tep, sender):
    """What does not answer the question, or leads back to us, is as good as no answer."""
    send(sender, *LIES)
    wait_for(lambda: set(LIES) <= set(directory.asked), "all questions")
    time.sleep(SETTLE_S)
    tep.sent.clear()
    send(sender, *LIES)
    wait_for(lambda: seen_by_tep(tep, *LIES), "the TEP to get all")
    assert arrivals(tep.impostor) == []
    assert client.show()["tx_direct"] == 0
    assert len(directory.asked) <= 4 * len(LIES)


@pytest.mark.parametrize("port", BREAKS)
def test_a_server_that_breaks_costs_nothing_but_the_short_way(client, directory, tep, sender, port):
    """Nonsense, and silence: it is left alone, and everything goes through the TEP."""
    for _ in range(3):
        send(sender, port, port + 100)
        time.sleep(0.1)
    wait_for(lambda: seen_by_tep(tep, port, port + 100), "the TEP to get both")
    assert port in directory.asked
    tep.sent.clear()
    for _ in range(12):
        send(sender, *range(port + 200, port + 210))
    wait_for(lambda: seen_by_tep(tep, *range(port + 200, port + 210)), "the TEP to get all")
    assert len(directory.asked) <= 40 and len(directory.connections) <= 4
    assert client.show()["state"] == "bound"
    assert client.show()["tx_direct"] == 0


@pytest.mark.parametrize("port", [HONEST, 9203])
def test_a_client_ends_with_a_question_under_way(client, directory, sender, port):
    """Answered or not: it says goodbye to the server and ends in order."""
    send(sender, port)
    wait_for(lambda: port in directory.asked, "the question")
    client.signal(signal.SIGTERM)
    assert client.wait() == 0
    assert "delete" in directory.actions()
