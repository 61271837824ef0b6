# SPDX-License-Identifier: BSD-3-Clause
"""What stands around a client in a test: server, TEP, an IPv4 host that echoes, and what is said to it."""

import os
import signal
import socket
import threading
from pathlib import Path

from bench import PEER_V4, Client
from tep import Tep
from tsp_server import TspServer

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / os.environ.get("DSTM_BUILD", "build/gcc") / "src/client/dstm-client"
TCP_PORT = 8080
UDP_PORT = 9000


class Echo:
    """TCP and UDP services of the IPv4 host; sources is who spoke to them."""

    def __init__(self, bench):
        self.sources = []
        self.tcp = bench.far_socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.bind((PEER_V4, TCP_PORT))
        self.tcp.listen(64)
        self.udp = bench.far_socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((PEER_V4, UDP_PORT))
        threading.Thread(target=self.serve_tcp, daemon=True).start()
        threading.Thread(target=self.serve_udp, daemon=True).start()

    def serve_tcp(self):
        while True:
            sock, source = self.tcp.accept()
            self.sources.append(source)
            threading.Thread(target=self.echo, args=(sock,), daemon=True).start()

    @staticmethod
    def echo(sock):
        with sock:
            while data := sock.recv(65536):
                sock.sendall(data)

    def serve_udp(self):
        while True:
            data, source = self.udp.recvfrom(65536)
            self.sources.append(source)
            self.udp.sendto(data, source)


class World:
    """One client and all that is around it."""

    def __init__(self, bench, folder, server=TspServer):
        self.bench = bench
        self.folder = folder
        self.server = server(bench)
        self.tep = Tep(bench)
        self.echo = Echo(bench)
        self.client = None

    def start(self, client=None, **settings):
        self.client = client or Client(self.bench, self.folder, BINARY, **settings)
        self.client.start().wait_bound()
        return self.client

    def drops(self):
        return {name: n for name, n in self.client.show()["drops"].items() if n > 0}

    def udp_socket(self):
        sock = self.bench.client_socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(10)
        return sock

    def close(self):
        if self.client is not None:
            self.client.kill()
            print(self.client.log.read_text())
        self.server.close()
        self.tep.close()


def in_ranges(port, ranges):
    return any(first <= port <= last for first, last in ranges)


def tcp_exchange(bench, data=b"hello", local=None):
    with bench.client_socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(20)
        if local is not None:
            sock.bind(local)
        sock.connect((PEER_V4, TCP_PORT))
        sock.sendall(data)
        received = b""
        while len(received) < len(data):
            received += sock.recv(65536)
        return received


def udp_exchange(bench, data=b"hello"):
    with bench.client_socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(20)
        sock.sendto(data, (PEER_V4, UDP_PORT))
        return sock.recv(65536)


def ping(bench):
    return bench.in_client("ping", "-c", "2", "-i", "0.2", "-W", "5", PEER_V4)


def leave(client):
    """SIGTERM, and how the client ended."""
    client.signal(signal.SIGTERM)
    return client.wait()
