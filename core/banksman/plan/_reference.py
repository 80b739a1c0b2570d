"""References: JMESPath (https://jmespath.org/specification.html) over inputs, earlier outputs and the item at hand.

`"${late.rows}"` is the value itself; `"Moved ${length(move)} orders"` is a text; `$${` is a literal `${`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import jmespath
from jmespath import exceptions, functions
from jmespath.visitor import Options

from banksman._canonical import Plain


class BadReference(ValueError):
    """A reference cannot be read or evaluated; the text says why."""


@dataclass(frozen=True, slots=True)
class Expr:
    """A compiled expression.

    Attributes:
        roots: the names it reads from the scope.
        paths: plain chains of fields that it starts from, such as `("late", "rows")`, for checks against schemas.
    """

    text: str
    roots: frozenset[str]
    paths: tuple[tuple[str, ...], ...]
    parsed: Any

    def evaluate(self, scope: Mapping[str, Plain]) -> Plain:
        """The value in a scope; None where a path leads nowhere.

        Raises:
            BadReference: a function got a value of the wrong type.
        """
        try:
            return self.parsed.search(scope, _OPTIONS)
        except exceptions.JMESPathError as error:
            raise BadReference(f"${{{self.text}}}: {_short(error)}") from None
        except (TypeError, ValueError, ArithmeticError) as error:
            raise BadReference(f"${{{self.text}}}: {error}") from None


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Expr:
    """Compile what stands between `${` and `}`.

    Raises:
        BadReference: it is no JMESPath, or reads the whole scope by `@`.
    """
    text = text.strip()
    if not text:
        raise BadReference("${}: empty")
    try:
        parsed = jmespath.compile(text)
    except exceptions.JMESPathError as error:
        raise BadReference(f"${{{text}}}: {_short(error)}") from None
    roots: set[str] = set()
    paths: list[tuple[str, ...]] = []
    _collect(parsed.parsed, roots, paths)
    return Expr(text, frozenset(roots), tuple(paths), parsed)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


# In these nodes only the first child reads the scope; the rest read what the first one yields.
_LEFT_ONLY = frozenset(
    {"subexpression", "index_expression", "projection", "value_projection", "filter_projection", "pipe", "flatten"}
)


def _collect(node: Any, roots: set[str], paths: list[tuple[str, ...]]) -> None:
    kind = node["type"]
    if kind == "field":
        roots.add(node["value"])
        paths.append((node["value"],))
    elif kind == "current":
        raise BadReference("`@` alone reads everything; name the input or step that is meant")
    elif kind == "subexpression":
        chain = _chain(node)
        if chain is not None:
            roots.add(chain[0])
            paths.append(chain)
        else:
            _collect(node["children"][0], roots, paths)
    elif kind in _LEFT_ONLY or kind == "key_val_pair":
        _collect(node["children"][0], roots, paths)
    elif kind not in ("literal", "expref", "identity"):
        for child in node.get("children", ()):
            _collect(child, roots, paths)


def _chain(node: Any) -> tuple[str, ...] | None:
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] != "subexpression":
        return None
    names: list[str] = []
    for child in node["children"]:
        chain = _chain(child)
        if chain is None:
            return None
        names.extend(chain)
    return tuple(names)


@lru_cache(maxsize=4096)
def split(text: str) -> tuple[str | Expr, ...]:
    """The literal parts and expressions of a text, in order.

    Raises:
        BadReference: an expression is not closed, or cannot be read.
    """
    parts: list[str | Expr] = []
    literal = ""
    at = 0
    while at < len(text):
        if text.startswith("$${", at):
            literal += "${"
            at += 3
        elif text.startswith("${", at):
            end = _closing(text, at + 2)
            if literal:
                parts.append(literal)
                literal = ""
            parts.append(compile_expression(text[at + 2 : end]))
            at = end + 1
        else:
            literal += text[at]
            at += 1
    if literal or not parts:
        parts.append(literal)
    return tuple(parts)


def _closing(text: str, start: int) -> int:
    """Where the brace that ends an expression stands; braces inside quotes and hashes do not count."""
    depth = 0
    quote = ""
    at = start
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "'\"`":
            quote = char
        elif char == "{":
            depth += 1
        elif char == "}":
            if depth == 0:
                return at
            depth -= 1
        at += 1
    raise BadReference(f"{text[start - 2 : start + 40]!r}: the closing brace is missing")


def escape(value: Plain) -> Plain:
    """A literal whose texts mean themselves, whatever they contain."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, Mapping):
        return {key: escape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escape(item) for item in value]
    return value


