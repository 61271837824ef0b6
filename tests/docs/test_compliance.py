# SPDX-License-Identifier: BSD-3-Clause
"""docs/compliance.md against the tree: every id has one row, what a row names exists, and rows and
packet cases agree."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
PAGE = (ROOT / "docs/compliance.md").read_text()

IDS = [f"R{n}" for n in range(1, 109)] + [f"D{n}" for n in range(1, 10)] + \
    [f"S{n}" for n in range(1, 38)]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
BY_ID = {row[0]: row for row in ROWS if re.fullmatch(r"[RDS]\d+", row[0])}
CASE_IDS = {path.parent.name: set(yaml.safe_load(path.read_text())["ids"])
            for path in (TESTS / "pcap").glob("*/case.yaml")}


def spans(cell):
    return re.findall(r"`([^`]+)`", cell)


def proofs(row):
    return [span for span in spans(row[-1]) if "/" in span]


def test_every_id_has_one_row_in_order():
    ids = [row[0] for row in ROWS if re.fullmatch(r"[RDS]\d+", row[0])]
    assert ids == IDS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_what_a_row_names_exists(row):
    for proof in proofs(row):
        path, _, name = proof.partition(":")
        if path.startswith("pcap/") and not path.endswith(".py"):
            assert path[len("pcap/"):] in CASE_IDS, proof
        else:
            assert (TESTS / path).is_file(), proof
            assert re.search(rf"\b{name}\b", (TESTS / path).read_text()), proof
    if row[0] in BY_ID:
        for place in spans(row[2]):
            assert (ROOT / "src" / place).exists(), place


@pytest.mark.parametrize("name", IDS)
def test_a_row_proves_its_id_or_says_why_not(name):
    row = BY_ID[name]
    assert len(row) == 4 and row[1]
    assert row[2] or "**not yet**" in row[3] or "**deviates**" in row[3] or "operator" in row[3]
    assert len(row[3]) > 10
    for proof in proofs(row):
        if proof.startswith("pcap/") and not re.search(r"\.py\b", proof):
            assert name in CASE_IDS[proof[len("pcap/"):]], f"{proof} does not name {name}"


@pytest.mark.parametrize("case", CASE_IDS)
def test_the_ids_of_a_packet_case_have_rows_that_name_a_test(case):
    assert CASE_IDS[case] <= set(IDS)
    for name in CASE_IDS[case]:
        assert proofs(BY_ID[name]), f"{name} of {case} shows nothing"
