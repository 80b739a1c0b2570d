"""What is known of a plan before anything is called."""

from __future__ import annotations

import pytest

from banksman import Closed, Effect, Record, action
from banksman.errors import PlanError, UnknownName
from banksman.plan import bind_inputs, check, parse


class Row(Record):
    id: Closed[str]
    tags: tuple[str, ...] = ()


class Rows(Record):
    rows: list[Row]
    first: Row | None = None


@action("rows.list", effect=Effect.READ, docs="https://t.example")
async def list_rows(api, limit: int = 10) -> Rows:
    """Rows."""
    raise AssertionError


@action("rows.get", effect=Effect.READ, docs="https://t.example")
async def get_row(api, id: str) -> Row:
    """A row."""
    raise AssertionError


ACTIONS = {"t.rows.list": list_rows, "t.rows.get": get_row}


def lookup(connection, name):
    if name not in ACTIONS:
        raise UnknownName("action", name, ACTIONS)
    return ACTIONS[name]


def problems(steps: str, head: str = "") -> list[str]:
    return check(parse(f"name: x\nconnections: {{t: 't:a'}}\n{head}\nsteps:\n{steps}"), lookup)


def test_a_good_plan_has_no_problems():
    assert not problems(
        "  all: {action: t.rows.list, with: {limit: 5}}\n"
        "  one: {action: t.rows.get, for_each: '${all.rows[?id != `null`]}', with: {id: '${each.id}'}}\n"
        "  first: {action: t.rows.get, with: {id: '${all.first.id}'}}\n"
    )


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("{action: t.rows.lst}", "no action 't.rows.lst'; did you mean t.rows.list"),
        ("{action: t.rows.get}", "with.id: missing"),
        ("{action: t.rows.get, with: {id: 5}}", "with.id: input should be a valid string (got int)"),
        ("{action: t.rows.list, with: {limit: many}}", "with.limit: input should be a valid integer"),
        ("{action: t.rows.list, with: {limt: 5}}", "limt: no such argument; there are limit"),
        ("{action: t.rows.get, with: {id: '${al.rows}'}}", "no step or input 'al'; did you mean all"),
        ("{action: t.rows.get, with: {id: '${inputs.day}'}}", "no input 'day'"),
        ("{action: t.rows.get, with: {id: '${each.id}'}}", "`each` exists only where the step has `for_each`"),
        ("{action: t.rows.get, with: {id: '${all.rows[0'}}", "closing brace"),
        ("{action: t.rows.get, with: {id: x}, after: [al]}", "after: no step 'al'; did you mean all"),
        ("{action: t.rows.get, with: {id: '${one.id}'}}", "it refers to its own output"),
        ("{action: t.rows.get, with: {id: '${all.row}'}}", "has no 'row'; did you mean rows"),
        ("{action: t.rows.get, with: {id: '${all.rows.id}'}}", "all.rows is a list"),
        ("{action: t.rows.get, with: {id: '${all.first.ids}'}}", "has no 'first.ids'; did you mean id"),
        ("{action: u.rows.get, with: {id: x}}", "`connections` names none of u"),
    ],
)
def test_each_mistake_is_named_with_its_place(step, says):
    found = problems(f"  all: {{action: t.rows.list}}\n  one: {step}\n")
    assert len(found) == 1, found
    assert found[0].startswith("steps.one")
    assert says in found[0]


def test_the_output_of_a_loop_is_a_list():
    found = problems(
        "  one: {action: t.rows.get, for_each: [a], with: {id: '${each}'}}\n"
        "  two: {action: t.rows.get, with: {id: '${one.id}'}}\n"
    )
    assert "one is a list (it has for_each)" in found[0]


def test_a_circle_is_named():
    found = problems("  a: {action: t.rows.list, after: [b]}\n  b: {action: t.rows.list, after: [a]}\n")
    assert found == ["steps: they wait for each other in a circle: a -> b -> a"]


def test_ensures_and_outputs_are_checked_too():
    found = problems("  a: {action: t.rows.list}\n", "ensures: ['${b.rows}']\noutputs: {x: '${c}'}")
    assert [line.split(":")[0] for line in found] == ["ensures.0", "outputs"]


PLAN = parse(
    "name: x\ninputs:\n  n: {type: integer}\n  d: {type: date, default: 2026-01-01}\n"
    "  c: {enum: [red, green], default: red}\nsteps: {a: {action: t.t, on: 't:a'}}"
)


def test_inputs_are_converted_from_text_and_defaults_filled_in():
    assert bind_inputs(PLAN, {"n": "5"}) == {"n": 5, "d": "2026-01-01", "c": "red"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "inputs.n: missing; give it with --input n=VALUE (integer)"),
        ({"n": "five"}, "inputs.n: integer was expected, not 'five'"),
        ({"n": True}, "inputs.n: integer was expected, not bool"),
        ({"n": 1, "d": "tomorrow"}, "inputs.d: "),
        ({"n": 1, "c": "blue"}, "inputs.c: 'blue' is not one of 'red', 'green'"),
        ({"n": 1, "m": 2}, "inputs.m: no such input; "),
    ],
)
def test_bad_inputs_are_named(given, says):
    with pytest.raises(PlanError) as caught:
        bind_inputs(PLAN, given)
    assert any(says in problem for problem in caught.value.problems)
