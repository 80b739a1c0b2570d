"""Filters as arguments: `[{"field": "status", "op": "eq", "value": "open"}]`, or `{"status": "open"}` for short.

An expression is never taken as text. Fields are looked up in the metadata, each value is read into the field's type and
written as a literal of it, so a value like `x' or 1 eq 1` is compared, not evaluated. All conditions must hold; a list
of values means any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from banksman._canonical import Plain, plain
from banksman._record import Placeholder, holds_placeholder
from banksman.errors import ArgumentError
from banksman_connectors.sap.edm import EntitySet, Property, Version
from banksman_connectors.sap.hints import list_of, object_of, one_of, values_by
from banksman_connectors.sap.shapes import Shapes

Test = Callable[[Mapping[str, Any]], bool | None]

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: bool(a == b),
    "gt": lambda a, b: bool(a > b),
    "ge": lambda a, b: bool(a >= b),
    "lt": lambda a, b: bool(a < b),
    "le": lambda a, b: bool(a <= b),
}
_TEXT = ("contains", "startswith", "endswith")
OPERATIONS = (*_ORDER, "ne", "in", *_TEXT)
# Where the order of the plain values is the order of the system: not so for texts, whose collation is the system's.
_WHOLE = ("Edm.Byte", "Edm.SByte", "Edm.Int16", "Edm.Int32", "Edm.Int64")
_COMPARABLE = frozenset([*_WHOLE, "Edm.Decimal", "Edm.Date", "Edm.DateTime", "Edm.Time", "Edm.TimeOfDay"])
_MOST_VALUES = 200


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; `values` has one value, or several for `in`."""

    prop: Property
    op: str
    values: tuple[Plain, ...]


def filter_type(held: EntitySet) -> Any:
    """The type of the `filter` argument of a set."""
    names = tuple(name for name, prop in held.type.properties.items() if prop.filterable)
    if not names or not held.filterable:
        return None
    fields: dict[str, Any] = {
        "field": one_of(*names),
        "op": Annotated[one_of(*OPERATIONS), Field(description="the comparison; `in` takes a list of values")],
        "value": Any,
    }
    condition = object_of("Condition", fields, strict=True)
    shown = "conditions that must all hold; an object is short for equality: {'status': 'open'}"
    return Annotated[list_of(condition) | values_by(one_of(*names)) | None, Field(description=shown)]


def conditions(shapes: Shapes, held: EntitySet, given: Any, action: str) -> tuple[Condition, ...]:
    """The conditions of a `filter` argument.

    Raises:
        ArgumentError: a field, a comparison or a value does not fit; lists every problem.
    """
    if given is None:
        return ()
    items = [_equality(name, value) for name, value in given.items()] if isinstance(given, Mapping) else given
    found: list[Condition] = []
    wrong: list[str] = []
    for item in items:
        try:
            found.append(_condition(shapes, held, item))
        except ValueError as error:
            wrong.append(f"filter.{item.get('field') if isinstance(item, Mapping) else '?'}: {error}")
    if wrong:
        raise ArgumentError(action, wrong)
    return tuple(found)


def _equality(name: str, value: Any) -> dict[str, Any]:
    return {"field": name, "op": "in" if isinstance(value, list | tuple) else "eq", "value": value}


def _condition(shapes: Shapes, held: EntitySet, item: Any) -> Condition:
    if not isinstance(item, Mapping):
        raise ValueError("give field, op and value")
    known = {name: prop for name, prop in held.type.properties.items() if prop.filterable}
    prop, op, value = known.get(str(item.get("field"))), item.get("op", "eq"), item.get("value")
    if prop is None:
        raise ValueError(f"no such field to filter by; there are {', '.join(known)}")
    if op not in OPERATIONS:
        raise ValueError(f"no comparison {str(op)[:40]!r}; there are {', '.join(OPERATIONS)}")
    if op in _TEXT and prop.type != "Edm.String":
        raise ValueError(f"{op} compares texts, and this is a {prop.type}")
    if op == "in" and not isinstance(value, list | tuple):
        raise ValueError("`in` takes a list of values")
    values: list[Any] = [*value] if isinstance(value, list | tuple) and op == "in" else [value]
    if not 0 < len(values) <= _MOST_VALUES:
        raise ValueError(f"give 1 to {_MOST_VALUES} values")
    if None in values and op not in ("eq", "ne", "in"):
        raise ValueError(f"{op} takes no null")
    return Condition(prop, op, tuple(_value(shapes, prop, one) for one in values))


def _value(shapes: Shapes, prop: Property, value: Any) -> Plain:
    """A value in its field's type. The argument's own type is asked first, so that `22.03.2026` is refused."""
    if value is None or (isinstance(value, str) and holds_placeholder(value)):
        return None if value is None else Placeholder(value)
    if prop.type == "Edm.String" or prop.type in shapes.service.enums:
        return shapes.read(prop, value)
    try:
        return shapes.read(prop, plain(TypeAdapter(shapes.hint(prop, output=False)).validate_python(value)))
    except ValidationError as error:
        raise ValueError(error.errors(include_url=False, include_input=False)[0]["msg"].lower()) from None


def expression(shapes: Shapes, found: tuple[Condition, ...]) -> str | None:
    """The `$filter` of these conditions; None where there are none."""
    return " and ".join(_term(shapes, condition) for condition in found) or None


def _term(shapes: Shapes, condition: Condition) -> str:
    name = condition.prop.name
    written = [shapes.literal(condition.prop, value) for value in condition.values]
    if condition.op == "in":
        joined = " or ".join(f"{name} eq {value}" for value in written)
        return f"({joined})" if len(written) > 1 else joined
    if condition.op == "contains" and shapes.service.version is Version.V2:
        return f"substringof({written[0]},{name})"
    if condition.op in _TEXT:
        return f"{condition.op}({name},{written[0]})"
    return f"{name} {condition.op} {written[0]}"


def membership(found: tuple[Condition, ...]) -> Test | None:
    """The test whether a record fits the conditions; None where only the system can tell.

    The test gives None for a record whose field is not known.
    """
    if not all(_provable(condition) for condition in found):
        return None

    def fits(record: Mapping[str, Any]) -> bool | None:
        answers = [_holds(condition, record) for condition in found]
        return False if False in answers else None if None in answers else True

    return fits


def _provable(condition: Condition) -> bool:
    prop, op = condition.prop, condition.op
    if prop.computed or any(isinstance(value, Placeholder) for value in condition.values):
        return False
    if prop.type == "Edm.String":
        return op in ("eq", "in") and all(_same_everywhere(value) for value in condition.values)
    if op == "in":
        return True
    return op in _ORDER and (op == "eq" or prop.type in _COMPARABLE)


def _same_everywhere(value: Plain) -> bool:
    """Whether a text equals itself only: ABAP drops blanks at the end and fills numbers up with zeros."""
    return value is None or (value != "" and value == value.strip() and not (value.isdigit() and value[0] == "0"))


def _holds(condition: Condition, record: Mapping[str, Any]) -> bool | None:
    name = condition.prop.name
    value = record.get(name)
    if name not in record or isinstance(value, Placeholder) or (isinstance(value, str) and "⟦" in value):
        return None
    if condition.op == "in":
        return any(_equal(value, wanted) for wanted in condition.values)
    (wanted,) = condition.values
    if condition.op == "eq":
        return _equal(value, wanted)
    return value is not None and _ORDER[condition.op](value, wanted)


def _equal(value: Any, wanted: Plain) -> bool:
    return value is wanted if value is None or wanted is None else bool(value == wanted)
