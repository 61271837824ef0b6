# SPDX-License-Identifier: BSD-3-Clause
"""dstmctl against a scripted daemon: a plain socket server that knows nothing of the C code.

Run by meson with DSTMCTL naming the binary.
"""

import contextlib
import json
import os
import socketserver
import subprocess
import threading

import pytest

DSTMCTL = os.environ["DSTMCTL"]


@pytest.fixture
def daemon(tmp_path):
    """daemon(answer) serves answer(command, arguments) -> the object of one line, or raw bytes."""
    with contextlib.ExitStack() as stack:

        def start(answer):
            seen = []

            class Handler(socketserver.StreamRequestHandler):
                def handle(self):
                    request = json.loads(self.rfile.readline())
                    seen.append(request)
                    reply = answer(request["command"], request.get("arguments", {}))
                    if not isinstance(reply, bytes):
                        reply = json.dumps(reply).encode() + b"\n"
                    self.wfile.write(reply)

            path = str(tmp_path / "d.sock")
            server = stack.enter_context(socketserver.UnixStreamServer(path, Handler))
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            stack.callback(server.shutdown)
            return path, seen

        yield start


def run(*args):
    return subprocess.run([DSTMCTL, *args], capture_output=True, text=True, timeout=30, check=False)


def ok(result):
    return lambda command, arguments: {"ok": True, "result": result}


def pager(total, item):
    """A list of total items, served in pages of what the client asks for."""

    def answer(command, arguments):
        begin = int(arguments.get("after", 0))
        end = min(begin + arguments["limit"], total)
        items = [item(i) for i in range(begin, end)]
        return {"ok": True, "result": {"items": items, "next": str(end) if end < total else None}}

    return answer


def binding(i):
    return {
        "v4": f"198.51.100.{i % 250}",
        "first": 1024,
        "last": 2047,
        "client": f"2001:db8:1::{i:x}",
        "tep": "2001:db8::1",
        "static": i % 2 == 0,
        "dormant": i % 2 == 1,
        "seconds_left": None if i % 2 == 0 else 3725,
    }


COUNTERS = {
    "items": [
        {"name": "decap", "packets": 1234567, "bytes": 99, "drop": False, "text": "Delivered."},
        {"name": "not_holder", "packets": 3, "bytes": None, "drop": True, "text": "Not its holder."},
        {"name": "no_route", "packets": 0, "bytes": 0, "drop": True, "text": "Nowhere to go."},
    ],
    "next": None,
}


def test_without_a_daemon_one_sentence_and_exit_code_1(tmp_path):
    path = str(tmp_path / "none.sock")
    done = run("tep", "show", "--socket", path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"dstmctl: {path}: no daemon answers here: No such file or directory\n"
    )


def test_a_refusal_is_said_as_it_is(daemon):
    path, _ = daemon(lambda command, arguments: {"ok": False, "error": "worker 9: no such worker"})
    done = run("tep", "counters", "--worker", "9", "--socket", path)
    assert (done.returncode, done.stderr) == (1, "dstmctl: worker 9: no such worker\n")


