"""Long lists end: whatever a system says about the next page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from banksman import Effect
from banksman.errors import MalformedAnswer
from banksman.http import Cursor, HeaderLink, HttpApi, NextLink, Offset, Paging, Request, Routes, dig

BASE = "https://erp.example/api"
Answer = Callable[[httpx.Request], httpx.Response]


def api_with(answer: Answer) -> HttpApi:
    return HttpApi(BASE, inner=httpx.MockTransport(answer), routes=Routes([("POST", "/list", Effect.READ)]))


async def collect(answer: Answer, paging: Paging, request: Request | None = None, **more: Any) -> list[Any]:
    api = api_with(answer)
    return [item async for item in api.pages(request or api.request("GET", "list", params={"q": "x"}), paging, **more)]


async def test_next_links_are_followed_relative_and_absolute() -> None:
    pages = {
        "": {"value": [1, 2], "@odata.nextLink": "list?$skiptoken=a%20b"},
        "a b": {"value": [], "@odata.nextLink": f"{BASE}/list?$skiptoken=c"},
        "c": {"value": [3], "@odata.nextLink": ""},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/list"
        return httpx.Response(200, json=pages[request.url.params.get("$skiptoken", "")])

    assert await collect(answer, NextLink("@odata.nextLink", "value")) == [1, 2, 3]


async def test_link_headers_are_followed() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "page" in request.url.params:
            return httpx.Response(200, json=[3])
        return httpx.Response(200, json=[1, 2], headers={"link": f'<{BASE}/list?page=2>; rel="next", <x>; rel="last"'})

    assert await collect(answer, HeaderLink()) == [1, 2, 3]


async def test_a_cursor_is_sent_back_as_a_parameter_and_the_rest_of_the_request_stays() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.params["q"] == "x"
        after = request.url.params.get("cursor")
        return httpx.Response(200, json={"items": [after], "next": {"cursor": "a&b=c" if after is None else None}})

    assert await collect(answer, Cursor("next.cursor", "cursor", "items")) == [None, "a&b=c"]


async def test_a_cursor_goes_into_the_form_where_the_system_reads_by_post() -> None:
    seen: list[list[tuple[str, str]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["x-fresh"] == "1"
        assert request.headers["prefer"] == "y"
        form = httpx.QueryParams(request.content.decode())
        seen.append(form.multi_items())
        return httpx.Response(200, json={"items": [1], "cursor": "n 2" if "cursor" not in form else ""})

    request = api_with(answer).request(
        "POST", "list", form={"ids": ["1", "2"]}, fresh_headers={"x-fresh": "1"}, headers={"prefer": "y"}
    )
    assert await collect(answer, Cursor("cursor", "cursor", "items"), request) == [1, 1]
    assert seen == [[("ids", "1"), ("ids", "2")], [("ids", "1"), ("ids", "2"), ("cursor", "n 2")]]


async def test_offsets_advance_until_a_short_page() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        start, size = int(request.url.params.get("offset", 0)), int(request.url.params.get("limit", 3))
        return httpx.Response(200, json={"items": list(range(10))[start : start + size]})

    assert await collect(answer, Offset(size=3)) == list(range(10))


async def test_a_page_that_names_itself_ends_in_an_error() -> None:
    calls = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        return httpx.Response(200, json={"items": [1], "next": f"list?page={calls % 2}"})

    with pytest.raises(MalformedAnswer, match="already read"):
        await collect(answer, NextLink())
    assert calls <= 4


async def test_ever_new_cursors_of_empty_pages_end_in_an_error() -> None:
    calls = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        return httpx.Response(200, json={"items": [], "next": f"list?page={calls}"})

    with pytest.raises(MalformedAnswer, match="empty"):
        await collect(answer, NextLink())
    assert calls < 100


async def test_ever_new_pages_end_at_the_limit() -> None:
    calls = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        return httpx.Response(200, json={"items": [1] * 50, "next": f"list?page={calls}"})

    with pytest.raises(MalformedAnswer, match="more than 200"):
        await collect(answer, NextLink(), most=200)
    assert calls == 5


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/api/list",
        "http://erp.example/api/list",
        "https://erp.example:444/api/list",
        "//evil.example/list",
        "https://erp.example@evil.example/list",
        "https://ann:pw@erp.example/api/list",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://erp.example/\x00",
        "https://[bad/list",
        "https://erp.example:port/",
    ],
)
@pytest.mark.parametrize("header", [True, False])
async def test_a_next_link_never_carries_the_credential_elsewhere(link: str, header: bool) -> None:
    fetched: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        fetched.append(str(request.url))
        if header:
            return httpx.Response(200, json=[1], headers=[(b"link", f'<{link}>; rel="next"'.encode())])
        return httpx.Response(200, json={"items": [1], "next": link})

    with pytest.raises(MalformedAnswer, match="not fetched"):
        await collect(answer, HeaderLink() if header else NextLink())
    assert fetched == [f"{BASE}/list?q=x"]


@pytest.mark.parametrize("body", [{}, {"items": None}, {"items": {"a": 1}}, {"items": "text"}, [], "text", 5])
@pytest.mark.parametrize("paging", [NextLink(), Cursor("c", "c", "items"), Offset(), HeaderLink("items")])
async def test_an_answer_without_its_list_is_no_empty_list(paging: Paging, body: Any) -> None:
    with pytest.raises(MalformedAnswer, match="no list at 'items'"):
        await collect(lambda request: httpx.Response(200, json=body), paging)


@pytest.mark.parametrize("cursor", [{"a": 1}, ["x"], True, 1.5])
async def test_a_cursor_that_is_no_text_is_not_sent(cursor: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert "c" not in request.url.params
        return httpx.Response(200, json={"items": [1], "c": cursor})

    with pytest.raises(MalformedAnswer, match="cursor at 'c'"):
        await collect(answer, Cursor("c", "c", "items"))


def test_a_path_into_json_may_cross_keys_that_hold_dots() -> None:
    value = {"@odata.nextLink": 1, "a": {"b": {"c": 2}}, "x": None}
    assert dig(value, "@odata.nextLink") == 1
    assert dig(value, "a.b.c") == 2
    assert dig(value, "") is value
    assert dig(value, "x.y") is None
    assert dig(value, "a.q.c") is None
    assert dig([1], "a") is None
