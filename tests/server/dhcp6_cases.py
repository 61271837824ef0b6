# SPDX-License-Identifier: BSD-3-Clause
"""
Malformed and hostile DHCPv6 datagrams, each with what has to become of it.

A case says which of the server's counters move. Those of OUTCOMES that it does not name have to stay: so what is
dropped is dropped under its reason, and what is answered is answered with its status.
"""

import random
import struct
from dataclasses import dataclass

from dhcp6_world import SERVER_DUID, SERVER_V6, address_of
from dhcp6_octets import *  # noqa: F403: the vocabulary of the cases

MALFORMED, UNEXPECTED, IDENTIFIERS, OTHER_SERVER, UNICAST_SAID, NOT_OURS, NO_FIT = (
    f"dhcp6-{name}" for name in ("malformed", "unexpected", "identifiers", "other-server", "unicast",
                                 "not-ours", "no-fit"))
ADVERTISED, REPLIED = "dhcp6-advertised", "dhcp6-replied"
FAILS, NONE_LEFT, NO_PREFIX, NOT_BOUND, MULTICAST = (
    f"dhcp6-{name}" for name in ("unspec-fail", "no-addrs-avail", "no-prefix-avail", "no-binding",
                                 "use-multicast"))
END_MISSING, NOT_BELIEVED, TAKEN = (
    f"dhcp6-end-{name}" for name in ("missing", "not-believed", "taken"))
DROPS = {MALFORMED, UNEXPECTED, IDENTIFIERS, OTHER_SERVER, UNICAST_SAID, NOT_OURS, NO_FIT,
         "dhcp6-foreign-relay", "dhcp6-no-room", "dhcp6-merged"}
ANSWERS = {ADVERTISED, REPLIED}
OUTCOMES = DROPS | ANSWERS | {FAILS, NONE_LEFT, NO_PREFIX, NOT_BOUND, MULTICAST, END_MISSING,
                              NOT_BELIEVED, TAKEN, "dhcp6-not-on-link"}

VICTIM = 1  # holds a lease all the time
HOSTILE = 0x666  # never gets one
REFUSED = (FAILS, NOT_BELIEVED)
SERVED = (ADVERTISED,)
US = option(SERVER_ID, SERVER_DUID)
WANTED = ia(client(address_of(HOSTILE)), ports())


@dataclass
class Case:
    name: str
    octets: bytes
    moves: tuple | None  # the outcomes; (): any one drop; None: any one drop or answer
    way: str = "group"  # or "unicast", "relay"

    def complaint(self, moved, answers):
        """What is wrong with what became of it; None: nothing."""
        ends = sum(moved.get(name, 0) for name in DROPS | ANSWERS)
        if ends != 1:
            return f"it had {ends} ends: {moved}"
        if answers != sum(moved.get(name, 0) for name in ANSWERS):
            return f"{answers} answers: {moved}"
        if self.moves is None:
            return None
        if not self.moves:
            return None if not answers else f"it was answered: {moved}"
        wanted = {name: self.moves.count(name) for name in self.moves}
        return None if moved == wanted else f"{moved} instead of {wanted}"


def solicit(*options, number=HOSTILE, xid=0x123456):
    return message(SOLICIT, client_id(number), *options, xid=xid)


def boundaries(octets):
    """Where the options of a message begin, and its end."""
    at = 4
    while at < len(octets):
        yield at
        at += 4 + struct.unpack_from("!H", octets, at + 2)[0]
    yield at


# --- lengths that lie ----------------------------------------------------------------------------


def truncations():
    """Every beginning of a good Solicit. Where one ends between two options it is a smaller message."""
    whole = solicit(elapsed(), oro(TEP, ADDRESS), WANTED)
    after_header, after_id, after_elapsed, after_oro, end = boundaries(whole)
    between = {after_header: (IDENTIFIERS,), after_id: SERVED, after_elapsed: SERVED,
               # Our option, and no IPv6 address to end a tunnel at.
               after_oro: (ADVERTISED, FAILS, END_MISSING)}
    assert end == len(whole)
    for size in range(len(whole)):
        yield Case(f"cut to {size}", whole[:size], between.get(size, (MALFORMED,)))


def relayed_truncations():
    whole = relay(solicit(WANTED), "2001:db8:1::9", "fe80::17", option(INTERFACE_ID, b"eth0"))
    for size in range(1, len(whole), 3):
        yield Case(f"relayed, cut to {size}", whole[:size], (MALFORMED,), "relay")


