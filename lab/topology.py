# SPDX-License-Identifier: BSD-3-Clause
"""Links, addresses and routes of a lab file, made in namespaces.

A link with two ends is a veth pair. One with more is a bridge in a namespace of its own, called
like the link, so that nothing on a node's side knows of it. Checksum and segmentation offloads are
off on every veth: packets on the wire are whole and finished, as a NIC would send them.
"""

from ipaddress import ip_address, ip_interface

from lab import labfile
from lab.netns import Namespace

# No duplicate address detection, no router discovery: an address works at once.
QUIET = {
    "net/ipv6/conf/{}/accept_dad": "0",
    "net/ipv6/conf/{}/dad_transmits": "0",
    "net/ipv6/conf/{}/accept_ra": "0",
    "net/ipv6/conf/{}/router_solicitations": "0",
    "net/ipv4/conf/{}/rp_filter": "0",
}
FORWARDING = {"ipv4": "net/ipv4/ip_forward", "ipv6": "net/ipv6/conf/all/forwarding"}
OFFLOADS = ["rx", "off", "tx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off"]


def build(lab) -> dict[str, Namespace]:
    """Makes all namespaces and what is in them, but the interfaces that programs create."""
    nodes = {name: _namespace(name) for name in lab.nodes}
    for name, node in lab.nodes.items():
        for family, sysctl in FORWARDING.items():
            nodes[name].sysctl(sysctl, "1" if family in node.forward else "0")
    for name, link in lab.links.items():
        ends = labfile.ends_of(lab, name)
        _link(name, link, [(nodes[node], interface) for node, interface in ends])
    for name, node in lab.nodes.items():
        for interface_name, interface in node.interfaces.items():
            if interface.link is not None:
                configure(nodes[name], interface_name, interface)
        for sysctl, value in node.sysctls.items():
            nodes[name].sysctl(sysctl, value)
        add_routes(nodes[name], node, created_by=None)
    return nodes


# AF_PACKET sees a packet before this drops it; the kernel's protocols never do.
DEAF = """
add table netdev lab
add chain netdev lab {0} {{ type filter hook ingress device "{0}" priority 0; policy drop; }}
"""


def configure(namespace: Namespace, name: str, interface):
    """Brings an interface up with its addresses."""
    ipv6 = interface.ipv6 and interface.kernel
    namespace.sysctl(f"net/ipv6/conf/{name}/disable_ipv6", "0" if ipv6 else "1")
    if not interface.kernel:
        namespace.run(["nft", DEAF.format(name)])
    for address in interface.addresses:
        # "nodad" is for IPv6 alone; the kernel refuses it on an IPv4 address.
        namespace.ip("address", "replace", address, "dev", name, *["nodad"] * (":" in address))
    namespace.ip("link", "set", name, "up")


def add_routes(namespace: Namespace, node, created_by: str | None):
    """Adds the routes whose gateway lies behind interfaces of this maker (None: behind links)."""
    for route in node.routes:
        family = "-6" if ":" in route.via else "-4"
        maker = node.interfaces[route.dev].created_by if route.dev else _maker_of(node, route.via)
        if maker == created_by:
            namespace.ip(family, "route", "replace", route.to, "via", route.via,
                         *(["dev", route.dev] if route.dev else []))


def _maker_of(node, gateway: str) -> str | None:
    """The program that creates the interface in whose prefix the gateway lies."""
    for interface in node.interfaces.values():
        if any(ip_address(gateway) in ip_interface(own).network for own in interface.addresses):
            return interface.created_by
    return None


def _namespace(name: str) -> Namespace:
    namespace = Namespace(name)
    namespace.create()
    for scope in ("all", "default"):
        for sysctl, value in QUIET.items():
            namespace.sysctl(sysctl.format(scope), value)
    return namespace


def _link(name: str, link, ends: list[tuple[Namespace, str]]):
    if len(ends) == 2:
        _veth(ends[0], ends[1], link.mtu)
        return
    bridge = _namespace(name)
    bridge.ip("link", "add", "bridge", "type", "bridge", "mcast_snooping", "0")
    bridge.sysctl("net/ipv6/conf/all/disable_ipv6", "1")
    bridge.ip("link", "set", "bridge", "mtu", str(link.mtu), "up")
    for number, end in enumerate(ends):
        port = f"port{number}"
        _veth(end, (bridge, port), link.mtu)
        bridge.ip("link", "set", port, "master", "bridge")


def _veth(one: tuple[Namespace, str], other: tuple[Namespace, str], mtu: int):
    one[0].ip("link", "add", "name", one[1], "mtu", str(mtu), "type", "veth",
              "peer", "name", other[1], "mtu", str(mtu), "netns", other[0].id)
    for namespace, name in (one, other):
        namespace.run(["ethtool", "-K", name, *OFFLOADS])
        namespace.ip("link", "set", name, "up")
