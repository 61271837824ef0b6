# SPDX-License-Identifier: BSD-3-Clause
"""Deterministic pools (S27, RFC 7422) and pools that run full (S32), on the real server."""

import json
import os
import subprocess

import pytest

from dstm_server import BINARY, ROOT, WAIT_S, wait_for
from tsp_peers import address_xml

DSTMCTL = ROOT / os.environ.get("DSTM_BUILD", "build/gcc") / "src/ctl/dstmctl"
POOL = {"name": "plan", "prefix": "198.51.100.0/31", "block_size": 16384, "tep": "tep0",
        "assign": "deterministic", "subscribers": "2001:db8:7::/48", "subscriber_length": 50}


def planned(server, question):
    answer = subprocess.run(
        [DSTMCTL, "server", "who", question, "--config", server.folder / "server.yaml", "--json"],
        capture_output=True, text=True, timeout=60, check=True)
    return json.loads(answer.stdout)["planned"]


@pytest.fixture(name="plan")
def fixture_plan(server):
    server.config["pools"] = [dict(POOL)]
    return server


def test_the_prefix_says_what_a_subscriber_gets_and_back(plan, tep):
    """Four subscribers of a /50 each, six blocks: who had a port needs the configuration and nothing else."""
    plan.start().wait_level()
    got = {}
    for quarter, client in enumerate(["2001:db8:7::1", "2001:db8:7:4000::1", "2001:db8:7:8000::1",
                                      "2001:db8:7:c000::1"]):
        info = plan.lease(client)
        got[client] = (info.address("client", "ipv4"), info.ports)
        first = [16384, 32768, 49152, 16384][quarter]
        assert got[client] == (f"198.51.100.{quarter // 3}", ((first, first + 16383),))
    plan.stop()
    for client, (v4, ports) in got.items():
        found = planned(plan, f"{v4}:{ports[0][1]}")
        assert found["subscriber"] == client.replace("::1", "::/50")
        assert found["ports"] == [list(ports[0])]


def test_a_block_is_one_subscribers_even_when_others_have_none(plan, tep):
    """Who is no subscriber gets nothing; a second client of one subscriber waits for the first."""
    plan.start().wait_level()
    client, _ = plan.lease("2001:db8:7::1", version="1.0")
    assert plan.anonymous("1.0").create("2001:db8:8::1").code == 306
    assert plan.anonymous("1.0").create("2001:db8:7::2").code == 306
    assert plan.anonymous("1.0").create("2001:db8:7:4000::1").code == 200
    client.close()


def test_a_plan_gives_no_more_ports_than_its_one_block(plan, tep):
    """R58 ends here: a second block would be another subscriber's."""
    plan.start().wait_level()
    client, info = plan.lease("2001:db8:7::1", version="1.0")
    more = client.ask("create", address_xml(info.address("client", "ipv4"), "2001:db8:7::1", info.ports)
                      + '<ports count="1024"/>')
    assert more.code != 200 or more.ports == info.ports
    assert len(tep.table) == 1 and plan.ctl("pools")["items"][0]["leased"] == 1
    client.close()


def test_what_has_no_block_goes_to_a_later_pool(plan, tep):
    plan.config["pools"][0].update(subscriber_length=52, overflow=True)
    plan.config["pools"].append({"name": "rest", "prefix": "203.0.113.0/31", "tep": "tep0"})
    plan.start().wait_level()
    sixth = plan.lease("2001:db8:7:5000::1")
    seventh = plan.lease("2001:db8:7:6000::1")
    assert sixth.address("client", "ipv4") == "198.51.100.1"
    assert seventh.address("client", "ipv4").startswith("203.0.113.")


@pytest.mark.parametrize("change, sentence", [
    ({"subscriber_length": 64}, "has more subscribers with a /64 each than the pool has blocks (6)"),
    ({"subscriber_length": 40}, "subscriber_length 40 is shorter than 2001:db8:7::/48"),
    ({"subscribers": None}, "needs subscribers"),
    ({"mode": "exclusive", "subscriber_length": 50}, "than the pool has addresses (2)"),
])
def test_a_plan_that_cannot_be_is_refused(plan, change, sentence):
    plan.config["pools"][0].update(change)
    plan.config["pools"][0] = {k: v for k, v in plan.config["pools"][0].items() if v is not None}
    path = plan.write_config()
    answer = subprocess.run([BINARY, "-t", "-c", path], capture_output=True, text=True,
                            timeout=WAIT_S, check=False)
    assert answer.returncode == 2 and sentence in answer.stderr


def test_a_lease_from_before_the_plan_is_replaced(plan, tep):
    """What the plan says is right about everybody, also after it came."""
    plan.config["pools"][0] = {k: POOL[k] for k in ("name", "prefix", "block_size", "tep")}
    plan.config["lease"]["quarantine_s"] = 0
    plan.start().wait_level()
    clients = [f"2001:db8:7:{quarter}000::1" for quarter in "48c"]
    for client in clients:
        plan.lease(client, version="1.0")
    plan.stop()
    plan.config["pools"][0] = dict(POOL)
    plan.start().wait_level()

    def as_planned():
        for client in clients:
            plan.anonymous("1.0").create(client)
        held = {lease["client"]: (lease["v4"], lease["ports"]) for lease in plan.leases("active")}
        return held == {clients[0]: ("198.51.100.0", [[32768, 49151]]),
                        clients[1]: ("198.51.100.0", [[49152, 65535]]),
                        clients[2]: ("198.51.100.1", [[16384, 32767]])}

    wait_for(as_planned, "everybody to have what the plan says")
