"""Whatever goes wrong, the error says what to do and nothing is lost: the flagship runbook on its sandboxes."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from banksman.config import Config
from banksman.errors import PlanError, StorageError, Unavailable
from banksman.hub import Hub
from banksman.ledger import broken_links
from banksman.plan import build, load
from banksman.runtime import RunState
from banksman.testing.sandbox import Answer
from banksman_connectors.sap.sandbox import PurchasingSandbox
from banksman_connectors.slack.sandbox import BUYERS, SlackSandbox

EXAMPLE = Path(__file__).parents[2] / "examples" / "supply_chain"
RUNBOOK = load(EXAMPLE / "runbook.yaml")
OPEN = ("4500000003", "4500000007", "4500000012")
OLD = {"4500000003": "2026-03-11", "4500000007": "2026-03-23", "4500000012": "2026-04-07"}
NEW = {"4500000003": "2026-03-18", "4500000007": "2026-03-28", "4500000012": "2026-04-10"}


class Company:
    """The embedded systems, and a hub's configuration for them."""

    def __init__(self, folder: Path, sap: PurchasingSandbox, slack: SlackSandbox) -> None:
        self.folder, self.sap, self.slack = folder, sap, slack
        spec = importlib.util.spec_from_file_location("supply_chain_feed", EXAMPLE / "feed.py")
        assert spec is not None
        assert spec.loader is not None
        feed = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(feed)
        feed.make_sqlite(folder / "feed.db")

    def config(self, **sap: Any) -> Config:
        return Config(
            None,
            self.folder / "home",
            connections={
                "sql:logistics": {"environment": "test", "url": f"sqlite:///{self.folder}/feed.db"},
                "sap:s4": {
                    "environment": "test",
                    "base_url": self.sap.url,
                    "settle": 0.3,
                    "auth": {"kind": "bearer", "token": "env:SAP_TOKEN"},
                    **sap,
                },
                "slack:works": {
                    "environment": "test",
                    "base_url": self.slack.api_url,
                    "settle": 0.3,
                    "auth": {"kind": "bearer", "token": "env:SLACK_TOKEN"},
                },
            },
            user="olga",
        )

    def dates(self) -> dict[str, Any]:
        return {key: (self.sap.order(key) or {}).get("deliveryDate") for key in OPEN}

    def logged(self) -> int:
        with sqlite3.connect(self.folder / "feed.db") as feed:
            return int(feed.execute("SELECT count(*) FROM shipments WHERE rescheduled_to IS NOT NULL").fetchone()[0])


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    with PurchasingSandbox() as sap, SlackSandbox() as slack:
        monkeypatch.setenv("SAP_TOKEN", sap.token)
        monkeypatch.setenv("SLACK_TOKEN", slack.token)
        yield Company(tmp_path, sap, slack)


async def finish(hub: Hub, run: str, *, resume: bool = False, before_approval: Any = None) -> RunState:
    ending = asyncio.create_task(hub.resume(run) if resume else hub.carry_out(run))
    while not ending.done():
        state = hub.state(run)
        if state.waits:
            assert state.preview is not None
            if before_approval is not None:
                before_approval()
            await hub.approve(run, state.preview.digest)
        await asyncio.wait([ending], timeout=0.05)
    return ending.result()


async def run_all(company: Company, before_approval: Any = None, **sap: Any) -> tuple[RunState, str]:
    async with Hub(company.config(**sap), durable=False) as hub:
        run = await hub.create(RUNBOOK)
        return await finish(hub, run, before_approval=before_approval), run


async def test_a_broken_plan_lists_every_problem_before_anything_is_called(company: Company) -> None:
    document = RUNBOOK.document()
    document["steps"]["move"]["with"]["deliveryDat"] = document["steps"]["move"]["with"].pop("deliveryDate")
    document["steps"]["late"]["with"]["statement"] = 5
    document["steps"]["tell"]["with"]["text"] = "${moved[].id}"
    document["steps"]["orders"]["action"] = "sap.purchase_order.get"
    async with Hub(company.config(), durable=False) as hub:
        with pytest.raises(PlanError) as caught:
            await hub.create(build(document))
    text = str(caught.value)
    for told in (
        "steps.move.with.deliveryDat: no such argument; there are",
        "steps.late.with.statement: input should be a valid string (got int)",
        "no step or input 'moved'; did you mean move",
        "no action 'sap.purchase_order.get'; did you mean sap.purchase_orders.get",
    ):
        assert told in text
    assert not [call for call in company.slack.calls if call.path.endswith("chat.postMessage")]


async def test_a_circle_is_named(company: Company) -> None:
    document = RUNBOOK.document()
    document["steps"]["late"]["after"] = ["tell"]
    async with Hub(company.config(), durable=False) as hub:
        with pytest.raises(PlanError, match="in a circle: late ->"):
            await hub.create(build(document))


