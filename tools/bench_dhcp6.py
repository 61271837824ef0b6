# SPDX-License-Identifier: BSD-3-Clause
"""Loads of DHCPv6 exchanges by perfdhcp, on a link of their own: our server and Kea in turn."""

import contextlib
import json
import os
import re
import sqlite3
import struct
import subprocess
import time

LINK = "dhcp0", "dhcp1"  # the server's end and that of perfdhcp

KEA = {"Dhcp6": {
    "interfaces-config": {"interfaces": [LINK[0]]},
    "lease-database": {"type": "memfile", "persist": True, "lfc-interval": 0},
    "multi-threading": {"enable-multi-threading": True},
    "server-id": {"type": "EN", "enterprise-id": 32473, "identifier": "01", "persist": False},
    "valid-lifetime": 86400, "preferred-lifetime": 86000,
    "subnet6": [{"id": 1, "subnet": "2001:db8:9::/48", "interface": LINK[0],
                 "pools": [{"pool": "2001:db8:9::/64"}]}],
    "loggers": [{"name": "kea-dhcp6", "severity": "ERROR",
                 "output_options": [{"output": "stderr"}]}]}}

# The part of our server's configuration.
OURS = f'dhcpv6: {{interfaces: [{LINK[0]}], addresses: "2001:db8:9::/64"}}'

# What perfdhcp adds to its IA_NA in all messages, whoever is asked: an IA_DSTM for any port range.
IA_DSTM = "65100," + struct.pack("!IIIHHHH", 1, 0, 0, 65102, 4, 0, 0).hex()

FIRST_RATE, STEP = 1500, 1.35  # exchanges begun a second, and what comes next
REFINEMENTS = 2
TRIES = 2
PERFDHCP_STARTS = 5
LOST_MAX = 0.02  # of the exchanges begun at a rate that counts
EXCHANGES_S = 2  # of each rate
EXCHANGES_WAIT_S = 0.5  # for answers when the last exchange has begun


class LoadError(Exception):
    pass


def told(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def wait_until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise LoadError(f"waited in vain for {what}")
        time.sleep(0.05)


class Measured:
    """A server with what loads have found out about it."""

    completed = 0  # exchanges
    peak = 0  # the most in a second, however many were lost

    def check(self):
        """All loads are over: was each exchange what it should be?"""


class Ours(Measured):
    """dstm-server and its TEP; each exchange has to have become a lease, there and on the disk."""

    name = "ours"

    def __init__(self, tep, server, store):
        """Context managers of the two, which are started, and the path of the store."""
        self.stack = contextlib.ExitStack()
        self.tep = self.stack.enter_context(tep)
        self.server = self.stack.enter_context(server)
        self.store = store

    def __enter__(self):
        self.tep.wait_until_up()
        self.server.wait_until_up()
        self.tep.wait_level()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def check(self):
        wait_until(lambda: self.server.leases() == self.tep.bindings(),
                   "the TEP to have a binding for each lease")
        leases = self.server.leases()
        made = self.server.counter("leases-created") + self.server.counter("leases-renewed")
        self.server.stop()
        with contextlib.closing(sqlite3.connect(self.store)) as store:
            stored = store.execute("SELECT count(*) FROM leases WHERE state='active'").fetchone()[0]
        print(f"  ours: {self.completed} exchanges ended, {made} leases made; {leases} are there, "
              f"as many at the TEP, {stored} in the store", flush=True)
        if stored != leases or made < self.completed:
            raise LoadError("not every exchange was a lease")


class Kea(Measured):
    """kea-dhcp6 with its memfile back end."""

    name = "kea"

    def __init__(self, folder):
        path = os.path.join(folder, "kea.json")
        leases = os.path.join(folder, "kea-leases.csv")
        KEA["Dhcp6"]["lease-database"]["name"] = leases
        with open(path, "w", encoding="utf-8") as file:
            json.dump(KEA, file)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(leases)
        environment = dict(os.environ, KEA_PIDFILE_DIR=folder, KEA_LOCKFILE_DIR=folder)
        self.log = os.path.join(folder, "kea.log")
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(["kea-dhcp6", "-c", path], env=environment, stdout=log,
                                            stdin=subprocess.DEVNULL, stderr=log)

    def __enter__(self):
        wait_until(lambda: b":547 " in told("ss", "-Huln"), "Kea to listen")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def check(self):
        if self.process.poll() is not None:
            with open(self.log, encoding="utf-8") as log:
                raise LoadError(f"Kea has ended: {log.read()[-500:]}")


def link_up():
    if os.path.exists(f"/sys/class/net/{LINK[0]}"):
        return
    for line in (f"link add {LINK[0]} type veth peer name {LINK[1]}",
                 *(f"link set {end} up" for end in LINK)):
        subprocess.run(["ip", *line.split()], check=True)
    wait_until(lambda: b"tentative" not in told("ip", "-6", "address", "show", "tentative"),
               "the links' addresses")


def perfdhcp(rate):
    """What it says after a load; its clocks differ at times, and then it gives up and is started again."""
    command = ["perfdhcp", "-6", "-l", LINK[1], "-r", str(rate), "-R", str(2 ** 32 - 1),
               "-p", str(EXCHANGES_S), "-W", str(int(EXCHANGES_WAIT_S * 1e6)), "-o", IA_DSTM]
    for _ in range(PERFDHCP_STARTS):
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             check=False, timeout=EXCHANGES_S + 60)
        if "REQUEST-REPLY***" in run.stdout:
            return run.stdout
    raise LoadError(f"perfdhcp: {run.stdout[-500:]}")


