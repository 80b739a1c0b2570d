"""A replay answers what was recorded, and nothing else."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from banksman import Effect, _gate
from banksman.errors import OutcomeUnknown, Unavailable
from banksman.http import HttpApi, RetryPolicy, Routes
from banksman.http.recording import RecordedExchange
from banksman.http.replay import Replay, ReplayMismatch

ORIGIN = "https://erp.example"


def exchange(path: str = "/api/orders", **more: Any) -> RecordedExchange:
    given: dict[str, Any] = {"method": "GET", "path": path, "status": 200, "answer": {"json": {"n": 1}}, **more}
    return RecordedExchange(**given)


def api_over(replay: Replay) -> HttpApi:
    routes = Routes([("POST", "/search", Effect.READ)])
    return HttpApi(f"{ORIGIN}/api", inner=replay, routes=routes, retry=RetryPolicy(attempts=1))


def over(*exchanges: RecordedExchange, shared: tuple[RecordedExchange, ...] = ()) -> tuple[Replay, HttpApi]:
    replay = Replay(exchanges, origin=ORIGIN, shared=shared)
    return replay, api_over(replay)


async def test_equal_requests_are_answered_in_the_recorded_order() -> None:
    replay, api = over(exchange(), exchange(answer={"json": {"n": 2}}), exchange("/api/other"))
    assert [await api.get("orders"), await api.get("other"), await api.get("orders")] == [{"n": 1}, {"n": 1}, {"n": 2}]
    replay.check()


async def test_the_whole_request_has_to_fit() -> None:
    recorded = exchange(
        method="POST",
        path="/api/search",
        query=(("a", "1"),),
        headers={"content-type": "application/json", "if-match": "W/1"},
        body={"json": {"price": 1.5, "x": [1, None]}},
    )
    good: dict[str, Any] = {
        "params": {"a": "1"},
        "json": {"x": [1, None], "price": 1.5},
        "fresh_headers": {"if-match": "W/1"},
    }
    replay, api = over(recorded)
    await api.fetch(api.request("POST", "search", **good))
    replay.check()
    changes: list[dict[str, Any]] = [
        {"params": {"a": "2"}},
        {"params": {"a": "1", "b": "2"}},
        {"json": {"x": [1], "price": 1.5}},
        {"fresh_headers": {"if-match": "W/2"}},
        {"fresh_headers": {}},
    ]
    for change in changes:
        _, api = over(recorded)
        with pytest.raises(ReplayMismatch, match="unexpected"):
            await api.fetch(api.request("POST", "search", **{**good, **change}))


async def test_an_unexpected_request_names_the_nearest_recorded_one() -> None:
    replay, api = over(exchange("/api/orders/1"), exchange("/api/customers"))
    with pytest.raises(ReplayMismatch, match=r'unexpected: \["GET","/api/orders/2".*\n.*nearest recorded.*orders/1'):
        await api.get("orders/2")
    with pytest.raises(ReplayMismatch):
        replay.check()


async def test_a_request_too_many_is_unexpected() -> None:
    _, api = over(exchange())
    await api.get("orders")
    with pytest.raises(ReplayMismatch, match="once more than recorded"):
        await api.get("orders")


async def test_every_recorded_request_has_to_be_made() -> None:
    replay, api = over(exchange(), exchange("/api/other", query=(("q", "x"),)))
    await api.get("orders")
    with pytest.raises(ReplayMismatch, match=r"recorded and not asked for: GET /api/other\?q=x"):
        replay.check()


async def test_a_mismatch_is_reported_also_where_the_seam_takes_it_for_a_lost_answer() -> None:
    replay, api = over()
    request = api.request("POST", "orders", json={})
    with _gate.sending([request.fingerprint]), pytest.raises(OutcomeUnknown):
        await api.send(request)
    with pytest.raises(ReplayMismatch, match="nothing was recorded"):
        replay.check()


async def test_shared_exchanges_may_be_used_any_number_of_times() -> None:
    replay, api = over(shared=(exchange(), exchange("/api/unused")))
    assert [await api.get("orders") for _ in range(3)] == [{"n": 1}] * 3
    replay.check()


@pytest.mark.parametrize("name", ["ReadTimeout", "ConnectError", "RemoteProtocolError"])
async def test_a_failed_connection_fails_again(name: str) -> None:
    replay, api = over(exchange(error=name, status=None))
    with pytest.raises(Unavailable, match=name):
        await api.get("orders")
    replay.check()


async def test_a_test_may_give_one_route_another_answer() -> None:
    """The routes are respx's, so what people know of it works."""
    replay, api = over(exchange())
    (route,) = replay.router.routes
    route.mock(return_value=httpx.Response(200, json={"n": 9}))
    assert await api.get("orders") == {"n": 9}
    assert route.call_count == 1


@pytest.mark.parametrize(
    ("answer", "content"), [({"text": "ä"}, "ä".encode()), ({"base64": "AAE="}, b"\x00\x01"), (None, b"")]
)
async def test_bodies_that_are_no_json_come_as_they_were(answer: Any, content: bytes) -> None:
    _, api = over(exchange(answer=answer, answer_headers={"content-type": "text/plain", "content-length": "999"}))
    assert (await api.fetch(api.request("GET", "orders"))).content == content
