"""A request is a value: what is shown is what is approved is what leaves."""

from __future__ import annotations

import hashlib
import json
import math
import tracemalloc
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from banksman.auth import UNSIGNED_URL
from banksman.http import Request, build
from banksman.http.request import body_value, dump_json, unsigned

text = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
    | st.decimals(allow_nan=False, allow_infinity=False, places=4),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(json_values)
def test_json_bodies_can_be_read_back_exactly(value: Any) -> None:
    exact = json.loads(dump_json(value), parse_float=Decimal)
    assert exact == json.loads(json.dumps(value, default=float), parse_float=Decimal) or _equal(exact, value)


def _equal(read: Any, value: Any) -> bool:
    if isinstance(value, float):
        return float(read) == value
    if isinstance(value, list):
        return len(read) == len(value) and all(map(_equal, read, value))
    if isinstance(value, dict):
        return read.keys() == value.keys() and all(_equal(read[key], value[key]) for key in value)
    return bool(read == value)


def test_a_decimal_keeps_all_its_digits() -> None:
    body = dump_json({"price": Decimal("12345678901234567890.12"), "rate": Decimal("1.50")})
    assert body == b'{"price":12345678901234567890.12,"rate":1.50}'


def test_dates_become_text_and_bytes_are_refused() -> None:
    assert dump_json({"on": date(2026, 1, 2), "empty": {}, "none": []}) == b'{"on":"2026-01-02","empty":{},"none":[]}'
    with pytest.raises(TypeError, match="Base64"):
        dump_json({"raw": b"x"})


@pytest.mark.parametrize("value", [math.nan, math.inf, Decimal("NaN"), Decimal("-Infinity"), "\ud800"])
def test_what_is_not_json_is_refused_before_it_is_sent(value: Any) -> None:
    with pytest.raises(ValueError, match=r"not JSON compliant|finite|surrogates"):
        dump_json([value])


def test_a_decimal_with_a_huge_exponent_is_not_written_out() -> None:
    tracemalloc.start()
    try:
        assert len(dump_json([Decimal("1E+999999999")])) < 100
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_parts_become_one_request() -> None:
    request = build("patch", "https://erp.example/o", params={"a": "x y&z", "b": None, "n": 1}, json={"q": 2})
    assert request.method == "PATCH"
    assert request.url == "https://erp.example/o?a=x%20y%26z&n=1"
    assert request.headers == {"content-type": "application/json"}
    form = build("POST", "https://erp.example/o", form={"text": "a&b=c", "none": None, "yes": True})
    assert form.content == b"text=a%26b%3Dc&yes=true"
    assert build("POST", "https://erp.example/o", content="ä").content == "ä".encode()


def test_a_space_in_the_query_is_not_written_as_a_plus() -> None:
    """OData and signed URLs take a plus for a plus."""
    request = build("GET", "https://erp.example/o?x=1", params={"$filter": "a eq 'b+c'"})
    assert request.url == "https://erp.example/o?x=1&%24filter=a%20eq%20%27b%2Bc%27"
    assert httpx.URL(request.url).params["$filter"] == "a eq 'b+c'"


def test_the_fingerprint_is_of_method_address_and_body() -> None:
    same = build("POST", "https://erp.example/o?a=1", json={"q": 2})
    assert same.fingerprint == Request("post", "https://ERP.example:443/o?a=1", {}, b'{"q":2}').fingerprint
    others = [
        build("PUT", "https://erp.example/o?a=1", json={"q": 2}),
        build("POST", "https://erp.example/o?a=2", json={"q": 2}),
        build("POST", "https://erp.example/o?a=1", json={"q": 3}),
        build("POST", "http://erp.example/o?a=1", json={"q": 2}),
        build("POST", "https://erp.example/o?a=1"),
    ]
    assert len({same.fingerprint, *(other.fingerprint for other in others)}) == 6


def test_what_must_be_fresh_is_sent_and_not_approved() -> None:
    request = build("PUT", "https://erp.example/o", json={}, fresh_headers={"If-Match": "W/1"}, headers={"Prefer": "x"})
    assert request.canonical()["headers"] == {"content-type": "application/json", "prefer": "x"}
    leaving = request.to_httpx({})
    assert leaving.headers["if-match"] == "W/1"
    assert leaving.headers["prefer"] == "x"


def test_the_body_is_shown_parsed_whatever_the_case_of_its_header() -> None:
    request = Request("POST", "https://erp.example/o", {"Content-Type": "application/json"}, b'{"price":1.10}')
    assert request.canonical()["body"] == {"json": {"price": Decimal("1.10")}}


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("application/vnd.x+json; charset=utf-8", b'{"a":1}', {"json": {"a": 1}}),
        ("application/x-www-form-urlencoded", b"a=1&a=2&b=", {"form": [["a", "1"], ["a", "2"], ["b", ""]]}),
        ("text/plain", "ä".encode(), {"text": "ä"}),
        ("multipart/mixed; boundary=b", b"--b", {"text": "--b"}),
        ("application/json", b"", None),
        ("application/json", b"{broken", {"sha256": hashlib.sha256(b"{broken").hexdigest(), "length": 7}),
        ("text/plain", b"\xff", {"sha256": hashlib.sha256(b"\xff").hexdigest(), "length": 1}),
        ("image/png", b"\x89PNG", {"sha256": hashlib.sha256(b"\x89PNG").hexdigest(), "length": 4}),
    ],
)
def test_a_body_is_shown_as_what_it_is(kind: str, content: bytes, expected: Any) -> None:
    assert body_value(kind, content) == expected


def test_an_sdks_request_is_taken_without_credentials() -> None:
    theirs = httpx.Request(
        "POST", "https://erp.example/o", headers={"Authorization": "Bearer s", "X-Meaning": "m"}, json={"a": 1}
    )
    taken = Request.from_httpx(theirs, keep=frozenset({"x-meaning"}))
    assert taken.headers == {"content-type": "application/json", "x-meaning": "m"}
    assert taken.fingerprint == build("POST", "https://erp.example/o", content=theirs.content).fingerprint


@pytest.mark.parametrize(
    ("bare", "sent", "hidden"),
    [
        ("https://erp.example/o", "https://erp.example/o?key=s", True),
        ("https://erp.example/o?a=1", "https://erp.example/o?a=1&key=s", True),
        ("https://erp.example/o", "https://erp.example/o?key=s&force=true", False),
        ("https://erp.example/o", "https://erp.example/other?key=s", False),
        ("https://erp.example/o?a=1", "https://erp.example/o?key=s", False),
        ("https://erp.example/o?a=1", "https://erp.example/o?a=2", False),
        ("https://erp.example/o", "https://evil.example/o?key=s", False),
    ],
)
def test_only_the_one_parameter_of_the_credential_is_left_out_of_what_is_judged(
    bare: str, sent: str, hidden: bool
) -> None:
    request = httpx.Request("POST", sent, extensions={UNSIGNED_URL: bare})
    assert str(unsigned(request)) == (bare if hidden else sent)
