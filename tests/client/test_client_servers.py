# SPDX-License-Identifier: BSD-3-Clause
"""
Which server the client asks, when, and from where: lists, names, redirection, other networks, pushes.
"""

import contextlib
import shutil
import signal
import socket
import ssl
import struct
import sys
import threading
from pathlib import Path

import pytest

from bench import (CLIENT_V6, LEASE_V4, OTHER_CLIENT_V6, OTHER_SERVER_V6, SERVER_V6, TEP_V6, Client,
                   wait_for)
from tep import Tep
from tsp_server import TspServer
from world import BINARY, ROOT, Echo, leave, udp_exchange

sys.path.insert(0, str(ROOT / "tests/server"))
from certificates import Authority  # noqa: E402  pylint: disable=wrong-import-position

DNS_V6 = "2001:db8:1::66"
OLD_DNS_V6 = "2001:db8:1::54"  # knows nothing
TYPE_AAAA = 28
BOTH = f'["{SERVER_V6}", "{OTHER_SERVER_V6}"]'


@pytest.fixture(name="other")
def fixture_other(bench):
    server = TspServer(bench, OTHER_SERVER_V6)
    yield server
    server.close()


@pytest.fixture(name="make_client")
def fixture_make_client(bench, tmp_path):
    """Clients with the given keys, and without "server" where there are "servers"."""
    clients = []

    def make(**settings):
        client = Client(bench, tmp_path, BINARY, **settings)
        if "servers" in settings:
            lines = client.config.read_text().splitlines(keepends=True)
            client.config.write_text("".join(x for x in lines if not x.startswith("server:")))
        clients.append(client)
        return client.start()

    yield make
    for client in clients:
        client.kill()
        print(client.log.read_text())


class TlsServer(TspServer):
    def __init__(self, bench, address, certificate):
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(*certificate)
        super().__init__(bench, address)

    def run(self, sock, peer):
        try:
            sock = self.tls.wrap_socket(sock, server_side=True)
        except OSError:
            return
        super().run(sock, peer)


class Names:
    """A name server for AAAA, and the files in which the client's namespace finds it."""

    def __init__(self, bench):
        self.answers = {}  # name: addresses
        self.asked = []
        self.folder = Path("/etc/netns") / bench.client
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write_hosts("")
        self.write_resolver(DNS_V6)
        self.sockets = [bench.far_socket(socket.AF_INET6, socket.SOCK_DGRAM) for _ in range(2)]
        for sock, address in zip(self.sockets, (DNS_V6, OLD_DNS_V6)):
            sock.bind((address, 53))
            threading.Thread(target=self.serve, args=(sock, address), daemon=True).start()

    def write_resolver(self, address):
        """In place: programs that run see it, too."""
        (self.folder / "resolv.conf").write_text(f"nameserver {address}\n")

    def write_hosts(self, text):
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{text}")

    def serve(self, sock, address):
        while True:
            try:
                query, peer = sock.recvfrom(4096)
                sock.sendto(self.answer(query, self.answers if address == DNS_V6 else {}), peer)
            except OSError:
                return

    def answer(self, query, answers):
        labels, at = [], 12
        while query[at] > 0:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        name = ".".join(labels)
        kind, = struct.unpack("!H", query[at + 1:at + 3])
        self.asked.append(name)
        addresses = answers.get(name) if kind == TYPE_AAAA else []
        flags = 0x8180 if addresses is not None else 0x8183
        header = query[:2] + struct.pack("!5H", flags, 1, len(addresses or []), 0, 0)
        records = b"".join(
            struct.pack("!3HIH", 0xC00C, TYPE_AAAA, 1, 60, 16) +
            socket.inet_pton(socket.AF_INET6, address) for address in addresses or [])
        return header + query[12:at + 5] + records

    def close(self):
        for sock in self.sockets:
            sock.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.folder.parent.rmdir()  # if nobody else has something there


@pytest.fixture(name="names")
def fixture_names(bench):
    names = Names(bench)
    yield names
    names.close()


def redirection(*addresses):
    brokers = "".join(f'<address type="ipv6">{address}</address>' for address in addresses)
    return ('1530 Too busy\r\n<tunnel action="list" type="broker">'
            f"<broker>{brokers}</broker></tunnel>")


def server_of(client):
    return client.show()["server"]


def test_next_server_takes_over_at_once(server, other, make_client):
    """R108: who refuses or is not there costs no pause; the lease is renewed where it came from."""
    server.refuse = "530 Too busy"
    other.lifetime_s = 4
    client = make_client(servers=f'["[{SERVER_V6}]:3654", "{SERVER_V6}", "{OTHER_SERVER_V6}"]',
                         retry_min_s=3000, retry_max_s=3000)
    client.wait_bound()
    assert server_of(client) == f"[{OTHER_SERVER_V6}]:3653"
    assert server.actions() == ["create"]
    wait_for(lambda: other.actions().count("create") == 2, "a renewal")
    assert server.actions() == ["create"]
    assert leave(client) == 0
    assert other.actions()[-1] == "delete"


