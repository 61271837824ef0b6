# SPDX-License-Identifier: BSD-3-Clause
"""End-to-end tests: every module brings up a lab of its own, in namespaces, with the real daemons."""

import os
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lab import netns  # noqa: E402
from lab.run import remove_dead_runs  # noqa: E402


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
