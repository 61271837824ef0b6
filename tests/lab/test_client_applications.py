# SPDX-License-Identifier: BSD-3-Clause
"""Everyday programs on hosts without IPv4, in both modes and all at once on one shared address.

Every test runs its program on four clients at the same time, two in mode napt and two in mode
host, and where the server can tell, it must have seen the lease of each and nobody else's ports.
"""

import concurrent.futures
import json
import re
import subprocess

import pytest

from applications import ECHO_PORT, Sshd, UdpEcho, say
from client_lab import CLIENTS, is_leased, mode_of, with_clients
from conftest import SHARED_ADDRESS, derived, run_steps, wait_until
from lab import steps
from lab.run import Lab
from packets import WEB

PAGE = f"http://{WEB}/"
BURST = 200


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    change = with_clients({name: mode_of(name) for name in CLIENTS})
    with Lab(derived(tmp_path_factory, SHARED_ADDRESS, change)) as lab:
        run_steps(lab, "start", "teps_connected")
        for name in CLIENTS:
            lab.start(name)
        for name in CLIENTS:
            steps.wait_for_lease(lab, name)
        assert len({lease["v4"] for lease in lab.leases.values()}) == 1
        # One port unreachable a second would be too few for four traceroutes from one address.
        lab.nodes["web"].sysctl("net/ipv4/icmp_ratelimit", "0")
        yield lab


def on_all(function, *arguments) -> dict:
    """function(name, ...) for every client at the same time; name -> what it returned."""
    with concurrent.futures.ThreadPoolExecutor(len(CLIENTS)) as pool:
        futures = {name: pool.submit(function, name, *arguments) for name in CLIENTS}
        return {name: future.result() for name, future in futures.items()}


def assert_seen_as_leased(lab, seen: dict[str, list[tuple[str, str]]]):
    for name, peers in seen.items():
        assert peers, name
        for address, port in peers:
            assert is_leased(lab.leases[name], address, port), (name, address, port)


def test_ping(lab):
    """R59, R60: the identifiers of four hosts are kept apart."""
    def ping(name):
        return lab.nodes[name].run(["ping", "-n", "-c", "5", "-i", "0.1", "-W", "2", WEB],
                                   check=False)

    for name, said in on_all(ping).items():
        assert " 5 received, 0% packet loss" in said, (name, said)


@pytest.mark.parametrize("method", ["-U", "-I"])
def test_traceroute(lab, method):
    """S9: the TEP is the first hop, the server the second, by UDP and by ICMP."""
    def trace(name):
        return lab.nodes[name].run(["traceroute", "-n", method, "-N", "1", "-q", "1", WEB], 60)

    for name, said in on_all(trace).items():
        assert re.search(r"^ *1 +192\.0\.0\.1 ", said, re.M), (name, said)
        assert re.search(rf"^ *2 +{WEB} ", said, re.M), (name, said)


def test_curl(lab):
    """R8, R15, R91."""
    def fetch(name):
        said = lab.nodes[name].run(["curl", "-sS", "-m", "20", PAGE, PAGE, PAGE], 30)
        return re.findall(r"You are (\S+) port (\d+)\.", said)

    seen = on_all(fetch)
    assert all(len(peers) == 3 for peers in seen.values())
    assert_seen_as_leased(lab, seen)


def test_a_browsers_burst(lab):
    """S18: 200 connections at the same time from each, and every page comes."""
    def burst(name):
        said = lab.nodes[name].run(
            ["curl", "-sS", "--parallel", "--parallel-immediate", "--parallel-max", str(BURST),
             "-m", "50", "-o", "/dev/null", "-H", "Connection: close",
             "-w", "%{http_code} %header{x-peer-address} %header{x-peer-port}\n",
             f"{PAGE}[1-{BURST}]"], 60)
        return [line.split() for line in said.splitlines()]

    pages = on_all(burst)
    for name, answers in pages.items():
        assert [code for code, *_ in answers] == ["200"] * BURST, name
        assert len({port for _, _, port in answers}) == BURST, name
    assert_seen_as_leased(lab, {name: [(address, port) for _, address, port in answers]
                                for name, answers in pages.items()})


def test_ssh(lab, tmp_path):
    """A session says whom it sees, and a megabyte goes each way unharmed."""
    text = bytes(range(256)) * 4096
    with Sshd(lab.nodes["web"], tmp_path) as sshd:
        def log_in(name):
            return subprocess.run(
                lab.nodes[name].command(sshd.command(WEB, "echo $SSH_CLIENT >&2; cat")),
                input=text, capture_output=True, timeout=60, check=False)

        sessions = on_all(log_in)
    for name, done in sessions.items():
        assert done.returncode == 0, (name, done.stderr)
        assert done.stdout == text, name
    assert_seen_as_leased(lab, {name: [tuple(done.stderr.decode().split()[:2])]
                                for name, done in sessions.items()})


