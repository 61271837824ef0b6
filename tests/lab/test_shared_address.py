# SPDX-License-Identifier: BSD-3-Clause
"""The main job: two IPv6-only clients share one IPv4 address and reach an IPv4-only web server."""

import pytest

from conftest import SHARED_ADDRESS
from lab.run import Lab


@pytest.fixture(scope="module")
def results():
    """The first lab from its first step to its last: what -> (holds, figure)."""
    with Lab(str(SHARED_ADDRESS)) as lab:
        lab.run_steps()
    for what, holds, figure in lab.screen.results:
        print(f"{what}: {'ok' if holds else 'NOT OK'}, {figure}")
    return {what: (holds, figure) for what, holds, figure in lab.screen.results}


@pytest.mark.parametrize("what", [
    "client1 has a lease", "client2 has a lease", "one address, port ranges apart",
    "client1 pings 192.0.2.80", "client2 pings 192.0.2.80",
    "client1 fetches pages", "client2 fetches pages", "pages at the same time",
    "the web server sees client1's lease", "the web server sees client2's lease",
    "client1 bulk TCP down", "client2 bulk TCP up",
    "nothing but IPv6 in client1", "nothing but IPv6 in client2", "not-ipv6 caught nothing",
    "tep no_binding_v6 is 0", "tep spoofed_client is 0", "tep wrong_tep is 0",
])
def test_the_first_lab(results, what):
    """R1, R2, R19, R21, R23, R55, R57, R59, R60, S1."""
    assert what in results, f"the lab did not come so far: {results}"
    holds, figure = results[what]
    assert holds, figure


def test_the_first_lab_checks_nothing_that_is_not_named_here(results):
    assert all(holds for holds, _ in results.values()), results
