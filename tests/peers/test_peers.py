"""The facts about the peers that other tests rely on: a new version of a peer that breaks one shows here first."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import OutsideCall
from tests.peers import servers

pytestmark = pytest.mark.peer

STALE = 'W/"2020-01-01T00:00:00.000Z"'


@pytest.fixture
def sap(cap: servers.Cap) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=cap.v4 + "/", auth=cap.buyer) as client:
        yield client


@pytest.fixture
def slack(emulate: servers.Emulate) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {emulate.token}"}
    with httpx.Client(base_url=emulate.base_url + "/api/", headers=headers) as client:
        yield client


def call(client: httpx.Client, method: str, *, token: str | None = None, **form: str) -> dict[str, Any]:
    """One Slack call by POST, which is the only verb that emulate knows."""
    headers = {"Authorization": f"Bearer {token}"} if token else None
    response = client.post(method, data=form, headers=headers)
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    return answer


def channel_id(client: httpx.Client, name: str) -> str:
    channels = call(client, "conversations.list")["channels"]
    (found,) = [channel["id"] for channel in channels if channel["name"] == name]
    return str(found)


def order(key: str, **fields: Any) -> dict[str, Any]:
    return {"id": key, "supplier": "17300001", "plant": "1010", "currency": "EUR", **fields}


# --- SAP CAP


def test_cap_refuses_whom_it_does_not_know(cap: servers.Cap) -> None:
    assert httpx.get(cap.v4 + "/PurchaseOrders").status_code == 401
    assert httpx.get(cap.v4 + "/PurchaseOrders", auth=("mallory", "")).status_code == 401


def test_cap_lets_a_reader_read_and_not_write(cap: servers.Cap) -> None:
    with httpx.Client(base_url=cap.v4 + "/", auth=cap.reader) as client:
        assert client.get("PurchaseOrders('4500000003')").status_code == 200
        refused = client.patch("PurchaseOrders('4500000003')", json={"note": "x"}, headers={"If-Match": "*"})
        assert refused.status_code == 403
        item = "PurchaseOrderItems(order='4500000003',pos='00010')"
        assert client.patch(item, json={"quantity": "1.000"}).status_code == 403


def test_cap_reads_an_order_with_its_items_and_supplier(sap: httpx.Client) -> None:
    read = sap.get("PurchaseOrders('4500000017')", params={"$expand": "items,vendor"})
    body = read.json()
    assert read.headers["ETag"] == body["@odata.etag"]
    assert body["netAmount"] == "14478.20", "decimals come as strings"
    assert [item["pos"] for item in body["items"]] == ["00010", "00020", "00030"]
    assert body["vendor"]["name"] == "Hafen Fasteners GmbH"


def test_cap_patch_needs_the_current_etag(sap: httpx.Client) -> None:
    url, change = "PurchaseOrders('4500000001')", {"deliveryDate": "2026-05-01"}
    etag = sap.get(url).headers["ETag"]
    assert sap.patch(url, json=change).status_code == 428
    assert sap.patch(url, json=change, headers={"If-Match": STALE}).status_code == 412
    fresh = sap.patch(url, json=change, headers={"If-Match": etag})
    assert (fresh.status_code, fresh.json()["deliveryDate"]) == (200, "2026-05-01")
    assert fresh.headers["ETag"] not in (etag, STALE)
    assert sap.patch(url, json=change, headers={"If-Match": etag}).status_code == 412


def test_cap_changes_an_item_without_an_etag_and_without_touching_the_order(sap: httpx.Client) -> None:
    """An unguarded window: the item has no ETag, and the order's stays as it was."""
    before = sap.get("PurchaseOrders('4500000004')").headers["ETag"]
    item = sap.patch("PurchaseOrderItems(order='4500000004',pos='00010')", json={"quantity": "201.000"})
    assert item.status_code == 200
    assert "ETag" not in item.headers
    assert sap.get("PurchaseOrders('4500000004')").headers["ETag"] == before


