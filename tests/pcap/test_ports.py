# SPDX-License-Identifier: BSD-3-Clause
"""dstm-tep on ports that are no files: af_packet and af_xdp over veth pairs in a namespace of the
test's own, rings, and the null device. One tunnel packet goes through and one comes back."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import test_packets as packets
import yaml

HERE = Path(__file__).resolve().parent
TEP = os.environ["DSTM_TEP"]
CPUS = ",".join(map(str, sorted(os.sched_getaffinity(0))))
EAL = ["--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m", "256",
       "--log-level=lib.eal:error", f"--lcores=0@({CPUS}),1@({CPUS})"]
NETNS = f"dstm-ports-{os.getpid()}"

# Runs inside the namespace: sends a frame into one veth until the one wanted leaves the other.
EXCHANGE = """
import sys
import scapy.all as s
from scapy.all import Ether, IP, IPv6, UDP
s.conf.verb = 0
send, watch, frame, wanted = sys.argv[1], sys.argv[2], eval(sys.argv[3]), sys.argv[4].encode()
sock = s.conf.L2socket(iface=watch, promisc=True)
out = s.conf.L2socket(iface=send)
for attempt in range(100):
    out.send(frame)
    if s.sniff(opened_socket=sock, timeout=0.2, count=1,
               lfilter=lambda p: wanted in bytes(p)):
        sys.exit(0)
