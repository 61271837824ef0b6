# SPDX-License-Identifier: BSD-3-Clause
"""Real clients and a real server that sends everybody on to another one (R108, S35)."""

import time

import pytest

from applications import UdpEcho
from client_lab import LIFETIME_S, SERVERS, follow_route, has_ipv4, show, with_spares
from conftest import SHARED_ADDRESS, derived, run_steps, wait_until
from lab import steps
from lab.run import Lab

CLIENT = "host1"  # its configuration names the first server alone


def with_redirection(content):
    with_spares(content)
    content["programs"]["server"]["config"]["redirect"] = {
        "when": "always", "brokers": [SERVERS["server2"].split("]")[0].strip("[")]}


@pytest.fixture(name="lab", scope="module")
def fixture_lab(tmp_path_factory):
    with Lab(derived(tmp_path_factory, SHARED_ADDRESS, with_redirection)) as lab:
        run_steps(lab, "start", "teps_connected")
        with UdpEcho(lab.nodes["web"]):
            yield lab


def test_a_client_goes_where_it_is_sent_and_stays_there(lab):
    lab.start("server2")
    steps.wait_for_teps(lab.programs["server2"])
    lab.start(CLIENT)
    steps.wait_for_lease(lab, CLIENT)
    assert show(lab, CLIENT)["server"] == SERVERS["server2"]
    follow_route(lab, CLIENT)
    wait_until(lambda: has_ipv4(lab, CLIENT), 10, "IPv4")
    end = time.monotonic() + LIFETIME_S * 0.75
    while time.monotonic() < end:  # a renewal goes there, too
        assert has_ipv4(lab, CLIENT)
        time.sleep(0.2)
    assert lab.programs["server"].ctl("leases") == []
    assert len(lab.programs["server2"].ctl("leases")) == 1
