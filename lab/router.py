# SPDX-License-Identifier: BSD-3-Clause
"""BIRD and FRR as programs of a lab: Debian's own, unmodified, with nothing of the machine's.

Each runs in its node's namespace with a configuration, sockets and pid files of its own, in the
foreground, so that the lab ends it by its pid. BIRD is one process. FRR is several: zebra, which
speaks with the kernel, and those daemons that its configuration has something for.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from lab.netns import CommandFailed, run
from lab.program import END_TIMEOUT_S, READY_TIMEOUT_S, Program

FRR_FOLDER = Path("/usr/lib/frr")
FRR_USER = "frr"
# A line of frr.conf that begins so is for this daemon.
FRR_DAEMONS = {"router bgp": "bgpd", "router ospf6": "ospf6d", "bfd": "bfdd"}


class Router(Program):
    """What is common: the configuration is text, and sessions go up and down."""

    def sessions(self) -> dict[str, bool]:
        """Each session of BGP, OSPF and BFD by name, and whether it is up."""
        raise NotImplementedError

    def reload(self, change):
        """Its configuration becomes change(text), which it reads at once, sessions kept."""
        self.spec.config = change(self.config_text())
        self._write_config()
        self._read_again()

    def ask(self, *words: str) -> str:
        """What the router answers to a command of its own."""
        return run(self.ctl_command(*words))


class Bird(Router):
    """bird in the foreground; asked by birdc."""

    def ctl_command(self, *words: str) -> list[str]:
        return ["birdc", "-s", str(self.socket), *words]

    def sessions(self) -> dict[str, bool]:
        """Rows of birdc: name, protocol, table, state, since, info; address, interface, state."""
        rows = [line.split() for line in self.ask("show", "protocols").splitlines()[2:]]
        found = {row[0]: row[3] == "up" and (row[1] != "OSPF" or row[-1] == "Running")
                 for row in rows if row[1] in ("BGP", "OSPF")}
        if any(row[1] == "BFD" for row in rows):
            rows = [line.split() for line in self.ask("show", "bfd", "sessions").splitlines()[3:]]
            found |= {f"bfd {row[0]}": row[2] == "Up" for row in rows if row}
        return found

    def _answers(self) -> bool:
        try:
            return "Daemon is up" in self.ask("show", "status")
        except CommandFailed:
            return False

    def _command(self) -> list[str]:
        return ["bird", "-f", "-c", str(self._write_config()), "-s", str(self.socket)]

    def _write_config(self) -> Path:
        path = self.folder / f"{self.name}.conf"
        path.write_text(self.config_text())
        return path

    def _read_again(self):
        self.ask("configure")


class Frr(Router):
    """zebra and its daemons; configured and asked by vtysh."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._folder = self.socket.with_suffix("")  # of sockets and pid files
        self._processes: dict[str, subprocess.Popen] = {}

    @property
    def running(self) -> bool:
        return bool(self._processes) and all(one.poll() is None
                                             for one in self._processes.values())

    def start(self) -> float:
        began = time.monotonic()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        shutil.chown(self._folder, FRR_USER, FRR_USER)
        (self._folder / "vtysh.conf").touch()
        self._write_config()
        self._start_daemons("zebra")  # who does not find it at once looks again 10 s later
        self._start_daemons(*self._daemons())
        self._read_again()
        return time.monotonic() - began

    def _start_daemons(self, *names: str):
        with open(self.log, "ab") as log:
            for name in names:
                self._processes[name] = subprocess.Popen(
                    self._in_namespace(self._command_of(name)), stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, cwd=self.folder)
        for name in names:
            self.wait_for((self._folder / f"{name}.vty").exists, READY_TIMEOUT_S, "to answer")

    def kill(self):
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        """Ends all; zebra last, which then takes the others' routes out of the kernel."""
        codes = [0]
        for daemon in reversed(list(self._processes)):
            process = self._processes.pop(daemon)
            process.send_signal(number)
            try:
                codes.append(process.wait(END_TIMEOUT_S))
            except subprocess.TimeoutExpired as error:
                raise CommandFailed(f"{daemon} of {self.name} did not end") from error
        return max(codes, key=abs)

    def ctl_command(self, *words: str) -> list[str]:
        return [*self._vtysh(), "-c", " ".join(words)]

    def sessions(self) -> dict[str, bool]:
        found = {}
        if "bgpd" in self._processes:
            for family in json.loads(self.ask("show bgp summary json")).values():
                for peer, row in family.get("peers", {}).items():
                    found[peer] = row["state"] == "Established"
        if "ospf6d" in self._processes:
            shown = json.loads(self.ask("show ipv6 ospf6 neighbor json"))
            for row in shown["neighbors"]:
                found[row["neighborId"]] = row["state"] == "Full"
        if "bfdd" in self._processes:
            for row in json.loads(self.ask("show bfd peers json")):
                found[f"bfd {row['peer']}"] = row["status"] == "up"
        return found

    def _write_config(self):
        (self._folder / "frr.conf").write_text(self.config_text())

    def _read_again(self):
        run([*self._vtysh(), "-b"])  # each line to the daemon that it is for

    def _vtysh(self) -> list[str]:
        return ["vtysh", "--vty_socket", str(self._folder), "--config_dir", str(self._folder)]

    def _daemons(self) -> list[str]:
        lines = self.config_text().splitlines()
        return [daemon for begin, daemon in FRR_DAEMONS.items()
                if any(line.startswith(begin) for line in lines)]

    def _command_of(self, daemon: str) -> list[str]:
        command = [str(FRR_FOLDER / daemon), "-f", os.devnull, "--log", "stdout",
                   "--vty_socket", str(self._folder), "-P", "0",
                   "-z", str(self._folder / "zserv.api"), "-i", str(self._folder / f"{daemon}.pid")]
        if daemon == "bfdd":
            command += ["--bfdctl", str(self._folder / "bfdd.sock")]
        return command


KINDS = {"bird": Bird, "frr": Frr}