def lying_lengths():
    good = {
        "client id": (CLIENT_ID, duid(HOSTILE)),
        "elapsed time": (ELAPSED, bytes(2)),
        "option request": (ORO, struct.pack("!H", TEP)),
        "ia": (IA_DSTM, bytes(12) + client(address_of(HOSTILE))),
        "ia_na": (IA_NA, bytes(12)),
        "ia_pd": (IA_PD, bytes(12)),
        "vendor": (VENDOR, struct.pack("!I", ENTERPRISE)),
    }
    for name, (code, data) in good.items():
        # One that reaches beyond the end, wherever it stands last.
        for more in (1, 4, 1000, 0xffff - len(data)):
            yield Case(f"{name} says {more} more than there is",
                       solicit(option(code, data, len(data) + more)), (MALFORMED,))
    for name, code, data in (
            ("elapsed time of 0", ELAPSED, b""), ("elapsed time of 1", ELAPSED, b"\0"),
            ("elapsed time of 3", ELAPSED, bytes(3)), ("preference of 2", PREFERENCE, bytes(2)),
            ("option request of 1", ORO, b"\0"), ("option request of 3", ORO, bytes(3)),
            ("rapid commit of 1", RAPID_COMMIT, b"\0"),
            ("reconfigure accept of 1", RECONF_ACCEPT, b"\0"),
            ("reconfigure message of 0", RECONF_MSG, b""),
            ("reconfigure message of type 3", RECONF_MSG, b"\3"),
            ("status of 1", STATUS, b"\0"), ("unicast of 15", UNICAST, bytes(15)),
            ("ia of 0", IA_DSTM, b""), ("ia of 11", IA_DSTM, bytes(11)),
            ("ia_na of 11", IA_NA, bytes(11)), ("ia_pd of 11", IA_PD, bytes(11)),
            ("vendor of 3", VENDOR, bytes(3)), ("auth of 0", AUTH, b""),
            ("auth of 10", AUTH, bytes(10)), ("auth of 11 and 65", AUTH, bytes(76)),
            ("tunnel end of 15", CLIENT, bytes(15)), ("tunnel end of 17", CLIENT, bytes(17)),
            ("ports of 3", PORTS, bytes(3)), ("ports of 5", PORTS, bytes(5)),
            ("TEP of 4", TEP, bytes(4)), ("address of 4", ADDRESS, bytes(4))):
        yield Case(name, solicit(option(code, data), WANTED), (MALFORMED,))
    for name, inside in (
            ("address of 23", option(IAADDR, bytes(23))), ("address of 0", option(IAADDR)),
            ("tunnel end of 0", option(CLIENT)), ("ports of 0", option(PORTS)),
            ("status of 0", option(STATUS)), ("half a header", b"\0\5"),
            ("an address longer than it", option(IAADDR, bytes(24), 25)),
            ("ports longer than their address", iaaddr(mapped("198.51.100.1"),
                                                       option(PORTS, bytes(4), 5)))):
        yield Case(f"in the ia: {name}", solicit(ia(inside)), (MALFORMED,))
        yield Case(f"in the vendor's ia: {name}",
                   solicit(option(VENDOR, struct.pack("!I", ENTERPRISE) + ia(inside))), (MALFORMED,))
    for size in (0, 1, 2, 131, 500):
        yield Case(f"a DUID of {size}", message(SOLICIT, option(CLIENT_ID, bytes(size)), WANTED),
                   (MALFORMED,))
        yield Case(f"a server's DUID of {size}",
                   message(REQUEST, client_id(HOSTILE), option(SERVER_ID, bytes(size)), WANTED),
                   (MALFORMED,))


# --- what contradicts itself, or is too much -----------------------------------------------------


def twice():
    for name, one in (("client id", client_id(HOSTILE)), ("option request", oro(TEP)),
                      ("elapsed time", elapsed()), ("rapid commit", option(RAPID_COMMIT)),
                      ("reconfigure accept", option(RECONF_ACCEPT)), ("auth", auth(bytes(17))),
                      ("tunnel end", client(address_of(HOSTILE))),
                      ("address", option(ADDRESS, mapped("198.51.100.1"))),
                      ("vendor", option(VENDOR, struct.pack("!I", ENTERPRISE)))):
        first = b"" if name == "client id" else one
        yield Case(f"two of {name}", solicit(first, one, WANTED), (MALFORMED,))
    yield Case("two server ids", message(REQUEST, client_id(HOSTILE), US, US, WANTED), (MALFORMED,))
    yield Case("two tunnel ends in the ia",
               solicit(ia(client(address_of(HOSTILE)), client(address_of(VICTIM)))), (MALFORMED,))
    yield Case("two statuses in the ia", solicit(ia(option(STATUS, bytes(2)), option(STATUS, bytes(2)))),
               (MALFORMED,))
    yield Case("two ias in the vendor option",
               solicit(option(VENDOR, struct.pack("!I", ENTERPRISE) + WANTED + WANTED)),
               (MALFORMED,))
    yield Case("the same ia twice", solicit(WANTED, WANTED), SERVED + (NONE_LEFT,))


