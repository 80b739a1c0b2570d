from __future__ import annotations

import traceback
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx
import pytest

from banksman.auth import (
    UNSIGNED_URL,
    ApiKey,
    Basic,
    Bearer,
    Given,
    NoAuth,
    OAuth2ClientCredentials,
    OAuth2Refresh,
    Scheme,
    Secret,
    Setting,
    build,
)
from banksman.errors import ConfigError, UsageError

SENDS: list[tuple[Scheme, dict[str, Any], str, str]] = [
    (Bearer(), {"kind": "bearer", "token": "literal:t0ken"}, "Authorization", "Bearer t0ken"),
    (ApiKey(header="X-Api-Key"), {"kind": "api_key", "key": "literal:k3y0"}, "X-Api-Key", "k3y0"),
    (
        ApiKey(header="Authorization", prefix="Token "),
        {"kind": "api_key", "key": "literal:k3y0"},
        "Authorization",
        "Token k3y0",
    ),
    (
        Basic(),
        {"kind": "basic", "username": "alice", "password": "literal:"},
        "Authorization",
        "Basic " + b64encode(b"alice:").decode(),
    ),
    (
        Basic(),
        {"kind": "basic", "username": "literal:älice", "password": "literal:pä:ss"},
        "Authorization",
        "Basic " + b64encode("älice:pä:ss".encode()).decode(),
    ),
]


def sent(auth: httpx.Auth, url: str = "https://api.example/v1?page=2") -> httpx.Request:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    with httpx.Client(auth=auth, transport=httpx.MockTransport(answer)) as client:
        client.get(url)
    return seen[0]


@pytest.mark.parametrize(("scheme", "config", "header", "value"), SENDS)
def test_a_credential_is_sent_in_its_header(scheme: Scheme, config: dict[str, Any], header: str, value: str) -> None:
    assert sent(build(scheme, config)).headers[header] == value


async def test_the_same_flow_serves_an_async_client() -> None:
    auth = build(Bearer(), {"kind": "bearer", "token": "literal:t0ken"})
    transport = httpx.MockTransport(lambda request: httpx.Response(200, text=request.headers["Authorization"]))
    async with httpx.AsyncClient(auth=auth, transport=transport) as client:
        assert (await client.get("https://api.example")).text == "Bearer t0ken"


def test_a_key_in_the_query_leaves_the_address_without_it_for_the_seam() -> None:
    auth = build(ApiKey(query="key", prefix="k-"), {"kind": "api_key", "key": "literal:a&b"})
    request = sent(auth)
    assert dict(request.url.params) == {"page": "2", "key": "k-a&b"}
    assert request.extensions[UNSIGNED_URL] == "https://api.example/v1?page=2"


@pytest.mark.parametrize("config", [{}, {"kind": "none"}])
def test_no_auth_sends_nothing(config: dict[str, Any]) -> None:
    request = sent(build([Basic(), NoAuth()], config))
    assert "Authorization" not in request.headers


def test_the_kind_chooses_among_the_accepted_schemes() -> None:
    accepted = (Basic(), Bearer(), NoAuth())
    auth = build(accepted, {"kind": "bearer", "token": "literal:t0ken"})
    assert sent(auth).headers["Authorization"] == "Bearer t0ken"


def test_secrets_go_through_the_given_resolver() -> None:
    asked: list[str] = []

    def resolver(reference: str) -> Secret:
        asked.append(reference)
        return Secret("resolved")

    auth = build(Bearer(), {"kind": "bearer", "token": "vault:erp"}, resolver)
    assert sent(auth).headers["Authorization"] == "Bearer resolved"
    assert asked == ["vault:erp"]


OAUTH = OAuth2ClientCredentials(token_url="https://login.example/token")
WRONG: list[tuple[Any, Any, list[str]]] = [
    (Basic(), {}, ["kind is missing", "accepted: basic", "{kind: basic, username: ..., password: ...}"]),
    (Basic(), {"kind": 7}, ["kind is missing"]),
    ([Basic(), Bearer()], {"kind": "digest"}, ["kind 'digest' is not accepted; accepted: basic, bearer"]),
    (Basic(), {"kind": "basic"}, ["missing: username, password"]),
    (Basic(), {"kind": "basic", "username": "a", "password": None}, ["missing: password"]),
    (
        Basic(),
        {"kind": "basic", "username": "a", "pasword": "literal:x"},
        ["missing: password", "unknown: pasword (did you mean password?)"],
    ),
    (Basic(), {"kind": "basic", "username": "a", "password": "hunter22"}, ["password: a plain text", "env:NAME"]),
    (Basic(), {"kind": "basic", "username": "a", "password": 22}, ["password: must be a text"]),
    (Basic(), {"kind": "basic", "username": "a:b", "password": "literal:x"}, ["username: must not contain a colon"]),
    (Bearer(), {"kind": "bearer", "token": "literal:hunter22\n"}, ["token: literal does not fit into a header"]),
    (Bearer(), {"kind": "bearer", "token": "literal:hünter22"}, ["does not fit into a header"]),
    (Bearer(), {"kind": "bearer", "token": "literal:"}, ["does not fit into a header"]),
    (ApiKey(header="K"), {"kind": "api_key", "key": "literal: hunter22"}, ["key: literal does not fit"]),
    (OAUTH, {"kind": OAUTH.kind}, ["missing: client_id, client_secret"]),
    (
        OAuth2ClientCredentials(),
        {"kind": OAUTH.kind, "client_id": "a", "client_secret": "literal:x"},
        ["missing: token_url", "if need be scopes, audience, auth_method"],
    ),
    (
        OAuth2Refresh(token_url="https://login.example"),
        {"kind": "oauth2_refresh", "client_id": "a", "refresh_token": "hunter22", "client_secret": "hunter22"},
        ["refresh_token: a plain text", "client_secret: a plain text"],
    ),
    (
        OAUTH,
        {"kind": OAUTH.kind, "client_id": "a", "client_secret": "literal:x", "auth_method": "jwt"},
        ["auth_method: must be client_secret_basic or client_secret_post"],
    ),
    (
        OAUTH,
        {"kind": OAUTH.kind, "client_id": "a", "client_secret": "literal:x", "scopes": 3},
        ["scopes: must be a list of texts"],
    ),
]


