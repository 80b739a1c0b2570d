"""What another plan for the rest of a run must leave as it is, so that nothing that was done is done again."""

from __future__ import annotations

from collections.abc import Iterable

from banksman.plan import Runbook, Step, build, dependencies
from banksman.runtime._state import RunState

#: What may change of a loop that has run in part, as long as nothing was built on its output: none of these gives a
#: round another name, or another round the same one.
_LOOSE = {"when", "else_try", "after", "description"}


def fixed_steps(state: RunState) -> frozenset[str]:
    """The steps of a run that have run, at least in part, and those that they depend on."""
    ran = frozenset(call.id.partition("[")[0].partition("~")[0] for call in state.of_status("read", "confirmed"))
    return ran | _needs(build(state.plan), ran)


def _needs(plan: Runbook, steps: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    left = list(steps)
    while left:
        needed = (dependencies(plan.steps[left.pop()]) & plan.steps.keys()) - found
        found |= needed
        left += needed
    return frozenset(found)


def kept(state: RunState, plan: Runbook) -> list[str]:
    """What a plan changes of what a run has done already, one problem each; empty where it may take its place.

    A round is named by the item it is for, and an output is found by that name. So a step that has run, and whatever it
    was made from, stays as it was: otherwise a write could come up again under a new name.
    """
    old = build(state.plan)
    problems: list[str] = []
    if plan.inputs != old.inputs:
        problems.append("inputs: they were given when the run began, so they have to stay as they were")
    fixed = fixed_steps(state)
    built_on = _needs(old, fixed)
    for name in old.steps:
        if name in fixed and not _same(old, plan, name, loose=name not in built_on):
            problems.append(f"steps.{name}: it has run, so it has to stay as it was; use another name for another step")
    return problems


def _same(old: Runbook, new: Runbook, name: str, *, loose: bool) -> bool:
    if name not in new.steps:
        return False
    before, after = old.steps[name], new.steps[name]
    if old.connection_of(before) != new.connection_of(after):
        return False
    leave = _LOOSE if loose and before.for_each is not None else set()
    return _without(before, leave) == _without(after, leave)


def _without(step: Step, leave: set[str]) -> dict[str, object]:
    # An alias may have another name, as long as it means the same connection.
    return step.model_dump(exclude={*leave, "on"})
