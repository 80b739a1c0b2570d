"""What differs between two plain values, field by field, after their types are made alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from banksman._canonical import Plain


class _Absent:
    def __repr__(self) -> str:
        return "(absent)"


#: Stands on the side of a difference that has no such field.
ABSENT_FIELD: Final = _Absent()

Difference = tuple[str, Plain, Plain]


def differences(before: Plain, after: Plain, path: str = "") -> list[Difference]:
    """The `(path, before, after)` triples of all leaves that differ, in the order of the fields."""
    return list(_walk(before, after, path))


def _walk(before: Plain, after: Plain, path: str) -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in [*before, *(key for key in after if key not in before)]:
            inner = f"{path}.{name}" if path else str(name)
            yield from _walk(before.get(name, ABSENT_FIELD), after.get(name, ABSENT_FIELD), inner)
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
        for index in range(max(len(before), len(after))):
            old = before[index] if index < len(before) else ABSENT_FIELD
            new = after[index] if index < len(after) else ABSENT_FIELD
            yield from _walk(old, new, f"{path}[{index}]")
    elif not same(before, after):
        yield path, before, after


def same(one: Plain, other: Plain) -> bool:
    """Equality by meaning: `10`, `10.0` and `Decimal("10.00")` are one number; `true` and `1` are not."""
    if one is other:
        return True
    kind = type(one)
    if kind is type(other) and (kind is str or kind is bool or kind is int):
        return bool(one == other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return False
    if isinstance(one, int | float | Decimal) and isinstance(other, int | float | Decimal):
        return _number(one) == _number(other)
    if isinstance(one, str) and isinstance(other, str):
        return str(one) == str(other)
    return kind is type(other) and bool(one == other)


def _number(value: int | float | Decimal) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
