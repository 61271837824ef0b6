# SPDX-License-Identifier: BSD-3-Clause
"""
Leases over DHCPv6: a real server and a real TEP in a namespace, and a client written from RFC 8415 alone.

One server serves all tests; each has clients of its own, whose tunnel ends are addresses of the link by their own
word, and may change the configuration by a reload.
"""

import copy
import signal
import struct

import pytest

from dhcp6_client import (
    ADVERTISE, AUTH, CONFIRM, DECLINE, DSTM_ADDRESS, DSTM_CLIENT, DSTM_PORTS, DSTM_TEP, ENTERPRISE, IA_DSTM, IA_NA,
    IA_PD, INFO_REFRESH, INFORMATION_REQUEST, NO_ADDRS_AVAIL, NO_BINDING, NO_PREFIX_AVAIL, NOT_ON_LINK,
    PREFERENCE, RAPID_COMMIT, REBIND, RECONF_ACCEPT, RELEASE, RENEW, REPLY, REQUEST, S46_CONT_LW, SOLICIT, SUCCESS, UNICAST,
    UNSPEC_FAIL, USE_MULTICAST, VENDOR, Client, Ia, Relay, duid_of, ia, ia_dstm, iaaddr, mapped,
    option, options, oro, ports, v6)
from dhcp6_link import HOST, SERVER, Link
from dstm_server import Server, wait_for
from dstm_tep import Tep

POOL = "198.51.100.7"
WHOLE = "203.0.113.4"
ADDRESSES = "2001:db8:1:0:"


@pytest.fixture(name="link", scope="module")
def fixture_link():
    link = Link()
    yield link
    link.remove()


@pytest.fixture(name="tep", scope="module")
def fixture_tep(link, tmp_path_factory):
    tep = Tep(tmp_path_factory.mktemp("tep"))
    tep.wrapper = link.wrapper
    yield tep.start()
    tep.stop(signal.SIGKILL)


@pytest.fixture(name="running", scope="module")
def fixture_running(link, tep, tmp_path_factory):
    """With a pool of blocks, one of whole addresses, and DHCPv6 at lan0."""
    folder = tmp_path_factory.mktemp("server")
    server = Server(folder, [tep])
    server.wrapper = link.wrapper
    server.config["auth"]["require_peer_address"] = True
    server.config["lease"]["quarantine_s"] = 0
    server.config["pools"].append(
        {"name": "whole", "prefix": f"{WHOLE}/32", "mode": "exclusive", "tep": "tep0"})
    server.config["dhcpv6"] = {"interfaces": ["lan0"], "listen": [f"[{SERVER}]:547"]}
    yield server.start().wait_level()
    server.stop(signal.SIGKILL)
    print(server.log())
    assert "runtime error" not in server.log() and "Sanitizer" not in server.log()


@pytest.fixture(name="server")
def fixture_server(running):
    """As it was at the start, whatever a test makes of it."""
    before = copy.deepcopy(running.config)
    running.set = lambda **keys: (running.config["dhcpv6"].update(keys), running.reload())
    yield running
    if running.config != before:
        running.config = before
        running.reload()


@pytest.fixture(name="client")
def fixture_client(link):
    made = []

    def make(number, **fields):
        made.append(Client(number, "host0", link.clients, **fields))
        return made[-1]

    yield make
    for client in made:
        client.close()


def end(number):
    """The tunnel end of a client, on the link."""
    return f"2001:db8:1::{number:x}"


def named(number):
    """DSTM_CLIENT: the tunnel end by the client's own word."""
    return option(DSTM_CLIENT, v6(end(number)))


def held_by(tep, number):
    """What the TEP's table has for the tunnel end, as (address, first, last)."""
    return [(b["v4"], b["first"], b["last"]) for b in tep.bindings() if b["client"] == end(number)]


def lease_of(server, number):
    found = [lease for lease in server.leases("active") if lease["client"] == end(number)]
    return found[0] if found else None


def counted(server, *names):
    return [server.counter(f"dhcp6-{name}") for name in names]


