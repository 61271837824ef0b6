# SPDX-License-Identifier: BSD-3-Clause
"""
The real dstm-client in a namespace, between a scripted TSP server and a scripted TEP.

DSTM_BUILD names the build directory whose dstm-client is tested.
"""

import os

import pytest

from bench import Bench, Client
from tep import Tep
from tsp_server import TspServer
from world import BINARY, Echo, World


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            if item.path.name.startswith("test_"):
                item.add_marker(pytest.mark.skip(reason="namespaces and tun devices need root"))


@pytest.fixture(name="bench")
def fixture_bench():
    with Bench() as bench:
        yield bench


@pytest.fixture(name="server")
def fixture_server(bench):
    server = TspServer(bench)
    yield server
    server.close()


@pytest.fixture(name="tep")
def fixture_tep(bench):
    tep = Tep(bench)
    yield tep
    tep.close()


@pytest.fixture(name="make_client")
def fixture_make_client(bench, tmp_path):
    """Clients that are not started yet."""
    clients = []

    def make(folder=tmp_path, **settings):
        client = Client(bench, folder, BINARY, **settings)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.kill()
        print(client.log.read_text() if client.log.exists() else "no log")


@pytest.fixture(name="echo")
def fixture_echo(bench, tep):  # the echo's answers come back by the TEP
    return Echo(bench)


@pytest.fixture(name="world")
def fixture_world(bench, tmp_path):
    world = World(bench, tmp_path)
    yield world
    world.close()
