"""From an answer to an error of the tree: one table per connector, and the meaning of statuses for the rest."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic_core import from_json

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

#: Set on the answer to a repeated write whose earlier attempt may have happened.
UNCERTAIN = "banksman.uncertain"

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
        uncertain = changes and response.extensions.get(UNCERTAIN, False)
        fault = self._fault(response, changes=changes)
        if fault is None and 200 <= status < 300:
            if changes and _PAGE.match(response.content[:200]):
                what = "the answer is a web page; whether the system saw the request cannot be told"
                raise OutcomeUnknown(what, status=status, hint="Is base_url the API, or a login or proxy page?")
            return
        code, text = fault or (str(status), _reason(response))
        kind = self.codes.get(code) or _BY_STATUS.get(status) or _by_range(status)
        if changes and (status == 408 or status >= 500) and code not in self.codes:
            kind = OutcomeUnknown
        shown = f"{printable(text)} [{printable(code, 100) if code != str(status) else f'HTTP {status}'}]"
        if uncertain and kind is not OutcomeUnknown:
            # The refusal is of the repetition; the attempt before it may have been carried out.
            kind, shown = (
                OutcomeUnknown,
                f"an earlier attempt was not answered, and its repetition was refused: {shown}",
            )
        context: dict[str, Any] = {
            "code": printable(code, 100),
            "status": status,
            "hint": self.hints.get(code) or _HINTS.get(kind) or _redirect_hint(response),
        }
        if kind is RateLimited:
            context["retry_after"] = retry_after(response.headers)
        raise kind(shown, **context)

    def _fault(self, response: httpx.Response, *, changes: bool) -> Fault | None:
        try:
            return self.fault(response)
        except (MalformedAnswer, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            # An error page of a proxy, or a download: the status alone has to do. But where an error may be inside
            # a success, JSON that does not say so is none.
            if response.is_success and response.content and "json" in response.headers.get("content-type", ""):
                kind = OutcomeUnknown if changes else MalformedAnswer
                what = "the answer says neither that it went well nor what went wrong"
                raise kind(what, status=response.status_code) from None
            return None


def printable(text: str, most: int = 500) -> str:
    """A text from outside as one line for people: no secret, no control character, not too long."""
    shown = scrub(str(text)[: 40 * most])
    return " ".join("".join(c if c.isprintable() else " " for c in shown).split())[:most]


def _redirect_hint(response: httpx.Response) -> str | None:
    if 300 <= response.status_code < 400:
        where = printable(response.headers.get("location", "nowhere"), 200)
        return f"It redirects to {where}; set that as base_url if it is right."
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
        body = parse_json(response.content)
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
        MalformedAnswer: it is not JSON, not UTF-8, nested too deeply, or holds a number that is not one.
    """
    kind = printable(response.headers.get("content-type", "no content type").partition(";")[0], 60)
    try:
        return parse_json(response.content)
    except UnicodeDecodeError as error:
        what = f"the answer is not valid UTF-8 at byte {error.start}"
    except ValueError as error:
        what = f"the answer ({kind}, {len(response.content):,} bytes) is not JSON: {error}"
    raise MalformedAnswer(what, status=response.status_code, hint="Is base_url the API, or a login or proxy page?")


def parse_json(content: bytes) -> Any:
    """JSON from outside: at most 200 levels deep, finite numbers only, every text valid Unicode.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
        ValueError: it is not JSON.
    """
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\\u" in content:
        # A half of a surrogate pair cannot be stored or sent on; anybody can have written one into a record.
        content = _SURROGATES.sub(lambda match: b"\\ufffd" if len(match[0]) == 6 else match[0], content)
    try:
        value = from_json(content, allow_inf_nan=False)
    except ValueError:
        content.decode("utf-8")
        raise
    if _ENORMOUS.search(content):
        json.loads(content, parse_float=_finite)
    return value


def _finite(text: str) -> float:
    if math.isfinite(number := float(text)):
        return number
    raise ValueError(f"a number of {len(text)} characters is too large")


# A login or proxy page says 200 too; to a connector that expects no body it would look like success.
_PAGE = re.compile(rb"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
# What may be read as infinity: `1e999`, or hundreds of digits.
_ENORMOUS = re.compile(rb"[0-9][eE]\+?[0-9]{3}|[0-9]{300}")
# Escaped backslashes first, so that the `\\u` of a text about surrogates is left alone; then pairs, then halves.
_SURROGATES = re.compile(
    rb"\\[^u]|\\u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|[dD][89a-fA-F][0-9a-fA-F]{2})"
)