def test_cap_inserts_an_order_with_its_items_and_deletes_it_with_them(sap: httpx.Client) -> None:
    item = {"pos": "00010", "material": "BOLT-M12", "quantity": "2.000", "unit": "EA", "price": "6.25"}
    created = sap.post("PurchaseOrders", json=order("4500000801", netAmount="12.50", items=[item]))
    assert created.status_code == 201
    assert created.json()["status"] == "open"
    assert created.json()["items"][0]["order"] == "4500000801"
    assert created.headers["Location"] == "PurchaseOrders('4500000801')"
    assert sap.delete("PurchaseOrders('4500000801')").status_code == 428
    assert sap.delete("PurchaseOrders('4500000801')", headers={"If-Match": "*"}).status_code == 204
    assert sap.get("PurchaseOrderItems(order='4500000801',pos='00010')").status_code == 404


def test_cap_answers_500_to_a_key_that_exists(sap: httpx.Client) -> None:
    """Not 409: a client cannot tell it from a crash, and has to look for the key."""
    assert sap.post("PurchaseOrders", json=order("4500000802")).status_code == 201
    again = sap.post("PurchaseOrders", json=order("4500000802"))
    assert again.status_code == 500
    assert "UNIQUE constraint failed" in again.json()["error"]["message"]


def test_cap_says_what_is_wrong_with_the_input(sap: httpx.Client) -> None:
    missing = sap.post("PurchaseOrders", json={"id": "4500000803", "plant": "1010"})
    assert missing.status_code == 400
    assert [detail["target"] for detail in missing.json()["error"]["details"]] == ["supplier", "currency"]
    wrong = sap.patch("PurchaseOrders('4500000005')", json={"status": "gone"}, headers={"If-Match": "*"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "ASSERT_ENUM")


def test_cap_undoes_a_failed_atomicity_group_and_still_reports_201_in_it(sap: httpx.Client) -> None:
    """One failure in the group undoes all of it, whatever the other parts' answers say."""

    def part(number: str, key: str, **fields: Any) -> dict[str, Any]:
        head = {"id": number, "atomicityGroup": "g1", "method": "POST", "url": "PurchaseOrders"}
        return {**head, "headers": {"content-type": "application/json"}, "body": order(key, **fields)}

    def statuses(*parts: dict[str, Any]) -> list[int]:
        answer = sap.post("$batch", json={"requests": parts})
        assert answer.status_code == 200
        return [response["status"] for response in answer.json()["responses"]]

    assert statuses(part("1", "4500000804"), part("2", "4500000805")) == [201, 201]
    assert statuses(part("1", "4500000806"), part("2", "4500000807", status="no")) == [201, 400]
    assert sap.get("PurchaseOrders('4500000805')").status_code == 200
    assert sap.get("PurchaseOrders('4500000806')").status_code == 404


def test_cap_pages_shipments_and_nothing_else(sap: httpx.Client) -> None:
    seen: list[str] = []
    sizes: list[int] = []
    url = "Shipments"
    while url:
        page = sap.get(url).json()
        seen += [shipment["id"] for shipment in page["value"]]
        sizes.append(len(page["value"]))
        url = page.get("@odata.nextLink", "")
    assert sizes == [5, 5, 5, 5, 1]
    assert len(set(seen)) == 21
    assert len(sap.get("Shipments", params={"$top": "15"}).json()["value"]) == 10
    assert "@odata.nextLink" not in sap.get("PurchaseOrders").json()


def test_cap_follows_the_query_across_pages(sap: httpx.Client) -> None:
    first = sap.get("Shipments?$filter=status%20eq%20'delayed'&$count=true").json()
    second = sap.get(first["@odata.nextLink"]).json()
    delayed = first["value"] + second["value"]
    assert {shipment["status"] for shipment in delayed} == {"delayed"}
    assert len(delayed) == first["@odata.count"] == 7


def test_cap_does_not_read_a_plus_as_a_space(sap: httpx.Client) -> None:
    """httpx writes one for a space in `params`; an OData client has to quote by itself."""
    refused = sap.get("Shipments", params={"$filter": "status eq 'delayed'"})
    assert b"+eq+" in refused.request.url.query
    assert refused.status_code == 400


def test_cap_speaks_odata_v2_too(cap: servers.Cap) -> None:
    with httpx.Client(base_url=cap.v2 + "/", auth=cap.buyer, headers={"Accept": "application/json"}) as client:
        read = client.get("PurchaseOrders('4500000018')", params={"$expand": "items"})
        body = read.json()["d"]
        assert body["netAmount"] == "823.55"
        assert body["deliveryDate"] == "/Date(1774396800000)/"
        assert [item["pos"] for item in body["items"]["results"]] == ["00010"]
        assert client.patch("PurchaseOrders('4500000018')", json={"note": "v2"}).status_code == 428
        merge = {"If-Match": read.headers["ETag"], "X-HTTP-Method": "MERGE"}
        merged = client.post("PurchaseOrders('4500000018')", json={"note": "v2"}, headers=merge)
        assert merged.status_code == 200, "a real gateway answers 204"
        assert client.get("PurchaseOrders('4500000018')/note/$value").text == "v2"
        listed = client.get("PurchaseOrders", params={"$inlinecount": "allpages", "$top": "1"}).json()["d"]
        assert int(listed["__count"]) >= 20
        following = client.get("Shipments").json()["d"]["__next"]
        assert following.startswith(cap.v2 + "/Shipments?$skiptoken=")
        assert len(client.get(following).json()["d"]["results"]) == 5


# --- emulate: Slack


def test_slack_knows_the_bot_behind_the_token(slack: httpx.Client) -> None:
    answer = call(slack, "auth.test")
    assert (answer["ok"], answer["user"], answer["team"]) == (True, "banksman", "Harbour Works")


def test_slack_answers_200_with_the_error_inside(slack: httpx.Client) -> None:
    assert call(slack, "chat.postMessage", channel="C404", text="x") == {
        "ok": False,
        "error": "channel_not_found",
    }
    nobody = slack.post("auth.test", headers={"Authorization": ""})
    assert (nobody.status_code, nobody.json()["error"]) == (200, "not_authed")


def test_slack_refuses_a_token_without_the_scope(slack: httpx.Client, emulate: servers.Emulate) -> None:
    channel = channel_id(slack, "buyers")
    refused = call(slack, "chat.postMessage", token=emulate.narrow_token, channel=channel, text="x")
    assert (refused["error"], refused["needed"]) == ("missing_scope", "chat:write")
    assert call(slack, "users.list", token=emulate.narrow_token)["ok"]
    unknown = call(slack, "users.list", token="never-issued")
    assert unknown["error"] == "missing_scope", "an unknown token authenticates, without a scope"


def test_slack_posts_updates_and_deletes_a_message(slack: httpx.Client) -> None:
    channel = channel_id(slack, "buyers")
    posted = call(slack, "chat.postMessage", channel=channel, text="late: 4500000017")
    stamp = posted["ts"]
    assert posted["message"]["text"] == "late: 4500000017"
    updated = call(slack, "chat.update", channel=channel, ts=stamp, text="moved: 4500000017")
    assert (updated["ts"], updated["message"]["text"]) == (stamp, "moved: 4500000017")
    newest = call(slack, "conversations.history", channel=channel, limit="1")["messages"][0]
    assert (newest["ts"], newest["text"]) == (stamp, "moved: 4500000017")
    assert call(slack, "chat.delete", channel=channel, ts=stamp)["ok"]
    assert call(slack, "chat.delete", channel=channel, ts=stamp)["error"] == "message_not_found"
    assert call(slack, "chat.update", channel=channel, ts=stamp, text="x")["error"] == "message_not_found"


def test_slack_keeps_metadata_so_that_a_post_can_be_found_again(slack: httpx.Client) -> None:
    channel = channel_id(slack, "logistics")
    marker = {"event_type": "banksman", "event_payload": {"key": "k-1"}}
    slack.post("chat.postMessage", json={"channel": channel, "text": "marked", "metadata": marker})
    history = call(slack, "conversations.history", channel=channel, include_all_metadata="true")["messages"]
    assert [message["metadata"] for message in history if "metadata" in message] == [marker]


def test_slack_posts_twice_when_asked_twice(slack: httpx.Client) -> None:
    """`client_msg_id` is kept and not used as an idempotency key."""
    channel = channel_id(slack, "random")
    form = {"channel": channel, "text": "twice", "client_msg_id": "7b1f4d55-0000-4000-8000-000000000001"}
    stamps = {call(slack, "chat.postMessage", **form)["ts"] for _ in range(2)}
    assert len(stamps) == 2


def test_slack_history_ignores_the_time_window(slack: httpx.Client) -> None:
    """`oldest` and `latest` do nothing here; reconciling by a window has to filter for itself."""
    channel = channel_id(slack, "general")
    first, second = (call(slack, "chat.postMessage", channel=channel, text=text)["ts"] for text in "ab")
    window = call(slack, "conversations.history", channel=channel, oldest=second, latest=second)
    assert {first, second} <= {message["ts"] for message in window["messages"]}


def test_slack_lists_channels_and_users_by_pages(slack: httpx.Client) -> None:
    first = call(slack, "conversations.list", limit="2")
    second = call(slack, "conversations.list", limit="2", cursor=first["response_metadata"]["next_cursor"])
    names = [channel["name"] for channel in first["channels"] + second["channels"]]
    assert names == ["general", "random", "buyers", "logistics"], "the private channel is not shown to the bot"
    assert [user["name"] for user in call(slack, "users.list")["members"]] == [
        "admin",
        "bea",
        "tom",
        "banksman",
    ]


def test_slack_finds_a_user_by_address(slack: httpx.Client) -> None:
    found = call(slack, "users.lookupByEmail", email="bea@harbour-works.example")["user"]
    assert found["real_name"] == "Bea Buyer"
    assert call(slack, "users.lookupByEmail", email="no@example.org")["error"] == "users_not_found"


def test_slack_answers_only_to_post_and_lacks_some_methods(slack: httpx.Client) -> None:
    assert slack.get("conversations.list").status_code == 404
    for missing in ("search.messages", "files.upload", "usergroups.list", "reminders.add", "dnd.info"):
        assert slack.post(missing).status_code == 404, missing


# --- OAuth 2, PostgreSQL, the rules of the house


def test_oauth2_gives_a_token_for_client_credentials(oauth2: servers.OAuth2) -> None:
    form = {"grant_type": "client_credentials", "scope": "orders.read"}
    token = httpx.post(oauth2.token_url, data=form, auth=("client", "secret")).json()
    assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 3600, "orders.read")
    assert token["access_token"].count(".") == 2
    refused = httpx.post(oauth2.token_url, data={"grant_type": "no-such-grant"})
    assert refused.status_code == 400


