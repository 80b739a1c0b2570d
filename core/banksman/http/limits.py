"""How fast and how wide one connection may be used."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for one connection.

    Attributes:
        rate: requests a second, on average; None: no bound.
        burst: how many may go at once after a pause.
        concurrency: how many may be under way at once.
        response_bytes: the largest decoded answer.
        timeout: seconds for connecting, and for each silence in between.
        deadline: seconds for one attempt as a whole.
    """

    rate: float | None = None
    burst: int = 10
    concurrency: int = 16
    response_bytes: int = 8 * 1024 * 1024
    timeout: float = 30.0
    deadline: float = 120.0


class Throttle:
    """Token bucket and semaphore; callers wait their turn in order."""

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._slots: anyio.Semaphore | None = None
        self._next = self._held = -math.inf

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold one slot, once the rate allows it."""
        if self._slots is None:
            self._slots = anyio.Semaphore(self._limits.concurrency)
        async with self._slots:
            await self._wait()
            yield

    async def _wait(self) -> None:
        while True:
            start, now = self._reserve(), self._clock()
            if start > now:
                await self._sleep(start - now)
            # The system may have said "wait" while this caller slept; then it takes its turn anew.
            if self._held <= max(start, now):
                return

    def _reserve(self) -> float:
        """The moment of the next token, taken before sleeping, so that waiters queue instead of racing."""
        rate = self._limits.rate
        if not rate:
            return self._held
        start = max(self._next, self._clock() - (self._limits.burst - 1) / rate)
        self._next = start + 1 / rate
        return start

    def hold(self, seconds: float) -> None:
        """Let nobody start for a while: the system said to wait."""
        self._held = max(self._held, self._clock() + seconds)
        self._next = max(self._next, self._held)
