"""Whole plans: what the preview says is what happens, and what happens can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.peers import servers

from banksman.catalog import Registry
from banksman.config import Config
from banksman.hub import Hub
from banksman.plan import build
from banksman.testing.sandbox import Answer
from banksman_connectors.sap import connector
from banksman_connectors.sap.sandbox import PurchasingSandbox

LATE: dict[str, Any] = {
    "name": "move-late-orders",
    "connections": {"erp": "sap:works"},
    "steps": {
        "late": {
            "action": "sap.purchase_orders.list",
            "on": "erp",
            "with": {"filter": {"status": "open", "supplier": "17300001"}},
        },
        "move": {
            "action": "sap.purchase_orders.update",
            "on": "erp",
            "for_each": "${late}",
            "with": {"id": "${each.id}", "deliveryDate": "2026-06-01"},
        },
        "left": {
            "action": "sap.purchase_orders.list",
            "on": "erp",
            "after": ["move"],
            "with": {"filter": {"status": "open", "supplier": "17300001", "deliveryDate": "2026-06-01"}},
        },
    },
}


def hub_of(base_url: str, password: str, home: Path, user: str = "BUYER", **settings: Any) -> Hub:
    connection = {
        "base_url": base_url,
        "environment": "test",
        "auth": {"kind": "basic", "username": user, "password": f"literal:{password}"},
        "settle": 0.0,
        **settings,
    }
    config = Config(None, home, connections={"sap:works": connection}, user="ann")
    return Hub(config, registry=Registry((connector,)), durable=False)


async def carried_out(hub: Hub, run: str, meanwhile: Callable[[], None] = lambda: None) -> Any:
    """Carry out a run and say yes to what it previews; `meanwhile` happens between preview and yes."""
    await hub.start(run)
    approved: set[str] = set()
    with anyio.fail_after(20):
        while not hub.state(run).is_over and hub.state(run).status != "paused":
            preview = hub.state(run).preview
            if hub.state(run).waits and preview is not None and preview.digest not in approved:
                approved.add(preview.digest)
                meanwhile()
                await hub.approve(run, preview.digest)
            await anyio.sleep(0.01)
    return hub.state(run)


async def undone(hub: Hub, run: str) -> Any:
    plan = (await hub.plan_undo(run)).plan
    assert plan is not None
    return await carried_out(hub, await hub.create(plan, undoes=run))


def sent(sandbox: PurchasingSandbox, method: str) -> int:
    return sum(call.method == method for call in sandbox.calls)


async def test_late_orders_are_moved_as_previewed_and_moved_back(sandbox: PurchasingSandbox, tmp_path: Path) -> None:
    before = {key: dict(row) for key, row in sandbox.tables["PurchaseOrders"].items()}
    late = {k[0] for k, r in before.items() if r["status"] == "open" and r["supplier"] == "17300001"}
    assert len(late) == 3
    async with hub_of(sandbox.url, sandbox.token, tmp_path) as hub:
        run = await hub.create(build(LATE))
        previewed: dict[str, Any] = {}

        def look() -> None:
            preview = hub.state(run).preview
            assert preview is not None
            previewed.update({item.key: item for item in preview.items.values()})
            assert sent(sandbox, "PATCH") == 0, "a preview changes nothing"

        state = await carried_out(hub, run, look)
        assert state.status == "done"
        assert set(previewed) == late
        for key, item in previewed.items():
            row = sandbox.order(key)
            assert row is not None
            assert {name: row[name] for name in item.after} == item.after
            assert {name: before[key,][name] for name in item.before} == item.before
            assert item.guarded
            changed = {name for name in row if row[name] != before[key,][name]}
            assert changed == {"deliveryDate", "modifiedAt", "modifiedBy"}
        assert {record["id"] for record in state.known["left"]} == late
        await undone(hub, run)
    fields = ("deliveryDate", "note", "plant", "netAmount", "status")
    now = sandbox.tables["PurchaseOrders"]
    assert all(now[key][field] == row[field] for key, row in before.items() for field in fields)


async def test_a_later_step_of_a_preview_sees_the_list_as_it_will_be(
    sandbox: PurchasingSandbox, tmp_path: Path
) -> None:
    """Who belongs to the filtered list is proven, so the step that loops over it needs no second preview."""
    close = {
        "action": "sap.purchase_orders.update",
        "on": "erp",
        "for_each": "${left}",
        "with": {"id": "${each.id}", "status": "closed"},
    }
    steps = {**LATE["steps"], "left": {**LATE["steps"]["late"], "after": ["move"]}, "close": close}
    plan = build({**LATE, "steps": steps})
    async with hub_of(sandbox.url, sandbox.token, tmp_path) as hub:
        preview = await hub.preview(plan)
        assert (preview.deferred, preview.failures) == ({}, {})
        closed = {item.key for call, item in preview.items.items() if call.startswith("close")}
        assert closed == {item.key for call, item in preview.items.items() if call.startswith("move")}
        assert len(closed) == 3
        assert sent(sandbox, "PATCH") == 0
        state = await carried_out(hub, await hub.create(plan))
        assert state.status == "done"
    assert {sandbox.order(key)["status"] for key in closed} == {"closed"}  # type: ignore[index]


async def test_an_order_and_what_follows_from_its_number(sandbox: PurchasingSandbox, tmp_path: Path) -> None:
    """The number is only known once the order is made; the steps after it wait for it, in preview and in run."""
    items = [{"pos": "00010", "material": "BOLT-M12", "quantity": "10", "unit": "EA"}]
    head = {"supplier": "17300002", "plant": "1010", "currency": "EUR", "items": items}
    plan = {
        "name": "order",
        "connections": {"erp": "sap:works"},
        "steps": {
            "make": {"action": "sap.purchase_orders.create", "on": "erp", "with": head},
            "note": {
                "action": "sap.purchase_orders.update",
                "on": "erp",
                "with": {"id": "${make.id}", "note": "made as ${make.id}"},
            },
        },
    }
    async with hub_of(sandbox.url, sandbox.token, tmp_path) as hub:
        run = await hub.create(build(plan))
        state = await carried_out(hub, run)
        assert state.status == "done"
        (made,) = [row for key, row in sandbox.tables["PurchaseOrders"].items() if key > ("4500000012",)]
        assert made["note"] == f"made as {made['id']}"
        assert len(sandbox._items(made["id"])) == 1
        await undone(hub, run)
    assert len(sandbox.tables["PurchaseOrders"]) == 12
    assert not sandbox._items("4500000013")


async def test_a_field_that_was_shown_and_changed_stops_the_run(sandbox: PurchasingSandbox, tmp_path: Path) -> None:
    async with hub_of(sandbox.url, sandbox.token, tmp_path) as hub:
        run = await hub.create(build(LATE))

        def meddle() -> None:
            sandbox.order("4500000004")["deliveryDate"] = "2026-01-01"  # type: ignore[index]

        state = await carried_out(hub, run, meddle)
        assert state.status != "done"
    assert sandbox.order("4500000004")["deliveryDate"] == "2026-01-01"  # type: ignore[index]


async def test_a_change_elsewhere_in_the_record_goes_on_with_the_fresh_etag(
    sandbox: PurchasingSandbox, tmp_path: Path
) -> None:
    async with hub_of(sandbox.url, sandbox.token, tmp_path) as hub:
        run = await hub.create(build(LATE))

        def meddle() -> None:
            row = sandbox.order("4500000004")
            assert row is not None
            row.update(note="by somebody else", modifiedAt="2026-03-01T00:00:00.000Z")

        state = await carried_out(hub, run, meddle)
        assert state.status == "done"
    row = sandbox.order("4500000004")
    assert row is not None
    assert (row["deliveryDate"], row["note"]) == ("2026-06-01", "by somebody else")


@pytest.mark.parametrize("after_commit", [True, False])
async def test_a_lost_answer_neither_loses_nor_doubles_the_write(
    sandbox: PurchasingSandbox, tmp_path: Path, after_commit: bool
) -> None:
    async with hub_of(sandbox.url, sandbox.token, tmp_path) as hub:
        run = await hub.create(build(LATE))
        state = await carried_out(
            hub, run, lambda: sandbox.fail(method="PATCH", path="4500000008", after_commit=after_commit)
        )
        assert state.status == "done"
    assert sandbox.order("4500000008")["deliveryDate"] == "2026-06-01"  # type: ignore[index]
    tries = [call for call in sandbox.calls if call.method == "PATCH" and "4500000008" in call.path]
    assert len(tries) == (1 if after_commit else 2)


async def test_a_lock_is_waited_out(sandbox: PurchasingSandbox, tmp_path: Path) -> None:
    locked = Answer(400, {"error": {"code": "ME/006", "message": "User MILLER already processing order"}})
    async with hub_of(sandbox.url, sandbox.token, tmp_path) as hub:
        run = await hub.create(build(LATE))
        state = await carried_out(hub, run, lambda: sandbox.fail(method="PATCH", answer=locked))
        assert state.status == "done"


@pytest.mark.peer
async def test_the_same_plan_runs_on_saps_own_server(cap: servers.Cap, tmp_path: Path) -> None:
    steps = {
        "old": {"action": "sap.purchase_orders.get", "on": "erp", "with": {"id": "4500000015"}},
        "move": {
            "action": "sap.purchase_orders.update_many",
            "on": "erp",
            "with": {"changes": [{"id": "4500000015", "deliveryDate": "2026-06-01", "note": "${old.id} moved"}]},
        },
        "item": {
            "action": "sap.purchase_order_items.update",
            "on": "erp",
            "with": {"order": "4500000015", "pos": "00010", "quantity": "186.5"},
        },
    }
    plan = build({"name": "move", "connections": {"erp": "sap:works"}, "steps": steps})
    for base_url in (cap.v4, cap.v2):
        async with hub_of(base_url, "", tmp_path / base_url[-20:-11], user="alice") as hub:
            before = await hub.call("sap.purchase_orders.get", "sap:works", {"id": "4500000015"})
            run = await hub.create(plan)
            state = await carried_out(hub, run)
            assert state.status == "done"
            (record,) = state.known["move"]
            assert (record["deliveryDate"], record["note"]) == ("2026-06-01", "4500000015 moved")
            assert (await undone(hub, run)).status == "done"
            after = await hub.call("sap.purchase_orders.get", "sap:works", {"id": "4500000015"})
            same = before.keys() - {"modifiedAt", "modifiedBy", "@odata.etag"}
            assert {name: after[name] for name in same} == {name: before[name] for name in same}