def too_many():
    many = [ia(client(address_of(HOSTILE)), ports(), iaid=i) for i in range(9)]
    yield Case("8 ias", solicit(*many[:8]), SERVED + (NONE_LEFT,) * 7)
    yield Case("9 ias", solicit(*many), (MALFORMED,))
    yield Case("4,000 ias", solicit(*[ia(iaid=i) for i in range(4000)]), (MALFORMED,))
    yield Case("9 ia_na", solicit(*[ia(code=IA_NA, iaid=i) for i in range(9)]), (MALFORMED,))
    yield Case("9 addresses in an ia", solicit(ia(*[iaaddr(mapped("198.51.100.1"))] * 9)),
               (MALFORMED,))
    yield Case("2,000 addresses in an ia", solicit(ia(*[iaaddr(mapped("198.51.100.1"))] * 2000)),
               (MALFORMED,))
    yield Case("ranges that overlap", solicit(ia(ports(1024, 2047), ports(2047, 3000))), (MALFORMED,))
    yield Case("a range that ends before it begins", solicit(ia(ports(2048, 1024))), (MALFORMED,))
    yield Case("200 ranges", solicit(ia(*[ports(1024 + 8 * i, 1031 + 8 * i) for i in range(200)])),
               (MALFORMED,))
    yield Case("15,000 ranges", solicit(ia(*[ports(i, i) for i in range(1, 8000)])), (MALFORMED,))
    yield Case("an address that is no IPv4", solicit(option(ADDRESS, v6("2001:db8::1")), WANTED),
               (MALFORMED,))
    for codes in (64, 65, 2000, 30000):
        yield Case(f"{codes} codes asked for", solicit(oro(*[7] * codes), WANTED), SERVED)
    yield Case("code 0 asked for", solicit(oro(0, 0, 0), WANTED), SERVED)
    yield Case("15,000 options of no meaning", solicit(option(4000) * 15000, WANTED), SERVED)
    yield Case("an option of 60,000 octets", solicit(option(4000, bytes(60000)), WANTED), SERVED)
    yield Case("options of code 0", solicit(option(0) * 100, WANTED), SERVED)
    yield Case("32,000 option requests inside another's vendor option",
               solicit(option(VENDOR, struct.pack("!I", 9) + oro(*[IA_DSTM] * 30000)), WANTED), SERVED)
    yield Case("noise in another's vendor option", solicit(
        option(VENDOR, struct.pack("!I", 9) + b"\xff\xff\xff"), WANTED), SERVED)


# --- messages that are not for a server, or not for this one -------------------------------------


def types():
    for kind in (ADVERTISE, REPLY, RECONFIGURE):
        yield Case(f"type {kind}", message(kind, client_id(HOSTILE), US, WANTED), (UNEXPECTED,))
    for kind in (0, RELAY_REPL, 14, 20, 21, 22, 23, 36, 128, 254, 255):
        yield Case(f"type {kind}", message(kind, client_id(HOSTILE), US, WANTED), (MALFORMED,))
    yield Case("a Reconfigure in our name", message(
        RECONFIGURE, client_id(VICTIM), US, option(RECONF_MSG, bytes([RENEW])), auth(b"\2" + bytes(16))),
        (UNEXPECTED,))
    yield Case("a Relay-reply", relay(solicit(WANTED), kind=RELAY_REPL), (MALFORMED,), "relay")


