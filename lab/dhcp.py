# SPDX-License-Identifier: BSD-3-Clause
"""DHCPv6 clients, a relay and a server as programs of a lab: Debian's own, unmodified.

They have their paths compiled in, so each runs with a mount namespace of its own, in which files
of the run stand where Debian has its configuration, leases and scripts, and /run is empty. Nothing
of the machine is read or written, its resolv.conf least of all.
"""

import json
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lab import s46
from lab.netns import CommandFailed, run
from lab.program import ROOT, Program

DHCP_PORT = 547
GOT_SOMETHING = {"BOUND6", "RENEW6", "REBIND6", "REBOOT6", "INFORM6"}

# put OWN THEIRS: a package's folder may be made when its service starts, and so not be there.
PUT = """
mount -t tmpfs run /run
mkdir /run/kea /run/own
put() {
	if [ -d "$1" ] && [ ! -d "$2" ]; then
		mount --bind "$1" /run/own
		mount -t tmpfs parent "$(dirname "$2")"
		mkdir "$2"
		mount --move /run/own "$2"
	else
		mount --bind "$1" "$2"
	fi
}
"""


@dataclass
class Told:
    """What a client was told: by option request, as the options that it knows by name."""
    address: str | None  # of IA_NA
    tep: str | None
    v4: str | None
    ports: tuple[int, int] | None
    softwire: s46.Softwire | None  # option 96


class DhcpProgram(Program):
    """One with files of the run in the place of Debian's."""

    def _own_files(self) -> dict[str, Path]:
        """Debian's path -> what stands there; made here, where it is not there yet."""
        raise NotImplementedError

    def _daemon(self) -> list[str]:
        raise NotImplementedError

    def _command(self) -> list[str]:
        return self._with_own_files(self._daemon())

    def _with_own_files(self, command: list[str]) -> list[str]:
        mounts = [shlex.join(["put", str(own), theirs])
                  for theirs, own in self._own_files().items()]
        return ["unshare", "--mount", "sh", "-ec", "\n".join([PUT, *mounts, 'exec "$@"']), "sh",
                *command]

    def _file(self, ending: str, content: str) -> Path:
        path = self.folder / f"{self.name}.{ending}"
        path.write_text(content)
        return path

    def _state(self) -> Path:
        """A folder that outlives a restart."""
        path = self.folder / f"{self.name}.state"
        path.mkdir(exist_ok=True)
        return path

    def _listens(self) -> bool:
        return bool(self.namespace.run(["ss", "-Hlnu6", "sport", f"= :{DHCP_PORT}"]).strip())


