"""The seam: every byte to a system over HTTP passes here, whoever built the request.

Gate, throttle, retries, size limit and observers are one httpx transport, so an SDK that is given a client over it is
bound by all of them too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timezone
from types import TracebackType

import anyio
import httpx

from banksman import _gate
from banksman._effect import Effect
from banksman.errors import CallError, MalformedAnswer, OutcomeUnknown, Unavailable
from banksman.http.exchange import Exchange, Observer
from banksman.http.limits import Limits, Throttle
from banksman.http.request import Request
from banksman.http.retry import TRANSIENT, RetryPolicy, retry_after
from banksman.http.routes import Routes
from banksman.http.scrub import scrub

log = logging.getLogger("banksman.http")

#: Set by auth flows on their own token requests: those go out in every mode, and are never repeated.
AUTH = "banksman.auth"
#: Set on a write that carries an idempotency key.
IDEMPOTENT = "banksman.idempotent"

# Nothing of the request left, so nothing can have happened.
_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
)


class SeamTransport(httpx.AsyncBaseTransport):
    """Wraps the transport that moves the bytes.

    Raises:
        WriteRefused: a write outside an approved run.
        Unavailable: a read, or a write that never left, could not be carried out.
        OutcomeUnknown: a write left and no answer came.
        MalformedAnswer: the answer is larger than the limit, or broken.
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        *,
        base_url: str,
        routes: Routes,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        observers: Iterable[Observer] = (),
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._inner = inner
        self._base = httpx.URL(base_url)
        self._routes = routes
        self._limits = limits or Limits()
        self._retry = retry or RetryPolicy()
        self._throttle = Throttle(self._limits, sleep=sleep)
        self._sleep = sleep
        self.observers: list[Observer] = list(observers)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        effect = self._admit(request)
        repeatable = not effect.changes or request.extensions.get(IDEMPOTENT, False)
        repeatable = repeatable and AUTH not in request.extensions
        attempt = 0
        while True:
            attempt += 1
            response, error = await self._attempt(request, effect, attempt)
            failed = (
                error if error is not None else response if response and response.status_code in TRANSIENT else None
            )
            if failed is None:
                assert response is not None
                return response
            wait = retry_after(response.headers) if response is not None else None
            pause = self._retry.pause(attempt, wait) if repeatable and _passing(error) else None
            if wait and response is not None and response.status_code == 429:
                self._throttle.hold(min(wait, self._retry.longest))
            if pause is None:
                if error is not None:
                    raise self._translate(request, effect, error) from None
                assert response is not None
                return response
            await self._sleep(pause)

    def _admit(self, request: httpx.Request) -> Effect:
        """Ask the gate. The path is judged below the base URL; another host is judged by its verb alone."""
        if request.extensions.get(AUTH):
            return Effect.READ
        path = request.url.path
        if request.url.host == self._base.host and request.url.port == self._base.port:
            effect = self._routes.effect(
                request.method, "/" + path.removeprefix(self._base.path.rstrip("/")).lstrip("/")
            )
        else:
            effect = Routes().effect(request.method, path)
        if effect.changes:
            built = Request.from_httpx(request)
            _gate.admit(effect, built, built.fingerprint, f"{request.method} {scrub(path)}")
        return effect

    async def _attempt(
        self, request: httpx.Request, effect: Effect, attempt: int
    ) -> tuple[httpx.Response | None, Exception | None]:
        response: httpx.Response | None = None
        error: Exception | None = None
        async with self._throttle.turn():
            started, clock = datetime.now(timezone.utc), time.monotonic()
            try:
                with anyio.fail_after(self._limits.deadline):
                    response = await self._fetch(request)
            except (httpx.HTTPError, TimeoutError, CallError) as problem:
                error = problem
        exchange = Exchange(request, effect, response, error, started, time.monotonic() - clock, attempt)
        self._report(exchange)
        return response, error

    async def _fetch(self, request: httpx.Request) -> httpx.Response:
        raw = await self._inner.handle_async_request(request)
        raw.request = request
        try:
            # Counted after decoding: a few kilobytes of gzip can unfold to gigabytes.
            chunks: list[bytes] = []
            size = 0
            async for chunk in raw.aiter_bytes():
                size += len(chunk)
                if size > self._limits.response_bytes:
                    raise MalformedAnswer(
                        f"the answer to {request.method} {scrub(request.url.path)} is larger than "
                        f"{self._limits.response_bytes:,} bytes",
                        hint="Ask for less (filter, select, page), or raise `limits.response_bytes` of the connection.",
                        status=raw.status_code,
                    )
                chunks.append(chunk)
        finally:
            await raw.aclose()
        headers = [(k, v) for k, v in raw.headers.multi_items() if k.lower() not in _UNFOLDED]
        return httpx.Response(
            raw.status_code,
            headers=headers,
            content=b"".join(chunks),
            request=request,
            extensions=raw.extensions,
        )

    def _translate(self, request: httpx.Request, effect: Effect, error: Exception) -> Exception:
        what = f"{request.method} {scrub(str(request.url.copy_with(query=None)))}"
        reason = scrub(str(error)) or type(error).__name__
        if effect.changes and not isinstance(error, _NEVER_LEFT):
            return OutcomeUnknown(f"{what} was sent and not answered ({reason}); it may have happened")
        if isinstance(error, CallError):
            return error
        hint = "Check the connection's base_url and the network; `banksman connections test` tries it."
        return Unavailable(f"{what} failed: {reason}", hint=hint)

    def _report(self, exchange: Exchange) -> None:
        status = exchange.response.status_code if exchange.response is not None else type(exchange.error).__name__
        url = scrub(str(exchange.request.url.copy_with(query=None)))
        log.debug("%s %s -> %s in %.3f s", exchange.request.method, url, status, exchange.seconds)
        for observer in self.observers:
            observer(exchange)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()


_UNFOLDED = frozenset({"content-encoding", "content-length", "transfer-encoding"})


def _passing(error: Exception | None) -> bool:
    """Whether an error may be gone next time; None stands for a transient status."""
    return not isinstance(error, CallError)
