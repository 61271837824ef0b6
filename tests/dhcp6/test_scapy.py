# SPDX-License-Identifier: BSD-3-Clause
"""The codec of DHCPv6 beside scapy's: each reads what the other wrote (R43, R45, S17)."""

import hashlib
import hmac
import json
import os
import struct
import subprocess
from ipaddress import IPv6Address
from pathlib import Path

from scapy.layers.dhcp6 import (
    DHCP6OptAuth, DHCP6OptClientFQDN, DHCP6OptClientId, DHCP6OptDNSServers, DHCP6OptElapsedTime,
    DHCP6OptIAAddress, DHCP6OptIA_NA, DHCP6OptIA_PD, DHCP6OptIA_TA, DHCP6OptIfaceId,
    DHCP6OptInfoRefreshTime, DHCP6OptOptReq, DHCP6OptPref, DHCP6OptRapidCommit,
    DHCP6OptReconfAccept, DHCP6OptReconfMsg, DHCP6OptRelayMsg, DHCP6OptRemoteID,
    DHCP6OptServerId, DHCP6OptServerUnicast, DHCP6OptStatusCode, DHCP6OptUnknown,
    DHCP6OptUserClass, DHCP6OptVendorClass, DHCP6OptVendorSpecificInfo, DHCP6_Advertise,
    DHCP6_Confirm, DHCP6_Decline, DHCP6_InfoRequest, DHCP6_Rebind, DHCP6_Reconf,
    DHCP6_RelayForward, DHCP6_Release, DHCP6_Renew, DHCP6_Reply, DHCP6_Request, DHCP6_Solicit,
    DUID_EN, DUID_LL, DUID_LLT, DUID_UUID, USER_CLASS_DATA, VENDOR_SPECIFIC_OPTION)

ROOT = Path(__file__).resolve().parents[2]
PEER = os.environ.get("SCAPY_PEER", ROOT / "build/gcc/tests/dhcp6/scapy_peer")

IA, TEP, PORTS, CLIENT, ADDRESS, VENDOR = 65100, 65101, 65102, 65103, 65104, 32473
TEP_V6 = IPv6Address("2001:db8:0:64::1").packed
CLIENT_V6 = IPv6Address("2001:db8:1::17").packed
MAPPED = IPv6Address("::ffff:198.51.100.7").packed
XID = 0xA1B2C3


