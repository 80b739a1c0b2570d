"""The contract suite passes an honest connector, and names each promise that a dishonest one breaks."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from banksman import ABSENT, UNSURE, Action, Change, Connector, NativeKey, Unknowable
from banksman.errors import Rejected, UsageError
from banksman.http import ErrorTable, Request
from banksman.testing import ContractBroken, LeftTheSeam, contract_suite, offline
from banksman.testing.contract import Suite

from . import toy
from .toy import desk

Alter = Callable[[Action[Any, Any]], Action[Any, Any]]


def altered(name: str, alter: Alter, connector: Connector = desk) -> Connector:
    """The connector with one action made otherwise."""
    actions = [alter(replace(one, connector="")) if one.name == name else one for one in connector.actions]
    return replace(connector, actions=actions)


def changed(make: Callable[[Change[Any]], Change[Any]]) -> Alter:
    """An action whose prepared change is made otherwise."""

    def alter(action: Action[Any, Any]) -> Action[Any, Any]:
        async def body(api: Any, **given: Any) -> Any:
            return make(await action.body(api, **given))

        return replace(action, body=body, given_input=action.input, given_output=action.output_type)

    return alter


async def problems(connector: Connector, folder: Path, name: str) -> str:
    suite = Suite.load(connector, folder)
    (case,) = [case for case in suite.cases if case.name == name]
    try:
        await suite.check(case)
    except ContractBroken as broken:
        return str(broken)
    return ""


async def test_an_honest_connector_passes_every_case(recorded: Path) -> None:
    suite = Suite.load(desk, recorded)
    assert len(suite.cases) == 42
    for case in suite.cases:
        await suite.check(case)
    await suite.check_coverage()


async def test_each_situation_of_each_action_was_recorded(recorded: Path) -> None:
    names = {case.name for case in Suite.load(desk, recorded).cases}
    for action in ("tickets.get", "tickets.update", "tickets.delete", "tickets.pay"):
        for situation in ("success", "not_found", "denied", "rate_limited", "malformed"):
            assert f"{action}.{situation}" in names
    assert "tickets.update.timeout_after_commit" in names
    assert "tickets.update.timeout_before_commit" in names


# What a dishonest connector is told.


async def test_a_preview_that_shows_another_outcome_is_named(recorded: Path) -> None:
    liar = altered("tickets.update", changed(lambda c: replace(c, after={**(c.after or {}), "state": "closed"})))
    assert "preview: state: shown 'closed', came to be 'open'" in await problems(
        liar, recorded, "tickets.update.success"
    )


async def test_a_shown_field_that_cannot_be_read_is_named(recorded: Path) -> None:
    liar = altered("tickets.update", changed(lambda c: replace(c, after={**(c.after or {}), "mood": "good"})))
    assert "mood: shown, and not in what a read gives" in await problems(liar, recorded, "tickets.update.success")


async def test_an_output_other_than_predicted_is_named(recorded: Path) -> None:
    liar = altered("tickets.update", changed(lambda c: replace(c, result={**c.result, "title": "as before"})))
    assert "predicted output: title" in await problems(liar, recorded, "tickets.update.success")


async def test_an_undo_that_does_not_restore_is_named(copied: Path) -> None:
    path = copied / "tickets.update.success.json"
    document = json.loads(path.read_text())
    document["exchanges"][-1]["answer"]["body"]["json"]["title"] = "Something else"
    path.write_text(json.dumps(document))
    assert "undo: title: shown" in await problems(desk, copied, "tickets.update.success")


async def test_an_undo_of_another_record_is_named(recorded: Path) -> None:
    def elsewhere(receipt: Any) -> Any:
        return toy.update_ticket.call(id="T-1002", title="x")

    liar = altered("tickets.update", lambda action: replace(action, undo=elsewhere))
    assert "unexpected" in await problems(liar, recorded, "tickets.update.success")


@pytest.mark.parametrize(
    ("situation", "says", "complaint"),
    [
        ("timeout_after_commit", ABSENT, "the write had happened, and reconcile said ABSENT"),
        ("timeout_after_commit", UNSURE, "the write had happened, and reconcile said UNSURE"),
        ("timeout_before_commit", {"id": "T-1001"}, "nothing was written, and reconcile found it"),
    ],
)
async def test_a_reconcile_that_is_wrong_is_named(recorded: Path, situation: str, says: Any, complaint: str) -> None:
    async def reconcile(api: Any, sent: Any) -> Any:
        await api.read(toy.get_ticket, id=sent.arguments["id"])
        return says

    liar = altered("tickets.update", lambda action: replace(action, reconcile=reconcile))
    assert complaint in await problems(liar, recorded, f"tickets.update.{situation}")


async def test_a_reconcile_that_finds_somebody_elses_record_is_named(recorded: Path) -> None:
    async def reconcile(api: Any, sent: Any) -> Any:
        ticket = await api.read(toy.get_ticket, id=sent.arguments["id"])
        return ticket.model_copy(update={"title": "another"})

    liar = altered("tickets.update", lambda action: replace(action, reconcile=reconcile))
    assert "reconcile found something else: title" in await problems(
        liar, recorded, "tickets.update.timeout_after_commit"
    )


@pytest.mark.parametrize("situation", ["not_found", "denied"])
async def test_an_error_of_the_wrong_kind_is_named(recorded: Path, situation: str) -> None:
    table = ErrorTable({"oops": Rejected}, lambda answer: ("oops", "x") if answer.status_code >= 400 else None)
    said = await problems(replace(desk, errors=table), recorded, f"tickets.update.{situation}")
    assert "had to come of it, and Rejected did" in said


async def test_a_request_that_was_not_recorded_is_named_with_the_nearest_one(recorded: Path) -> None:
    async def body(api: Any, id: str) -> Any:
        await api.get(f"tickets/{id}", params={"expand": "owner"})
        return await toy.get_ticket.body(api, id=id)

    liar = altered("tickets.get", lambda action: replace(action, body=body))
    said = await problems(liar, recorded, "tickets.get.success")
    assert '"expand"' in said
    assert "the nearest recorded" in said
    assert "/api/tickets/T-1001" in said


async def test_a_recorded_request_that_is_not_made_any_more_is_named(recorded: Path) -> None:
    async def body(api: Any, state: str) -> Any:
        return []

    liar = altered("tickets.list", lambda action: replace(action, body=body))
    assert "recorded and not asked for: GET /api/tickets" in await problems(liar, recorded, "tickets.list.success")


async def test_another_output_than_recorded_is_named(copied: Path) -> None:
    path = copied / "tickets.get.success.json"
    path.write_text(path.read_text().replace('"state": "open"\n  }\n }', '"state": "closed"\n  }\n }'))
    document = json.loads(path.read_text())
    document["expect"]["output"]["state"] = "closed"
    path.write_text(json.dumps(document))
    assert "output.state: recorded 'closed', now 'open'" in await problems(desk, copied, "tickets.get.success")


async def test_an_idempotency_key_has_to_be_on_the_request(recorded: Path) -> None:
    def strip(change: Change[Any]) -> Change[Any]:
        return replace(
            change,
            requests=tuple(replace(cast("Request", one), headers={}, idempotent=False) for one in change.requests),
        )

    said = await problems(altered("tickets.pay", changed(strip)), recorded, "tickets.pay.success")
    assert "bears no Idempotency-Key" in said


async def test_only_a_declared_key_makes_a_request_repeatable(recorded: Path) -> None:
    liar = altered("tickets.pay", lambda action: replace(action, reconcile=Unknowable("no")))
    assert "marked idempotent, and reconcile is no NativeKey" in await problems(liar, recorded, "tickets.pay.success")
    assert isinstance(toy.pay.reconcile, NativeKey)


async def test_a_record_that_nobody_can_read_has_to_be_exempt(copied: Path) -> None:
    (copied / "exempt.yaml").write_text(
        toy.EXEMPT.replace("tickets.pay:\n  read_back: the desk does not show payments", "")
    )
    assert "no read action gives a Payment by the key" in await problems(desk, copied, "tickets.pay.success")


# What is missing.


async def coverage(connector: Connector, folder: Path) -> str:
    try:
        await Suite.load(connector, folder).check_coverage()
    except ContractBroken as broken:
        return str(broken)
    return ""


async def test_every_missing_situation_is_listed(copied: Path) -> None:
    for name in ("tickets.get.denied", "tickets.update.timeout_after_commit"):
        (copied / f"{name}.json").unlink()
    (copied / "exempt.yaml").unlink()
    said = await coverage(desk, copied)
    for line in (
        "tickets.get: no recording of denied",
        "tickets.update: no recording of timeout_after_commit",
        "tickets.list: no recording of not_found",
    ):
        assert line in said


async def test_an_action_without_any_recording_is_listed(recorded: Path) -> None:
    extra = replace(toy.get_ticket, name="tickets.peek")
    said = await coverage(replace(desk, actions=[*desk.actions, extra]), recorded)
    assert "tickets.peek: no recording of success" in said


async def test_recordings_and_exemptions_for_nothing_are_listed(copied: Path) -> None:
    fewer = replace(desk, actions=[one for one in desk.actions if one.name != "tickets.ring"])
    (copied / "exempt.yaml").write_text(
        toy.EXEMPT
        + "tickets.gone:\n  denied: it was removed last year\ntickets.get:\n  malformed: it is never malformed\n"
        "  timeout_after_commit: it is a read after all\n"
    )
    said = await coverage(fewer, copied)
    assert "tickets.ring: recorded (denied), and there is no such action" in said
    assert "exempt.yaml: tickets.gone: there is no such action" in said
    assert "tickets.get: malformed is exempt, and recorded all the same" in said
    assert "tickets.get: timeout_after_commit is not asked of it" in said


@pytest.mark.parametrize("text", ["tickets.get:\n  denied: no\n", "tickets.get:\n  denied:\n", "tickets.get: later\n"])
def test_an_exemption_needs_a_reason(copied: Path, text: str) -> None:
    (copied / "exempt.yaml").write_text(text)
    with pytest.raises(UsageError, match="say why"):
        Suite.load(desk, copied)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "other"}', '{"format": "banksman.contract.v1"}'])
def test_a_file_that_is_no_recording_is_named(copied: Path, text: str) -> None:
    (copied / "tickets.get.denied.json").write_text(text)
    with pytest.raises(UsageError, match=r"tickets\.get\.denied\.json"):
        Suite.load(desk, copied)


# How an author uses it.


def test_an_outside_author_needs_two_lines(copied: Path) -> None:
    """A folder of its own, pytest alone: no plugin of ours, no setting."""
    here = Path(__file__).parent
    (copied / "my_toy.py").write_text((here / "toy.py").read_text())
    (copied / "test_mine.py").write_text(
        "from pathlib import Path\n"
        "from my_toy import desk\n"
        "from banksman.testing import contract_suite\n\n"
        "test_contract = contract_suite(desk, Path(__file__).parent)\n"
    )
    root = here.parents[2]
    paths = os.pathsep.join([str(root / "core"), str(copied)])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:anyio", "test_mine.py"]
    done = subprocess.run(
        command, cwd=copied, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    assert "43 passed" in done.stdout, done.stdout + done.stderr


def test_each_recording_is_a_test_of_its_own(recorded: Path) -> None:
    check = contract_suite(desk, recorded)
    (mark,) = check.pytestmark  # type: ignore[attr-defined]
    names = [parameter.id for parameter in mark.args[1]]
    assert names[0] == "desk-tickets.delete.denied"
    assert names[-1] == "desk-coverage"


def test_nothing_gets_past_the_seam_while_replaying() -> None:
    def past() -> None:
        with offline(), contextlib.suppress(AssertionError):  # as an SDK may do
            socket.create_connection(("127.0.0.1", 9))

    with pytest.raises(LeftTheSeam, match="past the seam"):
        past()
    with offline():
        left, right = socket.socketpair()
        left.close()
        right.close()
