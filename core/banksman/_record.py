"""Records, closed fields, and placeholders for what only the system can know."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar, final
from urllib.parse import quote, unquote

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


#: The nonce of the preview under way; `banksman._change.preparing` sets it. Empty outside of one.
current_nonce: ContextVar[str] = ContextVar("banksman_nonce", default="")

_TOKEN = re.compile(r"⟦[0-9a-f]{16}:([^⟦⟧:]+):([^⟦⟧]*)⟧")
_OPEN, _CLOSE = "%E2%9F%A6", "%E2%9F%A7"


def placeholder(nonce: str, call: str, path: str) -> Placeholder:
    """The placeholder for `path` of the output of `call`. `nonce` is 16 hex digits, drawn for each preview."""
    return Placeholder(f"⟦{nonce}:{call}:{path}⟧")


@lru_cache(maxsize=64)
def _patterns(nonce: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What a placeholder of one preview looks like, plain and percent-encoded. Any other text is somebody's text."""
    known = re.escape(nonce)
    plain_form = re.compile(rf"⟦{known}:([^⟦⟧:]+):([^⟦⟧]*)⟧")
    quoted = re.compile(rf"{_OPEN}{known}(?:%3A|:)(?:(?!{_OPEN}|{_CLOSE}).)+{_CLOSE}", re.IGNORECASE | re.DOTALL)
    return plain_form, quoted


def describe(value: str, nonce: str) -> str:
    """A text with each placeholder of this preview as a person reads it: `(known after move[0]: id)`.

    Texts that only look like one stay as they are: somebody wrote them into a record.
    """
    form, _ = _patterns(nonce)
    return form.sub(lambda match: f"(known after {match[1]}{': ' + match[2] if match[2] else ''})", value)


def pieces(text: str, nonce: str) -> list[str]:
    """A text cut at the placeholders of this preview, plain or percent-encoded; those are `Placeholder`s.

    Whoever shows a text can so tell a placeholder from somebody's words that read like one.
    """
    form, quoted = _patterns(nonce)
    found: list[str] = []
    end = 0
    for match in re.finditer(f"{form.pattern}|(?s:(?i:{quoted.pattern}))", text):
        found += [text[end : match.start()], Placeholder(unquote(match[0]))]
        end = match.end()
    return [piece for piece in [*found, text[end:]] if piece]


def waits_for(value: Plain, nonce: str) -> set[tuple[str, str]]:
    """The `(call, path)` pairs of all placeholders of this preview inside a value, plain or percent-encoded."""
    found: set[tuple[str, str]] = set()
    form, quoted = _patterns(nonce)

    def look(text: str) -> None:
        found.update((match[1], match[2]) for match in form.finditer(text))
        for match in quoted.finditer(text):
            parts = token_parts(Placeholder(unquote(match[0])))
            if parts is not None:
                found.add(parts[1:])

    _strings(value, look)
    return found


def _strings(value: Plain, visit: Callable[[str], None]) -> None:
    if isinstance(value, str):
        if "⟦" in value or "%" in value:
            visit(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _strings(key, visit)
            _strings(item, visit)
    elif isinstance(value, list | tuple):
        for item in value:
            _strings(item, visit)


def settle(value: Plain, nonce: str, resolve: Callable[[Placeholder], Plain]) -> Plain:
    """The value with each placeholder of this preview replaced by what it came to be.

    A string that is one placeholder becomes the value itself; one that contains placeholders, plain or
    percent-encoded, becomes a text. `resolve` returns the placeholder itself where nothing is known. A text with
    another nonce is never settled: whoever wrote it into a record did not know this preview's.
    """
    if isinstance(value, str):
        # Nearly every text holds none, and every value of every write passes here.
        return _settle_text(value, nonce, resolve) if "⟦" in value or "%" in value else value
    if isinstance(value, Mapping):
        return {str(settle(key, nonce, resolve)): settle(item, nonce, resolve) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [settle(item, nonce, resolve) for item in value]
    return value


def _settle_text(text: str, nonce: str, resolve: Callable[[Placeholder], Plain]) -> Plain:
    form, quoted = _patterns(nonce)
    if "⟦" in text and form.fullmatch(text):
        return resolve(Placeholder(text))

    def fill(match: re.Match[str]) -> str:
        if match[0].startswith("⟦"):
            return str(resolve(Placeholder(match[0])))
        token = Placeholder(unquote(match[0]))
        known = resolve(token)
        return match[0] if known == token else quote(str(known), safe="")

    if "⟦" not in text and "%" not in text:
        return text
    # In one pass: what a placeholder came to be is outside text, and is not looked through again.
    return re.sub(f"{form.pattern}|(?s:(?i:{quoted.pattern}))", fill, text)


def token_parts(token: Placeholder) -> tuple[str, str, str] | None:
    """`(nonce, call, path)` of a placeholder, None for any other text."""
    match = _TOKEN.fullmatch(token)
    return (token[1:17], match[1], match[2]) if match else None


def holds_placeholder(value: Plain) -> bool:
    """Whether a placeholder is inside a value: a `Placeholder`, or a text around one of the preview under way."""
    nonce = current_nonce.get()
    found: list[str] = []
    _strings(value, found.append)
    if any(isinstance(text, Placeholder) for text in found):
        return True
    return bool(nonce) and any(pattern.search(text) for text in found for pattern in _patterns(nonce))


def fill_pending(value: Any, make: Callable[[str], Placeholder], path: str = "") -> Any:
    """The value with each `PENDING` replaced by the placeholder that `make` gives for its path."""
    if value is PENDING:
        return make(path)
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields if hasattr(value, name)}
    if isinstance(value, Mapping):
        return {key: fill_pending(item, make, below(path, str(key))) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [fill_pending(item, make, f"{path}[{i}]") for i, item in enumerate(value)]
    return value


_PLAIN_NAME = re.compile(r"[\w$-]+")
_STEP = re.compile(r'"((?:[^"\\]|\\.)*)"|([^.\[\]"]+)|\[(\d+)\]')


def below(path: str, name: str) -> str:
    """The path of a field: `items[0].pos`; a name with other signs in it stands in quotes: `"@odata.etag"`."""
    step = name if _PLAIN_NAME.fullmatch(name) else json.dumps(name)
    return f"{path}.{step}" if path else step


def path_steps(path: str) -> list[str | int]:
    """The names and indexes along a path."""
    return [int(index) if index else name or json.loads(f'"{quoted}"') for quoted, name, index in _STEP.findall(path)]


def at_path(value: Plain, path: str) -> Plain:
    """The part of a value that a placeholder's path names.

    Raises:
        LookupError: there is no such part.
    """
    try:
        for step in path_steps(path):
            value = value[step]
    except TypeError as error:
        raise LookupError(f"{path}: {error}") from None
    return value
