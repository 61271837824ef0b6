# SPDX-License-Identifier: BSD-3-Clause
"""The same traffic through one worker and through several, on ports with a queue for each and with fewer.

Whoever carries a packet, the same packets leave, and each flow in its order. Every client has flows of its
own with a peer of its own: into the tunnel and out of it, whole and in fragments of the outer packet, of
the inner one and of both, to another client, and packets whose answer is an ICMP error. What must leave is
written here flow by flow, and each frame stands for one place in one flow.
"""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import test_packets as packets
import yaml
from scapy.all import ICMP, IP, TCP, UDP, IPv6, Raw, raw

HERE = Path(__file__).resolve().parent
TEP = os.environ["DSTM_TEP"]
CPUS = packets.CPUS
CLIENTS = 32
ROUNDS = 4  # of each flow
TUNNEL = "2001:db8::1"
FROM6, TO6, FROM4, TO4 = (packets.NAMES[name] for name in ("from6", "to6", "from4", "to4"))


def client_v6(n):
    return f"2001:db8:1::{n + 1:x}"


def client_v4(n):
    return f"198.51.100.{n // 4 + 1}"


def client_port(n):
    return (n % 4 + 1) * 1024


def peer_v4(n):
    return f"203.0.113.{n + 1}"


def inner(n, number, octets, ttl=64, **fields):
    """From client n to its peer."""
    return IP(src=client_v4(n), dst=peer_v4(n), id=number, ttl=ttl, **fields) \
        / UDP(sport=client_port(n), dport=9) / Raw(b"u" * octets)


def outside(n, number, octets, ttl=64, **fields):
    """From its peer to client n."""
    return IP(src=peer_v4(n), dst=client_v4(n), id=number, ttl=ttl, **fields) \
        / UDP(sport=9, dport=client_port(n)) / Raw(b"d" * octets)


def between(n, number, ttl=64):
    """From client n to the next one."""
    to = (n + 1) % CLIENTS
    return IP(src=client_v4(n), dst=client_v4(to), id=number, ttl=ttl) \
        / UDP(sport=client_port(n) + 1, dport=client_port(to) + 1) / Raw(b"h" * 20)


def tunnel(n, packet):
    return FROM6 / IPv6(src=client_v6(n), dst=TUNNEL) / packet


def to_client(n, packet):
    return TO6 / IPv6(src=TUNNEL, dst=client_v6(n), hlim=64) / packet


def both_fragmented(n, number):
    """Inner fragments, of which the long ones come in fragments of the outer packet."""
    fragments = packets.cut4(inner(n, number, 500), 400)
    return [piece for fragment in fragments
            for piece in (packets.cut6(tunnel(n, fragment), 320, number * 10 + 1)
                          if len(fragment) > 300 else [tunnel(n, fragment)])]


def too_big(n, number):
    whole = outside(n, number, 1450, flags="DF")
    error = packets.ours(peer_v4(n)) / ICMP(type=3, code=4, nexthopmtu=1460) \
        / packets.whole(whole, 548)
    return whole, error


# Flows of client n: the side they come by, and for each packet the frames in, the side out, and the frames out.
def flows(n):
    numbers = range(1, ROUNDS + 1)
    mixed = []
    for i in numbers:  # whole ones and ones in fragments: one order
        whole = tunnel(n, inner(n, i, i))
        mixed.append(([whole], "v4", [TO4 / inner(n, i, i, ttl=63)]))
        frame = tunnel(n, inner(n, 100 + i, 900))
        mixed.append((packets.cut6(frame, 600, i)[::-1], "v4",
                      [TO4 / inner(n, 100 + i, 900, ttl=63)]))
        mixed.append((both_fragmented(n, 200 + i), "v4", [TO4 / inner(n, 200 + i, 500, ttl=63)]))
    yield "v6", mixed
    yield "v6", [([tunnel(n, between(n, i))], "v6",
                  [to_client((n + 1) % CLIENTS, between(n, i, ttl=63))]) for i in numbers]
    yield "v6", [([tunnel(n, IP(src="198.51.100.99", dst=peer_v4(n), id=i) / TCP())], "v4", [])
                 for i in numbers]
    back = []
    for i in numbers:
        back.append(([FROM4 / outside(n, i, i)], "v6", [to_client(n, outside(n, i, i, ttl=63))]))
        back.append(([FROM4 / piece for piece in packets.cut4(outside(n, 100 + i, 900), 304)][::-1],
                     "v6", [to_client(n, outside(n, 100 + i, 900, ttl=63))]))
    yield "v4", back
    yield "v4", [([FROM4 / whole], "v4", [TO4 / error])
                 for whole, error in (too_big(n, 300 + i) for i in numbers)]


class Traffic:
    """Frames in by side and client, and where each frame out belongs: {side: {frame: (flow, place)}}."""

    def __init__(self):
        self.into = {side: [[] for _ in range(CLIENTS)] for side in packets.SIDES}
        self.wanted = {side: {} for side in packets.SIDES}
        self.dropped = 0
        for n in range(CLIENTS):
            for number, (side, flow) in enumerate(flows(n)):
                for place, (frames_in, out, frames_out) in enumerate(flow):
                    self.into[side][n] += map(raw, frames_in)
                    self.dropped += not frames_out
                    for frame in map(raw, frames_out):
                        assert frame not in self.wanted[out]
                        self.wanted[out][frame] = ((n, number), place)

    def queue(self, side, number, n_queues):
        """What a queue receives: as a NIC does it, all of a client by one queue; clients interleaved."""
        mine = [frames for n, frames in enumerate(self.into[side]) if n % n_queues == number]
        longest = max(map(len, mine))
        return [frames[i] for i in range(longest) for frames in mine if i < len(frames)]

    def received(self):
        return sum(len(frames) for side in self.into.values() for frames in side)


