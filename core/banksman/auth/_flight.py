"""One renewal for all who need it: tasks of one event loop, of several, and threads without any."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

from banksman.auth._steps import Step
from banksman.errors import BanksmanError

T = TypeVar("T")

#: How long to wait, in seconds, for somebody else's renewal before it counts as lost with its thread or loop. More
#: than a token request can take.
PATIENCE: Final = 90.0


class Flight(Generic[T]):
    """A renewal under way, led by the caller who made it.

    It lands with a token, with the error that all who wait get too, or with None: the leader was cancelled, and one
    of those who wait must lead the next.
    """

    def __init__(self) -> None:
        self._landed: Future[T | BanksmanError | None] = Future()
        self._thread = threading.get_ident()

    def land(self, outcome: T | BanksmanError | None) -> None:
        """End it, for everybody. A second landing changes nothing."""
        if not self._landed.done():
            self._landed.set_result(outcome)

    @property
    def outcome(self) -> T | BanksmanError | None:
        """What it landed with, None while it is under way."""
        return self._landed.result() if self._landed.done() else None

    def landing(self) -> Step:
        """The step that waits until it lands or patience ends."""
        return _Landing(self)


class _Landing(Step):
    def __init__(self, flight: Flight[T]) -> None:
        self._flight = flight

    def block(self) -> None:
        if self._flight._thread == threading.get_ident():
            # The leader is a task of this thread's loop and cannot go on while we wait.
            return
        try:
            self._flight._landed.result(PATIENCE)
        except TimeoutError:
            return

    async def wait(self) -> None:
        # Unlike wait_for, this leaves the future alone when the task is cancelled or patience ends.
        await asyncio.wait({asyncio.wrap_future(self._flight._landed)}, timeout=PATIENCE)
