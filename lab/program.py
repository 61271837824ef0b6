# SPDX-License-Identifier: BSD-3-Clause
"""One program in one namespace: its configuration, its start, dstmctl, its end."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import yaml

from lab.netns import CommandFailed, Namespace, prefix, run

READY_TIMEOUT_S = 20
END_TIMEOUT_S = 10
POLL_S = 0.05
ROOT = Path(__file__).resolve().parent.parent

# Where a build has the daemon; the key of its control socket; keys that name files of a run.
DAEMONS = {
    "dstm-tep": ("src/control", ["control", "socket"], []),
    "dstm-server": ("src/server", ["socket"], ["store"]),
    "dstm-client": ("src/client", ["socket"], ["state"]),
}


def build_folder() -> Path:
    return (ROOT / os.environ.get("DSTM_BUILD", "build/gcc")).resolve()


def socket_folder(pid: int) -> Path:
    """For control sockets: a Unix socket's path has 107 octets, a run's folder may not fit."""
    return Path("/run") / prefix(pid)


class Program:
    """A program of a lab file. start() after kill() or stop() is a restart with the same files."""

    def __init__(self, name: str, spec, namespace: Namespace, folder: Path):
        self.name = name
        self.spec = spec
        self.namespace = namespace
        self.folder = folder
        self.log = folder / f"{name}.log"
        self.socket = socket_folder(os.getpid()) / f"{name}.sock"
        self.environment: dict[str, str] = {}  # beside this process's own
        self._process = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> float:
        """Starts it and waits until it answers; returns the seconds that took."""
        began = time.monotonic()
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self._in_namespace(self._command()), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.folder, env=os.environ | self.environment)
        self.wait_for(self._answers, READY_TIMEOUT_S, "to answer")
        return time.monotonic() - began

    def wait_for(self, condition, timeout: float, what: str):
        """The first true value of condition(); the program must not end meanwhile."""
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            if not self.running:
                raise CommandFailed(f"{self.name} ended by itself:\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise CommandFailed(f"{self.name}: waited {timeout} s for it {what}:\n"
                                    f"{self.last_words()}")
            time.sleep(POLL_S)
        return value

    @property
    def pid(self) -> int:
        """The daemon's own: `ip netns exec` became it."""
        return self._process.pid

    def kill(self):
        """SIGKILL: it has no chance to tidy up."""
        if self.running:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(END_TIMEOUT_S)

    def stop(self) -> int:
        """SIGTERM: a clean end. Returns the exit code; 0 when it was never started."""
        if self._process is None:
            return 0
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(f"{self.name} did not end within {END_TIMEOUT_S} s of SIGTERM:\n"
                                f"{self.last_words()}") from error

    def reload(self, change):
        """Changes a daemon's configuration by change(config) and has it read again (SIGHUP)."""
        change(self.spec.config)
        self._write_config()
        self.signal(signal.SIGHUP)

    def signal(self, number: signal.Signals):
        self._process.send_signal(number)

    def config_text(self) -> str:
        """The configuration of a program for which it is text."""
        if self.spec.config is not None:
            return self.spec.config
        return (ROOT / self.spec.config_file).read_text(encoding="utf-8")

    def last_words(self, lines: int = 15) -> str:
        return "\n".join("  " + line for line in
                         self.log.read_text(errors="replace").splitlines()[-lines:])

    def ctl_command(self, *words: str) -> list[str]:
        """The command line that asks this daemon: dstmctl, a command and what stands behind it."""
        dstmctl = build_folder() / "src/ctl/dstmctl"
        role = self.spec.run.removeprefix("dstm-")
        return [str(dstmctl), role, *words, "--socket", str(self.socket)]

    def ctl(self, *words: str):
        """What dstmctl --json says; a list command's items, a plain command's object."""
        answer = json.loads(run([*self.ctl_command(*words), "--json"]))
        return answer["items"] if isinstance(answer, dict) and "items" in answer else answer

    def counters(self) -> dict[str, int]:
        """Name -> count of every counter."""
        return {item["name"]: item.get("packets", item.get("count"))
                for item in self.ctl("counters")}

    def _in_namespace(self, command: list[str]) -> list[str]:
        """The command line in its node, at its place before others at the CPU."""
        return self.namespace.command(["nice", "-n", str(self.spec.nice), *command])

    def _answers(self) -> bool:
        if self.spec.run in DAEMONS:
            try:
                self.ctl("show")
                return True
            except (CommandFailed, ValueError):
                return False
        with self.namespace.inside(), socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.spec.port)) == 0

    def _command(self) -> list[str]:
        if self.spec.run == "http-server":
            return [sys.executable, str(ROOT / "lab/web.py"), str(self.spec.port),
                    str(self.folder / f"{self.name}.requests")]
        if self.spec.run == "iperf3-server":
            return ["iperf3", "-s", "-p", str(self.spec.port), "--forceflush"]
        if self.spec.run == "probe-server":
            return [sys.executable, str(ROOT / "lab/probe.py"), "serve", str(self.spec.port)]
        config = self._write_config()
        binary = build_folder() / DAEMONS[self.spec.run][0] / self.spec.run
        if not shutil.which(str(binary)):
            raise CommandFailed(f"{binary} is not there: build it, or say where with DSTM_BUILD")
        if self.spec.run == "dstm-tep":
            return [str(binary), "--file-prefix", self.namespace.id, *self.spec.eal,
                    "--", "-c", str(config)]
        return [str(binary), "-c", str(config)]

    def _write_config(self) -> Path:
        """The inline configuration as a file, with this run's own paths in it."""
        _, socket_keys, file_keys = DAEMONS[self.spec.run]
        config = json.loads(json.dumps(self.spec.config))
        table = config
        for key in socket_keys[:-1]:
            table = table.setdefault(key, {})
        table[socket_keys[-1]] = str(self.socket)
        for key in file_keys:
            config[key] = str(self.folder / f"{self.name}.{key}")
        if self.spec.run == "dstm-server" and "dhcpv6" in config:
            config["dhcpv6"].setdefault("secret_file", str(self.folder / f"{self.name}.secret"))
        path = self.folder / f"{self.name}.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return path
