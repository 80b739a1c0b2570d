"""Undo is a plan like any other: the inverse calls of a run, latest first, previewed, approved and recorded."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from banksman._canonical import Plain, plain
from banksman._change import Receipt
from banksman._record import settle
from banksman.plan import Runbook, build, escape
from banksman.preview import Connect, resolver, undo_of
from banksman.runtime._state import CallState, RunState


@dataclass(frozen=True)
class UndoPlan:
    """How a run is taken back.

    Attributes:
        plan: None where nothing can be undone.
        leaves: call -> what stays after its compensation.
        stays: call -> why it cannot be undone.
    """

    plan: Runbook | None
    leaves: Mapping[str, str]
    stays: Mapping[str, str]


async def plan_undo(state: RunState, connect: Connect) -> UndoPlan:
    """The inverse of everything a run is known to have done."""
    steps: dict[str, Any] = {}
    leaves: dict[str, str] = {}
    stays: dict[str, str] = {}
    gone: dict[tuple[str, str, str], str] = {}
    previous: str | None = None
    for call in reversed(state.of_status("confirmed")):
        if not call.intent:
            stays[call.id] = "a person said that it happened; its result is not on record"
            continue
        opened = await connect(call.intent["connection"])
        action = await opened.action(call.intent["action"])
        receipt, record = receipt_of(state, call), _record(state, call)
        if record in gone:
            # One inverse that cannot be previewed would keep all the others from being run.
            stays[call.id] = f"{gone[record]} has deleted the record since, and that cannot be undone"
            continue
        inverse, how = undo_of(action, receipt)
        if inverse is None:
            stays[call.id] = how["text"]
            if receipt.after is None:
                gone[record] = call.id
            continue
        if how["kind"] == "compensation":
            leaves[call.id] = how["text"].partition("leaves: ")[2]
        name = f"undo_{len(steps) + 1}"
        steps[name] = {
            "description": f"takes back {call.id}",
            "action": opened.connector.own(inverse.action).full_name,
            "on": call.intent["connection"],
            "with": escape(plain(inverse.arguments)),
            "after": [previous] if previous else [],
        }
        previous = name
    for call in state.calls.values():
        if call.is_open:
            stays[call.id] = "nobody knows yet whether it happened; resume the run, or settle the call, then undo it"
    if not steps:
        return UndoPlan(None, leaves, stays)
    document = {"name": f"undo-{state.name}", "goal": f"Take back what run {state.id} did", "steps": steps}
    return UndoPlan(build(document), leaves, stays)


def _record(state: RunState, call: CallState) -> tuple[str, str, str]:
    """The record that a call wrote, by the key that it came to have."""
    intent = call.intent
    resolve = resolver(intent["nonce"], ChainMap({call.id: call.output}, state.known))
    return intent["connection"], intent["entity"], str(settle(intent["record"], intent["nonce"], resolve))


def receipt_of(state: RunState, call: CallState) -> Receipt[Any]:
    """What is on record of a write, with the values that came to be in place of placeholders."""
    intent = call.intent
    nonce = intent["nonce"]
    resolve = resolver(nonce, ChainMap({call.id: call.output}, state.known))

    def real(value: Plain) -> Plain:
        return settle(value, nonce, resolve)

    return Receipt(
        arguments=intent["arguments"], before=intent["before"], after=real(intent["after"]), result=call.output
    )
