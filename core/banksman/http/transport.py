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
from banksman.errors import CallError, Denied, MalformedAnswer, OutcomeUnknown, Unavailable
from banksman.http.answers import UNCERTAIN
from banksman.http.decoding import TooLarge, encodings, unpack
from banksman.http.exchange import Exchange, Observer
from banksman.http.limits import Limits, Throttle
from banksman.http.request import Request
from banksman.http.retry import TRANSIENT, RetryPolicy, retry_after
from banksman.http.routes import Routes, worst
from banksman.http.scrub import guard_logs, scrub

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
# How a call fails when it is the network or the system that fails.
_EXPECTED = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, CallError)

guard_logs()


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
        uncertain = False
        attempt = 0
        while True:
            attempt += 1
            response, error = await self._attempt(request, effect, attempt)
            if response is not None and uncertain:
                response.extensions[UNCERTAIN] = True
            if response is not None and response.status_code not in TRANSIENT:
                return response
            pause = self._pause(response, error, attempt) if repeatable else None
            self._heed(response)
            if pause is None and response is not None:
                return response
            uncertain = uncertain or (effect.changes and _may_have_happened(response, error))
            if pause is None:
                assert error is not None
                raise self._translate(request, error, uncertain=uncertain) from None
            await self._sleep(pause)

    def _pause(self, response: httpx.Response | None, error: Exception | None, attempt: int) -> float | None:
        """Seconds until the next attempt; None: there is none. An answer that cannot be read stays so."""
        wait = retry_after(response.headers) if response is not None else None
        return None if isinstance(error, CallError) else self._retry.pause(attempt, wait)

    def _heed(self, response: httpx.Response | None) -> None:
        """Hold back all callers of the connection for as long as a 429 says."""
        if response is not None and response.status_code == 429 and (wait := retry_after(response.headers)):
            self._throttle.hold(min(wait, self._retry.longest))

    def effect_of(self, method: str, url: httpx.URL, content: bytes = b"") -> Effect:
        """What the routes say of a request below the base URL."""
        base = self._base.path.rstrip("/")
        below = url.path == base or url.path.startswith(f"{base}/")
        # Beside the base URL there are no routes of this connector, so the verb alone is judged.
        if not below:
            return worst(method)
        return self._routes.effect(method, "/" + url.path[len(base) :].lstrip("/"), content)

    def _admit(self, request: httpx.Request) -> Effect:
        """Ask the gate, for a request to the connection's own system; there is no other that it may reach."""
        if request.extensions.get(AUTH):
            return Effect.READ
        url = request.url
        if (url.scheme, url.host, url.port) != (self._base.scheme, self._base.host, self._base.port):
            raise Denied(
                f"{request.method} to {scrub(url.host)!r}: the connection is for {self._base.host!r}, "
                "and its credential goes nowhere else",
                rule="one origin per connection",
                hint="An address that a system names is outside text; make a connection for that host if it is wanted.",
            )
        effect = self.effect_of(request.method, url, request.content)
        if effect.changes:
            built = Request.from_httpx(request)
            _gate.admit(effect, built, built.fingerprint, f"{request.method} {scrub(url.path)}")
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
            except _EXPECTED as problem:
                error = problem
            except Exception as problem:
                if not effect.changes:
                    raise
                # Whatever broke, the write may have left.
                error = problem
        exchange = Exchange(request, effect, response, error, started, time.monotonic() - clock, attempt)
        self._report(exchange)
        return response, error

    async def _fetch(self, request: httpx.Request) -> httpx.Response:
        raw = await self._inner.handle_async_request(request)
        most = self._limits.response_bytes
        try:
            assert isinstance(raw.stream, httpx.AsyncByteStream)
            content = await unpack(raw.stream, encodings(raw.headers.get("content-encoding", "")), most)
        except TooLarge:
            raise MalformedAnswer(
                f"the answer to {request.method} {scrub(request.url.path)} is larger than {most:,} bytes",
                hint="Ask for less (filter, select, page), or raise `limits.response_bytes` of the connection.",
                status=raw.status_code,
            ) from None
        finally:
            await raw.aclose()
        headers = [(k, v) for k, v in raw.headers.multi_items() if k.lower() not in _UNFOLDED]
        return httpx.Response(
            raw.status_code, headers=headers, content=content, request=request, extensions=raw.extensions
        )

    def _translate(self, request: httpx.Request, error: Exception, *, uncertain: bool) -> Exception:
        what = f"{request.method} {scrub(str(request.url.copy_with(query=None)))}"
        reason = scrub(str(error)[:2000]) or type(error).__name__
        if uncertain:
            return OutcomeUnknown(f"{what} was sent and not clearly answered ({reason}); it may have happened")
        if isinstance(error, CallError):
            return error
        hint = "Check the connection's base_url and the network; `banksman connections test` tries it."
        return Unavailable(f"{what} failed: {reason}", hint=hint)

    def _report(self, exchange: Exchange) -> None:
        status = exchange.response.status_code if exchange.response is not None else type(exchange.error).__name__
        url = scrub(str(exchange.request.url.copy_with(query=None)))
        log.debug("%s %s -> %s in %.3f s", exchange.request.method, url, status, exchange.seconds)
        for observer in self.observers:
            try:
                observer(exchange)
            except Exception:
                # The exchange has happened; an observer's fault must not turn it into a failed call.
                log.exception("an observer of %s failed", exchange.request.method)

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


def _may_have_happened(response: httpx.Response | None, error: Exception | None) -> bool:
    """Whether a write may have taken effect, though this attempt brought no clear answer."""
    if response is not None:
        return response.status_code == 408 or response.status_code >= 500
    return not isinstance(error, _NEVER_LEFT)
