# SPDX-License-Identifier: BSD-3-Clause
"""One network namespace, and the removal of what a killed run left behind.

A namespace is called dstmlab<pid>-<node>, pid being the run's own. A run that ends in any way but
SIGKILL removes its own; the next run removes those whose pid is dead, and the processes inside.
"""

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
COMMAND_TIMEOUT_S = 20


class CommandFailed(Exception):
    """A command that should have worked did not; the message holds what it said."""


def run(command: list[str], timeout: float = COMMAND_TIMEOUT_S, check: bool = True) -> str:
    """Runs a command to its end and returns what it wrote on standard output."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False,
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{' '.join(command)}: no end within {timeout} s") from error
    if check and done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise CommandFailed(f"{' '.join(command)}: exit code {done.returncode}: {said}")
    return done.stdout


def prefix(pid: int) -> str:
    return f"dstmlab{pid}"


class Namespace:
    """A namespace of this run. `name` is the node's, `id` the one that ip netns knows."""

    def __init__(self, name: str):
        self.name = name
        self.id = f"{prefix(os.getpid())}-{name}"

    def create(self):
        run(["ip", "netns", "add", self.id])
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments: str) -> str:
        return run(["ip", "-n", self.id, *arguments])

    def command(self, command: list[str]) -> list[str]:
        """The command line that runs command in here; the process keeps its pid."""
        return ["ip", "netns", "exec", self.id, *command]

    def run(self, command: list[str], timeout: float = COMMAND_TIMEOUT_S,
            check: bool = True) -> str:
        return run(self.command(command), timeout, check)

    def sysctl(self, name: str, value: str):
        """name with slashes (net/ipv6/conf/eth0/mtu): interface names may hold dots."""
        self.run(["sysctl", "-q", "-w", f"{name}={value}"])

    @contextlib.contextmanager
    def inside(self):
        """The calling thread is in the namespace; a socket opened meanwhile stays there."""
        there_path = f"/run/netns/{self.id}"
        with open("/proc/thread-self/ns/net", "rb") as home, open(there_path, "rb") as there:
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())


def _setns(fd: int):
    if LIBC.setns(fd, CLONE_NEWNET) != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"setns: {os.strerror(errno)}")


def present(pid: int | None = None) -> list[str]:
    """The lab namespaces there are: of the run with this pid, or of all runs."""
    folder = "/run/netns"
    names = os.listdir(folder) if os.path.isdir(folder) else []
    wanted = prefix(pid) + "-" if pid is not None else "dstmlab"
    return sorted(name for name in names if name.startswith(wanted))


def remove(pid: int):
    """Removes all namespaces of the run with this pid, and ends the processes in them first."""
    names = present(pid)
    for name in names:
        _end_processes(name)
    for name in names:
        run(["ip", "netns", "del", name], check=False)


def _end_processes(name: str, deadline_s: float = 5):
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        pids = run(["ip", "netns", "pids", name], check=False).split()
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.02)


def dead_runs() -> list[int]:
    """The pids of runs that are no more but whose namespaces still stand."""
    pids = set()
    for name in present():
        match = re.match(r"dstmlab(\d+)-", name)
        if match and not os.path.exists(f"/proc/{match[1]}"):
            pids.add(int(match[1]))
    return sorted(pids)
