"""Flows written once for sync and async clients.

A flow is a generator that does no I/O: it yields an `httpx.Request` to have it sent, or a `Step` to have it carried
out, and gets the answer, or the error, back at that place. The two drivers below differ only in how they wait.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from typing import Any, TypeVar

import anyio.to_thread
import httpx

T = TypeVar("T")


class Step(ABC):
    """Something a flow waits for that is not a request."""

    @abstractmethod
    def block(self) -> Any:
        """Carry it out on this thread."""

    @abstractmethod
    async def wait(self) -> Any:
        """Carry it out without holding up the event loop."""


#: A flow, or a part of one that returns a T: `value = yield from part()`.
Steps = Generator[Step | httpx.Request, Any, T]


class Read(Step):
    """Read an answer to its end, which also gives its connection back to the pool."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    def block(self) -> bytes:
        return self._response.read()

    async def wait(self) -> bytes:
        return await self._response.aread()


class Call(Step):
    """Call a function that may block; under an event loop, in a worker thread."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function

    def block(self) -> Any:
        return self._function()

    async def wait(self) -> Any:
        return await anyio.to_thread.run_sync(self._function)


class SteppedAuth(httpx.Auth, ABC):
    """An `httpx.Auth` whose flow is `steps`."""

    @abstractmethod
    def steps(self, request: httpx.Request) -> Steps[None]:
        """The flow for one request."""

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See `httpx.Auth`."""
        steps = self.steps(request)
        answer: Any = None
        failure: Exception | None = None
        try:
            while True:
                step = steps.throw(failure) if failure else steps.send(answer)
                answer = failure = None
                if isinstance(step, httpx.Request):
                    with suppress(GeneratorExit):
                        answer = yield step
                    if answer is None:
                        return _end(steps)
                else:
                    try:
                        answer = step.block()
                    except Exception as error:
                        failure = error
        except StopIteration:
            return None
        finally:
            steps.close()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """See `httpx.Auth`."""
        steps = self.steps(request)
        answer: Any = None
        failure: Exception | None = None
        try:
            while True:
                step = steps.throw(failure) if failure else steps.send(answer)
                answer = failure = None
                if isinstance(step, httpx.Request):
                    with suppress(GeneratorExit):
                        answer = yield step
                    if answer is None:
                        _end(steps)
                        return
                else:
                    try:
                        answer = await step.wait()
                    except Exception as error:
                        failure = error
        except StopIteration:
            return
        finally:
            steps.close()


def _end(steps: Steps[None]) -> None:
    """Hands a flow the error that ended its request.

    httpx closes a flow whose request failed and does not say why. It does so while it handles that error, and
    `sys.exc_info` of a frame that handles none is that of the frames that called it
    (https://docs.python.org/3/library/sys.html#sys.exc_info). So the flow can turn the error into a better one; if it
    lets it pass, httpx raises it.
    """
    reason = sys.exc_info()[1]
    if reason is not None:
        with suppress(StopIteration):
            steps.throw(reason)
