from __future__ import annotations

import gc

import pytest

from banksman.auth import redact
from banksman.auth._token import Token

from .conftest import Clock


def test_a_token_shows_its_expiry_alone(clock: Clock) -> None:
    clock.now = 1000.0
    token = Token({"access_token": "access-token", "refresh_token": "refresh-token", "expires_in": 60})
    assert repr(token) == "Token(expires_at=1060)"
    assert redact("access-token refresh-token") == "[secret] [secret]"


def test_tokens_that_nobody_holds_are_forgotten_in_time() -> None:
    for number in range(400):
        Token({"access_token": f"access-{number:03}-token", "refresh_token": f"refresh-{number:03}-token"})
    gc.collect()
    Token({"access_token": "one-more"})
    assert redact("access-000-token refresh-000-token") == "access-000-token refresh-000-token"
    assert redact("access-399-token refresh-399-token") == "[secret] [secret]"


def test_a_record_makes_the_same_token_and_keeps_its_expiry(clock: Clock) -> None:
    clock.now = 1000.0
    answer = {"access_token": "access-token", "refresh_token": "r3fresh", "expires_in": "100", "id_token": "dropped"}
    record = Token(answer).record()
    clock.now = 1089.0
    again = Token(record, recalled=True)
    assert again.record() == record
    assert set(record) == {"access_token", "refresh_token", "expires_in", "expires_at"}
    assert not again.is_stale()
    clock.now = 1091.0
    assert again.is_stale()


def test_an_expiry_without_a_lifetime_has_the_full_leeway(clock: Clock) -> None:
    clock.now = 1000.0
    token = Token({"access_token": "access-token", "expires_at": 1100})
    assert not token.is_stale()
    clock.now = 1041.0
    assert token.is_stale()


def test_a_refused_token_is_stale_whatever_its_expiry() -> None:
    token = Token({"access_token": "access-token", "expires_in": 3600})
    token.spoil()
    assert token.is_stale()


@pytest.mark.parametrize("access", [None, "", "two words", "two\nlines", "ümlaut"])
def test_what_no_header_can_carry_is_no_token(access: str | None) -> None:
    with pytest.raises(ValueError, match="no access_token that fits into a header"):
        Token({"access_token": access})
