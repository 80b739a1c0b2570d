"""What a token request says and how each answer is read."""

from __future__ import annotations

import traceback
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from banksman.auth import TOKEN_REQUEST, OAuth2ClientCredentials, OAuth2Refresh, Scheme, build, redact, register
from banksman.errors import AccessDenied, AuthFailed, CallError, MalformedAnswer, RateLimited, Unavailable

from .conftest import API_URL, TOKEN_URL, System

CLIENT = {"client_id": "acme app", "client_secret": "literal:hunter/22+"}
CREDENTIALS = OAuth2ClientCredentials(token_url=TOKEN_URL, scopes=("orders.read", "orders.write"))
REFRESH = OAuth2Refresh(token_url=TOKEN_URL)


def login(scheme: Scheme = CREDENTIALS, **config: Any) -> httpx.Auth:
    if scheme.kind == "oauth2_refresh":
        config = {"refresh_token": "literal:first-refresh-token", **config}
    return build(scheme, {"kind": scheme.kind, **CLIENT, **config}, connection="erp:prod")


def test_client_credentials_are_sent_form_encoded_in_a_basic_header(system: System) -> None:
    system.client(login()).get(API_URL, headers={"User-Agent": "banksman/1"})
    (request,) = system.token_requests
    assert b64decode(request.headers["Authorization"].removeprefix("Basic ")) == b"acme+app:hunter%2F22%2B"
    assert system.asked == [{"grant_type": "client_credentials", "scope": "orders.read orders.write"}]
    assert request.headers["Accept"] == "application/json"
    assert request.headers["User-Agent"] == "banksman/1"


@pytest.mark.parametrize("declared", [True, False])
def test_client_credentials_are_sent_in_the_form_where_the_server_wants_that(system: System, declared: bool) -> None:
    if declared:
        auth = login(OAuth2ClientCredentials(token_url=TOKEN_URL, auth_method="client_secret_post"))
    else:
        auth = login(OAuth2ClientCredentials(), auth_method="client_secret_post", token_url=TOKEN_URL)
    system.client(auth).get(API_URL)
    assert "Authorization" not in system.token_requests[0].headers
    expected = {"grant_type": "client_credentials", "client_id": "acme app", "client_secret": "hunter/22+"}
    assert system.asked == [expected]


def test_a_public_client_only_names_itself(system: System) -> None:
    config = {"kind": REFRESH.kind, "client_id": "app", "refresh_token": "literal:first-refresh-token"}
    system.client(build(REFRESH, config)).get(API_URL)
    assert system.asked == [{"grant_type": "refresh_token", "refresh_token": "first-refresh-token", "client_id": "app"}]
    assert "Authorization" not in system.token_requests[0].headers


def test_audience_and_further_parameters_are_sent_and_a_connection_may_differ(system: System) -> None:
    scheme = OAuth2ClientCredentials(
        token_url=TOKEN_URL, scopes=("a",), audience="https://a.example", extra={"resource": "r"}
    )
    system.client(login(scheme)).get(API_URL)
    system.client(login(scheme, audience="https://b.example", scopes="b c")).get(API_URL)
    grant = {"grant_type": "client_credentials", "resource": "r"}
    assert system.asked == [
        {**grant, "scope": "a", "audience": "https://a.example"},
        {**grant, "scope": "b c", "audience": "https://b.example"},
    ]


def test_a_token_request_is_marked_for_the_seam_and_bounded_in_time(system: System) -> None:
    system.client(login()).get(API_URL)
    (request,) = system.token_requests
    assert request.extensions[TOKEN_REQUEST] is True
    assert request.extensions["timeout"] == {"connect": 15.0, "read": 15.0, "write": 15.0, "pool": 15.0}
    assert TOKEN_REQUEST not in system.calls[0].extensions


Answer = Callable[[httpx.Request], httpx.Response]


def answering(status: int, **parts: Any) -> Answer:
    return lambda request: httpx.Response(status, **parts)


def failing(error: Exception) -> Answer:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    return fail


def token(**parts: Any) -> Answer:
    return answering(200, json={"access_token": "access-token", "token_type": "bearer", **parts})


