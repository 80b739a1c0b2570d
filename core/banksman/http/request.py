"""One HTTP request as a value: built once, shown, approved, sent unaltered."""

from __future__ import annotations

import hashlib
import json as jsonlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, lru_cache
from json.encoder import encode_basestring
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from banksman._canonical import Plain, digest, exact, plain
from banksman.auth import UNSIGNED_URL


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", self.method.upper())
        for held in ("headers", "fresh_headers"):
            object.__setattr__(self, held, {name.lower(): value for name, value in getattr(self, held).items()})

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint(self.method, self.url, self.content)

    def canonical(self) -> dict[str, Plain]:
        return {
            "kind": "http",
            "method": self.method,
            "url": self.url,
            "headers": dict(self.headers),
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
        """What an SDK built, without credentials and what its HTTP client added.

        `keep` names further headers with a meaning.
        """
        kept = {"content-type", "prefer"} | keep
        headers = {name.lower(): value for name, value in request.headers.items() if name.lower() in kept}
        return cls(request.method, str(unsigned(request)), headers=headers, content=request.content)


def unsigned(request: httpx.Request) -> httpx.URL:
    """The address of a request without the API key that its auth flow put into the query."""
    named = request.extensions.get(UNSIGNED_URL)
    if named is None:
        return request.url
    bare = httpx.URL(named)
    given, left = Counter(request.url.params.multi_items()), Counter(bare.params.multi_items())
    same = bare.copy_with(query=None) == request.url.copy_with(query=None)
    # Only an address that lacks one parameter is the same; any other would hide what is sent.
    return bare if same and not left - given and (given - left).total() == 1 else request.url


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
    """A request from its parts. Decimals in `json` are written as numbers with all their digits.

    Raises:
        TypeError: `json` holds what has no JSON form.
        ValueError: `json` holds a number that is not finite, or a text that is not Unicode.
    """
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
        full = with_params(full, given)
    return Request(method, str(full), named, body, dict(fresh_headers or {}), idempotent)


def with_params(url: httpx.URL, params: Mapping[str, Any]) -> httpx.URL:
    """The address with these parameters set. A space is `%20`: not every system takes `+` for one."""
    merged = url.copy_merge_params(params)
    return merged.copy_with(query=merged.query.replace(b"+", b"%20"))


def dump_json(value: Any) -> bytes:
    """Compact JSON; a `Decimal` keeps its digits, times and enumerations become text.

    Raises:
        TypeError: something has no JSON form.
        ValueError: a number is not finite, or a text is not Unicode.
    """
    out: list[str] = []
    _write(plain(value), out.append)
    return "".join(out).encode("utf-8")


def _write(value: Plain, out: Callable[[str], Any]) -> None:
    # The standard encoder writes every float by `float.__repr__`, so a Decimal cannot pass it whole.
    if isinstance(value, dict):
        for index, (key, item) in enumerate(value.items()):
            out(f"{',' if index else '{'}{encode_basestring(key)}:")
            _write(item, out)
        out("}" if value else "{}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            out("," if index else "[")
            _write(item, out)
        out("]" if value else "[]")
    elif isinstance(value, Decimal):
        out(exact(value))
    elif isinstance(value, bytes):
        raise TypeError("bytes have no JSON form; encode them, say as Base64")
    else:
        out(jsonlib.dumps(value, ensure_ascii=False, allow_nan=False))


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
    return digest([method.upper(), _normal(url), body], purpose="banksman.request.v1")


@lru_cache(maxsize=1024)
def _normal(url: str) -> str:
    return str(httpx.URL(url))
