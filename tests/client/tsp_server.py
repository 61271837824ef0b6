# SPDX-License-Identifier: BSD-3-Clause
"""
A TSP server of the v4v6 profile that does what the test says, written from the protocol alone.

Attributes may be changed while it runs; received holds every request in order.
"""

import socket
import threading
import xml.etree.ElementTree as ET

from bench import LEASE_V4, SERVER_V6, TEP_V6


class Request:
    def __init__(self, connection, text):
        self.connection = connection
        self.peer = connection.peer
        self.root = ET.fromstring(text)
        self.action = self.root.get("action")

    def client(self, kind):
        """The texts of the client's addresses of a kind: ipv4, ipv6."""
        return [a.text for a in self.root.findall("client/address") if a.get("type") == kind]

    def ports(self):
        return [dict(p.attrib) for p in self.root.findall("client/ports")]


class Connection:
    def __init__(self, server, sock, peer):
        self.server = server
        self.sock = sock
        self.peer = peer[0]
        self.file = sock.makefile("rb")

    def line(self):
        line = self.file.readline()
        if not line:
            raise EOFError
        return line.decode().strip()

    def put_line(self, text):
        self.sock.sendall(text.encode() + b"\r\n")

    def put(self, body):
        self.sock.sendall(b"Content-length: %d\r\n" % len(body) + body.encode())

    def handshake(self):
        version = self.line()
        self.server.versions.append(version)
        if version not in self.server.supported:
            self.put_line("302 Unsupported client version")
            raise EOFError
        self.put_line("CAPABILITY TUNNEL=V4V6 AUTH=ANONYMOUS")
        if self.line() != "AUTHENTICATE ANONYMOUS":
            raise EOFError
        if self.server.refuse_auth:
            self.put_line("300 Authentication failed")
            raise EOFError
        self.put_line("200 Success")

    def message(self):
        length = None
        while length is None:
            line = self.line()
            if line.lower().startswith("content-length:"):
                length = int(line.split(":")[1])
        return self.file.read(length).decode()

    def serve(self):
        self.handshake()
        self.server.authenticated += 1
        while True:
            text = self.message()
            if not text.lstrip().startswith("<"):
                self.server.answers.append(text)
                continue
            request = Request(self, text)
            self.server.received.append(request)
            answer = self.server.answer(request)
            if answer is not None:
                self.put(answer)


class TspServer:
    connection_class = Connection

    def __init__(self, bench, address=SERVER_V6):
        self.supported = ("VERSION=1.0", "VERSION=2.0.0")
        self.refuse_auth = False
        self.refuse = None  # a status line instead of a lease
        self.silent = False
        self.lease_v4 = LEASE_V4
        self.tep_v6 = TEP_V6
        self.ranges = [(2048, 2111), (50000, 50063)]
        self.lifetime_s = 600
        self.versions = []
        self.authenticated = 0  # sessions
        self.received = []
        self.answers = []  # what the client answered to our own requests
        self.connections = []
        self.socket = bench.far_socket(socket.AF_INET6, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, 3653))
        self.socket.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, peer = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.run, args=(sock, peer), daemon=True).start()

    def run(self, sock, peer):
        connection = self.connection_class(self, sock, peer)
        self.connections.append(connection)
        try:
            connection.serve()
        except (EOFError, OSError, ValueError):
            pass
        finally:
            connection.file.close()
            sock.close()

    def lease_elements(self, client_v6):
        ports = "".join(f'<ports start="{a}" end="{b}"/>' for a, b in self.ranges)
        return (
            '<server><address type="ipv4" length="32">192.0.2.1</address>'
            f'<address type="ipv6">{self.tep_v6}</address></server>'
            f'<client><address type="ipv4" length="32">{self.lease_v4}</address>'
            f'<address type="ipv6">{client_v6}</address>{ports}</client>')

    def answer(self, request):
        if self.silent or request.action in ("accept", "reject"):
            return None
        if self.refuse is not None:
            return self.refuse + "\r\n"
        return (
            f'200 Success\r\n<tunnel action="info" type="v4v6" lifetime="{self.lifetime_s}">'
            f"{self.lease_elements(request.peer)}</tunnel>")

    def push_delete(self):
        self.push("delete", "200 OK\r\n")

    def push(self, action, status=""):
        """A request of our own over the last connection."""
        connection = self.connections[-1]
        connection.put(
            f'{status}<tunnel action="{action}" type="v4v6">'
            f"{self.lease_elements(connection.peer)}</tunnel>")

    def actions(self):
        return [request.action for request in self.received]

    def close(self):
        self.socket.close()
        for connection in self.connections:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
