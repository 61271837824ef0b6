# SPDX-License-Identifier: BSD-3-Clause
"""A scripted TEP and a server that dials it."""

import signal

import pytest

from dstm_server import Server
from tsp_peers import ScriptedTep


@pytest.fixture(name="tep")
def fixture_tep():
    tep = ScriptedTep()
    yield tep
    tep.stop()


@pytest.fixture(name="teps")
def fixture_teps(request):
    """Scripted TEPs: one for each address in the module's V6."""
    teps = [ScriptedTep(v6=v6) for v6 in request.module.V6]
    yield teps
    for tep in teps:
        tep.stop()


@pytest.fixture(name="server")
def fixture_server(tmp_path, tep):
    server = Server(tmp_path, [tep])
    yield server
    server.stop(signal.SIGKILL)
    log = server.log() if (tmp_path / "log").exists() else ""
    print(log)
    assert "runtime error" not in log and "Sanitizer" not in log
