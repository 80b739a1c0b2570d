"""What is inside an answer: records, pages, the next page. V2 wraps all of it in `d`.

https://docs.oasis-open.org/odata/odata-json-format/v4.01/odata-json-format-v4.01.html#sec_ControlInformationnextLinkodatanextLink,
https://www.odata.org/documentation/odata-version-2-0/json-format/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from urllib.parse import urljoin

import httpx

from banksman.errors import MalformedAnswer
from banksman.http import Request, read_json


def read_answer(response: httpx.Response) -> Any:
    """The JSON of an answer with every digit of its numbers, unwrapped from V2's `d`.

    Raises:
        MalformedAnswer: it is not JSON.
    """
    try:
        body = json.loads(response.content, parse_float=Decimal)
    except (ValueError, RecursionError):
        body = read_json(response)  # says what is wrong
    return body["d"] if isinstance(body, dict) and body.keys() == {"d"} else body


def records_of(body: Any) -> list[Any]:
    """The records of a page: `value` in V4, `results` or the list itself in V2.

    Raises:
        MalformedAnswer: there is no list.
    """
    found = body.get("value", body.get("results")) if isinstance(body, Mapping) else body
    if not isinstance(found, list):
        raise MalformedAnswer("the answer to a list has no list in it", hint="Is the entity set still there?")
    return found


@dataclass(frozen=True, slots=True)
class Pages:
    """Server-driven paging: `@odata.nextLink`, `__next`.

    Behind a proxy, SAP names itself in the link by an address that only it knows. Then the page is asked for where the
    first one was, so that the credential goes nowhere else.
    """

    def items(self, response: httpx.Response) -> list[Any]:
        """The records of this page."""
        return records_of(read_answer(response))

    def following(self, request: Request, response: httpx.Response) -> Request | None:
        """The request for the next page."""
        body = read_answer(response)
        link = body.get("@odata.nextLink") or body.get("__next") if isinstance(body, Mapping) else None
        if not isinstance(link, str) or not link:
            return None
        here = httpx.URL(request.url)
        # A relative link is relative to the context, which itself is relative to the request.
        context = body.get("@odata.context")
        target = httpx.URL(urljoin(urljoin(request.url, context if isinstance(context, str) else ""), link))
        if (target.scheme, target.host, target.port) != (here.scheme, here.host, here.port):
            target = here.copy_with(query=target.query)
        for name in ("sap-client", "sap-language"):
            if name in here.params and name not in target.params:
                target = target.copy_add_param(name, here.params[name])
        return replace(request, url=str(target))
