"""How a system hands out long lists, as values that a connector declares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urljoin

import httpx

from banksman.http.answers import read_json
from banksman.http.request import Request, build


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
    found = dig(value, path)
    return found if isinstance(found, list) else []


def _with_param(request: Request, **params: Any) -> Request:
    url = httpx.URL(request.url).copy_merge_params(params)
    return Request(request.method, str(url), request.headers, request.content, request.fresh_headers)


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
        if not cursor:
            return None
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            form = dict(httpx.QueryParams(request.content.decode("ascii")).items())
            form[self.param] = str(cursor)
            return build(request.method, request.url, form=form)
        return _with_param(request, **{self.param: cursor})


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


def _same_origin(request: Request, link: str) -> Request | None:
    """Follow a link only to the same origin: a next link must not carry the credential elsewhere."""
    target = httpx.URL(urljoin(request.url, link) if not _ABSOLUTE.match(link) else link)
    here = httpx.URL(request.url)
    if (target.scheme, target.host, target.port) != (here.scheme, here.host, here.port):
        from banksman.errors import MalformedAnswer

        raise MalformedAnswer(f"the next page is said to be on {target.host}, not on {here.host}; it was not fetched")
    return Request(request.method, str(target), request.headers, request.content, request.fresh_headers)
