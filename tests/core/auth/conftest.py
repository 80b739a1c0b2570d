"""A token endpoint and an API that takes its tokens, without a network."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from banksman.auth import OAuth2ClientCredentials, OAuth2Refresh, TokenStore, _redaction, build

TOKEN_URL = "https://login.example/oauth/token"
API_URL = "https://api.example/orders"
CLIENT = {"client_id": "app", "client_secret": "literal:hunter22"}


def credentials() -> httpx.Auth:
    return build(OAuth2ClientCredentials(token_url=TOKEN_URL), {"kind": "oauth2_client_credentials", **CLIENT})


def refreshing(store: TokenStore | None = None, refresh: str = "first-refresh-token") -> httpx.Auth:
    config = {"kind": "oauth2_refresh", **CLIENT, "refresh_token": f"literal:{refresh}"}
    return build(OAuth2Refresh(token_url=TOKEN_URL), config, connection="erp:prod", store=store)


class System:
    """Issues tokens `access-1-...`, `access-2-...` and answers 401 to any but the ones that are good.

    Attributes:
        asked: the forms of the token requests, in order.
        token_requests: the token requests themselves.
        calls: the requests to the API; `used` are the tokens that came with them.
        lifetime: `expires_in` of the tokens; None leaves it out.
        rotating: whether each renewal brings a new refresh token and spends the old one.
        answer: stands in for the token endpoint.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.token_requests: list[httpx.Request] = []
        self.calls: list[httpx.Request] = []
        self.used: list[str] = []
        self.good: set[str] = set()
        self.lifetime: Any = 3600
        self.rotating = False
        self.refresh = "first-refresh-token"
        self.answer: Callable[[httpx.Request], httpx.Response] | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if str(request.url) == TOKEN_URL:
            return self._issue(request)
        self.calls.append(request)
        # A repeated request is the same object with another header.
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.used.append(token)
        return httpx.Response(200, json={"by": token}) if token in self.good else httpx.Response(401, text="who?")

    def _issue(self, request: httpx.Request) -> httpx.Response:
        form = dict(parse_qsl(request.content.decode()))
        self.asked.append(form)
        self.token_requests.append(request)
        if self.answer is not None:
            return self.answer(request)
        if form.get("refresh_token", self.refresh) != self.refresh:
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": "it was used before"})
        token = f"access-{len(self.asked)}-token"
        self.good.add(token)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime}
        if self.rotating:
            self.refresh = answer["refresh_token"] = f"refresh-{len(self.asked)}-token"
        return httpx.Response(200, json={k: v for k, v in answer.items() if v is not None})

    async def get(self, auth: httpx.Auth, *, in_loop: bool) -> httpx.Response:
        """One call to the API, by either kind of client."""
        return await self.async_client(auth).get(API_URL) if in_loop else self.client(auth).get(API_URL)

    def client(self, auth: httpx.Auth) -> httpx.Client:
        return httpx.Client(auth=auth, transport=httpx.MockTransport(self))

    def async_client(self, auth: httpx.Auth, handler: Any = None) -> httpx.AsyncClient:
        return httpx.AsyncClient(auth=auth, transport=httpx.MockTransport(handler or self))


class Clock:
    """The wall clock, which a test moves."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    return clock


@pytest.fixture(params=[credentials, refreshing], ids=["credentials", "refresh"])
def auth(request: pytest.FixtureRequest) -> httpx.Auth:
    """Each OAuth 2 flow in turn."""
    flow: httpx.Auth = request.param()
    return flow


@pytest.fixture(autouse=True)
def _forget_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test registers does not mask the texts of the next."""
    monkeypatch.setattr(_redaction, "_registry", _redaction._Registry())
