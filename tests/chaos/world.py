# SPDX-License-Identifier: BSD-3-Clause
"""The real server and the real TEP under a load, how they are killed, and how their tables are compared."""

import asyncio
import signal
import time

from dstm_server import Server
from dstm_tep import Tep, free_port
from iofault import TORN_STATUS

from .flaps import Proxy

QUARANTINE_S = 2
LEVEL_S = 5  # after this their tables are equal
END_S = 2  # both round to seconds, and the TEP ends a binding by itself
START_S = 30


class World:
    """faults: of the server's disk (iofault.py), or None. proxy: the path to the TEP, or None for a direct one."""

    def __init__(self, folder, faults=None, proxy=False):
        self.tep = Tep(folder)
        self.server = Server(folder, [self.tep])
        self.port = free_port()
        self.faults = faults
        self.server.environment = faults.environment if faults else None
        self.server.config["listen"] = [f"[::1]:{self.port}"]
        self.server.config["pools"][0]["prefix"] = "198.51.100.0/28"
        self.server.config["records"] = {"file": str(folder / "records.jsonl")}
        self.server.config["lease"].update(quarantine_s=QUARANTINE_S, tep_timeout_s=2)
        self.proxy = Proxy(self.tep.port) if proxy else None
        self.slowest_s = 0
        self.n_leases = 0

    async def start(self):
        if self.proxy is not None:
            await self.start_proxy()
        self.tep.launch()
        self.server.launch()

    async def start_proxy(self):
        """More addresses than else, so that a flap is about many leaves; and a TEP that knows what it knew."""
        await self.proxy.start()
        self.server.config["teps"][0]["control"] = f"[::1]:{self.proxy.port}"
        self.server.config["pools"][0]["prefix"] = "198.51.96.0/22"
        self.server.config["lease"]["tep_compare_s"] = 1
        self.tep.config["bindings"]["snapshot"] = str(self.tep.folder / "snapshot")

    async def there(self):
        """Until both programs answer."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            self.check_running()
            try:
                self.server.ctl("show")
                self.tep.ctl("show")
                return
            except OSError:
                await asyncio.sleep(0.02)
        raise AssertionError(f"a program does not answer: {self.server.log()[-3000:]}")

    def kill(self, names):
        for name in names:
            getattr(self, name).stop(signal.SIGKILL)
        for name in names:
            getattr(self, name).launch()

    async def stop(self):
        self.server.stop(signal.SIGKILL)
        self.tep.stop(signal.SIGKILL)
        if self.proxy is not None:
            await self.proxy.stop()

    def check_running(self):
        """A program that ended without being killed has a bug, unless it ended in a torn write."""
        if self.faults is not None and self.server.process.poll() == TORN_STATUS:
            self.server.launch()
        for process, log in ((self.server.process, self.server.log), (self.tep.process, self.tep.log)):
            assert process.poll() is None, f"ended with {process.poll()}: {log()[-3000:]}"

    async def level(self):
        """Until the server and the TEP speak with each other."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            self.check_running()
            try:
                if self.server.ctl("teps")["items"][0]["state"] == "connected":
                    return
            except OSError:
                pass
            await asyncio.sleep(0.02)
        raise AssertionError(f"no session between server and TEP: {self.server.log()[-3000:]}")

    def server_table(self):
        """(v4, first, last): client and seconds left, of all active leases."""
        items, after = [], {}
        while after is not None:
            page = self.server.ctl("leases", **after)
            items += page["items"]
            after = None if page["next"] is None else {"after": page["next"]}
        return {(lease["v4"], first, last): (lease["client"], lease["seconds_left"])
                for lease in items if lease["state"] == "active"
                for first, last in lease["ports"]}

    def tep_table(self):
        return {(b["v4"], b["first"], b["last"]): (b["client"], b["seconds_left"])
                for b in self.tep.bindings()}

    def differences(self, history):
        """What is in one place and not in the other, those aside that are about to end."""
        server, tep, held = self.server_table(), self.tep_table(), history.held(time.monotonic())

        def missing(here, there):
            return [(key, client, left) for key, (client, left) in here.items()
                    if left > END_S and (key not in there or there[key][0] != client or
                                         abs(there[key][1] - left) > END_S)]

        lost = [(key, client) for key, client in held.items()
                if key not in server or server[key][0] != client]
        self.n_leases = len(server)
        return {"not at the TEP": missing(server, tep), "not at the server": missing(tep, server),
                "lost": lost}

    async def compare(self, history):
        """The tables are equal within LEVEL_S, and what clients hold is in them."""
        began = time.monotonic()
        while any((found := self.differences(history)).values()):
            if time.monotonic() > began + LEVEL_S:
                raise AssertionError(f"after {LEVEL_S} s: {found}")
            await asyncio.sleep(0.05)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
