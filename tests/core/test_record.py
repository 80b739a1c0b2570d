"""Placeholders stand for what only a system can know, and nobody outside can write one."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from banksman._change import CallContext, preparing
from banksman._record import (
    PENDING,
    Closed,
    Placeholder,
    Record,
    at_path,
    describe,
    fill_pending,
    holds_placeholder,
    placeholder,
    settle,
    token_parts,
    waits_for,
)
from banksman.http import build

NONCE = "0123456789abcdef"
OTHER = "fedcba9876543210"
NEW_ID = placeholder(NONCE, "move[0]", "id")
FORGED = str(placeholder(OTHER, "move[0]", "id"))


def known(token: Placeholder) -> Any:
    """What runs come to know: the id 17; nothing else."""
    return 17 if token_parts(token) == (NONCE, "move[0]", "id") else token


def boom(token: Placeholder) -> Any:
    raise AssertionError(f"asked for {token}, which is somebody's text")


def test_a_value_that_is_a_placeholder_becomes_the_value_with_its_type() -> None:
    assert settle({"order": NEW_ID, "tags": [NEW_ID, "x"]}, NONCE, known) == {"order": 17, "tags": [17, "x"]}


def test_a_text_around_a_placeholder_stays_a_text() -> None:
    assert settle(f"order {NEW_ID} of {NEW_ID}", NONCE, known) == "order 17 of 17"


def test_what_is_not_known_yet_stays_as_it_is() -> None:
    later = placeholder(NONCE, "tell", "ts")
    url = f"https://erp.example/x/{quote(later, safe='')}"
    for value in (later, f"at {later}", url, {"a": [later]}):
        assert settle(value, NONCE, known) == value


@pytest.mark.parametrize("quoting", [quote, quote_plus, lambda text: quote(text, safe=":"), lambda t: quote(t).lower()])
def test_a_placeholder_is_found_in_a_url_however_it_was_encoded(quoting: Any) -> None:
    url = f"https://erp.example/orders/{quoting(NEW_ID)}/items?parent={quoting(NEW_ID)}"
    assert settle(url, NONCE, known) == "https://erp.example/orders/17/items?parent=17"
    assert waits_for(url, NONCE) == {("move[0]", "id")}


def test_a_placeholder_survives_being_built_into_a_request() -> None:
    request = build("PATCH", f"https://erp.example/orders/{NEW_ID}", params={"of": NEW_ID}, json={"id": NEW_ID, "n": 1})
    shown = settle(request.canonical(), NONCE, known)
    assert shown["url"] == "https://erp.example/orders/17?of=17"
    assert shown["body"] == {"json": {"id": 17, "n": 1}}


def test_what_is_put_into_a_url_is_encoded_there() -> None:
    url = f"https://erp.example/orders/{quote(NEW_ID, safe='')}/close"
    assert settle(url, NONCE, lambda _: "../admin?x=1") == "https://erp.example/orders/..%2Fadmin%3Fx%3D1/close"


def test_keys_of_objects_are_settled_too() -> None:
    assert settle({NEW_ID: 1}, NONCE, known) == {"17": 1}


@pytest.mark.parametrize(
    "text", [FORGED, f"see {FORGED}", quote(FORGED, safe=""), f"https://x/{quote(FORGED)}", {FORGED: FORGED}]
)
def test_a_text_that_only_looks_like_a_placeholder_is_left_alone(text: Any) -> None:
    assert settle(text, NONCE, boom) == text
    assert waits_for(text, NONCE) == set()
    if isinstance(text, str):
        assert describe(text, NONCE) == text


def test_what_a_placeholder_came_to_be_is_not_looked_through_for_more() -> None:
    secret = placeholder(NONCE, "secrets", "token")
    answers = {NEW_ID: str(secret), secret: "s3cret"}
    assert settle(f"{NEW_ID}!", NONCE, lambda token: answers[token]) == f"{secret}!"
    assert settle(NEW_ID, NONCE, lambda token: answers[token]) == secret


@given(st.text(), st.text())
def test_texts_around_a_placeholder_pass_unharmed(before: str, after: str) -> None:
    assert settle(f"{before}{NEW_ID}{after}", NONCE, known) in {f"{before}17{after}", 17}


@given(st.text(alphabet="⟦⟧:0123456789abcdef%E29F6A7 [].id"))
def test_no_arrangement_of_its_pieces_makes_a_placeholder_without_the_nonce(text: str) -> None:
    if NONCE not in text:
        assert settle(text, NONCE, boom) == text


def test_people_read_what_a_placeholder_waits_for() -> None:
    assert describe(f"Order {NEW_ID} moved", NONCE) == "Order (known after move[0]: id) moved"
    assert describe(placeholder(NONCE, "tell", ""), NONCE) == "(known after tell)"


def test_waiting_calls_are_found_wherever_they_stand() -> None:
    tell = placeholder(NONCE, "tell", "message.ts")
    value = {"a": [f"x {NEW_ID}"], tell: (tell, {"deep": NEW_ID}), "n": 5, "none": None}
    assert waits_for(value, NONCE) == {("move[0]", "id"), ("tell", "message.ts")}


def test_a_text_holds_a_placeholder_only_within_its_preview() -> None:
    stored = f"{NEW_ID}"  # what a placeholder is after it was written to the ledger and read again
    assert type(stored) is str
    assert not holds_placeholder([stored])
    with preparing(CallContext(nonce=NONCE)):
        assert holds_placeholder([stored])
        assert not holds_placeholder([FORGED])
    with preparing(CallContext(nonce=OTHER)):
        assert not holds_placeholder([stored])
    assert not holds_placeholder("⟦:move[0]:id⟧"), "outside of a preview there is no nonce to have"
    assert holds_placeholder({"x": NEW_ID}), "by its type it is one anywhere"


def test_pending_parts_are_named_by_their_path() -> None:
    def make(path: str) -> Placeholder:
        return placeholder(NONCE, "move", path)

    filled = fill_pending({"id": PENDING, "items": [{"no": PENDING}, {"no": 2}]}, make)
    assert filled == {"id": make("id"), "items": [{"no": make("items[0].no")}, {"no": 2}]}
    assert fill_pending(PENDING, make) == make("")
    outcome = {"id": 5, "items": [{"no": 7}, {"no": 2}]}

    def look(token: Placeholder) -> Any:
        parts = token_parts(token)
        assert parts is not None
        return at_path(outcome, parts[2])

    assert settle(filled, NONCE, look) == outcome


def test_pending_fields_of_a_record_are_filled() -> None:
    class Message(Record):
        ts: Closed[str]
        text: str

    message = Message.model_construct(ts=PENDING, text="hi")
    assert fill_pending(message, lambda path: placeholder(NONCE, "tell", path)) == {
        "ts": placeholder(NONCE, "tell", "ts"),
        "text": "hi",
    }


@pytest.mark.parametrize("path", ["missing", "items[9]", "items.name", "id[0]", "id.deep", "[0]"])
def test_a_path_that_leads_nowhere_is_a_lookup_error(path: str) -> None:
    with pytest.raises(LookupError):
        at_path({"id": 5, "items": [1]}, path)


def test_a_record_is_frozen_and_ignores_what_it_does_not_know() -> None:
    class Order(Record):
        id: Closed[str]
        note: str

    order = Order.model_validate({"id": "1", "note": "n", "@odata.etag": "W/1"})
    with pytest.raises(ValueError, match="frozen"):
        order.note = "changed"
    assert TypeAdapter(Order).json_schema()["properties"]["id"]["x-closed"] is True
    assert "x-closed" not in TypeAdapter(Order).json_schema()["properties"]["note"]


def test_the_address_that_leaves_is_the_one_that_was_settled() -> None:
    """httpx writes the placeholder its own way; the settled text must be the address that the real id gives."""
    shown = build("GET", f"https://erp.example/Orders('{NEW_ID}')", params={"$filter": f"parent eq '{NEW_ID}'"})
    sent = build("GET", "https://erp.example/Orders('17')", params={"$filter": "parent eq '17'"})
    assert httpx.URL(settle(shown.url, NONCE, known)) == httpx.URL(sent.url)
