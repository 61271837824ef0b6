# SPDX-License-Identifier: BSD-3-Clause
"""The runner by itself: its file format, and that nothing of a lab outlives it."""

import os
import signal
import subprocess
import time

import pytest

from conftest import ROOT
from lab import netns
from lab.run import check_file
from lab.yaml_lines import BadFile

PLAIN = ROOT / "tests/lab/plain.yaml"
ROUTING = sorted((ROOT / "config/routing").glob("*.conf"))
LABS = sorted((ROOT / "config/lab").glob("*.yaml"))

GOOD = """\
name: x
title: x
links: {l: {}}
nodes:
  a: {interfaces: {eth0: {link: l}}}
  b: {interfaces: {eth0: {link: l}}}
"""

BAD = [
    ("", "1:1: the file is empty"),
    ("name: [", "1:8: expected the node content"),
    ("name: x\n", "1:1: the key 'title' is missing"),
    (GOOD + "colour: red\n", "7:1: unknown key 'colour'"),
    (GOOD + "name: y\n", "7:1: 'name' stands here for the second time"),
    (GOOD + "  c: {forward: [ipx]}\n", "7:17: 'ipx' is none of ipv4, ipv6"),
    (GOOD + "  c: {forward: ipv4}\n", "7:16: a list is expected here"),
    (GOOD + "  c: {interfaces: {eth0: {link: m}}}\n", "7:33: no link is called 'm'"),
    (GOOD + "  c: {interfaces: {eth0: {}}}\n", "7:26: eth0 needs either 'link' or 'created_by'"),
    (GOOD + "  c: {interfaces: {eth0: {link: l, kernel: false, addresses: [192.0.2.1/24]}}}\n",
     "7:26: eth0 cannot have addresses without the kernel"),
    (GOOD + "  c: {interfaces: {eth0: {link: l, addresses: [1.2.3]}}}\n",
     "7:48: '1.2.3' is not an IP address with its prefix length"),
    (GOOD + "  c: {routes: [{to: 192.0.2.1/24, via: 192.0.2.1}]}\n",
     "7:21: '192.0.2.1/24' is not a prefix or 'default'"),
    (GOOD + "  c: {interfaces: {sixteen-letters-: {link: l}}}\n",
     "7:20: 'sixteen-letters-' is longer"),
    (GOOD + "  c: {interfaces: {t: {created_by: p}}}\n"
     "programs: {p: {node: a, run: dstm-client, config: {}}}\n", "7:23: 'p' does not run on c"),
    (GOOD + "programs: {p: {node: c, run: iperf3-server, port: 1}}\n",
     "7:22: no node is called 'c'"),
    (GOOD + "programs: {p: {node: a, run: iperf3-server}}\n", "7:15: iperf3-server needs 'port'"),
    (GOOD + "programs: {p: {node: a, run: dstm-client}}\n", "7:15: dstm-client needs 'config'"),
    (GOOD + "programs: {p: {node: a, run: dstm-client, config: {x: 1, x: 2}}}\n",
     "7:58: 'x' stands here for the second time"),
    (GOOD + "programs: {p: {node: a, run: bird, config: {router: 1}}}\n",
     "7:15: the 'config' of bird is text"),
    (GOOD + "programs: {p: {node: a, run: dstm-client, config: text}}\n",
     "7:15: the 'config' of dstm-client is a mapping of keys"),
    (GOOD + "programs: {p: {node: a, run: frr, config_file: config/no-such-file}}\n",
     "7:15: there is no file 'config/no-such-file'"),
    (GOOD + "programs: {p: {node: a, run: frr, config: a, config_file: README.md}}\n",
     "7:15: frr takes either 'config' or 'config_file'"),
    (GOOD + "programs: {p: {node: a, run: iperf3-server, port: 1, config: x}}\n",
     "7:15: iperf3-server takes no 'config'"),
    (GOOD + "  c: {routes: [{to: default, via: fe80::1, dev: eth0}]}\n",
     "7:16: c has no interface 'eth0'"),
    (GOOD + "programs: {p: {node: a, run: dhclient, config: x}}\n", "7:15: dhclient needs 'interface'"),
    (GOOD + "programs: {p: {node: a, run: dhcpcd, interface: eth1, config: x}}\n",
     "7:15: a has no interface 'eth1'"),
    (GOOD + "programs: {p: {node: a, run: dhcrelay, interface: eth0, config: x}}\n",
     "7:15: dhcrelay takes no 'interface'"),
    (GOOD + "programs: {p: {node: a, run: kea-dhcp6, config: x}}\n",
     "7:15: the 'config' of kea-dhcp6 is a mapping of keys"),
    (GOOD + "captures: {c: {node: a, interface: eth1}}\n",
     "7:15: a has no interface 'eth1' on a link"),
    (GOOD + "links: {}\n", "7:1: 'links' stands here for the second time"),
    ("name: x\ntitle: x\nnodes: {}\nlinks: {m: {mtu: 99}}\n", "4:18: a number from 1280 to 65535"),
    ("name: x\ntitle: x\nnodes: {}\nlinks: {m: {}}\n", "4:9: link 'm' has fewer than two ends"),
    (GOOD + "steps: [{dance: {}}]\n", "7:10: no step is called 'dance'"),
    (GOOD + "steps: [{start: [], ping: {}}]\n", "7:9: a step is one key"),
    (GOOD + "steps: [{start: [p]}]\n", "7:18: no program is called 'p'"),
    (GOOD + "steps: [{ping: {from: [a], to: web}}]\n", "7:32: 'web' is not an IP address"),
    (GOOD + "steps: [{ping: {from: [a]}}]\n", "7:16: the key 'to' is missing"),
]