TRAFFIC = Traffic()


def configure(folder, workers, one_armed):
    config = yaml.safe_load((HERE / "base.yaml").read_text())
    if one_armed:
        config["ports"] = {"v6": "net_pcap0", "v4": "net_pcap0"}
    config.update(
        workers=workers, mbufs=16384, icmp={"rate": 1000000, "burst": 1000000},
        reassembly={"timeout_ms": 30000},
        bindings={"max": 64, "static": [
            {"v4": client_v4(n), "ports": f"{client_port(n)}-{client_port(n) + 1023}",
             "client": client_v6(n)} for n in range(CLIENTS)]})
    (folder / "tep.yaml").write_text(yaml.safe_dump(config))


def devices(folder, queues):
    """net_pcap devices with as many queues as told, each fed by a file of its own."""
    for number, (side, n_queues) in enumerate(zip(packets.SIDES, queues)):
        device = f"net_pcap{number}"
        for queue in range(n_queues):
            packets.write_pcap(folder / f"in-{side}-{queue}.pcap",
                               TRAFFIC.queue(side, queue, n_queues))
            device += f",rx_pcap={folder}/in-{side}-{queue}.pcap" \
                      f",tx_pcap={folder}/out-{side}-{queue}.pcap"
        yield f"--vdev={device}"


def one_device(folder):
    """One port for both sides; it has one MAC address, so that of the second one is replaced."""
    frames = [frame for pair in zip(TRAFFIC.queue("v6", 0, 1), TRAFFIC.queue("v4", 0, 1))
              for frame in pair]
    rest = [TRAFFIC.queue(side, 0, 1)[len(frames) // 2:] for side in packets.SIDES]
    first = raw(FROM6)[:6]
    packets.write_pcap(folder / "in-v6-0.pcap",
                       [first + frame[6:] for frame in frames + rest[0] + rest[1]])
    yield f"--vdev=net_pcap0,rx_pcap={folder}/in-v6-0.pcap,tx_pcap={folder}/out-v6-0.pcap"


def run(folder, workers, *vdevs):
    lcores = ",".join(f"{n}@({CPUS})" for n in range(workers + 1))
    done = subprocess.run(
        [TEP, *packets.EAL[:-1], f"--lcores={lcores}", *vdevs, "--", "-c",
         str(folder / "tep.yaml"), "--exit-on-idle=200", f"--stats-file={folder}/stats.json"],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "stats.json").read_text())


def check_frames(sent, wanted):
    """The same frames, and each flow in its order."""
    assert Counter(sent) == Counter(wanted.keys())
    last = {}
    for frame in sent:
        flow, place = wanted[frame]
        assert place > last.get(flow, -1), f"flow {flow}: a packet overtook another"
        last[flow] = place


def check_counters(stats, workers):
    counters = stats["counters"]
    assert len(stats["by_worker"]) == workers
    for name, value in counters.items():
        for unit in ("packets", "bytes"):
            assert sum(worker[name][unit] for worker in stats["by_worker"]) == value[unit], name
    assert counters["rx"]["packets"] == TRAFFIC.received()
    drops = {name: counters[name]["packets"] for name in packets.drop_names()
             if counters[name]["packets"]}
    assert drops == {"no_binding_v6": TRAFFIC.dropped, "too_big_v6": CLIENTS * ROUNDS}
    assert all(worker["rx"]["packets"] > 0 for worker in stats["by_worker"])
    assert stats["mbufs_in_use"] == 0


@pytest.mark.parametrize("workers, queues", [
    (1, (1, 1)), (2, (2, 2)), (2, (1, 1)), (4, (1, 1)), (2, (2, 1)), (2, (1, 2)), (4, (2, 3)),
], ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else None)
def test_any_worker_carries_any_packet(tmp_path, workers, queues):
    configure(tmp_path, workers, one_armed=False)
    stats = run(tmp_path, workers, *devices(tmp_path, queues))
    for side, n_queues in zip(packets.SIDES, queues):
        sent = [packets.read_pcap(tmp_path / f"out-{side}-{queue}.pcap")
                for queue in range(n_queues)]
        # Two flows of one client may leave by two queues, one flow may not.
        check_frames([frame for frames in sent for frame in frames], TRAFFIC.wanted[side])
    check_counters(stats, workers)
    handed = stats["counters"]["rx_handed"]["packets"]
    assert (handed > 0) == (min(queues) < workers)
    assert (stats["counters"]["tx_handed"]["packets"] > 0) == (min(queues) < workers)


@pytest.mark.parametrize("workers", [1, 3])
def test_several_workers_on_one_arm(tmp_path, workers):
    configure(tmp_path, workers, one_armed=True)
    stats = run(tmp_path, workers, *one_device(tmp_path))
    mac = raw(TO6)[6:12]
    wanted = {frame[:6] + mac + frame[12:]: place for side in packets.SIDES
              for frame, place in TRAFFIC.wanted[side].items()}
    check_frames(packets.read_pcap(tmp_path / "out-v6-0.pcap"), wanted)
    check_counters(stats, workers)
