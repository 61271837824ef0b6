# SPDX-License-Identifier: BSD-3-Clause
"""The format of a lab file (docs/lab.md): its keys, and that its names point somewhere."""

from yaml import ScalarNode

from lab import yaml_lines as y
from lab.program import ROOT
from lab.yaml_lines import Key

INTERFACE = y.table(
    link=Key(y.name_of("link")),
    created_by=Key(y.name_of("program")),
    addresses=Key(y.list_of(y.interface_address), []),
    ipv6=Key(y.boolean, True),
    kernel=Key(y.boolean, True),
)

ROUTE = y.table(
    to=Key(y.destination, required=True),
    via=Key(y.address, required=True),
    dev=Key(y.text),
)

NODE = y.table(
    forward=Key(y.list_of(y.choice("ipv4", "ipv6")), []),
    interfaces=Key(y.map_of(INTERFACE), {}),
    routes=Key(y.list_of(ROUTE), []),
    sysctls=Key(y.map_of(y.text), {}),
)

LINK = y.table(
    mtu=Key(y.integer(1280, 65535), 1500),
)

DAEMONS = ("dstm-tep", "dstm-server", "dstm-client")
ROUTERS = ("bird", "frr")
SERVICES = ("http-server", "iperf3-server", "probe-server")
DHCP_CLIENTS = ("dhclient", "dhcpcd")
KEA, RELAY = "kea-dhcp6", "dhcrelay"
STRUCTURED = (*DAEMONS, KEA)  # their configuration is a mapping; of the others, text


def configuration(node):
    """A daemon's own keys, or the text of a configuration file."""
    return y.text(node) if isinstance(node, ScalarNode) else y.map_of(y.anything)(node)


PROGRAM = y.table(
    node=Key(y.name_of("node"), required=True),
    run=Key(y.choice(*DAEMONS, *ROUTERS, *SERVICES, *DHCP_CLIENTS, KEA, RELAY), required=True),
    config=Key(configuration),
    config_file=Key(y.text),
    eal=Key(y.list_of(y.text), []),
    interface=Key(y.text),
    nice=Key(y.integer(-20, 19), 0),
    port=Key(y.integer(1, 65535)),
)

CAPTURE = y.table(
    node=Key(y.name_of("node"), required=True),
    interface=Key(y.text, required=True),
    filter=Key(y.text, y.Text("")),
    snaplen=Key(y.integer(64, 65535), 128),
)


def load(path: str, step_kinds: dict) -> y.Table:
    """The lab file at path. step_kinds: the name of a step -> the reader of its keys."""

    def step(node):
        entries = y.pairs(node)
        if len(entries) != 1:
            y.fail(node, "a step is one key, its kind, with what it takes below")
        kind, value = entries[0]
        if kind not in step_kinds:
            raise y.BadFile(f"{kind.where}: no step is called '{kind}'; "
                            f"there are {', '.join(sorted(step_kinds))}")
        arguments = step_kinds[kind](value)
        return kind, arguments

    lab = y.load(path, y.table(
        name=Key(y.text, required=True),
        title=Key(y.text, required=True),
        links=Key(y.map_of(LINK), {}),
        nodes=Key(y.map_of(NODE), required=True),
        programs=Key(y.map_of(PROGRAM), {}),
        captures=Key(y.map_of(CAPTURE), {}),
        steps=Key(y.list_of(step), []),
    ))
    _check_names(lab)
    _check_interfaces(lab)
    _check_programs(lab)
    _check_captures(lab)
    return lab


def ends_of(lab: y.Table, link: str) -> list[tuple[str, str]]:
    """The (node, interface) pairs on a link, in the order of the file."""
    return [(node_name, name) for node_name, node in lab.nodes.items()
            for name, interface in node.interfaces.items() if interface.link == link]


def need(where: str, condition, message: str):
    if not condition:
        raise y.BadFile(f"{where}: {message}")


def _check_names(lab):
    things = {"link": lab.links, "node": lab.nodes, "program": lab.programs,
              "capture": lab.captures}
    for name in y.names_in(lab):
        need(name.where, name in things[name.kind], f"no {name.kind} is called '{name}'")


def _check_interfaces(lab):
    for node_name, node in lab.nodes.items():
        need(node_name.where, len(node_name) <= 24, f"'{node_name}' is longer than 24 characters")
        for name, interface in node.interfaces.items():
            need(name.where, len(name) <= 15, f"'{name}' is longer than 15 characters")
            need(interface.where, (interface.link is None) != (interface.created_by is None),
                 f"{name} needs either 'link' or 'created_by'")
            need(interface.where, interface.kernel or not interface.addresses,
                 f"{name} cannot have addresses without the kernel")
            maker = lab.programs.get(interface.created_by)
            need(interface.where, maker is None or maker.node == node_name,
                 f"'{interface.created_by}' does not run on {node_name}")
        for route in node.routes:
            need(route.where, route.dev is None or route.dev in node.interfaces,
                 f"{node_name} has no interface '{route.dev}'")
    for link in lab.links:
        need(link.where, len(ends_of(lab, link)) >= 2, f"link '{link}' has fewer than two ends")


def _check_programs(lab):
    for name, program in lab.programs.items():
        is_structured, is_service = program.run in STRUCTURED, program.run in SERVICES
        given = (program.config is not None) + (program.config_file is not None)
        need(program.where, given < 2, f"{program.run} takes either 'config' or 'config_file'")
        need(program.where, bool(given) != is_service,
             f"{program.run} {'takes no' if is_service else 'needs'} 'config'")
        need(program.where, is_structured == isinstance(program.config, dict) or is_service,
             f"the 'config' of {program.run} is {'a mapping of keys' if is_structured else 'text'}")
        need(program.where, program.config_file is None or (ROOT / program.config_file).is_file(),
             f"there is no file '{program.config_file}'")
        need(program.where, is_service == (program.port is not None),
             f"{program.run} {'needs' if is_service else 'takes no'} 'port'")
        need(program.where, (program.run in DHCP_CLIENTS) == (program.interface is not None),
             f"{program.run} {'needs' if program.run in DHCP_CLIENTS else 'takes no'} 'interface'")
        need(program.where, program.interface in (None, *lab.nodes[program.node].interfaces),
             f"{program.node} has no interface '{program.interface}'")
        need(program.where, program.run == "dstm-tep" or not program.eal,
             f"only dstm-tep takes 'eal', {name} is {program.run}")


def _check_captures(lab):
    for capture in lab.captures.values():
        interface = lab.nodes[capture.node].interfaces.get(capture.interface)
        need(capture.where, interface is not None and interface.link is not None,
             f"{capture.node} has no interface '{capture.interface}' on a link")
