# SPDX-License-Identifier: BSD-3-Clause
"""End-to-end tests: every module brings up a lab of its own, with the real daemons."""

import contextlib
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lab import netns, steps  # noqa: E402
from lab.run import Lab, remove_dead_runs  # noqa: E402

SHARED_ADDRESS = ROOT / "config/lab/shared-address.yaml"
HOST_MODE = ROOT / "config/lab/host-mode.yaml"


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_behind():
    """After the last test no namespace, control socket folder or capture of this run stands."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    remove_dead_runs()
    yield
    assert netns.present(os.getpid()) == []
    assert not Path("/run", netns.prefix(os.getpid())).exists()


def derived(tmp_path_factory, path: Path, change) -> str:
    """A copy of a lab file, its content changed by change(content)."""
    content = yaml.safe_load(path.read_text())
    change(content)
    copy = tmp_path_factory.mktemp("lab") / path.name
    copy.write_text(yaml.safe_dump(content, sort_keys=False))
    return str(copy)


def without_captures(content):
    """For derived(): a lab that captures nothing by itself, and no step about captures."""
    content["captures"] = {}
    content["steps"] = [step for step in content["steps"] if not {"only_ipv6", "empty"} & set(step)]


def on_pcap_ports(content):
    """For derived(): no captures, and ports that take frames as they are on the links. net_af_packet
    lets the kernel join IPv4 fragments, and cuts what is then too long for its buffers."""
    without_captures(content)
    eal = content["programs"]["tep"]["eal"]
    for at, text in enumerate(eal):
        if port := re.fullmatch(r"net_af_packet(\d),iface=(\w+).*", text):
            eal[at] = f"net_pcap{port[1]},rx_iface_in={port[2]},tx_iface={port[2]}"


def run_steps(lab, *kinds: str):
    """The steps of these kinds, in the order of the file; every check in them must hold."""
    for kind, arguments in lab.spec.steps:
        if kind in kinds:
            steps.FUNCTIONS[kind](lab, arguments)
    assert lab.screen.all_hold, lab.screen.results


@contextlib.contextmanager
def lab_with_leases(path):
    """A lab whose daemons run and whose clients hold their leases."""
    with Lab(str(path)) as lab:
        run_steps(lab, "start", "teps_connected", "leases")
        yield lab


def wait_until(condition, timeout_s: float, what: str):
    """The first true value of condition(); fails when there is none in time."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
        time.sleep(0.02)
    return value


def counters(lab):
    """What the TEP counted so far, by name."""
    return {row["name"]: row["packets"] for row in lab.programs["tep"].ctl("counters")}
