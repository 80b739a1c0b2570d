"""The handle that a connector's bodies get: requests below one base URL, as one account."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

import anyio.from_thread
import anyio.to_thread
import httpx

from banksman import _gate
from banksman._change import call_context
from banksman._effect import Effect
from banksman._version import __version__
from banksman.errors import ConfigError, MalformedAnswer, UsageError
from banksman.http.answers import ErrorTable, read_json
from banksman.http.exchange import Observer
from banksman.http.limits import Limits
from banksman.http.paging import Paging
from banksman.http.request import Request, build
from banksman.http.retry import RetryPolicy
from banksman.http.routes import Routes
from banksman.http.scrub import scrub
from banksman.http.transport import IDEMPOTENT, SeamTransport

if TYPE_CHECKING:
    from banksman._action import Action

# So many pages without an item can only be a loop with ever new cursors.
_EMPTY_PAGES = 50
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Reader(Protocol):
    """Runs a read action on the same connection, through the overlay of a preview where there is one."""

    async def __call__(self, action: Action[Any, Any], arguments: Mapping[str, Any]) -> Any: ...


def _checked(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ConfigError(f"base_url cannot be read: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError("base_url must start with https:// or http:// and name a host")
    if url.userinfo:
        raise ConfigError("base_url holds a user name or password", hint="Give the credential as `auth`.")
    if url.query or url.fragment:
        raise ConfigError(f"base_url must end with its path: {url.copy_with(query=None, fragment=None)}")
    return base_url


class HttpApi:
    """One account of one system over HTTP.

    Args:
        base_url: what relative paths are below.
        auth: the flow that adds the credential.
        routes: what each route does.
        errors: what each answer means.
        inner: moves the bytes; by default httpx's own transport. Tests and replays give another.

    Raises:
        ConfigError: the base URL is no HTTP address, or holds a credential or a query.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: httpx.Auth | None = None,
        routes: Routes | None = None,
        errors: ErrorTable | None = None,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        inner: httpx.AsyncBaseTransport | None = None,
        observers: tuple[Observer, ...] = (),
    ) -> None:
        self.base_url = _checked(base_url).rstrip("/")
        self.routes = routes or Routes()
        self.errors = errors or ErrorTable()
        self.limits = limits or Limits()
        self.transport = SeamTransport(
            inner or httpx.AsyncHTTPTransport(retries=0, trust_env=False),
            base_url=self.base_url,
            routes=self.routes,
            limits=self.limits,
            retry=retry,
            observers=observers,
        )
        self.client = httpx.AsyncClient(
            transport=self.transport,
            auth=auth,
            headers={"user-agent": f"banksman/{__version__}", "accept-encoding": "gzip, deflate", **(headers or {})},
            # A session that an answer opens would outlive its run and be shared by all; what needs one carries its
            # cookie in `fresh_headers`.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=self.limits.timeout,
            follow_redirects=False,
            trust_env=False,
        )
        self._reader: Reader | None = None
        self.sync = SyncApi(self)

    def bind(self, reader: Reader) -> None:
        """Called once by the hub: where `read` goes."""
        self._reader = reader

    async def read(self, action: Action[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a read action of this connector. In a preview it sees the plan's earlier writes."""
        if self._reader is None:
            return await action.body(self, *args, **kwargs)  # type: ignore[no-any-return]
        return await self._reader(action, action.arguments(*args, **kwargs))  # type: ignore[no-any-return]

    @property
    def call_key(self) -> str:
        """Unique to this call of this run, the same for every attempt: for idempotency keys and markers."""
        return call_context().key

    def url(self, path: str) -> str:
        """The absolute address of a path below the base URL; an absolute one stays as it is.

        The caller quotes what it puts into a path: `quote(key, safe="")`.
        """
        return path if _ABSOLUTE.match(path) else f"{self.base_url}/{path.lstrip('/')}"

    def request(self, method: str, path: str, **parts: Any) -> Request:
        """Build a request and send nothing. `parts` are those of `banksman.http.build`."""
        return build(method, self.url(path), **parts)

    async def fetch(self, request: Request) -> httpx.Response:
        """Send a request that reads, and check the answer.

        Raises:
            WriteRefused: it does not read; return it in a `Change` instead.
            CallError: what the answer means.
        """
        response = await self._send(request)
        self.errors.check(response, changes=False)
        return response

    async def get(self, path: str, *, params: Mapping[str, Any] | None = None, **parts: Any) -> Any:
        """The JSON of a GET."""
        return read_json(await self.fetch(self.request("GET", path, params=params, **parts)))

    async def pages(self, request: Request, paging: Paging, *, most: int = 10_000) -> AsyncIterator[Any]:
        """Every item of a list, page after page.

        Raises:
            MalformedAnswer: the list is longer than `most`, a page names an earlier one as the next, or page after
                page is empty.
        """
        seen: set[str] = set()
        count = empty = 0
        page: Request | None = request
        while page is not None:
            if page.fingerprint in seen:
                raise MalformedAnswer(f"{scrub(page.summary())} was already read and is named as the next page again")
            seen.add(page.fingerprint)
            response = await self.fetch(page)
            items = paging.items(response)
            empty = 0 if items else empty + 1
            if empty > _EMPTY_PAGES:
                raise MalformedAnswer(f"{scrub(request.summary())}: {empty} pages in a row were empty")
            for item in items:
                count += 1
                if count > most:
                    what = f"{scrub(request.summary())} lists more than {most:,}"
                    raise MalformedAnswer(what, hint="Narrow the filter.")
                yield item
            page = paging.following(page, response)

    async def send(self, request: Request) -> httpx.Response:
        """Send an approved write. For the runtime; the gate refuses anything else.

        Raises:
            OutcomeUnknown: no answer, 408, 5xx or an answer that cannot be read.
            CallError: it was refused, and nothing happened.
        """
        response = await self._send(request)
        self.errors.check(response, changes=True)
        return response

    async def _send(self, request: Request) -> httpx.Response:
        extensions = {IDEMPOTENT: True} if request.idempotent else {}
        outgoing = request.to_httpx(extensions)
        headers = httpx.Headers(self.client.headers)
        headers.update(outgoing.headers)
        outgoing.headers = headers
        outgoing.extensions["timeout"] = httpx.Timeout(self.limits.timeout).as_dict()
        return await self.client.send(outgoing)

    async def capture(self, build_request: Callable[[], T]) -> Request:
        """The request that an SDK call builds, instead of sending it. The call runs in a worker thread.

        Raises:
            UsageError: the call wrote nothing.
        """
        try:
            with _gate.capturing():
                await anyio.to_thread.run_sync(build_request)
        except _gate.Captured as captured:
            request = captured.request
            assert isinstance(request, Request)
            return request
        raise UsageError("the SDK call sent no write; if it reads, call it without capture")

    def effect_of(self, request: Request) -> Effect:
        """What the routes say of a request."""
        return self.transport.effect_of(request.method, httpx.URL(request.url), request.content)

    @asynccontextmanager
    async def rehearsal(self) -> AsyncIterator[None]:
        """Around a whole preview. HTTP needs nothing; a database holds one transaction and rolls it back."""
        yield

    async def aclose(self) -> None:
        """Close the connections."""
        await self.client.aclose()


class SyncApi:
    """The same handle for sync bodies and SDKs, which run in a worker thread of the event loop."""

    def __init__(self, api: HttpApi) -> None:
        self.api = api

    @property
    def base_url(self) -> str:
        return self.api.base_url

    @property
    def call_key(self) -> str:
        return self.api.call_key

    def request(self, method: str, path: str, **parts: Any) -> Request:
        """See `HttpApi.request`."""
        return self.api.request(method, path, **parts)

    def read(self, action: Action[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """See `HttpApi.read`."""
        return anyio.from_thread.run(lambda: self.api.read(action, *args, **kwargs))

    def fetch(self, request: Request) -> httpx.Response:
        """See `HttpApi.fetch`."""
        return anyio.from_thread.run(self.api.fetch, request)

    def get(self, path: str, *, params: Mapping[str, Any] | None = None, **parts: Any) -> Any:
        """See `HttpApi.get`."""
        return anyio.from_thread.run(lambda: self.api.get(path, params=params, **parts))

    def listed(self, request: Request, paging: Paging, *, most: int = 10_000) -> list[Any]:
        """Every item of `HttpApi.pages`."""

        async def collect() -> list[Any]:
            return [item async for item in self.api.pages(request, paging, most=most)]

        return anyio.from_thread.run(collect)

    def capture(self, build_request: Callable[[], T]) -> Request:
        """See `HttpApi.capture`; the call runs in this thread."""
        try:
            with _gate.capturing():
                build_request()
        except _gate.Captured as captured:
            request = captured.request
            assert isinstance(request, Request)
            return request
        raise UsageError("the SDK call sent no write; if it reads, call it without capture")
