# SPDX-License-Identifier: BSD-3-Clause
"""What a client changed on its host is gone after its end, also when a kill -9 came before."""

import re

import pytest

from conftest import HOST_MODE, derived, run_steps, without_captures
from lab import steps
from lab.run import Lab

NAPT = "napt"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The host mode lab with a third client, in NAPT mode; no client runs yet."""

    def with_napt(content):
        without_captures(content)
        content["nodes"][NAPT] = {
            "interfaces": {"eth0": {"link": "clients", "addresses": ["2001:db8:1::19/64"]}},
            "routes": [{"to": "default", "via": "2001:db8:1::1"}]}
        content["programs"][NAPT] = {"node": NAPT, "run": "dstm-client",
                                     "config": {"server": "[2001:db8:53::53]:3653"}}
        content["steps"] = [{"start": ["http", "tep", "server"]},
                            {"teps_connected": {"server": "server"}}]

    with Lab(derived(tmp_path_factory, HOST_MODE, with_napt)) as lab:
        run_steps(lab, "start", "teps_connected")
        yield lab


def state_of(node) -> dict[str, str]:
    """All that a client may touch on its host."""
    sysctls = node.run(["sysctl", "-a", "-r", r"^net\.ipv[46]\."], check=False)
    return {
        "addresses": re.sub(r"(valid|preferred)_lft \S+", "", node.ip("address", "show")),
        "routes": node.ip("-4", "route", "show", "table", "all") + node.ip("-6", "route", "show"),
        "rules": node.ip("-4", "rule", "show") + node.ip("-6", "rule", "show"),
        "nftables": node.run(["nft", "list", "ruleset"]),
        "sysctls": "\n".join(line for line in sysctls.splitlines() if ".conf.dstm0." not in line),
    }


@pytest.mark.parametrize("client", ["ranged", "whole", NAPT])
def test_a_client_leaves_no_trace(lab, client):
    node, program = lab.nodes[client], lab.programs[client]
    before = state_of(node)

    lab.start(client)
    lease = steps.wait_for_lease(lab, client)
    assert state_of(node) != before, "the client changed nothing"
    assert program.stop() == 0
    assert state_of(node) == before

    lab.start(client)
    steps.wait_for_lease(lab, client)
    program.kill()
    lab.start(client)
    again = steps.wait_for_lease(lab, client)
    assert (again["device"], again["mode"]) == (lease["device"], lease["mode"])
    assert steps.ping_once(lab, client, "192.0.2.80", 3)[0] == 3
    assert program.stop() == 0
    assert state_of(node) == before
