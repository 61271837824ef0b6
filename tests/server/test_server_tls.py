# SPDX-License-Identifier: BSD-3-Clause
"""TLS for clients and between server and TEP; what a certificate is good for (R33, R86, S36)."""

import os
import signal
import socket
import ssl
import subprocess
import time

import pytest
import yaml

from certificates import Authority
from dstm_server import A, B, BINARY, ROOT, Server, wait_for
from tsp_peers import Client, ScriptedTep

DSTM_TEP = ROOT / os.environ.get("DSTM_BUILD", "build/gcc") / "src/control/dstm-tep"
CPUS = ",".join(map(str, sorted(os.sched_getaffinity(0))))
HOST_SAN = "IP:::1"


@pytest.fixture(name="ca", scope="module")
def fixture_ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(name="other_ca", scope="module")
def fixture_other_ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("other"), "Other CA")


@pytest.fixture(name="secure")
def fixture_secure(server, ca):
    server.config["listen_tls"] = ["[::1]:0"]
    server.config["tls"] = ca.tls("server", san=HOST_SAN)
    server.config["auth"]["external"] = True
    return server


def context(ca, certificate=None, **options):
    made = ssl.create_default_context(cafile=str(ca.ca))
    if certificate is not None:
        made.load_cert_chain(*certificate)
    for name, value in options.items():
        setattr(made, name, value)
    return made


def connect(server, ca, certificate=None, **options):
    return Client(server.tls_port(), tls=context(ca, certificate, **options))


def mechanisms(client):
    return [word[5:] for word in client.capability.split() if word.startswith("AUTH=")]


def is_refused(server, ca, certificate=None, **options):
    """With TLS 1.3 a client learns of it only when it reads."""
    try:
        connect(server, ca, certificate, **options)
    except (ssl.SSLError, EOFError, ConnectionError):
        return True
    return False


def test_what_is_offered_where(secure, ca):
    """S36: PLAIN under TLS alone, EXTERNAL with a certificate alone."""
    secure.start().wait_level()
    plain = Client(secure.port)
    assert mechanisms(plain) == ["SCRAM-SHA-256", "DIGEST-MD5", "ANONYMOUS"]
    assert plain.plain("alice", "wonderland").startswith("300")
    assert mechanisms(connect(secure, ca)) == [
        "SCRAM-SHA-256", "DIGEST-MD5", "PLAIN", "ANONYMOUS"]
    assert mechanisms(connect(secure, ca, ca.issue("carol")))[0] == "EXTERNAL"
    assert connect(secure, ca).external().startswith("300")


@pytest.mark.parametrize("stray", [b"", b"\0"])
def test_plain_arrives_raw_and_at_once(secure, ca, stray):
    secure.start().wait_level()
    client = connect(secure, ca)
    assert client.plain("alice", "wonderland", stray=stray) == "200 Success"
    assert client.create(A).code == 200
    assert secure.leases()[0]["user"] == "alice"
    assert connect(secure, ca).plain("alice", "wonderland", role="alice").startswith("200")
    client = connect(secure, ca)
    for user, password, role in (("alice", "Wonderland", ""), ("nobody", "wonderland", ""),
                                 ("alice", "wonderland", "bob")):
        assert client.plain(user, password, role, stray) == "300 Authentication failed"
    assert client.is_closed()


@pytest.mark.parametrize("line", [b"", b"alice", b"alice\0", b"\0\0\0", b"a\0b\0c\0d", b"\xff\0\xff",
                                  b"a\0" + b"x" * 300, b"x" * 5000])
def test_hostile_plain_messages(secure, ca, line):
    secure.start()
    client = connect(secure, ca)
    client.send(b"AUTHENTICATE PLAIN\r\n" + line + b"\r\n")
    assert client.read_line()[:3] in ("300", "500")
    assert connect(secure, ca).plain("bob", "builder").startswith("200")


@pytest.mark.parametrize("method", ["scram", "digest_md5"])
def test_the_other_mechanisms_work_under_tls_too(secure, ca, method):
    secure.start().wait_level()
    client = connect(secure, ca)
    assert getattr(client, method)("bob", "builder").startswith("200")
    assert client.create(A).code == 200
    assert connect(secure, ca).anonymous().startswith("200")


