"""What a runbook file may say, and what it is told when it says something else."""

from __future__ import annotations

import json

import pytest

from banksman.errors import PlanError
from banksman.plan import json_schema, load, parse

GOOD = """
name: good
inputs:
  days: {type: integer, default: 2}
connections: {erp: "sap:s4"}
steps:
  late: {action: sap.orders.list, on: erp, with: {days: "${inputs.days}"}}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(PlanError) as caught:
        parse(text)
    return list(caught.value.problems)


def test_a_good_runbook_is_read():
    plan = parse(GOOD)
    assert plan.steps["late"].action == "sap.orders.list"
    assert plan.connection_of(plan.steps["late"]) == "sap:s4"


def test_on_is_a_word_not_a_boolean():
    plan = parse("name: x\nsteps:\n  a: {action: s.t, on: sap:s4}\n")
    assert plan.steps["a"].on == "sap:s4"


def test_dates_and_leading_zeros_stay_text():
    plan = parse("name: x\nsteps: {a: {action: s.t, with: {day: 2026-01-31, order: 0045, yes: yes}}}")
    assert plan.steps["a"].arguments == {"day": "2026-01-31", "order": "0045", "yes": "yes"}


def test_every_problem_is_listed_with_its_place():
    found = problems("name: x\nstep: {}\nsteps:\n  a: {action: s.t, wiht: {}}\n  b: {on: s:t}\n")
    assert any(line.startswith("steps.a.wiht: no such field; there are action") for line in found)
    assert any(line.startswith("step: no such field; there are connections") for line in found)
    assert "steps.b.action: missing" in found


def test_a_syntax_error_names_line_and_column():
    assert problems("name: x\nsteps: {a: [}")[0].startswith("line 2, column 13")


def test_a_step_that_stands_there_twice_is_an_error_not_a_silent_loss():
    assert "'a' stands there twice" in problems("name: x\nsteps:\n  a: {action: s.t}\n  a: {action: s.u}\n")[0]


def test_aliases_are_refused_before_they_unfold():
    bomb = "name: x\na: &a [1,1]\nb: &b [*a,*a]\nsteps: {}\n"
    assert "aliases" in problems(bomb)[0]


@pytest.mark.parametrize("name", ["inputs", "each", "index", "run", "two words", "1st"])
def test_a_step_cannot_have_a_name_that_references_use_otherwise(name):
    assert any(name in line for line in problems(f"name: x\nsteps: {{'{name}': {{action: s.t}}}}"))


def test_a_missing_file_and_broken_text_are_plan_errors(tmp_path):
    with pytest.raises(PlanError, match="no such file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(PlanError, match="cannot be read"):
        load(tmp_path / "bad.yaml")


def test_json_is_read_as_well(tmp_path):
    (tmp_path / "good.json").write_text(json.dumps({"name": "x", "steps": {"a": {"action": "s.t"}}}))
    assert load(tmp_path / "good.json").name == "x"


def test_a_call_without_on_takes_the_only_connection_of_its_system():
    plan = parse("name: x\nconnections: {a: 'sap:one', b: 'slack:two'}\nsteps: {s: {action: sap.t}}")
    assert plan.connection_of(plan.steps["s"]) == "sap:one"


def test_a_call_without_on_is_an_error_where_there_are_two():
    plan = parse("name: x\nconnections: {a: 'sap:one', b: 'sap:two'}\nsteps: {s: {action: sap.t}}")
    with pytest.raises(PlanError, match="say `on`; there are sap:one, sap:two"):
        plan.connection_of(plan.steps["s"])


def test_the_document_of_a_plan_builds_the_same_plan():
    from banksman.plan import build

    plan = parse(GOOD)
    assert build(plan.document()) == plan


def test_the_json_schema_accepts_what_the_parser_accepts():
    schema = json_schema()
    assert schema["$schema"].endswith("2020-12/schema")
    assert "with" in schema["$defs"]["Step"]["properties"]
    assert schema["additionalProperties"] is False
