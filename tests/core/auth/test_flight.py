from __future__ import annotations

import asyncio
import threading
import time

import pytest

from banksman.auth._flight import Flight
from banksman.errors import Unavailable


def test_a_flight_lands_once() -> None:
    flight: Flight[str] = Flight()
    assert flight.outcome is None
    flight.land("token")
    flight.land("another")
    assert flight.outcome == "token"


def test_an_error_is_an_outcome() -> None:
    flight: Flight[str] = Flight()
    error = Unavailable("down")
    flight.land(error)
    assert flight.outcome is error


def test_a_thread_waits_until_it_lands() -> None:
    flight: Flight[str] = Flight()
    seen: list[object] = []

    def wait() -> None:
        flight.landing().block()
        seen.append(flight.outcome)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.02)
    assert not seen
    flight.land("token")
    waiting.join(5)
    assert seen == ["token"]


def test_the_leaders_own_thread_does_not_wait_for_itself() -> None:
    started = time.perf_counter()
    flight: Flight[str] = Flight()
    flight.landing().block()
    assert time.perf_counter() - started < 1
    assert flight.outcome is None


@pytest.mark.parametrize("in_loop", [False, True])
async def test_patience_ends(monkeypatch: pytest.MonkeyPatch, in_loop: bool) -> None:
    monkeypatch.setattr("banksman.auth._flight.PATIENCE", 0.05)
    flight: Flight[str] = Flight()
    landing = flight.landing()
    await asyncio.wait_for(landing.wait() if in_loop else asyncio.to_thread(landing.block), 5)
    assert flight.outcome is None


def test_a_landing_after_a_loop_was_closed_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    flight: Flight[str] = Flight()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(flight.landing().wait(), 0.02)

    asyncio.run(give_up())
    flight.land("token")
    assert flight.outcome == "token"
    assert not caplog.records
