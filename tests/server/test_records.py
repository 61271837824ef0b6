# SPDX-License-Identifier: BSD-3-Clause
"""Records of leases, from the real server (S26, S28)."""

import datetime
import json
import os
import signal
import socket
import subprocess
import time

import pytest

from dstm_server import A, B, ROOT, wait_for
from tsp_peers import Client, address_xml


@pytest.fixture(name="records")
def fixture_records(server, tmp_path):
    """A server that keeps records."""
    server.config["records"] = {"file": str(tmp_path / "records.jsonl")}
    return server


def lines(server, name="records.jsonl"):
    path = server.folder / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def seconds(text):
    assert text.endswith("Z") and len(text) == len("2026-01-31T12:00:00.123Z")
    return datetime.datetime.fromisoformat(text[:-1] + "+00:00").timestamp()


def test_each_change_of_a_lease_is_one_line(records, tep):
    """S26, S31: and no line names a destination, or more than who had what when."""
    records.start().wait_level()
    client, info = records.lease(A, version="1.0")
    assert client.create(A).code == 200  # a plain renewal
    assert client.ask("delete", address_xml(v6=A)).code == 200
    made, ended = lines(records)
    assert made["event"] == "allocated" and made["nat_event"] == 16
    assert made["client"] == A and made["user"] == "" and made["reason"] == "requested"
    assert made["v4"] == info.address("client", "ipv4")
    assert tuple(map(tuple, made["ports"])) == info.ports
    assert made["pool"] == "shared" and made["tep"] == "tep0"
    assert made["protocols"] == ["tcp", "udp", "icmp"]
    assert abs(seconds(made["end"]) - seconds(made["time"]) - made["lifetime_s"]) < 1.5
    assert ended["event"] == "released" and ended["nat_event"] == 17
    assert ended["reason"] == "released-by-client"
    assert ended["lease"] == made["lease"] and ended["ports"] == made["ports"]
    assert seconds(ended["time"]) >= seconds(made["time"])


def test_a_record_is_there_when_the_answer_is(records, tep):
    records.start().wait_level()
    for i in range(1, 41):
        records.lease(f"2001:db8:1::{i:x}")
        assert len(lines(records)) == i


def test_renewals_are_recorded_if_asked(records, tep):
    records.config["records"]["renewals"] = True
    records.start().wait_level()
    client, _ = records.lease(A, version="1.0")
    assert client.create(A).code == 200
    assert [line["event"] for line in lines(records)] == ["allocated", "renewed"]


def test_expiry_and_users_are_recorded(records, tep):
    records.config["lease"]["lifetime_s"] = 1
    records.start().wait_level()
    records.lease(A)
    wait_for(lambda: len(lines(records)) == 2, "the record of the expiry")
    assert lines(records)[1]["reason"] == "expired"


@pytest.mark.parametrize("how", ["reload", "by itself"])
def test_rotation_loses_and_doubles_nothing(records, tep, how):
    """logrotate renames the file; the server goes on in a new one."""
    records.start().wait_level()
    records.lease(A)
    os.rename(records.folder / "records.jsonl", records.folder / "records.jsonl.1")
    if how == "reload":
        records.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "reload:" in records.log(), "the reload")
        records.lease(B)
    else:
        for i in range(1, 40):
            if (records.folder / "records.jsonl").exists():
                break
            records.lease(f"2001:db8:2::{i:x}")
            time.sleep(0.1)
    old, new = lines(records, "records.jsonl.1"), lines(records)
    ids = [line["lease"] for line in old + new]
    assert new and ids == list(range(1, len(ids) + 1))


def test_the_shipped_logrotate_file_works(records, tep):
    text = (ROOT / "config/logrotate/dstm").read_text()
    text = text.replace("/var/log/dstm", str(records.folder)).replace("su dstm dstm", "su root root")
    (records.folder / "logrotate.conf").write_text(text)
    (records.folder / "logrotate.conf").chmod(0o644)
    records.folder.chmod(0o755)
    records.start().wait_level()
    records.lease(A)
    subprocess.run(["logrotate", "-f", "-s", records.folder / "logrotate.state",
                    records.folder / "logrotate.conf"], check=True, timeout=30)
    rotated = list(records.folder.glob("records.jsonl-????????"))
    assert len(rotated) == 1
    time.sleep(1)
    records.lease(B)
    assert [line["client"] for line in lines(records, rotated[0].name)] == [A]
    assert [line["client"] for line in lines(records)] == [B]


