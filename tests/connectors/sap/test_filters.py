"""Filters: what is written, what is refused, and what can be told from outside."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banksman._record import placeholder
from banksman.errors import ArgumentError
from banksman_connectors.sap.address import query, record_path
from banksman_connectors.sap.edm import EntitySet, Property, Version
from banksman_connectors.sap.filters import conditions, expression, membership
from banksman_connectors.sap.metadata import parse_metadata
from banksman_connectors.sap.sandbox.model import METADATA, orders
from banksman_connectors.sap.sandbox.query import parse_key, select
from banksman_connectors.sap.shapes import Shapes
from banksman_connectors.sap.values import literal, read_value

from .gateway import METADATA_V2

SHAPES = Shapes(parse_metadata(METADATA.encode()))
ORDERS: EntitySet = SHAPES.service.sets["PurchaseOrders"]
ITEMS: EntitySet = SHAPES.service.sets["PurchaseOrderItems"]
V2 = Shapes(parse_metadata(METADATA_V2.encode()))

TEXT = st.text(max_size=30)


def written(given: Any, held: EntitySet = ORDERS) -> str | None:
    return expression(SHAPES, conditions(SHAPES, held, given, "a.list"))


def test_a_mapping_is_short_for_equality() -> None:
    assert written({"status": "open", "plant": ["1010", "1020"], "note": None}) == (
        "status eq 'open' and (plant eq '1010' or plant eq '1020') and note eq null"
    )
    assert written(None) is None
    assert written([]) is None


def test_a_condition_is_written_by_the_type_of_its_field() -> None:
    given = [
        {"field": "deliveryDate", "op": "ge", "value": "2026-03-22"},
        {"field": "netAmount", "op": "lt", "value": "12.5"},
        {"field": "createdAt", "op": "gt", "value": "2026-03-22T10:00:00+02:00"},
        {"field": "note", "op": "contains", "value": "O'Brien"},
    ]
    assert written(given) == (
        "deliveryDate ge 2026-03-22 and netAmount lt 12.50 and createdAt gt 2026-03-22T08:00:00Z"
        " and contains(note,'O''Brien')"
    )


def test_v2_has_the_text_functions_the_other_way_round() -> None:
    held = V2.service.sets["A_PurchaseOrder"]
    given = [{"field": "CompanyCode", "op": "contains", "value": "1"}]
    assert expression(V2, conditions(V2, held, given, "a.list")) == "substringof('1',CompanyCode)"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"nobody": 1}, "no such field to filter by; there are .*deliveryDate"),
        ([{"field": "status", "op": "like", "value": "x"}], "no comparison 'like'; there are eq"),
        ({"deliveryDate": "22.03.2026"}, "deliveryDate"),
        ({"deliveryDate": "2026-03-22 or 1 eq 1"}, "deliveryDate"),
        ({"netAmount": "1 or 1 eq 1"}, "netAmount"),
        ({"netAmount": float("nan")}, "netAmount"),
        ({"netAmount": {"x": 1}}, "netAmount"),
        ({"status": "gone"}, "not one of open, closed"),
        ({"plant": []}, "1 to 200 values"),
        ([{"field": "netAmount", "op": "contains", "value": "1"}], "compares texts"),
        ([{"field": "netAmount", "op": "gt", "value": None}], "takes no null"),
        ([{"field": "plant", "op": "in", "value": "1010"}], "takes a list"),
        (["status eq 'open'"], "give field, op and value"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(given: Any, problem: str) -> None:
    with pytest.raises(ArgumentError, match=f"a.list: .*{problem}"):
        written(given)


def test_an_expression_as_text_is_not_taken() -> None:
    from banksman_connectors.sap.actions.reads import list_

    action = list_(SHAPES, ORDERS, "purchase_orders")
    with pytest.raises(ArgumentError):
        action.input.validate("a", {"filter": "status eq 'open' or 1 eq 1"})


# Nothing gets out of its place


@given(TEXT)
def test_no_text_ends_its_literal(value: str) -> None:
    """Read back by a parser that knows the grammar, there is one comparison, with that very value."""
    row = {"note": value}
    other = {"note": value + "x"}
    text = written({"note": value})
    assert text is not None
    assert select([row, other], {"$filter": text}) == [row]


@given(TEXT, TEXT)
def test_no_value_ends_its_place_in_the_address(one: str, other: str) -> None:
    text = query({"$filter": one, "$search": other, "$top": None})
    assert text.count("&") == text.count("?") == 1
    assert not set(text) & set(" \t\r\n#\"'<>\\^`{|}")
    first, second = text[1:].split("&")
    assert [unquote(part.partition("=")[2]) for part in (first, second)] == [one, other]


@given(st.text(min_size=1, max_size=10), st.text(min_size=1, max_size=5))
def test_no_key_ends_its_place_in_the_address(order: str, pos: str) -> None:
    path = record_path(SHAPES, ITEMS, {"order": order, "pos": pos})
    assert "/" not in path
    assert not set(path) & set('?#& "<>\\\r\n')
    head, _, rest = path.partition("(")
    assert head == "PurchaseOrderItems"
    assert parse_key(unquote(rest.removesuffix(")")), ("order", "pos")) == (order, pos)


@pytest.mark.parametrize("version", list(Version))
@given(number=st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_numbers_keep_every_digit(version: Version, number: Decimal) -> None:
    prop = Property(name="x", type="Edm.Decimal", precision=13, scale=3)
    text = literal(prop, read_value(prop, number), version)
    assert Decimal(text.removesuffix("M")) == number
    assert "E" not in text


# Membership


@pytest.mark.parametrize(
    "given",
    [
        {"status": "open"},
        {"status": "open", "plant": ["1010", "1020"]},
        {"note": None},
        [{"field": "deliveryDate", "op": "ge", "value": "2026-03-20"}],
        [{"field": "netAmount", "op": "lt", "value": 20000}],
        {"deliveryDate": "2026-03-11"},
        {},
    ],
)
def test_a_proven_membership_is_the_systems_own(given: Any) -> None:
    rows = list(orders()["PurchaseOrders"].values())
    found = conditions(SHAPES, ORDERS, given, "a.list")
    fits = membership(found)
    assert fits is not None
    records = [SHAPES.record(ORDERS.type, row) for row in rows]
    theirs = select(rows, {"$filter": expression(SHAPES, found) or ""})
    assert [record["id"] for record in records if fits(record)] == [row["id"] for row in theirs]
    assert len(theirs) > 0


@pytest.mark.parametrize(
    "given",
    [
        [{"field": "note", "op": "contains", "value": "x"}],
        [{"field": "plant", "op": "gt", "value": "1010"}],
        [{"field": "status", "op": "ne", "value": "open"}],
        {"modifiedAt": "2026-02-01T08:01:00Z"},
        {"supplier": "0017300001"},
        {"supplier": "x "},
        {"supplier": ""},
        {"supplier": placeholder("0" * 16, "make", "id")},
    ],
    ids=str,
)
def test_what_only_the_system_can_tell_is_not_claimed(given: Any) -> None:
    assert membership(conditions(SHAPES, ORDERS, given, "a.list")) is None


def test_a_record_that_lacks_the_field_is_undecided() -> None:
    fits = membership(conditions(SHAPES, ORDERS, {"status": "open", "plant": "1010"}, "a.list"))
    assert fits is not None
    pending = placeholder("0" * 16, "make", "status")
    cases: list[tuple[Mapping[str, Any], bool | None]] = [
        ({"status": "open", "plant": "1010"}, True),
        ({"status": "open"}, None),
        ({"status": pending, "plant": "1010"}, None),
        ({"status": str(pending), "plant": "1010"}, None),
        ({"status": "closed"}, False),
        ({"status": None, "plant": "1010"}, False),
    ]
    assert [fits(record) for record, _ in cases] == [answer for _, answer in cases]


def test_lists_of_parts_and_narrowed_lists_are_not_proven() -> None:
    from banksman_connectors.sap.actions.reads import get_many, list_

    whole, part = list_(SHAPES, ORDERS, "o"), list_(SHAPES, ITEMS, "i")
    assert whole.provable is not None
    assert part.provable is not None
    assert whole.provable({"filter": {"status": "open"}}) is not None
    assert whole.provable({"select": ["id"]}) is not None
    assert part.provable({"filter": {"order": "4500000001"}}) is None, "parts go with their whole"
    for narrowing in ({"top": 5}, {"skip": 1}, {"order_by": ["id"]}, {"expand": ["items"]}, {"search": "x"}):
        assert whole.provable({"filter": {"status": "open"}, **narrowing}) is None
    many = get_many(SHAPES, ORDERS, "o")
    assert many.provable is not None
    fits = many.provable({"keys": ["1", "2"]})
    assert fits is not None
    assert (fits({"id": "1"}), fits({"id": "3"})) == (True, False)
