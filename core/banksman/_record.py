"""Records, closed fields, and placeholders for what only the system can know."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar, final
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from banksman._canonical import Plain

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ClosedMark:
    """Marks a type whose values the service itself asserts: an id, a status, a time. Not text somebody typed."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core)
        # A reference stands alone in older JSON Schema dialects, so the mark goes beside it, not inside the target.
        return {**schema, "x-closed": True}


#: `Closed[str]`: the service asserts the value. A bare `str` is free text: anybody can have written it.
Closed = Annotated[T, ClosedMark()]


class Record(BaseModel):
    """One object of a system, as an action returns it: frozen, unknown fields ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


@final
class _Pending:
    """The type of `PENDING`."""

    def __repr__(self) -> str:
        return "PENDING"


#: Stands in a predicted result or after-image for what only the system can know, such as a new id.
PENDING: Final[Any] = _Pending()


class Placeholder(str):
    """A value that will exist once a call has run: typed by the field it stands for, opaque until then.

    It is a string, so that URLs and bodies can be built around it; the nonce of its preview keeps anybody from
    writing one into a record.
    """

    __slots__ = ()


_TOKEN = re.compile(r"⟦[0-9a-f]{16}:([^⟦⟧:]+):([^⟦⟧]*)⟧")
_QUOTED = re.compile(r"%E2%9F%A6[0-9a-f]{16}(?:%3A|:).+?%E2%9F%A7")


def placeholder(nonce: str, call: str, path: str) -> Placeholder:
    """The placeholder for `path` of the output of `call`. `nonce` is 16 hex digits, drawn for each preview."""
    return Placeholder(f"⟦{nonce}:{call}:{path}⟧")


def describe(value: str) -> str:
    """A text with each placeholder as a person reads it: `(known after move[0]: id)`."""
    return _TOKEN.sub(lambda match: f"(known after {match[1]}{': ' + match[2] if match[2] else ''})", value)


def waits_for(value: Plain, nonce: str) -> set[tuple[str, str]]:
    """The `(call, path)` pairs of all placeholders of this preview inside a value."""
    found: set[tuple[str, str]] = set()

    def look(text: str) -> None:
        found.update((m[1], m[2]) for m in _TOKEN.finditer(text) if text.startswith(f"⟦{nonce}:", m.start()))

    _strings(value, look)
    return found


def _strings(value: Plain, visit: Callable[[str], None]) -> None:
    if isinstance(value, str):
        if "⟦" in value:
            visit(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _strings(key, visit)
            _strings(item, visit)
    elif isinstance(value, list | tuple):
        for item in value:
            _strings(item, visit)


def settle(value: Plain, resolve: Callable[[Placeholder], Plain]) -> Plain:
    """The value with each placeholder replaced by what it came to be.

    A string that is one placeholder becomes the value itself; one that contains placeholders, plain or
    percent-encoded, becomes a text. `resolve` returns the placeholder itself where nothing is known.
    """
    if isinstance(value, str):
        return _settle_text(value, resolve)
    if isinstance(value, Mapping):
        return {_settle_text(key, resolve): settle(item, resolve) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [settle(item, resolve) for item in value]
    return value


def _settle_text(text: str, resolve: Callable[[Placeholder], Plain]) -> Plain:
    if "%E2%9F%A6" in text:
        text = _QUOTED.sub(lambda m: quote(str(resolve(_unquote(m[0]))), safe=""), text)
    if "⟦" not in text:
        return text
    if _TOKEN.fullmatch(text):
        return resolve(Placeholder(text))
    return _TOKEN.sub(lambda match: str(resolve(Placeholder(match[0]))), text)


def _unquote(text: str) -> Placeholder:
    from urllib.parse import unquote

    return Placeholder(unquote(text))


def token_parts(token: Placeholder) -> tuple[str, str, str] | None:
    """`(nonce, call, path)` of a placeholder, None for any other text."""
    match = _TOKEN.fullmatch(token)
    return (token[1:17], match[1], match[2]) if match else None


def holds_placeholder(value: Plain) -> bool:
    """Whether any placeholder is inside a value."""
    found: list[str] = []
    _strings(value, found.append)
    return any(_TOKEN.search(text) for text in found)


def fill_pending(value: Any, make: Callable[[str], Placeholder], path: str = "") -> Any:
    """The value with each `PENDING` replaced by the placeholder that `make` gives for its path."""
    if value is PENDING:
        return make(path)
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields if hasattr(value, name)}
    if isinstance(value, Mapping):
        return {k: fill_pending(item, make, f"{path}.{k}" if path else str(k)) for k, item in value.items()}
    if isinstance(value, list | tuple):
        return [fill_pending(item, make, f"{path}[{i}]") for i, item in enumerate(value)]
    return value


_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def at_path(value: Plain, path: str) -> Plain:
    """The part of a value that a placeholder's path names.

    Raises:
        LookupError: there is no such part.
    """
    for name, index in _STEP.findall(path):
        value = value[name] if name else value[int(index)]
    return value