def peer(mode: str, text: str = "") -> list[str]:
    done = subprocess.run(
        [PEER, mode], input=text, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.splitlines()


def written() -> dict[str, bytes]:
    lines = (line.split() for line in peer("write"))
    return {name: bytes.fromhex(octets) for name, octets in lines}


def read(*messages) -> list[dict]:
    lines = "".join(bytes(message).hex() + "\n" for message in messages)
    return [json.loads(line) for line in peer("read", lines)]


def unknown(data: bytes) -> list[tuple[int, bytes]]:
    """The options in a row of octets, as scapy takes them apart."""
    options = []
    while data:
        option = DHCP6OptUnknown(data)
        length = option.optlen
        options.append((option.optcode, bytes(option)[4 : 4 + length]))
        data = data[4 + length :]
    return options


def by_code(message) -> dict[int, bytes]:
    """The options that scapy has no name for, by code."""
    return {
        layer.optcode: layer.data
        for layer in message.iterpayloads()
        if isinstance(layer, DHCP6OptUnknown)
    }


# --- what we write ---------------------------------------------------------------------------------


def test_scapy_reads_the_lease_in_each_form():
    message = DHCP6_Reply(written()["reply"])
    assert (message.msgtype, message.trid) == (7, XID)
    assert message[DHCP6OptClientId].duid.lladdr == "02:00:00:00:00:17"
    assert bytes(message[DHCP6OptServerId].duid.uuid.bytes) == b"0123456789abcdef"
    options = by_code(message)
    # IA_DSTM: R43, R45, R46
    assert struct.unpack("!III", options[IA][:12]) == (1, 1800, 2880)
    address = DHCP6OptIAAddress(options[IA][12:40])
    assert (address.optlen, address.addr) == (24, "::ffff:198.51.100.7")
    assert (address.preflft, address.validlft) == (2880, 3600)
    assert unknown(options[IA][40:]) == [(TEP, TEP_V6), (PORTS, b"\x04\x00\x07\xff")]
    # single options
    assert options[ADDRESS] == MAPPED
    assert options[TEP] == TEP_V6
    assert options[PORTS] == b"\x04\x00\x07\xff"
    # vendor option
    vendor = message[DHCP6OptVendorSpecificInfo]
    assert vendor.enterprisenum == VENDOR
    assert [(sub.optcode, sub.optdata) for sub in vendor.vso] == [
        (ADDRESS, MAPPED), (TEP, TEP_V6), (PORTS, b"\x04\x00\x07\xff")]
    # softwire container: S17
    (br, bind) = unknown(options[96])
    assert br == (90, TEP_V6)
    assert bind[0] == 92
    assert bind[1][:21] == MAPPED[12:] + b"\x80" + CLIENT_V6
    assert unknown(bind[1][21:]) == [(93, b"\x00\x06\x04\x00")]


def test_scapy_reads_several_ranges():
    options = by_code(DHCP6_Reply(written()["ranges"]))
    address = DHCP6OptIAAddress(options[IA][12:56])
    assert address.optlen == 40
    ranges = [(PORTS, b"\x04\x00\x07\xff"), (PORTS, b"\x10\x00\x13\xff")]
    assert unknown(options[IA][40:56]) == ranges
    assert unknown(options[IA][56:]) == [(TEP, TEP_V6)]
    # An option 96 has room for one.
    assert unknown(options[96])[1][1][-4:] == b"\x00\x06\x04\x00"


def test_scapy_reads_the_options_of_the_standard():
    message = DHCP6_Advertise(written()["advertise"])
    assert message.msgtype == 2
    assert message[DHCP6OptPref].prefval == 200
    assert message[DHCP6OptElapsedTime].elapsedtime == 300
    assert message[DHCP6OptServerUnicast].srvaddr == "2001:db8:0:64::1"
    assert message[DHCP6OptRapidCommit].optlen == 0
    assert message[DHCP6OptReconfAccept].optlen == 0
    assert message[DHCP6OptInfoRefreshTime].reftime == 1800
    assert message[DHCP6OptOptReq].reqopts == [96, TEP]
    status = message[DHCP6OptStatusCode]
    assert (status.statuscode, status.statusmsg) == (1, b"not now")
    ia = message[DHCP6OptIA_NA]
    assert (ia.iaid, ia.T1, ia.T2) == (3, 10, 20)
    (address,) = ia.ianaopts
    assert (address.addr, address.preflft, address.validlft) == ("2001:db8:1::17", 30, 40)
    prefixes = message[DHCP6OptIA_PD]
    assert prefixes.iaid == 4
    assert prefixes.iapdopt[0].statuscode == 6
    assert bytes(message) == written()["advertise"]


def test_scapy_reads_a_reconfigure_and_its_signature_is_right():
    """R36; the HMAC is that of Python."""
    octets = written()["reconfigure"]
    message = DHCP6_Reconf(octets)
    assert (message.msgtype, message.trid) == (10, 0)
    assert message[DHCP6OptReconfMsg].msgtype == 5
    assert message[DHCP6OptOptReq].reqopts == [IA]
    auth = message[DHCP6OptAuth]
    assert (auth.proto, auth.alg, auth.rdm) == (3, 1, 0)
    assert bytes(auth)[7:15] == struct.pack("!Q", 7)
    start = octets.index(bytes([0, 11, 0, 28])) + 4 + 11
    assert octets[start] == 2
    zeroed = octets[: start + 1] + bytes(16) + octets[start + 17 :]
    assert hmac.digest(b"sixteen octets.\0", zeroed, hashlib.md5) == octets[start + 1 : start + 17]


# --- what scapy writes -----------------------------------------------------------------------------

LL = DUID_LL(lladdr="02:00:00:00:00:17")
UUID = DUID_UUID(uuid="00112233-4455-6677-8899-aabbccddeeff")


def option(code: int, data: bytes):
    return DHCP6OptUnknown(optcode=code, optlen=len(data), data=data)


def test_we_read_each_type_with_each_kind_of_duid():
    kinds = {
        DHCP6_Solicit: "Solicit", DHCP6_Advertise: "Advertise", DHCP6_Request: "Request",
        DHCP6_Confirm: "Confirm", DHCP6_Renew: "Renew", DHCP6_Rebind: "Rebind",
        DHCP6_Reply: "Reply", DHCP6_Release: "Release", DHCP6_Decline: "Decline",
        DHCP6_InfoRequest: "Information-request",
    }
    duids = [LL, UUID, DUID_LLT(lladdr="02:00:00:00:00:17", timeval=9), DUID_EN(id=b"abc")]
    for duid in duids:
        answers = read(*(kind(trid=XID) / DHCP6OptClientId(duid=duid) for kind in kinds))
        assert [answer["type"] for answer in answers] == list(kinds.values())
        for answer in answers:
            assert answer["xid"] == XID
            assert answer["client_id"] == bytes(duid).hex(":")


def test_we_read_what_a_client_asks():
    (answer,) = read(
        DHCP6_Solicit(trid=XID)
        / DHCP6OptClientId(duid=LL)
        / DHCP6OptElapsedTime(elapsedtime=17)
        / DHCP6OptRapidCommit()
        / DHCP6OptReconfAccept()
        / DHCP6OptOptReq(reqopts=[96, 17, TEP])
        / DHCP6OptIA_NA(iaid=5, T1=0, T2=0)
        / DHCP6OptIA_TA(iaid=6)
        / DHCP6OptIA_PD(iaid=7)
        / option(IA, struct.pack("!III", 1, 0, 0) + bytes(option(CLIENT, CLIENT_V6))))
    assert answer["client_id"] == "00:03:00:01:02:00:00:00:00:17"
    assert answer["elapsed"] == 17
    assert answer["rapid_commit"] and answer["reconf_accept"]
    assert answer["oro"] == [96, 17, TEP]
    assert [ia["iaid"] for ia in answer["ia_na"]] == [5]
    assert answer["ia_pd"] == 1
    assert answer["ia_dstm"][0]["dstm"]["client"] == "2001:db8:1::17"


def test_we_read_what_a_server_gives():
    address = DHCP6OptIAAddress(addr="2001:db8:1::17", preflft=30, validlft=40)
    mapped = DHCP6OptIAAddress(addr="::ffff:198.51.100.7", preflft=2880, validlft=3600)
    refused = DHCP6OptStatusCode(statuscode=2, statusmsg="full")
    lease = struct.pack("!III", 1, 1800, 2880) + bytes(mapped) + bytes(option(TEP, TEP_V6))
    (answer,) = read(
        DHCP6_Reply(trid=XID)
        / DHCP6OptClientId(duid=LL)
        / DHCP6OptServerId(duid=UUID)
        / DHCP6OptPref(prefval=9)
        / DHCP6OptServerUnicast(srvaddr="2001:db8::547")
        / DHCP6OptInfoRefreshTime(reftime=77)
        / DHCP6OptStatusCode(statuscode=1, statusmsg="not now")
        / DHCP6OptIA_NA(iaid=5, T1=10, T2=20, ianaopts=[address])
        / DHCP6OptIA_NA(iaid=6, ianaopts=[refused])
        / option(IA, lease))
    assert answer["server_id"] == bytes(UUID).hex(":")
    assert answer["preference"] == 9
    assert answer["unicast"] == "2001:db8::547"
    assert answer["info_refresh"] == 77
    assert (answer["status"], answer["text"]) == ("UnspecFail", "not now")
    given, none = answer["ia_na"]
    assert (given["t1"], given["t2"]) == (10, 20)
    assert given["addrs"] == [
        {"addr": "2001:db8:1::17", "preferred": 30, "valid": 40, "ranges": []}]
    assert (none["iaid"], none["status"]) == (6, "NoAddrsAvail")
    (ia,) = answer["ia_dstm"]
    assert ia["addrs"][0]["addr"] == "::ffff:198.51.100.7"
    assert ia["dstm"]["tep"] == "2001:db8:0:64::1"


def test_we_skip_what_we_do_not_know():
    (answer,) = read(
        DHCP6_Reply(trid=XID)
        / DHCP6OptServerId(duid=UUID)
        / DHCP6OptDNSServers(dnsservers=["2001:db8::53"])
        / DHCP6OptClientFQDN(fqdn="host.example")
        / DHCP6OptUserClass(userclassdata=[USER_CLASS_DATA(data="x")])
        / DHCP6OptVendorClass(enterprisenum=9)
        / DHCP6OptVendorSpecificInfo(
            enterprisenum=9, vso=[VENDOR_SPECIFIC_OPTION(optcode=TEP, optdata="short")]))
    assert answer["server_id"] == bytes(UUID).hex(":")
    assert answer["ia_dstm"] == []


def test_we_read_through_relays():
    inner = DHCP6_Solicit(trid=XID) / DHCP6OptClientId(duid=LL)
    near = (
        DHCP6_RelayForward(hopcount=0, linkaddr="2001:db8:1::1", peeraddr="fe80::17")
        / DHCP6OptIfaceId(ifaceid="eth7")
        / DHCP6OptRemoteID(enterprisenum=9, remoteid="r")
        / DHCP6OptRelayMsg(message=inner))
    far = (
        DHCP6_RelayForward(hopcount=1, linkaddr="::", peeraddr="2001:db8::aa")
        / DHCP6OptRelayMsg(message=near))
    (answer,) = read(far)
    assert answer["type"] == "Solicit"
    assert answer["relays"] == [
        {"hops": 1, "link": "::", "peer": "2001:db8::aa", "interface": ""},
        {"hops": 0, "link": "2001:db8:1::1", "peer": "fe80::17", "interface": "eth7"},
    ]
