# SPDX-License-Identifier: BSD-3-Clause
"""
dstmctl tep explain, trace and capture against a running dstm-tep (R4): what they say, what they leave alone, and
clients that ask nonsense, never read, or die.

DSTM_BUILD names the build directory whose programs are tested.
"""

import json
import os
import signal
import socket
import subprocess
import time

import pytest
import scapy.all as scapy
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from tep_bench import (CLIENT_V6, FAR_CLIENT_V6, FAR_PORT, LEASE_PORT, LEASE_V4, OUTSIDE_V4, ROOT,
                       TEP_V6, Bench, Tunnel, udp_socket, wait_for)

DSTMCTL = ROOT / os.environ.get("DSTM_BUILD", "build/gcc") / "src/ctl/dstmctl"
OUTSIDE_PORT = 7000
UNHELD_PORT = 9
REASSEMBLY = {"max_datagrams": 10, "per_source": 10, "timeout_ms": 1000}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and TAP devices need root")


@pytest.fixture(name="bench", scope="module")
def fixture_bench(tmp_path_factory):
    with Bench(tmp_path_factory.mktemp("bench"), reassembly=REASSEMBLY) as bench:
        know_neighbours(bench)
        yield bench


def know_neighbours(bench):
    """Both next hops are known for good: no packet waits for one."""
    for twin, namespace, device, address in (("dstm6", bench.inside, "c6", CLIENT_V6),
                                             ("dstm4", bench.outside, "c4", OUTSIDE_V4)):
        mac = namespace.ip("-o", "link", "show", device).split("link/ether ")[1].split()[0]
        bench.tep_ns.ip("neighbour", "replace", address, "lladdr", mac, "dev", twin, "nud", "permanent")
    for packet in (in_tunnel(from_client()), IP(src=OUTSIDE_V4, dst=LEASE_V4) / UDP(dport=LEASE_PORT)):
        wait_for(lambda octets=packet: explain(bench, octets)["verdict"] == "sent", "the way is known")


def from_client(payload=b"x", port=LEASE_PORT):
    return IP(src=LEASE_V4, dst=OUTSIDE_V4) / UDP(sport=port, dport=OUTSIDE_PORT) / Raw(payload)


def in_tunnel(inner, src=CLIENT_V6):
    return IPv6(src=src, dst=TEP_V6) / inner


def command(bench, *args):
    return [str(DSTMCTL), "tep", *args, "--socket", str(bench.folder / "tep.sock")]


def run(bench, *args):
    return subprocess.run(command(bench, *args), capture_output=True, text=True, timeout=30, check=False)


def explain(bench, packet, *args):
    octets = packet if isinstance(packet, bytes) else scapy.raw(packet)
    done = run(bench, "explain", octets.hex(), "--json", *args)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# --- explain ---


def test_explain_shows_the_way_of_a_clients_packet(bench):
    before = bench.counters()
    said = explain(bench, in_tunnel(from_client()))
    assert (said["verdict"], said["reason"], said["bare"]) == ("sent", None, True)
    assert said["key"] == {"v4": LEASE_V4, "port": LEASE_PORT}
    assert said["binding"]["client"] == CLIENT_V6
    assert (said["binding"]["first"], said["binding"]["last"]) == (1024, 2047)
    assert said["in"]["side"] == "v6" and said["out"][0]["side"] == "v4"
    out = scapy.Ether(bytes.fromhex(said["out"][0]["octets"]))
    expected = from_client()
    expected.ttl = 63
    assert scapy.raw(out[IP]) == scapy.raw(expected)
    after = bench.counters()
    assert after["rx"] - before["rx"] < 20 and after["decapsulated"] == before["decapsulated"]


def test_explain_names_reasons_and_true_holders(bench):
    spoofed = explain(bench, in_tunnel(from_client(), src=FAR_CLIENT_V6))
    assert spoofed["reason"] == "spoofed_client"
    assert spoofed["binding"]["client"] == CLIENT_V6
    nobody = explain(bench, IP(src=OUTSIDE_V4, dst=LEASE_V4) / UDP(sport=1, dport=UNHELD_PORT))
    assert nobody["reason"] == "no_binding_v4" and nobody["binding"] is None
    assert "No binding holds" in nobody["reason_text"]
    big = explain(bench, IP(src=OUTSIDE_V4, dst=LEASE_V4, flags="DF")
                  / UDP(sport=1, dport=LEASE_PORT) / Raw(bytes(1450)))
    assert (big["verdict"], big["reason"]) == ("answered", "too_big_v6")
    answer = scapy.Ether(bytes.fromhex(big["out"][0]["octets"]))
    assert (answer[IP].dst, answer[ICMP].type, answer[ICMP].code) == (OUTSIDE_V4, 3, 4)


