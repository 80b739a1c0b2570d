"""Recorded exchanges answered again, strictly: what was not recorded is refused, what was recorded has to be asked for.

Replaying needs respx (`pip install 'banksman[testing]'`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx

from banksman._canonical import Plain, encode
from banksman.errors import ConfigError
from banksman.http.recording import RecordedExchange, content_of, plain_json
from banksman.http.request import body_value

if TYPE_CHECKING:
    import respx
    from respx.patterns import Pattern

_ALWAYS = ("content-type", "if-match", "if-none-match", "x-http-method")


class ReplayMismatch(AssertionError):
    """A request was not recorded, or a recorded one was not made. `problems` has a text for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Replay(httpx.AsyncBaseTransport):
    """A transport that answers from a recording, request by request, in the recorded order of equal ones.

    Give it as `Wiring(inner=...)`: gate, limits and error tables stand above it as they do over a network. Each
    different request is a route of `router`, so that a test can give one another answer.

    Args:
        exchanges: what was recorded; each has to be used.
        origin: what the recorded paths are below.
        shared: exchanges that may be used, any number of times.
    """

    def __init__(
        self, exchanges: Sequence[RecordedExchange], *, origin: str, shared: Sequence[RecordedExchange] = ()
    ) -> None:
        self._origin = origin
        self._waiting: dict[str, list[RecordedExchange]] = {}
        self._shared = {_recorded_text(one): one for one in shared}
        self._unexpected: list[str] = []
        for one in exchanges:
            self._waiting.setdefault(_recorded_text(one), []).append(one)
        self.router = self._routed()

    def _routed(self) -> respx.MockRouter:
        try:
            import respx
        except ModuleNotFoundError:
            raise ConfigError("replaying needs respx", hint="pip install 'banksman[testing]'") from None
        router = respx.MockRouter(assert_all_called=False, assert_all_mocked=True)
        for text in {**self._waiting, **self._shared}:
            router.route(_pattern()(text), name=text).side_effect = self._answer
        return router

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        try:
            return await self.router.async_handler(request)
        except ReplayMismatch:
            raise
        except AssertionError:
            self._unexpected.append(f"unexpected: {_shown(_text(request))}\n{self._nearest(_text(request))}")
            raise ReplayMismatch(self._unexpected[-1:]) from None

    def _answer(self, request: httpx.Request) -> httpx.Response:
        text = _text(request)
        waiting = self._waiting.get(text)
        if waiting:
            return _response(waiting.pop(0), request)
        if text in self._shared:
            return _response(self._shared[text], request)
        self._unexpected.append(f"unexpected: asked once more than recorded: {_shown(text)}")
        raise ReplayMismatch(self._unexpected[-1:])

    def _nearest(self, text: str) -> str:
        known = [*self._waiting, *self._shared]
        if not known:
            return "  nothing was recorded"
        best = max(known, key=lambda one: SequenceMatcher(None, one, text, autojunk=False).ratio())
        return f"  the nearest recorded: {_shown(best)}"

    def check(self) -> None:
        """Hold what was asked against what was recorded.

        Raises:
            ReplayMismatch: lists every request that was not recorded, and every recorded one that was not made.
        """
        unused = [f"recorded and not asked for: {one.summary()}" for left in self._waiting.values() for one in left]
        if problems := [*self._unexpected, *unused]:
            raise ReplayMismatch(problems)


@cache
def _pattern() -> type[Pattern]:
    # respx keeps a list of all patterns, so there can be only one of this name.
    from respx.patterns import Lookup, Pattern

    class Recorded(Pattern):
        """Fits a request that says what was recorded, to the last field."""

        lookups = (Lookup.EQUAL,)
        key = "banksman"

        def parse(self, request: httpx.Request) -> Any:
            return _text(request)

    return Recorded


def _text(request: httpx.Request) -> str:
    kind = request.headers.get("content-type", "")
    return _one_text(
        request.method,
        request.url.raw_path.partition(b"?")[0].decode("ascii"),
        request.url.params.multi_items(),
        request.headers,
        body_value(kind, request.content),
    )


def _recorded_text(one: RecordedExchange) -> str:
    return _one_text(one.method, one.path, one.query, httpx.Headers(dict(one.headers)), one.body)


def _one_text(method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str], body: Plain) -> str:
    named = {name: headers[name] for name in _ALWAYS if name in headers}
    return encode([method, path, [list(pair) for pair in query], named, plain_json(body)])


def _shown(text: str) -> str:
    return text if len(text) < 2000 else f"{text[:2000]}..."


def _response(one: RecordedExchange, request: httpx.Request) -> httpx.Response:
    if one.error is not None:
        kind = getattr(httpx, one.error, None)
        if not (isinstance(kind, type) and issubclass(kind, httpx.TransportError)):
            raise ConfigError(f"the recording names no error of the connection: {one.error!r}")
        raise kind(f"recorded: {one.error}", request=request)
    assert one.status is not None
    headers = {name: value for name, value in one.answer_headers.items() if name != "content-length"}
    return httpx.Response(one.status, headers=headers, content=content_of(one.answer))
