"""An action on one line, as a model reads it: name, arguments, output, effect, what it does."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

from banksman._action import Action
from banksman.errors import BanksmanError

_WIDEST = 40
_DEEPEST = 4


def one_line(text: str, longest: int) -> str:
    """A text from outside without line ends, control and invisible characters or fences, cut to `longest`."""
    kept = (" " if unicodedata.category(char)[0] in "CZ" else char for char in text[: 4 * longest])
    flat = " ".join("".join(kept).replace("```", "'''").split())
    return flat if len(flat) <= longest else f"{flat[: longest - 1]}…"


def quoted(text: str, longest: int) -> str:
    """The same as a JSON string: a text that cannot be taken for anything but a text."""
    return json.dumps(one_line(text, longest), ensure_ascii=False)


def signature(action: Action[Any, Any]) -> str:
    """`sap.orders.get(id: string) -> {id: string, note: text}  [read] One purchase order.`"""
    arguments = _arguments(action)
    try:
        schema = action.output_schema
        output = lean(schema, schema, output=True)
    except (BanksmanError, TypeError, ValueError, NameError):
        output = "any"
    return f"{action.full_name}({arguments}) -> {output}  [{action.effect.value}] {one_line(action.description, 140)}"


def _arguments(action: Action[Any, Any]) -> str:
    schema = action.input.json_schema
    parts: list[str] = []
    properties = schema.get("properties", {})
    for name in action.input.names:
        given = properties.get(name, {})
        optional = name not in action.input.required
        default = given.get("default")
        shown = f" = {quoted(json.dumps(default), 30)[1:-1]}" if isinstance(default, str | int | float | bool) else ""
        said = given.get("description")
        told = f" ({one_line(said, 70)})" if isinstance(said, str) and said else ""
        kind = lean(schema, given, output=False)
        parts.append(f"{one_line(name, 60)}{'?' if optional else ''}: {kind}{shown}{told}")
    return ", ".join(parts)


def lean(root: Mapping[str, Any], node: Any, *, output: bool, depth: int = 0) -> str:
    """The type a JSON Schema describes, in a few characters. In an output a string that is not closed is `text`."""
    if not isinstance(node, Mapping) or depth > _DEEPEST:
        return "any"
    if "$ref" in node:
        target = root.get("$defs", {}).get(str(node["$ref"]).rsplit("/", 1)[-1], {})
        return lean(root, {**target, **{k: v for k, v in node.items() if k != "$ref"}}, output=output, depth=depth + 1)
    if "const" in node:
        return quoted(str(node["const"]), 30)
    if isinstance(node.get("enum"), list):
        values = [quoted(str(value), 30) for value in node["enum"][:8]]
        return "|".join(values + (["…"] if len(node["enum"]) > 8 else []))
    for several in ("anyOf", "oneOf"):
        if isinstance(node.get(several), list):
            closed = {"x-closed": True} if node.get("x-closed") else {}
            options = [lean(root, {**option, **closed}, output=output, depth=depth) for option in node[several]]
            return "|".join(dict.fromkeys(options))
    kind = node.get("type")
    if isinstance(kind, list):
        return "|".join(lean(root, {**node, "type": one}, output=output, depth=depth) for one in kind)
    if kind == "array":
        return f"[{lean(root, node.get('items'), output=output, depth=depth + 1)}]"
    if kind == "object" or "properties" in node:
        return _object(root, node, output=output, depth=depth)
    if kind == "string":
        return _string(node, output=output)
    return str(kind) if kind in ("integer", "number", "boolean", "null") else "any"


def _string(node: Mapping[str, Any], *, output: bool) -> str:
    if node.get("format") in ("date", "date-time", "time"):
        return str(node["format"])
    return "text" if output and not node.get("x-closed") else "string"


def _object(root: Mapping[str, Any], node: Mapping[str, Any], *, output: bool, depth: int) -> str:
    properties = node.get("properties")
    if isinstance(properties, Mapping) and properties:
        shown = [
            f"{one_line(str(name), 60)}: {lean(root, item, output=output, depth=depth + 1)}"
            for name, item in list(properties.items())[:_WIDEST]
        ]
        return "{" + ", ".join(shown + (["…"] if len(properties) > _WIDEST else [])) + "}"
    extra = node.get("additionalProperties")
    return (
        f"{{string: {lean(root, extra, output=output, depth=depth + 1)}}}" if isinstance(extra, Mapping) else "object"
    )
