"""Flows that only add a credential to the request."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Generator

import httpx

from banksman.auth._mark import UNSIGNED_URL
from banksman.auth._secrets import Secret


class HeaderAuth(httpx.Auth):
    """Sends a secret in a header, after a prefix."""

    def __init__(self, header: str, secret: Secret, prefix: str = "") -> None:
        self._header, self._secret, self._prefix = header, secret, prefix

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See `httpx.Auth`."""
        request.headers[self._header] = self._prefix + self._secret.reveal()
        yield request


class QueryAuth(httpx.Auth):
    """Sends a secret as a query parameter, after a prefix, and leaves `UNSIGNED_URL`. A header is seen by fewer."""

    def __init__(self, parameter: str, secret: Secret, prefix: str = "") -> None:
        self._parameter, self._secret, self._prefix = parameter, secret, prefix

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See `httpx.Auth`."""
        value = self._prefix + self._secret.reveal()
        request.extensions[UNSIGNED_URL] = str(request.url)
        request.url = request.url.copy_set_param(self._parameter, value)
        yield request


def basic_credential(username: str, password: str) -> Secret:
    """What follows `Basic ` in the header, in UTF-8 (https://www.rfc-editor.org/rfc/rfc7617, section 2.1)."""
    return Secret(b64encode(f"{username}:{password}".encode()).decode(), "username and password")
