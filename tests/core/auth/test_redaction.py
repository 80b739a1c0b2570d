from __future__ import annotations

import gc
import json
import logging
import time
from base64 import b64encode
from urllib.parse import quote, quote_plus

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from banksman.auth import MASK, ApiKey, RedactingFilter, Secret, _redaction, build, redact, register, registered

AWKWARD = 'p@ss w/"ö"\\%+=&'


def test_a_known_value_is_removed_wherever_it_stands() -> None:
    register("hunter22")
    assert redact("hunter22 and 'hunter22', not hunter2") == f"{MASK} and '{MASK}', not hunter2"


@pytest.mark.parametrize(
    "form",
    [
        AWKWARD,
        quote(AWKWARD),
        quote(AWKWARD, safe=""),
        quote_plus(AWKWARD),
        quote(AWKWARD, safe="").replace("%40", "%40").lower(),
        json.dumps(AWKWARD)[1:-1],
        json.dumps(AWKWARD, ensure_ascii=False)[1:-1],
        b64encode(AWKWARD.encode()).decode().rstrip("="),
        str(httpx.URL("https://x.example", params={"q": AWKWARD})).partition("q=")[2],
    ],
)
def test_encoded_forms_are_removed(form: str) -> None:
    register(AWKWARD)
    assert redact(f"<{form}>") == f"<{MASK}>"


def test_the_basic_credential_is_removed_though_its_user_is_no_secret() -> None:
    from banksman.auth import Basic

    build(Basic(), {"kind": "basic", "username": "alice", "password": "literal:hunter22"})
    text = f"Authorization: Basic {b64encode(b'alice:hunter22').decode()} of alice"
    assert redact(text) == f"Authorization: Basic {MASK} of alice"


def test_values_under_four_characters_stay_lest_texts_become_unreadable() -> None:
    register("abc")
    register("")
    assert redact("abc") == "abc"
    assert registered() == frozenset()


def test_a_secret_inside_another_one_leaves_nothing_of_it() -> None:
    register("token")
    register("token-of-production")
    assert redact("token-of-production, token") == f"{MASK}, {MASK}"


def test_a_secret_that_is_part_of_the_mask_does_not_break_it() -> None:
    register("secret")
    assert redact(redact("a secret")) == f"a {MASK}"


@given(secrets=st.lists(st.text(min_size=4), min_size=1), between=st.lists(st.text(), min_size=1))
def test_no_known_value_is_left_and_twice_is_as_good_as_once(secrets: list[str], between: list[str]) -> None:
    _redaction._registry = _redaction._Registry()
    for secret in secrets:
        register(secret)
    text = "".join(part + secret for part, secret in zip(between, secrets, strict=False))
    clean = redact(text)
    assert redact(clean) == clean
    for secret in secrets:
        assert all(secret not in part for part in clean.split(MASK))


def test_a_token_is_known_as_long_as_anybody_holds_it_and_then_while_it_is_recent() -> None:
    held = Secret("held-for-long", passing=True)
    for number in range(400):
        Secret(f"passing-{number:03}", passing=True)
    gc.collect()
    assert redact(f"{held.reveal()} passing-399") == f"{MASK} {MASK}"
    assert redact("passing-000") == "passing-000"


def test_a_configured_secret_stays_known_though_it_also_came_as_a_token() -> None:
    Secret("both-of-them", passing=True)
    register("both-of-them")
    for number in range(400):
        Secret(f"passing-{number:03}", passing=True)
    assert redact("both-of-them") == MASK


def test_a_megabyte_against_two_hundred_secrets_takes_a_moment() -> None:
    for number in range(200):
        register(f"{number:03}-of-the-many-secrets")
    text = json.dumps([{"id": n, "name": f"order {n}"} for n in range(25_000)])
    started = time.perf_counter()
    assert redact(text) == text
    assert time.perf_counter() - started < 1.0


def test_log_records_lose_known_values_and_keep_their_arguments_otherwise(caplog: pytest.LogCaptureFixture) -> None:
    register("hunter22")
    log = logging.getLogger("test.of.the.filter")
    log.addFilter(RedactingFilter())
    log.warning("password is %s", "hunter22")
    log.warning("count is %d", 3)
    assert [record.getMessage() for record in caplog.records] == [f"password is {MASK}", "count is 3"]
    assert caplog.records[1].args == (3,)


def test_a_broken_log_record_is_left_to_the_handler() -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, "%d", ("no number",), None)
    assert RedactingFilter().filter(record)


def test_httpx_does_not_log_a_key_in_a_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    auth = build(ApiKey(query="key"), {"kind": "api_key", "key": "literal:a key/of mine"})
    with httpx.Client(auth=auth, transport=httpx.MockTransport(lambda request: httpx.Response(200))) as client:
        response = client.get("https://api.example/v1?page=2")
    assert response.request.url.params["key"] == "a key/of mine"
    assert "page=2&key=[secret]" in caplog.text
    assert "of+mine" not in caplog.text
    assert "of%20mine" not in caplog.text
