"""The flagship runbook, as in examples/, against servers nobody here wrote: SAP CAP, emulate, PostgreSQL."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from banksman._canonical import plain
from banksman._record import settle
from banksman.config import Config
from banksman.hub import Hub
from banksman.ledger import broken_links
from banksman.plan import load
from banksman.preview import Preview, differences, resolver
from banksman.runtime import RunState
from tests.peers import servers

pytestmark = pytest.mark.peer

EXAMPLE = Path(__file__).parents[2] / "examples" / "supply_chain"
RUNBOOK = load(EXAMPLE / "runbook.yaml")
#: Late by two days or more, and open in the model that CAP serves.
MOVED = {"4500000003": "2026-03-18", "4500000005": "2026-03-26", "4500000007": "2026-03-28", "4500000012": "2026-04-10"}


def _feed() -> Any:
    spec = importlib.util.spec_from_file_location("supply_chain_feed", EXAMPLE / "feed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Company:
    """The three systems, looked at from outside."""

    def __init__(self, cap: servers.Cap, emulate: servers.Emulate, postgres: servers.Postgres) -> None:
        self.cap = cap
        self.url = f"{cap.base_url}/odata/v4/purchasing"
        self.slack = f"{emulate.base_url}/api"
        self.token = emulate.token
        self.database = postgres.url

    def order(self, key: str) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}/PurchaseOrders('{key}')", auth=self.cap.buyer)
        answer.raise_for_status()
        return {name: value for name, value in answer.json().items() if not name.startswith("@")}

    def set_order(self, key: str, **fields: Any) -> None:
        answer = httpx.patch(
            f"{self.url}/PurchaseOrders('{key}')", json=fields, auth=self.cap.buyer, headers={"if-match": "*"}
        )
        answer.raise_for_status()

    def shipments(self) -> list[dict[str, Any]]:
        with psycopg.connect(self.database, row_factory=dict_row) as database:
            return [plain(row) for row in database.execute("SELECT * FROM shipments ORDER BY id")]

    def messages(self, name: str) -> list[str]:
        headers = {"authorization": f"Bearer {self.token}"}
        listed = httpx.post(f"{self.slack}/conversations.list", headers=headers).json()["channels"]
        channel = next(item["id"] for item in listed if item["name"] == name)
        found = httpx.post(f"{self.slack}/conversations.history", data={"channel": channel}, headers=headers).json()
        return [message["text"] for message in found["messages"]]

    def everything(self) -> dict[str, Any]:
        return {
            "orders": {key: self.order(key) for key in MOVED},
            "shipments": self.shipments(),
            "buyers": self.messages("buyers"),
        }


@pytest.fixture
def company(cap: servers.Cap, emulate: servers.Emulate, postgres: servers.Postgres) -> Any:
    found = Company(cap, emulate, postgres)
    _feed().make_postgres(postgres.url)
    kept = {key: found.order(key)["deliveryDate"] for key in MOVED}
    yield found
    for key, day in kept.items():
        found.set_order(key, deliveryDate=day)


@pytest.fixture
async def hub(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    monkeypatch.setenv("CAP_PASSWORD", "mocked-so-any-will-do")
    monkeypatch.setenv("SLACK_TOKEN", company.token)
    config = Config(
        None,
        tmp_path,
        connections={
            "sql:logistics": {"environment": "test", "url": company.database},
            "sap:s4": {
                "environment": "test",
                "base_url": company.url,
                "auth": {"kind": "basic", "username": "alice", "password": "env:CAP_PASSWORD"},
            },
            "slack:works": {
                "environment": "test",
                "base_url": company.slack,
                "auth": {"kind": "bearer", "token": "env:SLACK_TOKEN"},
            },
        },
        user="olga",
    )
    async with Hub(config) as opened:
        yield opened


async def carry_out(hub: Hub, run: str, before_approval: Callable[[Preview], None] | None = None) -> RunState:
    """Start a run, approve each of its previews as they come, and wait for its end."""
    await hub.start(run)
    ending = asyncio.create_task(hub.wait(run))
    while not ending.done():
        state = hub.state(run)
        if state.waits:
            assert state.preview is not None
            if before_approval is not None:
                before_approval(state.preview)
            await hub.approve(run, state.preview.digest)
        await asyncio.wait([ending], timeout=0.05)
    return ending.result()


async def test_the_preview_changes_nothing_and_says_what_will_happen(company: Company, hub: Hub) -> None:
    before = company.everything()
    preview = await hub.preview(RUNBOOK)
    assert company.everything() == before
    assert not preview.failed
    assert not preview.deferred
    assert not preview.warnings
    assert {item.key: item.changes for item in preview.items.values() if item.step == "move"} == {
        key: [("deliveryDate", before["orders"][key]["deliveryDate"], day)] for key, day in MOVED.items()
    }
    assert preview.items["tell"].tells[0].startswith("#buyers")
    assert preview.items["tell"].undo["kind"] == "compensation"


async def test_the_outcome_is_the_preview_field_by_field(company: Company, hub: Hub) -> None:
    shown: list[Preview] = []
    run = await hub.create(RUNBOOK)
    state = await carry_out(hub, run, shown.append)
    assert (state.status, state.why) == ("done", "")
    (preview,) = shown

    outputs = {call.id: call.output for call in state.calls.values()}
    resolve = resolver(preview.nonce, outputs)
    for item in preview.items.values():
        after = settle(plain(item.after), preview.nonce, resolve)
        if item.step == "move":
            actual = company.order(item.key)
            assert not differences(after, {name: actual[name] for name in after})
        elif item.step == "log":
            rows = {f"id={row['id']}": row for row in company.shipments()}
            for shipment, fields in after["rows"].items():
                assert not differences(fields, {name: rows[shipment][name] for name in fields})
        else:
            assert company.messages("buyers").count(after["text"]) == 1
    assert not [call.differs for call in state.calls.values() if call.differs]
    assert sorted(state.outputs["rescheduled"]) == sorted(MOVED)
    assert not broken_links(run, hub.ledger.entries(run))


async def test_a_record_that_changed_after_the_preview_stops_the_run_with_a_diff(company: Company, hub: Hub) -> None:
    before = company.everything()
    run = await hub.create(RUNBOOK)
    state = await carry_out(hub, run, lambda preview: company.set_order("4500000007", deliveryDate="2026-05-05"))
    assert state.status == "paused"
    assert "4500000007" in state.why
    assert "shown '2026-03-23', now '2026-05-05'" in state.why
    assert company.order("4500000007")["deliveryDate"] == "2026-05-05"
    assert company.messages("buyers") == before["buyers"]

    resumed = asyncio.create_task(hub.resume(run))
    shown: list[Preview] = []
    while not resumed.done():
        state = hub.state(run)
        if state.waits:
            assert state.preview is not None
            shown.append(state.preview)
            await hub.approve(run, state.preview.digest)
        await asyncio.wait([resumed], timeout=0.05)
    assert resumed.result().status == "done"
    again = {item.key: item.before for item in shown[-1].items.values() if item.step == "move" and item.before}
    assert again["4500000007"]["deliveryDate"] == "2026-05-05"
    assert {key: company.order(key)["deliveryDate"] for key in MOVED} == MOVED
    assert len(company.messages("buyers")) == len(before["buyers"]) + 1


async def test_undo_restores_every_restorable_field_and_lists_the_rest(company: Company, hub: Hub) -> None:
    before = company.everything()
    run = await hub.create(RUNBOOK)
    assert (await carry_out(hub, run)).status == "done"
    assert company.everything() != before

    undo = await hub.plan_undo(run)
    assert undo.plan is not None
    assert not undo.stays
    assert undo.leaves == {"tell": "who has read it has read it; notifications stay"}
    back = await hub.create(undo.plan, undoes=run)
    assert (await carry_out(hub, back)).status == "done"

    after = company.everything()
    assert after["shipments"] == before["shipments"]
    assert after["buyers"] == before["buyers"]
    changed = {path.partition(".")[2] for path, _, _ in differences(before["orders"], after["orders"])}
    # What the server itself stamps is the rest.
    assert changed <= {"modifiedAt", "modifiedBy"}


async def test_with_nothing_late_nothing_is_written_and_nobody_is_asked(company: Company, hub: Hub) -> None:
    run = await hub.create(RUNBOOK, {"days_late": 300})
    await hub.start(run)
    state = await hub.wait(run)
    assert state.status == "done"
    assert state.outputs == {"rescheduled": [], "message": None}
    assert not state.approvals