def get_lease(host, number, **fields):
    """By four messages; returns the IA of the Reply."""
    offer = host.ask(SOLICIT, ia_dstm(1, named(number), **fields))
    return host.ask(REQUEST, ia_dstm(1, named(number), v4=offer.ia.v4, ranges=offer.ia.ranges, **fields)).ia


def holding(number, given, code=IA_DSTM):
    """An IA that names what was given."""
    return ia(code, given.iaid, named(number), iaaddr(mapped(given.v4)), *(ports(*pair) for pair in given.ranges))


# --- the four messages --------------------------------------------------------------------------


def test_four_messages_give_a_lease_and_the_tep_knows_it_first(server, tep, client):
    """R43, R47, R69, R85: the Advertise takes nothing, the Reply comes when the binding stands."""
    host = client(0x11)
    offer = host.ask(SOLICIT, ia_dstm(7, named(0x11)))
    assert offer.type == ADVERTISE and offer.ia.iaid == 7 and offer.ia.v4 == POOL
    assert not offer.has(PREFERENCE) and not offer.has(UNICAST)
    assert lease_of(server, 0x11) is None and not held_by(tep, 0x11)
    answer = host.ask(REQUEST, ia_dstm(7, named(0x11), v4=POOL, ranges=offer.ia.ranges))
    (first, last), = answer.ia.ranges
    assert held_by(tep, 0x11) == [(POOL, first, last)]
    assert answer.type == REPLY and answer.ia.iaid == 7 and answer.ia.v4 == POOL
    assert answer.ia.ranges == offer.ia.ranges and last - first == 1023
    assert answer.ia.teps == [tep.V6] and answer.ia.status is None
    _, preferred, valid, _ = answer.ia.addresses[0]
    assert (answer.ia.t1, answer.ia.t2, preferred, valid) == (1800, 2880, 2880, 3600)
    lease = lease_of(server, 0x11)
    assert lease["ports"] == [[first, last]] and lease["user"] == ""


def test_a_lease_is_renewed_rebound_and_asked_for_again(server, tep, client):
    """R46: T1 with the same server, T2 with any; a repeated Request is the lease that there is."""
    host = client(0x12)
    given = get_lease(host, 0x12)
    before = server.counter("leases-renewed")
    for kind in (RENEW, REBIND, REQUEST):
        answer = host.ask(kind, holding(0x12, given))
        assert answer.type == REPLY and answer.ia.status is None
        assert (answer.ia.v4, answer.ia.ranges, answer.ia.valid) == (given.v4, given.ranges, 3600)
    assert server.counter("leases-renewed") == before + 3
    assert held_by(tep, 0x12) == [(given.v4, *given.ranges[0])]


def test_a_lifetime_that_is_wished_for_is_kept_within_bounds(server, client):
    """R50."""
    host = client(0x13)
    for wish, valid in ((600, 600), (7200, 3600), (0xffffffff, 3600)):
        answer = host.ask(REQUEST if wish == 600 else RENEW, ia_dstm(1, named(0x13), v4=POOL, valid=wish),
                          server=host.ask(SOLICIT).server)
        if answer.ia.status is None:
            assert answer.ia.valid == valid and answer.ia.t1 == valid // 2


def test_what_is_not_held_has_no_binding(server, client):
    """RFC 8415 sections 18.3.4, 18.3.5: a Rebind of what is no pool's is another server's."""
    host = client(0x14)
    host.ask(SOLICIT)
    stranger = ia_dstm(1, named(0x14), v4=POOL, ranges=[(2048, 3071)])
    for kind in (RENEW, REBIND):
        answer = host.ask(kind, stranger)
        assert answer.type == REPLY and answer.ia.status == NO_BINDING and not answer.ia.addresses
    assert lease_of(server, 0x14) is None
    silent = counted(server, "not-ours")
    assert host.is_silent(host.compose(REBIND, ia_dstm(1, named(0x14), v4="192.0.2.9")))
    assert counted(server, "not-ours") == [silent[0] + 1]


