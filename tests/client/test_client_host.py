# SPDX-License-Identifier: BSD-3-Clause
"""
Mode host: the range of local ports, as the kernel allows it to be set (R49).
"""

import pytest

from bench import LEASE_V4, Bench, Client
from tep import Tep
from tsp_server import TspServer
from world import BINARY, Echo, in_ranges, leave, ping, tcp_exchange, udp_exchange


@pytest.mark.parametrize("ranges, expected", [
    ([(0, 2047)], "1024 2047"),  # port 0, and those that are kept for root
    ([(900, 1100), (5000, 5099)], "5000 5099"),  # the larger one has less that can be used
    ([(1000, 1199), (5000, 5099)], "1024 1199"),
])
def test_local_ports_are_what_of_the_lease_the_kernel_takes(tmp_path, ranges, expected):
    """Set at the lease, restored at its end; the reserved ports are somebody else's affair."""
    with Bench() as bench:
        server, tep = TspServer(bench), Tep(bench)
        echo = Echo(bench)
        bench.in_client("sysctl", "-qw", "net.ipv4.ip_local_port_range=20000 30001",
                        "net.ipv4.ip_local_reserved_ports=1100,5050")
        server.ranges = ranges
        client = Client(bench, tmp_path, BINARY, mode="host")
        try:
            client.start().wait_bound()
            assert bench.host_state()["ports"].split() == expected.split()
            first, last = map(int, expected.split())
            for _ in range(10):
                assert tcp_exchange(bench) == udp_exchange(bench) == b"hello"
            assert {address for address, _ in echo.sources} == {LEASE_V4}
            assert all(first <= port <= last for _, port in echo.sources)
            assert not {1100, 5050} & {port for _, port in echo.sources}
            assert "2 received" in ping(bench)
            assert all(in_ranges(packet.sport, ranges) for packet in tep.sent)
            assert leave(client) == 0
            assert bench.host_state()["ports"].split() == ["20000", "30001"]
            assert bench.in_client(
                "sysctl", "-n", "net.ipv4.ip_local_reserved_ports").strip() == "1100,5050"
        finally:
            client.kill()
            print(client.log.read_text())
            server.close()
            tep.close()
