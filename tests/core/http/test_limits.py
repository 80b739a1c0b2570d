"""Callers take turns: in order, no faster than the rate, no wider than the limit, and not while the system waits."""

from __future__ import annotations

import anyio
from anyio.lowlevel import checkpoint

from banksman.http import Limits, Throttle


class Clock:
    """Time that passes only while everybody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, int, anyio.Event]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        event = anyio.Event()
        self._sleepers.append((self.now + seconds, len(self._sleepers), event))
        await event.wait()

    async def run(self) -> None:
        """Let everybody go on until nobody sleeps any more."""
        while True:
            for _ in range(20):
                await checkpoint()
            if not self._sleepers:
                return
            self._sleepers.sort(key=lambda sleeper: sleeper[0])
            self.now, _, event = self._sleepers.pop(0)
            event.set()


async def starts(limits: Limits, count: int, *, hold: tuple[float, float] | None = None) -> list[tuple[int, float]]:
    """When each of `count` callers, who come at once, gets its turn."""
    clock = Clock()
    throttle = Throttle(limits, clock=clock, sleep=clock.sleep)
    started: list[tuple[int, float]] = []

    async def call(number: int) -> None:
        async with throttle.turn():
            started.append((number, clock.now))

    async with anyio.create_task_group() as group:
        for number in range(count):
            group.start_soon(call, number)
            await checkpoint()
        if hold:

            async def later() -> None:
                await clock.sleep(hold[0])
                throttle.hold(hold[1])

            group.start_soon(later)
        await clock.run()
    return started


async def test_the_rate_holds_after_the_burst_and_the_order_is_kept() -> None:
    assert await starts(Limits(rate=2.0, burst=3, concurrency=100), 6) == [
        (0, 0.0), (1, 0.0), (2, 0.0), (3, 0.5), (4, 1.0), (5, 1.5),
    ]  # fmt: skip


async def test_without_a_rate_nobody_waits() -> None:
    assert await starts(Limits(concurrency=100), 4) == [(0, 0.0), (1, 0.0), (2, 0.0), (3, 0.0)]


async def test_a_hold_stops_all_also_without_a_rate() -> None:
    clock = Clock()
    throttle = Throttle(Limits(), clock=clock, sleep=clock.sleep)
    throttle.hold(30.0)
    started: list[float] = []

    async def call() -> None:
        async with throttle.turn():
            started.append(clock.now)

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(call)
        await clock.run()
    assert started == [30.0, 30.0, 30.0]


async def test_a_hold_reaches_those_who_wait_for_their_turn_already() -> None:
    """At second 1 the system says: wait 10 seconds. Turn 0 was before; the others come after it, at the rate."""
    assert await starts(Limits(rate=0.5, burst=1), 3, hold=(1.0, 10.0)) == [(0, 0.0), (1, 11.0), (2, 13.0)]


async def test_a_shorter_hold_does_not_end_a_longer_one() -> None:
    clock = Clock()
    throttle = Throttle(Limits(), clock=clock, sleep=clock.sleep)
    throttle.hold(30.0)
    throttle.hold(1.0)
    async with anyio.create_task_group() as group:

        async def call() -> None:
            async with throttle.turn():
                assert clock.now == 30.0

        group.start_soon(call)
        await clock.run()


async def test_no_more_are_under_way_at_once_than_allowed() -> None:
    throttle = Throttle(Limits(concurrency=3))
    under_way = most = 0

    async def call() -> None:
        nonlocal under_way, most
        async with throttle.turn():
            under_way += 1
            most = max(most, under_way)
            await checkpoint()
            under_way -= 1

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(call)
    assert most == 3
