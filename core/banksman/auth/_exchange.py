"""One exchange with a token endpoint: the request as Authlib builds it, the answer read strictly.

RFC 6749, sections 2.3.1 (client authentication), 5.1 (answers) and 5.2 (errors):
https://www.rfc-editor.org/rfc/rfc6749
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus

import httpx
from authlib.oauth2.auth import ClientAuth  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749.parameters import prepare_token_request  # type: ignore[import-untyped]

from banksman.auth._flows import basic_credential
from banksman.auth._mark import TOKEN_REQUEST
from banksman.auth._redaction import redact
from banksman.auth._secrets import Secret
from banksman.auth._steps import Read, Steps
from banksman.auth._token import Token
from banksman.errors import AccessDenied, AuthFailed, CallError, MalformedAnswer, RateLimited, Unavailable

#: The limit, in seconds, of each phase of a token request. A request that a flow adds has none of its own.
TIMEOUT: Final = 15.0

#: What error codes other than a refused credential mean. A server that answers 200 with an error is read the same way.
ERRORS: Final[Mapping[str, type[CallError]]] = {
    "access_denied": AccessDenied,
    "invalid_scope": AccessDenied,
    "server_error": Unavailable,
    "slow_down": RateLimited,
    "temporarily_unavailable": Unavailable,
}

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True)
class Endpoint:
    """A token endpoint and the client that asks there.

    Attributes:
        auth_method: `client_secret_basic`, `client_secret_post` or `none`.
        token_types: the types that are sent as bearer tokens, in lower case.
        connection: the connection's name, for errors; may be empty.
    """

    url: str
    client_id: str
    client_secret: Secret | None
    auth_method: str
    token_types: tuple[str, ...] = ("bearer",)
    connection: str = ""

    def __post_init__(self) -> None:
        if self.client_secret is not None and self.auth_method == "client_secret_basic":
            basic_credential(*self._encoded())  # makes it known to `redact`; Authlib builds the header itself

    def ask(self, grant: str, parameters: Mapping[str, str], cause: httpx.Request) -> Steps[Token]:
        """Ask for a token.

        Args:
            grant: the grant type.
            parameters: what the grant adds to the form, in clear.
            cause: the request that needs the token; lends its User-Agent.

        Raises:
            AuthFailed: the grant, or the client, was refused.
            AccessDenied: the scope was refused.
            RateLimited, Unavailable: the endpoint asks to wait, is down or cannot be reached.
            MalformedAnswer: the answer is no token and no error.
        """
        try:
            response = yield self._request(grant, parameters, cause)
            yield Read(response)
        except httpx.TransportError as error:
            raise self._error(
                Unavailable, f"cannot be reached: {type(error).__name__} {redact(str(error))}".rstrip()
            ) from None
        except (httpx.DecodingError, httpx.TooManyRedirects):
            raise self._error(MalformedAnswer, "sent no answer that can be read") from None
        return self._token(response)

    def _encoded(self) -> tuple[str, str]:
        """Client id and secret in the form that section 2.3.1 puts into a Basic credential."""
        secret = self.client_secret.reveal() if self.client_secret else ""
        return quote_plus(self.client_id), quote_plus(secret)

    def _request(self, grant: str, parameters: Mapping[str, str], cause: httpx.Request) -> httpx.Request:
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": cause.headers.get("User-Agent", "banksman"),
        }
        body = prepare_token_request(grant, **parameters)
        secret = self.client_secret.reveal() if self.client_secret else ""
        pair = self._encoded() if self.auth_method == "client_secret_basic" else (self.client_id, secret)
        url, headers, body = ClientAuth(*pair, self.auth_method).prepare("POST", self.url, headers, body)
        timeout = httpx.Timeout(TIMEOUT).as_dict()
        extensions = {TOKEN_REQUEST: True, "timeout": timeout}
        return httpx.Request("POST", url, headers=headers, content=body, extensions=extensions)

    def _token(self, response: httpx.Response) -> Token:
        status = response.status_code
        answer = _json_object(response)
        code = answer.get("error") if answer else None
        if status == 429:
            wait = response.headers.get("Retry-After", "")
            seconds = float(wait) if wait.isdecimal() else None
            raise self._error(RateLimited, "asks to wait", status=status, retry_after=seconds)
        if status >= 500:
            raise self._error(Unavailable, f"answered {status}", status=status)
        if code or status == 401 or (answer is not None and status in {400, 403}):
            raise self._refusal(code, answer or {}, status)
        if answer is None or not response.is_success:
            kind = _clean(response.headers.get("Content-Type", "no content type"))
            problem = f"answered {status} with no JSON object ({kind})" if answer is None else f"answered {status}"
            raise self._error(MalformedAnswer, problem, status=status, hint=f"Is {self._place} the token endpoint?")
        try:
            token = Token(answer)
        except ValueError as error:
            raise self._error(MalformedAnswer, f"sent no usable token: {error}", status=status) from None
        if token.type not in self.token_types:
            known = ", ".join(self.token_types)
            raise self._error(MalformedAnswer, f"sent a token of type {_clean(token.type)}, not {known}", status=status)
        return token

    def _refusal(self, code: Any, answer: Mapping[str, Any], status: int) -> CallError:
        name = _clean(code) if isinstance(code, str) and code else f"status {status}"
        # RFC 6749 has the first; problem details (RFC 9457) have the second.
        said = answer.get("error_description") or answer.get("detail")
        what = f"refused: {name}: {_clean(said)}" if isinstance(said, str) and said else f"refused: {name}"
        kind = ERRORS.get(name, AuthFailed)
        hint = None
        if kind is AuthFailed:
            check = f"banksman connections test {self.connection or 'NAME'}"
            hint = f"Log in again, put the new credential into the configuration, and check it: {check}"
        elif kind is AccessDenied:
            hint = "Have the client granted the scopes, or name fewer `scopes` in the connection."
        return self._error(kind, what, code=name, status=status, hint=hint)

    @property
    def _place(self) -> str:
        """The endpoint, fit for an error: without its query, which may hold a key."""
        return redact(self.url.partition("?")[0])

    def _error(self, kind: type[CallError], what: str, **context: Any) -> CallError:
        return kind(f"the token endpoint {self._place} {what}", connection=self.connection or None, **context)


def _json_object(response: httpx.Response) -> dict[str, Any] | None:
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _clean(text: str) -> str:
    """A text from outside, fit for one line of an error."""
    return _CONTROL.sub(" ", redact(text))[:200]