@pytest.mark.parametrize(("schemes", "config", "parts"), WRONG)
def test_settings_that_do_not_fit_are_named_and_no_secret_is_shown(
    schemes: Any, config: Mapping[str, Any], parts: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        build(schemes, config, connection="sap:s4")
    text = "".join(traceback.format_exception(caught.value))
    assert all(part in text for part in ["connection 'sap:s4', auth", *parts])
    assert "hunter22" not in text
    assert "hünter22" not in text


def test_every_missing_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ERP_ID", "ERP_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError) as caught:
        build(OAUTH, {"kind": OAUTH.kind, "client_id": "env:ERP_ID", "client_secret": "env:ERP_SECRET"})
    assert "client_id: the environment variable ERP_ID" in str(caught.value)
    assert "client_secret: the environment variable ERP_SECRET" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://login.example/token", "must be https"),
        ("login.example/token", "must begin with https://"),
        ("https:///token", "name a host"),
        ("ftp://login.example", "must begin with https://"),
        ("https://user:pw@login.example/token", "no user, password"),
        ("https://login.example/token#x", "fragment"),
        ("https://[login.example/token", "is not a URL"),
    ],
)
def test_tokens_are_asked_for_by_tls_alone(url: str, problem: str) -> None:
    config = {"kind": OAUTH.kind, "client_id": "a", "client_secret": "literal:x", "token_url": url}
    with pytest.raises(ConfigError, match=f"token_url: .*{problem}"):
        build(OAUTH, config)


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"])
def test_a_token_endpoint_on_this_machine_may_go_without(host: str) -> None:
    config = {"kind": OAUTH.kind, "client_id": "a", "client_secret": "literal:x", "token_url": f"http://{host}/token"}
    build(OAUTH, config)


def test_schemes_are_values() -> None:
    assert ApiKey(header="X") == ApiKey(header="X")
    assert len({Basic(), Basic(), OAUTH, OAuth2ClientCredentials(token_url=OAUTH.token_url)}) == 2
    with pytest.raises(AttributeError):
        Basic().kind = "other"  # type: ignore[misc]


@pytest.mark.parametrize("names", [{}, {"header": "X", "query": "y"}])
def test_an_api_key_goes_to_one_place(names: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="either header= or query="):
        ApiKey(**names)


@pytest.mark.parametrize("schemes", [[], [Basic(), Basic()], [ApiKey(header="a"), ApiKey(query="b")]])
def test_each_kind_is_accepted_once(schemes: list[Scheme]) -> None:
    with pytest.raises(UsageError, match="once"):
        build(schemes, {"kind": "basic"})


@dataclass(frozen=True)
class TenantKey(Scheme):
    """What a connector writes whose system has its own way."""

    kind: ClassVar[str] = "tenant_key"

    @property
    def settings(self) -> Mapping[str, Setting]:
        return {"tenant": Setting("text"), "key": Setting("secret"), "roles": Setting("words", required=False)}

    def flow(self, given: Given) -> httpx.Auth:
        value = f"{given.texts['tenant']}/{given.secrets['key'].reveal()}/{'+'.join(given.words.get('roles', ()))}"
        return httpx.BasicAuth(value, given.connection)


@pytest.mark.parametrize(("roles", "shown"), [(None, ""), ("a b", "a+b"), (["a", "b"], "a+b")])
def test_a_connector_can_bring_a_scheme_of_its_own(roles: Any, shown: str) -> None:
    config = {"kind": "tenant_key", "tenant": "acme", "key": "literal:k3y0", "roles": roles}
    request = sent(build(TenantKey(), config, connection="x:y"))
    expected = b64encode(f"acme/k3y0/{shown}:x:y".encode()).decode()
    assert request.headers["Authorization"] == f"Basic {expected}"
