"""One HTTP request as a value: built once, shown, approved, sent unaltered."""

from __future__ import annotations

import hashlib
import json as jsonlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from banksman._canonical import Plain, digest


@dataclass(frozen=True)
class Request:
    """A prepared HTTP request without credentials; the connection's auth flow adds those when it is sent.

    Attributes:
        url: absolute, query included.
        headers: what the request means (`Prefer`, `Content-Type`); covered by the approval.
        fresh_headers: what must be current when it is sent (`If-Match`, a CSRF token); not covered by it.
        idempotent: whether the system deduplicates it by a key it carries, so that sending it again is safe.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    fresh_headers: Mapping[str, str] = field(default_factory=dict)
    idempotent: bool = False

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint(self.method, self.url, self.content)

    def canonical(self) -> dict[str, Plain]:
        return {
            "kind": "http",
            "method": self.method,
            "url": self.url,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body_value(self.headers.get("content-type", ""), self.content),
        }

    def summary(self) -> str:
        parts = urlsplit(self.url)
        return f"{self.method} {parts.path}{'?' + parts.query if parts.query else ''}"

    def to_httpx(self, extensions: Mapping[str, Any]) -> httpx.Request:
        """The request that leaves."""
        headers = {**self.headers, **self.fresh_headers}
        return httpx.Request(
            self.method, self.url, headers=headers, content=self.content or None, extensions=dict(extensions)
        )

    @classmethod
    def from_httpx(cls, request: httpx.Request, *, keep: frozenset[str] = frozenset()) -> Request:
        """What an SDK built, without what its HTTP client added. `keep` names further headers with a meaning."""
        kept = {"content-type", "prefer"} | keep
        headers = {name.lower(): value for name, value in request.headers.items() if name.lower() in kept}
        return cls(request.method, str(request.url), headers=headers, content=request.content)


def build(
    method: str,
    url: str,
    *,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    json: Any = None,
    form: Mapping[str, Any] | None = None,
    content: bytes | str | None = None,
    fresh_headers: Mapping[str, str] | None = None,
    idempotent: bool = False,
) -> Request:
    """A request from its parts. Decimals in `json` are written as numbers with all their digits."""
    named = {name.lower(): value for name, value in (headers or {}).items()}
    body = content.encode() if isinstance(content, str) else content or b""
    if json is not None:
        body = dump_json(json)
        named.setdefault("content-type", "application/json")
    elif form is not None:
        given = {name: value for name, value in form.items() if value is not None}
        body = httpx.Request("POST", url, data=given).content
        named.setdefault("content-type", "application/x-www-form-urlencoded")
    full = httpx.URL(url)
    if params:
        given = {name: value for name, value in params.items() if value is not None}
        full = full.copy_merge_params(given)
    return Request(method.upper(), str(full), named, body, dict(fresh_headers or {}), idempotent)


def dump_json(value: Any) -> bytes:
    """Compact JSON; a `Decimal` keeps its digits."""
    return _Numbers(ensure_ascii=False, separators=(",", ":")).encode(value).encode("utf-8")


class _Exact(float):
    """A number that the encoder writes as given."""

    def __new__(cls, text: str) -> _Exact:
        made = super().__new__(cls, text)
        made.text = text  # type: ignore[attr-defined]
        return made

    def __repr__(self) -> str:
        return self.text  # type: ignore[attr-defined, no-any-return]


class _Numbers(jsonlib.JSONEncoder):
    def iterencode(self, o: Any, _one_shot: bool = False) -> Any:
        return super().iterencode(_exact(o), _one_shot=False)

    def encode(self, o: Any) -> str:
        return "".join(self.iterencode(o))


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal):
        return _Exact(format(value, "f"))
    if isinstance(value, Mapping):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    return value


def body_value(content_type: str, content: bytes) -> Plain:
    """A body as approval and people see it: parsed where it is JSON or a form, as text or a hash otherwise."""
    kind = content_type.partition(";")[0].strip().lower()
    if not content:
        return None
    try:
        if kind == "application/json" or kind.endswith("+json"):
            return {"json": jsonlib.loads(content, parse_float=Decimal)}
        if kind == "application/x-www-form-urlencoded":
            return {"form": [list(pair) for pair in parse_qsl(content.decode("ascii"), keep_blank_values=True)]}
        if kind.startswith(("text/", "multipart/mixed")):
            return {"text": content.decode("utf-8")}
    except ValueError:
        pass
    return {"sha256": hashlib.sha256(content).hexdigest(), "length": len(content)}


def fingerprint(method: str, url: str, content: bytes) -> str:
    """Identifies method, address and body; headers are the seam's own concern."""
    body = hashlib.sha256(content).hexdigest()
    return digest([method.upper(), str(httpx.URL(url)), body], purpose="banksman.request.v1")
