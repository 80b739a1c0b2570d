"""Equality by meaning, and what differs."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banksman.preview import ABSENT_FIELD, differences, same

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [(10, Decimal("10.00")), (10.5, Decimal("10.5")), (1, 1.0), ([1], [Decimal(1)]), ({"a": 1}, {"a": 1.0})],
)
def test_numbers_are_equal_by_value(one, other):
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"), [(True, 1), (0, False), ("1", 1), (None, ""), ([], {}), ({"a": 1}, {"a": 1, "b": 2})]
)
def test_different_kinds_are_different(one, other):
    assert not same(one, other)


def test_differences_name_the_field():
    before = {"status": "open", "items": [{"pos": 1, "qty": 2}], "gone": 1}
    after = {"status": "open", "items": [{"pos": 1, "qty": 3}, {"pos": 2}], "new": None}
    assert differences(before, after) == [
        ("items[0].qty", 2, 3),
        ("items[1]", ABSENT_FIELD, {"pos": 2}),
        ("gone", 1, ABSENT_FIELD),
        ("new", ABSENT_FIELD, None),
    ]


@given(plain)
def test_a_value_does_not_differ_from_itself(value):
    assert same(value, value)
    assert differences(value, value) == []


@given(plain, plain)
def test_values_differ_exactly_where_differences_are_found(one, other):
    assert same(one, other) == (differences(one, other) == [])