def identifiers():
    for kind in (SOLICIT, REQUEST, CONFIRM, RENEW, REBIND, RELEASE, DECLINE):
        has_server = kind in (REQUEST, RENEW, RELEASE, DECLINE)
        named = [US] if has_server else []
        yield Case(f"type {kind} without a client id", message(kind, *named, WANTED), (IDENTIFIERS,))
        yield Case(f"type {kind} {'without' if has_server else 'with'} a server id",
                   message(kind, client_id(HOSTILE), *([] if has_server else [US]), WANTED),
                   (IDENTIFIERS,))
    for kind in (REQUEST, RENEW, RELEASE, DECLINE, INFORMATION):
        wanted = oro(TEP) if kind == INFORMATION else WANTED
        for name, server in (("another", duid(77)), ("a longer", SERVER_DUID + b"\0"),
                             ("a shorter", SERVER_DUID[:-1])):
            yield Case(f"type {kind} for {name} server",
                       message(kind, client_id(HOSTILE), option(SERVER_ID, server), wanted),
                       (OTHER_SERVER,))
    for code in (IA_DSTM, IA_NA, IA_PD):
        yield Case(f"an Information-request with option {code}",
                   message(INFORMATION, client_id(HOSTILE), ia(code=code)), (IDENTIFIERS,))


def unicast():
    """RFC 8415 section 16: what has to be multicast is dropped, or told so."""
    for kind in (SOLICIT, CONFIRM, REBIND):
        yield Case(f"type {kind} by unicast", message(kind, client_id(HOSTILE), WANTED),
                   (UNICAST_SAID,), "unicast")
    yield Case("Information-request by unicast", message(INFORMATION, client_id(HOSTILE), oro(TEP)),
               (UNICAST_SAID,), "unicast")
    for kind in (REQUEST, RENEW, RELEASE, DECLINE):
        yield Case(f"type {kind} by unicast", message(kind, client_id(VICTIM), US, WANTED),
                   (REPLIED, MULTICAST), "unicast")


def nothing_of_ours():
    yield Case("a Solicit for the name servers", solicit(oro(23, 24)), SERVED)
    yield Case("a Solicit for a prefix", solicit(ia(code=IA_PD)), SERVED + (NO_PREFIX,))
    yield Case("a Solicit for a temporary address", solicit(option(IA_TA, bytes(4))), SERVED)
    yield Case("a Confirm of an IPv4 lease", message(CONFIRM, client_id(HOSTILE), WANTED), (NOT_OURS,))
    yield Case("a Rebind of another's address", message(
        REBIND, client_id(HOSTILE), ia(client(address_of(HOSTILE)), iaaddr(mapped("203.0.113.9")))),
        (NOT_OURS,))


# --- tunnel ends ---------------------------------------------------------------------------------


def tunnel_ends():
    """R70: off the link, or not an address that a tunnel can end at."""
    for address in ("2001:db8:2::1", "2001:db8::1", "3fff::1", "fe80::1", "::", "::1", "ff02::1",
                    "ff05::1:3", "::ffff:198.51.100.1", "64:ff9b::1", "2001:db8:1:1::1"):
        inside = ia(client(address))
        yield Case(f"a tunnel to {address}", solicit(inside), (ADVERTISED, *REFUSED))
        yield Case(f"a Request for a tunnel to {address}",
                   message(REQUEST, client_id(HOSTILE), US, inside), (REPLIED, *REFUSED))
        yield Case(f"a relayed tunnel to {address}", relay(solicit(inside)), (ADVERTISED, *REFUSED),
                   "relay")
    yield Case("no tunnel end", solicit(ia()), (ADVERTISED, FAILS, END_MISSING))
    yield Case("a relay that says the client is global, elsewhere",
               relay(solicit(ia(client("2001:db8:1::17"))), "2001:db8:2::1", "2001:db8:2::2"),
               (ADVERTISED, *REFUSED), "relay")


def of_another():
    """The victim's tunnel end from another DUID: nothing of the victim's is told, changed or ended."""
    inside = ia(client(address_of(VICTIM)), ports())
    for kind in (REQUEST, RENEW, RELEASE, DECLINE):
        yield Case(f"type {kind} for another's tunnel end",
                   message(kind, client_id(HOSTILE), US, inside), (REPLIED, FAILS, TAKEN))
    yield Case("a Solicit for another's tunnel end", solicit(inside), (ADVERTISED, FAILS, TAKEN))
    yield Case("a Rebind for another's tunnel end", message(REBIND, client_id(HOSTILE), inside),
               (REPLIED, FAILS, TAKEN))
    yield Case("an Information-request for another's tunnel end", message(
        INFORMATION, client_id(HOSTILE), oro(TEP, PORTS, ADDRESS), client(address_of(VICTIM))),
        (REPLIED, FAILS, TAKEN))
    yield Case("a DUID that begins like another's", message(
        RELEASE, option(CLIENT_ID, duid(VICTIM) + b"\0"), US, inside), (REPLIED, FAILS, TAKEN))
    yield Case("another's, by a relay", relay(message(RELEASE, client_id(HOSTILE), US, inside)),
               (REPLIED, FAILS, TAKEN), "relay")
    for kind in (RENEW, RELEASE, DECLINE):
        for v4 in ("203.0.113.1", "198.51.100.1", "127.0.0.1", "255.255.255.255"):
            yield Case(f"type {kind} of {v4}, which it never had", message(
                kind, client_id(HOSTILE), US,
                ia(client(address_of(HOSTILE)), iaaddr(mapped(v4), ports(2000, 2001)))),
                (REPLIED, NOT_BOUND))


