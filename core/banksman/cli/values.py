"""`name=value` on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from banksman.errors import UsageError

if TYPE_CHECKING:
    from banksman._action import Action


def pairs(given: Iterable[str], option: str) -> dict[str, str]:
    """The values by name.

    Raises:
        UsageError: one has no `=`, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"{option} {text!r}: write NAME=VALUE")
        if name in found:
            raise UsageError(f"{option} {name}: given twice")
        found[name] = value
    return found


def json_value(text: str, option: str) -> Any:
    """A value given as JSON.

    Raises:
        UsageError: it is not JSON.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{option}: not JSON: {error}") from None


def arguments(action: Action[Any, Any], given: Iterable[str], as_json: str | None) -> dict[str, Any]:
    """The arguments of an action. A text stays text where the action takes one; elsewhere it is read as JSON.

    Raises:
        UsageError: both forms are given, or one is malformed.
    """
    named = pairs(given, "--with")
    if as_json is not None:
        if named:
            raise UsageError("give --with or --json-args, not both")
        value = json_value(as_json, "--json-args")
        if not isinstance(value, dict):
            raise UsageError("--json-args: an object was expected")
        return value
    schema = action.input.json_schema
    return {name: _typed(schema, name, text) for name, text in named.items()}


def _typed(schema: Mapping[str, Any], name: str, text: str) -> Any:
    kinds = _kinds(schema, schema.get("properties", {}).get(name, {}))
    if "string" in kinds and not (kinds & {"array", "object"} and text[:1] in ("[", "{")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text  # the action says what it wanted


def _kinds(schema: Mapping[str, Any], node: Any, depth: int = 0) -> set[str]:
    """The JSON types that a part of a schema takes."""
    if not isinstance(node, Mapping) or depth > 8:
        return set()
    if "$ref" in node:
        return _kinds(schema, schema.get("$defs", {}).get(str(node["$ref"]).rsplit("/", 1)[-1]), depth + 1)
    found = {node["type"]} if isinstance(node.get("type"), str) else set(node.get("type", ()))
    if "enum" in node or "const" in node:
        values = [*node.get("enum", ()), *([node["const"]] if "const" in node else ())]
        found |= {"string"} if any(isinstance(value, str) for value in values) else set()
    for name in ("anyOf", "oneOf", "allOf"):
        for part in node.get(name, ()):
            found |= _kinds(schema, part, depth + 1)
    return found
