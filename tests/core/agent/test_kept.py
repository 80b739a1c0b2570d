"""What another plan has to leave as it was, so that a round is not done again under another name."""

from __future__ import annotations

from typing import Any

import pytest

from banksman.ledger import Draft, Entry
from banksman.ledger._entry import chained
from banksman.plan import parse
from banksman.runtime import RunState, fixed_steps, fold, kept

PLAN = """
name: p
inputs: {ids: {type: array, default: [a, b]}}
connections: {desk: "desk:main"}
steps:
  extra: {action: desk.extra, on: desk, when: "${inputs.more}"}
  found: {action: desk.find, on: desk, for_each: "${extra || inputs.ids}", with: {id: "${each}"}}
  move: {action: desk.move, on: desk, for_each: "${found}", with: {id: "${each.id}"}}
  last: {action: desk.last, on: desk, for_each: "${move}", with: {id: "${each.id}"}}
"""


def after(*calls: str) -> RunState:
    """A run of the plan in which some calls have happened."""
    created = {"name": "p", "requester": "ann", "plan": parse(PLAN).document(), "inputs": {}, "facts": {}}
    drafts: list[tuple[str, str, dict[str, Any]]] = [("run.created", "", created)]
    drafts += [("call.read", call, {"output": {"id": call}}) for call in calls]
    entries: list[Entry] = []
    for number, (kind, call, body) in enumerate(drafts, start=1):
        entries.append(chained(Draft("r", kind, call, body), number, ""))
    return fold("r", entries)


def test_what_has_run_and_what_it_was_made_from_is_fixed():
    assert fixed_steps(after()) == set()
    assert fixed_steps(after("found[a]")) == {"found", "extra"}
    assert fixed_steps(after("move[a]~1")) == {"move", "found", "extra"}


@pytest.mark.parametrize(
    ("before", "now", "problem"),
    [
        ('when: "${inputs.more}"', 'when: "${inputs.ids}"', "steps.extra"),
        ('for_each: "${extra || inputs.ids}"', 'for_each: "${inputs.ids}"', "steps.found"),
        ("desk.find", "desk.search", "steps.found"),
        ('id: "${each}"', 'id: "${each} "', "steps.found"),
        ("  found: {", '  found: {when: "${each}", ', "steps.found"),
        ("  move: {", "  move: {key: id, ", "steps.move"),
        ("default: [a, b]", "default: [a]", "inputs"),
        ('"desk:main"', '"desk:other"', "steps.found"),
    ],
)
def test_a_change_below_what_has_run_is_a_problem(before, now, problem):
    assert before in PLAN
    problems = kept(after("found[a]", "found[b]", "move[a]"), parse(PLAN.replace(before, now)))
    assert any(text.startswith(f"{problem}:") for text in problems)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("  move: {", "  move: {when: \"${each.id != 'b'}\", "),
        ("  move: {", "  move: {else_try: [{action: desk.other, on: desk}], "),
        ("desk.last", "desk.other"),
        ("{desk: ", "{more: chat:x, desk: "),
    ],
)
def test_the_rest_is_free_and_a_loop_that_nothing_was_built_on_may_change_its_conditions(before, now):
    assert before in PLAN
    assert kept(after("found[a]", "found[b]", "move[a]"), parse(PLAN.replace(before, now))) == []


def test_an_alias_may_change_its_name_but_not_its_connection():
    renamed = PLAN.replace("{desk: ", "{tool: ").replace(", on: desk", ", on: tool")
    assert kept(after("found[a]"), parse(renamed)) == []


def test_a_step_that_has_run_cannot_be_left_out():
    (without,) = [line for line in PLAN.splitlines() if line.startswith("  last")]
    assert kept(after("last[a]"), parse(PLAN.replace(without, ""))) != []
