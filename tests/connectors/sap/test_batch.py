"""Batches: the gate lets through those that only read, and nothing that could be read in another way."""

from __future__ import annotations

import json

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banksman import Effect
from banksman.errors import MalformedAnswer
from banksman_connectors.sap import ROUTES
from banksman_connectors.sap.batch import Part, answers_in, changeset, effect_of_batch, read_batch

READS = [Part(method="GET", url="PurchaseOrders('1')?$select=id"), Part(method="GET", url="A(x='%27',y=1)/items")]
WRITES = [
    Part(
        method="PATCH",
        url="PurchaseOrders('1')",
        headers={"content-type": "application/json"},
        content=b'{"netAmount":1234567890123.4500}',
        etag='W/"1"',
    )
]
FORMS = ("json", "multipart")


def test_the_route_of_a_batch_is_judged_by_its_body() -> None:
    content, _ = read_batch(READS, "json")
    assert ROUTES.effect("POST", "/$batch", content) is Effect.READ
    assert ROUTES.effect("POST", "/$batch") is Effect.SEND
    assert ROUTES.effect("POST", "/PurchaseOrders", content) is Effect.WRITE


@pytest.mark.parametrize("form", FORMS)
def test_a_batch_of_reads_is_a_read(form: str) -> None:
    content, _ = read_batch(READS, form)  # type: ignore[arg-type]
    assert effect_of_batch(content) is Effect.READ


@pytest.mark.parametrize("form", FORMS)
def test_a_batch_with_a_write_is_none(form: str) -> None:
    assert effect_of_batch(changeset("http://h/$batch", WRITES, form, {}).content) is Effect.SEND  # type: ignore[arg-type]


HOSTILE_JSON = [
    {"requests": [{"id": "0", "method": "DELETE", "url": "A(1)"}]},
    {"requests": [{"id": "0", "method": "get", "url": "A(1)"}]},
    {"requests": [{"id": "0", "method": "GET", "url": "A(1)", "headers": {"X-HTTP-Method": "DELETE"}}]},
    {"requests": [{"id": "0", "method": "GET", "url": "A(1)", "body": {}}]},
    {"requests": [{"id": "0", "method": "GET", "url": "A(1) HTTP/1.1\r\nX: y"}]},
    {"requests": [{"id": "0", "method": "GET", "url": ["A"]}]},
    {"requests": [{"id": "0", "method": "GET", "url": "A"}], "more": 1},
    {"requests": {"id": "0"}},
    {},
    [],
]


@pytest.mark.parametrize("body", HOSTILE_JSON, ids=str)
def test_a_json_body_that_says_more_is_no_read(body: object) -> None:
    assert effect_of_batch(json.dumps(body).encode()) is Effect.SEND


def test_a_name_that_is_there_twice_is_no_read() -> None:
    """One parser takes the first, another the last."""
    text = '{"requests":[{"id":"0","method":"DELETE","method":"GET","url":"A(1)"}]}'
    assert json.loads(text)["requests"][0]["method"] == "GET"
    assert effect_of_batch(text.encode()) is Effect.SEND


MULTIPART, _ = read_batch(READS, "multipart")
MARK = MULTIPART.split(b"\r\n")[0]


@pytest.mark.parametrize(
    "body",
    [
        MULTIPART.replace(b"GET", b"DELETE", 1),
        MULTIPART.replace(b"GET ", b"GET  ", 1),
        MULTIPART.replace(b"\r\n", b"\n"),
        MULTIPART + b"DELETE A(1) HTTP/1.1\r\n\r\n",
        MULTIPART.replace(b"Accept: application/json", b"Accept: application/json\r\nX-HTTP-Method: DELETE", 1),
        MULTIPART.replace(b"application/http", b"multipart/mixed; boundary=x", 1),
        b"preamble\r\n" + MULTIPART,
        MULTIPART.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nContent-ID: 1\r\n", 1),
        MULTIPART[: -len(MARK) - 6],
        MULTIPART.replace(MARK, b"--x"),
        MARK + b"\r\n",
        b"",
        b"{",
        b"\xff\xfe",
        b"{" + b'"a":[' * 100_000,
    ],
)
def test_a_multipart_body_of_another_form_is_no_read(body: bytes) -> None:
    assert effect_of_batch(body) is Effect.SEND