def test_lines_go_to_syslog_too(records, tep):
    """syslog(3) speaks to /dev/log: the test puts its own socket there, in a mount namespace."""
    records.config["records"]["syslog"] = True
    inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    inbox.bind(str(records.folder / "log.sock"))
    inbox.settimeout(20)
    dev_log = records.folder / "log.sock"
    records.wrapper = ["unshare", "--mount", "sh", "-c",
                       "mount -t tmpfs none /mnt && mount --bind /dev /mnt && mount -t tmpfs none /dev "
                       "&& for f in null zero urandom random; do touch /dev/$f && "
                       f"mount --bind /mnt/$f /dev/$f; done && ln -s {dev_log} /dev/log && "
                       'exec "$0" "$@"']
    records.start().wait_level()
    records.lease(A)
    message = inbox.recv(65536).decode()
    assert "dstm-server[" in message
    assert json.loads(message[message.index("{"):]) == lines(records)[0]


def full(server):
    """A place where nothing can be written."""
    server.config["records"]["file"] = str(server.folder / "nowhere" / "records.jsonl")


def test_leases_go_on_without_records(records, tep):
    full(records)
    records.start().wait_level()
    records.lease(A)
    records.lease(B)
    assert records.log().count("not written") == 1
    (records.folder / "nowhere").mkdir()
    records.lease("2001:db8:1::c")
    assert [line["lease"] for line in lines(records, "nowhere/records.jsonl")] == [1, 2, 3]
    assert "written again" in records.log()


def test_no_lease_without_a_record_where_that_is_policy(records, tep):
    """records.required: 530, nothing is left behind, and it ends when there is room."""
    full(records)
    records.config["records"]["required"] = True
    records.start().wait_level()
    assert records.anonymous("1.0").create(A).code == 530
    wait_for(lambda: not tep.table, "the binding to be deleted")
    (records.folder / "nowhere").mkdir()
    wait_for(lambda: records.anonymous("1.0").create(A).code == 200, "a lease")
    made = [r for r in lines(records, "nowhere/records.jsonl") if r["event"] == "allocated"]
    ended = [r for r in lines(records, "nowhere/records.jsonl") if r["event"] == "released"]
    assert len(made) == len(ended) + 1


# --- notices ------------------------------------------------------------------------------------


def notices(server):
    return [(r["event"], r.get("nat_event"), r["percent"]) for r in lines(server)
            if r["event"] in ("threshold", "exhausted", "relaxed")]


def test_a_pool_that_runs_full_is_told_step_by_step(records, tep):
    """S32, RFC 7422 section 2.2: in the log, the counters, the records and dstmctl server pools."""
    records.config["pools"][0]["block_size"] = 4096  # 15 blocks
    records.config["lease"]["quarantine_s"] = 0
    records.start().wait_level()

    def level():
        return records.ctl("pools")["items"][0]["level"]

    clients = []
    for i in range(1, 16):
        clients.append((records.lease(f"2001:db8:1::{i:x}", version="1.0")[0], i))
        expected = {12: "warning", 15: "exhausted"}.get(i)
        if expected:
            wait_for(lambda want=expected: level() == want, expected)
    assert records.anonymous("1.0").create("2001:db8:2::1").code == 306
    for client, i in clients:
        assert client.ask("delete", address_xml(v6=f"2001:db8:1::{i:x}")).code == 200
    wait_for(lambda: level() == "normal", "room")
    told = notices(records)
    assert told[0] == ("threshold", 18, 80) and told[-1][0] == "relaxed"
    assert ("exhausted", 12, 100) in told
    assert records.counter("pools-exhausted") == 1
    assert records.counter("pools-filling") >= 1
    assert "pool shared: exhausted: 100 % in use, 0 of 15 free" in records.log()


def test_who_is_over_its_quota_is_told_and_does_not_fill_the_log(records, tep):
    records.config["limits"]["leases_per_client"] = 1
    records.start().wait_level()
    records.lease(A, version="1.0")
    other = Client(records.port, "1.0")
    assert other.scram("bob", "builder").startswith("200")
    for _ in range(30):
        assert other.create(A).code == 530
    wait_for(lambda: len([r for r in lines(records) if r["event"] == "quota"]) == 10, "ten records")
    told = [r for r in lines(records) if r["event"] == "quota"]
    assert told[0]["client"] == A and told[0]["user"] == "bob" and told[0]["nat_event"] == 13
    assert records.counter("over-quota") == 30