def test_postgres_answers(postgres: servers.Postgres) -> None:
    with psycopg.connect(postgres.url) as connection:
        row = connection.execute("select current_setting('server_version_num')::int, 1 + 1").fetchone()
    assert row is not None
    assert row[0] >= 180000
    assert row[1] == 2


def test_a_peer_ends_with_its_block_and_frees_its_port() -> None:
    with servers.oauth2() as server:
        assert httpx.get(server.base_url + "/jwks").status_code == 200
        log = server.log
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.base_url + "/jwks")
    assert not log.exists()


def test_a_peer_ends_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    code = "with oauth2(Path(sys.argv[1])) as s: print(s.base_url, flush=True); time.sleep(60)"
    command = [sys.executable, "-c", f"import sys\nfrom tests.peers.servers import *\n{code}", str(tmp_path)]
    root = servers.HERE.parent.parent
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        url = starter.stdout.readline().strip() + "/jwks"
        assert httpx.get(url).status_code == 200
        starter.kill()
    assert ends_within(10, url)


def ends_within(seconds: float, url: str) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            httpx.get(url)
        except httpx.TransportError:
            return True
        time.sleep(0.05)
    return False


def test_a_peer_that_fails_says_what_it_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "TRIES", 1)
    failing = servers.emulate(("no-such-service",), tmp_path)
    with pytest.raises(servers.PeerFailed, match=r"(?s)ended with code.*no-such-service"), failing:
        pass


def test_nothing_leaves_this_machine(outside_calls: list[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream, pytest.raises(OutsideCall):
        stream.connect(("192.0.2.1", 80))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram, pytest.raises(OutsideCall):
        datagram.sendto(b"x", ("192.0.2.1", 53))
    assert len(outside_calls) == 2
    outside_calls.clear()