@settings(max_examples=300)
@given(st.binary(max_size=6), st.integers(0, len(MULTIPART)), st.integers(0, 8))
def test_what_is_put_into_a_batch_of_reads_is_never_a_write_in_it(inserted: bytes, at: int, cut: int) -> None:
    changed = MULTIPART[:at] + inserted + MULTIPART[at + cut :]
    if effect_of_batch(changed) is Effect.READ:
        verbs = [line.split(b" ")[0] for line in changed.split(b"\r\n") if line.endswith(b" HTTP/1.1")]
        assert set(verbs) == {b"GET"}
        assert b"X-HTTP" not in changed


@pytest.mark.parametrize("url", ["A(1) HTTP/1.1", "A\r\nX: y", "A(1)#x", 'A"', "ü", ""])
def test_an_address_that_would_end_its_line_is_not_written(url: str) -> None:
    with pytest.raises(ValueError, match="cannot be part"):
        read_batch([Part(method="GET", url=url)], "multipart")


# Approval


@pytest.mark.parametrize("form", FORMS)
def test_approval_covers_the_parts_of_a_changeset_and_not_their_etags(form: str) -> None:
    one = changeset("http://h/$batch", WRITES, form, {"accept": "x"})  # type: ignore[arg-type]
    fresh = [Part(method=p.method, url=p.url, headers=p.headers, content=p.content, etag='W/"2"') for p in WRITES]
    other = changeset("http://h/$batch", fresh, form, {"accept": "x"})  # type: ignore[arg-type]
    assert one.canonical() == other.canonical()
    assert one.fingerprint != other.fingerprint, "the gate is opened for what is sent, byte for byte"
    assert b'W/\\"1\\"' in one.content or b'W/"1"' in one.content
    assert b"1234567890123.4500" in one.content, "no digit is lost"
    changed = [Part(method="PATCH", url=p.url, headers=p.headers, content=b"{}") for p in WRITES]
    assert changeset("http://h/$batch", changed, form, {"accept": "x"}).canonical() != one.canonical()  # type: ignore[arg-type]


# Answers


def test_json_answers_come_back_in_the_order_of_the_requests() -> None:
    body = {
        "responses": [
            {"id": "10", "status": 200, "body": {"n": 10}},
            {"id": "2", "status": 404, "headers": {"content-type": "application/json"}, "body": {"error": {}}},
            {"id": "0", "status": 204},
        ]
    }
    found = answers_in(httpx.Response(200, json=body))
    assert [answer.status_code for answer in found] == [204, 404, 200]
    assert found[2].json() == {"n": 10}


def test_multipart_answers_are_read_through_changesets() -> None:
    content = (
        "--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        'HTTP/1.1 204 No Content\r\nETag: W/"2"\r\n\r\n\r\n--b--\r\n'
        "--a\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
        '{"d":{"name":"Luleå"}}\r\n--a--\r\n'
    )
    response = httpx.Response(202, content=content.encode(), headers={"content-type": "multipart/mixed; boundary=a"})
    first, second = answers_in(response)
    assert (first.status_code, first.headers["etag"], first.content) == (204, 'W/"2"', b"")
    assert second.json() == {"d": {"name": "Luleå"}}


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{}", "application/json"),
        (b"[]", "application/json"),
        (b'{"responses":[{"id":"x","status":200}]}', "application/json"),
        (b'{"responses":[{"id":"1"}]}', "application/json"),
        (b"nothing", "multipart/mixed; boundary=a"),
        (b"--a\r\n\r\nnothing\r\n--a--", "multipart/mixed; boundary=a"),
        (b"--a\r\n\r\n\r\n--a--", "multipart/mixed"),
    ],
)
def test_an_answer_that_is_no_batch_is_said_to_be_none(content: bytes, kind: str) -> None:
    with pytest.raises(MalformedAnswer):
        answers_in(httpx.Response(200, content=content, headers={"content-type": kind}))
