# SPDX-License-Identifier: BSD-3-Clause
"""dstm-tep from outside, as far as it comes without starting anything: options, -t, and a table of
bad configurations with the one sentence that each deserves (exit code 2)."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEP = os.environ["DSTM_TEP"]

GOOD = """\
ports:
  v6: net_pcap0
  v4: net_pcap1
tunnel:
  v6: ["2001:db8::1", "2001:db8::2"]
neighbor:
  v6_mac: "02:00:00:00:06:02"
  v4_mac: "02:00:00:00:04:02"
"""

STATIC = """\
bindings:
  static:
    - {v4: 198.51.100.7, ports: 1024-2047, client: "2001:db8:1::17"}
    - {v4: 198.51.100.7, ports: 2048-2048, client: "2001:db8:1::18", tep: "2001:db8::2"}
"""

CONTROL = """\
control:
  listen: "[::]:3654"
  servers:
    - {name: server1, password: secret}
"""


def run(*args, timeout=20):
    return subprocess.run([TEP, *map(str, args)], capture_output=True, text=True, timeout=timeout,
                          check=False)


def check(tmp_path, text):
    """Runs -t over a configuration; returns exit code and standard error without the folder."""
    path = tmp_path / "tep.yaml"
    path.write_text(text)
    done = run("-c", path, "-t")
    return done.returncode, done.stderr.replace(str(tmp_path) + "/", "")


LEARN_OPEN = 'learn: {mode: open, clients: ["2001:db8:1::/48"], block: 65536}\n'


@pytest.mark.parametrize("text", [
    GOOD, GOOD + STATIC, GOOD + CONTROL,
    GOOD.replace("v4: net_pcap1", "v4: net_pcap0"),
    GOOD.replace('v6_mac: "02:00:00:00:06:02"', "mode: kernel"),
    GOOD + "bindings: {max: 1}\n",
    GOOD + CONTROL + "pools: [198.51.100.0/24]\nquery: {enabled: true}\n",
    GOOD + CONTROL + "pools: [198.51.100.0/24]\nlearn: {mode: confirmed}\n",
    GOOD + CONTROL + "pools: [198.51.100.0/24]\n" + LEARN_OPEN,
    GOOD + 'metrics: {listen: "[::ffff:192.0.2.1]:9476"}\n',
    GOOD + "pools: [198.51.100.0/25, 198.51.100.128/25, 192.0.2.1]\n",
    GOOD + "pools: [192.0.2.0/24]\nannounce: {pools: true, tunnel: true, metric: 4294967295}\n",
    GOOD + "bindings: {snapshot: /nowhere/tep, confirm_ms: 0}\n",
    GOOD + 'ready: {routes_v4: [192.0.2.80], routes_v6: ["2001:db8:1::17"]}\n',
    GOOD + "pools: [192.0.2.0/24]\nplain: {ipv4: forward, ipv6: forward}\n",
    GOOD.replace('v6_mac: "02:00:00:00:06:02"', "mode: kernel")
    + "pools: [192.0.2.0/24]\nplain: {ipv4: host}\n",
    GOOD + f"pools: [{', '.join(f'10.{i}.0.0/16' for i in range(64))}]\n",
], ids=["plain", "static", "control", "one-armed", "kernel", "one binding", "query", "learn confirmed",
        "learn open", "metrics",
        "pools",
        "announce", "snapshot", "ready", "plain forwarded", "plain to the host", "most pools"])
def test_good_configurations_pass(tmp_path, text):
    assert check(tmp_path, text) == (0, "")


def test_the_example_passes():
    done = run("-c", ROOT / "config/tep.yaml", "-t")
    assert (done.returncode, done.stderr) == (0, "")


def changed(old, new, base=GOOD):
    assert old in base
    return base.replace(old, new, 1)


STATIC_GOOD = GOOD + STATIC
POOLS = "pools: [198.51.100.0/24]\n"
QUERY = "pools: [198.51.100.0/24]\nquery:\n  enabled: true\n"
CONTROL_GOOD = GOOD + CONTROL

BAD = {
    "empty": ("",
        "tep.yaml:1:1: the file is empty"),
    "a list": ("- 1\n",
        "tep.yaml:1:1: expected a mapping of keys, not a list"),
    "not yaml": ("ports: [\n",
        "tep.yaml:1:8: ports: expected a mapping of keys, not a list"),
    "unknown key": (GOOD + "worker: 2\n",
        'tep.yaml:9:1: unknown key "worker"; did you mean "workers"?'),
    "unknown key in section": (changed("v4: net_pcap1", "v4: net_pcap1\n  mtu: 1500"),
        'tep.yaml:4:3: ports: unknown key "mtu"'),
    "duplicate key": (GOOD + "workers: 1\nworkers: 2\n",
        "tep.yaml:10:1: workers: this key stands here twice"),
    "reassembly": (GOOD + "reassembly: {timeout_ms: 5}\n",
        "tep.yaml:9:26: reassembly.timeout_ms: 5 is out of range 20..60000"),
    "pools overlap": (GOOD + "pools: [192.0.2.0/24, 198.51.100.0/24, 198.51.100.128/25]\n",
        "tep.yaml:1:1: pools: 198.51.100.0/24 and 198.51.100.128/25 overlap"),
    "pool twice": (GOOD + "pools: [192.0.2.0/24, 192.0.2.0/24]\n",
        "tep.yaml:1:1: pools: 192.0.2.0/24 and 192.0.2.0/24 overlap"),
    "pool of everything": (GOOD + "pools: [0.0.0.0/0]\n",
        "tep.yaml:1:1: pools: 0.0.0.0/0 holds addresses that no host can have"),
    "pool of groups": (GOOD + "pools: [232.0.0.0/16]\n",
        "tep.yaml:1:1: pools: 232.0.0.0/16 holds addresses that no host can have"),
    "pool with host bits": (GOOD + "pools: [198.51.100.1/24]\n",
        'tep.yaml:9:9: pools[0]: expected an IPv4 prefix without host bits, not "198.51.100.1/24"'),
    "metrics for every service": (GOOD + 'metrics: {listen: "9476"}\n',
        'tep.yaml:9:19: metrics.listen: expected "[IPv6 address]:port", not "9476"'),
    "too many pools": (GOOD + f"pools: [{', '.join(f'10.{i}.0.0/16' for i in range(65))}]\n",
        "tep.yaml:9:895: pools: more than 64 items"),
    "no ports": (GOOD[GOOD.index("tunnel"):],
        "tep.yaml:1:1: ports.v6: missing: this key is required"),
    "no v4 port": (changed("  v4: net_pcap1\n", ""),
        "tep.yaml:2:3: ports.v4: missing: this key is required"),
    "port empty": (changed("net_pcap0", '""'),
        "tep.yaml:2:7: ports.v6: 0 characters long, expected at least 1"),
    "mtu too small": (changed("v4: net_pcap1", "v4: net_pcap1\n  mtu_v6: 1279"),
        "tep.yaml:4:11: ports.mtu_v6: 1279 is out of range 1280..9600"),
    "vlan 4095": (changed("v4: net_pcap1", "v4: net_pcap1\n  vlan_v4: 4095"),
        "tep.yaml:4:12: ports.vlan_v4: 4095 is out of range 0..4094"),
    "twins of two vlans": (
        changed("neighbor:\n", "neighbor:\n  mode: kernel\n  twin_v4: dstm6\n",
                changed("v4: net_pcap1", "v4: net_pcap0\n  vlan_v4: 8")),
        "tep.yaml:8:3: neighbor.twin_v4: the same name as twin_v6: dstm6"),
    "mtu too large": (changed("v4: net_pcap1", "v4: net_pcap1\n  mtu_v4: 9601"),
        "tep.yaml:4:11: ports.mtu_v4: 9601 is out of range 576..9600"),
    "no workers": (GOOD + "workers: 0\n",
        "tep.yaml:9:10: workers: 0 is out of range 1..64"),
    "workers no number": (GOOD + "workers: two\n",
        'tep.yaml:9:10: workers: expected a whole number, not "two"'),
    "workers negative": (GOOD + "workers: -1\n",
        'tep.yaml:9:10: workers: expected a whole number, not "-1"'),
    "few mbufs": (GOOD + "mbufs: 2048\n",
        "tep.yaml:1:1: mbufs: 2048 are too few for 1024 receive descriptors a queue (at "
        "least 2560)"),
    "few mbufs to hold": (GOOD + "mbufs: 3000\n" + QUERY + "  hold_packets: 500\n" + CONTROL,
        "tep.yaml:1:1: mbufs: 3000 are too few for query.hold_packets (500) besides 2560"),
    "query without pools": (GOOD + "query:\n  enabled: true\n" + CONTROL,
        "tep.yaml:10:3: query.enabled: pools is empty, so there is nothing to ask about"),
    "query without servers": (GOOD + QUERY,
        "tep.yaml:11:3: query.enabled: control.listen is missing, so there is nobody to ask"),
    "query too slow": (GOOD + QUERY + "  rate: 9\n" + CONTROL,
        "tep.yaml:12:9: query.rate: 9 is out of range 10..1000000"),
    "learn what no server can confirm": (GOOD + POOLS + "learn: {mode: confirmed}\n",
        "tep.yaml:10:8: learn.mode: confirmed: control.listen is missing, so there is nobody to ask"),
    "learn without pools": (GOOD + LEARN_OPEN,
        "tep.yaml:9:8: learn.mode: open: pools is empty, so there is nothing to learn about"),
    "learn from anybody": (GOOD + POOLS + "learn: {mode: open}\n",
        "tep.yaml:10:8: learn.mode: open needs learn.clients: whose packets are believed"),
    "learn from the whole world": (GOOD + POOLS + changed("2001:db8:1::/48", "::/0", LEARN_OPEN),
        "tep.yaml:10:8: learn.clients: ::/0 holds addresses that no client can have"),
    "learn and ask": (GOOD + QUERY + LEARN_OPEN + CONTROL,
        "tep.yaml:12:8: learn.mode: open asks nobody, but query.enabled does about the same packets"),
    "learn odd blocks": (GOOD + POOLS + changed("65536", "1000", LEARN_OPEN),
        "tep.yaml:10:8: learn.block: 1000 is not a power of two"),
    "learn more than bindings": (GOOD + POOLS + LEARN_OPEN + "bindings: {max: 4095}\n",
        "tep.yaml:10:8: learn.max: 4096 is more than bindings.max (4095)"),
    "learn with few mbufs": (GOOD + POOLS + LEARN_OPEN + "mbufs: 3000\n",
        "tep.yaml:1:1: mbufs: 3000 are too few for query.hold_packets (1024) besides 2560"),
    "no tunnel": (changed("tunnel:\n  v6: [\"2001:db8::1\", \"2001:db8::2\"]\n", ""),
        "tep.yaml:1:1: tunnel.v6: missing: this key is required"),
    "tunnel empty": (changed('["2001:db8::1", "2001:db8::2"]', "[]"),
        "tep.yaml:5:7: tunnel.v6: 0 items, expected at least 1"),
    "tunnel no list": (changed('["2001:db8::1", "2001:db8::2"]', '"2001:db8::1"'),
        "tep.yaml:5:7: tunnel.v6: expected a list, not a single value"),
    "tunnel v4 address": (changed('"2001:db8::2"', '"192.0.2.1"'),
        'tep.yaml:5:23: tunnel.v6[1]: expected an IPv6 address, not "192.0.2.1"'),
    "tunnel link-local": (changed('"2001:db8::2"', '"fe80::1"'),
        "tep.yaml:5:3: tunnel.v6: fe80::1 cannot be a tunnel end"),
    "tunnel multicast": (changed('"2001:db8::2"', '"ff02::1"'),
        "tep.yaml:5:3: tunnel.v6: ff02::1 cannot be a tunnel end"),
    "tunnel twice": (changed('"2001:db8::2"', '"2001:db8::1"'),
        "tep.yaml:5:3: tunnel.v6: 2001:db8::1 stands there twice"),
    "hop limit 0": (changed("tunnel:\n", "tunnel:\n  hop_limit: 0\n"),
        "tep.yaml:5:14: tunnel.hop_limit: 0 is out of range 1..255"),
    "tunnel mtu above the port's": (changed('"2001:db8::2"', '{addr: "2001:db8::2", mtu: 1501}'),
        "tep.yaml:5:23: tunnel.v6: an mtu of 1501 is more than ports.mtu_v6 (1500)"),
    "tunnel mtu 0": (changed('"2001:db8::2"', '{addr: "2001:db8::2", mtu: 0}'),
        "tep.yaml:5:50: tunnel.v6[1].mtu: 0 is out of range 1280..9600"),
    "tunnel without address": (changed('"2001:db8::2"', "{mtu: 1400}"),
        "tep.yaml:5:23: tunnel.v6[1].addr: missing: this key is required"),
    "tunnel list in list": (changed('"2001:db8::2"', '["2001:db8::2"]'),
        "tep.yaml:5:23: tunnel.v6[1]: expected a mapping of keys, not a list"),
    "mtu by prefix 1279": (changed("tunnel:\n", 'tunnel:\n  mtu_by_prefix: [{prefix: "2001:db8::/32", mtu: 1279}]\n'),
        "tep.yaml:5:50: tunnel.mtu_by_prefix[0].mtu: 1279 is out of range 1280..9600"),
    "mtu by prefix twice": (changed("tunnel:\n", 'tunnel:\n  mtu_by_prefix:\n    - {prefix: "::/0", mtu: 1400}\n    - {prefix: "::/0", mtu: 1300}\n'),
        "tep.yaml:7:7: tunnel.mtu_by_prefix: ::/0 stands in line 6, too"),
    "mtu by prefix above the port's": (changed("tunnel:\n", 'tunnel:\n  mtu_by_prefix: [{prefix: "::/0", mtu: 9000}]\n'),
        "tep.yaml:5:19: tunnel.mtu_by_prefix: an mtu of 9000 is more than ports.mtu_v6 (1500)"),
    "fragment": (changed("tunnel:\n", "tunnel:\n  fragment: both\n"),
        'tep.yaml:5:13: tunnel.fragment: "both" is not one of outer, inner'),
    "mss clamp word": (changed("tunnel:\n", "tunnel:\n  mss_clamp: on\n"),
        'tep.yaml:5:3: tunnel.mss_clamp: expected off, auto or a number in 536..9560, not "on"'),
    "mss clamp 0": (changed("tunnel:\n", "tunnel:\n  mss_clamp: 0\n"),
        'tep.yaml:5:3: tunnel.mss_clamp: expected off, auto or a number in 536..9560, not "0"'),
    "mss clamp 535": (changed("tunnel:\n", "tunnel:\n  mss_clamp: 535\n"),
        'tep.yaml:5:3: tunnel.mss_clamp: expected off, auto or a number in 536..9560, not "535"'),
    "mss clamp octal": (changed("tunnel:\n", "tunnel:\n  mss_clamp: 01400\n"),
        'tep.yaml:5:3: tunnel.mss_clamp: expected off, auto or a number in 536..9560, not "01400"'),
    "mss clamp far too large": (changed("tunnel:\n", "tunnel:\n  mss_clamp: 99999999999999999999\n"),
        'tep.yaml:5:3: tunnel.mss_clamp: expected off, auto or a number in 536..9560, not "99999999999999999999"'),
    "mtu_v6 0": (changed("v4: net_pcap1", "v4: net_pcap1\n  mtu_v6: 0"),
        "tep.yaml:4:11: ports.mtu_v6: 0 is out of range 1280..9600"),
    "mtu_v4 0": (changed("v4: net_pcap1", "v4: net_pcap1\n  mtu_v4: 0"),
        "tep.yaml:4:11: ports.mtu_v4: 0 is out of range 576..9600"),
    "hop limit 256": (changed("tunnel:\n", "tunnel:\n  hop_limit: 256\n"),
        "tep.yaml:5:14: tunnel.hop_limit: 256 is out of range 1..255"),
    "encapsulation limit": (changed("tunnel:\n", "tunnel:\n  encapsulation_limit: 256\n"),
        "tep.yaml:5:24: tunnel.encapsulation_limit: 256 is out of range 0..255"),
    "dscp mode": (changed("tunnel:\n", "tunnel:\n  dscp: copy\n"),
        'tep.yaml:5:9: tunnel.dscp: "copy" is not one of uniform, pipe, fixed'),
    "dscp of 64": (changed("tunnel:\n", "tunnel:\n  dscp: pipe\n  dscp_outer: 64\n"),
        "tep.yaml:6:15: tunnel.dscp_outer: 64 is out of range 0..63"),
    "flow label": (changed("tunnel:\n", "tunnel:\n  flow_label: 1048576\n"),
        "tep.yaml:5:3: tunnel.flow_label: 1048576 is neither zero, hash nor a number up to "
        "1048575"),
    "flow label negative": (changed("tunnel:\n", "tunnel:\n  flow_label: -1\n"),
        "tep.yaml:5:3: tunnel.flow_label: -1 is neither zero, hash nor a number up to 1048575"),
    "hairpin": (GOOD + "hairpin: maybe\n",
        'tep.yaml:9:10: hairpin: expected true or false, not "maybe"'),
    "icmp rate": (GOOD + "icmp: {rate: 1000001}\n",
        "tep.yaml:9:14: icmp.rate: 1000001 is out of range 0..1000000"),
    "icmp burst": (GOOD + "icmp: {burst: 0}\n",
        "tep.yaml:9:15: icmp.burst: 0 is out of range 1..1000000"),
    "icmp source": (GOOD + "icmp:\n  v4_source: 224.0.0.1\n",
        "tep.yaml:10:3: icmp.v4_source: 224.0.0.1 is no unicast address"),
    "icmp source of IPv6": (GOOD + "icmp:\n  v6_source: fe80::1\n",
        "tep.yaml:10:3: icmp.v6_source: fe80::1 is no address of a router's own"),
    "plain word": (GOOD + "plain: {ipv6: drop}\n",
        'tep.yaml:9:15: plain.ipv6: "drop" is not one of host, forward'),
    "announce without pools": (GOOD + "announce: {pools: true}\n",
        "tep.yaml:9:11: announce.pools: pools is empty, so there is nothing to announce"),
    "announce metric": (GOOD + "announce: {metric: 0}\n",
        "tep.yaml:9:20: announce.metric: 0 is out of range 1..4294967295"),
    "ready route": (GOOD + "ready: {routes_v4: [192.0.2.0/24]}\n",
        'tep.yaml:9:21: ready.routes_v4[0]: expected an IPv4 address, not "192.0.2.0/24"'),
    "snapshot beside": (GOOD + "bindings: {snapshot: tep.snapshot}\n",
        "tep.yaml:9:11: bindings.snapshot: tep.snapshot does not start with a slash"),
    "plain without pools": (GOOD + "plain: {ipv4: forward}\n",
        "tep.yaml:9:8: plain.ipv4: forward needs pools, lest packets to addresses that no client "
        "has yet be sent away"),
    "plain without a host": (GOOD + "pools: [192.0.2.0/24]\nplain: {ipv4: host}\n",
        "tep.yaml:10:8: plain.ipv4: with neighbor.mode: static there is no host"),
    "plain on one link": (changed("v4: net_pcap1", "v4: net_pcap0") + "plain: {ipv6: forward}\n",
        "tep.yaml:9:8: plain: with neighbor.mode: static and one link there is no other way to "
        "forward to"),
    "plain IPv6 on a narrow link": (changed("v4: net_pcap1", "v4: net_pcap1\n  mtu_v4: 1279")
        + "plain: {ipv6: forward}\n",
        "tep.yaml:10:8: plain.ipv6: forward needs a ports.mtu_v4 of at least 1280 (RFC 8200)"),
    "icmp switch": (GOOD + "icmp: {too_big_to_v4: 1}\n",
        'tep.yaml:9:23: icmp.too_big_to_v4: expected true or false, not "1"'),
    "mode": (changed("neighbor:\n", "neighbor:\n  mode: arp\n"),
        'tep.yaml:7:9: neighbor.mode: "arp" is not one of static, kernel'),
    "no v6_mac": (changed('  v6_mac: "02:00:00:00:06:02"\n', ""),
        "tep.yaml:7:3: neighbor.v6_mac: needed with mode: static"),
    "no v4_mac": (changed('  v4_mac: "02:00:00:00:04:02"\n', ""),
        "tep.yaml:7:3: neighbor.v4_mac: needed with mode: static"),
    "no neighbor": (GOOD[:GOOD.index("neighbor")],
        "tep.yaml: neighbor.v6_mac: needed with mode: static"),
    "mac": (changed("02:00:00:00:06:02", "02:00:00:00:06"),
        'tep.yaml:7:11: neighbor.v6_mac: expected a MAC address, not "02:00:00:00:06"'),
    "group mac": (changed("02:00:00:00:06:02", "03:00:00:00:06:02"),
        "tep.yaml:7:3: neighbor.v6_mac: not the address of a station"),
    "zero mac": (changed("02:00:00:00:04:02", "00:00:00:00:00:00"),
        "tep.yaml:7:3: neighbor.v4_mac: not the address of a station"),
    "twins": (changed("neighbor:\n", "neighbor:\n  mode: kernel\n  twin_v4: dstm6\n"),
        "tep.yaml:7:3: neighbor.twin_v4: the same name as twin_v6: dstm6"),
    "twin long": (
        changed("neighbor:\n", "neighbor:\n  mode: kernel\n  twin_v4: abcdefghijklmnop\n"),
        "tep.yaml:8:12: neighbor.twin_v4: 16 characters long, expected at most 15"),
    "max 0": (GOOD + "bindings: {max: 0}\n",
        "tep.yaml:9:17: bindings.max: 0 is out of range 1..268435456"),
    "max less": (GOOD + changed("bindings:\n", "bindings:\n  max: 1\n", STATIC),
        "tep.yaml:10:3: bindings.max: 1 is less than the 2 static bindings"),
    "binding no client": (GOOD + "bindings:\n  static:\n    - {v4: 198.51.100.7}\n",
        "tep.yaml:11:7: bindings.static[0].client: missing: this key is required"),
    "binding range": (changed("1024-2047", "2047-1024", STATIC_GOOD),
        'tep.yaml:11:33: bindings.static[0].ports: expected a port range (first-last), '
        'not "2047-1024"'),
    "binding port": (changed("1024-2047", "1024-65536", STATIC_GOOD),
        'tep.yaml:11:33: bindings.static[0].ports: expected a port range (first-last), '
        'not "1024-65536"'),
    "binding v4": (changed("198.51.100.7", "198.51.100.256", STATIC_GOOD),
        'tep.yaml:11:12: bindings.static[0].v4: expected an IPv4 address, not "198.51.100.256"'),
    "binding multicast": (changed("198.51.100.7", "224.0.0.1", STATIC_GOOD),
        "tep.yaml:11:7: bindings.static: 224.0.0.1 is no unicast address"),
    "binding loopback": (changed("198.51.100.7", "127.0.0.1", STATIC_GOOD),
        "tep.yaml:11:7: bindings.static: 127.0.0.1 is no unicast address"),
    "binding client local": (changed("2001:db8:1::17", "fe80::17", STATIC_GOOD),
        "tep.yaml:11:7: bindings.static: client fe80::17 cannot be a tunnel end"),
    "binding client ours": (changed("2001:db8:1::17", "2001:db8::2", STATIC_GOOD),
        "tep.yaml:11:7: bindings.static: client 2001:db8::2 is one of tunnel.v6"),
    "binding tep": (changed('tep: "2001:db8::2"', 'tep: "2001:db8::3"', STATIC_GOOD),
        "tep.yaml:12:7: bindings.static: tep 2001:db8::3 is not one of tunnel.v6"),
    "overlap": (changed("2048-2048", "2047-2048", STATIC_GOOD),
        "tep.yaml:12:7: bindings.static: 198.51.100.7 has a port of 1024-2047 in line 11, too"),
    "overlap same": (changed("2048-2048", "1024-2047", STATIC_GOOD),
        "tep.yaml:12:7: bindings.static: 198.51.100.7 has a port of 1024-2047 in line 11, too"),
    "overlap exclusive": (STATIC_GOOD + "    - {v4: 198.51.100.7, client: \"2001:db8:1::19\"}\n",
        "tep.yaml:11:7: bindings.static: 198.51.100.7 has a port of 0-65535 in line 13, too"),
    "no file": (GOOD + "bindings: {file: missing.csv}\n",
        "missing.csv: cannot read: No such file or directory"),
    "listen alone": (GOOD + "control: {listen: \"[::]:3654\"}\n",
        "tep.yaml:9:10: control.listen: control.servers is empty, so nobody could speak"),
    "servers alone": (changed('  listen: "[::]:3654"\n', "", CONTROL_GOOD),
        "tep.yaml:10:3: control.servers: control.listen is missing"),
    "server twice": (CONTROL_GOOD + "    - {name: server1, password: other}\n",
        "tep.yaml:13:7: control.servers: server1 stands in line 12, too"),
    "server no password": (changed(", password: secret", "", CONTROL_GOOD),
        "tep.yaml:12:7: control.servers: server1 has no password, and there is no control.tls"),
    "half a control.tls": (CONTROL_GOOD + "  tls: {certificate: /x, key: /x}\n",
        "tep.yaml:13:8: control.tls: certificate, key and ca go together"),
    "listen v4": (changed("[::]:3654", "0.0.0.0:3654", CONTROL_GOOD),
        'tep.yaml:10:11: control.listen: expected "[IPv6 address]:port", not "0.0.0.0:3654"'),
    "listen no port": (changed("[::]:3654", "::", CONTROL_GOOD),
        'tep.yaml:10:11: control.listen: expected "[IPv6 address]:port", not "::"'),
    "anchor": (GOOD + "name: &a x\n",
        "tep.yaml:9:7: name: anchors and aliases are not allowed"),
    "name empty": (GOOD + 'name: ""\n',
        "tep.yaml:9:7: name: 0 characters long, expected at least 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_configuration_is_one_sentence(tmp_path, name):
    text, sentence = BAD[name]
    assert check(tmp_path, text) == (2, f"error: {sentence}\n")


BAD_ROWS = {
    "198.51.100.300,1-2,2001:db8:1::1,2001:db8::1": "1:1",
    "198.51.100.8,2-1,2001:db8:1::1,2001:db8::1": "1:14",
    "198.51.100.8,1-2,2001:db8:1::1,2001:db8::9": "1:32",
    "# none\n198.51.100.7,2000-3000,2001:db8:1::1,2001:db8::1": "2:1",
}


@pytest.mark.parametrize("rows", BAD_ROWS)
def test_bad_row_of_the_bindings_file_is_found_by_t(tmp_path, rows):
    (tmp_path / "more.csv").write_text(rows + "\n")
    text = changed("  static:", "  file: more.csv\n  static:", STATIC_GOOD)
    code, message = check(tmp_path, text)
    assert code == 2
    assert message.startswith(f"error: more.csv:{BAD_ROWS[rows]}: ")
    assert message.count("\n") == 1


def test_missing_configuration_is_one_sentence(tmp_path):
    done = run("-c", tmp_path / "none.yaml", "-t")
    assert done.returncode == 2
    assert done.stderr.endswith("none.yaml: cannot read: No such file or directory\n")


def test_bad_configuration_starts_nothing(tmp_path):
    """Without -t the EAL must not have begun either: its device would have made the file."""
    path, trace = tmp_path / "tep.yaml", tmp_path / "out.pcap"
    path.write_text(GOOD + "workers: 0\n")
    done = run("--no-huge", "--no-shconf", "--no-pci", f"--vdev=net_pcap0,tx_pcap={trace}", "--",
               "-c", path)
    assert done.returncode == 2
    assert "EAL" not in done.stderr
    assert not trace.exists()


@pytest.mark.parametrize("args, sentence", [
    (["-c", "x", "--duration=0"], "--duration: not a number from 1 to 86400: 0"),
    (["-c", "x", "--exit-on-idle=1s"], "--exit-on-idle: not a number from 1 to 3600000: 1s"),
    (["-c", "x", "--stats-period=-1"], "--stats-period: not a number from 1 to 86400: -1"),
    (["-c", "x", "y"], "y: not an option of dstm-tep (EAL arguments stand before --)"),
], ids=str)
def test_bad_options_are_one_sentence(args, sentence):
    for before in ([], ["--no-huge", "--"]):
        done = run(*before, *args)
        assert (done.returncode, done.stderr) == (2, f"error: {sentence}\n")


@pytest.mark.skipif(os.path.exists("/etc/dstm/tep.yaml"), reason="this machine has a TEP")
@pytest.mark.parametrize("args", [[], ["-t"]], ids=str)
def test_without_a_file_the_usual_one_is_read(args):
    done = run(*args)
    assert (done.returncode, done.stderr) == (
        2, "error: /etc/dstm/tep.yaml: cannot read: No such file or directory\n")


def test_unknown_option_prints_the_usage():
    done = run("--", "--nonsense")
    assert done.returncode == 2
    assert "usage: dstm-tep" in done.stderr


def test_version():
    assert run("-V").stdout.startswith("dstm-tep ")


def test_counters_page_is_current():
    """docs/counters.md is what the program prints; dstm-tep --list-counters > docs/counters.md"""
    assert (ROOT / "docs/counters.md").read_text() == run("--list-counters").stdout


def test_usage_names_every_option():
    text = run("-h").stdout
    for option in ("-c FILE", "-t", "-v", "-V", "--exit-on-idle", "--duration", "--stats-period",
                   "--stats-file", "--list-counters"):
        assert option in text