def test_udp_echo(lab):
    """Datagrams of several sizes; the last ones do not fit the tunnel whole (R63)."""
    with UdpEcho(lab.nodes["web"]):
        def talk(name):
            return [say(lab.nodes[name], (WEB, ECHO_PORT), bytes(size))
                    for size in (0, 1, 512, 1432, 1433, 1450)]

        answers = on_all(talk)
    for name, said in answers.items():
        assert None not in said, (name, [answer and len(answer) for answer in said])
    assert_seen_as_leased(lab, {name: [tuple(answer.decode().split(" ")[:2]) for answer in said]
                                for name, said in answers.items()})


def iperf3(lab, name: str, arguments: list[str]) -> dict:
    """One second to a server of its own; what iperf3 says."""
    port = 5210 + CLIENTS.index(name)
    with subprocess.Popen(lab.nodes["web"].command(["iperf3", "-s", "-1", "-p", str(port)]),
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as server:
        wait_until(lambda: f":{port} " in lab.nodes["web"].run(["ss", "-Hlnt"]), 10, "iperf3")
        said = lab.nodes[name].run(
            ["iperf3", "-J", "-c", WEB, "-p", str(port), "-t", "1", *arguments], 60, check=False)
        server.terminate()
    return json.loads(said)


@pytest.mark.parametrize("arguments", [
    [], ["-R"], ["-u", "-b", "10M", "-l", "1200"], ["-u", "-b", "10M", "-l", "1200", "-R"]],
    ids=["tcp up", "tcp down", "udp up", "udp down"])
def test_iperf3(lab, arguments):
    """R19, R20: both protocols, both directions; the four share the way."""
    for name, said in on_all(lambda name: iperf3(lab, name, arguments)).items():
        assert "error" not in said, (name, said["error"])
        if "-u" in arguments:
            total = said["end"]["sum"]
            assert total["lost_packets"] < total["packets"] / 2, (name, total)
        else:
            total = said["end"]["sum_received"]
            assert total["bytes"] > 0, (name, total)
        print(f"{name}: iperf3 {' '.join(arguments)} {total['bits_per_second'] / 1e6:.0f} Mb/s")


NARROW = 1380


@pytest.fixture
def narrow_path(lab):
    """A link in the middle that carries less than both ends can see; routers say so, at first."""
    core = lab.nodes["core"]
    for to, interface in (("2001:db8:1::/64", "clients"), ("2001:db8:fe::/64", "border")):
        core.ip("route", "replace", to, "dev", interface, "proto", "kernel", "metric", "256",
                "mtu", "lock", str(NARROW))
    yield lab
    for to, interface in (("2001:db8:1::/64", "clients"), ("2001:db8:fe::/64", "border")):
        core.ip("route", "replace", to, "dev", interface, "proto", "kernel", "metric", "256")
    for name in CLIENTS:
        lab.nodes[name].run(["ip", "-6", "route", "flush", "cache"])


def assert_bulk_passes(lab):
    """TCP in both directions."""
    for name, said in on_all(lambda name: lab.nodes[name].run(
            ["curl", "-sS", "-m", "30", *[PAGE] * 20], 60)).items():
        assert said.count("You are ") == 20, name
    for name, said in on_all(lambda name: iperf3(lab, name, [])).items():
        assert "error" not in said, (name, said["error"])
        assert said["end"]["sum_received"]["bytes"] > 1_000_000, name


def test_a_narrower_path_is_found(narrow_path):
    """R63, S10: ICMPv6 says what the path carries; larger datagrams arrive as well."""
    lab = narrow_path
    assert_bulk_passes(lab)
    with UdpEcho(lab.nodes["web"]):
        def talk(name):  # the first ones are what finds out
            return any(say(lab.nodes[name], (WEB, ECHO_PORT), bytes(1430), 1) for _ in range(4))

        assert all(on_all(talk).values())
    assert {lab.programs[name].ctl("show")["path_mtu"] for name in CLIENTS} == {NARROW}


def test_a_narrower_path_that_is_silent_can_be_configured(narrow_path):
    """R63: where ICMPv6 is filtered, `mtu` says it."""
    lab = narrow_path
    lab.nodes["core"].run(["nft", "add table inet lab; add chain inet lab out "
                           "{ type filter hook output priority 0; }; "
                           "add rule inet lab out icmpv6 type packet-too-big drop"])
    configure_all(lab, lambda config: config.update(mtu=NARROW - 40))
    try:
        assert_bulk_passes(lab)
    finally:
        lab.nodes["core"].run(["nft", "delete table inet lab"])
        configure_all(lab, lambda config: config.pop("mtu"))


def configure_all(lab, change):
    """Every client with another configuration, by SIGHUP, and with the lease that it then gets."""
    for name in CLIENTS:
        log = lab.programs[name].log
        leases = log.read_text().count("lease: ")
        lab.programs[name].reload(change)
        wait_until(lambda: log.read_text().count("lease: ") > leases, 20, f"a new lease of {name}")
        steps.wait_for_lease(lab, name)


def test_nothing_was_dropped_by_the_holder_checks(lab):
    """S1, S18: what the programs above sent was all inside the leases."""
    counted = lab.programs["tep"].counters()
    for name in ("no_binding_v6", "spoofed_client", "wrong_tep"):
        assert counted[name] == 0, name
    for name in CLIENTS:
        drops = lab.programs[name].ctl("show")["drops"]
        assert drops["tx_address"] == drops["tx_port"] == 0, (name, drops)
