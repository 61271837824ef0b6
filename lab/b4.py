# SPDX-License-Identifier: BSD-3-Clause
"""The client's end of a softwire, and no more: b4.py DEVICE V4 FIRST LAST V6 TEP

What a lightweight 4over6 host (RFC 7596) does with the answer to option 96, without anything of
ours: IPv4 from a tun device goes to the TEP in IPv6, and back. The device has the address, the
kernel takes ports of the range alone, and the default route leads there. It ends with its process.
"""

import fcntl
import os
import select
import socket
import struct
import subprocess
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x1, 0x1000
MTU = 1460
BUFFER = 65536


def open_tun(name: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def open_tunnel(local: str, tep: str) -> socket.socket:
    """IPv4 in IPv6: the kernel writes and takes away the outer header."""
    tunnel = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_IPIP)
    tunnel.setblocking(False)
    tunnel.bind((local, 0))
    tunnel.connect((tep, 0))
    return tunnel


def configure(device: str, v4: str, first: str, last: str):
    for command in (["ip", "link", "set", device, "mtu", str(MTU), "up"],
                    ["ip", "address", "add", f"{v4}/32", "dev", device],
                    ["ip", "route", "add", "default", "dev", device],
                    ["sysctl", "-q", "-w", f"net.ipv4.ip_local_port_range={first} {last}"]):
        subprocess.run(command, check=True)


def main():
    device, v4, first, last, v6, tep = sys.argv[1:]
    tun, tunnel = open_tun(device), open_tunnel(v6, tep)
    configure(device, v4, first, last)
    print("up", flush=True)
    while True:
        for ready in select.select([tun, tunnel], [], [])[0]:
            try:
                if ready is tunnel:
                    os.write(tun, tunnel.recv(BUFFER))
                else:
                    tunnel.send(os.read(tun, BUFFER))
            except OSError:
                pass  # a packet less, as on any link


if __name__ == "__main__":
    main()
