"""A plan that a model made is kept as a runbook: as YAML that reads back as the same plan."""

from __future__ import annotations

import pytest

from banksman.plan import dump, parse

PLAN = """
name: keep
goal: Keep it
inputs: {n: {type: integer, default: 2}}
connections: {desk: "desk:main"}
steps:
  b: {action: desk.b, on: desk, for_each: "${a}", with: {id: "${each.id}", text: "two\\nlines ${inputs.n}"}}
  a: {action: desk.a, on: desk, with: {no: "0045", day: "2026-01-01", yes: "yes", t: "true", nil: "~", f: "1e3"}}
ensures: ["${length(b) == `2`}"]
"""


def test_it_reads_back_as_the_same_plan():
    plan = parse(PLAN)
    assert parse(dump(plan)) == plan


def test_steps_stand_in_the_order_they_run_and_references_in_quotes():
    text = dump(parse(PLAN))
    assert text.index("  a:") < text.index("  b:")
    assert 'for_each: "${a}"' in text
    assert "    on: desk" in text


@pytest.mark.parametrize(
    "text", ["yes", "on", "null", "1_000", "0x1f", "1:30", "- a", "a: b", "# a", "", " a ", "$${x}", "'"]
)
def test_any_text_stays_a_text(text):
    plan = parse("name: p\nsteps:\n  x: {action: a.b}")
    step = plan.steps["x"].model_copy(update={"arguments": {"text": text, text or "e": 1}})
    plan = plan.model_copy(update={"steps": {"x": step}})
    assert parse(dump(plan)) == plan