# --- relays --------------------------------------------------------------------------------------


def relays():
    inner = solicit(WANTED)

    def nest(levels, octets=inner):
        for hops in range(levels):
            octets = relay(octets, hops=hops % 256)
        return octets

    for levels in (1, 2, 8):
        yield Case(f"{levels} relays", nest(levels), SERVED, "relay")
    for levels in (9, 10, 32, 500):
        yield Case(f"{levels} relays", nest(levels), (MALFORMED,), "relay")
    yield Case("a hop count of 255", relay(inner, hops=255), SERVED, "relay")
    yield Case("two messages in a relay's", relay(inner, "2001:db8:1::9", "fe80::17",
                                                  option(RELAY_MSG, inner)), (MALFORMED,), "relay")
    yield Case("no message in a relay's", bytes([RELAY_FORW, 0]) + bytes(32), (MALFORMED,), "relay")
    yield Case("an empty message in a relay's", relay(b""), (MALFORMED,), "relay")
    yield Case("a Relay-reply in a Relay-forward", relay(relay(inner, kind=RELAY_REPL)),
               (MALFORMED,), "relay")
    yield Case("a Reply in a Relay-forward", relay(message(REPLY, client_id(VICTIM), US)),
               (UNEXPECTED,), "relay")
    yield Case("our own address as the relay's", relay(inner, SERVER_V6, SERVER_V6), SERVED, "relay")
    yield Case("two interface ids", relay(inner, "2001:db8:1::9", "fe80::17",
                                          *[option(INTERFACE_ID, b"a")] * 2), (MALFORMED,), "relay")
    for size, moves in ((0, SERVED), (256, SERVED), (257, (MALFORMED,)), (60000, (MALFORMED,))):
        yield Case(f"an interface id of {size}", relay(
            inner, "2001:db8:1::9", "fe80::17", option(INTERFACE_ID, bytes(size))), moves, "relay")
    full = [option(INTERFACE_ID, bytes(128))]
    yield Case("three interface ids of 128", relay(relay(relay(
        inner, "::", "::", *full), "::", "::", *full), "::", "::", *full), (MALFORMED,), "relay")
    yield Case("a relay port of 3 octets", relay(inner, "2001:db8:1::9", "fe80::17",
                                                 option(135, bytes(3))), (MALFORMED,), "relay")


# --- authentication ------------------------------------------------------------------------------


def authentication():
    """A client has nothing to prove itself with: what it sends is read and means nothing."""
    inside = ia(client(address_of(VICTIM)))
    for name, option_ in (("a key of its own", auth(b"\1" + bytes(16))),
                          ("an HMAC of zeros", auth(b"\2" + bytes(16))),
                          ("delayed authentication", auth(bytes(20), protocol=2)),
                          ("an unknown protocol", auth(bytes(64), protocol=200, algorithm=9, rdm=9)),
                          ("the highest replay value", auth(b"\2" + bytes(16), replay=2**64 - 1))):
        yield Case(f"{name} does not help who is another", message(
            RELEASE, client_id(HOSTILE), US, option_, inside), (REPLIED, FAILS, TAKEN))
        yield Case(f"{name} does not harm", solicit(option_, WANTED), SERVED)


def noise():
    """Any octets: dropped, whatever they are. The seed is the pass's name."""
    chance = random.Random("dhcp6")
    for number in range(60):
        octets = chance.randbytes(chance.choice((1, 4, 5, 40, 200, 1400, 9000)))
        yield Case(f"noise {number}", octets, (), "relay" if number % 2 else "group")
    whole = solicit(elapsed(), oro(TEP), ia(client("2001:db8:2::1"), ports()))
    for number in range(60):
        octets = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        yield Case(f"a Solicit with octets changed {number}", bytes(octets), None)


CASES = [case for table in (truncations, relayed_truncations, lying_lengths, twice, too_many, types,
                            identifiers, unicast, nothing_of_ours, tunnel_ends, of_another, relays,
                            authentication, noise) for case in table()]
