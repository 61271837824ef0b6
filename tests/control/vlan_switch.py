# SPDX-License-Identifier: BSD-3-Clause
"""A switch of one tagged port and an untagged one for each VLAN, in a thread.

The kernels that tests run on need not have VLAN devices. The tagged port is one end of a veth pair, read with a packet
socket, to which the kernel tells the tag beside the frame; the untagged ones are TAP devices.
"""

import fcntl
import os
import select
import socket
import struct
import threading

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 263, 8, 4
STATUS_VLAN_VALID = 0x10
FRAME_MAX = 2000


def open_tap(namespace, name):
    """A TAP device in a namespace, up; it goes with its descriptor."""
    with namespace.inside():
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    namespace.ip("link", "set", name, "up")
    return fd


class Switch:
    """taps: VLAN -> descriptor of its TAP device. 0 is the VLAN of frames without a tag."""

    def __init__(self, namespace, device, taps):
        with namespace.inside():
            self.trunk = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.trunk.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.trunk.bind((device, 3))
        self.taps = taps
        self.seen = []  # (VLAN, priority bits) of what came by the trunk
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopped.set()
        self.thread.join(5)
        self.trunk.close()
        for fd in self.taps.values():
            os.close(fd)

    def _run(self):
        sources = [self.trunk, *self.taps.values()]
        while not self.stopped.is_set():
            for source in select.select(sources, [], [], 0.2)[0]:
                if source is self.trunk:
                    self._from_trunk()
                else:
                    self._to_trunk(source)

    def _to_trunk(self, tap):
        vlan = next(number for number, fd in self.taps.items() if fd == tap)
        frame = os.read(tap, FRAME_MAX)
        if vlan != 0:
            frame = frame[:12] + struct.pack("!HH", 0x8100, vlan) + frame[12:]
        self.trunk.send(frame)

    def _from_trunk(self):
        frame, ancillary, _, address = self.trunk.recvmsg(FRAME_MAX, socket.CMSG_SPACE(20))
        if address[2] == PACKET_OUTGOING:
            return
        tci = 0
        for level, kind, data in ancillary:
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                status, _, _, _, _, tag, _ = struct.unpack("IIIHHHH", data[:20])
                tci = tag if status & STATUS_VLAN_VALID else 0
        if frame[12:14] == b"\x81\x00":
            tci = struct.unpack("!H", frame[14:16])[0]
            frame = frame[:12] + frame[16:]
        self.seen.append((tci & 0xFFF, tci >> 12))
        if tci & 0xFFF in self.taps:
            os.write(self.taps[tci & 0xFFF], frame)