@pytest.mark.parametrize("reply", [b"hello\n", b"", b'{"ok": true}\n', b"[]\n"])
def test_a_foreign_answer_is_an_error(daemon, reply):
    path, _ = daemon(lambda command, arguments: reply)
    done = run("server", "show", "--socket", path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("dstmctl: ")


def test_tep_show_prints_state_ports_and_servers(daemon):
    path, seen = daemon(
        ok(
            {
                "name": "tep1",
                "version": "0.1.0",
                "state": "starting",
                "reason": "waits for server2",
                "uptime_s": 3725,
                "workers": 2,
                "neighbor": "static",
                "tunnel_v6": ["2001:db8::1", "2001:db8::2"],
                "tunnel_v4": "192.0.0.1",
                "metrics": "[::1]:9476",
                "host": {"routes": 1000012, "neighbours": 3},
                "ports": [
                    {
                        "side": "v6",
                        "device": "net_pcap0",
                        "mac": "02:00:00:00:06:01",
                        "mtu": 1500,
                        "rx_packets": 1234567,
                        "rx_bytes": 64,
                        "tx_packets": 0,
                        "tx_bytes": 0,
                        "rx_missed": 0,
                    }
                ],
                "bindings": {
                    "count": 65536,
                    "exclusive": 1,
                    "addresses": 1024,
                    "max": 65536,
                    "bytes": 8388608,
                },
                "servers": [
                    {"name": "server1", "peer": None, "state": "connected", "since_s": 5,
                     "creates": 4000, "deletes": 3, "refused": 0}
                ],
            }
        )
    )
    done = run("tep", "show", "--socket", path)
    assert done.returncode == 0, done.stderr
    assert seen == [{"command": "show", "arguments": {}}]
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["uptime", "1", "h", "2", "min"] in lines
    assert ["tunnel", "v6", "2001:db8::1,", "2001:db8::2"] in lines
    assert ["bindings", "65,536"] in lines
    assert ["server1", "-", "connected", "5", "s", "4,000", "3", "0"] in lines
    assert ["state", "starting"] in lines and ["reason", "waits", "for", "server2"] in lines
    assert ["metrics", "[::1]:9476"] in lines
    assert ["routes", "1,000,012"] in lines and ["neighbours", "3"] in lines
    assert "v6 net_pcap0 02:00:00:00:06:01 1500 1,234,567 64 0 0 0".split() in lines


def test_columns_are_aligned(daemon):
    path, _ = daemon(
        ok({"items": [{"name": "é", "count": 7, "text": ""}, {"name": "longer", "count": 1000}]})
    )
    done = run("client", "counters", "--socket", path)
    assert done.stdout == "COUNTER  COUNT\né            7\nlonger   1,000\n"


def test_pages_are_joined_and_asked_for_in_turn(daemon):
    path, seen = daemon(pager(2500, binding))
    done = run("tep", "bindings", "--json", "--socket", path)
    result = json.loads(done.stdout)
    assert result == {"items": [binding(i) for i in range(2500)], "next": None}
    assert [request["arguments"].get("after") for request in seen] == [None, "1000", "2000"]


@pytest.mark.parametrize("limit, pages", [(1, 1), (999, 1), (1000, 1), (1001, 2), (9999, 3)])
def test_limit_bounds_the_whole_list(daemon, limit, pages):
    path, seen = daemon(pager(2500, binding))
    done = run("tep", "bindings", "--json", "--limit", str(limit), "--socket", path)
    assert len(json.loads(done.stdout)["items"]) == min(limit, 2500)
    assert len(seen) == pages


def test_a_list_that_does_not_end_is_given_up(daemon):
    path, _ = daemon(ok({"items": [binding(0)], "next": "1"}))
    done = run("tep", "bindings", "--socket", path)
    assert (done.returncode, done.stderr) == (1, "dstmctl: the daemon's list does not end\n")


def test_bindings_print_ports_end_and_the_filter_reaches_the_daemon(daemon):
    path, seen = daemon(pager(2, binding))
    done = run("tep", "bindings", "--v4", "198.51.100.7", "--socket", path)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["ADDRESS", "FIRST", "LAST", "CLIENT", "TEP", "STATIC", "DORMANT",
                        "LEFT"]
    assert lines[1][4:] == ["2001:db8::1", "yes", "-", "-"]
    assert lines[2][4:] == ["2001:db8::1", "-", "yes", "1", "h", "2", "min"]
    assert seen[0]["arguments"]["v4"] == "198.51.100.7"


def test_drain_ends_when_the_process_has(daemon):
    with subprocess.Popen(["sleep", "0.5"]) as process:
        path, seen = daemon(ok({"wait_s": 7, "pid": process.pid}))
        done = run("tep", "drain", "--wait", "7", "--socket", path)
        assert process.poll() is not None or process.wait(0.1) == 0
    assert (done.returncode, done.stdout) == (0, "draining, for 7 s at most\n")
    assert seen[0] == {"command": "drain", "arguments": {"wait_s": 7}}


@pytest.mark.parametrize("answer", [{}, {"wait_s": 10**18, "pid": -1}, {"wait_s": "x", "pid": None}])
def test_drain_of_what_is_no_process_is_an_error(daemon, answer):
    path, _ = daemon(ok(answer))
    done = run("tep", "drain", "--socket", path)
    assert (done.returncode, done.stderr) == (
        1, "dstmctl: the daemon cannot be watched: Invalid argument\n")


def test_leases_print_all_ranges(daemon):
    path, _ = daemon(
        pager(
            1,
            lambda i: {
                "v4": "198.51.100.7",
                "ports": [[1024, 2047], [4096, 5119]],
                "client": "2001:db8:1::17",
                "tep": "tep1",
                "user": None,
                "pool": "shared",
                "state": "active",
                "seconds_left": 59,
            },
        )
    )
    done = run("server", "leases", "--socket", path)
    assert done.stdout.splitlines()[1].split() == (
        "198.51.100.7 1024-2047,4096-5119 2001:db8:1::17 tep1 - shared active 59 s".split()
    )


def test_dhcp6_clients_are_listed_below_the_figures(daemon):
    client = {"client": "2001:db8:1::17", "duid": "00:03:00:01:02:00:00:00:00:01",
              "via": "fe80::17", "port": 546, "relays": 0, "forms": ["dstm", "softwire"],
              "accepts_reconfigure": True, "has_lease": True, "seen_s": 61}
    path, _ = daemon(ok({"duid": "00:04:01", "listen": ["[2001:db8::5]:547"], "known": 1,
                         "with_lease": 1, "displaced": 0, "reconfiguring": 0,
                         "items": [client], "next": None}))
    lines = run("server", "dhcp6", "--socket", path).stdout.splitlines()
    assert "listen          [2001:db8::5]:547" in lines
    assert lines[-1].split() == ("2001:db8:1::17 00:03:00:01:02:00:00:00:00:01 fe80::17 0 "
                                 "dstm, softwire yes yes 1 min 1 s").split()


@pytest.mark.parametrize("option, by", [(None, None), ("--renew", "renew"), ("--rebind", "rebind"),
                                        ("--information", "information")])
def test_reconfigure_says_by_which_message(daemon, option, by):
    """R36."""
    path, seen = daemon(ok({"begun": True}))
    options = [option] if option else []
    done = run("server", "reconfigure", "2001:db8::1", *options, "--duid", "000401", "--socket", path)
    assert done.returncode == 0 and "begun" in done.stdout
    (request,) = seen
    assert request["command"] == "reconfigure"
    assert request["arguments"] == {"client": "2001:db8::1", "duid": "000401"} | (
        {"by": by} if by else {})


def test_counters_hide_what_is_zero_unless_all_are_asked_for(daemon):
    path, _ = daemon(ok(COUNTERS))
    names = [line.split()[0] for line in run("tep", "counters", "--socket", path).stdout.splitlines()]
    assert names == ["COUNTER", "decap", "not_holder"]
    done = run("tep", "counters", "--all", "--socket", path)
    assert [line.split() for line in done.stdout.splitlines()[1:]] == [
        ["decap", "1,234,567", "99", "-"],
        ["not_holder", "3", "-", "yes"],
        ["no_route", "0", "0", "yes"],
    ]


def test_workers_shows_each_counter_at_each_worker(daemon):
    items = [{"name": "decap", "worker": n, "packets": packets, "bytes": 1500, "drop": False,
              "text": "Delivered."} for n, packets in ((0, 0), (1, 1234))]
    path, asked = daemon(ok({"items": items, "next": None}))
    done = run("tep", "counters", "--workers", "--socket", path)
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["COUNTER", "WORKER", "PACKETS", "BYTES", "DROP"], ["decap", "1", "1,234", "1,500", "-"]]
    assert asked[-1]["arguments"] == {"by_worker": True}


