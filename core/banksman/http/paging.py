"""How a system hands out long lists, as values that a connector declares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import urljoin

import httpx

from banksman.errors import MalformedAnswer
from banksman.http.answers import read_json
from banksman.http.request import Request, with_params
from banksman.http.scrub import scrub


class Paging(Protocol):
    """Finds the items of a page, and the request for the next one."""

    def items(self, response: httpx.Response) -> list[Any]:
        """The items of this page."""

    def following(self, request: Request, response: httpx.Response) -> Request | None:
        """The request for the next page; None after the last."""


def dig(value: Any, path: str) -> Any:
    """The part of parsed JSON at a dotted path (keys may hold dots: they are tried whole first); None if absent."""
    if not path:
        return value
    if isinstance(value, dict) and path in value:
        return value[path]
    head, _, tail = path.partition(".")
    inner = value.get(head) if isinstance(value, dict) else None
    return dig(inner, tail) if tail and inner is not None else inner


def _listed(value: Any, path: str) -> list[Any]:
    # An answer without its list is no empty list: what looks for a write would take it for proof of absence.
    found = dig(value, path)
    if not isinstance(found, list):
        where = f"no list at {path!r}" if path else "no list"
        raise MalformedAnswer(f"the page has {where} but {_kind(found)}")
    return found


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _with_param(request: Request, **params: Any) -> Request:
    return replace(request, url=str(with_params(httpx.URL(request.url), params)))


@dataclass(frozen=True, slots=True)
class NextLink:
    """The body names the next address (`@odata.nextLink`, `next`), absolute or relative to the request."""

    link: str = "next"
    within: str = "items"

    def items(self, response: httpx.Response) -> list[Any]:
        return _listed(read_json(response), self.within)

    def following(self, request: Request, response: httpx.Response) -> Request | None:
        link = dig(read_json(response), self.link)
        return _same_origin(request, link) if isinstance(link, str) and link else None


@dataclass(frozen=True, slots=True)
class HeaderLink:
    """A `Link` header with `rel="next"` (RFC 8288)."""

    within: str = ""

    def items(self, response: httpx.Response) -> list[Any]:
        return _listed(read_json(response), self.within)

    def following(self, request: Request, response: httpx.Response) -> Request | None:
        link = response.links.get("next", {}).get("url")
        return _same_origin(request, link) if link else None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The body gives a cursor that the next request sends back as a parameter."""

    cursor: str
    param: str
    within: str

    def items(self, response: httpx.Response) -> list[Any]:
        return _listed(read_json(response), self.within)

    def following(self, request: Request, response: httpx.Response) -> Request | None:
        cursor = dig(read_json(response), self.cursor)
        if cursor is None or cursor == "":
            return None
        if not isinstance(cursor, str | int) or isinstance(cursor, bool):
            raise MalformedAnswer(f"the cursor at {self.cursor!r} is {_kind(cursor)}")
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            form = httpx.QueryParams(request.content.decode("ascii")).set(self.param, str(cursor))
            return replace(request, content=str(form).encode("ascii"))
        return _with_param(request, **{self.param: str(cursor)})


@dataclass(frozen=True, slots=True)
class Offset:
    """The next request skips what was read; an empty or short page is the last."""

    param: str = "offset"
    size_param: str = "limit"
    size: int = 100
    within: str = "items"

    def items(self, response: httpx.Response) -> list[Any]:
        return _listed(read_json(response), self.within)

    def following(self, request: Request, response: httpx.Response) -> Request | None:
        found = len(self.items(response))
        query: Mapping[str, str] = httpx.URL(request.url).params
        size = int(query.get(self.size_param, self.size))
        if found < size:
            return None
        return _with_param(request, **{self.param: int(query.get(self.param, 0)) + found, self.size_param: size})


_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def _same_origin(request: Request, link: str) -> Request:
    """Follow a link only to the same origin: a next link must not carry the credential elsewhere."""
    here = httpx.URL(request.url)
    try:
        target = httpx.URL(urljoin(request.url, link) if not _ABSOLUTE.match(link) else link)
    except (httpx.InvalidURL, ValueError):
        raise MalformedAnswer("the next page's address is not one; it was not fetched") from None
    if (target.scheme, target.host, target.port, target.userinfo) != (here.scheme, here.host, here.port, here.userinfo):
        raise MalformedAnswer(
            f"the next page is said to be on {scrub(target.host)!r}, not on {here.host!r}; it was not fetched"
        )
    return replace(request, url=str(target.copy_with(fragment=None)))
