"""Secrets stay out of every text, and hostile texts cost no more than reading them."""

from __future__ import annotations

import logging

import pytest

from banksman.auth import register
from banksman.http import scrub, scrub_headers
from banksman.http.scrub import ScrubbingFilter, guard_logs

SECRET = "Zq8vN2kLw0Xy7Rt5"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: Basic {SECRET}==",
        f"https://ann:{SECRET}@host/path",
        f"https://:{SECRET}@host/path",
        f"https://host/?a=1&access_token={SECRET}&b=2",
        f"https://host/?api_key={SECRET}",
        f"https://host/?X-Amz-Signature={SECRET}",
        f"https://host/?sig={SECRET}#x",
        f"https://host/cb?code={SECRET}",
        f'{{"client_secret": "{SECRET}"}}',
        f'{{"password": "two words {SECRET}"}}',
        f'{{"body": "{{\\"token\\": \\"{SECRET}\\"}}"}}',
        f"password={SECRET}; next",
        f"Cookie: a=1; session={SECRET}",
        f"set-cookie: session={SECRET}; Path=/",
        f"[(b'Set-Cookie', b'session={SECRET}; Path=/'), (b'X-CSRF-Token', b'{SECRET}')]",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}",
        f"said xoxb-{SECRET}",
        f"said ghp_{SECRET}{SECRET}",
        f"said sk-ant-{SECRET}",
        f"said sk_live_{SECRET}",
    ],
)
def test_a_text_loses_what_looks_like_a_secret(text: str) -> None:
    assert SECRET not in scrub(text)
    assert "[secret]" in scrub(text)


def test_a_jwt_is_found_anywhere() -> None:
    assert scrub(f"got {JWT}, sorry") == "got [secret], sorry"


def test_a_known_secret_is_removed_however_it_is_written() -> None:
    register("pässword/with?signs")
    for text in ("pässword/with?signs", "p%C3%A4ssword%2Fwith%3Fsigns", r"p\u00e4ssword/with?signs"):
        assert "ssword" not in scrub(f"see {text}!")


@pytest.mark.parametrize(
    "text",
    [
        "The order 4500000017 was not found at https://host/orders/4500000017?expand=items",
        "tokens are counted; no secret here",
        '{"status": "open", "keyboard": "qwerty", "monkey=": 1}',
        "message: the code is 42",
    ],
)
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert scrub(text) == text


def test_secret_headers_are_hidden_and_others_scrubbed() -> None:
    headers = {
        "Authorization": SECRET,
        "X-Api-Key": SECRET,
        "Cookie": SECRET,
        "Set-Cookie": SECRET,
        "X-CSRF-Token": SECRET,
        "Location": f"https://host/?token={SECRET}",
        "Content-Type": "application/json",
    }
    shown = scrub_headers(headers)
    assert SECRET not in str(shown)
    assert shown["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "piece",
    ["a", "eyJ-", "eyJaaaaaaaa.", "token", "token=", 'token="', "token='", "xox-", "://a:", "?a=", "bearer ", "token ",
     "-----BEGIN PRIVATE KEY-----", "(b'a', b'", "cookie:", "sk-ant-", "gho_", "\\", "\\\"", "password:\\\""],
)  # fmt: skip
def test_hostile_texts_of_any_length_are_read_through_once(piece: str) -> None:
    """A pattern that starts over at each character would need hours for these, and hang here."""
    scrub(piece * (400_000 // len(piece)))


def test_a_broken_log_record_is_left_to_its_handler() -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "%d", ("no number",), None)
    assert ScrubbingFilter().filter(record)
    assert record.args == ("no number",)


def test_the_loggers_of_the_client_are_guarded_once() -> None:
    guard_logs()
    guard_logs()
    for name in ("httpx", "httpcore.http11", "httpcore.connection"):
        assert sum(isinstance(item, ScrubbingFilter) for item in logging.getLogger(name).filters) == 1