def exchanges(rate):
    """One load of so many exchanges a second begun: how many ended, and how long they took."""
    report = perfdhcp(rate)
    begun = int(re.search(r"sent packets: (\d+)", report).group(1))
    ended = int(re.findall(r"received packets: (\d+)", report)[1])
    delays = [float(ms) for ms in re.findall(r"avg delay: ([\d.]+)", report)]
    return {"rate": rate, "begun": begun, "ended": ended, "per_s": round(ended / EXCHANGES_S),
            "lost_percent": round(100 * (begun - ended) / begun, 2),
            "mean_ms": round(sum(delays), 2)}


def tried(server, rate):
    """A load, once more if too much of it was lost: others may have had the CPUs for a moment."""
    for _ in range(TRIES):
        load = exchanges(round(rate))
        server.completed += load["ended"]
        server.peak = max(server.peak, load["per_s"])
        print(f"  {server.name}: {load['rate']} begun a second, {load['per_s']} ended, "
              f"{load['lost_percent']} % lost, {load['mean_ms']} ms", flush=True)
        if load["begun"] - load["ended"] <= LOST_MAX * load["begun"]:
            return load
    return None


def best_rate(server):
    """The load of the highest rate at which few enough exchanges are lost; finer and finer steps."""
    rate, step, best = FIRST_RATE, STEP, None
    for _ in range(REFINEMENTS + 1):
        while load := tried(server, rate):
            best, rate = load, rate * step
        step **= 0.5
        rate = best["rate"] * step if best else rate / STEP
    server.check()
    return best or {"per_s": 0, "lost_percent": 100, "mean_ms": 0}


def measure(make_ours, folder, rounds):
    """Both in turn, so often: the best of each, and all of them."""
    link_up()
    bests, peaks = {"ours": [], "kea": []}, {"ours": 0, "kea": 0}
    for _ in range(rounds):
        for make in (make_ours, lambda: Kea(folder)):
            with make() as server:
                best = best_rate(server)
            peaks[server.name] = max(peaks[server.name], server.peak)
            bests[server.name].append(best)
    figures = {"cpus": len(os.sched_getaffinity(0)), "lost_max_percent": 100 * LOST_MAX}
    for name, loads in bests.items():
        best = max(loads, key=lambda load: load["per_s"])
        figures |= {f"{name}_{key}": best[key] for key in ("per_s", "lost_percent", "mean_ms")}
        figures[f"{name}_peak_per_s"] = peaks[name]
    return figures | {"rounds": bests}
