"""From an answer to an error of the tree: one table per connector, and the meaning of statuses for the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from banksman.errors import (
    AccessDenied,
    AuthFailed,
    CallError,
    Conflict,
    MalformedAnswer,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
)
from banksman.http.retry import retry_after
from banksman.http.scrub import scrub

#: What a vendor's answer says went wrong: its code and its text. None: nothing did.
Fault = tuple[str, str]

_BY_STATUS: dict[int, type[CallError]] = {
    401: AuthFailed,
    403: AccessDenied,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    412: Conflict,
    428: Conflict,
    429: RateLimited,
}
_HINTS: dict[type[CallError], str] = {
    AuthFailed: "The credential is wrong or expired: renew it, then `banksman connections test`.",
    AccessDenied: "Ask the system's administrator for the permission, or use another connection.",
    RateLimited: "Wait, or lower `limits.rate` of the connection.",
}


def no_fault(response: httpx.Response) -> Fault | None:
    """For systems that say everything by status."""
    return None


@dataclass(frozen=True)
class ErrorTable:
    """Maps a vendor's codes to errors.

    Attributes:
        codes: vendor code -> error class.
        fault: finds code and text in an answer, also in one with status 200; None where nothing went wrong.
        hints: vendor code -> what to do next.
    """

    codes: Mapping[str, type[CallError]] = field(default_factory=dict)
    fault: Callable[[httpx.Response], Fault | None] = no_fault
    hints: Mapping[str, str] = field(default_factory=dict)

    def check(self, response: httpx.Response, *, changes: bool) -> None:
        """Raise what the answer means; return where it means success.

        `changes` says that a write was sent: then 408 and 5xx leave its outcome unknown.
        """
        status = response.status_code
        try:
            fault = self.fault(response)
        except (ValueError, LookupError, TypeError, AttributeError):
            # An error page of a proxy, say: the status alone has to do.
            fault = None
        if fault is None and 200 <= status < 300:
            return
        code, text = fault or (str(status), _reason(response))
        kind = self.codes.get(code) or _BY_STATUS.get(status) or _by_range(status)
        if changes and (status == 408 or status >= 500) and code not in self.codes:
            kind = OutcomeUnknown
        message = f"{scrub(text)[:500]} [{code}]" if code != str(status) else f"{scrub(text)[:500]} [HTTP {status}]"
        context: dict[str, Any] = {
            "code": code,
            "status": status,
            "hint": self.hints.get(code) or _HINTS.get(kind) or _redirect_hint(response),
        }
        if kind is RateLimited:
            context["retry_after"] = retry_after(response.headers)
        raise kind(message, **context)


def _redirect_hint(response: httpx.Response) -> str | None:
    if 300 <= response.status_code < 400:
        return f"It redirects to {scrub(response.headers.get('location', 'nowhere'))}; set that as base_url if it is right."
    return None


def _by_range(status: int) -> type[CallError]:
    if status >= 500 or status == 408:
        return Unavailable
    if 200 <= status < 300:
        return Rejected
    return Rejected if status < 500 else Unavailable


def _reason(response: httpx.Response) -> str:
    """The most telling short text of an error answer."""
    try:
        body = response.json()
    except ValueError:
        return response.reason_phrase or f"HTTP {response.status_code}"
    for path in (
        ("error", "message"),
        ("message",),
        ("error_description",),
        ("error",),
        ("detail",),
        ("title",),
    ):
        value: Any = body
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, dict):
            value = value.get("value")
        if isinstance(value, str) and value:
            return value
    return response.reason_phrase or f"HTTP {response.status_code}"


def read_json(response: httpx.Response) -> Any:
    """The JSON of an answer.

    Raises:
        MalformedAnswer: it is not JSON, or not UTF-8.
    """
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    try:
        return json.loads(response.content)
    except UnicodeDecodeError as error:
        what = f"the answer is not valid UTF-8 at byte {error.start}"
    except ValueError as error:
        what = f"the answer ({kind}, {len(response.content):,} bytes) is not JSON: {error}"
    except RecursionError:
        what = "the answer's JSON is nested too deeply"
    raise MalformedAnswer(what, status=response.status_code, hint="Is base_url the API, or a login or proxy page?")
