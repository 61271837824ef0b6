# SPDX-License-Identifier: BSD-3-Clause
"""What reaches a client from outside, and what a lease may be given to instead of the host.

Forwards do, and listeners in mode host, and nothing else; a namespace or one program may have it.
"""

import errno
import os
import re
import socket
import subprocess
import sys

import pytest

from applications import ECHO_PORT, UdpEcho, say
from client_lab import is_leased, show, with_clients
from conftest import ROOT, SHARED_ADDRESS, derived, run_steps, wait_until
from lab import netns, steps
from lab.program import build_folder
from lab.run import Lab
from packets import WEB

PAGES_PORT = 8080
FORWARDS = [{"protocol": "tcp", "to": str(PAGES_PORT)}, {"protocol": "udp", "to": str(ECHO_PORT)}]
BOTH = ("napt1", "host1")
ROOM = "room"  # a namespace with nothing in it
OWNER = "napt2"  # the client that gives it a lease


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    def change(content):
        with_clients({"napt1": {"forwards": FORWARDS},
                      "host1": {"mode": "host", "forwards": FORWARDS},
                      OWNER: {"netns": f"{netns.prefix(os.getpid())}-{ROOM}"}})(content)
        content["nodes"][ROOM] = {}

    with Lab(derived(tmp_path_factory, SHARED_ADDRESS, change)) as lab:
        run_steps(lab, "start", "teps_connected")
        for name in (*BOTH, OWNER):
            lab.start(name)
        for name in (*BOTH, OWNER):
            steps.wait_for_lease(lab, name)
        yield lab


class Pages:
    """The lab's web server at a client."""

    def __init__(self, lab, node: str, port: int = PAGES_PORT):
        namespace = lab.nodes[node]
        self._process = subprocess.Popen(
            namespace.command([sys.executable, str(ROOT / "lab/web.py"), str(port), "/dev/null"]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: f":{port} " in namespace.run(["ss", "-Hlnt"]), 10, "the pages")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._process.terminate()
        self._process.wait(5)


def public(lab, name: str, protocol: str) -> tuple[str, int]:
    """Where a forward of a client is reached."""
    found = next(item for item in show(lab, name)["forwards"] if item["protocol"] == protocol)
    address, port = found["public"].rsplit(":", 1)
    assert is_leased(lab.leases[name], address, port)
    return address, int(port)


def fetch(node, address: str, port: int) -> str:
    return node.run(["curl", "-sS", "-m", "3", f"http://{address}:{port}/"], 20, check=False)


@pytest.mark.parametrize("name", BOTH)
def test_forwards_lead_to_services(lab, name):
    """From the IPv4 side; in mode napt also from another client on the same address."""
    sources = {"web": WEB, ROOM: lab.leases[OWNER]["v4"]} if name == "napt1" else {"web": WEB}
    with Pages(lab, name), UdpEcho(lab.nodes[name]):
        for source, seen in sources.items():
            page = fetch(lab.nodes[source], *public(lab, name, "tcp"))
            assert page.startswith(f"You are {seen} port "), source
            answer = say(lab.nodes[source], public(lab, name, "udp"), b"knock")
            assert answer is not None and answer.startswith(seen.encode()), source


def test_nothing_else_comes_in(lab):
    """S20: in mode napt a port that nobody forwards leads to no service."""
    port = lab.leases["napt1"]["ports"][0][1]
    with Pages(lab, "napt1", port), UdpEcho(lab.nodes["napt1"], port):
        assert fetch(lab.nodes["web"], lab.leases["napt1"]["v4"], port) == ""
        assert say(lab.nodes["web"], (lab.leases["napt1"]["v4"], port), b"knock", 1) is None


def test_a_listener_in_mode_host_is_reached_and_a_closed_port_refuses(lab):
    """R15: the address is the host's own."""
    lease = lab.leases["host1"]
    port = lease["ports"][0][1]
    with Pages(lab, "host1", port):
        assert fetch(lab.nodes["web"], lease["v4"], port).startswith(f"You are {WEB} port ")
    with lab.nodes["web"].inside(), socket.socket() as caller:
        caller.settimeout(5)
        with pytest.raises(ConnectionRefusedError):
            caller.connect((lease["v4"], port))


def test_a_port_of_somebody_else_is_refused_at_once(lab):
    """S18: who binds a port outside of the lease hears it from the kernel."""
    lease = lab.leases["host1"]
    port = 1 + max(last for _, last in lease["ports"])
    with lab.nodes["host1"].inside():
        talker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with talker, UdpEcho(lab.nodes["web"]):
        talker.settimeout(5)
        talker.bind((lease["v4"], port))
        talker.connect((WEB, ECHO_PORT))
        talker.send(b"spoofed")
        with pytest.raises(OSError) as caught:
            talker.recv(100)
    assert caught.value.errno == errno.EHOSTUNREACH
    assert show(lab, "host1")["drops"]["tx_port"] == 1


def test_a_namespace_has_the_lease(lab):
    """Programs in it have IPv4, the host around them has none; by its end nothing is left there."""
    room, lease = lab.nodes[ROOM], lab.leases[OWNER]
    page = fetch(room, WEB, 80)
    address, port = re.match(r"You are (\S+) port (\d+)\.", page).groups()
    assert is_leased(lease, address, port)
    assert fetch(lab.nodes[OWNER], WEB, 80) == ""
    assert lab.programs[OWNER].stop() == 0
    assert "dstm0" not in room.ip("link", "show")
    assert room.run(["nft", "list", "ruleset"]).strip() == ""
    assert room.ip("route", "show").strip() == ""


def host_state(node) -> list[str]:
    return [node.ip("address", "show"), node.ip("route", "show"),
            node.run(["nft", "list", "ruleset"])]


def test_one_program_has_the_lease(lab):
    """`dstm-client run`: a page for one program; the host has no IPv4, before and after."""
    node, client = lab.nodes[OWNER], lab.programs[OWNER]
    assert not client.running
    before = host_state(node)
    config = lab.folder / "run.yaml"
    config.write_text(f"server: '{client.spec.config['server']}'\n"
                      f"socket: {client.socket}\nstate: {lab.folder}/run.state\n")
    page = node.run([str(build_folder() / "src/client/dstm-client"), "run", "-c", str(config), "--",
                     "curl", "-sS", "-m", "10", f"http://{WEB}/"], 30)
    assert page.startswith("You are 198.51.100.7 port ")
    assert host_state(node) == before
    active = [lease for lease in lab.programs["server"].ctl("leases") if lease["state"] == "active"]
    assert len(active) == len(BOTH)
