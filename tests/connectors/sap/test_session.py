"""Getting in, and what a changing request has to carry: credential, CSRF token, cookie, client."""

from __future__ import annotations

import httpx
import pytest
from tests.peers import servers

from banksman import Connection, OpenConnection, Wiring, _gate
from banksman.auth import build, redact
from banksman.errors import AccessDenied, AuthFailed, Conflict, WriteRefused
from banksman.http import Exchange, scrub_headers
from banksman.testing.sandbox import Answer
from banksman_connectors.sap import connector
from banksman_connectors.sap.sandbox import PurchasingSandbox
from banksman_connectors.sap.settings import SapSettings

from .buyer import Buyer, open_buyer

ORDER = "4500000003"


def said(sandbox: PurchasingSandbox) -> list[tuple[str, str]]:
    return [(call.method, call.path) for call in sandbox.calls]


async def test_a_token_is_fetched_for_the_first_change_and_used_for_all(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    await erp.read("purchase_orders.get", id=ORDER)
    assert ("GET", "/") not in said(sandbox), "a read needs no token"
    await erp.write("purchase_orders.update", id=ORDER, note="one")
    await erp.write("purchase_orders.update", id=ORDER, note="two")
    assert said(sandbox).count(("GET", "/")) == 1
    changes = [call for call in sandbox.calls if call.method == "PATCH"]
    assert len({call.headers["x-csrf-token"] for call in changes}) == 1
    assert all(call.headers["cookie"].startswith("SAP_SESSIONID_DEM_100=") for call in changes)
    assert not any("cookie" in call.headers for call in sandbox.calls if call.method == "GET")


async def test_an_expired_token_is_fetched_anew_and_the_change_made_once(
    sandbox: PurchasingSandbox, erp: Buyer
) -> None:
    await erp.write("purchase_orders.update", id=ORDER, note="one")
    sandbox.expire_session()
    output = await erp.write("purchase_orders.update", id=ORDER, note="two")
    assert output["note"] == "two"
    assert [method for method, _ in said(sandbox)][-4:] == ["GET", "PATCH", "GET", "PATCH"]


async def test_a_system_that_refuses_every_token_is_asked_twice(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    refusal = Answer(403, b"CSRF token validation failed", {"x-csrf-token": "Required"})
    sandbox.fail(method="PATCH", answer=refusal, times=5)
    with pytest.raises(AccessDenied):
        await erp.write("purchase_orders.update", id=ORDER, note="two")
    assert [method for method, _ in said(sandbox)].count("PATCH") == 2
    assert sandbox.order(ORDER)["note"] != "two"  # type: ignore[index]


async def test_token_and_cookie_stay_out_of_approval_and_recordings(sandbox: PurchasingSandbox) -> None:
    seen: list[Exchange] = []
    buyer = open_buyer(sandbox.url, (sandbox.user, sandbox.token), observers=(seen.append,))
    change = await buyer.prepare("purchase_orders.update", id=ORDER, note="two")
    (request,) = change.requests
    await buyer.send("purchase_orders.update", change)
    sent = next(call for call in sandbox.calls if call.method == "PATCH")
    token, cookie = sent.headers["x-csrf-token"], sent.headers["cookie"].partition("=")[2]
    assert token not in str(request.canonical()) + str(request.fresh_headers)
    shown = [str(scrub_headers(dict(exchange.request.headers))) for exchange in seen]
    shown += [str(scrub_headers(dict(exchange.response.headers))) for exchange in seen if exchange.response]
    assert len(shown) >= 6
    assert not any(secret in text for text in shown for secret in (token, cookie, sandbox.token))
    assert redact(f"{token} {cookie}") == "[secret] [secret]"
    await buyer.opened.aclose()


async def test_the_etag_is_sent_and_not_approved(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    change = await erp.prepare("purchase_orders.update", id=ORDER, note="two")
    (request,) = change.requests
    assert request.fresh_headers == {"if-match": 'W/"2026-02-03T08:03:00.000Z"'}  # type: ignore[attr-defined]
    assert "2026-02-03" not in str(request.canonical())


async def test_a_connection_may_do_without_tokens(sandbox: PurchasingSandbox) -> None:
    buyer = open_buyer(sandbox.url, (sandbox.user, sandbox.token), csrf=False)
    with pytest.raises(AccessDenied):
        await buyer.write("purchase_orders.update", id=ORDER, note="two")
    assert ("GET", "/") not in said(sandbox)
    await buyer.opened.aclose()


@pytest.mark.peer
async def test_a_service_that_gives_no_token_is_asked_once(cap: servers.Cap) -> None:
    seen: list[Exchange] = []
    buyer = open_buyer(cap.v4, cap.buyer, observers=(seen.append,))
    for note in ("one", "two", None):
        await buyer.write("purchase_orders.update", id="4500000011", note=note)
    roots = [exchange for exchange in seen if exchange.request.url.path.endswith("/purchasing/")]
    assert len(roots) == 1
    assert not any("x-csrf-token" in e.request.headers for e in seen if e.request.method == "PATCH")
    await buyer.opened.aclose()


async def test_client_and_language_go_with_every_request(sandbox: PurchasingSandbox) -> None:
    buyer = open_buyer(sandbox.url, (sandbox.user, sandbox.token), sap_client="100", sap_language="DE")
    await buyer.read("purchase_orders.list")
    await buyer.read("purchase_orders.get_many", keys=[ORDER])
    await buyer.write("purchase_orders.update", id=ORDER, note="two")
    assert len(sandbox.calls) >= 7
    for call in sandbox.calls:
        assert (call.query["sap-client"], call.query["sap-language"]) == ("100", "DE"), call.path
    await buyer.opened.aclose()


@pytest.mark.parametrize("client", ["1", "1000", "10a", "100&x=1"])
def test_a_client_has_three_digits(client: str) -> None:
    with pytest.raises(ValueError, match="sap_client"):
        SapSettings(base_url="http://127.0.0.1", sap_client=client)


@pytest.mark.parametrize("kind", ["basic", "bearer"])
async def test_both_credentials_let_in(sandbox: PurchasingSandbox, kind: str) -> None:
    token = f"literal:{sandbox.token}"
    given = {"basic": {"username": sandbox.user, "password": token}, "bearer": {"token": token}}[kind]
    auth = build(connector.auth, {"kind": kind, **given}, connection="sap:test", store=None)
    connection = Connection("sap:test", "sap", settings=SapSettings(base_url=sandbox.url))
    opened = OpenConnection(connector, connection, connector.open(connector, connection, Wiring(auth=auth)))
    assert connector.probe is not None
    assert await connector.probe(opened.api) == "OData 4.0, 3 entity sets, 0 functions"
    await opened.aclose()


async def test_a_wrong_password_is_said_to_be_wrong(sandbox: PurchasingSandbox) -> None:
    buyer = open_buyer(sandbox.url, (sandbox.user, "nonsense"))
    with pytest.raises(AuthFailed):
        await buyer.actions()
    await buyer.opened.aclose()


@pytest.mark.peer
async def test_who_may_not_write_is_told_so(cap: servers.Cap) -> None:
    reader = open_buyer(cap.v4, cap.reader)
    with pytest.raises(AccessDenied):
        await reader.write("purchase_orders.update", id="4500000011", note="x")
    await reader.opened.aclose()


async def test_nothing_is_sent_that_nobody_approved(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    """Not the write alone, nor inside a batch, which is a POST like the one that reads."""
    await erp.read("purchase_orders.get_many", keys=[ORDER])
    asked = len(sandbox.calls)
    for name, given in (
        ("purchase_orders.update", {"id": ORDER, "note": "x"}),
        ("purchase_orders.update_many", {"changes": [{"id": ORDER, "note": "x"}]}),
        ("purchase_orders.delete", {"id": ORDER}),
    ):
        change = await erp.prepare(name, **given)
        action = await erp.opened.action(f"sap.{name}")
        with pytest.raises(WriteRefused):
            await erp.opened.send(action, change)
        with _gate.sending(["0" * 64]), pytest.raises(WriteRefused):
            await erp.opened.send(action, change)
    posts = [call for call in sandbox.calls[asked:] if call.method not in ("GET",)]
    assert posts == []


async def test_metadata_is_read_once_for_a_connection(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    await erp.actions()
    await erp.read("purchase_orders.get", id=ORDER)
    await erp.read("suppliers.list")
    assert said(sandbox).count(("GET", "/$metadata")) == 1


async def test_an_answer_that_is_a_login_page_is_named_as_such(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    await erp.actions()
    sandbox.fail(answer=Answer(200, b"<html>Log in</html>", {"content-type": "text/html"}))
    with pytest.raises(Exception, match=r"not JSON.*\n.*login") as caught:
        await erp.read("purchase_orders.get", id=ORDER)
    assert not isinstance(caught.value, httpx.HTTPError)


def test_the_settle_time_of_a_connection_comes_before_that_of_sap(sandbox: PurchasingSandbox) -> None:
    assert connector.settle >= 600, "a dialog work process may run so long"
    assert open_buyer(sandbox.url, ("a", "b")).opened.settle == connector.settle
    assert open_buyer(sandbox.url, ("a", "b"), settle=0.0).opened.settle == 0.0


async def test_a_service_that_knows_no_json_batches_is_asked_in_multipart(
    sandbox: PurchasingSandbox, erp: Buyer
) -> None:
    await erp.actions()
    await erp.opened.api._session.headers()
    part = "--x\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n\r\n--x--\r\n"
    multipart = Answer(202, part.encode(), {"content-type": "multipart/mixed; boundary=x"})
    sandbox.fail(path="$batch", answer=Answer(415, {"error": {"code": "415", "message": "JSON is not supported"}}))
    sandbox.fail(path="$batch", answer=multipart, times=2)
    assert await erp.read("purchase_orders.get_many", keys=["1"]) == []
    assert await erp.read("purchase_orders.get_many", keys=["1"]) == []
    kinds = [call.headers["content-type"].partition(";")[0] for call in sandbox.calls if call.path == "/$batch"]
    assert kinds == ["application/json", "multipart/mixed", "multipart/mixed"], "it is found out once"


@pytest.mark.peer
async def test_multipart_works_with_v4_too(cap: servers.Cap) -> None:
    buyer = open_buyer(cap.v4, cap.buyer, batch="multipart")
    keys = ["4500000011", "4599999999", "4500000012"]
    assert [r["id"] for r in await buyer.read("purchase_orders.get_many", keys=keys)] == [keys[0], keys[2]]
    changes = [{"id": keys[0], "note": "multi"}, {"id": keys[2], "note": "part"}]
    change = await buyer.prepare("purchase_orders.update_many", changes=changes)
    output = await buyer.send("purchase_orders.update_many", change)
    assert [record["note"] for record in output] == ["multi", "part"]
    with pytest.raises(Conflict):
        await buyer.send("purchase_orders.update_many", change)
    await buyer.undo("purchase_orders.update_many", change, output, {"changes": changes})
    await buyer.opened.aclose()


@pytest.mark.peer
async def test_a_search_is_for_the_text_itself(cap: servers.Cap) -> None:
    buyer = open_buyer(cap.v4, cap.buyer)
    found = await buyer.read("purchase_orders.list", search="gate 4", select=["note"])
    assert [record["id"] for record in found] == ["4500000003"]
    for hostile in ('gate" OR "line', "gate OR line", "NOT gate", 'a"b\\c'):
        assert await buyer.read("purchase_orders.list", search=hostile) == [], hostile
    await buyer.opened.aclose()
