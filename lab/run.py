# SPDX-License-Identifier: BSD-3-Clause
"""A lab that is up: namespaces, programs, captures; and its way down in every case.

    with Lab(path) as lab:            built, captures running, no program started
        lab.start("tep")
        lab.nodes["client1"].run(["ping", ...])
        lab.programs["tep"].ctl("bindings")

Whatever ends the block, its processes and namespaces go; packets and logs stay in lab.folder.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from lab import dhcp, labfile, netns, program, router, steps, topology
import lab.dhcp_steps  # noqa: F401  more of the steps
import lab.routing_steps  # noqa: F401
from lab.capture import Capture
from lab.netns import CommandFailed
from lab.screen import Meter, Screen

KEPT_RUNS = 5
INTERFACE_TIMEOUT_S = 10
KINDS = router.KINDS | dhcp.KINDS  # of programs; all others are plain ones


def check_file(path: str):
    """The lab file's content, checked; BadFile says what is wrong with it."""
    return labfile.load(path, steps.READERS)


class Lab:
    def __init__(self, path: str, screen: Screen | None = None):
        self.spec = check_file(path)
        self.screen = screen or Screen(quiet=True)
        self.folder = _new_folder(self.spec.name)
        self.screen.keep_in(self.folder / "screen.log")
        self.nodes: dict[str, netns.Namespace] = {}
        self.programs: dict[str, program.Program] = {}
        self.captures: dict[str, Capture] = {}
        self.leases: dict[str, dict] = {}  # node -> what its dstm-client last showed

    def __enter__(self):
        remove_dead_runs()
        try:
            self._up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *exception):
        self.down()

    def _up(self):
        # Its parts are for other users, too (FRR's own), who do not see what else is in it.
        program.socket_folder(os.getpid()).mkdir(mode=0o711, exist_ok=True)
        self.nodes = topology.build(self.spec)
        for name, spec in self.spec.programs.items():
            kind = KINDS.get(spec.run, program.Program)
            self.programs[name] = kind(name, spec, self.nodes[spec.node], self.folder)
        for name, spec in self.spec.captures.items():
            self.captures[name] = Capture(self.nodes[spec.node], spec.interface,
                                          self.folder / f"{name}.pcap", spec.filter, spec.snaplen)
        self.screen.say("topology", f"{len(self.nodes)} namespaces, {len(self.spec.links)} links, "
                                    f"{len(self.captures)} captures")

    def start(self, name: str) -> float:
        """Starts a program, waits until it answers, configures the interfaces it created."""
        running = self.programs[name]
        seconds = running.start()
        node = self.spec.nodes[running.spec.node]
        for interface_name, interface in node.interfaces.items():
            if interface.created_by == name:
                running.wait_for(lambda: _exists(running.namespace, interface_name),
                                 INTERFACE_TIMEOUT_S, f"to create {interface_name}")
                topology.configure(running.namespace, interface_name, interface)
        topology.add_routes(running.namespace, node, created_by=name)
        return seconds

    def capture(self, name: str, node: str, interface: str, filter: str = "") -> Capture:
        """One more capture, whose packets reach the file at once; the lab ends it if nobody did."""
        path = self.folder / f"{name}.pcap"
        self.captures[name] = Capture(self.nodes[node], interface, path, filter,
                                      snaplen=2048, prompt=True)
        return self.captures[name]

    def client_of(self, node: str) -> program.Program:
        """The dstm-client that runs on a node."""
        return next(one for one in self.programs.values()
                    if one.spec.node == node and one.spec.run == "dstm-client")

    def tep(self) -> program.Program | None:
        """The first dstm-tep that runs."""
        return next((one for one in self.programs.values()
                     if one.spec.run == "dstm-tep" and one.running), None)

    def meter(self) -> Meter:
        return Meter(self.screen, self.tep())

    def run_steps(self):
        """All steps in order; one that cannot be done ends them, as a check that fails."""
        for kind, arguments in self.spec.steps:
            try:
                steps.FUNCTIONS[kind](self, arguments)
            except CommandFailed as error:
                self.screen.check(kind, False, str(error).split("\n", maxsplit=1)[0])
                self.screen.say("", str(error))
                return

    def down(self):
        """Ends everything: clients first, so that they give back what they hold; then by force."""
        with _undisturbed():
            try:
                self._end_programs_and_captures()
            finally:
                _remove_run(os.getpid())
                self.screen.close()

    def _end_programs_and_captures(self):
        for one in self.programs.values():
            if one.spec.run == "dstm-client":
                _ignore_failure(one.stop)
        for capture in self.captures.values():
            _ignore_failure(capture.end)
        for one in reversed(self.programs.values()):
            _ignore_failure(one.stop)


@contextlib.contextmanager
def _undisturbed():
    """Signals wait until the block is done: a second Ctrl-C must not leave half a lab behind."""
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def remove_dead_runs():
    """What runs left that were killed and could not tidy up."""
    for pid in netns.dead_runs():
        _remove_run(pid)


def _remove_run(pid: int):
    netns.remove(pid)
    shutil.rmtree(program.socket_folder(pid), ignore_errors=True)
    for name in Path("/run/dpdk").glob(netns.prefix(pid) + "-*"):
        shutil.rmtree(name, ignore_errors=True)


def _exists(namespace: netns.Namespace, interface: str) -> bool:
    try:
        namespace.ip("link", "show", "dev", interface)
        return True
    except CommandFailed:
        return False


def _ignore_failure(end):
    try:
        end()
    except (CommandFailed, OSError, subprocess.TimeoutExpired):
        pass  # the namespace's end takes it


def _new_folder(name: str) -> Path:
    """build/lab/NAME/TIME, with `latest` pointing at it; the oldest runs beyond KEPT_RUNS go."""
    parent = program.ROOT / "build/lab" / name
    folder = parent / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    latest = parent / "latest"
    latest.unlink(missing_ok=True)
    latest.symlink_to(folder.name)
    runs = sorted(path for path in parent.iterdir() if not path.is_symlink())
    for old in runs[:-KEPT_RUNS]:
        shutil.rmtree(old, ignore_errors=True)
    return folder