OUTCOMES: list[tuple[Answer, type[CallError], str]] = [
    (answering(400, json={"error": "invalid_grant"}), AuthFailed, "refused: invalid_grant"),
    (answering(401, json={"error": "invalid_client"}), AuthFailed, "refused: invalid_client"),
    (answering(200, json={"ok": False, "error": "invalid_refresh_token"}), AuthFailed, "invalid_refresh_token"),
    (answering(400, json={"error": {"code": 7}}), AuthFailed, "refused: status 400"),
    (answering(400, json={"title": "Bad Request", "detail": "unknown"}), AuthFailed, "refused: status 400: unknown"),
    (answering(401, text="<html>no</html>"), AuthFailed, "refused: status 401"),
    (answering(400, json={"error": "invalid_scope"}), AccessDenied, "refused: invalid_scope"),
    (answering(400, json={"error": "temporarily_unavailable"}), Unavailable, "temporarily_unavailable"),
    (answering(429, headers={"Retry-After": "7"}), RateLimited, "asks to wait"),
    (answering(503, text="down"), Unavailable, "answered 503"),
    (answering(500, json={"error": "invalid_grant"}), Unavailable, "answered 500"),
    (failing(httpx.ConnectError("no route")), Unavailable, "cannot be reached: ConnectError no route"),
    (failing(httpx.ReadTimeout("")), Unavailable, "cannot be reached: ReadTimeout"),
    (answering(200, text="<html>login</html>"), MalformedAnswer, "answered 200 with no JSON object"),
    (answering(200, json=["access_token"]), MalformedAnswer, "with no JSON object"),
    (answering(200, text="[" * 100_000), MalformedAnswer, "with no JSON object"),
    (answering(200, content=b"{\xff}"), MalformedAnswer, "with no JSON object"),
    (answering(302, headers={"Location": "/login"}), MalformedAnswer, "answered 302"),
    (answering(404, text="nothing here"), MalformedAnswer, "answered 404"),
    (answering(404, json={"message": "nothing here"}), MalformedAnswer, "answered 404"),
    (
        answering(200, content=b"no gzip", headers={"Content-Encoding": "gzip"}),
        MalformedAnswer,
        "sent no answer that can be read",
    ),
    (answering(200, json={}), MalformedAnswer, "no access_token"),
    (token(access_token=7), MalformedAnswer, "no access_token"),
    (token(access_token="split\nin two"), MalformedAnswer, "fits into a header"),
    (token(refresh_token=["x"]), MalformedAnswer, "refresh_token is not a text"),
    (token(expires_in="soon"), MalformedAnswer, "expiry is not a number"),
    (token(expires_in=[1]), MalformedAnswer, "expiry is not a number"),
    (
        answering(200, content=b'{"access_token": "a", "expires_in": Infinity}'),
        MalformedAnswer,
        "expiry is not a number",
    ),
    (token(expires_at=["x"]), MalformedAnswer, "expiry is not a number"),
    (token(token_type="mac"), MalformedAnswer, "of type mac, not bearer"),
]


@pytest.mark.parametrize("scheme", [CREDENTIALS, REFRESH])
@pytest.mark.parametrize(("answer", "kind", "what"), OUTCOMES)
@pytest.mark.parametrize("in_loop", [False, True])
async def test_each_answer_has_its_error(
    system: System, scheme: Scheme, answer: Answer, kind: type[CallError], what: str, in_loop: bool
) -> None:
    system.answer = answer
    with pytest.raises(CallError) as caught:
        await system.get(login(scheme), in_loop=in_loop)
    error = caught.value
    assert type(error) is kind
    assert what in error.message
    assert TOKEN_URL in error.message
    assert error.connection == "erp:prod"
    assert not system.calls


@pytest.mark.parametrize(
    "answer",
    [token(), token(token_type=None), token(expires_in="3600"), token(expires_in=3600.5), token(expires_in=None)],
)
def test_a_sloppy_but_clear_answer_is_taken(system: System, answer: Answer) -> None:
    system.answer = answer
    system.good.add("access-token")
    assert system.client(login()).get(API_URL).json() == {"by": "access-token"}


def test_a_scheme_says_which_other_types_are_bearer_tokens(system: System) -> None:
    system.answer = token(token_type="bot")
    system.good.add("access-token")
    scheme = OAuth2Refresh(token_url=TOKEN_URL, token_types=("bearer", "bot"))
    assert system.client(login(scheme)).get(API_URL).is_success


def test_a_refusal_says_how_to_log_in_again(system: System) -> None:
    system.answer = answering(400, json={"error": "invalid_grant", "error_description": "expired\r\nlong ago"})
    with pytest.raises(AuthFailed) as caught:
        system.client(login()).get(API_URL)
    error = caught.value
    assert (error.code, error.status, error.transient) == ("invalid_grant", 400, False)
    assert error.message.endswith("refused: invalid_grant: expired long ago")
    assert "banksman connections test erp:prod" in str(error)


def test_a_wait_that_the_server_asks_for_is_carried(system: System) -> None:
    system.answer = answering(429, headers={"Retry-After": "7"})
    with pytest.raises(RateLimited) as caught:
        system.client(login()).get(API_URL)
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize("in_loop", [False, True])
async def test_no_error_shows_a_secret_that_the_server_sends_back(system: System, in_loop: bool) -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        said = request.content.decode() + request.headers["Authorization"] + " hunter/22+ first-refresh-token"
        return httpx.Response(400, json={"error": said, "error_description": said})

    system.answer = echo
    with pytest.raises(AuthFailed) as caught:
        await system.get(login(REFRESH), in_loop=in_loop)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(vars(caught.value))
    assert redact(shown) == shown
    assert "hunter" not in shown
    assert "first-refresh" not in shown
    assert b64encode(b"acme+app:hunter%2F22%2B").decode() not in shown


def test_a_key_in_the_query_of_a_token_url_is_not_shown(system: System) -> None:
    auth = login(OAuth2ClientCredentials(token_url="https://login.example/other?key=k3y0k3y0"))
    with pytest.raises(AuthFailed) as caught:
        system.client(auth).get(API_URL)
    assert "k3y0" not in str(caught.value)


@pytest.mark.parametrize(("status", "kind"), [(401, AuthFailed), (404, MalformedAnswer), (503, Unavailable)])
def test_a_secret_in_the_path_of_a_token_url_is_not_shown(system: System, status: int, kind: type[CallError]) -> None:
    register("t3nant-key")
    auth = login(OAuth2ClientCredentials(token_url="https://login.example/t3nant-key/token"))
    client = httpx.Client(auth=auth, transport=httpx.MockTransport(answering(status)))
    with pytest.raises(kind) as caught:
        client.get(API_URL)
    assert "https://login.example/[secret]/token" in str(caught.value)
    assert "t3nant" not in str(caught.value)
