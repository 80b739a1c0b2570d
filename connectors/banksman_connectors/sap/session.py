"""The CSRF token that SAP wants with every changing request, and the cookies it belongs to.

A GET with `X-CSRF-Token: Fetch` brings both; a 403 with `X-CSRF-Token: Required` says that they are no longer good, and
that the request was not carried out (https://blogs.sap.com/2021/06/04/how-does-csrf-token-work-sap-gateway/). They
travel in `fresh_headers`: outside of approvals, and hidden in recordings by their names.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import anyio
import httpx

from banksman.auth import register

HEADER = "x-csrf-token"
_LONGEST = 4096

Fetch = Callable[[Mapping[str, str]], Awaitable[httpx.Response]]


class Session:
    """One token with its cookies, fetched when first needed. A service that gives none needs none."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._headers: dict[str, str] | None = None
        self._lock: anyio.Lock | None = None

    async def headers(self, *, instead_of: Mapping[str, str] | None = None) -> Mapping[str, str]:
        """The headers that a changing request needs. `instead_of` are those that were refused."""
        self._lock = self._lock or anyio.Lock()
        async with self._lock:
            # Somebody else may have fetched a new token while this one waited for the lock.
            if self._headers is None or self._headers == instead_of:
                self._headers = self._session_of(await self._fetch({HEADER: "Fetch"}))
            return self._headers

    def _session_of(self, response: httpx.Response) -> dict[str, str]:
        token = response.headers.get(HEADER, "")
        if not token or token.lower() in ("required", "fetch") or len(token) > _LONGEST or not token.isprintable():
            return {}
        cookies = [(cookie.name, cookie.value or "") for cookie in response.cookies.jar]
        for secret in (token, *(value for _, value in cookies)):
            register(secret, holder=self)
        joined = "; ".join(f"{name}={value}" for name, value in cookies)
        return {HEADER: token, **({"cookie": joined} if joined else {})}


def refused(response: httpx.Response) -> bool:
    """Whether an answer says that the token is missing or no longer good."""
    return response.status_code == 403 and response.headers.get(HEADER, "").lower() == "required"
