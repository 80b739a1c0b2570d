"""From an answer to an error: the vendor's code first, then the status; for writes, doubt stays doubt."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from banksman.errors import (
    AccessDenied,
    AuthFailed,
    CallError,
    Conflict,
    MalformedAnswer,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
)
from banksman.http import ErrorTable, Fault, read_json
from banksman.http.answers import UNCERTAIN, printable


def slack_fault(response: httpx.Response) -> Fault | None:
    body = response.json()
    return None if body["ok"] else (body["error"], f"Slack says {body['error']}")


SLACK = ErrorTable(
    {"channel_not_found": NotFound, "ratelimited": RateLimited, "fatal_error": OutcomeUnknown, "down": Unavailable},
    slack_fault,
    {"channel_not_found": "Invite the bot."},
)


def refusal(table: ErrorTable, response: httpx.Response, *, changes: bool = False) -> CallError:
    with pytest.raises(CallError) as caught:
        table.check(response, changes=changes)
    return caught.value


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (301, Rejected, Rejected),
        (400, Rejected, Rejected),
        (401, AuthFailed, AuthFailed),
        (403, AccessDenied, AccessDenied),
        (404, NotFound, NotFound),
        (408, Unavailable, OutcomeUnknown),
        (409, Conflict, Conflict),
        (410, NotFound, NotFound),
        (412, Conflict, Conflict),
        (422, Rejected, Rejected),
        (428, Conflict, Conflict),
        (429, RateLimited, RateLimited),
        (500, Unavailable, OutcomeUnknown),
        (502, Unavailable, OutcomeUnknown),
        (503, Unavailable, OutcomeUnknown),
        (504, Unavailable, OutcomeUnknown),
        (599, Unavailable, OutcomeUnknown),
    ],
)
def test_a_status_means_for_a_read_and_for_a_write(status: int, read: type, write: type) -> None:
    response = httpx.Response(status, json={"message": "why"})
    assert type(refusal(ErrorTable(), response)) is read
    error = refusal(ErrorTable(), response, changes=True)
    assert type(error) is write
    assert error.status == status
    assert "why" in error.message


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_success_is_success(status: int) -> None:
    ErrorTable().check(httpx.Response(status), changes=True)


def test_an_error_inside_a_success_is_an_error() -> None:
    error = refusal(SLACK, httpx.Response(200, json={"ok": False, "error": "channel_not_found"}))
    assert type(error) is NotFound
    assert (error.code, error.status, error.hint) == ("channel_not_found", 200, "Invite the bot.")
    assert type(refusal(SLACK, httpx.Response(200, json={"ok": False, "error": "new_code"}))) is Rejected
    SLACK.check(httpx.Response(200, json={"ok": True}), changes=True)


def test_a_code_says_more_than_the_status() -> None:
    limited = httpx.Response(200, json={"ok": False, "error": "ratelimited"}, headers={"retry-after": "7"})
    error = refusal(SLACK, limited, changes=True)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 7.0
    assert type(refusal(SLACK, httpx.Response(500, json={"ok": False, "error": "down"}), changes=True)) is Unavailable
    unlisted = httpx.Response(500, json={"ok": False, "error": "other"})
    assert type(refusal(SLACK, unlisted, changes=True)) is OutcomeUnknown


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'"x"', b"", b"\xff", b"[" * 100_000, b'{"ok": 0}'])
def test_an_answer_that_the_table_cannot_read_is_judged_by_its_status(body: bytes) -> None:
    assert type(refusal(SLACK, httpx.Response(502, content=body))) is Unavailable
    assert type(refusal(SLACK, httpx.Response(502, content=body), changes=True)) is OutcomeUnknown


@pytest.mark.parametrize("body", [{"ok": False}, {}, [], "x", {"ok": 0, "error": None}])
def test_a_success_that_does_not_say_how_it_went_is_none(body: Any) -> None:
    table = ErrorTable({}, lambda response: None if response.json()["ok"] else (response.json()["error"][:], "x"))
    assert type(refusal(table, httpx.Response(200, json=body))) is MalformedAnswer
    assert type(refusal(table, httpx.Response(200, json=body), changes=True)) is OutcomeUnknown


@pytest.mark.parametrize("page", [b"<!doctype html><title>Sign in</title>", b"\n <HTML lang=en>"])
def test_a_login_page_in_answer_to_a_write_is_no_success(page: bytes) -> None:
    response = httpx.Response(200, content=page, headers={"content-type": "text/html"})
    assert type(refusal(ErrorTable(), response, changes=True)) is OutcomeUnknown
    ErrorTable().check(response, changes=False)
    ErrorTable().check(httpx.Response(200, content=b"ok", headers={"content-type": "text/html"}), changes=True)


def test_a_download_is_no_error_because_it_is_no_json() -> None:
    SLACK.check(httpx.Response(200, content=b"\x89PNG", headers={"content-type": "image/png"}), changes=False)
    SLACK.check(httpx.Response(204, headers={"content-type": "application/json"}), changes=True)


def test_a_table_may_read_the_body_with_read_json() -> None:
    table = ErrorTable({}, lambda response: read_json(response)["error"])
    assert type(refusal(table, httpx.Response(500, content=b"<html>"), changes=True)) is OutcomeUnknown


@pytest.mark.parametrize("status", [400, 401, 403, 409, 422, 429])
def test_a_refused_repetition_says_nothing_about_the_attempt_before_it(status: int) -> None:
    response = httpx.Response(status, json={"message": "key in use"}, extensions={UNCERTAIN: True})
    error = refusal(ErrorTable(), response, changes=True)
    assert type(error) is OutcomeUnknown
    assert "earlier attempt" in error.message
    ErrorTable().check(httpx.Response(200, extensions={UNCERTAIN: True}), changes=True)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": {"message": "a"}}, "a"),
        ({"error": {"message": {"lang": "en", "value": "b"}}}, "b"),
        ({"message": "c"}, "c"),
        ({"error": "d", "error_description": "e"}, "e"),
        ({"detail": "f"}, "f"),
        ({"title": "g"}, "g"),
        ({"error": {"message": ""}, "message": "h"}, "h"),
        ({"message": 5}, "Bad Request"),
        ([], "Bad Request"),
        ("text", "Bad Request"),
    ],
)
def test_the_most_telling_text_is_shown(body: Any, text: str) -> None:
    assert refusal(ErrorTable(), httpx.Response(400, json=body)).message == f"{text} [HTTP 400]"


def test_an_outside_text_is_one_short_line_without_secrets_or_control_characters() -> None:
    hostile = "\x1b[2J\x1b[31mapproved\r\n\u202e" + "Authorization: Bearer abcdefgh12345678 " + "x" * 10_000_000
    error = refusal(SLACK, httpx.Response(400, json={"ok": False, "error": hostile}))
    assert "abcdefgh" not in str(error)
    assert "abcdefgh" not in str(error.code)
    for text in (error.message, str(error.code)):
        assert text.isprintable()
        assert len(text) < 700


def test_a_redirect_is_not_followed_but_named() -> None:
    error = refusal(
        ErrorTable(), httpx.Response(302, headers={"location": "https://login.example/\x1b[2J?token=abcdefgh1"})
    )
    assert "https://login.example/" in str(error.hint)
    assert "abcdefgh" not in str(error.hint)
    assert str(error.hint).isprintable()


@given(st.binary() | st.text().map(str.encode), st.integers(200, 599), st.booleans())
def test_no_answer_is_anything_but_a_call_error(content: bytes, status: int, changes: bool) -> None:
    for table in (ErrorTable(), SLACK):
        try:
            table.check(httpx.Response(status, content=content), changes=changes)
        except CallError:
            pass
        else:
            assert 200 <= status < 300


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"a": [1, 2.5, "\xc3\xa4", null, true]}', {"a": [1, 2.5, "ä", None, True]}),
        (b"\xef\xbb\xbf{}", {}),
        (b'{"big": 123456789012345678901234567890}', {"big": 123456789012345678901234567890}),
        (rb'"\ud83d\ude00 \u00e4"', "😀 ä"),
        (rb'"half \ud800 and \udc00 and \ud800\u0041"', "half \ufffd and \ufffd and \ufffdA"),
        (rb'"a path C:\\ud800 stays"', r"a path C:\ud800 stays"),
        (rb'"\\\ud800"', "\\\ufffd"),
        (b'{"hash": "4e5000123"}', {"hash": "4e5000123"}),
        (b"[" * 150 + b"]" * 150, None),
    ],
)
def test_json_is_read(content: bytes, value: Any) -> None:
    found = read_json(httpx.Response(200, content=content))
    if value is not None:
        assert found == value
        assert str(found).encode(), "what was read can be written again"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>login</html>", "is not JSON"),
        (b"", "0 bytes"),
        (b'{"a": 1', "is not JSON"),
        (b'"\xff"', "valid UTF-8 at byte 1"),
        ('{"a": "ä"}'.encode("latin-1"), "valid UTF-8"),
        (b"[" * 100_000, "recursion"),
        (b'{"a":' * 100_000, "recursion"),
        (b"NaN", "is not JSON"),
        (b"[Infinity]", "is not JSON"),
        (b"[1e999]", "too large"),
        (b"[-1e+999]", "too large"),
        (b"[" + b"9" * 400 + b".0]", "too large"),
        (b"[" + b"9" * 5000 + b"]", "is not JSON"),
    ],
)
def test_what_is_no_json_is_malformed(content: bytes, said: str) -> None:
    with pytest.raises(MalformedAnswer, match=said):
        read_json(httpx.Response(200, content=content, headers={"content-type": "text/html\x1b; charset=x"}))


def test_printable_cuts_after_scrubbing() -> None:
    assert printable("a\n b\tc", 3) == "a b"
