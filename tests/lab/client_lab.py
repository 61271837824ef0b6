# SPDX-License-Identifier: BSD-3-Clause
"""Labs for the tests of clients, and what such a test asks again and again."""

import copy
import json
import subprocess
import time

from applications import ECHO_PORT, say
from conftest import ROOT, wait_until, without_captures
from lab.program import build_folder
from packets import WEB

RECOVERY_FILE = ROOT / "build/bench/recovery.json"

NAPT, HOST = ("napt1", "napt2"), ("host1", "host2")
CLIENTS = NAPT + HOST


def with_clients(modes: dict[str, dict], server: str = "[2001:db8:53::53]:3653"):
    """For derived(): these clients (name -> configuration) in the shared-address lab."""

    def change(content):
        without_captures(content)
        node, program = content["nodes"].pop("client1"), content["programs"].pop("client1")
        del content["nodes"]["client2"], content["programs"]["client2"]
        for number, (name, config) in enumerate(modes.items()):
            content["nodes"][name] = copy.deepcopy(node)
            eth0 = content["nodes"][name]["interfaces"]["eth0"]
            eth0["addresses"] = [f"2001:db8:1::{17 + number}/64"]
            content["programs"][name] = copy.deepcopy(program) | {
                "node": name, "config": {"server": server, "retry_max_s": 4} | config}
        content["steps"] = [{"start": ["http", "iperf", "tep", "server"]},
                            {"teps_connected": {"server": "server"}}]
    return change


def mode_of(name: str) -> dict:
    return {"mode": name.rstrip("0123456789")}


def is_leased(lease: dict, address: str, port) -> bool:
    """An address and port that a server saw are this lease's."""
    return address == lease["v4"] and any(
        first <= int(port) <= last for first, last in lease["ports"])


TEPS = {"2001:db8:fe::1": "192.0.2.1", "2001:db8:fe::3": "192.0.2.3"}  # tunnel end -> IPv4 side
SERVERS = {"server": "[2001:db8:53::53]:3653", "server2": "[2001:db8:53::54]:3653"}
TINY = ("tiny1", "tiny2")  # two clients of a pool with one block
SMALL, SMALL_BLOCK = "small1", 64  # a client of a pool with small blocks
LIFETIME_S = 8


def with_spares(content):
    """For derived(): two TEPs behind the pools, two servers, clients with short and long leases."""
    with_clients({
        "napt1": {"servers": list(SERVERS.values()), "lifetime_s": LIFETIME_S},
        "host1": {"mode": "host", "lifetime_s": LIFETIME_S},
        "tiny1": {}, "tiny2": {"mode": "host"}, SMALL: {}})(content)
    for name in ("napt1", "host1", *TINY, SMALL):
        content["programs"][name]["config"] |= {"retry_max_s": 2}
    del content["programs"]["napt1"]["config"]["server"]
    _second_tep(content)
    _second_server(content)
    content["steps"] = [{"start": ["http", "tep", "tep2", "server"]},
                        {"teps_connected": {"server": "server"}}]


def _second_tep(content):
    node, program = (copy.deepcopy(content[part]["tep"]) for part in ("nodes", "programs"))
    content["programs"]["tep"]["config"]["icmp"] = {"policy_to_clients": True}
    node["interfaces"]["dstm6"] |= {"created_by": "tep2", "addresses": ["2001:db8:fe::3/64"]}
    node["interfaces"]["dstm4"] |= {"created_by": "tep2", "addresses": ["192.0.2.3/24"]}
    program["node"] = "tep2"
    program["config"] |= {"name": "tep2", "tunnel": {"v6": ["2001:db8:fe::3"]},
                          "icmp": {"policy_to_clients": True}}
    content["nodes"]["tep2"], content["programs"]["tep2"] = node, program
    for name in ("tep", "tep2"):
        content["programs"][name]["config"]["control"]["servers"].append(
            {"name": "server2", "password": "example"})


def _second_server(content):
    config = content["programs"]["server"]["config"]
    config["teps"].append(config["teps"][0] | {
        "name": "tep2", "control": "[2001:db8:fe::3]:3654", "v6": "2001:db8:fe::3"})
    config["lease"] = {"lifetime_min_s": 1, "quarantine_s": 1}
    pool = config["pools"][0]
    pool.pop("tep")
    # All go through the first while it lives: what comes back to their address finds one way.
    teps = [{"name": "tep1", "clients": ["2001:db8:1::/64"]}, "tep2"]
    pool |= {"teps": teps}
    pool["clients"] = ["2001:db8:1::17/128", "2001:db8:1::18/128", "2001:db8:1::30/124"]
    for name, prefix, block_size, clients in (("tiny", "198.51.100.9/32", 32768, TINY),
                                              ("small", "198.51.100.10/32", SMALL_BLOCK, [SMALL])):
        prefixes = [content["nodes"][client]["interfaces"]["eth0"]["addresses"][0]
                    .replace("/64", "/128") for client in clients]
        config["pools"].append(pool | {"name": name, "prefix": prefix, "block_size": block_size,
                                       "clients": prefixes})
    other = copy.deepcopy(config)
    for tep in other["teps"]:
        tep["user"] = "server2"
    other["pools"] = [pool | {"name": "other", "prefix": "198.51.100.12/32"}]
    node = copy.deepcopy(content["nodes"]["server"])
    node["interfaces"]["eth0"]["addresses"] = ["2001:db8:53::54/64"]
    content["nodes"]["server2"] = node
    content["programs"]["server2"] = {"node": "server2", "run": "dstm-server", "config": other}


def show(lab, name: str) -> dict:
    return lab.programs[name].ctl("show")


def status(lab, name: str) -> tuple[int, str]:
    """What `dstm-client status` says, and its exit status."""
    client = lab.programs[name]
    command = [str(build_folder() / "src/client/dstm-client"), "status", "-s", str(client.socket)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.returncode, done.stdout


def follow_route(lab, name: str):
    """As the routing of the IPv4 side would: a leased address is reached by the lease's TEP."""
    lease = show(lab, name)
    if lease["v4"] is not None:
        lab.nodes["web"].ip("route", "replace", f"{lease['v4']}/32", "via", TEPS[lease["tep"]])


def has_ipv4(lab, name: str, timeout_s: float = 0.3) -> bool:
    return say(lab.nodes[name], (WEB, ECHO_PORT), name.encode(), timeout_s) is not None


def assert_recovery(lab, name: str, what: str, since: float, timeout_s: float = 40):
    """The client has IPv4 again (a UDP echo); says how long after `since`, a time.monotonic()."""
    def is_back():
        follow_route(lab, name)
        return has_ipv4(lab, name)

    wait_until(is_back, timeout_s, f"IPv4 on {name} after {what}")
    note_recovery(f"{what} ({name})", time.monotonic() - since)


def note_recovery(what: str, seconds: float):
    """On the screen, and for whoever compares runs."""
    print(f"recovery: {what}: {seconds:.2f} s")
    RECOVERY_FILE.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(RECOVERY_FILE.read_text()) if RECOVERY_FILE.exists() else {}
    RECOVERY_FILE.write_text(json.dumps(known | {what: round(seconds, 2)}, indent=2) + "\n")
