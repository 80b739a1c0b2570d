"""When a safe request goes out again, and for how long everybody waits."""

from __future__ import annotations

from datetime import datetime, timezone

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from banksman.http import RetryPolicy
from banksman.http.retry import retry_after

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("0", 0.0),
        ("1.5", 1.5),
        (" 7 ", 7.0),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0),
        ("Fri, 02 Jan 2026 03:04:05 GMT", 0.0),
        ("Thu, 01 Jan 2026 00:00:00 GMT", 0.0),
        ("Fri, 02 Jan 2026 05:05:05 +0200", 60.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("9" * 400, None),
        ("٣", None),
        ("1_000", None),
        ("Fri, 32 Jan 2026 03:05:05 GMT", None),
        ("Fri, 02 Jan 2026 03:05:05 +9999", None),
    ],
)
def test_retry_after_is_a_number_a_date_or_nothing(value: str, seconds: float | None) -> None:
    assert retry_after(httpx.Headers([(b"retry-after", value.encode())]), NOW) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} \d{1,3}:\d{1,3}:\d{1,3} [-+]?\w{1,6}"))
def test_whatever_a_system_writes_there_is_never_an_error(value: str) -> None:
    found = retry_after(httpx.Headers([(b"retry-after", value.encode())]), NOW)
    assert found is None or 0 <= found < 1e13


@given(st.integers(1, 20), st.floats(0, 1))
def test_pauses_are_spread_and_bounded(attempt: int, drawn: float) -> None:
    policy = RetryPolicy(attempts=6, base=0.5, longest=4.0)
    pause = policy.pause(attempt, None, lambda: drawn)
    if attempt >= 6:
        assert pause is None
    else:
        assert pause == drawn * min(4.0, 0.5 * 2 ** (attempt - 1))


def test_a_wait_that_the_system_asks_for_is_kept_and_a_little_more() -> None:
    policy = RetryPolicy(attempts=3, base=0.5, longest=30.0)
    assert policy.pause(1, 10.0, lambda: 0.0) == 10.0
    assert policy.pause(1, 10.0, lambda: 1.0) == 10.5


def test_a_wait_that_is_too_long_ends_the_retries() -> None:
    assert RetryPolicy(longest=30.0).pause(1, 31.0) is None
