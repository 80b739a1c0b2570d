"""Schemas have a strict form, or say why not."""

from __future__ import annotations

from typing import Any

import pytest

from banksman.catalog.strict import NotStrict, strict, without_nulls


def test_every_member_is_required_and_what_was_optional_may_be_null():
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer", "default": 3}, "c": {"$ref": "#/$defs/C"}},
        "required": ["a"],
        "$defs": {"C": {"type": "object", "properties": {"d": {"enum": ["x"]}}}},
    }
    assert strict(schema) == {
        "type": "object",
        "properties": {
            "a": {"type": "string"},
            "b": {"type": ["integer", "null"]},
            "c": {"anyOf": [{"$ref": "#/$defs/C"}, {"type": "null"}]},
        },
        "required": ["a", "b", "c"],
        "additionalProperties": False,
        "$defs": {
            "C": {
                "type": "object",
                "properties": {"d": {"anyOf": [{"enum": ["x"]}, {"type": "null"}]}},
                "required": ["d"],
                "additionalProperties": False,
            }
        },
    }


def test_parts_that_belong_together_become_one_object():
    base = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    schema = {"allOf": [{"$ref": "#/$defs/B"}, {"properties": {"b": {"type": "string"}}}], "$defs": {"B": base}}
    made = strict(schema)
    assert made["properties"] == {"a": {"type": "string"}, "b": {"type": ["string", "null"]}}
    assert made["required"] == ["a", "b"]


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "object", "additionalProperties": {"type": "string"}}, "no name"),
        ({"type": "object"}, "any shape"),
        ({"type": "array", "items": {}}, "any type"),
        ({"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"allOf": [{"$ref": "#/$defs/A"}]}}}, "circle"),
        ({"allOf": [{"oneOf": [{"type": "string"}]}]}, "alternatives"),
    ],
)
def test_what_has_no_strict_form_says_why(schema: Any, why: str):
    with pytest.raises(NotStrict, match=why):
        strict(schema)


def test_the_nulls_that_stand_for_nothing_are_taken_out_again():
    assert without_nulls({"a": None, "b": [{"c": None, "d": 0}]}) == {"b": [{"d": 0}]}