def test_lease_survives_the_server_that_gave_it(server, other, make_client):
    """R29, R108: in the last part of its life another server may renew a lease."""
    server.lifetime_s = other.lifetime_s = 4
    client = make_client(servers=BOTH)
    client.wait_bound()
    server.refuse = "530 Too busy"
    wait_for(lambda: server_of(client) == f"[{OTHER_SERVER_V6}]:3653", "the other server")
    assert client.show()["v4"] == LEASE_V4
    log = client.log.read_text()
    assert "ended without renewal" not in log and "given up" not in log


def test_redirection_is_followed_and_ends(server, other, make_client):
    """R108, S35: the servers that are named come next; a circle of them ends in a pause."""
    server.refuse = redirection(TEP_V6, OTHER_SERVER_V6)
    other.refuse = redirection(SERVER_V6, OTHER_SERVER_V6)
    client = make_client(retry_min_s=2, retry_max_s=2)
    wait_for(lambda: client.state_is("backoff"), "the end of the circle", seconds=60)
    asked = len(server.received) + len(other.received)
    assert 2 < asked < 20
    other.refuse = None
    client.wait_bound()
    assert server_of(client) == f"[{OTHER_SERVER_V6}]:3653"
    assert server.received


def test_names_are_looked_up_anew_and_all_addresses_tried(bench, names, server, make_client):
    """A name server that knows nothing, then one that does; of its addresses the last one answers."""
    names.write_resolver(OLD_DNS_V6)
    client = make_client(server="dstm.example.net")
    wait_for(lambda: names.asked, "a lookup")
    error = wait_for(lambda: client.show()["last_error"], "the error")
    assert error == "server: its name is not known"
    names.answers["dstm.example.net"] = [  # no host, IPv4 in disguise, a TEP, a server
        "ff02::1", "::ffff:203.0.113.5", TEP_V6, SERVER_V6]
    names.write_resolver(DNS_V6)
    client.wait_bound()
    assert server_of(client) == "dstm.example.net:3653"
    assert names.asked[-1] == "dstm.example.net"
    assert leave(client) == 0
    assert server.actions()[-1] == "delete"


def test_several_servers_behind_one_name(names, server, other, make_client):
    """R29: who refuses makes room for the next address; the lease is renewed where it came from."""
    names.answers["pool.example.net"] = [SERVER_V6, OTHER_SERVER_V6]
    server.refuse = "530 Too busy"
    other.lifetime_s = 2
    client = make_client(server="pool.example.net")
    client.wait_bound()
    assert other.actions()[0] == "create"
    asked = server.actions()
    assert asked == ["create"]
    server.refuse = None
    wait_for(lambda: other.actions().count("create") == 3, "two renewals")
    assert leave(client) == 0
    # Each connection is read by itself: the last accept may be seen behind the delete of the next one.
    assert "delete" in other.actions()[-2:]
    assert server.actions() == asked


def test_name_of_the_hosts_file_needs_no_name_server(names, server, make_client):
    names.write_hosts(f"{SERVER_V6} broker\n")
    client = make_client(server="broker:3653")
    client.wait_bound()
    assert names.asked == []
    assert server.received


def test_name_without_addresses_is_a_clear_error(names, make_client):
    names.answers["empty.example.net"] = []
    client = make_client(servers="[gone.example.net, empty.example.net]")
    wait_for(lambda: client.state_is("backoff"), "a pause")
    log = client.log.read_text()
    assert "gone.example.net" in names.asked and "empty.example.net" in names.asked
    assert "server: its name is not known" in log
    assert "server: its name has no IPv6 address" in log
    assert leave(client) == 0


def test_certificate_is_for_the_name_that_was_asked(bench, names, tmp_path, make_client):
    """Each server has its own tls_name; without one it is the server's name."""
    ca = Authority(tmp_path / "ca")
    first = TlsServer(bench, SERVER_V6, ca.issue("first", san="DNS:first.example"))
    second = TlsServer(bench, OTHER_SERVER_V6, ca.issue("second", san="DNS:second.example"))
    names.write_hosts(f"{SERVER_V6} first.example alias.example\n")
    tls = {"ca": str(ca.ca)}
    client = make_client(
        tls=tls, servers=f'[alias.example, {{name: "{OTHER_SERVER_V6}", tls_name: second.example}}]')
    client.wait_bound()
    assert server_of(client) == f"[{OTHER_SERVER_V6}]:3653"
    assert "TLS handshake failed" in client.log.read_text() and first.received == []
    assert leave(client) == 0
    client = make_client(tls=tls, server="first.example")
    client.wait_bound()
    assert first.received
    first.close()
    second.close()


