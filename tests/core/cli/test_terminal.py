"""A person at a terminal: asked once for each preview, heard only after the question, never left with a torn run."""

from __future__ import annotations

import json

import pytest
from tests.core.cli.plans import MEND, PRODUCTION, STAGES, TIDY
from tests.core.cli.shop import Answer, Desk, Shop, Terminal, eventually

pytestmark = pytest.mark.slow

ASKED = "Approve? [y/N/d=details]"
SLOW = """
name: slow
steps:
  one: {action: notes.update, on: "notes:acme", with: {id: 1, text: "ONE"}}
  two: {action: notes.update, on: "notes:acme", after: [one], with: {id: 2, text: "TWO"}}
"""


def test_a_yes_runs_it_also_in_production(desk: Desk, shop: Shop) -> None:
    desk.configure(live="production")
    terminal = Terminal(desk, "run", desk.runbook(PRODUCTION))
    terminal.until(ASKED)
    assert shop.writes() == []
    terminal.type("y\n")
    assert terminal.end() == 0, terminal.text
    assert "approved by olga (prompt)" in terminal.text
    assert shop.notes[1]["text"] == "MILK"


def test_anything_else_is_a_no_and_ends_the_run(desk: Desk, shop: Shop) -> None:
    terminal = Terminal(desk, "run", desk.runbook(MEND))
    terminal.until(ASKED)
    terminal.type("\n")
    assert terminal.end() == 4
    assert "Not approved" in terminal.text
    assert shop.writes() == []
    assert desk.run("runs", "list", "--json").json["runs"][0]["status"] == "cancelled"


def test_details_show_what_is_sent_and_ask_again(desk: Desk, shop: Shop) -> None:
    terminal = Terminal(desk, "run", desk.runbook(MEND))
    terminal.until(ASKED)
    assert "sends: PUT" not in terminal.text
    terminal.type("d\n")
    terminal.until(ASKED)
    assert f"sends: PUT {shop.url}/notes/1" in terminal.text
    terminal.type("y\n")
    assert terminal.end() == 0


def test_what_is_typed_before_the_question_approves_nothing(desk: Desk, shop: Shop) -> None:
    shop.fail(method="GET", delay=1.0, honest=True)
    terminal = Terminal(desk, "run", desk.runbook(MEND))
    eventually(lambda: bool(shop.calls))
    terminal.type("y\ny\n")
    terminal.until(ASKED)
    terminal.type("n\n")
    assert terminal.end() == 4
    assert shop.writes() == []


def test_each_stage_is_asked_about(desk: Desk, shop: Shop) -> None:
    terminal = Terminal(desk, "run", desk.runbook(STAGES))
    terminal.until(ASKED)
    terminal.type("y\n")
    terminal.until(ASKED)
    assert "stage 2" in terminal.text
    assert shop.texts() == ["milk", "eggs", "bread"]
    terminal.type("y\n")
    assert terminal.end() == 0, terminal.text
    assert shop.texts() == ["milk!", "eggs!", "bread!"]


def test_an_interruption_at_the_question_leaves_the_run_waiting(desk: Desk, shop: Shop) -> None:
    terminal = Terminal(desk, "run", desk.runbook(MEND))
    terminal.until(ASKED)
    terminal.interrupt()
    assert terminal.end() == 3, terminal.text
    assert "banksman approvals approve" in terminal.text
    assert shop.writes() == []


def test_the_end_of_input_leaves_it_waiting_too(desk: Desk) -> None:
    terminal = Terminal(desk, "run", desk.runbook(MEND))
    terminal.until(ASKED)
    terminal.type("\x04")
    assert terminal.end() == 3
    assert desk.run("approvals", "list", "--json").json["approvals"]