def test_a_release_drops_the_binding(server, tep, client):
    """R52: at the TEP, too; Success at the top, and NoBinding for what is not there."""
    host = client(0x15)
    given = get_lease(host, 0x15)
    assert held_by(tep, 0x15)
    answer = host.ask(RELEASE, holding(0x15, given))
    assert answer.type == REPLY and answer.status == SUCCESS and not answer.ias()
    assert lease_of(server, 0x15) is None and not held_by(tep, 0x15)
    answer = host.ask(RELEASE, holding(0x15, given))
    assert answer.status == SUCCESS and answer.ia.status == NO_BINDING


def test_a_declined_lease_rests(server, tep, client):
    host = client(0x16)
    server.config["lease"]["quarantine_s"] = 120
    server.reload()
    given = get_lease(host, 0x16)
    assert host.ask(DECLINE, holding(0x16, given)).status == SUCCESS
    assert not held_by(tep, 0x16)
    resting = [lease for lease in server.leases("quarantine") if lease["client"] == end(0x16)]
    assert resting[0]["ports"] == [list(given.ranges[0])]


def test_one_lease_is_all_that_a_client_has(server, client):
    """Of several IAs the one that names an address is served, else the first."""
    host = client(0x17)
    offer = host.ask(SOLICIT, ia_dstm(1, named(0x17)), ia_dstm(2), ia_dstm(3))
    first, *others = offer.ias()
    assert first.v4 == POOL and [one.status for one in others] == [NO_ADDRS_AVAIL] * 2
    answer = host.ask(REQUEST, ia_dstm(1, named(0x17)), ia_dstm(2, named(0x17), v4=POOL, ranges=first.ranges))
    one, two = answer.ias()
    assert one.status == NO_ADDRS_AVAIL and two.iaid == 2 and two.ranges == first.ranges


def test_who_cannot_live_in_a_range_gets_a_whole_address_or_none(server, client):
    """S17, D1: without ports in IA or option request; NoAddrsAvail stands in the IA, also of an Advertise."""
    host, other = client(0x18), client(0x19)
    given = get_lease(host, 0x18, shared=False)
    assert given.v4 == WHOLE and given.ranges == []
    for kind in (SOLICIT, REQUEST):
        answer = other.ask(kind, ia_dstm(1, named(0x19), shared=False))
        assert answer.type == (ADVERTISE if kind == SOLICIT else REPLY)
        assert answer.ia.status == NO_ADDRS_AVAIL and not answer.ia.addresses and answer.status is None
    # an option request that lists ports says the same as ports in the IA; who has a whole address keeps it
    assert other.ask(SOLICIT, ia_dstm(1, named(0x19), shared=False), oro(DSTM_PORTS)).ia.v4 == POOL
    assert host.ask(RENEW, ia_dstm(1, named(0x18), v4=WHOLE, shared=True)).ia.v4 == WHOLE
    assert host.ask(RELEASE, holding(0x18, given)).status == SUCCESS


def test_several_ranges_stand_in_the_options_of_their_address(server, tep, client):
    """000 leaves open whose ports they are when an IA has several addresses. Option 96 can say one block, and gets one."""
    server.config["pools"][0]["blocks_per_lease"] = 3
    server.reload()
    host = client(0x1a)
    offer = host.ask(SOLICIT, ia_dstm(1, named(0x1a)))
    answer = host.ask(REQUEST, ia_dstm(1, named(0x1a), v4=POOL, ranges=offer.ia.ranges))
    assert len(answer.ia.ranges) == 3 and answer.ia.addresses[0][3] == answer.ia.ranges
    assert sorted(held_by(tep, 0x1a)) == sorted((POOL, *pair) for pair in answer.ia.ranges)
    again = host.ask(RENEW, ia(IA_DSTM, 1, named(0x1a), iaaddr(mapped(POOL), inside=b"".join(
        ports(*pair) for pair in answer.ia.ranges))))
    assert again.ia.ranges == answer.ia.ranges
    client(0x1b).lease(named(0x1b), oro(S46_CONT_LW))
    assert len(held_by(tep, 0x1b)) == 1


