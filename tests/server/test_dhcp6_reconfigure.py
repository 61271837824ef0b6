# SPDX-License-Identifier: BSD-3-Clause
"""
Reconfigure by the real server, at the operator's word (R36, RFC 8415 sections 18.3.11 and 20.4).

The client checks each message as the standard has it: the HMAC by Python's hmac, and a replay value that grows.
"""

import os
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from dhcp6_octets import (AUTH, CLIENT_ID, IA_DSTM, INFORMATION, NO_BINDING, ORO, PORTS, REBIND, RECONF_ACCEPT,
                          RECONF_MSG, RECONFIGURE, RENEW, REPLY, REQUEST, S46_CONT_LW, SERVER_ID, TEP, Answer,
                          client, client_id, duid, elapsed, ia, message, option, oro, ports, relay)
from dhcp6_world import SERVER_DUID, Link, address_of
from dstm_server import ROOT, wait_for

DSTMCTL = ROOT / os.environ.get("DSTM_BUILD", "build/gcc") / "src/ctl/dstmctl"
ACCEPT = option(RECONF_ACCEPT)
TYPES = {"--renew": RENEW, "--rebind": REBIND, "--information": INFORMATION}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


@pytest.fixture(name="link", scope="module")
def fixture_link(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reconfigure")
    (folder / "keys").mkdir()  # where nothing else of the server's is: the sandbox has to let it be made there
    with Link(folder, secret_file=str(folder / "keys/secret")) as link:
        link.server.config["auth"]["require_peer_address"] = True
        link.server.reload()
        yield link
        log = link.server.log()
        assert "runtime error" not in log and "Sanitizer" not in log, log[-10000:]


def dstmctl(link, *words):
    done = subprocess.run([DSTMCTL, *words, "--socket", link.server.config["socket"]], text=True,
                          capture_output=True, timeout=20, check=False)
    return done.returncode, done.stdout + done.stderr


class Reader:
    """A client's memory of what it was told: its key, and the last replay value."""

    def __init__(self, reply):
        self.key, self.replay = reply.key(), reply.replay()
        assert len(self.key) == 16
        assert reply.get(RECONF_ACCEPT) == b""

    def believe(self, answer, number):
        """Section 16.11 and 20.4.3; returns the type of message that it asks for."""
        assert answer.kind == RECONFIGURE and answer.xid == 0
        assert answer.get(SERVER_ID) == SERVER_DUID and answer.get(CLIENT_ID) == duid(number)
        assert answer.is_signed_with(self.key)
        assert answer.replay() > self.replay
        self.replay = answer.replay()
        codes = answer.get(ORO)
        assert IA_DSTM.to_bytes(2, "big") in [codes[i:i + 2] for i in range(0, len(codes), 2)]
        (kind,) = answer.get(RECONF_MSG)
        return kind


@pytest.mark.parametrize("number, option_", enumerate((None, *TYPES), 0x10))
def test_a_client_is_told_until_it_comes(link, number, option_):
    reader = Reader(link.lease(number, ACCEPT))
    before = link.counters()
    code, text = dstmctl(link, "server", "reconfigure", address_of(number), *filter(None, [option_]))
    assert code == 0 and "begun" in text
    for _ in range(1 if option_ else 2):  # at once, and after REC_TIMEOUT
        assert reader.believe(link.hear(), number) == TYPES.get(option_, RENEW)
    kind = TYPES.get(option_, RENEW)
    if kind == INFORMATION:
        link.ask(message(INFORMATION, client_id(number), oro(TEP), client(address_of(number))), REPLY)
    elif kind == REBIND:
        link.ask(message(REBIND, *link.options(number, ACCEPT)), REPLY)
    else:
        assert link.tell(RENEW, number, ACCEPT).lease() is not None
    after = link.counters()
    assert after["dhcp6-reconfigures"] - before["dhcp6-reconfigures"] == (1 if option_ else 2)
    assert after["dhcp6-reconfigured"] - before["dhcp6-reconfigured"] == 1
    assert link.server.ctl("dhcp6")["reconfiguring"] == 0
    assert "reconfigure: it has come" in link.server.log()


def test_a_client_that_is_stateless_is_told_too(link):
    """It has no lease; an Information-request was enough to be known and to have a key."""
    number = 0x20
    reply = link.ask(message(INFORMATION, client_id(number), ACCEPT, oro(23), client(address_of(number))), REPLY)
    reader = Reader(reply)
    assert dstmctl(link, "server", "reconfigure", address_of(number), "--information")[0] == 0
    assert reader.believe(link.hear(), number) == INFORMATION
    assert link.lease(number, ACCEPT)  # it needs IPv4 now: the node requests (R36), and is told no more
    assert link.server.ctl("dhcp6")["reconfiguring"] == 0


def test_the_options_that_a_client_took_its_lease_by_are_asked_for(link):
    number = 0x21
    asked = (client_id(number), option(SERVER_ID, SERVER_DUID), elapsed(), ACCEPT, oro(S46_CONT_LW, TEP, PORTS),
             client(address_of(number)))
    reader = Reader(link.ask(message(REQUEST, *asked), REPLY))
    assert dstmctl(link, "server", "reconfigure", address_of(number))[0] == 0
    told = link.hear()
    reader.believe(told, number)
    assert S46_CONT_LW.to_bytes(2, "big") in told.get(ORO)
    link.tell(RENEW, number, ACCEPT)


def test_a_client_behind_relays_is_told_by_them(link):
    """Section 19.3; each relay finds its Interface-ID again."""
    number = 0x22
    inner = message(REQUEST, option(SERVER_ID, SERVER_DUID), *link.options(number, ACCEPT))
    link.say_as_relay(relay(relay(inner, "2001:db8:1::9", "fe80::22", option(18, b"port 22")), "::",
                            "fe80::9", option(18, b"upper"), hops=1))
    reader = Reader(link.hear(sock=link.relay))
    assert dstmctl(link, "server", "reconfigure", address_of(number))[0] == 0
    told = link.hear(sock=link.relay)
    assert told.levels == 2 and told.interface_ids == [b"upper", b"port 22"]
    assert reader.believe(told, number) == RENEW
    assert link.hear(0) is None
    link.tell(RENEW, number, ACCEPT)


def test_a_lease_that_the_operator_ends_is_told(link):
    number = 0x23
    reader = Reader(link.lease(number, ACCEPT))
    assert dstmctl(link, "server", "push-delete", address_of(number))[0] == 0
    assert reader.believe(link.hear(), number) == RENEW
    renewal = message(RENEW, client_id(number), option(SERVER_ID, SERVER_DUID),
                      ia(client(address_of(number)), option(5, bytes(10) + b"\xff\xff" + bytes([198, 51, 100, 1])
                                                            + bytes(8)), ports()))
    assert link.ask(renewal, REPLY).status() == NO_BINDING
    # Who did not say that it accepts Reconfigures is not sent any.
    link.lease(0x24)
    assert dstmctl(link, "server", "push-delete", address_of(0x24))[0] == 0
    assert link.hear(0.3) is None


@pytest.mark.parametrize("words, sentence", [
    (("2001:db8:1::dead",), "is not known over DHCPv6"),
    (("fe80::1",), '"client" is not'),
    (("2001:db8:1::dead", "--duid", "zz"), '"duid" is not'),
    (("2001:db8:1::dead", "--duid", "00"), '"duid" is not'),
])
def test_what_cannot_be_told_is_said(link, words, sentence):
    code, text = dstmctl(link, "server", "reconfigure", *words)
    assert code == 1 and sentence in text
    assert '"by" is not' in link.server.refused_ctl("reconfigure", client=address_of(1), by="mail")


def test_a_client_that_does_not_accept_it_is_not_told(link):
    reply = link.lease(0x25)
    assert reply.get(AUTH) is None and reply.get(RECONF_ACCEPT) is None
    code, text = dstmctl(link, "server", "reconfigure", address_of(0x25))
    assert code == 1 and "has not said that it accepts" in text


def test_known_clients_are_listed(link):
    link.lease(0x26, ACCEPT)
    result = link.server.ctl("dhcp6")
    assert result["duid"] == SERVER_DUID.hex(":") and "[2001:db8:1::5]:547" in result["listen"]
    (known,) = [item for item in result["items"] if item["client"] == address_of(0x26)]
    assert known["duid"] == duid(0x26).hex(":") and known["via"].startswith("fe80::")
    assert (known["relays"], known["forms"], known["accepts_reconfigure"], known["has_lease"]) == (
        0, ["dstm"], True, True)
    assert result["known"] == len(result["items"]) >= result["with_lease"] > 0
    code, text = dstmctl(link, "server", "dhcp6")
    assert code == 0 and address_of(0x26) in text and SERVER_DUID.hex(":") in text
    page = link.server.ctl("dhcp6", limit=1)
    assert len(page["items"]) == 1 and page["next"] is not None
    rest = link.server.ctl("dhcp6", limit=100, after=page["next"])["items"]
    assert [item["client"] for item in page["items"] + rest] == [item["client"] for item in result["items"]]


def test_the_key_is_good_after_a_restart(link):
    """The secret is in a file of its owner's; who is not known any more is told at its routable address."""
    number = 0x30
    with link.far.inside():
        node = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with node:
        link.far.ip("address", "add", f"{address_of(number)}/64", "dev", "c0", "nodad")
        node.bind((address_of(number), 546))
        reader = Reader(link.lease(number, ACCEPT))
        secret = Path(link.server.config["dhcpv6"]["secret_file"])
        before = secret.read_bytes()
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert link.server.stop(signal.SIGTERM) == 0
        link.server.start().wait_level()
        assert secret.read_bytes() == before
        code, text = dstmctl(link, "server", "reconfigure", address_of(number))
        assert code == 1 and "is not known" in text
        assert dstmctl(link, "server", "reconfigure", address_of(number), "--duid", duid(number).hex(":"))[0] == 0
        node.settimeout(5)
        assert reader.believe(Answer(node.recv(2000)), number) == RENEW
    assert link.tell(RENEW, number, ACCEPT).lease() is not None
    wait_for(lambda: link.server.ctl("dhcp6")["reconfiguring"] == 0, "it to have come")


def test_without_reconfigure_nobody_gets_a_key(link):
    link.server.config["dhcpv6"]["reconfigure"] = False
    link.server.reload()
    reply = link.lease(0x31, ACCEPT)
    assert reply.get(AUTH) is None
    code, text = dstmctl(link, "server", "reconfigure", address_of(0x31))
    assert code == 1 and "dhcpv6.reconfigure is off" in text
