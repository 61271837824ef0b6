# SPDX-License-Identifier: BSD-3-Clause
"""Steps of labs with DHCPv6: what clients that are not ours were told, and what they do with it."""

from lab import yaml_lines as y
from lab.netns import run
from lab.steps import format_ports, step, wait_for_lease
from lab.yaml_lines import Key

IDLE_TIMEOUT_S = 20

PROGRAM = y.name_of("program")
PROGRAMS = y.list_of(PROGRAM)


@step(y.table(clients=Key(PROGRAMS, required=True), server=Key(PROGRAM, required=True)))
def told(lab, keys):
    """What DHCPv6 clients print is what the server has leased to them, and what the TEP forwards."""
    for name in keys.clients:
        got = lab.programs[name].told()
        for line in describe(got):
            lab.screen.say(name, line)
        faults = find_differences(lab, got, keys.server)
        lab.screen.check(f"{name} was told its lease", not faults,
                         "; ".join(faults) or f"{got.v4} {format_ports([got.ports])}, as "
                                              f"{keys.server} and {lab.tep().name} have it")


def describe(got) -> list[str]:
    """A line for each kind of option that came."""
    lines = [f"IA_NA {got.address}"]
    if got.v4 is not None:
        lines.append(f"by our options: {got.v4} {format_ports([got.ports])} by {got.tep}")
    if got.softwire is not None:
        s46 = got.softwire
        lines.append(f"by option 96: {s46.v4} {format_ports([s46.ports])} is {s46.v6} "
                     f"by {s46.tep}")
    return lines


def find_differences(lab, got, server: str) -> list[str]:
    """Between what a client was told, twice over, what `server` leased, and the TEP's binding."""
    if got.v4 is None or got.softwire is None:
        return ["it was told nothing of ours" if got.v4 is None else "no option 96 came"]
    said = (got.v4, tuple(got.ports), got.tep)
    by_96 = (got.softwire.v4, tuple(got.softwire.ports), got.softwire.tep)
    leased = leases_of(lab, server, got.softwire.v6)
    bound = [(one["v4"], (one["first"], one["last"]), one["tep"])
             for one in lab.tep().ctl("bindings") if one["client"] == got.softwire.v6]
    faults = []
    if by_96 != said:
        faults.append(f"option 96 says {by_96}, our options say {said}")
    if got.softwire.v6 != got.address:
        faults.append(f"the tunnel ends at {got.softwire.v6}, which is not its address")
    if leased != [said[:2]]:
        faults.append(f"{server} has leased {leased}, not {said[:2]}")
    if bound != [said]:
        faults.append(f"the TEP has {bound}, not {said}")
    return faults


def leases_of(lab, server: str, v6: str) -> list[tuple[str, tuple[int, int]]]:
    """(IPv4 address, ports) of each lease that a dstm-server has for a tunnel end."""
    return [(one["v4"], tuple(ports)) for one in lab.programs[server].ctl("leases")
            if one["client"] == v6 and one["state"] == "active" for ports in one["ports"]]


@step(y.table(clients=Key(PROGRAMS, required=True)))
def softwire(lab, keys):
    """Each of these DHCPv6 clients' nodes gets IPv4 by what option 96 told, and nothing of ours."""
    for name in keys.clients:
        client = lab.programs[name]
        wire = client.open_softwire()
        lab.leases[client.spec.node] = {"v4": wire.v4, "ports": [wire.ports], "mode": "host"}
        lab.screen.say(name, f"a softwire to {wire.tep}, made of option 96")


@step(y.table(client=Key(PROGRAM, required=True), kea=Key(PROGRAM, required=True)))
def served_by_kea(lab, keys):
    """A client beside ours has its address from Kea, and was told nothing of ours."""
    got = lab.programs[keys.client].told()
    leased = lab.programs[keys.kea].leases()
    lab.screen.check(f"{keys.client} is served by {keys.kea} alone",
                     got.address in leased and (got.v4, got.softwire) == (None, None),
                     f"IA_NA {got.address}, " + ("nothing of ours" if got.v4 is None else got.v4))


@step(y.table(server=Key(PROGRAM, required=True), client=Key(PROGRAM, required=True)))
def reconfigure(lab, keys):
    """The operator of a server tells an idle dstm-client that it will need IPv4."""
    client = lab.programs[keys.client]
    client.wait_for(lambda: client.ctl("show")["state"] == "idle", IDLE_TIMEOUT_S, "to be idle")
    v6 = first_address(lab, client.spec.node)
    run(lab.programs[keys.server].ctl_command("reconfigure", v6))
    lab.screen.say(keys.server, f"tells {v6} to ask for a lease")
    lease = wait_for_lease(lab, keys.client)
    lab.screen.check(f"{keys.client} is told to ask, and has a lease", True,
                     f"{lease['v4']} {format_ports(lease['ports'])}, through {lease['tep']}")


def first_address(lab, node: str) -> str:
    """Of a node's interfaces, as the lab file has it."""
    interfaces = lab.spec.nodes[node].interfaces.values()
    return next(one.addresses[0].split("/")[0] for one in interfaces if one.addresses)