sys.exit(1)
"""


def ip(*args):
    subprocess.run(["ip", *args], check=True, timeout=20)


def in_namespace(*args):
    return ["ip", "netns", "exec", NETNS, *map(str, args)]


@pytest.fixture
def wires():
    """A namespace with two veth pairs: tep6-peer6 and tep4-peer4, offloads off."""
    ip("netns", "add", NETNS)
    try:
        for side in "64":
            ip("-n", NETNS, "link", "add", f"tep{side}", "type", "veth", "peer", "name",
               f"peer{side}")
            for name in (f"tep{side}", f"peer{side}"):
                subprocess.run(in_namespace("ethtool", "-K", name, "tx", "off", "gso", "off"),
                               check=True, capture_output=True, timeout=20)
                ip("-n", NETNS, "link", "set", name, "up")
        yield
    finally:
        ip("netns", "del", NETNS)


def write_config(folder, v6, v4):
    config = yaml.safe_load((HERE / "base.yaml").read_text())
    config["ports"] = {"v6": v6, "v4": v4}
    config["mbufs"] = 16384  # af_xdp keeps 2,048 a queue filled
    (folder / "tep.yaml").write_text(yaml.safe_dump(config))


def mac(name):
    text = subprocess.run(["ip", "-n", NETNS, "-j", "link", "show", name], check=True,
                          capture_output=True, text=True, timeout=20).stdout
    return json.loads(text)[0]["address"]


def exchange(send, watch, frame, wanted):
    subprocess.run(in_namespace(sys.executable, "-c", EXCHANGE, send, watch, frame, wanted),
                   check=True, timeout=60)


def stop(tep):
    tep.send_signal(signal.SIGTERM)
    try:
        tep.wait(timeout=20)
    finally:
        tep.kill()


@pytest.mark.parametrize("device", [
    "net_af_packet{},iface={}",
    "net_af_xdp{},iface={},force_copy=1",
], ids=["af_packet", "af_xdp"])
def test_both_directions_over_veth(wires, tmp_path, device):
    driver = device.partition("{")[0]
    write_config(tmp_path, driver + "0", driver + "1")
    tep = subprocess.Popen(
        in_namespace(TEP, *EAL, f"--vdev={device.format(0, 'tep6')}",
                     f"--vdev={device.format(1, 'tep4')}", "--", "-c", tmp_path / "tep.yaml",
                     f"--stats-file={tmp_path}/stats.json", "--duration=60"))
    try:
        exchange("peer6", "peer4",
                 f"Ether(dst='{mac('tep6')}')/IPv6(src='2001:db8:1::17', dst='2001:db8::1')"
                 "/IP(src='198.51.100.7', dst='203.0.113.9')/UDP(sport=1024, dport=9)/b'go out'",
                 "go out")
        exchange("peer4", "peer6",
                 f"Ether(dst='{mac('tep4')}')/IP(src='203.0.113.9', dst='198.51.100.7')"
                 "/UDP(sport=9, dport=1024)/b'come in'", "come in")
    finally:
        stop(tep)
    assert tep.returncode == 0
    stats = json.loads((tmp_path / "stats.json").read_text())
    assert stats["counters"]["decapsulated"]["packets"] >= 1
    assert stats["counters"]["encapsulated"]["packets"] >= 1
    if driver != "net_af_xdp":  # the driver keeps what its fill ring held
        assert stats["mbufs_in_use"] == 0


@pytest.mark.parametrize("driver", ["net_null", "net_ring"])
def test_starts_and_ends_on(tmp_path, driver):
    """The null device delivers empty frames without end; a ring alone delivers none."""
    write_config(tmp_path, driver + "0", driver + "1")
    done = subprocess.run(
        [TEP, *EAL, f"--vdev={driver}0", f"--vdev={driver}1", "--", "-c", tmp_path / "tep.yaml",
         "--duration=1", f"--stats-file={tmp_path}/stats.json"],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    stats = json.loads((tmp_path / "stats.json").read_text())
    received = stats["counters"]["rx"]["packets"]
    assert stats["counters"]["not_our_mac"]["packets"] == received
    assert (received > 0) == (driver == "net_null")
    assert stats["mbufs_in_use"] == 0


def test_two_workers_have_a_queue_pair_each(tmp_path):
    """Each queue has a capture of its own, so each worker carries its own packets."""
    case = packets.load(HERE / "udp")
    config = yaml.safe_load((HERE / "base.yaml").read_text())
    config.update(workers=2, mbufs=8192)
    (tmp_path / "tep.yaml").write_text(yaml.safe_dump(config))
    devices = []
    for number, side in enumerate(packets.SIDES):
        packets.write_pcap(tmp_path / f"in-{side}.pcap", packets.frames(case, "in", side))
        queues = "".join(f",rx_pcap={tmp_path}/in-{side}.pcap"
                         f",tx_pcap={tmp_path}/out-{side}-{queue}.pcap" for queue in range(2))
        devices.append(f"--vdev=net_pcap{number}{queues}")
    done = subprocess.run(
        [TEP, *EAL[:-1], f"{EAL[-1]},2@({CPUS})", *devices, "--", "-c", tmp_path / "tep.yaml",
         "--exit-on-idle=100", f"--stats-file={tmp_path}/stats.json"],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for side in packets.SIDES:
        for queue in range(2):
            assert packets.read_pcap(tmp_path / f"out-{side}-{queue}.pcap") == \
                packets.frames(case, "out", side)
    assert json.loads((tmp_path / "stats.json").read_text())["mbufs_in_use"] == 0


def refused(tmp_path, *args, **changes):
    """Starts on empty captures with a changed configuration; returns what it says."""
    config = yaml.safe_load((HERE / "base.yaml").read_text())
    config.update(changes)
    (tmp_path / "tep.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run([TEP, *EAL, *args, "--", "-c", tmp_path / "tep.yaml"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    return done.stderr


NULLS = ("--vdev=net_null0", "--vdev=net_null1")


@pytest.mark.parametrize("args, changes, sentence", [
    ((), {}, "ports.v6: there is no DPDK port net_pcap0"),
    (NULLS, {"ports": {"v6": "net_null0", "v4": "7"}}, "ports.v4: there is no DPDK port 7"),
    (NULLS, {"ports": {"v6": "0", "v4": "1"}, "workers": 2, "mbufs": 8192},
     "workers: 2 need as many EAL worker lcores, and there is 1"),
    (NULLS, {"ports": {"v6": "0", "v4": "1"}, "mbufs": 1000000},
     "mbufs: 1000000 packet buffers: Cannot allocate memory"),
], ids=["no port", "no number", "lcores", "memory"])
def test_what_cannot_start_says_why(tmp_path, args, changes, sentence):
    assert f"error: {sentence}" in refused(tmp_path, *args, **changes)


def test_sigterm_ends_it_with_its_last_words(tmp_path):
    write_config(tmp_path, "net_ring0", "net_ring1")
    tep = subprocess.Popen([TEP, *EAL, "--vdev=net_ring0", "--vdev=net_ring1", "--", "-c",
                            str(tmp_path / "tep.yaml"), "--stats-period=1"],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in tep.stderr:
        if "running" in line:
            break
    time.sleep(1.5)
    tep.send_signal(signal.SIGTERM)
    out, _ = tep.communicate(timeout=20)
    assert tep.returncode == 0
    assert out.count("Accumulated statistics for all ports") >= 2
    assert "packet buffers in use: 0" in out
