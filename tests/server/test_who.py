# SPDX-License-Identifier: BSD-3-Clause
"""dstmctl server who: who held an address and port (S27, R9), from a real server's records."""

import datetime
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from dstm_server import A, B, ROOT, wait_for
from test_records import fixture_records, lines  # pylint: disable=unused-import
from tsp_peers import address_xml

DSTMCTL = ROOT / os.environ.get("DSTM_BUILD", "build/gcc") / "src/ctl/dstmctl"
V4 = "198.51.100.7"
YEAR_LINES = 60_000  # scaled down from a hundred million: what counts is that pages do not grow with it


def run(*arguments, zone="UTC"):
    return subprocess.run([DSTMCTL, "server", "who", *map(str, arguments)], capture_output=True,
                          text=True, timeout=300, check=False, env={**os.environ, "TZ": zone})


def who(*arguments):
    answer = run(*arguments, "--json")
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def holders(*arguments):
    return [(item["client"], item["ended"]) for item in who(*arguments)["items"]]


def utc_ms(text):
    return round(datetime.datetime.fromisoformat(text[:-1] + "+00:00").timestamp() * 1000)


def text_of(ms):
    when = datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03}Z"


def test_who_has_it_now_and_who_had_it_then(records, tep):
    """From the moment of the answer to the moment of the end, to the millisecond."""
    config = ["--config", records.folder / "server.yaml"]
    records.start().wait_level()
    before = text_of(utc_ms(text_of(int(time.time() * 1000))) - 1000)
    client, info = records.lease(A, version="1.0")
    first, last = info.ports[0]
    assert holders(f"{V4}:{first}", *config) == [(A, "")]
    assert holders(f"{V4}:{last}", *config) == [(A, "")]
    assert holders(V4, *config) == [(A, "")]
    assert holders(f"{V4}:{first}", "--at", before, *config) == []
    assert holders(f"{V4}:{first - 1}", *config) == []
    assert client.ask("delete", address_xml(v6=A)).code == 200
    made, ended = lines(records)
    assert holders(f"{V4}:{first}", *config) == []
    at = [text_of(utc_ms(made["time"]) + ms) for ms in (-1, 0)]
    at += [text_of(utc_ms(ended["time"]) + ms) for ms in (-1, 0)]
    found = [holders(f"{V4}:{first}", "--at", when, *config) for when in at]
    assert found == [[], [(A, "released-by-client")], [(A, "released-by-client")], []]
    item = who(f"{V4}:{first}", "--all", *config)["items"][0]
    assert item["since"] == made["time"] and item["until"] == ended["time"]
    assert item["ports"] == [[first, last]] and item["pool"] == "shared" and item["tep"] == "tep0"


def test_the_answer_needs_no_server_and_no_index(records, tep):
    """S27: from copied files alone, in any order; and in words."""
    records.start().wait_level()
    _, info = records.lease(A, version="1.0")
    os.rename(records.folder / "records.jsonl", records.folder / "records.jsonl-20260131")
    time.sleep(1.1)
    records.lease(B, version="1.0")
    records.stop()
    port = info.ports[0][0]
    files = ["--file", records.folder / "records.jsonl",
             "--file", records.folder / "records.jsonl-20260131"]
    assert holders(f"{V4}:{port}", *files) == [(A, "")]
    for path in records.folder.glob("records.jsonl.index*"):
        path.unlink()
    config = ["--config", records.folder / "server.yaml"]
    assert holders(f"{V4}:{port}", *config) == [(A, "")]
    assert len(holders(V4, *config)) == 2
    text = run(f"{V4}:{port}", *config).stdout
    assert text.startswith("SINCE") and A in text
    assert run("198.51.100.8", *config).stdout == "nobody\n"


@pytest.mark.parametrize("arguments, sentence", [
    (["nonsense"], "needs an IPv4 address"),
    (["198.51.100.7:"], "needs an IPv4 address"),
    (["198.51.100.7:65536"], "needs an IPv4 address"),
    (["198.51.100.7:1-2"], "needs an IPv4 address"),
    (["[2001:db8::1]:80"], "needs an IPv4 address"),
    (["198.51.100.7:80", "--at", "yesterday"], "is not a time"),
    (["198.51.100.7:80", "--at", "2026-10-25 02:30:00"], "was twice"),
    (["198.51.100.7:80", "--at", "2026-03-29 02:30:00"], "never was"),
    (["198.51.100.7:80", "--file", "/nonexistent"], "/nonexistent"),
    (["198.51.100.7:80", "--file", "/etc/passwd"], "not a file of records"),
    (["198.51.100.7:80", "--config", "/nonexistent.yaml"], "/nonexistent.yaml"),
])
def test_what_cannot_be_answered_is_one_sentence(arguments, sentence):
    answer = run(*arguments, zone="Europe/Berlin")
    assert answer.returncode == 1
    assert sentence in answer.stderr and answer.stderr.count("\n") == 1