def test_client_that_slept_beyond_the_end_of_its_lease_has_none(server, make_client):
    """R51, S21: on waking, the address goes first."""
    server.lifetime_s = 4
    client = make_client()
    client.wait_bound()
    client.signal(signal.SIGSTOP)
    server.refuse = "530 Too busy"
    stopped = server.received[-1]
    threading.Event().wait(4.5)
    client.signal(signal.SIGCONT)
    wait_for(lambda: client.show()["v4"] is None, "the end of the lease")
    assert "ended without renewal" in client.log.read_text()
    assert server.received[-1] is stopped or server.received[-1].action == "create"
    server.refuse = None
    client.wait_bound()


def test_deprecated_tunnel_end_is_left_at_the_renewal(bench, server, make_client):
    """RFC 4862: a deprecated address begins nothing new."""
    server.lifetime_s = 4
    client = make_client()
    assert client.wait_bound()["v6"] == CLIENT_V6
    bench.in_client("ip", "addr", "add", f"{OTHER_CLIENT_V6}/64", "dev", "c0", "nodad")
    bench.in_client("ip", "addr", "change", f"{CLIENT_V6}/64", "dev", "c0", "preferred_lft", "0")
    wait_for(lambda: client.show()["v6"] == OTHER_CLIENT_V6, "the new tunnel end")
    client.wait_bound()


def test_cable_that_was_out_for_a_moment_costs_no_lease(bench, server, make_client):
    """A host without any address is offline: its lease is there when its address is back."""
    tep = Tep(bench)
    echo = Echo(bench)
    client = make_client()
    lease = client.wait_bound()
    with bench.client_socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect(("203.0.113.5", 9000))
        sock.send(b"one")
        assert sock.recv(100) == b"one"
        bench.in_client("ip", "addr", "del", f"{CLIENT_V6}/64", "dev", "c0")
        assert client.show()["v4"] == lease["v4"]
        bench.in_client("ip", "addr", "add", f"{CLIENT_V6}/64", "dev", "c0", "nodad")
        sock.send(b"two")
        assert sock.recv(100) == b"two"
    assert len(set(echo.sources)) == 1
    assert server.actions() == ["create", "accept"]
    tep.close()


def test_host_without_a_usable_address_waits_for_one(bench, server, make_client):
    """A laptop's way: nothing but a deprecated address, then a network. No pause is waited out."""
    bench.in_client("ip", "addr", "change", f"{CLIENT_V6}/64", "dev", "c0", "preferred_lft", "0")
    client = make_client(retry_min_s=3000, retry_max_s=3000)
    wait_for(lambda: client.state_is("backoff"), "the pause")
    assert "deprecated" in client.show()["last_error"]
    assert server.received == []
    bench.in_client("ip", "addr", "add", f"{OTHER_CLIENT_V6}/64", "dev", "c0", "nodad")
    assert client.wait_bound()["v6"] == OTHER_CLIENT_V6


def test_lease_given_unasked_is_taken_and_taken_back(bench, server, make_client):
    """R32, R78, R102, R107: over the session that is open for it, and only without a lease."""
    tep = Tep(bench)
    Echo(bench)
    client = make_client(generation=1, on_demand="true", accept_push="true")
    wait_for(lambda: client.state_is("idle") and server.authenticated, "an idle session")
    assert server.received == []
    server.push("create")
    client.wait_bound()
    wait_for(lambda: len(server.answers) + len(server.received) == 1, "the answer")
    assert udp_exchange(bench) == b"hello"
    server.push("create")
    wait_for(lambda: any(a.startswith("308") for a in server.answers), "the refusal of a second")
    assert client.state_is("bound")
    server.push_delete()
    wait_for(lambda: client.show()["v4"] is None, "the end of the lease")
    tep.close()


def test_more_ports_are_asked_for_when_they_run_out(bench, server, make_client):
    """R58: a burst that needs more ports than there are makes the client ask for as many again."""
    server.ranges = [(2048, 2063)]
    tep = Tep(bench)
    Echo(bench)
    client = make_client()
    client.wait_bound()
    server.ranges = [(2048, 2063), (50000, 50063)]
    sockets = [bench.client_socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(40)]
    for sock in sockets:
        sock.connect(("203.0.113.5", 9000))

    def press():
        for sock in sockets:
            try:
                sock.send(b"x")
            except OSError:
                pass
        return client.show()["ports"] == [[2048, 2063], [50000, 50063]]

    wait_for(press, "the second range")
    more = [r for r in server.received if r.action == "create"][1]
    assert more.client("ipv4") == [LEASE_V4]
    assert {"start": "2048", "end": "2063"} in more.ports()
    assert {"count": "16"} in more.ports()
    for sock in sockets:
        sock.close()
    tep.close()
