# SPDX-License-Identifier: BSD-3-Clause
"""Packet cases: frames in, frames out and counters, through the real dstm-tep on net_pcap ports.

A case is a folder with a case.yaml:

    description: one sentence
    ids: [R54, S2]              what it covers
    tep: {mtu_v6: ...}          top-level keys that replace those of base.yaml
    in:  {v6: [...], v4: [...]}    frames that arrive at each side ...
    out: {v6: [...], v4: [...]}    ... and exactly what leaves by each, in order
    drops: {name: packets}      exactly these, nothing else is dropped
    counters: {name: packets}   others that must have this value
    numbered: inner             identifications of fragments inside tunnels cannot be foretold, either

A frame is hexadecimal text (blanks and comments behind # do not count) or a scapy expression, and a
list of frames may be one expression. Expectations are written from the specifications: scapy computes
their checksums, and no file here was ever made by the program. The names that expressions may use
are in NAMES. The identifications of IPv6 fragments that leave cannot be foretold, so they are numbered
1, 2, ... as they appear.
"""

import functools
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import scapy.all as scapy
import yaml

HERE = Path(__file__).resolve().parent
TEP = os.environ["DSTM_TEP"]
CASES = sorted(path.parent for path in HERE.glob("*/case.yaml"))
SIDES = ("v6", "v4")

# Packets that the program makes, beside those that it receives.
MADE = ("v6_reassembled", "inner_reassembled", "v4_reassembled", "fragments_made",
        "out_icmpv4_errors", "out_icmpv6_errors")

CPUS = ",".join(map(str, sorted(os.sched_getaffinity(0))))
EAL = ["--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m", "256",
       "--log-level=lib.eal:error", f"--lcores=0@({CPUS}),1@({CPUS})"]


def cut(packet, octets):
    """The frame without its last octets."""
    return scapy.raw(packet)[:-octets]


def patch(packet, offset, text):
    """The frame with the octets at offset replaced; text is hexadecimal."""
    octets = bytes.fromhex(text)
    frame = scapy.raw(packet)
    assert offset + len(octets) <= len(frame)
    return frame[:offset] + octets + frame[offset + len(octets):]


def quote(packet, l4=8):
    """What an ICMP error quotes of an IPv4 packet: its header and some octets of its payload."""
    octets = scapy.raw(packet)
    return scapy.Raw(octets[:(octets[0] & 15) * 4 + l4])


def whole(packet, octets):
    """What our own ICMP errors quote: the packet, as far as octets go."""
    return scapy.Raw(scapy.raw(packet)[:octets])


def ours(dst, src="192.0.0.1"):
    """The IPv4 header of our own ICMP errors: internetwork control (RFC 1812), atomic (RFC 6864)."""
    return scapy.IP(src=src, dst=dst, tos=0xc0, flags="DF", id=0, ttl=64)


