"""One byte form for every value: the RFC's where JSON has the type, tagged where it lacks it."""

from __future__ import annotations

import dataclasses
import json
import math
import tracemalloc
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from banksman._canonical import decode, digest, encode, plain

SAFE = 2**53 - 1
TAGS = ("$decimal", "$integer", "$bytes", "$object")
text = st.text(st.characters(exclude_categories=["Cs"]))
json_numbers = st.integers(-SAFE, SAFE) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | json_numbers | text,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5),
    max_leaves=30,
)
finite_decimals = st.decimals(allow_nan=False, allow_infinity=False)
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
    | finite_decimals | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text | st.sampled_from(TAGS), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(json_values)
def test_what_json_can_say_is_written_as_rfc_8785_does(value: Any) -> None:
    assert encode(value).encode() == rfc8785.dumps(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_written_as_ecmascript_does(value: float) -> None:
    assert encode(value).encode() == rfc8785.dumps(value)
    assert float(encode(value)) == value


@given(st.dictionaries(st.text(alphabet="a\u20ac\ud7ff\ue000\uffff\U00010000\U0010ffff"), st.none(), min_size=2))
def test_keys_are_sorted_by_utf_16_units(value: dict[str, None]) -> None:
    assert encode(value).encode() == rfc8785.dumps(value)


@given(plain_values)
def test_reading_gives_back_what_was_written(value: Any) -> None:
    back = decode(encode(value))
    assert back == value
    assert encode(back) == encode(value)


def test_exact_types_survive() -> None:
    value = {"price": Decimal("1.50"), "big": 2**60, "raw": b"\x00\xff", "whole": Decimal("3")}
    back = decode(encode(value))
    assert back == value
    assert str(back["price"]) == "1.50"
    assert isinstance(back["whole"], Decimal)
    assert isinstance(back["raw"], bytes)


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_from_outside_is_not_taken_for_ours(tag: str) -> None:
    forged = {tag: "1.50"}
    assert decode(encode(forged)) == forged
    assert encode(forged) not in {encode(Decimal("1.50")), encode(b"1.50")}


def test_equal_values_of_different_types_are_told_apart_where_people_would() -> None:
    assert encode(1) != encode(True)
    assert encode(Decimal("1.5")) != encode(1.5)
    assert encode("1") != encode(1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, Decimal("NaN"), Decimal("Infinity")])
def test_a_number_that_is_not_finite_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="finite"):
        encode([value])


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, ["a", {"b": "x\udead"}]])
def test_half_a_surrogate_pair_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        encode(value)


def test_a_short_decimal_with_a_huge_exponent_stays_short() -> None:
    tracemalloc.start()
    try:
        for outside in ("1E+999999999", "-1E-999999999", "1E+4001", "0E+999999999"):
            value = Decimal(outside)
            assert len(encode(value)) < 100
            assert decode(encode(value)) == value
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


class Other(Enum):
    PAIR = (1, 2)


class Person(BaseModel):
    name: str
    joined: date | None = Field(default=None, alias="joinedOn")


@dataclasses.dataclass
class Point:
    x: int
    tags: frozenset[str]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Colour.RED, "red"),
        (Size.BIG, 3),
        (Other.PAIR, [1, 2]),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T01:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
        (date(2026, 1, 2), "2026-01-02"),
        (timedelta(minutes=1), 60.0),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"b", "a"}, ["a", "b"]),
        ({3, 20, 100}, [100, 20, 3]),
        (Person(name="Ann", joinedOn=date(2026, 1, 2)), {"name": "Ann", "joinedOn": "2026-01-02"}),
        (Point(1, frozenset({"z", "a"})), {"x": 1, "tags": ["a", "z"]}),
        ({1: "a", Colour.RED: 1}, {"1": "a", "red": 1}),
        (bytearray(b"ab"), b"ab"),
    ],
)
def test_the_plain_form_of(value: Any, expected: Any) -> None:
    assert plain(value) == expected


def test_two_keys_that_become_one_text_are_refused_not_dropped() -> None:
    with pytest.raises(TypeError, match="same"):
        plain({1: "approved", "1": "sent"})


def test_what_has_no_plain_form_is_named() -> None:
    with pytest.raises(TypeError, match="a object has no plain form"):
        plain({"x": [object()]})
    with pytest.raises(TypeError, match="a tuple cannot be the key"):
        plain({(1, 2): 3})


@given(json_values)
def test_the_digest_depends_on_value_and_purpose_alone(value: Any) -> None:
    assert digest(value, purpose="a") == digest(json.loads(json.dumps(value)), purpose="a")
    assert digest(value, purpose="a") != digest(value, purpose="b")


def test_the_order_of_keys_does_not_matter_and_that_of_items_does() -> None:
    assert digest({"a": 1, "b": 2}, purpose="p") == digest({"b": 2, "a": 1}, purpose="p")
    assert digest([1, 2], purpose="p") != digest([2, 1], purpose="p")
