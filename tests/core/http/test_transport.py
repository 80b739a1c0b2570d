"""The seam: nothing is written unapproved, nothing unsafe is repeated, and doubt is never reported as certainty."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from banksman import Effect, _gate
from banksman.auth import TOKEN_REQUEST, UNSIGNED_URL
from banksman.errors import (
    CallError,
    Conflict,
    Denied,
    MalformedAnswer,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
    WriteRefused,
)
from banksman.http import Exchange, HttpApi, Limits, Request, RetryPolicy, Routes

BASE = "https://erp.example/api"
ROUTES = Routes([("POST", "/search", Effect.READ), ("GET", "/orders/{id}/cancel", Effect.DESTROY)])
Script = Callable[[httpx.Request], httpx.Response | Exception]


class System:
    """Answers by a list of answers, the last one for ever; keeps what it was sent."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


class Slept:
    """Stands for `sleep`: time passes at once, and how long it would have been is kept."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)


def api_of(system: Any, **more: Any) -> HttpApi:
    api = HttpApi(BASE, inner=httpx.MockTransport(system), routes=ROUTES, **more)
    api.transport._sleep = Slept()
    api.transport._throttle._sleep = Slept()
    return api


def pauses(api: HttpApi) -> list[float]:
    slept = api.transport._sleep
    assert isinstance(slept, Slept)
    return slept.pauses


async def write(api: HttpApi, **more: Any) -> httpx.Response:
    request = api.request("POST", "orders", json={"n": 1}, **more)
    with _gate.sending([request.fingerprint]):
        return await api.send(request)


OK = httpx.Response(200, json={"a": 1})

# What may pass the gate.


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "orders"), ("PUT", "orders/1"), ("PATCH", "orders/1"), ("DELETE", "orders/1"), ("GET", "orders/1/cancel"),
     ("GET", "orders/%2e%2e/orders/1/cancel"), ("POST", "search/more"), ("BREW", "coffee"), ("POST", "")],
)  # fmt: skip
async def test_a_write_is_refused_unless_it_was_approved(method: str, path: str) -> None:
    system = System(OK)
    api = api_of(system)
    request = api.request(method, path)
    with pytest.raises(WriteRefused, match="outside an approved run"):
        await api.fetch(request)
    with pytest.raises(WriteRefused):
        await api.send(request)
    with pytest.raises(WriteRefused):
        await api.client.request(method, request.url)
    with (
        _gate.sending([api.request("POST", "something/else").fingerprint]),
        pytest.raises(WriteRefused, match="is not"),
    ):
        await api.send(request)
    assert system.seen == []
    with _gate.sending([request.fingerprint]):
        await api.send(request)
    assert len(system.seen) == 1


@pytest.mark.parametrize(
    "change", [{"json": {"n": 2}}, {"path": "orders/2"}, {"params": {"force": "true"}}, {"method": "PUT"}]
)
async def test_an_approval_is_for_one_request_to_the_byte(change: dict[str, Any]) -> None:
    api = api_of(System(OK))
    approved = api.request("POST", "orders", json={"n": 1})
    parts = {"method": "POST", "path": "orders", "json": {"n": 1}, **change}
    with _gate.sending([approved.fingerprint]), pytest.raises(WriteRefused):
        await api.send(api.request(parts.pop("method"), parts.pop("path"), **parts))


async def test_reads_pass_in_every_mode() -> None:
    system = System(OK)
    api = api_of(system)
    await api.get("orders")
    await api.fetch(api.request("POST", "search", json={"q": 1}))
    with _gate.sending([]):
        await api.get("orders")
    assert len(system.seen) == 3


async def test_a_token_request_passes_in_every_mode_and_to_its_own_server() -> None:
    system = System(OK)
    api = api_of(system)
    extensions = {TOKEN_REQUEST: True}
    await api.transport.handle_async_request(
        httpx.Request("POST", "https://login.example/token", extensions=extensions, content=b"grant_type=x")
    )
    assert len(system.seen) == 1


async def test_a_token_request_is_never_repeated() -> None:
    system = System(httpx.Response(503))
    request = httpx.Request("POST", "https://login.example/token", extensions={TOKEN_REQUEST: True})
    assert (await api_of(system).transport.handle_async_request(request)).status_code == 503
    assert len(system.seen) == 1


async def test_a_key_in_the_query_is_added_after_the_approval_and_is_not_part_of_it() -> None:
    class Key(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Any:
            request.extensions[UNSIGNED_URL] = str(request.url)
            request.url = request.url.copy_set_param("key", "s3cret")
            yield request

    system = System(OK)
    api = api_of(system, auth=Key())
    await write(api)
    assert system.seen[0].url.params["key"] == "s3cret"
    with pytest.raises(_gate.Captured) as caught, _gate.capturing():
        await api.client.post(f"{BASE}/orders")
    assert "s3cret" not in str(caught.value.request)


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/x", "http://erp.example/api/x", "https://erp.example:8443/x", "http://169.254.169.254/latest",
     "https://erp.example.evil.example/", "https://erp.example@evil.example/"],
)  # fmt: skip
async def test_no_request_and_no_credential_goes_to_another_origin(address: str) -> None:
    system = System(OK)
    api = api_of(system, auth=httpx.BasicAuth("ann", "pw"))
    with pytest.raises(Denied, match="one origin per connection"):
        await api.get(address)
    with pytest.raises(Denied):
        await api.client.get(address)
    assert system.seen == []


async def test_beside_the_base_path_no_route_of_the_connector_counts() -> None:
    api = HttpApi(BASE, inner=httpx.MockTransport(System(OK)), routes=Routes([("*", "/{rest...}", Effect.READ)]))
    with pytest.raises(WriteRefused):
        await api.fetch(api.request("POST", "https://erp.example/apiv2/search"))
    with pytest.raises(WriteRefused):
        await api.fetch(api.request("POST", "https://erp.example/"))
    await api.fetch(api.request("POST", f"{BASE}/x"))


async def test_a_body_that_captures_gets_the_request_and_an_sdk_cannot_swallow_it() -> None:
    system = System(OK)
    api = api_of(system)

    def sdk() -> None:
        import anyio.from_thread

        try:
            anyio.from_thread.run(lambda: api.client.post(f"{BASE}/orders", json={"n": 1}))
        except Exception:
            raise AssertionError("swallowed") from None

    captured = await api.capture(sdk)
    assert captured.fingerprint == Request("POST", f"{BASE}/orders", {}, b'{"n":1}').fingerprint
    assert system.seen == []


# What is sent again.


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_read_is_tried_again_while_the_system_says_not_now(status: int) -> None:
    system = System(httpx.Response(status), httpx.Response(status), OK)
    api = api_of(system)
    assert await api.get("orders") == {"a": 1}
    assert len(system.seen) == 3
    assert len(pauses(api)) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501])
async def test_an_answer_is_not_asked_for_again(status: int) -> None:
    system = System(httpx.Response(status))
    with pytest.raises(CallError):
        await api_of(system).get("orders")
    assert len(system.seen) == 1


@pytest.mark.parametrize("error", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x")])
async def test_a_read_is_tried_again_when_the_network_fails_and_then_given_up(error: Exception) -> None:
    system = System(error)
    with pytest.raises(Unavailable, match=r"GET https://erp.example/api/orders failed: x"):
        await api_of(system, retry=RetryPolicy(attempts=3)).get("orders", params={"token": "s3cret"})
    assert len(system.seen) == 3


@pytest.mark.parametrize(
    "answer", [httpx.Response(500), httpx.Response(503), httpx.Response(408), httpx.Response(429),
               httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.WriteError("x")],
)  # fmt: skip
async def test_a_write_is_never_repeated_without_a_key(answer: httpx.Response | Exception) -> None:
    system = System(answer)
    with pytest.raises(CallError):
        await write(api_of(system))
    assert len(system.seen) == 1


async def test_a_write_with_a_key_is_repeated_as_it_was() -> None:
    system = System(httpx.ReadTimeout("x"), httpx.Response(503), OK)
    api = api_of(system)
    response = await write(api, headers={"Idempotency-Key": "k"}, idempotent=True)
    assert response.json() == {"a": 1}
    assert {request.headers["idempotency-key"] for request in system.seen} == {"k"}
    assert {request.content for request in system.seen} == {b'{"n":1}'}


async def test_retry_after_is_kept_to_and_a_wait_that_is_too_long_is_the_callers() -> None:
    system = System(httpx.Response(429, headers={"retry-after": "7"}), OK)
    api = api_of(system, retry=RetryPolicy(longest=10.0, base=0.5))
    await api.get("orders")
    assert 7.0 <= pauses(api)[0] <= 7.5
    long = System(httpx.Response(429, headers={"retry-after": "3600"}))
    with pytest.raises(RateLimited) as caught:
        await api_of(long).get("orders")
    assert caught.value.retry_after == 3600.0
    assert len(long.seen) == 1


async def test_a_429_holds_back_every_caller_of_the_connection() -> None:
    api = api_of(System(httpx.Response(429, headers={"retry-after": "5"}), OK), retry=RetryPolicy(attempts=1))
    waited = Slept()
    clock = [100.0]
    api.transport._throttle._sleep = waited
    api.transport._throttle._clock = lambda: clock[0]
    with pytest.raises(RateLimited):
        await api.get("orders")
    await api.get("other")
    assert waited.pauses == [5.0]


# What a failure means.


@pytest.mark.parametrize("error", [httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.PoolTimeout("x")])
async def test_a_write_that_never_left_has_not_happened(error: Exception) -> None:
    with pytest.raises(Unavailable):
        await write(api_of(System(error)))


@pytest.mark.parametrize(
    "error",
    [httpx.ReadTimeout("x"), httpx.WriteTimeout("x"), httpx.ReadError("x"), httpx.WriteError("x"),
     httpx.RemoteProtocolError("x"), httpx.LocalProtocolError("x"), httpx.DecodingError("x"), TimeoutError("x"),
     ConnectionResetError("x"), ValueError("a bug"), RuntimeError("a bug")],
)  # fmt: skip
async def test_a_write_that_may_have_left_is_unknown(error: Exception) -> None:
    with pytest.raises(OutcomeUnknown, match="may have happened"):
        await write(api_of(System(error)))


async def test_a_bug_while_reading_is_not_dressed_as_an_outage() -> None:
    with pytest.raises(ValueError, match="a bug"):
        await api_of(System(ValueError("a bug"))).get("orders")


@pytest.mark.parametrize("first", [httpx.ReadTimeout("x"), httpx.Response(500), httpx.Response(408)])
@pytest.mark.parametrize(
    "last", [httpx.ConnectError("x"), httpx.Response(409), httpx.Response(422), httpx.Response(429)]
)
async def test_what_the_first_attempt_left_open_the_last_one_does_not_close(
    first: httpx.Response | Exception, last: httpx.Response | Exception
) -> None:
    with pytest.raises(OutcomeUnknown):
        await write(api_of(System(first, last)), idempotent=True)


@pytest.mark.parametrize("first", [httpx.ConnectError("x"), httpx.Response(429)])
async def test_an_attempt_that_cannot_have_happened_leaves_nothing_open(first: httpx.Response | Exception) -> None:
    with pytest.raises(Conflict):
        await write(api_of(System(first, httpx.Response(409))), idempotent=True)
    with pytest.raises(Unavailable):
        await write(api_of(System(first, httpx.ConnectError("x"))), idempotent=True)


async def test_an_answer_beyond_the_limit_is_malformed_for_a_read_and_unknown_for_a_write() -> None:
    big = httpx.Response(200, content=b"x" * 1001)
    api = api_of(System(big), limits=Limits(response_bytes=1000))
    with pytest.raises(MalformedAnswer, match="larger than 1,000 bytes"):
        await api.get("orders")
    with pytest.raises(OutcomeUnknown, match="larger than 1,000 bytes"):
        await write(api)
    fits = api_of(System(big), limits=Limits(response_bytes=1001))
    assert len((await fits.fetch(fits.request("GET", "orders"))).content) == 1001


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    system = System(httpx.Response(307, headers={"location": "https://evil.example/"}))
    with pytest.raises(CallError, match="307"):
        await api_of(system, auth=httpx.BasicAuth("a", "b")).get("orders")
    assert len(system.seen) == 1


# What others see.


async def test_each_attempt_is_seen_by_every_observer() -> None:
    seen: list[Exchange] = []
    system = System(httpx.ReadTimeout("x"), httpx.Response(503), OK)
    await api_of(system, observers=(seen.append,)).get("orders")
    assert [exchange.attempt for exchange in seen] == [1, 2, 3]
    assert [exchange.response.status_code if exchange.response else None for exchange in seen] == [None, 503, 200]
    assert isinstance(seen[0].error, httpx.ReadTimeout)
    assert {exchange.effect for exchange in seen} == {Effect.READ}


async def test_a_failing_observer_does_not_turn_a_done_write_into_a_failed_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(exchange: Exchange) -> None:
        raise RuntimeError("disk full")

    seen: list[Exchange] = []
    with caplog.at_level(logging.ERROR, "banksman.http"):
        response = await write(api_of(System(OK), observers=(broken, seen.append)))
    assert response.status_code == 200
    assert len(seen) == 1
    assert "an observer of POST failed" in caplog.text
