# SPDX-License-Identifier: BSD-3-Clause
"""Services for a lab's web server, beside the pages and iperf3 that the lab file starts."""

import contextlib
import socket
import subprocess
import threading
from pathlib import Path

from conftest import wait_until

SSH_PORT = 2222
ECHO_PORT = 7007
IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0  # <linux/in.h>


class UdpEcho:
    """Answers every datagram with whom it saw: "address port text"."""

    def __init__(self, namespace, port: int = ECHO_PORT):
        with namespace.inside():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # Without DF: an answer that is too long for the tunnel goes in fragments at once.
        self._socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
        self._socket.bind(("", port))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        with contextlib.suppress(OSError):  # it is not connected, and yet its reader wakes
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()

    def _serve(self):
        while True:
            text, peer = self._socket.recvfrom(65536)
            if peer is None:  # shut down
                return
            with contextlib.suppress(OSError):
                self._socket.sendto(f"{peer[0]} {peer[1]} ".encode() + text, peer)


class Sshd:
    """An sshd with keys made for it, which reads and writes nothing of the machine's own sshd."""

    def __init__(self, namespace, folder: Path, port: int = SSH_PORT):
        self._folder, self._port = folder, port
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name],
                           check=True, timeout=20, stdin=subprocess.DEVNULL)
        config = folder / "sshd_config"
        config.write_text(
            f"Port {port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
            "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            "PermitRootLogin prohibit-password\nMaxStartups 100\n")
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd insists on it
        with open(folder / "sshd.log", "wb") as log:
            self._process = subprocess.Popen(
                namespace.command(["/usr/sbin/sshd", "-D", "-e", "-f", str(config)]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: f":{port} " in namespace.run(["ss", "-Hlnt"]), 10, "sshd")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._process.terminate()
        self._process.wait(5)

    def command(self, host: str, *command: str) -> list[str]:
        """The command line of a client that runs a command there."""
        return ["ssh", "-F", "none", "-p", str(self._port), "-i", str(self._folder / "user"),
                "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
                "-o", f"UserKnownHostsFile={self._folder}/known_hosts", "-o", "LogLevel=ERROR",
                "-o", "ConnectTimeout=20", f"root@{host}", *command]


def say(namespace, to: tuple[str, int], text: bytes, timeout_s: float = 5) -> bytes | None:
    """One datagram and its answer; None when there is none in time."""
    with namespace.inside():
        talker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with talker:
        talker.settimeout(timeout_s)
        try:
            talker.sendto(text, to)
            return talker.recv(65536)
        except OSError:  # no route, an ICMP error, or silence
            return None