def test_a_certificate_is_a_name(secure, ca):
    """EXTERNAL: the common name, else the first mail address or DNS name."""
    secure.start().wait_level()
    for n, (arguments, user) in enumerate([
            ({}, "user0"), ({"subject": "/O=x/CN=carol"}, "carol"),
            ({"subject": "/O=x", "san": "email:dave@example.org"}, "dave@example.org"),
            ({"subject": "/O=x", "san": "IP:::2,DNS:cpe.example.org"}, "cpe.example.org")]):
        client = connect(secure, ca, ca.issue(f"user{n}", **arguments))
        assert client.external() == "200 Success"
        assert client.create(f"2001:db8:1::{n}").code == 200
        assert user in {lease["user"] for lease in secure.leases()}
    client = connect(secure, ca, ca.issue("erin"))
    assert client.external("alice") == "300 Authentication failed"
    assert client.external("erin") == "200 Success"


@pytest.mark.parametrize("subject", ["/O=nameless", "/CN=one/CN=two", '/CN=a"b', "/CN=" + "x" * 64])
def test_a_certificate_without_a_usable_name_is_nobodys(secure, ca, subject):
    secure.start()
    assert "EXTERNAL" not in mechanisms(connect(secure, ca, ca.issue("odd", subject=subject)))


def test_strangers_certificates_and_old_versions_are_refused(secure, ca, other_ca):
    secure.start()
    assert is_refused(secure, ca, other_ca.issue("carol"))
    assert is_refused(secure, ca, ca.issue("late", days=-1))
    old = context(ca, maximum_version=ssl.TLSVersion.TLSv1_1,
                  minimum_version=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Client(secure.tls_port(), tls=old)
    with socket.create_connection(("::1", secure.tls_port())) as sock:
        sock.settimeout(10)
        sock.sendall(b"VERSION=2.0.0\r\n")  # TSP without TLS
        try:
            assert b"CAPABILITY" not in sock.recv(100)
        except ConnectionResetError:
            pass
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        client = connect(secure, ca, minimum_version=version, maximum_version=version)
        assert client.plain("alice", "wonderland").startswith("200")


def test_lists_of_mechanisms_hold_for_each_listener(secure, ca):
    secure.config["auth"].update({"mechanisms": ["SCRAM-SHA-256"],
                                  "mechanisms_tls": ["PLAIN", "EXTERNAL"]})
    secure.start()
    assert mechanisms(Client(secure.port)) == ["SCRAM-SHA-256"]
    assert mechanisms(connect(secure, ca)) == ["PLAIN"]
    client = Client(secure.port)
    assert client.anonymous().startswith("300")


def test_anonymous_is_for_some_prefixes(secure, ca):
    """R80: by policy."""
    secure.config["auth"]["anonymous_from"] = ["2001:db8::/32"]
    secure.start()
    assert "ANONYMOUS" not in mechanisms(Client(secure.port)) + mechanisms(connect(secure, ca))
    secure.config["auth"]["anonymous_from"] = ["2001:db8::/32", "::1/128"]
    secure.write_config()
    secure.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "ANONYMOUS" in mechanisms(Client(secure.port)), "the reload")


def test_a_new_certificate_is_taken_by_a_reload_and_a_bad_one_is_not(secure, ca):
    secure.start()
    held = connect(secure, ca)
    with open(secure.config["tls"]["certificate"], "rb") as file:
        first = file.read()
    serial = lambda: connect(secure, ca).sock.getpeercert()["serialNumber"]
    before = serial()
    with open(secure.config["tls"]["certificate"], "wb") as file:
        file.write(b"nonsense")
    secure.process.send_signal(signal.SIGHUP)
    sentence = f"reload: nothing changed: tls: certificate {secure.config['tls']['certificate']}"
    wait_for(lambda: sentence in secure.log(), "the refusal")
    assert serial() == before
    with open(secure.config["tls"]["certificate"], "wb") as file:
        file.write(first)
    ca.tls("server", san=HOST_SAN)
    secure.process.send_signal(signal.SIGHUP)
    wait_for(lambda: serial() != before, "the new certificate")
    assert held.plain("alice", "wonderland").startswith("200")


@pytest.mark.parametrize("change, error", [
    ({"tls": {}}, "listen_tls: tls has no certificate"),
    ({"tls": {"certificate": "/x"}}, "tls: certificate and key go together"),
    ({"tls": {"certificate": "/x", "key": "/x"}},
     "auth.external: tls has no ca to check certificates by"),
    ({"tls": {"certificate": "/nowhere", "key": "/x", "ca": "/x"}}, "tls: certificate /nowhere:"),
])
def test_what_does_not_fit_is_refused_at_the_start(secure, change, error):
    secure.config.update(change)
    done = subprocess.run([BINARY, "-t", "-c", secure.write_config()], capture_output=True,
                          text=True, timeout=20, check=False)
    assert done.returncode == 2 and error in done.stderr