def hammer(server, stop, answered, number):
    """Leases one address after the other, and notes each that was answered."""
    i = 0
    while not stop.is_set():
        i += 1
        v6 = f"2001:db8:{number:x}::{i:x}"
        try:
            client = server.anonymous("1.0")
            info = client.create(v6)
            if info.code == 200:
                answered.append((v6, info.ports[0]))
                client.ask("delete", address_xml(v6=v6))
            client.close()
        except (OSError, EOFError, AssertionError):
            return


def test_killed_under_load_no_answered_lease_is_without_a_record(records, tep):
    """S26: three times kill -9 in the middle, the file rotated in between; the index agrees with the lines."""
    records.config["lease"]["quarantine_s"] = 0
    answered = []
    for round_ in range(3):
        records.start().wait_level()
        stop = threading.Event()
        threads = [threading.Thread(target=hammer, args=(records, stop, answered, 10 * round_ + n))
                   for n in range(1, 5)]
        for thread in threads:
            thread.start()
        before = len(answered)
        wait_for(lambda: len(answered) > before + 40, "some leases")
        if round_ == 1:
            os.rename(records.folder / "records.jsonl", records.folder / "records.jsonl.1")
            wait_for((records.folder / "records.jsonl").exists, "the new file")
        records.stop(signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join()
    records.start().wait_level()
    records.stop()
    told = lines(records, "records.jsonl.1") + lines(records)
    made = {r["client"]: r for r in told if r["event"] == "allocated"}
    assert {v6 for v6, _ in answered} <= set(made)
    config = ["--config", records.folder / "server.yaml"]
    history = who(V4, "--all", "--limit", 100000, *config)["items"]
    assert {item["client"] for item in history} == set(made)
    # nobody overlaps with anybody on one block
    spans = sorted((tuple(item["ports"][0]), utc_ms(item["since"]),
                    utc_ms(item["until"]) if item["until"] else float("inf")) for item in history)
    for (ports, _, until), (ports2, since2, _) in zip(spans, spans[1:]):
        assert ports != ports2 or until <= since2


def test_leases_from_before_records_and_from_a_lost_index_are_recorded(records, tep):
    kept = records.config.pop("records")
    records.start().wait_level()
    records.lease(A, version="1.0")
    records.stop()
    records.config["records"] = kept
    records.start().wait_level()
    records.lease(B, version="1.0")
    assert [(r["client"], r["reason"]) for r in lines(records)] == [
        (A, "recovered"), (B, "requested")]
    records.stop()
    for path in records.folder.glob("records.jsonl.index*"):
        path.unlink()
    records.start().wait_level()
    assert len(lines(records)) == 2  # the index was made anew, and misses nothing


def year(path, n):
    """A year of records: n lines, 16 addresses with 63 blocks, each lease as long as the others."""
    start = utc_ms("2025-01-01T00:00:00.000Z")
    step = 365 * 86400 * 1000 // n
    held = {}
    with open(path, "w", encoding="ascii") as file:
        for i in range(n):
            slot = (i // 2 * 7919) % (16 * 63)
            v4, first = f"198.51.100.{slot // 63}", (slot % 63 + 1) * 1024
            event, reason = ("released", "expired") if slot in held else ("allocated", "requested")
            lease = held.pop(slot, None) or i + 1
            if event == "allocated":
                held[slot] = lease
            file.write(json.dumps({
                "time": text_of(start + i * step), "event": event, "lease": lease,
                "client": f"2001:db8::{lease >> 16:x}:{lease & 0xffff:x}", "user": "", "v4": v4,
                "ports": [[first, first + 1023]], "pool": "p", "tep": "t", "reason": reason}) + "\n")
    return start, step


def test_a_long_history_is_not_read_for_an_answer(tmp_path):
    """Rows and pages, not seconds: the whole index has hundreds of pages, an answer looks at a few."""
    path = tmp_path / "records.jsonl"
    start, step = year(path, YEAR_LINES)
    (tmp_path / "server.yaml").write_text(json.dumps({
        "records": {"file": str(path)},
        "teps": [{"name": "t", "control": "[::1]:1", "user": "u", "password": "p", "v6": "2001:db8::1"}],
        "pools": [{"name": "p", "prefix": "198.51.100.0/28", "tep": "t"}]}))
    config = ["--config", tmp_path / "server.yaml"]
    (tmp_path / "records.jsonl.index").touch()  # the first question fills it
    who("198.51.100.3:5000", *config)
    pages = (tmp_path / "records.jsonl.index").stat().st_size // 4096
    assert pages > 500
    for i in range(1, 40):
        at = text_of(start + i * (YEAR_LINES // 40) * step)
        answer = who(f"198.51.100.{i % 16}:{i * 1500}", "--at", at, *config)
        assert len(answer["items"]) <= 1 and answer["pages"] < 120
    # each of them against the lines themselves
    at = text_of(start + YEAR_LINES // 2 * step)
    for port in (1024, 40000, 65535):
        assert holders(f"198.51.100.9:{port}", "--at", at, *config) == holders(
            f"198.51.100.9:{port}", "--at", at, "--file", path)
