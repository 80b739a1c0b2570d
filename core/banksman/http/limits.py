"""How fast and how wide one connection may be used."""

from __future__ import annotations

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
        self._next = clock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold one slot, once the rate allows it."""
        if self._slots is None:
            self._slots = anyio.Semaphore(self._limits.concurrency)
        async with self._slots:
            if self._limits.rate:
                await self._wait(self._limits.rate)
            yield

    async def _wait(self, rate: float) -> None:
        # The moment of the next token is reserved before sleeping, so that waiters queue instead of racing.
        now = self._clock()
        start = max(self._next, now - (self._limits.burst - 1) / rate)
        self._next = start + 1 / rate
        if start > now:
            await self._sleep(start - now)

    def hold(self, seconds: float) -> None:
        """Let nobody start for a while: the system said to wait."""
        self._next = max(self._next, self._clock() + seconds)
