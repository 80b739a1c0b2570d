"""Reads a description, JSON or YAML, within bounds: whoever wrote it may be hostile."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from banksman.errors import UsageError


class DescriptionError(UsageError):
    """A description cannot be used as a whole; the message says why. Nothing was compiled."""


@dataclass(frozen=True)
class Bounds:
    """How much a description may ask for.

    Attributes:
        size: bytes of the file.
        yaml_size: bytes of a file in YAML, which takes fifty times as long to read.
        depth: nesting in YAML, aliases followed; JSON is read to a depth of 200.
        nodes: values in YAML, aliases counted each time.
        written: values the compiler may write, for descriptions that repeat what is shared in each operation.
        operations: how many one description may have.
    """

    size: int = 128 * 2**20
    yaml_size: int = 16 * 2**20
    depth: int = 100
    nodes: int = 2_000_000
    written: int = 50_000_000
    operations: int = 50_000


def read(content: bytes, name: str, bounds: Bounds | None = None) -> Any:
    """The document in a file's content.

    Raises:
        DescriptionError: it is neither JSON nor YAML, or larger or deeper than the bounds.
    """
    bounds = bounds or Bounds()
    if len(content) > bounds.size:
        raise DescriptionError(
            f"{name}: {len(content):,} bytes; at most {bounds.size:,} are read", hint="Split the description."
        )
    text = content[3:] if content.startswith(b"\xef\xbb\xbf") else content
    if text[:1000].lstrip()[:1] in (b"{", b"["):
        return _read_json(text, name, bounds)
    return _read_yaml(text, name, bounds)


def _read_json(text: bytes, name: str, bounds: Bounds) -> Any:
    try:
        document = from_json(text, allow_inf_nan=False, cache_strings="all")
    except ValueError as error:
        if b"\t" not in text and b"{" in text[:1] and b'"' not in text[:50]:  # YAML in flow style
            return _read_yaml(text, name, bounds)
        message = str(error)
        if "recursion" in message:
            raise DescriptionError(f"{name}: nested deeper than a description can be meant") from None
        raise DescriptionError(f"{name}: no JSON: {message[:200]}") from None
    return document


def _deeper(document: Any, depth: int) -> bool:
    """Whether values nest deeper; level by level, so that no recursion is needed."""
    level = [document] if isinstance(document, dict | list) else []
    for _ in range(depth):
        level = [
            inner
            for value in level
            for inner in (value.values() if type(value) is dict else value)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return False
    return True


_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONSTANTS = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    "null": None, "Null": None, "NULL": None, "~": None, "": None,
}  # fmt: skip


def _plain(text: str) -> Any:
    """The value of an unquoted scalar, by YAML 1.2's core schema: `no` is a text, and a date is one."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] in "-+.0123456789" and len(text) < 40:
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


class _Tree:
    """Builds values from YAML events, without recursion, counting what aliases repeat."""

    def __init__(self, name: str, bounds: Bounds) -> None:
        self._name = name
        self._bounds = bounds
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._open: list[tuple[Any, str | None, int]] = []
        self._keys: list[Any] = []
        self._nodes = 0
        self.root: Any = None

    def value(self, value: Any, nodes: int, anchor: str | None) -> None:
        """A finished value goes into what is open."""
        if anchor:
            self._anchors[anchor] = (value, nodes)
        if not self._open:
            self.root = value
            return
        parent = self._open[-1][0]
        if type(parent) is list:
            parent.append(value)
        elif self._keys[-1] is _NO_KEY:
            self._keys[-1] = _key(value)
        else:
            if self._keys[-1] == "<<" and isinstance(value, dict):
                for key, inherited in value.items():
                    parent.setdefault(key, inherited)
            else:
                parent[self._keys[-1]] = value
            self._keys[-1] = _NO_KEY

    def count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > self._bounds.nodes:
            raise DescriptionError(f"{self._name}: more than {self._bounds.nodes:,} values, aliases counted")

    def begin(self, container: Any, anchor: str | None) -> None:
        self.count(1)
        if len(self._open) >= self._bounds.depth:
            raise DescriptionError(f"{self._name}: nested deeper than {self._bounds.depth} levels")
        self._open.append((container, anchor, self._nodes))
        self._keys.append(_NO_KEY)

    def end(self) -> None:
        container, anchor, before = self._open.pop()
        self._keys.pop()
        self.value(container, self._nodes - before + 1, anchor)

    def alias(self, anchor: str) -> None:
        if anchor not in self._anchors:
            # libyaml lets a collection hold itself; that is no tree.
            raise DescriptionError(f"{self._name}: alias *{anchor} has no finished anchor")
        value, nodes = self._anchors[anchor]
        self.count(nodes)
        self.value(value, nodes, None)


_NO_KEY = object()


def _key(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _read_yaml(text: bytes, name: str, bounds: Bounds) -> Any:
    import yaml

    if len(text) > bounds.yaml_size:
        raise DescriptionError(
            f"{name}: {len(text):,} bytes of YAML; at most {bounds.yaml_size:,} are read", hint="Convert it to JSON."
        )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    tree = _Tree(name, bounds)
    try:
        event: Any  # the stubs know no attributes
        for event in yaml.parse(text, Loader=loader):
            kind = type(event).__name__
            if kind == "ScalarEvent":
                tree.count(1)
                plain = event.implicit[0] and not event.style
                tree.value(_plain(event.value) if plain else event.value, 1, event.anchor)
            elif kind == "MappingStartEvent":
                tree.begin({}, event.anchor)
            elif kind == "SequenceStartEvent":
                tree.begin([], event.anchor)
            elif kind in ("MappingEndEvent", "SequenceEndEvent"):
                tree.end()
            elif kind == "AliasEvent":
                tree.alias(event.anchor)
            elif kind == "DocumentEndEvent":
                break
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DescriptionError(f"{name}: neither JSON nor YAML: {str(error)[:200]}") from None
    if _deeper(tree.root, bounds.depth):
        raise DescriptionError(f"{name}: nested deeper than {bounds.depth} levels, aliases followed")
    return tree.root
