# SPDX-License-Identifier: BSD-3-Clause
"""
RPC (annex B of draft-ietf-ngtrans-dstm-05) at the real server, with a real rpcbind: R38, R39, R10.

Whoever calls the server by one of its own addresses calls from there, too: so the specification's client has a tunnel
end of its own. All share one server, one rpcbind and one namespace.
"""

import os
import signal
import subprocess
import threading
import time

import pytest

import rpc_peer
from dstm_server import ROOT, wait_for
from rpc_peer import Tcp, Udp, record, release, request, words
from rpc_world import ALICE, CALLERS, IDLE_S, PORT, SERVER, STRANGER, RpcWorld, make_server
from tsp_peers import ScriptedTep

BUILD = ROOT / os.environ.get("DSTM_BUILD", "build/gcc")
SPEC_CLIENT = BUILD / "tests/rpc/rpc_spec_client"
WHOLE = "255.255.255.255"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


@pytest.fixture(name="world", scope="module")
def fixture_world():
    world = RpcWorld()
    yield world
    world.close()


@pytest.fixture(name="tep", scope="module")
def fixture_tep(world):
    tep = ScriptedTep()
    yield tep
    tep.stop()


@pytest.fixture(name="server", scope="module")
def fixture_server(world, tep, tmp_path_factory):
    world.start_rpcbind()
    server = make_server(tmp_path_factory.mktemp("rpc"), world, tep, rpcbind=True)
    server.start().wait_level()
    wait_for(lambda: "rpc: in the list" in server.log(), "the registration")
    yield server
    assert server.stop() == 0
    print(server.log())
    assert "Sanitizer" not in server.log() and "runtime error" not in server.log()


def spec(host, netid, operation, *v4):
    """type, v4, mask, tep6, starts, ends, extend, local."""
    output = subprocess.run([SPEC_CLIENT, host, netid, operation, *v4], check=True, timeout=30,
                            capture_output=True, text=True).stdout.split()
    return [int(word) if word.isdigit() else word for word in output]


def rpcinfo(*arguments):
    return subprocess.run(["rpcinfo", *arguments], check=True, timeout=30, capture_output=True,
                          text=True).stdout


def lease_of(server, v6):
    return [lease for lease in server.leases("active") if lease["client"] == v6]


@pytest.mark.parametrize("netid", ["tcp6", "udp6"])
def test_rpcinfo_finds_the_program_over_ipv6(server, netid):
    """R38."""
    row, = [line for line in rpcinfo("-s", "::1").splitlines() if str(rpc_peer.PROGRAM) in line]
    assert set(row.split()[2].split(",")) == {"tcp6", "udp6"}
    assert "ready and waiting" in rpcinfo("-T", netid, SERVER, str(rpc_peer.PROGRAM), "1")


@pytest.mark.parametrize("netid, caller", [("tcp6", CALLERS[0]), ("udp6", CALLERS[1])])
def test_the_specifications_own_client_gets_and_releases_a_lease(server, tep, netid, caller):
    """R38, R39: what rpcgen makes of the interface, found by rpcbind."""
    before = int(time.time())
    kind, v4, mask, tep6, starts, ends, extend, local = spec(caller, netid, "request")
    assert (kind, mask, tep6, extend, local) == (2, WHOLE, tep.V6, 3600, "fe80::260:caff:fe85:abcd")
    assert before - 1 <= starts <= before + 30 and ends == starts + 3600
    assert [lease["v4"] for lease in lease_of(server, caller)] == [v4]
    assert tep.table[(v4, ())][0] == caller
    renewed = spec(caller, netid, "request", v4)
    assert renewed[1] == v4 and renewed[5] >= ends
    assert spec(caller, netid, "release")[:2] == [4, v4]
    assert lease_of(server, caller) == [] and (v4, ()) not in tep.table
    assert spec(caller, netid, "release")[:2] == [4, "0.0.0.0"]


