"""The plan as a machine: order, loops, alternatives, failures, deferral."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banksman.plan import Interpreter, build, ordered, round_keys


def plan_of(**steps):
    full = {name: {"action": "t.t", "on": "t:a", **step} for name, step in steps.items()}
    return build({"name": "test", "steps": full})


def drive(machine, answer):
    """Run to the end; `answer` gives an output, or raises to fail. Returns the calls in order."""
    calls = []
    while not machine.idle:
        for call in machine.take():
            calls.append(call.id)
            try:
                machine.succeed(call.id, answer(call))
            except RuntimeError as error:
                machine.fail(call.id, str(error))
    return calls


def test_independent_steps_are_ready_together():
    machine = Interpreter(plan_of(a={}, b={}, c={"with": {"x": "${a.v}"}}), {}, {})
    assert [call.id for call in machine.take()] == ["a", "b"]
    machine.succeed("a", {"v": 1})
    assert [call.arguments for call in machine.take()] == [{"x": 1}]


def test_a_loop_makes_a_call_for_each_item_and_its_output_is_a_list():
    plan = plan_of(
        a={}, b={"for_each": "${a}", "with": {"id": "${each.id}", "n": "${index}"}}, c={"with": {"all": "${b[].got}"}}
    )
    machine = Interpreter(plan, {}, {})
    seen = {}

    def answer(call):
        seen[call.id] = call.arguments
        return [{"id": "x"}, {"id": "y"}] if call.id == "a" else {"got": call.arguments.get("id")}

    assert drive(machine, answer) == ["a", "b[x]", "b[y]", "c"]
    assert seen["b[y]"] == {"id": "y", "n": 1}
    assert seen["c"] == {"all": ["x", "y"]}


def test_an_empty_loop_is_done_with_an_empty_output():
    machine = Interpreter(plan_of(a={}, b={"for_each": "${a}"}, c={"with": {"n": "${length(b)}"}}), {}, {})
    assert drive(machine, lambda call: []) == ["a", "c"]
    assert machine.outputs["b"] == []


def test_when_skips_a_step_and_what_reads_it_sees_null():
    machine = Interpreter(plan_of(a={"when": "${inputs.go}"}, b={"with": {"x": "${a.v}"}}), {"go": False}, {})
    assert drive(machine, lambda call: call.arguments) == ["b"]
    assert machine.outputs == {"a": None, "b": {"x": None}}
    assert machine.skipped == {"a"}


def test_when_over_the_item_filters_the_rounds():
    plan = plan_of(a={"for_each": [{"id": "x", "go": True}, {"id": "y", "go": False}], "when": "${each.go}"})
    machine = Interpreter(plan, {}, {})
    assert drive(machine, lambda call: call.id) == ["a[x]"]
    assert machine.outputs["a"] == ["a[x]"]


def test_else_try_takes_over_after_a_failure():
    plan = plan_of(a={"else_try": [{"action": "t.u", "on": "t:a"}, {"action": "t.v", "on": "t:a"}]})
    machine = Interpreter(plan, {}, {})

    def answer(call):
        if call.way < 2:
            raise RuntimeError("no")
        return call.action

    assert drive(machine, answer) == ["a", "a~1", "a~2"]
    assert machine.outputs["a"] == "t.v"


def test_a_failed_round_lets_the_others_finish_and_blocks_what_follows():
    machine = Interpreter(plan_of(a={"for_each": ["x", "y"]}, b={"after": ["a"]}, c={}), {}, {})

    def answer(call):
        if call.id == "a[x]":
            raise RuntimeError("no")

    assert sorted(drive(machine, answer)) == ["a[x]", "a[y]", "c"]
    assert machine.state_of("a") == "failed"
    assert machine.state_of("b") == "blocked"
    assert machine.state_of("c") == "done"


def test_a_deferred_step_defers_what_waits_for_it():
    machine = Interpreter(plan_of(a={}, b={"after": ["a"]}, c={"after": ["b"]}), {}, {})
    machine.take()
    machine.defer("a", "because")
    assert machine.idle
    assert machine.deferred == {"a": "because", "b": "waits for a", "c": "waits for b"}


def test_an_expression_that_cannot_be_evaluated_fails_its_call():
    machine = Interpreter(plan_of(a={"with": {"x": "${length(inputs.n)}"}}), {"n": 1}, {})
    assert machine.take() == []
    assert "length()" in machine.failures["a"]


def test_a_loop_over_something_else_than_a_list_says_so():
    machine = Interpreter(plan_of(a={"for_each": "${inputs.n}"}), {"n": 1}, {})
    assert machine.idle
    assert "a list was expected, not int" in machine.failures["a"]


def test_ten_thousand_blocked_steps_do_not_overflow_the_stack():
    steps = {f"s{n}": ({"after": [f"s{n - 1}"]} if n else {}) for n in range(10_000)}
    machine = Interpreter(plan_of(**steps), {}, {})
    machine.take()
    machine.fail("s0", "no")
    assert machine.idle
    assert machine.state_of("s9999") == "blocked"


def test_a_cycle_is_named():
    with pytest.raises(ValueError, match=r"a -> c -> b -> a|b -> a -> c -> b|c -> b -> a -> c"):
        list(ordered(plan_of(a={"after": ["c"]}, b={"after": ["a"]}, c={"after": ["b"]})))


class TestRoundKeys:
    def test_scalars_name_themselves(self):
        assert round_keys(["x", 7]) == ["x", "7"]

    def test_the_field_that_tells_items_apart_names_them(self):
        assert round_keys([{"kind": "po", "id": "1"}, {"kind": "po", "id": "2"}]) == ["1", "2"]
        rows = [{"due": "2026-01-01", "n": 1, "order": "A"}, {"due": "2026-01-02", "n": 2, "order": "B"}]
        assert round_keys(rows) == ["A", "B"]

    def test_the_order_of_the_fields_does_not_matter(self):
        rows = [{"order": "A", "due": "2026-01-01"}, {"order": "B", "due": "2026-01-02"}]
        turned = [dict(reversed(row.items())) for row in rows]
        assert round_keys(rows) == round_keys(turned) == ["A", "B"]

    def test_equal_items_are_counted(self):
        assert round_keys(["x", "x"]) == ["x", "x#2"]

    def test_an_expression_can_name_them(self):
        assert round_keys([{"a": 1, "b": "p"}, {"a": 2, "b": "q"}], "each.b") == ["p", "q"]

    def test_long_or_odd_texts_are_shortened_without_meeting(self):
        keys = round_keys(["a" * 100 + "1", "a" * 100 + "2", "x y", "x_y"])
        assert len(set(keys)) == 4
        assert all(len(key) <= 48 for key in keys)

    @given(
        st.lists(st.fixed_dictionaries({"id": st.text(max_size=5)}), max_size=6),
        st.fixed_dictionaries({"id": st.text()}),
    )
    def test_keys_are_unique(self, items, more):
        keys = round_keys([*items, more])
        assert len(set(keys)) == len(keys)

    @given(
        st.lists(st.text(min_size=1, max_size=8), unique=True, min_size=1, max_size=6), st.text(min_size=9, max_size=9)
    )
    def test_a_longer_list_gives_the_old_items_their_old_names(self, items, more):
        old = [{"id": item} for item in items]
        assert round_keys([{"id": more}, *old])[1:] == round_keys(old)


@settings(max_examples=200)
@given(st.data())
def test_any_plan_ends_and_each_call_is_made_once(data):
    count = data.draw(st.integers(1, 8))
    steps = {}
    for n in range(count):
        needs = data.draw(st.lists(st.sampled_from([f"s{m}" for m in range(n)]), unique=True)) if n else []
        step = {"after": needs}
        if data.draw(st.booleans()):
            step["for_each"] = data.draw(st.lists(st.integers(0, 3), max_size=3))
        if data.draw(st.booleans()):
            step["else_try"] = [{"action": "t.u", "on": "t:a"}]
        steps[f"s{n}"] = step
    machine = Interpreter(plan_of(**steps), {}, {})
    calls = []
    while not machine.idle:
        for call in machine.take():
            calls.append(call.id)
            what = data.draw(st.sampled_from(["ok", "fail", "defer", "ok"]))
            if what == "ok":
                machine.succeed(call.id, None)
            elif what == "fail":
                machine.fail(call.id, "no")
            else:
                machine.defer(call.id, "later")
    assert len(calls) == len(set(calls))
    assert all(machine.state_of(name) in {"done", "skipped", "failed", "blocked", "deferred"} for name in steps)
