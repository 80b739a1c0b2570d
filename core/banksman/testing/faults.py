"""Answers that a real server cannot be made to give, put in the place of the real ones, and named as such."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from banksman import _gate
from banksman.http import Request
from banksman.http.recording import FAULT
from banksman.http.request import dump_json


@dataclass(frozen=True, kw_only=True)
class FaultRow:
    """One answer that is not the system's.

    Attributes:
        befalls: which request it is: the `first` of all, the first `write`, or a part of `METHOD /path`.
        status: of the answer that is given; the request itself does not reach the system.
        drop: `after_commit` sends the request and loses the answer, `before_commit` loses the request.
    """

    befalls: str = "first"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    text: str | None = None
    drop: Literal["after_commit", "before_commit"] | None = None

    def said(self, request: httpx.Request) -> str:
        """What was done, for the recording."""
        where = f"{request.method} {request.url.path}"
        if self.drop == "after_commit":
            return f"{where} was carried out by the system; its answer was dropped on purpose"
        if self.drop == "before_commit":
            return f"{where} was dropped on purpose before it reached the system"
        return f"{where} did not reach the system; HTTP {self.status} was put in the place of its answer"

    def answer(self) -> httpx.Response:
        """The answer that is given."""
        headers = dict(self.headers)
        if self.json is not None:
            headers.setdefault("content-type", "application/json")
            return httpx.Response(self.status, headers=headers, content=dump_json(self.json))
        return httpx.Response(self.status, headers=headers, content=(self.text or "").encode())


#: What stands for a situation unless a script says otherwise.
USUAL: Mapping[str, FaultRow] = {
    "rate_limited": FaultRow(status=429, headers={"retry-after": "1"}, text="slow down"),
    "malformed": FaultRow(headers={"content-type": "text/html"}, text="<!doctype html><title>Sign in</title>"),
    "timeout_after_commit": FaultRow(befalls="write", drop="after_commit"),
    "timeout_before_commit": FaultRow(befalls="write", drop="before_commit"),
}


class Faulty(httpx.AsyncBaseTransport):
    """Moves bytes as `inner` does, but for one request that the fault befalls."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.fault: FaultRow | None = None
        self.befell: str | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fault = self.fault
        if fault is None or not _fits(fault.befalls, request):
            return await self._inner.handle_async_request(request)
        self.fault, self.befell = None, fault.said(request)
        if fault.drop is None:
            response = fault.answer()
            response.extensions[FAULT] = self.befell
            return response
        if fault.drop == "after_commit":
            response = await self._inner.handle_async_request(request)
            await response.aread()
            await response.aclose()
        lost = httpx.ReadTimeout("dropped on purpose", request=request)
        lost.banksman_fault = self.befell  # type: ignore[attr-defined]
        raise lost

    async def aclose(self) -> None:
        await self._inner.aclose()


def _fits(befalls: str, request: httpx.Request) -> bool:
    if befalls == "first":
        return True
    if befalls == "write":
        return _gate.is_approved(Request.from_httpx(request).fingerprint)
    return befalls in f"{request.method} {request.url.path}"