@pytest.mark.parametrize("number, section, key, value, first_is_given", [
    (0x81, "limits", "ports_per_client", 512, False), (0x82, "limits", "requests_per_client", 1, True),
    (0x83, "clients", "allow", ["2001:db8:2::/48"], False)])
def test_limits_are_those_of_all_clients(server, client, number, section, key, value, first_is_given):
    """S25, S36: a quota, a rate and a list of who may lease know no protocol."""
    server.config.setdefault(section, {})[key] = value
    server.reload()
    host = client(number)
    host.ask(SOLICIT)
    first, second = [host.ask(REQUEST, ia_dstm(1, named(number)), xid=xid).ia for xid in (1, 2)]
    assert (first.status is None) == first_is_given
    assert second.status == UNSPEC_FAIL and not second.addresses


# --- other forms --------------------------------------------------------------------------------


def test_options_at_the_top_for_who_asks_without_an_ia(server, tep, client):
    """R40, R43: the three options by option request; lifetimes have no place there but the refresh time."""
    host = client(0x21)
    wanted = oro(DSTM_ADDRESS, DSTM_TEP, DSTM_PORTS)
    offer = host.ask(SOLICIT, named(0x21), wanted)
    answer = host.ask(REQUEST, named(0x21), wanted)
    (first, last), = [struct.unpack("!HH", data) for data in answer.all(DSTM_PORTS)]
    assert offer.type == ADVERTISE and offer.has(DSTM_ADDRESS)
    assert answer.one(DSTM_ADDRESS) == mapped(POOL) and answer.one(DSTM_TEP) == v6(tep.V6)
    assert held_by(tep, 0x21) == [(POOL, first, last)]
    for kind in (RENEW, REBIND, INFORMATION_REQUEST):
        again = host.ask(kind, named(0x21), wanted)
        assert again.one(DSTM_PORTS) == answer.one(DSTM_PORTS) and again.status is None
    assert struct.unpack("!I", again.one(INFO_REFRESH)) == (1800,)
    # an address without its ports would be a lie: who does not list them gets a whole one
    whole = wait_for(lambda: host.ask(INFORMATION_REQUEST, named(0x22), oro(DSTM_ADDRESS)).all(DSTM_ADDRESS),
                     "a whole address")
    assert whole == [mapped(WHOLE)]
    none = host.ask(INFORMATION_REQUEST, named(0x23), oro(DSTM_ADDRESS))
    assert none.status == NO_ADDRS_AVAIL and not none.has(DSTM_ADDRESS)
    host.ask(RELEASE, ia_dstm(1, named(0x22)))


def test_who_asks_for_the_tep_alone_gets_no_lease(server, tep, client):
    """R36, R37, R40: the TEP when available; a client makes itself known so."""
    host = client(0x2a)
    answer = host.ask(INFORMATION_REQUEST, named(0x2a), oro(DSTM_TEP), option(RECONF_ACCEPT))
    assert answer.one(DSTM_TEP) == v6(tep.V6) and not answer.has(DSTM_ADDRESS) and not answer.has(INFO_REFRESH)
    assert answer.has(AUTH) and answer.has(RECONF_ACCEPT)
    assert lease_of(server, 0x2a) is None and not held_by(tep, 0x2a)
    server.set(reconfigure=False)
    answer = host.ask(INFORMATION_REQUEST, named(0x2a), oro(DSTM_TEP), option(RECONF_ACCEPT))
    assert answer.has(DSTM_TEP) and not answer.has(AUTH) and not answer.has(RECONF_ACCEPT)


