# SPDX-License-Identifier: BSD-3-Clause
"""
The real dstm-client with protocol: rpc before the real dstm-server (R38, R39): the lease comes by RPC, and IPv4 flows
through a scripted TEP. An rpcbind stands beside the server, with a /run of its own.
"""

import signal
import socket
import subprocess
import sys

import pytest

from bench import CLIENT_V6, LEASE_V4, SERVER_V6, TEP_V6, in_namespace, run, wait_for
from world import ROOT, leave, tcp_exchange

sys.path.insert(0, str(ROOT / "tests/server"))
from dstm_server import Server  # noqa: E402
from rpc_peer import words  # noqa: E402
from tsp_peers import ScriptedTep  # noqa: E402

PORT = 3655
ANY_PROGRAM = 536874327
WHOLE = [[0, 65535]]


class Far:
    """What stands at the far side: server, the session of its TEP, and rpcbind on demand."""

    def __init__(self, bench, folder):
        self.bench = bench
        self.keeper = subprocess.Popen(
            ["ip", "netns", "exec", bench.far, "unshare", "--mount", "--propagation", "private",
             "sh", "-c", "mount -t tmpfs none /run && echo ready && exec sleep infinity"],
            stdout=subprocess.PIPE)
        assert self.keeper.stdout.readline() == b"ready\n"
        self.inside = ["nsenter", "-t", str(self.keeper.pid), "--mount", "--root", "--net"]
        self.rpcbind = None
        self.tep = in_namespace(bench.far, lambda: ScriptedTep(v6=TEP_V6))
        folder.mkdir()
        self.server = Server(folder, [self.tep])
        self.server.wrapper = self.inside
        self.server.config["pools"] = [
            {"name": "whole", "prefix": f"{LEASE_V4}/32", "mode": "exclusive", "tep": "tep0"}]
        self.server.config["auth"]["require_peer_address"] = True
        self.server.config["lease"]["quarantine_s"] = 0
        self.server.config["rpc"] = {
            "listen": [f"[::]:{PORT}"], "allow": [f"{CLIENT_V6}/128"], "idle_s": 1}

    def start(self):
        self.server.start().wait_level()
        return self.server

    def start_rpcbind(self):
        self.server.config["rpc"]["rpcbind"] = True
        self.rpcbind = subprocess.Popen([*self.inside, "rpcbind", "-f"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: ":111 " in run(*self.inside, "ss", "-lnut6"), "rpcbind")

    def close(self):
        self.server.stop(signal.SIGKILL)
        print(self.server.log())
        if self.rpcbind is not None:
            self.rpcbind.kill()
            self.rpcbind.wait()
        self.tep.stop()
        self.keeper.kill()
        self.keeper.wait()


@pytest.fixture(name="far")
def fixture_far(bench, tmp_path):
    far = Far(bench, tmp_path / "far")
    yield far
    far.close()


def rpc(port=PORT, transport="tcp", server=SERVER_V6):
    return f'{{server: "{server}", port: {port}, transport: {transport}}}'


def start(make_client, rpc_map, **settings):
    client = make_client(**{"server": "", "protocol": "rpc", "rpc": rpc_map} | settings)
    lines = [line for line in client.config.read_text().splitlines() if line != "server: "]
    client.config.write_text("\n".join(lines) + "\n")
    return client.start()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_lease_by_rpc_carries_ipv4_and_is_given_back(far, echo, make_client, transport):
    """R38, R39: REQUEST, renewals of what it holds over connections that were closed meanwhile, RELEASE."""
    far.server.config["lease"].update(lifetime_s=4)
    server = far.start()
    client = start(make_client, rpc(transport=transport))
    show = client.wait_bound()
    assert show["v4"] == LEASE_V4 and show["tep"] == TEP_V6 and show["ports"] == WHOLE
    assert tcp_exchange(far.bench) == b"hello"
    assert echo.sources[0][0] == LEASE_V4
    lease, = server.leases("active")
    assert lease["client"] == CLIENT_V6 and lease["ports"] == WHOLE
    wait_for(lambda: server.counter("leases-renewed") >= 2, "two renewals")
    assert client.state_is("bound") and server.counter("leases-created") == 1
    assert tcp_exchange(far.bench) == b"hello"
    assert leave(client) == 0
    assert server.leases("active") == [] and server.counter("leases-released") == 1


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_lease_that_cannot_be_used_is_given_back(far, make_client, transport):
    """The link is closed with the RELEASE on its way, which still reaches the server."""
    server = far.start()
    client = start(make_client, rpc(transport=transport), tep=CLIENT_V6)
    wait_for(lambda: server.counter("leases-released") == 1, "the release")
    assert not client.state_is("bound") and server.leases("active") == []


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_the_port_is_asked_of_rpcbind(far, make_client, transport):
    far.start_rpcbind()
    far.server.config["rpc"]["listen"] = ["[::]:0"]
    server = far.start()
    wait_for(lambda: "rpc: in the list" in server.log(), "the registration")
    client = start(make_client, rpc(0, transport))
    client.wait_bound()
    assert leave(client) == 0


def test_what_is_not_there_is_named_and_tried_again(far, make_client):
    """No rpcbind, one that knows no such program, another program; then the lease comes."""
    client = start(make_client, rpc(0))
    wait_for(lambda: "Connection refused" in client.log.read_text(), "the first reason")
    far.start_rpcbind()
    wait_for(lambda: "does not know the program" in client.log.read_text(), "the second")
    far.server.config["rpc"]["program"] = ANY_PROGRAM + 1
    far.start()
    client.kill()
    client = start(make_client, rpc())
    wait_for(lambda: "the program is not there" in client.log.read_text(), "the third")
    far.server.stop()
    far.server.config["rpc"]["program"] = ANY_PROGRAM
    far.start()
    client.wait_bound()
    assert leave(client) == 0


def test_a_server_that_is_silent_is_given_up_in_time(far, make_client):
    """One that does not list this caller, by UDP; a reload lets it in."""
    far.server.config["rpc"]["allow"] = ["2001:db8:bad::/48"]
    server = far.start()
    client = start(make_client, rpc(transport="udp"))
    wait_for(lambda: server.counter("rpc-forbidden") >= 2, "the call to be sent again")
    wait_for(lambda: "no answer in time" in client.log.read_text(), "the end of its patience")
    server.config["rpc"]["allow"] = [f"{CLIENT_V6}/128"]
    server.reload()
    client.wait_bound()
    assert leave(client) == 0


def test_a_refused_renewal_asks_for_any_lease(far, make_client):
    """The lease was ended, which nobody could tell the client, and another has the address: it gets what there is."""
    far.server.config["lease"].update(lifetime_s=6)
    far.server.config["pools"][0]["prefix"] = "198.51.100.6/31"
    far.server.config["auth"]["require_peer_address"] = False
    server = far.start()
    client = start(make_client, rpc(transport="udp"))
    before = client.wait_bound()["v4"]
    server.ctl("push-delete", client=CLIENT_V6)
    tsp = in_namespace(far.bench.far, lambda: server.anonymous("1.0.0"))
    others = {}
    for v6 in ("2001:db8:1::71", "2001:db8:1::72"):
        wait_for(lambda v6=v6: tsp.create(v6, want="").code == 200, "an address to be free")
        others |= {lease["v4"]: v6 for lease in server.leases("active") if lease["client"] == v6}
    after = {"198.51.100.6", "198.51.100.7"} - {before}
    server.ctl("push-delete", client=others[after.copy().pop()])
    wait_for(lambda: client.shows(state="bound", v4=after.copy().pop()), "another lease")
    assert server.counter("rpc-refused") == 1
    tsp.close()
    assert leave(client) == 0


def test_nothing_free_is_a_refusal(far, make_client):
    far.server.config["pools"][0]["clients"] = ["2001:db8:bad::/48"]
    server = far.start()
    client = start(make_client, rpc())
    wait_for(lambda: "Address pool exhausted" in client.log.read_text(), "the refusal")
    server.config["pools"][0]["clients"] = ["::/0"]
    server.reload()
    client.wait_bound()
    assert leave(client) == 0


def test_a_lease_in_ranges_is_no_whole_address(far, make_client):
    """What another protocol began, and a packet cannot say: the client refuses it rather than use others' ports."""
    far.server.config["pools"].append(
        {"name": "shared", "prefix": "192.0.2.9/32", "tep": "tep0"})
    far.server.config["auth"]["require_peer_address"] = False
    server = far.start()
    tsp = in_namespace(far.bench.far, lambda: server.anonymous("1.0.0"))
    assert tsp.create(CLIENT_V6).code == 200
    server.config["auth"]["require_peer_address"] = True
    server.reload()
    client = start(make_client, rpc())
    wait_for(lambda: "Unsupported tunnel type" in client.log.read_text(), "the refusal")
    lease, = server.leases("active")
    assert lease["ports"] != WHOLE
    tsp.close()
    client.kill()


def passed_over(xid):
    """No replies, or not to this call."""
    head = xid + words(1, 0, 0, 0, 0)
    yield from (b"", xid, xid + b"\xff" * 60, bytes(4) + head[4:] + bytes(64), head + bytes(2000),
                xid + words(1, 1) + bytes(3), xid + words(0) + head, head[:-4] + words(2, 1))


def nonsense(xid):
    """Replies that hold no lease."""
    head = xid + words(1, 0, 0, 0, 0)
    yield from (head + b"\xff" * 64, head + bytes(60), head + words(4) + bytes(60),
                head[:-4] + words(2, 1, 1), xid + words(1, 1, 1, 2), head)


def test_hostile_answers_end_nothing_but_the_attempt(bench, make_client):
    """A server that answers procedure 0 and then nonsense to each REQUEST; the client asks on."""
    sock = bench.far_socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.bind((SERVER_V6, PORT))
    sock.settimeout(20)
    client = start(make_client, rpc(transport="udp"), retry_max_s=1)
    requests = 0
    while requests < len(list(nonsense(bytes(4)))):
        data, peer = sock.recvfrom(2048)
        xid = data[:4]
        if data[20:24] == words(0):
            sock.sendto(xid + words(1, 0, 0, 0, 0), peer)
            continue
        for answer in (*passed_over(xid), list(nonsense(xid))[requests]):
            sock.sendto(answer, peer)
        requests += 1
    wait_for(lambda: client.log.read_text().count("warning: server") >= requests, "the reasons")
    assert client.show()["state"] != "bound" and client.process.poll() is None
    log = client.log.read_text()
    assert "Sanitizer" not in log and "runtime error" not in log
    client.kill()
    sock.close()
