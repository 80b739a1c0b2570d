"""Taking a run back: what cannot be undone is said before, what was restored is said after."""

from __future__ import annotations

import pytest
from tests.core.cli.plans import MEND, READ, TIDY
from tests.core.cli.shop import Desk, Shop, Terminal

KEPT = """
name: kept
steps:
  mend: {action: notes.update, on: "notes:acme", with: {id: 1, text: "MILK"}}
  new: {action: notes.create, on: "notes:acme", with: {text: bread}}
"""


@pytest.fixture
def tidied(desk: Desk) -> str:
    """A run that has changed, made, sent and deleted something."""
    assert desk.run("run", desk.runbook(TIDY), "--yes").code == 0
    return desk.latest()


def test_what_cannot_be_undone_is_said_before_anybody_is_asked(desk: Desk, shop: Shop, tidied: str) -> None:
    before = len(shop.writes())
    terminal = Terminal(desk, "runs", "undo", tidied)
    terminal.until("Approve? [y/N/d=details]")
    told = terminal.text
    assert told.index("Cannot be undone:") < told.index("Undone only in part") < told.index("Preview of undo-tidy")
    assert "drop: a note is gone for good" in told
    assert "mend[2]: drop has deleted the record since" in told
    assert "tell: who has read it has read it" in told
    terminal.type("n\n")
    assert terminal.end() == 4
    assert len(shop.writes()) == before


def test_a_preview_of_it_changes_nothing(desk: Desk, shop: Shop, tidied: str) -> None:
    before = len(shop.writes())
    assert desk.run("runs", "undo", tidied, "--preview").code == 0
    found = desk.run("runs", "undo", tidied, "--preview", "--json").json
    assert found["stays"].keys() == {"drop", "mend[2]"}
    assert found["leaves"].keys() == {"tell"}
    assert [item["action"] for item in found["preview"]["items"]] == ["chat.withdraw", "notes.update", "notes.delete"]
    assert len(shop.writes()) == before
    assert desk.latest() == tidied


def test_afterwards_it_says_what_was_restored_field_by_field(desk: Desk, shop: Shop, tidied: str) -> None:
    done = desk.run("runs", "undo", tidied, "--yes", "--json")
    assert done.code == 0, done.out
    assert shop.texts() == ["milk"]
    restored = {one["call"]: one for one in done.lines[-1]["calls"]}
    assert done.lines[-1]["event"] == "restored"
    assert {call: one["how"] for call, one in restored.items()} == {
        "mend[1]": "restored", "mend[2]": "stays", "new": "restored", "tell": "partly", "drop": "stays",
    }  # fmt: skip
    assert restored["mend[1]"]["restored"] == ["text"]
    assert restored["drop"]["why"] == "a note is gone for good"
    shown = desk.run("runs", "show", tidied, "--json").json
    assert shown["undone"] == done.lines[-1]["by"]
    again = desk.run("runs", "undo", tidied)
    assert again.code == 2
    assert "was undone by run" in again.err


def test_a_field_that_the_system_gives_back_otherwise_is_told(desk: Desk, shop: Shop) -> None:
    assert desk.run("run", desk.runbook(KEPT), "--yes").code == 0
    shop.trims = True
    done = desk.run("runs", "undo", desk.latest(), "--yes")
    assert done.code == 0, done.out
    assert 'different: text: was "milk", is "mil"' in done.out
    assert "restored new  Note" in done.out


def test_a_record_that_changed_since_is_not_written_over(desk: Desk, shop: Shop) -> None:
    assert desk.run("run", desk.runbook(MEND), "--yes").code == 0
    run = desk.latest()
    terminal = Terminal(desk, "runs", "undo", run)
    terminal.until("Approve? [y/N/d=details]")
    shop.notes[1]["text"] = "written by somebody else"
    terminal.type("y\n")
    assert terminal.end() == 6, terminal.text
    assert shop.notes[1]["text"] == "written by somebody else"


def test_what_changed_nothing_has_nothing_to_undo(desk: Desk) -> None:
    desk.run("run", desk.runbook(READ))
    done = desk.run("runs", "undo", desk.latest())
    assert done.code == 0
    assert "nothing to undo" in done.out


def test_a_run_that_waits_is_not_undone(desk: Desk) -> None:
    desk.run("run", desk.runbook(MEND))
    assert desk.run("runs", "undo", desk.latest()).code == 2