class Done:
    """A lab that ran to its end, in a process of its own."""

    def __init__(self, path):
        with subprocess.Popen([ROOT / "tools/lab", path], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            self.stdout, self.stderr = process.communicate(timeout=60)
        self.returncode, self.pid = process.returncode, process.pid


@pytest.mark.parametrize("content, message", BAD, ids=[message for _, message in BAD])
def test_a_bad_lab_file_is_one_sentence_with_its_place(tmp_path, content, message):
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    with pytest.raises(BadFile) as caught:
        check_file(str(path))
    assert str(caught.value).startswith(f"{path}:{message}")
    assert "\n" not in str(caught.value)


def test_the_good_part_of_the_bad_files_is_good(tmp_path):
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    assert list(check_file(str(path)).nodes) == ["a", "b"]


@pytest.mark.parametrize("path", ROUTING, ids=lambda path: path.name)
def test_the_router_configurations_are_good(path):
    """Samples for operators; the labs run them, too."""
    check = ["bird", "-p", "-c"] if path.name.startswith("bird") else ["vtysh", "-C", "-f"]
    done = subprocess.run([*check, path], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.name)
def test_every_lab_in_config_can_be_read(path):
    assert check_file(str(path)).name == path.stem


def test_a_bad_file_ends_with_code_2_and_makes_nothing(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD + "colour: red\n")
    done = Done(path)
    assert done.returncode == 2
    assert "bad.yaml:7:1: unknown key 'colour'" in done.stderr


def test_a_lab_of_plain_hosts_runs_and_leaves_packets_logs_and_no_namespace():
    done = Done(PLAIN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 8 checks hold" in done.stdout
    folder = ROOT / "build/lab/plain/latest"
    assert (folder / "web.pcap").stat().st_size > 10000
    assert len((folder / "http.requests").read_text().splitlines()) > 10
    assert (folder / "screen.log").read_text() == done.stdout
    assert netns.present(done.pid) == []


def test_a_check_that_does_not_hold_ends_with_code_1(tmp_path):
    path = tmp_path / "unreachable.yaml"
    path.write_text(GOOD + "steps: [{ping: {from: [a], to: 127.1.2.3, count: 1}},\n"
                    "        {ping: {from: [a], to: 192.0.2.1, count: 1}}]\n")
    done = Done(path)
    assert done.returncode == 1
    assert "1 of 2 checks do NOT hold" in done.stdout


def held_lab(path):
    """A lab of its own process that is up and waits for Enter; (process, its namespaces)."""
    process = subprocess.Popen([ROOT / "tools/lab", path], env=os.environ | {"HOLD": "1"},
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("Enter ends it"):
            break
    return process, netns.present(process.pid)


@pytest.fixture
def small_lab(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(GOOD + "programs: {s: {node: a, run: iperf3-server, port: 5201}}\n"
                    "captures: {c: {node: a, interface: eth0}}\n"
                    "steps: [{start: [s]}]\n")
    return path


@pytest.mark.parametrize("end", ["enter", signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_held_lab_goes_down_whole(small_lab, end):
    process, namespaces = held_lab(small_lab)
    assert len(namespaces) == 2
    if end == "enter":
        process.stdin.write("\n")
        process.stdin.flush()
    else:
        process.send_signal(end)
    process.wait(20)
    assert netns.present(process.pid) == []
    assert not os.path.exists(f"/run/{netns.prefix(process.pid)}")
    process.communicate()


def test_the_next_run_removes_what_a_killed_one_left(small_lab):
    process, namespaces = held_lab(small_lab)
    process.kill()
    process.communicate()
    assert netns.present(process.pid) == namespaces
    inside = [pid for name in namespaces
              for pid in netns.run(["ip", "netns", "pids", name]).split()]
    assert len(inside) == 2  # iperf3 and tcpdump
    Done(small_lab)
    assert netns.present(process.pid) == []
    deadline = time.monotonic() + 5
    while any(os.path.exists(f"/proc/{pid}") for pid in inside) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in inside)
