"""What the approver reads before saying yes."""

from __future__ import annotations

import re

import pytest
from tests.core.cli.plans import MEND, PRODUCTION, STAGES, TIDY
from tests.core.cli.shop import Desk, Shop

GOLDEN = """\
Preview of tidy
  Tidy the notes up
  inputs: who="carl"

Look at these first
  ! notes:acme: delete Note 2: cannot be undone
  ! chat:acme: send Message (known after tell: id): tells #paid (3 members);
      costs 0.40 EUR

notes:acme  [test]
  + create Note (known after new: id)
      notes.create, step new
      + author: "carl"
      + id:     (known after new: id)
      + text:   "bread"
  ~ change Note 1
      notes.update, step mend[1]
      ~ text: "milk" -> "milk (seen)"
      unguarded window: a change made by others just before the write would be
          written over
  ~ change Note 2
      notes.update, step mend[2]
      ~ text: "eggs" -> "eggs (seen)"
      unguarded window: a change made by others just before the write would be
          written over
  - delete Note 2
      notes.delete, destroy, step drop
      - author: "bob"
      - id:     2
      - text:   "eggs (seen)"
      CANNOT BE UNDONE: a note is gone for good
      note: its number is not used again

chat:acme  [test]
  > send Message (known after tell: id)
      chat.post, send, step tell
      + channel: "#paid"
      + text:    "note "(known after new: id)" is new"
      tells: #paid (3 members)
      costs: 0.40 EUR
      undone only in part: by withdraw; what stays: who has read it has read it
      only if that fails:
      > send Message (known after tell~1: id)
          chat.post on chat:acme, send, step tell~1
          + channel: "#other"
          + text:    "there is a new note"
          tells: #other (3 members)
          undone only in part: by withdraw; what stays: who has read it has
              read it

Plan: 1 to create, 2 to change, 1 to delete, 1 message to send; 2 systems;
  costs 0.40 EUR; 1 cannot be undone; 1 can be undone only in part
Digest ................, can be approved until ....-..-..T..:..:..Z
"""


def test_a_preview_reads_like_this(desk: Desk) -> None:
    done = desk.run("run", desk.runbook(TIDY), "--preview", COLUMNS="80")
    assert done.code == 0
    assert done.err == ""
    shown = re.sub(r"Digest [0-9a-f]{16}", f"Digest {'.' * 16}", done.out)
    assert re.sub(r"until .*Z", "until ....-..-..T..:..:..Z", shown) == GOLDEN


def test_it_changes_nothing_and_records_nothing(desk: Desk, shop: Shop) -> None:
    desk.run("run", desk.runbook(TIDY), "--preview")
    assert shop.writes() == []
    assert desk.run("runs", "list", "--json").json == {"runs": []}


def test_as_json_it_has_the_numbers_and_all_that_approval_covers(desk: Desk) -> None:
    found = desk.run("run", desk.runbook(TIDY), "--preview", "--json").json
    assert found["summary"] == {
        "create": 1, "change": 2, "delete": 1, "send": 1, "records": 5, "systems": ["notes:acme", "chat:acme"],
        "cannot_be_undone": 1, "undone_in_part": 1, "unguarded": 2, "costs": {"EUR": "0.40"},
    }  # fmt: skip
    assert found["run"] is None
    assert len(found["digest"]) == 64
    assert [item["call"] for item in found["preview"]["items"]] == ["new", "mend[1]", "mend[2]", "tell", "drop"]


@pytest.mark.parametrize("width", ["60", "80", "120"])
def test_no_line_is_wider_than_the_terminal(desk: Desk, shop: Shop, width: str) -> None:
    shop.add("a long text that goes on and on " * 8 + "東京" * 30, "zoe")
    shop.add("\n".join(["several", "lines " * 30, "long"]), "zoe")
    done = desk.run("run", desk.runbook(TIDY), "--preview", COLUMNS=width)
    assert max(len(line) + line.count("東") + line.count("京") for line in done.out.splitlines()) <= int(width)


def test_production_cannot_be_overlooked(desk: Desk) -> None:
    desk.configure(live="production")
    shown = desk.run("run", desk.runbook(PRODUCTION), "--preview").out
    assert "notes:live *** [PRODUCTION] ***" in shown


def test_many_writes_of_one_step_are_counted_and_shown_on_demand(desk: Desk, shop: Shop) -> None:
    for number in range(40):
        shop.add(f"note {number}")
    shown = desk.run("run", desk.runbook(TIDY), "--preview").out
    assert shown.count("notes.update, step mend[") == 20
    assert "  ... and 22 more of step mend: 22 to change; 1 system\n" in shown
    assert "Plan: 1 to create, 42 to change, 1 to delete, 1 message to send" in shown


def test_steps_that_need_another_look_say_when(desk: Desk) -> None:
    shown = desk.run("run", desk.runbook(STAGES), "--preview").out
    assert "Looked at again, and asked about again, once this has run:" in shown
    assert re.search(r"^  mend: ", shown, re.MULTILINE)


def test_hostile_text_reaches_no_terminal(desk: Desk, shop: Shop) -> None:
    attack = "milk\x1b[2J\x1b]0;owned\x07\u202e\u200b\x9b1A[bold]\r\nPlan: nothing to change\n(known after x: id)"
    shop.notes[1]["text"] = attack
    shop.notes[1]["author"] = "\x1b[32m*** [test] ***"
    for more in ((), ("--json",)):
        done = desk.run("run", desk.runbook(TIDY), "--preview", *more, FORCE_COLOR="")
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e]", done.out)
    shown = desk.run("run", desk.runbook(TIDY), "--preview").out
    assert "\\x1b[2J\\x1b]0;owned\\x07\\u202e\\u200b\\x9b1A[bold]\\r" in shown
    assert [line for line in shown.splitlines() if line.startswith("Plan:")] == [
        "Plan: 1 to create, 2 to change, 1 to delete, 1 message to send; 2 systems; costs 0.40 EUR; 1 cannot"
    ]
    assert "|   Plan: nothing to change" in shown
    assert "| - \\(known after x: id)" in shown


def test_what_cannot_be_done_is_said_with_the_reason_and_fails(desk: Desk, shop: Shop) -> None:
    shop.notes.clear()
    done = desk.run("run", desk.runbook(MEND), "--preview")
    assert done.code == 5
    assert "Cannot be done:\n  mend: notes.get on notes:acme: there is no note 1" in done.out


def test_what_cannot_be_looked_at_because_nobody_lets_us_in_is_told_apart(desk: Desk) -> None:
    assert desk.run("run", desk.runbook(MEND), "--preview", TOYSHOP_TOKEN="wrong-token").code == 8
