"""A recording holds what was declared fit to be kept, and of all else only the shape."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from banksman import Effect
from banksman.auth import TOKEN_REQUEST, UNSIGNED_URL
from banksman.errors import UsageError
from banksman.http import Exchange, HttpApi, Routes
from banksman.http.recording import Keep, RecordedExchange, Recorder, Scrubber, content_of

ORIGIN = "http://127.0.0.1:4001"
BASE = f"{ORIGIN}/api"
ROUTES = Routes([("POST", "/search", Effect.READ)])


def api_of(recorder: Recorder, *answers: httpx.Response | Exception) -> HttpApi:
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    return HttpApi(BASE, inner=httpx.MockTransport(answer), routes=ROUTES, observers=(recorder,))


async def recorded(
    *calls: tuple[str, str, dict[str, Any]], answers: list[httpx.Response], keep: Keep, public: tuple[str, ...] = ()
) -> list[RecordedExchange]:
    recorder = Recorder()
    api = api_of(recorder, *answers)
    for method, path, parts in calls:
        await api.fetch(api.request(method, path, **parts))
    return list(Scrubber(keep, origin=ORIGIN, public=public).exchanges(recorder.take()))


async def test_a_text_stays_only_if_its_field_is_listed_or_the_recorder_wrote_it() -> None:
    answer = {"state": "open", "owner": "Ann Smith", "title": "Hello", "n": 5, "on": "2026-01-02", "gone": None}
    (one,) = await recorded(
        ("GET", "orders", {}),
        answers=[httpx.Response(200, json=answer)],
        keep=Keep(fields=frozenset({"state"})),
        public=("Hello",),
    )
    said = one.answer["json"]
    assert said == {**answer, "owner": said["owner"]}
    assert said["owner"] == "Lor Mipsb"


async def test_a_value_is_the_same_wherever_it_stands() -> None:
    answers = [
        httpx.Response(200, json={"items": [{"id": "A-1234567", "by": "U0ANNSMITH"}]}),
        httpx.Response(200, json={"id": "A-1234567", "text": "said U0ANNSMITH", "by": "U0ANNSMITH"}),
    ]
    one, two = await recorded(
        ("GET", "orders", {}),
        ("GET", "orders/A-1234567", {"params": {"by": "U0ANNSMITH", "expand": "lines"}}),
        answers=answers,
        keep=Keep(),
    )
    item = one.answer["json"]["items"][0]
    assert two.path == f"/api/orders/{item['id']}"
    assert two.query == (("by", item["by"]), ("expand", "lines"))
    assert two.answer["json"]["by"] == item["by"]
    assert "ANNSMITH" not in json.dumps([one.document(), two.document()])


async def test_what_the_connectors_code_says_stays_also_where_an_answer_says_the_same() -> None:
    (_, two) = await recorded(
        ("POST", "search", {"form": {"parse": "none"}}),
        ("POST", "search", {"json": {"parse": "none", "mode": "full"}}),
        answers=[httpx.Response(200, json={"parse": "none"}), httpx.Response(200, json={"mood": "full"})],
        keep=Keep(),
    )
    assert two.body == {"json": {"parse": "none", "mode": "full"}}


async def test_the_address_of_the_server_is_replaced_everywhere() -> None:
    link = f"{BASE}/orders?after=2"
    (one,) = await recorded(
        ("GET", "orders", {"params": {"back": f"{ORIGIN}/x"}}),
        answers=[httpx.Response(200, json={"next": link, "self": f"{BASE}/orders"}, headers={"link": f"<{link}>"})],
        keep=Keep(fields=frozenset({"next"})),
    )
    assert one.answer["json"]["next"] == "https://system.example/api/orders?after=2"
    assert one.answer_headers["link"] == "<https://system.example/api/orders?after=2>"
    assert "127.0.0.1" not in json.dumps(one.document())


async def test_headers_stay_only_if_they_are_listed() -> None:
    headers = {"etag": 'W/"1"', "x-request-id": "abc", "set-cookie": "s=1", "x-csrf-token": "secret-1", "x-page": "2"}
    (one,) = await recorded(
        ("GET", "orders", {"headers": {"if-match": 'W/"1"', "x-trace": "t", "accept": "text/csv"}}),
        answers=[httpx.Response(200, json={}, headers=headers)],
        keep=Keep(headers=frozenset({"x-page"}), replaced_headers=frozenset({"x-csrf-token"})),
    )
    assert one.headers == {"if-match": 'W/"1"'}
    assert one.answer_headers == {
        "content-type": "application/json",
        "etag": 'W/"1"',
        "x-csrf-token": "stand-in",
        "x-page": "2",
    }


async def test_credentials_and_token_requests_are_never_seen() -> None:
    recorder = Recorder()
    request = httpx.Request("GET", f"{BASE}/x?key=hunter2hunter2", headers={"authorization": "Bearer hunter2hunter2"})
    request.extensions[UNSIGNED_URL] = f"{BASE}/x"
    token = httpx.Request("POST", "https://login.example/token", extensions={TOKEN_REQUEST: True})
    for one in (request, token):
        recorder(_exchange(one, httpx.Response(200, json={"access_token": "hunter2hunter2"})))
    seen = recorder.take()
    assert len(seen) == 1
    document = Scrubber(Keep(), origin=ORIGIN).exchanges(seen)[0].document()
    assert "hunter2" not in json.dumps(document)


@pytest.mark.parametrize(
    "secret", ["xoxb-123456-abcdefgh", "Bearer abcdefgh12345678", "https://ann:pass@host.example/x"]
)
async def test_a_credential_in_a_kept_field_ends_the_recording(secret: str) -> None:
    with pytest.raises(UsageError, match=r"under 'state' looks like a credential; nothing was written"):
        await recorded(
            ("GET", "orders", {}),
            answers=[httpx.Response(200, json={"state": secret})],
            keep=Keep(fields=frozenset({"state"})),
        )


async def test_bodies_that_are_no_json_keep_their_shape_or_what_was_declared() -> None:
    xml = "<Order id='A-1234567'><Owner>Ann Smith</Owner></Order>"
    answers = [
        httpx.Response(200, json={"owner": "Ann Smith"}),
        httpx.Response(200, content=xml, headers={"content-type": "application/xml; charset=utf-8"}),
        httpx.Response(200, content=xml, headers={"content-type": "text/plain"}),
        httpx.Response(200, content=b"\x89PNG\xff secret", headers={"content-type": "image/png"}),
    ]
    calls: list[tuple[str, str, dict[str, Any]]] = [("GET", f"orders/{number}", {}) for number in range(4)]
    _, kept, shaped, raw = await recorded(*calls, answers=answers, keep=Keep(texts=frozenset({"application/xml"})))
    assert kept.answer["text"].startswith("<Order id='A-1234567'><Owner>L")
    assert "Ann" not in kept.answer["text"]
    assert "Order" not in shaped.answer["text"]
    assert len(shaped.answer["text"]) == len(xml)
    assert content_of(raw.answer) == bytes(12)


async def test_keys_of_objects_that_are_ids_or_addresses_are_replaced() -> None:
    body = {"members": {"U0ANNSMITH": 1, "ann@corp.com": 2}, "by": "U0ANNSMITH", "plain": 1}
    (one,) = await recorded(("GET", "x", {}), answers=[httpx.Response(200, json=body)], keep=Keep())
    said = one.answer["json"]
    assert set(said["members"]) == {said["by"], "user1@example.com"}
    assert said["plain"] == 1


async def test_how_a_connection_failed_is_kept_by_name() -> None:
    recorder = Recorder()
    api = api_of(recorder, httpx.ReadTimeout("secret detail"))
    with pytest.raises(Exception, match="detail"):
        await _once(api)
    (one,) = Scrubber(Keep(), origin=ORIGIN).exchanges(recorder.take())
    assert one.error == "ReadTimeout"
    assert "secret" not in json.dumps(one.document())
    assert RecordedExchange.from_document(json.loads(json.dumps(one.document()))) == one


async def _once(api: HttpApi) -> Any:
    from banksman.http import RetryPolicy

    api.transport._retry = RetryPolicy(attempts=1)
    return await api.get("x")


async def test_an_answer_that_the_seam_refused_cannot_be_recorded() -> None:
    from banksman.errors import MalformedAnswer

    seen = [_exchange(httpx.Request("GET", f"{BASE}/x"), None, MalformedAnswer("too large"))]
    with pytest.raises(UsageError, match="MalformedAnswer cannot be recorded"):
        Scrubber(Keep(), origin=ORIGIN).exchanges(seen)


async def test_a_paused_recorder_sees_nothing() -> None:
    recorder = Recorder()
    api = api_of(recorder, httpx.Response(200, json=1), httpx.Response(200, json=2))
    with recorder.paused():
        await api.get("a")
    await api.get("b")
    assert [one.request.url.path for one in recorder.take()] == ["/api/b"]
    assert recorder.take() == []


secrets = st.from_regex(r"[A-Z][a-z]{4,9} [A-Z][a-z]{5,9}|[A-Z]{2}[0-9]{6,9}|[0-9]{8,11}", fullmatch=True)
shapes = st.recursive(
    secrets,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "name", "id"]), inner),
    max_leaves=8,
)


@given(shapes, secrets)
def test_no_private_text_is_left_whatever_the_answer_looks_like(body: Any, other: str) -> None:
    first = _exchange(httpx.Request("GET", f"{BASE}/first"), httpx.Response(200, json=[body, other]))
    # Every text comes back in the next request, in each place where one can stand.
    texts = list(_leaves([body, other]))
    # A stand-in is zeros and a count: a text that is made of zeros itself may stand in one by chance.
    assume(not any("0000" in text for text in texts))
    again = httpx.Request(
        "POST",
        httpx.URL(f"{BASE}/{httpx.URL('/' + other).path.strip('/')}").copy_merge_params({"q": texts}),
        json={"items": texts, "text": f"see {other}!"},
    )
    second = _exchange(again, httpx.Response(200, json={"echo": texts}, headers={"location": f"{BASE}/{other}"}))
    documents = [one.document() for one in Scrubber(Keep(), origin=ORIGIN).exchanges([first, second])]
    written = json.dumps(documents, ensure_ascii=False)
    for text in texts:
        assert text not in written


def _leaves(value: Any) -> Any:
    if isinstance(value, str):
        yield value
    else:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)


def _exchange(request: httpx.Request, response: httpx.Response | None, error: Exception | None = None) -> Exchange:
    from datetime import datetime, timezone

    return Exchange(request, Effect.READ, response, error, datetime.now(timezone.utc), 0.0, 1)
