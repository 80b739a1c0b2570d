"""The handle that bodies get: one account below one base URL, the same for coroutines and plain functions."""

from __future__ import annotations

from typing import Any

import anyio.to_thread
import httpx
import pytest

import banksman
from banksman import Effect, _gate
from banksman._change import CallContext, preparing
from banksman.errors import MalformedAnswer, UsageError, WriteRefused
from banksman.http import HeaderLink, HttpApi, Routes

BASE = "https://erp.example/api"


class Echo:
    """Tells what it was sent, and sets a cookie on every answer."""

    def __init__(self) -> None:
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return httpx.Response(200, json=[request.url.path], headers={"set-cookie": "session=of-this-run; Path=/"})


def api_of(echo: Any, **more: Any) -> HttpApi:
    return HttpApi(BASE + "/", inner=httpx.MockTransport(echo), routes=Routes([("POST", "/q", Effect.READ)]), **more)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("orders", f"{BASE}/orders"),
        ("/orders", f"{BASE}/orders"),
        ("", f"{BASE}/"),
        ("https://other.example/x", "https://other.example/x"),
        ("Orders('http://x')", f"{BASE}/Orders('http://x')"),
        ("//evil.example/x", f"{BASE}/evil.example/x"),
        ("search?next=https://evil.example", f"{BASE}/search?next=https://evil.example"),
    ],
)
def test_a_path_is_below_the_base_url_unless_it_starts_like_an_address(path: str, url: str) -> None:
    assert api_of(Echo()).url(path) == url


async def test_no_session_outlives_a_request() -> None:
    """A cookie that one run was given would let the next one act in its session."""
    echo = Echo()
    api = api_of(echo)
    await api.get("a")
    await api.get("b")
    await api.client.get(f"{BASE}/c")
    assert ["cookie" in request.headers for request in echo.seen] == [False, False, False]
    assert list(api.client.cookies.jar) == []
    await api.get("d", fresh_headers={"cookie": "session=mine"})
    assert echo.seen[-1].headers["cookie"] == "session=mine"


async def test_what_a_request_says_comes_before_what_the_client_says() -> None:
    echo = Echo()
    api = api_of(echo, headers={"accept": "application/json", "x-tenant": "t1"})
    await api.get("a", headers={"Accept": "text/csv"})
    assert echo.seen[0].headers.get_list("accept") == ["text/csv"]
    assert echo.seen[0].headers["x-tenant"] == "t1"
    assert echo.seen[0].headers["user-agent"] == f"banksman/{banksman.__version__}"
    assert echo.seen[0].headers["accept-encoding"] == "gzip, deflate", "nothing whose unpacking cannot be bounded"


def test_routes_are_judged_below_the_base_url() -> None:
    api = api_of(Echo())
    assert api.effect_of(api.request("POST", "q")) is Effect.READ
    assert api.effect_of(api.request("POST", "https://erp.example/apiq")) is Effect.SEND
    assert api.effect_of(api.request("POST", "q/more")) is Effect.SEND


async def test_the_key_of_a_call_is_that_of_its_run() -> None:
    api = api_of(Echo())
    assert api.call_key == ""
    with preparing(CallContext(key="run-1:move[0]")):
        assert api.call_key == "run-1:move[0]"
        assert await anyio.to_thread.run_sync(lambda: api.sync.call_key) == "run-1:move[0]"


async def test_a_plain_function_reads_through_the_same_seam() -> None:
    echo = Echo()
    api = api_of(echo)

    def body() -> Any:
        sync = api.sync
        listed = sync.listed(sync.request("GET", "list"), HeaderLink())
        return sync.get("a", params={"x": 1}), sync.fetch(sync.request("POST", "q")).status_code, listed, sync.base_url

    assert await anyio.to_thread.run_sync(body) == (["/api/a"], 200, ["/api/list"], BASE)
    assert echo.seen[1].url.params["x"] == "1"


async def test_the_gate_follows_into_worker_threads() -> None:
    echo = Echo()
    api = api_of(echo)
    request = api.request("POST", "orders")

    def body() -> None:
        api.sync.fetch(request)

    with pytest.raises(WriteRefused):
        await anyio.to_thread.run_sync(body)
    assert echo.seen == []
    with _gate.sending([request.fingerprint]):
        await anyio.to_thread.run_sync(body)
    assert len(echo.seen) == 1


async def test_a_plain_function_captures_what_an_sdk_builds() -> None:
    import anyio.from_thread

    echo = Echo()
    api = api_of(echo)

    def body() -> Any:
        return api.sync.capture(lambda: anyio.from_thread.run(lambda: api.client.post(f"{BASE}/orders", json={})))

    assert (await anyio.to_thread.run_sync(body)).method == "POST"
    assert echo.seen == []


@pytest.mark.parametrize("sync", [True, False])
async def test_capturing_a_read_says_so(sync: bool) -> None:
    api = api_of(Echo())

    def read() -> Any:
        return api.sync.get("a")

    through = anyio.to_thread.run_sync(lambda: api.sync.capture(read)) if sync else api.capture(read)
    with pytest.raises(UsageError, match="sent no write"):
        await through


async def test_what_is_no_json_is_malformed() -> None:
    api = api_of(lambda request: httpx.Response(200, text="<html>login</html>", headers={"content-type": "text/html"}))
    with pytest.raises(MalformedAnswer, match=r"text/html, 18 bytes\) is not JSON") as caught:
        await api.get("a")
    assert "login" not in caught.value.message


async def test_a_fault_in_a_success_is_found_before_the_body_is_used() -> None:
    from banksman.errors import NotFound
    from banksman.http import ErrorTable

    table = ErrorTable({"nope": NotFound}, lambda response: ("nope", "not there"))
    with pytest.raises(NotFound, match="not there"):
        await api_of(Echo(), errors=table).get("a")