def test_option_96_for_lightweight_4over6(server, tep, client):
    """S17, RFC 7598: the PSID says the block that the TEP has; together with other forms it is one lease."""
    host = client(0x24)
    answer = host.lease(named(0x24), oro(S46_CONT_LW))
    peer, address, at, length, psid = answer.softwire
    assert (peer, address, at, length) == (tep.V6, POOL, end(0x24), 6)
    assert held_by(tep, 0x24) == [(POOL, psid << 10, (psid << 10) + 1023)]
    both = host.ask(REQUEST, ia_dstm(1, named(0x24)), oro(S46_CONT_LW))
    assert both.softwire == answer.softwire and both.ia.ranges == [(psid << 10, (psid << 10) + 1023)]
    server.set(softwire=False)
    assert client(0x25).ask(SOLICIT, named(0x25), oro(S46_CONT_LW)).softwire is None


def test_option_17_carries_the_same(server, tep, client):
    """Under the enterprise number: an IA, or bare options."""
    host = client(0x26)

    def vendor(inside):
        return option(VENDOR, struct.pack("!I", ENTERPRISE) + inside)

    answer = host.lease(vendor(ia_dstm(5, named(0x26))))
    (code, data), = options(answer.one(VENDOR)[4:])
    given = Ia(data)
    assert code == IA_DSTM and given.iaid == 5 and given.teps == [tep.V6]
    assert held_by(tep, 0x26) == [(POOL, *given.ranges[0])]
    bare = dict(options(host.ask(REQUEST, vendor(named(0x26) + ports())).one(VENDOR)[4:]))
    assert bare[DSTM_ADDRESS] == mapped(POOL) and struct.unpack("!HH", bare[DSTM_PORTS]) == given.ranges[0]
    assert host.ask(RELEASE, vendor(ia_dstm(5, named(0x26), v4=POOL))).status == SUCCESS
    assert not held_by(tep, 0x26)
    foreign = option(VENDOR, struct.pack("!I", 9) + ia_dstm(5, named(0x26)))
    assert not host.ask(SOLICIT, foreign).has(VENDOR)


def test_codes_are_the_sites_own(server, client):
    server.set(codes={"ia": 700, "tep": 701, "ports": 702, "client": 703, "address": 704}, preference=255)
    host = client(0x27)
    asked = ia(700, 1, option(703, v6(end(0x27))), option(702, bytes(4)))
    offer = host.ask(SOLICIT, asked, ia_dstm(2))
    inside = dict(options(offer.one(700)[12:]))
    assert 701 in inside and 702 in inside and not offer.has(IA_DSTM) and offer.one(PREFERENCE) == b"\xff"


def test_rapid_commit_where_both_want_it(server, tep, client):
    """RFC 8415 section 18.3.1."""
    host = client(0x28)
    asked = (ia_dstm(1, named(0x28)), option(RAPID_COMMIT))
    assert host.ask(SOLICIT, *asked).type == ADVERTISE and not held_by(tep, 0x28)
    server.set(rapid_commit=True)
    assert host.ask(SOLICIT, asked[0]).type == ADVERTISE
    answer = host.ask(SOLICIT, *asked)
    assert answer.type == REPLY and answer.has(RAPID_COMMIT)
    assert held_by(tep, 0x28) == [(POOL, *answer.ia.ranges[0])]


def test_a_named_client_leases_under_its_name(server, client):
    """S25: its leases are counted with the user's."""
    server.set(users=[{"duid": duid_of(0x29).hex(), "user": "alice"}])
    get_lease(client(0x29), 0x29)
    assert lease_of(server, 0x29)["user"] == "alice"


# --- addresses ----------------------------------------------------------------------------------