def test_an_interruption_lets_the_call_under_way_end_and_the_run_goes_on_later(desk: Desk, shop: Shop) -> None:
    shop.fail(method="PUT", delay=1.5, honest=True)
    terminal = Terminal(desk, "run", desk.runbook(SLOW), "--yes")
    eventually(lambda: bool(shop.writes()))
    terminal.interrupt()
    assert terminal.end() == 130, terminal.text
    assert "can be resumed" in terminal.text
    assert shop.texts() == ["ONE", "eggs"]
    run = desk.latest()
    calls = desk.run("runs", "show", run, "--json").json["calls"]
    assert [(call["id"], call["status"]) for call in calls] == [("one", "confirmed")]
    assert desk.run("runs", "resume", run).code == 0
    assert shop.texts() == ["ONE", "TWO"]
    assert len(shop.writes()) == 2


def test_somebody_else_may_decide_while_the_question_stands(desk: Desk, shop: Shop) -> None:
    terminal = Terminal(desk, "run", desk.runbook(MEND))
    terminal.until(ASKED)
    waiting = desk.run("approvals", "list", "--json").json["approvals"][0]
    elsewhere = desk.run("approvals", "approve", waiting["id"], waiting["digest"], "--no-wait")
    assert elsewhere.code == 0
    assert terminal.end() == 0, terminal.text
    assert "approved by olga (command)" in terminal.text
    assert shop.notes[1]["text"] == "MILK"


def test_a_run_of_another_process_is_followed(desk: Desk, shop: Shop) -> None:
    terminal = Terminal(desk, "run", desk.runbook(MEND))
    terminal.until(ASKED)
    waiting = desk.run("approvals", "list", "--json").json["approvals"][0]
    shop.fail(method="PUT", delay=4.0, honest=True)
    followed = desk.run("approvals", "approve", waiting["id"], waiting["digest"])
    assert followed.code == 0, followed.out + followed.err
    assert "being carried out by another process" in followed.out
    assert "mend  done" in followed.out
    assert terminal.end() == 0
    assert len(shop.writes()) == 1


def test_an_approval_without_a_digest_asks_for_it(desk: Desk, shop: Shop) -> None:
    desk.run("run", desk.runbook(MEND))
    waiting = desk.run("approvals", "list", "--json").json["approvals"][0]
    question = "Type the first 12 characters of the digest to approve:"
    for typed, code in (("yes", 3), (waiting["digest"][:12], 0)):
        terminal = Terminal(desk, "approvals", "approve", waiting["id"])
        terminal.until(question)
        assert "Preview of mend" in terminal.text
        terminal.type(f"{typed}\n")
        assert terminal.end() == code, terminal.text
    assert shop.notes[1]["text"] == "MILK"


def test_progress_tells_retries_and_what_is_unknown(desk: Desk, shop: Shop) -> None:
    shop.fail(method="PUT", answer=Answer(429, {"message": "slow down"}))
    shop.fail(method="POST", path="/notes", after_commit=True)
    terminal = Terminal(desk, "run", desk.runbook(TIDY), "--yes")
    assert terminal.end() == 0, terminal.text
    assert "nothing happened, trying again:" in terminal.text
    assert "it may have happened:" in terminal.text
    assert "done (it had happened)" in terminal.text


def test_colours_are_for_terminals_and_hostile_text_brings_none_of_its_own(desk: Desk, shop: Shop) -> None:
    shop.notes[1]["text"] = "\x1b[41mowned\x1b[0m [red]owned[/red]"
    terminal = Terminal(desk, "run", desk.runbook(MEND), "--preview", colour=True)
    assert terminal.end() == 0
    assert "\x1b[33m~ " in terminal.raw
    assert "\x1b[41mowned" not in terminal.raw
    assert "[red]owned[/red]" in terminal.text
    plain = Terminal(desk, "run", desk.runbook(MEND), "--preview")
    assert plain.end() == 0
    assert not [code for code in plain.raw.split("\x1b[")[1:] if code.split("m", 1)[0] not in ("0", "1", "2", "7", "")]


def test_json_on_a_terminal_asks_nothing_and_prints_nothing_else(desk: Desk) -> None:
    terminal = Terminal(desk, "run", desk.runbook(MEND), "--json")
    assert terminal.end() == 3
    assert [json.loads(line)["event"] for line in terminal.raw.splitlines() if line][-1] == "result"
