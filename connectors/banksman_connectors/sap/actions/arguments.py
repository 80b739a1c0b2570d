"""What actions take: schemas from properties, and arguments as plain values of their types."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from banksman._canonical import Plain
from banksman._record import holds_placeholder
from banksman._schema import FieldsSchema
from banksman.errors import ArgumentError
from banksman_connectors.sap.edm import EntitySet, Property, StructuredType
from banksman_connectors.sap.shapes import Shapes

REQUIRED = inspect.Parameter.empty


class PropertiesSchema(FieldsSchema):
    """A schema in which an argument that is left out means nothing: null is a value of its own."""

    @cached_property
    def json_schema(self) -> dict[str, Any]:
        """See `Schema`; without defaults, as a default of null would read as an invitation to clear the field."""
        schema = super().json_schema
        for name, described in schema["properties"].items():
            if name not in self.required:
                described.pop("default", None)
        return schema


def schema_of(shapes: Shapes, required: Iterable[Property], optional: Iterable[Property] = ()) -> PropertiesSchema:
    """The schema whose arguments are these properties."""
    fields: dict[str, tuple[Any, Any]] = {prop.name: (shapes.hint(prop, output=False), REQUIRED) for prop in required}
    fields |= {prop.name: (shapes.hint(prop, output=False), None) for prop in optional}
    return PropertiesSchema(fields)


def key_properties(held: EntitySet) -> list[Property]:
    """The properties that identify a record, in order."""
    return [held.type.properties[name] for name in held.type.key]


def key_of(shapes: Shapes, held: EntitySet, given: Mapping[str, Any], action: str) -> dict[str, Plain]:
    """The key within arguments or a record.

    Raises:
        ArgumentError: a part of it is missing or has the wrong type.
    """
    missing = [f"{name}: missing" for name in held.type.key if given.get(name) is None]
    if missing:
        raise ArgumentError(action, missing)
    return plain_fields(shapes, held, {name: given[name] for name in held.type.key}, action)


def shown_key(key: Mapping[str, Plain]) -> Plain:
    """The key as changes name it: the value itself where there is only one."""
    return next(iter(key.values())) if len(key) == 1 else dict(key)


def plain_fields(shapes: Shapes, held: EntitySet, given: Mapping[str, Any], action: str) -> dict[str, Plain]:
    """Arguments as plain values; parts become lists of such.

    Raises:
        ArgumentError: lists every one that does not fit its type.
    """
    wrong: list[str] = []
    found = _plain(shapes, held.name, held.type, given, "", wrong)
    if wrong:
        raise ArgumentError(action, wrong)
    return found


def _plain(
    shapes: Shapes, name: str, kind: StructuredType, given: Mapping[str, Any], place: str, wrong: list[str]
) -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    for own, value in given.items():
        if own in kind.navigations:
            led = shapes.led(name, own) if name else kind
            found[own] = [_plain(shapes, "", led, item, f"{place}{own}.", wrong) for item in value or ()]
            continue
        try:
            found[own] = shapes.read(kind.properties[own], value)
        except ValueError as error:
            wrong.append(f"{place}{own}: {error}")
    return found


def waits(value: Plain) -> bool:
    """Whether a value is not there yet: it will come from an earlier call of the plan."""
    return holds_placeholder(value)
