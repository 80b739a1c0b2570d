"""Bridges: SDKs that bring their own HTTP client are given a transport that ends at the seam.

    session = requests.Session()
    RequestsAdapter(api.sync).take(session)    # an SDK on requests
    client = httpx.Client(transport=SyncSeamTransport(api.sync))    # an SDK on httpx

A read goes out as the connection's own request: its credential, limits, retries and observers. A write is caught where
it would leave: `api.capture` gets the request, and nothing is sent. What the SDK's client adds (credentials, cookies,
agent names) stays behind. Bridges are set on one client of one connection, never on a library as a whole, and the
client's own retries and throttles are turned off: the seam has them.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import httpx

from banksman import _gate
from banksman.errors import Denied, UsageError
from banksman.http.request import Request
from banksman.http.scrub import scrub

if TYPE_CHECKING:
    import requests
    from requests.adapters import BaseAdapter

    from banksman.http.api import SyncApi
else:
    # `Session.mount` takes whatever has `send` and `close`, so requests is needed only once something is sent.
    BaseAdapter = object

_ALWAYS_KEPT = frozenset({"content-type", "prefer"})


class Bridge:
    """The blocking way through the seam that every transport here is built on. One serves one connection.

    Args:
        api: the connection, as sync code sees it.
        keep: names of headers that mean something to the system; the others stay behind.
    """

    def __init__(self, api: SyncApi, *, keep: Iterable[str] = ("accept",)) -> None:
        self.api = api.api
        self._keep = _ALWAYS_KEPT | {name.lower() for name in keep}
        self._loop: anyio.lowlevel.EventLoopToken | None = None

    def request(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Request:
        """What an SDK's client is about to send, without what only the client put there.

        Raises:
            Denied: it would go to another origin than the connection's, or carries a credential in its address.
        """
        target = httpx.URL(url)
        if target.userinfo or not _same_origin(target, httpx.URL(self.api.base_url)):
            # The seam denies it as well, but only once it is sent; what is captured now must be sendable then.
            raise Denied(
                f"the SDK called {target.scheme}://{target.netloc.decode('ascii').rpartition('@')[2]}, which is not "
                f"{self.api.base_url}; nothing was sent",
                rule="one origin per connection",
                hint="Make a connection for that address if it is wanted.",
            )
        kept = {name.lower(): value for name, value in headers.items() if name.lower() in self._keep}
        return Request(method.upper(), str(target.copy_with(fragment=None)), kept, content)

    def send(self, request: Request) -> httpx.Response:
        """The answer, whatever its status; redirects are not followed.

        Raises:
            Captured: it writes, and the caller captures what its SDK builds.
            WriteRefused: it writes, and nobody approved it.
            UsageError: it writes a body that is different each time it is built, or no event loop can be reached.
            CallError: no answer came.
        """
        effect = self.api.effect_of(request)
        if effect.changes and request.headers.get("content-type", "").lower().startswith("multipart/"):
            raise UsageError(
                f"{request.summary()} uploads a multipart body, whose boundary is new each time; nothing was sent",
                hint="What is approved must be what is sent: build the request with `api.request` instead.",
            )
        # Judged here as well as by the seam, because here the request still has all the headers that were kept.
        _gate.admit(effect, request, request.fingerprint, f"{request.method} {scrub(httpx.URL(request.url).path)}")
        return self._wait_for(request)

    def _wait_for(self, request: Request) -> httpx.Response:
        if _runs_event_loop():
            raise UsageError(
                f"{request.summary()} was called on the event loop, which would wait for itself",
                hint="Call the SDK from a sync body, or inside `api.capture`.",
            )
        try:
            return anyio.from_thread.run(self._through, request)
        except anyio.NoEventLoopError:
            # A thread of the SDK's own. It has no mode, so it can only read.
            if self._loop is None:
                raise UsageError(
                    f"{request.summary()} was called from a thread that belongs to no event loop",
                    hint="Use the bridge once from a sync body or inside `api.capture` first.",
                ) from None
        try:
            return anyio.from_thread.run(self._through, request, token=self._loop)
        except anyio.RunFinishedError:
            raise UsageError(f"{request.summary()} was called after its connection's event loop had ended") from None

    async def _through(self, request: Request) -> httpx.Response:
        self._loop = anyio.lowlevel.current_token()
        return await self.api._send(request)


def _same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def _runs_event_loop() -> bool:
    try:
        anyio.lowlevel.current_token()
    except anyio.NoEventLoopError:
        return False
    return True


def _refuse_stream(what: str) -> UsageError:
    return UsageError(
        f"{what} streams its body, so that nobody could see it before it is sent; nothing was sent",
        hint="Give the SDK the whole content, as bytes or text.",
    )


class RequestsAdapter(BaseAdapter):
    """For SDKs on requests (https://requests.readthedocs.io/en/latest/user/advanced/#transport-adapters).

    Cookies that the system sets are not kept, and a redirect does not count as `is_redirect`.
    """

    def __init__(self, api: SyncApi, *, keep: Iterable[str] = ("accept",)) -> None:
        self._bridge = Bridge(api, keep=keep)

    def take(self, session: requests.Session) -> None:
        """Make this the only way out of a session. One mounted for `http://` alone would leave `https://` open."""
        session.adapters.clear()
        for scheme in ("https://", "http://"):
            session.mount(scheme, self)
        session.trust_env = False

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send through the seam, whose timeouts, certificates and proxies hold instead of the arguments."""
        method, url, body = str(request.method), str(request.url), request.body
        if body is not None and not isinstance(body, str | bytes):
            raise _refuse_stream(f"{method} {httpx.URL(url).path}")
        content = body.encode() if isinstance(body, str) else body or b""
        headers = {str(name): _text(value) for name, value in (request.headers or {}).items()}
        response = self._bridge.send(self._bridge.request(method, url, headers, content))
        return _requests_response(request, response)

    def close(self) -> None:
        """Nothing to close: the connection outlives the SDK's session."""


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _requests_response(request: requests.PreparedRequest, response: httpx.Response) -> requests.Response:
    from requests.structures import CaseInsensitiveDict
    from requests.utils import get_encoding_from_headers

    answer: requests.Response = _final_response()()
    answer.status_code = response.status_code
    answer.reason = response.reason_phrase
    answer.headers = CaseInsensitiveDict(response.headers)
    answer.encoding = get_encoding_from_headers(answer.headers)
    answer.url = str(request.url)
    answer.request = request
    answer.elapsed = timedelta()
    # Whole already: the seam reads every answer to its end, to hold its size limit.
    answer.raw = io.BytesIO(response.content)
    answer._content = response.content
    answer._content_consumed = True
    return answer


@functools.cache
def _final_response() -> type[requests.Response]:
    import requests

    class FinalResponse(requests.Response):
        """A redirect stays an answer: a session would follow it, also to where the credential must not go."""

        @property
        def is_redirect(self) -> bool:
            return False

    return FinalResponse


class _FinalResponse(httpx.Response):
    """A redirect stays an answer, also for a client that follows redirects."""

    @property
    def has_redirect_location(self) -> bool:
        return False


class SyncSeamTransport(httpx.BaseTransport):
    """For SDKs on httpx's blocking client: `httpx.Client(transport=SyncSeamTransport(api.sync))`."""

    def __init__(self, api: SyncApi, *, keep: Iterable[str] = ("accept",)) -> None:
        self._bridge = Bridge(api, keep=keep)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send through the seam, whose timeouts, certificates and proxies hold."""
        if not isinstance(request.stream, httpx.ByteStream):
            raise _refuse_stream(f"{request.method} {request.url.path}")
        built = self._bridge.request(request.method, str(request.url), request.headers, request.read())
        response = self._bridge.send(built)
        return _FinalResponse(response.status_code, headers=response.headers.multi_items(), content=response.content)
