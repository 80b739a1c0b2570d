"""From SAP's error codes to the errors of the tree.

A code is a message class and number (`ME/006`), an exception class (`CX_SADL_ENTITY_NOT_FOUND`), or the HTTP status as
text. What is known about a family of codes is a pattern; SAP has hundreds of thousands of messages, and those that are
not listed are judged by the status.

https://help.sap.com/saphelp_em92/helpdata/en/95/fd2651c294256ee10000000a445394/content.htm (V2),
https://docs.oasis-open.org/odata/odata-json-format/v4.01/odata-json-format-v4.01.html#sec_ErrorResponse (V4)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from banksman.errors import AccessDenied, CallError, Conflict, MalformedAnswer, NotFound, Rejected, Unavailable
from banksman.http import ErrorTable, Fault
from banksman_connectors.sap.edmx import children, parse_xml

#: The first that fits decides.
PATTERNS: tuple[tuple[str, type[CallError]], ...] = (
    # Somebody works on the record just now: nothing was changed, and it passes.
    (r"ME/006|06/001|V1/042|MC/601|M3/02[2-4]|SO/198", Unavailable),
    (r"CX_\w*(FOREIGN_LOCK|_LOCKED|ENQUEUE)\w*|/BOBF/\w*LOCK\w*", Unavailable),
    # The record changed meanwhile, or If-Match is missing.
    (r"/IWBEP/CM_MGW_RT/(190|194)|CX_\w*ETAG\w*|CX_\w*PRECONDITION\w*", Conflict),
    (r"CX_\w*ALREADY_EXIST\w*|CX_\w*DUPLICATE\w*", Conflict),
    (r"/IWBEP/CM_MGW_RT/020|CX_\w*(ENTITY|RESOURCE)_NOT_FOUND", NotFound),
    (r"CX_\w*(NO_AUTH|NOT_AUTHORIZED|AUTHORIZATION)\w*", AccessDenied),
    (r"ASSERT_\w+|CX_\w*(INVALID|VALIDATION)\w*", Rejected),
)
_CLASS = re.compile(r"/IWBEP/CX_MGW_(BUSI|TECH)_EXCEPTION|SY/530|\d{3}")
_GONE = "The record is locked in SAP (transaction SM12 shows by whom); try again later."
_STALE = "Somebody changed the record meanwhile. Preview again."
_MOST_DETAILS = 4


class _Codes(Mapping[str, type[CallError]]):
    """The patterns as a mapping: a code is in it when a pattern fits."""

    def __init__(self, patterns: tuple[tuple[str, type[CallError]], ...]) -> None:
        self._patterns = [(re.compile(form), kind) for form, kind in patterns]

    def __getitem__(self, code: str) -> type[CallError]:
        for form, kind in self._patterns:
            if form.fullmatch(code):
                return kind
        raise KeyError(code)

    def __iter__(self) -> Iterator[str]:
        return iter(form.pattern for form, _ in self._patterns)

    def __len__(self) -> int:
        return len(self._patterns)


class _Hints(Mapping[str, str]):
    """What to do next, by what the code means."""

    def __getitem__(self, code: str) -> str:
        kind = CODES[code]
        if kind is Unavailable:
            return _GONE
        if kind is Conflict:
            return _STALE
        raise KeyError(code)

    def __iter__(self) -> Iterator[str]:
        return iter(CODES)

    def __len__(self) -> int:
        return len(CODES)


def fault(response: httpx.Response) -> Fault | None:
    """Code and text of an error answer, of V4 or V2, in JSON or XML."""
    if response.status_code < 400:
        return None
    error = _json_error(response.content) or _xml_error(response)
    if error is None:
        return None
    details = list(_details(error))
    code, text = _text(error.get("code")), _text(error.get("message"))
    # A general code is no news: the first particular one says more.
    particular = next((inner for inner, _ in details if inner and not _CLASS.fullmatch(inner)), "")
    code = particular if particular and (not code or _CLASS.fullmatch(code)) else code
    told = dict.fromkeys([text, *(message for _, message in details)][: _MOST_DETAILS + 1])
    return (code or str(response.status_code))[:80], "; ".join(part for part in told if part)


def _json_error(content: bytes) -> Mapping[str, Any] | None:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None
    error = body.get("error", body.get("odata.error")) if isinstance(body, Mapping) else None
    return error if isinstance(error, Mapping) else None


def _xml_error(response: httpx.Response) -> Mapping[str, Any] | None:
    if "xml" not in response.headers.get("content-type", ""):
        return None
    try:
        root = parse_xml(response.content)
    except MalformedAnswer:
        return None
    return {name: next((child.text for child in children(root, name)), None) for name in ("code", "message")}


def _details(error: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    inner = error.get("innererror")
    listed = error.get("details") or (inner.get("errordetails") if isinstance(inner, Mapping) else None)
    if isinstance(listed, Mapping):
        listed = listed.get("errordetail")
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, Mapping) and item.get("severity", "error") == "error":
            target = _text(item.get("target") or item.get("propertyref"))
            message = _text(item.get("message"))
            yield _text(item.get("code")), f"{target}: {message}" if target and not target.startswith("/#") else message


def _text(value: Any) -> str:
    """A text, or the `value` of V2's text with a language."""
    found = value.get("value") if isinstance(value, Mapping) else value
    return " ".join(found.split()) if isinstance(found, str) else ""


CODES = _Codes(PATTERNS)
ERRORS = ErrorTable(codes=CODES, fault=fault, hints=_Hints())
