"""A token stays current with as few token requests as there can be, and shows nowhere."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from banksman.auth import MemoryTokenStore, redact
from banksman.errors import CallError

from .conftest import API_URL, Clock, System, refreshing


def test_a_token_is_fetched_once_and_serves_later_calls_and_clients(system: System, auth: httpx.Auth) -> None:
    for _ in range(3):
        assert system.client(auth).get(API_URL).is_success
    assert len(system.asked) == 1
    assert system.used == ["access-1-token"] * 3


async def test_one_token_serves_sync_and_async_clients(system: System, auth: httpx.Auth) -> None:
    assert system.client(auth).get(API_URL).is_success
    assert (await system.async_client(auth).get(API_URL)).is_success
    assert len(system.asked) == 1


@pytest.mark.parametrize(
    ("lifetime", "good_for"), [(3600, 3540), (600, 540), (100, 90), (10, 9), ("3600", 3540), (1, 0.5)]
)
def test_a_token_is_renewed_a_minute_or_a_tenth_of_its_life_before_it_expires(
    system: System, auth: httpx.Auth, clock: Clock, lifetime: Any, good_for: float
) -> None:
    clock.now = float(int(clock.now))
    system.lifetime = lifetime
    with system.client(auth) as client:
        client.get(API_URL)
        clock.now += good_for
        client.get(API_URL)
        assert len(system.asked) == 1
        clock.now += 1
        client.get(API_URL)
    assert system.used == ["access-1-token", "access-1-token", "access-2-token"]


def test_a_token_without_expiry_is_used_until_it_is_refused(system: System, auth: httpx.Auth, clock: Clock) -> None:
    system.lifetime = None
    with system.client(auth) as client:
        client.get(API_URL)
        clock.now += 10_000_000
        assert client.get(API_URL).is_success
        assert len(system.asked) == 1
        system.good.clear()
        assert client.get(API_URL).is_success
    assert len(system.asked) == 2


@pytest.mark.parametrize("in_loop", [False, True])
async def test_a_refused_token_is_renewed_and_the_request_repeated_with_its_body(
    system: System, auth: httpx.Auth, in_loop: bool
) -> None:
    assert system.client(auth).get(API_URL).is_success
    system.good.clear()
    if in_loop:
        response = await system.async_client(auth).post(API_URL, json={"amount": 3})
    else:
        response = system.client(auth).post(API_URL, json={"amount": 3})
    assert response.json() == {"by": "access-2-token"}
    assert [call.content for call in system.calls] == [b"", b'{"amount":3}', b'{"amount":3}']
    assert len(system.asked) == 2


def test_a_token_just_fetched_is_not_to_blame_for_a_refusal(system: System, auth: httpx.Auth) -> None:
    system.answer = lambda request: httpx.Response(200, json={"access_token": "no-good-here"})
    with system.client(auth) as client:
        assert client.get(API_URL).status_code == 401
        assert len(system.asked) == 1
        assert client.get(API_URL).status_code == 401
    assert len(system.asked) == 1
    assert len(system.calls) == 2


def test_a_refusal_counts_again_after_a_while(
    system: System, auth: httpx.Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("banksman.auth._token.VOUCHED", 0.0)
    system.answer = lambda request: httpx.Response(200, json={"access_token": f"no-good-{len(system.asked)}"})
    with system.client(auth) as client:
        client.get(API_URL)
        assert system.used == ["no-good-1"]
        system.answer = None
        assert client.get(API_URL).is_success


def test_a_request_is_repeated_once_and_a_system_that_always_refuses_costs_one_renewal(
    system: System, auth: httpx.Auth
) -> None:
    with system.client(auth) as client:
        client.get(API_URL)
        system.good.clear()
        system.answer = lambda request: httpx.Response(200, json={"access_token": f"no-good-{len(system.asked)}"})
        for _ in range(3):
            assert client.get(API_URL).status_code == 401
    assert len(system.asked) == 2
    assert system.used == ["access-1-token", "access-1-token", "no-good-2", "no-good-2", "no-good-2"]


def test_a_stream_is_not_sent_twice_but_the_next_call_has_a_new_token(system: System, auth: httpx.Auth) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"only once"

    class Streaming(httpx.BaseTransport):
        """Unlike MockTransport, leaves the body a stream."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            assert isinstance(request.stream, httpx.SyncByteStream)
            return system(
                httpx.Request(request.method, request.url, headers=request.headers, content=b"".join(request.stream))
            )

    with httpx.Client(auth=auth, transport=Streaming()) as client:
        client.get(API_URL)
        system.good.clear()
        assert client.post(API_URL, content=chunks()).status_code == 401
        assert client.get(API_URL).is_success
    assert system.used == ["access-1-token", "access-1-token", "access-2-token"]


@pytest.mark.parametrize("in_loop", [False, True])
async def test_nothing_that_is_logged_printed_or_raised_shows_a_secret(
    system: System, caplog: pytest.LogCaptureFixture, in_loop: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    system.rotating = True
    auth = refreshing(MemoryTokenStore())
    assert system.client(auth).get(API_URL).is_success
    system.good.clear()
    system.refresh = "revoked"
    with pytest.raises(CallError) as caught:
        await system.get(auth, in_loop=in_loop)
    parts = [repr(value) for value in (auth, vars(auth), *vars(auth).values(), *vars(caught.value).values())]
    shown = caplog.text + "".join(traceback.format_exception(caught.value)) + "".join(parts)
    for secret in ("hunter22", "first-refresh-token", "refresh-1-token", "access-1-token"):
        assert secret not in shown
    assert redact(shown) == shown
