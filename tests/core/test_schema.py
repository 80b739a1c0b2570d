"""The signature is the schema; a placeholder stands for any type, and a forged one for none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, StringConstraints, model_validator

from banksman._change import CallContext, preparing
from banksman._record import Placeholder, placeholder
from banksman._schema import FieldsSchema, argument_docs, from_signature, summary_of
from banksman.errors import ArgumentError

NONCE = "0123456789abcdef"
PENDING_ID = placeholder(NONCE, "move", "id")
FORGED = str(placeholder("fedcba9876543210", "move", "id"))


class Item(BaseModel):
    material: str
    quantity: int
    until: date | None = None


class Span(BaseModel):
    start: int
    end: int

    @model_validator(mode="after")
    def in_order(self) -> Span:
        if self.start > self.end:
            raise ValueError("start lies after end")
        return self


def order(
    api: Any,
    key: Annotated[str, Field(pattern=r"^\d{10}$")],
    quantity: int,
    status: Literal["open", "closed"] = "open",
    items: list[Item] | None = None,
    json: dict[str, Any] | None = None,
    span: Span | None = None,
) -> None:
    """Order something.

    Args:
        key: The number of the order,
            ten digits.
        quantity: How many.

    Returns:
        nothing: at all.
    """


SCHEMA = from_signature(order)
GOOD: dict[str, Any] = {"key": "4500000017", "quantity": 2}


def refused(arguments: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ArgumentError) as caught:
        SCHEMA.validate("erp.order", arguments)
    return caught.value.problems


def test_the_signature_is_the_schema() -> None:
    assert SCHEMA.names == ("key", "quantity", "status", "items", "json", "span")
    assert SCHEMA.required == {"key", "quantity"}
    schema = SCHEMA.json_schema
    assert schema["required"] == ["key", "quantity"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["key"]["description"] == "The number of the order, ten digits."
    assert schema["properties"]["status"]["default"] == "open"


def test_arguments_come_back_in_their_types_and_defaults_are_the_functions() -> None:
    given = SCHEMA.validate("erp.order", {**GOOD, "items": [{"material": "A", "quantity": "3", "until": "2026-01-02"}]})
    assert given == {**GOOD, "items": [Item(material="A", quantity=3, until=date(2026, 1, 2))]}


def test_every_problem_is_named_at_once_and_no_value_is_repeated() -> None:
    problems = refused({"quantity": "hunter2", "status": "secret-state", "colour": "red", "items": [{"quantity": 1}]})
    assert problems == (
        "key: missing",
        "quantity: input should be a valid integer, unable to parse string as an integer (got text)",
        "status: input should be 'open' or 'closed' (got text)",
        "items.0.material: missing",
        "colour: no such argument; there are key, quantity, status, items, json, span",
    )
    assert "hunter2" not in str(problems)


def test_a_placeholder_stands_for_any_type_and_stays_one() -> None:
    given = SCHEMA.validate("erp.order", {"key": PENDING_ID, "quantity": PENDING_ID, "status": PENDING_ID})
    assert given == {"key": PENDING_ID, "quantity": PENDING_ID, "status": PENDING_ID}
    assert {type(value) for value in given.values()} == {Placeholder}


def test_a_placeholder_in_a_free_text_stays_one_too() -> None:
    schema = FieldsSchema({"text": (str, ...), "tags": (list[str], ...)})
    given = schema.validate("chat.post", {"text": PENDING_ID, "tags": ["a", PENDING_ID]})
    assert type(given["text"]) is Placeholder
    assert [type(tag) for tag in given["tags"]] == [str, Placeholder]


def test_a_placeholder_is_not_altered_as_the_text_in_its_place_would_be() -> None:
    schema = FieldsSchema({"code": (Annotated[str, StringConstraints(to_upper=True, strip_whitespace=True)], ...)})
    assert schema.validate("x", {"code": " ab "}) == {"code": "AB"}
    assert schema.validate("x", {"code": PENDING_ID}) == {"code": PENDING_ID}


def test_a_text_around_a_placeholder_of_this_preview_is_one_as_well() -> None:
    """So that a body can tell that it cannot look anything up by it yet."""
    with preparing(CallContext(nonce=NONCE)):
        given = SCHEMA.validate("erp.order", {**GOOD, "key": f"4500{PENDING_ID}"})
    assert type(given["key"]) is Placeholder


@pytest.mark.parametrize("name", ["key", "quantity", "status"])
@pytest.mark.parametrize("nonce", ["", NONCE])
def test_a_forged_placeholder_does_not_get_past_the_schema(name: str, nonce: str) -> None:
    with preparing(CallContext(nonce=nonce)):
        assert any(problem.startswith(f"{name}:") for problem in refused({**GOOD, name: FORGED}))
        assert refused({**GOOD, name: f"{FORGED}/../../admin"})


def test_the_arguments_beside_a_placeholder_are_checked_as_ever() -> None:
    assert refused({"key": PENDING_ID, "status": "gone", "colour": 1}) == (
        "quantity: missing",
        "status: input should be 'open' or 'closed' (got text)",
        "colour: no such argument; there are key, quantity, status, items, json, span",
    )


def test_a_placeholder_inside_an_object_excuses_nothing_else_in_it() -> None:
    given = SCHEMA.validate("erp.order", {**GOOD, "items": [{"material": "A", "quantity": PENDING_ID}]})
    assert given["items"] == [{"material": "A", "quantity": PENDING_ID}]
    assert refused({**GOOD, "items": [{"quantity": PENDING_ID}]}) == ("items.0.material: missing",)
    assert refused({**GOOD, "items": [{"material": "A", "quantity": PENDING_ID, "until": "soon"}]}) == (
        "items.0.until: input should be a valid date or datetime, input is too short (got text)",
    )


def test_a_check_across_fields_waits_for_the_placeholder_in_them() -> None:
    class Window(BaseModel):
        start: str
        end: str

        @model_validator(mode="after")
        def in_order(self) -> Window:
            if self.start > self.end:
                raise ValueError("start lies after end")
            return self

    schema = FieldsSchema({"window": (Window, ...)})
    assert schema.validate("x", {"window": {"start": PENDING_ID, "end": "a"}})
    with pytest.raises(ArgumentError, match="start lies after end"):
        schema.validate("x", {"window": {"start": "b", "end": "a"}})


def test_an_argument_may_have_any_python_type() -> None:
    @dataclass
    class Opaque:
        value: int

    class Unknown:
        pass

    schema = FieldsSchema({"a": (Opaque, ...), "b": (Unknown, ...), "key": (str, ...)})
    thing = Unknown()
    given = schema.validate("x", {"a": Opaque(1), "b": thing, "key": PENDING_ID})
    assert given["b"] is thing


def test_parameters_without_a_type_or_a_name_of_their_own_are_refused() -> None:
    def untyped(api, key) -> None: ...  # type: ignore[no-untyped-def]

    def starred(api: Any, *keys: str) -> None: ...

    with pytest.raises(TypeError, match="'key' has no type"):
        from_signature(untyped)
    with pytest.raises(TypeError, match=r"\*keys.* not allowed"):
        from_signature(starred)


def test_docstrings_give_summary_and_descriptions() -> None:
    assert summary_of("Post a message\nto a channel.\n\nMore.") == "Post a message to a channel."
    assert argument_docs(
        "X.\n\nArgs:\n    one: First,\n        and more.\n    two: Second.\n\nRaises:\n    E: no."
    ) == {
        "one": "First, and more.",
        "two": "Second.",
    }