def ext(next_header, text):
    """An IPv6 extension header with this content, in hexadecimal: what follows its length octet."""
    octets = bytes.fromhex(text)
    assert len(octets) % 8 == 6
    return scapy.Raw(bytes([next_header, len(octets) // 8]) + octets)


def pieces(payload, step):
    """(offset, more, octets) of a payload in steps of so many octets."""
    return [(at, at + step < len(payload), payload[at:at + step])
            for at in range(0, len(payload), step)]


def cut6(packet, step, number=1):
    """The frame's IPv6 packet as fragments with so many octets of payload (RFC 8200 section 4.5)."""
    head = packet.copy()
    payload = scapy.raw(scapy.Ether(scapy.raw(packet))[scapy.IPv6].payload)
    next_header = scapy.Ether(scapy.raw(packet))[scapy.IPv6].nh
    head[scapy.IPv6].remove_payload()
    del head[scapy.IPv6].nh
    return [head / scapy.IPv6ExtHdrFragment(nh=next_header, offset=at // 8, m=int(more), id=number)
            / scapy.Raw(octets) for at, more, octets in pieces(payload, step)]


def cut4(packet, step):
    """The IPv4 packet as fragments with so many octets of payload (RFC 791 section 3.2)."""
    head = scapy.IP(scapy.raw(packet))
    payload = scapy.raw(head.payload)
    head.remove_payload()
    del head.len, head.chksum
    fragments = []
    for at, more, octets in pieces(payload, step):
        fragment = head.copy()
        fragment.frag = at // 8
        fragment.flags = "MF" if more else 0
        fragments.append(fragment / scapy.Raw(octets))
    return fragments


NAMES = {name: getattr(scapy, name) for name in (
    "ARP", "Ether", "Dot1Q", "IP", "IPv6", "TCP", "UDP", "ICMP", "GRE", "SCTP", "Raw", "raw",
    "IPOption", "IPOption_EOL", "IPOption_LSRR", "IPOption_NOP", "IPOption_RR", "IPOption_SSRR", "IPv6ExtHdrDestOpt", "IPv6ExtHdrFragment",
    "IPv6ExtHdrHopByHop", "IPv6ExtHdrRouting", "ICMPv6ND_NS", "ICMPv6EchoRequest", "ICMPv6DestUnreach", "ICMPv6PacketTooBig",
    "ICMPv6TimeExceeded", "ICMPv6ParamProblem",
    "ESP", "PadN", "Padding")}
NAMES.update({
    # The router on each side, and the MAC addresses of net_pcap's first two ports.
    "from6": scapy.Ether(src="02:00:00:00:06:02", dst="02:70:63:61:70:00"),
    "to6": scapy.Ether(src="02:70:63:61:70:00", dst="02:00:00:00:06:02"),
    "from4": scapy.Ether(src="02:00:00:00:04:02", dst="02:70:63:61:70:01"),
    "to4": scapy.Ether(src="02:70:63:61:70:01", dst="02:00:00:00:04:02"),
    "TEP": "2001:db8::1", "TEP2": "2001:db8::2",
    # Clients A and B share one address by ports, client X has one for itself.
    "A": "2001:db8:1::17", "B": "2001:db8:1::18", "X": "2001:db8:1::19",
    "SHARED": "198.51.100.7", "WHOLE": "198.51.100.9", "PEER": "203.0.113.9",
    "cut": cut, "patch": patch, "quote": quote, "whole": whole, "ours": ours, "cut4": cut4, "ext": ext,
    "cut6": cut6,
})


@functools.cache
def evaluate(text):
    """One frame, or a list of them, as octets."""
    plain = re.sub(r"#[^\n]*", "", text)
    if re.fullmatch(r"[0-9a-fA-F\s]+", plain):
        return [bytes.fromhex(plain)]
    value = eval(text, dict(NAMES))  # pylint: disable=eval-used
    return [scapy.raw(item) for item in (value if isinstance(value, list) else [value])]


def frames(case, way, side):
    texts = (case.get(way) or {}).get(side) or []
    return [frame for text in texts for frame in evaluate(text)]


def write_pcap(path, octets):
    with scapy.PcapWriter(str(path), linktype=1) as writer:
        writer.write_header(None)
        for frame in octets:
            writer.write_packet(frame)


def read_pcap(path):
    reader = scapy.RawPcapReader(str(path))
    try:
        return [frame for frame, _ in reader]
    finally:
        reader.close()


def run_tep(case, folder):
    """Runs the program over the case's frames: what left by each side, and the statistics."""
    config = yaml.safe_load((HERE / "base.yaml").read_text())
    config.update(case.get("tep") or {})
    (folder / "tep.yaml").write_text(yaml.safe_dump(config))
    one_armed = config["ports"]["v6"] == config["ports"]["v4"]
    sides = SIDES[:1] if one_armed else SIDES
    devices = []
    for number, side in enumerate(sides):
        write_pcap(folder / f"in-{side}.pcap", frames(case, "in", side))
        devices.append(f"--vdev=net_pcap{number},rx_pcap={folder}/in-{side}.pcap,"
                       f"tx_pcap={folder}/out-{side}.pcap")
    done = subprocess.run(
        [TEP, *EAL, *devices, "--", "-c", str(folder / "tep.yaml"), "--exit-on-idle=100",
         f"--stats-file={folder}/stats.json"],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    out = {side: read_pcap(folder / f"out-{side}.pcap") for side in sides}
    return out, json.loads((folder / "stats.json").read_text())


def load(path):
    return yaml.safe_load((path / "case.yaml").read_text())


def number_fragments(sent):
    """The frames with 1, 2, ... as identifications of IPv6 fragments, equal ones for equal ones."""
    numbers = {}
    numbered = []
    for frame in sent:
        v6 = 18 if frame[12:14] == b"\x81\x00" else 14
        if frame[v6 - 2:v6] == b"\x86\xdd" and frame[v6 + 6] == 44:
            number = numbers.setdefault(frame[v6 + 44:v6 + 48], len(numbers) + 1)
            frame = frame[:v6 + 44] + number.to_bytes(4, "big") + frame[v6 + 48:]
        numbered.append(frame)
    return numbered


def number_inner_fragments(sent):
    """The same for IPv4 fragments inside IPv6, with the checksums that belong to the numbers."""
    numbers = {}
    numbered = []
    for frame in sent:
        packet = scapy.Ether(frame)
        if scapy.IPv6 in packet and scapy.IP in packet and \
                (packet[scapy.IP].flags.MF or packet[scapy.IP].frag):
            packet[scapy.IP].id = numbers.setdefault(packet[scapy.IP].id, len(numbers) + 1)
            del packet[scapy.IP].chksum
            frame = scapy.raw(packet)
        numbered.append(frame)
    return numbered


def check_frames(case, out):
    for side, octets in out.items():
        sent = number_fragments(octets)
        if case.get("numbered") == "inner":
            sent = number_inner_fragments(sent)
        wanted = frames(case, "out", side)
        for number, (got, want) in enumerate(zip(sent, wanted)):
            assert got.hex() == want.hex(), f"frame {number} out of {side}:\n" \
                f"got  {scapy.Ether(got)!r}\nwant {scapy.Ether(want)!r}"
        assert len(sent) == len(wanted), f"frames out of {side}"


def check_counters(case, stats):
    counters = {name: value["packets"] for name, value in stats["counters"].items()}
    drops = {name: packets for name, packets in counters.items()
             if packets and name in drop_names()}
    others = {name: counters[name] for name in case.get("counters") or {}}
    received = [frame for side in SIDES for frame in frames(case, "in", side)]

    assert drops == (case.get("drops") or {})
    assert others == (case.get("counters") or {})
    # Nothing is lost from sight: every frame is in one place, and every buffer is back.
    assert counters["rx"] == len(received)
    made = sum(counters[name] for name in MADE)
    used_up = counters["fragmented"] + counters["fragments_joined"]
    assert counters["tx"] + sum(drops.values()) + used_up == len(received) + made
    assert stats["counters"]["rx"]["bytes"] == sum(map(len, received))
    if counters["tx"] == 0 and used_up == 0:
        dropped = sum(stats["counters"][name]["bytes"] for name in drops)
        assert dropped == sum(map(len, received))
    assert stats["mbufs_in_use"] == 0


def counter_names():
    """The counters as their page lists them: drops, and others."""
    page = (HERE.parents[1] / "docs/counters.md").read_text()
    return [re.findall(r"^\| `(\w+)` \|", part, re.M) for part in page.split("## Other counters")]


def drop_names():
    return counter_names()[0]


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory):
    """What the program did with each case that was asked for; as many run at once as there are CPUs."""
    asked = [item.callspec.params["path"] for item in request.session.items
             if item.function is test_case]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        yield {path: pool.submit(run_tep, load(path), tmp_path_factory.mktemp(path.name))
               for path in asked}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name)
def test_case(path, runs):
    case = load(path)
    assert case["description"] and case["ids"]
    out, stats = runs[path].result()
    check_frames(case, out)
    check_counters(case, stats)
