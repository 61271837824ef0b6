# SPDX-License-Identifier: BSD-3-Clause
"""Labs for the tests of clients: four clients, two in each mode, all on one IPv4 address."""

import copy

from conftest import without_captures

NAPT, HOST = ("napt1", "napt2"), ("host1", "host2")
CLIENTS = NAPT + HOST


def with_clients(modes: dict[str, dict], server: str = "[2001:db8:53::53]:3653"):
    """For derived(): the shared-address lab with these clients instead of its own; name -> configuration."""

    def change(content):
        without_captures(content)
        node, program = content["nodes"].pop("client1"), content["programs"].pop("client1")
        del content["nodes"]["client2"], content["programs"]["client2"]
        for number, (name, config) in enumerate(modes.items()):
            content["nodes"][name] = copy.deepcopy(node)
            content["nodes"][name]["interfaces"]["eth0"]["addresses"] = [f"2001:db8:1::{17 + number}/64"]
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
