# SPDX-License-Identifier: BSD-3-Clause
"""YAML read against a declared schema; every error is one sentence with file:line:column.

A reader is a function that takes a YAML node and returns the checked value or raises BadFile.
table() makes one out of a row per key; its result is a Table: the keys as attributes, and `where`
for later messages. Texts are str that carry `where` too, so that a name that points nowhere can be
reported at its place.
"""

import ipaddress
from dataclasses import dataclass
from typing import Any, Callable

import yaml


class BadFile(Exception):
    """The file cannot be used; the message starts with file:line:column."""


class Text(str):
    """A str that knows its place in the file."""

    where = ""


class Name(Text):
    """A Text that must be the name of something else in the file: of a `kind` of thing."""

    kind = ""


class Table:
    """The checked keys of a mapping, as attributes."""

    def __init__(self, where: str, values: dict):
        self.where = where
        self.__dict__.update(values)


@dataclass
class Key:
    read: Callable[[yaml.Node], Any]
    default: Any = None
    required: bool = False


def place(node: yaml.Node) -> str:
    mark = node.start_mark
    return f"{mark.name}:{mark.line + 1}:{mark.column + 1}"


def fail(node: yaml.Node, message: str):
    raise BadFile(f"{place(node)}: {message}")


def load(path: str, read: Callable[[yaml.Node], Any]) -> Any:
    try:
        with open(path, encoding="utf-8") as stream:
            node = yaml.compose(stream, Loader=yaml.SafeLoader)
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise BadFile(f"{path}:{mark.line + 1}:{mark.column + 1}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise BadFile(f"{path}: {error}") from error
    if node is None:
        raise BadFile(f"{path}:1:1: the file is empty")
    return read(node)


def anything(node: yaml.Node) -> Any:
    """Whatever YAML says, unchecked: the configuration of a program that checks it itself."""
    if isinstance(node, yaml.MappingNode):
        return {key: anything(value) for key, value in pairs(node)}
    if isinstance(node, yaml.SequenceNode):
        return [anything(item) for item in node.value]
    return yaml.SafeLoader("").construct_object(node)


def pairs(node: yaml.Node) -> list[tuple[Text, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        fail(node, "a mapping of keys to values is expected here")
    seen = {}
    for key_node, value in node.value:
        key = text(key_node)
        if key in seen:
            fail(key_node, f"'{key}' stands here for the second time")
        seen[key] = value
    return list(seen.items())


def text(node: yaml.Node) -> Text:
    if not isinstance(node, yaml.ScalarNode) or node.value == "":
        fail(node, "a text is expected here")
    value = Text(node.value)
    value.where = place(node)
    return value


def name_of(kind: str) -> Callable[[yaml.Node], Name]:
    def read(node):
        value = Name(text(node))
        value.where, value.kind = place(node), kind
        return value

    return read


def names_in(value: Any):
    """All Names in a checked value, however deep."""
    if isinstance(value, Name):
        yield value
    elif isinstance(value, Table):
        yield from names_in(value.__dict__)
    elif isinstance(value, dict):
        yield from names_in(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from names_in(item)


def boolean(node: yaml.Node) -> bool:
    value = anything(node)
    if not isinstance(value, bool):
        fail(node, "true or false is expected here")
    return value


def integer(first: int, last: int) -> Callable[[yaml.Node], int]:
    def read(node):
        value = anything(node)
        if not isinstance(value, int) or isinstance(value, bool) or not first <= value <= last:
            fail(node, f"a number from {first} to {last} is expected here")
        return value

    return read


def choice(*names: str) -> Callable[[yaml.Node], Text]:
    def read(node):
        value = text(node)
        if value not in names:
            fail(node, f"'{value}' is none of {', '.join(names)}")
        return value

    return read


def checked_by(parse: Callable, wanted: str) -> Callable[[yaml.Node], Text]:
    def read(node):
        value = text(node)
        try:
            parse(value)
        except ValueError:
            fail(node, f"'{value}' is not {wanted}")
        return value

    return read


address = checked_by(ipaddress.ip_address, "an IP address")
interface_address = checked_by(ipaddress.ip_interface, "an IP address with its prefix length")
destination = checked_by(
    lambda value: value == "default" or ipaddress.ip_network(value), "a prefix or 'default'")


def list_of(read: Callable) -> Callable[[yaml.Node], list]:
    def read_list(node):
        if not isinstance(node, yaml.SequenceNode):
            fail(node, "a list is expected here")
        return [read(item) for item in node.value]

    return read_list


def map_of(read: Callable) -> Callable[[yaml.Node], dict]:
    return lambda node: {key: read(value) for key, value in pairs(node)}


def table(**keys: Key) -> Callable[[yaml.Node], Table]:
    """from_ stands for the key 'from', which Python keeps for itself."""

    def read(node):
        values = {name: key.default for name, key in keys.items()}
        given = pairs(node)
        known = {name.rstrip("_"): name for name in keys}
        for key, value in given:
            if key not in known:
                raise BadFile(f"{key.where}: unknown key '{key}'; known are {', '.join(known)}")
            values[known[key]] = keys[known[key]].read(value)
        for name, key in keys.items():
            if key.required and name.rstrip("_") not in dict(given):
                fail(node, f"the key '{name.rstrip('_')}' is missing")
        return Table(place(node), values)

    return read
