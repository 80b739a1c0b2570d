"""An answer was lost: what the connector finds out about it, and what it does not claim to know."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from banksman import ABSENT, UNSURE
from banksman.errors import Conflict, NotFound, OutcomeUnknown
from banksman.testing.sandbox import Answer
from banksman_connectors.sap.actions.moments import is_since
from banksman_connectors.sap.sandbox import PurchasingSandbox

from .buyer import Buyer

ORDER = "4500000003"
UPDATE = {"id": ORDER, "deliveryDate": "2026-05-04", "note": "moved"}
MANY = {"changes": [{"id": ORDER, "note": "one"}, {"id": "4500000004", "note": "two"}]}
NEW = {"supplier": "17300001", "plant": "1010", "currency": "EUR", "netAmount": "12.50", "note": "by nobody else"}
ITEMS = [{"pos": "00010", "material": "BOLT-M12", "quantity": "1.000", "unit": "EA"}]
WRITES: list[tuple[str, dict[str, Any], str]] = [
    ("purchase_orders.update", UPDATE, "PATCH"),
    ("purchase_orders.update_many", MANY, "POST"),
    ("purchase_orders.create", {**NEW, "id": "4500000077", "items": ITEMS}, "POST"),
    ("purchase_orders.create", {**NEW, "items": ITEMS}, "POST"),
    ("purchase_orders.delete", {"id": ORDER}, "DELETE"),
    ("purchase_order_items.update", {"order": ORDER, "pos": "00010", "quantity": "7"}, "PATCH"),
]
LOST = [None, Answer(500, {"error": {"code": "500", "message": "Internal Server Error"}}), Answer(504, b"timeout")]


def now() -> datetime:
    return datetime.now(timezone.utc)


@pytest.mark.parametrize("answer", LOST, ids=["dropped", "500", "504"])
@pytest.mark.parametrize(("name", "given", "method"), WRITES, ids=lambda value: value if isinstance(value, str) else "")
async def test_a_write_whose_answer_was_lost_is_found(
    sandbox: PurchasingSandbox, erp: Buyer, name: str, given: dict[str, Any], method: str, answer: Answer | None
) -> None:
    change = await erp.prepare(name, **given)
    # The session is open, so the fault meets the write itself.
    await erp.opened.api._session.headers()
    since = now()
    sandbox.fail(method=method, answer=answer, after_commit=True)
    with pytest.raises(OutcomeUnknown):
        await erp.send(name, change)
    found = await erp.reconcile(name, given, change, since)
    if name.endswith("delete"):
        assert found == {"id": ORDER}
    elif name.endswith("many"):
        assert [record["note"] for record in found] == ["one", "two"]
    else:
        shown = {own: value for own, value in given.items() if own not in ("items", "quantity", "netAmount")}
        assert {own: found[own] for own in shown} == shown
    if "items" in given:
        assert [item["material"] for item in found["items"]] == ["BOLT-M12"]


@pytest.mark.parametrize(("name", "given", "method"), WRITES, ids=lambda value: value if isinstance(value, str) else "")
async def test_a_write_that_did_not_happen_is_absent(
    sandbox: PurchasingSandbox, erp: Buyer, name: str, given: dict[str, Any], method: str
) -> None:
    change = await erp.prepare(name, **given)
    await erp.opened.api._session.headers()
    sandbox.fail(method=method, answer=None)
    with pytest.raises(OutcomeUnknown):
        await erp.send(name, change)
    assert await erp.reconcile(name, given, change) is ABSENT


@pytest.mark.peer
@pytest.mark.parametrize("server_key", [False])
async def test_what_happened_is_found_on_every_server(
    cap_buyer: Buyer, order: Callable[..., dict[str, Any]], number: str, server_key: bool
) -> None:
    since = now() - timedelta(seconds=1)
    made = order()
    change = await cap_buyer.prepare("purchase_orders.create", **made)
    assert await cap_buyer.reconcile("purchase_orders.create", made, change, since) is ABSENT
    output = await cap_buyer.send("purchase_orders.create", change)
    assert await cap_buyer.reconcile("purchase_orders.create", made, change, since) == output

    moved = {"id": number, "deliveryDate": "2026-05-04", "netAmount": "7"}
    change = await cap_buyer.prepare("purchase_orders.update", **moved)
    assert await cap_buyer.reconcile("purchase_orders.update", moved, change, since) is ABSENT
    output = await cap_buyer.send("purchase_orders.update", change)
    assert await cap_buyer.reconcile("purchase_orders.update", moved, change, since) == output

    many = {"changes": [{"id": number, "note": "n"}]}
    change = await cap_buyer.prepare("purchase_orders.update_many", **many)
    assert await cap_buyer.reconcile("purchase_orders.update_many", many, change, since) is ABSENT
    outputs = await cap_buyer.send("purchase_orders.update_many", change)
    assert await cap_buyer.reconcile("purchase_orders.update_many", many, change, since) == outputs

    change = await cap_buyer.prepare("purchase_orders.delete", id=number)
    assert await cap_buyer.reconcile("purchase_orders.delete", {"id": number}, change, since) is ABSENT
    await cap_buyer.send("purchase_orders.delete", change)
    assert await cap_buyer.reconcile("purchase_orders.delete", {"id": number}, change, since) == {"id": number}


# Somebody else's writes


async def test_a_record_that_says_something_else_now_is_for_a_person(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    change = await erp.prepare("purchase_orders.update", **UPDATE)
    sandbox.order(ORDER)["note"] = "by somebody else"  # type: ignore[index]
    assert await erp.reconcile("purchase_orders.update", UPDATE, change) is UNSURE


async def test_the_same_change_made_long_before_ours_is_not_ours(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    change = await erp.prepare("purchase_orders.update", **UPDATE)
    row = sandbox.order(ORDER)
    assert row is not None
    row.update({name: value for name, value in UPDATE.items() if name != "id"})
    assert await erp.reconcile("purchase_orders.update", UPDATE, change) is UNSURE
    row["modifiedAt"] = now().isoformat()
    assert (await erp.reconcile("purchase_orders.update", UPDATE, change))["note"] == "moved"


async def test_another_record_under_our_key_is_not_ours(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    given = {**NEW, "id": "4500000077"}
    change = await erp.prepare("purchase_orders.create", **given)
    await erp.write("purchase_orders.create", **{**given, "note": "theirs"})
    assert await erp.reconcile("purchase_orders.create", given, change) is UNSURE


async def test_an_equal_record_that_is_older_is_not_ours(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    given = {**NEW, "id": "4500000077"}
    change = await erp.prepare("purchase_orders.create", **given)
    await erp.write("purchase_orders.create", **given)
    later = now() + timedelta(minutes=10)
    assert await erp.reconcile("purchase_orders.create", given, change, later) is UNSURE


async def test_a_key_that_the_system_drew_is_found_by_what_was_put_in(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    """Equal records from before the call are others; from around that time, nobody can tell; two are one too many."""
    change = await erp.prepare("purchase_orders.create", **NEW)
    since = now()

    async def looks() -> Any:
        return await erp.reconcile("purchase_orders.create", NEW, change, since)

    async def one_made(at: datetime) -> str:
        made = await erp.write("purchase_orders.create", **NEW)
        sandbox.order(made["id"])["createdAt"] = at.isoformat()  # type: ignore[index]
        return str(made["id"])

    assert await looks() is ABSENT
    await one_made(since - timedelta(days=1))
    assert await looks() is ABSENT
    ours = await one_made(since + timedelta(seconds=2))
    assert (await looks())["id"] == ours
    near = await one_made(since - timedelta(seconds=30))
    assert await looks() is UNSURE
    sandbox.order(near)["createdAt"] = (since - timedelta(days=1)).isoformat()  # type: ignore[index]
    assert (await looks())["id"] == ours
    await one_made(since + timedelta(seconds=3))
    assert await looks() is UNSURE


async def test_one_equal_record_from_just_before_may_be_anybodys(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    """Clocks differ, so it may be ours as well; to send again could double it."""
    change = await erp.prepare("purchase_orders.create", **NEW)
    made = await erp.write("purchase_orders.create", **NEW)
    later = now() + timedelta(seconds=30)
    assert await erp.reconcile("purchase_orders.create", NEW, change, later) is UNSURE
    assert made["id"]


@pytest.mark.parametrize(
    ("stamp", "since", "answer"),
    [
        ("10:00:05", "10:00:05.700000", True),
        ("10:00:05.123", "10:00:05.123999", True),
        ("10:00:05.123001", "10:00:05.123999", False),
        ("10:00:04", "10:00:05.700000", False),
        ("10:00:05.122", "10:00:05.123999", False),
    ],
)
def test_a_stamp_counts_to_its_own_precision(stamp: str, since: str, answer: bool) -> None:
    day = "2026-03-22T{}+00:00"
    assert is_since(datetime.fromisoformat(day.format(stamp)), datetime.fromisoformat(day.format(since))) is answer


async def test_without_a_stamp_an_equal_record_proves_nothing(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    given = {"order": ORDER, "pos": "00070", "material": "X", "quantity": "1", "unit": "EA"}
    change = await erp.prepare("purchase_order_items.create", **given)
    await erp.write("purchase_order_items.create", **{**given, "quantity": "2"})
    assert await erp.reconcile("purchase_order_items.create", given, change) is UNSURE


async def test_a_service_that_is_gone_is_no_proof_of_a_deletion(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    change = await erp.prepare("purchase_orders.delete", id=ORDER)
    gone = {"error": {"code": "/IWFND/MED/170", "message": "No service found"}}
    sandbox.fail(method="GET", answer=Answer(404, gone), times=2)
    with pytest.raises(NotFound):
        await erp.reconcile("purchase_orders.delete", {"id": ORDER}, change)
    assert await erp.reconcile("purchase_orders.delete", {"id": ORDER}, change) is ABSENT


# Answers that are known


async def test_a_lock_is_no_unknown_outcome(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    sandbox.locked.add(ORDER)
    with pytest.raises(Exception, match="MILLER already processing") as caught:
        await erp.write("purchase_orders.update", **UPDATE)
    assert getattr(caught.value, "transient", False)
    assert getattr(caught.value, "code", "") == "ME/006"


async def test_a_success_that_cannot_be_read_is_unknown_and_found(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    change = await erp.prepare("purchase_orders.update", **UPDATE)
    await erp.opened.api._session.headers()
    since = now()
    sandbox.fail(method="PATCH", answer=Answer(200, b"{", {"content-type": "application/json"}), after_commit=True)
    with pytest.raises(OutcomeUnknown, match="cannot be read"):
        await erp.send("purchase_orders.update", change)
    assert (await erp.reconcile("purchase_orders.update", UPDATE, change, since))["note"] == "moved"


async def test_a_batch_with_a_failed_part_is_refused_and_not_unknown(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    change = await erp.prepare("purchase_orders.update_many", **MANY)
    sandbox.order("4500000004")["modifiedAt"] = now().isoformat()  # type: ignore[index]
    with pytest.raises(Conflict):
        await erp.send("purchase_orders.update_many", change)
    assert sandbox.order(ORDER)["note"] != "one"  # type: ignore[index]


async def test_a_batch_whose_part_broke_is_unknown(sandbox: PurchasingSandbox, erp: Buyer) -> None:
    change = await erp.prepare("purchase_orders.update_many", **MANY)
    await erp.opened.api._session.headers()
    inner = {"responses": [{"id": "0", "status": 200}, {"id": "1", "status": 500, "body": {}}]}
    sandbox.fail(method="POST", answer=Answer(200, inner))
    with pytest.raises(OutcomeUnknown):
        await erp.send("purchase_orders.update_many", change)
