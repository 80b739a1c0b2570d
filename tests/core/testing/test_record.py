"""Recording a contract: against a real server, all or nothing, and nothing that does not replay."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from banksman import Compensation, Connector, Environment
from banksman.errors import BanksmanError, UsageError
from banksman.testing import record_contract
from banksman.testing.contract import Suite
from banksman.testing.script import Script, resolved

from . import toy
from .conftest import connection_to, written
from .toy import EXEMPT, SCRIPT, DeskSandbox, desk


async def made(folder: Path, connector: Connector = desk, **files: Any) -> list[Path]:
    written(folder, **files)
    with DeskSandbox() as sandbox:
        found = await record_contract(connector, connection_to(sandbox), folder / "script.yaml", folder)
        assert [one for one in sandbox.tickets.values() if one["title"] == "Window is stuck"] == [], "left behind"
    return found


def document(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text())


ONE = """
server: {name: desk sandbox, version: "1"}
keep: {fields: [code, state, next]}
accounts:
  nobody: {kind: bearer, token: "literal:no-such-token"}
cases:
  - action: tickets.get
    with: {id: T-1001}
    situations:
      not_found: {with: {id: T-9999}}
      denied: {account: nobody}
"""


async def test_a_recording_says_what_it_was_made_against_and_what_was_done_on_purpose(recorded: Path) -> None:
    honest = document(recorded, "tickets.get.denied")["recorded_against"]
    assert honest.keys() == {"server", "version", "date"}, "the desk itself refused"
    forced = document(recorded, "tickets.get.rate_limited")
    assert forced["recorded_against"]["note"] == (
        "GET /api/tickets/T-1001 did not reach the system; HTTP 429 was put in the place of its answer"
    )
    assert forced["exchanges"][0]["answer"]["fault"] == forced["recorded_against"]["note"]
    lost = document(recorded, "tickets.update.timeout_after_commit")["recorded_against"]["note"]
    assert lost == "PATCH /api/tickets/T-1001 was carried out by the system; its answer was dropped on purpose"


def test_a_recording_holds_no_secret_and_nothing_private(recorded: Path) -> None:
    text = "".join(path.read_text() for path in recorded.glob("*.json"))
    for private in ("ann@works.example", "Printer smokes", "Called by", "127.0.0.1", "no-such-token", "Bearer"):
        assert private not in text
    for public in ("Printer burns", "T-1001", "https://desk.example/api"):
        assert public in text


async def test_a_write_is_recorded_with_its_preview_its_undo_and_its_way_back(recorded: Path) -> None:
    expect = document(recorded, "tickets.update.success")["expect"]
    assert expect["change"]["after"]["title"] == "Printer burns"
    assert expect["read_back"] == expect["change"]["after"]
    assert expect["undo"]["kind"] == "inverse"
    assert expect["undo"]["restored"] == expect["change"]["before"]
    opened = document(recorded, "tickets.open.success")["expect"]
    assert opened["change"]["key"] == "(pending)"
    assert opened["undo"]["restored"] is None
    assert document(recorded, "tickets.pay.timeout_after_commit")["expect"]["reconcile"]["verdict"] == "found"
    assert document(recorded, "tickets.ring.timeout_after_commit")["expect"]["reconcile"]["verdict"] == "UNSURE"
    absent = document(recorded, "tickets.open.timeout_before_commit")["expect"]["reconcile"]
    assert absent == {"verdict": "ABSENT", "output": None}


async def test_recordings_that_the_script_no_longer_makes_are_removed(tmp_path: Path) -> None:
    (tmp_path / "tickets.gone.success.json").write_text("{}")
    names = [path.name for path in await made(tmp_path, script=ONE)]
    assert names == sorted(
        f"tickets.get.{one}.json" for one in ("success", "not_found", "denied", "rate_limited", "malformed")
    )
    assert not (tmp_path / "tickets.gone.success.json").exists()


async def test_a_variant_is_a_case_of_its_own(tmp_path: Path) -> None:
    more = "  - action: tickets.get\n    variant: other\n    with: {id: T-1002}\n    only: [success]\n"
    names = [path.stem for path in await made(tmp_path, script=ONE + more)]
    assert "tickets.get.success.other" in names
    assert len(names) == 6
    await Suite.load(desk, tmp_path).check(Suite.load(desk, tmp_path).cases[-1])


# What is refused, with nothing written.


async def refused(folder: Path, connector: Connector = desk, **files: Any) -> str:
    with pytest.raises(BanksmanError) as caught:
        await made(folder, connector, **files)
    assert _recordings(folder) == []
    return str(caught.value)


def _recordings(folder: Path) -> list[Path]:
    return list(folder.glob("*.json"))


async def test_production(tmp_path: Path) -> None:
    written(tmp_path, script=ONE)
    with DeskSandbox() as sandbox:
        unsaid = replace(connection_to(sandbox), environment=Environment.PRODUCTION)
        with pytest.raises(UsageError, match="desk:toy is production"):
            await record_contract(desk, unsaid, tmp_path / "script.yaml", tmp_path)
        assert sandbox.calls == []


async def test_a_promise_that_the_server_itself_refutes(tmp_path: Path) -> None:
    def to_nothing(receipt: Any) -> Any:
        return toy.update_ticket.call(id=receipt.arguments["id"], title="something else")

    liar = replace(
        desk, actions=[replace(one, undo=to_nothing) if one.name == "tickets.update" else one for one in desk.actions]
    )
    said = await refused(tmp_path, liar)
    assert "tickets.update.success, on the server itself" in said
    assert "undo: title: shown 'Printer smokes', came to be 'something else'" in said


async def test_a_situation_that_does_not_come_about(tmp_path: Path) -> None:
    said = await refused(tmp_path, script=ONE.replace("T-9999", "T-1002"))
    assert "tickets.get.not_found" in said
    assert "NotFound had to come of it, and an output did" in said


async def test_a_fault_that_befalls_nothing(tmp_path: Path) -> None:
    script = ONE + '      rate_limited: {fault: {befalls: "POST /nowhere", status: 429}}\n'
    assert "the fault befell no request" in await refused(tmp_path, script=script)


async def test_a_text_that_decides_something_and_is_not_kept(tmp_path: Path) -> None:
    said = await refused(tmp_path, script=SCRIPT.replace("fields: [code, state, next]", "fields: [state, next]"))
    assert "does not replay as it was recorded" in said
    assert "list their fields in `keep.fields`" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  - action: tickets.get", "  - action: tickets.gte", "did you mean desk.tickets.get"),
        ("denied: {account: nobody}", "denied: {account: somebody}", "no account 'somebody'"),
        ("      not_found:", "      lost:", "no such situation: lost"),
        ("with: {id: T-1001}", 'with: {id: "${made.id}"}', "there are no earlier steps"),
        ("with: {id: T-1001}", 'with: {id: "T-${made.id}"}', "a reference is a whole text"),
        ("server:", "sever:", "server: Field required"),
        ("cases:", "cases: [", "script.yaml"),
    ],
)
async def test_a_script_that_cannot_be_run(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in await refused(tmp_path, script=ONE.replace(old, new, 1))


async def test_an_exempt_situation_is_not_recorded(tmp_path: Path) -> None:
    exempt = EXEMPT + "tickets.get:\n  denied: nobody is refused here\n"
    assert "tickets.get.denied.json" not in [path.name for path in await made(tmp_path, script=ONE, exempt=exempt)]


async def test_what_a_compensation_leaves_is_cleaned_up(tmp_path: Path) -> None:
    assert isinstance(toy.delete_ticket.undo, Compensation)
    script = SCRIPT.partition("  - action: tickets.get")[0] + (
        "  - action: tickets.delete\n"
        "    set_up:\n"
        "      - {action: tickets.open, with: {title: Window is stuck}, as: opened}\n"
        "      - {request: {method: POST, path: \"tickets/T-1001/ring\"}}\n"
        '    with: {id: "${opened.id}"}\n'
        "    clean_up: [{action: tickets.list, as: left}, {action: tickets.delete, with: {id: \"${left[3].id}\"}}]\n"
        "    only: [success]\n"
    )  # fmt: skip
    assert [path.name for path in await made(tmp_path, script=script)] == ["tickets.delete.success.json"]


def test_references_keep_the_type_of_what_they_name() -> None:
    outputs = {"a": {"n": 5, "list": [{"id": "x"}]}}
    assert resolved({"n": "${a.n}", "all": "${a}", "deep": ["${a.list[0].id}"], "plain": "t"}, outputs) == {
        "n": 5,
        "all": outputs["a"],
        "deep": ["x"],
        "plain": "t",
    }


def test_the_texts_of_a_script_are_public_and_its_secrets_are_none_of_them(tmp_path: Path) -> None:
    texts = Script.load(written(tmp_path) / "script.yaml").texts()
    assert {"T-1001", "Printer burns", "To be deleted", "open"} <= texts
    assert not any("literal" in text or "${" in text for text in texts)
