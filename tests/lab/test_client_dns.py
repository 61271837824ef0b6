# SPDX-License-Identifier: BSD-3-Clause
"""A lookup as the demand for a lease (R13): a name server, real lookups, and no IPv4 packet before the lease."""

import socket
import subprocess
import time
from pathlib import Path

import pytest

from client_lab import mode_of, with_clients
from conftest import SHARED_ADDRESS, derived, run_steps, wait_until
from lab import steps
from lab.run import Lab
from packets import WEB

OLD, NEW, BOTH = "old.example", "new.example", "both.example"
SERVER = "2001:db8:53::53"
CLIENTS = ("napt1", "napt2", "host1")
LOOK_UP = "import socket, sys; print(socket.getaddrinfo(sys.argv[1], 80, type=socket.SOCK_STREAM))"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    change = with_clients({name: mode_of(name) | {"on_demand": True, "dns_trigger": True}
                           for name in CLIENTS})
    with Lab(derived(tmp_path_factory, SHARED_ADDRESS, change)) as lab:
        run_steps(lab, "start", "teps_connected")
        lab.resolv_conf = lab.folder / "resolv.conf"
        lab.resolv_conf.write_text(f"nameserver {SERVER}\n")
        dnsmasq = subprocess.Popen(
            lab.nodes["server"].command(
                ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                 "--bind-interfaces", f"--listen-address={SERVER}", "--user=root", "--pid-file",
                 "--local=/example/", f"--host-record={OLD},{WEB}", f"--host-record={NEW},{SERVER}",
                 f"--host-record={BOTH},{WEB},{SERVER}"]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for name in CLIENTS:
                lab.start(name)
                wait_until(lambda name=name: state(lab, name) == "idle", 5, f"{name} to be idle")
            wait_until(lambda: WEB in resolved(lab, "server", OLD), 5, "the name server")
            yield lab
        finally:
            dnsmasq.terminate()
            dnsmasq.wait(5)


def state(lab, name: str) -> str:
    return lab.programs[name].ctl("show")["state"]


def resolved(lab, name: str, looked_up: str) -> str:
    """What the C library says of a name on a node: it asks for both kinds of address."""
    return inside(lab, name, ["/usr/bin/python3", "-c", LOOK_UP, looked_up])


def inside(lab, name: str, command: list[str]) -> str:
    """With the lab's name server: `ip netns exec` has given the command mounts of its own."""
    script = f'mount --bind {lab.resolv_conf} /etc/resolv.conf && exec "$@"'
    return lab.nodes[name].run(["sh", "-c", script, "sh", *command], check=False)


def wake_ups(lab, name: str) -> int:
    """How often a client's threads have gone to sleep again."""
    total = 0
    for task in Path(f"/proc/{lab.programs[name].pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def test_only_replies_wake_an_idle_client(lab):
    """Neither other packets, nor datagrams to the port of a name server, nor a name that has no IPv4."""
    before = wake_ups(lab, "napt2")
    lab.nodes["core"].run(["ping", "-n", "-q", "-c", "50", "-i", "0.01", "2001:db8:1::18"])
    with lab.nodes["core"].inside(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        for _ in range(50):
            sender.sendto(b"x" * 64, ("2001:db8:1::18", 53))
    time.sleep(0.2)
    after = wake_ups(lab, "napt2")
    assert after - before <= 4, "the command that counts takes some itself"
    assert SERVER in resolved(lab, "napt2", NEW)
    assert SERVER in resolved(lab, "napt2", BOTH)
    time.sleep(0.5)
    assert state(lab, "napt2") == "idle"


def test_hostile_replies_are_survived(lab):
    """From the right port, and nonsense: cut, a pointer to itself, counts that lie."""
    with lab.nodes["core"].inside(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.bind(("", 53))
        for octets in (b"", b"\x80" * 3, b"\x00\x01\x81\x80" + b"\xff" * 200,
                       bytes.fromhex("0001818000010001000000000001") + b"\xc0\x0c" * 40,
                       bytes.fromhex("000181800001ffff00000000c00c001c0001"), b"\x81" * 1400):
            for _ in range(20):
                sender.sendto(octets, ("2001:db8:1::18", 3653))
    assert state(lab, "napt2") == "idle"
    assert lab.programs["napt2"].running


@pytest.mark.parametrize("name", ["napt1", "host1"])
def test_a_lookup_brings_the_lease_before_the_first_packet(lab, name):
    assert WEB in resolved(lab, name, OLD)
    steps.wait_for_lease(lab, name)
    assert lab.programs[name].counters()["tx_packets"] == 0
    page = inside(lab, name, ["curl", "-sS", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}",
                              f"http://{OLD}/"])
    assert page == "200"
    assert lab.programs[name].counters()["tx_packets"] > 0
