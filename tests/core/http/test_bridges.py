"""SDKs with a client of their own, over the seam: real requests and httpx clients against a server on loopback."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, Protocol

import anyio.to_thread
import httpx
import pytest
import requests

from banksman import Effect, _gate
from banksman.errors import Denied, UsageError, WriteRefused
from banksman.http import Exchange, HttpApi, Routes
from banksman.http.bridges import Bridge, RequestsAdapter, SyncSeamTransport
from banksman.testing.sandbox import Answer, Call, Sandbox

ROUTES = Routes([("POST", "/search", Effect.READ), ("GET", "/touch", Effect.WRITE)])


class Shelf(Sandbox):
    """Keeps items, searches by POST, writes by GET, and redirects."""

    def handle(self, call: Call) -> Answer:
        if call.path == "/v1/away":
            return Answer(302, {"moved": True}, {"location": f"{self.url}/v1/items"})
        if call.path in ("/v1/items", "/v1/search", "/v1/touch"):
            return Answer(200, {"method": call.method, "accept": call.headers.get("accept"), "text": "grün"})
        return super().handle(call)


class Sdk(Protocol):
    """What both HTTP clients have in common: enough for an SDK to be built on either."""

    def request(self, method: str, url: str, **parts: Any) -> Any: ...


MakeSdk = Callable[[HttpApi], Sdk]


def on_requests(api: HttpApi) -> Sdk:
    session = requests.Session()
    RequestsAdapter(api.sync).take(session)
    return session


def on_httpx(api: HttpApi) -> Sdk:
    return httpx.Client(transport=SyncSeamTransport(api.sync), follow_redirects=True)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with Shelf() as server:
        yield server


@pytest.fixture
def seen() -> list[Exchange]:
    return []


class Token(httpx.Auth):
    def __init__(self, token: str) -> None:
        self.token = token

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["authorization"] = f"Bearer {self.token}"
        yield request


@pytest.fixture
async def api(shelf: Shelf, seen: list[Exchange]) -> AsyncIterator[HttpApi]:
    handle = HttpApi(f"{shelf.url}/v1", auth=Token(shelf.token), routes=ROUTES, observers=(seen.append,))
    yield handle
    await handle.aclose()


@pytest.fixture(params=[on_requests, on_httpx])
def sdk(request: pytest.FixtureRequest, api: HttpApi) -> Sdk:
    return request.param(api)  # type: ignore[no-any-return]


async def in_worker(call: Callable[..., Any], *args: Any, **parts: Any) -> Any:
    """As a sync body runs."""
    return await anyio.to_thread.run_sync(partial(call, *args, **parts))


async def test_a_read_goes_out_as_the_connections_own_request(
    sdk: Sdk, shelf: Shelf, api: HttpApi, seen: list[Exchange]
) -> None:
    headers = {"Authorization": "Bearer of-the-sdk", "User-Agent": "sdk/1", "Accept": "application/json"}
    answer = await in_worker(sdk.request, "GET", f"{api.base_url}/items", params={"q": "a b"}, headers=headers)
    assert (answer.status_code, answer.json()["text"]) == (200, "grün")
    assert answer.text == answer.content.decode()
    assert [call.query for call in shelf.calls] == [{"q": "a b"}]
    assert shelf.calls[0].headers["authorization"] == f"Bearer {shelf.token}"
    assert "sdk" not in shelf.calls[0].headers["user-agent"]
    assert "application/json" in shelf.calls[0].headers["accept"]
    assert [exchange.effect for exchange in seen] == [Effect.READ]


async def test_the_route_decides_what_reads_and_not_the_verb(sdk: Sdk, shelf: Shelf, api: HttpApi) -> None:
    found = await in_worker(sdk.request, "POST", f"{api.base_url}/search", json={"q": "x"})
    assert found.json()["method"] == "POST"
    with pytest.raises(WriteRefused, match="GET /v1/touch was tried outside an approved run"):
        await in_worker(sdk.request, "GET", f"{api.base_url}/touch")
    assert len(shelf.calls) == 1


async def test_a_write_is_captured_whole_and_not_sent(sdk: Sdk, shelf: Shelf, api: HttpApi) -> None:
    headers = {"Accept": "application/vnd.shelf+json", "Authorization": "Bearer of-the-sdk", "Prefer": "minimal"}
    call = partial(sdk.request, "PUT", f"{api.base_url}/items/7?soft=1", json={"name": "grün"}, headers=headers)
    request = await api.capture(call)
    assert (request.method, request.url) == ("PUT", f"{api.base_url}/items/7?soft=1")
    assert request.canonical()["body"] == {"json": {"name": "grün"}}
    assert request.headers == {
        "accept": "application/vnd.shelf+json",
        "content-type": "application/json",
        "prefer": "minimal",
    }
    assert shelf.calls == []


async def test_the_same_call_builds_the_same_request(sdk: Sdk, api: HttpApi) -> None:
    call = partial(sdk.request, "POST", f"{api.base_url}/items", data={"a": "1", "b": "ü"})
    first, second = await api.capture(call), await api.capture(call)
    assert first.fingerprint == second.fingerprint
    assert first.canonical() == second.canonical()
    assert first.canonical()["body"] == {"form": [["a", "1"], ["b", "ü"]]}


async def test_an_sdk_that_catches_everything_and_retries_cannot_swallow_the_capture(
    sdk: Sdk, shelf: Shelf, api: HttpApi
) -> None:
    tries = 0

    def stubborn() -> None:
        nonlocal tries
        for _ in range(3):
            tries += 1
            with contextlib.suppress(Exception):
                sdk.request("POST", f"{api.base_url}/items", json={})

    request = await api.capture(stubborn)
    assert request.summary() == "POST /v1/items"
    assert tries == 1
    assert shelf.calls == []


async def test_an_sdk_that_retries_outside_a_capture_sends_nothing_either(sdk: Sdk, shelf: Shelf, api: HttpApi) -> None:
    def stubborn() -> None:
        for _ in range(3):
            with contextlib.suppress(WriteRefused):
                sdk.request("POST", f"{api.base_url}/items", json={})

    await in_worker(stubborn)
    assert shelf.calls == []


async def test_only_the_approved_request_passes(sdk: Sdk, shelf: Shelf, api: HttpApi) -> None:
    approved = partial(sdk.request, "POST", f"{api.base_url}/items", json={"name": "a"})
    request = await api.capture(approved)
    with _gate.sending([request.fingerprint]):
        answer = await in_worker(approved)
        with pytest.raises(WriteRefused, match="is not the request that was approved"):
            await in_worker(sdk.request, "POST", f"{api.base_url}/items", json={"name": "b"})
    assert answer.json()["method"] == "POST"
    assert [call.json for call in shelf.calls] == [{"name": "a"}]


async def test_a_redirect_is_an_answer(sdk: Sdk, shelf: Shelf, api: HttpApi) -> None:
    answer = await in_worker(sdk.request, "GET", f"{api.base_url}/away")
    assert (answer.status_code, answer.json()) == (302, {"moved": True})
    assert answer.headers["Location"] == f"{api.base_url}/items"
    assert [call.path for call in shelf.calls] == ["/v1/away"]


async def test_another_origin_is_never_called(sdk: Sdk, shelf: Shelf, api: HttpApi) -> None:
    with Shelf() as stranger:
        for url in (
            f"{stranger.url}/v1/items",
            api.base_url.replace("http:", "https:") + "/items",
            api.base_url.replace("127.0.0.1", "localhost") + "/items",
        ):
            with pytest.raises(Denied, match="one origin per connection"):
                await in_worker(sdk.request, "GET", url)
        assert stranger.calls == shelf.calls == []


async def test_an_adapter_that_the_sdk_had_mounted_is_no_way_out(api: HttpApi, shelf: Shelf) -> None:
    session = requests.Session()
    session.mount(api.base_url, requests.adapters.HTTPAdapter(max_retries=3))
    RequestsAdapter(api.sync).take(session)
    with pytest.raises(WriteRefused):
        await in_worker(session.post, f"{api.base_url}/items", json={})
    assert shelf.calls == []


async def test_credentials_in_an_address_are_refused_and_not_shown(api: HttpApi) -> None:
    url = api.base_url.replace("//", "//user:hush@")
    with pytest.raises(Denied) as refused:
        Bridge(api.sync).request("GET", url, {}, b"")
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("make", [on_requests, on_httpx])
@pytest.mark.parametrize("body", [lambda: iter([b"a", b"b"]), lambda: io.BytesIO(b"ab")])
async def test_a_streamed_body_is_refused(make: MakeSdk, body: Callable[[], Any], api: HttpApi, shelf: Shelf) -> None:
    part = "data" if make is on_requests else "content"
    with pytest.raises(UsageError, match="streams its body"):
        await in_worker(make(api).request, "POST", f"{api.base_url}/items", **{part: body()})
    assert shelf.calls == []


async def test_a_multipart_write_is_refused_because_its_boundary_is_random(api: HttpApi, shelf: Shelf) -> None:
    call = partial(on_requests(api).request, "POST", f"{api.base_url}/items", files={"file": b"content"})
    with pytest.raises(UsageError, match="boundary is new each time"):
        await api.capture(call)
    assert shelf.calls == []


def in_own_thread(call: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """As an SDK runs work in a pool of its own: a thread without any context."""
    outcome: list[tuple[Any, BaseException | None]] = []

    def run() -> None:
        try:
            outcome.append((call(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return outcome[0]


async def test_a_thread_of_the_sdk_reads_and_cannot_write_even_what_is_approved(
    sdk: Sdk, shelf: Shelf, api: HttpApi
) -> None:
    read = partial(sdk.request, "GET", f"{api.base_url}/items")
    write = partial(sdk.request, "POST", f"{api.base_url}/items", json={})
    await in_worker(read)
    approved = await api.capture(write)
    with _gate.sending([approved.fingerprint]):
        answer, error = await in_worker(in_own_thread, read)
        assert error is None
        assert answer.status_code == 200
        _, error = await in_worker(in_own_thread, write)
    assert isinstance(error, WriteRefused)
    assert [call.method for call in shelf.calls] == ["GET", "GET"]


async def test_a_thread_that_knows_no_event_loop_is_told_so(sdk: Sdk, shelf: Shelf, api: HttpApi) -> None:
    _, error = await in_worker(in_own_thread, partial(sdk.request, "GET", f"{api.base_url}/items"))
    assert isinstance(error, UsageError)
    assert "belongs to no event loop" in str(error)
    assert shelf.calls == []


async def test_a_call_on_the_event_loop_is_refused_instead_of_hanging(sdk: Sdk, shelf: Shelf, api: HttpApi) -> None:
    with pytest.raises(UsageError, match="wait for itself"):
        sdk.request("GET", f"{api.base_url}/items")
    assert shelf.calls == []


async def test_statuses_are_the_sdks_to_read(sdk: Sdk, shelf: Shelf, api: HttpApi) -> None:
    shelf.fail(answer=Answer(404, {"error": "gone"}))
    answer = await in_worker(sdk.request, "GET", f"{api.base_url}/items")
    assert (answer.status_code, answer.json()) == (404, {"error": "gone"})
    with pytest.raises((requests.HTTPError, httpx.HTTPStatusError)):
        answer.raise_for_status()


async def test_a_streamed_answer_can_be_read_in_pieces(api: HttpApi) -> None:
    def read() -> bytes:
        answer = on_requests(api).request("GET", f"{api.base_url}/items", stream=True)
        return b"".join(answer.iter_content(5))

    assert b'"method": "GET"' in await in_worker(read)


def test_requests_is_loaded_on_use() -> None:
    script = "import sys, banksman.http.bridges; sys.exit('requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0
