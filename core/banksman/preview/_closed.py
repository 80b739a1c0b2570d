"""Which parts of an output the service itself asserts, by the action's output schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from banksman._record import path_steps


def is_closed(schema: Mapping[str, Any], path: str) -> bool:
    """Whether the value at a placeholder's path (`id`, `items[0].pos`) is a closed field.

    What the schema does not describe is not closed: anybody can have written it.
    """
    node: Mapping[str, Any] = schema
    closed = bool(schema.get("x-closed"))
    for step in path_steps(path):
        node = _resolved(schema, node)
        inner = node.get("properties", {}).get(step) if isinstance(step, str) else node.get("items")
        if inner is None and isinstance(step, str) and node.get("additionalProperties"):
            # An object of any names: what is said of its values, or nothing.
            more = node["additionalProperties"]
            inner = more if isinstance(more, Mapping) else {}
        if not isinstance(inner, Mapping):
            return False
        node = inner
        # A closed list or object is closed throughout.
        closed = closed or bool(inner.get("x-closed"))
    return closed or bool(_resolved(schema, node).get("x-closed"))


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """The node behind references; of a nullable one, what it is when it is there."""
    for _ in range(16):
        if "$ref" in node:
            node = schema.get("$defs", {}).get(str(node["$ref"]).rsplit("/", 1)[-1], {})
        elif isinstance(node.get("anyOf"), list):
            others = [one for one in node["anyOf"] if one.get("type") != "null"]
            if len(others) != 1:
                return {}
            node = {**others[0], **({"x-closed": True} if node.get("x-closed") else {})}
        else:
            return node
    return {}
