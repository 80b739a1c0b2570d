"""The two drivers: what a flow yields is carried out alike, and what goes wrong comes back to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from banksman.auth._steps import Call, Read, SteppedAuth, Steps


class Flow(SteppedAuth):
    def __init__(self, flow: Callable[[httpx.Request], Steps[None]]) -> None:
        self._flow = flow

    def steps(self, request: httpx.Request) -> Steps[None]:
        return self._flow(request)


async def send(flow: Callable[[httpx.Request], Steps[None]], handler: Any, *, in_loop: bool) -> httpx.Response:
    transport = httpx.MockTransport(handler)
    if in_loop:
        async with httpx.AsyncClient(auth=Flow(flow), transport=transport) as client:
            return await client.get("https://api.example")
    return _send(flow, transport)


def _send(flow: Callable[[httpx.Request], Steps[None]], transport: httpx.MockTransport) -> httpx.Response:
    with httpx.Client(auth=Flow(flow), transport=transport) as client:
        return client.get("https://api.example")


def ok(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text=request.url.path)


both = pytest.mark.parametrize("in_loop", [False, True])


@both
async def test_a_flow_gets_the_answers_to_its_requests_in_turn(in_loop: bool) -> None:
    seen: list[Any] = []

    def flow(request: httpx.Request) -> Steps[None]:
        first = yield httpx.Request("GET", "https://api.example/first")
        seen.append((yield Read(first)))
        seen.append((yield request))

    response = await send(flow, ok, in_loop=in_loop)
    assert response.text == "/"
    assert seen == [b"/first", response]


@both
async def test_what_may_block_runs_beside_the_event_loop_and_brings_its_value_or_error(in_loop: bool) -> None:
    threads: list[int] = []
    errors: list[Exception] = []

    def note() -> str:
        threads.append(threading.get_ident())
        return "noted"

    def fail() -> None:
        raise KeyError("no such entry")

    def flow(request: httpx.Request) -> Steps[None]:
        assert (yield Call(note)) == "noted"
        try:
            yield Call(fail)
        except KeyError as error:
            errors.append(error)
        yield request

    assert (await send(flow, ok, in_loop=in_loop)).is_success
    assert [str(error) for error in errors] == ["'no such entry'"]
    assert (threads == [threading.get_ident()]) is not in_loop


@both
async def test_an_error_that_a_flow_does_not_catch_reaches_the_caller(in_loop: bool) -> None:
    def fail() -> None:
        raise KeyError("no such entry")

    def flow(request: httpx.Request) -> Steps[None]:
        yield Call(fail)
        yield request

    with pytest.raises(KeyError, match="no such entry"):
        await send(flow, ok, in_loop=in_loop)


def refused(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


@both
async def test_a_flow_can_turn_the_error_of_its_request_into_a_better_one(in_loop: bool) -> None:
    def flow(request: httpx.Request) -> Steps[None]:
        try:
            yield request
        except httpx.ConnectError as error:
            raise LookupError(f"better than {error}") from None

    with pytest.raises(LookupError, match="better than refused"):
        await send(flow, refused, in_loop=in_loop)


@both
async def test_the_error_of_the_request_counts_and_not_one_that_the_caller_is_handling(in_loop: bool) -> None:
    seen: list[BaseException] = []

    def flow(request: httpx.Request) -> Steps[None]:
        try:
            yield request
        except Exception as error:
            seen.append(error)
            raise

    try:
        raise ValueError("something earlier")
    except ValueError:
        with pytest.raises(httpx.ConnectError):
            await send(flow, refused, in_loop=in_loop)
    assert [type(error) for error in seen] == [httpx.ConnectError]


@both
@pytest.mark.parametrize("swallow", [False, True])
async def test_a_flow_that_makes_nothing_of_the_error_leaves_it_to_the_client(in_loop: bool, swallow: bool) -> None:
    def flow(request: httpx.Request) -> Steps[None]:
        try:
            yield request
        except httpx.ConnectError:
            if not swallow:
                raise

    with pytest.raises(httpx.ConnectError, match="refused"):
        await send(flow, refused, in_loop=in_loop)


async def test_a_cancelled_task_stays_cancelled_and_its_flow_is_closed() -> None:
    ended: list[BaseException] = []

    def flow(request: httpx.Request) -> Steps[None]:
        try:
            yield request
        except BaseException as error:
            ended.append(error)
            raise

    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError

    task = asyncio.create_task(send(flow, hang, in_loop=True))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [type(error) for error in ended] == [asyncio.CancelledError]


def test_a_flow_that_nobody_finishes_is_closed() -> None:
    ended: list[BaseException] = []

    def flow(request: httpx.Request) -> Steps[None]:
        try:
            yield request
        except BaseException as error:
            ended.append(error)
            raise

    driver = Flow(flow).sync_auth_flow(httpx.Request("GET", "https://api.example"))
    next(driver)
    driver.close()
    assert [type(error) for error in ended] == [GeneratorExit]