def test_an_ia_na_gets_an_address_which_is_the_tunnel_end(server, tep, client):
    """R70: the same one at any time, and after a restart."""
    host = client(0x31)
    assert host.ask(SOLICIT, ia(IA_NA, 1), ia(IA_PD, 2)).ias(IA_NA)[0].status == NO_ADDRS_AVAIL
    server.set(addresses=ADDRESSES + ":/64")
    offer = host.ask(SOLICIT, ia(IA_NA, 1), ia(IA_PD, 2), ia_dstm(3))
    given, = offer.ias(IA_NA)
    prefix = offer.one(IA_PD)
    assert prefix[:4] == b"\0\0\0\2" and dict(options(prefix[12:]))[13][:2] == bytes([0, NO_PREFIX_AVAIL])
    address = str(given.addresses[0][0])
    assert address.startswith("2001:db8:1:0:") and given.addresses[0][1:3] == (2880, 3600)
    answer = host.ask(REQUEST, ia(IA_NA, 1, iaaddr(v6(address))), ia_dstm(3))
    assert [b["client"] for b in tep.bindings() if b["v4"] == POOL].count(address) == 1
    other = host.ask(SOLICIT, ia(IA_NA, 2)).ias(IA_NA)[0]
    assert other.addresses[0][0] != given.addresses[0][0]
    # an address of another prefix ends
    stale = host.ask(RENEW, ia(IA_NA, 1, iaaddr(v6("2001:db8:9::1"), 1, 1))).ias(IA_NA)[0]
    assert [(str(a), valid) for a, _, valid, _ in stale.addresses] == [(address, 3600), ("2001:db8:9::1", 0)]
    for good, status in (((address,), SUCCESS), (("2001:db8:9::1",), NOT_ON_LINK),
                         ((address, "2001:db8:9::1"), NOT_ON_LINK)):
        assert host.ask(CONFIRM, ia(IA_NA, 1, *(iaaddr(v6(a)) for a in good))).status == status
    assert host.is_silent(host.compose(CONFIRM, ia(IA_NA, 1)))
    assert server.counter("dhcp6-not-on-link") == 2
    # behind a relay on another link the prefix is not the client's
    there = client(0x33, server=SERVER)
    elsewhere, nowhere = Relay(("2001:db8:8::1", "fe80::8", None)), Relay(("::", "fe80::8", b"1"))
    assert there.ask(SOLICIT, ia(IA_NA, 1), relay=elsewhere).ias(IA_NA)[0].status == NO_ADDRS_AVAIL
    assert there.ask(SOLICIT, ia(IA_NA, 1), relay=nowhere).ias(IA_NA)[0].addresses
    assert there.ask(CONFIRM, ia(IA_NA, 1, iaaddr(v6(address))), relay=elsewhere).status == NOT_ON_LINK
    # who never had an IA_DSTM, and gives its address back, gives back the lease
    assert answer.ia.v4 == POOL
    lw = client(0x32)
    end_of_lw = str(lw.lease(ia(IA_NA, 1), oro(S46_CONT_LW)).ias(IA_NA)[0].addresses[0][0])
    assert end_of_lw in [b["client"] for b in tep.bindings()]
    assert lw.ask(RELEASE, ia(IA_NA, 1, iaaddr(v6(end_of_lw)))).status == SUCCESS
    assert end_of_lw not in [b["client"] for b in tep.bindings()]
    # an address in use is declined, and the next one is another
    assert host.ask(DECLINE, ia(IA_NA, 1, iaaddr(v6(address)))).status == SUCCESS
    assert str(host.ask(SOLICIT, ia(IA_NA, 1)).ias(IA_NA)[0].addresses[0][0]) != address


# --- where the tunnel ends ----------------------------------------------------------------------


def test_the_tunnel_ends_at_the_source_if_that_is_global(server, tep, client):
    """R70: a client that writes from its global address needs to say nothing."""
    answer = client(0xc, local=HOST).lease(ia_dstm(1))
    assert held_by(tep, 0xc) == [(POOL, *answer.ia.ranges[0])]


def test_a_tunnel_end_off_the_link_is_not_believed(server, client):
    host = client(0x42)
    missing, unbelieved = counted(server, "end-missing", "end-not-believed")
    for kind in (SOLICIT, REQUEST):
        answer = host.ask(kind, ia_dstm(1, option(DSTM_CLIENT, v6("2001:db8:2::42"))))
        assert answer.ia.status == UNSPEC_FAIL
    assert host.ask(SOLICIT, ia_dstm(1, option(DSTM_CLIENT, v6("fe80::1")))).ia.status == UNSPEC_FAIL
    assert host.ask(SOLICIT, ia_dstm(1)).ia.status == UNSPEC_FAIL
    assert counted(server, "end-missing", "end-not-believed") == [missing + 1, unbelieved + 3]
    server.config["auth"]["require_peer_address"] = False
    server.reload()
    assert host.ask(SOLICIT, ia_dstm(1, option(DSTM_CLIENT, v6("2001:db8:2::42")))).ia.v4 == POOL


