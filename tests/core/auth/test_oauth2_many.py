"""Of many callers, in tasks, threads and event loops, one renews the token and none holds up the others."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from banksman.auth import MemoryTokenStore
from banksman.errors import AuthFailed, Unavailable

from .conftest import API_URL, TOKEN_URL, System, credentials, refreshing

MANY = 50


def slowly(system: System, seconds: float = 0.05) -> Callable[[httpx.Request], Any]:
    async def answer(request: httpx.Request) -> httpx.Response:
        if str(request.url) == TOKEN_URL:
            await asyncio.sleep(seconds)
        return system(request)

    return answer


async def test_many_tasks_cause_one_token_request(system: System, auth: httpx.Auth) -> None:
    async with system.async_client(auth, slowly(system)) as client:
        responses = await asyncio.gather(*(client.get(API_URL) for _ in range(MANY)))
        assert all(response.is_success for response in responses)
        assert len(system.asked) == 1
        system.good.clear()
        responses = await asyncio.gather(*(client.get(API_URL) for _ in range(MANY)))
    assert all(response.is_success for response in responses)
    assert len(system.asked) == 2


def test_many_threads_cause_one_token_request(system: System, auth: httpx.Auth) -> None:
    def slow(request: httpx.Request) -> httpx.Response:
        if str(request.url) == TOKEN_URL:
            time.sleep(0.05)
        return system(request)

    with (
        httpx.Client(auth=auth, transport=httpx.MockTransport(slow)) as client,
        ThreadPoolExecutor(MANY) as pool,
    ):
        responses = list(pool.map(lambda _: client.get(API_URL), range(MANY)))
        assert all(response.is_success for response in responses)
        assert len(system.asked) == 1
        system.good.clear()
        responses = list(pool.map(lambda _: client.get(API_URL), range(MANY)))
    assert all(response.is_success for response in responses)
    assert len(system.asked) == 2


def test_several_event_loops_and_threads_without_one_cause_one_token_request(system: System, auth: httpx.Auth) -> None:
    started = threading.Barrier(10)

    async def loop() -> list[int]:
        async with system.async_client(auth, slowly(system, 0.2)) as client:
            started.wait(10)
            return [r.status_code for r in await asyncio.gather(*(client.get(API_URL) for _ in range(5)))]

    def thread() -> list[int]:
        def slow(request: httpx.Request) -> httpx.Response:
            if str(request.url) == TOKEN_URL:
                time.sleep(0.2)
            return system(request)

        with httpx.Client(auth=auth, transport=httpx.MockTransport(slow)) as client:
            started.wait(10)
            return [client.get(API_URL).status_code]

    with ThreadPoolExecutor(10) as pool:
        work = [pool.submit(asyncio.run, loop()) for _ in range(5)] + [pool.submit(thread) for _ in range(5)]
        statuses = [status for one in work for status in one.result(30)]
    assert statuses == [200] * 30
    assert len(system.asked) == 1


async def test_an_event_loop_goes_on_while_another_thread_renews(system: System, auth: httpx.Auth) -> None:
    leading, release = threading.Event(), threading.Event()

    def held(request: httpx.Request) -> httpx.Response:
        if str(request.url) == TOKEN_URL:
            leading.set()
            assert release.wait(10)
        return system(request)

    client = httpx.Client(auth=auth, transport=httpx.MockTransport(held))
    leader = threading.Thread(target=client.get, args=(API_URL,))
    leader.start()
    assert leading.wait(10)
    waiting = asyncio.create_task(system.async_client(auth).get(API_URL))
    longest, last = 0.0, time.perf_counter()
    for _ in range(20):
        await asyncio.sleep(0.005)
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
    assert not waiting.done()
    release.set()
    assert (await asyncio.wait_for(waiting, 10)).is_success
    leader.join(10)
    assert longest < 0.1
    assert len(system.asked) == 1


@pytest.mark.parametrize("count", [1, MANY])
async def test_all_who_wait_get_the_same_refusal_from_one_token_request(system: System, count: int) -> None:
    system.answer = lambda request: httpx.Response(400, json={"error": "invalid_grant"})
    async with system.async_client(credentials(), slowly(system)) as client:
        results = await asyncio.gather(*(client.get(API_URL) for _ in range(count)), return_exceptions=True)
    assert {type(result) for result in results} == {AuthFailed}
    assert len({id(result) for result in results}) == count
    assert len({str(result) for result in results}) == 1
    assert len(system.asked) == 1


async def test_all_who_wait_learn_at_once_that_the_endpoint_cannot_be_reached(system: System) -> None:
    tried = 0

    async def unreachable(request: httpx.Request) -> httpx.Response:
        nonlocal tried
        tried += 1
        await asyncio.sleep(0.05)
        raise httpx.ConnectTimeout("no answer")

    async with system.async_client(credentials(), unreachable) as client:
        results = await asyncio.gather(*(client.get(API_URL) for _ in range(MANY)), return_exceptions=True)
    assert {type(result) for result in results} == {Unavailable}
    assert tried == 1


async def test_an_error_of_the_seam_reaches_all_as_it_is(system: System) -> None:
    async def seam(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.05)
        raise Unavailable("the seam's own words")

    async with system.async_client(credentials(), seam) as client:
        results = await asyncio.gather(*(client.get(API_URL) for _ in range(3)), return_exceptions=True)
    assert [str(result) for result in results] == ["the seam's own words"] * 3


async def test_after_a_failure_the_next_call_tries_again(system: System, auth: httpx.Auth) -> None:
    system.answer = lambda request: httpx.Response(503)
    async with system.async_client(auth) as client:
        with pytest.raises(Unavailable):
            await client.get(API_URL)
        system.answer = None
        assert (await client.get(API_URL)).is_success


async def test_when_the_leader_is_cancelled_another_one_leads(system: System, auth: httpx.Auth) -> None:
    async with system.async_client(auth, slowly(system, 0.2)) as client:
        leader = asyncio.create_task(client.get(API_URL))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(client.get(API_URL)) for _ in range(5)]
        await asyncio.sleep(0.05)
        leader.cancel()
        responses = await asyncio.wait_for(asyncio.gather(*others), 10)
        with pytest.raises(asyncio.CancelledError):
            await leader
    assert all(response.is_success for response in responses)
    assert len(system.asked) == 1


async def test_a_waiting_task_that_is_cancelled_does_not_disturb_the_others(system: System, auth: httpx.Auth) -> None:
    async with system.async_client(auth, slowly(system, 0.2)) as client:
        tasks = [asyncio.create_task(client.get(API_URL)) for _ in range(5)]
        await asyncio.sleep(0.05)
        tasks[3].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results].count(httpx.Response) == 4
    assert isinstance(results[3], asyncio.CancelledError)
    assert len(system.asked) == 1


async def test_a_leader_whose_loop_vanished_is_replaced(
    system: System, auth: httpx.Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("banksman.auth._flight.PATIENCE", 0.1)
    loop = asyncio.new_event_loop()
    leader = loop.create_task(system.async_client(auth, slowly(system, 60)).get(API_URL))

    def vanish() -> None:
        loop.run_until_complete(asyncio.sleep(0.05))

    await asyncio.to_thread(vanish)
    assert (await system.async_client(auth).get(API_URL)).is_success
    assert await asyncio.to_thread(lambda: system.client(auth).get(API_URL).is_success)
    assert len(system.asked) == 1
    leader.cancel()
    await asyncio.to_thread(lambda: loop.run_until_complete(asyncio.gather(leader, return_exceptions=True)))
    loop.close()


async def test_a_sync_call_inside_the_leaders_loop_does_not_hang(system: System, auth: httpx.Auth) -> None:
    async with system.async_client(auth, slowly(system)) as client:
        leader = asyncio.create_task(client.get(API_URL))
        await asyncio.sleep(0.01)
        started = time.perf_counter()
        assert system.client(auth).get(API_URL).is_success
        assert time.perf_counter() - started < 5
        assert (await leader).is_success


async def test_connections_are_free_while_their_owners_wait_for_the_new_token(system: System, auth: httpx.Auth) -> None:
    """With a pool of one, a refused answer that kept its connection would lock the token request out."""
    open_now, most = 0, 0

    class Body(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            yield b"who?"

        async def aclose(self) -> None:
            nonlocal open_now
            open_now -= 1

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal open_now, most
        if str(request.url) == TOKEN_URL:
            await asyncio.sleep(0.05)
            most = max(most, open_now)
            return system(request)
        await asyncio.sleep(0.02)  # so that all are on their way before the first is refused
        response = system(request)
        if response.status_code == 401:
            open_now += 1
            return httpx.Response(401, stream=Body())
        return response

    async with system.async_client(auth, answer) as client:
        await client.get(API_URL)
        system.good.clear()
        responses = await asyncio.gather(*(client.get(API_URL) for _ in range(5)))
    assert all(response.is_success for response in responses)
    assert (open_now, most) == (0, 0)


async def test_all_who_get_a_refused_token_out_of_the_store_renew_it(system: System) -> None:
    class Slow(MemoryTokenStore):
        def get(self, key: str) -> Mapping[str, Any] | None:
            time.sleep(0.05)
            return super().get(key)

    async def answer(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.02)  # so that all are on their way before the first is refused
        return system(request)

    store = Slow()
    assert system.client(refreshing(store)).get(API_URL).is_success
    system.good.clear()
    async with system.async_client(refreshing(store), answer) as client:
        responses = await asyncio.gather(*(client.get(API_URL) for _ in range(5)))
    assert [response.status_code for response in responses] == [200] * 5
    assert len(system.asked) == 2


def test_a_token_that_is_refused_while_it_is_being_saved_is_renewed_too(system: System) -> None:
    saving, saved = threading.Event(), threading.Event()

    class Slow(MemoryTokenStore):
        def put(self, key: str, record: Mapping[str, Any]) -> None:
            saving.set()
            assert saved.wait(10)
            super().put(key, record)

    auth = refreshing(Slow())
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(system.client(auth).get, API_URL)
        assert saving.wait(10)
        system.good.clear()
        second = pool.submit(system.client(auth).get, API_URL)
        while not system.used:
            time.sleep(0.005)
        saved.set()
        assert second.result(10).is_success
        first.result(10)
    assert len(system.asked) == 2