class DhcpClient(DhcpProgram):
    """A client on one interface; started when it got a first answer."""

    SOFTWIRE_DEVICE = "softwire0"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._softwire_process = None

    @property
    def events_file(self) -> Path:
        return self.folder / f"{self.name}.events"

    def events(self) -> list[dict]:
        """What happened, the oldest first: {"reason": ..., "told": {variable: text}}."""
        if not self.events_file.exists():
            return []
        return [json.loads(line) for line in self.events_file.read_text().splitlines()]

    def told(self) -> Told:
        """What the last answer told."""
        variables = [event["told"] for event in self.events()
                     if event["reason"] in GOT_SOMETHING][-1]
        mapped = variables.get("new_dhcp6_dstm_address")
        return Told(self._address(variables), variables.get("new_dhcp6_dstm_tep"),
                    mapped and mapped.removeprefix("::ffff:"), self._ports(variables),
                    self._softwire(variables))

    def start(self) -> float:
        self.events_file.unlink(missing_ok=True)
        return super().start()

    def open_softwire(self) -> s46.Softwire:
        """Makes a tunnel of what option 96 told (b4.py); the node has IPv4 until the client ends."""
        told = self.told().softwire
        if told is None:
            raise CommandFailed(f"{self.name} was not told option 96")
        self._softwire_process = subprocess.Popen(
            self._in_namespace([sys.executable, str(ROOT / "lab/b4.py"), self.SOFTWIRE_DEVICE,
                                told.v4, *map(str, told.ports), told.v6, told.tep]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self._softwire_process.stdout.readline() != "up\n":
            raise CommandFailed(f"no softwire on {self.spec.node}")
        return told

    def kill(self):
        self._close_softwire()
        super().kill()

    def stop(self) -> int:
        self._close_softwire()
        return super().stop()

    def _close_softwire(self):
        if self._softwire_process is not None:
            self._softwire_process.kill()
            self._softwire_process.communicate()
            self._softwire_process = None

    def _answers(self) -> bool:
        return any(event["reason"] in GOT_SOMETHING for event in self.events())

    def _hook(self) -> Path:
        path = self._file("hook", "#!/bin/sh\nexec " + shlex.join(
            [sys.executable, str(ROOT / "lab/dhcp_hook.py"), str(self.events_file)]) + "\n")
        path.chmod(0o755)
        return path

    def _address(self, variables) -> str | None:
        raise NotImplementedError

    def _ports(self, variables) -> tuple[int, int] | None:
        raise NotImplementedError

    def _softwire(self, variables) -> s46.Softwire | None:
        raise NotImplementedError


class Dhclient(DhcpClient):
    """ISC's. `config` is dhclient.conf."""

    flags: tuple[str, ...] = ()  # -S: an Information-request, no lease

    def release(self):
        """Ends the client and has what it holds given back."""
        self.stop()
        run(self._in_namespace(self._with_own_files(
            ["dhclient", "-6", "-r", "-v", str(self.spec.interface)])))

    def _own_files(self):
        return {"/etc/dhcp/dhclient.conf": self._file("conf", self.config_text()),
                "/sbin/dhclient-script": self._hook(),
                "/var/lib/dhcp": self._state()}

    def _daemon(self):
        return ["dhclient", "-6", "-d", "-v", *self.flags, str(self.spec.interface)]

    def _address(self, variables):
        return variables.get("new_ip6_address")

    def _ports(self, variables):
        text = variables.get("new_dhcp6_dstm_ports")
        return text and tuple(int(port) for port in text.split())

    def _softwire(self, variables):
        text = variables.get("new_dhcp6_s46_cont_lw")
        return text and s46.softwire(bytes(int(octet, 16) for octet in text.split(":")))


class Dhcpcd(DhcpClient):
    """`config` is dhcpcd.conf."""

    def release(self):
        """Ends the client, which gives back what it holds."""
        self.signal(signal.SIGALRM)
        self.stop()

    def _own_files(self):
        return {"/etc/dhcpcd.conf": self._file("conf", self.config_text()),
                "/usr/lib/dhcpcd/dhcpcd-run-hooks": self._hook(),
                "/var/lib/dhcpcd": self._state()}

    def _daemon(self):
        return ["dhcpcd", "-6", "-B", str(self.spec.interface)]

    def _address(self, variables):
        return variables.get("new_dhcp6_ia_na1_ia_addr1")

    def _ports(self, variables):
        if "new_dhcp6_dstm_ports_first" not in variables:
            return None
        return tuple(int(variables[f"new_dhcp6_dstm_ports_{end}"]) for end in ("first", "last"))

    def _softwire(self, variables):
        """dhcpcd names the parts; what follows the prefix in V4V6BIND it leaves as it is."""
        bind = "new_dhcp6_s46_cont_lw_s46_v4v6bind_"
        if bind + "ipv4_address" not in variables:
            return None
        rest = bytes.fromhex(variables[bind + "ipv6_prefix_and_options"])
        return s46.Softwire(variables["new_dhcp6_s46_cont_lw_s64_br"],
                            variables[bind + "ipv4_address"], s46.address(rest[:16]),
                            s46.ports(rest[16:]))


class Dhcrelay(DhcpProgram):
    """ISC's. `config` is its arguments: -l and -u."""

    def _own_files(self):
        return {}

    def _daemon(self):
        return ["dhcrelay", "-6", "-d", "--no-pid", *shlex.split(self.config_text())]

    def _answers(self):
        return self._listens()


class Kea(DhcpProgram):
    """`config` is what stands in Dhcp6; leases and log are the run's."""

    def leases(self) -> list[str]:
        """The addresses that it has leased; its file has a row for each change."""
        rows = [line.split(",") for line in
                (self._state() / "kea-leases6.csv").read_text().splitlines()[1:]]
        lifetimes = {row[0]: row[2] for row in rows}
        return [address for address, seconds in lifetimes.items() if seconds != "0"]

    def _own_files(self):
        config = {"lease-database": {"type": "memfile", "lfc-interval": 0},
                  "loggers": [{"name": "kea-dhcp6", "severity": "INFO",
                               "output_options": [{"output": "stderr"}]}]} | self.spec.config
        return {"/etc/kea/kea-dhcp6.conf": self._file("json", json.dumps({"Dhcp6": config})),
                "/var/lib/kea": self._state()}

    def _daemon(self):
        return ["kea-dhcp6", "-c", "/etc/kea/kea-dhcp6.conf"]

    def _answers(self):
        return self._listens()


KINDS = {"dhclient": Dhclient, "dhcpcd": Dhcpcd, "dhcrelay": Dhcrelay, "kea-dhcp6": Kea}
