"""What an action takes: a schema from a signature, or one read from a system's description."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Set
from functools import cached_property
from typing import Annotated, Any, NotRequired, Protocol, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict

from banksman._record import Placeholder, holds_placeholder
from banksman.errors import ArgumentError


class Schema(Protocol):
    """Validates the arguments of an action and describes them."""

    @property
    def names(self) -> tuple[str, ...]:
        """The arguments, in order."""

    @property
    def required(self) -> frozenset[str]:
        """The arguments that have no default."""

    @property
    def json_schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of an object of arguments."""

    def validate(self, action: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments in their Python types. Placeholders stand for any type.

        Raises:
            ArgumentError: lists every problem.
        """


class FieldsSchema:
    """A schema made of named, typed fields: the signature of a function, or entity properties."""

    def __init__(self, fields: Mapping[str, tuple[Any, Any]]) -> None:
        """`fields` maps a name to its type and default; `inspect.Parameter.empty` means required."""
        self._fields = dict(fields)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._fields)

    @cached_property
    def required(self) -> frozenset[str]:
        empty = inspect.Parameter.empty
        return frozenset(name for name, (_, default) in self._fields.items() if default is empty)

    @cached_property
    def _adapter(self) -> TypeAdapter[dict[str, Any]]:
        members = {
            name: hint if name in self.required else NotRequired[hint] for name, (hint, _) in self._fields.items()
        }
        # A TypedDict, not a model: arguments named `json` or `schema` stay usable.
        typed = TypedDict("Arguments", members)  # type: ignore[misc]
        typed.__pydantic_config__ = ConfigDict(  # type: ignore[attr-defined]
            extra="forbid", arbitrary_types_allowed=True, str_strip_whitespace=False
        )
        return TypeAdapter(typed)  # type: ignore[arg-type]

    @cached_property
    def json_schema(self) -> dict[str, Any]:
        schema = self._adapter.json_schema()
        schema.pop("title", None)
        for name, (hint, default) in self._fields.items():
            if name not in self.required and name in schema.get("properties", {}):
                encoded = TypeAdapter(hint).dump_python(default, mode="json", warnings=False)
                schema["properties"][name].setdefault("default", encoded)
        schema.setdefault("properties", {})
        return schema

    def validate(self, action: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if holds_placeholder(arguments):
            return self._validate_pending(action, arguments)
        try:
            return self._adapter.validate_python(dict(arguments))
        except ValidationError as error:
            raise ArgumentError(action, problems(error, self.names)) from None

    def _validate_pending(self, action: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Argument by argument: a placeholder is taken as it is, whatever the type it stands for."""
        out: dict[str, Any] = {}
        found = [f"{name}: missing" for name in self._fields if name in self.required - arguments.keys()]
        for name, value in arguments.items():
            if name not in self._fields:
                found.append(_unknown(name, self.names))
            elif isinstance(value, str) and holds_placeholder(value):
                out[name] = Placeholder(value)
            else:
                out[name], wrong = self._validate_one(name, value)
                found += wrong
        if found:
            raise ArgumentError(action, found)
        return out

    def _validate_one(self, name: str, value: Any) -> tuple[Any, list[str]]:
        """One argument and what is wrong with it, besides that parts of it are not there yet."""
        alone = FieldsSchema({name: self._fields[name]})
        held = set(_placeholders(value))
        try:
            return _marked(alone._adapter.validate_python({name: value})[name], held), []
        except ValidationError as error:
            return _marked(value, held), problems(error, self.names, unless=_waits)


def _waits(error: ErrorDetails) -> bool:
    """Whether a problem is only that a value is not there yet: a placeholder, or a check across what holds one."""
    checked = isinstance(error["input"], str) or error["type"] in ("value_error", "assertion_error")
    return checked and holds_placeholder(error["input"])


def _placeholders(value: Any) -> Iterator[str]:
    """The texts in a value that are or hold a placeholder."""
    if isinstance(value, str):
        if holds_placeholder(value):
            yield value
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _placeholders(item)


def _marked(value: Any, held: Set[str]) -> Any:
    """The value with the texts in `held` as `Placeholder` again, which validation made plain: bodies ask for it."""
    if isinstance(value, str):
        return Placeholder(value) if value in held else value
    if isinstance(value, Mapping):
        return {key: _marked(item, held) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(item, held) for item in value]
    return value


def _unknown(name: str, known: tuple[str, ...]) -> str:
    return f"{name}: no such argument; there are {', '.join(known) or 'none'}"


def problems(
    error: ValidationError, known: tuple[str, ...], unless: Callable[[ErrorDetails], bool] = lambda item: False
) -> list[str]:
    """A line for each problem: where, what, and the type that was given (never the value: it may be a secret)."""
    lines: list[str] = []
    for item in error.errors(include_url=False, include_context=False):
        if unless(item):
            continue
        place = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            lines.append(_unknown(place, known))
        elif item["type"] == "missing":
            lines.append(f"{place}: missing")
        else:
            message = item["msg"][0].lower() + item["msg"][1:]
            lines.append(f"{place}: {message} (got {_type_name(item['input'])})")
    return lines


def _type_name(value: Any) -> str:
    names = {str: "text", dict: "an object", list: "a list", bool: "a boolean", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def from_signature(function: Callable[..., Any]) -> FieldsSchema:
    """The schema of a function's parameters, the first one (the API handle) left out.

    Parameter descriptions are read from the `Args:` section of the docstring.

    Raises:
        TypeError: a parameter has no annotation, or is `*args`/`**kwargs`.
    """
    hints = get_type_hints(function, include_extras=True)
    described = argument_docs(inspect.getdoc(function) or "")
    fields: dict[str, tuple[Any, Any]] = {}
    for name, parameter in list(inspect.signature(function).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"parameter {parameter} is not allowed: name each argument")
        if name not in hints:
            raise TypeError(f"parameter {name!r} has no type")
        hint = hints[name]
        if name in described:
            hint = Annotated[hint, Field(description=described[name])]
        fields[name] = (hint, parameter.default)
    return FieldsSchema(fields)


def argument_docs(doc: str) -> dict[str, str]:
    """The `Args:` section of a Google-style docstring as name -> text."""
    found: dict[str, str] = {}
    current: str | None = None
    inside = False
    for line in doc.splitlines():
        stripped = line.strip()
        if stripped in ("Args:", "Arguments:"):
            inside = True
        elif inside and stripped and not line.startswith(" "):
            break
        elif inside and stripped:
            indent = len(line) - len(line.lstrip())
            head, colon, text = stripped.partition(":")
            if indent <= 4 and colon and head.replace("_", "a").isalnum():
                current, found[head] = head, text.strip()
            elif current:
                found[current] += f" {stripped}"
    return found


def summary_of(doc: str) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(doc.strip().split("\n\n")[0].split())