@pytest.mark.parametrize("transport", [Tcp, Udp])
def test_a_request_names_what_it_renews_and_how_long(server, transport):
    """R39: i4addr and extend; policy has the last word, and nobody gets what another holds."""
    with transport(PORT, CALLERS[2]) as caller, transport(PORT, CALLERS[3]) as other:
        first = caller.ask(request(extend=100)).packet()
        assert (first.type, first.extend, first.ends - first.starts) == (2, 100, 100)
        again = caller.ask(request(first.v4, extend=0xffffffff)).packet()
        assert (again.v4, again.extend, again.mask, again.keep) == (first.v4, 3600, WHOLE, 0)
        refused = server.counter("rpc-refused")
        for message in (request(first.v4), release(first.v4), request("192.0.2.1"),
                        request("255.255.255.255"), release()):
            answer = other.ask(message).packet()
            assert answer.v4 == answer.mask == answer.tep4 == "0.0.0.0"
            assert answer.tep6 == "::" and answer.ends == answer.starts == answer.extend == 0
            assert answer.local == rpc_peer.LOCAL
        assert server.counter("rpc-refused") == refused + 5
        assert lease_of(server, CALLERS[3]) == []
        assert caller.ask(release(first.v4)).packet().v4 == first.v4


def test_two_callers_at_once_get_two_leases(server, tep):
    tep.delay_s = 0.3
    answers = {}

    def ask(source, transport):
        with transport(PORT, source) as caller:
            answers[source] = caller.ask(request()).packet().v4
            assert caller.ask(release()).packet().v4 == answers[source]

    threads = [threading.Thread(target=ask, args=pair)
               for pair in ((CALLERS[4], Tcp), (CALLERS[5], Udp))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tep.delay_s = 0
    assert len(set(answers.values())) == 2 and "0.0.0.0" not in answers.values()


def test_a_call_that_comes_again_is_worked_on_once(server, tep):
    """UDP: repetitions while it is under way are dropped, later ones get the same reply; also a RELEASE."""
    tep.delay_s = 0.5
    repeated, calls = server.counter("rpc-repeated"), server.counter("rpc-calls")
    creates = len([r for r in tep.requests if r.action == "create"])
    with Udp(PORT, CALLERS[6]) as caller:
        message = request()
        for _ in range(3):
            caller.send(message)
        first = caller.receive()
        assert caller.receive(0.3) is None
        assert caller.ask(message).octets == first.octets
        assert server.counter("rpc-repeated") == repeated + 3
        assert server.counter("rpc-calls") == calls + 1
        assert len([r for r in tep.requests if r.action == "create"]) == creates + 1
        farewell = release()
        assert caller.ask(farewell).packet().v4 == first.packet().v4
        assert caller.ask(farewell).packet().v4 == first.packet().v4
    tep.delay_s = 0


def test_a_slow_caller_stalls_nobody_and_is_closed(server):
    with Tcp(PORT, CALLERS[7]) as slow, Tcp(PORT, CALLERS[8]) as silent, \
            Tcp(PORT, CALLERS[9]) as caller:
        idle = server.counter("rpc-idle")
        slow.send(record(request())[:50])
        start = time.monotonic()
        for _ in range(5):
            slow.send(b"\0")
            assert caller.ask(request()).packet().v4 != "0.0.0.0"
        assert time.monotonic() - start < IDLE_S
        caller.ask(release())
        for sock in (slow, silent):
            assert sock.receive() is None
        wait_for(lambda: server.counter("rpc-idle") >= idle + 2, "them to be closed")


def test_who_never_reads_keeps_no_memory(server):
    """Calls are not read faster than their answers are: what waits is the kernel's."""
    with Tcp(PORT, CALLERS[7]) as deaf:
        deaf.sock.settimeout(0.5)
        calls = server.counter("rpc-calls")
        try:
            for _ in range(40):
                deaf.send(record(rpc_peer.call(rpc_peer.NULL)) * 2000)
        except TimeoutError:
            pass
        wait_for(lambda: server.counter("rpc-calls") > calls, "some calls")
        with Udp(PORT, CALLERS[9]) as caller:
            assert caller.ask(rpc_peer.call(rpc_peer.NULL)).accept == 0


def test_records_come_in_any_pieces(server):
    message = request()
    with Tcp(PORT, CALLERS[10]) as caller:
        fragments = b"".join(words(4) + message[at:at + 4] for at in range(0, 60, 4))
        fragments += words(0) + record(message[60:])
        for at in range(0, len(fragments), 7):
            caller.send(fragments[at:at + 7])
        v4 = caller.receive().packet().v4
        assert v4 != "0.0.0.0"
        both = [request(v4, xid=1), rpc_peer.call(rpc_peer.NULL, xid=2), release(v4, xid=3)]
        caller.send(b"".join(map(record, both)))
        assert [caller.receive().xid for _ in both] == [1, 2, 3]


@pytest.mark.parametrize("transport", [Tcp, Udp])
def test_whom_the_list_does_not_name_is_dropped(server, transport):
    forbidden, calls = server.counter("rpc-forbidden"), server.counter("rpc-calls")
    try:
        with transport(PORT, STRANGER) as stranger:
            stranger.send(record(request()) if transport is Tcp else request())
            assert (stranger.receive() if transport is Tcp else stranger.receive(0.5)) is None
    except ConnectionError:
        pass
    wait_for(lambda: server.counter("rpc-forbidden") > forbidden, "it to be counted")
    assert server.counter("rpc-calls") == calls
    assert lease_of(server, STRANGER) == []


def test_a_reload_changes_who_may_call(server):
    server.config["rpc"]["allow"].append(f"{STRANGER}/128")
    assert "all is as" in server.reload()
    with Udp(PORT, STRANGER) as stranger:
        assert stranger.ask(rpc_peer.call(rpc_peer.NULL)).accept == 0
    server.config["rpc"]["allow"].pop()
    server.config["rpc"]["listen"] = [f"[::]:{PORT + 1}"]
    assert "all is as" in server.reload() and "only with a restart" in server.log()
    server.config["rpc"]["listen"] = [f"[::]:{PORT}"]
    server.reload()
    with Udp(PORT, STRANGER) as stranger:
        stranger.send(rpc_peer.call(rpc_peer.NULL))
        assert stranger.receive(0.5) is None


def test_a_caller_by_its_prefix_is_a_user(server):
    with Tcp(PORT, ALICE) as caller:
        assert caller.ask(request()).packet().v4 != "0.0.0.0"
        assert [lease["user"] for lease in lease_of(server, ALICE)] == ["alice"]
        caller.ask(release())


@pytest.fixture(name="by_tsp")
def fixture_by_tsp(server):
    """A TSP client that may name any tunnel end: TSP connects from ::1."""
    server.config["auth"]["require_peer_address"] = False
    server.reload()
    client = server.anonymous("1.0.0")
    yield client
    client.close()
    server.config["auth"]["require_peer_address"] = True
    server.reload()


def test_tsp_and_rpc_see_one_lease(server, by_tsp):
    """R10."""
    info = by_tsp.create(CALLERS[11], want="")
    v4 = info.address("client", "ipv4")
    with Tcp(PORT, CALLERS[11]) as caller:
        assert caller.ask(request()).packet().v4 == v4
        assert len(lease_of(server, CALLERS[11])) == 1
        assert caller.ask(release()).packet().v4 == v4
        assert lease_of(server, CALLERS[11]) == []
        v4 = caller.ask(request()).packet().v4
        assert by_tsp.create(CALLERS[11], want="").address("client", "ipv4") == v4
        caller.ask(release())


def test_a_lease_in_ranges_is_renewed_and_named_but_never_new(server, by_tsp):
    """R10: a packet has no place for ports, so RPC begins no such lease, and ends none unasked."""
    info = by_tsp.create(CALLERS[11])
    v4 = info.address("client", "ipv4")
    assert len(info.ports) == 1 and v4 == "198.51.100.7"
    with Udp(PORT, CALLERS[11]) as caller:
        for named in ("0.0.0.0", v4):
            answer = caller.ask(request(named)).packet()
            assert (answer.v4, answer.mask, answer.extend) == (v4, "0.0.0.0", 3600)
        lease, = lease_of(server, CALLERS[11])
        assert lease["v4"] == v4 and lease["ports"] == [list(info.ports[0])]
        assert caller.ask(release()).packet().v4 == v4
        assert caller.ask(request()).packet().v4.startswith("203.0.113.")
        caller.ask(release())


def test_nothing_free_is_an_answer_without_an_address(server):
    exhausted = server.counter("refused-exhausted")
    pool = server.config["pools"][1]
    pool["prefix"] = "203.0.113.64/32"
    server.reload()
    with Udp(PORT, CALLERS[12]) as first, Tcp(PORT, CALLERS[13]) as second:
        assert first.ask(request()).packet().v4 == "203.0.113.64"
        assert second.ask(request()).packet().v4 == "0.0.0.0"
        assert server.counter("refused-exhausted") == exhausted + 1
        first.ask(release())
    pool["prefix"] = "203.0.113.0/28"
    server.reload()


def is_let_in():
    try:
        with Tcp(PORT, CALLERS[14]) as caller:
            return caller.ask(rpc_peer.call(rpc_peer.NULL)) is not None
    except ConnectionError:
        return False


def test_connections_have_a_limit(server):
    refused = server.counter("rpc-connections-refused")
    callers = [Tcp(PORT, CALLERS[14]) for _ in range(32)]
    try:
        for caller in callers[:4]:
            assert caller.ask(rpc_peer.call(rpc_peer.NULL)).accept == 0
        with Tcp(PORT, CALLERS[14]) as late:
            assert late.receive() is None
        assert server.counter("rpc-connections-refused") > refused
    finally:
        for caller in callers:
            caller.sock.close()
    wait_for(is_let_in, "room again")


def test_a_caller_that_hangs_up_leaves_nothing_half_made(server, tep):
    tep.delay_s = 0.3
    with Tcp(PORT, CALLERS[12]) as caller:
        creates = len(tep.requests)
        caller.send(record(request()))
        wait_for(lambda: len(tep.requests) > creates, "the TEP to be asked")
    tep.delay_s = 0
    wait_for(lambda: server.leases("pending") == [], "the job to be over")
    with Tcp(PORT, CALLERS[12]) as caller:
        assert caller.ask(request()).packet().v4 != "0.0.0.0"
        assert caller.ask(release()).packet().v4 != "0.0.0.0"
    assert lease_of(server, CALLERS[12]) == []


def test_a_tep_that_refuses_is_a_refusal(server, tep):
    tep.behaviour = "refuse"
    with Udp(PORT, CALLERS[13]) as caller:
        assert caller.ask(request()).packet().v4 == "0.0.0.0"
    tep.behaviour = "ok"


# --- rpcbind ---------------------------------------------------------------------------------------


def test_a_server_without_rpcbind_goes_on_and_says_so(world, tep, server, tmp_path):
    """The other server keeps the port that it has; this one asks the kernel for one."""
    world.stop_rpcbind()
    lonely = make_server(tmp_path, world, tep, rpcbind=True, listen=["[::1]:0"], allow=["::1/128"])
    try:
        lonely.start()
        wait_for(lambda: "rpc: not in the list of rpcbind" in lonely.log(), "the warning")
        line, = [line for line in lonely.log().splitlines() if "(UDP)" in line]
        with Udp(int(line.split("]:")[1].split()[0]), server="::1") as caller:
            assert caller.ask(rpc_peer.call(rpc_peer.NULL)).accept == 0
    finally:
        lonely.stop(signal.SIGKILL)
    world.start_rpcbind()


def test_what_was_left_in_the_list_is_replaced_and_taken_back(world, tep, server, tmp_path):
    """A server that was killed stays in the list until the next one; a stopped one takes itself out."""
    number = 0x20000d58
    other = make_server(tmp_path, world, tep, rpcbind=True, listen=["[::]:0"], program=number)
    found = lambda: [line for line in rpcinfo("-s", "::1").splitlines() if str(number) in line]
    try:
        other.start()
        wait_for(found, "the registration")
        other.stop(signal.SIGKILL)
        assert found()
        other.start()
        wait_for(lambda: other.log().count("rpc: in the list") == 2, "the registration")
        assert "ready and waiting" in rpcinfo("-T", "udp6", SERVER, str(number), "1")
        assert other.stop() == 0
        assert not found()
    finally:
        other.stop(signal.SIGKILL)
