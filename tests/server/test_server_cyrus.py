# SPDX-License-Identifier: BSD-3-Clause
"""
Cyrus SASL authenticates against the real server, by each mechanism, and notices an impostor (R33, S36).

The client is Cyrus behind a few lines of TSP; no code of ours takes part on its side.
"""

import base64
import ssl
import subprocess
import sys

import pytest

from certificates import Authority
from dstm_server import A, ROOT
from tsp_peers import Client

sys.path.insert(0, str(ROOT / "tests/sasl"))
import cyrus  # noqa: E402  pylint: disable=wrong-import-position

MECHANISMS = ["SCRAM-SHA-256", "DIGEST-MD5", "PLAIN", "ANONYMOUS", "EXTERNAL"]
TLS_ONLY = ("PLAIN", "EXTERNAL")


@pytest.fixture(name="ca", scope="module")
def fixture_ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(name="secure")
def fixture_secure(server, ca):
    """alice's password is in the configuration, carol's keys are in the file of users."""
    users = server.folder / "users"
    server.config.update({"listen_tls": ["[::1]:0"], "tls": ca.tls("server", san="IP:::1")})
    server.config["auth"].update({"external": True, "users_file": str(users)})
    dstmctl = cyrus.BINARY.parents[2] / "src/ctl/dstmctl"
    subprocess.run([dstmctl, "server", "user", "add", "carol", "--digest", "--file", users,
                    "--socket", server.folder / "none"],
                   input="kitten\n", text=True, check=True, timeout=30)
    return server.start().wait_level()


def connect(server, ca, mechanism):
    if mechanism not in TLS_ONLY:
        return Client(server.port)
    tls = ssl.create_default_context(cafile=str(ca.ca))
    if mechanism == "EXTERNAL":
        tls.load_cert_chain(*ca.issue("alice"))
    return Client(server.tls_port(), tls=tls)


def authenticate(client, mechanism, user, password):
    """Returns the status line; Cyrus has checked what there is to check of the server."""
    assert f"AUTH={mechanism}" in client.capability
    peer = cyrus.client(mechanism, "::1", "" if mechanism == "EXTERNAL" else user, password)
    try:
        client.send_line(f"AUTHENTICATE {mechanism}")
        if mechanism == "PLAIN":
            client.send(base64.b64decode(peer.first) + b"\r\n")
        elif peer.first is not None:
            client.send_line(peer.first)
        line = client.read_line()
        while not line[:3] in ("200", "300"):
            token = peer.step(line)
            client.send_line("" if token is None else token)
            line = client.read_line()
        if line.startswith("200"):
            peer.finish()
        return line
    finally:
        peer.close()


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_cyrus_authenticates_against_the_server(secure, ca, mechanism):
    client = connect(secure, ca, mechanism)
    assert authenticate(client, mechanism, "alice", "wonderland") == "200 Success"
    assert client.create(A).code == 200
    lease, = secure.leases()
    assert lease["user"] == ("" if mechanism == "ANONYMOUS" else "alice")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "DIGEST-MD5", "PLAIN"])
def test_cyrus_authenticates_against_keys_of_the_users_file(secure, ca, mechanism):
    client = connect(secure, ca, mechanism)
    assert authenticate(client, mechanism, "carol", "kitten") == "200 Success"
    for user, password in (("carol", "Kitten"), ("nobody", "kitten")):
        client = connect(secure, ca, mechanism)
        assert authenticate(client, mechanism, user, password) == "300 Authentication failed"


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "DIGEST-MD5"])
def test_cyrus_notices_a_server_that_does_not_know_the_password(secure, ca, mechanism):
    """The server's last token, spoilt on the way: the exchange was mutual (R107)."""
    client = connect(secure, ca, mechanism)
    peer = cyrus.client(mechanism, "::1", "alice", "wonderland")
    client.send_line(f"AUTHENTICATE {mechanism}")
    if peer.first is not None:
        client.send_line(peer.first)
    client.send_line(peer.step(client.read_line()))
    proof = bytearray(base64.b64decode(client.read_line()))
    proof[-3] ^= 1
    with pytest.raises(cyrus.Failed):
        peer.step(base64.b64encode(proof).decode())
        peer.finish()
    peer.close()
