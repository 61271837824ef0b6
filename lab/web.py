# SPDX-License-Identifier: BSD-3-Clause
"""The HTTP server of a lab: every page says who asked for it. web.py PORT REQUESTS_FILE

The answer's headers X-Peer-Address and X-Peer-Port are the peer as this server sees it; the
requests file gets the same, a line each: time, address, port, path.
"""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

FILLER = ("Everything below is here to give the page a size. " * 400).encode()


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        address, port = self.client_address[:2]
        self.server.requests.write(f"{time.time():.6f} {address} {port} {self.path}\n")
        body = f"You are {address} port {port}.\n".encode() + FILLER
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Peer-Address", address)
        self.send_header("X-Peer-Port", str(port))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def server_bind(self):
        """Without asking for this host's name, which takes as long as a resolver waits for nobody."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


def main():
    port, requests = int(sys.argv[1]), sys.argv[2]
    server = Server(("", port), Page)
    with open(requests, "a", buffering=1, encoding="ascii") as server.requests:
        server.serve_forever()


if __name__ == "__main__":
    main()