def test_a_held_tunnel_end_answers_to_one_duid(server, tep, client):
    """Nobody has his neighbour's lease by naming its address; when it is given back, its end is free."""
    host, thief = client(0x43), client(0x44)
    given = get_lease(host, 0x43)
    thief.ask(SOLICIT)
    for kind in (SOLICIT, REQUEST, RENEW, RELEASE):
        assert thief.ask(kind, holding(0x43, given)).ia.status == UNSPEC_FAIL
    assert thief.ask(INFORMATION_REQUEST, named(0x43), oro(S46_CONT_LW)).status == UNSPEC_FAIL
    assert server.counter("dhcp6-end-taken") == 5
    assert held_by(tep, 0x43) == [(POOL, *given.ranges[0])]
    host.ask(RELEASE, holding(0x43, given))
    assert get_lease(thief, 0x43).v4 == POOL


# --- relays and unicast -------------------------------------------------------------------------


def relayed(number, peer=None, levels=1):
    """A relay on the client's link, and more of them towards us."""
    return Relay((end(0xfe), peer or end(number), b"port 7"),
                 *(("::", f"2001:db8:5::{hop}", None) for hop in range(1, levels)))


@pytest.mark.parametrize("levels", [1, 8])
def test_relays_carry_both_ways(server, tep, client, levels):
    """RFC 8415 section 19: levels, Interface-IDs, and the peer as the tunnel end."""
    number = 0x50 + levels
    host = client(number, server=SERVER)
    relay = relayed(number, levels=levels)
    answer = host.lease(ia_dstm(1), relay=relay)
    assert held_by(tep, number) == [(POOL, *answer.ia.ranges[0])]
    by_word = relayed(number, peer="fe80::7", levels=levels)
    assert host.ask(RENEW, holding(number, answer.ia), relay=by_word).ia.ranges == answer.ia.ranges
    stranger = ia_dstm(1, option(DSTM_CLIENT, v6("2001:db8:9::1")))
    assert host.ask(SOLICIT, stranger, relay=by_word).ia.status == UNSPEC_FAIL


def test_relays_that_are_too_many_or_not_known_are_not_heard(server, client):
    host = client(0x5a, server=SERVER)
    malformed, foreign = counted(server, "malformed", "foreign-relay")
    solicit = host.compose(SOLICIT, ia_dstm(1))
    assert host.is_silent(relayed(0x5a, levels=9).forward(solicit))
    server.set(relays=["2001:db8:7::/48"])
    assert host.is_silent(relayed(0x5a).forward(solicit))
    assert counted(server, "malformed", "foreign-relay") == [malformed + 1, foreign + 1]


def test_unicast_is_for_relays_unless_the_site_says_otherwise(server, client):
    """RFC 8415 sections 16, 18.4, 21.12."""
    host, group = client(0x5b, server=SERVER), client(0x5b)
    host.server_id = group.ask(SOLICIT).server
    before, = counted(server, "unicast")
    asked = ia_dstm(1, named(0x5b))
    assert host.is_silent(host.compose(SOLICIT, asked), host.compose(REBIND, asked), host.compose(CONFIRM),
                          host.compose(INFORMATION_REQUEST, oro(DSTM_ADDRESS)))
    assert counted(server, "unicast") == [before + 4]
    for kind in (REQUEST, RENEW, RELEASE, DECLINE):
        answer = host.ask(kind, asked)
        assert answer.type == REPLY and answer.status == USE_MULTICAST and not answer.ias()
    assert lease_of(server, 0x5b) is None
    server.set(unicast=True)
    answer = host.lease(asked)
    assert answer.ia.v4 == POOL and answer.one(UNICAST) == v6(SERVER)


# --- what is not answered -----------------------------------------------------------------------