def test_explain_prints_each_counters_sentence(daemon):
    path, _ = daemon(ok(COUNTERS))
    done = run("tep", "counters", "--explain", "--socket", path)
    assert done.stdout.splitlines()[1].endswith("  Delivered.")
    assert done.stdout.splitlines()[2].endswith("  Not its holder.")


def test_json_is_the_daemons_answer(daemon):
    path, _ = daemon(ok(COUNTERS))
    assert json.loads(run("tep", "counters", "--json", "--socket", path).stdout) == COUNTERS


def test_client_show_without_a_lease_prints_dashes(daemon):
    path, _ = daemon(
        ok({"version": "0.1.0", "state": "idle", "v4": None, "ports": None, "drops": {"full": 3}})
    )
    lines = run("client", "show", "--socket", path).stdout.splitlines()
    assert "state       idle" in lines
    assert "address     -" in lines
    assert "dropped: full 3" in lines


def test_control_characters_do_not_reach_the_terminal(daemon):
    path, _ = daemon(ok({"items": [{"name": "a\x1b[2J\nb", "count": 1}], "next": None}))
    done = run("server", "counters", "--socket", path)
    assert done.stdout.splitlines()[1].split() == ["a?[2J?b", "1"]


def test_odd_types_in_an_answer_are_printed_as_nothing(daemon):
    path, _ = daemon(ok({"listen": [1, None], "uptime_s": "x", "leases": [], "version": {}}))
    done = run("server", "show", "--socket", path)
    assert done.returncode == 0
    assert "version      -" in done.stdout.splitlines()


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("tep",),
        ("tep", "leases"),
        ("router", "show"),
        ("tep", "show", "more"),
        ("tep", "bindings", "--limit", "0"),
        ("tep", "bindings", "--limit", "1x"),
        ("tep", "bindings", "--limit", "-1"),
        ("tep", "bindings", "--v4", "1.2.3"),
        ("tep", "counters", "--worker", ""),
        ("tep", "show", "--none"),
        ("tep", "drain", "--wait", "soon"),
        ("server", "reconfigure"),
        ("server", "dhcp6", "2001:db8::1"),
    ],
)
def test_wrong_usage_ends_with_2(args):
    done = run(*args)
    assert done.returncode == 2
    assert done.stderr != ""


def test_help_names_every_command():
    done = run("--help")
    assert done.returncode == 0
    for command in ("tep    bindings", "server leases", "client show"):
        assert command in done.stdout
