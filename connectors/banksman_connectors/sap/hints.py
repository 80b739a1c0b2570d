"""Types that are made while a program runs: checkers cannot follow them, pydantic can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict
from typing_extensions import TypedDict

_STRICT = ConfigDict(extra="forbid")
_make: Any = TypedDict


def object_of(name: str, fields: Mapping[str, Any], *, strict: bool) -> Any:
    """An object with these fields. `strict`: no others, and each is required that is not `NotRequired`."""
    made = _make(name, dict(fields), total=strict)
    if strict:
        made.__pydantic_config__ = _STRICT
    return made


def one_of(*values: str) -> Any:
    """One of a few texts."""
    return Literal[values]


def list_of(inner: Any) -> Any:
    """A list."""
    return list[inner]


def values_by(name: Any) -> Any:
    """An object whose names are of one type, with any values."""
    return dict[name, Any]
