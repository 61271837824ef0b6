# SPDX-License-Identifier: BSD-3-Clause
"""The case files of this folder as values (README.md)."""

import dataclasses
import re
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    peer: str
    start: str
    generation: int
    steps: tuple
    outcome: str

    @property
    def id(self):
        return f"{self.name} ({self.peer}, {self.generation})"


def steps_of(group, given):
    """The case's input in the group's template; a list is steps already."""
    if isinstance(given, list):
        return tuple(given)
    if "body" in group:
        return ({"body": group["body"].replace("@", str(given))},)
    return (group.get("send", "@").replace("@", str(given)),)


def generations_of(group, peer):
    """A TEP's peers are servers, of generation 2."""
    if peer == "tep":
        return [2]
    return group.get("generations", [1, 2] if group["from"] == "session" else [2])


def load_group(group):
    start = group["from"]
    for name, (given, outcome) in group["cases"].items():
        for peer in group.get("peers", ["server"]):
            for generation in generations_of(group, peer):
                yield Case(f"{group['group']}: {name}", peer, start, generation,
                           steps_of(group, given), str(outcome))


def load_all():
    groups = [group for path in sorted(FOLDER.glob("*.yaml"))
              for group in yaml.safe_load(path.read_text())]
    return [case for group in groups for case in load_group(group)]


def expand(text, words):
    """Repetitions, messages and words in braces, innermost first; octets, not characters."""
    def replace(match):
        repeated = re.fullmatch(r"(.*)\*(\d+)", match[1], re.DOTALL)
        if repeated:
            return "".join(repeated[1].replace("#", str(i)) for i in range(int(repeated[2])))
        if match[1].startswith("message:"):
            body = match[1].removeprefix("message:")
            return f"Content-length: {len(body)}\r\n{body}"
        return str(words[match[1]])

    while re.search(r"\{[^{}]*\}", text):
        text = re.sub(r"\{([^{}]*)\}", replace, text)
    return text.encode("latin-1")
