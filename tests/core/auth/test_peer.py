"""The flows against a server that nobody here wrote: npm `oauth2-mock-server`."""

from __future__ import annotations

import asyncio
import logging
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from banksman.auth import (
    TOKEN_REQUEST,
    MemoryTokenStore,
    OAuth2ClientCredentials,
    OAuth2Refresh,
    Scheme,
    TokenStore,
    build,
    redact,
)
from banksman.errors import AuthFailed, MalformedAnswer, Unavailable

from .conftest import Clock

pytestmark = pytest.mark.peer

SCHEMES: list[Scheme] = [
    OAuth2ClientCredentials(scopes=("orders",)),
    OAuth2ClientCredentials(auth_method="client_secret_post"),
    OAuth2Refresh(),
]
CONFIG = {"client_id": "acme", "client_secret": "literal:hunter/22"}


def login(scheme: Scheme, token_url: str, store: TokenStore | None = None) -> httpx.Auth:
    config: dict[str, Any] = {"kind": scheme.kind, "token_url": token_url, **CONFIG}
    if scheme.kind == "oauth2_refresh":
        config["refresh_token"] = "literal:first-refresh-token"
    return build(scheme, config, connection="erp:prod", store=store)


class Counting(httpx.AsyncHTTPTransport):
    """Passes token requests on to the peer and answers the rest as an API would."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[dict[str, str]] = []
        self.tokens: list[str] = []
        self.refused: set[str] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if TOKEN_REQUEST in request.extensions:
            self.asked.append(dict(parse_qsl(request.content.decode())))
            return await super().handle_async_request(request)
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.tokens.append(token)
        return httpx.Response(401 if token in self.refused else 200)


@pytest.fixture
def seam() -> Counting:
    return Counting()


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_fifty_callers_cause_one_token_request(oauth2: Any, seam: Counting, scheme: Scheme) -> None:
    async with httpx.AsyncClient(auth=login(scheme, oauth2.token_url), transport=seam) as client:
        responses = await asyncio.gather(*(client.get("https://api.example") for _ in range(50)))
    assert {response.status_code for response in responses} == {200}
    assert len(seam.asked) == 1
    (token,) = set(seam.tokens)
    assert token.count(".") == 2, "the server issues signed JWTs"


def test_callers_in_several_loops_cause_one_token_request(oauth2: Any) -> None:
    auth = login(SCHEMES[0], oauth2.token_url)
    seams = [Counting() for _ in range(8)]

    async def loop(seam: Counting) -> None:
        async with httpx.AsyncClient(auth=auth, transport=seam) as client:
            await asyncio.gather(*(client.get("https://api.example") for _ in range(10)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda seam: asyncio.run(loop(seam)), seams))
    assert sum(len(seam.asked) for seam in seams) == 1
    assert len({token for seam in seams for token in seam.tokens}) == 1


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_an_expired_token_is_renewed(oauth2: Any, seam: Counting, scheme: Scheme, clock: Clock) -> None:
    auth = login(scheme, oauth2.token_url)
    async with httpx.AsyncClient(auth=auth, transport=seam) as client:
        await client.get("https://api.example")
        clock.now += 3600 - 70
        await client.get("https://api.example")
        assert len(seam.asked) == 1
        clock.now += 20
        await client.get("https://api.example")
    assert len(seam.asked) == 2


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_refused_token_is_renewed_and_the_request_repeated(oauth2: Any, seam: Counting, scheme: Scheme) -> None:
    auth = login(scheme, oauth2.token_url)
    async with httpx.AsyncClient(auth=auth, transport=seam) as client:
        await client.get("https://api.example")
        # Tokens of one second are equal, because nothing in them differs.
        await asyncio.sleep(1.1)
        seam.refused = set(seam.tokens)
        assert (await client.get("https://api.example")).status_code == 200
    assert len(seam.asked) == 2
    assert len(set(seam.tokens)) == 2


async def test_a_rotated_refresh_token_survives_the_process(oauth2: Any, seam: Counting, clock: Clock) -> None:
    store = MemoryTokenStore()
    kept: list[str] = ["first-refresh-token"]
    for _ in range(3):
        async with httpx.AsyncClient(auth=login(OAuth2Refresh(), oauth2.token_url, store), transport=seam) as client:
            await client.get("https://api.example")
        kept.append((store.get("erp:prod") or {})["refresh_token"])
        clock.now += 4000
    assert [form["refresh_token"] for form in seam.asked] == kept[:3]
    assert len(set(kept)) == 4


@pytest.mark.parametrize("path", ["/nothing/here", "/jwks", "/authorize"])
async def test_what_is_no_token_endpoint_is_found_out(oauth2: Any, seam: Counting, path: str) -> None:
    auth = login(OAuth2ClientCredentials(), oauth2.base_url + path)
    async with httpx.AsyncClient(auth=auth, transport=seam) as client:
        with pytest.raises(MalformedAnswer, match=r"Is .* the token endpoint"):
            await client.get("https://api.example")


async def test_a_port_where_nobody_listens_is_unavailable_to_async_clients() -> None:
    async with httpx.AsyncClient(auth=login(SCHEMES[0], "http://127.0.0.1:9/token")) as client:
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9/token cannot be reached: ConnectError"):
            await client.get("https://api.example")


def test_a_port_where_nobody_listens_is_unavailable_to_sync_clients() -> None:
    client = httpx.Client(auth=login(SCHEMES[0], "http://127.0.0.1:9/token"))
    with client, pytest.raises(Unavailable, match=r"127\.0\.0\.1:9/token cannot be reached: ConnectError"):
        client.get("https://api.example")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_refusal_by_the_server_shows_no_secret(
    oauth2: Any, seam: Counting, caplog: pytest.LogCaptureFixture, method: Any
) -> None:
    """This server knows every client, but no code that it has not given out."""
    caplog.set_level(logging.DEBUG)
    scheme = OAuth2ClientCredentials(auth_method=method, extra={"code": "unknown", "code_verifier": "unknown"})
    auth = login(scheme, oauth2.token_url)
    async with httpx.AsyncClient(auth=auth, transport=seam) as client:
        with pytest.raises(AuthFailed, match="refused: status 400: code_challenge required") as caught:
            await client.get("https://api.example")
    assert "banksman connections test erp:prod" in str(caught.value)
    shown = caplog.text + "".join(traceback.format_exception(caught.value)) + repr(vars(auth))
    assert "hunter" not in shown
    assert redact(shown) == shown