# --- server and TEP -----------------------------------------------------------------------------


def tep_context(ca, certificate):
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca.ca))
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_cert_chain(*certificate)
    return made


def start_towards(tmp_path, tep, tls, **settings):
    server = Server(tmp_path, [tep])
    server.config["tls"] = tls
    server.config["teps"][0].update({"tls_name": "tep.example", **settings})
    if tep.password is None:
        del server.config["teps"][0]["password"]
    return server.start()


@pytest.mark.parametrize("password", [None, "between-us"])
def test_the_server_speaks_tls_to_its_tep(tmp_path, ca, password):
    """S36: certificates on both sides; with a password SCRAM-SHA-256, without one EXTERNAL."""
    certificate = ca.issue("tep", san="DNS:tep.example")
    tep = ScriptedTep(password=password, tls=tep_context(ca, certificate))
    server = start_towards(tmp_path, tep, ca.tls("server1"))
    try:
        server.wait_level()
        assert server.lease(A).code == 200
        assert len(tep.table) == 1
    finally:
        server.stop()
        tep.stop()


def test_a_tep_that_cannot_prove_its_name_gets_nothing(tmp_path, ca, other_ca):
    """R86, R107: the wrong name, and the right one of a stranger."""
    for n, certificate in enumerate([ca.issue("wrong", san="DNS:other.example"),
                                     other_ca.issue("stranger", san="DNS:tep.example")]):
        tep = ScriptedTep(tls=tep_context(ca, certificate))
        folder = tmp_path / str(n)
        folder.mkdir()
        server = start_towards(folder, tep, ca.tls("server1"))
        try:
            wait_for(lambda: server.ctl("teps")["items"][0]["last_error"] == "TLS handshake failed",
                     "the refusal")
            assert tep.requests == [] and tep.sessions == 0
        finally:
            server.stop()
            tep.stop()


class RealTep:
    """dstm-tep over two ports that lead nowhere; its sessions are what is looked at."""

    V6, user, password = "2001:db8::1", "server1", None

    def __init__(self, folder, tls):
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            self.port = probe.getsockname()[1]
        config = {
            "idle_sleep_us": 50,
            "ports": {"v6": "net_ring0", "v4": "net_ring1"},
            "tunnel": {"v6": [self.V6], "v4": "192.0.0.1"},
            "neighbor": {"mode": "static", "v6_mac": "02:00:00:00:00:01",
                         "v4_mac": "02:00:00:00:00:02"},
            "control": {"listen": f"[::1]:{self.port}", "servers": [{"name": self.user}],
                        "tls": tls, "socket": str(folder / "tep.sock")},
        }
        path = folder / "tep.yaml"
        path.write_text(yaml.safe_dump(config))
        self.log = folder / "tep.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [DSTM_TEP, f"--lcores=0@({CPUS}),1@({CPUS})", "--no-huge", "-m", "256", "--no-pci",
                 "--no-telemetry", "--no-shconf", "--vdev", "net_ring0", "--vdev", "net_ring1",
                 "--", "-c", path],
                stdout=log, stderr=log)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        print(self.log.read_text()[-2000:])


def test_real_server_and_real_tep_by_certificates_alone(tmp_path, ca):
    """R86, S36: who has no certificate of the authority gets no word out of the TEP."""
    tep = RealTep(tmp_path, ca.tls("tep", san="DNS:tep.example"))
    server = start_towards(tmp_path, tep, ca.tls("server1"))
    try:
        server.wait_level()
        assert server.lease(A).code == 200
        with pytest.raises((ssl.SSLError, EOFError, ConnectionError)):
            Client(tep.port, tls=context(ca, check_hostname=False))
        stranger = Client(tep.port, tls=context(ca, ca.issue("server2"), check_hostname=False))
        assert mechanisms(stranger)[0] == "EXTERNAL"
        stranger.external()
        time.sleep(0.2)
        assert server.lease(B).code == 200  # undisturbed
        assert stranger.is_closed()
    finally:
        server.stop()
        tep.stop()