def expressions(value: Any) -> Iterator[Expr]:
    """Every expression inside a template.

    Raises:
        BadReference: one cannot be read.
    """
    if isinstance(value, str):
        if "${" in value:
            yield from (part for part in split(value) if isinstance(part, Expr))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from expressions(item)
    elif isinstance(value, list):
        for item in value:
            yield from expressions(item)


def resolve(template: Any, scope: Mapping[str, Plain]) -> Plain:
    """The template with its references replaced by their values.

    Raises:
        BadReference: an expression cannot be evaluated.
    """
    if isinstance(template, str):
        return _resolve_text(template, scope)
    if isinstance(template, Mapping):
        return {key: resolve(item, scope) for key, item in template.items()}
    if isinstance(template, list):
        return [resolve(item, scope) for item in template]
    return template


def _resolve_text(text: str, scope: Mapping[str, Plain]) -> Plain:
    if "${" not in text:
        return text
    parts = split(text)
    if len(parts) == 1:
        return parts[0].evaluate(scope) if isinstance(parts[0], Expr) else parts[0]
    return "".join(part if isinstance(part, str) else as_text(part.evaluate(scope)) for part in parts)


def as_text(value: Plain) -> str:
    """A value inside a text: strings as they are, nothing for null, compact JSON for the rest."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    return _to_json(value)


def _to_json(value: Plain) -> str:
    import json

    def exact(item: Any) -> Any:
        if isinstance(item, Decimal):
            return int(item) if item == item.to_integral_value() else float(item)
        raise TypeError(f"a {type(item).__name__} cannot stand in a text")

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=exact)


def true(value: Plain) -> bool:
    """Truth after JMESPath: false, null, and empty texts, lists and objects are false; 0 is true."""
    if value is None or value is False:
        return False
    return bool(value) if isinstance(value, str | list | Mapping) else True


_MORE_TYPES = {"Decimal": "number", "Placeholder": "string"}


def _more_like(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name, kind in _MORE_TYPES.items() if ("int" if kind == "number" else "str") in names)


class _Functions(functions.Functions):
    """What JMESPath lacks for business: days, and decimals as numbers."""

    @functions.signature({"types": ["string"]}, {"types": ["number"]})
    def _func_add_days(self, day: str, days: float) -> str:
        if "T" in day:
            return (datetime.fromisoformat(day) + timedelta(days=float(days))).isoformat()
        return (date.fromisoformat(day) + timedelta(days=float(days))).isoformat()

    @functions.signature({"types": ["string"]}, {"types": ["string"]})
    def _func_days_between(self, first: str, second: str) -> int:
        return (date.fromisoformat(second[:10]) - date.fromisoformat(first[:10])).days

    @functions.signature({"types": ["array"]})
    def _func_unique(self, items: list[Any]) -> list[Any]:
        found: list[Any] = []
        for item in items:
            if item not in found:
                found.append(item)
        return found

    @functions.signature({"types": ["array", "null"]}, {"types": ["array", "null"]})
    def _func_zip(self, first: list[Any] | None, second: list[Any] | None) -> list[Any]:
        return [list(pair) for pair in zip(first or [], second or [], strict=False)]

    @functions.signature({"types": []})
    def _func_to_string(self, value: Any) -> str:
        return as_text(value)

    # The library compares the names of Python types; it knows neither decimals nor placeholders.
    def _convert_to_jmespath_type(self, pyobject: str) -> str:
        return _MORE_TYPES.get(pyobject) or str(super()._convert_to_jmespath_type(pyobject))  # type: ignore[misc]

    def _get_allowed_pytypes(self, types: list[str]) -> tuple[list[str], list[tuple[str, ...]]]:
        allowed, subtypes = super()._get_allowed_pytypes(types)  # type: ignore[misc]
        more = [name for name, kind in _MORE_TYPES.items() if kind in types]
        return allowed + more, [(*names, *_more_like(names)) for names in subtypes]

    @functions.signature({"types": ["array-number"]})
    def _func_sum(self, items: list[Any]) -> Any:
        exact = any(isinstance(item, Decimal) for item in items)
        return sum((Decimal(str(item)) for item in items), Decimal(0)) if exact else sum(items)


_OPTIONS = Options(custom_functions=_Functions())
