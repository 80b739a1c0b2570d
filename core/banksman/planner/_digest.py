"""What a model is shown of a run: names, types, counts, sizes, and a few closed values. Never a text from outside.

A string that is not closed is shown by its length alone. A 450,000-token output is a line here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from banksman._canonical import Plain
from banksman.http.scrub import scrub
from banksman.planner._lean import one_line, quoted

#: Kinds of failure that are no class of error: a reference that cannot be evaluated, an expectation that does not
#: hold, a write that a new plan would repeat, a preview that foretells an unmet expectation.
BAD_REFERENCE, UNMET, REPEATED, FORETOLD = "BadReference", "Unmet", "Repeated", "Foretold"
_FIELDS = 20
_ITEMS = 3
_LONGEST = 700
#: A word that a system gives a thing. Closed values that look like anything else are shown by their length.
_WORD = re.compile(r"[^\s`\"'<>{}\[\]]{1,64}")
_DATE_LIKE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ][0-9:.]+(?:Z|[+-]\d\d:?\d\d)?)?")
#: Keys of objects whose schema does not name them: anybody may have chosen those.
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
#: Ids as systems number things: few letters, then digits. The key of a round is shown only if it is one.
_NUMBERED = re.compile(r"[A-Za-z]{0,6}[-_./:#]?\d[\d./:_-]{0,24}")


@dataclass(frozen=True)
class Progress:
    """How far one step came.

    Attributes:
        state: `done`, `partly done`, `failed`, `not run, or skipped`.
        outputs: of its calls that have run; one for a step without a loop.
        schema: the JSON Schema of one output.
    """

    step: str
    state: str
    looped: bool = False
    outputs: tuple[Plain, ...] = ()
    schema: Mapping[str, Any] | None = None
    changed: bool = False

    def text(self) -> str:
        """One line."""
        said = f"{self.step}: {self.state}"
        if not self.outputs:
            return said
        said += " (a write)" if self.changed else ""
        if self.looped:
            return f"{said}, {len(self.outputs)} calls; {digest_of(list(self.outputs), _listed(self.schema))}"
        return f"{said}; {digest_of(self.outputs[0], self.schema)}"


@dataclass(frozen=True)
class Failure:
    """Why one call, step or expectation failed.

    Attributes:
        where: the call's id, `move[17]`, or `ensures`.
        kind: the class of the error, `NotFound`.
        message: in the system's words; scrubbed, cut and quoted before anybody else sees it.
    """

    where: str
    kind: str
    message: str
    action: str = ""

    @property
    def step(self) -> str:
        """The step it belongs to."""
        return self.where.partition("[")[0].partition("~")[0]

    def text(self) -> str:
        """One line for a model."""
        action = f" ({self.action})" if self.action else ""
        return f"{self._place()}{action}: {self.kind}: {quoted(scrub(self.message), 300)}"

    def _place(self) -> str:
        key = self.where.partition("[")[2].rpartition("]")[0]
        if not key:
            return self.step
        return f"{self.step}, the item {key}" if _NUMBERED.fullmatch(key) else f"{self.step}, one of its items"


def _listed(schema: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if schema is None:
        return None
    items = {key: value for key, value in schema.items() if key != "$defs"}
    return {"type": "array", "items": items, "$defs": schema.get("$defs", {})}


def digest_of(value: Plain, schema: Mapping[str, Any] | None = None) -> str:
    """A value in a line of bounded length. Strings show only where the schema says that the system asserts them."""
    root = schema or {}
    text = _shown(value, root, root, 0)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _shown(value: Plain, root: Mapping[str, Any], node: Any, depth: int) -> str:
    node, closed = _follow(root, node)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float | Decimal):
        text = str(value)
        return text if len(text) <= 40 else f"a number of {len(text)} characters"
    if isinstance(value, str):
        return _string(value, closed)
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if depth > 3:
        return "…"
    if isinstance(value, Mapping):
        return _object(value, root, node, depth)
    if isinstance(value, list | tuple):
        items = [_shown(item, root, node.get("items"), depth + 1) for item in value[:_ITEMS]]
        more = f", … {len(value) - _ITEMS} more" if len(value) > _ITEMS else ""
        return f"{len(value)} items: [{', '.join(items)}{more}]" if value else "no items"
    return type(value).__name__


def _string(value: str, closed: bool) -> str:
    if closed and _WORD.fullmatch(value):
        return quoted(value, 64)
    if _DATE_LIKE.fullmatch(value):
        return value
    return f"text of {len(value)} characters"


def _object(value: Mapping[str, Plain], root: Mapping[str, Any], node: Mapping[str, Any], depth: int) -> str:
    properties = node.get("properties")
    known: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
    extra = node.get("additionalProperties")
    parts: list[str] = []
    hidden = 0
    for name, item in value.items():
        if len(parts) >= _FIELDS or (name not in known and not _PLAIN_KEY.fullmatch(name)):
            hidden += 1
            continue
        parts.append(f"{one_line(name, 60)}: {_shown(item, root, known.get(name, extra), depth + 1)}")
    if hidden:
        parts.append(f"… {hidden} more fields")
    return "{" + ", ".join(parts) + "}"


def _follow(root: Mapping[str, Any], node: Any) -> tuple[Mapping[str, Any], bool]:
    """The schema behind a reference or a nullable one, and whether its values are closed."""
    closed = False
    for _ in range(8):
        if not isinstance(node, Mapping):
            return {}, closed
        closed = closed or bool(node.get("x-closed"))
        if "$ref" in node:
            node = root.get("$defs", {}).get(str(node["$ref"]).rsplit("/", 1)[-1], {})
        elif isinstance(node.get("anyOf"), list):
            options = [one for one in node["anyOf"] if isinstance(one, Mapping) and one.get("type") != "null"]
            if len(options) != 1:
                return {}, closed
            node = options[0]
        else:
            return node, closed
    return {}, closed