async def test_an_unreachable_system_is_named_with_what_to_check(company: Company) -> None:
    with pytest.raises(Unavailable) as caught:
        await run_all(company, base_url="http://127.0.0.1:9")
    assert caught.value.connection == "sap:s4"
    assert "127.0.0.1:9" in str(caught.value)
    assert "`banksman connections test` tries it" in str(caught.value)


async def test_an_expired_token_says_renew_and_names_no_secret(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_TOKEN", "xoxb-expired-in-march-1234567890")
    state, _ = await run_all(company)
    assert state.status == "paused"
    assert "slack:works" in state.why
    assert "renew" in state.why
    assert "expired-in-march" not in state.why
    assert company.dates() == OLD


async def test_a_500_in_the_middle_is_reconciled_and_nothing_is_doubled(company: Company) -> None:
    def break_it() -> None:
        company.sap.fail(method="PATCH", path="4500000007", answer=Answer(500, b"oops"), after_commit=True)

    state, _ = await run_all(company, before_approval=break_it)
    assert (state.status, state.why) == ("done", "")
    assert company.dates() == NEW
    sent = [call for call in company.sap.calls if call.method == "PATCH" and "4500000007" in call.path]
    assert len(sent) == 1
    assert len(company.slack.texts(BUYERS)) == 1


async def test_a_500_that_did_nothing_is_sent_again_once_that_is_certain(company: Company) -> None:
    def break_it() -> None:
        company.sap.fail(method="PATCH", path="4500000007", answer=Answer(500, b"oops"))

    state, _ = await run_all(company, before_approval=break_it)
    assert (state.status, state.why) == ("done", "")
    assert company.dates() == NEW


async def test_a_dropped_message_is_found_again_and_not_posted_twice(company: Company) -> None:
    state, _ = await run_all(
        company, before_approval=lambda: company.slack.fail(path="chat.postMessage", after_commit=True)
    )
    assert (state.status, state.why) == ("done", "")
    assert len(company.slack.texts(BUYERS)) == 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"x" * 10_000_000, "larger than"),
        (b'{"id": "\xff\xfe"}', "not valid UTF-8"),
        (b"<html>Log in</html>", "not JSON"),
        (b'{"id": ' + b"[" * 100_000, "JSON"),
    ],
    ids=["10 MB", "invalid UTF-8", "a login page", "deep nesting"],
)
async def test_an_answer_that_cannot_be_read_stops_before_anything_is_written(
    company: Company, body: bytes, says: str
) -> None:
    kind = {"content-type": "application/json"}
    company.sap.fail(method="GET", path="4500000007", times=50, answer=Answer(200, body, kind))
    state, _ = await run_all(company)
    assert state.status == "paused"
    assert says in state.why
    assert "sap:s4" in state.why
    assert company.dates() == OLD
    assert company.logged() == 0


_FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.end_to_end.test_bad_input import RUNBOOK, finish, Config
from banksman.errors import StorageError
from banksman.hub import Hub

async def main():
    config = Config(None, Path({home!r}), connections={connections!r}, user="olga")
    async with Hub(config, durable=False) as hub:
        run = await hub.create(RUNBOOK)
        print(run, flush=True)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = (Path({home!r}) / "ledger.db-wal").stat().st_size
        def fill():
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + {room}, resource.RLIM_INFINITY))
        try:
            await finish(hub, run, before_approval=fill)
        except StorageError as error:
            print(error, flush=True)
            sys.exit(9)

asyncio.run(main())
"""


async def test_a_full_disk_stops_the_run_and_it_goes_on_once_there_is_space(company: Company) -> None:
    config = company.config()
    script = _FULL_DISK.format(
        root=str(Path(__file__).parents[2]),
        home=str(config.home),
        connections={name: dict(settings) for name, settings in config.connections.items()},
        room=60_000,
    )
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=False,
    )
    assert ended.returncode == 9, ended.stdout + ended.stderr
    run, told = ended.stdout.split("\n", 1)
    assert "cannot be used" in told
    assert "free space" in told or "disk space" in told
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY

    async with Hub(config, durable=False) as hub:
        sent = {call.path for call in company.sap.calls if call.method == "PATCH"}
        intended = {entry.call for entry in hub.ledger.entries(run) if entry.kind == "call.intended"}
        assert len(sent) <= len(intended)
        state = await finish(hub, run, resume=True)
        assert (state.status, state.why) == ("done", "")
        assert not broken_links(run, hub.ledger.entries(run))
    assert company.dates() == NEW
    assert len(company.slack.texts(BUYERS)) == 1


async def test_a_ledger_that_cannot_be_opened_is_an_error_before_anything_is_sent(company: Company) -> None:
    (company.folder / "home").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot be used"):
        await run_all(company)
    assert company.dates() == OLD
