# SPDX-License-Identifier: BSD-3-Clause
"""The HTTP client of a lab. fetch.py HOST PORT SECONDS PARALLEL PAGES BEGIN

From BEGIN (time.time()) on, for SECONDS, PARALLEL threads open connections and fetch PAGES pages
on each. Prints one JSON object: pages, connections, octets, failures (sentences), the addresses
and the ports that the server saw, the first line of a page, the times of the first and last page.
"""

import http.client
import json
import sys
import threading
import time

TIMEOUT_S = 5


class Tally:
    """What all threads found."""

    def __init__(self):
        self.lock = threading.Lock()
        self.pages = self.octets = self.connections = 0
        self.addresses, self.ports = set(), set()
        self.failures = []
        self.first = self.last = self.sample = None

    def add(self, answer, body: bytes):
        with self.lock:
            self.pages += 1
            self.octets += len(body)
            self.sample = self.sample or body.decode().split("\n")[0]
            self.addresses.add(answer.headers["X-Peer-Address"])
            self.ports.add(int(answer.headers["X-Peer-Port"]))
            self.last = time.time()
            self.first = self.first or self.last

    def fail(self, error: Exception):
        with self.lock:
            self.failures.append(f"{type(error).__name__}: {error}")


def fetch_until(end: float, host: str, port: int, pages: int, tally: Tally):
    while time.time() < end:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        try:
            connection.connect()
            with tally.lock:
                tally.connections += 1
            for number in range(pages):
                connection.request("GET", f"/{number}")
                answer = connection.getresponse()
                tally.add(answer, answer.read())
                if time.time() >= end:
                    break
        except (OSError, http.client.HTTPException) as error:
            tally.fail(error)
        finally:
            connection.close()


def main():
    host, port, seconds, parallel, pages = sys.argv[1], *map(int, sys.argv[2:6])
    begin = float(sys.argv[6])
    tally = Tally()
    work = (begin + seconds, host, port, pages, tally)
    threads = [threading.Thread(target=fetch_until, args=work) for _ in range(parallel)]
    time.sleep(max(0, begin - time.time()))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({
        "pages": tally.pages, "connections": tally.connections, "octets": tally.octets,
        "failures": tally.failures, "addresses": sorted(tally.addresses),
        "ports": sorted(tally.ports), "sample": tally.sample, "first": tally.first,
        "last": tally.last}))


if __name__ == "__main__":
    main()
