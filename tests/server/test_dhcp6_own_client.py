# SPDX-License-Identifier: BSD-3-Clause
"""dstm-client with protocol: dhcpv6 before a real dstm-server and a real TEP (R36, R42, R46, R50, R52, R70, S17)."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
import yaml

from dhcp6_link import HOST, Link
from dstm_server import Server, wait_for
from dstm_tep import Tep

CLIENT = (Path(__file__).resolve().parents[2] / os.environ.get("DSTM_BUILD", "build/gcc") /
          "src/client/dstm-client")


class OwnClient:
    def __init__(self, link, folder, options="", **keys):
        self.folder = folder
        self.socket = str(folder / "client.sock")
        dhcpv6 = yaml.safe_load(f"{{interface: host0{options}}}")
        config = {"protocol": "dhcpv6", "dhcpv6": dhcpv6, "retry_max_s": 2, "socket": self.socket,
                  "state": str(folder / "client.state"), **keys}
        (folder / "client.yaml").write_text(yaml.safe_dump(config))
        with open(folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", link.clients, CLIENT, "-v", "-c", folder / "client.yaml"],
                stderr=log, stdout=log)

    def show(self):
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.settimeout(5)
                sock.connect(self.socket)
                sock.sendall(b'{"command": "show"}\n')
                return json.loads(sock.makefile().readline())["result"]
        except (OSError, ValueError):
            return {"state": None}

    def wait(self, state="bound"):
        wait_for(lambda: self.show()["state"] == state, f"the client to be {state}")
        return self.show()

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=15)

    def log(self):
        return (self.folder / "log").read_text()


@pytest.fixture(name="link", scope="module")
def fixture_link():
    link = Link()
    yield link
    link.remove()


@pytest.fixture(name="tep", scope="module")
def fixture_tep(link, tmp_path_factory):
    tep = Tep(tmp_path_factory.mktemp("tep"))
    tep.wrapper = link.wrapper
    yield tep.start()
    tep.stop(signal.SIGKILL)


@pytest.fixture(name="server", scope="module")
def fixture_server(link, tep, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"), [tep])
    server.wrapper = link.wrapper
    server.config["auth"]["require_peer_address"] = True
    server.config["lease"]["quarantine_s"] = 0
    server.config["dhcpv6"] = {"interfaces": ["lan0"], "rapid_commit": True}
    yield server.start().wait_level()
    server.stop(signal.SIGKILL)
    assert "runtime error" not in server.log() and "Sanitizer" not in server.log()


@pytest.fixture(name="start")
def fixture_start(link, tmp_path):
    clients = []

    def start(options="", **keys):
        clients.append(OwnClient(link, tmp_path, options, **keys))
        return clients[-1]

    yield start
    for client in clients:
        client.stop(signal.SIGKILL)
        print(client.log())


def leases(server):
    return [lease for lease in server.leases("active") if lease["client"] == HOST]


@pytest.mark.parametrize("options", [
    "", ", rapid_commit: false", ", options: vendor", ", options: softwire",
    ", stateless: true", ", options: vendor, stateless: true",
    ", options: softwire, stateless: true",
])
def test_every_form_is_the_same_lease(server, tep, start, options):
    """What the client holds, the server has written down and the TEP has bound; what is released is gone."""
    client = start(options)
    show = client.wait()
    lease, = leases(server)
    assert (show["v4"], show["ports"], show["v6"]) == (lease["v4"], lease["ports"], HOST)
    assert any(binding["client"] == HOST for binding in tep.bindings())
    assert show["lifetime_s"] == (1800 if "stateless" in options else 3600)
    assert client.stop() == 0
    if "stateless" not in options:
        wait_for(lambda: not leases(server), "the release")
        assert not any(binding["client"] == HOST for binding in tep.bindings())


def test_renewals_keep_a_short_lease(server, start):
    """R46: T1 of the answer; the server counts the renewals."""
    client = start(lifetime_s=2)
    assert client.wait()["lifetime_s"] == 2
    before = server.counter("leases-renewed")
    wait_for(lambda: server.counter("leases-renewed") >= before + 3, "three renewals")
    assert client.log().count("lease: 198.51.100.7") == 1
    # A server that starts again knows the lease, and the client does not see more than a late answer.
    server.stop(signal.SIGKILL)
    server.start()
    wait_for(lambda: server.counter("leases-renewed") >= 1, "a renewal at the new server")
    assert client.wait()["v4"] == "198.51.100.7"
