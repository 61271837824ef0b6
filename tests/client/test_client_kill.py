# SPDX-License-Identifier: BSD-3-Clause
"""
kill -9 before every single step of a client's life that changes something outside of it.

A preloaded library (killpoint.c) counts the steps of a life, from the start over a lease to the end, and kills the
client before the first of them, in the next life before the second, and so on, until a life is not that long. Each
time another client is started, is ended as soon as it answers, and leaves the host as the first found it.
"""

import signal
import socket
import subprocess
import threading
from pathlib import Path

from bench import PEER_V4, Bench, Client, run, wait_for
from tsp_server import TspServer
from world import BINARY, UDP_PORT

LIBRARY = Path(BINARY).parents[2] / "tests/client/libkillpoint.so"

# Rules, addresses, routes, devices, settings: all that a client might forget. A count is no setting.
SNAPSHOT = """
nft list ruleset
ip -4 -o addr; ip rule; ip -4 route show table all; ip -o link; ip netns identify
sysctl -a -r '^net\\.' 2>/dev/null | grep -v nf_conntrack_count
"""

LIVES = {
    "napt": {"on_demand": "true", "idle_s": 0,
             "forwards": '[{port: 2050, to: 22}, {protocol: udp, to: "192.168.7.5:53"}]'},
    "host": {"mode": "host"},
    "host on demand": {"mode": "host", "on_demand": "true"},
    "another namespace": {"mode": "host", "netns": "%s"},
}


class Life:
    """One configuration, killed again and again in a world of its own."""

    def __init__(self, tag, folder, settings):
        self.bench = Bench(tag)
        self.folder = folder
        self.inside = f"{self.bench.client}n"  # the namespace beside, for who wants one
        self.settings = {key: value.replace("%s", self.inside) if key == "netns" else value
                         for key, value in settings.items()}
        self.steps = 0
        self.errors = []

    def client(self, step=None):
        """One that is killed before that step, or none."""
        client = Client(self.bench, self.folder, BINARY, **self.settings)
        if step is not None:
            client.arguments = [f"LD_PRELOAD={LIBRARY}", f"KILLPOINT={step}", str(client.binary)]
            client.binary = "env"
        return client

    def snapshot(self):
        files = sorted(path.name for path in self.folder.glob("client.s*"))
        inside = run("ip", "netns", "exec", self.inside, "sh", "-c", SNAPSHOT)
        return [files, *self.bench.in_client("sh", "-c", SNAPSHOT).splitlines(),
                *inside.splitlines()]

    def reaches(self, client, states):
        """Waits for a state; False when the client has died before."""
        def look():
            if client.process.poll() is not None:
                return True
            return any(client.state_is(state) for state in states)

        wait_for(look, f"one of {states}")
        return client.process.poll() is None

    def live(self, client):
        """To the lease and to the end, or as far as it gets."""
        client.start()
        if "on_demand" in self.settings and self.reaches(client, ["idle"]):
            with self.bench.client_socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                try:
                    sock.sendto(b"x", (PEER_V4, UDP_PORT))
                except OSError:
                    pass  # it has just died
        if self.reaches(client, ["bound"]):
            client.signal(signal.SIGTERM)
        return client.wait()

    def follow(self, step, before):
        follower = self.client().start()
        try:
            if not self.reaches(follower, ["idle", "connecting", "requesting", "bound"]):
                self.errors.append(f"step {step}: {follower.log.read_text()}")
                return
            follower.signal(signal.SIGTERM)
            if follower.wait() != 0:
                self.errors.append(f"step {step}: the end of the next one")
        finally:
            follower.kill()
        after = self.snapshot()
        if after != before:
            difference = set(map(str, after)) ^ set(map(str, before))
            self.errors.append(f"step {step}: {sorted(difference)}")

    def run(self):
        with self.bench:
            server = TspServer(self.bench)
            try:
                run("ip", "netns", "add", self.inside)
                before = self.snapshot()
                assert self.live(self.client()) == 0
                assert self.snapshot() == before
                while self.live(self.client(self.steps + 1)) == -signal.SIGKILL:
                    self.steps += 1
                    self.follow(self.steps, before)
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                self.errors.append(repr(error))
            finally:
                server.close()
                run("ip", "netns", "del", self.inside, check=False)


def test_client_killed_at_any_step_leaves_nothing_that_stays(tmp_path):
    lives = []
    for number, (name, settings) in enumerate(LIVES.items()):
        folder = tmp_path / f"life{number}"
        folder.mkdir()
        lives.append(Life(f"k{number}", folder, settings))
        lives[-1].name = name
    threads = [threading.Thread(target=life.run) for life in lives]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for life in lives:
        print(f"{life.name}: killed before each of {life.steps} steps")
        assert life.errors == []
        assert life.steps >= 30
