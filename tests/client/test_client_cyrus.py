# SPDX-License-Identifier: BSD-3-Clause
"""
The real dstm-client authenticates against a server that believes what Cyrus SASL says (R33, S36).
"""

import base64
import os
import ssl
import sys

import pytest

from bench import SERVER_V6, Bench, Client, wait_for
from tsp_server import Connection, TspServer
from world import BINARY, ROOT

for folder in ("sasl", "server"):
    sys.path.insert(0, str(ROOT / "tests" / folder))
import cyrus  # noqa: E402  pylint: disable=wrong-import-position
from certificates import Authority  # noqa: E402  pylint: disable=wrong-import-position

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and tun devices need root")
MECHANISMS = ["SCRAM-SHA-256", "DIGEST-MD5", "PLAIN", "ANONYMOUS", "EXTERNAL"]
TLS_ONLY = ("PLAIN", "EXTERNAL")


class CyrusConnection(Connection):
    """A connection whose handshake offers one mechanism and asks Cyrus."""

    def handshake(self):
        server = self.server
        self.line()
        self.put_line(f"CAPABILITY TUNNEL=V4V6 AUTH={server.mechanism}")
        assert self.line() == f"AUTHENTICATE {server.mechanism}"
        peer = cyrus.server(server.mechanism, SERVER_V6, server.database, self.certified())
        try:
            self.converse(peer)
        except cyrus.Failed as error:
            server.failures.append(str(error))
            self.put_line("300 Authentication failed")
            raise EOFError from error
        finally:
            peer.close()
        server.users.append(peer.user)
        self.put_line("200 Success")

    def certified(self):
        if self.server.mechanism != "EXTERNAL":
            return None
        subject = self.sock.getpeercert()["subject"]
        return dict(pair for part in subject for pair in part)["commonName"]

    def converse(self, peer):
        mechanism, token = self.server.mechanism, peer.first
        if mechanism == "ANONYMOUS":
            token = peer.step(base64.b64encode(b"dstm").decode())  # TSP clients say nothing
        elif mechanism == "PLAIN":
            token = peer.step(base64.b64encode(self.file.readline().rstrip(b"\r\n")).decode())
        elif token is None:
            token = peer.step(self.line())
        while token is not None:
            self.put_line(token)
            answer = self.line()
            if answer == "" and mechanism != "EXTERNAL":  # of the client, that it is satisfied
                peer.finish()
                break
            token = peer.step(answer)


class CyrusServer(TspServer):
    connection_class = CyrusConnection

    def __init__(self, bench, mechanism, database, tls=None):
        self.mechanism, self.database, self.tls = mechanism, database, tls
        self.users, self.failures = [], []
        super().__init__(bench)

    def run(self, sock, peer):
        if self.tls is not None:
            try:
                sock = self.tls.wrap_socket(sock, server_side=True)
            except OSError:
                return
        super().run(sock, peer)


@pytest.fixture(name="ca", scope="module")
def fixture_ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(name="bench")
def fixture_bench():
    with Bench() as bench:
        yield bench


def make_server(bench, ca, folder, mechanism):
    tls = None
    if mechanism in TLS_ONLY:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca.ca))
        tls.verify_mode = ssl.CERT_REQUIRED if mechanism == "EXTERNAL" else ssl.CERT_NONE
        tls.load_cert_chain(*ca.issue("server", san="DNS:server.example"))
    database = cyrus.make_database(folder / "sasldb", alice="wonderland")
    return CyrusServer(bench, mechanism, database, tls)


def make_settings(ca, mechanism, password="wonderland"):
    settings = {}
    if mechanism in TLS_ONLY:
        settings.update(tls={"ca": str(ca.ca)}, tls_name="server.example")
    if mechanism == "EXTERNAL":
        settings["tls"] = ca.tls("alice")
    elif mechanism != "ANONYMOUS":
        settings.update(user="alice", password=password)
    return settings


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_client_authenticates_against_cyrus(bench, ca, tmp_path, mechanism):
    server = make_server(bench, ca, tmp_path, mechanism)
    client = Client(bench, tmp_path, BINARY, **make_settings(ca, mechanism))
    try:
        client.start()
        wait_for(lambda: "create" in server.actions(), "a create behind the authentication")
        name = "anonymous" if mechanism == "ANONYMOUS" else "alice"
        assert server.users[0].split("@")[0] == name
        assert server.failures == []
        if mechanism == "PLAIN":  # and no password for a server that is somebody else
            client.kill()
            wrong = {**make_settings(ca, mechanism), "tls_name": "other.example"}
            other = tmp_path / "other"
            other.mkdir()
            client = Client(bench, other, BINARY, **wrong)
            client.start()
            wait_for(lambda: "TLS handshake failed" in client.log.read_text(), "the refusal")
            assert len(server.users) == 1
    finally:
        client.kill()
        server.close()
        print(client.log.read_text())


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "DIGEST-MD5", "PLAIN"])
def test_cyrus_refuses_the_client_with_a_wrong_password(bench, ca, tmp_path, mechanism):
    server = make_server(bench, ca, tmp_path, mechanism)
    client = Client(bench, tmp_path, BINARY, **make_settings(ca, mechanism, "Wonderland"))
    try:
        client.start()
        wait_for(lambda: server.failures, "the refusal")
        assert server.users == [] and server.received == []
    finally:
        client.kill()
        server.close()
