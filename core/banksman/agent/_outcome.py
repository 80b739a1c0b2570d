"""How far a run came, what stopped it, and who can mend that: another plan, or a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from banksman._canonical import Plain
from banksman.ledger import Entry
from banksman.plan import RESERVED, Runbook, build, expressions
from banksman.planner import BAD_REFERENCE, FORETOLD, REPEATED, UNMET, Catalogue, Failure, Progress
from banksman.preview import Preview, same
from banksman.runtime import RunState, way_of


class Remedy(StrEnum):
    """What a kind of failure asks for. Waiting and trying again has been done by then, where it can help.

    Attributes:
        REPAIR: the model sees the error and writes the step anew.
        REPLACE: the model takes another connection or another action.
        PERSON: no plan goes around it.
    """

    REPAIR = "repair"
    REPLACE = "replace"
    PERSON = "person"


_REMEDIES = {
    "Rejected": Remedy.REPAIR,
    "NotFound": Remedy.REPAIR,
    "Conflict": Remedy.REPAIR,
    "ArgumentError": Remedy.REPAIR,
    BAD_REFERENCE: Remedy.REPAIR,
    UNMET: Remedy.REPAIR,
    REPEATED: Remedy.REPAIR,
    FORETOLD: Remedy.REPAIR,
    "Unavailable": Remedy.REPLACE,
    "RateLimited": Remedy.REPLACE,
    "MalformedAnswer": Remedy.REPLACE,
}


def remedy_of(kind: str) -> Remedy:
    """Who mends a kind of failure. A refused login, a missing permission, a rule, an unknown outcome and whatever is
    not known here go to a person."""
    return _REMEDIES.get(kind, Remedy.PERSON)


@dataclass(frozen=True)
class Trouble:
    """What stopped a run."""

    failures: tuple[Failure, ...]

    @property
    def remedy(self) -> Remedy:
        """The gravest of them: one failure that needs a person is enough."""
        found = {remedy_of(failure.kind) for failure in self.failures}
        return next((one for one in (Remedy.PERSON, Remedy.REPLACE, Remedy.REPAIR) if one in found), Remedy.PERSON)


def trouble_of(state: RunState, entries: Sequence[Entry]) -> Trouble | None:
    """What stopped a run that failed or could not be previewed; None where nothing did that another plan could mend."""
    if state.status == "failed":
        found = [Failure("ensures", UNMET, text) for text in state.unmet] or _failed_calls(state)
        # A step whose references cannot be evaluated fails without a call.
        return Trouble(tuple(found or [Failure("a step", BAD_REFERENCE, state.why)]))
    if state.status != "paused":
        return None
    paused = next((entry.body for entry in reversed(entries) if entry.kind == "run.paused"), {})
    return Trouble(tuple(_not_previewed(paused))) if "preview" in paused else None


def _failed_calls(state: RunState) -> list[Failure]:
    """Calls that failed, but for those in whose place another way was gone."""
    went = {way_of(call.id)[0] for call in state.of_status("read", "confirmed")}
    return [
        Failure(call.id, call.kind, call.error, _action_of(state.plan, call.id))
        for call in state.of_status("failed")
        if way_of(call.id)[0] not in went
    ]


def _not_previewed(body: Mapping[str, Any]) -> list[Failure]:
    preview, kinds = body["preview"], body.get("kinds", {})
    return [
        Failure(call, kinds.get(call, BAD_REFERENCE), reason, _action_of(preview["plan"], call))
        for call, reason in preview["failures"].items()
        if step_of(call) in preview["failed"]
    ]


def step_of(call: str) -> str:
    """The step of a call's id."""
    return way_of(call)[0].partition("[")[0]


def _action_of(plan: Mapping[str, Any], call: str) -> str:
    step, way = plan["steps"].get(step_of(call)), way_of(call)[1]
    if step is None:
        return ""
    calls = [step, *step.get("else_try", [])]
    return str(calls[way]["action"]) if way < len(calls) else ""


def progress_of(state: RunState, catalogue: Catalogue) -> list[Progress]:
    """How far each step of a run's plan came."""
    plan = build(state.plan)
    ran: dict[str, list[Any]] = {}
    for call in state.of_status("read", "confirmed"):
        ran.setdefault(step_of(call.id), []).append(call)
    broke = {step_of(failure.where) for failure in _failed_calls(state)}
    found: list[Progress] = []
    for name, step in plan.steps.items():
        calls = ran.get(name, [])
        if not calls:
            found.append(Progress(name, "failed" if name in broke else "not run, or skipped"))
            continue
        action = catalogue.actions.get(_action_of(state.plan, calls[0].id))
        found.append(
            Progress(
                name,
                "partly done" if name in broke else "done",
                step.for_each is not None,
                tuple(call.output for call in calls),
                action.output_schema if action else None,
                bool(action and action.effect.changes),
            )
        )
    return found


def repeated(preview: Preview, run: str, entries: Sequence[Entry]) -> list[Failure]:
    """The writes of a preview that do once more what another step of the run has done.

    A plan may hold two equal writes when it is approved; what is found here came in by a later plan.
    """
    done = _writes(run, entries)
    found: list[Failure] = []
    for item in preview.items.values():
        step = preview.plan["steps"][item.step]
        for call, intent, as_planned in done:
            if (
                step != as_planned
                and (intent["action"], intent["connection"]) == (item.action, item.connection)
                and same(intent["arguments"], dict(item.arguments))
            ):
                text = f"{item.call} would do again what {call} has done: same action, connection and arguments"
                found.append(Failure(item.call, REPEATED, text, item.action))
    return found


def _writes(run: str, entries: Sequence[Entry]) -> list[tuple[str, Mapping[str, Plain], Plain]]:
    """The writes that happened, each with its intent and its step as the plan was then."""
    state, found = RunState(run), []
    for entry in entries:
        state.apply(entry)
        if entry.kind in ("call.confirmed", "call.settled"):
            call = state.calls[entry.call]
            if call.status == "confirmed" and call.intent:
                found.append((call.id, call.intent, state.plan["steps"].get(step_of(call.id))))
    return found


def dropped(state: RunState, plan: Runbook) -> list[str]:
    """Expectations that a new plan leaves out although it could keep them. A person has approved them; a plan may add
    some, and may leave out only what it has no steps for any more, or what cannot be evaluated."""
    if not state.used:
        return []
    old = build(state.plan)
    broken = [text for text in state.unmet if text not in old.ensures]
    problems: list[str] = []
    for expected in old.ensures:
        roots = {root for expression in expressions(expected) for root in expression.roots}
        unreadable = any(expected.strip()[2:-1].strip() in text for text in broken)
        if expected not in plan.ensures and not unreadable and roots <= plan.steps.keys() | RESERVED:
            problems.append(f"ensures: {expected} has to stay; reach it, or answer with `cannot`")
    return problems