def test_explain_between_clients_names_the_receiver(bench):
    said = explain(bench, in_tunnel(IP(src=LEASE_V4, dst=LEASE_V4)
                                    / UDP(sport=LEASE_PORT, dport=FAR_PORT)))
    assert said["target"]["client"] == FAR_CLIENT_V6


def test_explain_in_words(bench):
    done = run(bench, "explain", scapy.raw(in_tunnel(from_client())).hex())
    assert done.returncode == 0
    for words in (f"looked up   {LEASE_V4} port {LEASE_PORT}", f"client {CLIENT_V6}",
                  "verdict     sent: the packet was forwarded", "leaves      by the v4 side"):
        assert words in done.stdout


@pytest.mark.parametrize("write", [scapy.wrpcap, scapy.wrpcapng], ids=["pcap", "pcapng"])
def test_explain_a_capture_file(bench, tmp_path, write):
    tep_mac = json.loads(run(bench, "show", "--json").stdout)["ports"][0]["mac"]
    frames = [scapy.Ether(src="02:00:00:00:00:01", dst=tep_mac) / in_tunnel(from_client()),
              scapy.Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:09") / in_tunnel(from_client())]
    write(str(tmp_path / "some.pcap"), frames)
    done = run(bench, "explain", str(tmp_path / "some.pcap"), "--json")
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [item["verdict"] for item in said] == ["sent", "dropped"]
    assert said[1]["reason"] == "not_our_mac"
    one = run(bench, "explain", str(tmp_path / "some.pcap"), "--json", "--count", "1")
    assert len(one.stdout.splitlines()) == 1 and "only the first 1" in one.stderr


@pytest.mark.parametrize("hexadecimal,sentence", [
    ("4", "even number"), ("45zz", "neither a file nor"), ("", "even number"), ("00" * 9729, "longer than 9728"),
    ("00" * 40000, "longer than any packet"),
], ids=["odd", "no digits", "empty", "too long", "huge"])
def test_bad_hexadecimal_is_one_sentence(bench, hexadecimal, sentence):
    done = run(bench, "explain", hexadecimal)
    assert done.returncode == 1 and sentence in done.stderr and done.stdout == ""


def test_bad_files_are_one_sentence(bench, tmp_path):
    path = tmp_path / "file"
    scapy.wrpcap(str(path), [scapy.Ether() / from_client()])
    good = path.read_bytes()
    scapy.wrpcapng(str(path), [scapy.Ether() / from_client()])
    good_ng = path.read_bytes()
    bad = [b"", b"\0", b"text, not a capture", good[:20] + (113).to_bytes(4, "little") + good[24:],
           good[:32] + b"\xff\xff\xff\xff" + good[36:],
           good_ng[:4] + b"\xff\xff\xff\xff" + good_ng[8:]]
    bad += [good[:cut] for cut in range(25, len(good))] + [good_ng[:cut] for cut in range(29, len(good_ng) - 1, 3)]
    for octets in bad:
        path.write_bytes(octets)
        done = run(bench, "explain", str(path), "--json")
        assert done.returncode in (0, 1)
        if done.returncode == 1:
            assert done.stderr.count("\n") == 1 and str(path) in done.stderr, octets.hex()
    assert run(bench, "explain", str(tmp_path)).returncode == 1


# --- trace ---


class Watch:
    """dstmctl tep trace or capture in the background, after the daemon began."""

    def __init__(self, bench, *args):
        self.process = subprocess.Popen(command(bench, *args), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        assert self.process.stderr.readline() == "watching\n", self.process.communicate()

    def end(self, number=signal.SIGINT):
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


def send_some(bench):
    """One that passes each way, and one that is dropped each way."""
    with Tunnel(bench) as tunnel, udp_socket(bench, OUTSIDE_PORT) as outside:
        tunnel.send(from_client(b"out"))
        outside.recvfrom(100)
        outside.sendto(b"in", (LEASE_V4, LEASE_PORT))
        tunnel.receive()
        before = bench.counters()
        tunnel.send(from_client(b"nobody's", UNHELD_PORT))
        outside.sendto(b"nobody's", (LEASE_V4, UNHELD_PORT))
        bench.counted("no_binding_v6", before)
        bench.counted("no_binding_v4", before)


def test_trace_shows_packets_with_their_verdicts(bench):
    watch = Watch(bench, "trace", "--json", "--address", f"{LEASE_V4}/32")
    send_some(bench)
    code, out, err = watch.end()
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and "4 packets" in err
    ways = [(r["in"]["side"], r["reason"]) for r in records]
    assert ways[:2] == [("v6", None), ("v4", None)]
    assert sorted(ways[2:]) == [("v4", "no_binding_v4"), ("v6", "no_binding_v6")]  # by two ports
    assert [r["verdict"] for r in records[:2]] == ["sent", "sent"]
    assert abs(records[0]["time_ns"] / 1e9 - time.time()) < 60
    assert records[0]["binding"]["client"] == CLIENT_V6


@pytest.mark.parametrize("options,count", [
    (["--side", "v6"], 2), (["--verdict", "sent"], 2), (["--reason", "no_binding_v4"], 1),
    (["--port", str(UNHELD_PORT)], 2), (["--address", "2001:db8::17/128"], 3),
    (["--side", "v4", "--verdict", "sent"], 1), (["--reason", "no_binding_v4", "--side", "v6"], 0),
], ids=str)
def test_filters_combine(bench, options, count):
    base = [] if "--address" in options else ["--address", "198.51.100.0/24"]
    watch = Watch(bench, "trace", *base, *options)
    send_some(bench)
    out = watch.end()[1]
    if "2001:db8::17/128" in options:  # answers to neighbour discovery and our own errors are not in it
        out = "".join(line for line in out.splitlines(True) if LEASE_V4 in line)
    assert len(out.splitlines()) == count, out


def test_trace_stops_at_its_count(bench):
    watch = Watch(bench, "trace", "--count", "2", "--address", LEASE_V4)
    send_some(bench)
    code, out, _ = watch.end(None)
    assert code == 0 and len(out.splitlines()) == 2


@pytest.mark.parametrize("options,sentence", [
    (["--reason", "bad_weather"], "there is no drop bad_weather"),
    (["--verdict", "guilty"], "there is no verdict guilty; there are: sent host"),
    (["--side", "left"], "neither v6 nor v4"),
    (["--address", "198.51.100.1/24"], "not an address"),
    (["--address", "x" * 5000], "not an address"),
    (["--port", "65536"], "from 0 to 65535"),
    (["--snaplen", "13"], "from 14 to 9728"),
    (["--snaplen", "9729"], "from 14 to 9728"),
], ids=lambda value: str(value)[:20])
def test_bad_filters_are_one_sentence(bench, options, sentence):
    done = run(bench, "trace", *options)
    assert done.returncode == 1 and sentence in done.stderr and done.stderr.count("\n") == 1


def test_bad_requests_are_refused(bench):
    for arguments in ({"filter": []}, {"filter": {"colour": 1}}, {"filter": {"port": "1"}}, {"snaplen": "x"}):
        assert not bench.ask("watch", **arguments)["ok"]
    for name in ("watch_next", "watch_end"):
        assert "no such watch" in bench.ask(name, id=4711)["error"]
    assert not bench.ask("explain", packet=5)["ok"]
    assert not bench.ask("explain", packet="45", side="up")["ok"]


# --- capture ---


def tshark(path, *fields):
    args = ["tshark", "-r", str(path), "-T", "fields", *[arg for field in fields for arg in ("-e", field)]]
    done = subprocess.run(args, capture_output=True, text=True, timeout=60, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_capture_is_a_pcapng_file_with_verdicts(bench, tmp_path):
    """R4: the contents of what was discarded in silence; both sides, both directions, reasons as comments."""
    path = tmp_path / "some.pcapng"
    watch = Watch(bench, "capture", str(path), "--address", LEASE_V4)
    send_some(bench)
    code, _, err = watch.end()
    assert code == 0 and "4 packets" in err
    rows = tshark(path, "frame.interface_name", "frame.comment", "ip.src", "frame.packet_flags_direction")
    ways = [row[0] for row in rows]
    assert ways[:4] == ["v6-in", "v4-out", "v4-in", "v6-out"]
    assert rows[0][1].startswith("sent: the packet was forwarded") and CLIENT_V6 in rows[0][1]
    dropped = [row for row in rows if "no_binding_v4: No binding holds" in row[1]]
    assert dropped and dropped[0][0] == "v4-in"
    assert path.stat().st_mode & 0o777 == 0o600
    packets = scapy.rdpcap(str(path))
    assert bytes(packets[0][UDP].payload) == b"out" and packets[1][IP].ttl == packets[0][IP].ttl - 1


def test_capture_of_dropped_packets_only(bench, tmp_path):
    path = tmp_path / "some.pcapng"
    watch = Watch(bench, "capture", str(path), "--reason", "no_binding_v4", "--count", "1", "--snaplen", "60")
    send_some(bench)
    assert watch.end(None)[0] == 0
    packets = scapy.rdpcap(str(path))
    assert bytes(packets[0][UDP].payload) == b"nobody's"


def test_capture_is_bounded_in_octets(bench, tmp_path):
    path = tmp_path / "some.pcapng"
    watch = Watch(bench, "capture", str(path), "--bytes", "1", "--address", LEASE_V4)
    send_some(bench)
    assert "1 packets" in watch.end(None)[2]
    assert len(tshark(path, "frame.number")) == 2


def test_capture_to_where_nothing_can_be_written(bench, tmp_path):
    done = run(bench, "capture", str(tmp_path / "no" / "file"))
    assert done.returncode == 1 and "No such file" in done.stderr
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert run(bench, "capture", str(tmp_path / "link")).returncode == 1
    done = subprocess.run(["sh", "-c", "exec " + " ".join(command(bench, "capture", "-")) + " --duration 2 > /dev/full"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1


# --- status ---


def status(bench):
    return json.loads(run(bench, "status", "--json").stdout)


def test_status_has_the_figures_of_rfc_8676(bench):
    """S30."""
    said = status(bench)
    assert (said["name"], said["softwire_num_max"], said["active_softwire_num"]) == ("tep1", 1024, 2)
    assert (said["softwire_payload_mtu"], said["softwire_path_mru"], said["hairpin"]) == (1460, 1500, True)
    assert said["table_version"] == 2 and 0 <= time.time() - said["table_changed_s"] < 300
    assert said["icmp"]["rate"] > 0 and said["reassembly"]["threshold_percent"] == 80
    before = said["traffic"]
    send_some(bench)
    after = status(bench)["traffic"]
    assert after["decapsulated_packets"] == before["decapsulated_packets"] + 1
    assert after["received_packets"] >= before["received_packets"] + 4
    assert after["dropped_packets"] >= before["dropped_packets"] + 2
    words = run(bench, "status").stdout
    assert "table version" in words and "decapsulated_packets" in words


def test_full_tables_of_fragments_are_told_before_they_are_full(bench):
    """S32: one warning for one crossing of the threshold."""
    with Tunnel(bench) as tunnel:
        for number in range(9):
            tunnel.send(IP(src=LEASE_V4, dst=OUTSIDE_V4, id=number + 1, flags="MF")
                        / UDP(sport=LEASE_PORT, dport=1, chksum=0) / Raw(bytes(16)))
        wait_for(lambda: status(bench)["reassembly"]["high"], "the alarm")
        wait_for(lambda: not status(bench)["reassembly"]["high"], "they time out")
    assert status(bench)["reassembly"]["warnings"] == 1
    assert bench.said().count("% of the room for fragments of packets inside tunnels") == 1


# --- several, and those that die ---


def test_a_third_watch_is_refused_and_a_dead_client_makes_room(bench):
    first, second = Watch(bench, "trace"), Watch(bench, "capture", "/dev/null")
    refused = run(bench, "trace")
    assert refused.returncode == 1 and "2 traces or captures run already" in refused.stderr
    first.end(signal.SIGKILL)
    wait_for(lambda: run(bench, "trace", "--duration", "1").returncode == 0, "the dead one's place is free", 20)
    assert second.end()[0] == 0
    assert "nobody asks for it" in bench.said()


def test_a_client_that_never_reads_costs_nothing(bench):
    """Its watch fills its slots, counts the rest as missed, and ends; forwarding goes on."""
    assert bench.ask("watch", snaplen=9728)["ok"]
    with socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(bench.folder / "tep.sock"))
        idle.sendall(b'{"command": "counters"}\n' * 1000)
        with Tunnel(bench) as tunnel, udp_socket(bench, OUTSIDE_PORT):
            for _ in range(600):
                tunnel.send(from_client(bytes(1000)))
        send_some(bench)
        wait_for(lambda: "nobody asks for it" in bench.said(), "the watch ends")
    assert bench.ask("show")["ok"]


def test_missed_packets_are_told(bench):
    watch = bench.ask("watch", snaplen=9728, filter={"address": LEASE_V4})["result"]["id"]
    before = bench.counters()
    with Tunnel(bench) as tunnel:
        for _ in range(600):
            tunnel.send(from_client())
    bench.counted("decapsulated", before, 500)
    answer = bench.ask("watch_next", id=watch)["result"]
    assert len(answer["items"]) >= 64 and answer["missed"] > 0
    assert bench.ask("watch_end", id=watch)["result"]["missed"] >= answer["missed"]
    assert bench.process.poll() is None


def test_the_tep_ends_while_it_is_watched(bench):
    """The last one: nothing runs afterwards."""
    watch = Watch(bench, "trace")
    assert bench.stop() == 0
    code, _, err = watch.end(None)
    assert code == 1 and "no daemon answers" in err