def test_messages_without_the_right_identifiers_are_discarded(server, client):
    """RFC 8415 section 16, one by one, and each is counted."""
    host = client(0x61)
    ours = host.ask(SOLICIT).server
    asked = ia_dstm(1, named(0x61))
    names = ("identifiers", "other-server", "unexpected", "malformed")
    before = counted(server, *names)
    wrong = [
        *(host.compose(kind, asked, client=False, server=ours)
          for kind in (REQUEST, RENEW, RELEASE, DECLINE)),
        *(host.compose(kind, asked, client=False) for kind in (SOLICIT, CONFIRM, REBIND)),
        *(host.compose(kind, asked) for kind in (REQUEST, RENEW, RELEASE, DECLINE)),
        *(host.compose(kind, asked, server=ours) for kind in (SOLICIT, CONFIRM, REBIND)),
        host.compose(INFORMATION_REQUEST, asked),
    ]
    others = [host.compose(kind, asked, server=duid_of(0x99))
              for kind in (REQUEST, RENEW, RELEASE, DECLINE)]
    others.append(host.compose(INFORMATION_REQUEST, oro(DSTM_ADDRESS), server=duid_of(0x99)))
    unexpected = [host.compose(kind, server=ours) for kind in (ADVERTISE, REPLY, 10)]
    malformed = [b"", b"\1", host.compose(SOLICIT, asked)[:-1], host.compose(14), host.compose(0), b"\x0d" * 40]
    assert host.is_silent(*wrong, *others, *unexpected, *malformed)
    after = counted(server, *names)
    assert [b - a for a, b in zip(before, after)] == [len(wrong), len(others), len(unexpected), len(malformed)]
    assert lease_of(server, 0x61) is None


def test_beside_another_server_only_what_is_ours_is_answered(server, tep, client):
    """The roles companion and stateless."""
    host = client(0x62)
    ours = host.ask(SOLICIT).server
    server.set(role="companion")
    silent, = counted(server, "not-ours")
    assert host.is_silent(host.compose(SOLICIT, ia(IA_NA, 1), oro(23, 24)), host.compose(REBIND, ia(IA_NA, 1)),
                          host.compose(CONFIRM, ia(IA_NA, 1, iaaddr(v6(HOST)))),
                          host.compose(INFORMATION_REQUEST, oro(23)))
    assert counted(server, "not-ours") == [silent + 4]
    assert host.is_silent(host.compose(REQUEST, ia(IA_NA, 1), ia_dstm(1, named(0x62)), server=duid_of(0x99)))
    # the address of another server's IA_NA is the tunnel end
    beside = (ia(IA_NA, 1, iaaddr(v6(end(0x62)))), ia_dstm(1))
    answer = host.lease(*beside)
    assert not answer.has(IA_NA) and held_by(tep, 0x62) == [(POOL, *answer.ia.ranges[0])]
    server.set(role="stateless")
    assert host.is_silent(host.compose(SOLICIT, *beside), host.compose(RENEW, *beside, server=ours))
    answer = host.ask(INFORMATION_REQUEST, named(0x62), oro(S46_CONT_LW))
    assert answer.softwire[1] == POOL and answer.has(INFO_REFRESH)


# --- failures -----------------------------------------------------------------------------------


def test_a_restart_and_the_end_of_a_tep(running, tep, client):
    """The store has every lease that was answered. Without its TEP there is none, and the client is told."""
    host = client(0x71)
    given = get_lease(host, 0x71)
    running.stop()
    running.start().wait_level()
    answer = host.ask(RENEW, holding(0x71, given))
    assert answer.ia.status is None and answer.ia.ranges == given.ranges
    tep.stop()
    wait_for(lambda: running.ctl("teps")["items"][0]["state"] != "connected", "the end of the TEP")
    other = client(0x72)
    for kind in (SOLICIT, REQUEST):
        assert other.ask(kind, ia_dstm(1, named(0x72))).ia.status == UNSPEC_FAIL
    assert lease_of(running, 0x72) is None
