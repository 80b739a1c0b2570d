"""Schemas of every dialect come out as plain JSON Schema 2020-12."""

from __future__ import annotations

from typing import Any

import pytest

from banksman.catalog.entry import Report
from banksman.catalog.schemas import Schemas


def written(schema: Any) -> Any:
    return Schemas({}, Report()).schema(schema)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"type": ["string"]}, {"type": "string"}),
        (
            {"type": "string", "nullable": True, "enum": ["a", "b"]},
            {"type": ["string", "null"], "enum": ["a", "b", None]},
        ),
        (
            {"oneOf": [{"type": "string"}, {"type": "integer"}], "nullable": True},
            {"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
        ),
        ({"type": "null"}, {"type": ["string", "null"], "enum": [None]}),
        (
            {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
            {"type": "integer", "exclusiveMinimum": 0},
        ),
        ({"exclusiveMaximum": True, "maximum": 9}, {"exclusiveMaximum": 9}),
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "exclusiveMinimum": 0}),
        (
            {"required": ["a", "a", 5], "properties": {"a": {}}},
            {"type": "object", "required": ["a"], "properties": {"a": {}}},
        ),
        ({"required": True, "type": "string"}, {"type": "string"}),
        ({"enum": ["a", "a", 1, True]}, {"enum": ["a", 1, True]}),
        ({"type": "file"}, {"type": "string", "format": "binary"}),
        ({"type": "int"}, {"type": "integer"}),
        ({"type": "String"}, {"type": "string"}),
        ({"type": "array"}, {"type": "array", "items": {}}),
        ({"items": [{"type": "string"}]}, {"prefixItems": [{"type": "string"}]}),
        ({"allOf": [{"type": "string"}]}, {"type": "string"}),
        ({"anyOf": [{"type": "string"}, {"type": "string"}]}, {"type": "string"}),
        ({"type": "string", "example": "x", "xml": {}, "x-any": 1}, {"type": "string"}),
        ({"type": "string", "pattern": "^\\p{L}+$"}, {"type": "string", "pattern": "^\\p{L}+$"}),
        ({"type": "string", "pattern": "^\\p{XDigit}+$"}, {"type": "string"}),
        ({"type": "string", "pattern": "(a"}, {"type": "string"}),
        (False, {"not": {}}),
        (True, {}),
        ("nonsense", {}),
    ],
)
def test_a_schema_is_written_plainly(given: Any, expected: Any):
    assert written(given) == expected


def test_a_nullable_reference_takes_null_too():
    schemas = Schemas({"components": {"schemas": {"A": {"type": "object"}}}}, Report())
    made = schemas.schema({"$ref": "#/components/schemas/A", "nullable": True, "description": "An A."})
    assert made == {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}], "description": "An A."}


def test_two_schemas_of_one_last_name_keep_apart():
    schemas = Schemas({"a": {"X": {"type": "string"}}, "b": {"X": {"type": "integer"}}}, Report())
    assert schemas.schema({"$ref": "#/a/X"}) == {"$ref": "#/$defs/X"}
    assert schemas.schema({"$ref": "#/b/X"}) == {"$ref": "#/$defs/X_2"}
    assert dict(schemas.drain()) == {"X": {"type": "string"}, "X_2": {"type": "integer"}}
